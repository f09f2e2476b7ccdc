"""Exact quantities: scaled integers whose name ends in their unit, each with an interval and a class."""

from typing import NamedTuple

from cellvow.core.primitives.errors import Malformed

CLASSES = ("measured", "estimated", "simulated", "declared")
"""How a value came about; shown wherever the value is shown."""

UNITS = {
    "capacity": "mAh",
    "coulombic_efficiency": "ppm",
    "energy": "mWh",
    "resistance_10s": "uohm",
    "state_of_charge": "permille",
    "state_of_health": "permille",
    "state_of_health_energy": "permille",
    "state_of_health_first": "permille",
    "state_of_health_resistance": "permille",
}
"""Quantity -> unit of its scaled integer. One joins with the first evidence, or paper, that states it."""

DOCUMENTS = ("test_summary",)
"""What an attestation can say by the digest of a document instead of a number."""


class Interval(NamedTuple):
    """`value` with bounds `low` <= value <= `high`, all in one unit, expected to cover `coverage_permille`."""

    value: int
    low: int
    high: int
    coverage_permille: int

    def check(self) -> "Interval":
        """Itself, or `Malformed` when the bounds do not enclose the value."""
        if not self.low <= self.value <= self.high or not 1 <= self.coverage_permille <= 1000:
            raise Malformed(f"{self} is not an interval around its value")
        return self
