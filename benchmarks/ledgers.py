"""Ledgers on disk for the benchmarks: made through the real engine, filled, copied for each run, thrown away."""

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from pathlib import Path

from benchmarks.members import Maker, fill_battery, make_genesis, make_model
from cellvow.core.contracts.contract import Message
from cellvow.core.ledger.outcome import parse_outcome
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.limits import BATCH_MESSAGES_MAX
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession, NodeHome

ORIGIN = "bench.cellvow.example/log"
IN_FLIGHT = 16
"""Batches that wait at once while a ledger is filled: two blocks' worth."""

Progress = Callable[[str], None]


def clock_ms() -> int:
    """Milliseconds since 1970: the engine's clock."""
    return time.time_ns() // 1_000_000


class Filled:
    """A filled ledger that is never measured itself: each run gets a copy, and the maker's counters with it."""

    def __init__(self, folder: Path, batteries: int, progress: Progress) -> None:
        self.batteries = batteries
        self.folder = folder
        maker = Maker()
        home = NodeHome.create(folder, make_genesis(), ORIGIN, sha256(b"benchmark log"))
        with home.open_session(clock_ms) as session:
            enrol(session, maker)
            messages = (message for number in range(batteries) for message in fill_battery(number))
            feed(session, maker, messages, progress)
        self._sequences = [key.sequence for key in maker.keys]

    def copy(self, folder: Path) -> tuple[NodeHome, Maker]:
        """A copy of its own for one run, and the maker as it stood when the ledger was filled."""
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(self.folder, folder)
        maker = Maker()
        for key, sequence in zip(maker.keys, self._sequences, strict=True):
            key.sequence = sequence
        return NodeHome(folder), maker


def enrol(session: LedgerSession, maker: Maker) -> None:
    """Register the maker's keys and its model."""
    require_accepted([session.submit(data) for data in maker.registrations()])
    require_accepted([session.submit(maker.keys[0].sign_single(make_model()))])


def feed(session: LedgerSession, maker: Maker, messages: Iterable[Message], progress: Progress) -> None:
    """Submit messages in batches, all of which must be accepted; tells how far it is."""
    waiting: list[Future[Receipted]] = []
    pending: list[Message] = []
    done = 0
    for message in messages:
        pending.append(message)
        if len(pending) < BATCH_MESSAGES_MAX:
            continue
        waiting.append(session.submit(maker.key().sign_batch(pending)))
        pending = []
        if len(waiting) == IN_FLIGHT:
            require_accepted(waiting[: IN_FLIGHT // 2])
            waiting = waiting[IN_FLIGHT // 2 :]
            done += IN_FLIGHT // 2 * BATCH_MESSAGES_MAX
            progress(f"{done:,} messages")
    if pending:
        waiting.append(session.submit(maker.key().sign_batch(pending)))
    require_accepted(waiting)


def require_accepted(waiting: Sequence[Future[Receipted]]) -> None:
    """Wait for every answer; a benchmark that measured refusals would be worthless, so it stops."""
    for future in waiting:
        for outcome in future.result().outcomes:
            parsed = parse_outcome(outcome)
            ensure(parsed.is_accepted, f"the benchmark's own message was rejected: {parsed.reason}")
