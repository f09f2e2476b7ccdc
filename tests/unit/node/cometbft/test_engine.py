"""Submitting to a consortium: what the sender learns, and when."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

import pytest

from cellvow.core.ledger.key import key_record_key
from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.ledger.state import verify_presence
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.cometbft.answers import Broadcast
from cellvow.node.cometbft.chain import ReplicatedChain
from cellvow.node.cometbft.engine import COMMIT_S_MAX, ConsortiumEngine
from cellvow.node.engine import Backpressure
from cellvow.node.records import MemoryState, StoredState
from cellvow.node.store import LedgerStore
from tests.world import GENESIS_MS, MAKER, make_genesis, make_member


@dataclass
class Engine:
    """An engine that takes or refuses, and commits when it is told to."""

    chain: ReplicatedChain
    taken: list[bytes] = field(default_factory=list)
    answer: Broadcast | OperationalError = field(default_factory=lambda: Broadcast(0, ""))
    on_broadcast: Callable[[], None] = lambda: None

    def broadcast_tx_sync(self, data: bytes) -> Broadcast:
        """Take the transaction, or not."""
        self.on_broadcast()
        if isinstance(self.answer, OperationalError):
            raise self.answer
        self.taken.append(data)
        return self.answer

    def make_block(self) -> None:
        """Decide what was taken, and commit it."""
        height = self.chain.head.height + 1
        self.chain.finalize(height, GENESIS_MS + height, self.taken, [])
        self.chain.commit()
        self.taken = []


@dataclass
class Member:
    """A member's ledger with its engine, and the way to submit to both."""

    engine: Engine
    submitting: ConsortiumEngine
    elapsed_s: float = 0.0


@pytest.fixture
def member(tmp_path: Path) -> Iterator[Member]:
    """A member at genesis."""
    folder = tmp_path / "ledger"
    LedgerStore.create(folder, make_genesis(), begin_chain(make_genesis(), MemoryState())).close()
    engine = Engine(ReplicatedChain(LedgerStore.open_writer(folder)))
    made: list[Member] = []
    never = Event()

    def breathe(_: float) -> None:
        never.wait(0.005)

    submitting = ConsortiumEngine(
        folder,
        engine,  # type: ignore[arg-type]  # it offers what is asked of it here
        pause=breathe,
        monotonic=lambda: made[0].elapsed_s if made else 0.0,
    )
    made.append(Member(engine, submitting))
    yield made[0]
    submitting.close()
    engine.chain.store.close()


def _enrolment() -> Statement:
    maker = make_member(MAKER)
    return maker.root.sign(maker.register_key(maker.key))


def test_a_statement_is_acknowledged_when_its_block_is_on_disk(member: Member) -> None:
    """Being taken is no acknowledgement."""
    statement = _enrolment()
    future = member.submitting.submit(statement.data)

    assert [statement.data] == member.engine.taken
    member.engine.make_block()
    receipted = future.result(timeout=10)
    assert (1, statement.envelope.txid) == (receipted.height, receipted.txid)
    assert 1 == member.submitting.head.height


def test_what_is_recorded_is_answered_without_the_engine(member: Member) -> None:
    """Sent again, it takes effect once, and its answer is the same."""
    statement = _enrolment()
    first = member.submitting.submit(statement.data)
    member.engine.make_block()
    again = member.submitting.submit(statement.data)

    assert first.result(timeout=10) == again.result(timeout=0)
    assert [] == member.engine.taken


def test_a_refusal_names_its_reason(member: Member) -> None:
    """The codes of the application are the ledger's own."""
    member.engine.answer = Broadcast(int(Reason.UNKNOWN_KEY), "no key")
    with pytest.raises(NotIncludable) as refused:
        member.submitting.submit(_enrolment().data)

    assert Reason.UNKNOWN_KEY is refused.value.reason
    member.engine.answer = Broadcast(7, "strange")
    with pytest.raises(OperationalError, match="code 7: strange"):
        member.submitting.submit(_enrolment().data)
    with pytest.raises(NotIncludable, match="one accepted form"):
        member.submitting.submit(b"garbage")


def test_what_was_committed_while_it_was_sent_is_answered(member: Member) -> None:
    """Another member's client sent the same bytes: the engine calls them stale, and they stand in the ledger."""
    statement = _enrolment()

    def be_overtaken() -> None:
        member.engine.taken = [statement.data]
        member.engine.make_block()

    member.engine.on_broadcast = be_overtaken
    member.engine.answer = Broadcast(int(Reason.SEQUENCE_USED), "used")

    assert 1 == member.submitting.submit(statement.data).result(timeout=0).height


def test_what_the_engine_knows_is_waited_for(member: Member) -> None:
    """Offered twice before its block, it is answered twice after it."""
    statement = _enrolment()
    first = member.submitting.submit(statement.data)
    member.engine.answer = Broadcast(0, "tx already exists in cache", already_known=True)
    second = member.submitting.submit(statement.data)
    member.engine.taken = [statement.data]
    member.engine.make_block()

    assert 1 == second.result(timeout=10).height
    assert first.result(timeout=10) == second.result(timeout=10)


def test_a_full_mempool_is_backpressure(member: Member) -> None:
    """Nothing was taken: the caller slows down."""
    member.engine.answer = Backpressure("mempool is full: wait and send again")
    with pytest.raises(Backpressure):
        member.submitting.submit(_enrolment().data)


def test_no_block_within_the_time_leaves_the_fate_unknown(member: Member) -> None:
    """The sentence says why that may be, and that sending again does no harm."""
    future = member.submitting.submit(_enrolment().data)
    member.elapsed_s = COMMIT_S_MAX
    assert not future.done()
    member.elapsed_s += 1
    with pytest.raises(OperationalError, match="more than a third of the validators"):
        future.result(timeout=10)


def test_closing_tells_those_who_wait(member: Member, tmp_path: Path) -> None:
    """Their statements may or may not be committed."""
    patient = ConsortiumEngine(tmp_path / "ledger", member.engine, pause=lambda _: None, monotonic=lambda: 0.0)  # type: ignore[arg-type]  # as above
    future = patient.submit(_enrolment().data)
    patient.close()
    with pytest.raises(OperationalError, match="send again"):
        future.result(timeout=0)


def test_the_state_is_proven_as_of_the_newest_block(member: Member) -> None:
    """Under the same root as the writer's own tree, before a block and after it."""
    maker = make_member(MAKER)
    for height in (0, 1):
        if height:
            member.engine.taken = [_enrolment().data]
            member.engine.make_block()
        key = key_record_key(maker.root.kid)
        value = member.submitting.state.get(key)
        assert value is not None
        root = StoredState(member.submitting.store).root
        verify_presence(root, key, value, member.submitting.state.prove(key))
