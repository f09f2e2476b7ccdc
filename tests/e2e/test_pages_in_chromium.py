"""The pages in a real browser: on a phone and a desktop, light and dark, by keyboard, without scripts, under attack."""

from __future__ import annotations

import os
import socket
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread
from typing import Literal

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # ships no type information
from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page, sync_playwright

from cellvow.api.pages import create_pages_app
from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.view import Audience, Passport
from cellvow.web.answers import list_sources
from tests.conftest import find_chromium
from tests.unit.web.samples import GTIN, SAMPLES

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOKEN = "open-sesame"
ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
PHONE, DESKTOP = 390, 1280
NARROWEST, WIDEST = 320, 3840
REQUESTS_MAX = 3
PAGES = {name: f"/01/{GTIN}/21/{name.upper().replace('_', '-')}?key={TOKEN}" for name in SAMPLES}
PAGES |= {"index": "/", "problem": f"/01/{GTIN}/21/NOT-THERE"}

Scheme = Literal["light", "dark"]

# Every page on a phone and on a desktop; those with a look of their own in both schemes on both.
VIEWS: list[tuple[str, int, Scheme]] = [
    *((name, PHONE, "dark") for name in sorted(PAGES)),
    *((name, DESKTOP, "light") for name in sorted(PAGES)),
    *((name, PHONE, "light") for name in ("index", "owner", "simulated")),
    *((name, DESKTOP, "dark") for name in ("index", "owner", "simulated")),
]


class SampleSource:
    """Every sample under a serial number of its own; the key opens it whoever it was made for."""

    def __init__(self) -> None:
        self._passports = {f"01/{GTIN}/21/{name.upper().replace('_', '-')}": sample for name, sample in SAMPLES.items()}

    def batteries(self, after: str, limit: int) -> Sequence[BatteryId]:
        """A page of them."""
        return [BatteryId(one) for one in sorted(self._passports) if one > after][:limit]

    def passport(self, battery: str, audience: Audience) -> Passport | None:
        """The sample, under its own number."""
        sample = self._passports.get(battery)
        return None if sample is None or audience is Audience.PUBLIC else replace(sample, battery=battery)

    def proofs(self, battery: str, audience: Audience) -> Collection[tuple[str, int]]:
        """All of them."""
        passport = self.passport(battery, audience)
        return set() if passport is None else {(one.statement, one.index) for one in list_sources(passport)}

    def bundle(self, battery: str, statement: str, index: int, audience: Audience) -> bytes | None:
        """Any bytes."""
        return statement.encode() if (statement, index) in self.proofs(battery, audience) else None


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The pages behind a real server on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    app = create_pages_app(SampleSource(), owner_token=TOKEN)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=find_chromium(os.environ), args=list(ARGUMENTS))
        yield launched
        launched.close()


@contextmanager
def opened(
    browser: Browser, address: str, *, width: int = DESKTOP, scheme: Scheme = "light", scripts: bool = True
) -> Iterator[tuple[Page, list[str], list[str]]]:
    """A page in a context of its own, with the addresses it requested and what it complained of or tried to run."""
    context = browser.new_context(
        viewport={"width": width, "height": 844}, color_scheme=scheme, java_script_enabled=scripts
    )
    page = context.new_page()
    requested: list[str] = []
    trouble: list[str] = []

    def complain(message: ConsoleMessage) -> None:
        # The browser's own notice that the page's status is 404 is no complaint about the page.
        if "404 (Not Found)" not in message.text:
            trouble.append(message.text)

    def dismiss(dialog: Dialog) -> None:
        trouble.append(dialog.message)
        dialog.dismiss()

    page.on("request", lambda request: requested.append(request.url))
    page.on("console", complain)
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("dialog", dismiss)
    page.goto(address)
    yield page, requested, trouble
    context.close()


@pytest.mark.parametrize(("name", "width", "scheme"), VIEWS)
def test_a_page_fits_and_is_accessible(browser: Browser, site: str, name: str, width: int, scheme: Scheme) -> None:
    """No sideways scrolling, no foreign host, few requests, no complaint, and none from the accessibility rules."""
    with opened(browser, site + PAGES[name], width=width, scheme=scheme) as (page, requested, trouble):
        assert width >= page.evaluate("document.documentElement.scrollWidth")
        assert all(address.startswith(site + "/") for address in requested)
        assert len(requested) <= REQUESTS_MAX
        violations = Axe().run(page).response["violations"]
        assert [] == [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in violations]
        assert [] == trouble


@pytest.mark.parametrize("width", [NARROWEST, WIDEST])
@pytest.mark.parametrize("name", ["hostile", "index", "long_names", "owner"])
def test_a_page_fits_the_narrowest_and_the_widest_screen(browser: Browser, site: str, name: str, width: int) -> None:
    """From 320 pixels to 4k nothing scrolls sideways, whatever the names."""
    with opened(browser, site + PAGES[name], width=width) as (page, _, _):
        assert width >= page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("name", ["hostile", "owner", "stranger"])
def test_a_page_says_the_same_without_scripts(browser: Browser, site: str, name: str) -> None:
    """Nothing depends on JavaScript."""
    texts = []
    for scripts in (True, False):
        with opened(browser, site + PAGES[name], scripts=scripts) as (page, _, _):
            texts.append(page.inner_text("body"))

    assert texts[0] == texts[1]
    assert "proof" in texts[0]


@pytest.mark.parametrize("name", ["index", "many_steps", "owner", "stranger"])
def test_every_link_is_reached_by_keyboard_and_seen(browser: Browser, site: str, name: str) -> None:
    """Tab visits links in reading order, each with a visible outline, and ends."""
    with opened(browser, site + PAGES[name]) as (page, _, _):
        wanted = page.evaluate("[...document.querySelectorAll('a,summary')].filter(e => e.checkVisibility()).length")
        visited = []
        for _ in range(wanted):
            page.keyboard.press("Tab")
            visited.append(
                page.evaluate(
                    "(() => { const e = document.activeElement, s = getComputedStyle(e);"
                    "return [[...document.querySelectorAll('a,summary')].indexOf(e), s.outlineStyle,"
                    "parseFloat(s.outlineWidth)] })()"
                )
            )
        places = [place for place, _, _ in visited]
        assert sorted(set(places)) == places
        assert -1 not in places
        assert all(style == "solid" and thickness >= 2 for _, style, thickness in visited)


def test_hostile_text_runs_nothing(browser: Browser, site: str) -> None:
    """No dialog, no error, no blocked attempt either: the attack is text."""
    with opened(browser, site + PAGES["hostile"]) as (page, requested, trouble):
        assert page.inner_text("body").count("<script>alert(1)</script>") > 20
        assert 0 == page.locator("script, img, iframe, form").count()
        assert {"/favicon.ico", PAGES["hostile"]} >= {address.removeprefix(site) for address in requested}
        assert [] == trouble


def test_control_the_policy_stops_what_escaping_would_miss(browser: Browser, site: str) -> None:
    """A script, a handler and a style put into the page by force are blocked, and the blocking is noticed."""
    with opened(browser, site + PAGES["stranger"]) as (page, _, trouble):
        page.evaluate(
            "document.body.insertAdjacentHTML('beforeend', '<p style=\"color:red\" onclick=\"alert(1)\" id=x>x</p>');"
            "const s = document.createElement('script'); s.textContent = 'alert(2)'; document.body.append(s)"
        )
        page.click("#x")
        assert 3 <= len([text for text in trouble if "Content Security Policy" in text])
        assert not {"1", "2"} & set(trouble)


def test_control_a_page_that_is_too_wide_would_be_caught(browser: Browser, site: str) -> None:
    """The measure for sideways scrolling sees an element that sticks out."""
    with opened(browser, site + PAGES["stranger"], width=PHONE) as (page, _, _):
        page.evaluate("document.querySelector('h1').style.width = '600px'")
        assert page.evaluate("document.documentElement.scrollWidth") > PHONE


def test_a_page_prints_on_a_few_sheets(browser: Browser, site: str) -> None:
    """On A4 the owner's page has its code and curve and needs no more than four sheets."""
    with opened(browser, site + PAGES["owner"]) as (page, _, _):
        sheets = page.pdf(format="A4").count(b"/Type /Page\n")
        page.emulate_media(media="print")
        assert 1 <= sheets <= 4
        assert page.locator(".qr").is_visible()
        assert not page.locator("nav").is_visible()
