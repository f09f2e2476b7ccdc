"""A member's own site that can go away and come back, and a phone on it: its page, its key, its rows."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import uvicorn

from cellvow.cli.site import Served, Wanted, build_site
from cellvow.node.home import NodeHome
from cellvow.workspace import phones
from cellvow.workspace.clock import now_ms
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.workspace import Workspace
from tests.e2e.chromium import PHONE, Scheme
from tests.unit.desk_world import BATTERY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

DAY = "2026-06-30"
LOADS_MAX = 30


class Server:
    """The maker's own site on loopback, which can go away and come back at the same address."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.create_server(("127.0.0.1", 0)) as listener:
            self.port = listener.getsockname()[1]

    @property
    def address(self) -> str:
        """Where it is when it is there."""
        return f"http://127.0.0.1:{self.port}"

    @contextmanager
    def running(self, who: str = "maker") -> Iterator[str]:
        """The site of a member as `cellvow serve` builds it, for the length of the block."""
        with ExitStack() as closing:
            workspace = Workspace(self.folder / who)
            closing.callback(workspace.close)
            home = workspace.home()
            app = build_site(Served(PassportReader(home, workspace), workspace, ""), Wanted(None), closing)
            listener = socket.create_server(("127.0.0.1", self.port))
            config = uvicorn.Config(app, log_level="critical", access_log=False, lifespan="off")
            server = uvicorn.Server(config)
            thread = Thread(target=server.run, kwargs={"sockets": [listener]})
            thread.start()
            try:
                yield self.address
            finally:
                server.should_exit = True
                thread.join()
                listener.close()

    @contextmanager
    def maker(self) -> Iterator[tuple[Any, Workspace]]:
        """The maker at his own machine, with a turn at the ledger."""
        workspace = Workspace(self.folder / "maker")
        try:
            with workspace.home().open_session(now_ms) as session:
                yield session, workspace
        finally:
            workspace.close()

    def statements(self) -> int:
        """How many the ledger holds."""
        store = NodeHome(self.folder / "node").open_reader()
        try:
            return len(store.statements(0, store.head().log.size))
        finally:
            store.close()

    def record(self, key: str) -> bytes | None:
        """A record of the ledger."""
        store = NodeHome(self.folder / "node").open_reader()
        try:
            return store.get(key)
        finally:
            store.close()


@contextmanager
def phone_of(browser: Browser, scheme: Scheme = "light") -> Iterator[BrowserContext]:
    """A phone of its own: what it stores is its own."""
    context = browser.new_context(viewport={"width": PHONE, "height": 844}, color_scheme=scheme, locale="en-GB")
    yield context
    context.close()


def open_field(context: BrowserContext, site: str, query: str = "") -> tuple[Page, list[str]]:
    """The page, once it is kept on the phone; and what it complained of."""
    page = context.new_page()
    trouble: list[str] = []
    page.on("pageerror", lambda error: trouble.append(str(error)))
    page.on("console", lambda message: None if "ERR_" in message.text else trouble.append(message.text))
    page.goto(f"{site}/field{query}")
    page.wait_for_selector("#kept[data-ready=yes]")
    return page, trouble


def renew(page: Page, site: str, who: str) -> Page:
    """Close the page and open it until it is this member's: a newer one takes over once no older one is open."""
    page.evaluate("navigator.serviceWorker.getRegistration('/field').then(one => one.update()).then(() => 0)")
    for _ in range(LOADS_MAX):
        context = page.context
        page.close()
        page, _ = open_field(context, site)
        if page.inner_text(".kind") == who:
            return page
    raise AssertionError(f"the page of {who} does not replace the one that was kept")


def make_key(page: Page) -> str:
    """Make the phone's key; the line with which it asks to be admitted."""
    page.click("#make")
    page.wait_for_selector("#standing[data-state=unknown]")
    return page.input_value("#code")


def admit(server: Server, line: str, fingerprint: str) -> None:
    """What `cellvow key phone` does, at the maker's machine."""
    code = phones.parse_phone_code(line)
    with server.maker() as (session, workspace):
        phones.require_phone(code, workspace, fingerprint)
        phones.admit_phone(session, workspace, code)


def enrol(server: Server, context: BrowserContext) -> None:
    """Open the page once with network, make the key, have it admitted."""
    with server.running() as site:
        page, _ = open_field(context, site)
        line, fingerprint = make_key(page), page.text_content("#fingerprint") or ""
        page.close()
    admit(server, line, fingerprint)


def sign_work(page: Page, reference: str, text: str = "Coolant changed") -> None:
    """Record work in the form."""
    page.select_option("#kind", "work")
    page.fill("#unit", BATTERY)
    page.fill("#text", text)
    page.fill("#reference", reference)
    page.fill("#on", DAY)
    page.click("#form button")
    page.wait_for_selector("#signed:not(:empty)")


def sign_install(page: Page, place: str) -> None:
    """Record in the form that the battery was built in."""
    page.select_option("#kind", "install")
    page.fill("#unit", f"https://passports.example/{BATTERY}?x=1")
    page.fill("#place", place)
    page.fill("#on", DAY)
    page.click("#form button")
    page.wait_for_selector("#signed:not(:empty)")


def states(page: Page) -> list[str]:
    """How the rows stand, oldest first."""
    shown: list[str] = page.evaluate("[...document.querySelectorAll('#rows > li')].map(e => e.dataset.state).reverse()")
    return shown


def wait_for(page: Page, *expected: str) -> None:
    """Until the rows stand so."""
    for place, state in enumerate(reversed(expected), start=1):
        page.wait_for_selector(f"#rows > li:nth-child({place})[data-state={state}]")
    page.wait_for_selector(f"#rows > li:nth-child({len(expected) + 1})", state="detached")
    assert list(expected) == states(page)
