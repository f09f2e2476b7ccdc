"""What the records say of a unit's life beyond itself: what it was made of and became, how it ended, what it voided.

Pure: everything comes from records, by their keys. Who may see which part is decided where it is shown.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from cellvow.core.contracts.battery import BatteryRecord, VoidingRecord, battery_key, voiding_key
from cellvow.core.contracts.contract import Provenance, decode_record
from cellvow.core.contracts.lineage import (
    Ending,
    EndRecord,
    OriginRecord,
    SuccessionRecord,
    end_key,
    origin_key,
    succession_key,
)

Read = Callable[[str], bytes | None]
"""The record under a key, or None."""

CORRECTED = "corrected"
"""Why an epoch ended that no operation has ended: the birth on which its tests rest was corrected."""
ORIGINS, ENDS = "origin/", "end/"
"""Prefixes of the records from which `derive_diverted` adds up."""


@dataclass(frozen=True, slots=True)
class Kin:
    """A unit at the other end of a second life: by which operation, of which organisation, when, in which statement."""

    battery: str
    operation: str
    organisation: str
    begun_ms: int
    statement: str
    index: int


@dataclass(frozen=True, slots=True)
class Lineage:
    """What a unit was made of and what it became so far; both empty for one that has only ever been itself.

    `mass_left_g` and `cells_left` are what is left to become something, once it has become something.
    """

    originals: tuple[Kin, ...] = ()
    successors: tuple[Kin, ...] = ()
    mass_left_g: int | None = None
    cells_left: int | None = None


@dataclass(frozen=True, slots=True)
class End:
    """The tombstone of a unit: `how` it ceased (succeeded, recycled, destroyed), why, by whose word and when.

    `statement` and `index` name what said so; `status` is its last.
    """

    battery: str
    how: Ending
    cause: str
    organisation: str
    ended_ms: int
    status: str
    mass_g: int
    successors: tuple[str, ...]
    statement: str
    index: int


@dataclass(frozen=True, slots=True)
class Voiding:
    """Why the tests of an epoch are void, and the statement that says so where one is on record."""

    cause: str
    source: Provenance | None = None


@dataclass(frozen=True, slots=True)
class Diverted:
    """What became of units that were done with, in grams by the record.

    `second_life_g` went into units of a second life for the first time, `again_g` once more; of both `from_waste_g`
    had been declared waste. `recycled_g` was recycled, `destroyed_g` is gone.
    """

    second_life_units: int = 0
    second_life_g: int = 0
    again_g: int = 0
    from_waste_g: int = 0
    recycled_units: int = 0
    recycled_g: int = 0
    destroyed_units: int = 0
    destroyed_g: int = 0


def derive_lineage(read: Read, battery: str) -> Lineage:
    """The units that one was made of, and those that it became, each with its operation and who did it."""
    value, became = read(origin_key(battery)), read(succession_key(battery))
    originals: tuple[Kin, ...] = ()
    if value is not None:
        origin = decode_record(OriginRecord, value)
        originals = tuple(_kin(one, origin) for one in origin.originals)
    if became is None:
        return Lineage(originals)
    succession = decode_record(SuccessionRecord, became)
    born = ((one, read(origin_key(one))) for one in succession.successors)
    successors = tuple(_kin(one, decode_record(OriginRecord, value)) for one, value in born if value is not None)
    return Lineage(originals, successors, succession.mass_left_g, succession.cells_left)


def derive_end(read: Read, battery: str) -> End | None:
    """How a unit ceased, or None where it lives or was never registered."""
    value, tombstone = read(battery_key(battery)), read(end_key(battery))
    if value is None or tombstone is None:
        return None
    unit, end = decode_record(BatteryRecord, value), decode_record(EndRecord, tombstone)
    became = read(succession_key(battery))
    return End(
        battery=battery,
        how=end.how,
        cause=end.cause,
        organisation=end.organisation,
        ended_ms=end.ended_ms,
        status=unit.status,
        mass_g=end.mass_g,
        successors=() if became is None else decode_record(SuccessionRecord, became).successors,
        statement=end.provenance.statement,
        index=end.provenance.index,
    )


def derive_voidings(read: Read, battery: str) -> dict[int, Voiding]:
    """Epoch -> why it ended. A test that names one of them is void for that reason."""
    value = read(battery_key(battery))
    if value is None:
        return {}
    epochs = range(decode_record(BatteryRecord, value).epoch)
    return {epoch: derive_voiding(read, battery, epoch) for epoch in epochs}


def derive_voiding(read: Read, battery: str, epoch: int) -> Voiding:
    """Why an epoch of a unit, which is over, ended."""
    value = read(voiding_key(battery, epoch))
    return Voiding(CORRECTED) if value is None else _voiding(value)


def derive_diverted(read: Read, origins: Iterable[bytes], ends: Iterable[bytes]) -> Diverted:
    """What all records under `origin/` and `end/` add up to, each read once and none kept.

    What a unit of a second life gives to a third counts as `again_g`: it is the same mass once more.
    """
    units = first = again = waste = 0
    for value in origins:
        origin = decode_record(OriginRecord, value)
        is_again = any(read(origin_key(one)) is not None for one in origin.originals)
        units += 1
        first, again = first + (0 if is_again else origin.mass_g), again + (origin.mass_g if is_again else 0)
        waste += origin.mass_g if origin.waste else 0
    counts, masses = {"recycled": 0, "destroyed": 0}, {"recycled": 0, "destroyed": 0}
    for value in ends:
        end = decode_record(EndRecord, value)
        if end.how in counts:
            counts[end.how] += 1
            masses[end.how] += end.mass_g
    return Diverted(
        units,
        first,
        again,
        waste,
        counts["recycled"],
        masses["recycled"],
        counts["destroyed"],
        masses["destroyed"],
    )


def _kin(battery: str, origin: OriginRecord) -> Kin:
    said = origin.provenance
    return Kin(battery, origin.operation, origin.organisation, origin.begun_ms, said.statement, said.index)


def _voiding(value: bytes) -> Voiding:
    record = decode_record(VoidingRecord, value)
    return Voiding(record.cause, record.provenance)
