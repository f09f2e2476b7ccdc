"""Half cells and coin cells are said to be what they are."""

from __future__ import annotations

import pytest

from cellvow.evidence import evaluate_measurement
from tests.unit.evidence.sheets import Sheet, full_test


def cycled(current_a: float, top_v: float, bottom_v: float) -> Sheet:
    """A slow charge and a slow discharge between two voltages."""
    sheet = Sheet().add("REST", 0.0, (bottom_v, bottom_v), 600).add("CHRG", current_a, (bottom_v, top_v), 36_000, 60.0)
    sheet.add("REST", 0.0, (top_v, top_v), 600)
    return sheet.add("DCHG", -current_a, (top_v, bottom_v), 36_000, 60.0)


@pytest.mark.parametrize(
    ("current_a", "top_v", "bottom_v", "title"),
    [
        (10.0, 4.2, 3.0, "full cell"),
        (10.0, 3.65, 2.5, "full cell"),
        (10.0, 4.55, 3.0, "full cell"),
        (1e-4, 1.5, 0.01, "half cell, coin-sized"),
        (1.0, 1.5, 0.01, "half cell"),
        (1e-4, 4.9, 3.0, "half cell, coin-sized"),
        (1e-4, 4.2, 2.5, "unknown, coin-sized"),
        (10.0, 16.8, 12.0, "several cells in series"),
    ],
)
def test_the_kind_follows_from_voltages_and_currents(
    current_a: float, top_v: float, bottom_v: float, title: str
) -> None:
    """Each kind has voltages or currents that the others do not reach, or it is called unknown."""
    kind = evaluate_measurement(cycled(current_a, top_v, bottom_v).measurement()).kind

    assert title == kind.title()
    assert kind.reason


def test_nothing_is_said_of_a_cell_at_rest() -> None:
    """Without current there is no evidence."""
    kind = evaluate_measurement(Sheet().add("REST", 0.0, (3.7, 3.7), 60).measurement()).kind

    assert ("unknown", "no current flows in this file") == (kind.kind, kind.reason)


def test_a_half_cell_has_no_health_and_its_capacity_is_one_electrode_s() -> None:
    """Given limits, the capacity is computed and called what it is; health is refused."""
    sheet = cycled(0.1, 1.5, 0.01)
    evaluation = evaluate_measurement(sheet.measurement(), rated_mah=1000, v_min=0.01, v_max=1.5)
    capacity = evaluation.results[0]
    health = next(one for one in evaluation.undetermined if one.quantity == "state_of_health")

    assert "one electrode against lithium" in capacity.caveats[0]
    assert "a half cell has none" in health.reason
    assert "half cell (it works between" in evaluate_measurement(sheet.measurement()).undetermined[0].reason


def test_control_a_full_cell_has_health() -> None:
    """The same path yields health for a full cell."""
    evaluation = evaluate_measurement(full_test(1).measurement(), rated_mah=10_000)

    assert "state_of_health" in {one.quantity for one in evaluation.results}
