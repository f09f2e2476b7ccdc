"""Neware archives: bounded before they are unpacked, read by the optional reader, refused where they are not sound."""

from __future__ import annotations

import io
import struct
import sys
import zipfile

import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.evidence import Measurement, evaluate_measurement, parse_measurement
from cellvow.evidence.bounds import ARCHIVE_MEMBERS_MAX, UNPACKED_BYTES_MAX, XML_BYTES_MAX
from tests.unit.evidence.databases import ndax
from tests.unit.evidence.sheets import full_test

SHEET = full_test(2)


def read(content: bytes) -> Measurement:
    """The measurement in an archive."""
    return parse_measurement(content, "x.ndax")


def test_an_archive_gives_the_same_capacity_as_the_text_file() -> None:
    """Points, times and steps lie in three blocks; together they are the test that was written."""
    measurement = read(ndax(SHEET))
    capacity = evaluate_measurement(measurement).full_discharges()[0].capacity_ah

    assert (len(SHEET.rows), "Neware .ndax") == (len(measurement), measurement.source.format)
    assert [row.t_s for row in SHEET.rows] == measurement.t_s.tolist()
    assert [row.voltage_v for row in SHEET.rows] == pytest.approx(measurement.voltage_v.tolist(), rel=1e-6)
    assert 10.0 == pytest.approx(capacity, rel=1e-6)
    assert any("test time is the sum of step times" in remark for remark in measurement.source.remarks)


def test_a_version_that_the_reader_does_not_know_is_named() -> None:
    """It is no damage, and the remedy is an export."""
    with pytest.raises(Malformed, match=r"a version of the format .*ndc version 99.*; export it as CSV"):
        read(ndax(SHEET, version=99))


def test_without_the_optional_reader_the_error_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is wrong with the file: the person is told what to install."""
    monkeypatch.setitem(sys.modules, "NewareNDA.NewareNDAx", None)

    with pytest.raises(OperationalError, match=r"pip install 'cellvow\[neware\]'"):
        read(ndax(SHEET))


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ([("data_AUX_1_1_1.ndc", b"short")], "its block 'data_AUX_1_1_1.ndc' is cut off"),
        ([("Step.xml", b" " * (XML_BYTES_MAX + 1))], f"'Step.xml' has more than {XML_BYTES_MAX} bytes"),
        ([("Step.xml", b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>")], "defines entities, which no cycler does"),
        ([(f"{n}.txt", b"") for n in range(ARCHIVE_MEMBERS_MAX)], f"at most {ARCHIVE_MEMBERS_MAX}"),
    ],
)
def test_an_archive_past_its_bounds_is_refused(extra: list[tuple[str, bytes]], said: str) -> None:
    """Before anything is unpacked that need not be."""
    with pytest.raises(Malformed, match=rf"x\.ndax: .*{said}"):
        read(ndax(SHEET, extra=extra))


def test_a_zip_bomb_is_refused_by_what_it_claims() -> None:
    """The archive's own list says how much it would unpack; it can unpack no more than it says."""
    content = bytearray(ndax(SHEET))
    central = content.index(b"PK\x01\x02")
    content[central + 24 : central + 28] = struct.pack("<I", UNPACKED_BYTES_MAX)

    with pytest.raises(Malformed, match=f"bytes unpacked: at most {UNPACKED_BYTES_MAX}"):
        read(bytes(content))


def test_any_other_zip_is_not_taken_for_a_measurement() -> None:
    """A spreadsheet is a zip as well."""
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("xl/workbook.xml", b"<a/>")

    with pytest.raises(Malformed, match="a zip archive or spreadsheet; export it as CSV"):
        read(target.getvalue())
