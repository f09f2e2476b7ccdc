"""Tour, explanation and glossary over HTTP: which battery, for whom, in which form and language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import pytest

from cellvow.api.about import AboutPages
from cellvow.api.access import Access
from cellvow.api.application import Area, Site, create_application
from cellvow.api.passports import PassportPages
from cellvow.api.tour import SEARCHED_MAX, TourPages
from cellvow.cli.site import NoPassports
from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.view import Audience, Passport, Reader, Scope
from cellvow.web.tour_stops import STOPS
from cellvow.workspace.passports import Viewed
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.web.page_reading import Page, shape_faults
from tests.unit.web.samples import BATTERY, CORRECTION, GTIN, OWNER, STRANGER, TESTED
from tests.unit.web.tour_samples import RECYCLED, SERVED, as_stranger

TOKEN = "open-sesame-0123456789"
JSON = {"accept": "application/json"}
KEY = {"authorization": f"Bearer {TOKEN}"}
FIRST = f"01/{GTIN}/21/AAAA-0001"
SERVICED, CEASED = f"01/{GTIN}/21/SERVICED-1", f"01/{GTIN}/21/CEASED-1"
UNKNOWN = f"01/{GTIN}/21/NOT-THERE"
PATHS = ["/tour", "/about", "/glossary", *(f"/tour/{stop.name}" for stop in STOPS)]


@dataclass
class OneGrant:
    """A purchaser's link to one battery that shows him its history; `tried` keeps on which it was tried."""

    tried: list[str] = field(default_factory=list)

    def enter(self, token: str) -> tuple[str, int] | None:  # noqa: ARG002 - as the port has it
        """Nobody enters here."""
        return None

    def reader(self, token: str, battery: str, route: str) -> Reader | None:  # noqa: ARG002 - likewise
        """A purchaser of the one battery."""
        self.tried.append(battery)
        return Reader(Audience.PURCHASER, frozenset({Scope.HISTORY})) if battery == BATTERY else None


@dataclass
class Shelf:
    """Batteries in memory; those in `tested` have a certificate. `asked` keeps which were wanted, for whom.

    `lived` are batteries with a life of their own.
    """

    held: tuple[str, ...] = (FIRST, BATTERY)
    tested: frozenset[str] = frozenset({BATTERY})
    lived: Mapping[str, Passport] = field(default_factory=dict)
    asked: list[tuple[str, Audience]] = field(default_factory=list)

    def batteries(self, after: str, limit: int) -> Sequence[BatteryId]:
        """A page of them."""
        return [BatteryId(one) for one in sorted(self.held) if one > after][:limit]

    def view(self, battery: str, who: Reader) -> Viewed | None:
        """The sample for the audience, and the proof of its test."""
        self.asked.append((battery, who.audience))
        if battery not in self.held:
            return None
        if battery in self.lived:
            shown = self.lived[battery] if who.audience is Audience.OWNER else as_stranger(self.lived[battery])
            return Viewed(replace(shown, battery=battery), frozenset())
        if who.audience is Audience.PURCHASER:
            return Viewed(replace(OWNER, audience=Audience.PURCHASER, scope=(Scope.HISTORY,)), frozenset())
        sample = OWNER if who.audience is Audience.OWNER else STRANGER
        attestations = sample.attestations if battery in self.tested else ()
        proofs = frozenset({(TESTED.statement, 0)})
        return Viewed(replace(sample, battery=battery, attestations=attestations), proofs)


def client_of(shelf: Shelf | NoPassports) -> AsgiClient:
    """A client of a site with tour and explanation."""
    access = Access(TOKEN, lambda: 0)
    areas: list[Area] = [TourPages(shelf, access, "one_demo", has_verdicts=True), AboutPages()]
    return AsgiClient(create_application(Site(access, PassportPages(NoPassports(), access), areas)))


@pytest.fixture
def shelf() -> Shelf:
    """Two batteries, the second with a certificate."""
    return Shelf()


@pytest.fixture
def client(shelf: Shelf) -> AsgiClient:
    """A client of that shelf."""
    return client_of(shelf)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_is_served_with_its_tag(client: AsgiClient, path: str) -> None:
    """Well-formed, and not sent twice to who holds it."""
    answer = client.get(path)
    again = client.get(path, headers={"if-none-match": answer.headers["etag"]})

    assert (200, 304) == (answer.status_code, again.status_code)
    assert [] == shape_faults(Page(answer.text))
    assert "Accept-Language" in answer.headers["vary"]


@pytest.mark.parametrize("path", PATHS)
def test_every_page_speaks_the_readers_language(client: AsgiClient, path: str) -> None:
    """By header or by name; links keep a language that was asked for by name."""
    german = client.get(path, headers={"accept-language": "de-AT,de;q=0.9"})
    named = Page(client.get(f"{path}?lang=pt_BR").text)

    assert "de" == german.headers["content-language"]
    assert "pt-BR" == named.all("html")[0].attributes["lang"]
    assert "/?lang=pt_BR" in named.addresses


@pytest.mark.parametrize("path", ["/tour", "/about", "/glossary", "/tour/made"])
def test_programs_get_json(client: AsgiClient, path: str) -> None:
    """The same content at the same address, with a tag of its own."""
    answer = client.get(path, headers=JSON)

    assert "application/json" == answer.headers["content-type"]
    assert answer.json()
    assert answer.headers["etag"] != client.get(path).headers["etag"]


def test_the_tour_takes_the_first_battery_with_a_certificate(client: AsgiClient) -> None:
    """Not simply the first."""
    assert BATTERY == client.get("/tour", headers=JSON).json()["battery"]


def test_where_no_battery_has_a_certificate_the_first_is_taken() -> None:
    """The tour then has open stops."""
    document = client_of(Shelf(tested=frozenset())).get("/tour", headers=JSON).json()

    assert FIRST == document["battery"]
    assert "open" in {stop["state"] for stop in document["stops"]}


def test_the_search_for_a_battery_is_bounded() -> None:
    """Among very many batteries only the first few are looked at."""
    shelf = Shelf(held=tuple(f"01/{GTIN}/21/B{number:05}" for number in range(1_000)), tested=frozenset())
    answer = client_of(shelf).get("/tour", headers=JSON)

    assert 200 == answer.status_code
    assert SEARCHED_MAX + 1 <= len(shelf.asked) <= 2 * SEARCHED_MAX + 1


def test_a_battery_can_be_asked_for_and_is_kept_on_the_way(client: AsgiClient) -> None:
    """Stops and languages keep it, other pages do not need it."""
    page = Page(client.get(f"/tour/made?battery={FIRST}").text)
    foot = "/tour"
    on_tour = [one for one in page.addresses if one.startswith("/tour") and one != foot]

    assert len(STOPS) < len(on_tour)
    assert all("battery=01%2F" in one for one in on_tour)
    assert not any("battery=" in one for one in page.addresses if not one.startswith("/tour"))
    assert f"/{FIRST}" in page.addresses


@pytest.mark.parametrize("path", ["/tour/nowhere", "/tour/made/x", f"/tour?battery={UNKNOWN}", "/tour?battery=x"])
def test_what_is_not_there_is_not_found(client: AsgiClient, path: str) -> None:
    """An unknown stop or battery is a problem page that says what to do."""
    assert 404 == client.get(path).status_code


def test_a_stranger_is_shown_the_public_view_and_the_owner_his(client: AsgiClient, shelf: Shelf) -> None:
    """The owner's answers are kept by nobody on the way."""
    public, owner = client.get("/tour"), client.get("/tour", headers=KEY)

    assert 'class="withheld"' in public.text
    assert 'class="withheld"' not in owner.text
    assert "no-store" == owner.headers["cache-control"]
    assert (BATTERY, Audience.OWNER) in shelf.asked


def test_a_stop_is_answered_on_another_battery_of_the_ledger() -> None:
    """The owner reads who serviced it, a stranger how one ended; both are told which one, and neither more."""
    lived = {SERVICED: SERVED, CEASED: RECYCLED}
    client = client_of(Shelf(held=(BATTERY, *lived), lived=lived))
    owner, public = (client.get("/tour", headers={**JSON, **key}).json()["stops"] for key in (KEY, {}))
    told, seen = ({one["name"]: (one["state"], one["battery"]) for one in stops} for stops in (owner, public))

    assert ("elsewhere", SERVICED) == told["serviced"]
    assert ("withheld", None) == seen["serviced"]
    assert ("elsewhere", CEASED) == told["recycled"] == seen["recycled"]
    assert f"/{CEASED}" in Page(client.get("/tour/recycled").text).addresses


def test_a_purchasers_link_is_tried_on_no_other_battery() -> None:
    """It is for one battery: the others he sees as everybody does, and no try is recorded against him."""
    grants = OneGrant()
    shelf = Shelf(held=(BATTERY, SERVICED), lived={SERVICED: SERVED})
    access = Access(TOKEN, lambda: 0, grants)
    areas: list[Area] = [TourPages(shelf, access, "one_demo")]
    client = AsgiClient(create_application(Site(access, PassportPages(NoPassports(), access), areas)))
    client.get(f"/tour?battery={BATTERY}", headers={"authorization": "Bearer granted-0123456789"})

    assert [BATTERY] == grants.tried
    assert (SERVICED, Audience.PUBLIC) in shelf.asked


def test_a_stop_offers_the_proof_the_reader_may_take(client: AsgiClient) -> None:
    """And no other."""
    tested, made = client.get("/tour/tested"), client.get("/tour/made")

    assert f"/{BATTERY}/bundle/{TESTED.statement}/0" in tested.text
    assert CORRECTION.statement not in made.text


def test_before_there_is_a_battery_the_tour_explains_itself() -> None:
    """An empty ledger has a tour that says which command makes one."""
    client = client_of(NoPassports())

    assert "cellvow demo" in client.get("/tour").text
    assert "cellvow demo" in client.get("/tour/tested").text
    assert client.get("/tour", headers=JSON).json()["battery"] is None


@pytest.mark.parametrize("path", ["/tour", "/about", "/glossary"])
def test_nothing_can_be_sent(client: AsgiClient, path: str) -> None:
    """These pages are only read."""
    assert 405 == client.request("POST", path, content=b"x").status_code
