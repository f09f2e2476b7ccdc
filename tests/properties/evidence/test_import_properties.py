"""Whatever bytes arrive, the importer returns a sound measurement or says which file and row are not."""

from __future__ import annotations

import io
from contextlib import suppress

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence import Measurement, parse_measurement
from tests.unit.evidence.sheets import BDF_HEADER, Sheet

SHEET = Sheet().add("REST", 0.0, (4.19, 4.19), 60).add("DCHG", -10.0, (4.1, 3.9), 120).add("CHRG", 5.0, (3.9, 4.0), 60)
BITRODE, BDF = SHEET.bitrode(), SHEET.bdf()


def as_parquet() -> bytes:
    """The same rows as Parquet."""
    sink = io.BytesIO()
    names = ("test_time_second", "voltage_volt", "current_ampere")
    columns = zip(*((row.t_s, row.voltage_v, row.current_a) for row in SHEET.rows), strict=True)
    pq.write_table(pa.table(dict(zip(names, map(list, columns), strict=True))), sink)
    return sink.getvalue()


PARQUET = as_parquet()


def check_sound(measurement: Measurement) -> None:
    """A measurement that was let in keeps every promise of its type."""
    assert len(measurement.t_s) == len(measurement.current_a) == len(measurement.voltage_v) == len(measurement.row)
    for values in (measurement.t_s, measurement.current_a, measurement.voltage_v):
        assert np.isfinite(values).all()
        assert not values.flags.writeable
    assert (np.diff(measurement.t_s) >= 0).all()
    assert (np.diff(measurement.row) > 0).all()


def import_or_refuse(content: bytes) -> Measurement | None:
    """A sound measurement, or None where it is refused: the only error is `Malformed`, and it names the file."""
    refusal, measurement = "x.csv", None
    try:
        measurement = parse_measurement(content, "x.csv")
    except Malformed as error:
        refusal = str(error)
    assert refusal.startswith("x.csv")
    if measurement is not None:
        check_sound(measurement)
    return measurement


@pytest.mark.parametrize("whole", [BITRODE, BDF], ids=["bitrode", "bdf"])
@given(data=st.data())
def test_a_file_cut_anywhere_is_refused_or_is_a_remarked_beginning(whole: bytes, data: st.DataObject) -> None:
    """Cut at any byte: refused, or the rows before the cut - with a remark where the last may be cut in two."""
    cut = data.draw(st.integers(0, len(whole) - 1))
    reference = parse_measurement(whole, "x.csv")
    measurement = import_or_refuse(whole[:cut])
    if measurement is None:
        return
    is_remarked = any("no line end" in remark for remark in measurement.source.remarks)
    sure = len(measurement) - is_remarked
    assert (whole[:cut].endswith(b"\n")) != is_remarked
    assert reference.voltage_v[:sure].tolist() == measurement.voltage_v[:sure].tolist()
    assert reference.current_a[:sure].tolist() == measurement.current_a[:sure].tolist()


@given(st.binary(max_size=300))
def test_any_bytes_are_imported_or_refused(content: bytes) -> None:
    """Rubbish of any kind raises nothing but `Malformed`."""
    import_or_refuse(content)


@given(st.text(max_size=200))
def test_any_text_below_a_sound_heading_is_imported_or_refused(text: str) -> None:
    """The same for text that looks like a measurement at first."""
    import_or_refuse(f"{BDF_HEADER}\n{text}".encode("utf-8", "surrogatepass"))


@pytest.mark.parametrize("whole", [BITRODE, BDF, PARQUET], ids=["bitrode", "bdf", "parquet"])
@given(data=st.data())
def test_a_damaged_file_is_imported_soundly_or_refused(whole: bytes, data: st.DataObject) -> None:
    """Any byte replaced by any other."""
    place = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(0, 255))
    import_or_refuse(whole[:place] + bytes([byte]) + whole[place + 1 :])


@given(cut=st.integers(0, len(PARQUET) - 1))
def test_parquet_cut_anywhere_is_refused(cut: int) -> None:
    """Its footer is at the end: no beginning of it is a file."""
    with pytest.raises(Malformed, match=r"x\.csv"):
        parse_measurement(PARQUET[:cut], "x.csv")


@given(st.lists(st.tuples(*[st.floats(-1e8, 1e8)] * 3), min_size=1, max_size=20))
def test_every_number_that_python_writes_is_read_back_exactly(rows: list[tuple[float, float, float]]) -> None:
    """No rounding on the way in, whatever the spelling of the exponent."""
    rows = sorted(rows)
    text = "\n".join([BDF_HEADER, *(f"{t!r},{v!r},{i!r}" for t, v, i in rows)]) + "\n"
    measurement = parse_measurement(text.encode(), "x.csv")

    assert [t for t, _, _ in rows] == measurement.t_s.tolist()
    assert [v for _, v, _ in rows] == measurement.voltage_v.tolist()
    assert [i for _, _, i in rows] == measurement.current_a.tolist()


@given(data=st.data())
def test_time_that_steps_back_anywhere_names_that_row(data: st.DataObject) -> None:
    """Two rows of different time exchanged: the second of them is the first that steps back."""
    lines = BDF.decode().splitlines()
    later = data.draw(st.integers(2, len(lines) - 1))
    lines[later - 1], lines[later] = lines[later], lines[later - 1]

    with pytest.raises(Malformed, match=rf"x\.csv, row {later + 1}, field 'Test Time / s': time steps backwards"):
        parse_measurement(("\n".join(lines) + "\n").encode(), "x.csv")


def test_control_an_importer_that_lets_rubbish_in_is_noticed() -> None:
    """The soundness check refuses a measurement whose time was tampered with."""
    measurement = parse_measurement(BDF, "x.csv")
    measurement.t_s.flags.writeable = True
    measurement.t_s[0] = 1e6
    noticed = False
    with suppress(AssertionError):
        check_sound(measurement)
        noticed = True

    assert not noticed
