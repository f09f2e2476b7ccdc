"""`cellvow bundle --disclose`: the holder opens a place, a report, a position with its evidence; a stranger checks."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cellvow.cli.failures import ExitCode
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.dispute_file import DisputeRecord, dispute_key
from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX
from cellvow.core.protocol.ruleset import NEWEST, get_ruleset
from cellvow.node.home import NodeHome
from cellvow.passport.access import circles
from cellvow.verify import parse_bundle
from cellvow.verify.archive import write_archive
from cellvow.web.vocabulary import COMMITTED
from tests.unit.cli.service_world import BATTERY, make_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.deciding_world import Deciding

pytestmark = pytest.mark.slow
VIN = "WVWZZZ1JZXW000001"
REPORT = b"%PDF- replaced module 7; insulation 612 kOhm"
PHOTO = b"\x89PNG the seal was broken"
WORK = ("--reference", "W-1", "--kind", "inspection", "--on", "2027-01-10")


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """The battery that its maker holds, and two documents on disk."""
    world = make_service(tmp_path, monkeypatch)
    (tmp_path / "report.pdf").write_bytes(REPORT)
    (tmp_path / "photo.png").write_bytes(PHOTO)
    return world


def statement_of(world: Deciding, *words: str, who: str) -> str:
    """The digest of what a command sent."""
    return str(world.do(*words, who=who)["statement"])


def install(world: Deciding) -> str:
    """The unit is built into a vehicle."""
    words = ("service", "install", BATTERY, "--into", "vehicle", "--place", VIN, "--on", "2027-01-02")
    return statement_of(world, *words, who="maker")


def work(world: Deciding) -> str:
    """Work with a report, which goes into the vault whole."""
    words = ("service", "work", BATTERY, *WORK, "--report", str(world.folder / "report.pdf"))
    return statement_of(world, *words, who="maker")


def dispute(world: Deciding) -> str:
    """A dispute with a text and two documents, of which name and digest alone are kept."""
    documents = ("--document", str(world.folder / "report.pdf"), "--document", str(world.folder / "photo.png"))
    words = ("dispute", "open", BATTERY, "--topic", "custody", "--against", "maker", "--text", "It is ours")
    return statement_of(world, *words, *documents, who="second")


def claim_of(world: Deciding) -> str:
    """The statement behind the claim that was kept."""
    store = NodeHome(world.folder / "node").open_reader()
    try:
        value = store.get(dispute_key("second", "CLAIM-1"))
        assert value is not None
        return decode_record(DisputeRecord, value).provenance.statement
    finally:
        store.close()


def bundle(world: Deciding, statement: str, *words: str, who: str) -> Path:
    """The bundle that its holder makes."""
    out = world.folder / "proof.cvb"
    world.do("bundle", statement, "--out", str(out), *words, who=who)
    return out


def verify(world: Deciding, path: Path, *words: str) -> dict[str, Any]:
    """What a stranger finds, with no workspace."""
    return world.do("verify", str(path), "--trust", str(world.folder / "node" / "trust.json"), *words)


def test_a_place_is_disclosed_and_checked_by_a_stranger(world: Deciding) -> None:
    """The vehicle's number, out of the vault of whoever built the unit in; without the wish it stays there."""
    statement = install(world)
    closed = bundle(world, statement, who="maker").read_bytes()
    opened = bundle(world, statement, "--disclose", "place", who="maker")
    found = verify(world, opened)

    assert VIN.encode() not in closed
    assert ["/place"] == found["places"]
    assert VIN == found["disclosures"][0]["place"]
    said = world.read("verify", str(opened), "--trust", str(world.folder / "node" / "trust.json"))
    assert f'shown to you: place: "{VIN}"' in said


def test_a_report_is_disclosed_with_the_document_that_the_vault_keeps(world: Deciding) -> None:
    """The stranger gets the document itself, written under its digest, and it is the one that was signed for."""
    opened = bundle(world, work(world), "--disclose", "report", "--vault-documents", who="maker")
    found = verify(world, opened, "--documents", str(world.folder / "got"))
    digest = hashlib.sha256(REPORT).hexdigest()

    assert [digest] == found["documents"]
    assert [f"{digest}.bin"] == [path.name for path in (world.folder / "got").iterdir()]
    assert REPORT == (world.folder / "got" / f"{digest}.bin").read_bytes()


def test_the_evidence_of_a_dispute_is_disclosed_with_a_document_from_disk(world: Deciding) -> None:
    """Text and both digests; of the documents the one that is given, matched by its digest."""
    words = ("--disclose", "text,evidence", "--document", str(world.folder / "photo.png"))
    found = verify(world, bundle(world, dispute(world), *words, who="second"))

    assert ["/evidence/0", "/evidence/1", "/text"] == found["places"]
    assert [None, hashlib.sha256(PHOTO).hexdigest(), None] == found["documents"]
    assert "It is ours" == found["disclosures"][2]["text"]


def test_the_verifier_in_one_file_gives_out_the_document_too(world: Deciding) -> None:
    """Python and the file are all a stranger needs; what the bundle holds is told part by part before any check."""
    words = ("--disclose", "evidence/1", "--document", str(world.folder / "photo.png"))
    opened = bundle(world, dispute(world), *words, who="second")
    write_archive(world.folder / "cellvow-verify.pyz")
    trust, got = world.folder / "node" / "trust.json", world.folder / "got"
    command = [sys.executable, "-I", str(world.folder / "cellvow-verify.pyz"), str(opened), "--trust", str(trust)]
    answer = subprocess.run(
        [*command, "--documents", str(got)], capture_output=True, text=True, check=False, timeout=60
    )

    assert 0 == answer.returncode, answer.stdout + answer.stderr
    assert [PHOTO] == [path.read_bytes() for path in got.iterdir()]
    assert f"Disclosures: evidence/1 with a document of {len(PHOTO)} bytes" in world.read("bundle", "show", str(opened))


def test_one_document_of_several_is_disclosed_alone(world: Deciding) -> None:
    """By the name of its place; neither the text nor the other document goes with it."""
    opened = bundle(world, dispute(world), "--disclose", "evidence/1", who="second")

    assert ["/evidence/1"] == verify(world, opened)["places"]
    assert b"It is ours" not in opened.read_bytes()


def test_a_value_is_still_disclosed_in_the_first_version(world: Deciding) -> None:
    """What an older verifier can check is written so that it can."""
    world.do("attest", BATTERY, "--reference", "DECL-1", "--declare", "state_of_health=960", who="maker")
    named = ("--certificate", "DECL-1", "--battery", BATTERY, "--disclose", "all")
    world.do("bundle", *named, "--out", str(world.folder / "declared.cvb"), who="maker")

    assert 1 == parse_bundle((world.folder / "declared.cvb").read_bytes()).version
    assert ["/results/0"] == verify(world, world.folder / "declared.cvb")["places"]


WRONG = [
    (("--disclose", "palce"), ExitCode.OPERATIONAL, "commits to no 'palce': it commits to report"),
    (("--disclose", "report", "--document", "photo.png"), ExitCode.OPERATIONAL, "no field that is opened is about"),
    (("--document", "report.pdf"), ExitCode.WRONG_USAGE, "name that with --disclose"),
    (("--disclose", "report", "--document", "none.bin"), ExitCode.WRONG_USAGE, "cannot be read"),
    (("--disclose", "report", "--document", "huge.bin"), ExitCode.MALFORMED, "larger than a bundle may be"),
    (("--disclose", "report", "--document", "large.bin"), ExitCode.MALFORMED, "leave the documents out"),
]


@pytest.mark.parametrize(("words", "code", "reason"), WRONG, ids=[reason for *_, reason in WRONG])
def test_what_cannot_be_disclosed_is_refused_with_what_to_do(
    world: Deciding, words: tuple[str, ...], code: ExitCode, reason: str
) -> None:
    """Nothing is written."""
    (world.folder / "huge.bin").write_bytes(bytes(BUNDLE_BYTES_MAX + 1))
    (world.folder / "large.bin").write_bytes(bytes(BUNDLE_BYTES_MAX))
    report = "large.bin" if "large.bin" in words else "report.pdf"
    words_of_work = ("service", "work", BATTERY, *WORK, "--report", str(world.folder / report))
    statement = statement_of(world, *words_of_work, who="maker")
    named = [str(world.folder / one) if "." in one else one for one in words]
    result = world.run("bundle", statement, "--out", str(world.folder / "no.cvb"), *named, "--json", who="maker")

    assert (code, reason in " ".join(result.output.split())) == (result.exit_code, True), result.output
    assert not (world.folder / "no.cvb").exists()


def test_nobody_opens_what_another_committed_to(world: Deciding) -> None:
    """The opening lies in the vault of whoever signed: the holder cannot be made to disclose by somebody else."""
    statement = install(world)
    words = ("bundle", statement, "--disclose", "place", "--out", str(world.folder / "no.cvb"))
    result = world.run(*words, who="workshop")

    assert ExitCode.OPERATIONAL == result.exit_code
    assert "this vault does not open place" in " ".join(result.output.split())


def test_a_claim_is_proven_as_contested_kept_and_not_accepted(world: Deciding) -> None:
    """Somebody claims to have made it: the bundle of that holds, and the exit code is that of no acceptance."""
    born = ("battery", "new", BATTERY, "--manufactured-on", "2025-06-30", "--facility", "Elsewhere")
    result = world.run(*born, who="second")
    assert ExitCode.REFUSED == result.exit_code, result.output
    path = bundle(world, claim_of(world), who="second")
    words = ("verify", str(path), "--trust", str(world.folder / "node" / "trust.json"))
    told, document = world.run(*words), json.loads(world.run(*words, "--json").stdout)

    assert (ExitCode.NOT_ACCEPTED, ExitCode.NOT_ACCEPTED) == (told.exit_code, world.run(*words, "--json").exit_code)
    assert "Contested: kept, not accepted." in " ".join(told.output.split())
    assert ("contested", "RegisterBattery") == (document["outcome"], document["message"]["type"])
    received = world.run("bundle", "receive", str(path), who="lab")
    assert ExitCode.DOES_NOT_HOLD == received.exit_code


def test_every_confidential_field_of_every_message_can_be_disclosed() -> None:
    """What is granted is a member called `commitment`: that is what disclosures look for, in every message there is."""
    granted = [name for kind in get_ruleset(NEWEST).handlers for name, circle in circles(kind) if circle == "granted"]

    assert len(granted) >= 15
    assert {"commitment"} == {name.split(".")[-1] for name in granted}
    assert {"results", *COMMITTED} == {name.split(".")[-2] for name in granted}
