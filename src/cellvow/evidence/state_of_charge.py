"""State of charge of a row, by counting charge between a full and an empty point of the same measurement."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cellvow.evidence.measurement import DISCHARGE, Floats, Measurement
from cellvow.evidence.runs import SECONDS_PER_HOUR, Run
from cellvow.evidence.window import Window, is_full_charge


@dataclass(frozen=True, slots=True)
class ChargeAxis:
    """Net charge of each row and the points at which the cell was full or empty."""

    net_ah: Floats
    """Net charge since the first row, Ah."""
    points: tuple[tuple[int, bool], ...]
    """(index, whether the cell is full there), in order."""
    span_ah: float | None
    """Charge between full and empty, Ah; None where the measurement never shows both."""

    def at(self, index: int) -> float | None:
        """State of charge at a row as a part of `span_ah` (0 to 1, a little beyond by drift), or None."""
        known = [point for point in self.points if point[0] <= index] or list(self.points[:1])
        if not known or self.span_ah is None:
            return None
        position, is_full = known[-1]
        return float(is_full) + float(self.net_ah[index] - self.net_ah[position]) / self.span_ah


def find_charge_axis(
    measurement: Measurement, runs: tuple[Run, ...], window: Window, rated_ah: float | None
) -> ChargeAxis:
    """The axis of a measurement; a rated capacity stands in where full and empty are not both seen."""
    areas = (measurement.current_a[1:] + measurement.current_a[:-1]) / 2 * np.diff(measurement.t_s)
    net_ah = np.concatenate(([0.0], np.cumsum(areas))) / SECONDS_PER_HOUR
    points = []
    for run in runs:
        if is_full_charge(measurement, run, window):
            points.append((run.last, True))
        elif run.phase == DISCHARGE and _is_emptied(measurement, run, window):
            points.append((run.last, False))
    spans = [float(net_ah[a] - net_ah[b]) for (a, a_full), (b, b_full) in pairwise(points) if a_full and not b_full]
    usable = [span for span in spans if span > 0]
    return ChargeAxis(net_ah, tuple(points), usable[-1] if usable else rated_ah)


def _is_emptied(measurement: Measurement, run: Run, window: Window) -> bool:
    return not window.doubt and window.is_bottom(float(measurement.voltage_v[run.last]))
