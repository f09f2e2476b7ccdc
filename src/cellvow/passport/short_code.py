"""The short code of a battery: 12 characters that can be read aloud and typed, found again in a node's index.

The first 60 bits of D("cellvow/short-code/v1", battery identifier) in Crockford's base32, written `7QJM-0T4X-ZK2P`.
Two batteries can share one (60 bits are no digest): whoever resolves a code shows all that have it.
"""

import re

from cellvow.core.primitives.digest import domain_digest
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import BatteryId

SHORT_CODE_LENGTH = 12
SHORT_CODE_DOMAIN = "cellvow/short-code/v1"
_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
_BITS = 5
_TYPED_MAX = 40
_READ_AS = str.maketrans("OIL", "011")
_CODE = re.compile(rf"[{_ALPHABET}]{{{SHORT_CODE_LENGTH}}}\Z")


def derive_short_code(battery: BatteryId) -> str:
    """The code of a battery, without hyphens."""
    digest = int.from_bytes(domain_digest(SHORT_CODE_DOMAIN, battery.encode()))
    number = digest >> (256 - SHORT_CODE_LENGTH * _BITS)
    places = range((SHORT_CODE_LENGTH - 1) * _BITS, -1, -_BITS)
    return "".join(_ALPHABET[number >> place & 31] for place in places)


def write_short_code(code: str) -> str:
    """The code as people read it: three groups of four."""
    return "-".join(code[place : place + 4] for place in range(0, len(code), 4))


def parse_short_code(text: str) -> str:
    """The code that somebody typed, or `Malformed`.

    Case and hyphens do not matter; O is read as 0, I and L as 1, as Crockford's base32 says.
    """
    if len(text) > _TYPED_MAX or not text.isascii():
        raise Malformed("a short code has 12 characters, digits and letters")
    code = text.replace("-", "").upper().translate(_READ_AS)
    if _CODE.match(code) is None:
        raise Malformed(f"{text!r} is no short code: it has 12 characters, digits and letters without U")
    return code
