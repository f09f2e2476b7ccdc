"""Tour, explanation and glossary in a real browser: they fit, are accessible, and need neither script nor mouse."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread
from typing import Literal

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # ships no type information
from playwright.sync_api import Browser, Page

from cellvow.api.about import AboutPages
from cellvow.api.access import Access
from cellvow.api.application import Area, Site, create_application
from cellvow.api.passports import PassportPages
from cellvow.api.tour import TourPages
from cellvow.cli.site import NoPassports
from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.view import Reader
from cellvow.web.tour_stops import STOPS
from cellvow.workspace.passports import Viewed
from tests.unit.web.samples import GTIN, SAMPLES
from tests.unit.web.tour_samples import RECYCLED, SERVED, SUCCEEDED, as_stranger

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
PHONE, DESKTOP = 390, 1280
NARROWEST, WIDEST = 320, 3840
REQUESTS_MAX = 3
LIVED = {"served": SERVED, "succeeded": SUCCEEDED, "x_recycled": RECYCLED, "x_tombstone": as_stranger(RECYCLED)}
BATTERIES = {f"01/{GTIN}/21/{name.upper().replace('_', '-')}": name for name in (*SAMPLES, *LIVED)}
OWNER, HOSTILE = (f"?battery=01/{GTIN}/21/{name}" for name in ("OWNER", "HOSTILE"))
PAGES = {
    "tour": f"/tour{OWNER}",
    "hostile": f"/tour{HOSTILE}",
    "stranger": f"/tour?battery=01/{GTIN}/21/STRANGER&lang=de",
    "stop": f"/tour/tested{OWNER}",
    "hostile_stop": f"/tour/made{HOSTILE}",
    "unbuilt": f"/tour/driven{OWNER}&lang=pt_BR",
    "elsewhere": f"/tour/recycled{OWNER}&lang=de",
    "serviced": f"/tour/serviced?battery=01/{GTIN}/21/SERVED",
    "ceased": f"/tour?battery=01/{GTIN}/21/X-TOMBSTONE&lang=pt_BR",
    "about": "/about",
    "glossary": "/glossary",
}
Scheme = Literal["light", "dark"]


class SampleSource:
    """Every sample under a serial number of its own, shown whole to whoever asks."""

    def batteries(self, after: str, limit: int) -> Sequence[BatteryId]:
        """A page of them."""
        return [BatteryId(one) for one in sorted(BATTERIES) if one > after][:limit]

    def view(self, battery: str, who: Reader) -> Viewed | None:  # noqa: ARG002 - as the port has it
        """The sample as it was made, foreign text in its number and all."""
        name = BATTERIES.get(battery)
        if name is None:
            return None
        return Viewed(replace(LIVED[name], battery=battery) if name in LIVED else SAMPLES[name], frozenset())


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The pages behind a real server on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    access = Access(None, lambda: 0)
    areas: list[Area] = [TourPages(SampleSource(), access, "one_demo"), AboutPages()]
    app = create_application(Site(access, PassportPages(NoPassports(), access), areas))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@contextmanager
def opened(
    browser: Browser, address: str, *, width: int = DESKTOP, scheme: Scheme = "light", scripts: bool = True
) -> Iterator[tuple[Page, list[str], list[str]]]:
    """A page in a context of its own, with the addresses it requested and what it complained of."""
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, java_script_enabled=scripts
    )
    page = context.new_page()
    requested: list[str] = []
    trouble: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(address)
    yield page, requested, trouble
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [PHONE, DESKTOP])
@pytest.mark.parametrize("name", sorted(PAGES))
def test_a_page_fits_and_is_accessible(browser: Browser, site: str, name: str, width: int, scheme: Scheme) -> None:
    """No sideways scrolling, no foreign host, few requests, no complaint, and none from the accessibility rules."""
    with opened(browser, site + PAGES[name], width=width, scheme=scheme) as (page, requested, trouble):
        assert width >= page.evaluate("document.documentElement.scrollWidth")
        assert all(address.startswith(site + "/") for address in requested)
        assert len(requested) <= REQUESTS_MAX
        violations = Axe().run(page).response["violations"]
        assert [] == [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in violations]
        assert [] == trouble


@pytest.mark.parametrize("width", [NARROWEST, 640, 1023, 1024, WIDEST])
@pytest.mark.parametrize("name", ["about", "elsewhere", "glossary", "hostile", "stop", "stranger", "tour"])
def test_a_page_fits_every_screen(browser: Browser, site: str, name: str, width: int) -> None:
    """From 320 pixels to 4k, and on both sides of where the picture changes its shape."""
    with opened(browser, site + PAGES[name], width=width) as (page, _, _):
        assert width >= page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_way_is_walked_by_keyboard_in_its_order(browser: Browser, site: str, width: int) -> None:
    """Tab goes from stop to stop as the line runs; each is seen; Enter opens it."""
    with opened(browser, site + PAGES["tour"], width=width) as (page, _, _):
        visited: list[str] = []
        while len(visited) < len(STOPS):
            page.keyboard.press("Tab")
            address, thickness = page.evaluate(
                "(() => { const e = document.activeElement;"
                "return [e.pathname || '', parseFloat(getComputedStyle(e).outlineWidth)] })()"
            )
            if address.startswith("/tour/"):
                visited.append(address)
                assert thickness >= 2
        assert [f"/tour/{stop.name}" for stop in STOPS] == visited
        page.keyboard.press("Enter")
        page.wait_for_url("**/tour/checked?**")
        assert "Is all of this genuine?" == page.inner_text("h1")


def test_the_whole_way_is_walked_without_scripts(browser: Browser, site: str) -> None:
    """From the first stop to the last by the link to the next, with the same battery, and back to all."""
    with opened(browser, f"{site}/tour/made{OWNER}", width=PHONE, scripts=False) as (page, _, _):
        for stop in STOPS[1:]:
            page.click("a[rel=next]")
            assert f"/tour/{stop.name}?battery=" in page.url
        assert 0 == page.locator("a[rel=next]").count()
        page.click("a.all")
        assert f"{site}/tour?battery=" in page.url


def test_what_another_battery_has_lived_is_reached_in_two_steps(browser: Browser, site: str) -> None:
    """From the way to the stop, which names the battery, and from there to its passport."""
    with opened(browser, f"{site}/tour{OWNER}", width=PHONE) as (page, _, _):
        assert 3 == page.locator(".way li.elsewhere").count()
        page.click(".way li.elsewhere a[href*='/tour/serviced']")
        assert "Of SERVED, not of this battery:" in page.inner_text(".seen")
        assert "recorded of another battery" in page.inner_text(".seen .state")
        assert f"/01/{GTIN}/21/SERVED" == page.locator(".seen ul a").last.get_attribute("href")


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_the_picture_follows_the_line(browser: Browser, site: str, width: int) -> None:
    """Downwards on a phone; on a desktop to the right, and back to the left in a second row."""
    with opened(browser, site + PAGES["tour"], width=width) as (page, _, _):
        places = page.evaluate("[...document.querySelectorAll('.way .dot')].map(e => e.getBoundingClientRect())")
        across, down = [place["x"] for place in places], [place["y"] for place in places]
        if width == PHONE:
            assert sorted(down) == down
            assert 1 == len({round(one) for one in across})
        else:
            assert sorted(across[:6]) == across[:6]
            assert sorted(across[6:], reverse=True) == across[6:]
            assert 2 == len({round(one) for one in down})


def test_hostile_text_runs_nothing(browser: Browser, site: str) -> None:
    """The attack is text, on the way and at a stop."""
    for name in ("hostile", "hostile_stop"):
        with opened(browser, site + PAGES[name]) as (page, _, trouble):
            assert "<script>alert(1)</script>" in page.inner_text("main")
            assert 0 == page.locator("script, img, iframe, form").count()
            assert [] == trouble


def test_a_word_is_found_by_its_link(browser: Browser, site: str) -> None:
    """From the explanation to the term, which is marked."""
    with opened(browser, site + "/about") as (page, _, _):
        page.click("a[href='/glossary#witness']")
        assert page.locator("#witness").is_visible()
        assert "solid" == page.evaluate("getComputedStyle(document.querySelector('#witness')).outlineStyle")


@pytest.mark.parametrize(("name", "most"), [("tour", 3), ("stop", 2), ("about", 4), ("glossary", 4)])
def test_a_page_prints_on_a_few_sheets(browser: Browser, site: str, name: str, most: int) -> None:
    """On A4, without the links around it."""
    with opened(browser, site + PAGES[name]) as (page, _, _):
        assert page.pdf(format="A4").count(b"/Type /Page\n") <= most
        page.emulate_media(media="print")
        assert not page.locator("nav").first.is_visible()


@pytest.mark.parametrize("width", [NARROWEST, PHONE, DESKTOP])
def test_all_stops_stand_in_one_line_above_each(browser: Browser, site: str, width: int) -> None:
    """However narrow the screen: none is pushed into a second line, and each can be hit with a finger."""
    with opened(browser, site + PAGES["stop"], width=width) as (page, _, _):
        places = page.evaluate("[...document.querySelectorAll('.line a')].map(e => e.getBoundingClientRect())")
        assert len(STOPS) == len(places)
        assert 1 == len({round(place["y"]) for place in places})
        assert all(place["width"] >= 24 <= place["height"] for place in places)


def test_control_a_picture_that_is_too_wide_would_be_caught(browser: Browser, site: str) -> None:
    """The measure for sideways scrolling sees a scene that sticks out."""
    with opened(browser, site + PAGES["tour"], width=PHONE) as (page, _, _):
        page.evaluate("document.querySelector('.say').style.width = '600px'")
        assert page.evaluate("document.documentElement.scrollWidth") > PHONE
