"""Contributions combine as the GUM says, and bounds are rounded outwards."""

from __future__ import annotations

from math import sqrt

import pytest

from cellvow.core.primitives.quantity import Interval
from cellvow.evidence.uncertainty import Contribution, interval, limit, mean, repeatability, rounding


def test_limits_become_rectangles() -> None:
    """A limit a has the standard uncertainty a / sqrt(3), whatever its sign."""
    assert 1.0 == pytest.approx(limit("x", sqrt(3), "y").standard)
    assert 1.0 == pytest.approx(limit("x", -sqrt(3), "y").standard)
    assert 0.5 / sqrt(3) == pytest.approx(rounding().standard)


def test_contributions_add_in_squares_and_expand_by_two() -> None:
    """3 and 4 make 5, and 1000 +- 10."""
    parts = [Contribution("a", 3.0, "B", ""), Contribution("b", 4.0, "B", "")]

    assert Interval(1000, 990, 1010, 950) == interval(1000.0, parts)


def test_bounds_are_rounded_outwards_and_never_below_zero() -> None:
    """A fraction beyond a whole number takes the next one; nothing measured here is negative."""
    assert Interval(1000, 989, 1011, 950) == interval(1000.0, [Contribution("a", 5.01, "B", "")])
    assert Interval(1, 0, 3, 950) == interval(1.0, [Contribution("a", 1.0, "B", "")])


def test_few_values_are_widened_by_student() -> None:
    """Two values 1 apart: s / sqrt(2) = 0.5, and k = 2 times the contribution is t = 12.706 times that."""
    part = repeatability([10.0, 11.0], "pulses")

    assert part is not None
    assert 12.706 * 0.5 == pytest.approx(2 * part.standard)
    assert "A" == part.kind
    assert "2 pulses" in part.basis


def test_a_single_value_repeats_nothing() -> None:
    """There is no scatter of one."""
    assert repeatability([10.0], "pulses") is None


def test_many_values_take_the_last_of_the_table() -> None:
    """Beyond 20 degrees of freedom t hardly falls any more."""
    values = [float(number % 2) for number in range(40)]
    part = repeatability(values, "pulses")

    assert part is not None
    assert 2.086 * sqrt(10 / 39) / sqrt(40) == pytest.approx(2 * part.standard)
    assert 0.5 == mean(values)
