"""A log that grows, lies or forks in memory, for tests of checkpoints and witnesses."""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random
from typing import TYPE_CHECKING

from cellvow.core.ledger.checkpoint import (
    Checkpoint,
    KeyAlgorithm,
    NoteKey,
    cosign_checkpoint,
    encode_note,
    encode_vkey,
    sign_checkpoint,
)
from cellvow.core.primitives.merkle import consistency_path, fetch_from, leaf_hash, tree_root
from cellvow.core.primitives.signature import derive_public_key, sign
from cellvow.node.witness_protocol import encode_request

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cellvow.core.ledger.checkpoint import NoteSignature, Signer
    from cellvow.core.primitives.digest import Digest

NOW_S = 1_795_478_400
LOG_SEED = b"\x01" * 32
NORTH_SEED = b"\x02" * 32
SOUTH_SEED = b"\x03" * 32
NORTH = "witness.example/north"
SOUTH = "witness.example/south"


def seeded(seed: int) -> Random:
    """A story that is told the same way each time."""
    return Random(seed)


def signer_of(seed: bytes) -> Signer:
    """What signs with the key grown from `seed`."""
    return lambda message: sign(seed, message)


def log_key(origin: str = "log.example/demo", seed: bytes = LOG_SEED) -> NoteKey:
    """A log's key."""
    return NoteKey(origin, KeyAlgorithm.LOG, derive_public_key(seed))


def witness_key(name: str = NORTH, seed: bytes = NORTH_SEED) -> NoteKey:
    """A witness's key."""
    return NoteKey(name, KeyAlgorithm.COSIGNATURE, derive_public_key(seed))


def cosign(checkpoint: Checkpoint, name: str = NORTH, seed: bytes = NORTH_SEED) -> NoteSignature:
    """An honest cosignature."""
    return cosign_checkpoint(checkpoint, witness_key(name, seed), NOW_S, signer_of(seed))


@dataclass
class Log:
    """A log with its leaves and its secret; `branch` makes another history under the same key."""

    leaves: list[Digest]
    origin: str = "log.example/demo"
    seed: bytes = LOG_SEED

    @classmethod
    def of_size(cls, size: int, *, mark: str = "") -> Log:
        """A log of `size` leaves; another `mark` gives other leaves."""
        return cls([leaf_hash(f"{mark}{index}".encode()) for index in range(size)])

    def branch(self, at: int) -> Log:
        """The same key, the same first `at` leaves, other leaves from there on."""
        return replace(self, leaves=[*self.leaves[:at], *Log.of_size(len(self.leaves) - at, mark="other ").leaves])

    @property
    def key(self) -> NoteKey:
        """Its key."""
        return log_key(self.origin, self.seed)

    @property
    def vkey(self) -> str:
        """Its key as text."""
        return encode_vkey(self.key)

    def checkpoint(self, size: int) -> Checkpoint:
        """What it says when it holds `size` leaves."""
        return Checkpoint(self.origin, size, tree_root(self.leaves[:size]))

    def note(self, size: int, cosignatures: Sequence[NoteSignature] = ()) -> bytes:
        """Its signed checkpoint."""
        checkpoint = self.checkpoint(size)
        return encode_note(checkpoint, [sign_checkpoint(checkpoint, self.key, signer_of(self.seed)), *cosignatures])

    def prove(self, old_size: int, size: int) -> list[Digest]:
        """That its tree of `size` leaves extends that of `old_size`."""
        return consistency_path(fetch_from(self.leaves[:size]), old_size, size)

    def request(self, old_size: int, size: int) -> bytes:
        """POST /add-checkpoint from one size to another."""
        proof = self.prove(old_size, size) if old_size <= size else []
        return encode_request(old_size, proof, self.note(size))
