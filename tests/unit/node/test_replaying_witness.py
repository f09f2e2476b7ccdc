"""The replaying witness cosigns what it has executed; a consistency witness, the control, takes more on trust."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.battery import battery_key
from cellvow.core.ledger.checkpoint import Checkpoint, encode_note, encode_vkey, sign_checkpoint
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.core.primitives.merkle import consistency_path
from cellvow.core.primitives.signature import sign
from cellvow.node.archive import export_archive
from cellvow.node.archive_format import WORLD
from cellvow.node.replaying_witness import (
    REPLICAS,
    SOURCE_FILE,
    ReplayingWitness,
    name_replica,
    open_witness,
    replay_log,
)
from cellvow.node.store import LedgerStore
from cellvow.node.witness import Witness
from cellvow.node.witness_protocol import encode_request
from cellvow.verify.trust import Trust
from tests import messages
from tests.archive_world import ORIGIN, LedgerOnDisk, seed_of

if TYPE_CHECKING:
    from cellvow.node.witness_protocol import Response

pytestmark = pytest.mark.slow  # each opens a ledger and two more stores

NOW_S = 1_800_000_100
NAME = "witness.test/executing"
BATTERY = battery_key(f"01/{messages.GTIN}/21/N-00001")


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerOnDisk:
    """A signed ledger of three blocks."""
    made = LedgerOnDisk(tmp_path / "ledger")
    made.grow(3, evidence=(b"double vote",))
    made.publish()
    return made


def make_witness(folder: Path, ledger: LedgerOnDisk, source: Path | None) -> Witness:
    """A witness of the ledger; with a source it executes."""
    witness = Witness.create(folder, NAME, seed_of("executing"))
    witness.add_log(ORIGIN, encode_vkey(ledger.log_key))
    witness.close()
    if source is not None:
        replay_log(folder, ledger.trust, source)
    return open_witness(folder, NAME)


def held_size(witness: Witness) -> int:
    """Leaves it has cosigned."""
    [log] = witness.logs()
    return log.held.checkpoint.size if log.held else 0


def ask(witness: Witness, ledger: LedgerOnDisk) -> Response:
    """Ask for a cosignature of the head."""
    return witness.add_checkpoint(ledger.request(held_size(witness)), NOW_S)


def replica_size(folder: Path) -> int:
    """Leaves in the witness's own ledger."""
    store = LedgerStore.open_reader(folder / REPLICAS / name_replica(ORIGIN))
    size = store.head().log.size
    store.close()
    return size


def test_what_reproduces_is_cosigned(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """From the ledger itself, block after block."""
    witness = make_witness(tmp_path / "witness", ledger, ledger.folder)

    assert isinstance(witness, ReplayingWitness)
    for _ in range(3):
        assert 200 == ask(witness, ledger).status
        assert ledger.size == held_size(witness) == replica_size(tmp_path / "witness")
        ledger.grow(2)
    witness.close()


def test_an_archive_is_a_source_as_far_as_it_goes(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """Behind its end the witness waits (503) and cosigns once it was exported; across the end of a bundle too."""
    export_archive(ledger.store, tmp_path / "archive")
    witness = make_witness(tmp_path / "witness", ledger, tmp_path / "archive")
    assert 200 == ask(witness, ledger).status
    for size in (250, 256, 270):
        ledger.grow_to(size)
        ledger.publish()
        early = ask(witness, ledger)
        export_archive(ledger.store, tmp_path / "archive")

        assert (503, True) == (early.status, b"bring it up to date" in early.body)
        assert 200 == ask(witness, ledger).status
    witness.close()


def forge(ledger: LedgerOnDisk) -> None:
    """Edit a record, then go on as if nothing had happened: state, log and signature all follow from the lie."""
    ledger.forge(BATTERY, ledger.world.state.records[BATTERY].replace(b"2025", b"2015"))
    ledger.grow(2)
    ledger.publish()


def test_an_operator_who_edits_a_record_consistently_is_caught_by_executing(
    ledger: LedgerOnDisk, tmp_path: Path
) -> None:
    """The consistency witness cosigns the lie, since the log only grew; the replaying one names the block."""
    consistency = make_witness(tmp_path / "control", ledger, None)
    executing = make_witness(tmp_path / "witness", ledger, ledger.folder)
    assert [200, 200] == [ask(witness, ledger).status for witness in (consistency, executing)]
    before = ledger.size
    forge(ledger)
    refused = ask(executing, ledger)

    assert 200 == ask(consistency, ledger).status
    assert 422 == refused.status
    assert b"block 4 does not reproduce" in refused.body
    assert b"state root" in refused.body
    ledger.grow(1)
    assert 422 == ask(executing, ledger).status
    assert before == held_size(executing) == replica_size(tmp_path / "witness")
    consistency.close()
    executing.close()


def test_an_operator_who_shows_other_blocks_than_he_signs_is_caught(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """The source is an honest copy, the signed history a forged one: nothing of either is executed or cosigned."""
    honest = LedgerOnDisk(tmp_path / "honest")
    honest.grow(3, evidence=(b"double vote",))
    honest.grow(2)
    witness = make_witness(tmp_path / "witness", ledger, honest.folder)
    forge(ledger)
    refused = ask(witness, ledger)

    assert honest.size == ledger.size
    assert (422, True) == (refused.status, b"another history" in refused.body)
    assert 1 == replica_size(tmp_path / "witness"), "the honest copy bears no signature, so nothing was executed"
    witness.close()


def test_a_checkpoint_inside_a_block_is_not_cosigned(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """No state belongs to it; the consistency witness, the control, does not know where blocks end."""
    ledger.grow(4)
    size = ledger.size - 2
    root = ledger.store.frontier(size).root()
    inside = Checkpoint(ORIGIN, size, root)
    note = encode_note(inside, [sign_checkpoint(inside, ledger.log_key, lambda body: sign(seed_of("log"), body))])
    executing = make_witness(tmp_path / "witness", ledger, ledger.folder)
    consistency = make_witness(tmp_path / "control", ledger, None)
    request = encode_request(0, consistency_path(ledger.store.node, 0, size), note)
    refused = executing.add_checkpoint(request, NOW_S)

    assert 200 == consistency.add_checkpoint(request, NOW_S).status
    assert (422, True) == (refused.status, b"block 4" in refused.body)
    assert 0 == held_size(executing)
    assert 200 == ask(executing, ledger).status, "the whole block is another matter"
    executing.close()
    consistency.close()


def test_a_checkpoint_behind_the_replica_is_compared_with_it(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """The witness was stopped between executing and cosigning: an older end of a block is cosigned, its inside not."""
    older, size = ledger.request(0), ledger.size
    ledger.grow(4)
    ledger.publish()
    witness = make_witness(tmp_path / "witness", ledger, ledger.folder)
    inside = Checkpoint(ORIGIN, size - 1, ledger.store.frontier(size - 1).root())
    note = encode_note(inside, [sign_checkpoint(inside, ledger.log_key, lambda body: sign(seed_of("log"), body))])

    assert replica_size(tmp_path / "witness") == ledger.size
    assert b"inside a block" in witness.add_checkpoint(encode_request(0, [], note), NOW_S).body
    assert 200 == witness.add_checkpoint(older, NOW_S).status
    assert size == held_size(witness)
    witness.close()


def test_a_fork_is_kept_as_evidence_by_either(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """Two roots of one size: nothing needs to be executed to convict."""
    witness = make_witness(tmp_path / "witness", ledger, ledger.folder)
    assert 200 == ask(witness, ledger).status
    other = LedgerOnDisk(tmp_path / "other")
    other.grow(4)
    assert ledger.size == other.size

    assert 409 == witness.add_checkpoint(other.request(ledger.size), NOW_S).status
    assert 1 == len(witness.forks())
    witness.close()


def test_a_log_that_is_not_replayed_is_only_watched(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """A witness may execute one log and watch another."""
    witness = make_witness(tmp_path / "witness", ledger, ledger.folder)
    assert isinstance(witness, ReplayingWitness)
    witness.replicas.clear()
    forge(ledger)

    assert 200 == ask(witness, ledger).status
    witness.close()


def test_beginning_again_goes_on_where_it_was(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """The same source: what is signed meanwhile is executed. Another: refused, with what to remove."""
    make_witness(tmp_path / "witness", ledger, ledger.folder).close()
    ledger.grow(5)
    ledger.publish()
    export_archive(ledger.store, tmp_path / "archive")

    assert ledger.size == replay_log(tmp_path / "witness", ledger.trust, ledger.folder).size
    with pytest.raises(OperationalError, match="remove"):
        replay_log(tmp_path / "witness", ledger.trust, tmp_path / "archive")


def test_a_source_must_be_this_ledgers_and_hold_blocks(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """An empty folder, everybody's archive, another genesis, a consortium's trust."""
    export_archive(ledger.store, tmp_path / "world", WORLD)
    (tmp_path / "empty").mkdir()
    foreign = Trust(seed_of("another genesis"), ledger.log_key, (), 0)  # type: ignore[arg-type]  # any 32 bytes

    with pytest.raises(OperationalError, match="neither an archive nor a ledger"):
        replay_log(tmp_path / "witness", ledger.trust, tmp_path / "empty")
    with pytest.raises(OperationalError, match="no blocks"):
        replay_log(tmp_path / "witness", ledger.trust, tmp_path / "world")
    with pytest.raises(VerificationError, match="another ledger"):
        replay_log(tmp_path / "witness", foreign, ledger.folder)


def test_a_source_that_went_away_or_changed_cosigns_nothing(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """503: whoever runs the witness has to look; and a source file that was edited is not guessed at."""
    export_archive(ledger.store, tmp_path / "archive")
    witness = make_witness(tmp_path / "witness", ledger, tmp_path / "archive")
    ledger.grow(1)
    (tmp_path / "archive").rename(tmp_path / "moved")
    answer = ask(witness, ledger)
    witness.close()
    (tmp_path / "witness" / REPLICAS / name_replica(ORIGIN) / SOURCE_FILE).write_text("{}")

    assert 503 == answer.status
    with pytest.raises(Malformed, match="altered"):
        open_witness(tmp_path / "witness", NAME)
