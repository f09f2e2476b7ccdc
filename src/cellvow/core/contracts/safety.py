"""Incidents and the safety state of a unit: reported by many, lowered only by who has looked at it.

A report is one member's word: a danger raises the state to caution at once and voids nothing, or every certificate
would be at the mercy of anybody. An assessment that finds a danger voids the tests: they no longer say what the unit
is.
"""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.battery import BatteryRecord, Day, battery_key, find_battery, get_battery, void_tests
from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Battery,
    Committed,
    Context,
    Contract,
    Count,
    Member,
    OfUnit,
    Record,
    Reference,
    Schema,
    require,
)
from cellvow.core.contracts.day import require_lived_day
from cellvow.core.contracts.organisation import get_organisation, require_role
from cellvow.core.contracts.register import CUSTODY, REGISTERS
from cellvow.core.contracts.use import find_order
from cellvow.core.contracts.whole import stands
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.limits import INCIDENTS_OF_MEMBER_MAX, INCIDENTS_OPEN_MAX

IncidentKind = Literal[
    "overheating",
    "fire",
    "leak",
    "swelling",
    "impact",
    "water",
    "overcharge",
    "deep_discharge",
    "electrical_fault",
    "other",
]
Severity = Literal["note", "caution", "danger"]
SafetyState = Literal["safe", "caution", "danger", "quarantine"]
SAFETY_STATES: tuple[SafetyState, ...] = ("safe", "caution", "danger", "quarantine")
"""From the best to the worst."""
ALARMING = ("danger", "quarantine")
AUTHORITY, DANGER, QUARANTINE = "authority", "danger", "quarantine"
WITNESSING_ROLES = (
    "authority",
    "insurer",
    "laboratory",
    "manufacturer",
    "operator",
    "recycler",
    "second_life_operator",
    "vehicle_maker",
    "workshop",
)
"""Whose work brings them near units: with who is in a register of the unit, they may report a danger."""
INDEPENDENT_ROLES = ("authority", "laboratory")
"""Who may assess any unit; others only what they hold or have an order to work on, and a maker may warn of his own."""
ASSESSING_ROLES = (*INDEPENDENT_ROLES, "manufacturer", "second_life_operator", "workshop")


# Records


class IncidentName(Schema, frozen=True, kw_only=True):
    """Which incident: who reported it, under which reference."""

    organisation: Annotated[Member, WORLD]
    reference: Annotated[Reference, WORLD]


class Incident(Schema, frozen=True, kw_only=True):
    """An open incident as the unit's safety record lists it."""

    organisation: str
    reference: Reference
    kind: IncidentKind
    severity: Severity


class IncidentRecord(Record, frozen=True, kw_only=True):
    """`incident/ORGANISATION/REFERENCE`: what was reported, and who closed it by an assessment."""

    organisation: str
    reference: Reference
    battery: Battery
    kind: IncidentKind
    severity: Severity
    occurred_on: Day
    report: Committed
    reported_ms: Count
    closed_by: str | None = None
    closed_ms: Count | None = None


class SafetyRecord(Record, frozen=True, kw_only=True):
    """`safety/BATTERY`: the state, since when and by whom, and the incidents that no assessment has closed yet.

    `assessed` is what the last assessment found, by `assessed_by`; an open danger keeps the state at caution at least.
    Where nobody has raised the state or assessed the unit, `organisation` is None: nobody has called it safe either.
    """

    battery: Battery
    state: SafetyState
    organisation: str | None
    since_ms: Count
    incidents: tuple[Incident, ...] = ()
    assessed: SafetyState | None = None
    assessed_by: str | None = None
    is_official: bool = False


# Messages


class ReportIncident(OfUnit, frozen=True, kw_only=True):
    """Report what happened to a unit, under one's own number; custody of it is not needed."""

    reference: Annotated[Reference, WORLD]
    kind: Annotated[IncidentKind, WORLD]
    severity: Annotated[Severity, WORLD]
    occurred_on: Annotated[Day, MEMBERS]
    report: Annotated[Committed, WORLD]


class AssessSafety(OfUnit, frozen=True, kw_only=True):
    """Say in which state a unit is after having looked at it, and which incidents that closes."""

    state: Annotated[SafetyState, WORLD]
    closes: Annotated[tuple[IncidentName, ...], msgspec.Meta(max_length=INCIDENTS_OPEN_MAX), WORLD] = ()
    report: Annotated[Committed, WORLD]


# Rules


def incident_key(organisation: str, reference: str) -> str:
    """Where a reported incident lies in the state map."""
    return f"incident/{organisation}/{reference}"


def safety_key(battery: str) -> str:
    """Where a unit's safety state lies in the state map; without a record nothing was ever reported."""
    return f"safety/{battery}"


def derive_floor(state: SafetyState, incidents: tuple[Incident, ...]) -> SafetyState:
    """The state, or caution where that is worse and a danger is open: no assessment overlooks what it does not name."""
    is_alarmed = any(one.severity == DANGER for one in incidents)
    return max(state, "caution", key=SAFETY_STATES.index) if is_alarmed else state


def _require_witness(context: Context, message: ReportIncident) -> None:
    if message.severity != DANGER:
        return
    if not any(stands(context, register, message.battery) for register in REGISTERS):
        require_role(context, *WITNESSING_ROLES)


def _require_room(context: Context, incidents: tuple[Incident, ...]) -> None:
    """One member cannot fill the list alone, and shut the others' reports out."""
    own = sum(one.organisation == context.organisation for one in incidents)
    has_room = len(incidents) < INCIDENTS_OPEN_MAX and own < INCIDENTS_OF_MEMBER_MAX
    require(has_room, Reason.TOO_MANY_INCIDENTS, open=len(incidents), own=own)


def _is_warning(message: AssessSafety, known: SafetyRecord | None) -> bool:
    """Whether an assessment only makes people more careful: it lowers no state and closes no report."""
    state = "safe" if known is None else known.state
    is_worse = SAFETY_STATES.index(message.state) >= max(1, SAFETY_STATES.index(state))
    return is_worse and not message.closes


def _require_assessor(context: Context, message: AssessSafety, unit: BatteryRecord, known: SafetyRecord | None) -> bool:
    """Raise `Rejected` unless the signer may assess the unit so; whether he does so as an authority.

    A maker may warn of what he made wherever it is; to call it safe he must hold it, or be asked to look at it.
    """
    member = require_role(context, *ASSESSING_ROLES)
    is_official = AUTHORITY in member.roles
    is_lifted = known is not None and known.is_official and known.state == QUARANTINE
    require(is_official or not is_lifted, Reason.ROLE_MISSING, needed=AUTHORITY)
    is_independent = any(role in member.roles for role in INDEPENDENT_ROLES)
    is_near = stands(context, CUSTODY, unit.battery) or find_order(context, unit.battery) is not None
    is_warned = context.organisation == unit.organisation and _is_warning(message, known)
    require(is_independent or is_near or is_warned, Reason.NO_OPEN_ORDER, battery=unit.battery)
    return is_official


# Handlers


def _report(context: Context, message: ReportIncident) -> list[Event]:
    unit = get_battery(context, message.battery)
    require(get_organisation(context, context.organisation) is not None, Reason.ROLE_MISSING, needed="member")
    _require_witness(context, message)
    require_lived_day(context, unit, message.occurred_on)
    key = incident_key(context.organisation, message.reference)
    require(context.get_bytes(key) is None, Reason.INCIDENT_EXISTS, reference=message.reference)
    known = context.get(SafetyRecord, safety_key(message.battery))
    listed = () if known is None else known.incidents
    _require_room(context, listed)
    incident = IncidentRecord(
        provenance=context.provenance,
        organisation=context.organisation,
        reference=message.reference,
        battery=message.battery,
        kind=message.kind,
        severity=message.severity,
        occurred_on=message.occurred_on,
        report=message.report,
        reported_ms=context.time_ms,
    )
    context.put(key, incident)
    entry = Incident(
        organisation=context.organisation, reference=message.reference, kind=message.kind, severity=message.severity
    )
    _list_incident(context, message.battery, known, (*listed, entry))
    event: Event = {"type": "IncidentReported", "battery": message.battery, "kind": message.kind}
    return [{**event, "reference": message.reference, "severity": message.severity}]


def _list_incident(context: Context, battery: str, known: SafetyRecord | None, incidents: tuple[Incident, ...]) -> None:
    before = known or SafetyRecord(
        provenance=context.provenance,
        version=0,
        battery=battery,
        state="safe",
        organisation=None,
        since_ms=context.time_ms,
    )
    state = derive_floor(before.state, incidents)
    is_raised = state != before.state
    record = msgspec.structs.replace(
        before,
        provenance=context.provenance,
        version=before.version + 1,
        state=state,
        organisation=context.organisation if is_raised else before.organisation,
        since_ms=context.time_ms if is_raised else before.since_ms,
        incidents=incidents,
    )
    context.put(safety_key(battery), record)


def _assess(context: Context, message: AssessSafety) -> list[Event]:
    unit = find_battery(context, message.battery)
    known = context.get(SafetyRecord, safety_key(message.battery))
    is_official = _require_assessor(context, message, unit, known)
    listed = () if known is None else known.incidents
    for name in message.closes:
        listed = _close(context, listed, name)
    state = derive_floor(message.state, listed)
    is_same = known is not None and known.state == state
    record = SafetyRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        battery=message.battery,
        state=state,
        organisation=context.organisation,
        since_ms=known.since_ms if known is not None and is_same else context.time_ms,
        incidents=listed,
        assessed=message.state,
        assessed_by=context.organisation,
        is_official=is_official,
    )
    context.put(safety_key(message.battery), record)
    was_alarming = known is not None and known.state in ALARMING
    if state in ALARMING and not was_alarming and unit.ceased is None:
        context.put(battery_key(message.battery), void_tests(context, unit, "incident"))
    return [{"type": "SafetyAssessed", "battery": message.battery, "state": state}]


def _close(context: Context, listed: tuple[Incident, ...], name: IncidentName) -> tuple[Incident, ...]:
    kept = tuple(one for one in listed if (one.organisation, one.reference) != (name.organisation, name.reference))
    key = incident_key(name.organisation, name.reference)
    incident = context.get(IncidentRecord, key)
    if incident is None or len(kept) == len(listed):
        raise Rejected(Reason.UNKNOWN_INCIDENT, organisation=name.organisation, reference=name.reference)
    closed = msgspec.structs.replace(
        incident,
        closed_by=context.organisation,
        closed_ms=context.time_ms,
        version=incident.version + 1,
        provenance=context.provenance,
    )
    context.put(key, closed)
    return kept


CONTRACT = Contract("safety", {ReportIncident: _report, AssessSafety: _assess})
