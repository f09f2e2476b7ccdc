"""The consensus proof: how the validators of a consortium vouch for its log, from those of genesis on.

    {"header": bytes, "commit": bytes, "sets": [{"header": bytes, "commit": bytes, "validators": [..]}, ..]}

`sets` holds the headers that name other validators for the next height, each with its commit and with the validators
it names, `{"public_key": 32 bytes, "power": n}` in the engine's order. The last header's app hash is the log's size
and root after the block before it (section 10 of docs/reference/formats.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.core.ledger.checkpoint import SignatureCheck
from cellvow.core.ledger.commit import (
    Header,
    VerifiedCommit,
    VotingKey,
    hash_validators,
    order_voting_keys,
    parse_commit,
    parse_header,
    verify_commit,
)
from cellvow.core.ledger.validator import Validator, parse_validators_document
from cellvow.core.primitives.cbor import Cbor, encode_cbor, parse_cbor
from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest
from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.identifier import parse_chain_id
from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX, INTEGER_MAX, VALIDATOR_CHANGES_MAX, VALIDATORS_MAX
from cellvow.verify.shape import require_array, require_bytes, require_members

_SIZE_LENGTH = 8
_MILLISECOND_NS = 10**6


@dataclass(frozen=True, slots=True)
class ValidatorChange:
    """A header that names other validators for the next height, with its commit, and these validators."""

    header: bytes
    commit: bytes
    validators: tuple[VotingKey, ...]


@dataclass(frozen=True, slots=True)
class ConsensusProof:
    """The header that vouches for a log, with its commit, and the changes of validators since genesis."""

    header: bytes
    commit: bytes
    changes: tuple[ValidatorChange, ...] = ()


@dataclass(frozen=True, slots=True)
class VerifiedConsensus:
    """What a consensus proof proves: the log's size and root, and who signed block `height` of time `time_ms`.

    `signed_by` names the organisations of those signers whom genesis names, sorted.
    """

    chain_id: str
    size: int
    root: Digest
    height: int
    time_ms: int
    signers: int
    validators: int
    signed_power: int
    total_power: int
    signed_by: tuple[str, ...]


def encode_consensus_proof(proof: ConsensusProof) -> bytes:
    """The bytes of a consensus proof."""
    return encode_cbor(
        {
            "header": proof.header,
            "commit": proof.commit,
            "sets": [_encode_change(change) for change in proof.changes],
        }
    )


def parse_consensus_proof(data: bytes) -> ConsensusProof:
    """The proof of its bytes; raises `Malformed`. Headers and commits are judged by `verify_consensus_proof`."""
    if len(data) > BUNDLE_BYTES_MAX:
        raise Malformed(f"consensus proof of {len(data)} bytes: at most {BUNDLE_BYTES_MAX} are allowed")
    members = require_members(parse_cbor(data), "header", "commit", "sets")
    changes = require_array(members["sets"], VALIDATOR_CHANGES_MAX)
    return ConsensusProof(
        require_bytes(members["header"]),
        require_bytes(members["commit"]),
        tuple(_parse_change(change) for change in changes),
    )


def verify_consensus_proof(data: bytes, genesis: dict[str, Json], check: SignatureCheck) -> VerifiedConsensus:
    """What the proof proves under the validators that a genesis header's members name.

    Raises `VerificationError` or `Malformed`. The caller pins the genesis header itself.
    """
    if "validators" not in genesis:
        raise VerificationError("genesis names no validators: no commit can vouch for this ledger")
    founders, chain_id = parse_validators_document(genesis["validators"]), parse_chain_id(str(genesis.get("chain_id")))
    proof = parse_consensus_proof(data)
    keys, height = voting_keys(founders), 0
    for change in proof.changes:
        header, _ = _verify_link(change.header, change.commit, chain_id, keys, check)
        if header.height <= height:
            raise VerificationError("the changes of validators do not stand in order of their heights")
        if header.next_validators_hash == header.validators_hash:
            raise VerificationError(f"the validators do not change after block {header.height}")
        if hash_validators(change.validators) != header.next_validators_hash:
            raise VerificationError(f"other validators follow block {header.height} than the proof names")
        keys, height = change.validators, header.height
    header, verified = _verify_link(proof.header, proof.commit, chain_id, keys, check)
    if header.height <= height:
        raise VerificationError("the header is not later than the last change of validators")
    return _result(header, verified, len(keys), founders)


def voting_keys(validators: Sequence[Validator]) -> tuple[VotingKey, ...]:
    """Validators as the engine counts them, in its order."""
    return order_voting_keys([VotingKey(bytes.fromhex(one.public_key), one.power) for one in validators])


def app_hash_of(header: Header) -> tuple[int, Digest]:
    """The log's size and root in a header of ours; raises `Malformed` for another app hash."""
    size, root = int.from_bytes(header.app_hash[:_SIZE_LENGTH], "big"), header.app_hash[_SIZE_LENGTH:]
    if len(root) != DIGEST_LENGTH or not 1 <= size <= INTEGER_MAX:
        raise Malformed("the app hash in the header is not the size and the root of a log")
    return size, Digest(root)


def _verify_link(
    header_bytes: bytes, commit_bytes: bytes, chain_id: str, keys: Sequence[VotingKey], check: SignatureCheck
) -> tuple[Header, VerifiedCommit]:
    header = parse_header(header_bytes)
    return header, verify_commit(header, parse_commit(commit_bytes), chain_id, keys, check)


def _result(
    header: Header, verified: VerifiedCommit, validators: int, founders: Sequence[Validator]
) -> VerifiedConsensus:
    size, root = app_hash_of(header)
    owners = {bytes.fromhex(one.public_key): one.organisation for one in founders}
    named = {owners[key.public_key] for key in verified.signed_by if key.public_key in owners}
    return VerifiedConsensus(
        header.chain_id,
        size,
        root,
        header.height,
        header.time_ns // _MILLISECOND_NS,
        len(verified.signed_by),
        validators,
        verified.signed_power,
        verified.total_power,
        tuple(sorted(named)),
    )


def _encode_change(change: ValidatorChange) -> Cbor:
    validators: list[Cbor] = [{"public_key": key.public_key, "power": key.power} for key in change.validators]
    return {"header": change.header, "commit": change.commit, "validators": validators}


def _parse_change(value: Cbor) -> ValidatorChange:
    members = require_members(value, "header", "commit", "validators")
    keys = require_array(members["validators"], VALIDATORS_MAX)
    return ValidatorChange(
        require_bytes(members["header"]),
        require_bytes(members["commit"]),
        tuple(_parse_voting_key(key) for key in keys),
    )


def _parse_voting_key(value: Cbor) -> VotingKey:
    members = require_members(value, "public_key", "power")
    power = members["power"]
    if not isinstance(power, int):
        raise Malformed("the power of a validator is a whole number")
    return VotingKey(require_bytes(members["public_key"]), power)
