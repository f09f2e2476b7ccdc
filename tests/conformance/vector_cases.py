"""The conformance vectors: small cases with inputs in hexadecimal, from which a verifier can be written and tested.

`make_all()` computes them; `tools/make_vectors.py` writes them; a test compares the files with what it computes.
"""

from __future__ import annotations

from itertools import product

from cellvow.core.ledger.commitment import commit
from cellvow.core.ledger.state import StateProof, StateTree, entry_hash, key_hash
from cellvow.core.ledger.statement import Statement, batch_leaf, encode_batch, encode_envelope
from cellvow.core.primitives.cbor import Cbor, Tagged, encode_cbor
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.edge_cases import EDGE_CASES
from cellvow.core.primitives.encoding import Json, encode_document
from cellvow.core.primitives.limits import DEPTH_MAX, INTEGER_MAX
from cellvow.core.primitives.merkle import (
    consistency_path,
    fetch_from,
    inclusion_path,
    leaf_hash,
    tree_root,
)
from cellvow.core.primitives.signature import is_valid, is_valid_public_key
from tests import messages
from tests.world import GENESIS_MS, MAKER, make_signer

Vectors = dict[str, Json]


def make_all() -> dict[str, Vectors]:
    """File name without its ending -> content."""
    return {
        "cbor": make_cbor(),
        "commitments": make_commitments(),
        "documents": make_documents(),
        "ed25519": make_ed25519(),
        "merkle": make_merkle(),
        "state_map": make_state_map(),
        "statements": make_statements(),
    }


def _case(name: str, data: bytes, **more: Json) -> Json:
    return {"name": name, "bytes": data.hex(), **more}


def _hexes(parts: list[bytes]) -> list[Json]:
    return [part.hex() for part in parts]


# Documents (formats page, section 1)

DOCUMENTS: dict[str, Json] = {
    "empty object": {},
    "empty list": [],
    "truth values and null": [True, False, None],
    "integers": [0, -1, 7, INTEGER_MAX, -INTEGER_MAX],
    "keys in order of their bytes": {"B": 2, "a": 3, "A": 1, "": 0, "a b": 4},
    "letters beyond ASCII stand for themselves": {"name": "Baterías Ñandú 電池 🔋"},
    "quote, backslash and slash": '"\\/',
    "control characters": "\x00\x08\t\n\x0b\x0c\r\x1f\x7f",
    "line separators are not escaped": "\u2028\u2029",
    "a message": {"type": "Anchor", "kind": "document", "root": "ab" * 32, "rows": 3},
}
REFUSED_DOCUMENTS = {
    "duplicate key": b'{"a":1,"a":1}',
    "keys out of order": b'{"b":1,"a":1}',
    "white space": b'{"a": 1}',
    "line end after the value": b"{}\n",
    "byte-order mark": b"\xef\xbb\xbf{}",
    "float": b"[1.5]",
    "whole float": b"[1.0]",
    "exponent": b"[1e2]",
    "minus zero": b"[-0]",
    "leading zero": b"[01]",
    "plus sign": b"[+1]",
    "NaN": b"[NaN]",
    "infinity": b"[Infinity]",
    "2^53": b"[9007199254740992]",
    "minus 2^53": b"[-9007199254740992]",
    "many digits": b"[" + b"9" * 400 + b"]",
    "needless escape": b'["\\u0041"]',
    "capital letters in an escape": b'["\\u001F"]',
    "tab by code": b'["\\u0009"]',
    "escaped slash": b'["\\/"]',
    "bare control character": b'["\x01"]',
    "half a surrogate pair": b'["\\ud83d"]',
    "surrogate pair by escape": b'["\\ud83d\\udd0b"]',
    "surrogate in UTF-8": b'["\xed\xa0\xbd"]',
    "overlong UTF-8": b'["\xc0\xaf"]',
    "broken UTF-8": b'["\xff"]',
    "key beyond ASCII": '{"ä":1}'.encode(),
    "17 levels": b"[" * 17 + b"]" * 17,
    "trailing comma": b"[1,]",
    "single quotes": b"['a']",
    "comment": b"[1]//",
    "nothing": b"",
    "two values": b"1 2",
    "capital truth": b"[True]",
}


def make_documents() -> Vectors:
    """Restricted JSON: bytes that are a document, bytes that are not."""
    deepest = b"[" * DEPTH_MAX + b"]" * DEPTH_MAX
    accepted = [_case(name, encode_document(value)) for name, value in DOCUMENTS.items()]
    return {
        "description": "Documents (formats.md section 1). Every case of 'accepted' parses and is written back to the "
        "same bytes; every case of 'refused' does not parse.",
        "accepted": [*accepted, _case("16 levels", deepest)],
        "refused": [_case(name, data) for name, data in REFUSED_DOCUMENTS.items()],
    }


# CBOR (formats page, section 2)

CBOR_VALUES: dict[str, tuple[Cbor, str]] = {
    "integers at the edges of their heads": (
        [0, 23, 24, 255, 256, 65535, 65536, 2**32 - 1, 2**32, 2**64 - 1],
        "[0, 23, 24, 255, 256, 65535, 65536, 4294967295, 4294967296, 18446744073709551615]",
    ),
    "negative integers": ([-1, -24, -25, -256, -257, -(2**64)], "[-1, -24, -25, -256, -257, -18446744073709551616]"),
    "byte string": (b"\x00\xff", "h'00ff'"),
    "text": ("Ñ電🔋", '"Ñ電🔋"'),
    "empty things": ([b"", "", [], {}], "[h'', \"\", [], {}]"),
    "map in order of the encoded keys": (
        {10: 1, 100: 2, -1: 3, "z": 4, "aa": 5},
        '{10: 1, 100: 2, -1: 3, "z": 4, "aa": 5}',
    ),
    "tag 18": (Tagged([b"", {}, b"", b""]), "18([h'', {}, h'', h''])"),
}
REFUSED_CBOR = {
    "false": "f4",
    "null": "f6",
    "half float": "f93c00",
    "double float": "fb3ff0000000000000",
    "tag 0": "c060",
    "tag 2, big number": "c24101",
    "tag 18 in a longer head": "d81280",
    "indefinite bytes": "5f4100ff",
    "indefinite list": "9fff",
    "reserved additional value": "1c",
    "24 spelled in two more bytes": "190018",
    "23 spelled longer": "1817",
    "length spelled longer": "580100",
    "map out of order": "a201000000",
    "map with a key twice": "a201000100",
    "text before integer in a map": "a2616100" + "0100",
    "bytes as a key": "a1410000",
    "text that is not UTF-8": "61ff",
    "surrogate in text": "63eda080",
    "text cut short": "6261",
    "list cut short": "8200",
    "list longer than any memory": "9bffffffffffffffff",
    "byte after the value": "0000",
    "nothing": "",
    "17 levels": "81" * 16 + "00",
}


def make_cbor() -> Vectors:
    """The CBOR subset: one encoding for each value, and what is refused."""
    accepted = [_case(name, encode_cbor(value), diagnostic=text) for name, (value, text) in CBOR_VALUES.items()]
    deepest = bytes.fromhex("81" * (DEPTH_MAX - 1) + "00")
    return {
        "description": "The CBOR subset (formats.md section 2). 'diagnostic' is the value in RFC 8949 notation; every "
        "case of 'accepted' parses and is written back to the same bytes; every case of 'refused' does not parse.",
        "accepted": [*accepted, _case("16 levels", deepest, diagnostic="[" * 15 + "0" + "]" * 15)],
        "refused": [_case(name, bytes.fromhex(data)) for name, data in REFUSED_CBOR.items()],
    }


# Commitments (formats page, section 9)


def make_commitments() -> Vectors:
    """Salted commitments to field documents."""
    fields: list[dict[str, Json]] = [
        {
            "quantity": "capacity",
            "unit": "mAh",
            "value": 30_321,
            "low": 30_233,
            "high": 30_409,
            "coverage_permille": 950,
        },
        {"quantity": "chemistry", "text": "NMC"},
        {"quantity": "capacity", "unit": "mAh", "value": 0, "low": 0, "high": 0, "coverage_permille": 1_000},
    ]
    salts = [sha256(b"salt", bytes([number])) for number in range(len(fields))]
    cases: list[Json] = []
    for salt, field in zip(salts, fields, strict=True):
        document = encode_document(field)
        commitment = commit(salt, document)
        cases.append({"salt": salt.hex(), "field": document.hex(), "commitment": commitment.hex()})
    return {
        "description": "Commitments to field documents (formats.md section 9): commitment = HMAC-SHA-256 under 'salt' "
        "of 'cellvow/field/v1', a zero byte and 'field'. No other salt, field or commitment of this file fits.",
        "cases": cases,
    }


# Signatures (formats page, section 3)


def make_ed25519() -> Vectors:
    """Signatures and keys, ordinary and on the edges where libraries differ."""
    signer = make_signer(MAKER, "operational")
    statement = signer.sign(messages.model(), sequence=1).envelope
    honest = (signer.public_key, statement.signed_bytes, statement.signature)
    changed = {
        "a statement": honest,
        "another message": (honest[0], honest[1] + b"\0", honest[2]),
        "a bit of R": (honest[0], honest[1], _flip(honest[2], 3)),
        "a bit of S": (honest[0], honest[1], _flip(honest[2], 300)),
        "another key": (make_signer(MAKER, "root").public_key, *honest[1:]),
        "R and S exchanged": (honest[0], honest[1], honest[2][32:] + honest[2][:32]),
        "all zeros": (honest[0], honest[1], bytes(64)),
    }
    cases = [(one.name, (one.public_key, one.message, one.signature)) for one in EDGE_CASES]
    return {
        "description": "Ed25519 as the ledger demands it (formats.md section 3): 'valid' is the verdict on the "
        "signature; 'registrable' in 'keys' whether the public key may be registered.",
        "cases": [
            {
                "name": name,
                "public_key": key.hex(),
                "message": message.hex(),
                "signature": signature.hex(),
                "valid": is_valid(key, message, signature),
            }
            for name, (key, message, signature) in [*cases, *changed.items()]
        ],
        "keys": [
            {"public_key": key, "registrable": is_valid_public_key(bytes.fromhex(key))}
            for key in dict.fromkeys([*(one.public_key.hex() for one in EDGE_CASES), "02" + "00" * 31, "ff" * 32])
        ],
    }


def _flip(data: bytes, bit: int) -> bytes:
    changed = bytearray(data)
    changed[bit >> 3] ^= 1 << (bit & 7)
    return bytes(changed)


# Merkle trees (RFC 9162 section 2.1)


def make_merkle() -> Vectors:
    """Roots, inclusion and consistency paths of the trees over up to 9 leaves."""
    leaves = [b"", b"\x00", b"\x01", *(f"leaf {number}".encode() for number in range(3, 9))]
    hashes = [leaf_hash(leaf) for leaf in leaves]
    fetch = fetch_from(hashes)
    sizes = range(1, len(leaves) + 1)
    inclusion: list[Json] = [
        {"leaf": index, "size": size, "path": _hexes([*inclusion_path(fetch, index, size)])}
        for size in sizes
        for index in range(size)
    ]
    consistency: list[Json] = [
        {"old_size": old, "size": size, "path": _hexes([*consistency_path(fetch, old, size)])}
        for old, size in product(sizes, sizes)
        if old <= size
    ]
    return {
        "description": "Merkle trees (RFC 9162 section 2.1): 'roots' by number of leaves, from 0; 'inclusion' paths "
        "lead from leaf number 'leaf' to the root of 'size' leaves, 'consistency' paths from one root to another. "
        "Any path with a bit changed, a hash left out or added proves nothing.",
        "leaves": _hexes(leaves),
        "roots": [tree_root(hashes[:size]).hex() for size in range(len(leaves) + 1)],
        "inclusion": inclusion,
        "consistency": consistency,
    }


# State map (formats page, section 6)


def make_state_map() -> Vectors:
    """Records, the root over them, and proofs of presence and absence."""
    records = {f"battery/{number}": encode_document({"number": number}) for number in range(12)}
    tree = StateTree(((key_hash(k), entry_hash(key_hash(k), v)) for k, v in records.items()), count=12)
    values: dict[bytes, bytes] = {key_hash(key): sha256(value) for key, value in records.items()}
    present: list[Json] = [
        {"key": key, "value": value.hex(), "siblings": _siblings(tree.prove(key, values))}
        for key, value in records.items()
    ]
    absent = [_absence(key, tree.prove(key, values)) for key in (f"battery/{n}" for n in range(12, 24))]
    return {
        "description": "The state map (formats.md section 6): 'root' over 'present'; each record with its "
        "siblings from the root downwards (an empty one is an empty string); 'absent' keys with theirs and, where "
        "one is met, 'other' (key hash, value hash: 32 bytes each). 'grown' is the root after each "
        "record of 'present', in order.",
        "root": tree.root.hex(),
        "present": present,
        "absent": list(absent),
        "grown": _hexes(_grown(records)),
    }


def _siblings(proof: StateProof) -> list[Json]:
    return _hexes([*proof.siblings])


def _absence(key: str, proof: StateProof) -> Json:
    return {"key": key, "siblings": _siblings(proof), "other": _hexes([*(proof.other or ())])}


def _grown(records: dict[str, bytes]) -> list[bytes]:
    tree = StateTree()
    return [tree.update({key_hash(k): entry_hash(key_hash(k), v)}) for k, v in records.items()]


# Statements (formats page, section 3)


def make_statements() -> Vectors:
    """Signed statements taken apart, and bytes that are none."""
    signer = make_signer(MAKER, "operational")
    single = signer.sign(messages.battery(), sequence=1)
    limited = signer.sign(messages.model(), sequence=2, not_after_ms=GENESIS_MS)
    batch = signer.sign_batch([messages.model(), messages.battery(), messages.anchor()], sequence=3)
    each = signer.sign_batch([messages.anchor()], sequence=4, mode="each")
    statements = {"single": single, "single with a time limit": limited, "batch": batch, "batch of one": each}
    return {
        "description": "Statements (formats.md section 3) signed by 'public_key', each with what follows from its "
        "bytes; of a batch also salts and leaf hashes. Every case of 'refused' is malformed, though its signature "
        "may hold.",
        "seed": signer.seed.hex(),
        "public_key": signer.public_key.hex(),
        "kid": signer.kid.hex(),
        "accepted": [_statement(name, statement) for name, statement in statements.items()],
        "refused": [_case(name, data) for name, data in _refused_statements(single, batch).items()],
    }


def _statement(name: str, statement: Statement) -> Json:
    envelope = statement.envelope
    salts = [statement.salt(index) or b"" for index in range(len(statement.messages))]
    leaves = [batch_leaf(salt, message) for salt, message in zip(salts, statement.messages, strict=True)]
    return _case(
        name,
        statement.data,
        organisation=envelope.organisation,
        subject=envelope.subject,
        chain_id=envelope.chain_id,
        sequence=envelope.sequence,
        not_after_ms=envelope.not_after_ms,
        payload=envelope.payload.hex(),
        signed_bytes=envelope.signed_bytes.hex(),
        signature=envelope.signature.hex(),
        txid=envelope.txid.hex(),
        statement_digest=envelope.digest.hex(),
        messages=_hexes([*statement.messages]),
        mode=statement.mode if statement.is_batch else None,
        salts=_hexes(salts) if statement.is_batch else [],
        leaves=_hexes([*leaves]) if statement.is_batch else [],
    )


def _refused_statements(single: Statement, batch: Statement) -> dict[str, bytes]:
    one, many, seed = single.envelope, batch.envelope, batch.seed or b""
    parts: list[Cbor] = [one.protected, {}, one.payload, one.signature]
    spaced = one.payload.replace(b",", b", ", 1)
    return {
        "nothing": b"",
        "no tag": encode_cbor(parts),
        "byte after the end": single.data + b"\0",
        "unprotected header in use": encode_cbor(Tagged([one.protected, {4: b""}, one.payload, one.signature])),
        "signature cut short": encode_envelope(one.protected, one.payload, one.signature[:-1]),
        "payload with white space": encode_envelope(one.protected, spaced, one.signature),
        "payload of a batch alone": encode_envelope(many.protected, many.payload, many.signature),
        "batch with a message left out": encode_batch(many.cose, seed, batch.messages[:-1]),
        "batch in another order": encode_batch(many.cose, seed, batch.messages[::-1]),
        "batch under another seed": encode_batch(many.cose, bytes(32), batch.messages),
        "batch around a single": encode_batch(one.cose, seed, single.messages),
        "batch without a message": encode_batch(many.cose, seed, ()),
    }
