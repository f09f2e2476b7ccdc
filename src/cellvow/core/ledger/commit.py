"""Headers and commits of CometBFT v0.38: what a consortium's validators sign, read and checked without the engine.

A header is hashed as an RFC 9162 tree over its fourteen fields; a commit holds a vote of each validator, in the
engine's order, over that hash. Both are read in the one protobuf encoding that the engine gives them:

    header   0a 04 08 0b 10 01 | 12 .. chain id | 18 .. height | 22 .. time | 2a .. last block | 32 20 .. hash | ...
    commit   08 .. height | 10 .. round | 1a .. block id | 22 .. vote | 22 .. vote | ...

Sources: the engine's specification (spec/core/data_structures.md, encoding.md) and a chain it made itself, kept as
tests/conformance/vectors/engine_commits.json.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cellvow.core.ledger.checkpoint import SignatureCheck
from cellvow.core.ledger.wire import Fields, bytes_field, fixed_field, message_field, parse_fields, varint, whole_field
from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest, sha256
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.limits import (
    COMMIT_BYTES_MAX,
    HEADER_BYTES_MAX,
    INTEGER_MAX,
    VALIDATOR_POWER_MAX,
    VALIDATORS_MAX,
)
from cellvow.core.primitives.merkle import leaf_hash, tree_root

ABSENT, VOTED, NIL = 1, 2, 3
"""What a validator did: nothing, a vote for the block, or a vote for none. Only the second counts."""
ADDRESS_LENGTH = 20
"""Bytes of a validator's address: the first of SHA-256(public key)."""
APP_HASH_BYTES_MAX = 64
"""An app hash: ours has 40 bytes, the engine's own example 8."""
_SIGNATURE_LENGTH = 64
_CHAIN_ID_LENGTH_MAX = 50  # the engine's own bound
_PRECOMMIT = 2
_ROUND_MAX = 2**31 - 1
_PARTS_MAX = 2**32 - 1
_SECOND_NS = 10**9
_NO_TIME_S = -62_135_596_800  # the first second of the year 1, which stands for "no time"
NO_TIME_NS = _NO_TIME_S * _SECOND_NS
_TIME_S_MAX = 253_402_300_799  # the last second of the year 9999


@dataclass(frozen=True, slots=True)
class BlockId:
    """What a vote is for: the header's hash, and the number and root of the parts the block travels in."""

    digest: bytes
    parts: int
    parts_root: bytes


@dataclass(frozen=True, slots=True)
class Header:
    """A block's header. `app_hash` is that after the block before; times are nanoseconds since 1970."""

    block_version: int
    app_version: int
    chain_id: str
    height: int
    time_ns: int
    last_block: BlockId
    last_commit_hash: bytes
    data_hash: bytes
    validators_hash: bytes
    next_validators_hash: bytes
    consensus_hash: bytes
    app_hash: bytes
    last_results_hash: bytes
    evidence_hash: bytes
    proposer: bytes


@dataclass(frozen=True, slots=True)
class Vote:
    """One validator's place in a commit; address, time and signature are empty where he is absent."""

    flag: int
    address: bytes = b""
    time_ns: int = NO_TIME_NS
    signature: bytes = b""


@dataclass(frozen=True, slots=True)
class Commit:
    """The votes that ended a height: one place for each validator, in the engine's order."""

    height: int
    round: int
    block: BlockId
    votes: tuple[Vote, ...]


@dataclass(frozen=True, slots=True)
class VotingKey:
    """A validator as the engine counts him: his Ed25519 key and his power."""

    public_key: bytes
    power: int

    @property
    def address(self) -> bytes:
        """The first 20 bytes of SHA-256(public key)."""
        return sha256(self.public_key)[:ADDRESS_LENGTH]


@dataclass(frozen=True, slots=True)
class VerifiedCommit:
    """What a commit proves of its header: who voted for it, and the power of these and of all."""

    signed_by: tuple[VotingKey, ...]
    signed_power: int
    total_power: int


# Validators


def order_voting_keys(keys: Sequence[VotingKey]) -> tuple[VotingKey, ...]:
    """The engine's order: by power from the greatest, then by address."""
    return tuple(sorted(keys, key=_place))


def hash_validators(keys: Sequence[VotingKey]) -> Digest:
    """What headers name as `validators_hash`; raises `Malformed` for keys that are no set in the engine's order."""
    if not 1 <= len(keys) <= VALIDATORS_MAX:
        raise Malformed(f"there are 1 to {VALIDATORS_MAX} validators")
    for key in keys:
        if len(key.public_key) != DIGEST_LENGTH or not 1 <= key.power <= VALIDATOR_POWER_MAX:
            raise Malformed(f"a validator has a key of 32 bytes and a power of 1 to {VALIDATOR_POWER_MAX}")
    places = [_place(key) for key in keys]
    if any(a >= b for a, b in pairwise(places)) or len(dict.fromkeys(key.public_key for key in keys)) < len(keys):
        raise Malformed("validators stand by power, the greatest first, then by address, and none twice")
    return tree_root([leaf_hash(_simple_validator(key)) for key in keys])


def _place(key: VotingKey) -> tuple[int, bytes]:
    return -key.power, key.address


def _simple_validator(key: VotingKey) -> bytes:
    return message_field(1, bytes_field(1, key.public_key)) + whole_field(2, key.power)


# Header


def encode_header(header: Header) -> bytes:
    """The engine's protobuf of a header; raises `Malformed` for a field out of bounds."""
    _check_header(header)
    return b"".join(
        (
            message_field(1, _version(header)),
            bytes_field(2, header.chain_id.encode("ascii")),
            whole_field(3, header.height),
            message_field(4, _time(header.time_ns)),
            message_field(5, _block_id(header.last_block)),
            *(bytes_field(number, content) for number, content in enumerate(_hashes(header), start=6)),
        )
    )


def parse_header(data: bytes) -> Header:
    """The header of its one encoding; raises `Malformed` for every other."""
    if len(data) > HEADER_BYTES_MAX:
        raise Malformed(f"header of {len(data)} bytes: at most {HEADER_BYTES_MAX} are allowed")
    fields = parse_fields(data, "the header")
    version = fields.message(1)
    header = Header(
        version.whole(1),
        version.whole(2),
        fields.text(2),
        fields.whole(3),
        _parse_time(fields.message(4)),
        _parse_block_id(fields.message(5)),
        *(fields.content(number) for number in range(6, 15)),
    )
    if encode_header(header) != data:
        raise Malformed("the header is not in the engine's encoding")
    return header


def hash_header(header: Header) -> Digest:
    """The hash that validators sign: the root over the fourteen fields, each as the engine encodes it alone."""
    leaves = (
        _version(header),
        bytes_field(1, header.chain_id.encode("ascii")),
        whole_field(1, header.height),
        _time(header.time_ns),
        _block_id(header.last_block),
        *(bytes_field(1, content) for content in _hashes(header)),
    )
    return tree_root([leaf_hash(leaf) for leaf in leaves])


def _check_header(header: Header) -> None:
    numbers = (header.block_version, header.app_version)
    if any(not 0 <= number <= INTEGER_MAX for number in numbers) or not 1 <= header.height <= INTEGER_MAX:
        raise Malformed("a version or the height in the header is out of range")
    chain = header.chain_id
    if not 1 <= len(chain) <= _CHAIN_ID_LENGTH_MAX or not chain.isascii() or not chain.isprintable():
        raise Malformed("the chain identifier in the header is not 1 to 50 printable characters")
    if any(len(content) not in (0, DIGEST_LENGTH) for content in _digests(header)):
        raise Malformed(f"a hash in the header has not {DIGEST_LENGTH} bytes")
    sets = (header.validators_hash, header.next_validators_hash)
    if any(len(content) != DIGEST_LENGTH for content in sets) or len(header.proposer) != ADDRESS_LENGTH:
        raise Malformed("the header names no validators, or no proposer")
    if len(header.app_hash) > APP_HASH_BYTES_MAX:
        raise Malformed(f"an app hash has at most {APP_HASH_BYTES_MAX} bytes")


def _digests(header: Header) -> tuple[bytes, ...]:
    return (*_hashes(header)[:5], header.last_results_hash, header.evidence_hash)


def _hashes(header: Header) -> tuple[bytes, ...]:
    """The fields 6 to 14, in order."""
    return (
        header.last_commit_hash,
        header.data_hash,
        header.validators_hash,
        header.next_validators_hash,
        header.consensus_hash,
        header.app_hash,
        header.last_results_hash,
        header.evidence_hash,
        header.proposer,
    )


def _version(header: Header) -> bytes:
    return whole_field(1, header.block_version) + whole_field(2, header.app_version)


# Commit


def encode_commit(commit: Commit) -> bytes:
    """The engine's protobuf of a commit; raises `Malformed` for a field out of bounds."""
    _check_commit(commit)
    return b"".join(
        (
            whole_field(1, commit.height),
            whole_field(2, commit.round),
            message_field(3, _block_id(commit.block)),
            *(message_field(4, _encode_vote(vote)) for vote in commit.votes),
        )
    )


def parse_commit(data: bytes) -> Commit:
    """The commit of its one encoding; raises `Malformed` for every other."""
    if len(data) > COMMIT_BYTES_MAX:
        raise Malformed(f"commit of {len(data)} bytes: at most {COMMIT_BYTES_MAX} are allowed")
    fields = parse_fields(data, "the commit")
    votes = fields.messages(4)
    commit = Commit(
        fields.whole(1),
        fields.whole(2),
        _parse_block_id(fields.message(3)),
        tuple(_parse_vote(vote) for vote in votes),
    )
    if encode_commit(commit) != data:
        raise Malformed("the commit is not in the engine's encoding")
    return commit


def precommit_bytes(chain_id: str, commit: Commit, vote: Vote) -> bytes:
    """What a validator signed for his place in a commit: the canonical vote, with its length before it."""
    block = b"" if vote.flag == NIL else message_field(4, _block_id(commit.block))
    body = b"".join(
        (
            whole_field(1, _PRECOMMIT),
            fixed_field(2, commit.height),
            fixed_field(3, commit.round),
            block,
            message_field(5, _time(vote.time_ns)),
            bytes_field(6, chain_id.encode("ascii")),
        )
    )
    return varint(len(body)) + body


def verify_commit(
    header: Header, commit: Commit, chain_id: str, keys: Sequence[VotingKey], check: SignatureCheck
) -> VerifiedCommit:
    """What the commit proves of the header under a set of validators; raises `VerificationError` or `Malformed`.

    Every signature in it must hold, those of votes for no block too, though enough others do; votes for the block
    must carry more than two thirds of all power.
    """
    if header.chain_id != chain_id:
        raise VerificationError(f"the header is of the chain {header.chain_id}, not of {chain_id}")
    if hash_validators(keys) != header.validators_hash:
        raise VerificationError(f"the header of block {header.height} names other validators")
    if commit.height != header.height or commit.block.digest != hash_header(header):
        raise VerificationError(f"the commit is not of the header of block {header.height}")
    if len(commit.votes) != len(keys):
        raise VerificationError(f"{len(commit.votes)} votes for {len(keys)} validators")
    for vote, key in zip(commit.votes, keys, strict=True):
        _check_vote(chain_id, commit, vote, key, check)
    signed_by = tuple(key for vote, key in zip(commit.votes, keys, strict=True) if vote.flag == VOTED)
    signed, total = sum(key.power for key in signed_by), sum(key.power for key in keys)
    if 3 * signed <= 2 * total:
        raise VerificationError(f"validators with {signed} of {total} votes signed: more than two thirds are needed")
    return VerifiedCommit(signed_by, signed, total)


def _check_vote(chain_id: str, commit: Commit, vote: Vote, key: VotingKey, check: SignatureCheck) -> None:
    if vote.flag == ABSENT:
        return
    if vote.address != key.address:
        raise VerificationError("a vote stands at another validator's place")
    if not check(key.public_key, precommit_bytes(chain_id, commit, vote), vote.signature):
        raise VerificationError(f"the signature of the validator {vote.address.hex()} does not hold")


def _check_commit(commit: Commit) -> None:
    if not 1 <= commit.height <= INTEGER_MAX or not 0 <= commit.round <= _ROUND_MAX:
        raise Malformed("the height or the round of the commit is out of range")
    if len(commit.block.digest) != DIGEST_LENGTH or not 1 <= len(commit.votes) <= VALIDATORS_MAX:
        raise Malformed(f"a commit is for one block, with 1 to {VALIDATORS_MAX} votes")


def _encode_vote(vote: Vote) -> bytes:
    is_absent = vote.flag == ABSENT
    lengths = (0, 0) if is_absent else (ADDRESS_LENGTH, _SIGNATURE_LENGTH)
    if vote.flag not in (ABSENT, VOTED, NIL) or (len(vote.address), len(vote.signature)) != lengths:
        raise Malformed("a vote is absent and empty, or has an address and a signature")
    if is_absent and vote.time_ns != NO_TIME_NS:
        raise Malformed("a vote that is absent has no time")
    parts = (whole_field(1, vote.flag), bytes_field(2, vote.address), message_field(3, _time(vote.time_ns)))
    return b"".join((*parts, bytes_field(4, vote.signature)))


def _parse_vote(fields: Fields) -> Vote:
    return Vote(fields.whole(1), fields.content(2), _parse_time(fields.message(3)), fields.content(4))


# Shared parts


def _block_id(block: BlockId) -> bytes:
    is_none = not block.digest and not block.parts and not block.parts_root
    is_some = len(block.digest) == len(block.parts_root) == DIGEST_LENGTH and 1 <= block.parts <= _PARTS_MAX
    if not is_none and not is_some:
        raise Malformed("a block id is a hash and the number and root of its parts, or nothing")
    parts = whole_field(1, block.parts) + bytes_field(2, block.parts_root)
    return bytes_field(1, block.digest) + message_field(2, parts)


def _parse_block_id(fields: Fields) -> BlockId:
    parts = fields.message(2)
    return BlockId(fields.content(1), parts.whole(1), parts.content(2))


def _time(time_ns: int) -> bytes:
    seconds, nanoseconds = divmod(time_ns, _SECOND_NS)
    if not _NO_TIME_S <= seconds <= _TIME_S_MAX:
        raise Malformed("a time lies before the year 1 or after the year 9999")
    return whole_field(1, seconds) + whole_field(2, nanoseconds)


def _parse_time(fields: Fields) -> int:
    return fields.whole(1) * _SECOND_NS + fields.whole(2)
