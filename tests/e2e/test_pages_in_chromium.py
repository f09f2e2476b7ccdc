"""The pages in a real browser: on a phone and a desktop, light and dark, by keyboard, without scripts, under attack."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from playwright.sync_api import Browser, Page

from cellvow.api.access import Access
from cellvow.api.application import Area, Site, create_application
from cellvow.api.passports import PassportPages
from cellvow.api.verdicts import VerdictPages
from cellvow.api.verifying import ProofChecks
from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.claimed import Claimed
from cellvow.passport.sources import list_sources
from cellvow.passport.view import Audience, Reader
from cellvow.web import LOCALES
from cellvow.workspace.passports import Viewed
from tests.e2e.chromium import (
    DESKTOP,
    HEIGHT,
    PHONE,
    Scheme,
    opened,
    served,
    sideways,
    violations,
    visit_by_keyboard,
)
from tests.unit.web.samples import GTIN, NOON_MS, SAMPLES, STRANGER

pytestmark = [pytest.mark.browser, pytest.mark.slow]

TOKEN = "open-sesame"
OWNER = {"authorization": f"Bearer {TOKEN}"}
NARROWEST, WIDEST = 320, 3840
REQUESTS_MAX = 3
BYTES_MAX = 25_000
PAGES = {name: f"/01/{GTIN}/21/{name.upper().replace('_', '-')}" for name in SAMPLES}
PASSPORTS = tuple(sorted(PAGES))
PAGES |= {
    "index": "/",
    "problem": f"/01/{GTIN}/21/NOT-THERE",
    "verdict": f"{PAGES['owner']}/verdict",
    "verdict_hostile": f"{PAGES['hostile']}/verdict",
    "verdict_newborn": f"{PAGES['newborn']}/verdict",
    "verify": "/verify",
}

# Every page on a phone and on a desktop; those with a look of their own in both schemes on both.
VIEWS: list[tuple[str, int, Scheme]] = [
    *((name, PHONE, "dark") for name in sorted(PAGES)),
    *((name, DESKTOP, "light") for name in sorted(PAGES)),
    *((name, PHONE, "light") for name in ("index", "owner", "simulated", "verdict", "verify")),
    *((name, DESKTOP, "dark") for name in ("index", "owner", "simulated", "verdict", "verify")),
]


class SampleSource:
    """Every sample under a serial number of its own; the key opens it whoever it was made for."""

    def __init__(self) -> None:
        self._passports = {f"01/{GTIN}/21/{name.upper().replace('_', '-')}": sample for name, sample in SAMPLES.items()}

    def batteries(self, after: str, limit: int) -> Sequence[BatteryId]:
        """A page of them."""
        return [BatteryId(one) for one in sorted(self._passports) if one > after][:limit]

    def batteries_of_code(self, code: str, limit: int) -> Sequence[BatteryId]:  # noqa: ARG002 - as the port has it
        """Two of them, whatever the code."""
        return self.batteries("", 2)

    def claimed(self, battery: str) -> Claimed | None:  # noqa: ARG002 - as the port has it
        """Nothing."""
        return None

    def view(self, battery: str, who: Reader) -> Viewed | None:
        """The sample, under its own number, with all its proofs."""
        sample = self._passports.get(battery)
        if sample is None or who.audience is Audience.PUBLIC:
            return None
        passport = replace(sample, battery=battery)
        return Viewed(passport, frozenset((one.statement, one.index) for one in list_sources(passport)))

    def bundle(self, battery: str, statement: str, index: int, who: Reader) -> bytes | None:
        """Any bytes."""
        viewed = self.view(battery, who)
        return statement.encode() if viewed is not None and (statement, index) in viewed.proofs else None


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    """The pages behind a real server on loopback."""
    access = Access(TOKEN, lambda: NOON_MS)
    pages = PassportPages(SampleSource(), access, witness_note="one_demo", has_verdicts=True)
    verdicts = VerdictPages(pages, lambda: NOON_MS)
    object.__setattr__(verdicts, "rate", Unlimited())
    areas: list[Area] = [ProofChecks(access, lambda: b"{}"), verdicts]
    with served(create_application(Site(access, pages, areas))) as address:
        yield address


class Unlimited:
    """No limit: the tests ask faster than a reader."""

    def take(self, _: object) -> None:
        """Count nothing."""


@pytest.mark.parametrize(("name", "width", "scheme"), VIEWS)
def test_a_page_fits_and_is_accessible(browser: Browser, site: str, name: str, width: int, scheme: Scheme) -> None:
    """No sideways scrolling, no foreign host, few requests, no complaint, and none from the accessibility rules."""
    with opened(browser, site + PAGES[name], width=width, scheme=scheme, headers=OWNER) as (page, requested, trouble):
        assert 0 >= sideways(page)
        assert all(address.startswith(site + "/") for address in requested)
        assert len(requested) <= REQUESTS_MAX + (name == "verify") * 20
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert [] == violations(page)
        assert 0 >= sideways(page)
        assert [] == trouble


@pytest.mark.parametrize("width", [NARROWEST, WIDEST])
@pytest.mark.parametrize("name", ["hostile", "index", "long_names", "owner", "verdict", "verdict_hostile", "verify"])
def test_a_page_fits_the_narrowest_and_the_widest_screen(browser: Browser, site: str, name: str, width: int) -> None:
    """From 320 pixels to 4k nothing scrolls sideways, whatever the names."""
    with opened(browser, site + PAGES[name], width=width, headers=OWNER) as (page, _, _):
        assert 0 >= sideways(page)


@pytest.mark.parametrize("language", LOCALES)
def test_a_phone_shows_the_four_answers_at_once(browser: Browser, site: str, language: str) -> None:
    """Without scrolling: is it safe, what is it, who answers for it, does a valid certificate exist."""
    with opened(browser, f"{site}{PAGES['stranger']}?lang={language}", width=PHONE, headers=OWNER) as (page, _, _):
        for question in ("q1", "q2", "q3", "q4"):
            answer = page.locator(f"section[aria-labelledby={question}] .answer").first.bounding_box()
            assert answer is not None
            assert answer["y"] + answer["height"] <= HEIGHT


def shown_at_once(page: Page, selector: str) -> bool:
    """Whether an element lies on the first screen."""
    box = page.locator(selector).first.bounding_box()
    return box is not None and box["y"] + box["height"] <= HEIGHT


def test_each_question_of_a_buyer_is_answered_at_once_or_one_tap_away(browser: Browser, site: str) -> None:
    """Where: safe, what and who on the first screen; how good is one tap from it, and so is whether it is genuine."""
    with opened(browser, site + PAGES["stranger"], width=PHONE, headers=OWNER) as (page, _, _):
        for question in ("q1", "q2", "q3"):
            assert shown_at_once(page, f"section[aria-labelledby={question}] .answer")
        assert shown_at_once(page, "section[aria-labelledby=q4] ul")
        assert "at least 26.48" in page.inner_text("section[aria-labelledby=q4] ul")
        page.click(".top a[href='#q5']")
        assert page.locator("section[aria-labelledby=q5] .answer").is_visible()
        assert page.evaluate("document.getElementById('q5').getBoundingClientRect().top") < HEIGHT
        page.click("section[aria-labelledby=q4] a.act")
        assert "Does the last test still hold?" == page.inner_text("h1")
        assert page.locator(".word").is_visible()


def test_who_was_shown_the_health_reads_it_beside_the_others(browser: Browser, site: str) -> None:
    """Declared and measured in one answer, the curve beside the values on a desktop."""
    with opened(browser, site + PAGES["purchaser"], headers=OWNER) as (page, _, _):
        answer = page.inner_text("section[aria-labelledby=q6]")
        curve, values = (page.locator(one).bounding_box() for one in (".curve", ".values"))
        assert "96.0" in answer
        assert "91.5" in answer
        assert curve is not None
        assert values is not None
        assert curve["x"] + curve["width"] <= values["x"]
        assert abs(curve["y"] - values["y"]) < 100


@pytest.mark.parametrize("name", PASSPORTS)
def test_a_passport_is_small_as_it_is_served(browser: Browser, site: str, name: str) -> None:
    """At most 25 kB of HTML and three requests, with twelve tests and sixty steps as with none."""
    with opened(browser, site + "/", headers=OWNER) as (page, requested, _):
        requested.clear()
        answer = page.goto(site + PAGES[name])
        page.wait_for_load_state("networkidle")
        assert len(requested) <= REQUESTS_MAX
        assert answer is not None
        assert name in ("hostile", "long_names") or len(answer.body()) <= BYTES_MAX


@pytest.mark.parametrize("name", ["hostile", "owner", "stranger", "verdict"])
def test_a_page_says_the_same_without_scripts(browser: Browser, site: str, name: str) -> None:
    """Nothing depends on JavaScript: a script adds a button, and takes nothing away."""
    texts = []
    for scripts in (True, False):
        with opened(browser, site + PAGES[name], scripts=scripts, headers=OWNER) as (page, _, _):
            texts.append(page.inner_text("body"))
    with_scripts, without = texts

    assert "Check this yourself" not in without
    for line in without.splitlines():
        assert line in with_scripts


@pytest.mark.parametrize("name", ["index", "many_steps", "owner", "stranger", "verify"])
def test_everything_is_reached_by_keyboard_and_seen(browser: Browser, site: str, name: str) -> None:
    """Tab visits links and controls in reading order, each with a visible outline, and ends."""
    with opened(browser, site + PAGES[name], headers=OWNER) as (page, _, _):
        visited = visit_by_keyboard(page)
        places = [place for place, _, _ in visited]
        assert sorted(set(places)) == places
        assert -1 not in places
        assert all(style == "solid" and thickness >= 2 for _, style, thickness in visited)


def test_a_verdict_is_asked_for_by_keyboard(browser: Browser, site: str) -> None:
    """Choose the other policy with the arrows, send with Enter: another list of points."""
    with opened(browser, site + PAGES["verdict"], headers=OWNER) as (page, _, trouble):
        page.focus("#p1")
        page.keyboard.press("ArrowDown")
        page.keyboard.press("Enter")
        page.wait_for_url("**policy=second_life_intake**")
        assert "Enough is left for a second life" in page.inner_text("main")
        assert [] == trouble


def test_a_policy_of_ones_own_is_corrected_where_it_is_wrong(browser: Browser, site: str) -> None:
    """The mistake is pointed at, the text stands there to be mended, and the mended text is judged."""
    policy = "policy mine\nfacts\n  witneses: integer\nclause seen:\n  witneses >= 1\n"
    with opened(browser, site + PAGES["verdict"], width=PHONE, headers=OWNER) as (page, _, trouble):
        page.click("#own summary")
        page.fill("#text", policy)
        page.click("#own button")
        assert "Line 3, column 3" in page.inner_text("[role=alert]")
        assert [] == violations(page)
        assert 0 >= sideways(page)
        page.fill("#text", page.input_value("#text").replace("witneses", "witnesses"))
        page.click("#own button")
        assert "Accept" == page.inner_text(".word")
        assert [] == trouble


def test_hostile_text_runs_nothing(browser: Browser, site: str) -> None:
    """No dialog, no error, no blocked attempt either: the attack is text, on the passport as in its verdict."""
    for name in ("hostile", "verdict_hostile"):
        with opened(browser, site + PAGES[name], headers=OWNER) as (page, requested, trouble):
            assert page.inner_text("body").count("<script>alert(1)</script>") > (20 if name == "hostile" else 0)
            assert 0 == page.locator("img, iframe").count()
            own = {"/favicon.ico", "/static/check.js", PAGES[name]}
            assert own >= {address.removeprefix(site) for address in requested}
            assert [] == trouble


def test_control_the_policy_stops_what_escaping_would_miss(browser: Browser, site: str) -> None:
    """A script, a handler and a style put into the page by force are blocked, and the blocking is noticed."""
    with opened(browser, site + PAGES["stranger"], headers=OWNER) as (page, _, trouble):
        page.evaluate("document.body.append(Object.assign(document.createElement('p'), {id: 'x', textContent: 'x'}))")
        for attempt in (
            "x.setAttribute('style', 'color:red')",
            "x.setAttribute('onclick', 'alert(1)')",
            "x.innerHTML = '<img src=y onerror=alert(2)>'",
            "new Worker('/static/check.js')",
        ):
            page.evaluate(f"(() => {{ try {{ {attempt} }} catch (error) {{ console.error(String(error)) }} }})()")
        page.click("#x")
        assert 4 <= len([text for text in trouble if "Content Security Policy" in text or "Trusted" in text])
        assert not {"1", "2"} & set(trouble)


def test_control_a_page_that_is_too_wide_would_be_caught(browser: Browser, site: str) -> None:
    """The measure for sideways scrolling sees an element that sticks out."""
    with opened(browser, site + PAGES["stranger"], width=PHONE, headers=OWNER) as (page, _, _):
        page.evaluate("document.querySelector('h1').style.width = '600px'")
        assert 0 < sideways(page)


def test_control_a_missing_name_would_be_found(browser: Browser, site: str) -> None:
    """The accessibility rules see a button without a name."""
    with opened(browser, site + PAGES["stranger"], headers=OWNER) as (page, _, _):
        page.evaluate("document.querySelector('main').append(document.createElement('button'))")
        assert "button-name" in [rule for rule, _ in violations(page)]


def test_a_page_prints_on_a_few_sheets(browser: Browser, site: str) -> None:
    """On A4 the owner's page has its code, its curve and everything folded away, on no more than five sheets."""
    with opened(browser, site + PAGES["owner"], headers=OWNER) as (page, _, _):
        sheets = page.pdf(format="A4").count(b"/Type /Page\n")
        page.emulate_media(media="print")
        assert 1 <= sheets <= 5
        assert page.locator(".qr").is_visible()
        assert page.get_by_text("call the fire service").is_visible()
        assert not page.locator("nav").first.is_visible()
        assert not page.locator("button").is_visible()


def test_samples_are_all_shown() -> None:
    """Control: the first screen is measured on a page with all four answers."""
    assert STRANGER.certificate_in_force
    assert STRANGER.registers
