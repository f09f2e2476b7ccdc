"""Archives that validators vouch for, and archives of a ledger that goes on from another."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.commit import encode_commit, encode_header, order_voting_keys
from cellvow.core.ledger.genesis import Predecessor
from cellvow.core.ledger.validator import Validator, order_validators
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError, VerificationError
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.archive import export_archive
from cellvow.node.archive_format import INHERITED_FILE, WORLD, encode_inherited, parse_inherited
from cellvow.node.archive_reader import ArchiveReader, verify_archive
from cellvow.node.fsck import check_ledger
from cellvow.node.inheritance import read_inherited
from cellvow.node.records import MemoryState
from cellvow.node.replaying_witness import replay_log
from cellvow.node.restoration import restore_ledger
from cellvow.node.store import PROOF_FILE, LedgerStore
from cellvow.verify.consensus import ConsensusProof, encode_consensus_proof
from cellvow.verify.trust import Trust
from tests.archive_world import LedgerOnDisk
from tests.bundles.consensus import make_commit, make_header, voting_key
from tests.world import AUTHORITY, CHAIN_ID, LABORATORY, MAKER, World, make_genesis

if TYPE_CHECKING:
    from pathlib import Path

    from cellvow.core.ledger.genesis import Genesis

pytestmark = pytest.mark.slow

OWNERS = (MAKER, MAKER, LABORATORY, AUTHORITY)


def consortium_genesis() -> Genesis:
    """The small world with four validators."""
    validators = [Validator(owner, voting_key(number).public_key.hex(), 10) for number, owner in enumerate(OWNERS)]
    return replace(make_genesis(), validators=order_validators(tuple(validators)))


def prove(ledger: LedgerOnDisk) -> bytes:
    """What the validators sign of the head."""
    head = ledger.world.head
    keys = order_voting_keys([voting_key(number) for number in range(len(OWNERS))])
    header = make_header(CHAIN_ID, head.height + 1, head.app_hash, keys)
    return encode_consensus_proof(ConsensusProof(encode_header(header), encode_commit(make_commit(header, keys))))


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerOnDisk:
    """A member's ledger with its proof."""
    made = LedgerOnDisk(tmp_path / "ledger", consortium_genesis())
    made.grow_to(60)
    (made.folder / PROOF_FILE).write_bytes(prove(made))
    return made


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file of an archive by its path."""
    return {str(one.relative_to(folder)): one.read_bytes() for one in folder.rglob("*") if one.is_file()}


def test_validators_vouch_for_a_consortiums_archive(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """The trust file names nothing but the genesis; who signed is told by the names in it."""
    trust = Trust(ledger.world.genesis.digest, None)
    export_archive(ledger.store, tmp_path / "archive")
    verified = verify_archive(ArchiveReader.of_folder(tmp_path / "archive"), trust)
    restored = restore_ledger(ArchiveReader.of_folder(tmp_path / "archive"), tmp_path / "new", trust)
    store = LedgerStore.open_reader(tmp_path / "new")

    assert verified.signed is not None
    assert (tuple(sorted({MAKER, LABORATORY, AUTHORITY})), 4) == (verified.signed.by, verified.signed.out_of)
    assert (60, 60) == (restored.size, check_ledger(store).leaves)
    assert (ledger.folder / PROOF_FILE).read_bytes() == store.consensus_proof()
    store.close()


def test_no_byte_of_the_validators_proof_changes_unnoticed(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """With trust and without: genesis names the keys."""
    export_archive(ledger.store, tmp_path / "archive", WORLD)
    files, unnoticed = files_of(tmp_path / "archive"), []
    for at in range(0, len(files["consensus"]), 23):
        altered = bytearray(files["consensus"])
        altered[at] ^= 1
        try:
            verify_archive(ArchiveReader({**files, "consensus": bytes(altered)}.get), None)
        except CellvowError:
            continue
        unnoticed.append(at)

    assert 60 == verify_archive(ArchiveReader(files.get), None).end.size
    assert [] == unnoticed


def test_a_consortiums_archive_grows_with_its_proof(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """Up to what the newest header vouches for; a header of blocks that this node lacks is waited for."""
    export_archive(ledger.store, tmp_path / "archive")
    ledger.grow(5)
    assert 60 == export_archive(ledger.store, tmp_path / "archive").end.size
    (ledger.folder / PROOF_FILE).write_bytes(prove(ledger))
    assert ledger.size == export_archive(ledger.store, tmp_path / "archive").end.size
    ahead = LedgerOnDisk(tmp_path / "ahead", consortium_genesis())
    ahead.grow_to(200)
    (ledger.folder / PROOF_FILE).write_bytes(prove(ahead))

    with pytest.raises(OperationalError, match="try again"):
        export_archive(ledger.store, tmp_path / "archive")


def test_a_log_key_is_not_taken_for_validators(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """A trust file that names one is refused, whatever it says of the genesis; nor does a witness replay such a log."""
    export_archive(ledger.store, tmp_path / "archive")

    with pytest.raises(VerificationError, match="validators or a log key"):
        verify_archive(ArchiveReader.of_folder(tmp_path / "archive"), ledger.trust)
    with pytest.raises(OperationalError, match="validators sign"):
        replay_log(tmp_path / "witness", Trust(ledger.world.genesis.digest, None), tmp_path / "archive")


class Successor:
    """A ledger that goes on from another, with the records it inherits."""

    def __init__(self, folder: Path) -> None:
        old = World()
        log, self.inherited = old.head.log, dict(old.state.records)
        before = Predecessor("old.cellvow.example", log.size, log.root().hex(), old.state.root.hex(), old.head.height)
        self.genesis = replace(make_genesis(), predecessor=before)
        begun = begin_chain(self.genesis, MemoryState(), self.inherited)
        self.store = LedgerStore.create(folder, self.genesis, begun)
        (folder / INHERITED_FILE).write_bytes(encode_inherited(self.inherited))
        signing = LedgerOnDisk(folder.with_name("signing"))
        signing.world.head = begun.head
        self.trust = replace(signing.trust, genesis=self.genesis.digest)
        self.store.put_checkpoint(1, signing.note())


def test_an_archive_holds_what_its_ledger_inherited(tmp_path: Path) -> None:
    """Members' archives replay from the predecessor's records; everybody's shows that leaf 0 is that of the genesis."""
    made = Successor(tmp_path / "ledger")
    export_archive(made.store, tmp_path / "archive")
    export_archive(made.store, tmp_path / "world", WORLD)
    restored = restore_ledger(ArchiveReader.of_folder(tmp_path / "archive"), tmp_path / "new", made.trust)
    store = LedgerStore.open_reader(tmp_path / "new")

    assert 1 == restored.size
    assert dict(made.store.records()) == dict(store.records())
    assert made.inherited == read_inherited(store)
    assert 1 == verify_archive(ArchiveReader.of_folder(tmp_path / "world"), made.trust).end.size
    assert "inherited" not in files_of(tmp_path / "world")
    store.close()


def test_what_was_inherited_cannot_be_left_out_or_altered(tmp_path: Path) -> None:
    """Neither when it is exported nor afterwards."""
    made = Successor(tmp_path / "ledger")
    kept = (tmp_path / "ledger" / INHERITED_FILE).rename(tmp_path / "kept")
    with pytest.raises(VerificationError, match=r"old\.cellvow\.example"):
        export_archive(made.store, tmp_path / "without")
    kept.rename(tmp_path / "ledger" / INHERITED_FILE)
    export_archive(made.store, tmp_path / "archive")
    files = files_of(tmp_path / "archive")
    fewer = dict(sorted(made.inherited.items())[1:])

    for wrong in (encode_inherited(fewer), files["inherited"][:-1], files["inherited"] * 2, b""):
        with pytest.raises(CellvowError):
            verify_archive(ArchiveReader({**files, "inherited": wrong}.get), made.trust)
    with pytest.raises(VerificationError, match="inherited is missing"):
        verify_archive(ArchiveReader({k: v for k, v in files.items() if k != "inherited"}.get), made.trust)
    with pytest.raises(Malformed):
        parse_inherited(encode_inherited({"b": b"1"}) + encode_inherited({"a": b"1"}))
