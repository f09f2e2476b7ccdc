"""The list of batteries and the pages for what could not be shown: same look, same promises, a next step on each."""

from __future__ import annotations

import pytest

from cellvow.web import (
    LOCALES,
    BatteryEntry,
    IndexLinks,
    PageLinks,
    Problem,
    problem_document,
    render_index,
    render_passport,
    render_problem,
)
from cellvow.web.rendering import Look, load_style, page_policy
from tests.unit.web.page_reading import Page, shape_faults
from tests.unit.web.samples import BATTERY, GTIN, HOSTILE, SERIAL, STRANGER, links_for

LINKS = IndexLinks(home="/", languages=(("en", "/?lang=en"), ("de", "/?lang=de")))
ENTRIES = [BatteryEntry(GTIN, SERIAL, f"/{BATTERY}"), BatteryEntry(HOSTILE, HOSTILE, "/x")]


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("entries", [ENTRIES, []], ids=["some", "none"])
def test_the_list_is_well_formed_and_inert(entries: list[BatteryEntry], language: str) -> None:
    """With batteries and without, in each language."""
    assert [] == shape_faults(Page(render_index(entries, locale=language, links=LINKS)))


def test_the_list_leads_to_every_battery() -> None:
    """Each battery is a link under its serial number."""
    page = Page(render_index(ENTRIES[:1], links=IndexLinks(home="/", more="/?after=x", first="/")))

    assert {f"/{BATTERY}", "/", "/?after=x"} == {one for one in page.addresses if one[1:2] in ("", "0", "?")} - {
        "#main"
    }
    assert SERIAL in page.text


def test_an_empty_list_says_what_to_do_first() -> None:
    """Nobody is left before an empty page."""
    text = Page(render_index([], links=LINKS)).text

    assert "No battery is registered here yet." in text
    assert "type: cellvow demo" in text


def test_a_page_past_the_end_leads_back() -> None:
    """Whoever turns past the last page is told so and can go to the first."""
    page = Page(render_index([], links=IndexLinks(home="/", first="/?lang=en")))

    assert "There are no further batteries." in page.text
    assert "/?lang=en" in page.addresses


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("problem", Problem)
def test_a_problem_says_what_happened_and_what_to_do(problem: Problem, language: str) -> None:
    """Each problem is a well-formed page with a heading, a reason and a next step, in each language."""
    said = {"detail": "line 7", "limit": "12"}
    page = Page(render_problem(problem, locale=language, home="/", **said))
    document = problem_document(problem, locale=language, instance="/x", **said)

    assert [] == shape_faults(page)
    assert page.all("h1")[0].text == document["title"]
    assert 2 <= len(page.all("main")[0].text.split("."))
    assert (problem.status, "/x") == (document["status"], document["instance"])
    assert str(document["detail"]) in page.all("main")[0].text


def test_every_page_allows_itself_nothing_but_its_own_style() -> None:
    """The policy stands in the page too, so that a page kept as a file is as inert as a served one."""
    pages = [
        (render_passport(STRANGER, links=links_for(STRANGER)), Look(scripts=("check.js",))),
        (render_passport(STRANGER, links=PageLinks()), Look()),
        (render_index([], links=LINKS), Look(area="index", forms=True)),
        (render_problem(Problem.NO_PAGE), Look()),
    ]

    for html, look in pages:
        page = Page(html)
        policies = [one.attributes["content"] for one in page.all("meta") if "http-equiv" in one.attributes]
        assert [page_policy(look)] == policies
        assert "unsafe" not in policies[0]
        assert str(load_style(look.area)) == "".join(page.all("style")[0].texts)


def test_the_style_follows_the_reader() -> None:
    """Dark where dark is preferred, still where stillness is, visible focus, and a sheet for paper."""
    style = str(load_style())

    for feature in ("prefers-color-scheme:dark", "prefers-reduced-motion", ":focus-visible", "@media print"):
        assert feature in style
    for foreign in ("url(", "@import", "http"):
        assert foreign not in style
