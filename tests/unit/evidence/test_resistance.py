"""Resistance from current steps: the right voltages at the right time, or a reason why not."""

from __future__ import annotations

import pytest

from cellvow.evidence import Evaluation, evaluate_measurement
from tests.unit.evidence.sheets import Sheet, full_test


def pulses(count: int = 1, *, rest_s: float = 600, every_s: float = 1.0, pulse_s: float = 30) -> Sheet:
    """Steps of 30 A from 4.000 V: 3.940 V after ten seconds, which is 2 milliohm."""
    sheet = Sheet()
    for _ in range(count):
        sheet.add("REST", 0.0, (4.0, 4.0), rest_s)
        sheet.add("DCHG", -30.0, (3.95, 3.95 - 0.001 * pulse_s), pulse_s, every_s)
    return sheet


def told(sheet: Sheet) -> Evaluation:
    """What the sheet's measurement tells."""
    return evaluate_measurement(sheet.measurement())


def reason(evaluation: Evaluation) -> str:
    """Why there is no resistance."""
    return next(one.reason for one in evaluation.undetermined if one.quantity == "resistance_10s")


def test_resistance_is_the_voltage_change_after_ten_seconds_over_the_step() -> None:
    """(4.000 - 3.940) V / 30 A = 2 milliohm."""
    pulse = told(pulses()).pulses[0]

    assert 0.002 == pytest.approx(pulse.resistance_ohm)
    assert 3.94 == pytest.approx(pulse.voltage_v)
    assert (4.0, 30.0, False) == (pulse.rest_voltage_v, pulse.current_a, pulse.is_charge)


def test_the_result_holds_the_value_and_its_sources() -> None:
    """Three pulses agree: 2000 microohm, sources named, the state of charge said to be unknown."""
    result = next(one for one in told(pulses(3)).results if one.quantity == "resistance_10s")

    assert 2000 == result.interval.value
    assert result.interval.low < 2000 < result.interval.high
    assert {
        "voltage gain",
        "voltage resolution",
        "current gain",
        "current resolution",
        "sampling",
        "relaxation",
        "repeatability",
        "rounding",
    } == {one.name for one in result.uncertainty}
    assert any("state of charge is not known; rest voltages 4.000 V" in caveat for caveat in result.caveats)


def test_between_two_samples_the_voltage_is_interpolated() -> None:
    """Samples at 8 and 12 s: the straight line between them gives the voltage at 10 s."""
    assert 0.002 == pytest.approx(told(pulses(every_s=4.0, pulse_s=32)).pulses[0].resistance_ohm)


def test_a_drifting_rest_widens_the_interval() -> None:
    """A rest that still relaxes by 1 mV in 10 s may shift the answer by 1 mV / 30 A."""
    sheet = Sheet().add("REST", 0.0, (4.06, 4.0), 600).add("DCHG", -30.0, (3.95, 3.92), 30, 1.0)

    assert 0.001 / 30 == pytest.approx(told(sheet).pulses[0].relaxation_ohm)


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        (Sheet().add("REST", 0.0, (4.0, 4.0), 600), "no step of the current from rest"),
        (pulses(pulse_s=8), "1 current step(s) from rest, but none after 30 s of rest that keeps its current for 10 s"),
        (pulses(rest_s=20), "none after 30 s of rest"),
        (pulses(every_s=15.0), "is sampled there"),
        (
            Sheet().add("REST", 0.0, (4.0, 4.0), 60).ramp("DCHG", (-30.0, -20.0), (3.9, 3.9), 30, 1.0),
            "that keeps its current",
        ),
        (
            Sheet().add("REST", 0.0, (4.0, 4.0), 60).add("DCHG", -30.0, (3.999, 3.999), 30, 1.0),
            "none stands clear of the cycler's resolution",
        ),
    ],
)
def test_a_step_that_tells_nothing_says_why(sheet: Sheet, said: str) -> None:
    """Too short, from too short a rest, sampled too rarely, not constant, or lost in the resolution."""
    assert said in reason(told(sheet))


def test_the_middle_of_the_charge_is_preferred() -> None:
    """Of pulses at every state of charge those between 30 and 70 % enter, and the conditions say so."""
    sheet = Sheet().charge()
    for number in range(10):
        top_v = 4.1 - 0.1 * number
        sheet.add("REST", 0.0, (top_v, top_v), 600)
        sheet.add("DCHG", -30.0, (top_v - 0.05, top_v - 0.08), 30, 1.0)
        sheet.add("DCHG", -10.0, (top_v - 0.03, 3.0 if number == 9 else top_v - 0.1), 300)
    evaluation = told(sheet)
    result = next(one for one in evaluation.results if one.quantity == "resistance_10s")

    assert 10 == len(evaluation.pulses)
    assert 1000 == round(1000 * (evaluation.pulses[0].state_of_charge or 0))
    assert result.conditions.soc_high_permille is not None
    assert result.conditions.soc_low_permille is not None
    assert 300 <= result.conditions.soc_low_permille < result.conditions.soc_high_permille <= 700
    assert 4 == result.conditions.averaged_over


def test_full_discharges_yield_the_resistance_at_their_start() -> None:
    """The step into a full discharge is a step from rest at 100 %."""
    result = next(one for one in told(full_test(2)).results if one.quantity == "resistance_10s")

    assert 1000 == result.conditions.soc_low_permille
    assert any("high states of charge" in caveat for caveat in result.caveats)
