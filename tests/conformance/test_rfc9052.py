"""Our statements are COSE_Sign1 (RFC 9052) to a library that knows nothing of us, and its statements are not ours."""

from __future__ import annotations

import base64

import cbor2
import pytest
import scitt_cose  # type: ignore[import-untyped]  # it ships no types

from cellvow.core.ledger.statement import SINGLE_CONTENT, parse_envelope, parse_statement
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import Malformed
from tests import messages
from tests.world import MAKER, make_signer

SIGNER = make_signer(MAKER, "operational")
STATEMENTS = {
    "single": SIGNER.sign(messages.battery(), sequence=1, not_after_ms=1_800_000_000_000),
    "batch": SIGNER.sign_batch([messages.model(), messages.battery()], sequence=2),
}


def pem(kind: str, prefix: str, key: bytes) -> bytes:
    """A key in the form most libraries read (RFC 8410)."""
    body = base64.encodebytes(bytes.fromhex(prefix) + key)
    return b"-----BEGIN %s-----\n%s-----END %s-----\n" % (kind.encode(), body, kind.encode())


def public_pem(public_key: bytes) -> bytes:
    """SubjectPublicKeyInfo of an Ed25519 key."""
    return pem("PUBLIC KEY", "302a300506032b6570032100", public_key)


def private_pem(seed: bytes) -> bytes:
    """PKCS #8 of an Ed25519 key."""
    return pem("PRIVATE KEY", "302e020100300506032b657004220420", seed)


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_stranger_library_verifies_our_statement(name: str) -> None:
    """scitt-cose checks the signature and finds header and payload where the standard puts them."""
    envelope = STATEMENTS[name].envelope
    message = scitt_cose.verify_sign1(
        envelope.cose, public_key_pem=public_pem(SIGNER.public_key), understood_labels=frozenset({1, 2, 3, 4, 15})
    )

    assert message.payload == envelope.payload
    assert dict(message.protected) == {
        1: -8,
        3: envelope.content,
        4: SIGNER.kid,
        15: {1: MAKER, 2: envelope.subject},
    }
    assert dict(message.unprotected) == {}


def test_a_stranger_library_reads_issuer_and_subject() -> None:
    """As a SCITT signed statement: who says it, and about what."""
    statement = STATEMENTS["single"]
    read = scitt_cose.parse_signed_statement(statement.data, public_key_pem=public_pem(SIGNER.public_key))
    text = repr(read)

    assert MAKER in text
    assert messages.BATTERY in text
    assert SINGLE_CONTENT in text


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_stranger_library_refuses_what_was_changed(name: str) -> None:
    """Control: under another key, or with a bit changed, it does not verify."""
    cose = bytearray(STATEMENTS[name].envelope.cose)
    other = make_signer(MAKER, "root")
    with pytest.raises(scitt_cose.CoseError):
        scitt_cose.verify_sign1(bytes(cose), public_key_pem=public_pem(other.public_key))
    cose[-70] ^= 1
    with pytest.raises(scitt_cose.CoseError):
        scitt_cose.verify_sign1(bytes(cose), public_key_pem=public_pem(SIGNER.public_key))


def test_a_sound_statement_of_a_stranger_library_is_malformed_to_us() -> None:
    """Its signature holds; its header is not our closed schema, so it means nothing here."""
    foreign = scitt_cose.build_signed_statement(
        STATEMENTS["single"].envelope.payload,
        alg="EdDSA",
        private_key_pem=private_pem(SIGNER.seed),
        issuer=MAKER,
        subject=messages.BATTERY,
        content_type="application/json",
        kid=SIGNER.kid,
    )

    assert scitt_cose.verify_sign1(
        foreign, public_key_pem=public_pem(SIGNER.public_key), understood_labels=frozenset({1, 2, 3, 4, 15})
    )
    with pytest.raises(Malformed):
        parse_envelope(foreign)


def test_the_same_header_in_another_order_is_malformed() -> None:
    """The library writes our four labels in an order of its own: sound COSE, but not the one encoding."""
    ours = STATEMENTS["single"].envelope
    theirs = scitt_cose.build_signed_statement(
        ours.payload,
        alg="EdDSA",
        private_key_pem=private_pem(SIGNER.seed),
        issuer=MAKER,
        subject=messages.BATTERY,
        content_type=SINGLE_CONTENT,
        kid=SIGNER.kid,
    )

    assert cbor2.loads(cbor2.loads(theirs).value[0]) == cbor2.loads(ours.protected)
    with pytest.raises(Malformed, match="in order"):
        parse_envelope(theirs)


def test_the_sig_structure_is_the_standards() -> None:
    """RFC 9052 section 4.4, built by cbor2 from the parts of the envelope."""
    envelope = STATEMENTS["batch"].envelope
    structure = ["Signature1", envelope.protected, b"", envelope.payload]

    assert cbor2.dumps(structure) == envelope.signed_bytes


def test_an_envelope_costs_little() -> None:
    """Header, signature and frame around the payload: 135 bytes and the names."""
    statement = STATEMENTS["single"]
    names = len(MAKER) + len(messages.BATTERY)
    overhead = len(statement.data) - len(statement.envelope.payload) - names

    assert overhead <= 145
    assert parse_object(parse_statement(statement.data).envelope.payload)["sequence"] == 1
