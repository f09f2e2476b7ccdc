"""`cellvow export` at the border: maker, laboratory, exporter, and an importer who has nothing but the file."""

from __future__ import annotations

import json
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from cellvow.verify.archive import write_archive
from cellvow.workspace.export_archive import encode_archive, parse_archive
from tests.e2e.story import BATTERY, ROLES, Story, found, live, prove

pytestmark = pytest.mark.slow
POLICY = """policy certified
facts
  capacity_at_least_mah: list of at most 8 integer
  is_certificate: boolean
  rated_capacity_mah: integer
clause certificate: is_certificate
clause healthy: any(capacity_at_least_mah, it * 100 >= rated_capacity_mah * 80)
"""
PAPERS = ("certificate", "state_of_charge", "un38_3", "verdict")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The whole story with an importer, up to the exporter (the buyer), who holds the battery and its certificate."""
    folder = tmp_path_factory.mktemp("export") / "story"
    folder.mkdir()
    told = Story(folder)
    found(told, {**ROLES, "importer": ("buyer",)})
    live(told)
    prove(told)
    return told


@pytest.fixture(scope="module")
def bare(story: Story) -> dict[str, Any]:
    """The package before anybody wrote the papers of transport; a complete one is refused, and nothing written."""
    refused = story.ask("export", "make", BATTERY, "--to", "none.cvx", "--require-complete", "-w", "buyer", code=1)
    assert "not complete" in refused["reason"]
    assert not (story.folder / "none.cvx").exists()
    return story.ask("export", "make", BATTERY, "--to", "bare.cvx", "-w", "buyer")


@pytest.fixture(scope="module")
def package(story: Story, bare: dict[str, Any]) -> dict[str, Any]:
    """The complete package: the maker refers to the transport test, the exporter declares the charge and judges."""
    assert not bare["complete"]
    (story.folder / "summary.pdf").write_bytes(b"%PDF the summary of a transport test")
    (story.folder / "certified.policy").write_text(POLICY, encoding="utf-8")
    refer = ("--document", "test_summary=summary.pdf", "--standard", "UN 38.3:Rev.8", "--reference", "TS-2026-17")
    story.ask("attest", BATTERY, *refer, "-w", "maker")
    declare = ("--declare", "state_of_charge=280", "--predicate", "state_of_charge<=300", "--reference", "SOC-1")
    story.ask("attest", BATTERY, *declare, "-w", "buyer")
    story.ask("verdict", BATTERY, "--policy", "certified.policy", "--record", "V-1", "-w", "buyer")
    return story.ask("export", "make", BATTERY, "--to", "pack.cvx", "--disclose", "all", "-w", "buyer")


@pytest.fixture
def abroad(story: Story, package: dict[str, Any], tmp_path: Path) -> Story:
    """An empty folder with the package and a trust file that came another way: no ledger, no workspace."""
    assert package["complete"]
    (tmp_path / "pack.cvx").write_bytes((story.folder / "pack.cvx").read_bytes())
    (tmp_path / "trust.json").write_bytes((story.folder / "node" / "trust.json").read_bytes())
    return Story(tmp_path)


def verified(abroad: Story, *words: str, code: int = 0) -> dict[str, Any]:
    """What the importer is told."""
    return abroad.ask("export", "verify", "pack.cvx", "--trust", "trust.json", *words, code=code)


def papers(document: dict[str, Any]) -> dict[str, Any]:
    """The papers of a package by what they are."""
    return {one["paper"]: one for one in document["index"]["papers"]}


def test_the_importer_verifies_every_paper_without_the_ledger(abroad: Story) -> None:
    """All four are there, in force, signed by whom they should be, with class and age."""
    document = verified(abroad, "--require-complete")
    held = papers(document)

    assert (True, True, []) == (document["anchored"], document["complete"], document["index"]["missing"])
    assert {"certificate": "lab", "state_of_charge": "buyer", "un38_3": "maker", "verdict": "buyer"} == {
        paper: one["issuer"] for paper, one in held.items()
    }
    assert {"in force"} == {one["standing"] for one in held.values()}
    assert {"declared", "measured"} == {held[name]["class"] for name in PAPERS if name != "verdict"}
    assert all(held[name]["age_days"] >= 0 for name in PAPERS if name != "verdict")


def test_the_reference_to_the_transport_test_opens_to_its_document(story: Story, abroad: Story) -> None:
    """Standard and edition are what the maker wrote; the digest is that of the file he keeps."""
    from hashlib import sha256

    paper = papers(verified(abroad))["un38_3"]

    assert {"edition": "Rev.8", "name": "UN 38.3"} == paper["standard"]
    assert "TS-2026-17" == paper["reference"]
    # The maker has not shown it to the exporter: the package refers to it, and opens nothing.
    assert [] == paper["disclosed"]
    reference = ("--certificate", "TS-2026-17", "--battery", BATTERY, "--disclose", "all", "-w", "maker")
    story.ask("bundle", *reference, "--out", "summary.cvb")
    story.ask("bundle", "receive", "summary.cvb", "-w", "buyer")
    again = story.ask("export", "make", BATTERY, "--to", "shown.cvx", "--disclose", "test_summary", "-w", "buyer")
    (opened,) = papers(again)["un38_3"]["disclosed"]
    assert sha256((story.folder / "summary.pdf").read_bytes()).hexdigest() == opened["sha256"]


def test_the_state_of_charge_is_what_was_signed_for(abroad: Story) -> None:
    """The threshold is the consignor's; the value is shown because the exporter wished it."""
    paper = papers(verified(abroad))["state_of_charge"]

    assert [{"comparison": "at_most", "quantity": "state_of_charge", "threshold": 300}] == paper["predicates"]
    assert [{"quantity": "state_of_charge", "unit": "permille", "value": 280}] == paper["disclosed"]


def test_the_registers_are_proven_with_both_signatures(abroad: Story) -> None:
    """Who holds, owns and answers, since when, who offered and who accepted."""
    registers = verified(abroad)["index"]["registers"]

    assert ["custody", "ownership", "responsibility"] == [one["register"] for one in registers]
    handed = [one for one in registers if one["offer"] is not None]
    assert {("maker", "buyer", "buyer")} == {(o["offered_by"], o["accepted_by"], o["organisation"]) for o in handed}
    assert all(one["since_ms"] > 0 for one in registers)


def test_each_unpacked_proof_holds_under_the_verifier_of_one_file(abroad: Story) -> None:
    """Python and `cellvow-verify.pyz` are enough; the verdict is computed again."""
    verified(abroad, "--unpack", "papers")
    write_archive(abroad.folder / "cellvow-verify.pyz")
    bundles = sorted((abroad.folder / "papers").glob("*.cvb"))
    assert {f"{paper}.cvb" for paper in PAPERS} < {path.name for path in bundles}
    for path in bundles:
        command = [sys.executable, "-I", "cellvow-verify.pyz", str(path), "--trust", "trust.json", "--json"]
        done = subprocess.run(command, cwd=abroad.folder, capture_output=True, text=True, check=False)
        assert json.loads(done.stdout)["ok"], done.stdout
    again = abroad.ask("verdict", "--check", "papers/verdict.cvb", "--trust", "trust.json")
    assert "accept" == again["verdict"]


def test_any_tool_opens_the_package_and_finds_neither_verifier_nor_trust(abroad: Story) -> None:
    """Trust comes from elsewhere, and the text inside says so."""
    with zipfile.ZipFile(abroad.folder / "pack.cvx") as archive:
        names = archive.namelist()
        said = archive.read("README.txt").decode()

    assert [] == [name for name in names if name.endswith((".pyz", ".py")) or "trust" in name]
    assert "Neither the verifier nor the trust file is inside" in said


def test_the_page_is_complete_in_itself_and_runs_nothing(abroad: Story) -> None:
    """No script, nothing from elsewhere; what it says is what the proofs say."""
    page = parse_archive((abroad.folder / "pack.cvx").read_bytes())["passport.html"].decode()

    assert not [mark for mark in ("<script", "http://", "https://", "src=", "@import", "onload") if mark in page]
    for said in (
        BATTERY,
        "UN 38.3",
        "TS-2026-17",
        "state of charge at most 30.0 %",
        "28.0 %",
        "The buyer",
        "Answers for it",
    ):
        assert said in page


def test_what_is_missing_is_named_with_who_could_supply_it(story: Story, bare: dict[str, Any]) -> None:
    """Never filled silently; the certificate is there already."""
    missing = {one["paper"]: one for one in bare["index"]["missing"]}

    assert {"verdict", "un38_3", "state_of_charge"} == set(missing)
    assert "the maker or a laboratory can supply it with: cellvow attest" in missing["un38_3"]["remedy"]
    said = story.run("export", "verify", "bare.cvx").stdout
    assert "UN 38.3 reference: missing; the maker or a laboratory can supply it with" in " ".join(said.split())
    assert "anchored to nothing" in said


def test_an_incomplete_package_fails_where_a_complete_one_is_required(story: Story, bare: dict[str, Any]) -> None:
    """Exit 1; a battery or a paper that is not there is told from one that is missing, and nothing is written."""
    assert not bare["complete"]
    refused = story.ask("export", "verify", "bare.cvx", "--require-complete", code=1)

    assert "not complete" in refused["reason"]
    unknown = BATTERY[:-1] + "9"
    assert 3 == story.run("export", "make", unknown, "--to", "none.cvx", "-w", "buyer", code=3).exit_code
    for paper in ("certificate", "verdict", "un38-3", "state-of-charge"):
        story.ask("export", "make", BATTERY, "--to", "none.cvx", f"--{paper}", "lab/NONE", "-w", "buyer", code=5)
    assert not (story.folder / "none.cvx").exists()


@pytest.mark.parametrize("paper", PAPERS)
def test_a_package_from_which_a_paper_was_taken_is_refused(abroad: Story, paper: str) -> None:
    """An index that still lists it is refused: it is not what the proofs say any more."""
    members = parse_archive((abroad.folder / "pack.cvx").read_bytes())
    del members[f"{paper}.cvb"]
    (abroad.folder / "pack.cvx").write_bytes(encode_archive(members))

    refused = verified(abroad, code=1)
    assert "index.json" in refused["reason"]


def test_another_ledgers_trust_is_not_enough(abroad: Story) -> None:
    """The package holds under the trust file of its own ledger only."""
    trust = json.loads((abroad.folder / "trust.json").read_text(encoding="utf-8"))
    trust["genesis"] = "00" * 32
    (abroad.folder / "trust.json").write_text(json.dumps(trust, sort_keys=True), encoding="utf-8")

    assert "not the ledger you trust" in verified(abroad, code=1)["reason"]


def test_showing_a_package_checks_nothing_and_says_so(abroad: Story) -> None:
    """Members with their digests, and the command that checks."""
    said = " ".join(abroad.run("export", "show", "pack.cvx").stdout.split())

    assert "nothing of that is checked here" in said
    assert "un38_3.cvb" in said
    assert "cellvow export verify pack.cvx --trust trust.json" in said


def test_members_are_written_only_into_a_new_folder(abroad: Story) -> None:
    """A folder that exists is left alone."""
    (abroad.folder / "papers").mkdir()

    assert "exists" in verified(abroad, "--unpack", "papers", code=5)["reason"]
    assert [] == list((abroad.folder / "papers").iterdir())


def test_the_same_wish_on_the_same_ledger_gives_the_same_bytes(story: Story, package: dict[str, Any]) -> None:
    """No clock and no chance goes into it."""
    assert package["complete"]
    for name in ("one.cvx", "two.cvx"):
        story.ask("export", "make", BATTERY, "--to", name, "-w", "buyer")

    assert (story.folder / "one.cvx").read_bytes() == (story.folder / "two.cvx").read_bytes()


def test_nothing_is_opened_unless_it_was_wished(story: Story, package: dict[str, Any]) -> None:
    """Without --disclose no value, and no name of a value that nobody here knows."""
    assert package["complete"]
    made = story.ask("export", "make", BATTERY, "--to", "closed.cvx", "-w", "buyer")

    assert [] == [one for paper in papers(made).values() for one in paper["disclosed"]]
    wish = ("export", "make", BATTERY, "--to", "never.cvx", "--disclose", "energy_density", "-w", "buyer")
    assert "energy_density" in story.ask(*wish, code=5)["reason"]
