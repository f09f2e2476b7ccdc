"""A writer's work on a ledger, the same for the same seed: what it sends, in which blocks, and what is acknowledged."""

from __future__ import annotations

import queue
import random
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cellvow.core.ledger.statement import parse_statement
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.embedded import EmbeddedEngine
from cellvow.node.records import MemoryState
from cellvow.node.store import LedgerStopped, LedgerStore
from tests.bundles.chain import Signer, birth, certificate, make_genesis, model, registration

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future
    from pathlib import Path

    from cellvow.core.contracts.contract import Message
    from cellvow.node.engine import Receipted

CHECKPOINT_PAGES = 12
"""Pages in the write-ahead log that start a checkpoint: so few that one comes every other block."""
ANSWER_S_MAX = 60
GROUP_MAX = 4

Acknowledged = dict[bytes, "Receipted"]
"""What was acknowledged, by statement."""


def make_statements(seed: int, count: int) -> list[bytes]:
    """Statements of all sizes, to be sent in this order; some of them are rejected by the rules, and recorded so."""
    rng, signer = random.Random(seed), Signer()
    statements = [
        signer.single("maker root", "maker", registration("maker", "maker key")),
        signer.single("lab root", "lab", registration("lab", "lab key")),
        signer.single("maker key", "maker", model()),
    ]
    born = 0
    while len(statements) < count:
        kind = rng.choice(("birth", "birth", "batch", "certificate", "again"))
        if kind == "batch":
            births: list[Message] = [birth(born + number) for number in range(rng.choice((2, 5, 15)))]
            statements.append(signer.batch("maker key", "maker", births))
            born += len(births)
        elif kind == "birth" or born == 0:
            statements.append(signer.single("maker key", "maker", birth(born)))
            born += 1
        elif kind == "again":  # it is born already
            statements.append(signer.single("maker key", "maker", birth(rng.randrange(born))))
        else:
            statements.append(signer.single("lab key", "lab", certificate(rng.randrange(min(born, 250)))))
    return statements[:count]


def make_groups(seed: int, statements: list[bytes]) -> list[list[bytes]]:
    """The statements as they are sent: some alone, some at once."""
    rng, groups, at = random.Random(seed + 1), [], 0
    while at < len(statements):
        size = rng.choice((1, 1, 1, 3, GROUP_MAX)) if at > 2 else 1
        groups.append(statements[at : at + size])
        at += size
    return groups


class GatedClock:
    """A clock that can keep the writer waiting, so that what arrives meanwhile shares the next block."""

    def __init__(self) -> None:
        self.now_ms = 2_000
        self.is_shut = False
        self.asked = threading.Event()
        self.opened = threading.Event()

    def __call__(self) -> int:
        """The time, once the gate is open."""
        if self.is_shut:
            self.asked.set()
            self.opened.wait(ANSWER_S_MAX)
        self.now_ms += 7
        return self.now_ms

    def shut(self) -> None:
        """Keep the next one who asks waiting."""
        self.is_shut = True
        self.asked.clear()
        self.opened.clear()

    def open(self) -> None:
        """Let him go on."""
        self.is_shut = False
        self.opened.set()


def create_ledger(folder: Path, vfs: str | None) -> LedgerStore:
    """The ledger of the test genesis."""
    genesis = make_genesis()
    return LedgerStore.create(folder, genesis, begin_chain(genesis, MemoryState()), vfs=vfs)


@dataclass
class Writer:
    """Sends statements to one engine and remembers what it acknowledged; a dead engine answers nothing more."""

    store: LedgerStore
    synchronous: str = "FULL"
    on_answer: Callable[[bytes, Receipted], None] = lambda _data, _receipted: None
    acknowledged: Acknowledged = field(default_factory=dict)
    stopped: list[LedgerStopped] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.store._connection.execute(f"PRAGMA wal_autocheckpoint={CHECKPOINT_PAGES}").fetchall()
        self.store._connection.execute(f"PRAGMA synchronous={self.synchronous}")  # weaker ones are controls
        self.clock = GatedClock()
        self._answers: queue.Queue[BaseException | None] = queue.Queue()
        self.engine = EmbeddedEngine(self.store, self.clock)

    def send(self, group: list[bytes]) -> None:
        """Send at once, in one or two blocks that depend on nothing but the group; wait for every answer."""
        first, *others = group
        if others:
            self.clock.shut()
        taken = self._submit(first)
        if others and taken:
            self.clock.asked.wait(ANSWER_S_MAX)
        taken += sum(self._submit(data) for data in others)
        self.clock.open()
        for _ in range(taken):
            error = self._answers.get(timeout=ANSWER_S_MAX)
            if isinstance(error, LedgerStopped):
                self.stopped.append(error)
            elif error is not None:
                raise error

    def _submit(self, data: bytes) -> int:
        try:
            future = self.engine.submit(data)
        except LedgerStopped as error:
            self.stopped.append(error)
            return 0
        future.add_done_callback(lambda done: self._answered(data, done))
        return 1

    def _answered(self, data: bytes, done: Future[Receipted]) -> None:
        """Called by the engine's own thread, so that nothing happens between the answer and its being noted."""
        error = done.exception()
        if error is None:
            self.acknowledged[data] = done.result()
            self.on_answer(data, done.result())
        self._answers.put(error)


def find_changed(store: LedgerStore, acknowledged: Acknowledged) -> list[str]:
    """Which acknowledged statements are missing, or stand with another leaf, height or outcome."""
    changed = []
    for data, receipted in acknowledged.items():
        stored = store.statement_of_digest(parse_statement(data).envelope.digest)
        found = stored and (stored.leaf, stored.height, stored.outcomes, stored.statement.data)
        if found != (receipted.leaf, receipted.height, receipted.outcomes, data):
            changed.append(f"leaf {receipted.leaf}: acknowledged {receipted}, found {found}")
    return changed
