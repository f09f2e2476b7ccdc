"""Same blocks, same app hash: what one writer recorded, a consortium's application makes of the same blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

import apsw
import pytest

from cellvow.core.ledger.log import encode_app_hash
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.cometbft import messages
from cellvow.node.cometbft.application import LedgerApplication
from cellvow.node.fsck import check_ledger
from cellvow.node.records import MemoryState
from cellvow.node.store import LedgerStore
from tests.bundles.chain import Chain

if TYPE_CHECKING:
    from pathlib import Path

    from cellvow.node.store import StoredBlock

TABLES = ("block", "statement", "node", "record")


def _decide(application: LedgerApplication, store: LedgerStore, block: StoredBlock) -> bytes:
    """Put a recorded block through every call that an engine makes, and commit it; the app hash."""
    decided = [one.statement.data for one in store.statements(block.first_leaf, block.statements)]
    time = {"seconds": block.time_ms // 1_000, "nanos": block.time_ms % 1_000 * 1_000_000}
    proposed = application.prepare_proposal(
        messages.RequestPrepareProposal(txs=decided, max_tx_bytes=4_000_000, height=block.height, time=time)
    )
    judged = application.process_proposal(
        messages.RequestProcessProposal(txs=proposed.txs, height=block.height, time=time)
    )
    assert decided == list(proposed.txs)
    assert messages.ResponseProcessProposal.ACCEPT == judged.status
    finalized = application.finalize_block(
        messages.RequestFinalizeBlock(txs=proposed.txs, height=block.height, time=time)
    )
    application.commit(messages.RequestCommit())
    app_hash: bytes = finalized.app_hash
    return app_hash


def _rows(folder: Path, table: str) -> list[tuple[object, ...]]:
    connection = apsw.Connection(str(folder / "ledger.db"), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return connection.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall()  # noqa: S608 - our own four names
    finally:
        connection.close()


@pytest.mark.slow
def test_one_recorded_history_has_one_root_on_every_engine(tmp_path: Path) -> None:
    """Every block's app hash is the same, and so is every row of what both keep."""
    embedded = Chain(tmp_path / "embedded")
    embedded.fill()
    LedgerStore.create(tmp_path / "member", embedded.genesis, begin_chain(embedded.genesis, MemoryState())).close()
    application = LedgerApplication(tmp_path / "member", lambda: 0)
    blocks = list(embedded.store.blocks())

    for block in blocks:
        expected = encode_app_hash(embedded.store.frontier(block.leaf + 1))
        assert expected == _decide(application, embedded.store, block)
    assert embedded.store.head() == application.chain.head
    application.close()
    embedded.close()
    for table in TABLES:
        assert _rows(tmp_path / "embedded", table) == _rows(tmp_path / "member", table)
    member = LedgerStore.open_reader(tmp_path / "member")
    assert len(blocks) == check_ledger(member).blocks
    member.close()


@pytest.mark.slow
def test_control_another_order_is_another_history(tmp_path: Path) -> None:
    """The comparison sees what differs: one millisecond in one block."""
    embedded = Chain(tmp_path / "embedded")
    embedded.fill()
    LedgerStore.create(tmp_path / "member", embedded.genesis, begin_chain(embedded.genesis, MemoryState())).close()
    application = LedgerApplication(tmp_path / "member", lambda: 0)
    first = next(iter(embedded.store.blocks()))
    decided = [one.statement.data for one in embedded.store.statements(first.first_leaf, first.statements)]
    later = {"seconds": first.time_ms // 1_000, "nanos": (first.time_ms % 1_000 + 1) * 1_000_000}
    finalized = application.finalize_block(messages.RequestFinalizeBlock(txs=decided, height=first.height, time=later))

    assert encode_app_hash(embedded.store.frontier(first.leaf + 1)) != finalized.app_hash
    application.close()
    embedded.close()
