"""Power lost at any moment: nothing acknowledged is lost, nothing is half there, and what is sent again counts once."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.node import store as store_module
from cellvow.node.fsck import check_ledger
from cellvow.node.store import LedgerStore
from cellvow.node.witness_store import WitnessStore
from cellvow.vault import Vault
from cellvow.workspace.sequences import Sequences
from tests.simulation.ledger_work import Acknowledged, Writer, find_changed
from tests.simulation.power_disk import Disk, Remains, dropped, fast_folder, kept, write_files
from tests.simulation.power_loss import Story, run_power_loss, tell_story
from tests.simulation.witness_world import witness_key

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

FULL_SYNC = 2
LIVES = [(1, 14, 6), (2, 14, 6), (3, 14, 6), (7, 40, 0)]
"""Seed, statements, torn images at each point: short lives, and one in which the log outgrows a single write."""
IMAGES_MIN = 10_000 // len(LIVES)


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "transactions", "torn_images"), LIVES)
def test_no_power_cut_loses_what_was_acknowledged(
    seed: int, transactions: int, torn_images: int, record_property: Callable[[str, object], None]
) -> None:
    """At least 10,000 images of the disk in all, at every point of a ledger's life: none lost, none corrupt."""
    found = run_power_loss(seed, transactions, torn_images=torn_images)
    record_property("measured", str(found))

    assert [] == found.examples
    assert (0, 0) == (found.acknowledged_lost, found.corrupt)
    assert IMAGES_MIN <= found.images
    assert 0 < found.unacknowledged_present
    assert 0 < found.resent


@pytest.mark.explore
@pytest.mark.parametrize("seed", range(6))
def test_no_power_cut_in_longer_lives_does_either(seed: int, record_property: Callable[[str, object], None]) -> None:
    """The same with other work, longer, and with more images at each point."""
    found = run_power_loss(seed=100 + seed, transactions=60, torn_images=10)
    record_property("measured", str(found))

    assert [] == found.examples
    assert (0, 0) == (found.acknowledged_lost, found.corrupt)


@pytest.mark.slow
def test_normal_syncing_loses_what_it_acknowledged(record_property: Callable[[str, object], None]) -> None:
    """Control: `synchronous=NORMAL` stays whole and forgets, and this search sees it."""
    found = run_power_loss(seed=7, transactions=10, synchronous="NORMAL", torn_images=2)
    record_property("measured", str(found))

    assert 0 < found.acknowledged_lost
    assert 0 == found.corrupt
    assert "acknowledged statements are lost" in found.examples[0]


@pytest.mark.slow
def test_no_syncing_damages_the_ledger(record_property: Callable[[str, object], None]) -> None:
    """Control: `synchronous=OFF` forgets and is damaged, and this search sees both."""
    found = run_power_loss(seed=7, transactions=10, synchronous="OFF", torn_images=2)
    record_property("measured", str(found))

    assert 0 < found.acknowledged_lost
    assert 0 < found.corrupt


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """A short life of a ledger, operation by operation."""
    with fast_folder() as folder:
        yield tell_story(folder / "live", 11, 14, "FULL")


def find_lost_after_kill(folder: Path, story: Story, at: int) -> list[str]:
    """Kill the writer after `at` operations, start, answer what is sent again, and lose power then: what is missing."""
    remains = Remains()
    for operation in story.operations[:at]:
        remains.apply(operation)
    write_files(folder, remains.image(kept))
    disk = Disk("after-kill", before=remains)
    writer = Writer(LedgerStore.open_writer(folder, vfs=disk.name))
    writer.send([data for sent_at, data in story.sent if sent_at <= at])
    left = disk.remains().image(dropped)
    writer.engine.close()
    disk.unregister()
    return find_lost(folder, left, writer.acknowledged)


def find_lost(folder: Path, files: dict[str, bytes], acknowledged: Acknowledged) -> list[str]:
    """What of the acknowledged a ledger of these files lacks, or why it is none."""
    write_files(folder, files)
    try:
        store = LedgerStore.open_writer(folder)
    except OperationalError as error:
        return [str(error)]
    lost = find_changed(store, acknowledged)
    if not lost:
        check_ledger(store)
    store.close()
    return lost


def unsynced_commits(story: Story) -> list[int]:
    """After how many operations a commit is written whole and not yet synced, for each that was."""
    begun = story.sent[0][0]
    return [
        at
        for at, operation in enumerate(story.operations)
        if at > begun and operation.kind == "sync" and operation.name.endswith("-wal")
    ]


@pytest.mark.slow
def test_an_answer_after_a_kill_outlasts_the_next_power_cut(story: Story) -> None:
    """Killed between writing and syncing, a start finds the statement recorded: once it says so, that holds."""
    with fast_folder() as folder:
        lost = [find_lost_after_kill(folder / "ledger", story, at) for at in unsynced_commits(story)]

    assert [[]] * len(unsynced_commits(story)) == lost
    assert 10 < len(lost)


@pytest.mark.slow
def test_a_start_that_does_not_settle_the_log_forgets_its_answer(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: where the log is read and not synced, the same search finds an answer that a power cut undid."""
    monkeypatch.setattr(store_module, "settle", lambda _log, _vfs: None)
    with fast_folder() as folder:
        lost = [find_lost_after_kill(folder / "ledger", story, at) for at in unsynced_commits(story)]

    assert any(lost)


def test_whoever_promises_to_remember_writes_with_full_syncing(tmp_path: Path) -> None:
    """A witness, a vault and the counters of sequences keep before they answer: write-ahead log, synced each time."""
    witness = WitnessStore.create(tmp_path / "witness", witness_key())
    sequences = Sequences.open(tmp_path / "sequences.db")
    vault = Vault.open(tmp_path / "vault.db", bytes(32))
    connections = [witness._connection, sequences._database._connection, vault._database._connection]
    modes = [(one.pragma("journal_mode"), one.pragma("synchronous")) for one in connections]
    for opened in (witness, sequences, vault):
        opened.close()

    assert [("wal", FULL_SYNC)] * 3 == modes
    assert 0 == stat.S_IMODE((tmp_path / "vault.db").stat().st_mode) & 0o077
