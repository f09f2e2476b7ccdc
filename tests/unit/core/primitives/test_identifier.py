"""Identifiers: what is accepted, and that what looks like it is not."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import (
    derive_model_id,
    is_gtin,
    parse_battery_id,
    parse_chain_id,
    parse_organisation_id,
    parse_subject,
)

gtins = st.text("0123456789", min_size=13, max_size=13).map(lambda body: body + check_digit(body))


def check_digit(body: str) -> str:
    """GS1: from the right, weights 3 and 1 alternate; the digit brings the sum to a multiple of ten."""
    total = sum(int(digit) * (3 if place % 2 == 0 else 1) for place, digit in enumerate(reversed(body)))
    return str(-total % 10)


@given(gtins)
def test_one_check_digit_in_ten_is_right(gtin: str) -> None:
    """Of the ten numbers that differ in the last digit exactly one is a GTIN."""
    assert [is_gtin(gtin[:13] + digit) for digit in "0123456789"].count(True) == 1
    assert is_gtin(gtin)


@given(gtins, st.integers(0, 13), st.integers(1, 9))
def test_any_single_wrong_digit_is_noticed(gtin: str, place: int, shift: int) -> None:
    """A number typed with one wrong digit is no GTIN."""
    wrong = str((int(gtin[place]) + shift) % 10)

    assert not is_gtin(gtin[:place] + wrong + gtin[place + 1 :])


@pytest.mark.slow
@given(gtins, st.from_regex(r"[A-Z0-9][A-Z0-9.-]{0,19}", fullmatch=True))
def test_a_battery_identifier_names_its_model(gtin: str, serial: str) -> None:
    """The path of its GS1 Digital Link, and the GTIN inside it."""
    identifier = parse_battery_id(f"01/{gtin}/21/{serial}")

    assert identifier == f"01/{gtin}/21/{serial}"
    assert derive_model_id(identifier) == gtin


LOOKALIKES = [
    pytest.param(lambda text: text + "\n", id="trailing line end"),
    pytest.param(lambda text: " " + text, id="leading space"),
    pytest.param(lambda text: text + "\u200b", id="zero-width space"),
    pytest.param(lambda text: text[:-1] + "\uff11", id="full-width digit"),
    pytest.param(lambda text: text[:-1] + "\u0661", id="Arabic digit"),
    pytest.param(lambda text: text[:-1] + "\u0430", id="Cyrillic letter"),
    pytest.param(lambda text: text[:-1] + "\u00e9", id="composed letter (NFC)"),
    pytest.param(lambda text: text[:-1] + "e\u0301", id="decomposed letter (NFD)"),
    pytest.param(lambda text: text + "\x00", id="null character"),
    pytest.param(lambda _: "", id="empty"),
]


@pytest.mark.parametrize("change", LOOKALIKES)
@pytest.mark.parametrize(
    ("parse", "sound"),
    [
        (parse_battery_id, "01/04012345123456/21/PACK-0001"),
        (parse_organisation_id, "nordpack-1"),
        (parse_chain_id, "test.cellvow.example-1"),
        (parse_subject, "01/04012345123456/21/PACK-0001"),
    ],
)
def test_a_lookalike_is_refused(parse: Callable[[str], str], sound: str, change: Callable[[str], str]) -> None:
    """The sound spelling is kept as it is, each that looks like it is malformed."""
    assert parse(sound) == sound
    with pytest.raises(Malformed, match="is not a"):
        parse(change(sound))


@pytest.mark.parametrize(
    ("identifier", "sentence"),
    [
        ("01/04012345123450/21/PACK", "check digit of GTIN 04012345123450 is wrong"),
        ("01/04012345123456/21/pack", "is not a battery identifier"),
        ("01/04012345123456/21/", "is not a battery identifier"),
        ("01/04012345123456/21/" + "A" * 21, "is not a battery identifier"),
        ("01/4012345123456/21/PACK", "is not a battery identifier"),
        ("/01/04012345123456/21/PACK", "is not a battery identifier"),
        ("01/04012345123456/21/A%2FB", "is not a battery identifier"),
    ],
)
def test_a_wrong_battery_identifier_says_how_to_write_one(identifier: str, sentence: str) -> None:
    """The sentence names what is wrong and what is expected."""
    with pytest.raises(Malformed, match=sentence):
        parse_battery_id(identifier)


@pytest.mark.parametrize(
    ("parse", "longest"),
    [
        (parse_organisation_id, "a" * 32),
        (parse_chain_id, "a" * 48),
        (parse_subject, "a" * 128),
        (parse_battery_id, "01/04012345123456/21/" + "A" * 20),
    ],
)
def test_the_longest_identifier_passes_and_one_more_character_does_not(
    parse: Callable[[str], str], longest: str
) -> None:
    """Each identifier has its bound."""
    assert parse(longest) == longest
    with pytest.raises(Malformed):
        parse(longest + longest[-1])
