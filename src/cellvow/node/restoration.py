"""A ledger from its archive alone: restore it onto an empty machine, and rehearse that before it is needed."""

import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.ledger.checkpoint import SignatureCheck
from cellvow.core.ledger.genesis import encode_genesis
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError, VerificationError
from cellvow.core.primitives.signature import derive_public_key, is_valid
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.archive import Exported
from cellvow.node.archive_format import (
    CHECKPOINT_FILE,
    CONSENSUS_FILE,
    INHERITED_FILE,
    Progress,
    encode_inherited,
    ignore_progress,
)
from cellvow.node.archive_reader import ArchiveReader, Signed, replay_archive, verify_signatures, verify_tiles
from cellvow.node.engine import Clock
from cellvow.node.home import GENESIS_FILE, LOG_KEY_FILE, TRUST_FILE, WITNESSES_FILE
from cellvow.node.records import MemoryState
from cellvow.node.store import PROOF_FILE, LedgerStore
from cellvow.verify.trust import Trust, encode_trust

RESTORING = ".restoring"
"""Behind the folder's name while it is not whole yet."""
_SEED_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Restored:
    """A ledger that equals the checkpoint it was compared with, and whether its log can sign again."""

    signed: Signed
    size: int
    blocks: int
    statements: int
    is_replica: bool


def parse_log_key(content: bytes, trust: Trust) -> bytes:
    """The seed in a log key's file; raises `Malformed` unless it is that of the log in the trust file."""
    try:
        seed = bytes.fromhex(content.decode("ascii").strip())
    except ValueError as error:
        raise Malformed("the file of the log key is not 64 hexadecimal digits") from error
    if trust.log is None or len(seed) != _SEED_LENGTH or derive_public_key(seed) != trust.log.public_key:
        raise Malformed("the log key is not that of the log in the trust file: bring the one of this ledger")
    return seed


def restore_ledger(
    reader: ArchiveReader,
    folder: Path,
    trust: Trust,
    seed: bytes | None = None,
    progress: Progress = ignore_progress,
    check: SignatureCheck = is_valid,
) -> Restored:
    """Make the folder of a node from an archive, and show that it equals the checkpoint that others have signed.

    The folder appears only once it does. Without the log's `seed`, which no archive holds, it is a replica that can
    be read and not written. Raises `VerificationError` where archive and trust do not fit, `OperationalError` where
    the folder is not empty.
    """
    signed = verify_signatures(reader, trust, check)
    work = _begin_folder(folder)
    with ExitStack() as undo:
        undo.callback(shutil.rmtree, work, ignore_errors=True)
        verify_tiles(reader, lambda done, _: progress(done, 2 * reader.end.size))
        blocks, statements = _replay_into(work, reader, progress, check)
        _compare(work, reader)
        _write(work / GENESIS_FILE, encode_genesis(reader.genesis))
        _write(work / TRUST_FILE, encode_trust(trust))
        _write(work / WITNESSES_FILE, b"[]\n")
        if reader.inherited is not None:
            _write(work / INHERITED_FILE, encode_inherited(reader.inherited))
        if reader.end.file == CONSENSUS_FILE:
            _write(work / PROOF_FILE, reader.end.content)
        if seed is not None:
            _write(work / LOG_KEY_FILE, f"{seed.hex()}\n".encode("ascii"))
        _sync(work)
        work.rename(folder)
        _sync(folder.parent)
        undo.pop_all()
    return Restored(signed, reader.end.size, blocks, statements, seed is None)


def _begin_folder(folder: Path) -> Path:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OperationalError(f"{folder} is not empty: a ledger is restored into a new folder, and overwrites none")
    work = folder.with_name(folder.name + RESTORING)
    if work.exists():
        raise OperationalError(f"{work} is what an interrupted restore has left: remove it, then restore again")
    work.mkdir(parents=True, mode=0o700)
    return work


def _replay_into(work: Path, reader: ArchiveReader, progress: Progress, check: SignatureCheck) -> tuple[int, int]:
    state, size = MemoryState(), reader.end.size
    store = LedgerStore.create(work, reader.genesis, begin_chain(reader.genesis, MemoryState(), reader.inherited))
    blocks, statements = 0, 0
    try:
        for block, applied in replay_archive(reader, state, check):
            store.commit(block, applied)
            blocks, statements = blocks + 1, statements + len(block.statements)
            progress(size + applied.head.log.size, 2 * size)
        if reader.end.file == CHECKPOINT_FILE:
            store.put_checkpoint(size, reader.end.content)
    finally:
        store.close()
    return blocks, statements


def _compare(work: Path, reader: ArchiveReader) -> None:
    """Read back what was written, and compare it with what was signed."""
    store = LedgerStore.open_reader(work)
    try:
        log = store.head().log
    finally:
        store.close()
    if (log.size, log.root()) != (reader.end.size, reader.end.root):
        raise VerificationError(
            f"the restored ledger has {log.size} leaves with root {log.root().hex()}, and that is not the checkpoint "
            f"of {reader.end.size} leaves: nothing was restored; look at this machine's disk and memory"
        )


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def rehearse(folder: Path, trust: Trust, check: SignatureCheck = is_valid) -> Restored:
    """Restore the archive of a folder into a temporary one and compare, as it would be done in need."""
    with tempfile.TemporaryDirectory(prefix="cellvow-rehearsal-") as temporary:
        return restore_ledger(ArchiveReader.of_folder(folder), Path(temporary) / "ledger", trust, check=check)


@dataclass(frozen=True, slots=True)
class Round:
    """One round of a schedule: what was exported, or why not; and how rehearsing went, where it was asked for."""

    time_ms: int
    exported: Exported | None
    failure: str | None
    rehearsed_ms: int | None
    """When restoring last succeeded, in milliseconds since 1970; None where it never did."""


class ExportSchedule:
    """Exports again and again, and says when a restore last succeeded; a round that fails is not the last."""

    def __init__(
        self,
        export: Callable[[], Exported],
        restore: Callable[[], object] | None,
        clock: Clock,
        pause: Callable[[float], object],
    ) -> None:
        """`restore` rehearses; `clock` gives milliseconds, `pause` waits for seconds."""
        self._export = export
        self._restore = restore
        self._clock = clock
        self._pause = pause
        self._rehearsed_ms: int | None = None

    def rounds(self, every_ms: int) -> Iterator[Round]:
        """A round now, then one every so many milliseconds from the start of the one before; without end."""
        while True:
            begun_ms = self._clock()
            yield self._round()
            self._pause(max(0, begun_ms + every_ms - self._clock()) / 1000)

    def _round(self) -> Round:
        exported: Exported | None = None
        failure: str | None = None
        try:
            exported = self._export()
            if self._restore is not None:
                self._restore()
                self._rehearsed_ms = self._clock()
        except (CellvowError, OSError) as error:
            failure = str(error)
        return Round(self._clock(), exported, failure, self._rehearsed_ms)
