"""The bundle: one CBOR map with everything a stranger needs beside what he already trusts.

Its members are those of section 10 of docs/reference/formats.md; parsing checks form alone (check 1).
"""

from dataclasses import dataclass
from itertools import pairwise

from cellvow.core.primitives.cbor import Cbor, encode_cbor, parse_cbor
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import (
    BUNDLE_BYTES_MAX,
    DISCLOSURES_MAX,
    INTEGER_MAX,
    PATH_LENGTH_MAX,
    STATE_PATH_LENGTH_MAX,
)

VERSION = 1
RECORDS_MAX = 16
MEDIA_TYPE = "application/vnd.cellvow.bundle.v1+cbor"

Path = tuple[bytes, ...]
"""Sibling hashes, lowest first (RFC 9162)."""


@dataclass(frozen=True, slots=True)
class BatchPlace:
    """Where a message lies in its batch, and the salt that blinds it."""

    index: int
    salt: bytes
    message: bytes
    path: Path
    outcome_path: Path


@dataclass(frozen=True, slots=True)
class Inclusion:
    """A statement, what became of it, and its place in the log."""

    cose: bytes
    outcome: bytes
    leaf: int
    path: Path
    batch: BatchPlace | None = None


@dataclass(frozen=True, slots=True)
class Admission:
    """The signer's organisation as genesis names it, and its place there."""

    organisation: bytes
    index: int
    path: Path


@dataclass(frozen=True, slots=True)
class BlockProof:
    """A block document and its place in the log; the index follows from the document."""

    body: bytes
    path: Path


@dataclass(frozen=True, slots=True)
class RecordProof:
    """A record and its place in the state map; siblings from the root down, empty ones as b""."""

    key: str
    value: bytes
    siblings: Path


@dataclass(frozen=True, slots=True)
class StateProofs:
    """Records as of the last block under the checkpoint."""

    block: BlockProof
    records: tuple[RecordProof, ...]


@dataclass(frozen=True, slots=True)
class Disclosed:
    """A salt and the field document it opens."""

    salt: bytes
    field: bytes


@dataclass(frozen=True, slots=True)
class Bundle:
    """A statement with its proofs, its signer's key chain, and what it discloses."""

    genesis: bytes
    admission: Admission
    keys: tuple[Inclusion, ...]
    statement: Inclusion
    block: BlockProof
    checkpoint: bytes
    state: StateProofs | None = None
    disclosures: tuple[Disclosed, ...] = ()


def encode_bundle(bundle: Bundle) -> bytes:
    """The bytes of a bundle."""
    admission = bundle.admission
    state: list[Cbor] = [] if bundle.state is None else [_encode_state(bundle.state)]
    return encode_cbor(
        {
            "version": VERSION,
            "genesis": bundle.genesis,
            "admission": {
                "organisation": admission.organisation,
                "index": admission.index,
                "path": list(admission.path),
            },
            "keys": [_encode_inclusion(inclusion) for inclusion in bundle.keys],
            "statement": _encode_inclusion(bundle.statement),
            "block": _encode_block(bundle.block),
            "checkpoint": bundle.checkpoint,
            "state": state,
            "disclosures": [{"salt": one.salt, "field": one.field} for one in bundle.disclosures],
        }
    )


def parse_bundle(data: bytes) -> Bundle:
    """The bundle of its bytes, or `Malformed`: check 1, form."""
    if len(data) > BUNDLE_BYTES_MAX:
        raise Malformed(f"bundle of {len(data)} bytes: at most {BUNDLE_BYTES_MAX} are allowed")
    names = ("version", "genesis", "admission", "keys", "statement", "block", "checkpoint", "state", "disclosures")
    members = _members(parse_cbor(data), *names)
    if members["version"] != VERSION:
        raise Malformed("only bundles of version 1 are known")
    keys, states = _array(members["keys"], 1), _array(members["state"], 1)
    return Bundle(
        _bytes(members["genesis"]),
        _admission(members["admission"]),
        tuple(_inclusion(key) for key in keys),
        _inclusion(members["statement"]),
        _block(members["block"]),
        _bytes(members["checkpoint"]),
        _state(states[0]) if states else None,
        tuple(_disclosure(one) for one in _array(members["disclosures"], DISCLOSURES_MAX)),
    )


def _encode_inclusion(inclusion: Inclusion) -> Cbor:
    batch: list[Cbor] = []
    if inclusion.batch is not None:
        place = inclusion.batch
        batch.append(
            {
                "index": place.index,
                "salt": place.salt,
                "message": place.message,
                "path": list(place.path),
                "outcome_path": list(place.outcome_path),
            }
        )
    return {
        "cose": inclusion.cose,
        "batch": batch,
        "outcome": inclusion.outcome,
        "leaf": inclusion.leaf,
        "path": list(inclusion.path),
    }


def _encode_block(block: BlockProof) -> dict[int | str, Cbor]:
    return {"body": block.body, "path": list(block.path)}


def _encode_state(state: StateProofs) -> Cbor:
    records: list[Cbor] = [
        {"key": one.key, "value": one.value, "siblings": list(one.siblings)} for one in state.records
    ]
    return {**_encode_block(state.block), "records": records}


def _inclusion(value: Cbor) -> Inclusion:
    members = _members(value, "cose", "batch", "outcome", "leaf", "path")
    batches = _array(members["batch"], 1)
    return Inclusion(
        _bytes(members["cose"]),
        _bytes(members["outcome"]),
        _index(members["leaf"]),
        _path(members["path"]),
        _batch(batches[0]) if batches else None,
    )


def _batch(value: Cbor) -> BatchPlace:
    members = _members(value, "index", "salt", "message", "path", "outcome_path")
    return BatchPlace(
        _index(members["index"]),
        _hash(members["salt"]),
        _bytes(members["message"]),
        _path(members["path"]),
        _path(members["outcome_path"]),
    )


def _admission(value: Cbor) -> Admission:
    members = _members(value, "organisation", "index", "path")
    return Admission(_bytes(members["organisation"]), _index(members["index"]), _path(members["path"]))


def _block(value: Cbor) -> BlockProof:
    members = _members(value, "body", "path")
    return BlockProof(_bytes(members["body"]), _path(members["path"]))


def _state(value: Cbor) -> StateProofs:
    members = _members(value, "body", "path", "records")
    records = tuple(_record(one) for one in _array(members["records"], RECORDS_MAX))
    keys = [record.key for record in records]
    if any(a >= b for a, b in pairwise(keys)):
        raise Malformed("records stand in ascending order of their keys, each once")
    return StateProofs(BlockProof(_bytes(members["body"]), _path(members["path"])), records)


def _record(value: Cbor) -> RecordProof:
    members = _members(value, "key", "value", "siblings")
    key = members["key"]
    if not isinstance(key, str) or not key.isascii():
        raise Malformed("the key of a record is ASCII text")
    siblings = tuple(_bytes(one) for one in _array(members["siblings"], STATE_PATH_LENGTH_MAX))
    if any(len(one) not in (0, 32) or one == bytes(32) for one in siblings):
        raise Malformed("a sibling has 32 bytes and is not all zeros, or is empty")
    return RecordProof(key, _bytes(members["value"]), siblings)


def _disclosure(value: Cbor) -> Disclosed:
    members = _members(value, "salt", "field")
    return Disclosed(_hash(members["salt"]), _bytes(members["field"]))


def _members(value: Cbor, *names: str) -> dict[int | str, Cbor]:
    if not isinstance(value, dict) or len(value) != len(names) or any(name not in value for name in names):
        raise Malformed(f"a map with exactly {', '.join(names)} was expected")
    return value


def _array(value: Cbor, most: int) -> list[Cbor]:
    if not isinstance(value, list) or len(value) > most:
        raise Malformed(f"an array of at most {most} was expected")
    return value


def _path(value: Cbor) -> Path:
    return tuple(_hash(one) for one in _array(value, PATH_LENGTH_MAX))


def _bytes(value: Cbor) -> bytes:
    if not isinstance(value, bytes):
        raise Malformed("a byte string was expected")
    return value


def _hash(value: Cbor) -> bytes:
    if not isinstance(value, bytes) or len(value) != 32:
        raise Malformed("a byte string of 32 was expected")
    return value


def _index(value: Cbor) -> int:
    if not isinstance(value, int) or not 0 <= value <= INTEGER_MAX:
        raise Malformed("an index below 2^53 was expected")
    return value
