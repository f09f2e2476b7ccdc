"""Reading an archive without a database: what its files must be to each other, and what replaying its blocks gives."""

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.checkpoint import SignatureCheck, verify_checkpoint
from cellvow.core.ledger.genesis import Genesis, parse_genesis
from cellvow.core.ledger.log import GENESIS
from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import CellvowError, OperationalError, VerificationError
from cellvow.core.primitives.merkle import leaf_hash
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.transition import Applied, Head, State, apply_block, begin_chain
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
    genesis_entry,
    ignore_progress,
    name_end,
    parse_end,
    parse_facts,
    parse_inherited,
    parse_manifest,
    split_blocks,
)
from cellvow.node.checking import ChecksAhead, SignatureCache, find_checks
from cellvow.node.records import MemoryState
from cellvow.node.tiles import ENTRIES, WIDTH, Tiling, name_file, split_entries
from cellvow.verify.consensus import verify_consensus_proof
from cellvow.verify.trust import Trust

Fetch = Callable[[str], bytes | None]
"""path -> bytes of that file of the archive, or None where there is none."""


@dataclass(frozen=True, slots=True)
class Signed:
    """Who of how many has signed the end of an archive: witnesses, or validators by the names of their owners."""

    by: tuple[str, ...]
    out_of: int


@dataclass(frozen=True, slots=True)
class Reproduced:
    """An archive that holds: how much of it, and who signed (None where no trust was given)."""

    facts: Facts
    end: Vouched
    signed: Signed | None
    files: int
    blocks: int | None
    statements: int


class ArchiveReader:
    """The files of one archive as they claim to be, read one by one; whoever uses them verifies first."""

    def __init__(self, fetch: Fetch) -> None:
        """Raises `Malformed` or `VerificationError` where facts, genesis and checkpoint do not make an archive."""
        self._fetch = fetch
        self.finished: dict[str, str] = {}
        facts = fetch(ARCHIVE_FILE)
        if facts is None:
            raise OperationalError(
                f"there is no archive: {ARCHIVE_FILE} is missing; `cellvow archive export` makes one"
            )
        self.facts: Facts = parse_facts(facts)
        self.read(ARCHIVE_FILE)
        self.genesis: Genesis = parse_genesis(self.read(GENESIS_FILE))
        self.end: Vouched = parse_end(self._require(name_end(self.genesis)), self.genesis)
        if (self.genesis.digest.hex(), self.genesis.chain_id) != (self.facts.genesis, self.facts.chain_id):
            raise VerificationError(f"{GENESIS_FILE} is not the genesis that {ARCHIVE_FILE} names")
        if self.end.size < 1:
            raise VerificationError("the checkpoint is one of an empty log: every ledger has its genesis as leaf 0")

    @classmethod
    def of_folder(cls, folder: Path) -> "ArchiveReader":
        """The archive in a folder."""

        def fetch(path: str) -> bytes | None:
            try:
                return (folder / path).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None

        return cls(fetch)

    @property
    def inherited(self) -> dict[str, bytes] | None:
        """The records of the predecessor, where genesis names one and members may see them."""
        has_them = self.genesis.predecessor is not None and self.has_blocks
        return parse_inherited(self.read(INHERITED_FILE)) if has_them else None

    @property
    def has_blocks(self) -> bool:
        """Whether it can be replayed: members' archives can."""
        return self.facts.circle == MEMBERS

    def read(self, path: str) -> bytes:
        """A file that must be there; what is finished is remembered with its SHA-256."""
        content = self._require(path)
        if ".p/" not in path:
            self.finished[path] = hashlib.sha256(content).hexdigest()
        return content

    def entries(self, leaf: int = 0) -> Iterator[bytes]:
        """Contents of the leaves from `leaf` on, in order."""
        size = self.end.size
        for first in range(leaf - leaf % WIDTH, size, WIDTH):
            width = min(WIDTH, size - first)
            path = name_file(ENTRIES, first // WIDTH, width)
            yield from split_entries(self.read(path), width, path)[max(0, leaf - first) :]

    def blocks(self, leaf: int = 1, after: int = 0) -> Iterator[Block]:
        """The blocks above the height `after`, in order; the first of them begins at `leaf`."""
        if not self.has_blocks:
            raise OperationalError(
                "this archive is for everybody and holds no blocks: ask a member for one with blocks"
            )
        size, is_behind = self.end.size, after > 0
        while leaf < size:
            group = leaf // WIDTH
            path = name_file(BLOCKS, group, WIDTH if size >= (group + 1) * WIDTH else size % WIDTH)
            for block in split_blocks(self.read(path), path):
                if block.height <= after and is_behind:
                    continue
                if block.height <= after or leaf // WIDTH != group:
                    raise VerificationError(f"{path} holds block {block.height} where it has no place")
                yield block
                is_behind, after = False, block.height
                leaf += len(block.statements) + len(block.evidence) + 1
            if leaf < size and leaf // WIDTH == group:
                raise VerificationError(f"{path} ends, and the block that begins at leaf {leaf} is missing in it")
        if leaf > size:
            raise VerificationError(f"block {after} goes on behind the {size} leaves of the checkpoint")

    def compare_manifest(self) -> int:
        """Compare the SHA-256 of every finished file with the manifest; how many there are.

        Raises `VerificationError` naming the first that differs, or that was read and is not named.
        """
        listed = parse_manifest(self._require(MANIFEST_FILE))
        for path, digest in listed.items():
            content = None if path in self.finished else self._require(path)
            found = self.finished[path] if content is None else hashlib.sha256(content).hexdigest()
            if found != digest:
                raise VerificationError(f"{path} is not the file that the manifest names: one of the two was altered")
        for path in self.finished:
            if path not in listed:
                raise VerificationError(f"{path} is finished, and the manifest does not name it")
        return len(listed)

    def _require(self, path: str) -> bytes:
        content = self._fetch(path)
        if content is None:
            raise VerificationError(f"{path} is missing: the archive is incomplete; copy it again")
        return content


def verify_archive(
    reader: ArchiveReader,
    trust: Trust | None,
    progress: Progress = ignore_progress,
    check: SignatureCheck = is_valid,
) -> Reproduced:
    """Show that the files of an archive are one ledger; raises `VerificationError` at the first that does not fit.

    1. The signatures of the checkpoint hold under the trust, where there is one, and its genesis is this one.
    2. The entries give the tiles, these the root of the checkpoint, and leaf 0 is that of the genesis.
    3. With blocks: replayed from genesis, each gives the leaves that the entries have.
    4. Every finished file is the one that the manifest names.
    """
    signed = None if trust is None else verify_signatures(reader, trust, check)
    size, passes = reader.end.size, 2 if reader.has_blocks else 1
    verify_tiles(reader, lambda done, _: progress(done, passes * size))
    blocks, statements = 0, 0
    if reader.has_blocks:
        for block, applied in replay_archive(reader, MemoryState(), check):
            blocks, statements = blocks + 1, statements + len(block.statements)
            progress(size + applied.head.log.size, passes * size)
    files = reader.compare_manifest()
    return Reproduced(reader.facts, reader.end, signed, files, blocks if reader.has_blocks else None, statements)


def verify_signatures(reader: ArchiveReader, trust: Trust, check: SignatureCheck = is_valid) -> Signed:
    """Who signed the end; raises `VerificationError` where the trust asks for others, or for another ledger."""
    if reader.genesis.digest != trust.genesis:
        raise VerificationError("the archive is one of another ledger: its genesis is not the one in the trust file")
    if (trust.log is None) != bool(reader.genesis.validators):
        raise VerificationError("the trust file and the archive do not agree on whether validators or a log key sign")
    if trust.log is None:
        verified = verify_consensus_proof(reader.end.content, parse_object(reader.genesis.header), check)
        return Signed(verified.signed_by, verified.validators)
    noted = verify_checkpoint(reader.end.content, trust.log, trust.witnesses, trust.quorum, check)
    return Signed(tuple(name for name, _ in noted.cosigned_by), len(trust.witnesses))


def verify_tiles(reader: ArchiveReader, progress: Progress = ignore_progress) -> None:
    """Build every tile anew from the entries and compare it, up to the root of the checkpoint."""

    def compare(path: str, content: bytes) -> None:
        if reader.read(path) != content:
            raise VerificationError(f"{path} is not what the entries below it give: it was altered")

    tiling, end = Tiling(compare), reader.end
    for content in reader.entries():
        if tiling.size == 0:
            _require_genesis(reader, content)
        tiling.append(content)
        if tiling.size % WIDTH == 0:
            progress(tiling.size, end.size)
    tiling.finish()
    if tiling.root != end.root:
        raise VerificationError(
            f"the entries give the root {tiling.root.hex()}, the checkpoint of {end.size} leaves another"
        )


def _require_genesis(reader: ArchiveReader, content: bytes) -> None:
    """Leaf 0 holds the digest of genesis, and the state root that follows from it where nothing secret is inherited."""
    genesis = reader.genesis
    knows_state = genesis.predecessor is None or reader.has_blocks
    expected = genesis_entry(genesis, reader.inherited) if knows_state else GENESIS + genesis.digest
    if content[: len(expected)] != expected or len(content) != len(GENESIS) + 2 * DIGEST_LENGTH:
        raise VerificationError("leaf 0 is not that of the genesis: the archive is put together from two ledgers")


def replay_archive(
    reader: ArchiveReader, state: State, check: SignatureCheck = is_valid
) -> Iterator[tuple[Block, Applied]]:
    """Apply every block from genesis to an empty `state`; raises `VerificationError` at the first that gives others."""
    begun = begin_chain(reader.genesis, state, reader.inherited)
    entries = reader.entries()
    claimed = leaf_hash(next(entries))
    if begun.leaves != (claimed,):
        raise VerificationError("the genesis does not give leaf 0")
    for block, applied in replay_blocks(begun.head, state, reader.blocks(), check):
        require_leaves(
            block, applied, [leaf_hash(content) for _, content in zip(applied.leaves, entries, strict=False)]
        )
        yield block, applied


def replay_blocks(
    head: Head, state: State, blocks: Iterable[Block], check: SignatureCheck = is_valid
) -> Iterator[tuple[Block, Applied]]:
    """Apply blocks in order; raises `VerificationError` at the first that may not stand where it stands."""
    cache = SignatureCache(check)
    with ChecksAhead(cache, is_elsewhere=check is is_valid) as ahead:
        for block, following in _with_next(iter(blocks)):
            ahead.finish(find_checks((one.envelope for one in block.statements), state.get))
            ahead.begin([] if following is None else find_checks((s.envelope for s in following.statements), state.get))
            try:
                applied = apply_block(head, state, block, cache)
            except CellvowError as error:
                raise VerificationError(f"block {block.height} does not replay: {error}") from error
            head = applied.head
            yield block, applied


def require_leaves(block: Block, applied: Applied, claimed: list[Digest]) -> None:
    """Raise `VerificationError` unless executing the block gave the leaves that the log is said to have."""
    first = applied.head.log.size - len(applied.leaves)
    if len(claimed) != len(applied.leaves):
        raise VerificationError(f"block {block.height} does not reproduce: the log ends before its leaves do")
    for offset, (leaf, known) in enumerate(zip(applied.leaves, claimed, strict=True)):
        if leaf != known:
            what = "its statement or outcome" if offset < len(block.statements) else "its time, place or state root"
            raise VerificationError(
                f"block {block.height} does not reproduce: executed anew it gives another leaf {first + offset}: "
                f"{what} is not what the log says"
            )


def _with_next(blocks: Iterator[Block]) -> Iterator[tuple[Block, Block | None]]:
    """Each block with the one after it, whose signatures can be checked meanwhile."""
    previous = next(blocks, None)
    while previous is not None:
        following = next(blocks, None)
        yield previous, following
        previous = following
