"""Commitments to values that only the entitled may see, and the disclosures that open them."""

import hmac
from dataclasses import dataclass

from cellvow.core.primitives.digest import Digest, keyed_digest
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import VerificationError

FIELD_DOMAIN = "cellvow/field/v1"
SALT_LENGTH = 32


@dataclass(frozen=True, slots=True)
class Disclosure:
    """A salt and the field document it opens."""

    salt: bytes
    field: bytes


def commit(salt: bytes, field: bytes) -> Digest:
    """The commitment to a field document under a salt of 32 bytes."""
    return keyed_digest(salt, FIELD_DOMAIN, field)


def verify_disclosure(disclosure: Disclosure, commitment: Digest) -> dict[str, Json]:
    """The field document, if the disclosure opens the commitment; raises `VerificationError`."""
    if not hmac.compare_digest(commit(disclosure.salt, disclosure.field), commitment):
        raise VerificationError("the disclosed value is not the one committed to")
    return parse_object(disclosure.field)
