"""What the page tells of a unit beyond its passport: safety, disputes, what it was and became, use and parts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellvow.passport.view import Passport
from cellvow.web import cut_excerpt, render_passport
from cellvow.web.catalogue import load_catalogue
from tests.unit.web.page_reading import Page
from tests.unit.web.samples import CLONED, FULL, OWNER, STRANGER, SUCCEEDED, links_for


def page_of(passport: Passport) -> Page:
    """The page with everything on it, read."""
    return Page(render_passport(passport, links=links_for(passport)))


def test_what_puts_the_unit_itself_in_doubt_comes_first_and_who_owns_it_beside_the_registers() -> None:
    """A clone is warned of before the first question, a dispute over a register where the register is read."""
    text = page_of(FULL).text

    assert text.index("Contested. Two claim") < text.index("Is it safe?")
    assert text.index("Who answers for it?") < text.index("Disputed. Who owns it is disputed")
    assert text.index("Disputed.") < text.index("Take-over announced.") < text.index("Is there a valid certificate?")


def test_a_stranger_reads_of_a_dispute_without_its_parties() -> None:
    """Topic, since when, what to do; the ended ones with how they ended. Control: the owner reads the names."""
    text = page_of(CLONED).text

    assert "Do not buy or use it on the word of this page" in text
    assert "Who holds it is disputed, 9 May 2026: withdrawn" in text
    assert "Its safety is disputed, 9 May 2026: upheld" in text
    assert "Nebenwerk" not in text
    assert "Nebenwerk (invented) (CLAIM-1) against Nordpack (invented). Positions stated: 2" in page_of(FULL).text


@pytest.mark.parametrize("state", ["safe", "caution", "danger", "quarantine"])
def test_a_safety_state_says_what_to_do_and_is_no_promise(state: str) -> None:
    """Each state with its advice; only what alarms is framed, and the frame is not all that says so."""
    assert CLONED.safety is not None
    page = page_of(replace(STRANGER, safety=replace(CLONED.safety, state=state)))
    framed = [one for one in page.all("section") if one.attributes.get("class") == "warn"]

    assert bool(framed) is (state != "safe")
    assert load_catalogue("en").plain(f"safety_state.{state}") in page.text
    assert load_catalogue("en").plain(f"safety_advice.{state}") in page.text


def test_a_report_without_an_assessment_calls_nothing_safe() -> None:
    """Somebody noted something, nobody looked: that is what the page says."""
    assert CLONED.safety is not None
    noted = replace(CLONED.safety, state="safe", name=None, source=None, is_assessed=False)
    text = page_of(replace(STRANGER, safety=noted)).text

    assert "Nobody has assessed it." in text
    assert "4 open incidents:" in text
    assert "and 1 less grave" in text
    assert "Assessed as safe" not in text


def test_a_unit_of_which_much_is_told_has_its_tests_and_parts_on_pages_of_their_own() -> None:
    """The first page links them; each has all of its section, and leads back. Nothing is lost between them."""
    links = replace(links_for(FULL), newest="/back")
    pages = {see: cut_excerpt(FULL, see=see) for see in ("", "tests", "use", "parts")}
    shown = {
        see: Page(render_passport(FULL, links=links if see else links_for(FULL), excerpt=excerpt))
        for see, excerpt in pages.items()
    }

    assert {"/back"} <= {one.attributes.get("href") for one in shown["parts"].all("a")}
    assert {links.all_tests, links.all_use, links.all_parts} <= {
        one.attributes.get("href") for one in shown[""].all("a")
    }
    assert [False, True, False, False] == ["Discharge curve" in page.text for page in shown.values()]
    assert [False, False, False, True] == ["CELL-0072" in page.text for page in shown.values()]
    assert [0, 0, 10, 0] == [page.text.count("How to open it") for page in shown.values()]
    assert [True, False, False, False] == ["Its life so far" in page.text for page in shown.values()]
    assert "and 10 further direct parts" in shown["parts"].text
    assert "Discharge curve" in page_of(OWNER).text
    assert cut_excerpt(FULL, see="life") is None


def test_what_has_become_another_unit_stays_readable_and_leads_there() -> None:
    """A banner with the link, and the passport below it."""
    page = page_of(SUCCEEDED)

    assert "It is no more under this number: it continues as NEW-0001" in page.text
    assert "/01/04012345678901/21/NEW-0001" in {one.attributes.get("href") for one in page.all("a")}
    assert "Is there a valid certificate?" in page.text
    assert "It is no more under this number" not in page_of(FULL).text
