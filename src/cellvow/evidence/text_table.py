"""Comma-separated text to columns of numbers, strictly: each refusal names row and field."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from cellvow.evidence.bounds import LINE_CHARACTERS_MAX, ROWS_MAX
from cellvow.evidence.layout import CHANNELS, Column, Layout
from cellvow.evidence.measurement import Floats, Progress
from cellvow.evidence.recorded import Recorded, Words
from cellvow.evidence.refusal import quote, refuse_field, refuse_file, refuse_row

_CHUNK_ROWS = 65_536
_LOOKED_AT_ROWS = 1_000
_EXPORT_AGAIN = "export the file again"

Row = tuple[int, list[str]]
"""(row as an editor counts it, its fields)."""


def first_fields(content: bytes, name: str) -> list[str]:
    """Fields of the first line, stripped of blanks."""
    _, fields = next(_rows(content, name, None), (1, []))
    return [field.strip() for field in fields]


def read_columns(
    content: bytes, name: str, layout: Layout, progress: Progress | None, *, rows_max: int = ROWS_MAX
) -> Recorded:
    """Every column of `layout` from UTF-8 text; raises `Malformed` naming the first row that is wrong."""
    rows = islice(_rows(content, name, progress), layout.header_rows, None)
    numbers: dict[str, list[Floats]] = {column.channel: [] for column in layout.columns}
    words: dict[str, list[int]] = {text.name: [] for text in layout.texts}
    codes: dict[str, dict[str, int]] = {text.name: {} for text in layout.texts}
    decimals: dict[str, int] = {column.channel: 0 for column in layout.columns}
    row_numbers: list[int] = []
    while chunk := list(islice(rows, _CHUNK_ROWS)):
        _check_widths(chunk, name, layout.width)
        row_numbers.extend(row for row, _ in chunk)
        if len(row_numbers) > rows_max:
            refuse_file(name, f"more than {rows_max} rows", "split the measurement into several files")
        for column in layout.columns:
            numbers[column.channel].append(_numbers(chunk, name, column))
            decimals[column.channel] = max(decimals[column.channel], _decimals(chunk, column))
        for text in layout.texts:
            known = codes[text.name]
            words[text.name].extend(known.setdefault(f[text.position].strip(), len(known)) for _, f in chunk)
    return Recorded(
        layout,
        np.array(row_numbers, dtype=np.int64),
        {channel: np.concatenate(parts or [np.empty(0)]) for channel, parts in numbers.items()},
        {key: Words(np.array(found, dtype=np.int64), tuple(codes[key])) for key, found in words.items()},
        {column.channel: 10.0 ** -decimals[column.channel] * column.unit.factor for column in layout.columns},
    )


def _rows(content: bytes, name: str, progress: Progress | None) -> Iterator[Row]:
    raw = io.BytesIO(content)
    # utf-8-sig: spreadsheets put a byte order mark before UTF-8.
    lines = _lines(io.TextIOWrapper(raw, encoding="utf-8-sig", newline=""), name)
    reader = csv.reader(lines, strict=True)
    try:
        for fields in reader:
            if progress and reader.line_num % _CHUNK_ROWS == 0:
                progress(raw.tell(), len(content))
            yield reader.line_num, fields
    except csv.Error as error:
        refuse_row(name, max(reader.line_num, 1), f"not comma-separated text ({error})", _EXPORT_AGAIN)
    except UnicodeDecodeError:
        refuse_row(name, _row_not_utf8(content), "not UTF-8 text", "save the file as UTF-8 CSV")
    if progress:
        progress(len(content), len(content))


def _lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    for number, line in enumerate(text, start=1):
        if len(line) > LINE_CHARACTERS_MAX:
            refuse_row(name, number, f"a line of more than {LINE_CHARACTERS_MAX} characters", _EXPORT_AGAIN)
        yield line


def _row_not_utf8(content: bytes) -> int:
    for number, line in enumerate(content.splitlines(), start=1):
        try:
            line.decode("utf-8")
        except UnicodeDecodeError:
            return number
    return 1


def _check_widths(chunk: Sequence[Row], name: str, width: int) -> None:
    for row, fields in chunk:
        if len(fields) != width:
            what = f"{len(fields)} field(s) where the file has {width} columns"
            refuse_row(name, row, what, "the file may be cut off or edited: " + _EXPORT_AGAIN)


def _numbers(chunk: Sequence[Row], name: str, column: Column) -> Floats:
    """Values of one column in our unit; NaN for an empty optional field."""
    texts = [fields[column.position] for _, fields in chunk]
    is_required = CHANNELS[column.channel].is_required
    values = _plain_numbers(texts)
    if values is None:
        values = np.array(
            [
                _number(text, (name, row, column.label), is_required=is_required)
                for (row, _), text in zip(chunk, texts, strict=True)
            ]
        )
    unit = column.unit
    return values * unit.factor + unit.offset if (unit.factor, unit.offset) != (1.0, 0.0) else values


def _decimals(chunk: Sequence[Row], column: Column) -> int:
    """Most decimals with which the first rows of the chunk write a column."""
    texts = (fields[column.position] for _, fields in chunk[:_LOOKED_AT_ROWS])
    return max(len(text.strip().lower().partition("e")[0].partition(".")[2]) for text in texts)


def _plain_numbers(texts: list[str]) -> Floats | None:
    """All values at once, or None when one of them needs a closer look."""
    try:
        values = np.fromiter(map(float, texts), np.float64, len(texts))
    except ValueError:
        return None
    # float() also reads "1_0", digits of other scripts, "nan" and "inf".
    joined = "".join(texts)
    is_plain = joined.isascii() and "_" not in joined and bool(np.isfinite(values).all())
    return values if is_plain else None


def _number(text: str, place: tuple[str, int, str], *, is_required: bool) -> float:
    stripped = text.strip()
    if not stripped and not is_required:
        return float("nan")
    try:
        value = float(stripped)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value) or not stripped.isascii() or "_" in stripped:
        what = f"{quote(stripped)} is not a number" if stripped else "the field is empty"
        refuse_field(place, what, "write decimals with a point, without digit grouping")
    return value
