"""What a thousand stories must have met, so that their silence means something."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.simulation.consortium import dishonest

if TYPE_CHECKING:
    from collections import Counter

METHODS = ("handshake", "init_chain", "check_tx", "prepare_proposal", "process_proposal", "finalize_block", "commit")
PROCESSES = ("application", "engine", "both")
POINTS = (
    *(f"{side} {method}" for method in METHODS for side in ("before", "after")),
    "before the block is saved",
    "once the block is saved",
    "once the results are saved",
    "before the state is saved",
    "idle",
    "inside commit, the disk fails at the commit",
    "inside commit, the disk fails at the middle",
)
SITUATIONS = (
    *(f"decided in round {number}" for number in (1, 2, 3, 4)),
    *(f"dishonest proposal: {kind}" for kind in dishonest.KINDS),
    "a locked block is proposed again",
    "a round without decision",
    "a round without proposal",
    "another history answered 409",
    "another history answered 422",
    "at rest",
    "block played again",
    "caught up",
    "decided again, as all who had it fell",
    "empty block",
    "evidence of a double vote",
    "hostile statement",
    "joined by snapshot",
    "died while joining",
    "no part of the network has two thirds",
    "outcome EXPIRED",
    "outcome NO_SUCH_KEY",
    "outcome MALFORMED_MESSAGE",
    "outcome UNKNOWN_BATTERY",
    "outcome UNKNOWN_MODEL",
    "outcome UNKNOWN_PROPOSAL",
    "outcome accepted",
    "proposal refused",
    "published, 0 cosigned",
    "published, 1 cosigned",
    "refused KEY_NOT_IN_FORCE",
    "refused SEQUENCE_USED",
    "refused UNKNOWN_KEY",
    "restart",
    "sent again while it waits",
    "sent between FinalizeBlock and Commit",
    "the network heals",
    "the network parts",
    "the witness starts again",
    "validators change",
)


def find_missing(reached: Counter[str]) -> list[str]:
    """What was promised and never met: situations, points at which a process died, and processes that died."""
    missing = [situation for situation in SITUATIONS if not reached[situation]]
    missing += [point for point in POINTS if not any(reached[f"{process} dies {point}"] for process in PROCESSES)]
    missing += [
        process
        for process in PROCESSES
        if not any(reached[f"{process} dies {side} commit"] for side in ("before", "after"))
    ]
    return missing


def describe(reached: Counter[str], stories: int) -> str:
    """How often each situation was met."""
    lines = [f"{count:9,} {situation}" for situation, count in sorted(reached.items())]
    return "\n".join([f"{stories:,} stories", *lines])
