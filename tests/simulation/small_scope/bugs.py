"""Bugs planted into the ledger's own handlers, one at a time: the search must find each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from cellvow.core.contracts.attestation import IssueAttestation
from cellvow.core.contracts.battery import BatteryRecord, RegisterBattery, battery_key
from cellvow.core.contracts.contract import Context, Handler, Message, decode_record, encode_record
from cellvow.core.contracts.custody import AcceptHandover, OfferHandover, OfferRecord, offer_key
from cellvow.core.contracts.dispute import DecideDispute
from cellvow.core.contracts.dispute_file import unit_disputes_key
from cellvow.core.contracts.life import DeclareWaste
from cellvow.core.contracts.part import InstallPart
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.ledger.outcome import Event
from cellvow.core.protocol.ruleset import NEWEST, Ruleset, get_ruleset
from tests.simulation.small_scope.scope import AUTHORITY, MAKER, OPERATOR, PACK, SUCCESSOR, make_scope
from tests.simulation.small_scope.stepping import Move, State, take_step

Broken = Callable[[Handler, Context, Any], list[Event]]


def _blind(context: Context, hide: Callable[[str], bool], show: Callable[[str, bytes], bytes | None]) -> Context:
    """A context in which some records read otherwise; what is written is written all the same."""

    def read(key: str) -> bytes | None:
        value = context.read(key)
        return show(key, value) if value is not None and hide(key) else value

    return replace(context, read=read)


def _anybody_accepts(handler: Handler, context: Context, message: Any) -> list[Event]:  # noqa: ANN401 - any message
    """The addressee of an offer is not asked for."""
    value = context.get_bytes(offer_key(message.battery))
    addressee = context.organisation if value is None else decode_record(OfferRecord, value).addressee
    return handler(replace(context, organisation=addressee), message)


def _forget_disputes(handler: Handler, context: Context, message: Any) -> list[Event]:  # noqa: ANN401 - any message
    """A register moves though a party disputes it."""
    key = unit_disputes_key(message.battery)
    return handler(_blind(context, lambda one: one == key, lambda _, __: None), message)


def _forget_that_it_is_a_part(handler: Handler, context: Context, message: Any) -> list[Event]:  # noqa: ANN401 - any message
    """A part that is in another unit is built in once more."""

    def free(_: str, value: bytes) -> bytes:
        return encode_record(msgspec.structs.replace(decode_record(BatteryRecord, value), part_of=None))

    return handler(_blind(context, lambda key: key == battery_key(message.part), free), message)


def _certify_anything(handler: Handler, context: Context, message: Any) -> list[Event]:  # noqa: ANN401 - any message
    """A certificate is written though no accreditation covers it."""
    plain = msgspec.structs.replace(message, is_certificate=False)
    events = handler(context, plain)
    for key, value in list(context.writes.items()):
        if key.startswith("attestation/"):
            context.writes[key] = value.replace(b'"is_certificate":false', b'"is_certificate":true')
    return events


def _party_decides(handler: Handler, context: Context, message: Any) -> list[Event]:  # noqa: ANN401 - any message
    """A party decides its own dispute."""
    return handler(replace(context, organisation=AUTHORITY), message)


def _raise_the_dead(handler: Handler, context: Context, message: Any) -> list[Event]:  # noqa: ANN401 - any message
    """A registration of what has ceased lets it live again."""
    key = battery_key(message.battery)
    value = context.get_bytes(key)
    if value is not None and decode_record(BatteryRecord, value).ceased is not None:
        alive = msgspec.structs.replace(decode_record(BatteryRecord, value), ceased=None)
        context.put(key, alive)
        return [{"type": "BatteryRegistered", "battery": message.battery}]
    return handler(context, message)


def _leave_it_open(handler: Handler, context: Context, message: Any) -> list[Event]:  # noqa: ANN401 - any message
    """An offer outlives the hand-over of a unit to somebody else: it can be neither declined nor withdrawn."""
    events = handler(context, message)
    key = offer_key(message.battery)
    offer = decode_record(OfferRecord, context.writes[key])
    context.writes[key] = encode_record(msgspec.structs.replace(offer, addressee=offer.offerer, offerer="nobody"))
    return events


def _forget_that_it_is_waste(handler: Handler, context: Context, message: Any) -> list[Event]:  # noqa: ANN401 - any message
    """Waste is accepted as if it were in use."""

    def fresh(_: str, value: bytes) -> bytes:
        return encode_record(msgspec.structs.replace(decode_record(BatteryRecord, value), status="original"))

    return handler(_blind(context, lambda key: key == battery_key(message.battery), fresh), message)


@dataclass(frozen=True, slots=True)
class Bug:
    """Which message's handler is broken, how, and what has happened before, so that the search is short."""

    kind: type[Message]
    broken: Broken
    before: tuple[Move, ...] = ()


def _all_registers(unit: str, by: str, to: str) -> tuple[Move, Move]:
    offer = OfferHandover(battery=unit, addressee=to, registers=REGISTERS, versions=(1, 1, 1))  # type: ignore[arg-type]  # names of registers
    return Move(by, offer), Move(to, AcceptHandover(battery=unit, version=1))


_OFFERED = Move(MAKER, OfferHandover(battery=PACK, addressee=OPERATOR, registers=("custody",), versions=(1,)))
_OFFERED_BEFORE_WASTE = (
    Move(MAKER, OfferHandover(battery=PACK, addressee=AUTHORITY, registers=("responsibility",), versions=(1,))),
    Move(MAKER, DeclareWaste(battery=PACK, version=1, cause="worn_out")),
)
_ANOTHER_PACK = (
    Move(OPERATOR, RegisterBattery(battery=SUCCESSOR, manufactured_on="2026-01-01", facility="Hall 2")),
    *_all_registers(SUCCESSOR, OPERATOR, MAKER),
)

BUGS: dict[str, Bug] = {
    "anybody accepts": Bug(AcceptHandover, _anybody_accepts),
    "a disputed register moves": Bug(AcceptHandover, _forget_disputes, (_OFFERED,)),
    "a part is in two units": Bug(InstallPart, _forget_that_it_is_a_part, _ANOTHER_PACK),
    "anything is certified": Bug(IssueAttestation, _certify_anything),
    "a party decides": Bug(DecideDispute, _party_decides),
    "the dead come back": Bug(RegisterBattery, _raise_the_dead),
    "anybody answers for waste": Bug(AcceptHandover, _forget_that_it_is_waste, _OFFERED_BEFORE_WASTE),
    "an offer cannot be answered": Bug(OfferHandover, _leave_it_open),
}
"""What each leaves out."""


def begin(bug: Bug) -> State:
    """The first state of the search for a bug."""
    state = make_scope()
    for move in bug.before:
        step = take_step(state, move)
        if step.result != "accepted":
            raise AssertionError(f"{move} came to {step.result}")
        state = step.state
    return state


def plant(name: str) -> Ruleset:
    """The newest ruleset with one bug in it."""
    kind, broken = BUGS[name].kind, BUGS[name].broken
    sound = get_ruleset(NEWEST)
    handler = sound.handlers[kind]

    def planted(context: Context, message: Any) -> list[Event]:  # noqa: ANN401 - any message
        shared = replace(context)
        return broken(handler, shared, message)

    return replace(sound, handlers={**sound.handlers, kind: planted})
