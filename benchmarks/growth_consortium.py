"""`growth.consortium`: whether a member with a million records in its state commits a block later than one with few."""

from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench
from benchmarks.consortium_sides import MEMBERS, make_consortium
from benchmarks.ledgers import Progress, clock_ms
from benchmarks.measured import Found, Part, at_most, ratio_of, spread_of
from benchmarks.members import Maker, birth, declaration, make_model
from benchmarks.sampling import alternate, percentile, seconds
from cellvow.core.contracts.attestation import IssueAttestation
from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.limits import BATCH_MESSAGES_MAX
from cellvow.node.cometbft.chain import ReplicatedChain
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore

NAME = "growth.consortium"
SMALL_RECORDS, LARGE_RECORDS = 10_000, 1_000_000
RECORDS_A_BIRTH = 4
BATCHES_A_BLOCK = 8
BLOCK, BLOCKS = 100, 30
"""Statements of a measured block, and blocks of a run."""
RATIO_MAX = 1.2
ENGINE_URL = "http://127.0.0.1:26657"
"""Stands in the ledger's folder; no engine is asked here."""


class Replica:
    """One member's chain, driven as an engine would drive it."""

    def __init__(self, folder: Path) -> None:
        NodeHome.create_member(folder, make_consortium(MEMBERS), ENGINE_URL)
        self._chain = ReplicatedChain(LedgerStore.open_writer(folder))
        self._maker = Maker()
        self._batteries = 0
        self._declared = 0

    def close(self) -> None:
        """Close the store."""
        self._chain.store.close()

    def grow_to(self, records: int, progress: Progress) -> None:
        """Register batteries until the state holds so many records."""
        self._decide(self._maker.registrations())
        self._decide([self._maker.keys[0].sign_single(make_model())])
        wanted = records // RECORDS_A_BIRTH
        while self._batteries < wanted:
            until = min(wanted, self._batteries + BATCHES_A_BLOCK * BATCH_MESSAGES_MAX)
            births = [birth(number) for number in range(self._batteries, until)]
            self._decide(self._maker.batches(births, BATCH_MESSAGES_MAX))
            self._batteries = until
            progress(f"growing: {RECORDS_A_BIRTH * until:,} of {records:,} records")

    def block_ms(self, blocks: int = BLOCKS) -> float:
        """Median milliseconds from a block decided until it is on disk; statements are checked before, as always."""
        times = []
        for _ in range(blocks):
            statements = self._maker.singles(map(self._declaration, range(BLOCK)))
            for one in statements:
                self._chain.check(one, clock_ms())
            times.append(seconds(lambda: self._decide(statements)))  # noqa: B023 - called at once
        return 1e3 * percentile(times, 0.5)

    def _declaration(self, _: int) -> IssueAttestation:
        """Of batteries all over the state."""
        self._declared += 1
        return declaration(self._declared * 7_919 % self._batteries, self._declared)

    def _decide(self, statements: Sequence[bytes]) -> None:
        finalized = self._chain.finalize(self._chain.head.height + 1, clock_ms(), statements, ())
        ensure(not any(finalized.codes), "the benchmark's own statements were rejected")
        self._chain.commit()


def measure(bench: Bench) -> list[Found]:
    """The row: a small and a large member in turn."""
    small_records, large_records = bench.size(SMALL_RECORDS, 2_000), bench.size(LARGE_RECORDS, 20_000)
    small, large = Replica(bench.folder("growth-small")), Replica(bench.folder("growth-large"))
    try:
        small.grow_to(small_records, bench.say)
        large.grow_to(large_records, bench.say)
        ours, theirs = alternate(large.block_ms, small.block_ms, bench.runs)
    finally:
        small.close()
        large.close()
    ratio = ratio_of(ours, theirs)
    return [
        Found(
            name=NAME,
            value=median(ours),
            unit="ms",
            n=bench.runs,
            spread=spread_of(ours),
            ratio=ratio,
            peer=Part(f"the same with {small_records:,} records", median(theirs), "ms"),
            goals=(at_most("ratio", ratio, RATIO_MAX),),
            setting=(
                f"finalizing and committing a block of {BLOCK} statements of one message on a member with "
                f"{large_records:,} records, in turn with one of few; median of {BLOCKS} blocks a run; the engine is "
                "left out, it knows nothing of the state"
            ),
        )
    ]
