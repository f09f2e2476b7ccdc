"""Units and sheets over HTTP: found and filtered, judged before they are signed for, and never an error of ours."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellvow.web.catalogue import LOCALES, load_catalogue
from cellvow.workspace.bulk import FAULTS
from cellvow.workspace.sheet import SHEET_BYTES_MAX
from tests.unit.desk_world import BATTERY, GTIN, DeskSite, DeskWorld
from tests.unit.web.page_reading import Page, shape_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

FORM_FAULTS = {"<form>", "<script>"}
SEVENTY = [f"U-{number:03d}" for number in range(70)]


def births(*serials: str) -> bytes:
    """A sheet that registers batteries."""
    rows = [f"{GTIN};{serial};2026-05-17;Plant 1" for serial in serials]
    return "\n".join(["model;serial;manufactured_on;facility", *rows]).encode()


def run(site: DeskSite, kind: str, content: bytes) -> dict[str, int]:
    """Send a sheet, have it signed for, wait for its end; how many rows of each word."""
    sent = site.send("/desk/sheets", content, "rows.csv", {"kind": kind})
    assert 303 == sent.status_code, sent.text
    address = sent.headers["location"]
    assert 303 == site.post(address, {}).status_code
    site.desk.sheets.wait(60)
    counts: dict[str, int] = site.get(address, accept="application/json").json()["counts"]
    return counts


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskWorld]:
    """A maker with 71 batteries, of which one is offered to the buyer."""
    founded = DeskWorld.found(tmp_path_factory.mktemp("desk"))
    maker = DeskSite(founded.desk("maker")).enter()
    assert {"recorded": 70} == run(maker, "register", births(*SEVENTY))
    founded.offer("custody")
    yield founded
    founded.close()


@pytest.fixture
def site(world: DeskWorld) -> DeskSite:
    """The maker's desk; limits of rate begin anew."""
    return DeskSite(world.desk("maker")).enter()


@pytest.fixture
def buyer(world: DeskWorld) -> DeskSite:
    """The buyer's desk."""
    return DeskSite(world.desk("buyer")).enter()


def leaves(site: DeskSite) -> int:
    """How large the ledger's log is."""
    store = site.desk.workspace.home().open_reader()
    try:
        return store.head().log.size
    finally:
        store.close()


def test_pages_of_units_lead_from_one_to_the_next(site: DeskSite) -> None:
    """By the links that stand on them: all 71, once each, in order."""
    address, seen = "/desk/units", list[str]()
    while address:
        text = site.get(address).text
        seen += re.findall(r'<li><a href="units/01/\d+/21/([^"]+)"', text)
        found = re.search(r'<a class="button" href="([^"]+)"', text)
        address = found[1].replace("&amp;", "&") if found else ""

    assert ["PACK-0001", *SEVENTY] == seen


@pytest.mark.parametrize(
    ("query", "serials"),
    [
        ("q=-069", ["U-069"]),
        ("q=u-00&register=custody", [f"U-00{number}" for number in range(10)]),
        (f"q={BATTERY.replace('/', '%2F')}", ["PACK-0001"]),
        (f"q=http%3A%2F%2Fpassports.example%2F01%2F{GTIN}%2F21%2FU-007", ["U-007"]),
        ("offer=made", ["PACK-0001"]),
        ("status=waste", []),
        ("disputed=yes", []),
        ("q=nothing+like+that", []),
        ("model=9", []),
    ],
)
def test_units_are_found(site: DeskSite, query: str, serials: list[str]) -> None:
    """By serial, scanned code, register, status and offer; a page without any says so."""
    found = site.get(f"/desk/units?{query}", accept="application/json").json()
    page = site.get(f"/desk/units?{query}").text

    assert serials == [one["serial"] for one in found["units"]]
    assert bool(serials) != ("You have no unit like that" in page)


def test_all_units_are_saved_as_csv_and_can_be_sent_again(site: DeskSite) -> None:
    """Every page of them; the sheet is one that an offer can be made from."""
    sheet = site.get("/desk/units.csv?q=U-0")
    rows = list(csv.DictReader(io.StringIO(sheet.text)))

    assert "text/csv; charset=utf-8" == sheet.headers["content-type"]
    assert SEVENTY == [row["serial"] for row in rows]
    assert 72 == len(site.get("/desk/units.csv").text.splitlines())
    offers = "\n".join(["battery,addressee", *(f"{row['battery']},buyer" for row in rows[:2])])
    sent = site.send("/desk/sheets", offers.encode(), fields={"kind": "offer"})
    assert {"ready": 2} == site.get(sent.headers["location"], accept="application/json").json()["counts"]


def test_what_waits_leads_to_where_it_is_dealt_with(buyer: DeskSite, site: DeskSite) -> None:
    """The offer stands in the buyer's list, and in nobody else's."""
    page = buyer.get("/desk").text

    assert f"{BATTERY}: accept or decline" in page
    assert '<a href="/desk/handovers">' in page
    assert "accept or decline" not in site.get("/desk").text


def test_threat_a_dry_run_signs_something(site: DeskSite) -> None:
    """Sent, shown row by row and saved as CSV, the ledger is as it was. Control: the button makes it larger."""
    before = leaves(site)
    sent = site.send("/desk/sheets", births("D-1", "D-2", "d-3"), "<b>.csv", {"kind": "register"})
    address = sent.headers["location"]
    page, results = site.get(address), site.get(f"{address}/results.csv")
    after = leaves(site)
    site.post(address, {})
    site.desk.sheets.wait(60)

    assert before == after < leaves(site)
    assert "dry run: nothing is signed" in page.text
    assert "Sign for 2 rows" in page.text
    assert "serial" in page.text
    assert ["ready", "ready", "serial"] == [row["state"] for row in csv.DictReader(io.StringIO(results.text))]
    done = site.get(address).text
    assert "recorded on the ledger" in done
    assert "Sign for" not in done


def test_a_sheet_sent_again_is_not_done_twice(site: DeskSite) -> None:
    """All its rows are there already, and no button is shown."""
    assert {"recorded": 2} == run(site, "register", births("E-1", "E-2"))
    before = leaves(site)
    assert {"already": 2} == run(site, "register", births("E-1", "E-2"))
    assert before == leaves(site)


def test_what_is_no_sheet_comes_back_with_a_sentence(site: DeskSite) -> None:
    """422 and the form again; a sheet without a file or larger than is read is refused."""
    nothing = site.send("/desk/sheets", b"", fields={"kind": "register"})
    columns = site.send("/desk/sheets", b"a,b\n1,2\n", fields={"kind": "offer"})
    kind = site.send("/desk/sheets", b"battery\nx\n", fields={"kind": "destroy"})

    assert [422, 422, 422] == [nothing.status_code, columns.status_code, kind.status_code]
    assert "addressee" in columns.text
    assert (
        400
        == site.client.request(
            "POST", "/desk/sheets", data={"form": site.form}, files={"x": "y"}, headers={"cookie": site.cookie}
        ).status_code
    )
    assert 413 == site.send("/desk/sheets", b"x" * (SHEET_BYTES_MAX + 100_000)).status_code


def test_threat_a_sheet_comes_without_session_or_form(site: DeskSite) -> None:
    """Nothing is judged, nothing signed, nothing shown."""
    address = site.send("/desk/sheets", births("F-1"), fields={"kind": "register"}).headers["location"]
    before = leaves(site)

    assert 403 == site.send("/desk/sheets", births("F-2"), fields={"form": "wrong"}).status_code
    assert 403 == site.post(address, {"form": "wrong"}).status_code
    assert 403 == site.post(address, {}, sec_fetch_site="cross-site").status_code
    site.cookie = ""
    for path in ("/desk/units", "/desk/units.csv", "/desk/sheets", address, f"{address}/results.csv"):
        assert 401 == site.get(path).status_code
    assert 401 == site.send("/desk/sheets", births("F-2")).status_code
    assert 401 == site.post(address, {}).status_code
    assert before == leaves(site)


@pytest.mark.parametrize("address", ["/desk/sheets/0123456789abcdef", "/desk/sheets/x", "/desk/sheets/x/results.csv"])
def test_a_sheet_that_is_not_there_is_not_found(site: DeskSite, address: str) -> None:
    """404."""
    assert 404 == site.get(address).status_code


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.sampled_from(["q", "model", "register", "status", "offer", "disputed", "after", "lang"]), text=st.text())
def test_threat_any_question_about_units_is_answered(site: DeskSite, name: str, text: str) -> None:
    """Whatever is typed: never an error of ours."""
    params = {"register": "custody", name: text}
    assert 200 == site.get("/desk/units", {name: text}).status_code
    assert 200 == site.get("/desk/units", params).status_code
    assert 200 == site.get("/desk/units.csv", params).status_code
    assert 200 == site.get("/desk/handovers", {"received_after": text, "made_after": text}).status_code


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(kind=st.sampled_from(["register", "offer", "accept", "decline", "withdraw"]), content=st.binary(max_size=400))
def test_threat_any_bytes_are_sent_as_a_sheet(world: DeskWorld, kind: str, content: bytes) -> None:
    """Judged or refused; never an error of ours."""
    site = DeskSite(world.desk("maker")).enter()
    heading = b"battery,addressee,manufactured_on,facility\n"
    for sent in (content, heading + content):
        answer = site.send("/desk/sheets", sent, fields={"kind": kind})
        assert answer.status_code in (303, 422)
        if answer.status_code == 303:
            assert 200 == site.get(answer.headers["location"]).status_code


@pytest.mark.parametrize("language", ["en", "de", "pt-BR"])
def test_every_page_is_whole_in_every_language(site: DeskSite, language: str) -> None:
    """Balanced, one heading; what was found of a row stands in the reader's language."""
    sent = site.send("/desk/sheets", births("G-1", "G-1", "g"), fields={"kind": "register"})
    for address in ("/desk/units", "/desk/units?q=U-0&offer=made", "/desk/sheets", sent.headers["location"]):
        answer = site.get(address, accept_language=language)
        assert 200 == answer.status_code
        assert set(shape_faults(Page(answer.text))) <= FORM_FAULTS
        assert "no-store" == answer.headers["cache-control"]
        assert len(answer.content) <= 25_000


def test_every_fault_of_a_row_has_a_sentence_in_every_language() -> None:
    """None says what another says."""
    for language in LOCALES:
        texts = [load_catalogue(language).plain(f"sheet_fault.{word}") for word in FAULTS]
        assert len(texts) == len(dict.fromkeys(texts))
