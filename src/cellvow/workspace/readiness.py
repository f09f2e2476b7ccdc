"""Whether a node can serve: its ledger is readable, its index is not far behind, its disk is not full."""

import shutil
from dataclasses import dataclass
from pathlib import Path

import apsw

from cellvow.core.primitives.errors import CellvowError
from cellvow.node.home import NodeHome
from cellvow.workspace.explorer import Explorer
from cellvow.workspace.ledger_writer import LedgerWriter

BLOCKS_BEHIND_MAX = 1_000
"""Blocks that the index may still have to take in: about a second of work."""
DISK_FREE_BYTES_MIN = 500_000_000
"""Room below which nothing should be promised: the ledger's journal alone may need a tenth of it."""


@dataclass(frozen=True, slots=True)
class Standing:
    """What a node can say of itself; `reasons` are why it is not ready, and empty where it is."""

    reasons: tuple[str, ...]
    height: int
    leaves: int
    checkpoint_leaves: int
    cosignatures: int
    disk_free_bytes: int


class Readiness:
    """Looks at the node of `home`; `index` is the read model its pages follow. Shared by threads."""

    def __init__(self, home: NodeHome, index: Path, writer: LedgerWriter | None = None) -> None:
        self._home = home
        self._explorer = Explorer(home)
        self._index = index
        self._writer = writer

    def stand(self) -> Standing:
        """Look now. What cannot be read is a reason, never an error."""
        free = shutil.disk_usage(self._home.folder).free
        reasons = ["disk_low"] if free < DISK_FREE_BYTES_MIN else []
        if self._writer is not None and self._writer.stopped is not None:
            reasons.append("ledger_stopped")
        if self._writer is not None and self._writer.publication_failure is not None:
            reasons.append("publication_fails")
        try:
            head = self._explorer.head()
        except CellvowError:
            return Standing((*reasons, "ledger_unreadable"), 0, 0, 0, 0, free)
        if head.height - self._followed_height() > BLOCKS_BEHIND_MAX:
            reasons.append("index_behind")
        checkpoint = head.checkpoint
        size, cosigned = (0, 0) if checkpoint is None else (checkpoint.size, len(checkpoint.cosigned_by))
        return Standing(tuple(reasons), head.height, head.leaves, size, cosigned, free)

    def _followed_height(self) -> int:
        """How far the index has come; 0 where there is none yet."""
        if not self._index.is_file():
            return 0
        try:
            connection = apsw.Connection(str(self._index), flags=apsw.SQLITE_OPEN_READONLY)
            try:
                row: tuple[int] | None = connection.execute("SELECT height FROM followed").fetchone()
            finally:
                connection.close()
        except apsw.Error:
            return 0
        return 0 if row is None else row[0]
