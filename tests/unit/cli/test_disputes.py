"""`cellvow dispute` and `cellvow takeover`: one file for both sides, in words that fit a terminal."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cellvow.cli.failures import ExitCode
from cellvow.core.ledger.outcome import KeptAsClaim
from cellvow.node.home import NodeHome
from cellvow.workspace import commands, disputes
from cellvow.workspace.workspace import Workspace
from tests import messages
from tests.unit.cli.deciding_world import Deciding, make_deciding

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
DAY_MS = 86_400_000
ROLES = {"maker": ["manufacturer"], "buyer": ["second_life_operator"], "lab": ["authority"]}
UNIT = messages.BATTERY
TEXT = "Delivered on 3 March, never returned: the delivery note is signed by your driver and by ours"


@pytest.fixture
def deciding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """The maker has a battery that the buyer owns; the lab is an authority."""
    world = make_deciding(tmp_path, monkeypatch, roles=ROLES)
    monkeypatch.setattr(disputes, "now_ms", lambda: world.now_ms)
    workspace, home = Workspace(tmp_path / "maker"), NodeHome(tmp_path / "node")
    with home.open_session(lambda: world.now_ms) as session:
        commands.register_model(session, workspace, messages.model())
        commands.register_battery(session, workspace, UNIT, "2025-11-03", "PLANT-1")
    workspace.close()
    world.do("handover", "offer", UNIT, "--to", "buyer", "--register", "ownership", who="maker")
    world.do("handover", "accept", UNIT, who="buyer")
    return world


def opened(deciding: Deciding) -> Deciding:
    """The buyer disputes who holds it, with a document."""
    note = deciding.folder / "note.pdf"
    note.write_bytes(b"signed")
    arguments = ("--topic", "custody", "--against", "maker", "--text", TEXT, "--document", str(note))
    deciding.do("dispute", "open", UNIT, *arguments, who="buyer")
    return deciding


def test_both_sides_and_a_stranger_see_the_same_file(deciding: Deciding) -> None:
    """The ledger's part is one; only what each can open of the texts differs."""
    opened(deciding)
    deciding.do("dispute", "state", "buyer/D-1", "--text", "It was returned on 9 March", who="maker")
    seen = [deciding.do("dispute", "show", "buyer/D-1", who=who)["dispute"] for who in ("buyer", "maker", "lab")]
    texts = [[one.get("text") for one in file.pop("opened").values() if "text" in one] for file in seen]

    assert seen[0] == seen[1] == seen[2]
    assert [one["organisation"] for one in seen[0]["positions"]] == ["buyer", "maker"]
    assert texts == [[TEXT], ["It was returned on 9 March"], []]


def test_a_statement_is_handed_over_and_checked_against_the_ledger(deciding: Deciding) -> None:
    """Whoever is given the file reads the words that were committed to; other words are refused."""
    opened(deciding)
    mine = deciding.folder / "mine.json"
    deciding.do("dispute", "show", "buyer/D-1", "--write", str(mine), who="buyer")
    before = deciding.read("dispute", "show", "buyer/D-1", who="lab")
    after = deciding.read("dispute", "show", "buyer/D-1", "--read", str(mine), who="lab")
    document = json.loads(mine.read_text("utf-8"))
    first = min(document["statements"])
    document["statements"][first]["field"] = '{"kind":"position","text":"It is mine"}'
    mine.write_text(json.dumps(document), "utf-8")
    forged = deciding.run("dispute", "show", "buyer/D-1", "--read", str(mine), who="lab")

    assert "its text was not handed to you" in before
    assert TEXT in after
    assert "document note.pdf, SHA-256" in after
    assert forged.exit_code == ExitCode.DOES_NOT_HOLD


@pytest.mark.parametrize("content", ["", "[]", '{"statements": {"00": 1}}', '{"statements": {"00": {"salt": "zz"}}}'])
def test_a_file_of_no_statements_is_refused_with_a_sentence(deciding: Deciding, content: str) -> None:
    """Never a traceback."""
    opened(deciding)
    wrong = deciding.folder / "wrong.json"
    wrong.write_text(content, "utf-8")
    result = deciding.run("dispute", "show", "buyer/D-1", "--read", str(wrong), who="lab")

    assert result.exit_code != 0
    assert "is no file of statements" in " ".join(result.output.split())


def test_the_file_fits_80_columns(deciding: Deciding) -> None:
    """As every table does; only a statement's own long words and commands may be longer."""
    opened(deciding)
    deciding.do("dispute", "propose", "buyer/D-1", "--move", "custody=buyer", who="buyer")
    shown = deciding.run("dispute", "show", "buyer/D-1", who="buyer").stdout
    listed = deciding.run("dispute", "list", UNIT, who="buyer").stdout

    assert max(map(len, [*shown.splitlines(), *listed.splitlines()])) <= 80


def test_a_settlement_is_read_then_accepted(deciding: Deciding) -> None:
    """By the version of the file that was read; then the register names the other side."""
    opened(deciding)
    deciding.do("dispute", "propose", "buyer/D-1", "--move", "custody=buyer", who="buyer")
    shown = deciding.read("dispute", "show", "buyer/D-1", who="maker")
    stale = deciding.run("dispute", "accept", "buyer/D-1", "--version", "1", who="maker")
    deciding.do("dispute", "accept", "buyer/D-1", "--version", "2", who="maker")
    listed = deciding.read("dispute", "list", UNIT, who="lab")

    assert (
        "buyer proposes: custody to buyer. For maker to accept: cellvow dispute accept buyer/D-1 --version 2" in shown
    )
    assert stale.exit_code == ExitCode.REFUSED
    assert "buyer/D-1 who holds it settled; buyer against maker" in listed
    assert deciding.run("handover", "offer", UNIT, "--to", "lab", "--register", "custody", who="buyer").exit_code == 0


def test_an_arbiter_decides_and_his_grounds_are_kept(deciding: Deciding) -> None:
    """The other side names it, and the opener does not: the authority decides as such."""
    opened(deciding)
    deciding.do("dispute", "nominate", "buyer/D-1", "--arbiter", "lab", who="maker")
    ruling = ("--verdict", "upheld", "--grounds", "No return is shown", "--move", "custody=buyer")
    deciding.do("dispute", "decide", "buyer/D-1", *ruling, who="lab")
    shown = deciding.read("dispute", "show", "buyer/D-1", who="lab")

    assert "buyer/D-1: decided, upheld" in shown
    assert "custody to buyer" in shown
    assert "grounds: No return is shown" in shown


def test_a_dispute_is_withdrawn(deciding: Deciding) -> None:
    """By its opener; it stays on the list."""
    opened(deciding)
    deciding.do("dispute", "withdraw", "buyer/D-1", who="buyer")

    assert "0 open, 1 ended" in deciding.read("dispute", "list", UNIT, who="maker")


def test_a_claim_is_published_and_found(deciding: Deciding) -> None:
    """A hand-over by somebody who does not hold, kept as a claim: it can be shown like any other dispute."""
    workspace, home = Workspace(deciding.folder / "lab"), NodeHome(deciding.folder / "node")
    with home.open_session(lambda: deciding.now_ms) as session, pytest.raises(KeptAsClaim):
        commands.offer_handover(session, workspace, UNIT, "buyer", ["custody"], claim=True)
    workspace.close()
    shown = deciding.read("dispute", "show", "lab/CLAIM-1", who="maker")

    assert "about: handed over by somebody who is not registered" in shown
    assert "lab against maker" in shown
    assert "its statement is the evidence" in shown


def test_a_cloned_serial_is_contested_to_whoever_scans_it(deciding: Deciding) -> None:
    """A stranger's passport says so without a name, until an authority has decided; the real one is untouched."""
    ledger = ("--ledger", str(deciding.folder / "node"))
    before = deciding.do("passport", UNIT, *ledger)["passport"]
    workspace, home = Workspace(deciding.folder / "buyer"), NodeHome(deciding.folder / "node")
    with home.open_session(lambda: deciding.now_ms) as session, pytest.raises(KeptAsClaim):
        commands.register_battery(session, workspace, UNIT, "2025-11-03", "BACKYARD")
    workspace.close()
    (contested,) = deciding.do("passport", UNIT, *ledger)["passport"]["disputed"]
    told = deciding.read("passport", UNIT, *ledger)
    deciding.do("dispute", "decide", "buyer/CLAIM-1", "--verdict", "dismissed", "--grounds", "A copy", who="lab")
    after = deciding.do("passport", UNIT, *ledger)["passport"]

    assert (contested["topic"], contested["state"], contested["is_claim"]) == ("cloned_serial", "open", True)
    assert "buyer" not in str(contested)
    assert "DISPUTED. The thing in your hand may not be the battery of this page." in told
    assert "The same serial is claimed by two, since 15 January 2027" in told
    assert not before.get("disputed")
    assert not after.get("disputed")
    assert [one["value"] for one in before["identity"]] == [one["value"] for one in after["identity"]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("dispute", "show", "nobody/D-1"), "no dispute is recorded under this reference"),
        (("dispute", "show", "D-1"), "is not a dispute: write ORGANISATION/REF"),
        (("dispute", "propose", "buyer/D-1", "--move", "title=buyer"), "moves nothing: write custody="),
        (("takeover", "object", UNIT), "nobody has given notice of a take-over"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(deciding: Deciding, words: tuple[str, ...], said: str) -> None:
    """With what to write instead."""
    result = deciding.run(*words, who="maker")

    assert result.exit_code != 0
    assert said in " ".join(result.output.split())


def test_a_unit_is_taken_over_after_its_notice(deciding: Deciding) -> None:
    """Shown to who is registered, with the command to object; completed thirty days later."""
    deciding.do("takeover", "notice", UNIT, "--cause", "abandoned", who="buyer")
    shown = deciding.read("takeover", "show", UNIT, who="maker")
    early = deciding.run("takeover", "complete", UNIT, who="buyer")
    deciding.now_ms += 30 * DAY_MS
    done = deciding.do("takeover", "complete", UNIT, who="buyer")

    assert "buyer wants to answer for it instead of maker: it was abandoned" in shown
    assert f"cellvow takeover object {UNIT}" in shown
    assert early.exit_code == ExitCode.REFUSED
    assert done["events"][0]["registers"] == ["custody", "responsibility"]
    assert "notice completed" in deciding.read("takeover", "show", UNIT, who="maker")


def test_who_is_registered_objects(deciding: Deciding) -> None:
    """And the notice is over; withdrawn, the other way round."""
    deciding.do("takeover", "notice", UNIT, "--cause", "unreachable", who="buyer")
    deciding.do("takeover", "object", UNIT, who="maker")

    assert "maker has objected" in deciding.read("takeover", "show", UNIT, who="buyer")
    assert deciding.run("takeover", "withdraw", UNIT, who="buyer").exit_code == ExitCode.REFUSED


def test_nothing_disputed_and_nothing_noticed_is_said(deciding: Deciding) -> None:
    """An empty list is a sentence."""
    assert "No dispute over" in deciding.read("dispute", "list", UNIT, who="maker")
    assert "Nobody has given notice" in deciding.read("takeover", "show", UNIT, who="maker")
