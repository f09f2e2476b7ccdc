"""What a witness must never forget, in SQLite: its own key's id, the logs, the latest checkpoints, the forks."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from typing import Self

import apsw

from cellvow.core.ledger.checkpoint import NoteKey, encode_vkey, parse_note, parse_vkey, verify_log_signature
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError, VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.witness_protocol import Accepted, Fork, Held, Verdict

LOGS_MAX = 256
"""Logs one witness knows."""
FORKS_KEPT_MAX = 10
"""Forks kept per log: one convicts it, the rest show how it went on."""
BUSY_MS_MAX = 5_000
"""How long to wait for another process that writes to the same store."""

_APPLICATION_ID = 0x43565754  # "CVWT"
_FORMAT = 1
_SCHEMA = f"""
    PRAGMA application_id = {_APPLICATION_ID};
    PRAGMA user_version = {_FORMAT};
    CREATE TABLE identity (vkey TEXT NOT NULL) STRICT;
    CREATE TABLE log (origin TEXT PRIMARY KEY, vkey TEXT NOT NULL, note BLOB, time_s INTEGER,
        CHECK ((note IS NULL) = (time_s IS NULL))) STRICT, WITHOUT ROWID;
    CREATE TABLE fork (origin TEXT NOT NULL REFERENCES log, size INTEGER NOT NULL, held BLOB NOT NULL,
        offered BLOB NOT NULL, seen_s INTEGER NOT NULL, UNIQUE (origin, offered)) STRICT;
"""


@dataclass(frozen=True, slots=True)
class KnownLog:
    """A log the witness serves, and what it holds of it (None before the first checkpoint)."""

    key: NoteKey
    held: Held | None


class WitnessStore:
    """One connection, one writer at a time; returns from `record` only when the record is on disk.

    After the first failure of the storage every call raises `OperationalError`: what SQLite could not
    write may or may not be there, and only a restart reads it back.
    """

    def __init__(self, connection: apsw.Connection) -> None:
        require_durable(connection)
        self._connection = connection
        self._lock = Lock()
        self._failure: str | None = None

    @classmethod
    def create(cls, path: Path, key: NoteKey, *, vfs: str | None = None) -> Self:
        """A new store at `path` that belongs to the witness's `key`; an existing file is refused."""
        if path.exists():
            raise OperationalError(f"{path} exists already: a witness is created in a folder of its own")
        connection = _connect(path, apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE, vfs)
        store = cls(connection)
        try:
            with store._transaction():
                connection.execute(_SCHEMA)
                connection.execute("INSERT INTO identity VALUES (?)", (encode_vkey(key),))
        except OperationalError:
            _abandon(connection)
            raise
        return store

    @classmethod
    def open(cls, path: Path, key: NoteKey, *, vfs: str | None = None) -> Self:
        """The store of `key`; refused if it is lost, damaged, edited or another witness's."""
        if not path.is_file():
            raise OperationalError(
                f"the key of the witness {key.name} is here but its store {path.name} is lost: it no longer "
                "knows what it cosigned, so retire the key and create a witness with a new one"
            )
        store = cls(_connect(path, apsw.SQLITE_OPEN_READWRITE, vfs))
        try:
            store._require_sound(key)
        except CellvowError:
            store.close()
            raise
        return store

    def close(self) -> None:
        """Release the file; the store is not used afterwards."""
        with self._lock:
            try:
                self._connection.close()
            except apsw.Error as error:
                raise self._failed(error) from error

    def add_log(self, key: NoteKey) -> None:
        """Serve the log of `key`; the same key again changes nothing, another key is refused."""
        with self._transaction():
            known = self._fetch_log(key.name)
            if known:
                if known.key != key:
                    raise Malformed(f"the log {key.name} is known by another key: it cannot be exchanged")
                return
            if self._connection.execute("SELECT count(*) FROM log").get >= LOGS_MAX:
                raise OperationalError(f"a witness serves at most {LOGS_MAX} logs")
            self._connection.execute("INSERT INTO log (origin, vkey) VALUES (?, ?)", (key.name, encode_vkey(key)))

    def fetch_log(self, origin: str) -> KnownLog | None:
        """The log of `origin`, if the witness serves it."""
        with self._reading():
            return self._fetch_log(origin)

    def fetch_logs(self) -> tuple[KnownLog, ...]:
        """Every log, by origin."""
        with self._reading():
            return self._fetch_logs()

    def fetch_forks(self) -> tuple[Fork, ...]:
        """The evidence against logs, as it came."""
        with self._reading():
            return self._fetch_forks()

    def record(self, origin: str, decide: Callable[[Held | None], Verdict]) -> Verdict:
        """Let `decide` judge by what is held of `origin` and keep its verdict, all in one transaction.

        Nobody else, in this process or another, writes between the reading and the keeping.
        """
        with self._transaction():
            known = self._fetch_log(origin)
            verdict = decide(known.held if known else None)
            if isinstance(verdict, Accepted):
                self._connection.execute(
                    "UPDATE log SET note = ?, time_s = ? WHERE origin = ?",
                    (verdict.held.note, verdict.held.time_s, origin),
                )
            elif verdict.fork:
                self._keep_fork(verdict.fork)
        return verdict

    def _keep_fork(self, fork: Fork) -> None:
        self._connection.execute(
            "INSERT OR IGNORE INTO fork SELECT ?, ?, ?, ?, ? WHERE (SELECT count(*) FROM fork WHERE origin = ?) < ?",
            (fork.origin, fork.size, fork.held, fork.offered, fork.seen_s, fork.origin, FORKS_KEPT_MAX),
        )

    def _fetch_log(self, origin: str) -> KnownLog | None:
        columns = "SELECT vkey, note, time_s FROM log WHERE origin = ?"
        for vkey, note, time_s in self._connection.execute(columns, (origin,)):
            return _known_log(vkey, note, time_s)
        return None

    def _fetch_logs(self) -> tuple[KnownLog, ...]:
        rows = self._connection.execute("SELECT vkey, note, time_s FROM log ORDER BY origin")
        return tuple(_known_log(*row) for row in rows)

    def _fetch_forks(self) -> tuple[Fork, ...]:
        columns = "SELECT origin, size, held, offered, seen_s FROM fork ORDER BY rowid"
        return tuple(Fork(*row) for row in self._connection.execute(columns))

    def _require_sound(self, key: NoteKey) -> None:
        with self._reading():
            pragmas = [self._connection.pragma(name) for name in ("application_id", "user_version")]
            if pragmas != [_APPLICATION_ID, _FORMAT]:
                raise OperationalError("the file is no witness store of this version: leave it as it is")
            if self._connection.pragma("integrity_check") != "ok":
                raise OperationalError("the witness's store is damaged: retire its key")
            if self._connection.execute("SELECT vkey FROM identity").fetchall() != [(encode_vkey(key),)]:
                raise OperationalError(f"the store belongs to another witness's key, not to {key.name}'s")
            for log in self._fetch_logs():
                _require_authentic(log)
            self._fetch_forks()

    @contextmanager
    def _reading(self) -> Iterator[None]:
        with self._lock:
            self._require_working()
            try:
                yield
            except apsw.Error as error:
                raise self._failed(error) from error

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._reading():
            self._connection.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._connection.execute("COMMIT")
            finally:
                # SQLite rolls back by itself on some failures of the storage.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    def _require_working(self) -> None:
        if self._failure:
            raise OperationalError(self._failure)

    def _failed(self, error: apsw.Error) -> OperationalError:
        if isinstance(error, apsw.BusyError):
            return OperationalError("another process is writing to the witness's store: try again")
        self._failure = (
            f"the witness's store failed ({type(error).__name__}: {error}); whether the last checkpoint was "
            "kept is unknown: mend the storage and start the witness again"
        )
        return OperationalError(self._failure)


def require_durable(connection: apsw.Connection) -> None:
    """Refuse a connection that could forget what it acknowledged when the power fails."""
    journal, synchronous = connection.pragma("journal_mode"), connection.pragma("synchronous")
    if journal != "wal" or synchronous not in (2, 3):
        raise OperationalError(
            f"SQLite would run with journal_mode={journal}, synchronous={synchronous}: "
            "a witness needs wal and FULL, or it could forget a checkpoint it cosigned"
        )


def _connect(path: Path, flags: int, vfs: str | None) -> apsw.Connection:
    try:
        connection = apsw.Connection(str(path), flags=flags, vfs=vfs)
    except apsw.Error as error:
        raise OperationalError(f"the witness's store {path} cannot be opened: {error}") from error
    try:
        connection.set_busy_timeout(BUSY_MS_MAX)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "FULL")
        connection.pragma("foreign_keys", True)
        if sys.platform == "darwin":
            # There fsync alone leaves the bytes in the drive's cache.
            connection.pragma("fullfsync", True)
            connection.pragma("checkpoint_fullfsync", True)
        _settle(connection)
    except apsw.Error as error:
        _abandon(connection)
        raise OperationalError(f"the witness's store {path} cannot be used: {error}") from error
    return connection


def _settle(connection: apsw.Connection) -> None:
    """Bring what a killed writer's log holds into the store itself, and sync it, before anything of it is told.

    It can be read though no sync reached it. Where another process uses the store its log is that one's to bring home.
    """
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _abandon(connection: apsw.Connection) -> None:
    # The failure that led here is the one to report, not what closing meets.
    with suppress(apsw.Error):
        connection.close(True)


def _known_log(vkey: str, note: bytes | None, time_s: int | None) -> KnownLog:
    try:
        log = KnownLog(parse_vkey(vkey), None if note is None or time_s is None else Held(note, time_s))
        if log.held and log.held.checkpoint.origin != log.key.name:
            raise Malformed(f"a checkpoint of {log.held.checkpoint.origin} is kept for {log.key.name}")
    except Malformed as error:
        raise _altered(error) from error
    return log


def _require_authentic(log: KnownLog) -> None:
    if log.held is None:
        return
    note = parse_note(log.held.note)
    try:
        verify_log_signature(note.checkpoint, note.signatures[0], log.key, is_valid)
    except VerificationError as error:
        raise _altered(error) from error


def _altered(error: CellvowError) -> OperationalError:
    return OperationalError(f"the witness's store was altered ({error}): retire its key")
