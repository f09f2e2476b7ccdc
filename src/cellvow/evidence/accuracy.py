"""How exact a cycler is taken to be: limits of error of its current, voltage and clock."""

from dataclasses import dataclass

from cellvow.core.primitives.errors import Malformed


@dataclass(frozen=True, slots=True)
class SensorAccuracy:
    """Limits of error (not standard deviations) of one cycler channel."""

    current_gain_ppm: int
    """Part of the reading."""
    current_offset_ppm: int
    """Part of `current_range_a`."""
    voltage_gain_ppm: int
    """Part of the reading."""
    voltage_offset_uv: int
    time_ppm: int
    basis: str
    """Where the limits come from; shown with every result."""
    current_range_a: float | None = None
    """Full scale of the channel, A; None takes the largest current of the measurement."""

    def check(self) -> "SensorAccuracy":
        """Itself, or `Malformed` for a limit below zero or a missing basis."""
        limits = (
            *(self.current_gain_ppm, self.current_offset_ppm, self.voltage_gain_ppm),
            *(self.voltage_offset_uv, self.time_ppm, self.current_range_a or 0),
        )
        if min(limits) < 0 or not self.basis:
            raise Malformed("an accuracy needs limits of zero or more and says where they come from")
        return self


ASSUMED_ACCURACY = SensorAccuracy(
    current_gain_ppm=1_000,
    current_offset_ppm=500,
    voltage_gain_ppm=500,
    voltage_offset_uv=1_000,
    time_ppm=100,
    basis="assumed, not stated by the file: a cycler of the 0.1 % class",
)
"""Stands in until the laboratory gives its calibration: 0.1 % of the current reading and 0.05 % of the
largest current, 0.05 % of the voltage reading and 1 mV, 100 ppm of time."""
