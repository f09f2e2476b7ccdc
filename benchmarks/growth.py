"""`growth.*`: whether a ledger of a million records is slower to write, to read or to prove than a small one."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from math import log2
from pathlib import Path
from statistics import mean, median

from msgspec.structs import replace

from benchmarks.bench import Bench
from benchmarks.ledgers import ORIGIN, clock_ms, enrol, feed, require_accepted
from benchmarks.measured import Found, Goal, Part, at_least, ratio_of, spread_of
from benchmarks.members import GTIN, MAKER, Maker, battery_id, birth, declaration, make_genesis
from benchmarks.sampling import seconds
from cellvow.core.contracts.attestation import attestation_key
from cellvow.core.contracts.battery import battery_key
from cellvow.core.contracts.contract import Message
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.limits import BATCH_MESSAGES_MAX
from cellvow.node.home import LedgerSession, NodeHome

COMMIT, READ, PROOF = "growth.commit", "growth.read", "growth.proof"
BATTERIES, RECORDS = 10_000, 1_000_000
FIRST_SHARE = 10
"""The first stage is measured at a tenth of the records, the last at all of them."""
WINDOW, READS, PROOFS = 4_000, 4_000, 500
RECORDS_A_BIRTH = 4
DIGEST_BYTES = 32
TOLERANCE = 0.2
RANDOM_SEED = 20_261_124


@dataclass
class Stage:
    """What was measured at one size of the ledger."""

    records: int
    commits_per_s: list[float] = field(default_factory=list)
    reads_per_s: list[float] = field(default_factory=list)
    proof_bytes: list[float] = field(default_factory=list)
    memory_mb: float = 0.0


class Grower:
    """A ledger that grows through the engine: every battery's birth, then declared values for each in turn."""

    def __init__(self, bench: Bench, session: LedgerSession, maker: Maker, batteries: int) -> None:
        self.bench = bench
        self.session = session
        self.maker = maker
        self.batteries = batteries
        self.records = 0
        self.declared = 0
        self._chance = random.Random(RANDOM_SEED)  # noqa: S311 - which records are read need not be a secret

    def births(self) -> None:
        """Register every battery."""
        feed(self.session, self.maker, map(birth, range(self.batteries)), self.bench.say)
        self.records = self.batteries * RECORDS_A_BIRTH

    def grow_to(self, records: int) -> None:
        """Add declared values until the ledger holds so many records."""
        missing = records - self.records
        before = self.records
        feed(
            self.session,
            self.maker,
            islice(self._declarations(), missing),
            lambda _: self.bench.say(f"growing: {self.session.store.count_blocks():,} blocks, from {before:,} records"),
        )

    def measure_stage(self, runs: int) -> Stage:
        """Several windows of commits, reads and proofs at the size reached."""
        stage = Stage(self.records)
        for _ in range(runs):
            stage.commits_per_s.append(self._commit_window())
            stage.reads_per_s.append(self._read_window())
        stage.proof_bytes = self._proof_window()
        stage.memory_mb = resident_mb()
        rate = median(stage.commits_per_s)
        self.bench.say(f"at {stage.records:,} records: {rate:,.0f} events/s, {stage.memory_mb:,.0f} MB resident")
        return stage

    def _declarations(self) -> Iterator[Message]:
        while True:
            round_, number = divmod(self.declared, self.batteries)
            self.declared += 1
            self.records += 1
            yield declaration(number, round_)

    def _commit_window(self) -> float:
        messages = list(islice(self._declarations(), self.bench.size(WINDOW, BATCH_MESSAGES_MAX)))
        statements = self.maker.batches(messages, BATCH_MESSAGES_MAX)
        futures = []

        def work() -> None:
            futures.extend([self.session.submit(one) for one in statements])
            for future in futures:
                future.result()

        taken = seconds(work)
        require_accepted(futures)
        return len(messages) / taken

    def _some_keys(self, count: int) -> list[str]:
        """Keys of records all over the map: attestations mostly, as they are most of it."""
        drawn = [self._chance.randrange(self.declared) for _ in range(count)]
        places = [divmod(one, self.batteries) for one in drawn]
        keys = [attestation_key(MAKER, f"D-{number}-{round_}") for round_, number in places]
        return [
            battery_key(battery_id(number)) if one % 10 == 0 else key
            for one, key, (_, number) in zip(drawn, keys, places, strict=True)
        ]

    def _read_window(self) -> float:
        store = self.session.store
        keys = self._some_keys(READS)
        found: list[bytes | None] = []
        taken = seconds(lambda: found.extend(store.get(key) for key in keys))
        ensure(None not in found, f"a record of model {GTIN} that was written is not found")
        return len(keys) / taken

    def _proof_window(self) -> list[float]:
        state = self.session.engine.state
        return [float(sum(len(sibling) for sibling in state.prove(key).siblings)) for key in self._some_keys(PROOFS)]


def measure(bench: Bench) -> list[Found]:
    """Three rows from one ledger that grows."""
    batteries, records = bench.size(BATTERIES, 200), bench.size(RECORDS, 20_000)
    first, last = _grow(bench, bench.folder("growth"), batteries, records)
    setting = (
        f"a ledger grown through the engine, in batches of {BATCH_MESSAGES_MAX}, to {last.records:,} records over "
        f"{batteries:,} batteries; measured at {first.records:,} records and again at the end"
    )
    memory = Part("memory of the whole process at the end", last.memory_mb, "MB")
    commit = _rate_row(COMMIT, "events/s", (first.commits_per_s, last.commits_per_s), setting)
    read = _rate_row(READ, "records/s", (first.reads_per_s, last.reads_per_s), f"{setting}; random records")
    return [replace(commit, parts=(memory,)), read, _proof_row(first, last, setting)]


def resident_mb() -> float:
    """Memory this process holds now, where the system tells; else 0."""
    status = Path("/proc/self/status")
    lines = status.read_text(encoding="ascii").splitlines() if status.is_file() else []
    return sum(int(line.split()[1]) / 1_000 for line in lines if line.startswith("VmRSS:"))


def _grow(bench: Bench, folder: Path, batteries: int, records: int) -> tuple[Stage, Stage]:
    maker = Maker()
    home = NodeHome.create(folder, make_genesis(), ORIGIN, sha256(b"benchmark log"))
    with home.open_session(clock_ms) as session:
        enrol(session, maker)
        grower = Grower(bench, session, maker, batteries)
        grower.births()
        grower.grow_to(records // FIRST_SHARE)
        first = grower.measure_stage(bench.runs)
        grower.grow_to(records)
        return first, grower.measure_stage(bench.runs)


def _rate_row(name: str, unit: str, rates: tuple[Sequence[float], Sequence[float]], setting: str) -> Found:
    first, last = rates
    ratio = ratio_of(last, first)
    return Found(
        name=name,
        value=median(last),
        unit=unit,
        n=len(last),
        spread=spread_of(last),
        ratio=ratio,
        peer=Part("the same ledger at a tenth of the records", median(first), unit),
        goals=(at_least("ratio", ratio, 1 - TOLERANCE),),
        setting=setting,
    )


def _proof_row(first: Stage, last: Stage, setting: str) -> Found:
    doublings = log2(last.records / first.records)
    slope = (mean(last.proof_bytes) - mean(first.proof_bytes)) / doublings
    ratio = slope / DIGEST_BYTES
    return Found(
        name=PROOF,
        value=mean(last.proof_bytes),
        unit="bytes",
        n=len(last.proof_bytes),
        spread=spread_of(last.proof_bytes, "proofs"),
        ratio=ratio,
        bound=Part("one digest for each doubling of the records: log2", DIGEST_BYTES, "bytes a doubling"),
        parts=(
            Part("growth for each doubling", slope, "bytes"),
            Part(f"mean proof at {first.records:,} records", mean(first.proof_bytes), "bytes"),
        ),
        goals=(Goal(f"growth within {TOLERANCE:.0%} of log2", abs(ratio - 1) <= TOLERANCE),),
        setting=f"{setting}; the siblings that prove one record of the state, mean of random records",
    )
