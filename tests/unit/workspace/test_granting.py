"""Who may give a purchaser link, and what becomes of it when the battery is sold, comes back, or was never owned."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import OperationalError
from cellvow.passport.view import Audience, Reader, Scope
from cellvow.vault import GRANT_SCOPES, GrantOrder
from cellvow.workspace.granting import PurchaserLinks, issue_grant
from cellvow.workspace.workspace import GRANTS_FILE, Workspace
from tests.unit.workspace.deal import BATTERY, OTHER_BATTERY, START_MS, Deal, strike_deal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = START_MS + 1_000
END = NOW + 90_500


@pytest.fixture
def deal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deal]:
    """A deal of the test's own, since it sells on."""
    struck = strike_deal(tmp_path, monkeypatch)
    yield struck
    struck.close()


def order(battery: str = BATTERY, *scope: str) -> GrantOrder:
    """A link that shows everything, unless a scope is named."""
    return GrantOrder(battery, frozenset(scope or GRANT_SCOPES), END)


def links_of(deal: Deal, workspace: Workspace, moment_ms: int = NOW) -> PurchaserLinks:
    """The links as that organisation's site honours them at some moment."""
    return PurchaserLinks(deal.home, workspace, lambda: moment_ms)


def test_scopes_are_those_of_the_passport() -> None:
    """The vault knows the words, the passport what they mean: they are the same words."""
    assert list(GRANT_SCOPES) == [str(one) for one in Scope]


def test_the_bearer_reads_as_purchaser_with_the_scope_of_the_link(deal: Deal) -> None:
    """The link leads to its battery and shows what was granted."""
    issued = issue_grant(deal.buyer, deal.home, order(BATTERY, "health"), NOW)
    links = links_of(deal, deal.buyer)

    assert (BATTERY, 90) == links.enter(issued.token)
    assert Reader(Audience.PURCHASER, frozenset({Scope.HEALTH})) == links.reader(issued.token, BATTERY, "passport")


def test_only_the_owner_gives_links(deal: Deal) -> None:
    """Neither who made a battery nor who tested it: title decides. The owner is named, and what to do."""
    for workspace in (deal.maker, deal.laboratory):
        with pytest.raises(OperationalError, match=r"owned by buyer.*accept the hand-over"):
            issue_grant(workspace, deal.home, order(), NOW)
    with pytest.raises(OperationalError, match="owned by maker"):
        issue_grant(deal.buyer, deal.home, order(OTHER_BATTERY), NOW)


def test_holding_a_battery_is_not_owning_it(deal: Deal) -> None:
    """A carrier or laboratory with the battery in its hands, even one that answers for it, gives no links."""
    deal.hand_over(deal.buyer, deal.laboratory, ("custody", "responsibility"))
    with pytest.raises(OperationalError, match="owned by buyer"):
        issue_grant(deal.laboratory, deal.home, order(), NOW)
    assert BATTERY == issue_grant(deal.buyer, deal.home, order(), NOW).grant.battery


def test_no_link_leads_to_a_battery_that_is_not_there(deal: Deal) -> None:
    """It is refused as everywhere."""
    with pytest.raises(Rejected) as caught:
        issue_grant(deal.buyer, deal.home, order("01/09506000134376/21/NOWHERE"), NOW)
    assert Reason.UNKNOWN_BATTERY is caught.value.reason


def test_a_link_of_who_sold_the_battery_opens_nothing_until_it_comes_back(deal: Deal) -> None:
    """After the hand-over of ownership the earlier owner's links are refused, at once and on record."""
    token = issue_grant(deal.buyer, deal.home, order(), NOW).token
    links = links_of(deal, deal.buyer)
    deal.hand_over(deal.buyer, deal.maker, ("ownership",))

    assert links.enter(token) is None
    assert links.reader(token, BATTERY, "passport") is None
    deal.hand_over(deal.maker, deal.buyer, ("ownership",))
    assert links.reader(token, BATTERY, "passport") is not None
    assert ["not_owner", "not_owner", "opened"] == [one.verdict for one in deal.buyer.grants.uses()]


def test_every_refusal_is_none_and_on_record(deal: Deal) -> None:
    """Another battery, an invented link, one that has ended: the bearer cannot tell them apart, the owner can."""
    issued = issue_grant(deal.buyer, deal.home, order(), NOW)
    links = links_of(deal, deal.buyer)
    refused = [
        links.reader(issued.token, OTHER_BATTERY, "passport"),
        links.reader("A" * 43, BATTERY, "bundle"),
        links_of(deal, deal.buyer, END).enter(issued.token),
    ]

    assert [None, None, None] == refused
    assert [("passport", "other_battery"), ("bundle", "unknown"), ("link", "expired")] == [
        (one.route, one.verdict) for one in deal.buyer.grants.uses()
    ]


def test_a_link_is_good_for_the_organisation_that_gave_it(deal: Deal) -> None:
    """At another's site it is unknown, whatever that site shows of the battery."""
    token = issue_grant(deal.buyer, deal.home, order(), NOW).token

    assert links_of(deal, deal.maker).reader(token, BATTERY, "passport") is None


def test_a_workspace_that_never_gave_a_link_has_no_file_of_them(deal: Deal) -> None:
    """Absent means never used: one from before there were links opens, and the first use makes the file."""
    path = deal.buyer.folder / GRANTS_FILE
    deal.buyer.close()
    before = path.exists()
    deal.buyer = Workspace(deal.buyer.folder)

    assert not before
    assert links_of(deal, deal.buyer).enter("A" * 43) is None
    assert path.exists()
    assert 1 == len(deal.buyer.grants.uses())
