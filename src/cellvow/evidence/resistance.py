"""Direct-current resistance ten seconds after a current step from rest."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from cellvow.evidence.measurement import CHARGE, REST, Floats, Measurement
from cellvow.evidence.runs import Run, elapsed_s
from cellvow.evidence.state_of_charge import ChargeAxis

AFTER_S = 10.0
"""Time after the step at which the voltage is read, s."""
REST_S_MIN = 30.0
"""Rest before the step, s."""
CURRENT_SPREAD_MAX = 0.02
"""Part by which the current may differ from its final value from one second on."""
SETTLED_S = 1.0
"""Time a cycler gets to reach its current, s."""
SAMPLE_GAP_S_MAX = 5.0
"""Largest distance between the samples around `AFTER_S`, s."""
_TIME_TOLERANCE_S = 0.05


@dataclass(frozen=True, slots=True)
class Pulse:
    """One current step from rest."""

    row: int
    """First row with current, counted from 1."""
    is_charge: bool
    current_a: float
    """Magnitude after `AFTER_S`, A."""
    rest_voltage_v: float
    """Last voltage before the step, V."""
    voltage_v: float
    """Voltage `AFTER_S` after the step, V."""
    resistance_ohm: float
    timing_ohm: float
    """Bound of what a doubtful begin of the step can change, ohm."""
    relaxation_ohm: float
    """Bound of what the rest before, still relaxing, can change, ohm."""
    state_of_charge: float | None
    """Part of the charge between full and empty, or None."""
    temperature_c: float | None


def find_pulses(measurement: Measurement, runs: tuple[Run, ...], axis: ChargeAxis) -> tuple[Pulse, ...]:
    """Every step of a constant current from rest that lasts `AFTER_S` and is sampled there."""
    found = (
        _pulse(measurement, rest, active, axis)
        for rest, active in pairwise(runs)
        if rest.phase == REST and active.phase != REST and _is_long(measurement, rest)
    )
    return tuple(pulse for pulse in found if pulse is not None)


def count_steps(runs: tuple[Run, ...]) -> int:
    """Steps from rest of any kind, to explain why none could be used."""
    return sum(rest.phase == REST and active.phase != REST for rest, active in pairwise(runs))


def _is_long(measurement: Measurement, rest: Run) -> bool:
    return bool(measurement.t_s[rest.last] - measurement.t_s[rest.first] >= REST_S_MIN)


def _pulse(measurement: Measurement, rest: Run, active: Run, axis: ChargeAxis) -> Pulse | None:
    elapsed = elapsed_s(measurement, active)
    current, voltage = measurement.current_a[active.rows()], measurement.voltage_v[active.rows()]
    after = int(np.searchsorted(elapsed, AFTER_S - _TIME_TOLERANCE_S))
    if after == len(elapsed) or not _is_sampled(elapsed[: after + 1]):
        return None
    current_a = float(np.interp(AFTER_S, elapsed, current))
    voltage_v = float(np.interp(AFTER_S, elapsed, voltage))
    early = current[: after + 1][elapsed[: after + 1] >= SETTLED_S - _TIME_TOLERANCE_S]
    if np.abs(early - current_a).max() > CURRENT_SPREAD_MAX * abs(current_a):
        return None
    step_a = current_a - float(measurement.current_a[rest.last])
    rest_voltage_v = float(measurement.voltage_v[rest.last])
    temperature = measurement.temperature_c
    temperature_c = None if temperature is None else float(temperature[active.first])
    return Pulse(
        row=int(measurement.row[active.first]),
        is_charge=active.phase == CHARGE,
        current_a=abs(current_a),
        rest_voltage_v=rest_voltage_v,
        voltage_v=voltage_v,
        resistance_ohm=(voltage_v - rest_voltage_v) / step_a,
        timing_ohm=abs(_slope(elapsed, voltage) * active.onset_doubt_s / step_a),
        relaxation_ohm=abs(_drift(measurement, rest) * AFTER_S / step_a),
        state_of_charge=axis.at(rest.last),
        temperature_c=temperature_c if temperature_c is not None and np.isfinite(temperature_c) else None,
    )


def _is_sampled(elapsed: Floats) -> bool:
    """Whether the last sample is at `AFTER_S`, or close behind a sample before it."""
    is_at = abs(elapsed[-1] - AFTER_S) <= _TIME_TOLERANCE_S
    return bool(is_at or (len(elapsed) > 1 and elapsed[-1] - elapsed[-2] <= SAMPLE_GAP_S_MAX))


def _slope(elapsed: Floats, voltage: Floats) -> float:
    """Voltage per second around `AFTER_S`, V/s."""
    around = np.interp([AFTER_S / 2, AFTER_S], elapsed, voltage)
    return float(around[1] - around[0]) / (AFTER_S / 2)


def _drift(measurement: Measurement, rest: Run) -> float:
    """Voltage per second at the end of the rest, over its last `REST_S_MIN` or more, V/s."""
    t_s, voltage = measurement.t_s[rest.rows()], measurement.voltage_v[rest.rows()]
    begin = max(int(np.searchsorted(t_s, t_s[-1] - REST_S_MIN, side="right")) - 1, 0)
    return float(voltage[-1] - voltage[begin]) / float(t_s[-1] - t_s[begin])
