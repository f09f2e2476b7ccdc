"""Sheets as spreadsheets write them: bytes to rows with their line numbers, and rows to bytes that start no formula."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cellvow.core.primitives.errors import Malformed

SHEET_BYTES_MAX = 16_000_000
SHEET_ROWS_MAX = 100_000
SHEET_LINES_MAX = 500_000
"""Lines of the file, those of cells with several lines and empty ones included."""
CELL_LENGTH_MAX = 500
COLUMNS_MAX = 50
_FIRST_LINE_MAX = 100_000
_SEPARATORS = ",;\t"
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What makes a spreadsheet take a cell for a formula, the full-width forms too."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: the line of the file it begins on, and its cells by column; `is_whole` unless it has cells too many."""

    line: int
    cells: dict[str, str]
    is_whole: bool = True


@dataclass(frozen=True, slots=True)
class Sheet:
    """A whole sheet. `encoding` is what its bytes were read as; `is_guessed` where nothing in them says so."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]
    encoding: str
    is_guessed: bool = False


def parse_sheet(data: bytes) -> Sheet:
    """The rows of a CSV file: UTF-8, UTF-16 or Latin-1, separated by comma, semicolon or tab.

    Empty rows are left out. Raises `Malformed` with the line for what cannot be read.
    """
    if len(data) > SHEET_BYTES_MAX:
        raise Malformed(f"the sheet has {len(data)} bytes: at most {SHEET_BYTES_MAX} are read; split it")
    text, encoding, is_guessed = _decode(data)
    if "\0" in text:
        raise Malformed("the file is no CSV: it holds zero bytes; save the sheet as CSV")
    numbered = _numbered(text)
    line, heading = next(numbered, (1, []))
    columns = tuple(one.strip().lower() for one in heading)
    if not any(columns):
        raise Malformed("the sheet is empty: its first line names the columns")
    if len(columns) > COLUMNS_MAX:
        raise Malformed(f"line {line}: {len(columns)} columns: at most {COLUMNS_MAX} are read")
    named = [one for one in columns if one]
    if len(dict.fromkeys(named)) != len(named):
        raise Malformed(f"line {line}: a column is named twice")
    rows = []
    for line, cells in numbered:
        rows.append(_row(line, columns, cells))
        if len(rows) > SHEET_ROWS_MAX:
            raise Malformed(f"line {line}: at most {SHEET_ROWS_MAX} rows are read; split the sheet")
    return Sheet(columns, tuple(rows), encoding, is_guessed)


def encode_row(cells: Sequence[str]) -> bytes:
    """One line of CSV. A cell that a spreadsheet would take for a formula begins with an apostrophe."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\r\n").writerow([disarm(one) for one in cells])
    return written.getvalue().encode()


def disarm(cell: str) -> str:
    """The cell, or with an apostrophe before it where it would start a formula."""
    return f"'{cell}" if cell.startswith(_FORMULA_STARTS) else cell


def _decode(data: bytes) -> tuple[str, str, bool]:
    """(text, what it was read as, whether that is a guess)."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        try:
            return data.decode("utf-16"), "UTF-16", False
        except UnicodeDecodeError as error:
            raise Malformed("the file says that it is UTF-16 and is not: save it as UTF-8") from error
    try:
        return data.decode("utf-8-sig"), "UTF-8", False
    except UnicodeDecodeError:
        return data.decode("latin-1"), "Latin-1", True


def _numbered(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows with something in them, each with the line it begins on."""
    first = next((line for line in text[:_FIRST_LINE_MAX].splitlines() if line.strip()), "")
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise Malformed(f"line {line}: the row cannot be read ({error})") from error
        if reader.line_num > SHEET_LINES_MAX:
            raise Malformed(f"line {line}: at most {SHEET_LINES_MAX} lines are read; split the sheet")
        if any(one.strip() for one in cells):
            yield line, cells


def _row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row:
    padded = [*cells, *("" for _ in range(len(columns) - len(cells)))]
    named = {name: cell.strip()[:CELL_LENGTH_MAX] for name, cell in zip(columns, padded, strict=False) if name}
    return Row(line, named, not any(one.strip() for one in cells[len(columns) :]))
