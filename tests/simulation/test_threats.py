"""How far dishonest members get: what one, two and three of four can sign, and what one writer can do alone.

Each limit that `docs/explanation/fault-model.md` states is shown here or named there; where a party is blind, a test
shows that it is.
"""

from __future__ import annotations

import shutil
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

import apsw
import pytest

from cellvow.core.contracts.recovery import RecoveryRecord, recovery_key
from cellvow.core.ledger.checkpoint import encode_vkey
from cellvow.core.ledger.commit import NIL, VOTED, encode_commit, encode_header, parse_commit
from cellvow.core.ledger.log import encode_app_hash
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.merkle import Frontier, leaf_hash
from cellvow.core.primitives.signature import is_valid
from cellvow.node.archive import export_archive
from cellvow.node.cometbft.chain import ReplicatedChain
from cellvow.node.store import LEDGER_FILE, LedgerStore
from cellvow.node.witness import Witness
from cellvow.verify import (
    ConsensusProof,
    VerifiedConsensus,
    encode_consensus_proof,
    parse_consensus_proof,
    verify_consensus_proof,
)
from tests import messages
from tests.archive_world import ORIGIN, LedgerOnDisk, seed_of
from tests.bundles.chain import make_genesis as bundled_genesis
from tests.bundles.consensus import founding_keys, founding_validators, make_commit, make_header
from tests.world import BUYER, CARMAKER, DAY_MS, LABORATORY, MAKER, World, make_genesis, require_invalid

if TYPE_CHECKING:
    from pathlib import Path

    from cellvow.core.ledger.block import Block
    from cellvow.core.ledger.genesis import Genesis
    from cellvow.node.witness_protocol import Response

NOW_S = 1_800_000_100
HEIGHT = 12
FOUR = 4


# What so many of four validators can sign


def consortium() -> Genesis:
    """Four validators of one weight."""
    return replace(bundled_genesis(), validators=founding_validators())


def sign_history(lie: str, *flags: int) -> bytes:
    """A consensus proof of some history at one height, voted for by those whose flag says so."""
    log, _ = Frontier().append(leaf_hash(lie.encode()))
    keys = founding_keys()
    header = make_header(consortium().chain_id, HEIGHT, encode_app_hash(log), keys)
    commit = make_commit(header, keys, flags)
    return encode_consensus_proof(ConsensusProof(encode_header(header), encode_commit(commit)))


def judge(proof: bytes) -> VerifiedConsensus | None:
    """What a stranger with the genesis alone makes of it; None where he refuses it."""
    try:
        return verify_consensus_proof(proof, parse_object(consortium().header), is_valid)
    except VerificationError:
        return None


@pytest.mark.parametrize("dishonest", range(1, FOUR + 1))
def test_a_history_that_fewer_than_three_of_four_sign_convinces_nobody(dishonest: int) -> None:
    """One or two can sign what they like; three are more than two thirds, and a stranger believes them."""
    flags = [VOTED if place < dishonest else NIL for place in range(FOUR)]

    assert (dishonest >= 3) is (judge(sign_history("a lie", *flags)) is not None)


def signers(proof: bytes) -> list[bytes]:
    """The addresses of those who voted for it."""
    commit = parse_commit(parse_consensus_proof(proof).commit)
    return [vote.address for vote in commit.votes if vote.flag == VOTED]


def test_two_histories_of_one_height_name_the_two_who_have_lied() -> None:
    """A fork convinces both sides, and the two commits side by side show who signed both: at least two of four."""
    one, other = sign_history("one", VOTED, VOTED, VOTED, NIL), sign_history("other", NIL, VOTED, VOTED, VOTED)
    proven = [judge(one), judge(other)]

    assert [HEIGHT, HEIGHT] == [each.height for each in proven if each is not None]
    assert 2 == len({each.root for each in proven if each is not None})
    assert [key.address for key in founding_keys()][1:3] == [each for each in signers(one) if each in signers(other)]


@pytest.mark.parametrize("liars", range(FOUR + 1))
def test_a_fork_needs_two_of_four_to_vote_twice(liars: int) -> None:
    """The honest vote once each; however they are divided, one who votes twice is not enough for two histories."""
    forks = []
    for left in range(FOUR - liars + 1):
        sides = [
            [VOTED if place < liars or is_ours else NIL for place, is_ours in enumerate(division)]
            for division in (
                [place < liars + left for place in range(FOUR)],
                [place >= liars + left for place in range(FOUR)],
            )
        ]
        if all(judge(sign_history(lie, *flags)) for lie, flags in zip(("one", "other"), sides, strict=True)):
            forks.append(left)

    assert (liars >= 2) is bool(forks)


@pytest.mark.parametrize("silent", range(FOUR + 1))
def test_the_chain_stops_when_two_of_four_are_silent(silent: int) -> None:
    """What the others sign then convinces nobody: no block, rather than a wrong one."""
    flags = [NIL if place < silent else VOTED for place in range(FOUR)]

    assert (silent <= 1) is (judge(sign_history("the truth", *flags)) is not None)


# What one writer can do


def make_witness(folder: Path, ledger: LedgerOnDisk) -> Witness:
    """A consistency witness of the ledger."""
    witness = Witness.create(folder, "witness.test/north", seed_of("north"))
    witness.add_log(ORIGIN, encode_vkey(ledger.log_key))
    return witness


def ask(witness: Witness, ledger: LedgerOnDisk) -> Response:
    """Ask for a cosignature of the head."""
    [log] = witness.logs()
    return witness.add_checkpoint(ledger.request(log.held.checkpoint.size if log.held else 0), NOW_S)


def two_presents(tmp_path: Path) -> tuple[LedgerOnDisk, LedgerOnDisk]:
    """Two ledgers with one past: in the first a battery is born that the second knows nothing of."""
    first, second = LedgerOnDisk(tmp_path / "first"), LedgerOnDisk(tmp_path / "second")
    for ledger in (first, second):
        ledger.grow(2)
        ledger.publish()
    first.grow(3)
    second.apply(second.world.next_block(second.world[LABORATORY].key.sign(messages.anchor())))
    second.publish()
    return first, second


@pytest.mark.slow
def test_what_no_witness_has_seen_can_be_dropped_and_only_its_sender_knows(tmp_path: Path) -> None:
    """*Committed* is one node's word: witness and archive are blind to what was dropped before a checkpoint."""
    first, second = two_presents(tmp_path)
    dropped = first.world.blocks[-1].statements[0].envelope
    with closing(make_witness(tmp_path / "witness", second)) as witness:
        witness.add_checkpoint(second.request(0), NOW_S)
        export_archive(first.store, tmp_path / "archive")
        other = messages.anchor("ab" * 32)
        second.apply(second.world.next_block(second.world[LABORATORY].key.sign(other)))
        second.publish()

        assert 200 == ask(witness, second).status
    assert export_archive(second.store, tmp_path / "archive").end.size == second.size
    assert first.store.statement_of_digest(dropped.digest) is not None
    assert second.store.statement_of_digest(dropped.digest) is None


@pytest.mark.slow
def test_what_a_witness_has_seen_cannot_be_dropped(tmp_path: Path) -> None:
    """*Witnessed* binds: the same drop after the checkpoint gets no cosignature, and the archive refuses it."""
    first, second = two_presents(tmp_path)
    first.publish()
    export_archive(first.store, tmp_path / "archive")
    with closing(make_witness(tmp_path / "witness", first)) as witness:
        assert 200 == ask(witness, first).status
        second.grow_to(first.size + 4)
        second.publish()

        assert 422 == ask(witness, second).status
    with pytest.raises(VerificationError, match="rewritten"):
        export_archive(second.store, tmp_path / "archive")


def guarded() -> World:
    """Two guardians agree on a new root key of the maker's; the lock runs two days."""
    world = World(make_genesis(ruleset=2))
    guardians = (CARMAKER, LABORATORY, BUYER)
    world.accept(world[MAKER].root.sign(messages.appointment(MAKER, guardians, 2, 2 * DAY_MS)))
    world.accept(world[BUYER].key.sign(messages.recovery(MAKER)))
    world.accept(world[CARMAKER].key.sign(messages.approval(MAKER)))
    return world


def test_guardians_who_do_not_wait_are_refused() -> None:
    """Row 27: the lock ends at its time, and a block that is dated back to hide the haste may not stand."""
    world = guarded()
    early = world[BUYER].key.sign(messages.completion(MAKER))
    invalid = require_invalid(world, world.next_block(early, time_ms=world.head.time_ms - 1))

    assert "earlier than its predecessor" in str(invalid)
    assert Reason.TIME_LOCK is world.submit(early).reason


def test_one_writer_who_dates_a_block_ahead_ends_a_lock_early() -> None:
    """The limit: the rules know no other clock than the block's, in a consortium the median of the votes'."""
    world = guarded()
    unlocks_ms = world.record(RecoveryRecord, recovery_key(MAKER)).unlocks_ms or 0
    ahead = world.submit(world[BUYER].key.sign(messages.completion(MAKER)), time_ms=unlocks_ms)

    assert ahead.is_accepted


@pytest.mark.slow
def test_a_member_who_edits_his_database_is_alone_with_his_fork(tmp_path: Path) -> None:
    """His app hash of the next block is another than that of a member who did not, and stays another."""
    ledger = LedgerOnDisk(tmp_path / "ledger")
    ledger.grow(2)
    ledger.store.close()
    shutil.copytree(tmp_path / "ledger", tmp_path / "edited")
    edit_record(tmp_path / "edited" / LEDGER_FILE, f"battery/01/{messages.GTIN}/21/N-00001")
    block = ledger.world.next_block(ledger.world[LABORATORY].key.sign(messages.anchor()))
    own = ledger.world.apply(block).head.app_hash

    assert own == execute(tmp_path / "ledger", block)
    assert own != execute(tmp_path / "edited", block)


def edit_record(database: Path, key: str) -> None:
    """Make a battery ten years older, behind the node's back."""
    with closing(apsw.Connection(str(database))) as connection:
        [(value,)] = connection.execute("SELECT value FROM record WHERE key=?", (key,))
        connection.execute("UPDATE record SET value=? WHERE key=?", (bytes(value).replace(b"2025", b"2015"), key))


def execute(folder: Path, block: Block) -> bytes:
    """The app hash that a member gives with the ledger in a folder."""
    with closing(LedgerStore.open_writer(folder)) as store:
        statements = [one.data for one in block.statements]
        return ReplicatedChain(store).finalize(block.height, block.time_ms, statements, block.evidence).app_hash
