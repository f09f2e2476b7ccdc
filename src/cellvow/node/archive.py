"""Exporting the archive of a ledger (`archive_format`) while the node writes: whole files, none overwritten.

Every leaf is computed from the stored bytes and compared with the log's; the end comes last.
"""

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from types import TracebackType

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.genesis import Genesis, encode_genesis
from cellvow.core.ledger.log import BLOCK, EVIDENCE, STATEMENT, parse_block_leaf
from cellvow.core.ledger.outcome import outcome_digest
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import InvariantBroken, Malformed, OperationalError, VerificationError
from cellvow.node.archive_format import (
    ARCHIVE_FILE,
    BLOCKS,
    GENESIS_FILE,
    INHERITED_FILE,
    MANIFEST_FILE,
    MEMBERS,
    Facts,
    Progress,
    Vouched,
    encode_block,
    encode_facts,
    encode_inherited,
    encode_manifest,
    genesis_entry,
    ignore_progress,
    parse_end,
    parse_facts,
    parse_manifest,
)
from cellvow.node.inheritance import read_inherited
from cellvow.node.store import LedgerStore, StoredBlock, StoredStatement
from cellvow.node.tiles import ENTRIES, WIDTH, Tiling, name_file, split_entries

INCOMING = ".incoming"
"""Where files lie until they are whole."""

_BLOCKS_AT_ONCE = 64
"""Blocks read in one go: a cursor left open for hours would keep the node's write-ahead log from shrinking."""


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export brought: leaves before and now, files written."""

    previous_size: int
    end: Vouched
    files: int


class ArchiveFolder:
    """The folder of an archive while it is written: finished files appear whole, and are never overwritten."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.files = 0
        self._touched: dict[Path, None] = {}
        self._incoming = folder / INCOMING
        self._lock = -1

    def __enter__(self) -> "ArchiveFolder":
        self._incoming.mkdir(parents=True, exist_ok=True)
        self._lock = os.open(self._incoming, os.O_RDONLY | os.O_CLOEXEC)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            os.close(self._lock)
            raise OperationalError(f"another process is exporting to {self.folder}: wait for it") from error
        for leftover in self._incoming.iterdir():
            leftover.unlink()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with suppress(OSError):  # what an interrupted export left there goes with the next one
            self._incoming.rmdir()
        os.close(self._lock)

    def read(self, path: str) -> bytes | None:
        """A file's bytes, or None."""
        try:
            return (self.folder / path).read_bytes()
        except FileNotFoundError:
            return None

    def require(self, path: str) -> bytes:
        """A file's bytes; raises `VerificationError` where it is missing."""
        content = self.read(path)
        if content is None:
            raise VerificationError(f"{path} is missing in the archive {self.folder}: export to a new folder")
        return content

    def keep(self, path: str, content: bytes) -> None:
        """Put a finished file there; one that is there already must be the same, or the beginning of this one."""
        known = self.read(path)
        if known == content:
            return
        stem = path.rsplit(".p/", 1)[0]
        unfinished = self.folder / f"{stem}.p"
        earlier = [one.read_bytes() for one in sorted(unfinished.iterdir())] if unfinished.is_dir() else []
        if known is not None or any(content[: len(one)] != one[: len(content)] for one in earlier):
            raise VerificationError(
                f"{path} in the archive {self.folder} is not what the ledger gives: the file is damaged, or the ledger "
                "was rewritten; nothing was overwritten"
            )
        self.replace(path, content)

    def replace(self, path: str, content: bytes) -> None:
        """Put a file there, whole or not at all; the same once more is not written."""
        if self.read(path) == content:
            return
        target, written = self.folder / path, self._incoming / "file"
        self._make(target.parent)
        with written.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        written.rename(target)
        self._touched[target.parent] = None
        self.files += 1

    def sync(self) -> None:
        """Return once every file put there so far is on disk under its name."""
        for folder in self._touched:
            descriptor = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        self._touched.clear()

    def remove_unfinished(self, current: dict[str, None]) -> None:
        """Take away the unfinished files that longer ones have replaced."""
        for folder in [one for one in self.folder.rglob("*.p") if one.is_dir()]:
            for file in folder.iterdir():
                if str(file.relative_to(self.folder)) not in current:
                    file.unlink()
            if not any(folder.iterdir()):
                folder.rmdir()

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            self._touched[folder.parent] = None


def find_end(store: LedgerStore) -> Vouched:
    """The newest end that somebody vouches for; raises `OperationalError` where nobody does, or history is missing."""
    joined = store.restored_height()
    if joined is not None:
        raise OperationalError(f"this node began with a snapshot of block {joined}: export at one that has every block")
    genesis = store.genesis()
    content = store.consensus_proof() if genesis.validators else store.checkpoint()
    if content is None:
        raise OperationalError("nobody vouches for this ledger yet, so nothing can end there: run `cellvow publish`")
    end = parse_end(content, genesis)
    if end.size > store.head().log.size:
        raise OperationalError(f"{end.size} leaves are vouched for, and this node has fewer yet: try again")
    return end


def export_archive(
    store: LedgerStore,
    folder: Path,
    circle: str = MEMBERS,
    progress: Progress = ignore_progress,
) -> Exported:
    """Bring the archive in a folder up to what is vouched for last; a new or interrupted one is begun or continued.

    Every leaf is computed from the stored bytes, and the root from the archive's own files, before the checkpoint is
    put there. Raises `VerificationError` where leaves or root are not what was signed, or the records of the
    predecessor that genesis names are gone; `OperationalError` where nothing is signed.
    """
    end = find_end(store)
    with ArchiveFolder(folder) as archive:
        previous = _begin(archive, store.genesis(), circle, end)
        export = _Export(archive, store, circle, end)
        try:
            export.run(previous, read_inherited(store), progress)
        except (Malformed, InvariantBroken) as error:
            raise VerificationError(f"the ledger cannot be read whole: {error}; run `cellvow fsck`") from error
        archive.sync()
        archive.replace(MANIFEST_FILE, encode_manifest(export.digests))
        archive.sync()
        archive.replace(end.file, end.content)
        archive.sync()
        archive.remove_unfinished(export.unfinished)
        return Exported(previous, end, archive.files)


def _begin(archive: ArchiveFolder, genesis: Genesis, circle: str, end: Vouched) -> int:
    """Leaves in the archive so far, once it is shown to be one of this ledger and circle."""
    facts = Facts(genesis.chain_id, circle, genesis.digest.hex())
    found = archive.read(ARCHIVE_FILE)
    if found is None:
        if any(one.name != INCOMING for one in archive.folder.iterdir()):
            raise OperationalError(f"{archive.folder} holds something else than an archive: name an empty folder")
        archive.replace(ARCHIVE_FILE, encode_facts(facts))
    elif parse_facts(found) != facts:
        known = parse_facts(found)
        raise OperationalError(
            f"{archive.folder} is the archive of another ledger or circle (chain {known.chain_id}, genesis "
            f"{known.genesis[:16]}.., circle {known.circle}): name another folder for this one"
        )
    archive.keep(GENESIS_FILE, encode_genesis(genesis))
    content = archive.read(end.file)
    if content is None:
        return 0
    before = parse_end(content, genesis)
    if before.origin != end.origin or before.size > end.size:
        raise VerificationError(
            f"the archive ends at {before.size} leaves of {before.origin}, the ledger's newest checkpoint at "
            f"{end.size} of {end.origin}: the ledger was rolled back; keep this archive as evidence"
        )
    return before.size


class _Export:
    """One export: leaves from the store into files."""

    def __init__(self, archive: ArchiveFolder, store: LedgerStore, circle: str, end: Vouched) -> None:
        self._archive = archive
        self._store = store
        self._has_blocks = circle == MEMBERS
        self._end = end
        self._group = 0
        self.digests = parse_manifest(archive.read(MANIFEST_FILE) or b"")
        self.unfinished: dict[str, None] = {}
        for path in (ARCHIVE_FILE, GENESIS_FILE):
            self.digests[path] = hashlib.sha256(archive.require(path)).hexdigest()

    def run(self, previous: int, inherited: Mapping[str, bytes] | None, progress: Progress) -> None:
        """Write what is missing behind the last finished bundle, and compare the root."""
        first = previous - previous % WIDTH
        tiling = Tiling.resume(self._keep, first, self._archive.require)
        if first == 0:
            self._append(tiling, [genesis_entry(self._store.genesis(), inherited)], 0, "genesis")
        if inherited is not None and self._has_blocks:
            self._keep(INHERITED_FILE, encode_inherited(inherited))
        run: list[bytes] = []
        for stored in self._blocks(_last_height(self._archive, first)):
            self._append_block(tiling, stored, run, first)
            progress(tiling.size, self._end.size)
        self._finish_run(tiling.size, run)
        tiling.finish()
        if tiling.size != self._end.size or tiling.root != self._end.root:
            raise VerificationError(
                f"the ledger gives {tiling.size} leaves with root {tiling.root.hex()}, and that is not what its "
                f"checkpoint of {self._end.size} leaves says: it is not exported; run `cellvow fsck`"
            )

    def _blocks(self, after: int) -> Iterator[StoredBlock]:
        while True:
            read = list(islice(self._store.blocks(after), _BLOCKS_AT_ONCE))
            for stored in read:
                if stored.leaf >= self._end.size:
                    return
                if stored.body:  # an empty block stands in no log
                    yield stored
            if not read:
                return
            after = read[-1].height

    def _append_block(self, tiling: Tiling, stored: StoredBlock, run: list[bytes], first: int) -> None:
        where = f"block {stored.height}"
        kept = load_statements(self._store, stored)
        if stored.first_leaf != tiling.size and stored.first_leaf >= first:
            raise VerificationError(f"{where}: leaves are missing before it, or were moved; run `cellvow fsck`")
        if stored.first_leaf >= first:
            if run and stored.first_leaf // WIDTH > self._group:
                self._finish_run(tiling.size, run)
            self._group = stored.first_leaf // WIDTH
            run.append(encode_block(block_of(stored, kept)))
        self._append(tiling, list(entries_of(stored, kept)), stored.first_leaf, where)

    def _append(self, tiling: Tiling, contents: list[bytes], first: int, where: str) -> None:
        """Add the leaves from `first` on that are still missing, once the log is shown to have the same."""
        logged = self._store.nodes(0, first, len(contents))
        for leaf, content in enumerate(contents, first):
            if leaf >= tiling.size and logged[leaf - first : leaf - first + 1] != [tiling.append(content)]:
                raise VerificationError(
                    f"{where}: what is stored does not give leaf {leaf} of the log; a damaged ledger is not exported: "
                    "run `cellvow fsck`"
                )

    def _finish_run(self, size: int, run: list[bytes]) -> None:
        if run and self._has_blocks:
            is_full = size >= (self._group + 1) * WIDTH
            self._keep(name_file(BLOCKS, self._group, WIDTH if is_full else size % WIDTH), b"".join(run))
        run.clear()

    def _keep(self, path: str, content: bytes) -> None:
        self._archive.keep(path, content)
        if ".p/" in path:
            self.unfinished[path] = None
        else:
            self.digests[path] = hashlib.sha256(content).hexdigest()


def load_statements(store: LedgerStore, stored: StoredBlock) -> list[StoredStatement]:
    """The statements of a stored block; raises `VerificationError` where they are not all there and readable."""
    try:
        kept = store.statements(stored.first_leaf, stored.statements)
    except Malformed as error:
        raise VerificationError(f"block {stored.height}: a statement cannot be read: {error}") from error
    if len(kept) != stored.statements:
        raise VerificationError(f"block {stored.height}: statements are missing; run `cellvow fsck`")
    return kept


def block_of(stored: StoredBlock, kept: list[StoredStatement]) -> Block:
    """A stored block as it was applied."""
    return Block(stored.height, stored.time_ms, tuple(one.statement for one in kept), stored.evidence)


def entries_of(stored: StoredBlock, kept: list[StoredStatement]) -> Iterator[bytes]:
    """Contents of a block's leaves, computed from what is stored."""
    leaf = parse_block_leaf(stored.body)
    counts = (len(kept), len(stored.evidence))
    if (leaf.height, leaf.time_ms, leaf.first_leaf) != (stored.height, stored.time_ms, stored.first_leaf) or (
        leaf.statements,
        leaf.evidence,
    ) != counts:
        raise VerificationError(f"block {stored.height}: its document says otherwise than its row; run `cellvow fsck`")
    for one in kept:
        yield STATEMENT + sha256(one.statement.envelope.digest, outcome_digest(one.outcomes, one.statement.salts))
    for evidence in stored.evidence:
        yield EVIDENCE + sha256(evidence)
    yield BLOCK + stored.body


def _last_height(archive: ArchiveFolder, size: int) -> int:
    """Height of the last block that ended before `size` leaves, from the archive's own entries; 0 before the first."""
    for number in range(size // WIDTH - 1, -1, -1):
        path = name_file(ENTRIES, number)
        for entry in reversed(split_entries(archive.require(path), WIDTH, path)):
            if entry[:1] == BLOCK:
                return parse_block_leaf(entry[1:]).height
    return 0
