"""Bitrode CSV is read as the cycler meant it, and refused by row and field where it is not sound."""

from __future__ import annotations

import numpy as np
import pytest

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence import parse_measurement
from cellvow.evidence.measurement import CHARGE, DISCHARGE, REST
from tests.unit.evidence.sheets import BITRODE_HEADER, Sheet, full_test


def two_steps() -> Sheet:
    """A minute of rest and a minute of discharge."""
    return Sheet().add("REST", 0.0, (4.2, 4.2), 60).add("DCHG", -10.0, (4.1, 4.0), 60)


def edited(row: int, column: int, text: str) -> bytes:
    """The two steps with one field replaced; rows counted from 1 with the header as row 1."""
    lines = two_steps().bitrode().decode().splitlines()
    fields = lines[row - 1].split(",")
    fields[column] = text
    lines[row - 1] = ",".join(fields)
    return ("\n".join(lines) + "\n").encode()


def test_every_channel_arrives_in_our_units() -> None:
    """Times, currents, voltages, steps, phases and the counter are those of the rows."""
    sheet = two_steps()
    measurement = sheet.measurement()

    assert "Bitrode CSV" == measurement.source.format
    assert [row.t_s for row in sheet.rows] == measurement.t_s.tolist()
    assert [row.current_a for row in sheet.rows] == measurement.current_a.tolist()
    assert [row.voltage_v for row in sheet.rows] == measurement.voltage_v.tolist()
    assert measurement.step is not None
    assert [1] * 6 + [2] * 6 == measurement.step.tolist()
    assert measurement.phase is not None
    assert [REST] * 6 + [DISCHARGE] * 6 == measurement.phase.tolist()
    assert measurement.counted_ah is not None
    assert np.isnan(measurement.counted_ah[:6]).all()
    assert measurement.counted_ah[-1] == pytest.approx(10 * 60 / 3600, abs=1e-5)
    assert list(range(2, 14)) == measurement.row.tolist()


def test_a_file_without_headings_is_read_in_the_usual_order_and_says_so() -> None:
    """Some exports lack the first line; the rows then start at 1 and a remark tells it."""
    measurement = parse_measurement(two_steps().bitrode(header=False), "bare.csv")

    assert two_steps().measurement().voltage_v.tolist() == measurement.voltage_v.tolist()
    assert 1 == measurement.row[0]
    assert "no line of headings" in measurement.source.remarks[0]


def test_units_of_the_headings_are_converted() -> None:
    """Millivolts, milliamperes and minutes arrive as V, A and s."""
    header = BITRODE_HEADER.replace("Current(A)", "Current(mA)").replace("Voltage(V)", "Voltage(mV)")
    content = two_steps().bitrode().replace(BITRODE_HEADER.encode(), header.encode())
    measurement = parse_measurement(content, "milli.csv")

    assert two_steps().measurement().current_a == pytest.approx(measurement.current_a * 1000)
    assert two_steps().measurement().voltage_v == pytest.approx(measurement.voltage_v * 1000)


@pytest.mark.parametrize("unit", ["kA", "", "V"])
def test_an_unknown_or_wrong_unit_names_the_column(unit: str) -> None:
    """A current in a unit that is none is refused, not guessed."""
    header = BITRODE_HEADER.replace("Current(A)", f"Current({unit})")

    with pytest.raises(Malformed, match=r"column 'Current\(.*mA"):
        parse_measurement(two_steps().bitrode().replace(BITRODE_HEADER.encode(), header.encode()), "x.csv")


@pytest.mark.parametrize(
    ("row", "column", "text", "said"),
    [
        (4, 1, "30s", r"row 4, field 'Time\(s\)': '30s' is not a number"),
        (5, 8, "", r"row 5, field 'Current\(A\)': the field is empty"),
        (6, 9, "nan", r"row 6, field 'Voltage\(V\)': 'nan' is not a number"),
        (6, 9, "inf", r"row 6, field 'Voltage\(V\)': 'inf' is not a number"),
        (6, 9, "4_2", r"row 6, field 'Voltage\(V\)': '4_2' is not a number"),
        (6, 9, "\u0664.2", r"row 6, field 'Voltage\(V\)'"),
        (6, 9, "1e300", r"row 6, field 'Voltage\(V\)': 1e\+300 is no measured value"),
        (7, 1, "1.0", r"row 7, field 'Time\(s\)': time steps backwards from 50 s to 1 s"),
        (9, 8, "10.0", r"row 9, field 'Current\(A\)': the step is a discharge, the current is 10 A"),
        (3, 0, "Perhaps", r"row 3, field 'Exclude': 'Perhaps' is neither Yes nor No"),
        (8, 15, ",", r"row 8: 17 field\(s\) where the file has 16 columns"),
    ],
)
def test_a_bad_field_names_its_row_and_column(row: int, column: int, text: str, said: str) -> None:
    """Whatever is wrong with one field, the message says where it is and what to do."""
    with pytest.raises(Malformed, match=f"sheet.csv, {said}.*; ."):
        parse_measurement(edited(row, column, text), "sheet.csv")


def test_rows_that_the_cycler_excluded_are_left_out_and_counted() -> None:
    """An excluded row enters nothing, keeps the other rows' numbers, and is remarked."""
    measurement = parse_measurement(edited(4, 0, "Yes"), "x.csv")

    assert 11 == len(measurement)
    assert 4 not in measurement.row.tolist()
    assert "1 row(s) marked 'Exclude'" in measurement.source.remarks[0]


def test_an_unknown_mode_falls_back_to_the_sign_and_says_so() -> None:
    """A mode we do not know is no reason to refuse a file, but the reader is told."""
    measurement = parse_measurement(edited(10, 13, "PLSE"), "x.csv")

    assert measurement.phase is not None
    assert DISCHARGE == measurement.phase[8]
    assert "mode 'PLSE' is unknown" in measurement.source.remarks[0]


def test_a_charge_is_a_charge() -> None:
    """The charging steps of a whole test carry the phase of a charge."""
    measurement = full_test(1).measurement()

    assert measurement.phase is not None
    assert (measurement.phase[measurement.current_a > 0] == CHARGE).all()


def test_an_excluded_file_has_no_row_of_data() -> None:
    """A file whose every row is excluded is refused like an empty one."""
    content = two_steps().bitrode().replace(b"\nNo,", b"\nYes,")

    with pytest.raises(Malformed, match="no row of data"):
        parse_measurement(content, "x.csv")


def test_a_column_given_twice_is_refused() -> None:
    """Two columns for one quantity leave open which is meant."""
    header = BITRODE_HEADER.replace("Power(W)", "Voltage(V)")

    with pytest.raises(Malformed, match=r"columns 'Voltage\(V\)' and 'Voltage\(V\)' hold the same"):
        parse_measurement(two_steps().bitrode().replace(BITRODE_HEADER.encode(), header.encode()), "x.csv")
