"""`consortium.throughput_*`, `consortium.p95_*`: an even load, carried as the bare engine carries it?"""

from statistics import median

from benchmarks.bench import Bench
from benchmarks.consortium_contest import SIDES, Loads, each, middle, open_contest
from benchmarks.consortium_load import Loaded, Pace
from benchmarks.measured import Found, Goal, Part, at_most, ratio_of, spread_of

THROUGHPUT_500, P95_500 = "consortium.throughput_500", "consortium.p95_500"
THROUGHPUT_200, P95_200 = "consortium.throughput_200", "consortium.p95_200"
RATES = ((500, 4.0), (200, 4.0))
"""Transactions a second, and for how many seconds."""
P95_RATIO_MAX = 1.3
CARRIED_MIN = 0.995
"""A ratio that reads 1.00."""


def measure(bench: Bench) -> list[Found]:
    """Two rows for each rate."""
    rows: list[Found] = []
    with open_contest(bench) as contest:
        for per_s, lasting_s in RATES:
            count = bench.size(int(per_s * lasting_s), per_s)
            loads = contest.run(lambda count=count: contest.sayings.singles(count), Pace(per_s), bench.runs)  # type: ignore[misc]  # bound now
            setting = f"{count:,} statements of one message a run, {per_s} offered a second, evenly; {SIDES}"
            rows += [_throughput(f"consortium.throughput_{per_s}", per_s, loads, setting)]
            rows += [_p95(f"consortium.p95_{per_s}", loads, setting)]
    return rows


def _throughput(name: str, per_s: int, loads: Loads, setting: str) -> Found:
    def carried(loaded: Loaded) -> float:
        return per_s * loaded.carried_share

    ours, theirs = each(carried, loads.ours), each(carried, loads.theirs)
    ratio = ratio_of(ours, theirs)
    return Found(
        name=name,
        value=median(ours),
        unit="tx/s",
        n=len(ours),
        spread=spread_of(ours),
        ratio=ratio,
        peer=Part("the engine's kvstore", median(theirs), "tx/s"),
        goals=(Goal("ratio 1.00", ratio >= CARRIED_MIN),),
        setting=f"{setting}; the rate is that of a line through all pairs of due and committed",
    )


def _p95(name: str, loads: Loads, setting: str) -> Found:
    ours, theirs = each(lambda one: one.p95_ms, loads.ours), each(lambda one: one.p95_ms, loads.theirs)
    ratio = ratio_of(ours, theirs)
    parts = []
    for title, runs in (("ledger", loads.ours), ("kvstore", loads.theirs)):
        parts += [
            Part(f"median, {title}", middle(lambda one: one.p50_ms, runs), "ms"),
            Part(f"from block to block, {title}", middle(lambda one: one.interval_ms, runs), "ms"),
            Part(f"processor time of a transaction on all members, {title}", middle(_cpu_ms, runs), "ms"),
        ]
    return Found(
        name=name,
        value=median(ours),
        unit="ms",
        n=len(ours),
        spread=spread_of(ours),
        ratio=ratio,
        peer=Part("the engine's kvstore", median(theirs), "ms"),
        parts=tuple(parts),
        goals=(at_most("ratio", ratio, P95_RATIO_MAX),),
        setting=f"{setting}; from when a statement was due until the engine told that its block was committed",
    )


def _cpu_ms(loaded: Loaded) -> float:
    return loaded.cpu_ms_each
