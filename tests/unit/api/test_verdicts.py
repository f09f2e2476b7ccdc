"""Verdicts over HTTP: ready policies and the reader's own, on what he may see, with mistakes pointed at."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.passports import PassportPages
from cellvow.api.verdicts import JUDGED_BURST, POLICY_FORM_BYTES_MAX, VerdictPages
from cellvow.passport.acceptance import NAMES
from cellvow.web import LOCALES
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.test_passports import Shelf
from tests.unit.web.page_reading import Page, shape_faults
from tests.unit.web.samples import BATTERY, GTIN, HOSTILE_PASSPORT, NOON_MS, RECONSTRUCTED, SIMULATED, TESTED

PATH = f"/{BATTERY}/verdict"
TOKEN = "open-sesame-0123456789"
KEY = {"authorization": f"Bearer {TOKEN}"}
JSON = {"accept": "application/json"}
FORM = {"content-type": "application/x-www-form-urlencoded"}
TEXT = {"content-type": "text/plain"}
OWN = """policy mine
facts
  capacity_low_mah: integer
  today: date
  tested_on: date
clause enough standard "IEC 62660-1":
  capacity_low_mah >= 30000
clause fresh:
  today - tested_on <= 30
"""
PAGE_BYTES_MAX = 25_000


class Clock:
    """Milliseconds that a test moves."""

    def __init__(self) -> None:
        self.now_ms = NOON_MS

    def __call__(self) -> int:
        """The moment."""
        return self.now_ms


def client_of(shelf: Shelf | None = None, clock: Clock | None = None) -> AsgiClient:
    """A client of a site that gives verdicts."""
    clock = clock or Clock()
    access = Access(TOKEN, clock)
    pages = PassportPages(shelf or Shelf(), access, has_verdicts=True)
    return AsgiClient(create_application(Site(access, pages, [VerdictPages(pages, clock)])))


@pytest.fixture
def client() -> AsgiClient:
    """One battery."""
    return client_of()


def judged(client: AsgiClient, text: str, **options: Any) -> Any:  # noqa: ANN401 - a JSON document
    """The answer to a policy of one's own, as JSON."""
    headers = {**JSON, **TEXT, **options.pop("headers", {})}
    return client.request("POST", PATH, content=text.encode(), headers=headers, **options)


def test_a_stranger_cannot_be_told_what_is_withheld(client: AsgiClient) -> None:
    """His verdict rests on what he may see: unknown is unknown, with whom to ask."""
    answer = client.get(PATH, headers=JSON).json()
    changes = [change["key"] for clause in answer["clauses"] for change in clause["changes"]]

    assert "cannot_tell" == answer["verdict"]
    assert "change.withheld" in changes
    assert answer["savings"] is None


def test_the_owner_is_told_with_hours_and_money(client: AsgiClient) -> None:
    """The same policy on everything: accept, the certificate it rests on, and what that avoids."""
    answer = client.get(PATH, headers={**JSON, **KEY}).json()

    assert "accept" == answer["verdict"]
    assert "TEST-1" == answer["rests_on"]["reference"]
    assert [360, 600] == answer["savings"]["minutes"]


@pytest.mark.parametrize("language", LOCALES)
@pytest.mark.parametrize("policy", NAMES)
@pytest.mark.parametrize("headers", [{}, KEY], ids=["stranger", "owner"])
def test_the_page_is_a_checklist_that_a_phone_can_open(policy: str, headers: dict[str, str], language: str) -> None:
    """Well-formed, inert, small, one entry a clause, each with its basis and its reasons."""
    html = client_of().get(f"{PATH}?policy={policy}&lang={language}", headers=headers).text
    page = Page(html)
    clauses = client_of().get(f"{PATH}?policy={policy}", headers={**JSON, **headers}).json()["clauses"]

    assert [] == shape_faults(page)
    assert len(html.encode()) <= PAGE_BYTES_MAX
    states = [one for one in page.all("li") if one.attributes.get("class") in ("met", "missed", "unknown")]
    assert [clause["state"] for clause in clauses] == [one.attributes["class"] for one in states]


def test_a_verdict_cites_proofs_that_are_there(client: AsgiClient) -> None:
    """Each number in brackets that is a link leads to a bundle."""
    page = Page(client.get(PATH, headers=KEY).text)
    cited = {one for one in page.addresses if "/bundle/" in one}

    assert cited
    for address in cited:
        assert 200 == client.get(address, headers=KEY).status_code
    assert any(f"/bundle/{TESTED.statement[:16]}" in one or TESTED.statement in one for one in cited)


def test_the_day_decides(client: AsgiClient) -> None:
    """A certificate of today is too old in two years; the clock gives the day where nobody names one."""
    now = client.get(PATH, headers={**JSON, **KEY}).json()
    later = client.get(f"{PATH}?today=2028-11-24", headers={**JSON, **KEY}).json()

    assert ("2026-11-24", "accept") == (now["today"], now["verdict"])
    assert ("2028-11-24", "re_test") == (later["today"], later["verdict"])
    assert "would_cost" == later["savings"]["kind"]


def test_own_figures_stand_beside_the_result(client: AsgiClient) -> None:
    """Eight hours at 50 to 60: 400 to 480, said to be the reader's."""
    answer = client.get(f"{PATH}?hours=8&cost=50-60", headers={**JSON, **KEY}).json()
    page = client.get(f"{PATH}?hours=8&cost=50-60", headers=KEY).text

    assert [40_000, 48_000] == answer["savings"]["cents"]
    assert "These figures are yours." in page
    assert "These figures are our assumption" in client.get(PATH, headers=KEY).text


def test_a_policy_of_ones_own_is_judged_and_not_kept(client: AsgiClient) -> None:
    """As text by a program, as a form by a browser; a private answer in both cases."""
    answer = judged(client, OWN, headers=KEY)
    page = client.request("POST", PATH, data={"text": OWN.replace("\n", "\r\n")}, headers=KEY)

    assert "accept" == answer.json()["verdict"]
    assert "enough" in Page(page.text).text
    assert "Accept" in Page(page.text).text
    assert ["no-store"] * 2 == [one.headers["cache-control"] for one in (answer, page)]


def test_own_clauses_keep_their_own_names(client: AsgiClient) -> None:
    """A clause called like one of a ready policy is not given that one's words: it may ask something else."""
    page = Page(client.request("POST", PATH, data={"text": OWN}, headers=KEY).text)

    assert "The test is recent enough" not in page.text
    assert "fresh" in page.text


@pytest.mark.parametrize(
    ("text", "line", "column", "complaint"),
    [
        ("policy x\nfacts\n  capacty_mah: integer\nclause a:\n  capacty_mah > 1\n", "3", "3", "capacity_mah"),
        ("policy x\nfacts\n  today: date\nclause a:\n  today > > 1\n", "5", "11", ""),
        ("x", "1", "1", ""),
        ("policy х\n", "1", "8", ""),
    ],
)
def test_a_mistake_in_a_policy_is_pointed_at(
    client: AsgiClient, text: str, line: str, column: str, complaint: str
) -> None:
    """Line and column for programs and on the page, where the text stands to be corrected; never a verdict."""
    answer = judged(client, text)
    page = client.request("POST", PATH, data={"text": text})

    assert 400 == answer.status_code == page.status_code
    assert (line, column) == (answer.json()["line"], answer.json()["column"])
    assert complaint in answer.json()["detail"]
    assert f"Line {line}, column {column}" in page.text
    assert text.strip() in "".join(Page(page.text).all("textarea")[0].texts)


@pytest.mark.parametrize(
    "query",
    [
        "policy=none",
        "today=yesterday",
        "today=2026-13-01",
        "attestation=x",
        "attestation=cellab/NOT-THERE",
        "hours=x",
        "hours=10-6",
        "hours=0",
        "cost=9999999",
        "hours=-1",
    ],
)
def test_a_wrong_question_is_explained(client: AsgiClient, query: str) -> None:
    """What cannot be asked gets a reason, never a verdict."""
    answer = client.get(f"{PATH}?{query}", headers={**JSON, **KEY})

    assert 400 == answer.status_code
    assert "detail" in answer.json()


@pytest.mark.parametrize(
    ("content", "headers", "status"),
    [
        (b"x" * (POLICY_FORM_BYTES_MAX + 1), TEXT, 413),
        (b"\xff\xfe", TEXT, 400),
        (b"text=\xff", FORM, 400),
        (b"&&&", FORM, 400),
        (b"a=1&" * 100 + b"a=1", FORM, 400),
        (b"{}", {"content-type": "application/json"}, 415),
        (b"\x00" * 100, TEXT, 400),
    ],
)
def test_a_body_that_is_no_policy_is_refused(
    client: AsgiClient, content: bytes, headers: dict[str, str], status: int
) -> None:
    """Too long, no text, no form, another kind: each by its limit."""
    assert status == client.request("POST", PATH, content=content, headers={**JSON, **headers}).status_code


def test_a_battery_that_is_not_there_has_no_verdict(client: AsgiClient) -> None:
    """As on its passport."""
    assert 404 == client.get(f"/01/{GTIN}/21/NOT-THERE/verdict").status_code


def test_asking_too_often_is_slowed_down() -> None:
    """Judging is dear: the burst, then 429 with the seconds to wait, then again."""
    clock = Clock()
    client = client_of(clock=clock)
    answers = [client.get(PATH).status_code for _ in range(JUDGED_BURST + 1)]
    refused = client.get(PATH)
    clock.now_ms += 1000 * int(refused.headers["retry-after"])

    assert [200] * JUDGED_BURST + [429] == answers
    assert 200 == client.get(PATH).status_code


def test_what_is_simulated_is_said_before_the_verdict_is_believed() -> None:
    """The remark stands beside the word."""
    client = client_of(Shelf(public=replace(SIMULATED, audience=RECONSTRUCTED.audience)))

    assert "Simulated: some of what is attested was computed" in client.get(PATH).text


def test_hostile_text_stays_text() -> None:
    """Attacks in every field of the passport, and in the reader's own policy: nothing that runs."""
    shelf = Shelf(public=replace(HOSTILE_PASSPORT, audience=RECONSTRUCTED.audience))
    client = client_of(shelf)
    attack = 'policy x"><script>alert(1)</script>\u202e</textarea><img src=x onerror=alert(2)>'

    assert [] == shape_faults(Page(client.get(PATH).text))
    assert [] == shape_faults(Page(client.request("POST", PATH, data={"text": attack}).text))


def test_the_passport_leads_to_its_verdict(client: AsgiClient) -> None:
    """One tap from the certificate."""
    assert PATH in Page(client.get(f"/{BATTERY}").text).addresses
