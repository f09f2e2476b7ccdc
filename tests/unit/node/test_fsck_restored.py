"""A ledger that began with a snapshot cannot be replayed, and still shows most edits; what is not checked is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw
import pytest

from cellvow.core.primitives.errors import VerificationError
from cellvow.node.fsck import check_ledger
from cellvow.node.store import LEDGER_FILE, LedgerStore
from tests.unit.node.snapshot_world import Node, grow, join, make_world, pack

if TYPE_CHECKING:
    from pathlib import Path

EDITS = {
    "a record": "UPDATE record SET value=CAST(value || ' ' AS BLOB) WHERE key=(SELECT min(key) FROM record)",
    "a record deleted": "DELETE FROM record WHERE key=(SELECT min(key) FROM record)",
    "a record invented": "INSERT INTO record VALUES('battery/x', x'7b7d')",
    "an outcome": "UPDATE statement SET outcomes=x'8141a0' WHERE leaf=(SELECT max(leaf) FROM statement)",
    "a statement": (
        "UPDATE statement SET data=(SELECT data FROM statement ORDER BY leaf LIMIT 1) "
        "WHERE leaf=(SELECT max(leaf) FROM statement)"
    ),
    "a statement deleted": "DELETE FROM statement WHERE leaf=(SELECT min(leaf) FROM statement)",
    "a new leaf": "UPDATE node SET hash=zeroblob(32) WHERE level=0 AND position=(SELECT min(leaf) FROM statement)",
    "an old node": "UPDATE node SET hash=zeroblob(32) WHERE level=(SELECT max(level) FROM node) AND position=0",
    "a block's time": "UPDATE block SET time_ms=time_ms+1 WHERE height=(SELECT max(height) FROM block)",
    "a block deleted": "DELETE FROM block WHERE height=(SELECT max(height) FROM block) - 1",
    "the last block": "DELETE FROM block WHERE height=(SELECT max(height) FROM block)",
    "evidence": "UPDATE block SET evidence=x'80' WHERE length(evidence) > 1",
    "genesis": (
        "UPDATE meta SET value=CAST(replace(CAST(value AS TEXT), 'Nordpack', 'Sudpack') AS BLOB) WHERE name='genesis'"
    ),
    "the first state root": "UPDATE meta SET value=zeroblob(32) WHERE name='genesis_state_root'",
    "the head": "UPDATE meta SET value=x'840a1a000fffff182101' WHERE name='head'",
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger that joined by snapshot and took seven blocks since, one of them with evidence; closed."""
    folder = tmp_path_factory.mktemp("restored")
    world = make_world(blocks=3, statements=2)
    node = Node.begin(folder / "node", world.genesis)
    node.follow(world.blocks)
    node.close()
    joined = join(pack(folder / "node", folder / "snapshots"), folder / "joined")
    before = len(world.blocks)
    grow(world, 7, 2, first=3)
    joined.follow(world.blocks[before:])
    joined.close()
    return folder / "joined"


def test_an_untouched_ledger_agrees_with_itself(ledger: Path) -> None:
    """Control: what is there holds together, and it is said since when."""
    store = LedgerStore.open_reader(ledger)
    checked = check_ledger(store)

    assert (7, 14, 5) == (checked.blocks, checked.statements, checked.joined_height)
    assert store.count_records() == checked.records
    store.close()


@pytest.mark.slow
def test_a_ledger_checks_right_after_it_joined(tmp_path: Path) -> None:
    """With genesis only, and with a block that the snapshot showed."""
    world = make_world(blocks=1)
    node = Node.begin(tmp_path / "node", world.genesis)
    for number, block in enumerate([None, *world.blocks]):
        node.follow([] if block is None else [block])
        joined = join(pack(tmp_path / "node", tmp_path / "snapshots"), tmp_path / f"joined {number}")
        checked = check_ledger(joined.store)

        assert (0, 0, number) == (checked.blocks, checked.statements, checked.joined_height)
        joined.close()
    node.close()


@pytest.mark.slow
def test_a_ledger_that_joined_at_genesis_checks_its_blocks(tmp_path: Path) -> None:
    """All its blocks came after the snapshot."""
    world = make_world(blocks=2)
    Node.begin(tmp_path / "node", world.genesis).close()
    joined = join(pack(tmp_path / "node", tmp_path / "snapshots"), tmp_path / "joined")
    joined.follow(world.blocks)

    assert len(world.blocks) == check_ledger(joined.store).blocks
    joined.close()


@pytest.mark.parametrize("edit", sorted(EDITS))
def test_fsck_notices_an_edit_of(edit: str, ledger: Path, tmp_path: Path) -> None:
    """What is kept since the snapshot is bound to the head, and the records to the newest block."""
    folder = tmp_path / "copy"
    folder.mkdir()
    (folder / LEDGER_FILE).write_bytes((ledger / LEDGER_FILE).read_bytes())
    connection = apsw.Connection(str(folder / LEDGER_FILE))
    try:
        connection.execute(EDITS[edit])
    except apsw.ConstraintError:
        connection.execute("PRAGMA ignore_check_constraints=ON; DROP TABLE checkpoint")
    changes = connection.total_changes()
    connection.close()
    store = LedgerStore.open_reader(folder)

    assert changes > 0, "the edit changed nothing: the test would prove nothing"
    with pytest.raises(VerificationError):
        check_ledger(store)
    store.close()
