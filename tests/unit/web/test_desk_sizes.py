"""Every list of the desk at its bound, with the longest names there can be, is small in every language."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.api.desk_exchange import LINKS_SHOWN, USES_SHOWN
from cellvow.api.desk_handovers import MEMBERS_LISTED
from cellvow.api.desk_invitations import INVITATIONS_SHOWN
from cellvow.api.desk_sheets import LINES_SHOWN, SHEETS_SHOWN
from cellvow.core.contracts.register import REGISTERS
from cellvow.passport.view import Coverage, StageSeen
from cellvow.vault import Grant, Invitation, Use
from cellvow.web.catalogue import LOCALES
from cellvow.web.desk_pages import PAGE_BYTES_MAX, Frame, fit_page, render_desk_page
from cellvow.web.desk_units import units_context
from cellvow.workspace.bulk import COLUMNS, FAULTS, KINDS
from cellvow.workspace.bulk_jobs import SheetSeen
from cellvow.workspace.bulk_records import LineSeen, SheetRecord
from cellvow.workspace.desk import IMPORTS_SHOWN, JOBS_SHOWN, DeskView
from cellvow.workspace.desk_handovers import (
    HOLDINGS_SHOWN,
    MEMBERS_SHOWN,
    OFFERS_SHOWN,
    Holding,
    Member,
    Offer,
    Standing,
)
from cellvow.workspace.desk_jobs import JobSeen
from cellvow.workspace.desk_records import ImportRecord, JobRecord, Signing
from cellvow.workspace.desk_units import UnitsPage
from cellvow.workspace.holdings_pages import PAGE_UNITS, Unit, Wish
from cellvow.workspace.holdings_pages import Page as UnitPage
from cellvow.workspace.inviting import ASKED, Answered
from cellvow.workspace.inviting import Standing as Invited
from cellvow.workspace.waiting import KINDS as WAITING_KINDS
from cellvow.workspace.waiting import SHOWN_A_KIND, Waiting, WaitingList
from tests.unit.web.page_reading import Page, shape_faults

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

NOON_MS = 1_795_089_600_000
DAY_MS = 86_400_000
NAME = "Gesellschaft für Wiederverwendung von Traktionsbatterien mbH (invented) Süd, GmbH"[:80]
FILE = "capacity test of the returned packs, second half of November 2026, channel 12, repeated-final.ndax"
FORM = "f" * 43


def unit(number: int) -> str:
    """A battery whose serial has all the letters it may have."""
    return f"01/09506000134376/21/PACK-2026-11-30-{number:04d}"


def page(template: str, language: str, **context: object) -> str:
    """The page, asked for in its language by name, at a long address."""
    frame = Frame(language, f"/desk/units?after={unit(1).replace('/', '%2F')}", FORM, language)
    return render_desk_page(template, frame, **context)


def units(language: str) -> str:
    """A full page of units of two models, each offered, disputed and in its third status."""
    since = tuple((register, NOON_MS + number * DAY_MS) for number, register in enumerate(REGISTERS))
    found = tuple(Unit(unit(number), since, "remanufactured", "received", True) for number in range(PAGE_UNITS))
    asked = {
        "q": "PACK-2026-11-30",
        "model": "09506000134376",
        "register": "responsibility",
        "status": "remanufactured",
    }
    shown = UnitsPage(UnitPage(found, unit(PAGE_UNITS), is_full=False), {"09506000134376": "P" * 64})
    return page("desk_units.html", language, **units_context(shown, Wish(disputed=True), asked, unit(1)))


def sheet(language: str) -> str:
    """A page of rows of a sheet, each recorded or with the longest of faults."""
    worst = max(FAULTS, key=lambda word: len(FAULTS[word][1]))
    lines = [
        LineSeen(
            10_000 + number,
            unit(number),
            *(("ready", "recorded") if number % 2 else (worst, "left")),
            4711,
            NAME,
            "ab" * 32,
            499,
        )
        for number in range(LINES_SHOWN)
    ]
    record = SheetRecord("ab" * 8, "register", FILE, "ab" * 32, "Latin-1, a guess", "a, b", NOON_MS, "stopped", NAME)
    seen = SheetSeen(record, {"ready": 5, "recorded": 70, worst: 7})
    choices = {
        "show": "all",
        "shows": ("all", "faults", "ready"),
        "column_of": lambda word: FAULTS.get(word, ("", ""))[0],
    }
    return page("desk_sheet.html", language, seen=seen, record=record, lines=lines, more=99_999, **choices)


def sheets(language: str) -> str:
    """The form, and as many sheets as are listed."""
    listed = [SheetRecord("ab" * 8, "register", FILE, "", "", "", NOON_MS, "stopped") for _ in range(SHEETS_SHOWN)]
    known: dict[str, Any] = {
        "kind": KINDS[0],
        "kinds": KINDS,
        "columns": COLUMNS,
        "fault": NAME,
        "limits": (99_999, 99),
    }
    return page("desk_sheets.html", language, sheets=listed, **known)


def standing(offers: int) -> Standing:
    """Full lists of units and of offers on both sides."""
    member = Member("a-member-with-a-long-identifier", NAME)
    made = tuple(Offer(unit(number), member, member, REGISTERS, 7) for number in range(offers))
    held = tuple(Holding(unit(number), REGISTERS) for number in range(HOLDINGS_SHOWN))
    return Standing(held, made, made, unit(98), unit(99), has_more_holdings=True)


def desk(language: str) -> str:
    """What waits of every kind, imports with a signature and without, jobs that failed."""
    names = {"message": "BeginSecondLife", "about": unit(1), "statement": "ab" * 8, "reference": "R" * 32, "file": FILE}
    waiting = [Waiting(kind, unit(1), NAME, names, names, "ab" * 8) for kind in WAITING_KINDS] * SHOWN_A_KIND
    signing = Signing("ab" * 32, unit(1), "R" * 32, NOON_MS)
    imports = [
        ImportRecord("ab" * 16, FILE, unit(1), NOON_MS, signings=(signing,) * (number % 2))
        for number in range(IMPORTS_SHOWN)
    ]
    jobs = [JobSeen(JobRecord("ab" * 8, "r", FILE, unit(1), NOON_MS, "failed", "crashed")) for _ in range(JOBS_SHOWN)]
    gathered = WaitingList(tuple(waiting), WAITING_KINDS)
    return page(
        "desk.html",
        language,
        view=DeskView("maker", NAME, (), tuple(imports), tuple(jobs), standing(OFFERS_SHOWN), gathered),
    )


def handovers(language: str, members: int = MEMBERS_SHOWN) -> str:
    """Full lists of offers on both sides, and the form for another."""
    others = [Member(f"a-member-with-a-long-identifier{number:03}"[-32:], NAME) for number in range(members)]
    known = {"rejection": (NAME, "301"), "fault": NAME, "battery": unit(1), "members_listed": MEMBERS_LISTED}
    return page("desk_handovers.html", language, standing=standing(OFFERS_SHOWN), members=others, **known)


def links(language: str) -> str:
    """As many links and lines of their log as are read, all with the longest note."""
    given = [
        Grant(f"{number:012}", unit(number), frozenset(("health", "history")), NAME, NOON_MS, NOON_MS + DAY_MS, uses=7)
        for number in range(LINKS_SHOWN)
    ]
    uses = [Use(number, "ab" * 6, NOON_MS, unit(1), "passport", "other_battery") for number in range(USES_SHOWN)]
    known = {"issued": given[0], "address": f"https://passports.example/g/{'x' * 60}", "fault": None, "now_ms": NOON_MS}
    return page("desk_links.html", language, links=given, uses=uses, battery=unit(1), **known)


def invitations(language: str) -> str:
    """As many invitations as are read, half of them answered."""
    coverage = Coverage((StageSeen("test", "missing", ()),) * 9)
    asked = Invitation("ab" * 6, unit(1), "second_life", "partner", NAME, 7, 3, 9, NOON_MS, NOON_MS + DAY_MS)
    answered = Answered("partner", "BeginSecondLife", "ab" * 32, 0, 9, NOON_MS)
    standings = [
        Invited(
            asked,
            "done" if number % 2 else "in_force",
            "apply",
            coverage,
            None,
            answered=answered if number % 2 else None,
        )
        for number in range(INVITATIONS_SHOWN)
    ]
    known = {"stages": ASKED, "scopes": ("health", "history"), "address": None, "invited": None, "fault": NAME}
    return page("desk_invitations.html", language, standings=standings, fields={"battery": unit(1)}, **known)


PAGES = (units, sheet, sheets, desk, handovers, links, invitations)


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("draw", PAGES, ids=lambda one: one.__name__)
def test_a_full_page_of_the_desk_is_small(draw: Callable[[str], str], language: str) -> None:
    """And whole: balanced, one heading."""
    html = draw(language)

    assert len(html.encode()) <= PAGE_BYTES_MAX
    assert set(shape_faults(Page(html))) <= {"<form>", "<script>"}


def test_what_a_page_has_no_room_for_is_where_the_next_begins() -> None:
    """Units, rows and offers go on after the last one shown; of what is not paged it is said how to see it."""
    shown = re.findall(r'<li><a href="units/([^?"]+)', units("en"))
    lines = re.findall(r"<strong>Line ([0-9,]+)", sheet("en"))
    offers = re.findall(r'<p class="answer"><a href="/([^?"]+)', handovers("en"))

    assert 1 < len(shown) < PAGE_UNITS
    assert f"after={shown[-1].replace('/', '%2F')}&amp;" in units("en")
    assert 1 < len(lines) < LINES_SHOWN
    assert f"after={lines[-1].replace(',', '')}&amp;" in sheet("en")
    assert f"made_after={offers[-1].replace('/', '%2F')}&amp;" in handovers("en")
    assert all(command in links("en") for command in ("cellvow grant list", "cellvow grant log"))
    assert "cellvow invite list" in invitations("en")
    assert "more wait: they are shown once these are dealt with" in desk("en")
    assert "older imports are in the JSON of this page" in desk("en")


def test_a_page_of_short_names_shows_all_it_was_given() -> None:
    """Control: it is the room that cuts, and nothing else."""
    found = tuple(Unit(f"01/09506000134376/21/U-{number}", (), "original", "", False) for number in range(PAGE_UNITS))
    shown = UnitsPage(UnitPage(found, None), {"09506000134376": "Pouch 10"})
    html = page("desk_units.html", "de", **units_context(shown, Wish(), {}, ""))

    assert PAGE_UNITS == html.count("<li>")


def test_few_members_are_listed_and_of_many_one_is_named() -> None:
    """At the bound and one past it."""
    assert MEMBERS_LISTED + HOLDINGS_SHOWN == handovers("en", MEMBERS_LISTED).count("<option value=")
    assert len(handovers("en", MEMBERS_LISTED).encode()) <= PAGE_BYTES_MAX
    assert '<input id="addressee" name="addressee"' in handovers("en", MEMBERS_LISTED + 1)


@given(frame=st.integers(0, 30_000), row=st.integers(1, 30_000), rows=st.integers(0, 100))
def test_a_page_is_never_larger_than_it_may_be_and_uses_its_room(frame: int, row: int, rows: int) -> None:
    """Unless a single row is too much; and it is drawn a few times at most."""
    drawn = []

    def render(most: int) -> str:
        drawn.append(most)
        return "x" * (frame + row * min(most, rows))

    size = len(fit_page(render))

    assert size <= max(PAGE_BYTES_MAX, frame + row * min(1, rows))
    assert size + row > PAGE_BYTES_MAX * 9 // 10 or size == frame + row * rows
    assert len(drawn) <= 12
