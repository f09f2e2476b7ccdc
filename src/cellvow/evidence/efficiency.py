"""Coulombic efficiency: what a full discharge gave back of the charge that was put in since the full one before."""

from itertools import pairwise
from math import fsum
from typing import NamedTuple

import numpy as np

from cellvow.evidence.discharge import Discharge
from cellvow.evidence.discharge_results import USED_MAX, Channels, temperature_conditions
from cellvow.evidence.fullness import Judgement, is_same_rate
from cellvow.evidence.measurement import CHARGE, DISCHARGE, Measurement
from cellvow.evidence.result import Conditions, Result, Undetermined
from cellvow.evidence.runs import SECONDS_PER_HOUR, Run, charge_ah, elapsed_s
from cellvow.evidence.uncertainty import Contribution, interval, limit, mean, repeatability, rounding

QUANTITY = "coulombic_efficiency"
METHOD = "charge of full discharges over the charge put in since the full discharge before, version 1"
DRAINED_MAX = 0.001
"""Part of a discharge that may be taken between the two full ones beside them."""
_PPM = 1_000_000


class FullCycle(NamedTuple):
    """From empty to full to empty again."""

    discharge: Discharge
    charged_ah: float
    charge_s: float
    """Time during which it was charged, s."""
    charge_sampling_ah: float

    @property
    def efficiency(self) -> float:
        """Charge given back, as a part of the charge put in."""
        return self.discharge.capacity_ah / self.charged_ah

    @property
    def hours_per_ah(self) -> float:
        """What one ampere of offset changes, as a part of the efficiency."""
        charging = self.charge_s / self.charged_ah
        return (charging + self.discharge.duration_s / self.discharge.capacity_ah) / SECONDS_PER_HOUR


def find_cycles(
    measurement: Measurement,
    runs: tuple[Run, ...],
    discharges: tuple[Discharge, ...],
    judgements: tuple[Judgement, ...],
) -> tuple[FullCycle, ...]:
    """Every full discharge that follows another full one at its rate, with the charge between."""
    full = [one for one, judgement in zip(discharges, judgements, strict=True) if judgement.is_full]
    found = [
        _cycle(measurement, runs, before, after) for before, after in pairwise(full) if is_same_rate(before, after)
    ]
    return tuple(one for one in found if one)


def efficiency_result(
    measurement: Measurement, cycles: tuple[FullCycle, ...], channels: Channels
) -> Result | Undetermined:
    """Mean efficiency of the latest cycles at the rate of the last one, ppm."""
    if not cycles:
        reason = "it needs two full discharges at one rate that follow each other, with nothing but charges between"
        return Undetermined(QUANTITY, reason)
    used = [one for one in cycles if is_same_rate(one.discharge, cycles[-1].discharge)][-USED_MAX:]
    values = [one.efficiency * _PPM for one in used]
    parts = (*_budget(used, channels, values), rounding())
    return Result(
        QUANTITY,
        interval(mean(values), parts),
        measurement.source.evidence_class,
        METHOD,
        _conditions(measurement, used),
        parts,
        _caveats(used, channels),
    )


def _cycle(measurement: Measurement, runs: tuple[Run, ...], before: Discharge, after: Discharge) -> FullCycle | None:
    between = [run for run in runs if before.run.last < run.first and run.last < after.run.first]
    drained_ah = -fsum(charge_ah(measurement, run) for run in between if run.phase == DISCHARGE)
    charges = [run for run in between if run.phase == CHARGE]
    charged_ah = fsum(charge_ah(measurement, run) for run in charges)
    if charged_ah <= 0 or drained_ah > DRAINED_MAX * after.capacity_ah:
        return None
    seconds = fsum(float(elapsed_s(measurement, run)[-1]) for run in charges)
    doubt_ah = fsum(run.onset_doubt_s * abs(float(measurement.current_a[run.first])) for run in charges)
    sampling_ah = fsum(_sampling_as(measurement, run) for run in charges) + doubt_ah
    return FullCycle(after, charged_ah, seconds, sampling_ah / SECONDS_PER_HOUR)


def _sampling_as(measurement: Measurement, run: Run) -> float:
    """Bound of what lies between the samples of a charge, A s."""
    current_a, t_s = measurement.current_a[run.rows()], measurement.t_s[run.rows()]
    return fsum((np.abs(np.diff(current_a)) * np.diff(t_s) / 2).tolist())


def _budget(used: list[FullCycle], channels: Channels, values: list[float]) -> list[Contribution]:
    value, accuracy = mean(values), channels.accuracy
    # An offset adds to the charge and takes from the discharge: both parts act in one direction.
    hours_per_ah = mean([one.hours_per_ah for one in used])
    sampling = mean(
        [
            one.charge_sampling_ah / one.charged_ah + one.discharge.capacity_sampling_ah / one.discharge.capacity_ah
            for one in used
        ]
    )
    gain = value * accuracy.current_gain_ppm * 1e-6
    parts = [
        limit("current gain, charging", gain, accuracy.basis),
        limit("current gain, discharging", gain, accuracy.basis),
        limit("current offset", value * channels.current_offset_a * hours_per_ah, accuracy.basis),
        limit("current resolution", value * channels.current_step_a / 2 * hours_per_ah, "smallest step in the file"),
        limit("sampling", value * sampling, "rectangles between samples, and doubtful begins"),
        repeatability(values, "cycles"),
    ]
    return [part for part in parts if part]


def _conditions(measurement: Measurement, used: list[FullCycle]) -> Conditions:
    known = [one.discharge.temperature_c for one in used if one.discharge.temperature_c is not None]
    temperature_mc, basis = temperature_conditions(measurement, known)
    return Conditions(
        averaged_over=len(used),
        first_row=used[0].discharge.first_row,
        last_row=used[-1].discharge.last_row,
        current_ua=round(1e6 * mean([one.discharge.current_a for one in used])),
        temperature_mc=temperature_mc,
        temperature_basis=basis,
        soc_high_permille=1000,
        soc_low_permille=0,
    )


def _caveats(used: list[FullCycle], channels: Channels) -> tuple[str, ...]:
    caveats = [
        f"accuracy of the cycler: {channels.accuracy.basis}",
        "charging and discharging are taken to have gains of their own: what the cycler has in common is not deducted",
    ]
    if len(used) == 1:
        caveats.append("one cycle only: how well it repeats is not known")
    return tuple(caveats)
