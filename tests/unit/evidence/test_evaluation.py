"""Results with intervals that cover the truth, and reasons where there is no result."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from cellvow.core.primitives.encoding import encode_document
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.quantity import UNITS
from cellvow.evidence import (
    ASSUMED_ACCURACY,
    Evaluation,
    Measurement,
    Result,
    SensorAccuracy,
    SimulatedCell,
    evaluate_measurement,
    parse_measurement,
    simulate_measurement,
)
from cellvow.evidence.health_results import NOT_CERTIFIED
from tests.unit.evidence.sheets import Sheet, full_test


def one(evaluation: Evaluation, quantity: str) -> Result:
    """The first result of a quantity."""
    return next(result for result in evaluation.results if result.quantity == quantity)


def reasons(evaluation: Evaluation) -> dict[str, str]:
    """Quantity -> why it is not determined."""
    return {missing.quantity: missing.reason for missing in evaluation.undetermined}


def test_a_full_test_tells_everything() -> None:
    """Capacity, energy, resistance, efficiency and health, each in its unit with an interval around it."""
    evaluation = evaluate_measurement(full_test(3).measurement(), rated_mah=11_000, nominal_mv=3_700)

    assert [
        *("capacity", "energy", "resistance_10s", "coulombic_efficiency"),
        *("state_of_health", "state_of_health_energy", "state_of_health_first"),
    ] == [r.quantity for r in evaluation.results]
    assert (10_000, 909) == (
        one(evaluation, "capacity").interval.value,
        one(evaluation, "state_of_health").interval.value,
    )
    assert [UNITS[r.quantity] for r in evaluation.results] == [r.unit for r in evaluation.results]
    for result in evaluation.results:
        assert result.interval.low < result.interval.value < result.interval.high
        assert 950 == result.interval.coverage_permille
        assert "measured" == result.evidence_class
    assert () == evaluation.undetermined


def test_the_interval_names_its_sources() -> None:
    """Sensor, cut-off, clock, sampling, repeatability and rounding, each with where it comes from."""
    result = one(evaluate_measurement(full_test(3).measurement()), "capacity")

    assert [
        "current gain",
        "current offset",
        "current resolution",
        "cut-off voltage",
        "time base",
        "sampling",
        "repeatability",
        "rounding",
    ] == [part.name for part in result.uncertainty]
    assert all(part.basis for part in result.uncertainty)
    assert f"accuracy of the cycler: {ASSUMED_ACCURACY.basis}" in result.caveats


def test_a_stated_accuracy_replaces_the_assumed_one() -> None:
    """A laboratory's calibration narrows the interval, and the result says whose figures they are."""
    exact = SensorAccuracy(100, 50, 100, 100, 10, "calibration certificate 12 of 3 March")
    assumed = one(evaluate_measurement(full_test(3).measurement()), "capacity").interval
    result = one(evaluate_measurement(full_test(3).measurement(), accuracy=exact), "capacity")

    assert result.interval.high - result.interval.low < assumed.high - assumed.low
    assert "accuracy of the cycler: calibration certificate 12 of 3 March" in result.caveats


def test_an_accuracy_below_zero_or_without_basis_is_refused() -> None:
    """Limits of error have no sign, and somebody answers for them."""
    for wrong in (replace(ASSUMED_ACCURACY, time_ppm=-1), replace(ASSUMED_ACCURACY, basis="")):
        with pytest.raises(Malformed, match="an accuracy needs limits of zero or more"):
            evaluate_measurement(full_test(1).measurement(), accuracy=wrong)


def test_rates_are_kept_apart() -> None:
    """Discharges at 10 and at 20 A give a capacity each, the lower rate first, and health is of that."""
    sheet = full_test(2)
    sheet.discharge(20.0, seconds=1800).charge().discharge(20.0, seconds=1620)
    evaluation = evaluate_measurement(sheet.measurement(), rated_mah=10_000)
    capacities = [r for r in evaluation.results if r.quantity == "capacity"]

    assert [(10_000, 10_000_000), (9500, 20_000_000)] == [
        (r.interval.value, r.conditions.current_ua) for r in capacities
    ]
    assert 1000 == one(evaluation, "state_of_health").interval.value


def test_the_latest_five_discharges_enter() -> None:
    """An old cell is not described by its youth: earlier discharges are counted, not averaged."""
    sheet = Sheet().charge()
    for seconds in (3600, 3600, 1800, 1800, 1800, 1800, 1800):
        sheet.discharge(seconds=seconds).charge()
    result = one(evaluate_measurement(sheet.measurement()), "capacity")

    assert 5000 == result.interval.value
    assert 5 == result.conditions.averaged_over
    assert "the latest 5 of 7 full discharges at this rate" in result.caveats


def test_one_discharge_says_that_it_does_not_repeat() -> None:
    """No repeatability is claimed from a single value."""
    result = one(evaluate_measurement(full_test(1).measurement()), "capacity")

    assert "repeatability" not in [part.name for part in result.uncertainty]
    assert "one full discharge only: how well it repeats is not known" in result.caveats


def test_health_is_never_called_certified() -> None:
    """Capacity at one rate against a rating at another is said to be just that, and an odd rating is doubted."""
    health = one(evaluate_measurement(full_test(1).measurement(), rated_mah=10_500), "state_of_health")
    odd = one(evaluate_measurement(full_test(1).measurement(), rated_mah=105_000), "state_of_health")

    assert NOT_CERTIFIED == health.caveats[0]
    assert "the rated capacity, 105000 mAh, hardly belongs to this cell: check it" in odd.caveats


@pytest.mark.parametrize("rated", [0, -1])
def test_a_rating_of_nothing_is_refused(rated: int) -> None:
    """A rated capacity is above zero."""
    with pytest.raises(Malformed, match=f"a rated capacity of {rated} mAh"):
        evaluate_measurement(full_test(1).measurement(), rated_mah=rated)


def test_the_conditions_are_those_of_the_rows() -> None:
    """Rows, current, rate, window and temperature stand beside the value."""
    content = full_test(2).bitrode()
    measurement = parse_measurement(content, "x.csv", declared=(("temperature_degc", "25"),))
    conditions = one(evaluate_measurement(measurement, rated_mah=12_500), "capacity").conditions

    assert (10_000_000, 800, "rated capacity") == (
        conditions.current_ua,
        conditions.c_rate_permille,
        conditions.c_rate_basis,
    )
    assert (4200, 3000, 1000, 0) == (
        conditions.v_max_mv,
        conditions.v_min_mv,
        conditions.soc_high_permille,
        conditions.soc_low_permille,
    )
    assert (25_000, "declared, not recorded") == (conditions.temperature_mc, conditions.temperature_basis)


def test_a_result_is_a_signable_document() -> None:
    """Integers and text only: the canonical encoding takes it."""
    for result in evaluate_measurement(simulate_measurement(), rated_mah=30_000).results:
        assert encode_document(result.document())


@pytest.mark.parametrize(
    ("sheet", "quantity", "said"),
    [
        (Sheet().add("REST", 0.0, (3.7, 3.7), 60), "capacity", "no discharge in the file"),
        (Sheet().charge().discharge(end_v=3.412), "energy", "the lowest voltage under discharge, 3.412 V, is above"),
        (Sheet().charge().discharge(end_v=3.5).discharge(), "capacity", "no full discharge in one piece: of 2 disch"),
        (full_test(1), "state_of_health", "it needs the rated capacity"),
        (Sheet().add("REST", 0.0, (3.7, 3.7), 60), "state_of_health", "it needs a capacity, and there is none"),
    ],
)
def test_what_is_not_determined_says_why(sheet: Sheet, quantity: str, said: str) -> None:
    """The reason names voltages and rows, in words."""
    assert said in reasons(evaluate_measurement(sheet.measurement()))[quantity]


def test_a_test_of_forty_years_determines_nothing() -> None:
    """A published file has its hours taken for seconds twice: capacities from it would be nonsense."""
    content = full_test(12).bdf("Test Time / h,Voltage / V,Current / A")
    evaluation = evaluate_measurement(parse_measurement(content, "x.csv"), rated_mah=1)

    assert () == evaluation.results
    assert 4 == len(evaluation.undetermined)


def test_control_the_same_rows_in_seconds_determine_something() -> None:
    """Only the unit of time made the difference."""
    evaluation = evaluate_measurement(parse_measurement(full_test(12).bdf(), "x.csv"))

    assert "capacity" in {result.quantity for result in evaluation.results}


def test_the_curve_runs_from_full_to_empty_in_few_points() -> None:
    """At most 200 points, charge growing, ending at the capacity and the cut-off."""
    evaluation = evaluate_measurement(full_test(2).measurement())
    curve = evaluation.discharge_curve()

    assert 100 < len(curve) <= 200
    assert sorted(curve) == list(curve)
    assert 10.0 == pytest.approx(curve[-1][0])
    assert 3.0 == curve[-1][1]
    assert () == evaluate_measurement(Sheet().add("REST", 0.0, (3.7, 3.7), 60).measurement()).discharge_curve()


def test_simulated_evidence_is_called_simulated() -> None:
    """The class of the source is the class of every result."""
    evaluation = evaluate_measurement(simulate_measurement(seed=3), rated_mah=30_000)

    assert {"simulated"} == {result.evidence_class for result in evaluation.results}


def biased(seed: int) -> Measurement:
    """One simulated test as a cycler inside the assumed limits of error would have recorded it."""
    random = np.random.default_rng(seed)
    gain, offset_a = random.uniform(-1e-3, 1e-3), 30 * random.uniform(-5e-4, 5e-4)
    volt_gain, offset_v = random.uniform(-5e-4, 5e-4), random.uniform(-1e-3, 1e-3)
    # The cycler stops where its own reading reaches 3.0 V.
    cell = SimulatedCell(v_min_v=(3.0 - offset_v) / (1 + volt_gain))
    true = simulate_measurement(seed=seed, cell=cell, discharges=3, pulses=0)
    return Measurement(
        source=true.source,
        t_s=true.t_s * (1 + random.uniform(-1e-4, 1e-4)),
        current_a=true.current_a * (1 + gain) + np.where(true.current_a != 0, offset_a, 0.0),
        voltage_v=true.voltage_v * (1 + volt_gain) + offset_v,
        row=true.row,
        step=true.step,
        phase=true.phase,
        step_time_s=true.step_time_s,
        current_step_a=true.current_step_a,
        voltage_step_v=true.voltage_step_v,
    )


def coverage(accuracy: SensorAccuracy) -> float:
    """Share of biased cyclers whose interval holds the capacity that a perfect one would find."""
    truth = evaluate_measurement(simulate_measurement(pulses=0)).full_discharges()[0].capacity_ah * 1000
    intervals = [one(evaluate_measurement(biased(seed), accuracy=accuracy), "capacity").interval for seed in range(40)]
    return sum(found.low <= truth <= found.high for found in intervals) / len(intervals)


@pytest.mark.slow
def test_the_interval_covers_the_truth_as_often_as_it_claims() -> None:
    """Of 40 cyclers somewhere inside the assumed limits at least 95 % have the true capacity in their interval."""
    assert coverage(ASSUMED_ACCURACY) >= 0.95


@pytest.mark.slow
def test_control_an_interval_that_believes_its_sensors_covers_less() -> None:
    """With a cycler taken for perfect the same intervals miss the truth most of the time."""
    assert coverage(SensorAccuracy(0, 0, 0, 0, 0, "taken for perfect")) < 0.5
