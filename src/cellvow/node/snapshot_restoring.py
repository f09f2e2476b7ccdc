"""Joining by snapshot: chunks in any order, each checked at once; a ledger only when everything holds.

What vouches for the snapshot is the app hash, which the caller has from a light client; peers vouch for nothing.
"""

import shutil
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path

from cellvow.core.ledger.state import StateTree
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import InvalidBlock, Malformed, OperationalError, VerificationError, ensure
from cellvow.node.durability import make_folder, translated
from cellvow.node.records import derive_entries
from cellvow.node.snapshot import Snapshot
from cellvow.node.snapshot_format import (
    CHUNK_BYTES_MAX,
    expected_state_root,
    parse_metadata,
    parse_position,
    parse_records,
    require_format,
    verify_position,
)
from cellvow.node.store import LEDGER_FILE, LedgerStore
from cellvow.node.tables import Restored

RESTORING_FOLDER = "restoring"
"""Holds the chunks, inside the folder that will hold the ledger."""


class Verdict(StrEnum):
    """What became of a chunk."""

    ACCEPTED = "accepted"
    COMPLETE = "complete"
    BAD_CHUNK = "bad chunk"
    BAD_SNAPSHOT = "bad snapshot"


class Restoration:
    """One attempt to make a ledger from a snapshot; use it as a context manager, or `close` it.

    `store` is the ledger, open for writing, once a verdict was `COMPLETE`; whoever takes it closes it. `reason` says in
    words what was wrong with the last chunk or snapshot that was refused.
    """

    def __init__(
        self, snapshot: Snapshot, app_hash: bytes, genesis_digest: bytes, ledger: Path, *, vfs: str | None = None
    ) -> None:
        """Begin; `ledger` is the folder to make it in.

        Raises `VerificationError` for an offer that cannot hold (`UnknownFormat` where only its form is another), and
        `OperationalError` where there is a ledger already or nothing can be written.
        """
        self._digests = _check_offer(snapshot)
        self._height, self._app_hash, self._genesis_digest = snapshot.height, app_hash, genesis_digest
        self._ledger, self._vfs = ledger, vfs
        self._restored: Restored | None = None
        self._records = 0
        self._missing = dict.fromkeys(range(len(self._digests)))
        self._is_over = False
        self.reason = ""
        self.store: LedgerStore | None = None
        if (ledger / LEDGER_FILE).exists():
            raise OperationalError(f"{ledger} holds a ledger already: a snapshot is for a node that has none")
        make_folder(ledger)
        self._folder = ledger / RESTORING_FOLDER
        with translated(f"chunks cannot be kept in {ledger}"):
            if self._folder.exists():
                shutil.rmtree(self._folder)  # of an attempt that was interrupted
            self._folder.mkdir()

    def __enter__(self) -> "Restoration":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def missing(self) -> tuple[int, ...]:
        """Which chunks have not been accepted yet."""
        return tuple(self._missing)

    def close(self) -> None:
        """Drop what was kept for this attempt; a ledger that was made stays."""
        self._is_over = True
        shutil.rmtree(self._folder, ignore_errors=True)

    def apply(self, index: int, chunk: bytes) -> Verdict:
        """Take a chunk, and make the ledger with the last one; raises `OperationalError` where the disk fails.

        After a bad chunk, fetch it again from somebody else. After a bad snapshot, or an error, nothing is left and
        this attempt is over.
        """
        if self._is_over:
            raise OperationalError("this attempt to join by snapshot is over: begin another one")
        if not 0 <= index < len(self._digests):
            return self._refuse(Verdict.BAD_CHUNK, f"there is no chunk {index}: the snapshot has {len(self._digests)}")
        if len(chunk) > CHUNK_BYTES_MAX or sha256(chunk) != self._digests[index]:
            return self._refuse(Verdict.BAD_CHUNK, f"chunk {index} is not the one that the metadata names")
        try:
            return self._take(index, chunk)
        except (VerificationError, Malformed, InvalidBlock) as error:
            self.close()
            return self._refuse(Verdict.BAD_SNAPSHOT, str(error))
        except OperationalError:
            self.close()
            raise

    def _take(self, index: int, chunk: bytes) -> Verdict:
        if index not in self._missing:
            return Verdict.ACCEPTED
        if index == 0:
            position = parse_position(chunk)
            self._restored = verify_position(position, self._height, self._app_hash, self._genesis_digest)
            self._records = position.records
        else:
            with translated(f"chunk {index} cannot be kept"):
                (self._folder / f"chunk-{index}").write_bytes(chunk)  # not synced: a restart begins anew
        del self._missing[index]
        if self._missing:
            return Verdict.ACCEPTED
        ensure(self._restored is not None, "chunk 0 was taken without being verified")
        if self._restored is not None:
            self.store = LedgerStore.create_restored(
                self._ledger, self._restored, self._load(self._restored), vfs=self._vfs
            )
        self.close()
        return Verdict.COMPLETE

    def _load(self, restored: Restored) -> Iterator[tuple[str, bytes]]:
        """All records in order; raises `VerificationError` at their end unless they are those of the state root."""
        tree, key, count = StateTree(count=self._records), "", 0
        for index in range(1, len(self._digests)):
            with translated(f"chunk {index} cannot be read back"):
                chunk = (self._folder / f"chunk-{index}").read_bytes()
            if sha256(chunk) != self._digests[index]:
                raise OperationalError(f"chunk {index} changed on this disk: check it, and begin again")
            records = parse_records(chunk, key)
            key, count = records[-1][0], count + len(records)
            if count > self._records:  # before they are put into a tree that was sized for fewer
                break
            tree.update(derive_entries(records))
            yield from records
        if count != self._records or tree.root != expected_state_root(restored):
            raise VerificationError("the records of the snapshot are not those that the app hash vouches for")

    def _refuse(self, verdict: Verdict, reason: str) -> Verdict:
        self.reason = reason
        return verdict


def _check_offer(snapshot: Snapshot) -> tuple[bytes, ...]:
    """The digests of the chunks of an offer that agrees with its own metadata."""
    require_format(snapshot.format)
    if sha256(snapshot.metadata) != snapshot.hash:
        raise VerificationError("the metadata of the snapshot are not those of its hash")
    try:
        metadata = parse_metadata(snapshot.metadata)
    except Malformed as error:
        raise VerificationError(f"the metadata of the snapshot cannot be read: {error}") from error
    if (metadata.height, len(metadata.chunks)) != (snapshot.height, snapshot.chunks):
        raise VerificationError("the metadata of the snapshot name another height or number of chunks than the offer")
    return metadata.chunks
