"""The reference measurement of a real vehicle cell gives the published figures."""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellvow.evidence import (
    RATED_MAH,
    Archive,
    Evaluation,
    evaluate_measurement,
    find_measurement,
    open_reference_measurement,
    prove_row,
    verify_row,
    write_archive,
)

if TYPE_CHECKING:
    from cellvow.evidence import Result

pytestmark = [pytest.mark.measurement, pytest.mark.slow]

CACHE = Path(__file__).resolve().parent.parent.parent / ".cache" / "measurement"
NOMINAL_MV = 3_800
"""As data sheets of such cells give it; the publishers give none."""
TOLERANCE_AH, TOLERANCE_MOHM = 0.01, 0.05


def distribution() -> Path:
    """The fetched distribution: CELLVOW_MEASUREMENT (file or folder), else the cache that the demo fills."""
    found = find_measurement(Path(os.environ.get("CELLVOW_MEASUREMENT") or CACHE))
    if found is None:
        pytest.fail("the reference measurement was not fetched: run the demo once, or set CELLVOW_MEASUREMENT")
    return found


@cache
def leaf(name: str) -> Evaluation:
    """What one of the six files tells."""
    measurement = open_reference_measurement(distribution(), f"cell-{name}.csv")
    return evaluate_measurement(measurement, rated_mah=RATED_MAH, nominal_mv=NOMINAL_MV)


def one(evaluation: Evaluation, quantity: str) -> Result:
    """The first result of a quantity."""
    return next(result for result in evaluation.results if result.quantity == quantity)


@pytest.mark.parametrize(
    ("name", "rows", "count", "first_ah", "last_ah"),
    [
        ("discharge-bitrode-1c", 2287, 4, 30.335, 30.297),
        ("discharge-bitrode-2c", 2507, 5, 29.959, 29.898),
        ("discharge-bitrode-3c", 2684, 5, 28.620, 28.403),
    ],
)
def test_full_discharges_have_the_published_capacities(
    name: str, rows: int, count: int, first_ah: float, last_ah: float
) -> None:
    """Number, first and last capacity of each rate, within 0.01 Ah."""
    evaluation = leaf(name)
    full = evaluation.full_discharges()

    assert (rows, count) == (len(evaluation.measurement), len(full))
    assert first_ah == pytest.approx(full[0].capacity_ah, abs=TOLERANCE_AH)
    assert last_ah == pytest.approx(full[-1].capacity_ah, abs=TOLERANCE_AH)


@pytest.mark.parametrize(
    ("name", "first", "sixth", "last"),
    [
        ("low-current-hppc-10c", 3.93, 3.20, 3.90),
        ("low-current-hppc-25c", 2.60, 2.03, 2.53),
        ("low-current-hppc-40c", 2.23, 1.93, 2.40),
    ],
)
def test_pulses_have_the_published_resistances(name: str, first: float, sixth: float, last: float) -> None:
    """First, sixth and last of the ten discharge pulses at 30 A, within 0.05 milliohm."""
    pulses = [p for p in leaf(name).pulses if not p.is_charge and round(p.current_a) == 30]
    found = [1000 * pulse.resistance_ohm for pulse in pulses]

    assert 10 == len(found)
    assert [first, sixth, last] == pytest.approx([found[0], found[5], found[9]], abs=TOLERANCE_MOHM)


def test_the_1c_file_gives_capacity_energy_resistance_and_health() -> None:
    """With intervals, and with the sentence that this is no certified state of health."""
    evaluation = leaf("discharge-bitrode-1c")
    health = one(evaluation, "state_of_health")

    assert "full cell" == evaluation.kind.kind
    assert 30_321 == one(evaluation, "capacity").interval.value
    assert 916 == health.interval.value
    assert 999 == one(evaluation, "state_of_health_first").interval.value
    assert evaluation.health_spread() is not None
    assert "not a certified state of health" in health.caveats[0]
    assert () == evaluation.undetermined


def test_the_cycler_s_own_counter_agrees() -> None:
    """Its Ah column confirms every full discharge within half a percent."""
    for rate in "123":
        for discharge in leaf(f"discharge-bitrode-{rate}c").full_discharges():
            assert discharge.counted is not None
            assert discharge.counted.disagreement < 0.005


def test_the_first_discharge_without_a_charge_is_admitted_by_likeness() -> None:
    """Two files open with a discharge: it starts like those that follow a full charge, which is said."""
    for rate in "23":
        evaluation = leaf(f"discharge-bitrode-{rate}c")
        assert any("starts like its later" in caveat for caveat in one(evaluation, "capacity").caveats)
    assert not any("starts like" in caveat for caveat in one(leaf("discharge-bitrode-1c"), "capacity").caveats)


def test_a_pulse_test_has_no_capacity_and_says_why() -> None:
    """Its sweep to 3.000 V is broken by rests: no full discharge in one piece."""
    evaluation = leaf("low-current-hppc-25c")
    reasons = {missing.quantity: missing.reason for missing in evaluation.undetermined}
    resistance = one(evaluation, "resistance_10s")

    assert "no full discharge in one piece" in reasons["capacity"]
    assert resistance.interval.low <= 2033 <= resistance.interval.high
    assert (25_000, "declared, not recorded") == (
        resistance.conditions.temperature_mc,
        resistance.conditions.temperature_basis,
    )


def test_the_file_without_headings_is_read_and_says_so() -> None:
    """One of the six lacks the line."""
    assert "no line of headings" in leaf("low-current-hppc-10c").measurement.source.remarks[0]


def test_colder_means_more_resistance() -> None:
    """10, 25 and 40 degrees in order, intervals apart."""
    cold, mild, warm = (one(leaf(f"low-current-hppc-{t}c"), "resistance_10s").interval for t in (10, 25, 40))

    assert warm.high < mild.low
    assert mild.high < cold.low


def test_a_row_of_the_real_file_can_be_proven(tmp_path: Path) -> None:
    """The row at which the first full discharge ends, out of 2,287."""
    evaluation = leaf("discharge-bitrode-1c")
    archive: Archive = write_archive(evaluation.measurement, tmp_path / "leaf.parquet", bytes(range(32)))
    index = evaluation.full_discharges()[0].run.last
    values = verify_row(prove_row(archive.path, bytes(range(32)), index), archive.root, archive.size)

    assert (3_000_000, -30_600_000) == (values["voltage_uv"], values["current_ua"])
