"""Text with separated fields to columns of numbers, strictly: each refusal names row and field."""

import csv
import io
from collections.abc import Iterator, Sequence
from itertools import islice

import numpy as np

from cellvow.evidence.bounds import LINE_CHARACTERS_MAX, ROWS_MAX
from cellvow.evidence.layout import CHANNELS, COMMA_SEPARATED, Column, Dialect, Layout
from cellvow.evidence.measurement import Floats, Progress
from cellvow.evidence.recorded import Recorded, Words
from cellvow.evidence.refusal import quote, refuse_field, refuse_file, refuse_row

_CHUNK_ROWS = 65_536
_LOOKED_AT_ROWS = 1_000
_EXPORT_AGAIN = "export the file again"
_ABSENT = ("", "NaN", "nan")
"""How files write that an optional field has no value."""

Row = tuple[int, list[str]]
"""(row as an editor counts it, its fields)."""


def first_fields(content: bytes, name: str) -> list[str]:
    """Fields of the first line, stripped of blanks."""
    return next(iter(first_rows(content, name, COMMA_SEPARATED, 1)), [])


def first_rows(content: bytes, name: str, dialect: Dialect, count: int) -> list[list[str]]:
    """Fields of the first `count` rows, or of as many as there are, stripped of blanks."""
    rows = islice(_rows(content, name, dialect, None), count)
    return [[field.strip() for field in fields] for _, fields in rows]


def read_columns(
    content: bytes, name: str, layout: Layout, progress: Progress | None, *, rows_max: int = ROWS_MAX
) -> Recorded:
    """Every column of `layout` from text; raises `Malformed` naming the first row that is wrong."""
    decimal = layout.dialect.decimal
    rows = islice(_rows(content, name, layout.dialect, progress), layout.header_rows, None)
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
            numbers[column.channel].append(_numbers(chunk, name, column, decimal))
            decimals[column.channel] = max(decimals[column.channel], _decimals(chunk, column, decimal))
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


def _rows(content: bytes, name: str, dialect: Dialect, progress: Progress | None) -> Iterator[Row]:
    raw = io.BytesIO(content)
    # utf-8-sig: spreadsheets put a byte order mark before UTF-8.
    encoding = "utf-8-sig" if dialect.encoding == "utf-8" else dialect.encoding
    lines = _lines(io.TextIOWrapper(raw, encoding=encoding, newline=""), name)
    reader = csv.reader(lines, strict=True, delimiter=dialect.delimiter)
    try:
        for fields in reader:
            if progress and reader.line_num % _CHUNK_ROWS == 0:
                progress(raw.tell(), len(content))
            yield reader.line_num, fields
    except csv.Error as error:
        shape = "comma-separated text" if dialect.delimiter == "," else f"text separated by {dialect.delimiter!r}"
        refuse_row(name, max(reader.line_num, 1), f"not {shape} ({error})", _EXPORT_AGAIN)
    except UnicodeError:
        what = f"not {dialect.encoding.upper()} text"
        refuse_row(name, _row_undecodable(content, encoding), what, "save the file as UTF-8 CSV")
    if progress:
        progress(len(content), len(content))


def _lines(text: io.TextIOWrapper, name: str) -> Iterator[str]:
    for number, line in enumerate(text, start=1):
        if len(line) > LINE_CHARACTERS_MAX:
            refuse_row(name, number, f"a line of more than {LINE_CHARACTERS_MAX} characters", _EXPORT_AGAIN)
        yield line


def _row_undecodable(content: bytes, encoding: str) -> int:
    try:
        content.decode(encoding)
    except UnicodeDecodeError as error:
        before = content[: error.start].decode(encoding, "ignore")
        return before.replace("\r\n", "\n").replace("\r", "\n").count("\n") + 1
    except UnicodeError:
        return 1
    return 1


def _check_widths(chunk: Sequence[Row], name: str, width: int) -> None:
    for row, fields in chunk:
        if len(fields) != width:
            what = f"{len(fields)} field(s) where the file has {width} columns"
            refuse_row(name, row, what, "the file may be cut off or edited: " + _EXPORT_AGAIN)


def _numbers(chunk: Sequence[Row], name: str, column: Column, decimal: str) -> Floats:
    """Values of one column in our unit; NaN for an empty optional field."""
    texts = [fields[column.position] for _, fields in chunk]
    if decimal != ".":
        texts = [_with_point(text, decimal) for text in texts]
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


def _with_point(text: str, decimal: str) -> str:
    """A number with a point for its decimal sign; one that has a point already is left unreadable."""
    return text.replace(".", "?").replace(decimal, ".")


def _decimals(chunk: Sequence[Row], column: Column, decimal: str) -> int:
    """Most decimals with which the first rows of the chunk write a column."""
    texts = (fields[column.position] for _, fields in chunk[:_LOOKED_AT_ROWS])
    return max(len(text.strip().lower().partition("e")[0].partition(decimal)[2]) for text in texts)


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
    if stripped in _ABSENT and not is_required:
        return float("nan")
    try:
        value = float(stripped)
    except ValueError:
        value = float("nan")
    if not np.isfinite(value) or not stripped.isascii() or "_" in stripped:
        what = f"{quote(stripped)} is not a number" if stripped else "the field is empty"
        refuse_field(place, what, "write decimals with a point, without digit grouping")
    return value
