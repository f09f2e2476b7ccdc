"""Bugs planted into the ledger's own handlers, one at a time: the search must find each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import msgspec

from cellvow.core.contracts.attestation import IssueAttestation
from cellvow.core.contracts.battery import BatteryRecord, RegisterBattery, battery_key
from cellvow.core.contracts.contract import Context, Handler, Message, decode_record, encode_record
from cellvow.core.contracts.custody import AcceptHandover, OfferHandover, OfferRecord, offer_key
from cellvow.core.contracts.dispute import DecideDispute
from cellvow.core.contracts.dispute_file import unit_disputes_key
from cellvow.core.contracts.part import InstallPart
from cellvow.core.ledger.outcome import Event
from cellvow.core.protocol.ruleset import NEWEST, Ruleset, get_ruleset
from tests.simulation.small_scope.scope import AUTHORITY

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


BUGS: dict[str, tuple[type[Message], Broken]] = {
    "anybody accepts": (AcceptHandover, _anybody_accepts),
    "a disputed register is offered": (OfferHandover, _forget_disputes),
    "a part is in two units": (InstallPart, _forget_that_it_is_a_part),
    "anything is certified": (IssueAttestation, _certify_anything),
    "a party decides": (DecideDispute, _party_decides),
    "the dead come back": (RegisterBattery, _raise_the_dead),
    "an offer cannot be answered": (OfferHandover, _leave_it_open),
}
"""What each leaves out."""


def plant(name: str) -> Ruleset:
    """The newest ruleset with one bug in it."""
    kind, broken = BUGS[name]
    sound = get_ruleset(NEWEST)
    handler = sound.handlers[kind]

    def planted(context: Context, message: Any) -> list[Event]:  # noqa: ANN401 - any message
        shared = replace(context)
        return broken(handler, shared, message)

    return replace(sound, handlers={**sound.handlers, kind: planted})
