"""A dispute in a real browser: opened, shown as a dry run, signed, answered; its pages on phone and desktop."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.protocol.ruleset import NEWEST
from cellvow.workspace import commands
from cellvow.workspace.countersigning import set_rule
from cellvow.workspace.drafts import Attached
from tests.e2e.chromium import DESKTOP, PHONE, Scheme, opened, served, sideways, violations, visit_by_keyboard
from tests.unit.desk_world import BATTERY, TOKEN, DeskSite, DeskWorld
from tests.unit.workspace.test_desk_acts import act

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NARROWEST = 320
BYTES_MAX = 25_000
UNIT, DISPUTE = f"/desk/units/{BATTERY}", "/desk/disputes/maker/D-1"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskWorld]:
    """The buyer holds a battery of the maker, who has opened a dispute with a document; something waits for two."""
    founded = DeskWorld.found(tmp_path_factory.mktemp("disputes"), NEWEST)
    maker, buyer = founded.desk("maker"), founded.desk("buyer")
    with maker.write() as session:
        commands.offer_handover(session, maker.workspace, BATTERY, "buyer", ["custody"])
    with buyer.write() as session:
        commands.answer_handover(session, buyer.workspace, BATTERY, "accept")
    opening = {"battery": BATTERY, "topic": "custody", "respondent": "buyer", "arbiter": "lab", "text": "Returned."}
    act(maker, "dispute_open", opening, Attached("a.pdf", b"paper"))
    with maker.write() as session:
        set_rule(session, maker.workspace, ["StatePosition"])
    act(maker, "dispute_state", {"dispute": "maker/D-1", "text": "It was never returned."})
    yield founded
    founded.close()


@pytest.fixture
def maker(world: DeskWorld) -> Iterator[str]:
    """The maker's site; how often its owner may enter begins anew."""
    with served(DeskSite(world.desk("maker")).app) as address:
        yield address


def entering(site: str, address: str) -> str:
    """The address that opens the owner's session and goes on."""
    return f"{site}/enter/{TOKEN}?to={address}"


def address_of(world: DeskWorld, name: str) -> str:
    """Where a page is."""
    (held,) = world.desk("maker").seconds.list()
    known = {"unit": UNIT, "dispute": DISPUTE, "disputes": "/desk/disputes", "seconds": "/desk/seconds"}
    return known.get(name, f"/desk/seconds/{held.statement}")


NAMES = ("unit", "dispute", "disputes", "seconds", "second")
VIEWS: list[tuple[str, int, Scheme]] = [
    *((name, PHONE, "dark") for name in NAMES),
    *((name, DESKTOP, "light") for name in NAMES),
]


@pytest.mark.parametrize(("name", "width", "scheme"), VIEWS)
def test_a_page_of_a_dispute_fits_and_is_accessible(
    browser: Browser, world: DeskWorld, maker: str, name: str, width: int, scheme: Scheme
) -> None:
    """With every form open: no sideways scrolling, no complaint, small enough, nothing from elsewhere."""
    with opened(browser, entering(maker, address_of(world, name)), width=width, scheme=scheme) as found:
        page, requested, trouble = found
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
        assert 0 == sideways(page)
        assert all(address.startswith(maker + "/") for address in requested)
        assert [] == violations(page)
        assert [] == trouble
        assert len(page.content().encode()) <= BYTES_MAX
        page.set_viewport_size({"width": NARROWEST, "height": 640})
        assert 0 == sideways(page)


@pytest.mark.parametrize("name", ["unit", "dispute"])
def test_every_form_of_a_dispute_is_reached_by_keyboard(
    browser: Browser, world: DeskWorld, maker: str, name: str
) -> None:
    """Tab visits links and fields in reading order, each with a visible outline."""
    with opened(browser, entering(maker, address_of(world, name))) as (page, _, _):
        visited = visit_by_keyboard(page)
        places = [place for place, _, _ in visited]
        assert sorted(set(places)) == places
        assert all(style == "solid" and thickness >= 2 for _, style, thickness in visited)


@pytest.mark.parametrize("scripts", [True, False], ids=["", "without JavaScript"])
def test_a_dispute_is_opened_with_two_clicks(browser: Browser, world: DeskWorld, *, scripts: bool) -> None:
    """From the unit's page over the dry run to the dispute, on a phone; a page without scripts does as well."""
    subject = "safety" if scripts else "identity"
    with served(DeskSite(world.desk("buyer")).app) as site:
        context = browser.new_context(java_script_enabled=scripts, viewport={"width": PHONE, "height": 844})
        page = context.new_page()
        page.goto(entering(site, UNIT))
        page.click("summary:has-text('Open a dispute')")
        page.select_option("#topic", subject)
        page.select_option("#respondent", "maker")
        page.fill("#open-text", "It is hot.\nLook at it.")
        page.set_input_files("#open-file", {"name": "photo.jpg", "mimeType": "image/jpeg", "buffer": b"picture"})
        page.click("form:has(#open-text) button")
        page.wait_for_url("**/desk/acts/*")
        shown = page.inner_text("main")
        page.click("button:has-text('Sign it')")
        page.wait_for_load_state()
        done = page.inner_text("main")
        page.click("a:has-text('Back to where it is dealt with')")
        page.wait_for_url("**/desk/disputes/buyer/D-*")
        read = page.inner_text("main")
        context.close()

    assert "nothing is signed yet" in shown
    assert "photo.jpg" in shown
    assert "Signed and recorded." in done
    assert "It is hot.\nLook at it." in read
