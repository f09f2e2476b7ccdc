"""Bundles built from docs/reference/formats.md alone, so that verify.js is tested without the code it must match."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from nacl.signing import SigningKey

from tests.conformance import javascript_consensus as consensus

Value = Any  # whatever a JSON document or a CBOR envelope may hold
Document = dict[str, Value]
Change = Callable[[Value], Value]

ORIGIN = "log.example/one"
WITNESSES = ("witness.example/a", "witness.example/b", "witness.example/c")
ROOT_KEY, KEY, LOG_KEY, *WITNESS_KEYS = (SigningKey(bytes([n]) * 32) for n in range(1, 7))
NEW_ROOT_KEY = SigningKey(bytes([10]) * 32)
SALT = bytes(range(32))
FIELD: Document = {"coverage_permille": 950, "high": 32, "low": 30, "quantity": "capacity", "unit": "mAh", "value": 31}


def sha256(*parts: bytes) -> bytes:
    """SHA-256 of the joined parts."""
    return hashlib.sha256(b"".join(parts)).digest()


def domain_digest(name: str, content: bytes) -> bytes:
    """`D(name, content)`."""
    return sha256(name.encode(), b"\0", content)


def encode_document(value: object) -> bytes:
    """Restricted JSON of the value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _head(major: int, argument: int) -> bytes:
    if argument < 24:
        return bytes([major << 5 | argument])
    size = next(size for size in (1, 2, 4, 8) if argument < 1 << (8 * size))
    return bytes([major << 5 | (23 + size.bit_length())]) + argument.to_bytes(size, "big")


def encode_cbor(value: object) -> bytes:
    """The CBOR subset; a tuple stands for a tagged value."""
    match value:
        case int():
            return _head(0, value) if value >= 0 else _head(1, -1 - value)
        case bytes():
            return _head(2, len(value)) + value
        case str():
            return _head(3, len(value.encode())) + value.encode()
        case list():
            return _head(4, len(value)) + b"".join(map(encode_cbor, value))
        case dict():
            members = sorted((encode_cbor(key), encode_cbor(member)) for key, member in value.items())
            return _head(5, len(members)) + b"".join(key + member for key, member in members)
        case (int(tag), content):
            return _head(6, tag) + encode_cbor(content)
    raise TypeError(value)


def leaf_hash(*content: bytes) -> bytes:
    """The hash of a leaf."""
    return sha256(b"\0", *content)


def tree_root(leaves: Sequence[bytes]) -> bytes:
    """The RFC 9162 root over leaf hashes, one or more."""
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    return sha256(b"\1", tree_root(leaves[:half]), tree_root(leaves[half:]))


def tree_path(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The inclusion path of a leaf, lowest first."""
    if len(leaves) == 1:
        return []
    half = 1 << ((len(leaves) - 1).bit_length() - 1)
    if index < half:
        return [*tree_path(leaves[:half], index), tree_root(leaves[half:])]
    return [*tree_path(leaves[half:], index - half), tree_root(leaves[:half])]


def _split(entries: dict[bytes, bytes], depth: int) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    halves: tuple[dict[bytes, bytes], dict[bytes, bytes]] = ({}, {})
    for key, value in entries.items():
        halves[key[depth // 8] >> (7 - depth % 8) & 1][key] = value
    return halves


def _subtree(entries: dict[bytes, bytes], depth: int) -> bytes:
    if not entries:
        return bytes(32)
    if len(entries) == 1:
        ((key, value),) = entries.items()
        return sha256(b"\x10", key, sha256(value))
    left, right = _split(entries, depth)
    return sha256(b"\x11", _subtree(left, depth + 1), _subtree(right, depth + 1))


class State:
    """A state map of a few records."""

    def __init__(self, records: dict[str, bytes]) -> None:
        self.records = records
        self.entries = {self._key_hash(key): value for key, value in records.items()}
        self.root = _subtree(self.entries, 0)

    @staticmethod
    def _key_hash(key: str) -> bytes:
        return domain_digest("cellvow/state/key/v1", key.encode())

    def record(self, key: str) -> Document:
        """The record with its proof."""
        entries, siblings, depth = self.entries, list[bytes](), 0
        while len(entries) > 1:
            halves = _split(entries, depth)
            side = self._key_hash(key)[depth // 8] >> (7 - depth % 8) & 1
            sibling = halves[1 - side]
            siblings.append(_subtree(sibling, depth + 1) if sibling else b"")
            entries, depth = halves[side], depth + 1
        return {"key": key, "value": self.records[key], "siblings": siblings}


def kid_of(key: SigningKey) -> bytes:
    """The key's identifier."""
    return sha256(bytes(key.verify_key))[:16]


def verifier_key(name: str, key: SigningKey, kind: int) -> str:
    """A C2SP verifier key."""
    material = bytes([kind]) + bytes(key.verify_key)
    key_id = sha256(name.encode(), b"\n", material)[:4]
    return f"{name}+{key_id.hex()}+{base64.b64encode(material).decode()}"


def signature_line(name: str, key: SigningKey, kind: int, body: bytes, time_s: int = 1_764_000_000) -> str:
    """A note's signature line by the log (kind 1) or a witness (kind 4)."""
    key_id = bytes.fromhex(verifier_key(name, key, kind).split("+")[1])
    if kind == 1:
        blob = key_id + key.sign(body).signature
    else:
        signed = f"cosignature/v1\ntime {time_s}\n".encode() + body
        blob = key_id + time_s.to_bytes(8, "big") + key.sign(signed).signature
    return f"— {name} {base64.b64encode(blob).decode()}\n"


def key_record(key: SigningKey, kind: str = "operational") -> Document:
    """The record of a key that organisation `acme` has."""
    names = ("compromised_since_ms", "device", "replaces", "revoked_height", "statement", "valid_until_ms")
    record: Document = dict.fromkeys(names) | {"algorithm": "ed25519", "kind": kind, "organisation": "acme"}
    record |= {"kid": kid_of(key).hex(), "public_key": bytes(key.verify_key).hex(), "registered_height": 2}
    return record | {"scope": ["IssueAttestation"], "valid_from_ms": 3000}


class Case(NamedTuple):
    """A bundle before its encoding, and a trust file."""

    bundle: Document
    trust: str

    @property
    def encoded(self) -> bytes:
        """The bundle's bytes."""
        return encode_cbor(self.bundle)


class Kind(NamedTuple):
    """Which of the forms a statement may have, and who vouches: genesis or the state, a log's key or validators.

    `rotated`: genesis names a root key, and the one that signs has taken its place since.
    """

    is_batch: bool = False
    by_root_key: bool = False
    by_state: bool = False
    by_validators: bool = False
    rotated: bool = False


SINGLE = Kind()
KINDS = [Kind(is_batch, by_root_key) for is_batch in (False, True) for by_root_key in (False, True)]
KINDS_2 = [
    Kind(by_root_key=root, by_state=state, by_validators=True) for root in (False, True) for state in (False, True)
]
KINDS_2.append(Kind(is_batch=True, by_state=True))
KINDS_2 += [Kind(rotated=True), Kind(is_batch=True, by_root_key=True, rotated=True)]
KINDS_2.append(Kind(by_validators=True, rotated=True))


class Builder:
    """Builds one bundle; each named piece passes through the change of that name, if there is one."""

    def __init__(self, kind: Kind, changes: dict[str, Change]) -> None:
        self.kind = kind
        self.changes = changes
        self.root_key = NEW_ROOT_KEY if kind.rotated else ROOT_KEY
        self.signer = self.root_key if kind.by_root_key else KEY

    def piece(self, name: str, value: Value) -> Value:
        """The piece as it is, or as the change of that name makes it."""
        change = self.changes.get(name)
        return change(value) if change else value

    def statement(self, prefix: str, key: SigningKey, message: Document) -> Document:
        """An inclusion without its leaf and path, and the content of its leaf under `content`."""
        outcome = encode_document(self.piece(f"{prefix}outcome", {"events": [{"type": "Done"}], "result": "accepted"}))
        payload: Document = {"chain_id": "test-chain", "sequence": 7}
        places = list[Document]()
        outcome_digest = domain_digest("cellvow/outcome/v1", outcome)
        if self.kind.is_batch:
            messages = [b'{"type":"Other"}', encode_document(message), b'{"type":"Another"}']
            salts = [sha256(bytes([n])) for n in range(3)]
            leaves = [leaf_hash(salt, each) for salt, each in zip(salts, messages, strict=True)]
            outcomes = [leaf_hash(salt, outcome) for salt in salts]
            outcome_digest = tree_root(outcomes)
            payload |= {"count": 3, "mode": "each", "root": tree_root(leaves).hex()}
            place: Document = {"index": 1, "salt": salts[1], "message": messages[1], "path": tree_path(leaves, 1)}
            places = [place | {"outcome_path": tree_path(outcomes, 1)}]
        else:
            payload["message"] = message
        kind = "batch" if self.kind.is_batch else "message"
        header: dict[int, Value] = {1: -8, 3: f"application/vnd.cellvow.{kind}.v1+json", 4: kid_of(key)}
        header[15] = {1: "acme", 2: "batch" if self.kind.is_batch else "01/09506000134352/21/A1"}
        protected = encode_cbor(self.piece(f"{prefix}header", header))
        body = encode_document(self.piece(f"{prefix}payload", payload))
        signature = key.sign(encode_cbor(["Signature1", protected, b"", body])).signature
        cose = encode_cbor(self.piece(f"{prefix}cose", (18, [protected, {}, body, signature])))
        content = b"\1" + sha256(sha256(cose), outcome_digest)
        return {"cose": cose, "batch": places, "outcome": outcome, "content": content}

    def genesis(self) -> tuple[Document, bytes]:
        """The admission and the genesis header."""
        accreditation: Document = {
            "standard": "S 1",
            "edition": "2020",
            "quantities": ["capacity"],
            "valid_until_ms": 10**13,
        }
        roots = [bytes(ROOT_KEY.verify_key).hex()]
        organisation: Document = {"organisation": "acme", "name": "Acme", "roles": ["laboratory"], "root_keys": roots}
        document = encode_document(self.piece("organisation", organisation | {"accreditations": [accreditation]}))
        leaves = [leaf_hash(document), leaf_hash(b"bolt"), leaf_hash(b"cord")]
        header: Document = {"chain_id": "test-chain", "organisations": 3, "organisations_root": tree_root(leaves).hex()}
        if self.kind.by_validators:
            header |= {"validators": consensus.founders()}
        genesis = encode_document(self.piece("genesis", header | {"ruleset": 1, "time_ms": 5}))
        return {"organisation": document, "index": 0, "path": tree_path(leaves, 0)}, genesis

    def block(self, name: str, state: State, first_leaf: int, statements: int) -> bytes:
        """A block document."""
        block: Document = {"evidence": 0, "first_leaf": first_leaf, "height": first_leaf * 2, "ruleset": 1}
        block |= {"state_root": state.root.hex(), "statements": statements, "time_ms": 1000 * first_leaf}
        return encode_document(self.piece(name, block))

    def note(self, leaves: list[bytes]) -> bytes:
        """The signed checkpoint with two cosignatures."""
        body = f"{ORIGIN}\n{len(leaves)}\n{base64.b64encode(tree_root(leaves)).decode()}\n".encode()
        body = self.piece("note body", body)
        lines = [signature_line(ORIGIN, LOG_KEY, 1, body)]
        lines += [signature_line(WITNESSES[n], WITNESS_KEYS[n], 4, body) for n in range(2)]
        return b"".join([body, b"\n", *(line.encode() for line in self.piece("note lines", lines))])

    def registration(self) -> Document:
        """The inclusion of the key's registration."""
        message: Document = {"type": "RegisterKey", "organisation": "acme", "scope": ["IssueAttestation"]}
        message |= {"public_key": bytes(KEY.verify_key).hex(), "valid_from_ms": 3000, "valid_until_ms": 3000}
        return self.statement("registration ", self.root_key, self.piece("registration", message))

    def rotation(self) -> Document:
        """The inclusion of the root key's rotation."""
        message: Document = {"type": "RotateRootKey", "organisation": "acme"}
        message |= {"public_key": bytes(NEW_ROOT_KEY.verify_key).hex(), "retires": kid_of(ROOT_KEY).hex()}
        return self.statement("rotation ", ROOT_KEY, self.piece("rotation", message))

    def attestation(self) -> Document:
        """The inclusion of an attestation, or of a key's revocation by a root key."""
        commitment = hmac.digest(SALT, b"cellvow/field/v1\0" + encode_document(FIELD), "sha256").hex()
        results = [{"quantity": "energy", "commitment": "00" * 32}, {"quantity": "capacity", "commitment": commitment}]
        message: Document = {"type": "IssueAttestation", "results": results}
        if self.kind.by_root_key:
            message = {"type": "RevokeKey"}
        return self.statement("", self.signer, self.piece("message", message))

    def state(self) -> tuple[State, list[Document]]:
        """The state of the last block, and two of its records: one with empty siblings, and the signer's key."""
        name = f"key/{kid_of(self.signer).hex()}"
        kind = "root" if self.kind.by_root_key else "operational"
        record = self.piece("key record", key_record(self.signer, kind) | {"revoked_height": 9})
        others = {f"custody/{n}": encode_document({"holder": n}) for n in range(5)}
        roots = [bytes(ROOT_KEY.verify_key).hex()]
        member = self.piece("member", {"organisation": "acme", "name": "Acme", "root_keys": roots})
        others |= {"organisation/acme": encode_document(member)}
        state = State(others | {name: encode_document(record)})
        shown = ["custody/3", name, "organisation/acme"][: 3 if self.kind.by_state else 2]
        return state, [state.record(key) for key in shown]

    def trust(self, genesis: bytes) -> str:
        """The trust file."""
        witnesses = [verifier_key(*pair, 4) for pair in zip(WITNESSES, WITNESS_KEYS, strict=True)]
        trust: Document = {"genesis": domain_digest("cellvow/genesis/v1", genesis).hex()}
        if self.kind.by_validators:
            return json.dumps(self.piece("trust", trust | {"engine": "cometbft"}), sort_keys=True)
        trust |= {"quorum": 2, "log": verifier_key(ORIGIN, LOG_KEY, 1), "witnesses": witnesses}
        trust |= {"replaying": [WITNESSES[2], WITNESSES[1]]} if self.kind.by_state else {}
        return json.dumps(self.piece("trust", trust), sort_keys=True, indent=1)

    def build(self) -> Case:
        """The bundle and the trust file under which it verifies."""
        admission, genesis = self.genesis()
        registered, rotated, stated = self.registration(), self.rotation(), self.attestation()
        state, records = self.state()
        blocks = [self.block("block 1", state, 1, 1), self.block("block", state, 3, 2), self.block("last", state, 6, 1)]
        contents = [b"\0" + bytes(64), b"", b"\3" + blocks[0], b"\1" + bytes(32)]
        leaf, root_leaf = self.piece("leaves", (2, 1) if self.kind.rotated else (1, 1))
        contents[root_leaf], contents[leaf] = rotated.pop("content"), registered.pop("content")
        contents += [stated.pop("content"), b"\3" + blocks[1], b"\1" + bytes(32), b"\3" + blocks[2]]
        leaves = list(map(leaf_hash, contents))
        by_root_key = self.kind.by_root_key
        bundle: Document = {
            "version": 1,
            "genesis": genesis,
            "admission": admission,
            "keys": [] if by_root_key else [registered | {"leaf": leaf, "path": tree_path(leaves, leaf)}],
            "statement": stated | {"leaf": 4, "path": tree_path(leaves, 4)},
            "block": {"body": blocks[1], "path": tree_path(leaves, 5)},
            "checkpoint": self.note(leaves),
            "state": [{"body": blocks[2], "path": tree_path(leaves, 7), "records": records}],
            "disclosures": [] if by_root_key else [{"salt": SALT, "field": encode_document(FIELD)}],
        }
        if self.kind.by_state or self.kind.by_validators or self.kind.rotated:
            rotation = rotated | {"leaf": root_leaf, "path": tree_path(leaves, root_leaf)}
            bundle = self.second_version(bundle | {"rotations": [rotation] if self.kind.rotated else []}, leaves)
        return Case(self.piece("bundle", bundle), self.trust(genesis))

    def second_version(self, bundle: Document, leaves: list[bytes]) -> Document:
        """The same in version 2: what genesis or the log's key said is left to the state or the validators."""
        note, admission = bundle.pop("checkpoint"), bundle.pop("admission")
        vouched: Document = {"note": note}
        if self.kind.by_validators:
            app_hash = self.piece("app hash", len(leaves).to_bytes(8, "big") + tree_root(leaves))
            proof = self.piece("proof", consensus.build_proof("test-chain", 300, app_hash))
            vouched = {"consensus": encode_cbor(proof)}
        shown = {"keys": [], "admission": []} if self.kind.by_state else {"admission": [admission]}
        return bundle | {"version": 2, "vouched": vouched} | shown


def build_case(kind: Kind = SINGLE, **changes: Change) -> Case:
    """A bundle that verifies, unless one of the changes to its named pieces (`_` for a space) breaks it."""
    return Builder(kind, {name.replace("_", " "): change for name, change in changes.items()}).build()
