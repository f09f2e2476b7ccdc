"""The state as a node holds it: records in the store, their authenticated map in memory."""

from collections.abc import Mapping

from cellvow.core.ledger.state import StateProof, StateTree, entry_hash, key_hash
from cellvow.core.primitives.digest import Digest
from cellvow.node.store import LedgerStore


def build_tree(store: LedgerStore) -> StateTree:
    """The authenticated map over all records of the store: read once, at start."""
    entries = []
    for key, value in store.records():
        hashed = key_hash(key)
        entries.append((hashed, entry_hash(hashed, value)))
    return StateTree(entries, count=len(entries))


class StoredState:
    """The `State` that the transition reads and updates.

    `update` changes the tree before the store is written: a node whose commit fails must stop, and does.
    """

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._tree = build_tree(store)

    @property
    def root(self) -> Digest:
        """Root over all records."""
        return self._tree.root

    def get(self, key: str) -> bytes | None:
        """The bytes of a record, or None."""
        return self._store.get(key)

    def update(self, writes: Mapping[str, bytes]) -> Digest:
        """The state root once these records are written."""
        entries = {}
        for key, value in writes.items():
            hashed = key_hash(key)
            entries[hashed] = entry_hash(hashed, value)
        return self._tree.update(entries)

    def prove(self, key: str) -> StateProof:
        """Proof that a record stands in the map."""
        return self._tree.prove(key, {})


class MemoryState:
    """The same over a dict, for replays, tests and witnesses that re-execute."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.tree = StateTree()

    def get(self, key: str) -> bytes | None:
        """The bytes of a record, or None."""
        return self.values.get(key)

    def update(self, writes: Mapping[str, bytes]) -> Digest:
        """The state root once these records are written."""
        self.values.update(writes)
        entries = {}
        for key, value in writes.items():
            hashed = key_hash(key)
            entries[hashed] = entry_hash(hashed, value)
        return self.tree.update(entries)
