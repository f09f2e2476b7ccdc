"""The conditions beside a value: in words, complete, and honest about what a health figure is."""

from __future__ import annotations

import pytest

from cellvow.evidence.health_results import NOT_CERTIFIED
from cellvow.evidence.result import Conditions
from cellvow.passport.view import Measured
from cellvow.web.catalogue import isolate_foreign
from cellvow.web.conditions import CAVEAT, phrase_conditions
from cellvow.web.wording import Wording
from tests.unit.web.samples import CONDITIONS, HOSTILE


def measured(*conditions: tuple[str, str], quantity: str = "capacity") -> Measured:
    """A value under conditions."""
    return Measured(quantity, "mAh", 1, 1, 1, 950, conditions)


def said(*conditions: tuple[str, str], language: str = "en") -> list[str]:
    """The phrases for conditions, as text."""
    return [str(phrase) for phrase in phrase_conditions(measured(*conditions), Wording(language)).conditions]


def test_conditions_read_as_phrases() -> None:
    """Scaled integers become quantities, bounds become ranges."""
    assert [
        "mean of 4",
        "rate 1.001\u00a0C (of the rated capacity)",
        "current 33.15\u00a0A",
        "25\u00a0°C (declared, not recorded)",
        "state of charge 0\u00a0% to 100\u00a0%",
        "2.5\u00a0V to 4.2\u00a0V",
        "rows 120 to 9,310 of the file",
    ] == said(*CONDITIONS)


def test_every_condition_of_a_result_is_phrased() -> None:
    """No condition that an evaluation states is left out, and none is shown under its internal name."""
    stated = dict.fromkeys(Conditions._fields, "7")
    phrases = said(*stated.items())

    assert not any("_" in phrase for phrase in phrases)
    assert 7 == len(phrases)


def test_what_was_not_told_is_left_out() -> None:
    """A condition that the measurement does not tell leaves no empty phrase."""
    assert [] == said(("temperature_mc", "None"), ("temperature_basis", ""), ("c_rate_permille", "None"))


def test_an_unknown_condition_is_shown_as_it_was_written() -> None:
    """A laboratory's own words appear, escaped."""
    assert ["bench: &lt;B2&gt;"] == said(("bench", "<B2>"))


@pytest.mark.parametrize("text", [HOSTILE, "9" * 5_000, "1e9", "٣"])
def test_what_is_no_whole_number_is_no_quantity(text: str) -> None:
    """A condition that should be a number and is none is shown as text, never computed with."""
    (phrase,) = said(("current_ua", text))

    assert f"current {isolate_foreign(text)}" == phrase


@pytest.mark.parametrize("condition", [("c_rate_permille", "1001"), (CAVEAT, NOT_CERTIFIED), ("note", NOT_CERTIFIED)])
def test_health_from_a_capacity_is_said_to_be_uncertified(condition: tuple[str, str]) -> None:
    """A health that comes from capacity at one rate says what it is not."""
    phrases = phrase_conditions(measured(condition, quantity="state_of_health"), Wording("en"))

    assert phrases.is_uncertified_health
    assert () == phrases.caveats


def test_control_other_quantities_are_not_said_to_be_health() -> None:
    """A capacity, or a declared health without conditions, carries no such sentence."""
    assert not phrase_conditions(measured(*CONDITIONS), Wording("en")).is_uncertified_health
    assert not phrase_conditions(measured(quantity="state_of_health"), Wording("en")).is_uncertified_health


def test_caveats_stay_in_the_words_of_whoever_measured() -> None:
    """Every other caveat is handed on unchanged."""
    caveats = (("caveat", "one pulse only"), ("caveat", "from charging pulses"))

    assert ("one pulse only", "from charging pulses") == phrase_conditions(measured(*caveats), Wording("de")).caveats
