"""The desk in a real browser: from a measurement to certificate and label; its pages on phone and desktop."""

from __future__ import annotations

import base64
import os
from typing import TYPE_CHECKING

import pytest

from cellvow.evidence.reference import read_distribution, read_member
from cellvow.workspace.desk_jobs import UPLOADS_FOLDER
from tests.conftest import find_reference_measurement
from tests.e2e.chromium import DESKTOP, PHONE, Scheme, opened, served, sideways, violations, visit_by_keyboard
from tests.unit.desk_world import BATTERY, GTIN, STANDARD, TOKEN, DeskSite, DeskWorld, measurement

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

NARROWEST = 320
BYTES_MAX = 25_000
PAGES = {
    "desk": "/desk",
    "units": "/desk/units",
    "sheets": "/desk/sheets",
    "import": f"/desk/import?battery={BATTERY}",
    "receive": "/desk/receive",
    "handovers": "/desk/handovers",
    "battery": "/desk/batteries/new",
    "links": f"/desk/links?battery={BATTERY}",
    "label": f"/desk/labels/{BATTERY}",
}
VIEWS: list[tuple[str, int, Scheme]] = [
    *((name, PHONE, "dark") for name in sorted(PAGES)),
    *((name, DESKTOP, "light") for name in sorted(PAGES)),
]
DROP = """([text, name]) => {
  const bytes = Uint8Array.from(atob(text), (one) => one.charCodeAt(0));
  const carried = new DataTransfer();
  carried.items.add(new File([bytes], name, { type: "image/png" }));
  const place = document.getElementById("drop");
  for (const kind of ["dragenter", "dragover", "drop"])
    place.dispatchEvent(new DragEvent(kind, { dataTransfer: carried, bubbles: true, cancelable: true }));
}"""


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskWorld]:
    """Three members, a battery, and an offer that waits for an answer."""
    founded = DeskWorld.found(tmp_path_factory.mktemp("desk"))
    founded.offer("custody")
    yield founded
    founded.close()


@pytest.fixture(scope="module")
def lab(world: DeskWorld) -> Iterator[str]:
    """The laboratory's site."""
    with served(DeskSite(world.desk("lab")).app) as address:
        yield address


@pytest.fixture
def buyer(world: DeskWorld) -> Iterator[str]:
    """The buyer's site; how often its owner may enter begins anew."""
    with served(DeskSite(world.desk("buyer")).app) as address:
        yield address


def entering(site: str, address: str) -> str:
    """The address that opens the owner's session and goes on."""
    return f"{site}/enter/{TOKEN}?to={address}"


def drop(page: Page, content: bytes, name: str) -> None:
    """Drag a file onto the form."""
    page.evaluate(DROP, [base64.b64encode(content).decode(), name])


def import_file(page: Page, content: bytes, name: str) -> None:
    """Drag it, send it, and follow its job to the result."""
    drop(page, content, name)
    page.click("#upload button")
    page.wait_for_url("**/desk/imports/**", timeout=60_000)


def sign(page: Page, reference: str) -> None:
    """From the result over the review to the certificate, with a public sentence."""
    page.fill("#reference", reference)
    page.select_option("#standard", f"{STANDARD}:1")
    page.check("#certificate")
    page.fill("#percent", "80")
    page.click("form.fields button")
    page.click("form.acts button")
    page.wait_for_url("**/desk/certificates/**")


@pytest.mark.parametrize(("name", "width", "scheme"), VIEWS)
def test_a_page_of_the_desk_fits_and_is_accessible(
    browser: Browser, buyer: str, name: str, width: int, scheme: Scheme
) -> None:
    """No sideways scrolling, no complaint, small enough; the maker's hostile name is text."""
    with opened(browser, entering(buyer, PAGES[name]), width=width, scheme=scheme) as (page, requested, trouble):
        assert 0 == sideways(page)
        assert all(address.startswith(buyer + "/") for address in requested)
        assert [] == violations(page)
        assert [] == trouble
        assert len(page.content().encode()) <= BYTES_MAX


@pytest.mark.parametrize("name", ["desk", "units", "sheets", "handovers", "import"])
def test_a_page_of_the_desk_fits_the_narrowest_screen(browser: Browser, buyer: str, name: str) -> None:
    """At 320 pixels nothing scrolls sideways."""
    with opened(browser, entering(buyer, PAGES[name]), width=NARROWEST) as (page, _, _):
        assert 0 == sideways(page)


@pytest.mark.parametrize("name", ["desk", "units", "sheets", "import", "receive"])
def test_everything_on_a_page_of_the_desk_is_reached_by_keyboard(browser: Browser, buyer: str, name: str) -> None:
    """Tab visits links and fields in reading order, each with a visible outline."""
    with opened(browser, entering(buyer, PAGES[name])) as (page, _, _):
        visited = visit_by_keyboard(page)
        places = [place for place, _, _ in visited]
        assert sorted(set(places)) == places
        assert all(style == "solid" and thickness >= 2 for _, style, thickness in visited)


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
def test_from_a_dragged_file_to_a_signed_certificate(
    browser: Browser, lab: str, world: DeskWorld, width: int, scheme: Scheme
) -> None:
    """Each page on the way fits and is accessible; the upload is gone; the paper and label can be saved."""
    address = entering(lab, PAGES["import"])
    with opened(browser, address, width=width, scheme=scheme) as (page, _, trouble):
        import_file(page, measurement(), "cell <b>.csv")
        assert "Ah" in page.inner_text(".number")
        assert page.locator("polyline").count() == 1
        assert [] == violations(page)
        assert 0 == sideways(page)
        sign(page, f"WAY-{width}")
        assert f"WAY-{width}" in page.inner_text("h1")
        assert "at least" in page.inner_text("main")
        assert [] == violations(page)
        assert 0 == sideways(page)
        with page.expect_download() as saved:
            page.click(".acts a:first-child")
        assert saved.value.path().read_bytes().startswith(b"%PDF-")
        assert [] == trouble
    uploads: Path = world.folder / "lab" / UPLOADS_FOLDER
    assert {"lock"} == {path.name for path in uploads.rglob("*") if path.is_file()}


def test_the_way_goes_without_scripts_as_well(browser: Browser, lab: str, tmp_path: Path) -> None:
    """The file is chosen, sent as a form, and the page of its job is looked at again by its link."""
    (tmp_path / "cell.csv").write_bytes(measurement())
    with opened(browser, entering(lab, PAGES["import"]), scripts=False) as (page, _, trouble):
        page.set_input_files("#file", tmp_path / "cell.csv")
        page.click("#upload button")
        page.wait_for_url("**/desk/jobs/**")
        for _ in range(200):
            if page.locator("progress").count() == 0:
                break
            page.click("a.act")
        page.click("a.act")
        page.wait_for_url("**/desk/imports/**")
        sign(page, "NO-SCRIPT")
        assert [] == trouble


def test_a_damaged_file_ends_in_a_sentence(browser: Browser, lab: str) -> None:
    """The page of the job says what is wrong with it and what to do."""
    with opened(browser, entering(lab, PAGES["import"])) as (page, _, trouble):
        drop(page, b"PAR1" + b"\xff" * 300 + b"PAR1", "damaged.parquet")
        page.click("#upload button")
        page.wait_for_url("**/desk/jobs/**")
        page.wait_for_selector("#job[data-ended=yes]", timeout=60_000)
        assert "Nothing was kept" in page.inner_text("#job")
        assert [] == violations(page)
        assert [] == trouble


@pytest.mark.parametrize(("width", "scheme"), [(PHONE, "dark"), (DESKTOP, "light")])
def test_a_sheet_is_judged_then_signed_for_without_scripts(
    browser: Browser, world: DeskWorld, tmp_path: Path, width: int, scheme: Scheme
) -> None:
    """What each row comes to is seen before the one button; then every row names its statement; the units are found."""
    rows = [f"{GTIN};E-{width}-{number};2026-05-17;Plant 1" for number in range(3)]
    sheet = tmp_path / "births.csv"
    sheet.write_text("\n".join(["model;serial;manufactured_on;facility", *rows, "x;;;"]), encoding="utf-16")
    with served(DeskSite(world.desk("maker")).app) as site:
        where = entering(site, "/desk/sheets")
        with opened(browser, where, width=width, scheme=scheme, scripts=False) as (page, _, trouble):
            page.set_input_files("#file", sheet)
            page.click("form.fields button")
            assert "nothing is signed" in page.inner_text("main")
            assert "Line 5" in page.inner_text("main")
            assert 0 == sideways(page)
            page.click("form.acts button")
            for _ in range(200):
                if page.locator("progress").count() == 0:
                    break
                page.click("a.act")
            assert "message 2 of statement" in page.inner_text("main")
            assert 0 == sideways(page)
            page.goto(f"{site}/desk/units?q=E-{width}")
            assert f"E-{width}-2" in page.inner_text("main")
            assert [] == trouble


def test_an_offer_is_accepted_with_the_keyboard(browser: Browser, buyer: str) -> None:
    """The desk says what waits; two buttons answer it, and the battery stands in the registers."""
    with opened(browser, entering(buyer, "/desk")) as (page, _, trouble):
        page.click("#waits ~ p a")
        page.focus("button:has-text('Accept')")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        page.focus("button:has-text('Sign it')")
        with page.expect_navigation():
            page.keyboard.press("Enter")
        page.goto(buyer + "/desk")
        assert "PACK-0001" in page.inner_text("section:has(#mine)")
        assert [] == trouble


@pytest.mark.measurement
def test_the_real_measurement_becomes_a_certificate(browser: Browser, lab: str) -> None:
    """30.32 Ah with its interval, as the command line has it; signed, and saved as PDF."""
    found = find_reference_measurement(os.environ)
    assert found is not None
    name = "cell-discharge-bitrode-1c.csv"
    content = read_member(read_distribution(found), f"celljar-0.2.1/data/raw/ornl_leaf/{name}")
    with opened(browser, entering(lab, "/desk/import")) as (page, _, trouble):
        page.fill("#rated", "33.1")
        import_file(page, content, name)
        assert "30.321 Ah" in page.inner_text(".number").replace("\u00a0", " ")
        assert "30.266" in page.inner_text(".number")
        page.fill("#battery", BATTERY)
        sign(page, "REAL-1")
        with page.expect_download() as saved:
            page.click(".acts a:first-child")
        assert saved.value.path().read_bytes().startswith(b"%PDF-")
        page.click(".acts a[href*='/label']")
        assert page.locator("svg.label").is_visible()
        assert [] == trouble
