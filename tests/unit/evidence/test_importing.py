"""Files are known by their content, bounded before they are read, and refused in words a person can act on."""

from __future__ import annotations

import gzip
import hashlib
from typing import TYPE_CHECKING

import numpy as np
import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.evidence import import_measurement, parse_measurement
from cellvow.evidence.bdf import find_bdf_layout
from cellvow.evidence.bounds import FILE_BYTES_MAX, LINE_CHARACTERS_MAX
from cellvow.evidence.recorded import resolution
from cellvow.evidence.text_table import read_columns
from tests.unit.evidence.sheets import BDF_HEADER, full_test

if TYPE_CHECKING:
    from pathlib import Path

SHORT = f"{BDF_HEADER}\n0,3.7,0.1\n1,3.6,0.1\n".encode()


def test_the_digest_is_that_of_the_very_bytes(tmp_path: Path) -> None:
    """Name, size and SHA-256 of the source are those of the file as it lies there."""
    path = tmp_path / "renamed.bin"
    path.write_bytes(SHORT)
    source = import_measurement(path).source

    assert hashlib.sha256(SHORT).digest() == source.sha256
    assert ("renamed.bin", len(SHORT), "measured") == (source.name, source.size_bytes, source.evidence_class)


def test_a_measurement_cannot_be_changed() -> None:
    """What was digested stays what is computed on."""
    measurement = parse_measurement(SHORT, "x.csv")

    with pytest.raises(ValueError, match="read-only"):
        measurement.voltage_v[0] = 0.0


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file is empty; export"),
        (gzip.compress(SHORT, mtime=0), "compressed with gzip; decompress it first"),
        (b"PK\x03\x04rest", "a zip archive or spreadsheet; export it as CSV"),
        (SHORT.decode().encode("utf-16"), "UTF-16 text; save it as UTF-8 CSV"),
        (SHORT.decode().encode("utf-16-be"), "binary bytes from row 1 on"),
        (SHORT + b"2,3.5\0,0\n", "binary bytes from row 4 on"),
        (bytes(range(1, 256)), "row 3: not UTF-8 text"),
        (SHORT + b"2,3.\xff,0\n", "row 4: not UTF-8 text; save the file as UTF-8 CSV"),
        (b"a,b,c\n1,2,3\n", "the first line, 'a,b,c', is no known heading; accepted are Bitrode CSV"),
        (SHORT.replace(b",", b";"), "is no known heading; .* with commas"),
        (f"{BDF_HEADER}\n".encode(), "there is no row of data"),
        (SHORT + b"2,3.5\n", r"row 4: 2 field\(s\) where the file has 3 columns; the file may be cut off"),
        (SHORT + b"\n", r"row 4: 0 field\(s\) where the file has 3 columns"),
        (SHORT + b'2,"3.5,0\n', "row 4: not comma-separated text"),
        (SHORT + b'2,"' + b"9" * LINE_CHARACTERS_MAX + b'",0\n', "row 4: a line of more than 10000 characters"),
        (b"PAR1" + b"\0" * 50, "not readable as Parquet"),
    ],
)
def test_a_file_that_is_no_sound_measurement_is_refused(content: bytes, said: str) -> None:
    """Each names the file, the row where there is one, and what to do."""
    with pytest.raises(Malformed, match=f"(?s)x.csv.*{said}"):
        parse_measurement(content, "x.csv")


def test_a_line_at_the_bound_is_read() -> None:
    """A long line is refused one character past the bound, not at it."""
    padding = LINE_CHARACTERS_MAX - len("2,3.5,0\n")
    fits = b"2," + b" " * padding + b"3.5,0\n"

    assert 3 == len(parse_measurement(SHORT + fits, "x.csv"))
    with pytest.raises(Malformed, match="row 4: a line of more than"):
        parse_measurement(SHORT + b" " + fits, "x.csv")


def test_rows_are_counted_at_the_bound() -> None:
    """As many rows as allowed pass, one more does not."""
    layout = find_bdf_layout(BDF_HEADER.split(","), "x.csv", "CSV")
    assert layout is not None

    assert 2 == len(read_columns(SHORT, "x.csv", layout, None, rows_max=2).row)
    with pytest.raises(Malformed, match="more than 1 rows; split"):
        read_columns(SHORT, "x.csv", layout, None, rows_max=1)


def test_an_oversized_file_is_refused_before_it_is_read(tmp_path: Path) -> None:
    """The size is judged by the file system: nothing of a huge file enters memory."""
    path = tmp_path / "huge.csv"
    with path.open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)

    with pytest.raises(Malformed, match=f"{FILE_BYTES_MAX + 1} bytes: at most {FILE_BYTES_MAX} are read"):
        import_measurement(path)


def test_a_file_that_is_not_there_is_no_fault_of_its_content(tmp_path: Path) -> None:
    """A missing file or a folder is an operational matter."""
    with pytest.raises(OperationalError, match="No such file"):
        import_measurement(tmp_path / "none.csv")
    with pytest.raises(OperationalError, match="directory"):
        import_measurement(tmp_path)


def test_a_file_without_a_last_line_end_is_remarked() -> None:
    """Cut off inside its last number it would look just like this."""
    whole, cut = parse_measurement(SHORT, "x.csv"), parse_measurement(SHORT[:-1], "x.csv")

    assert () == whole.source.remarks
    assert ("the last line has no line end: it may be cut off",) == cut.source.remarks


def test_a_byte_order_mark_and_windows_line_ends_are_accepted() -> None:
    """What spreadsheets write is read like the rest."""
    windows = b"\xef\xbb\xbf" + SHORT.replace(b"\n", b"\r\n")

    assert parse_measurement(SHORT, "x.csv").t_s.tolist() == parse_measurement(windows, "x.csv").t_s.tolist()


def test_a_hostile_name_or_heading_steers_no_terminal() -> None:
    """Control characters of a file never reach an error message."""
    with pytest.raises(Malformed) as caught:
        parse_measurement(SHORT.replace(b"Current / A", b"Current / \x1b[2J"), "evil\x1b[31m.csv")

    assert "\x1b" not in str(caught.value)
    assert "evil?[31m.csv" in str(caught.value)


def test_progress_goes_from_nothing_to_all(tmp_path: Path) -> None:
    """Reading and parsing both report, and end at the whole."""
    path = tmp_path / "x.csv"
    path.write_bytes(full_test(1).bitrode())
    seen: list[tuple[int, int]] = []
    import_measurement(path, progress=lambda done, total: seen.append((done, total)))

    assert seen
    assert all(0 <= done <= total for done, total in seen)
    assert seen[-1][0] == seen[-1][1]


def test_the_resolution_of_a_channel_is_seen_in_its_text_and_values() -> None:
    """It is what the text expresses, or the coarser step that the values keep."""
    measurement = parse_measurement(SHORT, "x.csv")

    assert (0.1, 0.1) == (measurement.voltage_step_v, measurement.current_step_a)
    assert 0.001 == resolution(np.array([3.147, 3.148, 3.15, 4.2]), 1e-6)
    assert 0.1 == resolution(np.array([0.0, -30.0]), 0.1)
    assert 0.01 == resolution(np.full(5, 3.3), 0.01)
