"""Second life: units become others, under a new identity linked to theirs, and never more than was there.

Who does it stands in all three registers of every original: from another company they came to him by a hand-over that
both sides signed. The new units are of his own model, and he holds, owns and answers for them (Article 45).
"""

from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.battery import (
    BatteryRecord,
    Day,
    RegisterBattery,
    battery_key,
    change_battery,
    derive_battery,
    find_battery,
    get_battery,
    require_new_battery,
    void_tests,
)
from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Battery,
    Committed,
    Context,
    Contract,
    Count,
    Message,
    OfUnit,
    Record,
    Reference,
    Schema,
    Term,
    require,
    require_version,
)
from cellvow.core.contracts.day import derive_day_number
from cellvow.core.contracts.life import (
    require_dismantled,
    require_fit_for_waste,
    require_out_of_use,
    require_transition,
    waste_key,
)
from cellvow.core.contracts.lineage import (
    BECOMES,
    Operation,
    OriginRecord,
    origin_key,
    put_drawn,
    put_end,
)
from cellvow.core.contracts.organisation import require_role
from cellvow.core.contracts.policy.calendar import parse_day
from cellvow.core.contracts.register import CUSTODY, REGISTERS, put_register
from cellvow.core.contracts.whole import stands
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import INTEGER_MAX, UNITS_NAMED_MAX

Mass = Annotated[int, msgspec.Meta(ge=1, le=INTEGER_MAX)]
Grade = Literal["A", "B", "C", "D", "E"]
Application = Literal[
    "backup_power",
    "grid_storage",
    "home_storage",
    "light_vehicle",
    "machine",
    "road_vehicle",
    "spare_parts",
    "vessel",
]
APPLICATIONS_MAX = 8
"""As many as there are names for them."""


# Records


class GradeRecord(Record, frozen=True, kw_only=True):
    """`grade/BATTERY`: the latest grading for a second use; it holds for the `epoch` of the battery it names."""

    battery: Battery
    organisation: str
    reference: Reference
    grade: Grade
    applications: tuple[Application, ...]
    until: Day | None
    report: Committed
    epoch: Count
    graded_ms: Count


# Messages


class Draw(Schema, frozen=True, kw_only=True):
    """What one original gives: mass and cells; `version` is that of its record as the signer saw it."""

    battery: Annotated[Battery, WORLD]
    version: Annotated[Count, WORLD]
    mass_g: Annotated[Mass, WORLD]
    cells: Annotated[Count, WORLD] = 0


class Successor(Schema, frozen=True, kw_only=True):
    """A unit that begins its second life; mass and cells are what it takes of the originals."""

    battery: Annotated[Battery, WORLD]
    manufactured_on: Annotated[Day, WORLD]
    facility: Annotated[Term, WORLD]
    mass_g: Annotated[Mass, WORLD]
    cells: Annotated[Count, WORLD] = 0


class BeginSecondLife(Message, frozen=True, kw_only=True):
    """Let units become others: the originals cease, and each successor is born, linked to all of them."""

    operation: Annotated[Operation, WORLD]
    originals: Annotated[tuple[Draw, ...], msgspec.Meta(min_length=1, max_length=UNITS_NAMED_MAX), WORLD]
    successors: Annotated[tuple[Successor, ...], msgspec.Meta(min_length=1, max_length=UNITS_NAMED_MAX), WORLD]

    @property
    def subject(self) -> str:
        """The first original."""
        return self.originals[0].battery

    @property
    def concerns(self) -> tuple[str, ...]:
        """Every original and every successor."""
        return (*(one.battery for one in self.originals), *(one.battery for one in self.successors))


class GradeUnit(OfUnit, frozen=True, kw_only=True):
    """Grade a unit for a second use, on a report that is committed to; `applications` in order, each once."""

    reference: Annotated[Reference, MEMBERS]
    grade: Annotated[Grade, MEMBERS]
    applications: Annotated[tuple[Application, ...], msgspec.Meta(max_length=APPLICATIONS_MAX), MEMBERS] = ()
    until: Annotated[Day | None, MEMBERS] = None
    report: Annotated[Committed, WORLD]


# Rules


def grade_key(battery: str) -> str:
    """Where the latest grading of a battery lies in the state map."""
    return f"grade/{battery}"


def derive_grade_state(record: GradeRecord, battery: BatteryRecord, time_ms: int) -> str:
    """What a grading is worth now: in force, invalidated by what happened to the battery, or expired."""
    if record.epoch != battery.epoch:
        return "invalidated"
    is_over = record.until is not None and not _is_still(record.until, time_ms)
    return "expired" if is_over else "in_force"


def require_born_after(context: Context, day: str, originals: tuple[BatteryRecord, ...]) -> None:
    """Raise `Rejected` unless a successor's day lies between the births of its originals and this block."""
    number = parse_day(day)
    is_past = number is not None and number <= derive_day_number(context.time_ms)
    is_later = all(one.manufactured_on <= day for one in originals)
    require(is_past and is_later, Reason.DAY_OUT_OF_RANGE, day=day)


def require_successor_day(context: Context, battery: str, day: str) -> None:
    """The same for a correction of its birth; nothing is asked of a unit that was made of no other."""
    origin = context.get(OriginRecord, origin_key(battery))
    if origin is not None:
        require_born_after(context, day, tuple(find_battery(context, one) for one in origin.originals))


def _is_still(day: str, time_ms: int) -> bool:
    number = parse_day(day)
    return number is not None and number >= derive_day_number(time_ms)


def _require_balance(message: BeginSecondLife) -> None:
    """Raise `Rejected` where a unit is named twice, or more comes out than goes in."""
    require(len(dict.fromkeys(message.concerns)) == len(message.concerns), Reason.NAMED_TWICE)
    mass_in, mass_out = (sum(one.mass_g for one in side) for side in (message.originals, message.successors))
    cells_in, cells_out = (sum(one.cells for one in side) for side in (message.originals, message.successors))
    holds = mass_out <= mass_in and cells_out <= cells_in
    require(holds, Reason.BALANCE_EXCEEDED, mass_in=mass_in, mass_out=mass_out)


def _find_original(context: Context, draw: Draw) -> BatteryRecord:
    """An original, which may have become something before, as long as something of it is left."""
    unit = find_battery(context, draw.battery)
    if unit.ceased != "succeeded":
        unit = get_battery(context, draw.battery)
    require_version(unit, draw.version)
    return unit


# Handlers


def _begin(context: Context, message: BeginSecondLife) -> list[Event]:
    _require_balance(message)
    originals = tuple(_find_original(context, draw) for draw in message.originals)
    names = tuple(one.battery for one in message.successors)
    for unit, draw in zip(originals, message.originals, strict=True):
        require_transition(context, unit, message.operation)
        require_fit_for_waste(context, unit, context.organisation)
        require_out_of_use(context, unit)
        require_dismantled(context, unit)
        put_drawn(context, unit, draw.mass_g, draw.cells, names)
        _end_original(context, unit, message.operation)
    for successor in message.successors:
        _bear(context, message.operation, successor, originals)
    named: Event = {"type": "SecondLifeBegun", "battery": message.subject, "operation": message.operation}
    return [{**named, "originals": [one.battery for one in originals], "successors": list(names)}]


def _end_original(context: Context, unit: BatteryRecord, operation: Operation) -> None:
    if unit.ceased is not None:  # it has become something before: only the fence moves
        context.put(battery_key(unit.battery), change_battery(context, unit))
        return
    put_end(context, unit, "succeeded", operation)
    after = BECOMES[operation]
    ended = void_tests(context, unit, after)
    context.put(battery_key(unit.battery), msgspec.structs.replace(ended, ceased="succeeded", status=after))


def _bear(context: Context, operation: Operation, successor: Successor, originals: tuple[BatteryRecord, ...]) -> None:
    birth = RegisterBattery(
        battery=successor.battery, manufactured_on=successor.manufactured_on, facility=successor.facility
    )
    require_new_battery(context, birth)
    require_born_after(context, successor.manufactured_on, originals)
    born = msgspec.structs.replace(derive_battery(context, birth), status=BECOMES[operation])
    context.put(battery_key(successor.battery), born)
    for register in REGISTERS:
        put_register(context, register, successor.battery, context.organisation)
    origin = OriginRecord(
        provenance=context.provenance,
        battery=successor.battery,
        organisation=context.organisation,
        operation=operation,
        originals=tuple(one.battery for one in originals),
        mass_g=successor.mass_g,
        cells=successor.cells,
        waste=any(context.get_bytes(waste_key(one.battery)) is not None for one in originals),
        begun_ms=context.time_ms,
    )
    context.put(origin_key(successor.battery), origin)


def _grade(context: Context, message: GradeUnit) -> list[Event]:
    unit = get_battery(context, message.battery)
    member = require_role(context, "laboratory", "second_life_operator")
    is_holder = stands(context, CUSTODY, message.battery)
    require("laboratory" in member.roles or is_holder, Reason.NOT_THE_HOLDER, battery=message.battery)
    is_ordered = all(a < b for a, b in pairwise(message.applications))
    require(is_ordered, Reason.MALFORMED_MESSAGE, field="applications")
    require(message.until is None or _is_still(message.until, context.time_ms), Reason.WRONG_PERIOD)
    known = context.get(GradeRecord, grade_key(message.battery))
    record = GradeRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        battery=message.battery,
        organisation=context.organisation,
        reference=message.reference,
        grade=message.grade,
        applications=message.applications,
        until=message.until,
        report=message.report,
        epoch=unit.epoch,
        graded_ms=context.time_ms,
    )
    context.put(grade_key(message.battery), record)
    return [{"type": "UnitGraded", "battery": message.battery, "grade": message.grade}]


CONTRACT = Contract("second_life", {BeginSecondLife: _begin, GradeUnit: _grade})
