"""What every engine offers: submit a statement, and learn what became of it."""

from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import OperationalError

Clock = Callable[[], int]
"""Milliseconds since 1970."""


class Level(Enum):
    """How much a statement's sender may rely on it."""

    QUEUED = "queued"
    """Taken, and nothing promised."""
    COMMITTED = "committed"
    """On disk, in a block: it is not lost."""
    WITNESSED = "witnessed"
    """Under a checkpoint that enough others have cosigned: it cannot be rewritten unnoticed."""


class Backpressure(OperationalError):
    """The queue is full: nothing was taken; wait and send again."""


@dataclass(frozen=True, slots=True)
class Receipted:
    """What became of a statement that is committed: its place, block time, and the outcome of each message."""

    txid: Digest
    digest: Digest
    height: int
    time_ms: int
    leaf: int
    outcomes: tuple[bytes, ...]


class Engine(Protocol):
    """Orders statements into blocks. *Queued* is no promise; *committed* is."""

    def submit(self, data: bytes) -> "Future[Receipted]":
        """Queue a statement's bytes; the future resolves once it is committed, or refused."""
