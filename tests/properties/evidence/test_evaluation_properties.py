"""Results depend on what was measured, and on nothing that comes later or is only written differently."""

from __future__ import annotations

from dataclasses import fields, replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.evidence import Measurement, evaluate_measurement, simulate_measurement
from cellvow.evidence.discharge import Discharge, find_discharges
from cellvow.evidence.runs import charge_ah, split_runs
from tests.unit.evidence.sheets import full_test


@cache
def simulated(*, with_phases: bool) -> Measurement:
    """A simulated test, with or without the cycler's own word on charge and discharge."""
    measurement = simulate_measurement(seed=5)
    return measurement if with_phases else replace(measurement, phase=None, step=None, step_time_s=None)


@cache
def full_tests(discharges: int) -> Measurement:
    """A test with so many full discharges."""
    return full_test(discharges).measurement()


def discharges_of(measurement: Measurement) -> tuple[Discharge, ...]:
    """Every discharge, full or not."""
    return find_discharges(measurement, split_runs(measurement))


@pytest.mark.slow
@given(data=st.data(), with_phases=st.booleans())
def test_truncating_the_future_leaves_past_discharges_bitwise(data: st.DataObject, with_phases: bool) -> None:
    """Cut after any row: each discharge that had ended is the same in every bit of every field."""
    measurement = simulated(with_phases=with_phases)
    rows = data.draw(st.integers(1, len(measurement)))
    whole = [one for one in discharges_of(measurement) if one.run.last < rows]
    past = [one for one in discharges_of(measurement.first_rows(rows)) if one.run.last < rows - 1]

    assert [one for one in whole if one.run.last < rows - 1] == past


@pytest.mark.slow
@given(seconds=st.integers(-10_000_000, 10_000_000))
def test_the_clock_may_start_anywhere(seconds: int) -> None:
    """A test that counts from another moment is the same test."""
    measurement = full_tests(2)
    moved = replace(measurement, t_s=measurement.t_s + seconds)

    assert [one.interval for one in evaluate_measurement(measurement).results] == [
        one.interval for one in evaluate_measurement(moved).results
    ]


@given(factor=st.floats(0.01, 100))
def test_capacity_grows_with_the_current(factor: float) -> None:
    """The same voltages under a current so many times larger: so many times the capacity and the energy."""
    measurement = full_tests(1)
    scaled = replace(measurement, current_a=measurement.current_a * factor)

    for one, other in zip(discharges_of(measurement), discharges_of(scaled), strict=True):
        assert one.capacity_ah * factor == pytest.approx(other.capacity_ah, rel=1e-12)
        assert one.energy_wh * factor == pytest.approx(other.energy_wh, rel=1e-12)


@given(data=st.data())
def test_charge_in_pieces_is_the_charge_of_the_whole(data: st.DataObject) -> None:
    """Where a step is cut in two by its number, the pieces carry the same charge together."""
    measurement = full_tests(1)
    run = next(run for run in split_runs(measurement) if run.phase < 0)
    cut = data.draw(st.integers(run.first + 1, run.last))
    first = replace(run, last=cut)
    second = replace(run, first=cut, onset_s=0.0)

    assert charge_ah(measurement, run) == pytest.approx(charge_ah(measurement, first) + charge_ah(measurement, second))


def test_control_a_look_into_the_future_is_seen() -> None:
    """A discharge scaled by the file's last voltage - a leak - differs once the file is cut."""
    measurement = simulated(with_phases=True)
    past = measurement.first_rows(len(measurement) - 100)

    def leaking(one: Measurement) -> list[float]:
        return [found.capacity_ah * float(one.voltage_v[-1]) for found in discharges_of(one)]

    assert leaking(measurement)[:3] != leaking(past)[:3]
    assert "run" in {field.name for field in fields(Discharge)}
