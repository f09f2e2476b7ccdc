"""The ledger's one SQLite file: blocks, statements with outcomes, log nodes, records and checkpoints.

Written through APSW in WAL mode with `synchronous=FULL`; anything weaker is refused at start. One writer, held by
a lock file; readers have connections that cannot write. A block is one transaction, or it is not there.
"""

import fcntl
import os
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import apsw

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.genesis import Genesis, encode_genesis, parse_genesis
from cellvow.core.ledger.statement import Statement, parse_statement
from cellvow.core.primitives.cbor import encode_cbor, parse_cbor
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import InvariantBroken, OperationalError, ensure
from cellvow.core.primitives.merkle import Frontier
from cellvow.core.protocol.transition import Applied, Head

LEDGER_FILE = "ledger.db"
LOCK_FILE = "writer.lock"
FORMAT = 1
"""Version of the tables; a file of another one is refused, not guessed at."""

_SYNCHRONOUS_FULL = 2
_BUSY_MS = 10_000
_TABLES = """
CREATE TABLE meta(name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE block(height INTEGER PRIMARY KEY, time_ms INTEGER NOT NULL, first_leaf INTEGER NOT NULL,
    statements INTEGER NOT NULL, evidence BLOB NOT NULL, body BLOB NOT NULL) STRICT;
CREATE TABLE statement(leaf INTEGER PRIMARY KEY, height INTEGER NOT NULL, txid BLOB NOT NULL UNIQUE,
    digest BLOB NOT NULL UNIQUE, data BLOB NOT NULL, outcomes BLOB NOT NULL) STRICT;
CREATE TABLE node(level INTEGER NOT NULL, position INTEGER NOT NULL, hash BLOB NOT NULL,
    PRIMARY KEY(level, position)) WITHOUT ROWID, STRICT;
CREATE TABLE record(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID, STRICT;
CREATE TABLE checkpoint(size INTEGER PRIMARY KEY, note BLOB NOT NULL) STRICT;
"""


class LedgerLocked(OperationalError):
    """Another process writes this ledger."""


class LedgerStopped(OperationalError):
    """The ledger met a storage error. What was not acknowledged is *unknown*: it may or may not be there."""


@dataclass(frozen=True, slots=True)
class StoredStatement:
    """A statement as it stands in the ledger."""

    leaf: int
    height: int
    statement: Statement
    outcomes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class StoredBlock:
    """A block as it stands in the ledger; `body` is its document in the log."""

    height: int
    time_ms: int
    first_leaf: int
    statements: int
    evidence: tuple[bytes, ...]
    body: bytes

    @property
    def leaf(self) -> int:
        """Index of the block's own leaf."""
        return self.first_leaf + self.statements + len(self.evidence)


class WriterLock:
    """Exclusive right to write one ledger; released when the process ends, however it ends."""

    def __init__(self, folder: Path) -> None:
        """Take the lock, or raise `LedgerLocked` naming who holds it."""
        self._descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise LedgerLocked(
                f"process {holder} is writing the ledger in {folder}: one writer at a time; wait or stop it"
            ) from error
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Give the lock back."""
        os.close(self._descriptor)


class LedgerStore:
    """Reads, and for the one writer also commits, the ledger of one folder."""

    def __init__(self, connection: apsw.Connection, lock: WriterLock | None) -> None:
        self._connection = connection
        self._lock = lock
        self._guard = threading.RLock()  # a connection serves one thread at a time
        connection.set_busy_timeout(_BUSY_MS)
        if self._value("PRAGMA user_version") != FORMAT:
            self.close()
            raise OperationalError("the ledger file has another format than this version of the software reads")

    @classmethod
    def create(cls, folder: Path, genesis: Genesis, applied: Applied) -> Self:
        """Create the ledger of a genesis in a folder that holds none, and open it for writing."""
        folder.mkdir(parents=True, exist_ok=True)
        if (folder / LEDGER_FILE).exists():
            raise OperationalError(f"{folder} holds a ledger already; nothing was changed")
        lock = WriterLock(folder)
        connection = _connect(folder / LEDGER_FILE, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE)
        _require_durable(connection)
        with connection:
            connection.execute(f"{_TABLES} PRAGMA user_version={FORMAT};")
            connection.execute("INSERT INTO meta VALUES('genesis', ?)", (encode_genesis(genesis),))
            _write(connection, applied)
        return cls(connection, lock)

    @classmethod
    def open_writer(cls, folder: Path) -> Self:
        """Open for writing; raises `LedgerLocked` while another process does."""
        _require_ledger(folder)
        lock = WriterLock(folder)
        try:
            connection = _connect(folder / LEDGER_FILE, apsw.SQLITE_OPEN_READWRITE)
            _require_durable(connection)
        except OperationalError:
            lock.release()
            raise
        return cls(connection, lock)

    @classmethod
    def open_reader(cls, folder: Path) -> Self:
        """Open for reading, beside a writer or without one."""
        _require_ledger(folder)
        return cls(_connect(folder / LEDGER_FILE, apsw.SQLITE_OPEN_READONLY), None)

    def close(self) -> None:
        """Close the file and give the writer's lock back."""
        self._connection.close()
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def commit(self, block: Block, applied: Applied) -> None:
        """Write a block and all it did in one transaction; on return it is on disk."""
        ensure(self._lock is not None, "a reader was asked to commit a block")
        connection = self._connection
        try:
            with self._guard, connection:
                _write_block(connection, block, applied)
                _write(connection, applied)
        except apsw.Error as error:
            raise LedgerStopped(
                f"storage failed while block {block.height} was written ({error}): what was sent with it is unknown. "
                "Mend the disk, start again, and send the same statements: none takes effect twice"
            ) from error

    def put_checkpoint(self, size: int, note: bytes) -> None:
        """Keep the newest signed note of a size."""
        with self._guard, self._connection:
            self._connection.execute("INSERT OR REPLACE INTO checkpoint VALUES(?, ?)", (size, note))

    def changes(self) -> int:
        """A number that differs from the one before whenever another connection has written in between."""
        return int(self._value("PRAGMA data_version"))

    def genesis(self) -> Genesis:
        """The document this ledger started from."""
        return _parse_genesis(self._value("SELECT value FROM meta WHERE name='genesis'"))

    def head(self) -> Head:
        """Where the chain stands."""
        genesis = self.genesis()
        height, time_ms, size = _integers(self._value("SELECT value FROM meta WHERE name='head'"))
        return Head(genesis.chain_id, height, time_ms, self.frontier(size), genesis.ruleset)

    def frontier(self, size: int) -> Frontier:
        """The complete subtrees of the first `size` leaves."""
        peaks, position = [], 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                peaks.append(self.node(level, position >> level))
                position += 1 << level
        return Frontier(size, tuple(peaks))

    def node(self, level: int, position: int) -> Digest:
        """The hash of a complete subtree of the log."""
        found = self._value("SELECT hash FROM node WHERE level=? AND position=?", (level, position))
        if found is None:
            raise InvariantBroken(f"the log lacks node {position} of level {level}")
        return Digest(found)

    def nodes(self, level: int, first: int, count: int) -> list[Digest]:
        """The hashes of `count` complete subtrees of one level, from position `first` on; those that are there."""
        query = "SELECT hash FROM node WHERE level=? AND position >= ? AND position < ? ORDER BY position"
        with self._guard:
            rows: list[Any] = self._connection.execute(query, (level, first, first + count)).fetchall()
        return [Digest(found) for (found,) in rows]

    def get(self, key: str) -> bytes | None:
        """The bytes of a record, or None."""
        value: bytes | None = self._value("SELECT value FROM record WHERE key=?", (key,))
        return value

    def records(self, prefix: str = "") -> Iterator[tuple[str, bytes]]:
        """All records whose key starts with `prefix`, in order of their keys."""
        rows = self._connection.execute(
            "SELECT key, value FROM record WHERE key >= ? AND key < ? ORDER BY key", (prefix, prefix + "\x7f")
        )
        yield from rows

    def count_records(self) -> int:
        """How many records the state holds."""
        return int(self._value("SELECT count(*) FROM record"))

    def count_blocks(self) -> int:
        """How many blocks are recorded."""
        return int(self._value("SELECT count(*) FROM block"))

    def blocks(self, after: int = 0) -> Iterator[StoredBlock]:
        """The blocks above a height, in order."""
        query = (
            "SELECT height, time_ms, first_leaf, statements, evidence, body FROM block WHERE height > ? ORDER BY height"
        )
        for row in self._connection.execute(query, (after,)):
            yield _block(row)

    def block(self, height: int) -> StoredBlock | None:
        """The block of a height, or None where none is recorded."""
        query = "SELECT height, time_ms, first_leaf, statements, evidence, body FROM block WHERE height=?"
        row = self._row(query, (height,))
        return None if row is None else _block(row)

    def last_block(self) -> StoredBlock | None:
        """The newest recorded block, or None before the first."""
        return self.block(int(self._value("SELECT coalesce(max(height), 0) FROM block")))

    def statements(self, first_leaf: int, count: int) -> list[StoredStatement]:
        """Statements by leaf: those of `count` leaves from `first_leaf` on."""
        query = "SELECT leaf, height, data, outcomes FROM statement WHERE leaf >= ? AND leaf < ? ORDER BY leaf"
        with self._guard:
            rows = self._connection.execute(query, (first_leaf, first_leaf + count)).fetchall()
        return [_statement(row) for row in rows]

    def statement_of_txid(self, txid: bytes) -> StoredStatement | None:
        """The statement with this idempotency key, or None."""
        row = self._row("SELECT leaf, height, data, outcomes FROM statement WHERE txid=?", (txid,))
        return None if row is None else _statement(row)

    def statement_of_digest(self, digest: bytes) -> StoredStatement | None:
        """The statement with this digest, or None."""
        row = self._row("SELECT leaf, height, data, outcomes FROM statement WHERE digest=?", (digest,))
        return None if row is None else _statement(row)

    def checkpoint(self) -> bytes | None:
        """The newest signed note, or None before the first."""
        note: bytes | None = self._value("SELECT note FROM checkpoint ORDER BY size DESC LIMIT 1")
        return note

    def _row(self, query: str, bindings: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        try:
            with self._guard:
                return self._connection.execute(query, bindings).fetchone()
        except apsw.Error as error:
            raise LedgerStopped(f"storage failed while reading the ledger: {error}") from error

    def _value(self, query: str, bindings: tuple[Any, ...] = ()) -> Any:  # noqa: ANN401 - a column of any type
        row = self._row(query, bindings)
        return None if row is None else row[0]


def _connect(path: Path, flags: int) -> apsw.Connection:
    try:
        connection = apsw.Connection(str(path), flags=flags)
        connection.execute("PRAGMA foreign_keys=ON")
    except apsw.Error as error:
        raise OperationalError(f"the ledger {path} cannot be opened: {error}") from error
    return connection


def _require_ledger(folder: Path) -> None:
    if not (folder / LEDGER_FILE).is_file():
        raise OperationalError(f"there is no ledger in {folder}: `cellvow init` makes one")


def _require_durable(connection: apsw.Connection) -> None:
    connection.execute("PRAGMA journal_mode=WAL").fetchall()
    connection.execute("PRAGMA synchronous=FULL")
    mode = connection.execute("PRAGMA journal_mode").fetchone()
    level = connection.execute("PRAGMA synchronous").fetchone()
    if mode != ("wal",) or level != (_SYNCHRONOUS_FULL,):
        raise OperationalError(f"the ledger would be written with {mode}/{level}: only WAL with FULL keeps promises")


def _write_block(connection: apsw.Connection, block: Block, applied: Applied) -> None:
    first_leaf = applied.head.log.size - len(applied.leaves)
    connection.execute(
        "INSERT INTO block VALUES(?, ?, ?, ?, ?, ?)",
        (
            block.height,
            block.time_ms,
            first_leaf,
            len(block.statements),
            encode_cbor(list(block.evidence)),
            applied.block_leaf,
        ),
    )
    connection.executemany(
        "INSERT INTO statement VALUES(?, ?, ?, ?, ?, ?)",
        [
            (
                first_leaf + offset,
                block.height,
                statement.envelope.txid,
                statement.envelope.digest,
                statement.data,
                encode_cbor(list(applied.outcomes[offset])),
            )
            for offset, statement in enumerate(block.statements)
        ],
    )


def _write(connection: apsw.Connection, applied: Applied) -> None:
    head = applied.head
    connection.executemany("INSERT INTO node VALUES(?, ?, ?)", applied.nodes)
    connection.executemany("INSERT OR REPLACE INTO record VALUES(?, ?)", applied.writes.items())
    position = encode_cbor([head.height, head.time_ms, head.log.size])
    connection.execute("INSERT OR REPLACE INTO meta VALUES('head', ?)", (position,))


def _integers(data: bytes) -> list[int]:
    stored = parse_cbor(data)
    integers = [one for one in stored if isinstance(one, int)] if isinstance(stored, list) else []
    ensure(len(integers) == 3, "the head is stored as height, time and size")
    return integers


def _pieces(data: bytes) -> tuple[bytes, ...]:
    stored = parse_cbor(data)
    ensure(isinstance(stored, list), "pieces are stored as an array of byte strings")
    return tuple(one for one in stored if isinstance(one, bytes)) if isinstance(stored, list) else ()


def _block(row: Sequence[Any]) -> StoredBlock:
    height, time_ms, first_leaf, statements, evidence, body = row
    return StoredBlock(height, time_ms, first_leaf, statements, _pieces(evidence), body)


def _statement(row: Sequence[Any]) -> StoredStatement:
    leaf, height, data, outcomes = row
    return StoredStatement(leaf, height, *_parse_kept(data, outcomes))


@lru_cache(maxsize=16)  # a page reads several messages of one batch, each time the whole row; 16 are at most 20 MB
def _parse_kept(data: bytes, outcomes: bytes) -> tuple[Statement, tuple[bytes, ...]]:
    return parse_statement(data), _pieces(outcomes)


_parse_genesis = lru_cache(maxsize=4)(parse_genesis)
"""Asked for with every head, and always the same."""
