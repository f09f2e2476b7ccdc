"""X04 in a real browser: a workshop's phone signs without network and sends once; a conflict is shown."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import expect

from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.use import InstallationRecord, WorkRecord, installation_key, work_key
from cellvow.workspace import commands, phones, service
from tests.e2e.chromium import Scheme, sideways, violations, visit_by_keyboard
from tests.e2e.field_phone import (
    DAY,
    Server,
    admit,
    enrol,
    make_key,
    open_field,
    phone_of,
    renew,
    sign_install,
    sign_work,
    states,
    wait_for,
)
from tests.unit.desk_world import BATTERY, DeskWorld

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Browser, Route

pytestmark = [pytest.mark.browser, pytest.mark.slow]

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
WALLS = [
    (200, "text/html", "<p>Welcome, please pay</p>"),
    (200, "application/json", '{"ok": true}'),
    (400, "text/html", "<p>No</p>"),
    (413, "application/json", "{}"),
]
INLINE = """() => {
  try {
    const script = document.createElement("script");
    script.textContent = "globalThis.ran = true";
    document.body.append(script);
  } catch {}
  return globalThis.ran ?? false;
}"""
NEVER = """() => {
  SubtleCrypto.prototype.sign = () => {
    document.body.dataset.asked = "yes";
    return new Promise(() => {});
  };
}"""
STORED = """async () => {
  const { openStore } = await import("/static/field/storage.js");
  const store = await openStore();
  const { privateKey } = await store.identity();
  const rows = await store.rows();
  const exported = await crypto.subtle.exportKey("pkcs8", privateKey).then(() => true, () => false);
  return { exported, extractable: privateKey.extractable, rows: rows.map(({ sequence, state }) => [sequence, state]) };
}"""


@pytest.fixture
def server(tmp_path: Path) -> Server:
    """The maker holds one battery."""
    DeskWorld.found(tmp_path, RULESET).close()
    return Server(tmp_path)


def answering(status: int, kind: str, body: str) -> Callable[[Route], None]:
    """Something before the server that answers in its place."""

    def answer(route: Route) -> None:
        route.fulfill(status=status, content_type=kind, body=body)

    return answer


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


def test_another_site_at_the_same_address_neither_gets_nor_ends_what_waits(browser: Browser, server: Server) -> None:
    """Its page replaces the one that was kept; the row still waits, and no key takes the place of the one it needs."""
    with phone_of(browser) as context:
        enrol(server, context)
        context.set_offline(True)
        page, _ = open_field(context, server.address)
        sign_work(page, "W-1")
        with server.running("buyer") as site:
            context.set_offline(False)
            page.wait_for_selector("#sent:has-text('another organisation or ledger')")
            assert ["waiting"] == states(page)
            page = renew(page, site, "buyer")
            assert "elsewhere" == page.get_attribute("#standing", "data-state")
            page.click("#make")
            page.wait_for_selector("#standing:has-text('still wait')")
            assert ["waiting"] == states(page)
        with server.running() as site:
            page = renew(page, site, "maker")
            wait_for(page, "recorded")


def test_a_wall_before_the_network_is_no_answer(browser: Browser, server: Server) -> None:
    """Threat: a guest network answers everything with its own page: the row waits on, whatever that says."""
    with phone_of(browser) as context:
        enrol(server, context)
        with server.running() as site:
            page, _ = open_field(context, site)
            for wall in WALLS:
                context.route("**/field/statements", answering(*wall))
                with page.expect_response("**/field/statements"):
                    if states(page) == []:
                        sign_work(page, "W-1")
                    else:
                        page.click("#send")
                page.wait_for_selector("#send:not([disabled])")
                assert "wait here" in page.inner_text("#sent")
                assert ["waiting"] == states(page)
                context.unroute("**/field/statements")
            page.click("#send")
            wait_for(page, "recorded")


def test_a_page_killed_while_it_signs_loses_a_number_and_uses_none_twice(browser: Browser, server: Server) -> None:
    """The number is on disk before the key is asked: the next page goes on above it."""
    with phone_of(browser) as context:
        enrol(server, context)
        context.set_offline(True)
        page, _ = open_field(context, server.address)
        page.evaluate(NEVER)
        page.fill("#unit", BATTERY)
        page.fill("#text", "Coolant changed")
        page.click("#form button")
        page.wait_for_selector("body[data-asked]")
        page.close()
        page, _ = open_field(context, server.address)
        sign_work(page, "W-2")
        stored = page.evaluate(STORED)
    assert stored["rows"] == [[2, "waiting"]]


def test_a_photographed_code_fills_the_form(browser: Browser, server: Server) -> None:
    """Where the browser reads codes; a picture without one is said in words."""
    reader = """globalThis.BarcodeDetector = class {
      static async getSupportedFormats() { return ["qr_code"]; }
      async detect(image) { return image.width > 4 ? [{ rawValue: "no code" }, { rawValue: globalThis.code }] : []; }
    }"""
    with phone_of(browser) as context:
        enrol(server, context)
        context.add_init_script(f"{reader}; globalThis.code = 'https://passports.example/{BATTERY}'")
        context.set_offline(True)
        page, _ = open_field(context, server.address)
        picture = page.locator("#field").screenshot()
        page.set_input_files("#scan", {"name": "code.png", "mimeType": "image/png", "buffer": picture})
        expect(page.locator("#unit")).to_have_value(BATTERY)
        page.evaluate("globalThis.code = 'https://passports.example/menu'")
        page.set_input_files("#scan", {"name": "menu.png", "mimeType": "image/png", "buffer": picture})
        page.wait_for_selector("#wrong:has-text('No code was found')")


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


def test_a_page_that_came_half_says_so(browser: Browser, server: Server) -> None:
    """The connection broke before its words were there: a sentence with what to do, and no empty form."""
    with phone_of(browser) as context, server.running() as site:
        context.route("**/field/words*", lambda route: route.abort())
        page = context.new_page()
        page.goto(f"{site}/field")
        page.wait_for_selector("#obstacle:has-text('load it again')")
        assert page.locator("#field").is_hidden()
