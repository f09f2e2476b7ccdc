"""A private SQLite file of ours: whole from its first moment, durable, readable by its owner alone."""

import os
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import apsw

from cellvow.core.primitives.errors import CellvowError, OperationalError
from cellvow.vault.private_file import AlreadyThere, new_private_file, require_private

BUSY_MS_MAX = 10_000
"""How long to wait for another process that writes to the same file."""

_MAGIC = b"SQLite format 3\0"
_FULL, _EXTRA = 2, 3


@dataclass(frozen=True, slots=True)
class Layout:
    """What a file holds: its noun in messages, its SQLite application id, its tables and their version."""

    noun: str
    application_id: int
    tables: str
    version: int = 1


def _no_rows(_: apsw.Connection) -> None:
    """A layout that starts empty."""


class PrivateDatabase:
    """One connection for all threads of a process; other processes have their own.

    After a failure of the storage every call raises `OperationalError` until the file is opened anew: what
    could not be written may or may not be there.
    """

    def __init__(self, path: Path, layout: Layout) -> None:
        """Open an existing file; `open` is the way in."""
        self.path = path
        self._layout = layout
        self._lock = threading.RLock()
        self._failure: str | None = None
        _require_whole(path, layout)
        with self._translated():
            self._connection = _connect(path)
        try:
            self._require_ours()
        except CellvowError:
            self.close()
            raise

    @classmethod
    def open(cls, path: Path, layout: Layout, begin: Callable[[apsw.Connection], None] = _no_rows) -> "PrivateDatabase":
        """Open the file, or create it (mode 0600) with its tables and whatever rows `begin` writes.

        Raises `OperationalError` if it is open to other users, truncated, damaged or another kind of file.
        """
        if not path.exists():
            _create(path, layout, begin)
        require_private(path)
        return cls(path, layout)

    def close(self) -> None:
        """Release the file; the object is not used afterwards."""
        self._connection.close()

    @contextmanager
    def reading(self) -> Iterator[apsw.Connection]:
        """One consistent view for the length of the block."""
        with self._transaction("BEGIN") as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[apsw.Connection]:
        """One transaction, alone among all processes; on disk when the block has ended, or not there at all."""
        with self._transaction("BEGIN IMMEDIATE") as connection:
            yield connection

    def sweep(self) -> None:
        """Rewrite the file without what was deleted, and empty the write-ahead log that still holds it.

        Raises `OperationalError` if another process is reading: what was deleted may then be left in the log.
        """
        with self._lock, self._translated():
            self._connection.execute("VACUUM")
            busy, _, _ = self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() or (1, 0, 0)
        if busy:
            raise OperationalError(
                f"another process is reading the {self._layout.noun}, so traces of what was deleted remain in "
                f"{self.path.name}-wal: end it and do this again, or open the {self._layout.noun} once more later"
            )

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[apsw.Connection]:
        with self._lock, self._translated():
            self._connection.execute(begin)
            try:
                yield self._connection
                self._connection.execute("COMMIT")
            finally:
                # SQLite rolls back by itself on some failures of the storage.
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK")

    @contextmanager
    def _translated(self) -> Iterator[None]:
        if self._failure is not None:
            raise OperationalError(self._failure)
        try:
            yield
        except apsw.Error as error:
            raise OperationalError(self._explain(error)) from error

    def _explain(self, error: apsw.Error) -> str:
        noun, path = self._layout.noun, self.path
        if isinstance(error, apsw.BusyError):
            return f"another process is writing to the {noun} {path}: try again"
        if isinstance(error, apsw.CorruptError | apsw.NotADBError):
            return f"the {noun} {path} is damaged ({error}): restore it from a backup"
        if isinstance(error, apsw.FullError):
            return f"the disk is full: nothing was written to the {noun} {path}"
        sentence = f"the {noun} {path} failed ({type(error).__name__}: {error})"
        if isinstance(error, apsw.IOError):
            self._failure = f"{sentence}; whether the last change was kept is unknown: mend the storage, open it again"
            return self._failure
        return sentence

    def _require_ours(self) -> None:
        noun, path = self._layout.noun, self.path
        with self._translated():
            require_durable(self._connection, noun)
            found = (self._connection.pragma("application_id"), self._connection.pragma("user_version"))
        if found[0] != self._layout.application_id:
            raise OperationalError(f"{path} is no {noun}: leave it as it is")
        if found[1] != self._layout.version:
            raise OperationalError(
                f"the {noun} {path} has layout {found[1]}, this software knows {self._layout.version}: "
                "use the version that wrote it"
            )


def require_durable(connection: apsw.Connection, noun: str) -> None:
    """Refuse a connection that could forget what it acknowledged, or leave behind what it deleted."""
    journal, synchronous = connection.pragma("journal_mode"), connection.pragma("synchronous")
    secure_delete = connection.pragma("secure_delete")
    if journal != "wal" or synchronous not in (_FULL, _EXTRA) or secure_delete != 1:
        raise OperationalError(
            f"SQLite would run the {noun} with journal_mode={journal}, synchronous={synchronous}, "
            f"secure_delete={secure_delete}: wal, 2 and 1 are required"
        )


def _create(path: Path, layout: Layout, begin: Callable[[apsw.Connection], None]) -> None:
    try:
        with new_private_file(path) as draft:
            connection = _connect(draft)
            try:
                with connection:
                    connection.execute(layout.tables)
                    connection.pragma("application_id", layout.application_id)
                    connection.pragma("user_version", layout.version)
                    begin(connection)
            finally:
                connection.close()
    except AlreadyThere:
        # Another process was faster: its file is as good as ours.
        return
    except apsw.Error as error:
        raise OperationalError(f"the {layout.noun} {path} cannot be created: {error}") from error


def _connect(path: Path) -> apsw.Connection:
    connection = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        connection.set_busy_timeout(BUSY_MS_MAX)
        connection.pragma("journal_mode", "wal")
        connection.pragma("synchronous", "FULL")
        connection.pragma("secure_delete", True)
        connection.pragma("foreign_keys", True)
        if sys.platform == "darwin":
            # There fsync alone leaves the bytes in the drive's cache.
            connection.pragma("fullfsync", True)
            connection.pragma("checkpoint_fullfsync", True)
        _settle(connection)
    except apsw.Error:
        connection.close(True)
        raise
    return connection


def _settle(connection: apsw.Connection) -> None:
    """Bring what a killed writer's log holds into the file itself, and sync it, before anything of it is read.

    It can be read though no sync reached it. Where another process uses the file its log is that one's to bring home.
    """
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _require_whole(path: Path, layout: Layout) -> None:
    """SQLite reads a missing end as zeros where it can, so the length is compared with the one in the header."""
    # Twice: a checkpoint by another process may have been under way between the two readings of one look.
    if _is_cut(path) and _is_cut(path):
        raise OperationalError(f"the {layout.noun} {path} is truncated: restore it from a backup")


def _is_cut(path: Path) -> bool:
    with path.open("rb") as file:
        header = file.read(100)
        size = os.fstat(file.fileno()).st_size
    if size == 0:
        return True
    log = path.with_name(f"{path.name}-wal")
    if not header.startswith(_MAGIC) or (log.exists() and log.stat().st_size > 0):
        # No SQLite file, which SQLite itself reports; or its log still completes it.
        return False
    page_size = int.from_bytes(header[16:18], "big")
    page_size = 65_536 if page_size == 1 else page_size
    return len(header) < 100 or size % page_size != 0 or size < page_size * int.from_bytes(header[28:32], "big")
