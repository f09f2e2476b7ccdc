"""The generated measurement is repeatable, plainly simulated, and hides its parameters nowhere."""

from __future__ import annotations

import numpy as np
import pytest

from cellvow.evidence import SimulatedCell, evaluate_measurement, simulate_measurement


def test_a_seed_gives_one_measurement() -> None:
    """The same seed gives the same rows and digest, another seed others."""
    first, again, other = (simulate_measurement(seed=seed) for seed in (7, 7, 8))

    assert first.voltage_v.tolist() == again.voltage_v.tolist()
    assert first.source == again.source
    assert first.source.sha256 != other.source.sha256


def test_it_says_that_it_is_simulated() -> None:
    """Class, format and description leave no doubt."""
    source = simulate_measurement().source

    assert ("simulated", "simulated cell") == (source.evidence_class, source.format)
    assert "nothing was measured" in source.description


def test_time_grows_and_the_window_is_kept() -> None:
    """The simulated cycler stays inside the cell's limits, but for the last reading of a second."""
    measurement = simulate_measurement()

    assert (np.diff(measurement.t_s) > 0).all()
    assert measurement.voltage_v.max() < 4.205
    assert measurement.voltage_v.min() > 2.97


def test_what_was_put_in_comes_out() -> None:
    """The evaluation finds the capacity between the limits and the resistance after ten seconds."""
    cell = SimulatedCell()
    evaluation = evaluate_measurement(simulate_measurement(cell=cell))
    results = {result.quantity: result.interval for result in evaluation.results}
    after_10_s_uohm = 1e6 * (cell.series_ohm + cell.pair_ohm * (1 - np.exp(-10 / cell.pair_s)))

    assert 3 == len(evaluation.full_discharges())
    assert 0.98 * 30_000 < results["capacity"].value < 30_000
    assert after_10_s_uohm == pytest.approx(results["resistance_10s"].value, rel=0.05)
