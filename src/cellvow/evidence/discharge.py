"""Discharges: what each one delivered, from nothing but its own rows."""

from dataclasses import dataclass
from math import fsum

import numpy as np

from cellvow.evidence.measurement import DISCHARGE, Floats, Measurement
from cellvow.evidence.runs import SECONDS_PER_HOUR, Run, elapsed_s, integrate

CONSTANT_FRACTION = 0.05
"""Spread of the current, as part of its mean, up to which a discharge is at one rate."""
CONSTANT_SHARE = 0.95
"""Share of the time that must lie within that spread."""
COMPARED_AT_S = 10.0
"""Time after the begin at which the starts of discharges are compared."""
SLOPE_V = 0.010
"""Voltage before the end over which the final slope of charge against voltage is taken, V."""
ROWS_MIN = 3
"""A shorter stretch is a stray reading, not a discharge."""


@dataclass(frozen=True, slots=True)
class Discharge:
    """One uninterrupted discharge; every value follows from its own rows alone."""

    run: Run
    cycle: int | None
    first_row: int
    """Row of the file, counted from 1."""
    last_row: int
    duration_s: float
    current_a: float
    """Mean magnitude, A."""
    is_constant: bool
    """Whether it ran at one rate."""
    start_voltage_v: float
    """First loaded voltage, V."""
    compared_voltage_v: float
    """Loaded voltage `COMPARED_AT_S` after the begin, V."""
    end_voltage_v: float
    capacity_ah: float
    energy_wh: float
    capacity_sampling_ah: float
    """Bound of what lies between the samples and in a doubtful begin, Ah."""
    energy_sampling_wh: float
    end_slope_ah_per_v: float
    """Charge that one volt of error of the cut-off would add or take, Ah/V."""
    longest_gap_s: float
    temperature_c: float | None
    """Mean over the rows that have one, degC."""
    counted: "Counted | None"
    """What the cycler's own counter says."""


@dataclass(frozen=True, slots=True)
class Counted:
    """The cycler's own charge counter beside the integral over the same rows."""

    counter_ah: float
    integral_ah: float
    resolution_ah: float
    back_row: int | None
    """Row at which the counter steps back inside the discharge, if it does."""

    @property
    def disagreement(self) -> float:
        """Difference as part of the integral."""
        return abs(self.counter_ah - self.integral_ah) / self.integral_ah


def find_discharges(measurement: Measurement, runs: tuple[Run, ...]) -> tuple[Discharge, ...]:
    """Every discharge in order, full or not."""
    return tuple(
        _discharge(measurement, run)
        for run in runs
        if run.phase == DISCHARGE and run.last - run.first + 1 >= ROWS_MIN and _moves_charge(measurement, run)
    )


def _moves_charge(measurement: Measurement, run: Run) -> bool:
    elapsed = elapsed_s(measurement, run)
    return bool(elapsed[-1] > 0 and measurement.current_a[run.rows()].min() < 0)


def _discharge(measurement: Measurement, run: Run) -> Discharge:
    rows = run.rows()
    current, voltage = -measurement.current_a[rows], measurement.voltage_v[rows]
    elapsed = elapsed_s(measurement, run)
    capacity_ah = integrate(measurement, run, current) / SECONDS_PER_HOUR
    duration_s = float(elapsed[-1])
    mean_a = capacity_ah * SECONDS_PER_HOUR / duration_s
    return Discharge(
        run=run,
        cycle=None if measurement.cycle is None else int(measurement.cycle[run.first]),
        first_row=int(measurement.row[run.first]),
        last_row=int(measurement.row[run.last]),
        duration_s=duration_s,
        current_a=mean_a,
        is_constant=_is_constant(current, elapsed, mean_a),
        start_voltage_v=float(voltage[0]),
        compared_voltage_v=float(np.interp(COMPARED_AT_S, elapsed, voltage)),
        end_voltage_v=float(voltage[-1]),
        capacity_ah=capacity_ah,
        energy_wh=integrate(measurement, run, current * voltage) / SECONDS_PER_HOUR,
        capacity_sampling_ah=_sampling_bound(current, elapsed, run),
        energy_sampling_wh=_sampling_bound(current * voltage, elapsed, run),
        end_slope_ah_per_v=_end_slope(current, voltage, elapsed),
        longest_gap_s=float(np.diff(elapsed).max()),
        temperature_c=_temperature(measurement, run),
        counted=_counted(measurement, run),
    )


def _is_constant(current: Floats, elapsed: Floats, mean_a: float) -> bool:
    weights = np.diff(elapsed, prepend=0.0)
    is_near = np.abs(current - mean_a) <= CONSTANT_FRACTION * mean_a
    return fsum(weights[is_near].tolist()) >= CONSTANT_SHARE * fsum(weights.tolist())


def _sampling_bound(values: Floats, elapsed: Floats, run: Run) -> float:
    """Bound in unit x h: between two samples a monotone value is off by at most half their rectangle."""
    between = np.abs(np.diff(values)) * np.diff(elapsed) / 2
    onset = abs(float(values[0])) * run.onset_doubt_s
    return fsum([onset, *between.tolist()]) / SECONDS_PER_HOUR


def _end_slope(current: Floats, voltage: Floats, elapsed: Floats) -> float:
    above = np.flatnonzero(voltage >= voltage[-1] + SLOPE_V)
    if not len(above):
        return 0.0
    last = int(above[-1])
    charge_ah = float(current[last:].mean()) * float(elapsed[-1] - elapsed[last]) / SECONDS_PER_HOUR
    return charge_ah / float(voltage[last] - voltage[-1])


def _temperature(measurement: Measurement, run: Run) -> float | None:
    if measurement.temperature_c is None:
        return None
    known = measurement.temperature_c[run.rows()]
    known = known[np.isfinite(known)]
    return fsum(known.tolist()) / len(known) if len(known) else None


def _counted(measurement: Measurement, run: Run) -> Counted | None:
    if measurement.counted_ah is None:
        return None
    rows = run.rows()
    counter = measurement.counted_ah[rows]
    inner = Run(run.phase, run.first, run.last, 0.0, 0.0, run.begins_before_file)
    integral_ah = -integrate(measurement, inner, measurement.current_a[rows]) / SECONDS_PER_HOUR
    if not np.isfinite(counter).all() or integral_ah <= 0:
        return None
    steps = np.diff(counter)
    back = np.flatnonzero(steps < 0)
    back_row = int(measurement.row[run.first + int(back[0]) + 1]) if len(back) else None
    grows = steps[steps > 0]
    resolution_ah = float(grows.min()) if len(grows) else 0.0
    return Counted(float(counter[-1] - counter[0]), integral_ah, resolution_ah, back_row)
