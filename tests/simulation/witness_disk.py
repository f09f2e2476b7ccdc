"""A disk under SQLite that fails from the n-th change on, and what is left of it after a power cut."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import apsw

if TYPE_CHECKING:
    from random import Random

Change = tuple[Literal["write", "truncate"], int, bytes]
NEVER = -1


class Disk(apsw.VFS):
    """Counts writes, truncations, syncs and deletions; from the `fail_at`-th on all of them fail."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.changes = 0
        self.fail_at = NEVER
        self.durable: dict[str, bytearray] = {}
        self.pending: defaultdict[str, list[Change]] = defaultdict(list)
        super().__init__(name, base="")

    def step(self) -> None:
        """Count a change, or fail."""
        if self.changes == self.fail_at:
            raise apsw.IOError("the disk failed")
        self.changes += 1

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> DiskFile:  # noqa: N802 - APSW's
        """Open a file that reports to this disk."""
        return DiskFile(self, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802 - APSW's signature
        """Delete; taken as durable at once."""
        self.step()
        self.durable.pop(Path(filename).name, None)
        self.pending.pop(Path(filename).name, None)
        super().xDelete(filename, syncdir)

    def excepthook(self, *_: object) -> bool:
        """Stay quiet about the failures that SQLite cannot hand on: they are wanted."""
        return True

    def image(self, random: Random | None) -> dict[str, bytes]:
        """The files after a power cut: what was synced and, with `random`, some of what was not."""
        files = {name: bytearray(content) for name, content in self.durable.items()}
        for name, changes in self.pending.items():
            for change in changes:
                if random is not None and random.random() < 0.5:
                    apply(files.setdefault(name, bytearray()), change)
        return {name: bytes(content) for name, content in files.items()}


class DiskFile(apsw.VFSFile):
    """A file whose changes are counted and remembered until they are synced."""

    def __init__(self, disk: Disk, name: str | apsw.URIFilename | None, flags: list[int]) -> None:
        self._disk = disk
        text = name.filename() if isinstance(name, apsw.URIFilename) else name
        self._name = Path(text or "temporary").name
        disk.durable.setdefault(self._name, bytearray())
        super().__init__("", name, flags)

    def excepthook(self, *_: object) -> bool:
        """Stay quiet about the failures that SQLite cannot hand on: they are wanted."""
        return True

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802 - APSW's
        """Write, not yet durable."""
        self._disk.step()
        self._disk.pending[self._name].append(("write", offset, bytes(data)))
        super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802 - APSW's
        """Cut, not yet durable."""
        self._disk.step()
        self._disk.pending[self._name].append(("truncate", newsize, b""))
        super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802 - APSW's
        """Make everything so far durable: in this story; the real disk need not be bothered."""
        self._disk.step()
        for change in self._disk.pending.pop(self._name, []):
            apply(self._disk.durable[self._name], change)


def apply(content: bytearray, change: Change) -> None:
    """Do to `content` what the change says."""
    kind, offset, data = change
    if kind == "truncate":
        del content[offset:]
        return
    content.extend(bytes(max(0, offset - len(content))))
    content[offset : offset + len(data)] = data
