"""The voltage window: between which voltages a discharge counts as full, and how that is known."""

from dataclasses import dataclass

import numpy as np

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence.measurement import CHARGE, DISCHARGE, Measurement
from cellvow.evidence.runs import Run, charge_ah

TOLERANCE_FRACTION = 0.01
"""Part of the window by which a voltage may miss its limit."""
TAPER_FRACTION = 0.5
"""A charge is complete when its last current has fallen to this part of its largest ..."""
SLOW_CHARGE_H = 5.0
"""... or when it was slow: charge moved / largest current, in hours, is at least this (C/5)."""

_EMPTY_AT_MOST_V = (
    (2.20, 3.00, 1.65, "lithium titanate"),
    (3.30, 3.90, 2.55, "lithium iron phosphate"),
    (3.90, 4.60, 3.05, "layered oxide or spinel"),
)
"""(lowest top, highest top, cut-off at most, chemistry): usual data-sheet cut-offs and 0.05 V."""


@dataclass(frozen=True, slots=True)
class Window:
    """Top and bottom voltage of a full discharge."""

    v_max_v: float
    v_min_v: float
    is_given: bool
    """Whether the user gave the bottom rather than the file."""
    doubt: str
    """Why no discharge of the file can be called full, or the empty string."""

    @property
    def tolerance_v(self) -> float:
        """By how much a voltage may miss its limit, V."""
        return TOLERANCE_FRACTION * (self.v_max_v - self.v_min_v)

    def is_top(self, voltage_v: float) -> bool:
        """Whether a voltage reaches the top."""
        return voltage_v >= self.v_max_v - self.tolerance_v

    def is_bottom(self, voltage_v: float) -> bool:
        """Whether a voltage reaches the bottom."""
        return voltage_v <= self.v_min_v + self.tolerance_v


def find_window(measurement: Measurement, runs: tuple[Run, ...], *, v_min: float | None, v_max: float | None) -> Window:
    """The window from the user's limits or, for what he leaves open, from the measurement itself."""
    top = v_max if v_max is not None else _extreme(measurement, runs, CHARGE)
    bottom = v_min if v_min is not None else _extreme(measurement, runs, DISCHARGE)
    is_given = v_min is not None or v_max is not None
    if is_given and not bottom < top:
        raise Malformed(f"a window from {bottom:g} V to {top:g} V is none: give v_min below v_max, in V, of one cell")
    return Window(top, bottom, v_min is not None, "" if v_min is not None else _doubt(top, bottom))


def is_full_charge(measurement: Measurement, run: Run, window: Window) -> bool:
    """Whether a run charges the cell fully: to the top, and either tapering there or slowly."""
    rows = run.rows()
    if run.phase != CHARGE or not window.is_top(float(measurement.voltage_v[rows].max())):
        return False
    current = measurement.current_a[rows]
    largest = float(current.max())
    if largest <= 0:
        return False
    return float(current[-1]) <= TAPER_FRACTION * largest or (charge_ah(measurement, run) / largest >= SLOW_CHARGE_H)


def _extreme(measurement: Measurement, runs: tuple[Run, ...], phase: int) -> float:
    """Highest voltage while charging or lowest while discharging; of all rows where there is no such run."""
    parts = [measurement.voltage_v[run.rows()] for run in runs if run.phase == phase]
    voltage = np.concatenate(parts) if parts else measurement.voltage_v
    return float(voltage.max() if phase == CHARGE else voltage.min())


def _doubt(top: float, bottom: float) -> str:
    for lowest, highest, cut_off, chemistry in _EMPTY_AT_MOST_V:
        if lowest <= top < highest:
            if bottom <= cut_off:
                return ""
            return (
                f"the lowest voltage under discharge, {bottom:.3f} V, is above {cut_off:.2f} V, where a cell of"
                f" {chemistry} charged to {top:.3f} V counts as empty"
            )
    return f"the usual cut-off of a cell that is charged to {top:.3f} V is not known: give v_min"
