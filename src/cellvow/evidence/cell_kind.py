"""What sort of cell was on the cycler, as far as voltages and currents tell."""

from dataclasses import dataclass

import numpy as np

from cellvow.evidence.measurement import REST, Measurement
from cellvow.evidence.runs import Run

FULL_CELL, HALF_CELL, SERIES, UNKNOWN = "full cell", "half cell", "several cells in series", "unknown"

SERIES_V = 5.0
"""No single lithium cell is charged above it."""
HALF_CELL_TOP_V = 4.6
"""Full cells in service are charged to 4.55 V at most; above it, a positive electrode faces lithium."""
HALF_CELL_BOTTOM_V = 0.5
"""No full cell is discharged this far; a negative electrode against lithium works below it ..."""
HALF_CELL_MEDIAN_V = 1.2
"""... and around this voltage or less."""
COIN_CURRENT_A = 0.020
"""Largest current of the coin cells that laboratories build."""


@dataclass(frozen=True, slots=True)
class CellKind:
    """The sort of cell and how it is known."""

    kind: str
    """`full cell`, `half cell`, `several cells in series` or `unknown`."""
    is_coin_sized: bool
    """Whether the currents are those of a coin or other small laboratory cell."""
    reason: str
    """How it is known, in a sentence for a person."""
    declared: str
    """What the file or its name calls the cell; empty where it says nothing."""

    def title(self) -> str:
        """A heading: `half cell, coin-sized`."""
        return f"{self.kind}, coin-sized" if self.is_coin_sized else self.kind


def find_cell_kind(measurement: Measurement, runs: tuple[Run, ...]) -> CellKind:
    """Tell the kind from the voltages under current and the largest current."""
    declared = dict(measurement.source.declared).get("cell", "")
    active = [measurement.voltage_v[run.rows()] for run in runs if run.phase != REST]
    if not active:
        return CellKind(UNKNOWN, False, "no current flows in this file", declared)
    voltage = np.concatenate(active)
    largest_a = float(np.abs(measurement.current_a).max())
    kind, reason = _kind(float(voltage.min()), float(np.median(voltage)), float(voltage.max()))
    if kind == FULL_CELL and largest_a < COIN_CURRENT_A:
        kind = UNKNOWN
        reason = f"at {largest_a * 1000:.3g} mA and these voltages a half cell looks like a full cell"
    return CellKind(kind, largest_a < COIN_CURRENT_A, reason, declared)


def _kind(lowest: float, median: float, highest: float) -> tuple[str, str]:
    span = f"it works between {lowest:.3f} V and {highest:.3f} V"
    if highest > SERIES_V:
        return SERIES, f"{span}, more than one lithium cell bears"
    if lowest < HALF_CELL_BOTTOM_V and median < HALF_CELL_MEDIAN_V:
        return HALF_CELL, f"{span}, like a negative electrode against lithium and no full cell"
    if highest > HALF_CELL_TOP_V:
        return HALF_CELL, f"{span}, like a positive electrode against lithium; full cells end below 4.6 V"
    return FULL_CELL, f"{span}, like a full lithium cell"
