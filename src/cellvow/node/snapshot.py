"""Snapshots on disk: written from a reader's view while the ledger goes on, listed, handed out, and pruned.

A snapshot is a folder named by its height, with the files `metadata` and `chunk-0` to `chunk-N`. It is made under
another name and gets its own when it is on disk: what has a height for its name is whole.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from cellvow.core.primitives.digest import Digest, sha256
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.core.protocol.transition import Head
from cellvow.node.durability import make_folder, sync_folder, translated
from cellvow.node.snapshot_format import (
    CHUNK_BYTES_MAX,
    FORMAT,
    METADATA_BYTES_MAX,
    Metadata,
    Position,
    derive_nodes,
    encode_metadata,
    encode_position,
    encode_records,
    parse_metadata,
    verify_position,
)
from cellvow.node.store import LedgerStore

SNAPSHOTS_LISTED_MAX = 10
"""What the engine takes from one peer."""
METADATA_FILE = "metadata"

_UNFINISHED = ".unfinished"
_HEADS_LENGTH = 10  # CBOR before a key and before its record, at most
_ARRAY_HEAD_LENGTH = 9


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A snapshot as it is offered: `chunks` says how many, `hash` is the SHA-256 of `metadata`."""

    height: int
    format: int
    chunks: int
    hash: Digest
    metadata: bytes


class SnapshotReader:
    """A view of a ledger that stands still, to be written down in another thread; use it as a context manager.

    While it is open the ledger's write-ahead log cannot be emptied: close it as soon as the snapshot is written.
    """

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self.head: Head = store.head()

    @classmethod
    def pin(cls, ledger: Path) -> Self:
        """Hold on to the ledger in this folder as it is now: quick, and of no cost to the writer."""
        with ExitStack() as undo:
            store = LedgerStore.open_reader(ledger)
            undo.callback(store.close)
            store.pin()
            reader = cls(store)
            undo.pop_all()
        return reader

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the view."""
        self._store.close()

    def write(self, folder: Path, *, chunk_bytes: int = CHUNK_BYTES_MAX) -> Snapshot:
        """Write the snapshot of this height into a folder of snapshots, on disk on return; or find it there.

        All nodes must agree on `chunk_bytes`, or their snapshots differ. Raises `VerificationError` where the ledger's
        own log does not hold together: nobody is offered that. `OperationalError`: nothing was made.
        """
        target = folder / str(self.head.height)
        known = _read_snapshot(target)
        if known is not None:
            return known
        position = _derive_position(self._store, self.head)
        verify_position(position, self.head.height, self.head.app_hash, position.genesis.digest)
        unfinished = folder / f"{self.head.height}{_UNFINISHED}"
        make_folder(folder)
        with (
            translated(f"the snapshot of height {self.head.height} cannot be written to {folder}"),
            ExitStack() as undo,
        ):
            for stale in folder.glob(f"*{_UNFINISHED}"):
                shutil.rmtree(stale)
            unfinished.mkdir()
            undo.callback(shutil.rmtree, unfinished, ignore_errors=True)
            metadata = self._write_files(unfinished, position, chunk_bytes)
            if target.exists():
                shutil.rmtree(target)  # broken, or it would have been found above
            unfinished.rename(target)
            undo.pop_all()
            sync_folder(folder)
        return _offer(metadata)

    def _write_files(self, folder: Path, position: Position, chunk_bytes: int) -> bytes:
        digests = []
        for number, chunk in enumerate(_chunks(self._store, position, chunk_bytes)):
            if len(chunk) > CHUNK_BYTES_MAX:
                raise OperationalError(
                    f"chunk {number} of the snapshot would have {len(chunk)} bytes: no peer takes it"
                )
            _write_synced(folder / f"chunk-{number}", chunk)
            digests.append(sha256(chunk))
        metadata = encode_metadata(Metadata(self.head.height, tuple(digests)))
        if len(metadata) > METADATA_BYTES_MAX:
            raise OperationalError(f"a snapshot of {len(digests)} chunks is more than the engine can offer")
        _write_synced(folder / METADATA_FILE, metadata)
        sync_folder(folder)
        return metadata


def list_snapshots(folder: Path) -> list[Snapshot]:
    """The newest whole snapshots of a folder, at most 10, newest first; the bytes of chunks are not looked at."""
    found: list[Snapshot] = []
    for height in _heights(folder):
        snapshot = _read_snapshot(folder / str(height))
        if snapshot is not None:
            found.append(snapshot)
        if len(found) == SNAPSHOTS_LISTED_MAX:
            break
    return found


def read_chunk(folder: Path, height: int, index: int) -> bytes:
    """A chunk as it was written; raises `OperationalError` where it is gone or damaged: hand out nothing then."""
    where = folder / str(height)
    with translated(f"chunk {index} of the snapshot of height {height} cannot be read"):
        chunk = (where / f"chunk-{index}").read_bytes()
        metadata = (where / METADATA_FILE).read_bytes()
    digests = parse_metadata(metadata).chunks
    if not 0 <= index < len(digests) or sha256(chunk) != digests[index]:
        raise OperationalError(f"chunk {index} of the snapshot of height {height} was damaged on disk: remove {where}")
    return chunk


def prune_snapshots(folder: Path, keep: int) -> None:
    """Remove all but the newest `keep` snapshots. Call it in the thread that writes them."""
    with translated(f"old snapshots in {folder} cannot be removed"):
        for height in _heights(folder)[keep:]:
            # Renamed first: a folder that is half removed must not look like a snapshot.
            unfinished = (folder / str(height)).rename(folder / f"{height}{_UNFINISHED}")
            shutil.rmtree(unfinished)


def _write_synced(path: Path, content: bytes) -> None:
    """Write a file and bring its bytes, not yet its name, to disk."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _derive_position(store: LedgerStore, head: Head) -> Position:
    block = store.last_block()
    body, evidence = (b"", ()) if block is None else (block.body, block.evidence)
    nodes = derive_nodes(store.node, head.log.size, body, len(evidence))
    root, records = store.genesis_state_root(), store.count_records()
    return Position(store.genesis(), root, head.log.size, body, evidence, nodes, records)


def _chunks(store: LedgerStore, position: Position, chunk_bytes: int) -> Iterator[bytes]:
    yield encode_position(position)
    waiting: list[tuple[str, bytes]] = []
    size = _ARRAY_HEAD_LENGTH
    for key, value in store.records():
        length = len(key) + len(value) + _HEADS_LENGTH
        if waiting and size + length > chunk_bytes:
            yield encode_records(waiting)
            waiting, size = [], _ARRAY_HEAD_LENGTH
        waiting.append((key, value))
        size += length
    if waiting:
        yield encode_records(waiting)


def _heights(folder: Path) -> list[int]:
    """Heights that name something in the folder, newest first."""
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted((int(name) for name in names if name.isascii() and name.isdecimal()), reverse=True)


def _read_snapshot(folder: Path) -> Snapshot | None:
    """The snapshot in its folder, or None where it is broken."""
    try:
        snapshot = _offer((folder / METADATA_FILE).read_bytes())
    except (OSError, Malformed, VerificationError):
        return None
    is_whole = all((folder / f"chunk-{number}").is_file() for number in range(snapshot.chunks))
    return snapshot if is_whole and folder.name == str(snapshot.height) else None


def _offer(metadata: bytes) -> Snapshot:
    parsed = parse_metadata(metadata)
    return Snapshot(parsed.height, FORMAT, len(parsed.chunks), sha256(metadata), metadata)
