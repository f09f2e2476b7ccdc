"""Runs: stretches of rows in which the cell only charges, only rests or only discharges."""

from dataclasses import dataclass
from math import fsum

import numpy as np

from cellvow.evidence.measurement import REST, Floats, Integers, Measurement

REST_FRACTION = 0.005
"""Part of the largest current seen so far below which a row is at rest (where the file does not say)."""
ONSET_S_MAX = 60.0
"""Step time of a file's very first row up to which the step is taken to have begun with the file."""
SECONDS_PER_HOUR = 3600.0
_CLOCK_TOLERANCE_S = 0.05


@dataclass(frozen=True, slots=True)
class Run:
    """Rows `first` to `last` (indices, both included) of one phase and one step."""

    phase: int
    """`CHARGE`, `REST` or `DISCHARGE`."""
    first: int
    last: int
    onset_s: float
    """Time before the first row for which its current is counted, s."""
    onset_doubt_s: float
    """By how much the begin may be earlier or later, s."""
    begins_before_file: bool
    """Whether part of the step was never recorded."""

    def rows(self) -> slice:
        """The rows as a slice of a measurement's arrays."""
        return slice(self.first, self.last + 1)


def split_runs(measurement: Measurement) -> tuple[Run, ...]:
    """All runs in order; a later row never changes where an earlier run began or ended."""
    phase = _phases(measurement)
    is_new = np.zeros(len(measurement), dtype=np.bool_)
    is_new[0] = True
    for marks in (phase, measurement.step, measurement.cycle):
        if marks is not None:
            is_new[1:] |= np.diff(marks) != 0
    firsts = np.flatnonzero(is_new).tolist()
    lasts = [*(first - 1 for first in firsts[1:]), len(measurement) - 1]
    return tuple(_run(measurement, int(phase[first]), first, last) for first, last in zip(firsts, lasts, strict=True))


def elapsed_s(measurement: Measurement, run: Run) -> Floats:
    """Time of each row of the run since the run began, s."""
    t_s = measurement.t_s[run.rows()]
    begin_s = float(t_s[0]) - run.onset_s
    return np.asarray(t_s - begin_s, dtype=np.float64)


def integrate(measurement: Measurement, run: Run, values: Floats) -> float:
    """Integral over the run's time by the trapezoidal rule, the onset as a rectangle; unit of values x s.

    `values` has one value for each row of the run. The sum is exact before its one rounding, so it depends
    on neither the machine nor what follows the run.
    """
    t_s = measurement.t_s[run.rows()]
    areas = (values[1:] + values[:-1]) / 2 * np.diff(t_s)
    return fsum([float(values[0]) * run.onset_s, *areas.tolist()])


def charge_ah(measurement: Measurement, run: Run) -> float:
    """Charge moved in a run, Ah, + into the cell."""
    return integrate(measurement, run, measurement.current_a[run.rows()]) / SECONDS_PER_HOUR


def _phases(measurement: Measurement) -> Integers:
    if measurement.phase is not None:
        return measurement.phase
    magnitude = np.abs(measurement.current_a)
    # The running maximum, not the file's: what a row is must not depend on the rows after it.
    is_active = magnitude > REST_FRACTION * np.maximum.accumulate(magnitude)
    return np.where(is_active, np.sign(measurement.current_a), 0).astype(np.int64)


def _run(measurement: Measurement, phase: int, first: int, last: int) -> Run:
    onset_s, doubt_s, before = 0.0, 0.0, False
    if phase != REST:
        onset_s, doubt_s, before = _onset(measurement, first)
    return Run(phase, first, last, onset_s, doubt_s, before)


def _onset(measurement: Measurement, first: int) -> tuple[float, float, bool]:
    """(onset_s, onset_doubt_s, begins_before_file) of an active run whose first row is `first`."""
    gap_s = float(measurement.t_s[first] - measurement.t_s[first - 1]) if first else ONSET_S_MAX
    if measurement.step_time_s is not None:
        step_time_s = float(measurement.step_time_s[first])
        if 0 <= step_time_s <= gap_s + _CLOCK_TOLERANCE_S:
            return step_time_s, 0.0, False
        if not first:
            return 0.0, 0.0, True
    if not first:
        return 0.0, 0.0, False
    # Somewhere between two rows: half of the time is counted, half of it is the doubt.
    return gap_s / 2, gap_s / 2, False
