"""Snapshots under an engine: made for newcomers outside the commit, and taken when this member is one.

A member begins with a ledger at genesis; a snapshot that holds replaces that file in one step.
"""

import logging
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import CellvowError, OperationalError, VerificationError
from cellvow.node.durability import empty_log, sync_folder, translated
from cellvow.node.snapshot import Snapshot, SnapshotReader, list_snapshots, prune_snapshots, read_chunk
from cellvow.node.snapshot_restoring import Restoration, Verdict
from cellvow.node.store import LEDGER_FILE

SNAPSHOTS_FOLDER = "snapshots"
JOINING_FOLDER = "joining"
KEEP = 2
"""Snapshots kept: the newest, and the one that a newcomer may be in the middle of."""

_LOG = logging.getLogger(__name__)


class StateSync:
    """The snapshots of one member; asked by the event loop's thread, writing in another."""

    def __init__(self, ledger: Path, interval: int) -> None:
        """`ledger` is the ledger's folder; a snapshot is made at each multiple of `interval`, none where it is 0."""
        self._ledger = ledger
        self._folder = ledger / SNAPSHOTS_FOLDER
        self._interval = interval
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="snapshots")
        self._writing: Future[None] | None = None
        self._restoration: Restoration | None = None

    def close(self) -> None:
        """Wait for what is being written, and drop what was half received."""
        self._thread.shutdown()
        self._drop()

    def after_commit(self, height: int) -> None:
        """Pin the ledger as it is at this height if a snapshot is due; it is written while the engine goes on."""
        if not self._interval or height % self._interval or self.is_writing:
            return
        self._writing = self._thread.submit(self._write, SnapshotReader.pin(self._ledger))

    @property
    def is_writing(self) -> bool:
        """Whether a snapshot is being written now."""
        return self._writing is not None and not self._writing.done()

    def snapshots(self) -> list[Snapshot]:
        """What newcomers are offered."""
        return list_snapshots(self._folder) if self._folder.is_dir() else []

    def chunk(self, height: int, index: int) -> bytes:
        """A chunk, or nothing where it is gone or damaged: the newcomer then asks somebody else."""
        try:
            return read_chunk(self._folder, height, index)
        except (OperationalError, VerificationError) as error:
            _LOG.warning("no chunk %d of height %d is served: %s", index, height, error)
            return b""

    def begin(self, snapshot: Snapshot, app_hash: bytes, genesis: Digest) -> bool:
        """Whether this snapshot is taken up: it must be able to hold under the app hash and this genesis."""
        self._drop()
        try:
            self._restoration = Restoration(snapshot, app_hash, genesis, self._ledger / JOINING_FOLDER)
        except VerificationError as error:
            _LOG.warning("a snapshot of height %d was not taken up: %s", snapshot.height, error)
            return False
        return True

    def apply(self, index: int, chunk: bytes) -> Verdict:
        """What became of a chunk; after `COMPLETE` the ledger waits for `install`."""
        if self._restoration is None:
            raise OperationalError("the engine brings a chunk of a snapshot that was not accepted")
        verdict = self._restoration.apply(index, chunk)
        if verdict in (Verdict.BAD_CHUNK, Verdict.BAD_SNAPSHOT):
            _LOG.warning("chunk %d of a snapshot was refused: %s", index, self._restoration.reason)
        return verdict

    def install(self) -> None:
        """Put the restored ledger in the place of the one at genesis, which is closed by now: in one step."""
        restored = self._restoration
        if restored is None or restored.store is None:
            raise OperationalError("no restored ledger waits to be installed")
        restored.store.close()
        joined, place = self._ledger / JOINING_FOLDER / LEDGER_FILE, self._ledger / LEDGER_FILE
        with translated(f"the restored ledger cannot be put into {self._ledger}"):
            empty_log(place)  # a log that a reader keeps open would be played into the new file
            joined.replace(place)
            sync_folder(self._ledger)
        self._drop()

    def _write(self, reader: SnapshotReader) -> None:
        """A failure costs newcomers a snapshot and this member nothing: it is told and left."""
        try:
            with reader:
                reader.write(self._folder)
            prune_snapshots(self._folder, KEEP)
        except CellvowError as error:
            _LOG.warning("no snapshot of height %d was made: %s", reader.head.height, error)

    def _drop(self) -> None:
        if self._restoration is not None:
            self._restoration.close()
            self._restoration = None
        unfinished = self._ledger / JOINING_FOLDER / LEDGER_FILE
        unfinished.unlink(missing_ok=True)
