"""A unit that is disputed says so on its page to whoever scans it, in every language, and names no party."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest

from cellvow.core.contracts.contract import Contest
from cellvow.core.contracts.dispute_file import Topic
from cellvow.passport.disputes import DisputeSummary
from cellvow.passport.view import Passport
from cellvow.web import LOCALES, render_passport
from tests.unit.web.page_reading import Page, acting_faults, shape_faults
from tests.unit.web.samples import NOON_MS, OWNER, STRANGER, links_for

IN_DOUBT = "The thing in your hand may not be the battery of this page."


def disputed(topic: str) -> DisputeSummary:
    """An open dispute of that topic."""
    return DisputeSummary(
        topic=topic, state="open", is_claim=True, opened_ms=NOON_MS - 86_400_000, outcome=None, holds=()
    )


def page_of(passport: Passport, language: str = "en") -> Page:
    """The page, read."""
    return Page(render_passport(passport, locale=language, links=links_for(passport)))


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("topic", [*get_args(Contest), *get_args(Topic)])
def test_every_topic_is_told_in_every_language(topic: str, language: str) -> None:
    """To a stranger and to the owner alike, on a page that stays whole and inert."""
    for passport in (STRANGER, OWNER):
        page = page_of(replace(passport, disputed=(disputed(topic),)), language)
        assert [] == shape_faults(page)
        assert [] == acting_faults(page)


@pytest.mark.parametrize(
    ("topic", "in_doubt"), [("cloned_serial", True), ("dead_identifier", True), ("custody", False)]
)
def test_a_cloned_serial_warns_whoever_has_the_thing_in_hand(topic: str, in_doubt: bool) -> None:
    """A dispute about who holds it does not put the thing itself in doubt."""
    text = page_of(replace(STRANGER, disputed=(disputed(topic),))).text

    assert "Disputed." in text
    assert (IN_DOUBT in text) is in_doubt


def test_an_undisputed_unit_has_no_warning() -> None:
    """Control: the words stand only where there is a dispute."""
    assert "Disputed." not in page_of(STRANGER).text
