"""Resistance from current steps, by region of state of charge, with its uncertainty."""

from collections.abc import Sequence
from math import sqrt
from typing import NamedTuple

from cellvow.evidence.discharge_results import Channels, temperature_conditions
from cellvow.evidence.measurement import Measurement
from cellvow.evidence.resistance import Pulse
from cellvow.evidence.result import Conditions, Result
from cellvow.evidence.uncertainty import Contribution, interval, limit, mean, repeatability, rounding

METHOD = "voltage change 10 s after a current step from rest, over the step, version 1"
SAME_CURRENT = 0.05
"""Relative difference up to which two steps have one current."""
RESOLVED_STEPS = 10.0
"""A step is resolved when its current is at least this many resolutions of the channel ..."""
RESOLVED_VOLTS = 3.0
"""... and its voltage change at least this many."""


class Region(NamedTuple):
    """A stretch of states of charge, as parts of the charge between full and empty."""

    title: str
    low: float
    high: float


REGIONS = (Region("middle", 0.3, 0.7), Region("high", 0.7, 1.1), Region("low", -0.1, 0.3))
"""In the order of preference: the middle is flat, so that pulses there repeat each other."""
USED_MAX = 5
"""The latest pulses of a region that enter its mean."""


def is_resolved(pulse: Pulse, channels: Channels) -> bool:
    """Whether current and voltage of a step stand clear of the channels' resolution."""
    change_v = abs(pulse.voltage_v - pulse.rest_voltage_v)
    return (
        pulse.current_a >= RESOLVED_STEPS * channels.current_step_a
        and change_v >= RESOLVED_VOLTS * channels.voltage_step_v
        and pulse.resistance_ohm > 0
    )


def resistance_result(measurement: Measurement, pulses: Sequence[Pulse], channels: Channels) -> Result | None:
    """Mean resistance of the pulses that compare best, microohm; None where no pulse is resolved."""
    usable = _largest_group([pulse for pulse in pulses if is_resolved(pulse, channels)])
    if not usable:
        return None
    region, found = _region(usable)
    used = found[-USED_MAX:]
    values = [pulse.resistance_ohm * 1e6 for pulse in used]
    parts = _budget(used, channels, mean(values))
    parts += [part for part in (repeatability(values, "pulses"), rounding()) if part]
    return Result(
        "resistance_10s",
        interval(mean(values), parts),
        measurement.source.evidence_class,
        METHOD,
        _conditions(measurement, used),
        tuple(parts),
        _caveats(used, region, channels),
    )


def _largest_group(pulses: Sequence[Pulse]) -> list[Pulse]:
    """The pulses of one direction and current that are most; discharges first, then the larger current."""
    groups: list[list[Pulse]] = []
    for pulse in pulses:
        for group in groups:
            first = group[0]
            is_same = abs(first.current_a - pulse.current_a) <= SAME_CURRENT * max(first.current_a, pulse.current_a)
            if first.is_charge == pulse.is_charge and is_same:
                group.append(pulse)
                break
        else:
            groups.append([pulse])
    return max(groups, key=lambda g: (not g[0].is_charge, len(g), g[0].current_a), default=[])


def _region(pulses: list[Pulse]) -> tuple[Region | None, list[Pulse]]:
    known = [pulse for pulse in pulses if pulse.state_of_charge is not None]
    for region in REGIONS:
        inside = [p for p in known if region.low <= (p.state_of_charge or 0.0) < region.high]
        if inside:
            return region, inside
    return None, pulses


def _budget(used: Sequence[Pulse], channels: Channels, value: float) -> list[Contribution]:
    accuracy = channels.accuracy
    current_a = mean([pulse.current_a for pulse in used])
    reading_v = channels.voltage_step_v / 2
    return [
        limit("voltage gain", value * accuracy.voltage_gain_ppm * 1e-6, accuracy.basis),
        limit("voltage resolution", sqrt(2) * reading_v / current_a * 1e6, "two readings, smallest step"),
        limit("current gain", value * accuracy.current_gain_ppm * 1e-6, accuracy.basis),
        limit("current resolution", value * channels.current_step_a / 2 / current_a, "smallest step"),
        limit("sampling", 1e6 * mean([p.timing_ohm for p in used]), "when exactly the step began"),
        limit("relaxation", 1e6 * mean([p.relaxation_ohm for p in used]), "drift of the rest before"),
    ]


def _caveats(used: Sequence[Pulse], region: Region | None, channels: Channels) -> tuple[str, ...]:
    caveats = [f"accuracy of the cycler: {channels.accuracy.basis}; offsets cancel in a difference"]
    if region is None:
        low, high = min(p.rest_voltage_v for p in used), max(p.rest_voltage_v for p in used)
        caveats.append(f"the state of charge is not known; rest voltages {low:.3f} V to {high:.3f} V")
    else:
        caveats.append(f"{region.title} states of charge; resistance differs elsewhere")
    if used[0].is_charge:
        caveats.append("from charging pulses")
    if len(used) == 1:
        caveats.append("one pulse only: how well it repeats is not known")
    return tuple(caveats)


def _conditions(measurement: Measurement, used: Sequence[Pulse]) -> Conditions:
    known = [pulse.temperature_c for pulse in used if pulse.temperature_c is not None]
    temperature_mc, basis = temperature_conditions(measurement, known)
    charges = [pulse.state_of_charge for pulse in used if pulse.state_of_charge is not None]
    return Conditions(
        averaged_over=len(used),
        first_row=used[0].row,
        last_row=used[-1].row,
        current_ua=round(1e6 * mean([pulse.current_a for pulse in used])),
        temperature_mc=temperature_mc,
        temperature_basis=basis,
        soc_high_permille=_permille(max(charges)) if charges else None,
        soc_low_permille=_permille(min(charges)) if charges else None,
    )


def _permille(part: float) -> int:
    return min(max(round(1000 * part), 0), 1000)
