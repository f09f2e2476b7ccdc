"""What a stolen key signed stays, and says so wherever it is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.cli.bundle_text import describe_bundle
from cellvow.cli.passport_text import describe_passport
from cellvow.passport.view import OWNER
from cellvow.verify import parse_bundle
from cellvow.web import PageLinks, render_passport
from cellvow.web.blocks_page import ChainLinks, render_block
from cellvow.workspace.explorer import Explorer
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.rotation import mark_compromised
from tests.unit.web.page_reading import Page
from tests.unit.workspace.deal import BATTERY, START_MS, Deal, strike_deal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.passport.view import Passport, Source

pytestmark = pytest.mark.slow
SAID = "suspect: signed with a key that somebody else may have had by then"


@pytest.fixture
def deal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deal]:
    """A battery that the laboratory certified."""
    struck = strike_deal(tmp_path, monkeypatch)
    yield struck
    struck.close()


def steal(deal: Deal, since_ms: int) -> None:
    """The laboratory finds out that its key was copied at that moment."""
    with deal.session() as session:
        mark_compromised(session, deal.laboratory, deal.laboratory.key().kid.hex(), since_ms)
        session.publish()


def passport_of(deal: Deal) -> Passport:
    """The buyer's view."""
    viewed = PassportReader(deal.home, deal.buyer).view(BATTERY, OWNER)
    assert viewed is not None
    return viewed.passport


def sources_of(passport: Passport) -> list[Source]:
    """Who signed what of the attestations and the life."""
    return [one.source for one in passport.attestations] + [one.source for one in passport.life]


def test_what_a_stolen_key_signed_is_marked(deal: Deal) -> None:
    """Its certificate and its step of life, on the page and in the terminal; what others signed is not."""
    steal(deal, START_MS)
    passport = passport_of(deal)
    page = Page(render_passport(passport, links=PageLinks())).text
    text = "\n".join(str(line) for line in describe_passport(passport))

    assert {"lab": True, "maker": False, "buyer": False} == {
        one.organisation: one.suspect for one in sources_of(passport)
    }
    assert SAID in page
    assert SAID in text


def test_what_was_signed_before_the_theft_is_not(deal: Deal) -> None:
    """The mark begins with the moment that was named, by the time of the block."""
    certified_ms = max(one.source.time_ms for one in passport_of(deal).attestations)
    steal(deal, certified_ms + 1)
    passport = passport_of(deal)

    assert not any(one.suspect for one in sources_of(passport))
    assert SAID not in render_passport(passport, links=PageLinks())


def test_the_block_says_so_to_members(deal: Deal) -> None:
    """A member sees it beside the statement; a stranger sees no statement."""
    steal(deal, START_MS)
    explorer = Explorer(deal.home)
    height = next(one.source.height for one in passport_of(deal).attestations if one.source.organisation == "lab")
    links = ChainLinks("/", (), lambda path: path, newest="/blocks")
    shown = {}
    for is_member in (True, False):
        page = explorer.block(height, 0, bodies=is_member)
        assert page is not None
        shown[is_member] = SAID in render_block(page, explorer.head(), is_member=is_member, links=links)

    assert {True: True, False: False} == shown


def test_a_bundle_says_so_before_it_is_checked(deal: Deal) -> None:
    """Beside the statement, where the state in the bundle shows the mark."""
    steal(deal, START_MS)
    found = next(one.source for one in passport_of(deal).attestations if one.source.organisation == "lab")
    reader = PassportReader(deal.home, deal.laboratory)
    data = reader.bundle(BATTERY, found.statement, found.index, OWNER)
    assert data is not None
    text = "\n".join(describe_bundle(parse_bundle(data)))

    assert "suspect: the signer's key counts as compromised since" in text
