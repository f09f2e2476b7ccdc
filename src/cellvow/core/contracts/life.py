"""The life of a unit after its birth: which status follows which, who may cause it, and how it ends.

All of it is one table, `TRANSITIONS`. No status leads back to `original`, and what has ceased stays ceased: nothing in
the table begins there, and a dead identifier that appears again is kept as a claim.
"""

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.assembly import get_assembly
from cellvow.core.contracts.battery import (
    STATUSES,
    BatteryRecord,
    battery_key,
    change_battery,
    find_battery,
    get_battery,
    void_tests,
)
from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Battery,
    Committed,
    Contested,
    Context,
    Contract,
    Count,
    OfUnit,
    Record,
    require,
    require_version,
)
from cellvow.core.contracts.dispute_file import require_movable
from cellvow.core.contracts.lineage import BECOMES, Ending, put_end
from cellvow.core.contracts.organisation import get_organisation, require_role
from cellvow.core.contracts.register import CUSTODY, OWNERSHIP, REGISTERS, RESPONSIBILITY
from cellvow.core.contracts.safety import AUTHORITY, DANGER, SafetyRecord, safety_key
from cellvow.core.contracts.use import WASTE, is_installed
from cellvow.core.contracts.whole import derive_registered, derive_wholes, stands
from cellvow.core.ledger.genesis import PRODUCERS_ORGANISATION
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.identifier import derive_model_id, is_gtin

Status = Literal["original", "repurposed", "re-used", "remanufactured", "waste"]
IN_USE: tuple[Status, ...] = ("original", "repurposed", "re-used", "remanufactured")
FIT_FOR_WASTE = ("manufacturer", "importer", PRODUCERS_ORGANISATION, "recycler")
"""Roles that may answer for waste (Article 77(7)): producers, who acts for producers together, and waste operators."""

Deed = Literal["decommission", "waste", "reuse", "repurpose", "remanufacture", "recycle", "destroy"]
WasteCause = Literal["worn_out", "defective", "damaged", "recalled", "accident", "unwanted", "obsolete", "other"]
RestCause = Literal["out_of_service", "vehicle_scrapped", "defective", "damaged", "recalled", "stored", "other"]
LossCause = Literal["fire", "accident", "disaster", "lost"]


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: what a deed leads from and to, and who may do it.

    `after` None: the status stays. `roles`: one of them; none: every member. `stands_in`: registers that name him, all
    of them or (`in_one`) one. `ceases`: how the identity ends.
    """

    deed: Deed
    before: tuple[str, ...]
    after: Status | None
    roles: tuple[str, ...]
    stands_in: tuple[str, ...]
    in_one: bool = False
    ceases: Ending | None = None


TRANSITIONS = (
    Transition("decommission", IN_USE, None, (), (RESPONSIBILITY, OWNERSHIP), in_one=True),
    Transition("waste", IN_USE, "waste", (), (RESPONSIBILITY, OWNERSHIP), in_one=True),
    # From waste too: that is its preparation for a second life (Article 73), by who may answer for waste.
    Transition("reuse", STATUSES, BECOMES["reuse"], ("second_life_operator",), REGISTERS, ceases="succeeded"),
    Transition("repurpose", STATUSES, BECOMES["repurpose"], ("second_life_operator",), REGISTERS, ceases="succeeded"),
    Transition(
        "remanufacture",
        STATUSES,
        BECOMES["remanufacture"],
        ("second_life_operator", "manufacturer"),
        REGISTERS,
        ceases="succeeded",
    ),
    Transition("recycle", (WASTE,), None, ("recycler",), (CUSTODY, RESPONSIBILITY), ceases="recycled"),
    Transition("destroy", STATUSES, None, (), (RESPONSIBILITY,), ceases="destroyed"),
)
"""The life-cycle automaton whole; a status is one of Annex XIII point 4, and every other step is refused."""
_ROWS = {row.deed: row for row in TRANSITIONS}
_NOT_NAMED = {
    CUSTODY: Reason.NOT_THE_HOLDER,
    OWNERSHIP: Reason.NOT_THE_OWNER,
    RESPONSIBILITY: Reason.NOT_RESPONSIBLE,
}


# Records


class DecommissionRecord(Record, frozen=True, kw_only=True):
    """`decommission/BATTERY`: that a unit is out of use, by whom and why; it is not waste by that."""

    battery: Battery
    organisation: str
    cause: RestCause
    decommissioned_ms: Count


class WasteRecord(Record, frozen=True, kw_only=True):
    """`waste/BATTERY`: who declared a unit waste, when and why; a second life does not take that away."""

    battery: Battery
    organisation: str
    cause: WasteCause
    declared_ms: Count


class SightingRecord(Record, frozen=True, kw_only=True):
    """`sighting/BATTERY`: how often an identifier was seen in the field, known to this ledger or not."""

    battery: Battery
    sightings: Count
    first_ms: Count
    last_ms: Count


# Messages


class _Fenced(OfUnit, frozen=True, kw_only=True):
    """`version` is that of the battery's record as the signer saw it."""

    version: Annotated[Count, MEMBERS]


class Decommission(_Fenced, frozen=True, kw_only=True):
    """Take a unit out of use for good, with the reason: signed by who answers for it or owns it."""

    cause: Annotated[RestCause, MEMBERS]


class DeclareWaste(_Fenced, frozen=True, kw_only=True):
    """Declare a unit waste, with the reason: signed by who answers for it or owns it.

    From then on only a producer, a producer responsibility organisation or a waste operator may be given the
    responsibility for it.
    """

    cause: Annotated[WasteCause, MEMBERS]


class RecordRecycling(_Fenced, frozen=True, kw_only=True):
    """Record that a waste unit was recycled: its passport ceases. Where, and what was recovered, stay commitments."""

    facility: Annotated[Committed, WORLD]
    recovered: Annotated[Committed, WORLD]


class RecordDestruction(_Fenced, frozen=True, kw_only=True):
    """Record that a unit is gone - burnt, or lost in an accident - with a commitment to the report.

    Signed by who answers for it; where he neither holds nor owns it, who does, or an authority, has reported a danger.
    """

    cause: Annotated[LossCause, MEMBERS]
    report: Annotated[Committed, WORLD]


class ReportSighting(OfUnit, frozen=True, kw_only=True):
    """Report that an identifier was seen on a unit in the field; where stays a commitment. Any member may."""

    place: Annotated[Committed, WORLD]


# Rules


def decommission_key(battery: str) -> str:
    """Where it lies in the state map that a unit is out of use."""
    return f"decommission/{battery}"


def waste_key(battery: str) -> str:
    """Where it lies in the state map why a unit is waste."""
    return f"waste/{battery}"


def sighting_key(battery: str) -> str:
    """Where the sightings of an identifier lie in the state map."""
    return f"sighting/{battery}"


def require_transition(context: Context, unit: BatteryRecord, deed: Deed) -> Transition:
    """The row of the table for what the signer does to a unit; raises `Rejected` where the table has none for him."""
    row = _ROWS[deed]
    if row.roles:
        require_role(context, *row.roles)
    named = [stands(context, one, unit.battery) for one in row.stands_in]
    if row.in_one:
        require(any(named), Reason.NOT_RESPONSIBLE, battery=unit.battery)
    else:
        for register, is_named in zip(row.stands_in, named, strict=True):
            require(is_named, _NOT_NAMED[register], battery=unit.battery)
    require(unit.status in row.before, Reason.WRONG_STATUS, status=unit.status, deed=deed)
    return row


def require_fit_for_waste(context: Context, unit: BatteryRecord, addressee: str) -> None:
    """Raise `Rejected` where the responsibility for a waste unit would pass to somebody who may not answer for it."""
    if unit.status != WASTE:
        return
    member = get_organisation(context, addressee)
    is_fit = member is not None and any(role in FIT_FOR_WASTE for role in member.roles)
    require(is_fit, Reason.NOT_FOR_WASTE, battery=unit.battery, organisation=addressee)


def require_out_of_use(context: Context, unit: BatteryRecord) -> None:
    """Raise `Rejected` while a unit is a part of another, or installed."""
    require(unit.part_of is None, Reason.PART_OF_ANOTHER, battery=unit.part_of or "")
    require(not is_installed(context, unit.battery), Reason.STILL_INSTALLED, battery=unit.battery)


def require_dismantled(context: Context, unit: BatteryRecord) -> None:
    """Raise `Rejected` while a unit may not cease as something planned.

    Registered parts still in it would lose their place without a word, and could turn up again as if they had never
    been in it; a party's dispute over it would lose what it is about.
    """
    parts = get_assembly(context, unit.battery).parts
    require(parts == 0, Reason.STILL_HAS_PARTS, battery=unit.battery, parts=parts)
    for register in REGISTERS:
        require_movable(context, register, unit.battery)


def _require_seen(context: Context, unit: BatteryRecord) -> None:
    """Raise `Rejected` where who answers for a unit ends it alone, though it is another's and in another's hands.

    An end is final: without this a producer could take any unit off the road that he once sold.
    """
    if stands(context, CUSTODY, unit.battery) or stands(context, OWNERSHIP, unit.battery):
        return
    near = [derive_registered(context.get_bytes, one, unit.battery).organisation for one in (CUSTODY, OWNERSHIP)]
    safety = context.get(SafetyRecord, safety_key(unit.battery))
    reports = () if safety is None else safety.incidents
    dangers = [one.organisation for one in reports if one.severity == DANGER]
    is_seen = any(one in near or _is_authority(context, one) for one in dangers)
    require(is_seen, Reason.NOT_THE_HOLDER, battery=unit.battery)


def _is_authority(context: Context, organisation: str) -> bool:
    member = get_organisation(context, organisation)
    return member is not None and AUTHORITY in member.roles


def _is_gone(context: Context, unit: BatteryRecord) -> bool:
    """Whether a unit has ceased, or what it is built into has."""
    around = (unit.battery, *derive_wholes(context.get_bytes, unit.battery))
    return any(find_battery(context, one).ceased is not None for one in around)


def _get_fenced(context: Context, message: _Fenced) -> BatteryRecord:
    unit = get_battery(context, message.battery)
    require_version(unit, message.version)
    return unit


# Handlers


def _decommission(context: Context, message: Decommission) -> list[Event]:
    unit = _get_fenced(context, message)
    require_transition(context, unit, "decommission")
    require_out_of_use(context, unit)
    key = decommission_key(message.battery)
    known = context.get(DecommissionRecord, key)
    record = DecommissionRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        battery=message.battery,
        organisation=context.organisation,
        cause=message.cause,
        decommissioned_ms=context.time_ms,
    )
    context.put(key, record)
    return [{"type": "UnitDecommissioned", "battery": message.battery, "cause": message.cause}]


def _declare_waste(context: Context, message: DeclareWaste) -> list[Event]:
    unit = _get_fenced(context, message)
    row = require_transition(context, unit, "waste")
    require_out_of_use(context, unit)
    # Its tests hold on: that it can be transported, or prepared for a second life, is shown by them (Article 73).
    context.put(battery_key(message.battery), change_battery(context, unit, status=row.after))
    record = WasteRecord(
        provenance=context.provenance,
        battery=message.battery,
        organisation=context.organisation,
        cause=message.cause,
        declared_ms=context.time_ms,
    )
    context.put(waste_key(message.battery), record)
    return [{"type": "WasteDeclared", "battery": message.battery, "cause": message.cause}]


def _recycle(context: Context, message: RecordRecycling) -> list[Event]:
    unit = _get_fenced(context, message)
    row = require_transition(context, unit, "recycle")
    require_out_of_use(context, unit)
    require_dismantled(context, unit)
    put_end(context, unit, "recycled", "recycle", (message.facility, message.recovered))
    _cease(context, unit, row)
    return [{"type": "UnitRecycled", "battery": message.battery}]


def _destroy(context: Context, message: RecordDestruction) -> list[Event]:
    # A fire waits for no bookkeeping: it takes what is installed, disputed or still has parts. What is a part goes
    # with its whole, and by itself once that is gone.
    unit = _get_fenced(context, message)
    row = require_transition(context, unit, "destroy")
    whole = None if unit.part_of is None else context.get(BatteryRecord, battery_key(unit.part_of))
    is_free = whole is None or whole.ceased is not None
    require(is_free, Reason.PART_OF_ANOTHER, battery=unit.part_of or "")
    if whole is None:
        _require_seen(context, unit)
    put_end(context, unit, "destroyed", message.cause, (message.report,))
    _cease(context, unit, row)
    return [{"type": "UnitDestroyed", "battery": message.battery, "cause": message.cause}]


def _cease(context: Context, unit: BatteryRecord, row: Transition) -> None:
    ended = void_tests(context, unit, "ended")
    context.put(battery_key(unit.battery), msgspec.structs.replace(ended, ceased=row.ceases))


def _report_sighting(context: Context, message: ReportSighting) -> list[Event]:
    gtin = derive_model_id(message.battery)
    require(is_gtin(gtin), Reason.BAD_IDENTIFIER, gtin=gtin)
    unit = context.get(BatteryRecord, battery_key(message.battery))
    if unit is not None and _is_gone(context, unit):
        answering = derive_registered(context.get_bytes, RESPONSIBILITY, message.battery).organisation
        raise Contested("dead_identifier", message.battery, answering)
    key = sighting_key(message.battery)
    known = context.get(SightingRecord, key)
    record = SightingRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        battery=message.battery,
        sightings=1 if known is None else known.sightings + 1,
        first_ms=context.time_ms if known is None else known.first_ms,
        last_ms=context.time_ms,
    )
    context.put(key, record)
    if unit is None:
        return [{"type": "UnknownUnitSighted", "battery": message.battery, "sightings": record.sightings}]
    return [{"type": "UnitSighted", "battery": message.battery, "sightings": record.sightings}]


CONTRACT = Contract(
    "life",
    {
        Decommission: _decommission,
        DeclareWaste: _declare_waste,
        RecordRecycling: _recycle,
        RecordDestruction: _destroy,
        ReportSighting: _report_sighting,
    },
)
