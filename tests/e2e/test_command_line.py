"""The whole story by command line: found a ledger, measure, attest, hand over, prove, verify - and what goes wrong."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import apsw
import pytest

from cellvow.core.contracts.register import OWNERSHIP, register_key
from cellvow.node.store import WriterLock
from tests.e2e.story import BATTERY, CELLVOW, ENVIRON, GTIN, Story, copy_story, tell_story
from tests.unit.evidence.sheets import full_test

UNBROKEN = re.compile(r"^ *(cellvow|python3) |http://|[0-9a-f]{64}|\+[0-9a-f]{8}\+")


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The story, told once; tests read it, and what they change they copy first."""
    return tell_story(tmp_path_factory.mktemp("story"))


@pytest.fixture
def copy(story: Story, tmp_path: Path) -> Story:
    """A copy to spoil."""
    return copy_story(story, tmp_path / "copy")


READING = {
    "passport of a stranger": ("passport", BATTERY, "--ledger", "node"),
    "passport of the owner": ("passport", BATTERY, "--workspace", "buyer"),
    "passport of the owner, as a stranger": ("passport", BATTERY, "-w", "buyer", "--public"),
    "batteries": ("battery", "list", "--ledger", "node"),
    "keys": ("key", "list", "-w", "lab"),
    "one key": ("key", "show", "operational-1", "-w", "lab"),
    "nothing to resend": ("key", "resend", "-w", "lab"),
    "evaluation": ("import", "cell.csv"),
    "parts of a bundle": ("bundle", "show", "certificate.cvb"),
    "verification": ("verify", "certificate.cvb", "--trust", "node/trust.json"),
    "verification without trust": ("verify", "certificate.cvb"),
    "witness": ("witness", "show", "north"),
    "fsck": ("fsck", "node"),
    "doctor of the machine": ("doctor",),
    "doctor of a workspace": ("doctor", "-w", "lab"),
}


@pytest.mark.slow
def test_every_step_of_the_story_is_committed_and_witnessed(story: Story) -> None:
    """Each statement says its block, its leaf and its level."""
    steps = [said for said in story.said.values() if "statement" in said and "level" in said]
    late = [said["level"] for name, said in story.said.items() if name in ("model", "certificate", "acceptance")]

    assert len(steps) >= 9
    assert sorted({step["leaf"] for step in steps}) == sorted(step["leaf"] for step in steps)
    assert ["witnessed"] * 3 == late


@pytest.mark.slow
@pytest.mark.parametrize("name", READING)
def test_reading_commands_answer_in_words_that_fit_and_in_json(story: Story, name: str) -> None:
    """Both forms work; lines fit 80 columns but for what must stay whole to be copied."""
    text = story.run(*READING[name]).stdout
    story.ask(*READING[name])

    assert text.strip()
    assert [] == [line for line in text.splitlines() if len(line) > 80 and not UNBROKEN.search(line)]


@pytest.mark.slow
def test_a_stranger_sees_that_a_certificate_exists_and_no_value(story: Story) -> None:
    """The owner, whom the laboratory showed its values, sees them with their intervals."""
    stranger = story.ask("passport", BATTERY, "--ledger", "node")["passport"]
    owner = story.ask("passport", BATTERY, "--workspace", "buyer")["passport"]
    values = {one["quantity"]: one["value"] for one in owner["attestations"][0]["measured"]}

    assert stranger["certificate_in_force"]
    assert {None} == {one["value"] for one in stranger["attestations"][0]["measured"]}
    assert 10_000 == values["capacity"]
    assert "10.000 Ah (9.969 Ah" in story.run("passport", BATTERY, "-w", "buyer").stdout
    assert "10.000" not in story.run("passport", BATTERY, "-l", "node").stdout


@pytest.mark.slow
def test_a_passport_speaks_the_readers_language(story: Story) -> None:
    """The terminal has the same catalogues as the page."""
    assert "Ist sie sicher?" in story.run("passport", BATTERY, "-l", "node", "--lang", "de").stdout
    story.run("passport", BATTERY, "-l", "node", "--lang", "pt_BR", "--html", "page.html")

    assert 'lang="pt-BR"' in (story.folder / "page.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_an_import_names_interval_class_sources_and_what_is_missing(story: Story) -> None:
    """Nothing is a bare number, and what cannot be told says why."""
    text = story.run("import", "cell.csv").stdout
    document = story.said["import"]

    assert "State of health: not determinable" in text
    assert "it needs the rated capacity" in text
    assert "variance by source: cut-off voltage" in text
    assert {"measured"} == {result["class"] for result in document["results"]}
    assert all(result["low"] <= result["value"] <= result["high"] for result in document["results"])
    assert (story.folder / "lab" / "archive" / f"{document['sha256']}.parquet").is_file()


@pytest.mark.slow
def test_environment_variables_stand_in_for_the_options(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """CELLVOW_WORKSPACE and CELLVOW_LEDGER, and an option before either."""
    monkeypatch.setenv("CELLVOW_LEDGER", "node")

    assert [BATTERY] == [one["battery"] for one in story.ask("battery", "list")["batteries"]]
    monkeypatch.setenv("CELLVOW_WORKSPACE", "lab")
    assert 2 == len(story.ask("key", "list")["keys"])
    assert "joined" in story.ask("battery", "list", "--ledger", "north", code=2)["reason"]


@pytest.mark.slow
def test_a_bundle_discloses_nothing_unless_it_is_told_to(story: Story) -> None:
    """By default no value, by name the ones named; without a vault none can be asked for."""
    certificate = ("bundle", "--certificate", "TEST-1", "--battery", BATTERY, "--out", "some.cvb")
    story.ask(*certificate, "-w", "lab")
    nothing = story.ask("verify", "some.cvb", "--trust", "node/trust.json")["disclosures"]
    story.ask(*certificate, "-w", "lab", "--disclose", "energy", "--no-state")
    energy = story.ask("verify", "some.cvb", "--trust", "node/trust.json")

    assert [] == nothing
    assert ["energy"] == [one["quantity"] for one in energy["disclosures"]]
    assert energy["state_shown"] is False
    story.ask(*certificate, "-l", "node", "--issuer", "lab", "--disclose", "all", code=2)
    story.ask("bundle", story.said["birth"]["statement"], "-l", "node", "--out", "birth.cvb")
    assert "RegisterBattery" == story.ask("verify", "birth.cvb", "--trust", "node/trust.json")["message"]["type"]


@pytest.mark.slow
def test_a_flipped_bit_or_another_ledgers_trust_is_exit_one(story: Story, tmp_path: Path) -> None:
    """The number of the check is told; a trust file that is none is malformed input."""
    data = bytearray((story.folder / "certificate.cvb").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bad.cvb").write_bytes(data)
    trust = json.loads((story.folder / "node" / "trust.json").read_text(encoding="utf-8"))
    (tmp_path / "other.json").write_text(json.dumps({**trust, "genesis": "0" * 64}), encoding="utf-8")
    (tmp_path / "none.json").write_text("{}", encoding="utf-8")

    assert 1 <= story.ask("verify", tmp_path / "bad.cvb", "--trust", "node/trust.json", code=1)["check"] <= 13
    assert 4 == story.ask("verify", "certificate.cvb", "--trust", tmp_path / "other.json", code=1)["check"]
    story.ask("verify", "certificate.cvb", "--trust", tmp_path / "none.json", code=4)
    story.ask("bundle", "receive", tmp_path / "bad.cvb", "-w", "buyer", code=1)
    assert "anchored to nothing" in story.run("verify", "certificate.cvb").stdout


@pytest.mark.slow
def test_what_the_ledger_rejects_is_exit_three_with_code_and_next_step(copy: Story) -> None:
    """The rejection is kept, and the ledger stays publishable."""
    again = ("battery", "new", BATTERY, "--manufactured-on", "2026-05-17", "--facility", "Plant 1", "-w")
    twice = copy.ask(*again, "maker", code=3)
    foreign = copy.ask(*again, "buyer", code=3)
    outside = ("attest", BATTERY, "--from", copy.said["import"]["number"], "--reference", "TEST-2", "--certificate")

    assert (404, "01/09506000134376/21/PACK-0001") == (twice["code"], twice["facts"]["battery"])
    assert 301 == foreign["code"]
    assert 603 == copy.ask(*outside, "--standard", "other:1", "-w", "lab", code=3)["code"]
    assert 405 == copy.ask("passport", f"01/{GTIN}/21/NONE", "-l", "node", code=3)["code"]
    assert "Choose another serial number" in copy.run(*again, "maker", code=3).stderr
    copy.ask("bundle", copy.said["birth"]["statement"], "-l", "node", "--out", "birth.cvb")


@pytest.mark.slow
def test_answers_to_an_offer_and_revocations_take_effect(copy: Story) -> None:
    """Decline, withdraw, revoke an attestation, revoke a key: each shows in what is read next."""
    offer = ("handover", "offer", BATTERY, "--to", "lab", "--register", "custody", "-w", "buyer")
    copy.ask(*offer)
    copy.ask("handover", "decline", BATTERY, "-w", "lab")
    copy.ask(*offer)
    copy.ask("handover", "withdraw", BATTERY, "-w", "buyer")
    copy.ask("attest", "revoke", BATTERY, "--reference", "TEST-1", "--cause", "instrument", "-w", "lab")
    copy.ask("key", "new", "bench", "-w", "lab")
    copy.ask("key", "register", "bench", "--scope", "IssueAttestation", "--valid-until", "2999-12-31", "-w", "lab")
    copy.ask("key", "revoke", "bench", "--cause", "lost", "-w", "lab")
    states = {one["name"]: one["state"] for one in copy.ask("key", "list", "-w", "lab")["keys"]}
    passport = copy.ask("passport", BATTERY, "-w", "buyer")["passport"]

    assert "revoked" == next(one["state"] for one in passport["attestations"] if one["reference"] == "TEST-1")
    assert not passport["certificate_in_force"]
    assert ("in force", "in force") == (states["root"], states["operational-1"])
    assert states["bench"].startswith("revoked in block")
    assert {"buyer"} == {one["organisation"] for one in passport["registers"]}


@pytest.mark.slow
def test_no_command_shows_a_secret(story: Story) -> None:
    """Seeds and vault keys appear in no answer."""
    secrets = [json.loads(path.read_text(encoding="utf-8"))["seed"] for path in story.folder.glob("*/keys/*.json")] + [
        path.read_text(encoding="utf-8").strip() for path in story.folder.glob("*/keys/vault.key")
    ]
    said = json.dumps(story.said) + "".join(story.run(*words).stdout for words in READING.values())

    assert len(secrets) == 9
    assert [] == [secret for secret in secrets if secret in said]


@pytest.mark.slow
def test_a_broken_measurement_names_file_row_and_remedy_and_leaves_nothing(copy: Story) -> None:
    """Time that steps backwards is refused; neither archive nor vault changes."""
    lines = (copy.folder / "cell.csv").read_text(encoding="utf-8").splitlines()
    lines[9], lines[10] = lines[10], lines[9]
    (copy.folder / "bad.csv").write_text("\n".join(lines), encoding="utf-8")
    before = sorted(path.name for path in (copy.folder / "lab" / "archive").iterdir())
    document = copy.ask("import", "bad.csv", "-w", "lab", code=4)

    assert re.search(r"bad\.csv, row \d+", document["reason"])
    assert before == sorted(path.name for path in (copy.folder / "lab" / "archive").iterdir())
    copy.run("import", "absent.csv", code=2)


@pytest.mark.slow
def test_a_predicate_that_its_interval_does_not_support_is_not_signed(copy: Story) -> None:
    """Refused before anything is signed; so are contradicting options."""
    attest = ("attest", BATTERY, "--reference", "TEST-3", "-w", "lab")
    number = copy.said["import"]["number"]
    head = copy.ask("fsck", "node")["leaves"]

    assert "not supported" in copy.ask(*attest, "--from", number, "--predicate", "capacity>=9990", code=2)["reason"]
    copy.ask(*attest, code=2)
    copy.ask(*attest, "--from", number, "--declare", "state_of_health=960", code=2)
    copy.ask(*attest, "--from", "0" * 32, code=5)
    assert head == copy.ask("fsck", "node")["leaves"]


@pytest.mark.slow
def test_an_edited_database_is_exit_one_with_the_place(copy: Story) -> None:
    """fsck names the record, and what to do about the node."""
    connection = apsw.Connection(str(copy.folder / "node" / "ledger.db"))
    key = register_key(OWNERSHIP, BATTERY)
    connection.execute(
        "UPDATE record SET value=CAST(replace(CAST(value AS TEXT), 'buyer', 'maker') AS BLOB) WHERE key=?", (key,)
    )
    connection.close()
    said = copy.run("fsck", "node", code=1).stderr

    assert key in " ".join(said.split())
    assert "restore it from a backup" in " ".join(said.split())


@pytest.mark.slow
def test_operational_failures_are_exit_five_and_say_what_to_type(copy: Story, tmp_path: Path) -> None:
    """A ledger that somebody writes, a folder that is none, a workspace that joined nothing, a stranger's workspace."""
    naming = ("--organisation", "outsider", "--name", "Outsider", "--role", "buyer")
    copy.ask("init", "workspace", tmp_path / "outsider", *naming)
    lock = WriterLock(copy.folder / "node")
    try:
        locked = copy.ask("handover", "offer", BATTERY, "--to", "lab", "-w", "buyer", code=5)
    finally:
        lock.release()

    assert f"process {os.getpid()}" in locked["reason"]
    assert "cellvow init" in copy.ask("fsck", tmp_path, code=5)["reason"]
    assert "cellvow init join" in copy.ask("handover", "accept", BATTERY, "-w", tmp_path / "outsider", code=5)["reason"]
    assert "root key" in copy.ask("init", "join", tmp_path / "outsider", "--ledger", "node", code=5)["reason"]
    copy.ask("init", "workspace", "maker", *naming, code=5)
    copy.ask("bundle", "0" * 64, "-l", "node", "--out", "none.cvb", code=5)


@pytest.mark.slow
def test_a_witness_that_is_away_costs_the_level_not_the_statement(copy: Story) -> None:
    """The statement is committed, the answer says who did not cosign; once it is back, publishing mends it."""
    shutil.move(copy.folder / "north", copy.folder / "away")
    said = copy.ask("handover", "offer", BATTERY, "--to", "lab", "-w", "buyer")
    shutil.move(copy.folder / "away", copy.folder / "north")

    assert "committed" == said["level"]
    assert ["witness.example/north"] == list(said["checkpoint"]["refused"])
    assert ["witness.example/north"] == copy.ask("publish", "--ledger", "node")["checkpoint"]["cosigned_by"]


@pytest.mark.slow
def test_an_interrupted_command_exits_with_130(story: Story, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C in the middle of work is told in a sentence."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cellvow.node.fsck.check_ledger", interrupt)

    assert "Interrupted" in story.run("fsck", "node", code=130).stderr


@pytest.mark.slow
def test_the_demonstration_ends_in_a_proof_and_can_be_shown_again(tmp_path: Path) -> None:
    """Both verifiers agree, pages lie at the Digital Link path, and the second time nothing is made anew."""
    told = Story(tmp_path)
    (tmp_path / "cell.csv").write_bytes(full_test(2).bitrode())
    own = ("--data", "cell.csv", "--rated-ah", "10.5")
    first = told.ask("demo", *own)
    again = told.ask("demo", "--attack")
    pages = tmp_path / "demo" / "pages" / "01" / GTIN / "21" / "DEMO-0001"

    assert "cellvow-verify.pyz" == first["verified_by"][0]["verifier"]
    assert all(verdict["holds"] and verdict["steps"] == 13 for verdict in first["verified_by"])
    assert first["public"]["anchoring"] == again["public"]["anchoring"]
    assert 12 == len(again["attacks"])
    assert all(one["noticed_by"] for one in again["attacks"].values())
    assert ["index.html", "owner.html"] == sorted(path.name for path in pages.glob("*.html"))
    assert list(pages.glob("owner-proofs/*.cvb"))
    told.ask("demo", "--rated-ah", "10", code=2)
    text = told.run("demo").stdout
    assert "is shown again" in " ".join(text.split())
    assert "Is it safe?" in text


@pytest.mark.slow
def test_a_demonstration_never_replaces_what_is_none(tmp_path: Path) -> None:
    """A folder with something else in it is left alone."""
    (tmp_path / "demo").mkdir()
    (tmp_path / "demo" / "thesis.txt").write_text("ten years of work", encoding="utf-8")
    Story(tmp_path).ask("demo", "--fresh", code=5)

    assert (tmp_path / "demo" / "thesis.txt").exists()


@pytest.mark.slow
def test_the_installed_command_starts_and_fails_like_the_rest(tmp_path: Path) -> None:
    """In a process of its own, as a shell runs it: help, a failure in words, a failure as a document."""

    def start(*words: str) -> tuple[int, str, str]:
        answer = subprocess.run(
            [*CELLVOW, *words], capture_output=True, text=True, check=False, cwd=tmp_path, env=ENVIRON
        )
        return answer.returncode, answer.stdout, answer.stderr

    code, out, err = start("fsck", "nowhere")
    document_code, document, document_err = start("fsck", "nowhere", "--json")

    assert (0, "") == start("--help")[::2]
    assert (5, "") == (code, out)
    assert err.startswith("Could not be done: there is no ledger in nowhere")
    assert (5, "") == (document_code, document_err)
    assert "operational" == json.loads(document)["family"]


@pytest.mark.slow
def test_one_row_is_proven_under_its_anchor_and_no_other_is_shown(copy: Story) -> None:
    """A row leads to the root in the laboratory's signed anchor; a changed proof does not, a cut one says so."""
    number = copy.said["import"]["number"]
    words = ("row", "prove", number, "3", "--workspace", "lab", "--out", "row.json", "--anchor", "anchor.cvb")
    copy.ask(*words)
    check = ("row", "verify", "row.json", "--anchor", "anchor.cvb", "--trust", "node/trust.json")
    proven = copy.ask(*check)

    assert (proven["anchored_by"], proven["values"]["index"]) == ("lab", 3)
    path = copy.folder / "row.json"
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace('"index": 3', '"index": 4', 1), encoding="utf-8")
    assert copy.ask(*check, code=1)["family"] == "verification"
    path.write_text(whole[:-20], encoding="utf-8")
    assert "not JSON" in copy.ask(*check, code=4)["reason"]
