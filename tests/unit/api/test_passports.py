"""The pages over HTTP: who sees what, in which form and language, and what a request may not do."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.guard import ADDRESS_BYTES_MAX
from cellvow.api.negotiation import choose, entity_tag
from cellvow.api.passports import PAGE_LENGTH, PassportPages
from cellvow.api.problems import SECURITY_HEADERS
from cellvow.core.primitives.errors import CellvowError, InvariantBroken, OperationalError, VerificationError
from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.claimed import Claimed
from cellvow.passport.short_code import derive_short_code, write_short_code
from cellvow.passport.sources import list_sources
from cellvow.passport.view import Audience, Passport, Reader
from cellvow.web import site_policy
from cellvow.web.excerpt import order_attestations
from cellvow.workspace.passports import Viewed
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.web.page_reading import Page
from tests.unit.web.samples import (
    ACCEPTED,
    BATTERY,
    CORRECTION,
    GTIN,
    MANY_TESTS,
    OWNER,
    SERIAL,
    STRANGER,
    TESTED,
    source,
)

TOKEN = "open-sesame-0123456789"
PATH = f"/{BATTERY}"
BUNDLE = f"{PATH}/bundle/{TESTED.statement}/0"
CLOSED = f"{PATH}/bundle/{CORRECTION.statement}/0"
UNKNOWN = f"/01/{GTIN}/21/NOT-THERE"
JSON = {"accept": "application/json"}
KEY = {"authorization": f"Bearer {TOKEN}"}


ALIKE = replace(
    STRANGER,
    attestations=tuple(
        replace(one, source=replace(source("cellab", "Cellab (invented)", number), statement=digest))
        for number, digest in enumerate(("a" * 64, "a" * 63 + "b", "b" * 64))
        for one in STRANGER.attestations
    ),
)
"""Three certificates, two of them under statements that begin alike."""


@dataclass
class Shelf:
    """Passports held in memory; `asked` keeps for whom each was wanted."""

    batteries_held: tuple[str, ...] = (BATTERY,)
    failure: Exception | None = None
    public: Passport = STRANGER
    shared_code: str = ""
    claims: dict[str, Claimed] = field(default_factory=dict)
    asked: list[Audience] = field(default_factory=list)

    def batteries(self, after: str, limit: int) -> Sequence[BatteryId]:
        """A page of them."""
        if self.failure is not None:
            raise self.failure
        return [BatteryId(one) for one in sorted(self.batteries_held) if one > after][:limit]

    def batteries_of_code(self, code: str, limit: int) -> Sequence[BatteryId]:
        """Those with the code, or with the one that `shared_code` gives to all."""
        found = [one for one in self.batteries("", limit) if code in (derive_short_code(one), self.shared_code)]
        return found[:limit]

    def claimed(self, battery: str) -> Claimed | None:
        """What a test says is claimed."""
        return self.claims.get(battery)

    def view(self, battery: str, who: Reader) -> Viewed | None:
        """The sample for the reader; a stranger may take no statement for members."""
        self.asked.append(who.audience)
        if self.failure is not None:
            raise self.failure
        if battery not in self.batteries_held:
            return None
        passport = replace(OWNER if who.audience is Audience.OWNER else self.public, battery=battery)
        closed = () if who.audience is Audience.OWNER else (CORRECTION.statement, ACCEPTED.statement)
        places = {(one.statement, one.index) for one in list_sources(passport)}
        return Viewed(passport, frozenset(place for place in places if place[0] not in closed))

    def bundle(self, battery: str, statement: str, index: int, who: Reader) -> bytes | None:
        """Bytes that name what they are the proof of."""
        viewed = self.view(battery, who)
        proofs = () if viewed is None else viewed.proofs
        return f"{statement} {index}".encode() if (statement, index) in proofs else None


def client_of(shelf: Shelf, token: str | None = TOKEN) -> AsgiClient:
    """A client of the pages of a shelf; failures come back as answers."""
    access = Access(token, lambda: 0)
    return AsgiClient(create_application(Site(access, PassportPages(shelf, access, witness_note="one_demo"))))


@pytest.fixture
def shelf() -> Shelf:
    """One battery."""
    return Shelf()


@pytest.fixture
def client(shelf: Shelf) -> AsgiClient:
    """A client of that shelf."""
    return client_of(shelf)


def test_a_stranger_gets_the_public_page(client: AsgiClient, shelf: Shelf) -> None:
    """Without a key the source is asked for the public view and nothing else."""
    answer = client.get(PATH)

    assert 200 == answer.status_code
    assert "text/html; charset=utf-8" == answer.headers["content-type"]
    assert "Public view." in answer.text
    assert {Audience.PUBLIC} == set(shelf.asked)


def test_the_key_opens_the_owners_view_and_nobody_keeps_it(client: AsgiClient) -> None:
    """The owner's page is never stored by anyone on its way."""
    answer = client.get(PATH, headers=KEY)

    assert "Your organisation’s view" in answer.text
    assert "no-store" == answer.headers["cache-control"]
    assert "etag" not in answer.headers
    assert "Cookie" in answer.headers["vary"]


def test_no_page_carries_the_key(client: AsgiClient) -> None:
    """Neither the code nor any link names the key: an address that is passed on opens the public view."""
    answer = client.get(PATH, headers=KEY)

    assert f"http://passports.example{PATH}" in Page(answer.text).text
    assert TOKEN not in answer.text


@pytest.mark.parametrize("key", ["", "x", TOKEN + "x", TOKEN[:-1], TOKEN.upper(), "Bearer", f"{TOKEN} {TOKEN}"])
def test_a_wrong_key_leaves_a_stranger(client: AsgiClient, shelf: Shelf, key: str) -> None:
    """Whoever shows something else gets the public view, and the source is asked for no other."""
    answer = client.get(PATH, headers={"authorization": f"Bearer {key}"})

    assert client.get(PATH).content == answer.content
    assert {Audience.PUBLIC} == set(shelf.asked)


@pytest.mark.parametrize("token", [None, ""])
def test_without_a_token_no_key_opens_anything(token: str | None) -> None:
    """Where no owner's view is offered, the empty key is as wrong as any other."""
    shelf = Shelf()
    answer = client_of(shelf, token).get(PATH, headers={"authorization": "Bearer "})

    assert 200 == answer.status_code
    assert {Audience.PUBLIC} == set(shelf.asked)


def test_an_unknown_battery_says_so_and_what_to_do(client: AsgiClient) -> None:
    """Not a battery of this ledger, with a next step."""
    answer = client.get(UNKNOWN)

    assert 404 == answer.status_code
    assert "Not a battery of this ledger" in answer.text
    assert "Compare the address with the code on the battery." in answer.text


@pytest.mark.parametrize(
    ("path", "sentence"),
    [
        (f"/01/09506000134377/21/{SERIAL}", "wrong check digit"),
        (f"/01/9506000134376/21/{SERIAL}", "not the address of a battery"),
        (f"/01/{GTIN}/21/pack-0001", "not the address of a battery"),
        (f"/01/{GTIN}/21/{'P' * 21}", "not the address of a battery"),
        (f"/01/{GTIN}/21/%3Cscript%3E", "not the address of a battery"),
        (f"/01/{GTIN}/21/", "no such page"),
        ("/?after=01/x", "not the address of a battery"),
        ("/docs", "no such page"),
        ("/openapi.json", "no such page"),
        (f"{PATH}/bundle/{'0' * 63}/0", "No proof that you may take"),
        (f"{PATH}/bundle/{TESTED.statement.upper()}x/0", "No proof that you may take"),
        (f"{PATH}/bundle/{TESTED.statement}/1", "No proof that you may take"),
        (f"{PATH}/bundle/{TESTED.statement}/-1", "No proof that you may take"),
        (f"{PATH}/bundle/{TESTED.statement}/10000", "No proof that you may take"),
        (f"{PATH}/bundle/{TESTED.statement}/²", "No proof that you may take"),
        (CLOSED, "No proof that you may take"),
    ],
)
def test_a_wrong_address_is_explained(client: AsgiClient, path: str, sentence: str) -> None:
    """Each kind of mistake has its own sentence, and all are 404."""
    answer = client.get(path)

    assert 404 == answer.status_code
    assert sentence in answer.text


def test_a_bundle_is_a_file_to_keep(client: AsgiClient) -> None:
    """Bytes as they are, under a name that tells which battery and statement they belong to."""
    answer = client.get(BUNDLE)

    assert f"{TESTED.statement} 0".encode() == answer.content
    assert "application/octet-stream" == answer.headers["content-type"]
    expected = f'attachment; filename="{SERIAL}-{TESTED.statement[:8]}-0.cvb"'
    assert expected == answer.headers["content-disposition"]


@pytest.mark.parametrize("length", [16, 20, 63, 64])
def test_the_start_of_a_digest_names_a_statement(length: int) -> None:
    """Pages shorten digests; the file is the same, and under its whole name."""
    answer = client_of(Shelf(public=ALIKE)).get(f"{PATH}/bundle/{'b' * length}/0")

    assert f"{'b' * 64} 0".encode() == answer.content


def test_a_start_that_two_statements_share_names_neither() -> None:
    """Where two begin alike the page writes them out, and the short form opens nothing."""
    client = client_of(Shelf(public=ALIKE))
    first = Page(client.get(PATH).text)
    later = [Page(client.get(one).text) for one in first.addresses if "after=" in one and "lang=" not in one]
    proofs = {one for page in (first, *later) for one in page.addresses if "/bundle/" in one}

    assert 404 == client.get(f"{PATH}/bundle/{'a' * 16}/0").status_code
    assert f"{SERIAL}/bundle/{'a' * 64}/0" in proofs
    assert f"{SERIAL}/bundle/{'b' * 16}/0" in proofs


def test_a_statement_for_members_is_given_to_the_owner_alone(client: AsgiClient) -> None:
    """The same address: refused to a stranger, open with the key."""
    assert 404 == client.get(CLOSED).status_code
    assert 200 == client.get(CLOSED, headers=KEY).status_code


def test_every_proof_linked_on_a_page_is_there(client: AsgiClient) -> None:
    """A link marked proof leads to a file, for strangers as for the owner."""
    for headers in ({}, KEY):
        page = Page(client.get(PATH, headers=headers).text)
        proofs = {address for address in page.addresses if "/bundle/" in address}
        assert proofs
        for address in proofs:
            assert 200 == client.get(f"/01/{GTIN}/21/{address}", headers=headers).status_code


def test_programs_get_json_from_the_same_address(client: AsgiClient) -> None:
    """Accept decides; the content is the view and its proofs."""
    answer = client.get(PATH, headers=JSON)

    assert "application/json" == answer.headers["content-type"]
    assert BATTERY == answer.json()["passport"]["battery"]
    assert "Accept" in answer.headers["vary"]


def test_programs_get_problem_details(client: AsgiClient) -> None:
    """RFC 9457: type, title, status, detail and the path, without the query that may hold a key."""
    answer = client.get(UNKNOWN, params={"key": "secret"}, headers=JSON)

    assert "application/problem+json" == answer.headers["content-type"]
    assert {"type", "title", "status", "detail", "instance"} == answer.json().keys()
    assert UNKNOWN == answer.json()["instance"]
    assert "urn:cellvow:problem:not-a-battery" == answer.json()["type"]
    assert "secret" not in answer.text


@pytest.mark.parametrize(
    ("query", "header", "expected"),
    [
        ("", "", "en"),
        ("", "de-AT,en;q=0.5", "de"),
        ("", "en;q=0.4, pt-BR;q=0.9", "pt-BR"),
        ("", "pt-PT", "pt-BR"),
        ("", "fr, de;q=0", "en"),
        ("", "*", "en"),
        ("?lang=de", "pt-BR", "de"),
        ("?lang=pt_BR", "", "pt-BR"),
        ("?lang=pt-BR", "", "pt-BR"),
        ("?lang=../../etc", "de", "de"),
        ("", ";;;q=,,q=nan,de;q=1e9", "en"),
    ],
)
def test_the_reader_chooses_the_language(client: AsgiClient, query: str, header: str, expected: str) -> None:
    """The address decides, then the browser's list, then English."""
    answer = client.get(PATH + query, headers={"accept-language": header})

    assert expected == answer.headers["content-language"]
    assert f'<html lang="{expected}">' in answer.text


@given(st.text(max_size=60))
def test_any_preference_header_makes_a_choice(header: str) -> None:
    """Whatever a client sends, one of the offers comes out."""
    assert choose(header, ("text/html", "application/json")) in ("text/html", "application/json")


def test_a_page_that_has_not_changed_is_not_sent_again(client: AsgiClient) -> None:
    """The tag is that of the body; who holds it gets 304 and no body; another language is another body."""
    first = client.get(PATH)
    tag = first.headers["etag"]

    assert entity_tag(first.content) == tag
    again = client.get(PATH, headers={"if-none-match": f'"x", W/{tag}'})
    assert (304, b"") == (again.status_code, again.content)
    assert 200 == client.get(PATH, params={"lang": "de"}, headers={"if-none-match": tag}).status_code


def test_the_list_is_turned_page_by_page() -> None:
    """Every battery comes once, in order, whatever the number of pages."""
    batteries = tuple(f"01/{GTIN}/21/PACK-{number:04}" for number in range(2 * PAGE_LENGTH + 1))
    client = client_of(Shelf(batteries))
    seen: list[str] = []
    address: str | None = "/"
    while address is not None:
        page = client.get(address, headers=JSON).json()
        seen += page["batteries"]
        address = page["more"]
    html = client.get("/").text

    assert [f"/{battery}" for battery in batteries] == seen
    assert batteries[PAGE_LENGTH - 1][21:] in html
    assert batteries[PAGE_LENGTH][21:] not in html


def test_a_long_passport_is_turned_page_by_page() -> None:
    """Every step and every test comes once, by the addresses that the answer itself gives."""
    client = client_of(Shelf(public=MANY_TESTS))
    steps: list[str] = []
    tests: list[str] = []
    address: str | None = PATH
    while address is not None:
        answer = client.get(address, headers=JSON).json()
        steps = [one["source"]["statement"] for one in answer["passport"]["life"]] + steps
        address = answer["more"]["life"]
    address = PATH
    while address is not None:
        answer = client.get(address, headers=JSON).json()
        tests += [one["reference"] for one in answer["passport"]["attestations"]]
        address = answer["more"]["attestations"]

    assert [step.source.statement for step in MANY_TESTS.life] == steps
    assert [one.reference for one in order_attestations(MANY_TESTS)] == tests


@pytest.mark.parametrize("query", ["before=x", "before=0", "before=10", "after=x", f"after={'0' * 64}.0"])
def test_a_cursor_of_nothing_is_explained(client: AsgiClient, query: str) -> None:
    """A page that a passport does not have is no empty page."""
    answer = client.get(f"{PATH}?{query}")

    assert 404 == answer.status_code
    assert "There is no such page of this passport" in answer.text


def test_a_short_code_leads_to_its_battery(client: AsgiClient) -> None:
    """As printed, in small letters, without hyphens, with the letters that look like digits."""
    code = client.get(PATH, headers=JSON).json()["short_code"]
    typed = code.replace("0", "o").replace("1", "l")

    assert write_short_code(derive_short_code(BatteryId(BATTERY))) == code
    for spelled in (code, code.lower(), code.replace("-", ""), typed):
        answer = client.get(f"/s/{spelled}?lang=de")
        assert (302, f"{PATH}?lang=de") == (answer.status_code, answer.headers["location"])
    assert f"/s/{code}" in client.get(PATH).text


@pytest.mark.parametrize(
    ("code", "sentence"),
    [
        ("0000-0000-0000", "Not a battery of this ledger"),
        ("0000-0000-000", "This is not a short code"),
        ("UUUU-UUUU-UUUU", "This is not a short code"),
        ("0" * 60, "This is not a short code"),
        ("%D0%90000-0000-0000", "This is not a short code"),
    ],
)
def test_a_wrong_short_code_is_explained(client: AsgiClient, code: str, sentence: str) -> None:
    """One that no battery has, and what is none."""
    answer = client.get(f"/s/{code}")

    assert 404 == answer.status_code
    assert sentence in answer.text


def test_a_code_of_two_batteries_lists_both() -> None:
    """Neither is chosen for the reader: he compares serial numbers."""
    batteries = (BATTERY, f"01/{GTIN}/21/PACK-0002")
    client = client_of(Shelf(batteries, shared_code="000000000000"))
    answer = client.get("/s/0000-0000-0000")

    assert 200 == answer.status_code
    assert "More than one battery has this short code" in answer.text
    for battery in batteries:
        assert f'href="/{battery}"' in answer.text


def test_an_empty_ledger_has_a_start_page() -> None:
    """It says what to do first."""
    assert "cellvow demo" in client_of(Shelf(())).get("/").text


@pytest.mark.parametrize(
    "path", ["/", PATH, UNKNOWN, BUNDLE, "/static/verify/verify.js", "/favicon.ico", "/x" * ADDRESS_BYTES_MAX]
)
def test_every_answer_carries_the_security_headers(client: AsgiClient, path: str) -> None:
    """No foreign script, no frame, no foreign content, no guessing of types, no trace in a referrer."""
    answer = client.get(path)

    for name, value in SECURITY_HEADERS.items():
        assert value == answer.headers[name]
    assert site_policy() == answer.headers["content-security-policy"]
    assert "no-referrer" == answer.headers["referrer-policy"]


@pytest.mark.parametrize(
    ("failure", "status", "sentence"),
    [
        (OperationalError("disk of node 7 is full"), 503, "The ledger cannot be read just now"),
        (VerificationError("file x.cvb"), 500, "A proof kept by this node does not hold"),
        (InvariantBroken("secret thing"), 500, "This is our mistake"),
        (ZeroDivisionError("secret thing"), 500, "This is our mistake"),
    ],
)
def test_a_failure_is_told_without_its_inside(
    failure: CellvowError | ZeroDivisionError, status: int, sentence: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whose fault and what next; neither file names nor reasons get out, and the headers are there all the same."""
    caplog.set_level(logging.CRITICAL)
    client = client_of(Shelf(failure=failure))
    answer = client.get(PATH)

    assert status == answer.status_code
    assert sentence in answer.text
    assert str(failure) not in answer.text
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert ("60" if status == 503 else None) == answer.headers.get("retry-after")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_pages_can_only_be_read(client: AsgiClient, shelf: Shelf, method: str) -> None:
    """Any other method is refused before the source is asked."""
    answer = client.request(method, PATH)

    assert 405 == answer.status_code
    assert "GET, HEAD" == answer.headers["allow"]
    assert [] == shelf.asked


def test_a_head_request_is_a_page_without_its_body(client: AsgiClient) -> None:
    """Same status and headers as for GET."""
    assert client.get(PATH).headers["etag"] == client.head(PATH).headers["etag"]


@pytest.mark.parametrize("headers", [{"content-length": "1"}, {"transfer-encoding": "chunked"}])
def test_a_body_is_refused_unread(client: AsgiClient, shelf: Shelf, headers: dict[str, str]) -> None:
    """A request that announces a body gets 413 and the connection is closed."""
    answer = client.request("GET", PATH, headers=headers)

    assert 413 == answer.status_code
    assert "close" == answer.headers["connection"]
    assert [] == shelf.asked


def test_an_address_has_a_longest_length(client: AsgiClient) -> None:
    """The longest address is read, one character more is refused."""
    longest = f"{PATH}?x={'y' * (ADDRESS_BYTES_MAX - len(PATH) - 2)}"

    assert 200 == client.get(longest).status_code
    assert 414 == client.get(longest + "y").status_code


@pytest.mark.parametrize("host", ['evil"><script>', "a b", "", "user@passports.example", "[::1"])
def test_a_host_that_is_none_gets_into_no_code(client: AsgiClient, host: str) -> None:
    """Where a client names a host that cannot be one, the code carries the path alone."""
    answer = client.get(PATH, headers={"host": host})

    assert f"<code>{PATH}</code>" in answer.text
    assert "<script>" not in answer.text


def test_a_fixed_origin_is_what_codes_lead_to() -> None:
    """With an origin of its own a node ignores what clients call it."""
    access = Access(None, lambda: 0)
    app = create_application(Site(access, PassportPages(Shelf(), access, origin="https://passports.example")))

    answer = AsgiClient(app, base_url="http://127.0.0.1:8000").get(PATH)

    assert f"<code>https://passports.example{PATH}</code>" in answer.text
