"""X04 in a real browser: a workshop's phone signs without network and sends once; a conflict is shown."""

from __future__ import annotations

import socket
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
import uvicorn

from cellvow.cli.site import Served, Wanted, build_site
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.use import InstallationRecord, WorkRecord, installation_key, work_key
from cellvow.node.home import NodeHome
from cellvow.workspace import commands, phones, service
from cellvow.workspace.clock import now_ms
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.workspace import Workspace
from tests.e2e.chromium import PHONE, Scheme, launched, sideways, violations, visit_by_keyboard
from tests.unit.desk_world import BATTERY, DeskWorld

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = [pytest.mark.browser, pytest.mark.slow]

DAY = "2026-06-30"
RULESET = 3
FULL = """async () => {
  const { ROWS_MAX, openStore } = await import("/static/field/storage.js");
  const store = await openStore();
  const { kid } = await store.identity();
  for (let i = 0; i < ROWS_MAX; i++) {
    const sequence = await store.reserve(kid);
    await store.add({ sequence, kind: "work", battery: "-", form: null, madeMs: 0, state: "recorded",
                      answer: { fate: "recorded" }, statement: null, openings: [] });
  }
}"""
INLINE = """() => {
  try {
    const script = document.createElement("script");
    script.textContent = "globalThis.ran = true";
    document.body.append(script);
  } catch {}
  return globalThis.ran ?? false;
}"""
STORED = """async () => {
  const { openStore } = await import("/static/field/storage.js");
  const store = await openStore();
  const { privateKey } = await store.identity();
  const rows = await store.rows();
  const exported = await crypto.subtle.exportKey("pkcs8", privateKey).then(() => true, () => false);
  return { exported, extractable: privateKey.extractable, rows: rows.map(({ sequence, state }) => [sequence, state]) };
}"""


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
    def running(self) -> Iterator[str]:
        """The site as `cellvow serve` builds it, for the length of the block."""
        with ExitStack() as closing:
            workspace = Workspace(self.folder / "maker")
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


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """The system's Chromium."""
    with launched() as found:
        yield found


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """The maker holds one battery."""
    DeskWorld.found(tmp_path, RULESET).close()
    return Server(tmp_path)


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


def test_a_phone_signs_without_network_and_sends_once(browser: Browser, server: Server) -> None:
    """Admitted once; with no server at all it opens, signs two rows, is killed, and opens again; then both are sent."""
    with phone_of(browser) as context:
        enrol(server, context)
        before = server.statements()
        context.set_offline(True)
        page, _ = open_field(context, server.address, f"?unit={BATTERY}")
        assert BATTERY == page.input_value("#unit")
        sign_work(page, "W-1")
        sign_install(page, "WVWZZZ1KZAW000001")
        assert ["waiting", "waiting"] == states(page)
        page.close(run_before_unload=False)
        page, trouble = open_field(context, server.address)
        assert ["waiting", "waiting"] == states(page)
        page.click("#send")
        page.wait_for_selector("#sent:has-text('nothing is lost')")
        assert server.statements() == before
        with server.running():
            context.set_offline(False)
            wait_for(page, "recorded", "recorded")
            page.reload()
            wait_for(page, "recorded", "recorded")
        assert server.statements() == before + 2
        assert [] == trouble
    work = server.record(work_key("maker", "W-1"))
    assert work is not None
    with server.maker() as (_, workspace):
        opened = service.open_committed(workspace, decode_record(WorkRecord, work).report)
    assert opened == {"quantity": "text", "text": "Coolant changed"}


def test_a_lost_answer_is_asked_for_again_and_nothing_is_recorded_twice(browser: Browser, server: Server) -> None:
    """The server records the row, its answer is cut off, the page is killed: sent again, it is told as known."""
    with phone_of(browser) as context:
        enrol(server, context)
        before = server.statements()
        with server.running() as site:
            page, _ = open_field(context, site)
            context.route("**/field/statements", lambda route: (route.fetch(), route.abort()))
            sign_work(page, "W-1")
            page.wait_for_selector("#sent:has-text('nothing is lost')")
            assert ["waiting"] == states(page)
            page.close()
            assert server.statements() == before + 1
            context.unroute("**/field/statements")
            page, _ = open_field(context, site)
            wait_for(page, "recorded")
            assert "It had arrived before" in page.inner_text("#rows")
        assert server.statements() == before + 1


def test_a_conflict_is_shown_with_what_happened_meanwhile(browser: Browser, server: Server) -> None:
    """Somebody installs the unit while the phone is away: rule, who and when are told; the registers stand."""
    with phone_of(browser) as context:
        enrol(server, context)
        context.set_offline(True)
        page, _ = open_field(context, server.address)
        sign_install(page, "WVWZZZ1KZAW000001")
        with server.maker() as (session, workspace):
            message = service.make_installation(workspace, BATTERY, "storage_system", "Site 7", DAY)
            commands.submit_message(session, workspace, message)
        held = server.record(installation_key(BATTERY))
        with server.running():
            context.set_offline(False)
            wait_for(page, "rejected")
            told = page.inner_text("#rows")
            assert "code 1202" in told
            assert "Recorded of this battery since you signed" in told
            assert "Battery built in: The Maker <script>" in told
            assert [] == violations(page)
            assert 0 == sideways(page)
            page.click("text=Correct and sign anew")
            assert "WVWZZZ1KZAW000001" == page.input_value("#place")
            page.click("text=Read: remove")
            wait_for(page)
        assert held is not None
        assert server.record(installation_key(BATTERY)) == held
        assert decode_record(InstallationRecord, held).into == "storage_system"


def test_a_phone_that_is_not_admitted_keeps_what_it_signs(browser: Browser, server: Server) -> None:
    """Nothing is recorded before, and nothing lost; once it is admitted the same row is."""
    before = server.statements()
    with phone_of(browser) as context:
        with server.running() as site:
            page, trouble = open_field(context, site)
            line, fingerprint = make_key(page), page.text_content("#fingerprint") or ""
            sign_work(page, "W-1")
            page.wait_for_selector("#sent:has-text('not admitted')")
            assert ["waiting"] == states(page)
        assert server.statements() == before
        admit(server, line, fingerprint)
        with server.running():
            page.click("#check")
            wait_for(page, "recorded")
        assert [] == trouble


def test_the_key_cannot_be_read_from_the_phone_and_a_number_is_never_used_twice(
    browser: Browser, server: Server
) -> None:
    """Not extractable; what is refused by the form uses no number, and two pages of one phone share the counter."""
    with phone_of(browser) as context:
        enrol(server, context)
        context.set_offline(True)
        page, _ = open_field(context, server.address)
        other, _ = open_field(context, server.address)
        sign_work(page, "W-1")
        page.fill("#unit", BATTERY[:-1] + "_")
        page.click("#form button")
        assert "This is no battery" in page.inner_text("#wrong")
        sign_work(other, "W-2")
        sign_work(page, "W-3")
        stored = page.evaluate(STORED)
    assert (stored["exported"], stored["extractable"]) == (False, False)
    assert stored["rows"] == [[1, "waiting"], [2, "waiting"], [3, "waiting"]]


def test_a_key_that_has_ended_is_replaced_and_what_was_refused_is_signed_anew(browser: Browser, server: Server) -> None:
    """Nothing typed is lost: the row is not taken, and comes back into the form under the new key."""
    with phone_of(browser) as context:
        enrol(server, context)
        context.set_offline(True)
        page, _ = open_field(context, server.address)
        sign_work(page, "W-1", "Coolant changed")
        with server.maker() as (session, workspace):
            code = phones.parse_phone_code(page.input_value("#code"))
            commands.revoke_key(session, workspace, code.kid, "rotation")
        with server.running():
            context.set_offline(False)
            wait_for(page, "not_included")
            page.click("#check")
            page.wait_for_selector("#standing[data-state=ended]")
            line, fingerprint = make_key(page), page.text_content("#fingerprint") or ""
        admit(server, line, fingerprint)
        with server.running():
            page.click("text=Correct and sign anew")
            assert "W-1" == page.input_value("#reference")
            page.click("#form button")
            wait_for(page, "not_included", "recorded")
    assert server.record(work_key("maker", "W-1")) is not None


def test_a_full_phone_signs_nothing_more_and_says_why(browser: Browser, server: Server) -> None:
    """At its limit the form is refused in words, and no row is lost."""
    with phone_of(browser) as context:
        enrol(server, context)
        context.set_offline(True)
        page, _ = open_field(context, server.address)
        page.evaluate(FULL)
        page.fill("#unit", BATTERY)
        page.fill("#text", "Once more")
        page.click("#form button")
        page.wait_for_selector("#wrong:not([hidden])")
        assert "holds as many records as it can" in page.inner_text("#wrong")
        assert len(page.evaluate(STORED)["rows"]) == 500


def test_without_a_secure_address_the_page_says_so_and_offers_nothing(browser: Browser, server: Server) -> None:
    """Over plain http from another machine there is no key: a sentence with what to do, and no form."""
    with phone_of(browser) as context, server.running() as site:
        context.add_init_script("Object.defineProperty(globalThis, 'isSecureContext', { value: false })")
        page = context.new_page()
        page.goto(f"{site}/field")
        page.wait_for_selector("#obstacle:not([hidden])")
        assert "https address" in page.inner_text("#obstacle")
        assert page.locator("#field").is_hidden()
        assert [] == violations(page)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_fits_a_phone_and_is_accessible(browser: Browser, server: Server, scheme: Scheme) -> None:
    """Before and after the key is made; the form is reached by keyboard in reading order; nothing is foreign."""
    with phone_of(browser, scheme) as context, server.running() as site:
        requested: list[str] = []
        context.on("request", lambda request: requested.append(request.url))
        page, trouble = open_field(context, site)
        assert [] == violations(page)
        make_key(page)
        sign_work(page, "W-1")
        assert [] == violations(page)
        assert 0 == sideways(page)
        page.reload()
        page.wait_for_selector("#standing[data-state=unknown]")
        visited = visit_by_keyboard(page)
        places = list(dict.fromkeys(place for place, _, _ in visited))  # a day takes several steps of its field
        assert sorted(places) == places
        assert all(style == "solid" and thickness >= 2 for _, style, thickness in visited)
        assert all(address.startswith(site + "/") for address in requested)
        assert [] == trouble


def test_the_page_opens_without_network_in_the_readers_language(browser: Browser, server: Server) -> None:
    """A language that is named is kept too, and with the page its policy: no foreign script runs in it either."""
    with phone_of(browser) as context:
        with server.running() as site:
            page, _ = open_field(context, site)
        context.set_offline(True)
        page.goto(f"{server.address}/field?lang=pt_BR")
        page.wait_for_selector("#make")
        assert not page.evaluate(INLINE)
        assert "Celular da oficina" == page.inner_text("h1")
        assert "Criar a chave" in page.inner_text("#make")
