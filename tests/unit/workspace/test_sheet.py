"""Sheets are read as spreadsheets write them, in any usual encoding; what is written starts no formula."""

from __future__ import annotations

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import Malformed
from cellvow.workspace import sheet as module
from cellvow.workspace.sheet import COLUMNS_MAX, disarm, encode_row, parse_sheet

LETTERS = st.text(st.characters(min_codepoint=32, max_codepoint=0x2FFF, exclude_categories=("Cs", "Cc", "Zl", "Zp")))
CELLS = LETTERS.map(str.strip).filter(lambda text: len(text) <= 60)
TABLES = st.lists(st.lists(CELLS, min_size=3, max_size=3).filter(any), min_size=1, max_size=8)
STARTS = ["=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"]


def written(rows: list[list[str]], separator: str, line_end: str = "\r\n") -> str:
    """What a spreadsheet writes."""
    out = io.StringIO(newline="")
    csv.writer(out, delimiter=separator, lineterminator=line_end).writerows(rows)
    return out.getvalue()


@pytest.mark.slow
@given(
    rows=TABLES,
    separator=st.sampled_from([",", ";", "\t"]),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    line_end=st.sampled_from(["\r\n", "\n"]),
)
def test_what_a_spreadsheet_writes_is_read_as_it_was(
    rows: list[list[str]], separator: str, encoding: str, line_end: str
) -> None:
    """With each separator, encoding and line end, separators and quotes inside of cells included."""
    text = written([["One", " two", "THREE"], *rows], separator, line_end)
    sheet = parse_sheet(text.encode(encoding))

    assert ("one", "two", "three") == sheet.columns
    assert rows == [list(row.cells.values()) for row in sheet.rows]
    assert list(range(2, len(rows) + 2)) == [row.line for row in sheet.rows]
    assert not sheet.is_guessed


@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    """Never anything but rows or `Malformed`."""
    with suppress(Malformed):
        assert parse_sheet(data).columns


@pytest.mark.slow
@given(st.lists(st.text(max_size=30), min_size=1, max_size=6))
def test_threat_no_cell_that_is_written_starts_a_formula(cells: list[str]) -> None:
    """Whatever it holds; and the cell comes back, but for the apostrophe before a dangerous one."""
    ((*back,),) = csv.reader(io.StringIO(encode_row(cells).decode("utf-8", "surrogatepass"), newline=""))

    assert not any(one.startswith(tuple(STARTS)) for one in back)
    assert [disarm(one) for one in cells] == back


@pytest.mark.parametrize("start", STARTS)
def test_threat_every_leading_sign_of_a_formula_is_disarmed(start: str) -> None:
    """The full-width forms too; control: a plain cell stays as it is."""
    assert f"'{start}1+1" == disarm(f"{start}1+1")
    assert "1+1" == disarm("1+1")


def test_latin_1_is_read_and_told() -> None:
    """Nothing in the bytes says it: it is a guess."""
    sheet = parse_sheet("battery;facility\nx;Werk Köln\n".encode("latin-1"))

    assert ("Latin-1", True) == (sheet.encoding, sheet.is_guessed)
    assert "Werk Köln" == sheet.rows[0].cells["facility"]


def test_a_row_names_the_line_it_begins_on() -> None:
    """Also behind cells of several lines and empty rows."""
    sheet = parse_sheet(b'a,b\n1,"x\ny"\n\n,\n2,z\n')

    assert [2, 6] == [row.line for row in sheet.rows]


def test_a_row_with_cells_too_many_is_marked_and_one_with_few_is_filled() -> None:
    """It may have a separator outside of quotes; the other rows stand."""
    sheet = parse_sheet(b"a,b\n1\n1,2,3\n1,2,\n")

    assert [True, False, True] == [row.is_whole for row in sheet.rows]
    assert {"a": "1", "b": ""} == sheet.rows[0].cells


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\n\n", "empty"),
        (b"a,A\n1,2\n", "named twice"),
        (b"PK\x03\x04\0\0\n", "zero bytes"),
        (b"\xff\xfea\0\xd8", "UTF-16"),
        (b'a,b\n"1,2\n', "line 2"),
        (b'a,b\n"1"x,2\n', "line 2"),
        (b"a" * 200_000 + b"\n", "line 1"),
        (",".join(map(str, range(COLUMNS_MAX + 1))).encode(), "columns"),
    ],
)
def test_what_is_no_sheet_is_refused_with_a_sentence(data: bytes, said: str) -> None:
    """Which line, or what to do."""
    with pytest.raises(Malformed, match=said):
        parse_sheet(data)


@pytest.mark.slow
def test_limits_of_a_sheet_hold_at_the_bound_and_not_one_past_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, columns, lines and bytes."""
    monkeypatch.setattr(module, "SHEET_ROWS_MAX", 3)
    assert 3 == len(parse_sheet(b"a\n1\n2\n3\n").rows)
    with pytest.raises(Malformed, match="at most 3 rows"):
        parse_sheet(b"a\n1\n2\n3\n4\n")
    assert COLUMNS_MAX == len(parse_sheet(",".join(map(str, range(COLUMNS_MAX))).encode()).columns)
    monkeypatch.setattr(module, "SHEET_LINES_MAX", 4)
    assert 1 == len(parse_sheet(b"a\n\n\n1\n").rows)
    with pytest.raises(Malformed, match="at most 4 lines"):
        parse_sheet(b"a\n\n\n\n1\n")
    filled = b"a\n" + (b"1" * 99_999 + b"\n") * 200
    monkeypatch.setattr(module, "SHEET_BYTES_MAX", len(filled))
    monkeypatch.setattr(module, "SHEET_LINES_MAX", 1_000)
    monkeypatch.setattr(module, "SHEET_ROWS_MAX", 1_000)
    assert 200 == len(parse_sheet(filled).rows)
    with pytest.raises(Malformed, match="bytes"):
        parse_sheet(filled + b"\n")
