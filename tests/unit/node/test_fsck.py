"""Whoever edits the database behind the node's back is found out by replaying it."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest

from cellvow.core.primitives.errors import VerificationError
from cellvow.node.fsck import check_ledger
from cellvow.node.store import LEDGER_FILE, LedgerStore
from tests.bundles.chain import Chain

EDITS = {
    "a record": (
        "UPDATE record SET value=CAST(replace(CAST(value AS TEXT), 'plant-1', 'plant-2') AS BLOB) "
        "WHERE key LIKE 'battery/%0001'"
    ),
    "a record deleted": "DELETE FROM record WHERE key LIKE 'battery/%0001'",
    "a record invented": "INSERT INTO record VALUES('battery/x', x'7b7d')",
    "an outcome": "UPDATE statement SET outcomes=(SELECT outcomes FROM statement WHERE leaf=1) WHERE leaf=5",
    "a statement": "UPDATE statement SET data=(SELECT data FROM statement WHERE leaf=5) WHERE leaf=7",
    "a statement deleted": "DELETE FROM statement WHERE leaf=5",
    "a leaf": "UPDATE node SET hash=zeroblob(32) WHERE level=0 AND position=9",
    "an inner node": "UPDATE node SET hash=zeroblob(32) WHERE level=2 AND position=1",
    "a node deleted": "DELETE FROM node WHERE level=0 AND position=4",
    "a block's time": "UPDATE block SET time_ms=time_ms+1 WHERE height=3",
    "a block's document": "UPDATE block SET body=(SELECT body FROM block WHERE height=2) WHERE height=3",
    "a block deleted": "DELETE FROM block WHERE height=3",
    "the last block": "DELETE FROM block WHERE height=(SELECT max(height) FROM block)",
    "the head": "UPDATE meta SET value=x'831907d000182f' WHERE name='head'",
    "genesis": (
        "UPDATE meta SET value=CAST(replace(CAST(value AS TEXT), 'Maker Works', 'Taker Works') AS BLOB) "
        "WHERE name='genesis'"
    ),
}


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A witnessed ledger, closed."""
    folder = tmp_path_factory.mktemp("fsck") / "ledger"
    chain = Chain(folder)
    chain.fill(6)
    chain.publish()
    chain.close()
    return folder


def copy_of(ledger: Path, to: Path) -> Path:
    """A copy to edit."""
    to.mkdir()
    (to / LEDGER_FILE).write_bytes((ledger / LEDGER_FILE).read_bytes())
    return to


def test_an_untouched_ledger_reproduces(ledger: Path) -> None:
    """Control: every leaf and record of an honest ledger replays."""
    store = LedgerStore.open_reader(ledger)
    checked = check_ledger(store)
    store.close()

    assert checked.leaves == checked.checkpoint_size
    assert checked.blocks > 5


@pytest.mark.parametrize("edit", sorted(EDITS))
def test_fsck_notices_an_edit_of(edit: str, ledger: Path, tmp_path: Path) -> None:
    """Any edit of what the ledger holds makes the replay differ, or the file unreadable."""
    folder = copy_of(ledger, tmp_path / "copy")
    connection = apsw.Connection(str(folder / LEDGER_FILE))
    connection.execute("PRAGMA ignore_check_constraints=ON")
    try:
        connection.execute(EDITS[edit])
    except apsw.ConstraintError:
        connection.execute("DROP TABLE checkpoint")
    changes = connection.total_changes()
    connection.close()
    store = LedgerStore.open_reader(folder)

    assert changes > 0, "the edit changed nothing: the test would prove nothing"
    with pytest.raises(VerificationError):
        check_ledger(store)
    store.close()
