"""What an attacker signs by hand: statements without a workspace, and copies that only look signed."""

import secrets
from dataclasses import replace

from cellvow.core.contracts.attestation import IssueAttestation, Method, Result, Standard
from cellvow.core.contracts.contract import Message, encode_message
from cellvow.core.ledger.commitment import commit
from cellvow.core.ledger.statement import (
    SINGLE_CONTENT,
    Envelope,
    encode_envelope,
    encode_payload,
    encode_protected,
    parse_envelope,
)
from cellvow.core.primitives.cbor import encode_cbor
from cellvow.core.primitives.encoding import encode_document, parse_object
from cellvow.core.primitives.signature import derive_key_id, derive_public_key, sign
from cellvow.workspace.demo import BATTERY, CHAIN_ID, STANDARD

GROUP_ORDER = 2**252 + 27742317777372353535851937790883648493
"""L of Ed25519 (RFC 8032 section 5.1): S and S + L mean the same to a verifier that does not compare S with L."""
SMALL_ORDER_KEY = b"\x01" + bytes(31)
"""The neutral element as a public key: under lenient rules one signature holds for every message."""
SIGNATURE_OF_ANYTHING = SMALL_ORDER_KEY + bytes(32)
"""The signature that a lenient verifier accepts under `SMALL_ORDER_KEY`, whatever was signed."""


def sign_single(seed: bytes, organisation: str, message: Message, sequence: int = 1) -> bytes:
    """A single statement, signed with a seed that lies in no workspace."""
    kid = derive_key_id(derive_public_key(seed))
    protected = encode_protected(kid, organisation, message.subject, SINGLE_CONTENT)
    payload = encode_payload(CHAIN_ID, sequence, {"message": parse_object(encode_message(message))})
    return encode_envelope(protected, payload, sign(seed, encode_cbor(["Signature1", protected, b"", payload])))


def forged_certificate(time_ms: int, reference: str = "FORGED-1") -> IssueAttestation:
    """An attestation of a health that nobody measured."""
    field = encode_document({"quantity": "state_of_health", "unit": "permille", "value": 990})
    commitment = commit(secrets.token_bytes(32), field)
    return IssueAttestation(
        battery=BATTERY,
        reference=reference,
        evidence_class="estimated",
        is_certificate=False,
        standard=Standard(name=STANDARD.name, edition=STANDARD.edition),
        method=Method(name="invented", version="1"),
        tested_from_ms=time_ms,
        tested_until_ms=time_ms,
        results=(Result(quantity="state_of_health", commitment=commitment.hex()),),
    )


def with_unreduced_signature(data: bytes) -> bytes:
    """The same statement with another signature that lenient verifiers take for the same: S + L in place of S."""
    envelope = parse_envelope(data)
    scalar = int.from_bytes(envelope.signature[32:], "little") + GROUP_ORDER
    return _sealed(replace(envelope, signature=envelope.signature[:32] + scalar.to_bytes(32, "little")))


def with_broken_signature(data: bytes) -> bytes:
    """The same statement with one bit of its signature changed."""
    envelope = parse_envelope(data)
    return _sealed(replace(envelope, signature=bytes([envelope.signature[0] ^ 1]) + envelope.signature[1:]))


def _sealed(envelope: Envelope) -> bytes:
    return encode_envelope(envelope.protected, envelope.payload, envelope.signature)
