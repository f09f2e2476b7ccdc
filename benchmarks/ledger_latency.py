"""`ledger.latency_p95`: how long one signed event waits for its durable answer at half the load that saturates."""

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench
from benchmarks.ledger_single import seconds_to_commit
from benchmarks.ledgers import clock_ms
from benchmarks.measured import Found, Part, at_most, ratio_of, spread_of
from benchmarks.members import life_events
from benchmarks.sampling import percentile, seconds
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession

NAME = "ledger.latency_p95"
SYNCS = 100
PAGE = bytes(4_096)
FSYNCS_ALLOWED = 3


@dataclass(frozen=True, slots=True)
class Answer:
    """When an event was due and when its answer came, in seconds, and the block it came with."""

    due_s: float
    answered_s: float
    height: int


def measure(bench: Bench) -> list[Found]:
    """The row: an open loop, so an event that waits does not delay those after it; waiting counts from its due time."""
    filled, count = bench.filled(), bench.size(4_000, 400)
    _, maker = filled.copy(bench.folder("latency"))
    warm = maker.singles(life_events(filled.batteries, count))
    rate = count / seconds_to_commit(filled.copy(bench.folder("latency"))[0], warm) / 2
    p95s: list[float] = []
    limits: list[float] = []
    intervals: list[float] = []
    syncs: list[float] = []
    for _ in range(bench.runs):
        home, maker = filled.copy(bench.folder("latency"))
        statements = maker.singles(life_events(filled.batteries, count))
        syncs.append(percentile(sync_seconds(home.folder), 0.95))
        with home.open_session(clock_ms) as session:
            answers = _drive(session, statements, rate)
        intervals.append(block_interval_s(answers))
        limits.append(intervals[-1] + FSYNCS_ALLOWED * syncs[-1])
        p95s.append(percentile([one.answered_s - one.due_s for one in answers], 0.95))
        bench.say(f"p95 {1e3 * p95s[-1]:.1f} ms, allowed {1e3 * limits[-1]:.1f} ms")
    ratio = ratio_of(p95s, limits)
    milliseconds = [1e3 * one for one in p95s]
    return [
        Found(
            name=NAME,
            value=median(milliseconds),
            unit="ms",
            n=bench.runs,
            spread=spread_of(milliseconds),
            ratio=ratio,
            bound=Part("block interval + 3 fsync p95", 1e3 * median(limits), "ms"),
            parts=(
                Part("block interval, median", 1e3 * median(intervals), "ms"),
                Part("fsync of 4 kB in the same folder, p95", 1e3 * median(syncs), "ms"),
                Part("load", rate, "events/s"),
            ),
            goals=(at_most("ratio", ratio, 1),),
            setting=(
                f"{count:,} events a run, each signed on its own, sent at half of the rate that this run reached when "
                "saturated; from the moment an event was due until its answer"
            ),
        )
    ]


def sync_seconds(folder: Path) -> list[float]:
    """How long each of some appended pages took to reach the disk."""
    path = folder / "sync.probe"
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        return [seconds(lambda: _append(descriptor)) for _ in range(SYNCS)]
    finally:
        os.close(descriptor)
        path.unlink()


def block_interval_s(answers: Sequence[Answer]) -> float:
    """Median time between the first answers of successive blocks; 0 where there is only one block."""
    first: dict[int, float] = {}
    for one in answers:
        first[one.height] = min(one.answered_s, first.get(one.height, one.answered_s))
    gaps = [later - earlier for earlier, later in pairwise(sorted(first.values()))]
    return median(gaps) if gaps else 0.0


def _append(descriptor: int) -> None:
    os.write(descriptor, PAGE)
    os.fsync(descriptor)


def _noting(answered: dict[int, float], number: int) -> Callable[[Future[Receipted]], None]:
    def note(_: Future[Receipted]) -> None:
        answered[number] = time.perf_counter()

    return note


def _drive(session: LedgerSession, statements: Sequence[bytes], rate: float) -> list[Answer]:
    """Send statement k at k / rate seconds whatever became of those before it."""
    sent = []
    answered: dict[int, float] = {}
    start = time.perf_counter() + 0.05
    for number, data in enumerate(statements):
        due = start + number / rate
        wait = due - time.perf_counter()
        if wait > 0:
            time.sleep(wait)
        future = session.submit(data)
        future.add_done_callback(_noting(answered, number))
        sent.append((due, future))
    results: list[tuple[float, Receipted]] = [(due, future.result()) for due, future in sent]
    # The callback of the last may run just after its result is seen.
    end = time.perf_counter()
    return [Answer(due, answered.get(number, end), got.height) for number, (due, got) in enumerate(results)]
