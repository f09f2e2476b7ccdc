"""The state as a node holds it: records in the store, their authenticated map in memory."""

from collections.abc import Iterable, Mapping
from typing import Protocol

from cellvow.core.ledger.state import StateProof, StateTree, entry_hash, key_hash
from cellvow.core.primitives.digest import Digest
from cellvow.node.store import LedgerStore

ROOM = 4
"""How many times as many records fit before the tree is built anew, which stops everything for a while."""


def build_tree(store: LedgerStore) -> StateTree:
    """The authenticated map over all records of the store: read once, at start."""
    entries = derive_entries(store.records())
    return StateTree(entries.items(), count=ROOM * len(entries))


def derive_entries(records: Iterable[tuple[str, bytes]]) -> dict[Digest, Digest]:
    """Key hash -> entry hash of records."""
    entries = {}
    for key, value in records:
        hashed = key_hash(key)
        entries[hashed] = entry_hash(hashed, value)
    return entries


RECENT_MAX = 20_000
"""Records kept at hand: what a block writes is mostly read again by the next ones."""


class ReadableState(Protocol):
    """Records that can be read, and proven under the newest block's state root."""

    def get(self, key: str) -> bytes | None:
        """The bytes of a record, or None."""

    def prove(self, key: str) -> StateProof:
        """Proof that a record stands in the map."""


class StoredState:
    """The `State` that the transition reads and updates.

    `update` changes the tree before the store is written: a node whose commit fails must stop, and does. Reading and
    updating are one thread's.
    """

    def __init__(self, store: LedgerStore, *, recent_max: int = RECENT_MAX) -> None:
        self._store = store
        self._tree = build_tree(store)
        self._recent: dict[str, bytes] = {}
        self._recent_max = recent_max

    @property
    def root(self) -> Digest:
        """Root over all records."""
        return self._tree.root

    def get(self, key: str) -> bytes | None:
        """The bytes of a record, or None; the tree knows what there is not, without asking the store."""
        known = self._recent.get(key)
        if known is not None or not self._tree.holds(key_hash(key)):
            return known
        value = self._store.get(key)
        if value is not None:
            self._keep({key: value})
        return value

    def keys(self, prefix: str) -> list[str]:
        """The keys of all records that begin with `prefix`, in order; those not written to the store yet included."""
        stored = [key for key, _ in self._store.records(prefix)]
        recent = [key for key in self._recent if key.startswith(prefix)]
        return sorted(dict.fromkeys((*stored, *recent)))

    def update(self, writes: Mapping[str, bytes]) -> Digest:
        """The state root once these records are written."""
        self._keep(writes)
        return self._tree.update(derive_entries(writes.items()))

    def _keep(self, records: Mapping[str, bytes]) -> None:
        self._recent.update(records)
        for _ in range(len(self._recent) - self._recent_max):
            del self._recent[next(iter(self._recent))]

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

    def keys(self, prefix: str) -> list[str]:
        """The keys of all records that begin with `prefix`, in order."""
        return sorted(key for key in self.values if key.startswith(prefix))

    def update(self, writes: Mapping[str, bytes]) -> Digest:
        """The state root once these records are written."""
        self.values.update(writes)
        return self.tree.update(derive_entries(writes.items()))
