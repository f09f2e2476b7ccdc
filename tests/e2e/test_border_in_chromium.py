"""The border scenario in the browser: register, import, sign, show, offer, judge, accept, check - three organisations.

Each organisation has its own site and session, as each has its own node's workspace; the measurement is the real one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellvow.cli.site import Served, Wanted, build_site
from cellvow.evidence.reference import read_distribution, read_member
from cellvow.workspace.demo import GTIN, DemoInput, run_demo
from cellvow.workspace.passports import PassportReader
from cellvow.workspace.workspace import Workspace
from tests.conftest import find_reference_measurement
from tests.e2e.chromium import opened, served, sideways, violations

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

pytestmark = [pytest.mark.browser, pytest.mark.measurement, pytest.mark.slow]

TOKEN = "open-sesame-0123456789"
SERIAL = "BORDER-0001"
BATTERY = f"/01/{GTIN}/21/{SERIAL}"
MAKER, LABORATORY, IMPORTER = "packmaker", "laboratory", "carmaker"
CYCLER_FILE = "celljar-0.2.1/data/raw/ornl_leaf/cell-discharge-bitrode-1c.csv"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six organisations and their ledger, as the demonstration makes them."""
    made = tmp_path_factory.mktemp("border") / "demo"
    run_demo(made, DemoInput(cache=Path("nowhere")), lambda _: None).close()
    return made


@contextmanager
def site_of(folder: Path, organisation: str) -> Iterator[str]:
    """The whole site of one organisation's workspace, as `cellvow serve` composes it."""
    workspace = Workspace(folder / organisation)
    with ExitStack() as closing:
        closing.callback(workspace.close)
        source = PassportReader(workspace.home(), workspace)
        app = build_site(Served(source, workspace, ""), Wanted(TOKEN), closing)
        with served(app) as address:
            yield address


@dataclass
class Party:
    """An organisation at its own browser."""

    site: str
    page: Page
    trouble: list[str]

    def go(self, address: str) -> None:
        """Open an address of its site."""
        self.page.goto(self.site + address)

    def send(self, button: str) -> None:
        """Press a button that sends a form, and wait for what comes."""
        with self.page.expect_navigation():
            self.page.click(button)

    def says(self) -> str:
        """What the page says."""
        return self.page.inner_text("main")

    def require_sound(self) -> None:
        """The page fits, is accessible, and nothing complained."""
        assert [] == violations(self.page)
        assert 0 == sideways(self.page)
        assert [] == self.trouble


@contextmanager
def party(browser: Browser, folder: Path, organisation: str, width: int) -> Iterator[Party]:
    """An organisation that has opened its session."""
    with (
        site_of(folder, organisation) as site,
        opened(browser, f"{site}/enter/{TOKEN}?to=/desk", width=width) as (page, _, trouble),
    ):
        yield Party(site, page, trouble)


def register(maker: Party) -> None:
    """The maker registers a battery of the model that the ledger knows."""
    maker.go("/desk/batteries/new")
    for name, value in (("gtin", GTIN), ("serial", SERIAL), ("manufactured_on", "2013-05-17"), ("facility", "Plant 1")):
        maker.page.fill(f"#{name}", value)
    maker.send("form.fields button")
    assert SERIAL in maker.says()


def certify(laboratory: Party, cycler_file: Path, kept: Path) -> None:
    """The laboratory imports the real file, signs - with no public sentence -, and takes proof and values along."""
    laboratory.go(f"/desk/import?battery={BATTERY[1:]}")
    laboratory.page.set_input_files("#file", cycler_file)
    laboratory.page.click("#upload button")
    laboratory.page.wait_for_url("**/desk/imports/**", timeout=60_000)
    assert "30.321" in laboratory.says()
    assert "30.266" in laboratory.says()
    laboratory.require_sound()
    laboratory.page.fill("#reference", "BORDER-TEST")
    laboratory.page.select_option("#standard", "cellvow:dc-discharge:1")
    laboratory.page.check("#certificate")
    laboratory.page.fill("#percent", "")
    laboratory.send("form.fields button")
    laboratory.send("form.acts button")
    with laboratory.page.expect_download() as saved:
        laboratory.page.click("a:has-text('proof'), .acts a:nth-child(2)")
    saved.value.save_as(kept)


def receive(importer: Party, bundle: Path) -> None:
    """The importer's node checks what he was sent before it keeps it."""
    importer.go("/desk/receive")
    importer.page.set_input_files("#file", bundle)
    importer.send("form.fields button")
    assert SERIAL in importer.says()


def judge(importer: Party) -> dict[str, str]:
    """The verdict of the import policy, as the page says it and as programs get it."""
    importer.go(f"{BATTERY}/verdict?policy=import_market_surveillance")
    importer.require_sound()
    answer = importer.page.request.get(
        f"{importer.site}{BATTERY}/verdict?policy=import_market_surveillance", headers={"accept": "application/json"}
    )
    return {"page": importer.page.inner_text(".word"), "program": str(json.loads(answer.text())["verdict"])}


def test_the_border_scenario_runs_in_the_browser(browser: Browser, folder: Path, tmp_path: Path) -> None:
    """C01, A09, M12: without evidence a re-test; with the real measurement, signed and shown, it is not needed."""
    archive = find_reference_measurement(os.environ)
    assert archive is not None
    cycler_file, bundle = tmp_path / "cell-discharge-bitrode-1c.csv", tmp_path / "certificate.cvb"
    cycler_file.write_bytes(read_member(read_distribution(archive), CYCLER_FILE))
    with (
        party(browser, folder, MAKER, 1280) as maker,
        party(browser, folder, LABORATORY, 1280) as laboratory,
        party(browser, folder, IMPORTER, 390) as importer,
    ):
        register(maker)
        assert "re_test" == judge(importer)["program"]

        certify(laboratory, cycler_file, bundle)
        maker.go(f"/desk/handovers?battery={BATTERY[1:]}")
        maker.page.fill("#battery", BATTERY[1:])
        maker.page.select_option("#addressee", IMPORTER)
        maker.send("form.fields button")
        maker.require_sound()
        maker.send("button:has-text('Sign it')")
        assert "cannot_tell" == judge(importer)["program"]  # a certificate is there; its values are not shown

        receive(importer, bundle)
        verdict = judge(importer)
        assert "accept" == verdict["program"], importer.says()
        assert "6" in importer.says()
        assert "10 h" in importer.says().replace("\u00a0", " ")

        importer.go("/desk/handovers")
        importer.send("button:has-text('Accept')")
        importer.require_sound()
        importer.send("button:has-text('Sign it')")
        importer.go(BATTERY)
        assert "Demo Motors" in importer.says()
        importer.require_sound()
        importer.page.click("#check button")
        importer.page.wait_for_selector("#check [role=status]:has-text('hold')", timeout=30_000)
        assert [] == importer.trouble
