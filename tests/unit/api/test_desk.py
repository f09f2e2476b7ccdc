"""The desk over HTTP: the owner's session or nothing, his own forms or nothing, limits before bytes, one signature."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from cellvow.api.desk import parse_rated_ah
from cellvow.api.desk_door import FORMS_BURST
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.signature import is_valid
from cellvow.evidence.bounds import FILE_BYTES_MAX
from cellvow.workspace.desk_jobs import UPLOADS_FOLDER, UPLOADS_MAX
from cellvow.workspace.export_package import verify_package
from tests.unit.desk_acting import sign
from tests.unit.desk_world import BATTERY, GTIN, ORIGIN, STANDARD, DeskSite, DeskWorld, measurement, wait_for_end
from tests.unit.web.page_reading import Page, shape_faults

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

PAGES = (
    "/desk",
    "/desk/units",
    "/desk/disputes",
    "/desk/seconds",
    f"/desk/units/{BATTERY}",
    "/desk/sheets",
    "/desk/import",
    "/desk/receive",
    "/desk/handovers",
    "/desk/batteries/new",
    "/desk/links",
    "/desk/invitations",
)
PACKAGE = f"/desk/exports/{BATTERY}/package.cvx"
HOSTILE_NAMES = (
    "../../etc/passwd",
    "..\\boot.ini",
    "a\0b",
    "\u202ecsv.exe",
    "x" * 300,
    "<img src=x onerror=alert(1)>.csv",
)
FORM_FAULTS = {"<form>", "<script>"}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DeskWorld]:
    """Three members and a battery."""
    founded = DeskWorld.found(tmp_path_factory.mktemp("desk"))
    yield founded
    founded.close()


@pytest.fixture
def site(world: DeskWorld) -> DeskSite:
    """The laboratory's desk, with the owner at it; limits of rate begin anew."""
    return DeskSite(world.desk("lab")).enter()


@pytest.fixture(scope="module")
def number(world: DeskWorld) -> str:
    """An import, brought in over HTTP."""
    lab = DeskSite(world.desk("lab")).enter()
    answer = lab.send("/desk/imports", measurement(), fields={"battery": BATTERY})
    assert 303 == answer.status_code, answer.text
    seen = wait_for_end(lab.desk, answer.headers["location"].rpartition("/")[2])
    assert seen.record.number is not None, seen
    return seen.record.number


def uploads(site: DeskSite) -> list[str]:
    """What lies in the folder of uploads."""
    folder = site.desk.workspace.folder / UPLOADS_FOLDER
    return [path.name for path in folder.rglob("*") if path.is_file() and path.name != "lock"]


def wish(reference: str, **changed: str) -> dict[str, str]:
    """The fields of a signature."""
    fields = {"battery": BATTERY, "reference": reference, "standard": f"{STANDARD}:1", "certificate": "yes"}
    return {**fields, "valid_until": "2999-12-31", "percent": "80", **changed}


def leaves(site: DeskSite) -> int:
    """How large the ledger's log is."""
    store = site.desk.workspace.home().open_reader()
    try:
        return store.head().log.size
    finally:
        store.close()


@pytest.mark.parametrize("address", [*PAGES, f"/desk/labels/{BATTERY}", PACKAGE, f"/desk/certificates/{'0' * 64}"])
def test_without_a_session_no_page_of_the_desk_is_shown(site: DeskSite, address: str) -> None:
    """401, and the page says what to do."""
    site.cookie = ""
    answer = site.get(address)

    assert 401 == answer.status_code
    assert "cellvow serve" in answer.text


@pytest.mark.parametrize("language", ["en", "de", "pt-BR"])
@pytest.mark.parametrize("address", PAGES)
def test_every_page_is_whole_in_every_language(site: DeskSite, address: str, language: str) -> None:
    """Balanced, one heading, nothing that acts but our own form and script; nobody keeps it."""
    answer = site.get(address, accept_language=language)

    assert 200 == answer.status_code
    assert set(shape_faults(Page(answer.text))) <= FORM_FAULTS
    assert "no-store" == answer.headers["cache-control"]
    assert len(answer.content) <= 25_000


def test_threat_a_file_is_sent_without_session_or_form(site: DeskSite) -> None:
    """Refused, and not a byte of it is kept: no session, another session's form, another site's page."""
    assert 403 == site.send("/desk/imports", b"x" * 5_000_000, fields={"form": "wrong"}).status_code
    assert 403 == site.send("/desk/imports", b"x", origin="https://elsewhere.example").status_code
    assert 403 == site.send("/desk/imports", b"x", sec_fetch_site="cross-site").status_code
    assert 403 == site.send("/desk/imports", b"x", origin="null").status_code
    site.cookie = ""
    assert 401 == site.send("/desk/imports", b"x" * 5_000_000).status_code
    assert [] == uploads(site)


def test_a_form_of_our_own_pages_is_taken_as_browsers_send_it(site: DeskSite) -> None:
    """A page with a form tells its own site where it comes from, also where a browser says nothing of fetching."""
    assert 'name="referrer" content="same-origin"' in site.get("/desk/import").text
    answer = site.send("/desk/imports", b"x", origin=ORIGIN)

    assert 303 == answer.status_code
    wait_for_end(site.desk, answer.headers["location"].rpartition("/")[2])


def test_threat_more_is_sent_than_is_ever_read(site: DeskSite) -> None:
    """Refused by its length before a byte is read, and the refusal names the limit."""
    answer = site.client.request(
        "POST",
        "/desk/imports",
        content=b"x",
        headers={
            "cookie": site.cookie,
            "content-type": "multipart/form-data; boundary=b",
            "content-length": str(2_000_000_000),
        },
    )

    assert 413 == answer.status_code
    assert str(FILE_BYTES_MAX)[:3] in answer.text
    assert 413 == site.send("/desk/receive", b"x" * 1_200_000).status_code


def test_a_form_of_another_type_is_not_taken(site: DeskSite) -> None:
    """Only what browsers send."""
    answer = site.client.request("POST", "/desk/imports", json={}, headers={"cookie": site.cookie})

    assert 415 == answer.status_code


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_threat_the_name_of_a_file_attacks(site: DeskSite, name: str) -> None:
    """It becomes a harmless name; the page that shows it acts on nothing, and the file is gone."""
    answer = site.send("/desk/imports", b"no measurement", name=name)
    address = answer.headers["location"]
    seen = wait_for_end(site.desk, address.rpartition("/")[2])
    page = site.get(address)

    assert "refused" == seen.record.state
    assert set(shape_faults(Page(page.text))) <= FORM_FAULTS
    assert "/" not in seen.record.file
    assert [] == uploads(site)


def test_a_job_is_told_to_programs_as_well(site: DeskSite) -> None:
    """State, sentence and, for a good one, where the result is."""
    address = site.send("/desk/imports", b"no measurement").headers["location"]
    wait_for_end(site.desk, address.rpartition("/")[2])
    told = site.get(address, accept="application/json").json()

    assert ("refused", True, None) == (told["state"], told["has_ended"], told["address"])
    assert "cell.csv" in told["cause"]
    assert 404 == site.get("/desk/jobs/" + "0" * 16).status_code
    assert 404 == site.get("/desk/jobs/none").status_code


def test_while_too_many_files_wait_the_next_is_refused(site: DeskSite) -> None:
    """503 with the time to wait, and nothing of it is kept."""
    held = [site.desk.jobs.open_upload("held.csv") for _ in range(UPLOADS_MAX)]
    answer = site.send("/desk/imports", b"x")
    for upload in held:
        upload.discard()

    assert 503 == answer.status_code
    assert "retry-after" in answer.headers
    assert [] == uploads(site)


@pytest.mark.parametrize(
    "fields", [{"battery": "01/x"}, {"battery": "01/04012345000016/21/A"}, {"rated_ah": "-1"}, {"mapping": "?"}]
)
def test_a_wish_that_cannot_be_is_refused_before_the_file_is_kept(site: DeskSite, fields: dict[str, str]) -> None:
    """400 in words."""
    assert 400 == site.send("/desk/imports", measurement(), fields=fields).status_code
    assert [] == uploads(site)


@pytest.mark.parametrize("text", ["0", "", "1e9", "nan", "1,2,3", "-3", "٣"])
def test_a_rated_capacity_is_a_number_above_0(text: str) -> None:
    """A point or a comma, three decimals."""
    assert 33_100 == parse_rated_ah("33.1") == parse_rated_ah("33,1")
    with pytest.raises(Malformed):
        parse_rated_ah(text)


def test_from_the_result_to_the_paper(site: DeskSite, number: str) -> None:
    """The value with its interval, the review with what is public, one statement, the paper, PDF and label."""
    result = site.get(f"/desk/imports/{number}")
    assert re.search(r"9\.\d+.Ah", result.text)
    review = site.get(f"/desk/imports/{number}/sign", params=wish("STORY-1"))
    assert "capacity: at least" in Page(review.text).text
    assert set(shape_faults(Page(review.text))) <= FORM_FAULTS
    signed = site.post(f"/desk/imports/{number}/sign", wish("STORY-1"))
    paper = site.get(signed.headers["location"])
    assert 200 == paper.status_code
    assert "STORY-1" in paper.text
    assert set(shape_faults(Page(paper.text))) <= FORM_FAULTS
    pdf = site.get(signed.headers["location"] + ".pdf")
    assert pdf.content.startswith(b"%PDF-")
    assert 'filename="PACK-0001-STORY-1.pdf"' in pdf.headers["content-disposition"]
    assert site.get(f"/desk/labels/{BATTERY}/label.pdf").content.startswith(b"%PDF-")
    label = site.get(f"/desk/labels/{BATTERY}/label.svg").text
    assert "<b>" not in label
    assert set(shape_faults(Page(site.get(f"/desk/labels/{BATTERY}").text))) <= FORM_FAULTS


def test_the_paper_leads_to_the_export_package(site: DeskSite, number: str) -> None:
    """One file to keep, of a type that no browser opens; values are in it only where the owner said so."""
    signed = site.post(f"/desk/imports/{number}/sign", wish("EXPORT-1"))
    paper = site.get(signed.headers["location"])
    assert {PACKAGE, f"{PACKAGE}?values=known"} <= set(Page(paper.text).addresses)
    opened = []
    for address in (PACKAGE, f"{PACKAGE}?values=known"):
        answer = site.get(address)
        assert ("application/vnd.cellvow.export.v1+zip", "no-store") == (
            answer.headers["content-type"],
            answer.headers["cache-control"],
        )
        assert 'attachment; filename="PACK-0001.cvx"' == answer.headers["content-disposition"]
        package = verify_package(answer.content, site.desk.workspace.home().trust, is_valid)
        opened.append(any(verified.disclosures for verified in package.verified.values()))
    assert [False, True] == opened
    german = site.get(f"{signed.headers['location']}?lang=de")
    assert f"{PACKAGE}?lang=de" in Page(german.text).addresses
    package = verify_package(site.get(f"{PACKAGE}?lang=de").content, None, is_valid)
    assert "de" == package.index["language"], "in the language of the page that leads to it"


def test_threat_a_signature_is_sent_twice(site: DeskSite, number: str) -> None:
    """The second leads to the same paper, and the ledger does not grow."""
    first = site.post(f"/desk/imports/{number}/sign", wish("ONCE-1"))
    size = leaves(site)
    second = site.post(f"/desk/imports/{number}/sign", wish("ONCE-1"))

    assert first.headers["location"] == second.headers["location"]
    assert size == leaves(site)


def test_what_speaks_against_a_signature_is_shown_and_nothing_is_signed(site: DeskSite, number: str) -> None:
    """In a review it is told; sent all the same, it is refused with the same words."""
    size = leaves(site)
    asked = wish("NEVER-1", percent="99")
    review = site.get(f"/desk/imports/{number}/sign", params=asked)
    sent = site.post(f"/desk/imports/{number}/sign", asked)

    assert (200, 400) == (review.status_code, sent.status_code)
    assert "does not support the public sentence" in review.text
    assert "does not support the public sentence" in sent.text
    assert size == leaves(site)


def test_a_rejection_of_the_ledger_is_shown_with_its_code(world: DeskWorld) -> None:
    """There is nothing to accept: the dry run says so in words and offers no signature; nothing is recorded."""
    site = DeskSite(world.desk("buyer")).enter()
    size = leaves(site)
    answer = site.post("/desk/handovers", {"answer": "accept", "battery": BATTERY, "version": "0"})
    shown = site.get(answer.headers["location"])

    assert 303 == answer.status_code
    assert re.search(r"code \d{3}", Page(shown.text).text)
    assert 'name="seen"' not in shown.text
    assert size == leaves(site)


def test_threat_a_signature_is_forged_by_another_site(site: DeskSite, number: str) -> None:
    """A wrong token, a foreign origin or no session sign nothing."""
    size, address = leaves(site), f"/desk/imports/{number}/sign"
    assert 403 == site.post(address, {**wish("FORGED-1"), "form": "0" * 43}).status_code
    assert 403 == site.post(address, wish("FORGED-1"), origin="https://elsewhere.example").status_code
    site.cookie = ""
    assert 401 == site.post(address, wish("FORGED-1")).status_code
    assert size == leaves(site)


def test_forms_have_a_rate(site: DeskSite) -> None:
    """Beyond the burst a form is refused with the seconds to wait."""
    codes = [
        site.post("/desk/handovers", {"answer": "none", "battery": BATTERY}).status_code for _ in range(FORMS_BURST + 1)
    ]

    assert {400} == set(codes[:-1])
    assert 429 == codes[-1]


def test_a_bundle_is_received_or_refused_in_words(world: DeskWorld, site: DeskSite, number: str) -> None:
    """What verifies is kept and shown; what does not leaves nothing."""
    signed = site.post(f"/desk/imports/{number}/sign", wish("GIVEN-1"))
    statement = signed.headers["location"].rpartition("/")[2]
    bundle = site.get(f"/{BATTERY}/bundle/{statement}/0").content
    buyer = DeskSite(world.desk("buyer")).enter()
    assert 422 == buyer.send("/desk/receive", b"no bundle").status_code
    assert 422 == buyer.send("/desk/receive", bundle[:-40]).status_code
    assert [] == list(buyer.desk.workspace.received.iterdir())

    kept = buyer.send("/desk/receive", bundle)
    assert 303 == kept.status_code
    assert "The Laboratory" in buyer.get(kept.headers["location"]).text
    assert 200 == buyer.get(f"/desk/certificates/{statement}").status_code


def test_a_battery_is_handed_over_by_both_sides(world: DeskWorld) -> None:
    """Offered on one desk, accepted on the other; hostile names stay text on both."""
    maker, buyer = DeskSite(world.desk("maker")).enter(), DeskSite(world.desk("buyer")).enter()
    offer = {"answer": "offer", "battery": f"{ORIGIN}/{BATTERY}", "addressee": "buyer", "registers": ["custody"]}
    sign(maker, maker.post("/desk/handovers", offer))
    page = Page(buyer.get("/desk/handovers").text)
    assert "The Maker <script>" in page.text
    assert set(shape_faults(page)) <= FORM_FAULTS
    version = next(one.attributes["value"] for one in page.elements if one.attributes.get("name") == "version")

    assert "The Maker" in Page(buyer.get("/desk").text).text
    answer = {"answer": "accept", "battery": BATTERY, "version": version}
    sign(buyer, buyer.post("/desk/handovers", answer))
    assert "PACK-0001" in Page(buyer.get("/desk").text).text


def test_a_link_is_shown_once_and_revoked(world: DeskWorld) -> None:
    """Its address stands on the page that made it and on no other; the owner's note stays text."""
    maker = DeskSite(world.desk("maker")).enter()
    order = {"battery": BATTERY, "scope": ["health", "history"], "days": "3", "note": "<b>x</b>"}
    made = maker.post("/desk/links", order)
    assert 200 == made.status_code
    found = re.search(rf"{ORIGIN}/g/[\w-]{{43}}", made.text)
    assert found is not None
    assert set(shape_faults(Page(made.text))) <= FORM_FAULTS
    later = maker.get("/desk/links")
    assert found[0] not in later.text
    grant = next(one.attributes["value"] for one in Page(later.text).elements if one.attributes.get("name") == "revoke")

    assert 303 == maker.post("/desk/links", {"battery": BATTERY, "revoke": grant}).status_code
    assert "revoked" in Page(maker.get("/desk/links").text).text
    assert 400 == maker.post("/desk/links", {**order, "days": "999"}).status_code


def test_a_battery_is_registered_from_its_form(world: DeskWorld) -> None:
    """The way leads to its label; a wrong field keeps what was typed."""
    maker = DeskSite(world.desk("maker")).enter()
    birth = {"gtin": GTIN, "serial": "FORM-1", "manufactured_on": "2026-11-01", "facility": "Plant 3"}

    assert f"/desk/labels/01/{GTIN}/21/FORM-1" == maker.post("/desk/batteries/new", birth).headers["location"]
    again = maker.post("/desk/batteries/new", birth)
    assert 409 == again.status_code
    assert "code 404" in Page(again.text).text
    wrong = maker.post("/desk/batteries/new", {**birth, "gtin": "123", "facility": "Plant <i>3"})
    assert 400 == wrong.status_code
    assert "Plant &lt;i&gt;3" in wrong.text


def test_unknown_numbers_are_no_pages(site: DeskSite) -> None:
    """404 for what is not there, whatever its spelling."""
    for address in (
        "/desk/imports/" + "0" * 32,
        "/desk/imports/none",
        "/desk/certificates/none",
        f"/desk/certificates/{'0' * 64}.pdf",
        f"/desk/labels/01/{GTIN}/21/NONE",
        f"/desk/exports/01/{GTIN}/21/NONE/package.cvx",
    ):
        assert 404 == site.get(address).status_code
