"""What a member answers to queries of its engine: read from a connection of its own, beside the writer.

Paths: `/head` (CBOR: height, time in ms, log size, log root), `/record` (the record of a key), `/statement` (the wire
bytes of the statement with a txid). An empty value says that there is none.
"""

import threading
from pathlib import Path

from cellvow.core.primitives.cbor import encode_cbor
from cellvow.core.primitives.errors import Malformed
from cellvow.node.store import LedgerStore

KEY_BYTES_MAX = 512
"""Longest key of a record that is looked for."""


class QueryReader:
    """Reads one ledger; asked by one thread at a time."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._store: LedgerStore | None = None
        self._guard = threading.Lock()

    def read(self, path: str, key: bytes) -> tuple[int, bytes]:
        """(height, value); raises `Malformed` for a path or key of no known form."""
        with self._guard:
            if self._store is None:
                self._store = LedgerStore.open_reader(self._folder)
            with self._store.unchanging() as store:
                return store.head().height, _read(store, path, key)

    def forget(self) -> None:
        """Open the ledger anew at the next question: it was replaced."""
        with self._guard:
            if self._store is not None:
                self._store.close()
                self._store = None

    close = forget


def _read(store: LedgerStore, path: str, key: bytes) -> bytes:
    if path == "/head":
        head = store.head()
        return encode_cbor([head.height, head.time_ms, head.log.size, head.log.root()])
    if path == "/record":
        return store.get(_text(key)) or b""
    if path == "/statement":
        stored = store.statement_of_txid(key)
        return b"" if stored is None else stored.statement.data
    raise Malformed(f"there is nothing to ask under {path[:80]!r}: /head, /record and /statement answer")


def _text(key: bytes) -> str:
    if len(key) > KEY_BYTES_MAX or not key.isascii():
        raise Malformed("the key of a record is ASCII text of at most 512 bytes")
    return key.decode("ascii")
