"""The network over HTTP: one page and its document, open to everybody, and what a member counts about the others."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.explorer import ExplorerRoutes
from cellvow.api.metrics import Figures
from cellvow.api.network import NetworkRoutes, NoNetwork, network_gauges
from cellvow.api.passports import PassportPages
from cellvow.workspace.explorer import Explorer
from cellvow.workspace.network_view import NetworkReader
from cellvow.workspace.passports import PassportReader
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.node_site import OWNER_KEY
from tests.unit.api.test_passports import Shelf
from tests.unit.web.page_reading import Page, shape_faults
from tests.unit.workspace.busy_member import make_busy_member

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.unit.workspace.consortium_world import MemberOnDisk


@pytest.fixture(scope="module")
def member(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MemberOnDisk]:
    """A member of a consortium where much happens."""
    made = make_busy_member(tmp_path_factory.mktemp("member"))
    yield made
    made.close()


def client_of(member: MemberOnDisk) -> AsgiClient:
    """Its site."""
    access, reader = Access(OWNER_KEY, lambda: member.now_ms), PassportReader(member.home)
    network = NetworkReader(member.home, lambda: member.now_ms, open_engine=member.open_engine, others={})
    areas = (ExplorerRoutes(Explorer(member.home), reader, access), NetworkRoutes(network))
    return AsgiClient(create_application(Site(access, PassportPages(reader, access), areas)))


def test_page_and_document_say_the_same(member: MemberOnDisk) -> None:
    """For browsers in their language, for programs field by field."""
    client = client_of(member)
    page = client.get("/network", headers={"accept": "text/html", "accept-language": "de"})
    document = client.get("/api/v1/network").json()

    assert "3 von 4 Validatoren haben Block 5 unterzeichnet." in Page(page.text).text
    assert [] == shape_faults(Page(page.text))
    assert (3, 5) == (document["engine"]["signers"], document["engine"]["height"])
    assert document == client.get("/network", headers={"accept": "application/json"}).json()


def test_before_there_is_a_ledger_the_page_says_what_to_do() -> None:
    """And programs get a problem."""
    access = Access(OWNER_KEY, lambda: 0)
    client = AsgiClient(
        create_application(Site(access, PassportPages(Shelf(()), access), (NetworkRoutes(NoNetwork()),)))
    )

    assert "make network" in client.get("/network", headers={"accept": "text/html"}).text
    assert 404 == client.get("/api/v1/network").status_code


def test_a_chain_under_validators_says_who_signed(member: MemberOnDisk) -> None:
    """Where other ledgers have a checkpoint and witnesses; blocks under it are covered."""
    client = client_of(member)
    head = client.get("/api/v1/head").json()
    text = Page(client.get("/blocks", headers={"accept": "text/html"}).text).text

    assert (None, 4, 4) == (head["checkpoint"], head["consent"]["signers"], head["consent"]["validators"])
    assert "Block 5, signed by 4 of 4 validators" in text
    assert "covered" in text
    assert "Final: 4 of 4 validators" in Page(client.get("/blocks/4", headers={"accept": "text/html"}).text).text


def test_a_member_counts_the_others(member: MemberOnDisk) -> None:
    """Whether its engine answers, who is missing, whether it is alone."""
    reader = NetworkReader(member.home, lambda: member.now_ms, open_engine=member.open_engine, others={})
    text = Figures().text(network_gauges(reader))

    for line in ("engine_reachable 1", "engine_height 5", "engine_peers 3", "validators_missing 1", "alone 0"):
        assert f"cellvow_{line}\n" in text
