"""Checking proofs in a real browser: every check is told, every forgery stopped at its check, nothing leaves."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, FilePayload, Page, expect

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.passports import PassportPages
from cellvow.api.verifying import ProofChecks
from cellvow.core.primitives.identifier import BatteryId
from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX
from cellvow.passport.claimed import Claimed
from cellvow.passport.sources import list_sources
from cellvow.passport.view import Reader
from cellvow.web.verify_page import CHECK_COUNT
from cellvow.workspace.passports import Viewed
from tests.e2e.chromium import DESKTOP, PHONE, opened, served, sideways, violations
from tests.unit.web.samples import BATTERY, STRANGER

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FOLDER = Path(__file__).parents[1] / "conformance" / "vectors"
CASES: list[dict[str, Any]] = json.loads((FOLDER / "bundles.json").read_text(encoding="utf-8"))["cases"]
DISCLOSURES: list[dict[str, Any]] = json.loads((FOLDER / "disclosures.json").read_text(encoding="utf-8"))["cases"]
SOUND = next(case for case in CASES if case["verdict"]["ok"] and case["verdict"]["disclosures"])
FORGED = {case["verdict"]["check"]: case for case in CASES if not case["verdict"]["ok"]}
DONE = {case["done"]: case for case in DISCLOSURES}
HOLDS_MS = 20_000


class SampleSource:
    """One battery, whose every proof is the same sound bundle."""

    def __init__(self, bundle: bytes) -> None:
        self.proof = bundle

    def batteries(self, after: str, limit: int) -> Sequence[BatteryId]:  # noqa: ARG002 - as the port has it
        """The one."""
        return [BatteryId(BATTERY)]

    def batteries_of_code(self, code: str, limit: int) -> Sequence[BatteryId]:
        """The one."""
        return self.batteries(code, limit)

    def claimed(self, battery: str) -> Claimed | None:  # noqa: ARG002 - as the port has it
        """Nothing."""
        return None

    def view(self, battery: str, who: Reader) -> Viewed | None:  # noqa: ARG002 - likewise
        """A stranger's view."""
        return Viewed(STRANGER, frozenset((one.statement, one.index) for one in list_sources(STRANGER)))

    def bundle(self, battery: str, statement: str, index: int, who: Reader) -> bytes | None:  # noqa: ARG002 - likewise
        """The bundle."""
        return self.proof


@pytest.fixture(scope="module")
def source() -> SampleSource:
    """A sound proof."""
    return SampleSource(bytes.fromhex(SOUND["bundle"]))


@pytest.fixture(scope="module")
def site(source: SampleSource) -> Iterator[str]:
    """A node that says of itself what the sound bundle's trust file says."""
    access = Access(None, lambda: 0)
    checks = ProofChecks(access, SOUND["trust"].encode)
    with served(create_application(Site(access, PassportPages(source, access), [checks]))) as address:
        yield address


def bundle_file(content: bytes, name: str = "proof.cvb") -> FilePayload:
    """A file as it is chosen."""
    return FilePayload(name=name, mimeType="application/octet-stream", buffer=content)


def choose(page: Page, case: dict[str, Any]) -> None:
    """Choose a case's trust file, then its bundle, and wait for the result."""
    if case["trust"] is not None:
        page.set_input_files("#trust", bundle_file(case["trust"].encode(), "trust.json"))
    page.set_input_files("#bundle", bundle_file(bytes.fromhex(case["bundle"])))
    page.wait_for_selector("#result[data-result]", timeout=HOLDS_MS)


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_sound_proof_holds_check_by_check(browser: Browser, site: str, width: int) -> None:
    """All checks, what is proven and the values shown stand there, accessible and without sideways scrolling."""
    with opened(browser, f"{site}/verify", width=width) as (page, requested, trouble):
        choose(page, SOUND)
        said = page.inner_text("#said")
        assert f"All {CHECK_COUNT} checks hold." in said
        assert "your own trust file" in said
        assert CHECK_COUNT == page.locator("#result li.held").count()
        assert SOUND["verdict"]["organisation"] in page.inner_text("#result table >> nth=0")
        shown = [one for one in SOUND["verdict"]["disclosures"] if isinstance(one.get("value"), int)]
        assert len(shown) == page.locator("#result table >> nth=1 >> tbody tr").count()
        page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
        assert [] == violations(page)
        assert 0 >= sideways(page)
        assert all(address.startswith(f"{site}/") for address in requested)
        assert [] == trouble


@pytest.mark.parametrize("width", [PHONE, DESKTOP])
def test_a_text_and_its_documents_are_shown_and_saved(browser: Browser, site: str, width: int) -> None:
    """Each by its name; the document that the proof holds is saved byte for byte, without a request."""
    case = DONE["none, a text and its documents, one of them shown"]
    with opened(browser, f"{site}/verify", width=width) as (page, requested, trouble):
        choose(page, case)
        rows = page.locator("#result table >> nth=1 >> tbody tr").all_inner_texts()
        assert ["Evidence 1", "Evidence 2", "Text"] == [row.split("\t")[0] for row in rows]
        assert "It was never theirs." in rows[2]
        assert case["verdict"]["disclosures"][1]["sha256"] in rows[1]
        with page.expect_download() as saved:
            page.click("#result a[download]")
        assert "report.pdf" == saved.value.suggested_filename
        digest = hashlib.sha256(saved.value.path().read_bytes()).hexdigest()
        assert case["verdict"]["documents"][0] == digest
        assert [] == violations(page)
        assert 0 >= sideways(page)
        assert all(address.startswith((f"{site}/", f"blob:{site}/")) for address in requested)
        assert [] == trouble


KEPT = {
    "none, a contested claim": "Contested: kept, not accepted.",
    "none, a message that waits for a second signature": "Held: kept, not accepted.",
}


@pytest.mark.parametrize("done", KEPT)
def test_what_was_kept_is_never_shown_as_accepted(browser: Browser, site: str, done: str) -> None:
    """First of all, beside the ninth check, and among the facts."""
    with opened(browser, f"{site}/verify") as (page, _, trouble):
        choose(page, DONE[done])
        assert page.inner_text("#said").startswith(KEPT[done])
        assert "kept" == page.get_attribute("#result", "data-result")
        assert "kept, not accepted" in page.inner_text("#result li.kept .state")
        assert KEPT[done] in page.inner_text("#result table >> nth=0")
        assert "rules accepted it" not in page.inner_text("#result")
        assert [] == violations(page)
        assert [] == trouble


@pytest.mark.parametrize("check", sorted(FORGED))
def test_a_forgery_is_stopped_at_its_check(browser: Browser, site: str, check: int) -> None:
    """The check that fails is named, those after it are not reached, and nothing is said to be proven."""
    with opened(browser, f"{site}/verify") as (page, _, trouble):
        choose(page, FORGED[check])
        said = page.inner_text("#said")
        assert (f"Check {check} does not hold." if check else "The trust file cannot be used.") in said
        assert max(0, check - 1) == page.locator("#result li.held").count()
        assert (check > 0) == page.locator("#result li.failed").count()
        assert 0 == page.locator("#result table").count()
        assert [] == violations(page)
        assert [] == trouble


def test_without_a_trust_file_three_checks_are_not_asked(browser: Browser, site: str) -> None:
    """Nobody vouches for the ledger then, and the page says so rather than counting them as held."""
    with opened(browser, f"{site}/verify") as (page, _, _):
        choose(page, {**SOUND, "trust": None})
        assert "10 of 13 checks hold" in page.inner_text("#said")
        assert "anchored to nothing" in page.inner_text("#said")
        assert 3 == page.locator("#result li.unasked").count()
        page.check("#server")
        expect(page.locator("#said")).to_contain_text("this server says of itself", timeout=HOLDS_MS)
        assert CHECK_COUNT == page.locator("#result li.held").count()


def test_nothing_is_sent_when_a_proof_is_checked(browser: Browser, site: str) -> None:
    """From the choice on only our own files are fetched, none with a body."""
    with opened(browser, f"{site}/verify") as (page, requested, _):
        bodies: list[str] = []
        page.on("request", lambda request: bodies.append(request.url) if request.post_data else None)
        requested.clear()
        choose(page, SOUND)
        assert [] == bodies
        assert {f"{site}/verify/words?lang=en"} >= set(requested)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "proof.cvb is empty. It was not checked."),
        (b"x" * (BUNDLE_BYTES_MAX + 1), "At most 2,000,000 are read. It was not checked."),
        (b"x" * 100, "Check 1 does not hold."),
        (b"\xa0", "Check 1 does not hold."),
    ],
)
def test_a_bad_file_gets_a_clear_sentence(browser: Browser, site: str, content: bytes, sentence: str) -> None:
    """Empty, too large, something else: never an endless wait, never an unexplained failure."""
    with opened(browser, f"{site}/verify") as (page, _, trouble):
        page.set_input_files("#bundle", bundle_file(content))
        expect(page.locator("#said")).to_contain_text(sentence, timeout=HOLDS_MS)
        assert [] == trouble


def test_a_hostile_file_name_stays_text(browser: Browser, site: str) -> None:
    """The name of a file is somebody else's text."""
    name = "<img src=x onerror=alert(1)>.cvb"
    with opened(browser, f"{site}/verify") as (page, _, trouble):
        page.set_input_files("#bundle", bundle_file(b"", name))
        expect(page.locator("#said")).to_contain_text("is empty", timeout=HOLDS_MS)
        assert name in page.inner_text("#said")
        assert 0 == page.locator("img").count()
        assert [] == trouble


def test_dropped_files_are_checked(browser: Browser, site: str) -> None:
    """Both at once: what ends in .json is the trust file."""
    with opened(browser, f"{site}/verify") as (page, _, trouble):
        page.evaluate(
            "([bundle, trust]) => { const box = new DataTransfer();"
            "box.items.add(new File([Uint8Array.from(bundle)], 'a.cvb'));"
            "box.items.add(new File([trust], 'trust.json'));"
            "document.dispatchEvent(new DragEvent('drop', {dataTransfer: box, bubbles: true, cancelable: true})) }",
            [list(bytes.fromhex(SOUND["bundle"])), SOUND["trust"]],
        )
        page.wait_for_selector("#result[data-result=holds]", timeout=HOLDS_MS)
        assert "your own trust file" in page.inner_text("#said")
        assert [] == trouble


@pytest.mark.parametrize(("language", "word"), [("de", "stimmt"), ("pt_BR", "confere")])
def test_checks_are_told_in_the_readers_language(browser: Browser, site: str, language: str, word: str) -> None:
    """Titles, states and the result; the verifier's own words stay English and say so."""
    with opened(browser, f"{site}/verify?lang={language}") as (page, _, _):
        choose(page, SOUND)
        assert CHECK_COUNT == page.locator("#result li .state", has_text=word).count()
        assert CHECK_COUNT == page.locator("#result li [lang=en]").count()


def test_a_passport_checks_its_own_proof(browser: Browser, site: str) -> None:
    """One button: consistent with what the server says of itself, said to be no more; then with the reader's own."""
    with opened(browser, f"{site}/{BATTERY}", width=PHONE) as (page, requested, trouble):
        assert len(requested) <= 3
        page.focus("#check button")
        page.keyboard.press("Enter")
        page.wait_for_selector("#check [data-result=holds]", timeout=HOLDS_MS)
        status = page.locator("#check [role=status]")
        assert "what this server says of itself" in status.inner_text()
        assert [] == violations(page)
        other = json.dumps({**json.loads(SOUND["trust"]), "genesis": "0" * 64}).encode()
        page.set_input_files("#own-trust", bundle_file(other, "trust.json"))
        page.wait_for_selector("#check [data-result=fails]", timeout=HOLDS_MS)
        page.set_input_files("#own-trust", bundle_file(SOUND["trust"].encode(), "trust.json"))
        page.wait_for_selector("#check [data-result=holds]", timeout=HOLDS_MS)
        assert "your own trust file" in status.inner_text()
        assert 0 >= sideways(page)
        assert [] == trouble


def test_a_passport_with_a_forged_proof_says_so(browser: Browser, site: str, source: SampleSource) -> None:
    """What the server hands out is checked like anything else."""
    sound, source.proof = source.proof, bytes.fromhex(FORGED[7]["bundle"])
    try:
        with opened(browser, f"{site}/{BATTERY}") as (page, _, _):
            page.click("#check button")
            page.wait_for_selector("#check [data-result=fails]", timeout=HOLDS_MS)
            assert "Check 7 does not hold." in page.inner_text("#check [role=status]")
    finally:
        source.proof = sound


def test_offline_the_button_says_what_to_do(browser: Browser, site: str) -> None:
    """No endless wait: the sentence says that the file can be checked later."""
    with opened(browser, f"{site}/{BATTERY}") as (page, _, _):
        page.context.set_offline(True)
        page.click("#check button")
        expect(page.locator("#check [role=status]")).to_contain_text("offline", timeout=HOLDS_MS)
        assert page.locator("#check button").is_enabled()
