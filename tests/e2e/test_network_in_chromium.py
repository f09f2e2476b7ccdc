"""The network's page in a real browser: on phone and desktop, light and dark, without scripts, read by axe."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.explorer import ExplorerRoutes
from cellvow.api.network import NetworkRoutes
from cellvow.api.passports import PassportPages
from cellvow.workspace.explorer import Explorer
from cellvow.workspace.network_view import NetworkReader
from cellvow.workspace.passports import PassportReader
from tests.e2e.chromium import DESKTOP, PHONE, Scheme, opened, served, sideways, violations
from tests.unit.api.node_site import OWNER_KEY
from tests.unit.workspace.busy_member import make_busy_member

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Browser

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A member's node whose engine answers."""
    member = make_busy_member(tmp_path_factory.mktemp("network"))
    access, reader = Access(OWNER_KEY, lambda: member.now_ms), PassportReader(member.home)
    network = NetworkReader(member.home, lambda: member.now_ms, open_engine=member.open_engine, others={})
    areas = (ExplorerRoutes(Explorer(member.home), reader, access), NetworkRoutes(network))
    with served(create_application(Site(access, PassportPages(reader, access), areas))) as address:
        yield address
    member.close()


@pytest.mark.parametrize(
    ("width", "scheme"), [(PHONE, "light"), (PHONE, "dark"), (DESKTOP, "light"), (DESKTOP, "dark")]
)
def test_the_page_fits_and_has_no_barrier(site: str, browser: Browser, width: int, scheme: Scheme) -> None:
    """Nothing to scroll sideways, nothing from elsewhere, nothing axe complains of."""
    with opened(browser, f"{site}/network", width=width, scheme=scheme) as (page, requested, trouble):
        assert 0 == sideways(page)
        assert [] == violations(page)
        assert [] == trouble
        assert [] == [one for one in requested if not one.startswith(site)]


def test_the_pages_of_the_chain_and_the_network_lead_to_each_other(site: str, browser: Browser) -> None:
    """From the chain to the network and back, with validators where other ledgers have witnesses."""
    with opened(browser, f"{site}/blocks", width=PHONE, scripts=False) as (page, _, trouble):
        text = page.inner_text("main")
        page.click("main a[href='/network']")
        heading = page.inner_text("h1")
        page.click("main a[href='/blocks']")

        assert "signed by 4 of 4 validators" in text
        assert ("The network", "The chain") == (heading, page.inner_text("h1"))
        assert [] == trouble
