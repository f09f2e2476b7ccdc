"""From a measurement to results: what it tells, with intervals, and what it does not tell, with reasons."""

from dataclasses import dataclass, replace

import numpy as np

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence.accuracy import ASSUMED_ACCURACY, SensorAccuracy
from cellvow.evidence.bounds import CURVE_POINTS_MAX
from cellvow.evidence.cell_kind import HALF_CELL, CellKind, find_cell_kind
from cellvow.evidence.discharge import Discharge, find_discharges
from cellvow.evidence.discharge_results import (
    Channels,
    capacity_result,
    energy_result,
    find_channels,
    group_by_rate,
    health_result,
)
from cellvow.evidence.fullness import Judgement, judge_discharges
from cellvow.evidence.measurement import Measurement
from cellvow.evidence.resistance import AFTER_S, REST_S_MIN, Pulse, count_steps, find_pulses
from cellvow.evidence.resistance_results import resistance_result
from cellvow.evidence.result import Result, Undetermined
from cellvow.evidence.runs import Run, elapsed_s, split_runs
from cellvow.evidence.state_of_charge import find_charge_axis
from cellvow.evidence.window import Window, find_window

SPAN_S_MAX = 10 * 365.25 * 86_400
"""A test that claims to last longer has a time column in some other unit."""
HALF_CELL_CAVEAT = "half cell: this is the capacity of one electrode against lithium, not of a battery"


@dataclass(frozen=True, slots=True, eq=False)
class Evaluation:
    """Everything computed from one measurement."""

    measurement: Measurement
    kind: CellKind
    window: Window
    """Between which voltages a discharge counts as full."""
    discharges: tuple[Discharge, ...]
    judgements: tuple[Judgement, ...]
    """One for each discharge."""
    pulses: tuple[Pulse, ...]
    results: tuple[Result, ...]
    undetermined: tuple[Undetermined, ...]

    def full_discharges(self) -> tuple[Discharge, ...]:
        """The discharges that count as full, in order."""
        return tuple(d for d, j in zip(self.discharges, self.judgements, strict=True) if j.is_full)

    def charted_discharge(self) -> Discharge | None:
        """The discharge of `discharge_curve`: the latest full one at the lowest rate, else the largest."""
        groups = group_by_rate(self.discharges, self.judgements)
        if groups:
            return groups[0].discharges[-1]
        return max(self.discharges, key=lambda one: one.capacity_ah, default=None)

    def discharge_curve(self) -> tuple[tuple[float, float], ...]:
        """At most 200 points (Ah delivered, V) of `charted_discharge`; empty where there is none."""
        discharge = self.charted_discharge()
        return () if discharge is None else _curve(self.measurement, discharge.run)


def evaluate_measurement(
    measurement: Measurement,
    *,
    rated_mah: int | None = None,
    accuracy: SensorAccuracy = ASSUMED_ACCURACY,
    v_min: float | None = None,
    v_max: float | None = None,
) -> Evaluation:
    """Compute every result that the measurement supports.

    `rated_mah` is the rated capacity in mAh, for health; `v_min` and `v_max` are the voltage limits of a full
    discharge in V where the measurement alone should not decide. Raises `Malformed` for a limit or rating
    that makes no sense.
    """
    if rated_mah is not None and rated_mah <= 0:
        raise Malformed(f"a rated capacity of {rated_mah} mAh: give a whole number above 0")
    runs = split_runs(measurement)
    window = find_window(measurement, runs, v_min=v_min, v_max=v_max)
    discharges = find_discharges(measurement, runs)
    judgements = judge_discharges(measurement, runs, discharges, window)
    rated_ah = None if rated_mah is None else rated_mah / 1000
    pulses = find_pulses(measurement, runs, find_charge_axis(measurement, runs, window, rated_ah))
    partial = Evaluation(
        measurement,
        find_cell_kind(measurement, runs),
        window,
        discharges,
        judgements,
        pulses,
        (),
        (),
    )
    results, undetermined = _conclude(partial, runs, find_channels(measurement, accuracy), rated_mah)
    return replace(partial, results=results, undetermined=undetermined)


def _conclude(
    evaluation: Evaluation, runs: tuple[Run, ...], channels: Channels, rated_mah: int | None
) -> tuple[tuple[Result, ...], tuple[Undetermined, ...]]:
    measurement = evaluation.measurement
    if measurement.duration_s > SPAN_S_MAX:
        years = measurement.duration_s / (365.25 * 86_400)
        reason = f"the test claims to last {years:.1f} years: its time column is in some other unit"
        quantities = ("capacity", "energy", "resistance_10s", "state_of_health")
        return (), tuple(Undetermined(quantity, reason) for quantity in quantities)
    missing: list[Undetermined] = []
    results = _discharge_results(evaluation, channels, rated_mah)
    if not results:
        reason = _why_no_full_discharge(evaluation)
        missing += [Undetermined("capacity", reason), Undetermined("energy", reason)]
    resistance = resistance_result(measurement, evaluation.pulses, channels)
    if resistance is None:
        missing.append(Undetermined("resistance_10s", _why_no_resistance(evaluation, runs)))
    health = _health(evaluation, channels, rated_mah)
    if isinstance(health, Undetermined):
        missing.append(health)
    added = [one for one in (resistance, health) if isinstance(one, Result)]
    return (*results, *added), tuple(missing)


def _discharge_results(evaluation: Evaluation, channels: Channels, rated_mah: int | None) -> list[Result]:
    results = [
        compute(evaluation.measurement, group, channels, evaluation.window, rated_mah)
        for group in group_by_rate(evaluation.discharges, evaluation.judgements)
        for compute in (capacity_result, energy_result)
    ]
    if evaluation.kind.kind != HALF_CELL:
        return results
    return [one._replace(caveats=(HALF_CELL_CAVEAT, *one.caveats)) for one in results]


def _health(evaluation: Evaluation, channels: Channels, rated_mah: int | None) -> Result | Undetermined:
    if evaluation.kind.kind == HALF_CELL:
        return Undetermined("state_of_health", f"a half cell has none: {evaluation.kind.reason}")
    groups = group_by_rate(evaluation.discharges, evaluation.judgements)
    if not groups:
        return Undetermined("state_of_health", "it needs a capacity, and there is none")
    if rated_mah is None:
        return Undetermined("state_of_health", "it needs the rated capacity: give it in mAh")
    return health_result(evaluation.measurement, groups[0], channels, evaluation.window, rated_mah)


def _why_no_full_discharge(evaluation: Evaluation) -> str:
    if not evaluation.discharges:
        return "no discharge in the file"
    if evaluation.window.doubt and evaluation.kind.kind == HALF_CELL:
        return f"half cell ({evaluation.kind.reason}): give v_min and v_max to say what a full discharge is"
    if evaluation.window.doubt:
        return f"no full discharge: {evaluation.window.doubt}"
    judged = zip(evaluation.discharges, evaluation.judgements, strict=True)
    deepest, judgement = min(judged, key=lambda pair: (pair[0].end_voltage_v, -pair[0].capacity_ah))
    return (
        f"no full discharge in one piece: of {len(evaluation.discharges)} discharge(s), the deepest (rows"
        f" {deepest.first_row} to {deepest.last_row}, to {deepest.end_voltage_v:.3f} V) is not:"
        f" {judgement.reason}"
    )


def _why_no_resistance(evaluation: Evaluation, runs: tuple[Run, ...]) -> str:
    steps = count_steps(runs)
    if not steps:
        return "no step of the current from rest in the file"
    if evaluation.pulses:
        return f"{steps} current step(s) from rest, but none stands clear of the cycler's resolution"
    return (
        f"{steps} current step(s) from rest, but none after {REST_S_MIN:g} s of rest that keeps its current"
        f" for {AFTER_S:g} s and is sampled there"
    )


def _curve(measurement: Measurement, run: Run) -> tuple[tuple[float, float], ...]:
    rows = run.rows()
    elapsed, current = elapsed_s(measurement, run), -measurement.current_a[rows]
    areas = (current[1:] + current[:-1]) / 2 * np.diff(elapsed)
    charge_ah = np.concatenate(([current[0] * elapsed[0]], areas)).cumsum() / 3600
    # Evenly spaced in charge: the knee at the end keeps as many points as the plateau.
    wanted = np.linspace(charge_ah[0], charge_ah[-1], min(CURVE_POINTS_MAX, len(charge_ah)))
    chosen = np.unique(np.searchsorted(charge_ah, wanted).clip(0, len(charge_ah) - 1))
    return tuple((float(charge_ah[i]), float(measurement.voltage_v[rows][i])) for i in chosen)
