"""Numbers from runs: medians, spreads and percentiles, and turns taken so that drift of the machine hits both sides."""

import time
from collections.abc import Callable, Sequence
from statistics import median

RUNS = 5
"""Runs of each side; the median of fewer says little."""

Run = Callable[[], float]


def alternate(subject: Run, yardstick: Run, runs: int = RUNS) -> tuple[list[float], list[float]]:
    """Results of `runs` runs of both, in turn; who begins changes with every pair."""
    ours: list[float] = []
    theirs: list[float] = []
    for number in range(runs):
        sides = ((subject, ours), (yardstick, theirs))
        for run, results in sides if number % 2 == 0 else reversed(sides):
            results.append(run())
    return ours, theirs


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least `share` (above 0, at most 1) of all values do not exceed (nearest rank)."""
    if not values or not 0 < share <= 1:
        raise ValueError("a percentile needs values, and a share above 0 and at most 1")
    ordered = sorted(values)
    rank = -int(-share * len(ordered) // 1)
    return ordered[max(rank, 1) - 1]


def seconds(work: Callable[[], object]) -> float:
    """How long the work takes, in wall time."""
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def cpu_seconds(work: Callable[[], object]) -> float:
    """How much processor time the work takes in all threads of this process; waiting for the disk is none."""
    start = time.process_time()
    work()
    return time.process_time() - start


def seconds_each(work: Callable[[], object], times: int) -> float:
    """Median wall time of one of `times` repetitions."""
    return median(seconds(work) for _ in range(times))
