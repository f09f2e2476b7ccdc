"""The ledger's one SQLite file: blocks, statements with outcomes, log nodes, records and checkpoints.

Written through APSW in WAL mode with `synchronous=FULL`; anything weaker is refused at start. One writer, held by
a lock file; readers have connections that cannot write. A block is one transaction, or it is not there.
"""

import fcntl
import os
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

import apsw

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.genesis import Genesis, parse_genesis
from cellvow.core.ledger.statement import Statement, parse_statement
from cellvow.core.primitives.cbor import parse_cbor
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import InvariantBroken, OperationalError, ensure
from cellvow.core.primitives.merkle import Frontier
from cellvow.core.protocol.transition import Applied, Head
from cellvow.node.durability import make_folder, settle, sync_folder, translated
from cellvow.node.tables import FORMAT, Restored, write_begun, write_block, write_restored

LEDGER_FILE = "ledger.db"
PROOF_FILE = "consensus.proof"
"""Beside the ledger of a member: the newest proof by which two thirds of the validators vouch for the log."""
LOCK_FILE = "writer.lock"

_SYNCHRONOUS_FULL = 2
_BUSY_MS = 10_000
_ENDINGS = ("-shm", "-wal", "-journal", "")


class LedgerLocked(OperationalError):
    """Another process writes this ledger."""


class LedgerUnfinished(OperationalError):
    """The making of this ledger was interrupted: it holds nothing."""


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
        try:
            self._descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OperationalError(f"the ledger in {folder} cannot be locked for writing: {error}") from error
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise LedgerLocked(
                f"process {holder} is writing the ledger in {folder}: one writer at a time; wait or stop it"
            ) from error
        with suppress(OSError):  # who holds it is said for people; on a full disk the lock holds all the same
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
        found = self._value("PRAGMA user_version")
        if found == 0:
            raise LedgerUnfinished("the making of this ledger was interrupted: it holds nothing yet; make it again")
        if found != FORMAT:
            raise OperationalError("the ledger file has another format than this version of the software reads")

    @classmethod
    def create(cls, folder: Path, genesis: Genesis, applied: Applied, *, vfs: str | None = None) -> Self:
        """Create the ledger of a genesis in a folder that holds none, and open it for writing.

        It is there whole or not at all: what an interrupted attempt left, the next one removes.
        """
        path = folder / LEDGER_FILE
        with ExitStack() as undo:
            make_folder(folder)
            lock = WriterLock(folder)
            undo.callback(lock.release)
            with translated(f"the ledger {path} cannot be made"):
                _clear_unfinished(path, vfs)
                connection = _connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, vfs)
                undo.callback(_abandon, connection)
                _require_durable(connection)
                with connection:
                    write_begun(connection, genesis, applied)
                sync_folder(folder)
            store = cls(connection, lock)
            undo.pop_all()
        return store

    @classmethod
    def create_restored(
        cls, folder: Path, restored: Restored, records: Iterable[tuple[str, bytes]], *, vfs: str | None = None
    ) -> Self:
        """Create a ledger that begins with a snapshot, and open it for writing; whatever `records` raises undoes all.

        It is built beside its place and gets its name once it is on disk: it is there whole or not at all.
        """
        path, built = folder / LEDGER_FILE, folder / f"{LEDGER_FILE}.restoring"
        with ExitStack() as undo:
            make_folder(folder)
            lock = WriterLock(folder)
            undo.callback(lock.release)
            with translated(f"the ledger {path} cannot be restored"):
                _clear_unfinished(path, vfs)
                built.unlink(missing_ok=True)
                undo.callback(_remove, built)
                _build(built, restored, records, vfs)
                _remove(path)  # logs of a ledger that is gone would be played back into this one
                undo.callback(_remove, path)
                built.rename(path)
                sync_folder(folder)
                connection = _connect(path, apsw.SQLITE_OPEN_READWRITE, vfs)
                undo.callback(_abandon, connection)
                _require_durable(connection)
            store = cls(connection, lock)
            undo.pop_all()
        return store

    @classmethod
    def open_writer(cls, folder: Path, *, vfs: str | None = None) -> Self:
        """Open for writing; raises `LedgerLocked` while another process does. `vfs` names SQLite's way to the disk."""
        _require_ledger(folder)
        with ExitStack() as undo:
            lock = WriterLock(folder)
            undo.callback(lock.release)
            with translated(f"the ledger in {folder} cannot be opened"):
                settle(folder / f"{LEDGER_FILE}-wal", vfs)
                connection = _connect(folder / LEDGER_FILE, apsw.SQLITE_OPEN_READWRITE, vfs)
                undo.callback(_abandon, connection)
                _require_durable(connection)
            store = cls(connection, lock)
            undo.pop_all()
        return store

    @classmethod
    def open_reader(cls, folder: Path) -> Self:
        """Open for reading, beside a writer or without one."""
        _require_ledger(folder)
        with ExitStack() as undo:
            connection = _connect(folder / LEDGER_FILE, apsw.SQLITE_OPEN_READONLY, None)
            undo.callback(_abandon, connection)
            store = cls(connection, None)
            undo.pop_all()
        return store

    def close(self) -> None:
        """Close the file and give the writer's lock back, whatever the disk says to it."""
        _abandon(self._connection)
        if self._lock is not None:
            self._lock.release()
            self._lock = None

    def commit(self, block: Block, applied: Applied) -> None:
        """Write a block and all it did in one transaction; on return it is on disk."""
        ensure(self._lock is not None, "a reader was asked to commit a block")
        connection = self._connection
        try:
            with self._guard, connection:
                write_block(connection, block, applied)
        except apsw.Error as error:
            raise LedgerStopped(
                f"storage failed while block {block.height} was written ({error}): what was sent with it is unknown. "
                "Mend the disk, start again, and send the same statements: none takes effect twice"
            ) from error

    def put_checkpoint(self, size: int, note: bytes) -> None:
        """Keep the newest signed note of a size."""
        try:
            with self._guard, self._connection:
                self._connection.execute("INSERT OR REPLACE INTO checkpoint VALUES(?, ?)", (size, note))
        except apsw.Error as error:
            raise LedgerStopped(
                f"storage failed while the checkpoint of {size} leaves was kept ({error}): whether it is there is "
                "unknown. Mend the disk and publish again; no statement is touched by it"
            ) from error

    @contextmanager
    def unchanging(self) -> Iterator[Self]:
        """The ledger as of one moment, for the length of the block, however much is written meanwhile."""
        with self._guard:
            try:
                with self._connection:
                    self._value("SELECT value FROM meta WHERE name='head'")  # the moment begins with the first reading
                    yield self
            except apsw.Error as error:
                raise LedgerStopped(f"storage failed while reading the ledger: {error}") from error

    def pin(self) -> None:
        """Stay at this moment until this reader is closed, whichever thread reads on; `unchanging` is one thread's."""
        ensure(self._lock is None, "the writer was asked to stand still")
        self._row("BEGIN")
        self._value("SELECT value FROM meta WHERE name='head'")  # the moment begins with the first reading

    @property
    def folder(self) -> Path:
        """Where the ledger lies."""
        return Path(self._connection.filename).parent

    def changes(self) -> int:
        """A number that differs from the one before whenever another connection has written in between."""
        return int(self._value("PRAGMA data_version"))

    def genesis(self) -> Genesis:
        """The document this ledger started from."""
        return _parse_genesis(self._value("SELECT value FROM meta WHERE name='genesis'"))

    def genesis_state_root(self) -> Digest:
        """The state root that leaf 0 holds beside the digest of genesis."""
        root = self._value("SELECT value FROM meta WHERE name='genesis_state_root'")
        if root is None:
            raise OperationalError(
                "this ledger was made before its first state root was kept: restore it from an archive"
            )
        return Digest(root)

    def restored_height(self) -> int | None:
        """The height of the snapshot this ledger began with, or None: then it holds its whole history."""
        height = self._value("SELECT value FROM meta WHERE name='restored'")
        return None if height is None else int.from_bytes(height, "big")

    def head(self) -> Head:
        """Where the chain stands."""
        genesis = self.genesis()
        numbers = _integers(self._value("SELECT value FROM meta WHERE name='head'"))
        height, time_ms, size = numbers[:3]
        ruleset = numbers[3] if len(numbers) > 3 else genesis.ruleset
        return Head(genesis.chain_id, height, time_ms, self.frontier(size), ruleset)

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
            joined = self.restored_height()
            if joined is not None:
                raise OperationalError(
                    f"this node joined by snapshot at height {joined}: older history is with archive nodes "
                    "(`cellvow archive`)"
                )
            raise InvariantBroken(f"the log lacks node {position} of level {level}")
        return Digest(found)

    def nodes(self, level: int, first: int, count: int) -> list[Digest]:
        """The hashes of `count` complete subtrees of one level, from position `first` on; those that are there."""
        query = "SELECT hash FROM node WHERE level=? AND position >= ? AND position < ? ORDER BY position"
        with self._guard:
            return [Digest(found) for (found,) in self._rows(query, (level, first, first + count))]

    def get(self, key: str) -> bytes | None:
        """The bytes of a record, or None."""
        value: bytes | None = self._value("SELECT value FROM record WHERE key=?", (key,))
        return value

    def records(self, prefix: str = "", after: str = "") -> Iterator[tuple[str, bytes]]:
        """All records whose key starts with `prefix` and lies above `after`, in order of their keys."""
        query = "SELECT key, value FROM record WHERE key >= ? AND key < ? ORDER BY key"
        yield from self._rows(query, (max(prefix, after + "\0"), prefix + "\x7f"))

    def count_records(self, prefix: str = "") -> int:
        """How many records the state holds whose key starts with `prefix`."""
        return int(self._value("SELECT count(*) FROM record WHERE key >= ? AND key < ?", (prefix, prefix + "\x7f")))

    def count_blocks(self) -> int:
        """How many blocks are recorded."""
        return int(self._value("SELECT count(*) FROM block"))

    def blocks(self, after: int = 0) -> Iterator[StoredBlock]:
        """The blocks above a height, in order."""
        query = (
            "SELECT height, time_ms, first_leaf, statements, evidence, body FROM block WHERE height > ? ORDER BY height"
        )
        for row in self._rows(query, (after,)):
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
            rows = list(self._rows(query, (first_leaf, first_leaf + count)))
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

    def consensus_proof(self) -> bytes | None:
        """What the validators of a consortium signed last, as it was fetched; None where one writer signs notes."""
        path = self.folder / PROOF_FILE
        try:
            return path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise OperationalError(f"{path} cannot be read: {error.strerror}") from error

    def _rows(self, query: str, bindings: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
        try:
            yield from self._connection.execute(query, bindings)
        except apsw.Error as error:
            raise LedgerStopped(f"storage failed while reading the ledger: {error}") from error

    def _row(self, query: str, bindings: tuple[Any, ...] = ()) -> tuple[Any, ...] | None:
        try:
            with self._guard:
                return self._connection.execute(query, bindings).fetchone()
        except apsw.Error as error:
            raise LedgerStopped(f"storage failed while reading the ledger: {error}") from error

    def _value(self, query: str, bindings: tuple[Any, ...] = ()) -> Any:  # noqa: ANN401 - a column of any type
        row = self._row(query, bindings)
        return None if row is None else row[0]


def has_ledger(folder: Path) -> bool:
    """Whether a folder holds a ledger, whole or damaged, that a new one must not replace."""
    try:
        LedgerStore.open_reader(folder).close()
    except LedgerUnfinished:
        return False
    except OperationalError:
        return (folder / LEDGER_FILE).exists()
    return True


def _connect(path: Path, flags: int, vfs: str | None) -> apsw.Connection:
    with translated(f"the ledger {path} cannot be opened"):
        connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
        connection.execute("PRAGMA foreign_keys=ON")
    return connection


def _abandon(connection: apsw.Connection) -> None:
    # Whatever was acknowledged is on disk by now; what closing meets changes nothing, and must not keep the lock.
    with suppress(apsw.Error):
        connection.close(True)


def _clear_unfinished(path: Path, vfs: str | None) -> None:
    """Remove what an interrupted attempt to make a ledger left; refuses where there is one.

    Nothing of it is built upon: what can be read of it need not be on disk.
    """
    if not path.exists():
        return
    connection = _connect(path, apsw.SQLITE_OPEN_READWRITE, vfs)
    try:
        tables = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
        found = (connection.execute("PRAGMA user_version").fetchone(), tables)
    finally:
        _abandon(connection)
    if found != ((0,), (0,)):
        raise OperationalError(f"{path.parent} holds a ledger already; nothing was changed")
    for ending in _ENDINGS:
        Path(f"{path}{ending}").unlink(missing_ok=True)


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


def _build(path: Path, restored: Restored, records: Iterable[tuple[str, bytes]], vfs: str | None) -> None:
    """Write a whole ledger file and sync it. Without a journal: nobody reads it before it is done."""
    connection = _connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, vfs)
    try:
        connection.execute("PRAGMA journal_mode=OFF").fetchall()
        connection.execute("PRAGMA synchronous=FULL; BEGIN")
        write_restored(connection, restored, records)
        connection.execute("COMMIT")
    finally:
        _abandon(connection)


def _remove(path: Path) -> None:
    # What cannot be removed from a failing disk is removed by the next attempt; the failure itself says more.
    with suppress(OSError):
        for ending in _ENDINGS:
            Path(f"{path}{ending}").unlink(missing_ok=True)


def _integers(data: bytes) -> list[int]:
    stored = parse_cbor(data)
    integers = [one for one in stored if isinstance(one, int)] if isinstance(stored, list) else []
    ensure(len(integers) in (3, 4), "the head is stored as height, time, size and, since rules change, the ruleset")
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
