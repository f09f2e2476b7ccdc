"""The embedded engine: what it acknowledges is on disk, what it refuses leaves no trace."""

from __future__ import annotations

import itertools
import threading
from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.organisation import RaiseFloor, RevokeKey
from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.checking import SignatureCache
from cellvow.node.embedded import EmbeddedEngine
from cellvow.node.engine import Backpressure
from cellvow.node.records import MemoryState
from cellvow.node.store import LedgerLocked, LedgerStopped, LedgerStore
from tests.bundles.chain import Chain, Signer, birth, make_genesis, model, registration

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.core.ledger.block import Block
    from cellvow.core.protocol.transition import Applied


def clock() -> itertools.count[int]:
    """A clock that ticks a millisecond a look."""
    return itertools.count(2_000)


@pytest.fixture
def chain(tmp_path: Path) -> Iterator[Chain]:
    """An empty ledger with an engine."""
    built = Chain(tmp_path / "ledger")
    yield built
    built.close()


def revocation() -> RevokeKey:
    """An order of the maker's root key."""
    return RevokeKey(organisation="maker", kid="0" * 32, cause="other")


def enrol(chain: Chain) -> None:
    """Register the maker's working key and a model."""
    message = registration("maker", "maker key")
    chain.submit("key", chain.signer.single("maker root", "maker", message))
    chain.submit("model", chain.signer.single("maker key", "maker", model()))


def test_the_same_statement_twice_has_one_effect_and_one_answer(chain: Chain) -> None:
    """Idempotency by txid: sending again after a lost answer gives the first answer."""
    enrol(chain)
    data = chain.signer.single("maker key", "maker", birth(1))

    first, again = chain.engine.submit(data).result(), chain.engine.submit(data).result()

    assert first == again
    assert chain.engine.head.log.size == 1 + 3 * 2


def test_the_same_statement_twice_in_one_block_has_one_effect(chain: Chain) -> None:
    """Both senders get the same answer, the ledger holds the statement once."""
    enrol(chain)
    data = chain.signer.single("maker key", "maker", birth(1))
    futures = [chain.engine.submit(data) for _ in range(20)]

    answers = {(future.result().height, future.result().leaf) for future in futures}

    assert len(answers) == 1


def test_a_refused_statement_leaves_no_leaf(chain: Chain) -> None:
    """Not includable: no leaf, no outcome, the app hash unchanged; the reason has its code."""
    enrol(chain)
    before = chain.engine.head.app_hash
    used = Signer({"maker key": 0}).single("maker key", "maker", birth(2))

    with pytest.raises(NotIncludable) as refusal:
        chain.engine.submit(used).result()

    assert refusal.value.reason is Reason.SEQUENCE_USED
    assert chain.engine.head.app_hash == before


def test_malformed_bytes_are_refused_at_the_door(chain: Chain) -> None:
    """The sender learns what is wrong before anything is queued."""
    with pytest.raises(NotIncludable) as refusal:
        chain.engine.submit(b"\xd2\x84")

    assert refusal.value.reason is Reason.MALFORMED


def test_a_rejected_message_is_kept_and_uses_its_sequence(chain: Chain) -> None:
    """A broken rule is an outcome: it has a leaf, and the sequence is used."""
    enrol(chain)
    chain.submit("birth", chain.signer.single("maker key", "maker", birth(1)))

    again = chain.submit("again", chain.signer.single("maker key", "maker", birth(1)))

    assert b'"code":404' in again.outcomes[0]


def test_waiting_statements_share_a_block(tmp_path: Path) -> None:
    """Group commit: what waits while a block is written goes into the next one together."""
    chain = Chain(tmp_path / "ledger")
    enrol(chain)
    statements = [chain.signer.single("maker key", "maker", birth(number)) for number in range(60)]
    heights = [future.result().height for future in [chain.engine.submit(data) for data in statements]]
    chain.close()

    assert len(set(heights)) < len(heights)
    assert heights == sorted(heights)


class SlowStore(LedgerStore):
    """A store whose commit waits until the test lets it go on."""

    gate: threading.Event

    def commit(self, block: Block, applied: Applied) -> None:
        """Wait for the gate, then commit."""
        self.gate.wait(timeout=30)
        super().commit(block, applied)


def test_a_full_queue_says_so_and_takes_nothing(tmp_path: Path) -> None:
    """Backpressure: the caller is told to wait, and nothing of his is half-taken."""
    genesis = make_genesis()
    LedgerStore.create(tmp_path, genesis, begin_chain(genesis, MemoryState())).close()
    store = SlowStore.open_writer(tmp_path)
    store.gate = threading.Event()
    ticks, signer = clock(), Signer()
    engine = EmbeddedEngine(store, lambda: next(ticks), queue_max=2)
    statement = signer.single("maker root", "maker", registration("maker", "maker key"))
    first = engine.submit(statement)
    refused = 0
    for _ in range(6):
        try:
            engine.submit(statement)
        except Backpressure:
            refused += 1
    store.gate.set()
    first.result(timeout=30)
    engine.close()

    assert refused >= 3


@pytest.mark.slow
def test_a_raised_floor_does_not_stop_the_ledger(tmp_path: Path) -> None:
    """What its key has signed beside it waits for another block, and is refused there: nobody else notices."""
    genesis = make_genesis()
    LedgerStore.create(tmp_path, genesis, begin_chain(genesis, MemoryState())).close()
    store = SlowStore.open_writer(tmp_path)
    store.gate = threading.Event()
    ticks, signer = clock(), Signer()
    with EmbeddedEngine(store, lambda: next(ticks)) as engine:
        first = engine.submit(signer.single("maker root", "maker", registration("maker", "maker key")))
        raising = signer.single("maker root", "maker", RaiseFloor(organisation="maker", floor=900))
        waiting = [engine.submit(data) for data in (raising, signer.single("maker root", "maker", revocation()))]
        other = engine.submit(signer.single("lab root", "lab", registration("lab", "lab key")))
        store.gate.set()

        accepted = [future.result(timeout=30).outcomes[0] for future in (first, waiting[0], other)]
        assert all(b'"accepted"' in outcome for outcome in accepted)
        with pytest.raises(NotIncludable) as refused:
            waiting[1].result(timeout=30)
    assert Reason.SEQUENCE_USED is refused.value.reason


class FailingStore(LedgerStore):
    """A store whose disk fails when a block is written."""

    def commit(self, _block: Block, _applied: Applied) -> None:
        """Fail as a disk does."""
        raise LedgerStopped("disk I/O error: what was sent is unknown")


def test_after_a_storage_error_the_engine_says_unknown_and_takes_nothing_more(tmp_path: Path) -> None:
    """Stop, do not retry: the fate of what was sent is unknown, and no later statement is taken."""
    genesis = make_genesis()
    LedgerStore.create(tmp_path, genesis, begin_chain(genesis, MemoryState())).close()
    ticks, signer = clock(), Signer()
    engine = EmbeddedEngine(FailingStore.open_writer(tmp_path), lambda: next(ticks))
    statement = signer.single("maker root", "maker", registration("maker", "maker key"))

    with pytest.raises(LedgerStopped, match="unknown"):
        engine.submit(statement).result(timeout=30)
    with pytest.raises(LedgerStopped):
        engine.submit(statement)
    engine.close()


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path: Path) -> None:
    """Two writers started at once: one refuses, naming the other's process."""
    chain = Chain(tmp_path / "ledger")

    with pytest.raises(LedgerLocked, match="process"):
        LedgerStore.open_writer(tmp_path / "ledger")
    chain.close()

    LedgerStore.open_writer(tmp_path / "ledger").close()


def test_a_ledger_is_never_made_over_another(tmp_path: Path) -> None:
    """Creating where a ledger lies is refused, and that ledger stays as it was."""
    chain = Chain(tmp_path / "ledger")
    enrol(chain)
    head = chain.engine.head.app_hash
    chain.close()
    genesis = make_genesis()

    with pytest.raises(OperationalError, match="holds a ledger already"):
        LedgerStore.create(tmp_path / "ledger", genesis, begin_chain(genesis, MemoryState()))

    reader = LedgerStore.open_reader(tmp_path / "ledger")
    assert reader.head().app_hash == head
    reader.close()


def test_a_closed_engine_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Restart: the same head, the same state root, and sequences go on."""
    chain = Chain(tmp_path / "ledger")
    enrol(chain)
    head, root = chain.engine.head, chain.engine.state.root
    chain.close()
    ticks = clock()
    engine = EmbeddedEngine(LedgerStore.open_writer(tmp_path / "ledger"), lambda: next(ticks))

    assert (engine.head, engine.state.root) == (head, root)
    assert engine.submit(chain.signer.single("maker key", "maker", birth(5))).result().height == head.height + 1
    engine.close()


def test_block_time_never_goes_back(tmp_path: Path) -> None:
    """A clock that jumps back does not make a block earlier than its predecessor."""
    chain = Chain(tmp_path / "ledger")
    enrol(chain)
    time_ms = chain.engine.head.time_ms
    chain.time_ms = 0
    receipted = chain.submit("late", chain.signer.single("maker key", "maker", birth(9)))
    chain.close()

    assert receipted.time_ms >= time_ms


def test_a_cached_verdict_is_never_another_signatures() -> None:
    """The cache is keyed by everything a verdict depends on: key, message and signature."""
    asked: list[tuple[bytes, bytes, bytes]] = []

    def check(public_key: bytes, message: bytes, signature: bytes) -> bool:
        asked.append((public_key, message, signature))
        return signature == b"good"

    cache = SignatureCache(check)
    verdicts = [cache(b"k", b"m", b"good"), cache(b"k", b"m", b"bad"), cache(b"k", b"m", b"good")]

    assert verdicts == [True, False, True]
    assert len(asked) == 2


def test_a_forged_twin_does_not_take_the_senders_answer(chain: Chain) -> None:
    """Same payload, broken signature, handed in before: it is refused, and the sound one is recorded all the same."""
    enrol(chain)
    sound = chain.signer.single("maker key", "maker", birth(1))
    forged = sound[:-1] + bytes([sound[-1] ^ 1])

    refused, recorded = chain.engine.submit(forged), chain.engine.submit(sound)

    assert recorded.result().outcomes
    with pytest.raises(NotIncludable) as refusal:
        refused.result()
    assert refusal.value.reason is Reason.BAD_SIGNATURE


def test_what_is_refused_among_many_costs_the_others_nothing(chain: Chain) -> None:
    """A block that may not stand as a whole is judged statement by statement; later ones stand whole again."""
    enrol(chain)
    used = Signer({"maker key": 0}).single("maker key", "maker", birth(900))
    rounds = [
        [chain.signer.single("maker key", "maker", birth(10 * turn + one)) for one in range(5)] for turn in (1, 2)
    ]
    futures = [chain.engine.submit(data) for data in (*rounds[0], used, *rounds[1])]

    refused = futures.pop(5)

    assert all(future.result().outcomes for future in futures)
    with pytest.raises(NotIncludable) as refusal:
        refused.result()
    assert refusal.value.reason is Reason.SEQUENCE_USED
