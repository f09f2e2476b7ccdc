"""Nodes that follow the blocks of one world, and what travels between them when one joins by snapshot."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellvow.core.ledger.block import Block
from cellvow.core.primitives.digest import sha256
from cellvow.core.protocol.transition import apply_block, begin_chain
from cellvow.node.records import MemoryState, StoredState
from cellvow.node.snapshot import Snapshot, SnapshotReader, read_chunk
from cellvow.node.snapshot_format import Metadata, encode_metadata, parse_metadata
from cellvow.node.snapshot_restoring import Restoration, Verdict
from cellvow.node.store import LedgerStore
from tests import messages
from tests.world import CHAIN_ID, MAKER, World, make_genesis

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from cellvow.core.ledger.genesis import Genesis

CHUNK_BYTES = 4_000
"""So that a small world has many chunks."""
EVIDENCE = (b"a double vote", b"another")


def battery_id(number: int) -> str:
    """The n-th battery of the world."""
    return f"01/{messages.GTIN}/21/SNAP-{number:04d}"


def grow(world: World, blocks: int, statements: int, *, first: int = 0) -> None:
    """Put so many births into so many blocks, and every fifth block carries evidence too."""
    sign = world[MAKER].key.sign
    for number in range(first, first + blocks):
        births = [sign(messages.battery(battery_id(number * statements + offset))) for offset in range(statements)]
        world.apply(world.next_block(*births, evidence=EVIDENCE if number % 5 == 4 else ()))


def make_world(blocks: int = 20, statements: int = 10, chain_id: str = CHAIN_ID) -> World:
    """A world with a model, births and some evidence."""
    world = World(make_genesis(chain_id), with_keys=chain_id == CHAIN_ID)
    if chain_id == CHAIN_ID:
        world.accept(world[MAKER].key.sign(messages.model()))
        grow(world, blocks, statements)
    return world


class Node:
    """A node that holds the world's ledger on disk."""

    def __init__(self, store: LedgerStore) -> None:
        self.store = store
        self.state = StoredState(store)
        self.head = store.head()

    @classmethod
    def begin(cls, folder: Path, genesis: Genesis) -> Node:
        """A node with genesis only."""
        return cls(LedgerStore.create(folder, genesis, begin_chain(genesis, MemoryState())))

    def follow(self, blocks: Iterable[Block]) -> None:
        """Apply and keep blocks; what an engine does."""
        for block in blocks:
            applied = apply_block(self.head, self.state, block)
            self.store.commit(block, applied)
            self.head = applied.head

    def close(self) -> None:
        """Close its ledger."""
        self.store.close()


@dataclass(frozen=True)
class Parcel:
    """A snapshot with its chunks, as they come from a peer, and what the receiver knows for itself."""

    snapshot: Snapshot
    chunks: tuple[bytes, ...]
    app_hash: bytes
    genesis_digest: bytes

    def begin(self, ledger: Path, *, vfs: str | None = None) -> Restoration:
        """The receiver's attempt."""
        return Restoration(self.snapshot, self.app_hash, self.genesis_digest, ledger, vfs=vfs)

    def forge(self, chunks: Iterable[bytes], *, height: int | None = None) -> Parcel:
        """The same with other chunks, and metadata that agree with them."""
        kept = tuple(chunks)
        height = self.snapshot.height if height is None else height
        metadata = encode_metadata(Metadata(height, tuple(map(sha256, kept))))
        snapshot = Snapshot(height, self.snapshot.format, len(kept), sha256(metadata), metadata)
        return Parcel(snapshot, kept, self.app_hash, self.genesis_digest)


def pack(ledger: Path, folder: Path, *, chunk_bytes: int = CHUNK_BYTES) -> Parcel:
    """Make the snapshot of a ledger as it is, and read it back as a peer gets it."""
    with SnapshotReader.pin(ledger) as reader:
        snapshot = reader.write(folder, chunk_bytes=chunk_bytes)
        head = reader.head
    store = LedgerStore.open_reader(ledger)
    digest = store.genesis().digest
    store.close()
    count = len(parse_metadata(snapshot.metadata).chunks)
    chunks = tuple(read_chunk(folder, snapshot.height, index) for index in range(count))
    return Parcel(snapshot, chunks, head.app_hash, digest)


def join(parcel: Parcel, ledger: Path) -> Node:
    """The node that joins by this parcel, which must hold."""
    with parcel.begin(ledger) as restoration:
        verdicts = [restoration.apply(index, chunk) for index, chunk in enumerate(parcel.chunks)]
        if verdicts[-1] is not Verdict.COMPLETE or restoration.store is None:
            raise AssertionError(f"expected a ledger, got {verdicts[-1]}: {restoration.reason}")
        return Node(restoration.store)


def refusal(parcel: Parcel, ledger: Path) -> tuple[Verdict, str]:
    """The last verdict over a parcel, given until one is not `ACCEPTED`, and its reason; a ledger made is closed."""
    with parcel.begin(ledger) as restoration:
        verdict = Verdict.ACCEPTED
        for index, chunk in enumerate(parcel.chunks):
            verdict = restoration.apply(index, chunk)
            if verdict is not Verdict.ACCEPTED:
                break
        if restoration.store is not None:
            restoration.store.close()
        return verdict, restoration.reason
