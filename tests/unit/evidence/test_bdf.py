"""Battery Data Format, as CSV and as Parquet: names and units are understood or refused by column."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence import parse_measurement
from tests.unit.evidence.sheets import BDF_HEADER, full_test

SHORT = f"{BDF_HEADER}\n0,3.7,0.1\n1,3.6,0.1\n2,3.5,-0.1\n"


def parquet(**columns: object) -> bytes:
    """A Parquet file with the given columns."""
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def parquet_short(**more: object) -> bytes:
    """Three sound rows, with columns added or replaced."""
    sound: dict[str, object] = {
        "test_time_millisecond": [0, 1000, 2000],
        "voltage_volt": [3.7, 3.6, 3.5],
        "current_ampere": [0.1, 0.1, -0.1],
    }
    return parquet(**(sound | more))


def test_preferred_labels_are_read() -> None:
    """The three required columns make a measurement, rows counted with the header as row 1."""
    measurement = parse_measurement(SHORT.encode(), "short.bdf.csv")

    assert "BDF CSV" == measurement.source.format
    assert [0.0, 1.0, 2.0] == measurement.t_s.tolist()
    assert [3.7, 3.6, 3.5] == measurement.voltage_v.tolist()
    assert [0.1, 0.1, -0.1] == measurement.current_a.tolist()
    assert [2, 3, 4] == measurement.row.tolist()


def test_machine_readable_names_and_optional_columns_are_read() -> None:
    """Steps, cycles, temperature and the counter come along; an unknown column is passed over."""
    text = (
        "test_time_second,voltage_volt,current_ampere,step_count,step_index,cycle_count,"
        "ambient_temperature_celsius,temperature_t1_celsius,discharging_capacity_ah,current_density_ampere_m2\n"
        "0,3.7,0,1,5,1,25.5,30,0,7\n10,3.6,-1,1,5,1,,30,0.002,7\n20,3.5,-1,2,5,1,25.5,30,0.005,7\n"
    )
    measurement = parse_measurement(text.encode(), "x.csv")

    assert measurement.step is not None
    assert [1, 1, 2] == measurement.step.tolist()
    assert measurement.cycle is not None
    assert measurement.temperature_c is not None
    assert [25.5, 25.5] == measurement.temperature_c[[0, 2]].tolist()
    assert np.isnan(measurement.temperature_c[1])
    assert measurement.counted_ah is not None
    assert 0.005 == measurement.counted_ah[2]


@pytest.mark.parametrize(
    ("header", "factors"),
    [
        ("Test Time / ms,Voltage / mV,Current / mA", (1e-3, 1e-3, 1e-3)),
        ("Test Time / min,Voltage / V,Current / uA", (60, 1, 1e-6)),
        ("Test Time / h,Voltage / V,Current / \N{MICRO SIGN}A", (3600, 1, 1e-6)),
        ("test_time_millisecond,voltage_millivolt,current_milliampere", (1e-3, 1e-3, 1e-3)),
        ("test_time_hour,voltage_volt,current_ampere", (3600, 1, 1)),
    ],
)
def test_units_are_converted(header: str, factors: tuple[float, float, float]) -> None:
    """Whatever unit the heading gives, the measurement holds s, V and A."""
    measurement = parse_measurement(SHORT.replace(BDF_HEADER, header).encode(), "x.csv")

    assert 2 * factors[0] == measurement.t_s[2]
    assert 3.5 * factors[1] == measurement.voltage_v[2]
    assert -0.1 * factors[2] == measurement.current_a[2]


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ("Test Time / s,Voltage / kV,Current / A", "column 'Voltage / kV' is given in 'kV'"),
        ("Test Time / s,Voltage,Current / A", "column 'Voltage' has no unit"),
        ("Test Time / s,Voltage / s,Current / A", "column 'Voltage / s' is given in 's', which is no unit of voltage"),
        ("test_time_second,voltage_furlong,current_ampere", "column 'voltage_furlong' is given in 'furlong'"),
        ("Test Time / s,Voltage / V,Power / W", "there is no column for 'Current / A'"),
        ("Test Time / s,Voltage / V,Voltage / V", "column 'Voltage / V' occurs twice"),
        ("Test Time / s,Voltage / V,voltage_volt", "hold the same quantity"),
        ("Test Time / S,Voltage / V,Current / A", "column 'Test Time / S' is given in 'S'"),
    ],
)
def test_a_heading_that_leaves_something_open_is_refused(header: str, said: str) -> None:
    """Missing, doubled or unit-less columns are named; nothing is guessed."""
    with pytest.raises(Malformed, match=said):
        parse_measurement(SHORT.replace(BDF_HEADER, header).encode(), "x.csv")


def test_a_cycle_that_is_no_whole_number_is_remarked_and_not_used() -> None:
    """A published file counts cycles in multiples of 2 pi: the rest of it is sound."""
    text = f"{BDF_HEADER},cycle_count\n0,3.7,0,6.283185307179586\n1,3.6,0,6.283185307179586\n"
    measurement = parse_measurement(text.encode(), "x.csv")

    assert measurement.cycle is None
    assert "column 'cycle_count' is not used: 6.283185307179586 is not a whole number" in measurement.source.remarks


def test_a_temperature_of_nothing_but_zero_is_remarked_and_not_used() -> None:
    """A sensor that was never connected says 0 in every row."""
    text = f"{BDF_HEADER},Ambient Temperature / degC\n0,3.7,0,0\n1,3.6,0,0\n"
    measurement = parse_measurement(text.encode(), "x.csv")

    assert measurement.temperature_c is None
    assert "like a sensor not connected" in measurement.source.remarks[0]


def test_a_step_index_that_numbers_rows_is_not_taken_for_steps() -> None:
    """By the letter of the format a step index counts the rows within a step."""
    rows = "\n".join(f"{n},3.7,-1,{n}" for n in range(20))
    measurement = parse_measurement(f"{BDF_HEADER},Step Index / 1\n{rows}\n".encode(), "x.csv")

    assert measurement.step is None


def test_kelvin_becomes_celsius() -> None:
    """The one unit with an offset."""
    text = f"{BDF_HEADER},Ambient Temperature / K\n0,3.7,0,298.15\n"
    measurement = parse_measurement(text.encode(), "x.csv")

    assert measurement.temperature_c is not None
    assert measurement.temperature_c[0] == pytest.approx(25.0)


def test_rows_at_the_same_time_are_accepted() -> None:
    """A cycler logs the end of one step and the begin of the next at one instant."""
    text = f"{BDF_HEADER}\n0,3.7,0\n5,3.7,0\n5,3.6,-1\n"

    assert 3 == len(parse_measurement(text.encode(), "x.csv"))


def test_a_name_by_the_convention_declares_cell_and_temperature() -> None:
    """Institution, cell and chamber temperature are shown as declared, not as measured."""
    measurement = parse_measurement(SHORT.encode(), "LAB__CellX__20250101__C30__25degC__Cycler.bdf.csv")

    assert (("institution", "LAB"), ("cell", "CellX"), ("temperature_degc", "25")) == measurement.source.declared


def test_parquet_is_read_like_csv() -> None:
    """The same rows as Parquet give the same measurement, rows counted from 1."""
    measurement = parse_measurement(parquet_short(), "x.parquet")

    assert "BDF Parquet" == measurement.source.format
    assert [0.0, 1.0, 2.0] == measurement.t_s.tolist()
    assert [1, 2, 3] == measurement.row.tolist()
    assert -0.1 == measurement.current_a[2]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"voltage_volt": [3.7, None, 3.5]}, "row 2, field 'voltage_volt': the field is empty"),
        ({"voltage_volt": [3.7, 3.6, float("nan")]}, "row 3, field 'voltage_volt': nan is no measured value"),
        ({"current_ampere": [0.1, float("inf"), 0.1]}, "row 2, field 'current_ampere': inf is no measured value"),
        ({"current_ampere": ["1", "2", "3"]}, "column 'current_ampere' holds string, not numbers"),
        ({"test_time_millisecond": [0, 2000, 1000]}, "row 3, field 'test_time_millisecond': time steps backwards"),
        ({"voltage_volt": [True, False, True]}, "column 'voltage_volt' holds bool, not numbers"),
    ],
)
def test_a_bad_parquet_field_names_its_row_and_column(more: dict[str, object], said: str) -> None:
    """Parquet is held to the same rules as text."""
    with pytest.raises(Malformed, match=said):
        parse_measurement(parquet_short(**more), "x.parquet")


def test_parquet_of_something_else_is_refused() -> None:
    """Columns that are not those of the format are shown."""
    with pytest.raises(Malformed, match="no columns of Battery Data Format among a, b"):
        parse_measurement(parquet(a=[1], b=[2]), "x.parquet")


def test_an_empty_parquet_file_is_refused() -> None:
    """No row is no measurement."""
    empty = pa.array([], pa.float64())

    with pytest.raises(Malformed, match="no row of data"):
        parse_measurement(parquet(test_time_second=empty, voltage_volt=empty, current_ampere=empty), "x.parquet")


def test_csv_and_bitrode_give_the_same_discharges() -> None:
    """One test written in both formats yields the same currents and voltages."""
    sheet = full_test(1)
    measurement = parse_measurement(sheet.bdf(), "x.csv")

    assert sheet.measurement().voltage_v.tolist() == measurement.voltage_v.tolist()
    assert sheet.measurement().current_a.tolist() == measurement.current_a.tolist()
