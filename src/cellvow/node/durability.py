"""What a file needs beyond being written so that the next power cut leaves it: names synced, and logs that settle."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import apsw

from cellvow.core.primitives.errors import OperationalError

_PIECE_BYTES = 1 << 16
"""SQLite's own file layer takes less than 128 kB at once: more it answers with \"disk full\"."""


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Raise `OperationalError` with this sentence where SQLite or the operating system fails inside."""
    try:
        yield
    except (apsw.Error, OSError) as error:
        raise OperationalError(f"{what}: {error}") from error


def make_folder(folder: Path) -> None:
    """Make a folder whose name is on disk, where there is none; raises `OperationalError`."""
    with translated(f"the folder {folder} cannot be made"):
        folder.mkdir(parents=True, exist_ok=True)
        sync_folder(folder.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to disk: a file whose name is lost is lost. Raises `OSError`."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, content: bytes, *, mode: int = 0o644) -> None:
    """Put a file on disk, whole or not at all, in the place of what is there; raises `OSError`."""
    beside = path.with_name(f"{path.name}.new")
    beside.unlink(missing_ok=True)
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    beside.replace(path)
    sync_folder(path.parent)


def empty_log(database: Path) -> None:
    """Bring all of a database's write-ahead log into it, and remove the log; nobody writes it meanwhile.

    Raises `OperationalError` where a reader holds on to the log, `apsw.Error` where the disk fails.
    """
    connection = apsw.Connection(str(database), flags=apsw.SQLITE_OPEN_READWRITE)
    try:
        busy, _, _ = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone() or (1, 0, 0)
    finally:
        connection.close(True)
    if busy:
        raise OperationalError(f"{database} is being read: end whatever reads it, then start this member again")
    for ending in ("-wal", "-shm"):
        database.with_name(f"{database.name}{ending}").unlink(missing_ok=True)


def settle(log: Path, vfs: str | None) -> None:
    """Write the write-ahead log that a killed or failed writer left once more, and sync it; raises `apsw.Error`.

    It can be read without being on disk: it was never synced, or the kernel dropped it after a failed sync and will
    not try again. What is read from it counts as recorded, so it must outlast the next power cut too.
    """
    if not log.exists():
        return
    # With CREATE, SQLite syncs the log's name in its folder along with the log.
    flags = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_CREATE | apsw.SQLITE_OPEN_WAL
    file = apsw.VFSFile(vfs or "", str(log.absolute()), [flags, 0])
    try:
        size = file.xFileSize()
        for offset in range(0, size, _PIECE_BYTES):
            file.xWrite(file.xRead(min(_PIECE_BYTES, size - offset), offset), offset)
        if size:
            file.xSync(apsw.SQLITE_SYNC_FULL)
    finally:
        file.xClose()
