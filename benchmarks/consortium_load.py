"""Transactions offered to the engines of one side, and when each was committed, told by the engine's own event.

The event comes after the application's commit is on disk. Bodies and codes are read afterwards, outside the measured
time: a benchmark that measured refusals would be worthless, so a refused transaction stops it.
"""

import asyncio
import base64
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import pairwise
from statistics import linear_regression, median

from benchmarks.consortium_sides import Cpu, Side
from benchmarks.consortium_wire import Wire, encode_offer, read_result
from benchmarks.sampling import percentile
from cellvow.core.primitives.errors import OperationalError, ensure

STALLED_S_MAX = 30.0
"""How long no block may come while transactions wait."""
BLOCKS_FOR_A_LINE = 5
"""A side that puts a whole load into fewer blocks has not kept up with it."""
TICK_S = 0.005
"""How often what has become due is sent."""
EVENT = "tm.event='NewBlockEvents'"


class NotCommitted(OperationalError):
    """The engines took what they were given and did not commit all of it in time."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How transactions are offered: `per_s` of them a second, or, with 0, as many as `waiting` allows at once."""

    per_s: float
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Committed:
    """A block with transactions: how many, and when the engine told of it (seconds of `perf_counter`)."""

    height: int
    transactions: int
    told_s: float


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one run gave; times in seconds."""

    dues_s: tuple[float, ...]
    commits_s: tuple[float, ...]
    blocks: tuple[Committed, ...]
    cpu: Cpu

    @property
    def per_s(self) -> float:
        """Transactions a second, from the first one sent until the last one's commit."""
        return len(self.dues_s) / (max(self.commits_s) - self.dues_s[0])

    @property
    def carried_share(self) -> float:
        """Which share of an even load was carried: 1 where commits follow at the pace of the offers.

        One over the slope of a line through all (due, commit): the steps of the blocks do not move it. A load that is
        late at first and catches up was carried, but no more than all of it. Of few blocks no line can be told: then
        the time until the last commit counts.
        """
        if len(dict.fromkeys(self.commits_s)) < BLOCKS_FOR_A_LINE:
            return (self.dues_s[-1] - self.dues_s[0]) / (max(self.commits_s) - self.dues_s[0])
        return min(1.0, 1 / linear_regression(self.dues_s, self.commits_s).slope)

    @property
    def p50_ms(self) -> float:
        """Median from due to committed."""
        return percentile(self._latencies_ms(), 0.5)

    @property
    def p95_ms(self) -> float:
        """95th percentile from due to committed."""
        return percentile(self._latencies_ms(), 0.95)

    @property
    def interval_ms(self) -> float:
        """Median time from block to block."""
        return 1e3 * median(b.told_s - a.told_s for a, b in pairwise(self.blocks)) if len(self.blocks) > 1 else 0.0

    @property
    def cpu_ms_each(self) -> float:
        """Processor time of a transaction, in all engines and applications."""
        return 1e3 * self.cpu.whole_s / len(self.dues_s)

    def _latencies_ms(self) -> list[float]:
        return [1e3 * (end - due) for due, end in zip(self.dues_s, self.commits_s, strict=True)]


def load(side: Side, transactions: Sequence[bytes], pace: Pace) -> Loaded:
    """Offer all transactions, to each engine in turn, and wait for their commits; `side` must be awake.

    Raises `NotCommitted` where not all are committed in time, `OperationalError` where an engine refuses one.
    """
    return asyncio.run(_Run(side, transactions, pace).result())


class _Run:
    """One load."""

    def __init__(self, side: Side, transactions: Sequence[bytes], pace: Pace) -> None:
        self._side = side
        self._transactions = transactions
        self._frames = [encode_offer(number, one) for number, one in enumerate(transactions)]
        self._pace = pace
        self._dues_s: list[float] = []
        self._blocks: list[Committed] = []
        self._committed = 0
        self._moved_s = 0.0
        self._has_news = asyncio.Event()

    async def result(self) -> Loaded:
        """Send, listen, and match what was committed with what was sent."""
        async with AsyncExitStack() as stack:
            wires = [await stack.enter_async_context(Wire(*address)) for address in self._side.addresses]
            events = await stack.enter_async_context(Wire(*self._side.addresses[0]))
            await events.call("subscribe", query=EVENT)
            before = self._side.cpu()
            await self._all_committed(wires, events)
            used = self._side.cpu() - before
        commits = await self._commits_s()
        return Loaded(tuple(self._dues_s), commits, tuple(self._blocks), used)

    async def _all_committed(self, wires: Sequence[Wire], events: Wire) -> None:
        listeners = [asyncio.create_task(self._listen(events))]
        listeners += [asyncio.create_task(_read_answers(wire)) for wire in wires]
        sending = asyncio.create_task(self._send(wires))
        pending = {*listeners, sending}
        self._moved_s = time.perf_counter()
        try:
            while not listeners[0].done():
                done, pending = await asyncio.wait(pending, timeout=1, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    task.result()
                if time.perf_counter() - self._moved_s > STALLED_S_MAX:
                    raise NotCommitted(
                        f"of {len(self._frames):,} transactions {self._committed:,} were committed, and for "
                        f"{STALLED_S_MAX:.0f} s no block came with more"
                    )
        finally:
            for task in (*listeners, sending):
                task.cancel()
            await asyncio.gather(*listeners, sending, return_exceptions=True)

    async def _send(self, wires: Sequence[Wire]) -> None:
        if self._pace.per_s:
            await self._send_evenly(wires)
        else:
            await self._send_as_taken(wires)

    async def _send_evenly(self, wires: Sequence[Wire]) -> None:
        """Each when it is due, whatever became of those before: a slow side does not slow its load."""
        start = time.perf_counter()
        self._dues_s = [start + number / self._pace.per_s for number in range(len(self._frames))]
        sent = 0
        while sent < len(self._frames):
            now = time.perf_counter()
            while sent < len(self._frames) and self._dues_s[sent] <= now:
                wires[sent % len(wires)].send(self._frames[sent])
                sent += 1
            await asyncio.sleep(TICK_S)

    async def _send_as_taken(self, wires: Sequence[Wire]) -> None:
        for number, frame in enumerate(self._frames):
            while number - self._committed >= self._pace.waiting:
                self._has_news.clear()
                await self._has_news.wait()
            self._dues_s.append(time.perf_counter())
            wire = wires[number % len(wires)]
            wire.send(frame)
            await wire.drain()

    async def _listen(self, events: Wire) -> None:
        """Take note of blocks until as many transactions are committed as will be sent."""
        while self._committed < len(self._frames):
            told = read_result(await events.receive())
            block = told["data"]["value"]
            count = int(block["num_txs"])
            if count:
                self._blocks.append(Committed(int(block["height"]), count, time.perf_counter()))
                self._committed += count
                self._moved_s = self._blocks[-1].told_s
                self._has_news.set()

    async def _commits_s(self) -> tuple[float, ...]:
        """When each transaction was committed, in the order in which they were sent."""
        told: dict[bytes, float] = {}
        async with Wire(*self._side.addresses[0]) as wire:
            for block in self._blocks:
                height = str(block.height)
                found = await wire.call("block", height=height)
                results = await wire.call("block_results", height=height)
                codes = [one["code"] for one in results["txs_results"]]
                ensure(not any(codes), f"the benchmark's own transactions were refused: {sorted(set(codes))}")
                told.update((base64.b64decode(one), block.told_s) for one in found["block"]["data"]["txs"])
        lost = [one for one in self._transactions if one not in told]
        ensure(not lost, f"{len(lost)} transactions were replaced by others that nobody sent")
        return tuple(told[one] for one in self._transactions)


async def _read_answers(wire: Wire) -> None:
    """Read what the engine says to each offer, so that it goes on; a refusal ends the run."""
    while True:
        answer = await wire.receive()
        if b'"error"' in answer:
            read_result(answer)
