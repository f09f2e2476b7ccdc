"""The ledger and the engine's built-in kvstore in turn, under the same load."""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import median

from benchmarks.bench import Bench
from benchmarks.consortium_load import Loaded, Pace, load
from benchmarks.consortium_sides import MEMBERS, Side, both_sides, taking_turn
from benchmarks.consortium_statements import Pairs, Sayings, prepare
from cellvow.node.cometbft.binary import find_engine

SIDES = (
    f"{MEMBERS} validators on this machine, the stock engine with the one profile; the kvstore is the engine's own, in "
    "its process, with transactions of the same lengths; both sides in turn, the other paused"
)
"""What every row of a contest says of its setting."""


@dataclass
class Loads:
    """The runs of both sides under one load."""

    ours: list[Loaded] = field(default_factory=list)
    theirs: list[Loaded] = field(default_factory=list)


class Contest:
    """Both sides, ready; what was said in one run is never said again."""

    def __init__(self, bench: Bench, ours: Side, theirs: Side) -> None:
        self.sayings = Sayings()
        self._bench = bench
        self._sides = (ours, theirs)
        self._pairs = Pairs()

    def prepare(self) -> None:
        """Register what the statements of all runs speak of."""
        ours, _ = self._sides
        with taking_turn(ours):
            prepare(ours, self.sayings)

    def run(self, draw: Callable[[], list[bytes]], pace: Pace, runs: int) -> Loads:
        """`runs` runs of each side, in turn; who begins changes. `draw` gives new statements for a pair of runs."""
        loads = Loads()
        for number in range(runs):
            statements = draw()
            ours = (self._sides[0], statements, loads.ours)
            theirs = (self._sides[1], self._pairs.alike(statements), loads.theirs)
            for side, transactions, results in (ours, theirs) if number % 2 == 0 else (theirs, ours):
                with taking_turn(side):
                    results.append(load(side, transactions, pace))
                self._bench.say(_in_words(side.plan.kind, results[-1]))
        return loads


@contextmanager
def open_contest(bench: Bench) -> Iterator[Contest]:
    """Start both sides; raises `OperationalError` where the engine is not on this machine."""
    program = find_engine(os.environ)
    bench.say("starting both sides")
    with both_sides(bench.folder("consortium"), program) as (ours, theirs):
        contest = Contest(bench, ours, theirs)
        contest.prepare()
        yield contest


def each(value: Callable[[Loaded], float], loads: Sequence[Loaded]) -> list[float]:
    """One figure of every run."""
    return [value(one) for one in loads]


def middle(value: Callable[[Loaded], float], loads: Sequence[Loaded]) -> float:
    """The median of one figure over the runs."""
    return median(each(value, loads))


def _in_words(kind: str, loaded: Loaded) -> str:
    return f"{kind}: {loaded.per_s:,.0f}/s, p50 {loaded.p50_ms:,.0f} ms, p95 {loaded.p95_ms:,.0f} ms"
