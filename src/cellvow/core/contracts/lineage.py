"""What a unit was made of and what it became: the balance of its mass and cells, and how it ended.

Identities multiply where one unit becomes several. Each operation draws mass and cells from its originals, and what
was drawn once is not there to be drawn again - by no operation, at no later time.
"""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.assembly import find_build, get_assembly
from cellvow.core.contracts.battery import BatteryRecord, ModelRecord, model_key
from cellvow.core.contracts.contract import Battery, Committed, Context, Count, Record, require
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import SUCCESSORS_MAX, UNITS_NAMED_MAX

Operation = Literal["repurpose", "reuse", "remanufacture"]
Ending = Literal["succeeded", "recycled", "destroyed"]
SecondStatus = Literal["repurposed", "re-used", "remanufactured"]
BECOMES: dict[Operation, SecondStatus] = {
    "repurpose": "repurposed",
    "reuse": "re-used",
    "remanufacture": "remanufactured",
}
"""Operation -> the status of what comes out of it, and why the tests of what went in are void."""


# Records


class OriginRecord(Record, frozen=True, kw_only=True):
    """`origin/BATTERY`: what a unit of a second life was made of; `mass_g` and `cells` are what it took of that.

    `waste` says whether one of its originals had been declared waste before.
    """

    battery: Battery
    organisation: str
    operation: Operation
    originals: Annotated[tuple[Battery, ...], msgspec.Meta(max_length=UNITS_NAMED_MAX)]
    mass_g: Count
    cells: Count = 0
    waste: bool = False
    begun_ms: Count


class SuccessionRecord(Record, frozen=True, kw_only=True):
    """`succession/BATTERY`: what a unit became so far, and what of it is left to become something."""

    battery: Battery
    organisation: str
    successors: Annotated[tuple[Battery, ...], msgspec.Meta(max_length=SUCCESSORS_MAX)]
    mass_left_g: Count
    cells_left: Count = 0


class EndRecord(Record, frozen=True, kw_only=True):
    """`end/BATTERY`: how a unit ceased, by whose statement, and commitments to the papers behind it.

    `cause` is the operation of a second life, or what destroyed it; `mass_g` is what it weighed by the record.
    """

    battery: Battery
    organisation: str
    how: Ending
    cause: str
    mass_g: Count
    ended_ms: Count
    papers: Annotated[tuple[Committed, ...], msgspec.Meta(max_length=2)] = ()


# Rules


def origin_key(battery: str) -> str:
    """Where it lies in the state map what a unit was made of."""
    return f"origin/{battery}"


def succession_key(battery: str) -> str:
    """Where it lies in the state map what a unit became."""
    return f"succession/{battery}"


def end_key(battery: str) -> str:
    """Where it lies in the state map how a unit ceased."""
    return f"end/{battery}"


def get_whole(context: Context, unit: BatteryRecord) -> tuple[int, int]:
    """(mass in g, cells) of a unit by the record: of its model, or what it took of its originals; less taken parts.

    A unit of a second life counts with what it took: else one gram would grow to the mass of any model. A registered
    part that was taken out has mass and cells of its own: with it they left this unit.
    """
    origin = context.get(OriginRecord, origin_key(unit.battery))
    if origin is not None:
        mass_g, cells = origin.mass_g, origin.cells
    else:
        model = context.get(ModelRecord, model_key(unit.gtin))
        build = find_build(context, unit.gtin)
        mass_g, cells = 0 if model is None else model.mass_g, 0 if build is None else build.cells
    parts = get_assembly(context, unit.battery)
    taken_g, taken = max(0, parts.mass_peak_g - parts.mass_g), max(0, parts.cells_peak - parts.cells)
    return max(0, mass_g - taken_g), max(0, cells - taken)


def get_succession(context: Context, unit: BatteryRecord) -> SuccessionRecord:
    """What a unit became so far; nothing yet, and all of it is left, where nothing was ever drawn from it."""
    known = context.get(SuccessionRecord, succession_key(unit.battery))
    if known is not None:
        return known
    mass_g, cells = get_whole(context, unit)
    return SuccessionRecord(
        provenance=context.provenance,
        version=0,
        battery=unit.battery,
        organisation=context.organisation,
        successors=(),
        mass_left_g=mass_g,
        cells_left=cells,
    )


def put_drawn(context: Context, unit: BatteryRecord, mass_g: int, cells: int, successors: tuple[str, ...]) -> None:
    """Let a unit become these successors by what is drawn from it; raises `Rejected` where it has not that much."""
    before = get_succession(context, unit)
    has_it = mass_g <= before.mass_left_g and cells <= before.cells_left
    left = {"mass_left_g": before.mass_left_g, "cells_left": before.cells_left}
    require(has_it, Reason.BALANCE_EXCEEDED, battery=unit.battery, **left)
    became = (*before.successors, *successors)
    require(len(became) <= SUCCESSORS_MAX, Reason.TOO_MANY_SUCCESSORS, battery=unit.battery, most=SUCCESSORS_MAX)
    drawn = msgspec.structs.replace(
        before,
        provenance=context.provenance,
        version=before.version + 1,
        organisation=context.organisation,
        successors=became,
        mass_left_g=before.mass_left_g - mass_g,
        cells_left=before.cells_left - cells,
    )
    context.put(succession_key(unit.battery), drawn)


def put_end(context: Context, unit: BatteryRecord, how: Ending, cause: str, papers: tuple[Committed, ...] = ()) -> None:
    """Write the tombstone of a unit that ceases with this message."""
    end = EndRecord(
        provenance=context.provenance,
        battery=unit.battery,
        organisation=context.organisation,
        how=how,
        cause=cause,
        mass_g=get_whole(context, unit)[0],
        ended_ms=context.time_ms,
        papers=papers,
    )
    context.put(end_key(unit.battery), end)
