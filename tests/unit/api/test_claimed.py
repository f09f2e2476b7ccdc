"""A number that is claimed and not registered, as whoever scans it is shown it: attributed, accepted by nobody."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, Any

import pytest

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.passports import PassportPages
from cellvow.core.contracts.dispute_file import LAPSE_MS
from cellvow.core.ledger.outcome import KeptAsClaim
from cellvow.node.home import NodeHome
from cellvow.passport.claimed import Claim, Claimed, derive_claimed
from cellvow.web import LOCALES
from cellvow.web.claimed_page import render_claimed
from cellvow.workspace import commands
from cellvow.workspace.clock import now_ms
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.workspace import Workspace
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.desk_world import DeskWorld
from tests.unit.desk_world import model as makers_model
from tests.unit.web.page_reading import Page, shape_faults

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

GTIN = makers_model().gtin
NUMBER = f"01/{GTIN}/21/CLONE-0001"
JSON = {"accept": "application/json"}
HOSTILE = "<script>alert(1)</script>\u202eevil"


class Scanned:
    """A ledger of three members whose battery numbers a stranger scans."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.world = DeskWorld.found(folder, ruleset=3, importers=("lab", "buyer"))
        self.home = NodeHome(folder / "node")
        access = Access("the-owners-key", now_ms)
        self.client = AsgiClient(create_application(Site(access, PassportPages(PassportReader(self.home), access))))

    def register(self, name: str, battery: str = NUMBER) -> None:
        """A member says that it made a battery."""
        with closing(Workspace(self.folder / name)) as space, self.home.open_session(now_ms) as session:
            commands.register_battery(session, space, battery, "2026-05-17", "Plant 1")
            session.publish()

    def claim(self, name: str, battery: str = NUMBER) -> str:
        """A member says so of another's model; the reference of the claim."""
        with pytest.raises(KeptAsClaim) as kept:
            self.register(name, battery)
        return kept.value.reference

    def document(self, path: str = f"/{NUMBER}") -> tuple[int, Any]:
        """What a program is answered."""
        answer = self.client.get(path, headers=JSON)
        return answer.status_code, answer.json()


@pytest.fixture
def scanned(tmp_path: Path) -> Scanned:
    """Nothing is claimed yet."""
    return Scanned(tmp_path)


def test_a_claimed_number_names_who_claims_it_and_accepts_nothing(scanned: Scanned) -> None:
    """A stranger reads that there is no passport, by whose word there should be one, and whose model it is."""
    reference = scanned.claim("lab")
    answer = scanned.client.get(f"/{NUMBER}?lang=en")
    page = Page(answer.text)

    assert 404 == answer.status_code
    assert [] == shape_faults(page)
    assert "Nobody has registered it: there is no passport." in page.text
    assert f"The Laboratory claims to have made it, as {reference} since " in page.text
    assert "That is this member’s word alone." in page.text
    assert "The number names the model Pouch 10 of The Maker <script>alert(1)</script>, who has registered" in page.text
    assert "nor that anybody did wrong" in page.text
    assert any(address.startswith("/blocks/") for address in page.addresses)


def test_programs_are_told_the_same(scanned: Scanned) -> None:
    """Problem details with the claims beside them; without a claim they are those of an unknown number."""
    before = scanned.document()
    reference = scanned.claim("lab")
    status, document = scanned.document()
    (claim,) = document["claims"]

    assert (404, "urn:cellvow:problem:not-a-battery") == (before[0], before[1]["type"])
    assert "claims" not in before[1]
    assert (404, "urn:cellvow:problem:claimed") == (status, document["type"])
    assert ("lab", "The Laboratory", reference, "cloned_serial") == tuple(
        claim[name] for name in ("organisation", "name", "reference", "topic")
    )
    assert (NUMBER, "Pouch 10") == (document["battery"], document["model"])


def test_each_claimant_stands_by_himself(scanned: Scanned) -> None:
    """Two who claim one number are both named, each with his own word."""
    scanned.claim("lab")
    scanned.claim("buyer")
    _, document = scanned.document()

    assert {"lab", "buyer"} == {one["organisation"] for one in document["claims"]}


def test_once_its_maker_registers_it_the_passport_warns_instead(scanned: Scanned) -> None:
    """The battery has a passport then, and the claim is the warning on it."""
    scanned.claim("lab")
    scanned.register("maker")
    status, document = scanned.document()

    assert (200, NUMBER) == (status, document["passport"]["battery"])
    assert ["cloned_serial"] == [one["topic"] for one in document["passport"]["disputes"]]


def test_another_number_of_the_model_is_not_smeared(scanned: Scanned) -> None:
    """A claim to one number says nothing of its neighbours."""
    scanned.claim("lab")

    assert "urn:cellvow:problem:not-a-battery" == scanned.document(f"/{NUMBER[:-1]}2")[1]["type"]


def test_a_claim_that_has_lapsed_is_told_no_more(scanned: Scanned) -> None:
    """Nothing was ever accepted of it: a stranger is not to read it for ever. At the moment it lapses, and before."""
    scanned.claim("lab")
    with closing(scanned.home.open_reader()) as store:

        def told(now: int) -> Claimed | None:
            return derive_claimed(store.get, lambda _: 1, NUMBER, now)

        found = told(now_ms())
        assert found is not None
        opened = found.claims[0].claimed_ms

        assert told(opened + LAPSE_MS) is not None
        assert told(opened + LAPSE_MS + 1) is None


@pytest.mark.parametrize("language", LOCALES)
def test_the_page_is_small_and_inert_whatever_the_names_say(language: str) -> None:
    """As many claims as a unit has room for, of members with hostile names; also of a number whose model nobody has."""
    claims = tuple(Claim(f"m{n}", HOSTILE, f"CLAIM-{n}", "cloned_serial", 1, "ab" * 32, 7) for n in range(8))
    for maker in (HOSTILE, None):
        page = render_claimed(
            Claimed(NUMBER, claims, maker, maker),
            locale=language,
            home="/",
            languages=(("en", "?lang=en"),),
            block_of=lambda height: f"/blocks/{height}",
        )
        assert [] == shape_faults(Page(page))
        assert len(page.encode()) <= 25_000
        assert "<script>alert" not in page
