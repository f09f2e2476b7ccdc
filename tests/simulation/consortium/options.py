"""What a seed stands for: the faults that may happen in one story, printed with every failure."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

ACT_TICKS = 10
"""Ticks in which faults happen; after them everything heals."""
HEAL_TICKS_MAX = 60
"""Within so many further ticks every honest statement must have its answer."""


@dataclass(frozen=True, slots=True)
class Options:
    """The derived options of a seed. Chances are for each occasion."""

    seed: int
    byzantine: str
    """The organisation whose validator is dishonest, or nobody's."""
    crash_permille: int
    """At each of some dozen points of every block; that somebody falls while idle is ten times as likely."""
    storage_percent: int
    """That the disk fails inside a commit."""
    partition_percent: int
    lost_votes_percent: int
    """That a round ends without a decision although two thirds would have accepted."""
    hostile_percent: int
    """That somebody sends what contradicts an honest statement."""
    clock_skew_ms: int
    block_bytes: int
    clients: int
    orders: int
    """Statements of each honest client, beside the registration of its key."""
    has_witness: bool
    has_newcomer: bool
    """A fifth member joins by snapshot."""


def may(rng: Random, percent: int) -> bool:
    """Whether something of that chance happens now."""
    return rng.randrange(100) < percent


def derive_options(seed: int, hosts: tuple[str, ...]) -> Options:
    """The options of a seed: from quiet to wild, each choice on its own."""
    rng = Random(seed)
    return Options(
        seed=seed,
        byzantine=rng.choice(("", *hosts[1:])) if rng.random() < 0.7 else "",
        crash_permille=rng.choice((0, 3, 6, 12, 25)),
        storage_percent=rng.choice((0, 0, 5, 15)),
        partition_percent=rng.choice((0, 0, 5, 15)),
        lost_votes_percent=rng.choice((0, 10, 40)),
        hostile_percent=rng.choice((0, 0, 20)),
        clock_skew_ms=rng.choice((0, 50, 3_000)),
        block_bytes=rng.choice((1_800, 3_000, 1_000_000)),
        clients=rng.choice((2, 2, 3)),
        orders=rng.choice((1, 1, 2, 3)),
        has_witness=rng.random() < 0.2,
        has_newcomer=rng.random() < 0.15,
    )
