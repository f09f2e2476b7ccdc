"""What holds in every state and over every step, whoever signs what: told from the records alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from cellvow.core.contracts.attestation import AttestationRecord
from cellvow.core.contracts.battery import STATUSES, BatteryRecord, battery_key
from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.custody import (
    AcceptHandover,
    DeclineHandover,
    OfferRecord,
    WithdrawHandover,
    offer_key,
)
from cellvow.core.contracts.dispute import AcceptSettlement, DecideDispute, WithdrawDispute
from cellvow.core.contracts.dispute_file import DisputeRecord, derive_dispute_state, dispute_key
from cellvow.core.contracts.life import FIT_FOR_WASTE
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.contracts.part import PartRecord, RemovePart
from cellvow.core.contracts.register import REGISTERS, RegisterRecord, register_key
from cellvow.core.contracts.takeover import (
    CompleteTakeover,
    TakeoverRecord,
    WithdrawNotice,
    derive_takeover_state,
    takeover_key,
)
from cellvow.core.contracts.whole import derive_registered, derive_wholes
from cellvow.core.ledger.genesis import parse_organisation
from tests.simulation.small_scope.scope import AUTHORITY, MAKERS, ORGANISATIONS, SUCCESSOR, UNITS
from tests.simulation.small_scope.stepping import Move, State, Step, decode, take_step

if TYPE_CHECKING:
    from cellvow.core.contracts.contract import RecordType

ALL = (*UNITS, SUCCESSOR)
Promise = Callable[[State, Move, Step], str | None]


def watch(before: State, move: Move, step: Step) -> str | None:
    """The first promise that a step broke."""
    if move.message is None:
        return _ways_out(before, move, step)
    return next(filter(None, (promise(before, move, step) for promise in PROMISES)), None)


def _get(state: State, record_type: type[RecordType], key: str) -> RecordType | None:
    value = state.records.get(key)
    return None if value is None else decode(record_type, value)


def _all(state: State, record_type: type[RecordType], prefix: str) -> Iterator[RecordType]:
    for key, value in state.records.items():
        if key.startswith(prefix):
            yield decode(record_type, value)


def _wrote(step: Step, *prefixes: str) -> bool:
    """Whether a step wrote such records at all."""
    return any(key.startswith(prefixes) for key in step.written)


def _one_party_each(_: State, move: Move, step: Step) -> str | None:
    """Each register of each unit names one member."""
    if not _wrote(step, "battery/", *(f"{one}/" for one in REGISTERS)):
        return None
    for unit in ALL:
        if battery_key(unit) not in step.state.records:
            continue
        for register in REGISTERS:
            record = _get(step.state, RegisterRecord, register_key(register, unit))
            if record is None or record.organisation not in ORGANISATIONS:
                return f"nobody stands in the {register} of {unit} after {move}"
    return None


def moved(before: State, step: Step) -> Iterator[tuple[str, str, RegisterRecord, RegisterRecord]]:
    """(unit, register, its record before, its record after) of every register that names another after the step."""
    for key in step.written:
        register, _, unit = key.partition("/")
        if register in REGISTERS:
            old, new = _get(before, RegisterRecord, key), _get(step.state, RegisterRecord, key)
            if old is not None and new is not None and old.organisation != new.organisation:
                yield unit, register, old, new


def _both_sides(before: State, move: Move, step: Step) -> str | None:
    """A register moves when both sides have signed, when an arbiter decided between them, or when nobody answered."""
    for unit, register, old, new in moved(before, step):
        if not _is_entitled(before, move, (unit, register), old.organisation, new.organisation):
            return f"the {register} of {unit} went from {old.organisation} to {new.organisation} by {move}"
    return None


def _is_entitled(before: State, move: Move, place: tuple[str, str], old: str, new: str) -> bool:
    message, (unit, register) = move.message, place
    if isinstance(message, AcceptHandover):
        offer = _get(before, OfferRecord, offer_key(unit))
        return (
            offer is not None and offer.state == "open" and (offer.offerer, offer.addressee) == (old, move.organisation)
        )
    if isinstance(message, AcceptSettlement | DecideDispute):
        return _may_end(before, move, message, new)
    if isinstance(message, CompleteTakeover):
        notice = _get(before, TakeoverRecord, takeover_key(unit))
        waited = notice is not None and before.time_ms > notice.ends_ms
        return waited and move.organisation == new and register != "ownership"
    if isinstance(message, RemovePart):
        return derive_registered(before.records.get, register, unit).organisation == new
    return False


def _may_end(before: State, move: Move, message: AcceptSettlement | DecideDispute, new: str) -> bool:
    record = _get(before, DisputeRecord, dispute_key(message.opener, message.reference))
    if record is None or new not in (record.organisation, record.respondent):
        return False
    parties = (record.organisation, record.respondent)
    if isinstance(message, DecideDispute):
        return move.organisation not in parties
    return record.settlement is not None and record.settlement.organisation != move.organisation in parties


def _held_still(before: State, move: Move, step: Step) -> str | None:
    """What parties dispute stays where it is until the dispute has ended."""
    if isinstance(move.message, AcceptSettlement | DecideDispute):
        return None
    for unit, register, _, _ in moved(before, step):
        for record in _all(before, DisputeRecord, "dispute/"):
            is_open = derive_dispute_state(record, before.time_ms) == "open"
            if is_open and record.battery == unit and register in record.holds:
                return (
                    f"the {register} of {unit} moved while {record.reference} of {record.organisation} held it: {move}"
                )
    return None


def _waste_answered(before: State, move: Move, step: Step) -> str | None:
    """The responsibility for waste passes to a producer, who acts for producers, or a waste operator only."""
    for unit, register, _, new in moved(before, step):
        battery = _get(step.state, BatteryRecord, battery_key(unit))
        is_waste = battery is not None and battery.status == "waste" and battery.ceased is None
        member = parse_organisation(step.state.records[organisation_key(new.organisation)])
        is_fit = any(role in FIT_FOR_WASTE for role in member.roles)
        if register == "responsibility" and is_waste and not is_fit:
            return f"{new.organisation} answers for the waste {unit} after {move}"
    return None


def _one_whole(_: State, move: Move, step: Step) -> str | None:
    """No part is in two units, none is in itself, and each part's own record agrees."""
    if not _wrote(step, "battery/", "part/"):
        return None
    places: dict[str, list[str]] = {}
    for record in _all(step.state, PartRecord, "part/"):
        if record.state == "installed":
            places.setdefault(record.part, []).append(record.battery)
    for unit in ALL:
        battery = _get(step.state, BatteryRecord, battery_key(unit))
        if battery is None:
            continue
        wanted = [] if battery.part_of is None else [battery.part_of]
        if places.get(unit, []) != wanted or unit in derive_wholes(step.state.records.get, unit):
            return f"{unit} is in {places.get(unit, [])}, and says {wanted}, after {move}"
    return None


def _within_scope(_: State, move: Move, step: Step) -> str | None:
    """Every certificate is within the accreditation of its issuer."""
    written = (key for key in step.written if key.startswith("attestation/"))
    for record in (decode(AttestationRecord, step.state.records[key]) for key in written):
        within = record.organisation == AUTHORITY and all(one.quantity == "capacity" for one in record.results)
        if record.is_certificate and not within:
            return f"a certificate of {record.organisation} outside its scope after {move}"
    return None


def _dead_is_dead(before: State, move: Move, step: Step) -> str | None:
    """What has ceased stays ceased, and its registers stay; no status leads back."""
    if not _wrote(step, "battery/", *(f"{one}/" for one in REGISTERS)):
        return None
    for unit in ALL:
        old = _get(before, BatteryRecord, battery_key(unit))
        new = _get(step.state, BatteryRecord, battery_key(unit))
        if old is None or new is None:
            continue
        if old.ceased is not None and new.ceased != old.ceased:
            return f"{unit} came back after {move}"
        if old.status != new.status and (new.status == STATUSES[0] or old.epoch > new.epoch):
            return f"the status of {unit} went from {old.status} to {new.status}: {move}"
    dead = [unit for unit, *_ in moved(before, step) if _is_dead(before, unit)]
    return f"a register of the dead {dead[0]} moved by {move}" if dead else None


def _is_dead(state: State, unit: str) -> bool:
    record = _get(state, BatteryRecord, battery_key(unit))
    return record is not None and record.ceased is not None


def _born_once(before: State, move: Move, step: Step) -> str | None:
    """A unit is born once, and a claim changes no record but those of disputes."""
    if step.result == "contested":
        other = [key for key in step.written if not key.startswith("disput")]
        return f"a claim changed {other[0]}: {move}" if other else None
    if not _wrote(step, "battery/"):
        return None
    makers = {unit: _get(before, BatteryRecord, battery_key(unit)) for unit in ALL}
    for unit, old in makers.items():
        new = _get(step.state, BatteryRecord, battery_key(unit))
        if old is not None and new is not None and (new.organisation, new.gtin) != (old.organisation, old.gtin):
            return f"{unit} has another maker after {move}"
        if old is None and new is not None and new.organisation != MAKERS[new.gtin]:
            return f"{unit} was born by {move}"
    return None


def _ways_out(_: State, move: Move, step: Step) -> str | None:
    """Every open offer, dispute and notice can be ended by who began it, and an offer by its addressee too."""
    state = step.state
    if move.message is not None and not _wrote(step, "offer/", "disput", "takeover/", "battery/"):
        return None
    for offer in _all(state, OfferRecord, "offer/"):
        if offer.state != "open":
            continue
        answers: tuple[tuple[str, Message], ...] = (
            (offer.offerer, WithdrawHandover(battery=offer.battery, version=offer.version)),
            (offer.addressee, DeclineHandover(battery=offer.battery, version=offer.version)),
        )
        if not all(_is_accepted(state, organisation, message) for organisation, message in answers):
            return f"the offer of {offer.battery} has no way out after {move}"
    for record in _all(state, DisputeRecord, "dispute/"):
        if derive_dispute_state(record, state.time_ms) == "open":
            ended = WithdrawDispute(battery=record.battery, opener=record.organisation, reference=record.reference)
            if not _is_accepted(state, record.organisation, ended):
                return f"dispute {record.reference} of {record.organisation} has no way out after {move}"
    return _notices_end(state, move)


def _notices_end(state: State, move: Move) -> str | None:
    for notice in _all(state, TakeoverRecord, "takeover/"):
        answers = _get(state, RegisterRecord, register_key("responsibility", notice.battery))
        if answers is None or derive_takeover_state(notice, answers, state.time_ms) != "open":
            continue
        if not _is_accepted(state, notice.by, WithdrawNotice(battery=notice.battery, version=notice.version)):
            return f"the notice over {notice.battery} has no way out after {move}"
    return None


def _is_accepted(state: State, organisation: str, message: Message) -> bool:
    return organisation in ORGANISATIONS and take_step(state, Move(organisation, message)).result == "accepted"


PROMISES: tuple[Promise, ...] = (
    _one_party_each,
    _both_sides,
    _held_still,
    _waste_answered,
    _one_whole,
    _within_scope,
    _dead_is_dead,
    _born_once,
    _ways_out,
)
"""Judged in this order after every step that changed anything."""
