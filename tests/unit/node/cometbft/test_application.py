"""The ledger as an ABCI application: every request of the engine, answered without an engine."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cellvow.core.ledger.evidence import Evidence, encode_evidence
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.ledger.validator import Validator
from cellvow.core.primitives.cbor import parse_cbor
from cellvow.core.primitives.errors import InvalidBlock, InvariantBroken, OperationalError
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.cometbft import messages
from cellvow.node.cometbft.application import LedgerApplication
from cellvow.node.cometbft.messages import Message, ResponseApplySnapshotChunk, ResponseOfferSnapshot
from cellvow.node.records import MemoryState
from cellvow.node.store import LedgerStore
from tests import messages as said
from tests.world import GENESIS_MS, MAKER, make_genesis, make_member

FOUNDER = Validator(MAKER, "ab" * 32, 10)
MAKER_MEMBER = make_member(MAKER)


def make_consortium() -> Genesis:
    """The test organisations with one validator."""
    return replace(make_genesis(), validators=(FOUNDER,))


def make_application(folder: Path, *, interval: int = 0) -> LedgerApplication:
    """An application over a fresh ledger."""
    genesis = make_consortium()
    LedgerStore.create(folder, genesis, begin_chain(genesis, MemoryState())).close()
    return LedgerApplication(folder, lambda: GENESIS_MS, snapshot_interval=interval)


@pytest.fixture
def application(tmp_path: Path) -> Iterator[LedgerApplication]:
    """The application, open."""
    opened = make_application(tmp_path / "ledger")
    yield opened
    opened.close()


def _time(height: int) -> dict[str, int]:
    return {"seconds": GENESIS_MS // 1_000 + 60 * height, "nanos": 7_999_999}


def _beginning(**changes: object) -> Message:
    genesis = make_consortium()
    fields: dict[str, object] = {
        "time": {"seconds": GENESIS_MS // 1_000},
        "chain_id": genesis.chain_id,
        "validators": [{"pub_key": {"ed25519": bytes.fromhex(FOUNDER.public_key)}, "power": FOUNDER.power}],
        "app_state_bytes": json.dumps({"cellvow_genesis": genesis.digest.hex()}, indent=1).encode(),
        "initial_height": 1,
    }
    return messages.RequestInitChain(**{**fields, **changes})


def _decide(application: LedgerApplication, height: int, *statements: Statement, **more: object) -> Message:
    return application.finalize_block(
        messages.RequestFinalizeBlock(height=height, time=_time(height), txs=[one.data for one in statements], **more)
    )


def _enrolment() -> Statement:
    maker = make_member(MAKER)
    return maker.root.sign(maker.register_key(maker.key))


def test_a_chain_begins_with_leaf_0_as_often_as_the_engine_asks(application: LedgerApplication) -> None:
    """A crash before the first commit makes it ask again."""
    before = application.handshake(messages.RequestInfo())
    begun = application.init_chain(_beginning())

    assert (0, b"") == (before.last_block_height, before.last_block_app_hash)
    assert application.chain.head.app_hash == begun.app_hash
    assert begun == application.init_chain(_beginning())


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"chain_id": "other.example"}, "of another ledger"),
        ({"app_state_bytes": b'{"cellvow_genesis":"00"}'}, "of another ledger"),
        ({"app_state_bytes": b"not json"}, "unreadable"),
        ({"app_state_bytes": b"[]"}, "none named"),
        ({"time": {"seconds": 1}}, "another time"),
        ({"validators": []}, "other validators"),
        ({"validators": [{"pub_key": {"ed25519": b"\xab" * 32}, "power": 11}]}, "other validators"),
    ],
)
def test_two_members_with_two_geneses_do_not_begin(
    application: LedgerApplication, changes: dict[str, object], sentence: str
) -> None:
    """The member stops with a sentence before it has voted on anything."""
    with pytest.raises(OperationalError, match=sentence):
        application.init_chain(_beginning(**changes))


def test_what_waits_is_answered_by_code(application: LedgerApplication) -> None:
    """0 or the reason's own number, and its sentence for people."""
    good = application.check_tx(messages.RequestCheckTx(tx=_enrolment().data))
    bad = application.check_tx(messages.RequestCheckTx(tx=b"garbage"))
    again = application.check_tx(messages.RequestCheckTx(tx=_enrolment().data, type=1))

    assert 0 == good.code
    assert (int(Reason.MALFORMED), "cellvow") == (bad.code, bad.codespace)
    assert "one accepted form" in bad.log
    assert 0 == again.code


def test_what_has_become_stale_waits_no_longer(application: LedgerApplication) -> None:
    """Else it would lie before everything fresh, for ever; its signature is not computed again."""
    enrolment = _enrolment()
    _decide(application, 1, enrolment)
    application.commit(messages.RequestCommit())
    stale = application.check_tx(messages.RequestCheckTx(tx=enrolment.data, type=1))

    assert int(Reason.SEQUENCE_USED) == stale.code


def test_a_block_from_proposal_to_commit(application: LedgerApplication, tmp_path: Path) -> None:
    """Proposed, accepted, decided and written; only the commit is on disk."""
    enrolment = _enrolment().data
    request = messages.RequestPrepareProposal(
        txs=[enrolment, b"garbage"], max_tx_bytes=1_000_000, height=1, time=_time(1)
    )
    prepared = application.prepare_proposal(request)
    judged = application.process_proposal(
        messages.RequestProcessProposal(txs=prepared.txs, height=1, time=_time(1), hash=b"x" * 32)
    )
    refused = application.process_proposal(messages.RequestProcessProposal(txs=[b"x"], height=1, time=_time(1)))
    decided = application.finalize_block(
        messages.RequestFinalizeBlock(height=1, time=_time(1), txs=prepared.txs, hash=b"x" * 32)
    )
    reader = LedgerStore.open_reader(tmp_path / "ledger")

    assert [enrolment] == list(prepared.txs)
    assert messages.ResponseProcessProposal.ACCEPT == judged.status
    assert messages.ResponseProcessProposal.REJECT == refused.status
    assert [0] == [one.code for one in decided.tx_results]
    assert 0 == reader.head().height
    assert 0 == application.commit(messages.RequestCommit()).retain_height
    assert decided.app_hash == reader.head().app_hash
    assert GENESIS_MS + 60_007 == reader.head().time_ms  # nanoseconds are cut off
    shaken = application.handshake(messages.RequestInfo())
    assert (1, decided.app_hash) == (shaken.last_block_height, shaken.last_block_app_hash)
    reader.close()


def test_asking_the_height_between_finalizing_and_committing_stops_nobody(application: LedgerApplication) -> None:
    """Anyone who may call the engine's RPC can ask at that moment: the block is committed all the same."""
    finalized = _decide(application, 1, _enrolment())
    asked = application.handshake(messages.RequestInfo())
    application.commit(messages.RequestCommit())

    assert (0, b"") == (asked.last_block_height, asked.last_block_app_hash)
    assert (1, finalized.app_hash) == (application.chain.head.height, application.chain.head.app_hash)


def test_a_rejection_stands_in_the_results_with_its_code(application: LedgerApplication) -> None:
    """It is kept like any outcome, and the engine's own record says so too."""
    maker = make_member(MAKER)
    _decide(application, 1, maker.root.sign(maker.register_key(maker.key)))
    application.commit(messages.RequestCommit())
    decided = _decide(application, 2, maker.key.sign(said.battery()))

    assert [(int(Reason.UNKNOWN_MODEL), "cellvow")] == [(one.code, one.codespace) for one in decided.tx_results]


def test_evidence_against_a_validator_stands_in_the_log(application: LedgerApplication) -> None:
    """As the engine reports it, in one form on every member."""
    misbehavior = {
        "type": 1,
        "validator": {"address": b"\x11" * 20, "power": 10},
        "height": 1,
        "time": _time(1),
        "total_voting_power": 40,
    }
    _decide(application, 2, misbehavior=[misbehavior])
    application.commit(messages.RequestCommit())
    block = application.chain.store.last_block()

    assert block is not None
    expected = Evidence("duplicate_vote", "11" * 20, 10, 1, GENESIS_MS + 60_007, 40)
    assert (encode_evidence(expected),) == block.evidence
    with pytest.raises(InvariantBroken, match="unknown kind"):
        _decide(application, 3, misbehavior=[{**misbehavior, "type": 7}])


def test_what_the_others_decided_and_cannot_stand_stops_the_member(application: LedgerApplication) -> None:
    """Rather than go on beside them."""
    with pytest.raises(InvalidBlock, match="this member stops"):
        application.finalize_block(messages.RequestFinalizeBlock(height=1, time=_time(1), txs=[b"garbage"]))


def test_an_engine_without_its_data_is_not_followed(application: LedgerApplication) -> None:
    """It would play the chain from the beginning over a ledger that has one."""
    _decide(application, 1, _enrolment())
    application.commit(messages.RequestCommit())
    with pytest.raises(OperationalError, match="data was deleted"):
        application.init_chain(_beginning())


def test_votes_are_not_extended(application: LedgerApplication) -> None:
    """Whoever extends a vote is refused."""
    refused = application.verify_vote_extension(messages.RequestVerifyVoteExtension())

    assert messages.ResponseVerifyVoteExtension.REJECT == refused.status
    assert b"" == application.extend_vote(messages.RequestExtendVote()).vote_extension


def test_queries_read_what_is_committed(application: LedgerApplication) -> None:
    """The head, a record, a statement; nothing where there is nothing, a sentence where the question has no form."""
    enrolment = _enrolment()
    _decide(application, 1, enrolment)
    application.commit(messages.RequestCommit())

    def ask(path: str, data: bytes = b"", *, prove: bool = False) -> Message:
        return application.query(messages.RequestQuery(path=path, data=data, prove=prove))

    head = parse_cbor(ask("/head").value)
    assert isinstance(head, list)
    assert 1 == head[0]
    assert enrolment.data == ask("/statement", enrolment.envelope.txid).value
    assert b"" == ask("/statement", bytes(32)).value
    assert b"nordpack" in ask("/record", f"organisation/{MAKER}".encode()).value
    assert "nothing to ask" in ask("/else").log
    assert "ASCII" in ask("/record", b"\xff").log
    assert "bundle" in ask("/head", prove=True).log


@pytest.mark.slow
def test_a_newcomer_joins_by_snapshot(tmp_path: Path) -> None:
    """It goes on from the snapshot's height with the same app hash, and its queries read the new ledger."""
    old, new = make_application(tmp_path / "old", interval=1), make_application(tmp_path / "new")
    maker = make_member(MAKER)
    decided = _decide(old, 1, maker.root.sign(maker.register_key(maker.key)))
    old.commit(messages.RequestCommit())
    old.close()  # waits for what is being written
    old = LedgerApplication(tmp_path / "old", lambda: GENESIS_MS)
    (listed,) = old.list_snapshots(messages.RequestListSnapshots()).snapshots
    assert 0 == parse_cbor(new.query(messages.RequestQuery(path="/head")).value)[0]  # type: ignore[index]  # an array

    offer = messages.RequestOfferSnapshot(snapshot=listed, app_hash=decided.app_hash)
    wrong = messages.RequestOfferSnapshot(snapshot=listed, app_hash=bytes(40))
    assert ResponseOfferSnapshot.ACCEPT == new.offer_snapshot(offer).result
    chunks = [
        old.load_snapshot_chunk(messages.RequestLoadSnapshotChunk(height=1, format=1, chunk=number)).chunk
        for number in range(listed.chunks)
    ]
    bad = new.apply_snapshot_chunk(messages.RequestApplySnapshotChunk(index=0, chunk=b"x", sender="thief"))
    assert (ResponseApplySnapshotChunk.RETRY, [0], ["thief"]) == (
        bad.result,
        list(bad.refetch_chunks),
        list(bad.reject_senders),
    )
    for number, chunk in enumerate(chunks):
        applied = new.apply_snapshot_chunk(messages.RequestApplySnapshotChunk(index=number, chunk=chunk))
        assert ResponseApplySnapshotChunk.ACCEPT == applied.result

    shaken = new.handshake(messages.RequestInfo())
    assert (1, decided.app_hash) == (shaken.last_block_height, shaken.last_block_app_hash)
    assert 1 == parse_cbor(new.query(messages.RequestQuery(path="/head")).value)[0]  # type: ignore[index]  # as above
    model = maker.key.sign(said.model())
    assert _decide(old, 2, model).app_hash == _decide(new, 2, model).app_hash
    assert ResponseOfferSnapshot.ABORT == new.offer_snapshot(wrong).result
    assert b"" == new.load_snapshot_chunk(messages.RequestLoadSnapshotChunk(height=9, format=1, chunk=0)).chunk
    for one in (old, new):
        one.close()


@pytest.mark.slow
def test_a_snapshot_under_another_app_hash_is_refused(tmp_path: Path) -> None:
    """At once, or when the first chunk shows what it is of."""
    old, new = make_application(tmp_path / "old", interval=1), make_application(tmp_path / "new")
    _decide(old, 1, _enrolment())
    old.commit(messages.RequestCommit())
    old.close()
    old = LedgerApplication(tmp_path / "old", lambda: GENESIS_MS)
    (listed,) = old.list_snapshots(messages.RequestListSnapshots()).snapshots
    forged = bytes(7) + b"\x03" + bytes(32)
    new.offer_snapshot(messages.RequestOfferSnapshot(snapshot=listed, app_hash=forged))
    chunk = old.load_snapshot_chunk(messages.RequestLoadSnapshotChunk(height=1, format=1, chunk=0)).chunk
    applied = new.apply_snapshot_chunk(messages.RequestApplySnapshotChunk(index=0, chunk=chunk))

    assert ResponseApplySnapshotChunk.REJECT_SNAPSHOT == applied.result
    assert 0 == new.handshake(messages.RequestInfo()).last_block_height
    for one in (old, new):
        one.close()
