"""Who a request speaks for: keys that become cookies, forms that only the owner's own browser can send, grants."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from fastapi import APIRouter, Request, Response

from cellvow.api.access import GUESSES_BURST, SESSION_COOKIE, SESSION_MS, SESSIONS_MAX, Access
from cellvow.api.application import Site, create_application
from cellvow.api.guard import BodyRule
from cellvow.api.passports import PassportPages
from cellvow.passport.view import OWNER, Reader
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.test_passports import KEY, PATH, Shelf
from tests.unit.web.samples import BATTERY
from tests.unit.web.samples import OWNER as OWNERS_VIEW

TOKEN, LINK = "open-sesame-0123456789", "a-purchaser-link"


@dataclass
class Hours:
    """A clock that a test moves."""

    now_ms: int = 0

    def __call__(self) -> int:
        """The moment."""
        return self.now_ms


@dataclass
class OneLink:
    """A source that honours one link for one battery, and keeps what it was asked."""

    asked: list[tuple[str, str, str]] = field(default_factory=list)

    def enter(self, token: str) -> tuple[str, int] | None:
        """The battery of the link, for an hour."""
        return (BATTERY, 3600) if token == LINK else None

    def reader(self, token: str, battery: str, route: str) -> Reader | None:
        """The owner's view stands for whatever a grant shows."""
        self.asked.append((token, battery, route))
        return OWNER if token == LINK else None


class Form:
    """An area that changes something: it counts how often."""

    def __init__(self, access: Access) -> None:
        self.access = access
        self.sent = 0

    def routes(self) -> APIRouter:
        """A form and where it is sent."""
        router = APIRouter()
        router.add_api_route("/form", self.show, methods=["GET"], response_model=None)
        router.add_api_route("/form", self.send, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> tuple[BodyRule, ...]:
        """Short ones."""
        return (BodyRule("POST", "/form", 1000, ("text/plain",)),)

    def show(self, request: Request) -> Response:
        """The token a form would hold."""
        return Response(self.access.require_session(request).form_token)

    async def send(self, request: Request) -> Response:
        """Takes the token as the body."""
        self.access.require_form(request, (await request.body()).decode())
        self.sent += 1
        return Response("done")


@dataclass
class Place:
    """A site with a form, its clock and its links."""

    clock: Hours = field(default_factory=Hours)
    links: OneLink = field(default_factory=OneLink)

    def __post_init__(self) -> None:
        """Put it together."""
        self.access = Access(TOKEN, self.clock, self.links)
        self.form = Form(self.access)
        site = Site(self.access, PassportPages(Shelf(), self.access), (self.form,))
        self.client = AsgiClient(create_application(site))

    def enter(self, to: str = "") -> str:
        """Open a session; its cookie."""
        answer = self.client.get(f"/enter/{TOKEN}{to}")
        assert 303 == answer.status_code
        return answer.headers["set-cookie"].partition(";")[0]

    def send(self, cookie: str, token: str, **headers: str) -> int:
        """Send the form; the status."""
        headers = {
            "cookie": cookie,
            "content-type": "text/plain",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        return self.client.request("POST", "/form", content=token, headers=headers).status_code

    def form_token(self, cookie: str) -> str:
        """What the form holds for this session."""
        return self.client.get("/form", headers={"cookie": cookie}).text


@pytest.fixture
def place() -> Place:
    """The site."""
    return Place()


def test_the_key_becomes_a_cookie_that_scripts_and_other_sites_cannot_use(place: Place) -> None:
    """HttpOnly and SameSite; the address goes on without the key, and nothing keeps the answer."""
    answer = place.client.get(f"/enter/{TOKEN}?to={PATH}")

    assert (303, PATH) == (answer.status_code, answer.headers["location"])
    assert {"HttpOnly", "SameSite=lax"} <= {part.strip() for part in answer.headers["set-cookie"].split(";")}
    assert TOKEN not in answer.headers["set-cookie"]
    assert "no-store" == answer.headers["cache-control"]


def test_over_https_the_cookie_stays_there(place: Place) -> None:
    """Secure where the page is."""
    client = AsgiClient(place.client._app, base_url="https://passports.example")

    assert "Secure" in client.get(f"/enter/{TOKEN}").headers["set-cookie"]


@pytest.mark.parametrize(
    "to",
    [
        "//evil.example",
        "https://evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "javascript:alert(1)",
        "x",
        "/\n/x",
    ],
)
def test_entering_leads_to_no_other_site(place: Place, to: str) -> None:
    """An address that is no path of ours leads to the start."""
    assert "/" == place.client.get(f"/enter/{TOKEN}", params={"to": to}).headers["location"]


def test_the_session_opens_the_owners_view_until_it_is_left(place: Place) -> None:
    """With the cookie the owner, without it or after leaving a stranger."""
    cookie = {"cookie": place.enter()}
    assert "Your organisation’s view" in place.client.get(PATH, headers=cookie).text

    place.client.get("/leave", headers=cookie)

    assert "Public view." in place.client.get(PATH, headers=cookie).text


def test_a_session_ends_when_it_is_not_used(place: Place) -> None:
    """Its last use counts."""
    cookie = place.enter()
    place.clock.now_ms += SESSION_MS
    assert place.form_token(cookie)
    place.clock.now_ms += SESSION_MS + 1

    assert 401 == place.client.get("/form", headers={"cookie": cookie}).status_code


def test_sessions_are_bounded(place: Place) -> None:
    """The oldest goes when there are too many."""
    first = place.enter()
    for _ in range(SESSIONS_MAX):
        place.clock.now_ms += 60_000
        place.enter()

    assert 401 == place.client.get("/form", headers={"cookie": first}).status_code


def test_a_form_is_taken_from_the_session_it_was_given_to(place: Place) -> None:
    """The right token with the right cookie, also where the browser names the site."""
    cookie = place.enter()
    token = place.form_token(cookie)

    assert 200 == place.send(cookie, token)
    assert 200 == place.send(cookie, token, origin="http://passports.example", sec_fetch_site="same-origin")
    assert 2 == place.form.sent


def test_threat_another_site_sends_the_form(place: Place) -> None:
    """Without the token, with another session's, from another origin, or without a session: nothing is done."""
    cookie, other = place.enter(), place.enter()
    token = place.form_token(cookie)

    assert 403 == place.send(cookie, "")
    assert 403 == place.send(cookie, place.form_token(other))
    assert 403 == place.send(cookie, token, origin="http://evil.example")
    assert 403 == place.send(cookie, token, origin="null")
    assert 403 == place.send(cookie, token, sec_fetch_site="cross-site")
    assert 401 == place.send(f"{SESSION_COOKIE}=x", token)
    assert 0 == place.form.sent


def test_threat_keys_are_guessed(place: Place) -> None:
    """After a few wrong keys the client waits; the right one is no longer even compared."""
    statuses = [place.client.get(f"/enter/guess-{number}").status_code for number in range(GUESSES_BURST + 1)]
    answer = place.client.get(f"/enter/{TOKEN}")

    assert [404] * GUESSES_BURST + [429] == statuses
    assert 429 == answer.status_code
    assert 0 < int(answer.headers["retry-after"]) <= 4
    place.clock.now_ms += 1000 * int(answer.headers["retry-after"])
    assert 303 == place.client.get(f"/enter/{TOKEN}").status_code


def test_a_link_leads_to_its_battery_and_stays_there(place: Place) -> None:
    """The link becomes a cookie for the pages of one battery; the address names it no more."""
    answer = place.client.get(f"/g/{LINK}")
    cookie = answer.headers["set-cookie"]

    assert (303, PATH) == (answer.status_code, answer.headers["location"])
    assert f"Path={PATH}" in cookie
    assert "Max-Age=3600" in cookie
    shown = place.client.get(PATH, headers={"cookie": cookie.partition(";")[0]})
    assert "Your organisation’s view" in shown.text
    assert "no-store" == shown.headers["cache-control"]
    assert [(LINK, BATTERY, "passport")] == place.links.asked[:1]


def test_a_link_that_is_not_honoured_leaves_a_stranger(place: Place) -> None:
    """An unknown link is answered like a battery that is not there; a stale cookie shows the public view."""
    unknown = place.client.get("/g/other")
    stale = place.client.get(PATH, headers={"cookie": "cellvow_grant=other"})

    assert 404 == unknown.status_code
    assert "Not a battery of this ledger" in unknown.text
    assert "Public view." in stale.text
    assert ("other", BATTERY, "passport") in place.links.asked


def test_threat_links_are_guessed(place: Place) -> None:
    """A client that shows wrong links again and again waits, and the source is not asked meanwhile."""
    wrong = {"cookie": "cellvow_grant=other"}
    statuses = [place.client.get(PATH, headers=wrong).status_code for _ in range(GUESSES_BURST + 2)]

    assert [200] * GUESSES_BURST + [429, 429] == statuses
    assert GUESSES_BURST == len(place.links.asked)
    assert 200 == place.client.get(PATH).status_code


@pytest.mark.parametrize("organisation", ["somebody-else", None, ""])
def test_only_who_owns_the_battery_is_led_to_letting_others_look(organisation: str | None) -> None:
    """The owner's desk is named on his own view, on nobody else's, and never to a stranger."""
    access = Access(TOKEN, lambda: 0)
    owner = next(one.organisation for one in OWNERS_VIEW.registers if one.register == "ownership")

    def page(whose: str | None, headers: dict[str, str]) -> str:
        site = Site(access, PassportPages(Shelf(), access, organisation=whose))
        return AsgiClient(create_application(site)).get(PATH, headers=headers).text

    assert "/desk/links?battery=" in page(owner, KEY)
    assert "/desk/links" not in page(owner, {})
    assert "/desk/links" not in page(organisation, KEY)
