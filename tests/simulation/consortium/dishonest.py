"""What a dishonest proposer puts into a block."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellvow.core.ledger.statement import parse_statement
from tests.simulation.consortium.workload import forge

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from tests.simulation.consortium.workload import Workload

KINDS = (
    "garbage",
    "stale",
    "duplicate",
    "forged",
    "strange",
    "twins",
    "reordered",
    "too many",
    "nothing",
    "silence",
    "two faces",
)
"""`reordered` and `nothing` are legal; `two faces` shows every member another block; `silence` proposes none."""


def propose(
    rng: Random, kind: str, pending: Sequence[bytes], decided: Sequence[bytes], workload: Workload
) -> tuple[bytes, ...]:
    """A block of that kind: from what waits somewhere, and what was decided before."""
    waiting = rng.sample(list(pending), min(len(pending), rng.randrange(1, 5)))
    whole = list(waiting)
    if kind == "garbage":
        whole.insert(rng.randrange(len(whole) + 1), rng.randbytes(rng.choice((0, 1, 40))))
    elif kind == "stale" and decided:
        whole.append(rng.choice(list(decided)))
    elif kind == "duplicate" and whole:
        whole.append(rng.choice(whole))
    elif kind == "forged" and whole:
        place = rng.randrange(len(whole))
        whole[place] = forge(parse_statement(whole[place]))
    elif kind == "strange":
        whole.append(rng.choice(workload.strange))
    elif kind == "twins":
        whole.extend(rng.sample(workload.twins, 2))
    elif kind == "too many":
        whole = [b""] * 2_001
    elif kind == "nothing":
        whole = []
    return tuple(whole)
