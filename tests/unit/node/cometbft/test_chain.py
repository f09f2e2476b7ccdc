"""The replicated chain: what an engine may rely on between proposing and committing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.ledger.statement import Statement, parse_statement
from cellvow.core.ledger.validator import Validator, encode_validators
from cellvow.core.primitives.errors import InvalidBlock, InvariantBroken, Malformed, OperationalError
from cellvow.core.primitives.limits import BLOCK_BYTES_MAX, BLOCK_STATEMENTS_MAX, STATEMENT_BYTES_MAX
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.transition import apply_block, begin_chain
from cellvow.node.cometbft import chain as replicated
from cellvow.node.cometbft.chain import ParsedStatements, ReplicatedChain, require_known_height
from cellvow.node.records import MemoryState
from cellvow.node.store import LedgerStore
from tests import messages
from tests.world import GENESIS_MS, MAKER, Member, World, make_genesis, make_member

T1 = GENESIS_MS + 60_000


class Counting:
    """A signature check that counts."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """Whether the signature holds."""
        self.asked += 1
        return is_valid(public_key, message, signature)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger at its beginning."""
    LedgerStore.create(tmp_path / "ledger", make_genesis(), begin_chain(make_genesis(), MemoryState())).close()
    return tmp_path / "ledger"


@pytest.fixture
def chain(folder: Path) -> Iterator[ReplicatedChain]:
    """The chain over it, opened for writing."""
    opened = ReplicatedChain(LedgerStore.open_writer(folder))
    yield opened
    opened.store.close()


def _enrolment(maker: Member) -> Statement:
    return maker.root.sign(maker.register_key(maker.key))


def _run(chain: ReplicatedChain, height: int, *statements: Statement, time_ms: int | None = None) -> bytes:
    decided = [one.data for one in statements]
    finalized = chain.finalize(height, GENESIS_MS + height * 60_000 if time_ms is None else time_ms, decided, [])
    chain.commit()
    return finalized.app_hash


def test_same_blocks_same_app_hash_as_in_memory(chain: ReplicatedChain) -> None:
    """What one writer and what a consortium make of the same blocks is one history."""
    world = World()
    world.accept(world[MAKER].key.sign(messages.model()))
    world.submit(world[MAKER].key.sign(messages.model()))  # a second time: rejected, and kept
    world.apply(world.next_block(evidence=(b"{}",)))

    for block, applied in zip(world.blocks, world.applied, strict=True):
        decided = [one.data for one in block.statements]
        finalized = chain.finalize(block.height, block.time_ms, decided, block.evidence)

        assert applied.head.app_hash == finalized.app_hash
        assert applied.head == chain.commit()
    assert int(Reason.MODEL_EXISTS) == 401


def test_codes_say_what_became_of_each_statement(chain: ReplicatedChain) -> None:
    """0 where all was accepted, else the first cause; a batch names what broke it, not that it was broken."""
    maker = make_member(MAKER)
    _run(chain, 1, _enrolment(maker))
    decided = [
        maker.key.sign(messages.model()),
        maker.key.sign(messages.model()),
        maker.key.sign_batch([messages.battery(), messages.model()]),
    ]
    finalized = chain.finalize(2, T1 + 60_000, [one.data for one in decided], [])

    assert (0, int(Reason.MODEL_EXISTS), int(Reason.MODEL_EXISTS)) == finalized.codes


def test_an_empty_block_leaves_the_app_hash_and_counts_its_height(chain: ReplicatedChain, folder: Path) -> None:
    """Else the engine would make blocks for ever."""
    before = _run(chain, 1, _enrolment(make_member(MAKER)))

    assert [before] * 3 == [_run(chain, height) for height in (2, 3, 7)]
    chain.store.close()
    again = ReplicatedChain(LedgerStore.open_writer(folder))
    assert (7, before) == (again.head.height, again.head.app_hash)
    again.store.close()


def test_finalizing_writes_nothing(chain: ReplicatedChain, folder: Path) -> None:
    """Only a commit is on disk: a crash in between leaves the height before."""
    finalized = chain.finalize(1, T1, [_enrolment(make_member(MAKER)).data], [])
    reader = LedgerStore.open_reader(folder)

    assert 0 == reader.head().height
    assert finalized.app_hash != reader.head().app_hash
    chain.commit()
    assert (1, finalized.app_hash) == (reader.head().height, reader.head().app_hash)
    reader.close()


def test_an_engine_that_comes_back_may_finalize_again(chain: ReplicatedChain) -> None:
    """Its own crash after finalizing makes it ask again, with the same block and nothing applied twice."""
    enrolment = _enrolment(make_member(MAKER)).data
    first = chain.finalize(1, T1, [enrolment], [])

    assert first == chain.finalize(1, T1, [enrolment], [])
    chain.forget_pending()
    assert first == chain.finalize(1, T1, [enrolment], [])
    other = chain.finalize(1, T1 + 1, [enrolment], [])
    assert first.app_hash != other.app_hash
    assert other.app_hash == chain.commit().app_hash


def test_committing_what_was_not_finalized_is_a_fault(chain: ReplicatedChain) -> None:
    """The engine's order of calls is relied upon."""
    with pytest.raises(InvariantBroken, match="not finalized"):
        chain.commit()


def test_a_proposer_leaves_out_what_may_not_stand(chain: ReplicatedChain) -> None:
    """Garbage, what is sent twice, what another block has brought, and what no key in force has signed."""
    maker = make_member(MAKER)
    enrolment = _enrolment(maker)
    _run(chain, 1, enrolment)
    sound, stranger = maker.key.sign(messages.model()), make_member("nobody").key.sign(messages.model())
    waiting = [b"garbage", enrolment.data, sound.data, sound.data, stranger.data]

    assert [sound.data] == chain.prepare(waiting, 2, T1 + 60_000, 1_000_000)
    assert None is chain.find_fault([sound.data], 2, T1 + 60_000)
    for one in (b"garbage", enrolment.data, stranger.data):
        assert None is not chain.find_fault([sound.data, one], 2, T1 + 60_000)
    assert "used this sequence" in str(chain.find_fault([sound.data, sound.data], 2, T1 + 60_000))


def test_a_block_that_does_not_follow_is_refused(chain: ReplicatedChain) -> None:
    """A height again, or a time before the last block's."""
    _run(chain, 1, _enrolment(make_member(MAKER)))

    assert None is chain.find_fault([], 2, T1)
    assert "does not follow" in str(chain.find_fault([], 1, T1))
    assert "does not follow" in str(chain.find_fault([], 2, T1 - 1))


def test_a_proposal_stays_within_the_bounds(chain: ReplicatedChain) -> None:
    """As many bytes as the engine allows; and a block past the ledger's bounds finds no vote."""
    maker = make_member(MAKER)
    _run(chain, 1, _enrolment(maker))
    two = [maker.key.sign(messages.model()).data for _ in range(2)]

    assert two == chain.prepare(two, 2, T1, sum(map(len, two)))
    assert two[:1] == chain.prepare(two, 2, T1, sum(map(len, two)) - 1)
    assert "larger" in str(chain.find_fault([b""] * (BLOCK_STATEMENTS_MAX + 1), 2, T1))
    assert "larger" in str(chain.find_fault([b"x" * (BLOCK_BYTES_MAX + 1)], 2, T1))


def test_what_waits_is_judged_by_reason(chain: ReplicatedChain) -> None:
    """The sender learns which rule his statement broke."""
    maker = make_member(MAKER)
    enrolment = _enrolment(maker)

    assert enrolment == chain.check(enrolment.data, T1)
    _run(chain, 1, enrolment)
    forged = bytearray(maker.key.sign(messages.model()).data)
    forged[-1] ^= 1
    for data, reason in (
        (b"garbage", Reason.MALFORMED),
        (enrolment.data, Reason.SEQUENCE_USED),
        (bytes(forged), Reason.BAD_SIGNATURE),
    ):
        with pytest.raises(NotIncludable) as refused:
            chain.check(data, T1)
        assert reason is refused.value.reason


def test_a_signature_is_checked_once_on_its_way(folder: Path) -> None:
    """Waiting, proposed, voted for and applied: four times asked, once computed."""
    check = Counting()
    chain = ReplicatedChain(LedgerStore.open_writer(folder), check)
    data = _enrolment(make_member(MAKER)).data
    chain.check(data, T1)
    chain.prepare([data], 1, T1, 1_000_000)
    chain.find_fault([data], 1, T1)
    chain.finalize(1, T1, [data], [])
    chain.commit()

    assert 1 == check.asked
    chain.store.close()


def test_a_decided_block_that_cannot_stand_stops_the_member(chain: ReplicatedChain) -> None:
    """More than a third of the validators must have broken the rules: going on would be a fork."""
    for decided in ([b"garbage"], [make_member("nobody").key.sign(messages.model()).data]):
        with pytest.raises(InvalidBlock):
            chain.finalize(1, T1, decided, [])
    assert 0 == chain.head.height


def test_the_engine_learns_who_joins_and_who_leaves(monkeypatch: pytest.MonkeyPatch, chain: ReplicatedChain) -> None:
    """Changed powers and new keys by their power, removed ones by 0, all in the order of the keys."""
    old = (Validator(MAKER, "a" * 64, 10), Validator(MAKER, "b" * 64, 10), Validator(MAKER, "c" * 64, 10))
    new = (Validator(MAKER, "0" * 64, 5), Validator(MAKER, "b" * 64, 20), Validator(MAKER, "c" * 64, 10))

    def changing(*arguments: object) -> object:
        applied = apply_block(*arguments)  # type: ignore[arg-type]
        return replace(applied, writes={**applied.writes, "validators": encode_validators(new)})

    monkeypatch.setattr(replicated, "apply_block", changing)
    monkeypatch.setattr(ReplicatedChain, "validators", lambda _: old)
    finalized = chain.finalize(1, T1, [_enrolment(make_member(MAKER)).data], [])

    assert (("0" * 64, 5), ("a" * 64, 0), ("b" * 64, 20)) == finalized.validators


def test_a_ledger_ahead_of_its_engine_is_an_older_copy(chain: ReplicatedChain) -> None:
    """One of the two was restored: neither goes on from there."""
    _run(chain, 1, _enrolment(make_member(MAKER)))
    require_known_height(chain, 1)
    with pytest.raises(OperationalError, match="older copy"):
        require_known_height(chain, 0)


def test_parsed_statements_are_bounded() -> None:
    """The oldest are forgotten by number and by bytes; what is too long is not even parsed."""
    maker = make_member(MAKER)
    statements = [maker.key.sign(messages.model()) for _ in range(3)]
    parsed = ParsedStatements(most=2)
    first = parsed.parse(statements[0].data)

    assert first is parsed.parse(bytes(bytearray(statements[0].data)))
    for one in statements[1:]:
        parsed.parse(one.data)
    assert first is not parsed.parse(statements[0].data)
    assert first == parse_statement(statements[0].data)
    small = ParsedStatements(bytes_max=1)
    assert small.parse(statements[0].data) is not small.parse(statements[0].data)
    with pytest.raises(Malformed, match="at most"):
        parsed.parse(b"x" * (STATEMENT_BYTES_MAX + 1))


def test_blocks_are_compared_whole() -> None:
    """What tells a repeated block from another one is everything in it."""
    assert Block(1, 2, ()) == Block(1, 2, ())
    assert Block(1, 2, (), (b"x",)) != Block(1, 2, ())
