"""How a unit stands beyond its registers: its safety, what is disputed about it, what it was made of and became."""

from dataclasses import replace

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Provenance, decode_record
from cellvow.core.contracts.safety import SAFETY_STATES, SafetyRecord, safety_key
from cellvow.core.contracts.whole import derive_wholes
from cellvow.passport.access import sees_gradings_of_relatives, sees_parties, sees_voiding
from cellvow.passport.disputes import DisputeView, derive_disputes, derive_takeover
from cellvow.passport.life_cycle import Kin, Voiding, derive_lineage, derive_voiding
from cellvow.passport.recorded import Ledger
from cellvow.passport.use import derive_grading
from cellvow.passport.view import (
    DisputeSeen,
    IncidentSeen,
    NoticeSeen,
    Parties,
    Reader,
    Relative,
    Relatives,
    Safety,
    Source,
    UseFact,
)

INCIDENTS_SHOWN_MAX = 3
RELATIVES_SHOWN_MAX = 8
"""So many of each are in a view, which says how many there are."""
_ASSESSED, _REPORTED = "SafetyAssessed", "IncidentReported"
_GRAVITY = ("danger", "caution", "note")


def derive_safety(ledger: Ledger, battery: str) -> Safety | None:
    """The safety state with the open incidents, the gravest first; None where nothing was reported or assessed.

    A part is no safer than what it is in: where that is worse off, this is the state of that, told without its reports.
    """
    values = (ledger.read(safety_key(one)) for one in (battery, *derive_wholes(ledger.read, battery)))
    read = [decode_record(SafetyRecord, value) for value in values if value is not None]
    records = [one for one in read if one.battery == battery or one.state != "safe"]
    if not records:
        return None
    record = max(records, key=lambda one: SAFETY_STATES.index(one.state))
    known = record.organisation
    if record.battery != battery:
        name = None if known is None else ledger.name(known)
        return Safety(record.state, record.since_ms, record.assessed == record.state, name)
    ordered = sorted(record.incidents, key=lambda one: _GRAVITY.index(one.severity))
    shown = [
        IncidentSeen(one.kind, one.severity, _source_of_report(ledger, battery, one.organisation, one.reference))
        for one in ordered[:INCIDENTS_SHOWN_MAX]
    ]
    return Safety(
        state=record.state,
        since_ms=record.since_ms,
        is_assessed=record.assessed == record.state,
        name=None if known is None else ledger.name(known),
        source=None if known is None else _source_of_state(ledger, record, known),
        incidents=tuple(shown),
        incidents_open=len(record.incidents),
    )


def _source_of_state(ledger: Ledger, record: SafetyRecord, organisation: str) -> Source | None:
    """The first word of its organisation from which on the state stands."""
    said = (
        one
        for one in ledger.recorded
        if one.event in (_ASSESSED, _REPORTED)
        and one.message.subject == record.battery
        and one.organisation == organisation
        and one.time_ms >= record.since_ms
    )
    found = next(said, None)
    return None if found is None else ledger.source_of(found)


def _source_of_report(ledger: Ledger, battery: str, organisation: str, reference: str) -> Source:
    found = next(
        one
        for one in ledger.recorded
        if one.event == _REPORTED
        and one.message.subject == battery
        and (one.organisation, getattr(one.message, "reference", None)) == (organisation, reference)
    )
    return ledger.source_of(found)


def derive_disputed(ledger: Ledger, battery: str, reader: Reader, now_ms: int) -> tuple[DisputeSeen, ...]:
    """The disputes over the unit as this reader may know them, the open ones first, newest first."""
    return tuple(_dispute(ledger, one, reader) for one in derive_disputes(ledger.read, battery, now_ms))


def _dispute(ledger: Ledger, view: DisputeView, reader: Reader) -> DisputeSeen:
    told = view.summary
    return DisputeSeen(
        topic=told.topic,
        state=told.state,
        is_claim=told.is_claim,
        is_of_identity=told.is_of_identity,
        opened_ms=told.opened_ms,
        outcome=told.outcome,
        holds=told.holds,
        parties=_parties(ledger, view) if sees_parties(reader) else None,
    )


def _parties(ledger: Ledger, view: DisputeView) -> Parties:
    return Parties(
        opener=ledger.name(view.opener),
        reference=view.reference,
        respondent=None if view.respondent is None else ledger.name(view.respondent),
        positions=len(view.positions),
        source=ledger.find_source(view.provenance),
    )


def derive_notice(ledger: Ledger, battery: str, reader: Reader, now_ms: int) -> NoticeSeen | None:
    """The open notice of a take-over, if there is one."""
    view = derive_takeover(ledger.read, battery, now_ms)
    if view is None or view.state != "open":
        return None
    if not sees_parties(reader):
        return NoticeSeen(view.since_ms, view.ends_ms)
    by, respondent = ledger.name(view.by), ledger.name(view.respondent)
    return NoticeSeen(view.since_ms, view.ends_ms, view.cause, by, respondent, ledger.find_source(view.provenance))


def derive_relatives(ledger: Ledger, battery: str, reader: Reader, now_ms: int) -> Relatives:
    """What the unit was made of, and what it became; with what the latter were graded, where the reader may know it."""
    lineage = derive_lineage(ledger.read, battery)
    became = [_relative(ledger, one) for one in lineage.successors[:RELATIVES_SHOWN_MAX]]
    if sees_gradings_of_relatives(reader):
        became = [replace(one, grading=_grading_of(ledger, one.battery, now_ms)) for one in became]
    return Relatives(
        originals=tuple(_relative(ledger, one) for one in lineage.originals[:RELATIVES_SHOWN_MAX]),
        successors=tuple(became),
        originals_all=len(lineage.originals),
        successors_all=len(lineage.successors),
    )


def _relative(ledger: Ledger, kin: Kin) -> Relative:
    said = Provenance(statement=kin.statement, index=kin.index)
    return Relative(kin.battery, kin.operation, kin.begun_ms, ledger.find_source(said))


def _grading_of(ledger: Ledger, battery: str, now_ms: int) -> UseFact | None:
    value = ledger.read(battery_key(battery))
    return None if value is None else derive_grading(ledger, decode_record(BatteryRecord, value), now_ms)


def find_voiding(ledger: Ledger, battery: str, epoch: int, reader: Reader) -> Voiding | None:
    """Why a test is void that rests on an epoch which is over, where this reader may know it."""
    voiding = derive_voiding(ledger.read, battery, epoch)
    return voiding if sees_voiding(reader, voiding.cause) else None
