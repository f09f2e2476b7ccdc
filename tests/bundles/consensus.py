"""Headers and commits by validators with fixed keys: what the engine would make of them, the same in every run."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from cellvow.core.ledger.commit import (
    ABSENT,
    NIL,
    VOTED,
    BlockId,
    Commit,
    Header,
    Vote,
    VotingKey,
    hash_header,
    hash_validators,
    order_voting_keys,
    precommit_bytes,
)
from cellvow.core.ledger.validator import Validator, order_validators
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.limits import VALIDATORS_MAX
from cellvow.core.primitives.signature import derive_public_key, sign

FOUNDERS = (("buyer", 10), ("lab", 10), ("maker", 10), ("maker", 10))
"""Who runs the validators 0 to 3, and with how much power: four of one weight, two of them one organisation's."""
TIME_NS = 1_800_000_000_123_456_789
_NOTHING = sha256()


def seed_of_validator(number: int) -> bytes:
    """The fixed seed of the n-th validator."""
    return sha256(b"test validator ", bytes([number]))


def voting_key(number: int, power: int = 10) -> VotingKey:
    """The n-th validator as the engine counts him."""
    return VotingKey(derive_public_key(seed_of_validator(number)), power)


def founding_validators() -> tuple[Validator, ...]:
    """The validators that genesis names."""
    members = [
        Validator(organisation, voting_key(number).public_key.hex(), power)
        for number, (organisation, power) in enumerate(FOUNDERS)
    ]
    return order_validators(tuple(members))


def founding_keys() -> tuple[VotingKey, ...]:
    """The same, in the engine's order."""
    return order_voting_keys([voting_key(number, power) for number, (_, power) in enumerate(FOUNDERS)])


def make_header(
    chain_id: str, height: int, app_hash: bytes, keys: tuple[VotingKey, ...], following: tuple[VotingKey, ...] = ()
) -> Header:
    """A header of a height under a set of validators, which names the same or `following` for the next height."""
    return Header(
        block_version=11,
        app_version=1,
        chain_id=chain_id,
        height=height,
        time_ns=TIME_NS + height * 1_000_000_007,
        last_block=BlockId(sha256(b"block", bytes([height & 255])), 1, sha256(b"parts", bytes([height & 255]))),
        last_commit_hash=sha256(b"commit", height.to_bytes(8, "big")),
        data_hash=sha256(b"transactions", height.to_bytes(8, "big")),
        validators_hash=hash_validators(keys),
        next_validators_hash=hash_validators(following or keys),
        consensus_hash=sha256(b"parameters"),
        app_hash=app_hash,
        last_results_hash=_NOTHING,
        evidence_hash=_NOTHING,
        proposer=keys[height % len(keys)].address,
    )


@cache
def seeds_by_key() -> dict[bytes, bytes]:
    """The seeds of all validators by their public keys."""
    seeds = map(seed_of_validator, range(VALIDATORS_MAX))
    return {derive_public_key(seed): seed for seed in seeds}


def make_commit(
    header: Header, keys: tuple[VotingKey, ...], flags: tuple[int, ...] = (), chain_id: str | None = None
) -> Commit:
    """The commit of a header in round 1: all vote for it but those whose flag says otherwise."""
    block = BlockId(hash_header(header), 1, sha256(b"parts of", hash_header(header)))
    commit, seeds, votes = Commit(header.height, 1, block, ()), seeds_by_key(), []
    for place, key in enumerate(keys):
        flag = flags[place] if place < len(flags) else VOTED
        if flag == ABSENT:
            votes.append(Vote(ABSENT))
            continue
        vote = Vote(flag, key.address, header.time_ns + 50_000_000 + place * 1_000_003)
        signed = precommit_bytes(chain_id or header.chain_id, commit, vote)
        votes.append(replace(vote, signature=sign(seeds[key.public_key], signed)))
    return replace(commit, votes=tuple(votes))


ABSENT_ONE = (VOTED, ABSENT)
"""The second of the validators is away: three of four signed."""
NIL_ONE = (VOTED, VOTED, NIL)
"""The third voted for no block."""
