"""`cellvow key`: rotated, given to devices, reported stolen, recovered by guardians - and explained to anybody."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.unit.cli.deciding_world import CHAIN_ID, Deciding, make_deciding

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
DAY_MS = 86_400_000


@pytest.fixture
def deciding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """Three members."""
    return make_deciding(tmp_path, monkeypatch)


def states(deciding: Deciding, who: str = "lab") -> dict[str, str]:
    """What the ledger says of each key of a workspace."""
    return {one["name"]: one["state"].split(" in block")[0] for one in deciding.do("key", "list", who=who)["keys"]}


def request(deciding: Deciding) -> str:
    """The request of the laboratory, which lost everything and made a new workspace."""
    new, file = deciding.folder / "new-lab", deciding.folder / "request.json"
    deciding.do("init", "workspace", str(new), "--organisation", "lab", "--name", "Lab", "--role", "operator")
    deciding.do("key", "recover", "request", "--chain", CHAIN_ID, "-o", str(file), who="new-lab")
    return str(file)


def test_keys_follow_one_another(deciding: Deciding) -> None:
    """The working key first, then the root key; both new ones sign from then on."""
    deciding.do("key", "rotate", who="lab")
    deciding.do("key", "rotate", "--root", who="lab")
    deciding.do("key", "rotate", who="lab")

    assert {
        "operational-1": "revoked",
        "operational-2": "revoked",
        "operational-3": "in force",
        "root": "revoked",
        "root-2": "in force",
    } == states(deciding)


def test_a_rotation_that_was_interrupted_is_taken_up_again(deciding: Deciding) -> None:
    """A key made and never registered is the next one, not litter."""
    deciding.do("key", "new", "operational-2", who="lab")
    rotated = deciding.do("key", "rotate", who="lab")

    assert "operational-2" == rotated["key"]


def test_a_stolen_key_is_replaced_after_it_was_ended(deciding: Deciding) -> None:
    """What it signed is suspect from the moment named on, and the next key signs."""
    revoked = deciding.read("key", "revoke", "operational-1", "--compromised-since", "2027-01-15", who="lab")
    deciding.do("key", "rotate", who="lab")
    shown = deciding.do("key", "show", "operational-1", who="lab")

    assert "What it signed since 2027-01-15 00:00 UTC is suspect." in revoked
    assert "2027-01-15 00:00 UTC" == shown["key"]["compromised_since"]
    assert "in force" == states(deciding)["operational-2"]


@pytest.mark.parametrize(
    "words", [(), ("--cause", "lost", "--compromised-since", "2027-01-15"), ("--compromised-since", "soon")]
)
def test_how_a_key_ends_must_make_sense(deciding: Deciding, words: tuple[str, ...]) -> None:
    """No cause, two that exclude each other, or no moment."""
    assert 2 == deciding.run("key", "revoke", "operational-1", *words, who="lab").exit_code


def test_a_device_gets_a_key_of_its_own(deciding: Deciding) -> None:
    """It may say what was measured and nothing else."""
    deciding.do("key", "device", "cycler-7", "--device", "CYCLER-7", who="lab")
    shown = deciding.do("key", "show", "cycler-7", who="lab")["key"]

    assert ("device", "CYCLER-7") == (shown["kind"], shown["device"])
    assert ["Anchor", "IssueAttestation", "RaiseFloor"] == shown["scope"]


def test_lost_keys_come_back(deciding: Deciding) -> None:
    """Two guardians agree, the lock runs, one completes; the laboratory goes on from its new workspace."""
    deciding.do("key", "guardians", "maker", "buyer", "--of", "2", "--delay", "2d", who="lab")
    deciding.do("key", "recover", "open", request(deciding), who="maker")
    locked = deciding.do("key", "recover", "approve", "lab", who="buyer")
    early = deciding.run("key", "recover", "complete", "lab", who="maker")
    deciding.now_ms += 2 * DAY_MS
    deciding.do("key", "recover", "complete", "lab", who="maker")
    joined = deciding.do("init", "join", str(deciding.folder / "new-lab"), "--ledger", str(deciding.folder / "node"))

    assert "pending" == locked["recovery"]["state"]
    assert "the time lock has not ended" in " ".join(early.stderr.split())
    assert joined["registered"]
    assert {"revoked"} == set(states(deciding).values())
    assert {"in force"} == set(states(deciding, "new-lab").values())


def test_threat_guardians_take_over_an_owner_who_is_there(deciding: Deciding) -> None:
    """He is warned first of all, and ends it with one command; his keys stay."""
    deciding.do("key", "guardians", "maker", "buyer", "--of", "2", "--delay", "2d", who="lab")
    deciding.do("key", "recover", "open", request(deciding), who="maker")
    deciding.do("key", "recover", "approve", "lab", who="buyer")
    warned = deciding.read("key", "explain", who="lab")
    vetoed = deciding.do("key", "recover", "veto", "lab", who="lab")

    assert warned.startswith("ATTENTION: buyer, maker want to replace your keys.")
    assert "cellvow key recover veto lab" in warned
    assert "vetoed" == vetoed["recovery"]["state"]
    assert {"in force"} == set(states(deciding).values())


def test_a_request_for_another_ledger_is_refused(deciding: Deciding) -> None:
    """Before anything is signed; so is a file that is no request."""
    deciding.do("key", "guardians", "maker", "buyer", "--of", "2", who="lab")
    request(deciding)
    file = deciding.folder / "other.json"
    deciding.do("key", "recover", "request", "--chain", "other.example", "-o", str(file), who="new-lab")
    other = deciding.run("key", "recover", "open", str(file), who="maker")
    file.write_text('{"a":1}', encoding="utf-8")

    assert "other.example" in other.stderr
    assert 0 != other.exit_code
    assert 0 != deciding.run("key", "recover", "open", str(file), who="maker").exit_code


def test_a_request_holds_no_secret(deciding: Deciding) -> None:
    """Neither the seed of the new key nor anything of the vault."""
    text = (deciding.folder / request(deciding)).read_text(encoding="utf-8")
    secrets = [path.read_text("ascii") for path in (deciding.folder / "new-lab" / "keys").iterdir()]
    seeds = [one.partition('"seed":"')[2][:64] for one in secrets if '"seed"' in one]

    assert seeds
    assert [] == [seed for seed in seeds if seed in text]


def test_keys_are_explained_with_how_one_stands(deciding: Deciding) -> None:
    """Without guardians one is told to name some; with them who, how long, and that nobody needs a phrase."""
    before = deciding.read("key", "explain", who="lab")
    deciding.do("key", "guardians", "maker", "buyer", "--of", "2", "--delay", "7d", who="lab")
    after = deciding.read("key", "explain", who="lab")
    guardian = deciding.read("key", "explain", who="maker")

    assert "you have named no guardians" in before
    assert "2 of maker, buyer must agree" in after
    assert "a lock of 7 days runs that nobody can shorten" in after
    assert "You are a guardian of lab." in guardian
    assert all("Nobody ever asks you for a word or a phrase" in text for text in (before, after, guardian))


def test_an_older_ruleset_is_explained_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is no recovery yet, and how members can add it."""
    deciding = make_deciding(tmp_path, monkeypatch, ruleset=1)

    assert "cellvow vote propose ruleset 2" in deciding.read("key", "explain", who="lab")
