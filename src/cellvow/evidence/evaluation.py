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
)
from cellvow.evidence.efficiency import efficiency_result, find_cycles
from cellvow.evidence.fullness import Judgement, judge_discharges
from cellvow.evidence.health_results import HealthBasis, HealthSpread, find_spread, health_results, resistance_health
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

    def health_spread(self) -> HealthSpread | None:
        """By how much the definitions of health differ; None where there are fewer than two."""
        return find_spread(self.results)

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
    nominal_mv: int | None = None,
    accuracy: SensorAccuracy = ASSUMED_ACCURACY,
    v_min: float | None = None,
    v_max: float | None = None,
) -> Evaluation:
    """Compute every result that the measurement supports.

    `rated_mah` is the rated capacity in mAh and `nominal_mv` the nominal voltage in mV, for health; `v_min` and
    `v_max` are the voltage limits of a full discharge in V where the measurement alone should not decide. Raises
    `Malformed` for a limit or rating that makes no sense.
    """
    _check_rating(rated_mah, nominal_mv)
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
    channels = find_channels(measurement, accuracy)
    groups = group_by_rate(discharges, judgements)
    basis = HealthBasis(measurement, partial.kind, groups, channels, window, rated_mah, nominal_mv)
    results, undetermined = _conclude(partial, runs, basis)
    return replace(partial, results=_with_caveats(measurement, results), undetermined=undetermined)


def with_reference_resistance(evaluation: Evaluation, reference_uohm: int) -> Evaluation:
    """The evaluation with a state of health by resistance, against `reference_uohm` in microohm.

    Raises `Malformed` for a reference that makes no sense.
    """
    if reference_uohm <= 0:
        raise Malformed(f"a reference resistance of {reference_uohm} microohm: give a whole number above 0")
    found = [one for one in evaluation.results if one.quantity == "resistance_10s"]
    quantity, missing = "state_of_health_resistance", ""
    if evaluation.kind.kind == HALF_CELL:
        missing = f"a half cell has none: {evaluation.kind.reason}"
    elif not found:
        missing = "it needs a resistance, and there is none"
    if missing:
        return replace(evaluation, undetermined=(*evaluation.undetermined, Undetermined(quantity, missing)))
    return replace(evaluation, results=(*evaluation.results, resistance_health(found[0], reference_uohm)))


def _check_rating(rated_mah: int | None, nominal_mv: int | None) -> None:
    if rated_mah is not None and rated_mah <= 0:
        raise Malformed(f"a rated capacity of {rated_mah} mAh: give a whole number above 0")
    if nominal_mv is not None and nominal_mv <= 0:
        raise Malformed(f"a nominal voltage of {nominal_mv} mV: give a whole number above 0")


def _with_caveats(measurement: Measurement, results: tuple[Result, ...]) -> tuple[Result, ...]:
    """What the source says every result must say, before what each says itself."""
    said = measurement.source.caveats
    return tuple(one._replace(caveats=(*said, *one.caveats)) for one in results) if said else results


def _conclude(
    evaluation: Evaluation, runs: tuple[Run, ...], basis: HealthBasis
) -> tuple[tuple[Result, ...], tuple[Undetermined, ...]]:
    measurement = evaluation.measurement
    if measurement.duration_s > SPAN_S_MAX:
        years = measurement.duration_s / (365.25 * 86_400)
        reason = f"the test claims to last {years:.1f} years: its time column is in some other unit"
        quantities = ("capacity", "energy", "resistance_10s", "state_of_health")
        return (), tuple(Undetermined(quantity, reason) for quantity in quantities)
    found: list[Result | Undetermined] = [*_discharge_results(evaluation, basis)]
    if not found:
        reason = _why_no_full_discharge(evaluation)
        found += [Undetermined("capacity", reason), Undetermined("energy", reason)]
    resistance = resistance_result(measurement, evaluation.pulses, basis.channels)
    found.append(resistance or Undetermined("resistance_10s", _why_no_resistance(evaluation, runs)))
    if basis.groups:
        found.append(_efficiency(evaluation, runs, basis.channels))
    found += health_results(basis)
    return (
        tuple(one for one in found if isinstance(one, Result)),
        tuple(one for one in found if isinstance(one, Undetermined)),
    )


def _discharge_results(evaluation: Evaluation, basis: HealthBasis) -> list[Result]:
    results = [
        compute(evaluation.measurement, group, basis.channels, evaluation.window, basis.rated_mah)
        for group in basis.groups
        for compute in (capacity_result, energy_result)
    ]
    return [_with_kind(evaluation, one) for one in results]


def _efficiency(evaluation: Evaluation, runs: tuple[Run, ...], channels: Channels) -> Result | Undetermined:
    measurement = evaluation.measurement
    cycles = find_cycles(measurement, runs, evaluation.discharges, evaluation.judgements)
    found = efficiency_result(measurement, cycles, channels)
    return _with_kind(evaluation, found) if isinstance(found, Result) else found


def _with_kind(evaluation: Evaluation, result: Result) -> Result:
    """The result, with the sentence that it is one of a half cell where it is."""
    if evaluation.kind.kind != HALF_CELL:
        return result
    return result._replace(caveats=(HALF_CELL_CAVEAT, *result.caveats))


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
