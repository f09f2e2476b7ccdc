"""`consortium.saturation`, `.bodies`, `.anchors`: as much as four members on this machine can carry."""

import os
from dataclasses import dataclass
from statistics import median

from benchmarks.bench import Bench
from benchmarks.consortium_contest import SIDES, Contest, Loads, each, middle, open_contest
from benchmarks.consortium_load import Loaded, Pace
from benchmarks.consortium_sides import MEMBERS
from benchmarks.measured import Found, Part, at_least, ratio_of, spread_of
from cellvow.core.primitives.limits import BATCH_MESSAGES_MAX

SATURATION, BODIES, ANCHORS = "consortium.saturation", "consortium.bodies", "consortium.anchors"
SATURATION_MIN, BODIES_MIN, ANCHORS_PER_S_MIN = 0.85, 0.8, 10_000
SINGLES_WAITING, BATCHES_WAITING = 2_000, 16
"""Transactions under way at once."""
RUNS = 3


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What the bound of saturation rests on: processor seconds, and how many cores there are for them."""

    application_s: float
    """Of one transaction in one member's application, signature check included."""
    kvstore_s: float
    """Of one transaction in all engines that hold the kvstore."""
    cores: int

    @property
    def message_us(self) -> float:
        """Of one message of a whole batch in one member's application, in microseconds."""
        return 1e6 * self.application_s / BATCH_MESSAGES_MAX

    @property
    def per_s(self) -> float:
        """Transactions a second if all cores did nothing else."""
        return self.cores / (MEMBERS * self.application_s + self.kvstore_s)


def measure(bench: Bench) -> list[Found]:
    """Three rows from one contest."""
    runs = min(RUNS, bench.runs)
    with open_contest(bench) as contest:
        return [_saturation(bench, contest, runs), _bodies(bench, contest, runs), _anchors(bench, contest, runs)]


def derive_ceiling(loads: Loads) -> Ceiling:
    """The medians of what both sides spent."""
    return Ceiling(
        application_s=middle(lambda one: one.cpu.applications_s / len(one.dues_s), loads.ours) / MEMBERS,
        kvstore_s=middle(lambda one: one.cpu.engines_s / len(one.dues_s), loads.theirs),
        cores=os.cpu_count() or 1,
    )


def _saturation(bench: Bench, contest: Contest, runs: int) -> Found:
    count = bench.size(6_000, 600)
    loads = contest.run(lambda: contest.sayings.singles(count), Pace(0, SINGLES_WAITING), runs)
    ours, theirs, ceiling = each(_per_s, loads.ours), each(_per_s, loads.theirs), derive_ceiling(loads)
    bound = min(median(theirs), ceiling.per_s)
    ratio = median(ours) / bound
    return Found(
        name=SATURATION,
        value=median(ours),
        unit="tx/s",
        n=runs,
        spread=spread_of(ours),
        ratio=ratio,
        bound=Part("the lower of the kvstore's rate and what the cores allow", bound, "tx/s"),
        parts=(
            Part("the engine's kvstore", median(theirs), "tx/s"),
            Part(
                f"{ceiling.cores} cores / ({MEMBERS} x one application + the kvstore's engines)", ceiling.per_s, "tx/s"
            ),
            Part("one application, processor time of a transaction", 1e6 * ceiling.application_s, "us"),
            Part("all engines of the kvstore, processor time of a transaction", 1e6 * ceiling.kvstore_s, "us"),
            Part("all engines of the ledger, processor time of a transaction", 1e6 * _engines_s(loads), "us"),
        ),
        goals=(at_least("ratio", ratio, SATURATION_MIN),),
        setting=f"{count:,} statements of one message a run, {SINGLES_WAITING:,} under way at once; {SIDES}",
    )


def _bodies(bench: Bench, contest: Contest, runs: int) -> Found:
    count = bench.size(48, 6)
    size = 0

    def draw() -> list[bytes]:
        nonlocal size
        statements = contest.sayings.bodies(count)
        size = sum(map(len, statements)) // count
        return statements

    loads = contest.run(draw, Pace(0, BATCHES_WAITING), runs)
    ours, theirs = ([size * one / 1e6 for one in each(_per_s, side)] for side in (loads.ours, loads.theirs))
    ratio, ceiling = ratio_of(ours, theirs), derive_ceiling(loads)
    return Found(
        name=BODIES,
        value=median(ours),
        unit="MB/s",
        n=runs,
        spread=spread_of(ours),
        ratio=ratio,
        peer=Part("the engine's kvstore", median(theirs), "MB/s"),
        parts=(
            Part("messages", 1e6 * median(ours) / size * BATCH_MESSAGES_MAX, "messages/s"),
            Part("one transaction", size / 1e3, "kB"),
            *_costs_of_batches(ceiling, size),
            Part("p95 until committed, ledger", middle(lambda one: one.p95_ms, loads.ours), "ms"),
            Part("p95 until committed, kvstore", middle(lambda one: one.p95_ms, loads.theirs), "ms"),
        ),
        goals=(at_least("ratio", ratio, BODIES_MIN),),
        setting=(
            f"{count} batches of {BATCH_MESSAGES_MAX} declared values of about 800 bytes a run, {BATCHES_WAITING} "
            f"under way at once; {SIDES}"
        ),
    )


def _anchors(bench: Bench, contest: Contest, runs: int) -> Found:
    count = bench.size(64, 6)
    loads = contest.run(lambda: contest.sayings.anchors(count), Pace(0, BATCHES_WAITING), runs)
    ours, theirs = ([BATCH_MESSAGES_MAX * one for one in each(_per_s, side)] for side in (loads.ours, loads.theirs))
    rate, ceiling = median(ours), derive_ceiling(loads)
    return Found(
        name=ANCHORS,
        value=rate,
        unit="messages/s",
        n=runs,
        spread=spread_of(ours),
        ratio=ratio_of(ours, theirs),
        peer=Part("the engine's kvstore, as many bytes", median(theirs), "messages/s"),
        parts=(
            Part(
                f"{ceiling.cores} cores / ({MEMBERS} x one application + the kvstore's engines)",
                BATCH_MESSAGES_MAX * ceiling.per_s,
                "messages/s",
            ),
            Part(
                "one application, processor time of a message", 1e6 * ceiling.application_s / BATCH_MESSAGES_MAX, "us"
            ),
            Part("p95 until committed", middle(lambda one: one.p95_ms, loads.ours), "ms"),
        ),
        goals=(at_least("messages/s", rate, ANCHORS_PER_S_MIN),),
        setting=(
            f"{count} batches of {BATCH_MESSAGES_MAX} anchors a run, {BATCHES_WAITING} under way at once: what a "
            f"consortium orders when bodies stay beside the chain; {SIDES}"
        ),
    )


def _costs_of_batches(ceiling: Ceiling, size: int) -> tuple[Part, Part]:
    return (
        Part(
            f"{ceiling.cores} cores / ({MEMBERS} x one application + the kvstore's engines)",
            size * ceiling.per_s / 1e6,
            "MB/s",
        ),
        Part("one application, processor time of a message", ceiling.message_us, "us"),
    )


def _per_s(loaded: Loaded) -> float:
    return loaded.per_s


def _engines_s(loads: Loads) -> float:
    return middle(lambda one: one.cpu.engines_s / len(one.dues_s), loads.ours)
