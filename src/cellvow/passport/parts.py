"""What a unit is made of: its parts with their positions as they are now, and every change of them as it was recorded.

Derived from records and accepted messages alone; nothing is kept here.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cellvow.core.contracts.assembly import AssemblyRecord, BuildRecord, assembly_key, build_key
from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.part import INSTALLED, InstallPart, PartRecord, RemovePart, ReplacePart, part_key
from cellvow.core.contracts.whole import derive_wholes
from cellvow.core.protocol.transition import Find, Read
from cellvow.passport.recorded import Recorded

SHOWN_MAX = 2_000
"""Parts of one tree that are shown: a pack of some thousand cells is told as cut."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part in its place: what it is, since when, who recorded it, and its own parts."""

    battery: str
    position: str | None
    level: str | None
    since_ms: int
    by: str
    parts: tuple["Part", ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """A unit with its parts, and the units around it, the nearest first.

    `cells` and `cells_of_parts`: what its model has, and what its direct parts account for; `mass_g_of_parts` likewise.
    `is_cut`: there are more parts than are shown.
    """

    battery: str
    level: str | None
    cells: int | None
    above: tuple[str, ...]
    parts: tuple[Part, ...]
    cells_of_parts: int
    mass_g_of_parts: int
    is_cut: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PartChange:
    """One recorded change: `installed` went into `battery`, `removed` came out of it, or both.

    `cause` is why something came out. Who signed it, in which statement, and when the ledger recorded it.
    """

    battery: str
    installed: str | None
    removed: str | None
    position: str | None
    cause: str | None
    organisation: str
    statement: str
    index: int
    height: int
    time_ms: int


def derive_tree(read: Read, find_keys: Find, battery: str, most: int = SHOWN_MAX) -> Tree | None:
    """The parts of a unit as they are now, or None where the ledger knows no such unit."""
    value = read(battery_key(battery))
    if value is None:
        return None
    build = _build(read, decode_record(BatteryRecord, value).gtin)
    sums_value = read(assembly_key(battery))
    sums = None if sums_value is None else decode_record(AssemblyRecord, sums_value)
    walk = _Walk(read, find_keys, most)
    parts = walk.parts_of(battery)
    return Tree(
        battery=battery,
        level=None if build is None else build.level,
        cells=None if build is None else build.cells,
        above=derive_wholes(read, battery),
        parts=parts,
        cells_of_parts=0 if sums is None else sums.cells,
        mass_g_of_parts=0 if sums is None else sums.mass_g,
        is_cut=walk.is_cut,
    )


def derive_part_history(recorded: Iterable[Recorded]) -> tuple[PartChange, ...]:
    """Every change of parts among accepted messages, in their order: those about a unit are those of its whole tree."""
    return tuple(change for one in recorded for change in _changes(one))


def flatten_tree(parts: Sequence[Part], depth: int = 0) -> Iterator[tuple[int, Part]]:
    """(depth from 0, part) of every part, each before its own parts: the lines of an indented list."""
    for part in parts:
        yield depth, part
        yield from flatten_tree(part.parts, depth + 1)


def _changes(one: Recorded) -> Iterator[PartChange]:
    message = one.message
    if isinstance(message, InstallPart):
        yield _change(one, message.battery, installed=message.part, position=message.position)
    elif isinstance(message, RemovePart):
        yield _change(one, message.battery, removed=message.part, cause=message.cause)
    elif isinstance(message, ReplacePart):
        yield _change(
            one,
            message.battery,
            installed=message.installed,
            removed=message.removed,
            position=message.position,
            cause=message.cause,
        )


def _change(
    one: Recorded,
    battery: str,
    *,
    installed: str | None = None,
    removed: str | None = None,
    position: str | None = None,
    cause: str | None = None,
) -> PartChange:
    return PartChange(
        battery=battery,
        installed=installed,
        removed=removed,
        position=position,
        cause=cause,
        organisation=one.organisation,
        statement=one.statement,
        index=one.index,
        height=one.height,
        time_ms=one.time_ms,
    )


@dataclass(slots=True)
class _Walk:
    """Down the tree, until as many parts were taken as may be shown."""

    read: Read
    find_keys: Find
    left: int
    is_cut: bool = False

    def parts_of(self, whole: str) -> tuple[Part, ...]:
        """The parts that are in a unit now, in the order of their positions."""
        found = [self._record(key) for key in self.find_keys(part_key(whole, ""))]
        installed = [one for one in found if one is not None and one.state == INSTALLED]
        installed.sort(key=lambda one: (_natural(one.position or ""), one.part))
        shown = installed[: self.left]
        self.left -= len(shown)
        self.is_cut = self.is_cut or len(shown) < len(installed)
        return tuple(self._part(one) for one in shown)

    def _part(self, record: PartRecord) -> Part:
        value = self.read(battery_key(record.part))
        build = None if value is None else _build(self.read, decode_record(BatteryRecord, value).gtin)
        return Part(
            battery=record.part,
            position=record.position,
            level=None if build is None else build.level,
            since_ms=record.since_ms,
            by=record.by,
            parts=self.parts_of(record.part),
        )

    def _record(self, key: str) -> PartRecord | None:
        value = self.read(key)
        return None if value is None else decode_record(PartRecord, value)


def _build(read: Read, gtin: str) -> BuildRecord | None:
    value = read(build_key(gtin))
    return None if value is None else decode_record(BuildRecord, value)


def _natural(text: str) -> tuple[tuple[int, int, str], ...]:
    """Numbers within a position count as numbers: slot 2 comes before slot 10."""
    pieces = re.split(r"([0-9]+)", text)
    return tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in pieces if one)
