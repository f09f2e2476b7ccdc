"""Votes in one step: propose a change, let enough members approve it, and let it take effect."""

from __future__ import annotations

from collections.abc import Sequence

from cellvow.core.contracts.change import Change
from cellvow.core.contracts.governance import ProposalRecord, proposal_key
from tests import messages
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER, World

EVERYBODY = (CARMAKER, LABORATORY, AUTHORITY, MAKER, BUYER)
"""The five, in order of their identifiers."""


def propose(
    world: World, change: Change, reference: str = "P-1", *, proposer: str = MAKER, effective_height: int = 0
) -> None:
    """Make a proposal that must be accepted; its votes end thirty days after the world's last block."""
    closes_ms = world.head.time_ms + 30 * 86_400_000
    message = messages.proposal(proposer, change, reference, effective_height=effective_height, closes_ms=closes_ms)
    world.accept(world[proposer].key.sign(message))


def approve(world: World, voters: Sequence[str], reference: str = "P-1", *, proposer: str = MAKER) -> None:
    """Let these members approve, in one block; every vote must be accepted."""
    world.accept(*(world[voter].key.sign(messages.vote(proposer, reference)) for voter in voters))


def adopt(
    world: World,
    change: Change,
    reference: str = "P-1",
    *,
    voters: Sequence[str] = EVERYBODY[:4],
    effective_height: int = 0,
) -> None:
    """Propose a change and let these members, who must be just enough, adopt it."""
    propose(world, change, reference, effective_height=effective_height)
    approve(world, voters, reference)
    record = proposal_of(world, reference)
    if record.state != "adopted":
        raise AssertionError(f"expected adoption, got {record}")


def pass_block(world: World, *, time_ms: int | None = None) -> None:
    """A block that says nothing of anybody, and is not empty."""
    world.apply(world.next_block(evidence=(b"double vote",), time_ms=time_ms))


def enact(world: World, change: Change, reference: str = "P-1", *, voters: Sequence[str] = EVERYBODY[:4]) -> None:
    """Adopt a change and let it take effect."""
    adopt(world, change, reference, voters=voters)
    pass_block(world)


def proposal_of(world: World, reference: str = "P-1", *, proposer: str = MAKER) -> ProposalRecord:
    """The record of a proposal, which must be there."""
    return world.record(ProposalRecord, proposal_key(proposer, reference))
