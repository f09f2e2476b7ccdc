"""Recorded verdicts: what an organisation's acceptance policy said of a battery on a day, and on which test it rests.

A verdict binds nobody but its signer and changes no other record. The policy's reasons are a commitment: whoever is
shown them can compute the verdict again.
"""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.attestation import ISSUED, AttestationRecord, Result, attestation_key, derive_state
from cellvow.core.contracts.battery import Day, get_battery
from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Battery,
    Context,
    Contract,
    Count,
    Hash,
    Member,
    OfUnit,
    Record,
    Reference,
    Schema,
    require,
)
from cellvow.core.contracts.day import derive_day_number
from cellvow.core.contracts.policy.calendar import parse_day
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected

VerdictWord = Literal["accept", "re_test", "cannot_tell"]
ACCEPT, RE_TEST, CANNOT_TELL = "accept", "re_test", "cannot_tell"
EVALUATION = "evaluation"
"""What a verdict's one result is called: the policy, and every evaluation that led to the verdict."""


# Records


class AttestationReference(Schema, frozen=True, kw_only=True):
    """An attestation by its issuer and the issuer's number for it."""

    organisation: Annotated[Member, MEMBERS]
    reference: Annotated[Reference, MEMBERS]


class VerdictRecord(Record, frozen=True, kw_only=True):
    """`verdict/ORGANISATION/REFERENCE`. `epoch` is the battery's when the verdict was recorded."""

    organisation: str
    reference: Reference
    battery: Battery
    policy: Hash
    verdict: VerdictWord
    as_of: Day
    attestation: AttestationReference | None
    results: tuple[Result, ...]
    recorded_ms: Count
    epoch: Count


# Messages


class RecordVerdict(OfUnit, frozen=True, kw_only=True):
    """Record what a policy says of a battery on a day; `policy` is its digest, `attestation` the test it rests on."""

    reference: Annotated[Reference, WORLD]
    policy: Annotated[Hash, WORLD]
    as_of: Annotated[Day, WORLD]
    verdict: Annotated[VerdictWord, MEMBERS]
    attestation: Annotated[AttestationReference | None, MEMBERS] = None
    results: Annotated[tuple[Result, ...], msgspec.Meta(min_length=1, max_length=1), WORLD]


# Rules


def verdict_key(organisation: str, reference: str) -> str:
    """Where a recorded verdict lies in the state map."""
    return f"verdict/{organisation}/{reference}"


def require_past_day(context: Context, day: str) -> None:
    """Raise `Rejected` unless the calendar has this day and it is not after the block's (UTC)."""
    number = parse_day(day)
    known = number is not None and number <= derive_day_number(context.time_ms)
    require(known, Reason.WRONG_DAY, as_of=day)


def require_grounds(context: Context, message: RecordVerdict) -> None:
    """Raise `Rejected` unless the attestation named is one of this battery, and in force where it is accepted."""
    named = message.attestation
    if named is None:
        require(message.verdict != ACCEPT, Reason.NOTHING_TO_ACCEPT)
        return
    record = context.get(AttestationRecord, attestation_key(named.organisation, named.reference))
    if record is None:
        raise Rejected(Reason.UNKNOWN_ATTESTATION, organisation=named.organisation, reference=named.reference)
    require(record.battery == message.battery, Reason.TEST_OF_ANOTHER_BATTERY, reference=named.reference)
    if message.verdict == ACCEPT:
        state = derive_state(record, get_battery(context, message.battery), context.time_ms)
        require(state == ISSUED, Reason.NOT_IN_FORCE, reference=named.reference, state=state)


# Handlers


def _record(context: Context, message: RecordVerdict) -> list[Event]:
    battery = get_battery(context, message.battery)
    require(message.results[0].quantity == EVALUATION, Reason.MALFORMED_MESSAGE, field="results")
    require_past_day(context, message.as_of)
    require_grounds(context, message)
    key = verdict_key(context.organisation, message.reference)
    require(context.get_bytes(key) is None, Reason.VERDICT_EXISTS, reference=message.reference)
    record = VerdictRecord(
        provenance=context.provenance,
        organisation=context.organisation,
        reference=message.reference,
        battery=message.battery,
        policy=message.policy,
        verdict=message.verdict,
        as_of=message.as_of,
        attestation=message.attestation,
        results=message.results,
        recorded_ms=context.time_ms,
        epoch=battery.epoch,
    )
    context.put(key, record)
    return [{"type": "VerdictRecorded", "battery": message.battery, "reference": message.reference}]


CONTRACT = Contract("acceptance", {RecordVerdict: _record})
