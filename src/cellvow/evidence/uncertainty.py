"""From named contributions to an interval, after the GUM (JCGM 100:2008).

Each contribution is a standard uncertainty; they combine as the root of the sum of squares (5.1.2) and are
expanded by k = 2 (6.2.1), which for a normal distribution covers 95.45 %; we claim 95 %.
"""

from collections.abc import Sequence
from math import ceil, floor, fsum, sqrt
from typing import NamedTuple

from cellvow.core.primitives.quantity import Interval

COVERAGE_FACTOR = 2.0
COVERAGE_PERMILLE = 950

_STUDENT = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
)
"""Quantile 0.975 of Student's t for 1 to 20 degrees of freedom (GUM table G.2)."""


class Contribution(NamedTuple):
    """One source of uncertainty."""

    name: str
    standard: float
    """Standard uncertainty in the unit of the result."""
    kind: str
    """`A` from repetition, `B` from other knowledge (GUM 3.3.4)."""
    basis: str
    """Where it comes from, in words."""


def limit(name: str, bound: float, basis: str) -> Contribution:
    """A contribution known by its limits +-`bound` only: rectangular, bound / sqrt(3) (GUM 4.3.7)."""
    return Contribution(name, abs(bound) / sqrt(3), "B", basis)


def repeatability(values: Sequence[float], of_what: str) -> Contribution | None:
    """The scatter of a mean of `values` (GUM 4.2.3); None for a single value.

    Student's t over k widens it, so that k = 2 times this covers 95 % however few the values are.
    """
    count = len(values)
    if count < 2:
        return None
    average = mean(values)
    deviation = sqrt(fsum((value - average) ** 2 for value in values) / (count - 1))
    student = _STUDENT[count - 2] if count - 2 < len(_STUDENT) else _STUDENT[-1]
    widening = student / COVERAGE_FACTOR
    basis = f"{count} {of_what}, Student's t {student:.3f}"
    return Contribution("repeatability", widening * deviation / sqrt(count), "A", basis)


def rounding() -> Contribution:
    """What rounding the reported value to a whole number of its unit can change."""
    return limit("rounding", 0.5, "reported as a whole number of its unit")


def mean(values: Sequence[float]) -> float:
    """Arithmetic mean, rounded once."""
    return fsum(values) / len(values)


def interval(value: float, contributions: Sequence[Contribution]) -> Interval:
    """Interval in whole units: the value rounded half to even, the bounds rounded outwards, none below 0."""
    expanded = COVERAGE_FACTOR * sqrt(fsum(one.standard**2 for one in contributions))
    low, high = max(floor(value - expanded), 0), ceil(value + expanded)
    return Interval(min(max(round(value), low), high), low, high, COVERAGE_PERMILLE).check()
