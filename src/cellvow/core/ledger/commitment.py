"""Commitments to values that only the entitled may see, and the disclosures that open them.

commitment = HMAC(salt, "cellvow/field/v1" || 0x00 || field document), docs/reference/formats.md section 9.
"""

import dataclasses
import hmac

from cellvow.core.primitives.digest import Digest, keyed_digest
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import Malformed, VerificationError, ensure

FIELD_DOMAIN = "cellvow/field/v1"
SALT_LENGTH = 32
"""Bytes of a salt: as strong as the digest. One length only, since HMAC pads shorter keys with zeros."""


@dataclasses.dataclass(frozen=True, slots=True)
class Disclosure:
    """A salt and the field document (canonical bytes) it opens; neither shows in its `repr`."""

    salt: bytes = dataclasses.field(repr=False)
    field: bytes = dataclasses.field(repr=False)


def commit(salt: bytes, field: bytes) -> Digest:
    """The commitment to a field document (canonical bytes) under a salt of 32 bytes."""
    ensure(len(salt) == SALT_LENGTH, f"a salt of {len(salt)} bytes: {SALT_LENGTH} are required")
    return keyed_digest(salt, FIELD_DOMAIN, field)


def verify_disclosure(disclosure: Disclosure, commitment: Digest) -> dict[str, Json]:
    """The field document, if the disclosure opens the commitment; raises `VerificationError`."""
    if len(disclosure.salt) != SALT_LENGTH:
        raise VerificationError(f"the disclosed salt has {len(disclosure.salt)} bytes: {SALT_LENGTH} are required")
    if not hmac.compare_digest(commit(disclosure.salt, disclosure.field), commitment):
        raise VerificationError("the disclosed value is not the one committed to")
    try:
        return parse_object(disclosure.field)
    except Malformed as error:
        raise VerificationError(f"what was committed to is no field document: {error}") from error
