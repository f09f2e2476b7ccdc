"""What people type is read in one way, or refused with the way to write it."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.cli.failures import WrongUsage
from cellvow.cli.parsing import (
    parse_accreditation,
    parse_battery,
    parse_declaration,
    parse_last_moment,
    parse_rated_mah,
    parse_standard,
    parse_statement_digest,
    parse_threshold,
)
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.quantity import UNITS

BATTERY = "01/09506000134376/21/PACK-0001"
DAYS = st.dates(date(1971, 1, 1), date(9998, 12, 31))
NAMES = st.from_regex(r"[a-z]{1,8}(:[a-z-]{1,8})?", fullmatch=True)


@given(DAYS)
def test_the_last_moment_of_a_day_belongs_to_it_and_the_next_does_not(day: date) -> None:
    """`valid until` a day holds to its very end."""
    last = parse_last_moment(day.isoformat())

    assert day == datetime.fromtimestamp(last // 1000, UTC).date()
    assert 0 == (last + 1) % 86_400_000


@pytest.mark.slow
@given(NAMES, st.from_regex(r"[0-9]{1,4}", fullmatch=True), DAYS)
def test_a_standard_may_have_colons_in_its_name(name: str, edition: str, day: date) -> None:
    """The edition is what stands behind the last colon."""
    accreditation = parse_accreditation(f"{name}:{edition}:capacity,energy:{day.isoformat()}")

    assert (name, edition) == parse_standard(f"{name}:{edition}")
    assert (name, edition) == (accreditation.standard, accreditation.edition)
    assert ("capacity", "energy") == accreditation.quantities


@given(st.integers(-(10**15) + 1, 10**15 - 1), st.sampled_from([">=", "<="]))
def test_a_predicate_keeps_its_number(number: int, sign: str) -> None:
    """Whole units, whichever way it compares."""
    threshold = parse_threshold(f"capacity{sign}{number}")

    assert number == threshold.threshold
    assert {">=": "at_least", "<=": "at_most"}[sign] == threshold.comparison


@pytest.mark.parametrize("quantity", UNITS)
def test_a_declaration_gets_its_quantitys_unit(quantity: str) -> None:
    """Nobody types a unit, and none is guessed."""
    assert (quantity, UNITS[quantity], 960) == parse_declaration(f"{quantity}=960")


@pytest.mark.parametrize(
    "link", [BATTERY, f"/{BATTERY}", f"https://id.example/{BATTERY}", f"https://id.example/shop/{BATTERY}?lang=de"]
)
def test_a_battery_may_be_given_as_the_link_on_it(link: str) -> None:
    """What a scanner reads can be pasted."""
    assert BATTERY == parse_battery(link)


@pytest.mark.parametrize("text", ["", "PACK-0001", "01/09506000134377/21/PACK-0001", "https://id.example/21/X", "01/x"])
def test_what_is_no_battery_is_malformed(text: str) -> None:
    """A wrong check digit, or no identifier at all."""
    with pytest.raises(Malformed):
        parse_battery(text)


@pytest.mark.parametrize("text", ["2026-02-30", "20261231", "31.12.2026", "tomorrow", "2026-1-1", ""])
def test_what_is_no_day_is_refused_with_the_form(text: str) -> None:
    """The message says how a day is written."""
    with pytest.raises(WrongUsage, match="YYYY-MM-DD"):
        parse_last_moment(text)


@pytest.mark.parametrize(
    "text", ["capacity>26000", "capacity>=26.5", "Capacity>=1", ">=5", "capacity>=1e3", "a>=" + "9" * 16]
)
def test_what_is_no_predicate_is_refused_with_the_form(text: str) -> None:
    """The message says how a predicate is written."""
    with pytest.raises(WrongUsage, match="QUANTITY>=NUMBER"):
        parse_threshold(text)


@pytest.mark.parametrize("text", ["state_of_health", "state_of_health=96.0", "state_of_health=", "=5"])
def test_what_is_no_declaration_is_refused_with_the_form(text: str) -> None:
    """The message says how a declaration is written."""
    with pytest.raises(WrongUsage, match="QUANTITY=NUMBER"):
        parse_declaration(text)


def test_an_unknown_quantity_is_refused_with_those_known() -> None:
    """The message lists quantities with their units."""
    with pytest.raises(WrongUsage, match="state_of_health \\(permille\\)"):
        parse_declaration("beauty=7")


@pytest.mark.parametrize("text", ["standard", ":1", "name:"])
def test_what_is_no_standard_is_refused(text: str) -> None:
    """Both name and edition are needed."""
    with pytest.raises(WrongUsage, match="NAME:EDITION"):
        parse_standard(text)


@pytest.mark.parametrize("text", ["a:1:capacity", "a:1::2026-01-01", "", "a:1:capacity:never"])
def test_what_is_no_accreditation_is_refused(text: str) -> None:
    """All four parts are needed."""
    with pytest.raises(WrongUsage):
        parse_accreditation(text)


@pytest.mark.parametrize("text", ["ab", "A" * 64, "0" * 63, "0" * 65])
def test_what_is_no_digest_is_refused(text: str) -> None:
    """64 hexadecimal digits in lower case, no other length or spelling."""
    with pytest.raises(WrongUsage, match="64 hexadecimal digits"):
        parse_statement_digest(text)


def test_a_rating_is_taken_in_ampere_hours() -> None:
    """33.1 Ah is 33,100 mAh; nothing stays nothing; nonsense is refused."""
    assert 33_100 == parse_rated_mah(33.1)
    assert parse_rated_mah(None) is None
    for nonsense in (0.0, -5.0, float("nan"), 1e9):
        with pytest.raises(WrongUsage):
            parse_rated_mah(nonsense)
