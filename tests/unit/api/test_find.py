"""The code on a battery, typed into the start page: whatever way it is written, it leads to one passport."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.short_code import derive_short_code, write_short_code
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.test_passports import PATH, Shelf, client_of
from tests.unit.web.samples import BATTERY, GTIN, SERIAL

SHORT = write_short_code(derive_short_code(BatteryId(BATTERY)))


@pytest.fixture
def client() -> AsgiClient:
    """A site with one battery."""
    return client_of(Shelf())


def look_for(client: AsgiClient, text: str, more: str = "") -> tuple[int, str | None]:
    """The status and where it leads."""
    answer = client.get(f"/find?code={quote(text)}{more}")
    return answer.status_code, answer.headers.get("location")


@pytest.mark.parametrize(
    "text",
    [
        f"https://elsewhere.example/01/{GTIN}/21/{SERIAL}?x=1",
        f"/{BATTERY}",
        BATTERY,
        f"(01){GTIN}(21){SERIAL}",
        f"{GTIN} {SERIAL.lower()}",
    ],
)
def test_a_code_leads_to_its_passport_here(client: AsgiClient, text: str) -> None:
    """Also one that names another site: whoever types it here wants to know what this ledger says."""
    assert (302, PATH) == look_for(client, text)
    assert (302, f"{PATH}?lang=de") == look_for(client, text, "&lang=de")


def test_a_short_code_leads_to_the_batteries_that_have_it(client: AsgiClient) -> None:
    """The short code's own address says what to do where two share it."""
    assert (302, f"/s/{SHORT}") == look_for(client, SHORT.lower())


def test_nothing_typed_leads_back_to_the_list(client: AsgiClient) -> None:
    """In the language that was asked for."""
    assert (302, "/?lang=de") == look_for(client, "  ", "&lang=de")
    assert (302, "/") == (client.get("/find").status_code, client.get("/find").headers["location"])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (SERIAL, "A serial number alone is not enough"),
        ("https://evil.example/", "This is not the code of a battery"),
        ("//evil.example", "This is not the code of a battery"),
        ("x" * 500, "This is not the code of a battery"),
        ("\r\nLocation: /x", "This is not the code of a battery"),
        (f"{GTIN[:-1]}{(int(GTIN[-1]) + 1) % 10} {SERIAL}", "wrong check digit"),
        (f"{GTIN} no_serial!", "This is not the address of a battery"),
    ],
)
def test_threat_what_is_no_code_leads_nowhere(client: AsgiClient, text: str, sentence: str) -> None:
    """No foreign address, no line of a header: the page says what is wrong and what to type."""
    answer = client.get(f"/find?code={quote(text)}")

    assert 404 == answer.status_code
    assert sentence in answer.text
    assert "location" not in answer.headers


def test_the_start_page_asks_for_the_code(client: AsgiClient) -> None:
    """A form that works without scripts, with its label, and that keeps the language."""
    page = client.get("/?lang=de").text

    assert '<form class="find" action="/find" method="get"' in page
    assert '<label for="code">Der Code auf der Batterie</label>' in page
    assert '<input type="hidden" name="lang" value="de">' in page
