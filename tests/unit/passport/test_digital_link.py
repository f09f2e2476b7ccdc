"""A battery's Digital Link: one spelling out, that spelling and no other in; a code that scans to it."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import parse_battery_id
from cellvow.passport.digital_link import (
    LINK_LENGTH_MAX,
    QUIET_MODULES,
    derive_path,
    draw_qr,
    encode_digital_link,
    find_identifier,
    parse_digital_link,
    parse_origin,
)

BATTERY = parse_battery_id("01/09506000134376/21/PACK-0001")
ORIGIN = "https://passports.example"
LINK = f"{ORIGIN}/{BATTERY}"


def with_check_digit(digits: str) -> str:
    """13 digits and the one that makes them a GTIN."""
    weighted = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(digits))
    return f"{digits}{-weighted % 10}"


gtins = st.text("0123456789", min_size=13, max_size=13).map(with_check_digit)
serials = st.from_regex(r"[A-Z0-9][A-Z0-9.-]{0,19}", fullmatch=True)
origins = st.sampled_from([ORIGIN, "http://127.0.0.1:8000", "http://[::1]:80", "https://a-b.example:65535"])


@given(gtins, serials, origins)
def test_a_link_leads_back_to_its_battery(gtin: str, serial: str, origin: str) -> None:
    """What is encoded is read back, as an address and as a path."""
    battery = parse_battery_id(f"01/{gtin}/21/{serial}")

    assert battery == parse_digital_link(encode_digital_link(battery, origin))
    assert battery == parse_digital_link(derive_path(battery))


@given(st.integers(min_value=0, max_value=13), st.integers(min_value=1, max_value=9))
def test_a_misread_digit_is_refused(place: int, step: int) -> None:
    """Any one wrong digit of the GTIN breaks its check digit."""
    gtin = BATTERY[3:17]
    wrong = gtin[:place] + str((int(gtin[place]) + step) % 10) + gtin[place + 1 :]

    with pytest.raises(Malformed, match="check digit"):
        parse_digital_link(LINK.replace(gtin, wrong))


@given(gtins, serials, origins)
def test_a_code_is_found_in_every_way_it_is_written(gtin: str, serial: str, origin: str) -> None:
    """As an address, as a path, as an element string, and as two numbers, in small letters too where it was typed."""
    identifier = f"01/{gtin}/21/{serial}"
    pasted = (f"{origin}/{identifier}", f"{origin}/passports/{identifier}?lang=de", f"/{identifier}", identifier)
    typed = (f"(01){gtin}(21){serial}", f"(01) {gtin} (21) {serial}", f"{gtin} {serial}", f"{gtin}/{serial}")

    for text in (*pasted, *typed, *map(str.lower, typed), f"  {identifier}\n"):
        assert identifier == find_identifier(text), text


@given(st.text(max_size=80) | st.from_regex(r"\(?01\)?/?[0-9]{12,15}.{0,30}", fullmatch=True))
def test_whatever_is_typed_names_one_identifier_or_none(text: str) -> None:
    """What is found has the form of an identifier; whether it is one is said by whoever parses it."""
    found = find_identifier(text)

    assert found is None or re.match(r"01/[^/]*/21/[^/]*", found)


@pytest.mark.parametrize("text", ["", "PACK-0001", "09506000134376", "(21)PACK-0001", "x" * 2_000, "ftp://a/01/1/21/2"])
def test_what_names_no_battery_is_not_guessed_at(text: str) -> None:
    """A serial number or a model number alone, another kind of address, an endless text."""
    assert find_identifier(text) is None


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text: str) -> None:
    """Whatever a scanner delivers, the answer is a battery or `Malformed`."""
    try:
        battery = parse_digital_link(text)
    except Malformed:
        return

    assert text.split("?", maxsplit=1)[0].split("#", maxsplit=1)[0].endswith(battery)


def test_a_resolver_may_add_a_path_and_a_query() -> None:
    """A path of the resolver's own before the identifier, and a query behind it, change nothing."""
    assert BATTERY == parse_digital_link(f"{ORIGIN}/passports/eu/{BATTERY}?lang=de#q1")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "PACK-0001",
        f"{ORIGIN}/01/09506000134376",
        f"{ORIGIN}/01/09506000134376/10/LOT/21/PACK-0001",
        f"{ORIGIN}/01/9506000134376/21/PACK-0001",
        f"{ORIGIN}/01/09506000134376/21/pack-0001",
        f"{ORIGIN}/01/09506000134376/21/PACK%2D0001",
        f"{ORIGIN}/01/09506000134376/21/PACK-0001/",
        f"{ORIGIN}/01/09506000134376/21/{'P' * 21}",
        f"https://user@passports.example/{BATTERY}",
        f"ftp://passports.example/{BATTERY}",
        f"//passports.example/{BATTERY}",
        f"{ORIGIN}/{BATTERY}\n",
        f"ht\ttps://passports.example/{BATTERY}",
        f"http://[/{BATTERY}",
    ],
)
def test_another_spelling_is_refused(text: str) -> None:
    """Short, encoded, lower-case, longer or foreign forms are refused rather than guessed at."""
    with pytest.raises(Malformed):
        parse_digital_link(text)


def test_a_link_has_a_longest_length() -> None:
    """The longest address is read, one character more is not."""
    longest = f"{LINK}?{'x' * (LINK_LENGTH_MAX - len(LINK) - 1)}"

    assert BATTERY == parse_digital_link(longest)
    with pytest.raises(Malformed, match="1 to 1024"):
        parse_digital_link(longest + "x")


@pytest.mark.parametrize("text", ["passports.example", "https://", f"{ORIGIN}/", "https://a b", "javascript://x"])
def test_what_is_no_origin_is_refused(text: str) -> None:
    """A resolver is named by scheme and host alone."""
    with pytest.raises(Malformed, match="origin"):
        parse_origin(text)


def modules_of(picture: str) -> set[tuple[int, int]]:
    """The dark modules that the path of a drawn code covers, as (row, column)."""
    dark = set()
    path = re.search(r'stroke="#000" d="([^"]*)"', picture)
    for row in re.findall(r"M0 ([^M]*)", path[1] if path else ""):
        number, runs = re.fullmatch(r"(\d+)\.5(.*)", row).groups()  # type: ignore[union-attr] # a mismatch is a failure
        column = 0
        for gap, length in re.findall(r"m(\d+) 0h(\d+)", runs):
            column += int(gap)
            dark |= {(int(number), column + step) for step in range(int(length))}
            column += int(length)
    return dark


def test_the_drawn_code_is_the_code() -> None:
    """Every dark module of the code is drawn, no other, and the quiet zone around it is empty."""
    import segno

    matrix = list(segno.make(LINK, error="m", micro=False, boost_error=False).matrix)
    expected = {
        (row + QUIET_MODULES, column + QUIET_MODULES)
        for row, modules in enumerate(matrix)
        for column, module in enumerate(modules)
        if module
    }

    assert expected == modules_of(draw_qr(LINK, title="x"))


def test_the_code_has_a_text_that_cannot_break_out() -> None:
    """The alternative text is there, escaped."""
    picture = draw_qr(LINK, title="<b>code</b>")

    assert 'role="img"' in picture
    assert "<title>&lt;b&gt;code&lt;/b&gt;</title>" in picture
