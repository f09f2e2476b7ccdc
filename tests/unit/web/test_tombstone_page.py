"""The page of a passport that has ceased: it says so, who signed for it, and nothing more."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellvow.core.primitives.errors import InvariantBroken
from cellvow.passport.view import Ended
from cellvow.web import LOCALES, render_passport, render_tombstone, tombstone_document
from tests.unit.web.page_reading import Page, shape_faults
from tests.unit.web.samples import OWNER, STRANGER, links_for

LAST = STRANGER.registers[0].source
DEAD = replace(STRANGER, ended=Ended("recycled", LAST))


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("how", ["recycled", "destroyed"])
def test_a_tombstone_says_how_it_ended_and_who_signed_for_it(language: str, how: str) -> None:
    """Well formed in every language, with the name of the signer, and no other fact."""
    dead = replace(STRANGER, ended=Ended(how, LAST))  # type: ignore[arg-type]  # one of the two words
    text = render_tombstone(dead, locale=language, links=links_for(dead))
    page = Page(text)

    assert [] == shape_faults(page)
    assert LAST.name in text
    assert STRANGER.serial in text
    assert len(text.encode()) < 10_000


def test_a_tombstone_shows_no_fact_of_the_battery_that_was() -> None:
    """Control: the passport it had told them."""
    told = ("LMO/LNO-graphite", "Is there a valid certificate?")
    before = render_passport(OWNER, links=links_for(OWNER))
    dead = replace(OWNER, ended=Ended("recycled", LAST))
    after = render_tombstone(dead, links=links_for(dead))
    body = after[after.index("<main") :]

    assert all(word in before for word in told)
    assert not any(word in body for word in told)


def test_programs_are_told_the_same() -> None:
    """How, when, by whom, and under which statement."""
    document = tombstone_document(DEAD, links_for(DEAD))

    assert ("recycled", LAST.organisation, LAST.statement, LAST.time_ms) == (
        document["ended"],
        document["signed_by"],
        document["statement"],
        document["ended_ms"],
    )


def test_what_has_not_ended_has_no_tombstone() -> None:
    """Nobody is told that a living battery is dead."""
    with pytest.raises(InvariantBroken):
        render_tombstone(OWNER, links=links_for(OWNER))
    assert not replace(OWNER, ended=Ended("succeeded", LAST)).has_ceased
    assert DEAD.has_ceased
