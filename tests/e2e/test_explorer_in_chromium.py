"""The chain in a real browser: picture and table on phone and desktop, light and dark, by keyboard, under attack."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Literal

import pytest
import uvicorn
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped] # ships no type information
from playwright.sync_api import Browser, Page

from cellvow.api.application import Site, create_application
from cellvow.api.explorer import ExplorerRoutes, NoChain
from cellvow.api.passports import PassportPages
from cellvow.workspace.explorer import BlockPage, BlockView, ChainHead, Explorer, LeafView, MessageView, StatementView
from tests import messages
from tests.unit.api.node_site import OWNER_KEY, NodeSite
from tests.unit.api.test_passports import Shelf
from tests.unit.web.samples import HOSTILE

pytestmark = [pytest.mark.browser, pytest.mark.slow]

ARGUMENTS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run")
PHONE, DESKTOP, NARROWEST, WIDEST = 390, 1280, 320, 3840
PATHS = {"chain": "/blocks", "older": "/blocks?before=4", "end": "/blocks?before=1", "block": "/blocks/3"}
Scheme = Literal["light", "dark"]


@contextmanager
def served(app: object) -> Iterator[str]:
    """An application behind a real server on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off"))  # type: ignore[arg-type] # any ASGI application
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A node with blocks under its checkpoint and above it."""
    with NodeSite(tmp_path_factory.mktemp("chain")) as node:
        node.fill(batteries=30)
        node.writer.publish()
        node.submit(node.member.key.sign(messages.model()).data)
        node.clock.step_ms = 3_000  # so that the limit on keys shown does not end the tests
        with served(node.app) as address:
            yield address


class Hostile(NoChain):
    """One block whose statements hold every attack there is, as no ledger of ours would let through."""

    def __init__(self, head: ChainHead | None) -> None:
        self._head = head

    def head(self) -> ChainHead | None:
        """That of a real ledger."""
        return self._head

    def block(self, height: int, first_leaf: int, *, bodies: bool) -> BlockPage | None:  # noqa: ARG002 - the port's
        """It."""
        message = MessageView(
            index=0, type=HOSTILE, subject=HOSTILE * 3, accepted=False, code=1, reason="X", rule=HOSTILE
        )
        statement = StatementView(
            txid="0" * 64,
            digest="0" * 64,
            bytes=1,
            organisation=HOSTILE,
            sequence=1,
            mode=None,
            messages_total=1,
            messages=(message,),
        )
        block = BlockView(
            height=9,
            time_ms=10**15,
            first_leaf=1,
            statements=1,
            evidence=0,
            block_leaf=2,
            block_hash="0" * 64,
            state_root="0" * 64,
            ruleset=1,
        )
        leaf = LeafView(index=1, kind="statement", hash="0" * 64, statement=statement)
        return BlockPage(block=block, leaves=(leaf,), next_leaf=None, earlier=None, later=None)


@contextmanager
def opened(
    browser: Browser, address: str, *, width: int = DESKTOP, scheme: Scheme = "light", key: str = ""
) -> Iterator[tuple[Page, list[str], list[str]]]:
    """A page, the addresses it asked for, and what the browser complained of; with a `key` as the owner sees it."""
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme)
    page = context.new_page()
    if key:
        entered = page.goto(address[: address.index("/", 8)] + f"/enter/{key}")
        assert entered is not None
        assert 200 == entered.status
    requested: list[str] = []
    trouble: list[str] = []
    page.on("request", lambda request: requested.append(request.url))
    page.on("console", lambda message: trouble.append(message.text))
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.goto(address)
    yield page, requested, trouble
    context.close()


@pytest.mark.parametrize("key", ["", OWNER_KEY], ids=["stranger", "member"])
@pytest.mark.parametrize(
    ("width", "scheme"), [(PHONE, "dark"), (DESKTOP, "light"), (PHONE, "light"), (DESKTOP, "dark")]
)
@pytest.mark.parametrize("name", PATHS)
def test_a_page_fits_and_is_accessible(
    browser: Browser, site: str, name: str, width: int, scheme: Scheme, key: str
) -> None:
    """No sideways scrolling, no foreign host, few requests, no complaint, and none from the accessibility rules."""
    with opened(browser, site + PATHS[name], width=width, scheme=scheme, key=key) as (page, requested, trouble):
        assert width >= page.evaluate("document.documentElement.scrollWidth")
        assert all(address.startswith(site + "/") for address in requested)
        assert len(requested) <= 3
        violations = Axe().run(page).response["violations"]
        assert [] == [(one["id"], [node["html"][:200] for node in one["nodes"]]) for one in violations]
        assert [] == trouble


@pytest.mark.parametrize("width", [NARROWEST, WIDEST])
@pytest.mark.parametrize("language", ["en", "de", "pt-BR"])
@pytest.mark.parametrize("path", ["/blocks", "/blocks/3"])
def test_a_page_fits_the_narrowest_and_the_widest_screen(
    browser: Browser, site: str, path: str, language: str, width: int
) -> None:
    """From 320 pixels to 4k nothing scrolls sideways, in any language."""
    with opened(browser, f"{site}{path}?lang={language}", width=width, key=OWNER_KEY) as (page, _, _):
        assert width >= page.evaluate("document.documentElement.scrollWidth")


def test_from_the_chain_to_a_passport_by_keyboard(browser: Browser, site: str) -> None:
    """A member goes from the newest block to a battery without a mouse; focus can be seen all the way."""
    with opened(browser, f"{site}/blocks", key=OWNER_KEY) as (page, _, _):
        found: list[str] = []
        for target in ("/blocks/3", f"/01/{messages.GTIN}/21/PACK-0001"):
            for _ in range(60):
                page.keyboard.press("Tab")
                found = page.evaluate(
                    "(e => [e.getAttribute('href'), getComputedStyle(e).outlineStyle])(document.activeElement)"
                )
                if found[0] == target:
                    break
            assert [target, "solid"] == found
            page.keyboard.press("Enter")
            page.wait_for_url(f"**{target}")


def test_hostile_text_runs_nothing(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Even what no ledger would let through is text on the page, and stays within it."""
    with NodeSite(tmp_path_factory.mktemp("hostile")) as node:
        routes = ExplorerRoutes(Hostile(Explorer(node.home).head()), Shelf(), node.access)
        app = create_application(Site(node.access, PassportPages(Shelf(), node.access), (routes,)))
        with served(app) as address, opened(browser, f"{address}/blocks/9", width=NARROWEST, key=OWNER_KEY) as seen:
            page, _, trouble = seen
            assert NARROWEST >= page.evaluate("document.documentElement.scrollWidth")
            assert 0 == page.locator("script, img, iframe, form").count()
            assert page.inner_text("main").count("<script>") >= 4
            assert [] == trouble


def test_control_without_the_key_the_owner_view_is_not_shown(browser: Browser, site: str) -> None:
    """A stranger's page of the same block names nobody."""
    with opened(browser, f"{site}/blocks/3") as (page, _, _):
        assert "nordpack" not in page.inner_text("body")
    with opened(browser, f"{site}/blocks/3", key=OWNER_KEY) as (page, _, _):
        assert "nordpack" in page.inner_text("body")


def test_a_page_prints_on_few_sheets(browser: Browser, site: str) -> None:
    """The picture and the table on A4."""
    with opened(browser, f"{site}/blocks") as (page, _, _):
        assert 1 <= page.pdf(format="A4").count(b"/Type /Page\n") <= 3
