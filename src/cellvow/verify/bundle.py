"""The bundle: one CBOR map with everything a stranger needs beside what he already trusts.

Its members are those of section 10 of docs/reference/formats.md; parsing checks form alone (check 1).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from cellvow.core.primitives.cbor import Cbor, encode_cbor, parse_cbor
from cellvow.core.primitives.errors import Malformed, ensure
from cellvow.core.primitives.limits import (
    BUNDLE_BYTES_MAX,
    DISCLOSURES_MAX,
    INTEGER_MAX,
    PATH_LENGTH_MAX,
    STATE_PATH_LENGTH_MAX,
)
from cellvow.verify.shape import require_array, require_bytes, require_members

VERSIONS = (1, 2, 3)
"""Version 2 says what version 1 cannot: validators vouch for the log, the state for the signer, or rotations lead from
a root key of genesis to another. Version 3 says what 2 cannot: disclosures that are of no result, and documents."""
RECORDS_MAX = 16
ROTATIONS_MAX = 7
"""With the registration, eight links at most from genesis to the signer's key."""
MEDIA_TYPE = "application/vnd.cellvow.bundle.v1+cbor"

_PLACE = re.compile(r"(?:/[a-z0-9_]{1,40}){1,8}", re.ASCII)
_RESULT = re.compile(r"(?:/replacement)?/results/(?:0|[1-9][0-9]*)", re.ASCII)

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
    """A salt and the field document it opens; `at` is where the commitment stands in what the message orders.

    `at` is None in versions 1 and 2, where it is one of the results. `document` is what the field document has the
    digest of, where it is shown.
    """

    salt: bytes
    field: bytes
    at: str | None = None
    document: bytes | None = None


@dataclass(frozen=True, slots=True)
class Bundle:
    """A statement with its proofs, its signer's key chain, and what it discloses.

    Exactly one of `checkpoint` (a signed note) and `consensus` (a consensus proof) vouches for the log. `rotations`
    lead from a root key that `admission` names to the one that `keys`, or the statement, is signed by. Without
    `admission`, the state vouches for the signer, and there are none.
    """

    genesis: bytes
    admission: Admission | None
    keys: tuple[Inclusion, ...]
    statement: Inclusion
    block: BlockProof
    checkpoint: bytes | None
    state: StateProofs | None = None
    disclosures: tuple[Disclosed, ...] = ()
    consensus: bytes | None = None
    rotations: tuple[Inclusion, ...] = ()

    @property
    def version(self) -> int:
        """The least version that can say it."""
        if any(one.at is not None for one in self.disclosures):
            return 3
        is_first = self.admission is not None and self.consensus is None and not self.rotations
        return 1 if is_first else 2


def least_disclosures(disclosures: Sequence[Disclosed]) -> tuple[Disclosed, ...]:
    """Disclosures that each know their place, in the order of the message: in the least version that can say them."""
    if all(one.document is None and _RESULT.fullmatch(one.at or "") for one in disclosures):
        return tuple(Disclosed(one.salt, one.field) for one in disclosures)
    return tuple(sorted(disclosures, key=lambda one: one.at or ""))


def encode_bundle(bundle: Bundle) -> bytes:
    """The bytes of a bundle, in the least version that can say it."""
    ensure((bundle.checkpoint is None) is not (bundle.consensus is None), "a note vouches for a bundle, or a commit")
    admissions: list[Cbor] = [] if bundle.admission is None else [_encode_admission(bundle.admission)]
    state: list[Cbor] = [] if bundle.state is None else [_encode_state(bundle.state)]
    vouched: dict[int | str, Cbor] = {"note": bundle.checkpoint or b""}
    if bundle.consensus is not None:
        vouched = {"consensus": bundle.consensus}
    members: dict[int | str, Cbor] = {
        "version": bundle.version,
        "genesis": bundle.genesis,
        "keys": [_encode_inclusion(inclusion) for inclusion in bundle.keys],
        "statement": _encode_inclusion(bundle.statement),
        "block": _encode_block(bundle.block),
        "state": state,
        "disclosures": [_encode_disclosure(one) for one in bundle.disclosures],
    }
    if bundle.version == 1:
        return encode_cbor({**members, "admission": admissions[0], "checkpoint": vouched["note"]})
    rotations: list[Cbor] = [_encode_inclusion(inclusion) for inclusion in bundle.rotations]
    return encode_cbor({**members, "admission": admissions, "rotations": rotations, "vouched": vouched})


def parse_bundle(data: bytes) -> Bundle:
    """The bundle of its bytes, or `Malformed`: check 1, form."""
    if len(data) > BUNDLE_BYTES_MAX:
        raise Malformed(f"bundle of {len(data)} bytes: at most {BUNDLE_BYTES_MAX} are allowed")
    value = parse_cbor(data)
    version = value.get("version") if isinstance(value, dict) else None
    if version not in VERSIONS:
        raise Malformed("only bundles of the versions 1 to 3 are known")
    own = ("checkpoint",) if version == 1 else ("vouched", "rotations")
    names = ("version", "genesis", "admission", "keys", "statement", "block", "state", "disclosures")
    members = require_members(value, *names, *own)
    keys, states = require_array(members["keys"], 1), require_array(members["state"], 1)
    admissions = [members["admission"]] if version == 1 else require_array(members["admission"], 1)
    note, consensus = (require_bytes(members["checkpoint"]), None) if version == 1 else _vouched(members["vouched"])
    bundle = Bundle(
        require_bytes(members["genesis"]),
        _admission(admissions[0]) if admissions else None,
        tuple(_inclusion(key) for key in keys),
        _inclusion(members["statement"]),
        _block(members["block"]),
        note,
        _state(states[0]) if states else None,
        _placed(members["disclosures"]) if version == 3 else _disclosures(members["disclosures"]),
        consensus,
        () if version == 1 else tuple(_inclusion(one) for one in require_array(members["rotations"], ROTATIONS_MAX)),
    )
    if bundle.version != version:
        raise Malformed(f"what version {bundle.version} can say is not said in version {version}")
    if bundle.rotations and bundle.admission is None:
        raise Malformed("rotations lead on from genesis: without an admission there are none")
    return bundle


def _encode_admission(admission: Admission) -> Cbor:
    return {"organisation": admission.organisation, "index": admission.index, "path": list(admission.path)}


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


def _encode_disclosure(one: Disclosed) -> Cbor:
    opened: dict[int | str, Cbor] = {"salt": one.salt, "field": one.field}
    if one.at is None:
        ensure(one.document is None, "a document is shown at its place")
        return opened
    documents: list[Cbor] = [] if one.document is None else [one.document]
    return {**opened, "at": one.at, "document": documents}


def _vouched(value: Cbor) -> tuple[bytes | None, bytes | None]:
    """The note and the consensus proof, of which exactly one is there."""
    if isinstance(value, dict) and "note" in value:
        return require_bytes(require_members(value, "note")["note"]), None
    return None, require_bytes(require_members(value, "consensus")["consensus"])


def _inclusion(value: Cbor) -> Inclusion:
    members = require_members(value, "cose", "batch", "outcome", "leaf", "path")
    batches = require_array(members["batch"], 1)
    return Inclusion(
        require_bytes(members["cose"]),
        require_bytes(members["outcome"]),
        _index(members["leaf"]),
        _path(members["path"]),
        _batch(batches[0]) if batches else None,
    )


def _batch(value: Cbor) -> BatchPlace:
    members = require_members(value, "index", "salt", "message", "path", "outcome_path")
    return BatchPlace(
        _index(members["index"]),
        _hash(members["salt"]),
        require_bytes(members["message"]),
        _path(members["path"]),
        _path(members["outcome_path"]),
    )


def _admission(value: Cbor) -> Admission:
    members = require_members(value, "organisation", "index", "path")
    return Admission(require_bytes(members["organisation"]), _index(members["index"]), _path(members["path"]))


def _block(value: Cbor) -> BlockProof:
    members = require_members(value, "body", "path")
    return BlockProof(require_bytes(members["body"]), _path(members["path"]))


def _state(value: Cbor) -> StateProofs:
    members = require_members(value, "body", "path", "records")
    records = tuple(_record(one) for one in require_array(members["records"], RECORDS_MAX))
    keys = [record.key for record in records]
    if any(a >= b for a, b in pairwise(keys)):
        raise Malformed("records stand in ascending order of their keys, each once")
    return StateProofs(BlockProof(require_bytes(members["body"]), _path(members["path"])), records)


def _record(value: Cbor) -> RecordProof:
    members = require_members(value, "key", "value", "siblings")
    key = members["key"]
    if not isinstance(key, str) or not key.isascii():
        raise Malformed("the key of a record is ASCII text")
    siblings = tuple(require_bytes(one) for one in require_array(members["siblings"], STATE_PATH_LENGTH_MAX))
    if any(len(one) not in (0, 32) or one == bytes(32) for one in siblings):
        raise Malformed("a sibling has 32 bytes and is not all zeros, or is empty")
    return RecordProof(key, require_bytes(members["value"]), siblings)


def _disclosures(value: Cbor) -> tuple[Disclosed, ...]:
    """Those of versions 1 and 2, which are of results."""
    members = [require_members(one, "salt", "field") for one in require_array(value, DISCLOSURES_MAX)]
    return tuple(Disclosed(_hash(one["salt"]), require_bytes(one["field"])) for one in members)


def _placed(value: Cbor) -> tuple[Disclosed, ...]:
    """Those of version 3, each with its place."""
    disclosures = tuple(_disclosure_at(one) for one in require_array(value, DISCLOSURES_MAX))
    places = [one.at or "" for one in disclosures]
    if any(a >= b for a, b in pairwise(places)):
        raise Malformed("disclosures stand in ascending order of their places, each once")
    if all(one.document is None and _RESULT.fullmatch(one.at or "") for one in disclosures):
        raise Malformed("what version 2 can say is not said in version 3")
    return disclosures


def _disclosure_at(value: Cbor) -> Disclosed:
    members = require_members(value, "at", "salt", "field", "document")
    at, documents = members["at"], require_array(members["document"], 1)
    if not isinstance(at, str) or _PLACE.fullmatch(at) is None:
        raise Malformed("the place of a disclosure is names and indexes, each after a slash")
    document = require_bytes(documents[0]) if documents else None
    return Disclosed(_hash(members["salt"]), require_bytes(members["field"]), at, document)


def _path(value: Cbor) -> Path:
    return tuple(_hash(one) for one in require_array(value, PATH_LENGTH_MAX))


def _hash(value: Cbor) -> bytes:
    if not isinstance(value, bytes) or len(value) != 32:
        raise Malformed("a byte string of 32 was expected")
    return value


def _index(value: Cbor) -> int:
    if not isinstance(value, int) or not 0 <= value <= INTEGER_MAX:
        raise Malformed("an index below 2^53 was expected")
    return value
