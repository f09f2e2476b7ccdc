"""Capacity and energy from full discharges, each with its uncertainty."""

from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.evidence.accuracy import SensorAccuracy
from cellvow.evidence.discharge import Discharge
from cellvow.evidence.fullness import LIKE_LATER, Judgement, is_same_rate
from cellvow.evidence.measurement import Measurement
from cellvow.evidence.result import Conditions, Result
from cellvow.evidence.runs import SECONDS_PER_HOUR
from cellvow.evidence.uncertainty import Contribution, interval, limit, mean, repeatability, rounding
from cellvow.evidence.window import Window

USED_MAX = 5
"""The latest full discharges of a rate that enter its mean: a cell ages, older ones describe its past."""
DISAGREEMENT_MAX = 0.005
"""Difference from the cycler's own counter, as a part, above which it is reported."""

CAPACITY_METHOD = "charge of full discharges by the trapezoidal rule, version 1"
ENERGY_METHOD = "energy of full discharges by the trapezoidal rule, version 1"


@dataclass(frozen=True, slots=True)
class Channels:
    """What the cycler's channels contribute, in SI units."""

    accuracy: SensorAccuracy
    current_offset_a: float
    current_step_a: float
    """Resolution of the current, A."""
    voltage_step_v: float

    def voltage_limit_v(self, voltage_v: float) -> float:
        """Limit of error of one voltage reading, V."""
        gain_v = voltage_v * self.accuracy.voltage_gain_ppm * 1e-6
        return gain_v + self.accuracy.voltage_offset_uv * 1e-6 + self.voltage_step_v / 2


@dataclass(frozen=True, slots=True)
class RateGroup:
    """The full discharges at one rate that enter a result, in order."""

    discharges: tuple[Discharge, ...]
    first: Discharge
    """The first of the measurement at this rate, whether it enters or not."""
    found: int
    """How many the measurement holds at this rate."""
    is_constant: bool
    starts: frozenset[str]
    """How the starts are known."""


def find_channels(measurement: Measurement, accuracy: SensorAccuracy) -> Channels:
    """Limits of error for this measurement's channels."""
    range_a = accuracy.current_range_a
    if range_a is None:
        range_a = float(abs(measurement.current_a).max())
    return Channels(
        accuracy.check(),
        range_a * accuracy.current_offset_ppm * 1e-6,
        measurement.current_step_a,
        measurement.voltage_step_v,
    )


def group_by_rate(discharges: Sequence[Discharge], judgements: Sequence[Judgement]) -> tuple[RateGroup, ...]:
    """Full discharges by rate, the lowest rate first."""
    groups: list[list[tuple[Discharge, Judgement]]] = []
    for discharge, judgement in zip(discharges, judgements, strict=True):
        if not judgement.is_full:
            continue
        for group in groups:
            first = group[0][0]
            if first.is_constant == discharge.is_constant and is_same_rate(first, discharge):
                group.append((discharge, judgement))
                break
        else:
            groups.append([(discharge, judgement)])
    groups.sort(key=lambda group: group[0][0].current_a)
    return tuple(
        RateGroup(
            tuple(discharge for discharge, _ in group[-USED_MAX:]),
            group[0][0],
            len(group),
            group[0][0].is_constant,
            frozenset(judgement.start for _, judgement in group[-USED_MAX:]),
        )
        for group in groups
    )


def capacity_result(
    measurement: Measurement, group: RateGroup, channels: Channels, window: Window, rated_mah: int | None
) -> Result:
    """Mean capacity of a rate's latest full discharges, mAh."""
    values = [one.capacity_ah * 1000 for one in group.discharges]
    parts = (*capacity_budget(group.discharges, channels, values), rounding())
    return Result(
        quantity="capacity",
        interval=interval(mean(values), parts),
        evidence_class=measurement.source.evidence_class,
        method=CAPACITY_METHOD,
        conditions=group_conditions(measurement, group, window, rated_mah),
        uncertainty=parts,
        caveats=group_caveats(measurement, group, channels),
    )


def energy_result(
    measurement: Measurement, group: RateGroup, channels: Channels, window: Window, rated_mah: int | None
) -> Result:
    """Mean energy of a rate's latest full discharges, mWh."""
    values = [one.energy_wh * 1000 for one in group.discharges]
    parts = (*energy_budget(group.discharges, channels, values), rounding())
    return Result(
        quantity="energy",
        interval=interval(mean(values), parts),
        evidence_class=measurement.source.evidence_class,
        method=ENERGY_METHOD,
        conditions=group_conditions(measurement, group, window, rated_mah),
        uncertainty=parts,
        caveats=group_caveats(measurement, group, channels),
    )


def capacity_budget(used: Sequence[Discharge], channels: Channels, values: Sequence[float]) -> list[Contribution]:
    """What makes the mean capacity of `used` uncertain, mAh; `values` are their capacities."""
    value = mean(values)
    accuracy, hours = channels.accuracy, mean([one.duration_s for one in used]) / SECONDS_PER_HOUR
    cut_off_mah = 1000 * mean([one.end_slope_ah_per_v * channels.voltage_limit_v(one.end_voltage_v) for one in used])
    sampling_mah = 1000 * mean([one.capacity_sampling_ah for one in used])
    return [
        limit("current gain", value * accuracy.current_gain_ppm * 1e-6, accuracy.basis),
        limit("current offset", 1000 * channels.current_offset_a * hours, accuracy.basis),
        limit("current resolution", 1000 * channels.current_step_a / 2 * hours, "smallest step in the file"),
        limit("cut-off voltage", cut_off_mah, f"error of the voltage at the end; {accuracy.basis}"),
        limit("time base", value * accuracy.time_ppm * 1e-6, accuracy.basis),
        limit("sampling", sampling_mah, "rectangles between samples, and a doubtful begin"),
        *_shared_budget(values, used),
    ]


def energy_budget(used: Sequence[Discharge], channels: Channels, values: Sequence[float]) -> list[Contribution]:
    """What makes the mean energy of `used` uncertain, mWh; `values` are their energies."""
    value = mean(values)
    accuracy, hours = channels.accuracy, mean([one.duration_s for one in used]) / SECONDS_PER_HOUR
    capacity_mah = 1000 * mean([one.capacity_ah for one in used])
    volts = value / capacity_mah
    cut_off_mwh = 1000 * mean(
        [one.end_slope_ah_per_v * one.end_voltage_v * channels.voltage_limit_v(one.end_voltage_v) for one in used]
    )
    voltage_mwh = capacity_mah * channels.voltage_limit_v(volts)
    sampling_mwh = 1000 * mean([one.energy_sampling_wh for one in used])
    resolution_mwh = 1000 * channels.current_step_a / 2 * hours * volts
    return [
        limit("current gain", value * accuracy.current_gain_ppm * 1e-6, accuracy.basis),
        limit("current offset", 1000 * channels.current_offset_a * hours * volts, accuracy.basis),
        limit("current resolution", resolution_mwh, "smallest step in the file"),
        limit("voltage", voltage_mwh, f"gain, offset and resolution; {accuracy.basis}"),
        limit("cut-off voltage", cut_off_mwh, f"error of the voltage at the end; {accuracy.basis}"),
        limit("time base", value * accuracy.time_ppm * 1e-6, accuracy.basis),
        limit("sampling", sampling_mwh, "rectangles between samples, and a doubtful begin"),
        *_shared_budget(values, used),
    ]


def _shared_budget(values: Sequence[float], used: Sequence[Discharge]) -> list[Contribution]:
    """Scatter, and the cycler's own counter where it disagrees."""
    parts = [repeatability(values, "full discharges")]
    off = [one.counted.disagreement for one in used if one.counted and _is_disagreeing(one)]
    if off:
        bound = max(off) * mean(values)
        parts.append(limit("cycler's own counter", bound, "its difference from the integral"))
    return [part for part in parts if part]


def _is_disagreeing(discharge: Discharge) -> bool:
    """Whether the cycler's counter, where it is usable, contradicts the integral."""
    counted = discharge.counted
    if counted is None or counted.back_row is not None:
        return False
    allowed = DISAGREEMENT_MAX + counted.resolution_ah / counted.integral_ah
    return counted.disagreement > allowed


def group_caveats(measurement: Measurement, group: RateGroup, channels: Channels) -> tuple[str, ...]:
    """What is to be minded about a result from a rate's full discharges."""
    used = group.discharges
    caveats = [f"accuracy of the cycler: {channels.accuracy.basis}"]
    if len(used) == 1:
        caveats.append("one full discharge only: how well it repeats is not known")
    if group.found > len(used):
        caveats.append(f"the latest {len(used)} of {group.found} full discharges at this rate")
    if not group.is_constant:
        caveats.append("the current varied during the discharge")
    if LIKE_LATER in group.starts:
        caveats.append(f"first discharge: {LIKE_LATER}")
    caveats += [sentence for one in used if (sentence := counter_sentence(one))]
    if all(one.temperature_c is None for one in used) and not _declared_temperature(measurement):
        caveats.append("the temperature is not stated")
    return tuple(caveats)


def counter_sentence(discharge: Discharge) -> str:
    """What is to be said about the cycler's own counter, or the empty string."""
    counted = discharge.counted
    if counted is None:
        return ""
    where = f"rows {discharge.first_row} to {discharge.last_row}"
    if counted.back_row is not None:
        return f"{where}: the cycler's own counter steps back at row {counted.back_row}, it confirms nothing"
    if not _is_disagreeing(discharge):
        return ""
    return (
        f"{where}: the cycler counted {counted.counter_ah:.6g} Ah, the integral of its current is"
        f" {counted.integral_ah:.6g} Ah ({counted.disagreement * 100:.2f} % apart)"
    )


def _declared_temperature(measurement: Measurement) -> str:
    return dict(measurement.source.declared).get("temperature_degc", "")


def temperature_conditions(measurement: Measurement, known: Sequence[float]) -> tuple[int | None, str]:
    """(1/1000 degC, who says so) from recorded temperatures, else from what is declared."""
    if known:
        return round(mean(known) * 1000), "recorded in the file"
    declared = _declared_temperature(measurement)
    return (int(declared) * 1000, "declared, not recorded") if declared else (None, "")


def group_conditions(measurement: Measurement, group: RateGroup, window: Window, rated_mah: int | None) -> Conditions:
    """Under which conditions a rate's full discharges were measured."""
    used = group.discharges
    current_ma = 1000 * mean([one.current_a for one in used])
    reference_mah = rated_mah or 1000 * mean([one.capacity_ah for one in used])
    known = [one.temperature_c for one in used if one.temperature_c is not None]
    temperature_mc, basis = temperature_conditions(measurement, known)
    return Conditions(
        averaged_over=len(used),
        first_row=used[0].first_row,
        last_row=used[-1].last_row,
        current_ua=round(1000 * current_ma),
        c_rate_permille=round(1000 * current_ma / reference_mah),
        c_rate_basis="rated capacity" if rated_mah else "measured capacity",
        temperature_mc=temperature_mc,
        temperature_basis=basis,
        soc_high_permille=1000,
        soc_low_permille=0,
        v_max_mv=round(window.v_max_v * 1000),
        v_min_mv=round(window.v_min_v * 1000),
    )
