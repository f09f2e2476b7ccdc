"""Real files in Battery Data Format: what they tell, and what is wrong with them."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence import Evaluation, evaluate_measurement, import_measurement, parse_measurement

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.data, pytest.mark.slow]


@pytest.fixture(scope="module")
def folder(third_party_data: Path) -> Path:
    """The published reference files."""
    return third_party_data / "analytics" / "bdf_reference"


def evaluated(folder: Path, pattern: str, **limits: float) -> Evaluation:
    """What the one file of that name tells."""
    (path,) = folder.rglob(pattern)
    return evaluate_measurement(import_measurement(path), v_min=limits.get("v_min"), v_max=limits.get("v_max"))


def reasons(evaluation: Evaluation) -> dict[str, str]:
    """Quantity -> why it is not determined."""
    return {one.quantity: one.reason for one in evaluation.undetermined}


def test_the_file_whose_time_steps_back_is_refused_by_row(folder: Path) -> None:
    """Nineteen steps of the Melasta rate test begin with time 0: the first is row 724."""
    with pytest.raises(Malformed, match=r"Time_Bug\.bdf\.csv, row 724, field 'test_time_second': time steps backwards"):
        evaluated(folder, "SINTEF__SLPBA842124HV*")


def test_a_full_cell_at_c_30_has_a_capacity(folder: Path) -> None:
    """3.855 Ah by the integral; the cycler's own counter lost 0.14 Ah at row 9105, which is said."""
    evaluation = evaluated(folder, "SINTEF__G20M7*")
    capacity = evaluation.results[0]

    assert "full cell" == evaluation.kind.title()
    assert "capacity" == capacity.quantity
    assert 3855 == capacity.interval.value
    assert any("counter steps back at row 9105" in caveat for caveat in capacity.caveats)
    assert any("6.283185307179586 is not a whole number" in one for one in evaluation.measurement.source.remarks)


@pytest.mark.parametrize(("pattern", "years"), [("DLR__LiGr*", "42.3"), ("DLR__LiLNMO*", "16.8")])
def test_half_cells_with_hours_for_seconds_determine_nothing(folder: Path, pattern: str, years: str) -> None:
    """Their time column spans decades: they are half cells, and no quantity is computed from such a clock."""
    evaluation = evaluated(folder, pattern)

    assert "half cell, coin-sized" == evaluation.kind.title()
    assert () == evaluation.results
    assert {f"the test claims to last {years} years: its time column is in some other unit"} == set(
        reasons(evaluation).values()
    )


def test_a_graphite_coin_half_cell_is_called_one(folder: Path) -> None:
    """No full discharge without limits, no resistance below the cycler's resolution, no health at all."""
    evaluation = evaluated(folder, "SINTEF__LiGrR2032*")
    told = reasons(evaluation)

    assert "half cell, coin-sized" == evaluation.kind.title()
    assert () == evaluation.results
    assert "give v_min and v_max" in told["capacity"]
    assert "none stands clear of the cycler's resolution" in told["resistance_10s"]
    assert "a half cell has none" in told["state_of_health"]
    assert any("sensor not connected" in remark for remark in evaluation.measurement.source.remarks)


def test_milliseconds_in_parquet_are_understood(folder: Path) -> None:
    """An older file of a coin cell: 5,000 rows over 41 hours, 1.735 mAh."""
    evaluation = evaluated(folder, "legacy.bdf.parquet")

    assert (5000, "BDF Parquet") == (len(evaluation.measurement), evaluation.measurement.source.format)
    assert 41.33 == pytest.approx(evaluation.measurement.duration_s / 3600, abs=0.01)
    assert "unknown, coin-sized" == evaluation.kind.title()
    assert 0.001735 == pytest.approx(evaluation.full_discharges()[0].capacity_ah, abs=1e-6)


def test_three_rows_are_a_file_and_determine_nothing(folder: Path) -> None:
    """The shortest sample lacks its last line end, which is remarked."""
    evaluation = evaluated(folder, "sample.bdf.csv")

    assert 3 == len(evaluation.measurement)
    assert () == evaluation.results
    assert ("the last line has no line end: it may be cut off",) == evaluation.measurement.source.remarks


def test_the_file_whose_time_steps_back_is_repaired_on_request(folder: Path) -> None:
    """Nineteen rows are left out, five rates remain, and every result is an estimate that says so."""
    (path,) = folder.rglob("SINTEF__SLPBA842124HV*")
    evaluation = evaluate_measurement(import_measurement(path, repair_time=True), rated_mah=6_550)
    full = [round(discharge.capacity_ah, 3) for discharge in evaluation.full_discharges()]

    assert (13_086 - 19, "estimated") == (len(evaluation.measurement), evaluation.measurement.source.evidence_class)
    assert [7.280, 7.254, 7.238, 7.211, 7.193] == full
    assert {"estimated"} == {result.evidence_class for result in evaluation.results}
    assert all("time was repaired at 19 row(s)" in result.caveats[0] for result in evaluation.results)


def test_a_neware_archive_of_one_rest_is_read(folder: Path) -> None:
    """Version 14: 67 rows over 655 s at 3.3 mV, and the times between its records are said to be filled in."""
    (path,) = folder.rglob("filetype14-0.ndax")
    measurement = import_measurement(path)

    assert (67, "Neware .ndax") == (len(measurement), measurement.source.format)
    assert (655.4, 0.003346) == pytest.approx((measurement.duration_s, measurement.voltage_v[0]), rel=1e-4)
    assert any("filled in by their sampling interval" in remark for remark in measurement.source.remarks)


def test_an_arbin_database_of_eight_rows_is_read(folder: Path) -> None:
    """A later version of the cycler's software, with columns we do not know."""
    (path,) = folder.rglob("mits7-0.res.gz")
    measurement = parse_measurement(gzip.decompress(path.read_bytes()), "mits7-0.res")

    assert (8, "Arbin .res") == (len(measurement), measurement.source.format)
    assert (20.0004, 0.1302652) == pytest.approx((measurement.t_s[0], measurement.voltage_v[0]))


@pytest.mark.parametrize("pattern", ["*.mpr", "*.res.gz"])
def test_formats_that_are_not_read_are_refused_by_name(folder: Path, pattern: str) -> None:
    """Another maker's binary format, and a compressed file: refused with what is accepted or what to do."""
    for path in folder.rglob(pattern):
        with pytest.raises(Malformed, match=r"accepted are|export it as CSV|decompress it first"):
            import_measurement(path)
