"""The replaying witness: it executes every block of a log anew, and cosigns only what reproduces.

A consistency witness sees that a log only grows; what the leaves say it takes on trust. This one keeps a ledger of its
own for each log it replays, under `replicas/` in its folder, extends it by blocks from a source - an archive, or a
ledger on the same machine - and compares every leaf. Its key and its memory are those of `Witness`.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from threading import Lock
from typing import Protocol, Self

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.checkpoint import Checkpoint, NoteKey, SignatureCheck, verify_checkpoint
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest, sha256
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError, VerificationError
from cellvow.core.primitives.merkle import leaf_hash
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.archive import block_of, load_statements
from cellvow.node.archive_format import ARCHIVE_FILE, CHECKPOINT_FILE, Progress, ignore_progress
from cellvow.node.archive_reader import ArchiveReader, replay_blocks, require_leaves
from cellvow.node.inheritance import read_inherited
from cellvow.node.records import MemoryState, StoredState
from cellvow.node.store import LEDGER_FILE, LedgerStore
from cellvow.node.witness import Witness
from cellvow.node.witness_protocol import Response, explain
from cellvow.node.witness_store import WitnessStore
from cellvow.verify.trust import Trust

REPLICAS = "replicas"
SOURCE_FILE = "source.json"
LEAVES_AT_ONCE = 4_096
"""Leaf hashes read from a ledger in one go."""


class BlockSource(Protocol):
    """Where the blocks of a log come from. What it says is checked: it may belong to the log's operator."""

    @property
    def genesis(self) -> Genesis:
        """The document the ledger started from."""

    @property
    def size(self) -> int:
        """Leaves it can give."""

    @property
    def note(self) -> bytes | None:
        """The newest checkpoint it has, with whatever signatures, or None."""

    @property
    def inherited(self) -> Mapping[str, bytes] | None:
        """The records of the predecessor, where genesis names one and the source has them."""

    def leaves(self, first: int, size: int) -> Iterator[Digest]:
        """Hashes of the leaves from `first` on, as the log has them, up to `size`."""

    def blocks(self, leaf: int, after: int) -> Iterator[Block]:
        """The blocks above the height `after`; the first begins at `leaf`."""

    def close(self) -> None:
        """Release it."""


class ArchiveSource:
    """The blocks of an archive, as far as that was exported."""

    def __init__(self, reader: ArchiveReader) -> None:
        self._reader = reader
        self.inherited = reader.inherited
        self.genesis = reader.genesis
        self.size = reader.end.size
        self.note: bytes | None = reader.end.content if reader.end.file == CHECKPOINT_FILE else None

    def leaves(self, first: int, size: int) -> Iterator[Digest]:
        """Hashes of the entries."""
        return (leaf_hash(entry) for entry in islice(self._reader.entries(first), size - first))

    def blocks(self, leaf: int, after: int) -> Iterator[Block]:
        """The archive's blocks."""
        return self._reader.blocks(leaf, after)

    def close(self) -> None:
        """Nothing is held."""


class LedgerSource:
    """The blocks of a ledger on this machine, beside its writer."""

    def __init__(self, folder: Path) -> None:
        self._store = LedgerStore.open_reader(folder)
        self.inherited: Mapping[str, bytes] | None = read_inherited(self._store)
        self.genesis = self._store.genesis()
        self.size = self._store.head().log.size
        self.note = self._store.checkpoint()

    def leaves(self, first: int, size: int) -> Iterator[Digest]:
        """Leaf hashes as the ledger keeps them."""
        for at in range(first, size, LEAVES_AT_ONCE):
            yield from self._store.nodes(0, at, min(LEAVES_AT_ONCE, size - at))

    def blocks(self, leaf: int, after: int) -> Iterator[Block]:  # noqa: ARG002 - a ledger finds blocks by height
        """The ledger's blocks; empty ones stand in no log."""
        for stored in self._store.blocks(after):
            if stored.body:
                yield block_of(stored, load_statements(self._store, stored))

    def close(self) -> None:
        """Close the ledger."""
        self._store.close()


def open_source(place: Path) -> BlockSource:
    """The source in a folder: an archive with blocks, or a ledger. Raises `OperationalError` where it is neither."""
    if (place / ARCHIVE_FILE).is_file():
        reader = ArchiveReader.of_folder(place)
        if not reader.has_blocks:
            raise OperationalError(f"the archive in {place} holds no blocks to replay: ask for a members' one")
        return ArchiveSource(reader)
    if (place / LEDGER_FILE).is_file():
        return LedgerSource(place)
    raise OperationalError(f"{place} is neither an archive nor a ledger: nothing can be replayed from it")


@dataclass(frozen=True, slots=True)
class Replayed:
    """How far a replica has come: height of its last block, and its leaves."""

    height: int
    size: int


class Replica:
    """The witness's own ledger of one log; holds only what is under a root that the log signed, and reproduces."""

    def __init__(self, folder: Path, check: SignatureCheck = is_valid) -> None:
        self._folder = folder
        self._check = check
        self.origin, self.place = _read_source(folder / SOURCE_FILE)

    @classmethod
    def create(cls, folder: Path, origin: str, source: BlockSource, place: Path) -> Self:
        """A replica of the source's genesis, which the caller trusts, to be extended from there."""
        begun = begin_chain(source.genesis, MemoryState(), source.inherited)
        LedgerStore.create(folder, source.genesis, begun).close()
        document = json.dumps({"origin": origin, "place": str(place)}, sort_keys=True)
        (folder / SOURCE_FILE).write_text(document + "\n", encoding="utf-8")
        return cls(folder)

    def extend(self, checkpoint: Checkpoint, progress: Progress = ignore_progress) -> Replayed:
        """Execute every block up to a checkpoint that the log has signed.

        Raises `VerificationError` naming the first block that does not reproduce, or where the source shows another
        history than the one signed; `OperationalError` where the source does not reach so far yet.
        """
        store = LedgerStore.open_writer(self._folder)
        try:
            if store.head().log.size < checkpoint.size:
                source = open_source(self.place)
                try:
                    self._follow(store, source, checkpoint, progress)
                finally:
                    source.close()
            return _compare(store, checkpoint)
        finally:
            store.close()

    def _follow(self, store: LedgerStore, source: BlockSource, checkpoint: Checkpoint, progress: Progress) -> None:
        if source.genesis.digest != store.genesis().digest:
            raise VerificationError(f"{self.place} holds another ledger than the one replayed here")
        if source.size < checkpoint.size:
            raise OperationalError(
                f"{self.place} has {source.size} leaves, the checkpoint {checkpoint.size}: bring it up to date "
                "(`cellvow archive export`), then publish again"
            )
        claimed = _read_claims(store, source, checkpoint)
        head = store.head()
        first = head.log.size
        blocks = source.blocks(first, head.height)
        for block, applied in replay_blocks(head, StoredState(store), blocks, self._check):
            at = applied.head.log.size - len(applied.leaves) - first
            require_leaves(block, applied, claimed[at : at + len(applied.leaves)])
            store.commit(block, applied)
            progress(applied.head.log.size, checkpoint.size)
            if applied.head.log.size == checkpoint.size:
                return
        raise VerificationError(f"{self.place} has fewer blocks than leaves: it was altered")


class ReplayingWitness(Witness):
    """A witness that cosigns a checkpoint only if it has reproduced every block under it."""

    def __init__(self, key: NoteKey, seed: bytes, store: WitnessStore) -> None:
        super().__init__(key, seed, store)
        self.replicas: dict[str, Replica] = {}
        self._turn = Lock()

    @classmethod
    def open(cls, folder: Path, name: str) -> Self:
        """The witness in `folder`, with the replicas that lie in it."""
        witness = super().open(folder, name)
        try:
            found = [Replica(one.parent) for one in sorted((folder / REPLICAS).glob(f"*/{SOURCE_FILE}"))]
        except Malformed:
            witness.close()
            raise
        witness.replicas = {one.origin: one for one in found}
        return witness

    def examine(self, checkpoint: Checkpoint) -> Response | None:
        """Execute what is new under the checkpoint; a log that is not replayed is only watched.

        422 names the first block that does not reproduce; 503 says that the source is not there, or not yet.
        """
        replica = self.replicas.get(checkpoint.origin)
        if replica is None:
            return None
        try:
            with self._turn:
                replica.extend(checkpoint)
        except OperationalError as error:
            return explain(503, f"not replayed yet: {error}")
        except CellvowError as error:
            return explain(422, f"not cosigned: {error}")
        return None


def open_witness(folder: Path, name: str) -> Witness:
    """The witness in a folder, which replays the logs that it has replicas of."""
    return ReplayingWitness.open(folder, name) if (folder / REPLICAS).is_dir() else Witness.open(folder, name)


def replay_log(folder: Path, trust: Trust, place: Path, progress: Progress = ignore_progress) -> Replayed:
    """Have the witness in `folder` replay a log from a source from now on; what is signed there already, at once.

    The caller trusts the genesis and the log's key. Raises `VerificationError` where the source is another ledger's,
    is not signed by the log, or does not reproduce; what did reproduce is kept, and the same call goes on from there.
    """
    log, source = trust.log, open_source(place)
    try:
        if log is None:
            raise OperationalError("validators sign this ledger's blocks, and each of them executes them: name a log's")
        if source.genesis.digest != trust.genesis:
            raise VerificationError(f"{place} holds another ledger than the one in the trust file")
        begun = begin_chain(source.genesis, MemoryState(), source.inherited)
        checkpoint = Checkpoint(log.name, 1, begun.head.log.root())
        if source.note is not None:
            checkpoint = verify_checkpoint(source.note, log, trust.witnesses, 0, is_valid).checkpoint
        replica = _find_replica(folder / REPLICAS / name_replica(log.name), log.name, source, place)
    finally:
        source.close()
    return replica.extend(checkpoint, progress)


def _find_replica(folder: Path, origin: str, source: BlockSource, place: Path) -> Replica:
    if not (folder / SOURCE_FILE).exists():
        return Replica.create(folder, origin, source, place)
    replica = Replica(folder)
    if replica.place != place:
        raise OperationalError(f"the witness replays {origin} from {replica.place}: remove {folder} to begin anew")
    return replica


def name_replica(origin: str) -> str:
    """Name of a replica's folder: an origin may hold what no folder's name may."""
    return sha256(origin.encode("ascii"))[:8].hex()


def _read_claims(store: LedgerStore, source: BlockSource, checkpoint: Checkpoint) -> "_Claims":
    """The leaves that the source says the log has, once they are shown to be those that the log signed."""
    log = store.head().log
    claims = _Claims()
    for leaf in source.leaves(log.size, checkpoint.size):
        log, _ = log.append(leaf)
        claims.append(leaf)
    if (log.size, log.root()) != (checkpoint.size, checkpoint.root):
        raise VerificationError(
            f"the source shows another history than the one signed: its {log.size} leaves have the root "
            f"{log.root().hex()}, the checkpoint of {checkpoint.size} another"
        )
    return claims


class _Claims:
    """Leaf hashes in one piece of memory: a million of them take 32 MB."""

    def __init__(self) -> None:
        self._hashes = bytearray()

    def append(self, leaf: Digest) -> None:
        self._hashes += leaf

    def __getitem__(self, leaves: slice) -> list[Digest]:
        first, last, _ = leaves.indices(len(self._hashes) // DIGEST_LENGTH)
        places = range(first * DIGEST_LENGTH, last * DIGEST_LENGTH, DIGEST_LENGTH)
        return [Digest(bytes(self._hashes[at : at + DIGEST_LENGTH])) for at in places]


def _compare(store: LedgerStore, checkpoint: Checkpoint) -> Replayed:
    """The replica's own root against the checkpoint's, which must end where a block does."""
    head = store.head()
    if head.log.size != checkpoint.size and not _ends_block(store, checkpoint.size):
        raise VerificationError(f"the checkpoint of {checkpoint.size} leaves ends inside a block")
    if store.frontier(checkpoint.size).root() != checkpoint.root:
        raise VerificationError(f"{checkpoint.size} leaves executed anew have another root than the checkpoint")
    return Replayed(head.height, head.log.size)


def _ends_block(store: LedgerStore, size: int) -> bool:
    return size == 1 or any(stored.body and stored.leaf == size - 1 for stored in store.blocks())


def _read_source(path: Path) -> tuple[str, Path]:
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        return str(document["origin"]), Path(document["place"])
    except (KeyError, TypeError, ValueError) as error:
        raise Malformed(f"{path} does not name origin and place of what is replayed: it was altered") from error
