"""What the desk makes people wait for, in a browser: it shows how far it is, and goes on by itself or by a link."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.node.home import NodeHome
from cellvow.workspace import bulk_judging
from cellvow.workspace.holdings_index import HoldingsIndex
from tests.e2e.chromium import DESKTOP, PHONE, Scheme, opened, served, sideways, violations
from tests.unit.desk_world import TOKEN, DeskSite, DeskWorld
from tests.unit.workspace.test_bulk_judging import Held, births
from tests.unit.workspace.test_holdings_index import Watched

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

VIEWS: tuple[tuple[int, Scheme], ...] = ((PHONE, "light"), (DESKTOP, "dark"))
NOT_YET = "503 (Service Unavailable)"
"""The browser's own notice of a page that says so itself."""


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    """A maker with one battery."""
    founded = DeskWorld.found(tmp_path)
    yield founded
    founded.close()


def held_index(world: DeskWorld) -> tuple[DeskSite, Watched]:
    """The maker's site, whose index waits after its first step until the gate is opened."""
    watched, home = Watched(), NodeHome(world.folder / "node")
    watched.gate.clear()
    index = HoldingsIndex(lambda: home, world.folder / "maker", watched, wait_s=0)
    return DeskSite(world.desk("maker", index=index)), watched


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_the_page_of_units_appears_once_the_index_is_there(
    browser: Browser, world: DeskWorld, width: int, scheme: Scheme
) -> None:
    """With scripts by itself; until then it is accessible, and complains of nothing but its own status."""
    site, watched = held_index(world)
    with served(site.app) as address:
        entering = f"{address}/enter/{TOKEN}?to=/desk/units"
        with opened(browser, entering, width=width, scheme=scheme) as (page, _, trouble):
            progress = page.locator("#job-progress")
            wide, found = sideways(page), violations(page)
            is_shown = progress.is_visible()
            watched.gate.set()
            page.wait_for_selector("#found")

            assert is_shown
            assert (0, []) == (wide, found)
            assert [] == [one for one in trouble if NOT_YET not in one]


def test_without_scripts_a_link_looks_again(browser: Browser, world: DeskWorld) -> None:
    """It leads to the page itself, which is there by then."""
    site, watched = held_index(world)
    with served(site.app) as address:
        entering = f"{address}/enter/{TOKEN}?to=/desk/units"
        with opened(browser, entering, scripts=False) as (page, _, _):
            before = page.locator("#found").count()
            watched.gate.set()
            world.desk("maker").index.require_filled(60)
            page.click("#job a")

            assert (0, 1) == (before, page.locator("#found").count())


@pytest.mark.parametrize(("width", "scheme"), VIEWS)
def test_a_large_sheet_is_followed_to_its_end(
    browser: Browser, world: DeskWorld, monkeypatch: pytest.MonkeyPatch, width: int, scheme: Scheme
) -> None:
    """The page that shows how far it is becomes the one with the button to sign."""
    monkeypatch.setattr(bulk_judging, "ROWS_AT_ONCE", 4)
    held = Held()
    desk = world.desk("maker", held)
    sheet = desk.sheets.take("register", "large.csv", births(8))
    with served(DeskSite(desk).app) as address:
        entering = f"{address}/enter/{TOKEN}?to=/desk/sheets/{sheet}"
        with opened(browser, entering, width=width, scheme=scheme) as (page, _, trouble):
            wide, found, buttons = sideways(page), violations(page), page.locator("form.acts button").count()
            held.gate.set()
            page.wait_for_selector("form.acts button")

            assert (0, [], 0) == (wide, found, buttons)
            assert [] == trouble
