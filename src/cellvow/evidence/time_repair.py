"""Time that steps backwards, repaired by one conservative rule, and said so with every result.

1. One row whose time is below that of the row before, while the next row goes on at or above it: the clock of that
   one row is lost, and the row is left out.
2. The clock begins anew (its time is at most the last step forward): it is continued from the row before by that
   last step forward, and so are all rows after it.
3. Anything else stays refused.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cellvow.evidence.measurement import Floats
from cellvow.evidence.recorded import Recorded, check_values
from cellvow.evidence.refusal import refuse_field

ESTIMATED = "estimated"
"""Evidence class of what was computed from repaired time."""


class Repair(NamedTuple):
    """Columns with a time that only grows."""

    recorded: Recorded
    kept: NDArray[np.bool_]
    """Which of the rows as read are still there."""
    sentence: str
    """What was done, for a person; empty where nothing was."""


def repair_time(name: str, recorded: Recorded) -> Repair:
    """The columns with their time repaired; raises `Malformed` where no rule applies."""
    check_values(name, recorded)
    t_s = recorded.channels["t_s"]
    kept = np.ones(len(t_s), dtype=np.bool_)
    if not (np.diff(t_s) < 0).any():
        return Repair(recorded, kept, "")
    kept[_lost(t_s)] = False
    remaining = recorded.select(kept)
    continued, restarts = _continue(name, remaining)
    channels = {**remaining.channels, "t_s": continued}
    rows_out = recorded.row[~kept].tolist()
    sentence = _sentence(rows_out, remaining.row[restarts].tolist())
    return Repair(Recorded(remaining.layout, remaining.row, channels, remaining.words, remaining.steps), kept, sentence)


def _lost(t_s: Floats) -> list[int]:
    """Rows of rule 1."""
    back = (np.flatnonzero(np.diff(t_s) < 0) + 1).tolist()
    return [index for index in back if index + 1 < len(t_s) and t_s[index + 1] >= t_s[index - 1]]


def _continue(name: str, recorded: Recorded) -> tuple[Floats, list[int]]:
    """(time with every new beginning continued, rows of rule 2)."""
    t_s = recorded.channels["t_s"]
    steps = np.diff(t_s)
    restarts = (np.flatnonzero(steps < 0) + 1).tolist()
    # Index of the latest step forward up to each row, -1 before the first.
    latest = np.maximum.accumulate(np.where(steps > 0, np.arange(len(steps)), -1))
    jumps = np.zeros(len(t_s))
    for index in restarts:
        step = int(latest[index - 1])
        forward = float(steps[step]) if step >= 0 else 0.0
        if not 0 <= t_s[index] <= forward:
            refuse_field(
                (name, int(recorded.row[index]), recorded.layout.label("t_s")),
                f"time steps backwards to {t_s[index]:.10g} s, neither in one row alone nor to a new beginning",
                "it cannot be repaired: export the test again",
            )
        jumps[index] = t_s[index - 1] + forward - t_s[index]
    return t_s + np.cumsum(jumps), restarts


def _sentence(left_out: list[int], restarts: list[int]) -> str:
    parts = []
    if left_out:
        parts.append(f"{len(left_out)} row(s) whose clock stepped back are left out, the first is row {left_out[0]}")
    if restarts:
        parts.append(
            f"{len(restarts)} new beginning(s) of the clock are continued by the last step forward, the first at"
            f" row {restarts[0]}"
        )
    return f"time was repaired at {len(left_out) + len(restarts)} row(s): {'; '.join(parts)}"
