"""A ledger on disk whose archive is taken: the small world's members, blocks of a known size, a log and witnesses.

ledger = LedgerOnDisk(tmp_path / "ledger")
ledger.grow(40)
ledger.publish()
export_archive(ledger.store, tmp_path / "archive")
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from cellvow.core.ledger.checkpoint import (
    Checkpoint,
    KeyAlgorithm,
    NoteKey,
    cosign_checkpoint,
    encode_note,
    sign_checkpoint,
)
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.merkle import consistency_path
from cellvow.core.primitives.signature import derive_public_key, sign
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.records import MemoryState
from cellvow.node.store import LedgerStore
from cellvow.node.witness_protocol import encode_request
from cellvow.verify.trust import Trust
from tests import messages
from tests.world import MAKER, World

if TYPE_CHECKING:
    from pathlib import Path

    from cellvow.core.ledger.block import Block
    from cellvow.core.ledger.genesis import Genesis

ORIGIN = "cellvow.test/archived"
COSIGNED_S = 1_800_000_000


def seed_of(name: str) -> bytes:
    """The fixed seed of a named key."""
    return sha256(b"archive key", name.encode())


def witness_key(name: str) -> NoteKey:
    """The key of a named witness."""
    return NoteKey(f"witness.test/{name}", KeyAlgorithm.COSIGNATURE, derive_public_key(seed_of(name)))


class LedgerOnDisk:
    """A world whose blocks are also committed to a store; each call gives the same bytes everywhere."""

    def __init__(self, folder: Path, genesis: Genesis | None = None) -> None:
        self.folder = folder
        self.world = World(genesis)
        self.store = LedgerStore.create(folder, self.world.genesis, begin_chain(self.world.genesis, MemoryState()))
        self.log_key = NoteKey(ORIGIN, KeyAlgorithm.LOG, derive_public_key(seed_of("log")))
        self.trust = Trust(self.world.genesis.digest, self.log_key, tuple(map(witness_key, "abc")), 2)
        self._born = 0
        self.store.commit(self.world.blocks[0], self.world.applied[0])
        self.apply(self.world.next_block(self.world[MAKER].key.sign(messages.model())))

    @property
    def size(self) -> int:
        """Leaves so far."""
        return self.world.head.log.size

    def apply(self, block: Block) -> None:
        """Apply and commit a block."""
        self.store.commit(block, self.world.apply(block))

    def grow(self, statements: int, *, evidence: tuple[bytes, ...] = ()) -> None:
        """One more block: so many births, and perhaps evidence."""
        births = [messages.battery(f"01/{messages.GTIN}/21/N-{self._born + n:05}") for n in range(statements)]
        self._born += statements
        signed = [self.world[MAKER].key.sign(birth) for birth in births]
        self.apply(self.world.next_block(*signed, evidence=evidence))

    def grow_to(self, size: int, *, block_leaves: int = 20) -> None:
        """Blocks of so many leaves until there are exactly `size`."""
        while size - self.size > block_leaves + 1:
            self.grow(block_leaves - 1)
        self.grow(size - self.size - 1)

    def note(self, cosigned_by: str = "abc") -> bytes:
        """The signed head, cosigned."""
        checkpoint = Checkpoint(ORIGIN, self.size, self.world.head.log.root())
        signatures = [sign_checkpoint(checkpoint, self.log_key, partial(sign, seed_of("log")))]
        for name in cosigned_by:
            signer = partial(sign, seed_of(name))
            signatures.append(cosign_checkpoint(checkpoint, witness_key(name), COSIGNED_S, signer))
        return encode_note(checkpoint, signatures)

    def publish(self, cosigned_by: str = "abc") -> None:
        """Sign the head and keep the note."""
        self.store.put_checkpoint(self.size, self.note(cosigned_by))

    def request(self, old_size: int) -> bytes:
        """POST /add-checkpoint from a size to the head, proven from the ledger's own nodes."""
        proof = consistency_path(self.store.node, old_size, self.size)
        return encode_request(old_size, proof, self.note(""))

    def forge(self, key: str, value: bytes) -> None:
        """Edit a record as an operator would who then goes on consistently: state and log follow from the lie."""
        self.world.state.update({key: value})
