"""What the passport page says of a unit's safety: the state, who says so, what waits - and nothing it cannot know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellvow.passport.view import OpenIncident, Safety
from cellvow.web import LOCALES, render_passport
from tests.unit.web.page_reading import Page, shape_faults
from tests.unit.web.samples import HOSTILE, STRANGER, links_for


@pytest.mark.parametrize(
    ("state", "name", "incidents", "said"),
    [
        ("caution", "Workshop", 1, "Caution. Says Workshop, since 1 January 2026. 1 reported incident waits"),
        ("safe", "Laboratory", 0, "Assessed as safe. Says Laboratory, since 1 January 2026."),
        ("quarantine", HOSTILE, 2, "In quarantine."),
        ("safe", "", 2, "Nobody has assessed it. 2 reported incidents wait for an assessment."),
    ],
)
def test_the_safety_state_is_told_with_who_says_so(state: str, name: str, incidents: int, said: str) -> None:
    """To a stranger too; and a unit that nobody assessed is not called safe because its record begins so."""
    waiting = tuple(OpenIncident("fire", "danger", HOSTILE) for _ in range(incidents))
    told = replace(STRANGER, safety=Safety(state, name, 1_767_225_600_000, waiting))
    page = Page(render_passport(told, locale="en", links=links_for(told)))

    assert said in page.text
    assert "cannot tell you that it is safe" not in page.text
    assert shape_faults(page) == []


@pytest.mark.parametrize("language", LOCALES)
def test_a_unit_of_which_nothing_is_on_record_is_not_called_safe(language: str) -> None:
    """In no language; control: one that was assessed is."""
    assessed = replace(STRANGER, safety=Safety("safe", "Laboratory", 1, ()))
    pages = [render_passport(one, locale=language, links=links_for(one)) for one in (STRANGER, assessed)]

    assert ["Laboratory" in page for page in pages] == [False, True]
