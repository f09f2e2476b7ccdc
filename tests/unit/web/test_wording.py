"""Numbers stay exact in every language; days and ages read as people write them."""

from __future__ import annotations

from decimal import Decimal

import pytest
from babel.numbers import parse_decimal
from hypothesis import given
from hypothesis import strategies as st

from cellvow.web import LOCALES
from cellvow.web.catalogue import isolate_foreign
from cellvow.web.wording import DISPLAY_UNITS, Wording
from tests.unit.web.samples import DAY_MS, NOON_MS

INTEGERS = st.integers(min_value=-(2**53) + 1, max_value=2**53 - 1)


@given(INTEGERS, st.sampled_from(sorted(DISPLAY_UNITS)), st.sampled_from(sorted(LOCALES)))
def test_no_digit_is_lost_or_invented(number: int, unit: str, language: str) -> None:
    """Reading a written quantity back gives the scaled integer it came from."""
    shown, places = DISPLAY_UNITS[unit]
    written = str(Wording(language).quantity(number, unit)).removesuffix(f"\u00a0{shown}")

    assert Decimal(number).scaleb(-places) == parse_decimal(written, locale=LOCALES[language], strict=True)


@given(INTEGERS, INTEGERS)
def test_a_value_and_its_bounds_have_as_many_decimals(number: int, other: int) -> None:
    """A bound does not look coarser than the value it belongs to."""
    first, second = (part.split("\u00a0")[0] for part in Wording("en").span((number, other), "mAh"))

    assert len(first.partition(".")[2]) == len(second.partition(".")[2])


@pytest.mark.parametrize(
    ("language", "capacity", "health", "day", "age"),
    [
        ("en", "1,030.3\u00a0Ah", "96.0\u00a0%", "24 November 2026", "3 weeks ago"),
        ("de", "1.030,3\u00a0Ah", "96,0\u00a0%", "24. November 2026", "vor 3 Wochen"),
        ("pt_BR", "1.030,3\u00a0Ah", "96,0\u00a0%", "24 de novembro de 2026", "há 3 semanas"),
    ],
)
def test_each_language_writes_in_its_own_way(language: str, capacity: str, health: str, day: str, age: str) -> None:
    """Separators, order of day and month, and ages follow the language."""
    wording = Wording(language)

    assert capacity == wording.quantity(1_030_300, "mAh")
    assert health == wording.quantity(960, "permille")
    assert day == wording.day(NOON_MS)
    assert age == wording.age(NOON_MS - 20 * DAY_MS, NOON_MS)


@pytest.mark.parametrize(("ago_ms", "expected"), [(-5, "today"), (DAY_MS - 1, "today"), (DAY_MS, "1 day ago")])
def test_an_age_begins_with_a_whole_day(ago_ms: int, expected: str) -> None:
    """Less than a day is today; so is what a skewed clock puts in the future."""
    assert expected == Wording("en").age(NOON_MS - ago_ms, NOON_MS)


@pytest.mark.parametrize("time_ms", [-1, 0, 2**53 - 1])
def test_any_time_of_a_ledger_can_be_written(time_ms: int) -> None:
    """The ledger's smallest and largest times become a day, not an error."""
    assert Wording("de").day(time_ms)
    assert Wording("de").moment(time_ms)


def test_a_written_day_may_lie_before_1970() -> None:
    """A battery's birthday is a calendar day, whatever clocks count from."""
    assert "17 May 1962" == Wording("en").written_day("1962-05-17")


@pytest.mark.parametrize("text", ["2026-13-01", "20260117", "2026-W01-1", "<b>", ""])
def test_what_is_no_day_stands_as_it_was_written(text: str) -> None:
    """Another text is shown as somebody's text and not guessed at."""
    assert isolate_foreign(text) == Wording("en").written_day(text)


def test_zero_is_counted_as_many() -> None:
    """No language here says "0 witness", even where its grammar tables would."""
    assert "0 passos anteriores" == Wording("pt_BR").count("life.earlier", 0)
    assert "1 passo anterior" == Wording("pt_BR").count("life.earlier", 1)


def test_an_unknown_unit_is_named_as_it_is() -> None:
    """A number in a unit we do not know keeps number and unit."""
    assert "7\u00a0&lt;furlong&gt;" == Wording("en").quantity(7, "<furlong>")
    assert "7" == Wording("en").quantity(7, None)
