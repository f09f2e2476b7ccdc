"""Checkpoint vectors, judged by our code and by a second reader that knows the C2SP documents alone."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from contextlib import suppress
from typing import Any, NamedTuple

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from cellvow.core.ledger.checkpoint import encode_body, parse_note, parse_vkey, verify_checkpoint
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.signature import is_valid
from tests.conformance.c2sp_vectors import CHECKPOINT_FILE, build_checkpoints, encode_vectors

FILE: dict[str, Any] = json.loads(CHECKPOINT_FILE.read_text("utf-8"))
VECTORS: list[dict[str, Any]] = FILE["vectors"]

_NAME = r"[!-*,-~]{1,255}"
_NOTE = re.compile(
    rf"({_NAME})\n(0|[1-9][0-9]{{0,15}})\n([A-Za-z0-9+/]{{43}}=)\n\n((?:— {_NAME} [A-Za-z0-9+/]+={{0,2}}\n)+)"
)


class Reading(NamedTuple):
    """What a note proves."""

    size: int
    root: str
    cosigned_by: list[list[Any]]


def read_key(vkey: str) -> tuple[tuple[str, bytes], tuple[int, Ed25519PublicKey]]:
    """(name, key id) -> (algorithm, public key), from the documents' description of a verifier key."""
    name, key_id, encoded = vkey.split("+", 2)
    content = base64.b64decode(encoded)
    assert hashlib.sha256(name.encode() + b"\n" + content).digest()[:4].hex() == key_id
    return (name, bytes.fromhex(key_id)), (content[0], Ed25519PublicKey.from_public_bytes(content[1:]))


def canonical(encoded: str) -> bytes:
    """Base64 that has one spelling."""
    content = base64.b64decode(encoded, validate=True)
    if base64.b64encode(content).decode() != encoded:
        raise ValueError
    return content


def read(note: str, log_key: str, witness_keys: list[str], quorum: int) -> Reading:
    """Verify a note by the documents; raises ValueError or InvalidSignature."""
    match = _NOTE.fullmatch(note)
    if match is None or int(match[2]) >= 2**53:
        raise ValueError
    body = f"{match[1]}\n{match[2]}\n{match[3]}\n".encode()
    keys = dict(map(read_key, [log_key, *witness_keys]))
    times: dict[tuple[str, bytes], int | None] = {}
    for line in match[4].splitlines():
        _, name, encoded = line.split(" ")
        content = canonical(encoded)
        signer, payload = (name, content[:4]), content[4:]
        if signer not in keys or signer in times:
            raise ValueError
        algorithm, key = keys[signer]
        times[signer] = int.from_bytes(payload[:8], "big") if algorithm == 4 else None
        head = b"" if algorithm == 1 else b"cosignature/v1\ntime %d\n" % (times[signer] or 0)
        key.verify(payload if algorithm == 1 else payload[8:], head + body)
    log = log_key.split("+", maxsplit=1)[0]
    cosigned = [[name, time] for (name, _), time in times.items() if time is not None]
    if match[1] != log or len(cosigned) == len(times) or len(cosigned) < quorum:
        raise ValueError
    return Reading(int(match[2]), canonical(match[3]).hex(), cosigned)


def expected(vector: dict[str, Any]) -> Reading | None:
    """What the vector says, None if it is to be refused."""
    if vector["verdict"] == "refused":
        return None
    return Reading(vector["size"], vector["root"], vector["cosigned_by"])


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_our_verdict_is_the_vector_s(vector: dict[str, Any]) -> None:
    """Each note is accepted with what it says, or refused."""
    log_key, witness_keys = parse_vkey(FILE["log_key"]), [parse_vkey(key) for key in FILE["witness_keys"]]
    verdict = None
    with suppress(Malformed, VerificationError):
        found = verify_checkpoint(vector["note"].encode(), log_key, witness_keys, vector["quorum"], is_valid)
        cosigned_by = [list(pair) for pair in found.cosigned_by]
        verdict = Reading(found.checkpoint.size, found.checkpoint.root.hex(), cosigned_by)

    assert verdict == expected(vector)


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_a_second_reader_comes_to_the_same_verdict(vector: dict[str, Any]) -> None:
    """A reader with other code and another Ed25519 library agrees."""
    verdict = None
    with suppress(ValueError, InvalidSignature):
        verdict = read(vector["note"], FILE["log_key"], FILE["witness_keys"], vector["quorum"])

    assert verdict == expected(vector)


def test_the_vectors_hold_both_verdicts() -> None:
    """Control: neither a reader that refuses nor one that accepts everything would pass."""
    assert {vector["verdict"] for vector in VECTORS} == {"accepted", "refused"}


def test_the_file_is_what_our_code_computes() -> None:
    """The vectors are current; `python -m tests.conformance.c2sp_vectors` writes them anew."""
    assert CHECKPOINT_FILE.read_text("utf-8") == encode_vectors(build_checkpoints())


def test_the_signed_body_is_the_note_s_beginning() -> None:
    """What is signed can be cut out of the note with any tool."""
    note = VECTORS[0]["note"].encode()

    assert note.startswith(encode_body(parse_note(note).checkpoint) + b"\n")
