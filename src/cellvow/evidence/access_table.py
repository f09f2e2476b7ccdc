"""Numbers of one table of an Access database: its structure through `access-parser`, its rows by their layout.

A row of a data page (Jet 4 and later): two bytes of field count, the fixed-length fields, and at its very end one
bit a column that says whether the field is present. Rows fill a page from its end; their offsets follow its header.
"""

import logging
import struct
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellvow.evidence.bounds import DATABASE_BYTES_MAX, PAGE_LOOKUPS_MAX, ROWS_MAX
from cellvow.evidence.measurement import Floats
from cellvow.evidence.refusal import quote, refuse_file

PAGE = 4096
"""Bytes of a page since Access 2000."""
_KINDS = (b"Standard Jet DB", b"Standard ACE DB")
_ACCESS_97 = 0
_VERSION = 4
_CATALOGUE_PAGE = 2
_ORDINARY_TABLE = 1
_COUNT_AT, _SLOTS_AT = 12, 14
_DELETED, _MOVED, _OFFSET_BITS = 0x8000, 0x4000, 0x1FFF
_DTYPES = {2: "u1", 3: "<i2", 4: "<i4", 6: "<f4", 7: "<f8"}
"""Column type -> what its bytes are: byte, integer, long, single, double."""
_EXPORT = "copy the file from the cycler again, or export it as CSV"

_Offsets = NDArray[np.int64]


class _Column(NamedTuple):
    number: int
    """Place in the bits of presence."""
    offset: int
    dtype: str


class _Pages(dict[int, bytes]):
    """Pages that may be looked up so often and no more: a damaged chain of pages can lead in a circle."""

    lookups = 0

    def get(self, key: int, default: Any = None) -> Any:  # noqa: ANN401 - as `dict.get` has it
        self.lookups += 1
        if self.lookups > PAGE_LOOKUPS_MAX:
            raise ValueError("its pages lead in a circle")
        return super().get(key, default)


def is_access_database(content: bytes) -> bool:
    """Whether the bytes begin like an Access database of any version."""
    return content[4:19] in _KINDS


def read_numbers(content: bytes, name: str, table: str, wanted: Sequence[str]) -> dict[str, Floats]:
    """The columns of `wanted` that `table` has, NaN where a field is empty, rows as the pages hold them.

    Raises `Malformed` for a damaged database or one without the table.
    """
    from construct import ConstructError

    if len(content) > DATABASE_BYTES_MAX:
        refuse_file(name, f"{len(content)} bytes: of a database at most {DATABASE_BYTES_MAX} are read", _EXPORT)
    if content[20] == _ACCESS_97:
        refuse_file(name, "a database of Access 97 or older", "export it as CSV")
    # The library checks nothing it reads: damage shows as whatever its arithmetic then meets.
    damage = (ConstructError, struct.error, LookupError, AttributeError, TypeError, ValueError, ArithmeticError)
    try:
        return _read(content, name, table, wanted)
    except damage as error:
        reason = str(error).strip().splitlines()
        shown = quote(reason[0]) if reason else type(error).__name__
        refuse_file(name, f"not readable as an Access database ({shown})", _EXPORT)


def _read(content: bytes, name: str, table: str, wanted: Sequence[str]) -> dict[str, Floats]:
    from access_parser.utils import categorize_pages

    # What the library would write to a log reaches the reader as a refusal.
    logging.getLogger("access_parser").addHandler(logging.NullHandler())
    definitions, leaves, _ = categorize_pages(content, PAGE)
    page = _find_table(_Pages(definitions), _Pages(leaves), content, table)
    if page is None:
        refuse_file(name, f"the database has no table {table}", "it is not one that an Arbin cycler writes")
    columns, presence_bytes = _columns(_Pages(definitions), page, wanted)
    starts, ends = _rows(content, leaves, page)
    if len(starts) > ROWS_MAX:
        refuse_file(name, f"more than {ROWS_MAX} rows", "split the measurement into several files")
    needed = 2 + presence_bytes + max((c.offset + np.dtype(c.dtype).itemsize for c in columns.values()), default=0)
    if bool((ends - starts < needed).any()):
        refuse_file(name, "a row of the database is shorter than its fields", _EXPORT)
    buffer = np.frombuffer(content, np.uint8)
    return {label: _numbers(buffer, (starts, ends), column, presence_bytes) for label, column in columns.items()}


def _find_table(definitions: _Pages, leaves: _Pages, content: bytes, table: str) -> int | None:
    """Page of a table's definition, from the database's catalogue."""
    from access_parser.access_parser import AccessTable, TableObj

    catalogue = TableObj(_CATALOGUE_PAGE * PAGE, definitions[_CATALOGUE_PAGE * PAGE])
    catalogue.linked_pages = [leaves[offset] for offset in _pages_of(content, leaves, _CATALOGUE_PAGE)]
    found = AccessTable(catalogue, _VERSION, PAGE, leaves, definitions).parse()
    for title, page, kind in zip(found["Name"], found["Id"], found["Type"], strict=False):
        if title == table and kind == _ORDINARY_TABLE:
            return int(page)
    return None


def _columns(definitions: _Pages, page: int, wanted: Sequence[str]) -> tuple[dict[str, _Column], int]:
    """(label -> column, bytes of the bits of presence) of a table."""
    from access_parser.access_parser import AccessTable, TableObj

    definition = AccessTable(TableObj(page * PAGE, definitions[page * PAGE]), _VERSION, PAGE, {}, definitions)
    columns = {}
    for column in definition.columns.values():
        if column.col_name_str in wanted and column.column_flags.fixed_length and column.type in _DTYPES:
            dtype = _DTYPES[column.type]
            columns[column.col_name_str] = _Column(column.column_id, column.fixed_offset, dtype)
    presence_bytes = (definition.table_header.column_count + 7) // 8
    if any(column.number >= 8 * presence_bytes for column in columns.values()):
        raise ValueError("a column has no bit of presence")
    return columns, presence_bytes


def _pages_of(content: bytes, leaves: dict[int, bytes], page: int) -> list[int]:
    owner = page.to_bytes(4, "little")
    return [offset for offset in leaves if content[offset + 4 : offset + 8] == owner]


def _rows(content: bytes, leaves: dict[int, bytes], page: int) -> tuple[_Offsets, _Offsets]:
    """(first byte, byte after the last) of every row of a table, as places in the file."""
    starts, ends = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for offset in _pages_of(content, leaves, page):
        slots, firsts, lasts = _slots(content, offset)
        live = (slots & (_DELETED | _MOVED)) == 0
        starts.append(firsts[live])
        ends.append(lasts[live])
        for first in firsts[(slots & (_DELETED | _MOVED)) == _MOVED].tolist():
            place = int.from_bytes(content[first : first + 4], "little")
            _, elsewhere, until = _slots(content, (place >> 8) * PAGE)
            starts.append(elsewhere[place & 0xFF :][:1])
            ends.append(until[place & 0xFF :][:1])
    return np.concatenate(starts), np.concatenate(ends)


def _slots(content: bytes, offset: int) -> tuple[_Offsets, _Offsets, _Offsets]:
    """(slots with their flags, first byte of each row, byte after it) of the data page at `offset`."""
    count = int.from_bytes(content[offset + _COUNT_AT : offset + _SLOTS_AT], "little")
    if _SLOTS_AT + 2 * count > PAGE or offset + PAGE > len(content):
        raise ValueError("a page is cut off")
    slots = np.frombuffer(content, "<u2", count, offset + _SLOTS_AT).astype(np.int64)
    firsts = offset + (slots & _OFFSET_BITS)
    lasts = np.concatenate((np.array([offset + PAGE]), firsts[:-1]))[:count]
    return slots, firsts, lasts


def _numbers(
    buffer: NDArray[np.uint8], rows: tuple[_Offsets, _Offsets], column: _Column, presence_bytes: int
) -> Floats:
    starts, ends = rows
    size = np.dtype(column.dtype).itemsize
    places = (starts + 2 + column.offset)[:, np.newaxis] + np.arange(size)
    with np.errstate(invalid="ignore"):  # a damaged number may be a NaN that signals; it is refused later
        values = np.ascontiguousarray(buffer[places]).view(column.dtype).reshape(len(starts)).astype(np.float64)
    bits = buffer[ends - presence_bytes + column.number // 8] >> (column.number % 8) & 1
    return np.where(bits == 1, values, np.nan)
