"""Which discharges are full: from a full charge, without a break, down to the cut-off."""

from dataclasses import dataclass

from cellvow.evidence.discharge import Discharge
from cellvow.evidence.measurement import CHARGE, DISCHARGE, Measurement
from cellvow.evidence.runs import Run, charge_ah
from cellvow.evidence.window import Window, is_full_charge

USED_BEFORE_MAX = 0.01
"""Part of its capacity that may have been taken between the full charge and the discharge."""
GAP_FRACTION_MAX = 0.10
"""Part of a discharge that may pass without a row."""
SAME_RATE = 0.05
"""Relative difference up to which two currents are one rate."""
LIKE_START_FRACTION = 0.02
"""Part of the window by which the start of a first discharge may differ from later full ones."""

CHARGED = "charged fully in this file"
LIKE_LATER = "not charged in this file; starts like its later full discharges"


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a discharge is full, how its start is known, or why it is not."""

    is_full: bool
    start: str
    """How it is known that the cell was full: `CHARGED` or `LIKE_LATER`; empty if it is not full."""
    reason: str
    """Why it is not full, in plain words; empty if it is."""


def judge_discharges(
    measurement: Measurement, runs: tuple[Run, ...], discharges: tuple[Discharge, ...], window: Window
) -> tuple[Judgement, ...]:
    """One judgement for each discharge, in order."""
    used = _used_before(measurement, runs, window)
    judged = [_judge(one, used[one.run.first], window) for one in discharges]
    if discharges and not judged[0].is_full and _opens_the_file(runs, discharges[0]):
        pattern = [one for one, verdict in zip(discharges, judged, strict=True) if verdict.is_full]
        judged[0] = _judge_first(discharges[0], judged[0], pattern, window)
    return tuple(judged)


def is_same_rate(one: Discharge, other: Discharge) -> bool:
    """Whether two discharges ran at one rate."""
    return abs(one.current_a - other.current_a) <= SAME_RATE * max(one.current_a, other.current_a)


def _used_before(measurement: Measurement, runs: tuple[Run, ...], window: Window) -> dict[int, float | None]:
    """First index of each discharging run -> Ah taken since the last full charge, None where there is none."""
    used: dict[int, float | None] = {}
    since: float | None = None
    for run in runs:
        if run.phase == DISCHARGE:
            used[run.first] = since
        if is_full_charge(measurement, run, window):
            since = 0.0
        elif run.phase in (CHARGE, DISCHARGE) and since is not None:
            since -= charge_ah(measurement, run)
    return used


def _judge(discharge: Discharge, used_ah: float | None, window: Window) -> Judgement:
    reason = _end_problem(discharge, window)
    if not reason and used_ah is None:
        reason = "no full charge comes before it"
    elif not reason and used_ah is not None and used_ah > USED_BEFORE_MAX * discharge.capacity_ah:
        reason = f"{used_ah:.3g} Ah had been taken since the last full charge"
    return Judgement(not reason, "" if reason else CHARGED, reason)


def _end_problem(discharge: Discharge, window: Window) -> str:
    if window.doubt:
        return window.doubt
    if not window.is_bottom(discharge.end_voltage_v):
        return f"it ends at {discharge.end_voltage_v:.3f} V, above the cut-off of {window.v_min_v:.3f} V"
    if discharge.run.begins_before_file:
        return "it begins before the file does"
    if discharge.longest_gap_s > GAP_FRACTION_MAX * discharge.duration_s:
        return f"{discharge.longest_gap_s:.4g} s of it pass without a row"
    return ""


def _opens_the_file(runs: tuple[Run, ...], discharge: Discharge) -> bool:
    before = [run for run in runs if run.last < discharge.run.first]
    return all(run.phase not in (CHARGE, DISCHARGE) for run in before)


def _judge_first(first: Discharge, verdict: Judgement, pattern: list[Discharge], window: Window) -> Judgement:
    if _end_problem(first, window):
        return verdict
    alike = [other for other in pattern if is_same_rate(first, other)]
    allowed_v = LIKE_START_FRACTION * (window.v_max_v - window.v_min_v)
    if alike and all(abs(first.compared_voltage_v - o.compared_voltage_v) <= allowed_v for o in alike):
        return Judgement(True, LIKE_LATER, "")
    return verdict
