"""A disk under SQLite that writes down every operation, fails where it is told to, and may lose power at any point.

Files lie in a real folder, which plays the page cache: what was written can be read. What a power cut leaves is made
from the record: all that was synced, and of the rest whatever the chosen fate lets arrive, torn at sectors of 512 B.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Literal, NamedTuple, TypeAlias

import apsw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

MEMORY = Path("/dev/shm")  # noqa: S108 - everything in it lies in a folder of its own
SECTOR_BYTES = 512
"""What a disk writes whole or not at all."""

Kind = Literal["write", "truncate", "sync", "lost", "link", "unlink", "names"]
Call = Literal["open", "read", "write", "full", "truncate", "sync", "delete"]

CODES: dict[Call, tuple[type[apsw.Error], int]] = {
    "open": (apsw.CantOpenError, apsw.SQLITE_CANTOPEN),
    "read": (apsw.IOError, apsw.SQLITE_IOERR_READ),
    "write": (apsw.IOError, apsw.SQLITE_IOERR_WRITE),
    "full": (apsw.FullError, apsw.SQLITE_FULL),
    "truncate": (apsw.IOError, apsw.SQLITE_IOERR_TRUNCATE),
    "sync": (apsw.IOError, apsw.SQLITE_IOERR_FSYNC),
    "delete": (apsw.IOError, apsw.SQLITE_IOERR_DELETE),
}
"""The call that fails, and what SQLite is told; `full` is a write for which there is no room."""


class Operation(NamedTuple):
    """One thing the disk was asked: of a file (by number, as names come and go), or of the folder's names.

    `lost` is a sync that failed: what it should have brought to disk is never tried again.
    """

    kind: Kind
    file: int
    name: str
    offset: int = 0
    data: bytes = b""


Fate: TypeAlias = "Callable[[Operation], list[Operation]]"
"""Which parts of an operation that was not synced arrive."""


def dropped(_: Operation) -> list[Operation]:
    """Nothing arrives."""
    return []


def kept(operation: Operation) -> list[Operation]:
    """Everything arrives."""
    return [operation]


def lengthened(operation: Operation) -> list[Operation]:
    """Of a write the file's new length arrives, and zeros for its content."""
    if operation.kind != "write":
        return [operation]
    return [operation._replace(offset=operation.offset + len(operation.data), data=b"")]


def torn(random: Random) -> Fate:
    """By chance: some arrive, some do not, and of some only a part of the sectors."""
    arriving = random.choice((0.2, 0.5, 0.8))

    def decide(operation: Operation) -> list[Operation]:
        if random.random() < 0.4:
            return [operation] if random.random() < arriving else []
        if operation.kind != "write":
            return [operation] if random.random() < arriving else []
        return [piece for piece in sectors_of(operation) if random.random() < arriving]

    return decide


def sectors_of(write: Operation) -> Iterator[Operation]:
    """The parts of a write that lie in different sectors."""
    at, end = write.offset, write.offset + len(write.data)
    while at < end:
        until = min(end, (at // SECTOR_BYTES + 1) * SECTOR_BYTES)
        yield write._replace(offset=at, data=write.data[at - write.offset : until - write.offset])
        at = until


class Remains:
    """What is on the disk for certain, and what may be, after the operations so far."""

    def __init__(self) -> None:
        self._content: dict[int, bytearray] = {}
        self._names: dict[str, int] = {}
        self._pending: dict[int, list[Operation]] = {}
        self._pending_names: list[Operation] = []

    @classmethod
    def of_files(cls, files: dict[str, bytes]) -> Remains:
        """A disk on which these files are for certain."""
        remains = cls()
        for number, (name, content) in enumerate(files.items(), 1):
            remains._names[name] = number
            remains._content[number] = bytearray(content)
        return remains

    def apply(self, operation: Operation) -> None:
        """Take one more operation into account."""
        if operation.kind in ("write", "truncate"):
            self._pending.setdefault(operation.file, []).append(operation)
        elif operation.kind in ("link", "unlink"):
            self._pending_names.append(operation)
        elif operation.kind == "names":
            _rename(self._names, self._pending_names)
            self._pending_names = []
        else:
            fate = kept if operation.kind == "sync" else torn(Random(operation.offset))
            content = self._content.setdefault(operation.file, bytearray())
            _write(content, self._pending.pop(operation.file, []), fate)

    def image(self, fate: Fate) -> dict[str, bytes]:
        """The files after a power cut now, by name."""
        names = dict(self._names)
        _rename(names, [arrived for change in self._pending_names for arrived in fate(change)])
        files = {}
        for name, number in names.items():
            content = bytearray(self._content.get(number, b""))
            _write(content, self._pending.get(number, []), fate)
            files[name] = bytes(content)
        return files

    def live_names(self) -> dict[str, int]:
        """The numbers of the files that can be opened now."""
        names = dict(self._names)
        _rename(names, self._pending_names)
        return names


def _rename(names: dict[str, int], changes: Iterable[Operation]) -> None:
    for change in changes:
        if change.kind == "link":
            names[change.name] = change.file
        else:
            names.pop(change.name, None)


def _write(content: bytearray, changes: Iterable[Operation], fate: Fate) -> None:
    for change in changes:
        for part in fate(change):
            if part.kind == "truncate":
                del content[part.offset :]
                continue
            content.extend(bytes(max(0, part.offset - len(content))))
            content[part.offset : part.offset + len(part.data)] = part.data


@dataclass(frozen=True, slots=True)
class Fault:
    """The `at`-th call of a kind fails, counted from 0; a `lasting` fault fails ever after."""

    call: Call
    at: int
    is_lasting: bool


class Disk(apsw.VFS):
    """A disk by a name of its own; `unregister` it when done."""

    def __init__(self, name: str, *, fault: Fault | None = None, before: Remains | None = None) -> None:
        """`before` is what an earlier disk, in the same folder, left unsynced."""
        self.name = name
        self.before = Remains() if before is None else deepcopy(before)
        self.operations: list[Operation] = []
        self.fault = fault
        self.has_failed = False
        self._calls: Counter[str] = Counter()
        self._numbers = self.before.live_names()
        self._next_number = 1 + max(self._numbers.values(), default=0)
        super().__init__(name, base="")

    def excepthook(self, *_: object) -> bool:
        """Stay quiet about the failures that SQLite cannot hand on: they are wanted."""
        return True

    def step(self, call: Call) -> None:
        """Count a call, or fail."""
        for kind in ("write", "full") if call == "write" else (call,):
            if self.fault is not None and kind == self.fault.call:
                self._calls[kind] += 1
                self._fail_at(self._calls[kind] - 1, self.fault)

    def _fail_at(self, count: int, fault: Fault) -> None:
        if count == fault.at or (fault.is_lasting and count > fault.at):
            self.has_failed = True
            error_class, code = CODES[fault.call]
            error = error_class("the disk failed")
            error.extendedresult = code  # type: ignore[attr-defined]  # APSW reads it; its stubs do not name it
            raise error

    def remains(self) -> Remains:
        """What a power cut now may leave."""
        remains = deepcopy(self.before)
        for operation in self.operations:
            remains.apply(operation)
        return remains

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> DiskFile:  # noqa: N802 - APSW's
        """Open a file that reports to this disk."""
        self.step("open")
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        path = Path(text or "temporary")
        is_new = not path.exists()
        file = DiskFile(self, name, flags, path.name)
        if is_new:
            self._numbers[path.name] = self._next_number
            self.note("link", path.name)
            self._next_number += 1
        return file

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - APSW's
        """Delete a name, for certain only if the folder is synced with it."""
        self.step("delete")
        super().xDelete(filename, syncdir)
        self.note("unlink", Path(filename).name)
        if syncdir:
            self.note_names()

    def note(self, kind: Kind, name: str, offset: int = 0, data: bytes = b"") -> None:
        """Write an operation on a named file down."""
        self.operations.append(Operation(kind, self._numbers[name], name, offset, data))

    def note_names(self) -> None:
        """Write down that the folder was synced."""
        self.operations.append(Operation("names", 0, ""))


class DiskFile(apsw.VFSFile):
    """A file whose operations are counted and written down."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int], short: str) -> None:
        self._disk = disk
        self._name = short
        # SQLite's first sync of a journal or log syncs its folder too, whoever made the file.
        self._syncs_names = bool(flags[0] & apsw.SQLITE_OPEN_CREATE) and short.endswith(("-wal", "-journal"))
        super().__init__("", name, flags)

    def excepthook(self, *_: object) -> bool:
        """Stay quiet about the failures that SQLite cannot hand on: they are wanted."""
        return True

    def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802 - APSW's
        """Read what was written, synced or not."""
        self._disk.step("read")
        return super().xRead(amount, offset)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - APSW's
        """Write, not yet durable; a write that fails leaves its first half."""
        try:
            self._disk.step("write")
        except apsw.Error:
            self._put(bytes(data[: len(data) // 2]), offset)
            raise
        self._put(bytes(data), offset)

    def _put(self, data: bytes, offset: int) -> None:
        super().xWrite(data, offset)
        self._disk.note("write", self._name, offset, data)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - APSW's
        """Cut, not yet durable."""
        self._disk.step("truncate")
        super().xTruncate(newsize)
        self._disk.note("truncate", self._name, newsize)

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802 - APSW's
        """Make everything so far durable: in the record; the real disk need not be bothered."""
        try:
            self._disk.step("sync")
        except apsw.Error:
            self._disk.note("lost", self._name, len(self._disk.operations))
            raise
        self._disk.note("sync", self._name)
        if self._syncs_names:
            self._disk.note_names()
            self._syncs_names = False


class HealthyDisk(apsw.VFS):
    """A disk that neither fails nor remembers, and on which a sync costs nothing."""

    def __init__(self, name: str) -> None:
        self.name = name
        super().__init__(name, base="")

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> HealthyFile:  # noqa: N802 - APSW's
        """Open a file."""
        return HealthyFile("", name, flags)


class HealthyFile(apsw.VFSFile):
    """A file that is synced as soon as it is written."""

    def xSync(self, flags: int) -> None:  # noqa: N802 - APSW's
        """Nothing to do."""


@contextmanager
def fast_folder() -> Iterator[Path]:
    """A folder in memory where there is such a thing: images are made and thrown away by thousands."""
    with tempfile.TemporaryDirectory(prefix="cellvow-disk-", dir=MEMORY if MEMORY.is_dir() else None) as name:
        yield Path(name)


def write_files(folder: Path, files: dict[str, bytes]) -> None:
    """Make a folder hold these files and no others."""
    folder.mkdir(exist_ok=True)
    for path in folder.iterdir():
        path.unlink()
    for name, content in files.items():
        (folder / name).write_bytes(content)
