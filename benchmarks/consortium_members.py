"""`consortium.members`, `consortium.energy`: what an event costs all members, in time and in energy."""

import os
from dataclasses import dataclass, field
from statistics import median

from benchmarks.bench import Bench
from benchmarks.consortium_load import Loaded, Pace, load
from benchmarks.consortium_sides import LEDGER, MEMBERS, Plan, Side
from benchmarks.consortium_statements import Sayings, prepare
from benchmarks.measured import Found, Part, spread_of
from cellvow.core.primitives.limits import BATCH_MESSAGES_MAX
from cellvow.node.cometbft.binary import EngineProgram, find_engine

COST, ENERGY = "consortium.members", "consortium.energy"
COUNTS = (1, MEMBERS, 7)
PER_S = 100
"""Offered to each of these consortia alike: little enough that seven members on two cores are not late."""
RUNS = 3
CORE_W = 10.0
"""Declared, not measured: power of one busy core of a server, with its share of memory, losses and cooling.

AMD states 280 W for its EPYC 7763 of 64 cores (4.4 W a core, product page); we take a little more than double.
"""
PROOF_OF_WORK_KWH = 397.0
"""Declared by its source, the lowest monthly mean we found: electricity of the Bitcoin network for each transaction.

<https://digiconomist.net/bitcoin-sustainability-report-01-2018>, January 2018. The network's use does not depend on
how many transactions it carries, so this is a share and no marginal cost.
"""
_J_PER_KWH = 3.6e6


@dataclass
class Cost:
    """Processor seconds of an event in all members together, by run."""

    singles_s: list[float] = field(default_factory=list)
    batched_s: list[float] = field(default_factory=list)


def measure(bench: Bench) -> list[Found]:
    """Both rows from the same consortia of 1, 4 and 7 members."""
    program, runs = find_engine(os.environ), min(RUNS, bench.runs)
    costs = {count: _cost(bench, program, count, runs) for count in COUNTS}
    return [_members(costs, runs), _energy(costs[MEMBERS], runs)]


def _cost(bench: Bench, program: EngineProgram, members: int, runs: int) -> Cost:
    singles, batches = bench.size(4 * PER_S, PER_S), bench.size(16, 4)
    sayings, cost = Sayings(), Cost()
    with Side(bench.folder("members"), program, Plan(LEDGER, members)) as side:
        prepare(side, sayings)
        for _ in range(runs):
            cost.singles_s.append(_each(load(side, sayings.singles(singles), Pace(PER_S))))
            batched = load(side, sayings.anchors(batches), Pace(0, batches))
            cost.batched_s.append(_each(batched) / BATCH_MESSAGES_MAX)
            bench.say(f"{members} members: {1e3 * cost.singles_s[-1]:.2f} ms of processor time an event")
    return cost


def _members(costs: dict[int, Cost], runs: int) -> Found:
    ours = [1e3 * one for one in costs[MEMBERS].singles_s]
    alone = 1e3 * MEMBERS * median(costs[1].singles_s)
    parts = []
    for count, cost in costs.items():
        parts.append(Part(f"an event signed on its own, {count} members", 1e3 * median(cost.singles_s), "ms"))
        parts.append(
            Part(f"one of {BATCH_MESSAGES_MAX} in a batch, {count} members", 1e3 * median(cost.batched_s), "ms")
        )
    return Found(
        name=COST,
        value=median(ours),
        unit="ms",
        n=runs,
        spread=spread_of(ours),
        ratio=median(ours) / alone,
        peer=Part(f"{MEMBERS} times a consortium of one member", alone, "ms"),
        parts=tuple(parts),
        goals=(),
        setting=(
            f"processor time of an event in all engines and applications of {MEMBERS} members together, {PER_S} "
            "statements of one message a second; what the engines spend while they wait is in it. No goal is set"
        ),
    )


def _energy(cost: Cost, runs: int) -> Found:
    ours = [CORE_W * one for one in cost.singles_s]
    proof_of_work_j = PROOF_OF_WORK_KWH * _J_PER_KWH
    return Found(
        name=ENERGY,
        value=median(ours),
        unit="J",
        n=runs,
        spread=spread_of(ours),
        ratio=median(ours) / proof_of_work_j,
        peer=Part("one Bitcoin transaction as published (declared)", proof_of_work_j, "J"),
        parts=(
            Part(f"one of {BATCH_MESSAGES_MAX} in a batch", CORE_W * median(cost.batched_s), "J"),
            Part("power of a busy core (declared)", CORE_W, "W"),
        ),
        goals=(),
        setting=(
            f"processor time of an event in all {MEMBERS} members together, measured, times the power of a core, "
            "declared; machines that wait, disks and networks are not in it. No goal is set"
        ),
    )


def _each(loaded: Loaded) -> float:
    return loaded.cpu.whole_s / len(loaded.dues_s)
