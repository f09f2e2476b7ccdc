"""Invitations over HTTP: the page behind a link, what a guess learns, and the desk's form."""

from __future__ import annotations

import logging
import re
from typing import TYPE_CHECKING

import pytest

from cellvow.api.access import GUESSES_BURST, Access
from cellvow.api.application import Site, create_application
from cellvow.api.desk_areas import desk_areas
from cellvow.api.passports import PassportPages
from cellvow.passport.coverage import STAGES
from cellvow.vault import Invited
from cellvow.workspace import commands
from cellvow.workspace.clock import now_ms
from cellvow.workspace.granting import PurchaserLinks
from cellvow.workspace.inviting import ASKED, Wish
from cellvow.workspace.passports import PassportReader
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.desk_world import BATTERY, ORIGIN, TOKEN, DeskSite, DeskWorld
from tests.unit.web.page_reading import Page, shape_faults

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import httpx

pytestmark = pytest.mark.slow

DAY_MS = 86_400_000
AS_JSON = {"accept": "application/json"}
FORM = {"battery": BATTERY, "stage": "test", "partner": "Garage <b>Nord</b>", "days": "14"}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[DeskWorld]:
    """Three members and a battery that its maker holds."""
    founded = DeskWorld.found(tmp_path)
    yield founded
    founded.close()


@pytest.fixture
def maker(world: DeskWorld) -> DeskSite:
    """Its maker's desk, with the owner at it."""
    return DeskSite(world.desk("maker")).enter()


def invite(site: DeskSite, stage: str = "test", partner: str = "Garage <b>Nord</b>", show: str = "") -> Invited:
    """An invitation, made without the form."""
    wish = Wish(BATTERY, stage, partner, now_ms() + DAY_MS, frozenset(show.split()))
    return site.desk.inviting.make(wish)


def open_link(site: DeskSite, token: str, query: str = "", **headers: str) -> httpx.Response:
    """As somebody without any session."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return site.client.get(f"/invite/{token}{query}", headers=named)


@pytest.mark.parametrize("language", ["en", "de", "pt-BR"])
@pytest.mark.parametrize("stage", ["test", "handover", "use"])
def test_the_page_is_whole_in_every_language(maker: DeskSite, stage: str, language: str) -> None:
    """For somebody who is no member and for a member; nothing acts, nobody keeps it, and its link is not in it."""
    for partner in ("Garage <b>Nord</b>", "buyer"):
        token = invite(maker, stage, partner).token
        answer = open_link(maker, token, accept_language=language)

        assert 200 == answer.status_code
        assert [] == shape_faults(Page(answer.text))
        assert "no-store" == answer.headers["cache-control"]
        assert "no-referrer" == answer.headers["referrer-policy"]
        assert token not in answer.text
        assert len(answer.content) <= 25_000


def test_the_page_says_who_asks_for_what_and_the_exact_command(maker: DeskSite) -> None:
    """To a newcomer the way to membership; to a member the command with the battery and his workspace filled in."""
    stranger = Page(open_link(maker, invite(maker).token).text).text
    member = Page(open_link(maker, invite(maker, "use", "buyer").token).text).text

    assert "The Maker" in stranger
    assert "Garage <b>Nord</b>" in stranger
    assert maker.desk.workspace.home().trust.genesis.hex() in stranger
    assert "cellvow invite accept LINK --genesis" in stranger
    assert f"cellvow service install {BATTERY} --into vehicle --place VIN --workspace buyer" in member
    assert "ask The Maker" in member


def test_the_page_shows_no_more_of_the_battery_than_a_stranger_sees(maker: DeskSite) -> None:
    """No register, no step of life, no value: only the model, the serial, and how much is recorded."""
    answer = open_link(maker, invite(maker).token, accept="application/json")
    document = answer.json()

    assert {"recorded": document["before"]["recorded"], "due": document["before"]["due"]} == document["now"]
    assert not {"registers", "life", "passport", "attestations"} & document.keys()
    assert ("apply", "", []) == (
        document["next_step"],
        document["partner"]["organisation"],
        document["partner"]["kids"],
    )


def test_once_it_is_signed_the_page_says_so_with_the_statement(maker: DeskSite, world: DeskWorld) -> None:
    """And the coverage before and after; nobody told the site."""
    token = invite(maker, "handover", "buyer").token
    buyer = world.desk("buyer")
    with maker.desk.write() as session:
        commands.offer_handover(session, maker.desk.workspace, BATTERY, "buyer", ("custody",))
    offered = open_link(maker, token, accept="application/json").json()
    with buyer.write() as session:
        signed = commands.answer_handover(session, buyer.workspace, BATTERY, "accept")
    page, document = open_link(maker, token).text, open_link(maker, token, accept="application/json").json()

    assert offered["offer_version"] is not None
    assert signed.digest.hex() == document["answered"]["statement"]
    assert signed.digest.hex() in page
    assert document["before"]["recorded"] + 1 == document["now"]["recorded"]


def test_threat_somebody_guesses_links(maker: DeskSite) -> None:
    """A wrong link, a revoked one and none at all get the same answer; after a burst not even the right one does."""
    revoked, good = invite(maker), invite(maker)
    maker.desk.inviting.revoke(revoked.invitation.invitation_id)
    answers = [open_link(maker, token) for token in ("A" * 43, revoked.token, "x", good.token[:-1], good.token + "A")]
    many = [open_link(maker, good.token).status_code for _ in range(GUESSES_BURST)]
    late = open_link(maker, good.token)

    assert {404} == {one.status_code for one in answers}
    assert 1 == len({one.text for one in answers})
    assert [200] * (GUESSES_BURST - 5) == many[: GUESSES_BURST - 5]
    assert 429 == late.status_code
    assert int(late.headers["retry-after"]) > 0


def test_threat_a_log_holds_a_token(
    maker: DeskSite, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Opening a link, guessing one and ending one write none, on any level, to any stream."""
    made = invite(maker)
    with caplog.at_level(logging.DEBUG, logger="cellvow"):
        open_link(maker, made.token)
        open_link(maker, "A" * 43)
        maker.desk.inviting.revoke(made.invitation.invitation_id)
    said = capfd.readouterr()

    for text in (caplog.text, said.out, said.err, repr(made)):
        assert made.token not in text
        assert "A" * 43 not in text


def test_a_link_shows_more_only_where_the_inviter_said_so(maker: DeskSite) -> None:
    """By the machinery of purchaser links: the cookie of one, for this battery alone."""
    workspace, reader = maker.desk.workspace, PassportReader(maker.desk.workspace.home(), maker.desk.workspace)
    access = Access(TOKEN, now_ms, PurchaserLinks(reader.home, workspace))
    site = Site(access, PassportPages(reader, access), desk_areas(maker.desk, access, now_ms))
    client = AsgiClient(create_application(site), ORIGIN)
    plain, more = invite(maker).token, invite(maker, show="health").token
    refused, opened = client.get(f"/invite/{plain}?look=1"), client.get(f"/invite/{more}?look=1")

    assert (200, 303) == (refused.status_code, opened.status_code)
    assert "set-cookie" not in refused.headers
    assert f"/{BATTERY}" == opened.headers["location"]
    assert f"Path=/{BATTERY}" in opened.headers["set-cookie"]
    assert "?look=1" in client.get(f"/invite/{more}").text
    assert "?look=1" not in client.get(f"/invite/{plain}").text


# The desk


def test_the_desk_invites_shows_the_link_once_and_ends_it(maker: DeskSite) -> None:
    """The link opens; the list says how it stands, and not the link; revoked it opens no more."""
    made = maker.post("/desk/invitations", FORM)
    found = re.search(rf"{ORIGIN}/invite/([A-Za-z0-9_-]{{43}})", made.text)
    assert found is not None, made.text
    later = maker.get("/desk/invitations").text
    number = maker.desk.workspace.invitations.invitations()[0].invitation_id

    assert 200 == open_link(maker, found[1]).status_code
    assert found[1] not in later
    assert "<b>Nord" not in later
    assert "No application has come back yet." in later
    assert 303 == maker.post("/desk/invitations", {"revoke": number}).status_code
    assert 404 == open_link(maker, found[1]).status_code
    assert "revoked" in Page(maker.get("/desk/invitations").text).text


@pytest.mark.parametrize(
    ("changed", "status"),
    [
        ({"days": "367"}, 400),
        ({"days": "soon"}, 400),
        ({"stage": "materials"}, 400),
        ({"battery": "nonsense"}, 400),
        ({"partner": " "}, 400),
        ({"stage": "birth"}, 400),
    ],
)
def test_a_form_that_cannot_be_says_why_and_keeps_what_was_typed(
    maker: DeskSite, changed: dict[str, str], status: int
) -> None:
    """Nobody is invited."""
    answer = maker.post("/desk/invitations", {**FORM, **changed})

    assert status == answer.status_code
    assert 'role="alert"' in answer.text
    assert [] == maker.desk.workspace.invitations.invitations()


def test_threat_an_invitation_is_made_without_session_or_form(maker: DeskSite) -> None:
    """Refused: no session, another form, another site's page."""
    assert 403 == maker.post("/desk/invitations", {**FORM, "form": "wrong"}).status_code
    assert 403 == maker.post("/desk/invitations", FORM, origin="https://elsewhere.example").status_code
    maker.cookie = ""
    assert 401 == maker.post("/desk/invitations", FORM).status_code
    assert [] == maker.desk.workspace.invitations.invitations()


def test_each_missing_stage_leads_whoever_answers_for_the_battery_to_its_invitation(
    maker: DeskSite, world: DeskWorld
) -> None:
    """At his own desk alone: not a stranger, nor a member who stands in no register."""
    address = f"/desk/invitations?battery={BATTERY.replace('/', '%2F')}&amp;stage=test"
    reader = PassportReader(maker.desk.workspace.home(), maker.desk.workspace)
    pages = {}
    for name in ("maker", "lab"):
        desk = world.desk(name)
        access = Access(TOKEN, now_ms)
        own = PassportReader(reader.home, desk.workspace)
        passports = PassportPages(own, access, organisation=name)
        site = DeskSite(desk)
        site.app = create_application(Site(access, passports, desk_areas(desk, access, now_ms)))
        site.client = AsgiClient(site.app, ORIGIN)
        pages[name] = site.enter().get(f"/{BATTERY}").text
        pages["stranger"] = site.client.get(f"/{BATTERY}").text

    assert address in pages["maker"]
    assert "stage=materials" not in pages["maker"]
    assert "/desk/invitations" not in pages["lab"]
    assert "/desk/invitations" not in pages["stranger"]
    form = Page(maker.get("/desk/invitations", {"battery": BATTERY, "stage": "use"}).text)
    assert ["use"] == [one.attributes["value"] for one in form.elements if "selected" in one.attributes]


def test_every_stage_that_can_be_asked_for_is_told_in_words() -> None:
    """And those that cannot are the two that have no record of their own to ask for."""
    assert {"materials", "birth"} == {stage.name for stage in STAGES} - set(ASKED)
