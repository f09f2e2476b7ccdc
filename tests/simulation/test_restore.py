"""A host is lost: from its archive, its log key and its trust file another one goes on where it ended."""

from __future__ import annotations

import itertools
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.checkpoint import encode_vkey
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError, VerificationError
from cellvow.node.archive import export_archive
from cellvow.node.archive_format import WORLD
from cellvow.node.archive_reader import ArchiveReader
from cellvow.node.fsck import check_ledger
from cellvow.node.home import LOG_KEY_FILE, NodeHome, WitnessAddress
from cellvow.node.replaying_witness import replay_log
from cellvow.node.restoration import (
    RESTORING,
    ExportSchedule,
    parse_log_key,
    rehearse,
    restore_ledger,
)
from cellvow.node.store import LedgerStore
from cellvow.node.witness import Witness
from tests import messages
from tests.archive_world import ORIGIN, LedgerOnDisk, seed_of
from tests.world import MAKER, World, make_genesis

if TYPE_CHECKING:
    from pathlib import Path

    from cellvow.node.archive import Exported
    from cellvow.node.publication import Publication

pytestmark = pytest.mark.slow  # each makes at least two ledgers


@pytest.fixture
def ledger(tmp_path: Path) -> LedgerOnDisk:
    """A signed ledger of 280 leaves, exported."""
    made = LedgerOnDisk(tmp_path / "ledger")
    made.grow(3, evidence=(b"double vote",))
    made.grow_to(280)
    made.publish()
    export_archive(made.store, tmp_path / "archive")
    return made


def rows_of(folder: Path) -> list[list[tuple[object, ...]]]:
    """All rows of a ledger's tables, but for when checkpoints were signed."""
    store = LedgerStore.open_reader(folder)
    head = store.head()
    rows: list[list[tuple[object, ...]]] = [
        [(block.height, block.time_ms, block.first_leaf, block.evidence, block.body) for block in store.blocks()],
        [(one.leaf, one.height, one.statement.data, one.outcomes) for one in store.statements(0, head.log.size)],
        [(store.nodes(level, 0, head.log.size),) for level in range(10)],
        list(store.records()),
        [(head, store.checkpoint(), store.genesis())],
    ]
    store.close()
    return rows


def test_a_restored_ledger_equals_the_one_that_was_lost(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """Every row; it passes fsck; and the checkpoint it was compared with is the witnessed one."""
    restored = restore_ledger(ArchiveReader.of_folder(tmp_path / "archive"), tmp_path / "new", ledger.trust)
    store = LedgerStore.open_reader(tmp_path / "new")
    checked = check_ledger(store)
    store.close()

    assert rows_of(ledger.folder) == rows_of(tmp_path / "new")
    assert (280, 280) == (restored.size, checked.checkpoint_size)
    assert ("witness.test/a", "witness.test/b", "witness.test/c") == restored.signed.by


class Host:
    """A node with two consistency witnesses and one that executes, each in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = World(make_genesis())
        self.home = NodeHome.create(folder / "node", self.world.genesis, ORIGIN, seed_of("log"))
        self._ticks = itertools.count(self.world.genesis.time_ms + 1_000_000, 1_000)
        self.addresses = []
        for name in ("a", "b", "c"):
            witness = Witness.create(folder / name, f"witness.test/{name}", seed_of(name))
            witness.add_log(ORIGIN, encode_vkey(self.home.log_key))
            self.addresses.append(WitnessAddress(witness.vkey, str(folder / name)))
            witness.close()
            self.home.add_witness(self.addresses[-1])
        # Its source is the archive: it will outlive the host.
        self.publish()
        self.export()
        replay_log(folder / "c", self.home.trust, folder / "archive")
        self.send(*(m.root.sign(m.register_key(m.key)) for m in self.world.members.values()))
        self.send(self.world[MAKER].key.sign(messages.model()))

    def send(self, *statements: object) -> list[int]:
        """Submit statements; their leaves once they are acknowledged."""
        with self.home.open_session(lambda: next(self._ticks)) as session:
            futures = [session.submit(statement.data) for statement in statements]  # type: ignore[attr-defined]
            return [future.result(timeout=60).leaf for future in futures]

    def bear(self, number: int) -> list[int]:
        """One more battery."""
        return self.send(self.world[MAKER].key.sign(messages.battery(f"01/{messages.GTIN}/21/H-{number:04}")))

    def publish(self) -> Publication:
        """Ask the witnesses for cosignatures."""
        with self.home.open_session(lambda: next(self._ticks)) as session:
            return session.publish()

    def export(self) -> Exported:
        """Bring the archive up to the newest checkpoint."""
        store = self.home.open_reader()
        try:
            return export_archive(store, self.folder / "archive")
        finally:
            store.close()

    def lose(self) -> None:
        """The machine burns; log key and trust file were kept elsewhere."""
        self.trust = self.home.trust
        shutil.rmtree(self.folder / "node")

    def replace(self) -> None:
        """A new machine, from the archive alone."""
        reader = ArchiveReader.of_folder(self.folder / "archive")
        restore_ledger(reader, self.folder / "node", self.trust, seed_of("log"))
        self.home = NodeHome(self.folder / "node")
        for address in self.addresses:
            self.home.add_witness(address)


def test_a_host_is_replaced_from_its_archive_alone(tmp_path: Path) -> None:
    """X07: the new one goes on where the witnesses saw the old one end; trust files that were given out still hold."""
    host = Host(tmp_path)
    host.bear(1)
    host.publish()
    host.export()
    executed = host.publish()
    before = host.home.trust
    host.lose()
    host.replace()
    leaves = host.bear(2)
    witnessed = host.publish()
    host.export()
    caught_up = host.publish()

    assert 3 == executed.cosignatures
    assert before == host.home.trust
    assert 2 == witnessed.cosignatures, "the one that executes waits for the archive"
    assert 3 == caught_up.cosignatures
    assert [executed_size(executed)] == leaves


def executed_size(publication: Publication) -> int:
    """Leaves under a published checkpoint."""
    return int(publication.note.split(b"\n")[1])


def test_an_archive_that_is_too_old_is_noticed_by_the_witnesses(tmp_path: Path) -> None:
    """The ledger went on after the last export: whoever saw that refuses what is restored, and it is not witnessed."""
    host = Host(tmp_path)
    host.publish()
    host.export()
    host.bear(1)
    host.publish()
    host.lose()
    host.replace()
    stale = host.publish()

    assert ["witness.test/c"] == [one.name for one in stale.answers if one.reason is None], "it knew the archive only"
    assert all("rolled back" in str(answer.reason) for answer in stale.answers[:2])
    assert stale.cosignatures < host.home.trust.quorum


def test_without_its_log_key_a_restored_ledger_is_read_and_not_written(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """A replica says what it lacks; brought from its backup, the key makes it a node again."""
    restore_ledger(ArchiveReader.of_folder(tmp_path / "archive"), tmp_path / "replica", ledger.trust)
    home = NodeHome(tmp_path / "replica")

    assert not (tmp_path / "replica" / LOG_KEY_FILE).exists()
    assert 280 == home.open_reader().head().log.size
    with pytest.raises(OperationalError, match="read-only replica"):
        home.open_session(lambda: 0)
    (tmp_path / "replica" / LOG_KEY_FILE).write_text(seed_of("log").hex())
    (tmp_path / "replica" / LOG_KEY_FILE).chmod(0o600)
    NodeHome(tmp_path / "replica").open_session(lambda: 0).close()


def test_a_log_key_must_be_that_of_the_trust_file(ledger: LedgerOnDisk) -> None:
    """Another log's key would sign another history."""
    assert seed_of("log") == parse_log_key(f"{seed_of('log').hex()}\n".encode(), ledger.trust)
    for wrong in (seed_of("another").hex().encode(), b"", b"zz", seed_of("log").hex().encode()[:-2]):
        with pytest.raises(Malformed):
            parse_log_key(wrong, ledger.trust)


def test_a_restore_overwrites_nothing(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """Neither a folder in use, nor what an interrupted restore has left; an empty folder may be there."""
    reader = ArchiveReader.of_folder(tmp_path / "archive")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letter.txt").touch()
    (tmp_path / "empty").mkdir()
    (tmp_path / f"begun{RESTORING}").mkdir()

    with pytest.raises(OperationalError, match="not empty"):
        restore_ledger(reader, tmp_path / "full", ledger.trust)
    with pytest.raises(OperationalError, match="interrupted restore"):
        restore_ledger(reader, tmp_path / "begun", ledger.trust)
    assert 280 == restore_ledger(reader, tmp_path / "empty", ledger.trust).size


@pytest.mark.parametrize("path", ["blocks/000", "blocks/001.p/24", "tile/entries/000", "tile/0/001.p/24", "checkpoint"])
def test_from_a_damaged_archive_nothing_is_restored(path: str, ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """No folder appears, not even a half one."""
    content = bytearray((tmp_path / "archive" / path).read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "archive" / path).write_bytes(content)

    with pytest.raises(CellvowError):
        restore_ledger(ArchiveReader.of_folder(tmp_path / "archive"), tmp_path / "new", ledger.trust)
    assert [] == list(tmp_path.glob("new*"))


def test_another_ledgers_trust_restores_nothing(ledger: LedgerOnDisk, tmp_path: Path) -> None:
    """Nor does everybody's archive, which has no blocks, or one with too few witnesses."""
    reader = ArchiveReader.of_folder(tmp_path / "archive")
    export_archive(ledger.store, tmp_path / "world", WORLD)
    foreign = LedgerOnDisk(tmp_path / "foreign", replace(make_genesis(), time_ms=1)).trust

    with pytest.raises(VerificationError, match="another ledger"):
        restore_ledger(reader, tmp_path / "new", foreign)
    with pytest.raises(OperationalError, match="no blocks"):
        restore_ledger(ArchiveReader.of_folder(tmp_path / "world"), tmp_path / "new", ledger.trust)
    (tmp_path / "archive" / "checkpoint").write_bytes(ledger.note("ab"))
    reader = ArchiveReader.of_folder(tmp_path / "archive")
    with pytest.raises(VerificationError, match="3 are required"):
        restore_ledger(reader, tmp_path / "new", replace(ledger.trust, quorum=3))
    assert [] == list(tmp_path.glob("new*"))


class Time:
    """A clock that only pauses move."""

    def __init__(self) -> None:
        self.now_ms = 1_000_000
        self.paused_s: list[float] = []

    def __call__(self) -> int:
        """Milliseconds since 1970."""
        return self.now_ms

    def pause(self, seconds: float) -> None:
        """Let time pass."""
        self.paused_s.append(seconds)
        self.now_ms += round(seconds * 1000)


def test_the_schedule_exports_and_rehearses_and_says_when_that_last_went_well(
    ledger: LedgerOnDisk, tmp_path: Path
) -> None:
    """Three rounds an hour apart: one that works, one whose archive has rotted meanwhile, one that was mended."""
    time, archive = Time(), tmp_path / "archive"
    schedule = ExportSchedule(
        lambda: export_archive(ledger.store, archive), lambda: rehearse(archive, ledger.trust), time, time.pause
    )
    sound = (archive / "blocks" / "000").read_bytes()
    rounds = schedule.rounds(3_600_000)
    first = next(rounds)
    (archive / "blocks" / "000").write_bytes(sound[:-1])
    second = next(rounds)
    (archive / "blocks" / "000").write_bytes(sound)
    ledger.grow(5)
    ledger.publish()
    third = next(rounds)

    assert (None, 1_000_000) == (first.failure, first.rehearsed_ms)
    assert "blocks/000" in str(second.failure)
    assert 1_000_000 == second.rehearsed_ms, "the last that succeeded"
    assert (None, 8_200_000) == (third.failure, third.rehearsed_ms)
    assert [3_600.0, 3_600.0] == time.paused_s
    assert third.exported is not None
    assert ledger.size == third.exported.end.size
