"""Access databases and Neware archives with known answers, written byte by byte."""

from __future__ import annotations

import io
import struct
import zipfile
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.unit.evidence.sheets import Sheet

PAGE = 4096
TABLE = "Channel_Normal_Table"
POINT_COLUMNS = (
    ("Test_ID", 4, "<i"),
    ("Data_Point", 4, "<i"),
    ("Test_Time", 7, "<d"),
    ("Step_Time", 7, "<d"),
    ("Step_Index", 3, "<h"),
    ("Cycle_Index", 4, "<i"),
    ("Current", 6, "<f"),
    ("Voltage", 6, "<f"),
    ("Discharge_Capacity", 7, "<d"),
)
"""(label, column type, how it is packed) of the table that Arbin writes, as far as it is read."""
_TEXT, _FIXED = 10, 0x01


class Point(NamedTuple):
    """One row of the table, in the order of `POINT_COLUMNS`; None is an empty field."""

    test: int
    point: int
    t_s: float | None
    step_time_s: float
    step: int
    cycle: int
    current_a: float
    voltage_v: float
    discharged_ah: float


def points_of(sheet: Sheet) -> list[Point]:
    """The rows of a sheet as an Arbin cycler would number them."""
    return [
        Point(1, number, row.t_s, row.step_time_s, row.step, row.cycle, row.current_a, row.voltage_v, 0.0)
        for number, row in enumerate(sheet.rows, start=1)
    ]


def database(points: Sequence[Point], *, table: str = TABLE, next_page: int = 0) -> bytes:
    """A database with one table; `next_page` is where the definition of the table claims to go on."""
    catalogue_columns = (("Id", 4, "<i"), ("Type", 3, "<h"), ("Flags", 4, "<i"), ("Name", _TEXT, ""))
    entry = struct.pack("<HihI", 4, 3, 1, 0)
    name = table.encode("utf-16-le")
    entry += name + struct.pack("<HHH", len(entry) + len(name), len(entry), 1) + b"\x0f"
    rows = [_row(point) for point in points]
    pages = [_header(), bytes(PAGE), _definition(catalogue_columns, 0), _definition(POINT_COLUMNS, next_page)]
    pages += [data_page(2, [entry]), *(data_page(3, rows[first : first + 50]) for first in range(0, len(rows), 50))]
    return b"".join(pages)


def data_page(owner: int, rows: Sequence[bytes], flags: Sequence[int] = ()) -> bytes:
    """A page of rows, filled from its end."""
    page, until, slots = bytearray(PAGE), PAGE, []
    for row, flag in zip(rows, flags or [0] * len(rows), strict=True):
        until -= len(row)
        page[until : until + len(row)] = row
        slots.append(until | flag)
    page[: 14 + 2 * len(slots)] = struct.pack(f"<2sHIIH{len(slots)}H", b"\x01\x01", 0, owner, 0, len(slots), *slots)
    return bytes(page)


def _row(point: Point) -> bytes:
    present = sum(1 << number for number, value in enumerate(point) if value is not None)
    fields = (struct.pack(form, value or 0) for (_, _, form), value in zip(POINT_COLUMNS, point, strict=True))
    return struct.pack("<H", len(point)) + b"".join(fields) + present.to_bytes(2, "little")


def _header() -> bytes:
    return b"\x00\x01\x00\x00Standard Jet DB\x00\x01".ljust(PAGE, b"\x00")


def _definition(columns: Sequence[tuple[str, int, str]], next_page: int) -> bytes:
    variable = sum(kind == _TEXT for _, kind, _ in columns)
    head = struct.pack("<2s2sI", b"\x02\x01", b"VC", next_page)
    head += struct.pack("<8IBHHHIIII", *[0] * 8, 0x4E, len(columns), variable, len(columns), 0, 0, 0, 0)
    body, offset = b"", 0
    for number, (_, kind, form) in enumerate(columns):
        size = struct.calcsize(form) if form else 0
        flags = 0 if kind == _TEXT else _FIXED
        body += struct.pack("<BIHHHIHIHH", kind, 0, number, 0, number, 0, flags, 0, offset, size)
        offset += size
    for label, _, _ in columns:
        name = label.encode("utf-16-le")
        body += struct.pack("<H", len(name)) + name
    return (head + body).ljust(PAGE, b"\x00")


_CODES = {"CHRG": 1, "DCHG": 2, "REST": 4}


def ndax(sheet: Sheet, *, version: int = 14, extra: Sequence[tuple[str, bytes]] = ()) -> bytes:
    """A Neware archive of blocks of version 14: points, their times, and their steps."""
    points = [struct.pack("<ff", row.voltage_v, row.current_a) for row in sheet.rows]
    times = [
        struct.pack(
            "<ixffff8xiiiih8x", round(row.step_time_s * 1000), 0, 0, 0, 0, 0, round(row.t_s), row.step, index, 0
        )
        for index, row in enumerate(sheet.rows, start=1)
    ]
    states = {row.step: (row.cycle, row.mode) for row in sheet.rows}
    steps = [struct.pack("<ii16xb12x", cycle - 1, step, _CODES[mode]) for step, (cycle, mode) in states.items()]
    members = [
        ("data.ndc", _blocks(1, version, points, 8)),
        ("data_runInfo.ndc", _blocks(18, version, times, 55)),
        ("data_step.ndc", _blocks(7, version, steps, 37)),
        *extra,
    ]
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return target.getvalue()


def _blocks(kind: int, version: int, records: Sequence[bytes], size: int) -> bytes:
    held = (PAGE - 137) // size if size == 37 else (PAGE - 136) // size
    blocks = [bytes([kind, 0, version])]
    blocks += [bytes(132) + b"".join(records[first : first + held]) for first in range(0, len(records), held)]
    return b"".join(block.ljust(PAGE, b"\x00") for block in blocks)
