"""The short code: 12 characters, one for each battery, read however it was typed."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.short_code import SHORT_CODE_LENGTH, derive_short_code, parse_short_code, write_short_code

SERIALS = st.from_regex(r"[A-Z0-9][A-Z0-9.-]{0,19}", fullmatch=True)
CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"


def battery_of(serial: str) -> BatteryId:
    """A battery of one model."""
    return BatteryId(f"01/09506000134376/21/{serial}")


@given(SERIALS)
def test_a_code_is_the_first_sixty_bits_of_the_digest(serial: str) -> None:
    """Computed the other way round: the digits of the code, read as a number, are the digest's first 60 bits."""
    battery = battery_of(serial)
    digest = hashlib.sha256(b"cellvow/short-code/v1\0" + battery.encode()).digest()
    number = 0
    for letter in derive_short_code(battery):
        number = number * 32 + CROCKFORD.index(letter)

    assert int.from_bytes(digest[:8]) >> 4 == number


@given(SERIALS)
def test_a_code_is_read_however_it_is_typed(serial: str) -> None:
    """Small letters, hyphens anywhere, O for 0, I and L for 1."""
    code = derive_short_code(battery_of(serial))
    typed = write_short_code(code).lower().replace("0", "o").replace("1", "i")

    assert code == parse_short_code(typed)
    assert code == parse_short_code("-".join(typed.replace("i", "L")))
    assert SHORT_CODE_LENGTH == len(code)


@pytest.mark.parametrize(
    "text", ["", "0" * 11, "0" * 13, "U" * 12, "0" * 11 + "\u0660", "0" * 11 + "Ο", " " * 12, "-" * 60]
)
def test_what_is_no_code_is_refused(text: str) -> None:
    """Too short, too long, a letter that is none, digits of other scripts."""
    with pytest.raises(Malformed):
        parse_short_code(text)


def test_another_domain_would_give_another_code() -> None:
    """Control: the prefix counts."""
    battery = battery_of("PACK-0001")
    plain = int.from_bytes(hashlib.sha256(battery.encode()).digest()[:8]) >> 4
    unprefixed = "".join(CROCKFORD[plain >> place & 31] for place in range(55, -1, -5))

    assert unprefixed != derive_short_code(battery)
