"""A commitment opens with its salt and field document, and with nothing else."""

from __future__ import annotations

import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.ledger.commitment import SALT_LENGTH, Disclosure, commit, verify_disclosure
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import encode_document
from cellvow.core.primitives.errors import InvariantBroken, VerificationError

SALTS = st.binary(min_size=SALT_LENGTH, max_size=SALT_LENGTH)
DOCUMENTS = st.dictionaries(st.sampled_from(["quantity", "unit", "value"]), st.integers(0, 10**6) | st.text(max_size=9))
SALT = bytes(range(SALT_LENGTH))
FIELD = encode_document({"quantity": "capacity_mah", "value": 30335})


@pytest.mark.slow
@given(SALTS, DOCUMENTS)
def test_a_disclosure_opens_its_commitment(salt: bytes, document: dict[str, int | str]) -> None:
    """Whoever has salt and document gets the document back, proven."""
    field = encode_document(dict(document))

    assert document == verify_disclosure(Disclosure(salt, field), commit(salt, field))


@given(SALTS, st.integers(0, SALT_LENGTH * 8 - 1), st.integers(0, len(FIELD) * 8 - 1))
def test_no_flipped_bit_opens_the_commitment(salt: bytes, salt_bit: int, field_bit: int) -> None:
    """Every bit of salt and document is bound."""
    commitment = commit(salt, FIELD)

    for altered in (Disclosure(_flip(salt, salt_bit), FIELD), Disclosure(salt, _flip(FIELD, field_bit))):
        with pytest.raises(VerificationError, match="not the one committed to"):
            verify_disclosure(altered, commitment)


def test_the_commitment_is_the_one_the_formats_page_defines() -> None:
    """Computed here from the standard library alone, as a foreign verifier would."""
    expected = hmac.new(SALT, b"cellvow/field/v1\0" + FIELD, hashlib.sha256).digest()

    assert expected == commit(SALT, FIELD)


@pytest.mark.parametrize("length", [0, SALT_LENGTH - 1, SALT_LENGTH + 1])
def test_a_salt_of_another_length_is_refused(length: int) -> None:
    """HMAC pads short keys with zeros, so a shorter salt would be a second spelling of the same one."""
    salt = bytes(length)
    commitment = Digest(hmac.digest(salt, b"cellvow/field/v1\0" + FIELD, "sha256"))

    with pytest.raises(VerificationError, match="32 are required"):
        verify_disclosure(Disclosure(salt, FIELD), commitment)
    with pytest.raises(InvariantBroken, match="32 are required"):
        commit(salt, FIELD)


def test_control_hmac_alone_takes_a_salt_without_its_last_zero_for_the_same() -> None:
    """Without the length check two disclosures would open one commitment."""
    long, short = b"\x01" * 31 + b"\0", b"\x01" * 31

    assert hmac.digest(long, FIELD, "sha256") == hmac.digest(short, FIELD, "sha256")


@pytest.mark.parametrize("field", [b"[1]", b'{"value": 1}', b'{"value":1.5}', b"\xff", b""])
def test_what_is_no_field_document_is_not_believed_though_committed_to(field: bytes) -> None:
    """A commitment to anything else than a canonical object does not verify."""
    with pytest.raises(VerificationError, match="no field document"):
        verify_disclosure(Disclosure(SALT, field), commit(SALT, field))


def test_a_disclosure_shows_nothing_in_a_log() -> None:
    """Neither salt nor value is part of its text form."""
    assert "Disclosure()" == repr(Disclosure(SALT, FIELD))


def _flip(value: bytes, bit: int) -> bytes:
    altered = bytearray(value)
    altered[bit // 8] ^= 1 << bit % 8
    return bytes(altered)
