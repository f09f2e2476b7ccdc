"""The doctor finds what is wrong, says what to type, and disturbs nothing."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from cellvow.cli.founding import (
    Joining,
    LedgerToMake,
    WitnessToName,
    WorkspaceToMake,
    join,
    make_ledger,
    make_workspace,
    name_witness,
)
from cellvow.cli.witnesses import LogToAdd, WitnessToMake, add_log, make
from cellvow.core.contracts.organisation import RegisterKey, possession_bytes
from cellvow.node.home import TRUST_FILE, NodeHome, WitnessAddress
from cellvow.node.store import LOCK_FILE, WriterLock
from cellvow.workspace import commands, doctor
from cellvow.workspace.clock import now_ms
from cellvow.workspace.doctor import examine_installation
from cellvow.workspace.finding import BROKEN, LOOK, OK, Finding
from cellvow.workspace.settings import ROOT_KEY
from cellvow.workspace.workspace import Workspace

ORIGIN = "test.example/log"


class Usage(NamedTuple):
    """What the machine says of a disk."""

    total: int
    used: int
    free: int


@pytest.fixture
def founded(tmp_path: Path) -> Path:
    """A folder with the workspace `maker` and the ledger `node`, not yet joined."""
    make_workspace(
        WorkspaceToMake(folder=tmp_path / "maker", organisation="maker", name="Maker", role=["manufacturer"])
    )
    member = tmp_path / "maker" / "member.json"
    make_ledger(LedgerToMake(folder=tmp_path / "node", chain_id="doctor-test", origin=ORIGIN, member=[member]))
    return tmp_path


@pytest.fixture
def joined(founded: Path) -> Path:
    """The same, joined."""
    join(Joining(workspace=founded / "maker", ledger=founded / "node"))
    return founded


def found(folder: Path, subject: str, *, workspace: bool = True) -> Finding:
    """What the doctor says of one subject."""
    findings = examine_installation(folder / "maker" if workspace else None, None if workspace else folder / "node")
    return next(finding for finding in findings if finding.subject == subject)


def test_a_sound_installation_is_found_sound(joined: Path) -> None:
    """Nothing is broken, and the one thing to look at is that nobody witnesses."""
    findings = examine_installation(joined / "maker", None)

    assert [] == [finding for finding in findings if finding.state == BROKEN]
    assert ["witnesses"] == [finding.subject for finding in findings if finding.state == LOOK]


def test_whatever_is_not_well_says_what_to_do(founded: Path) -> None:
    """A line without a remedy would leave the administrator alone."""
    (founded / "node" / "log.key").chmod(0o644)
    findings = examine_installation(founded / "maker", founded / "node")

    assert [BROKEN, LOOK] == sorted({finding.state for finding in findings} - {OK})
    assert [] == [finding for finding in findings if finding.state != OK and not finding.remedy]


def test_an_examination_changes_nothing(joined: Path) -> None:
    """Files are the same before and after, but for what SQLite keeps beside an open file."""

    def content() -> dict[str, bytes]:
        files = [path for path in joined.rglob("*") if path.is_file() and not path.name.endswith(("-shm", "-wal"))]
        return {str(path): path.read_bytes() for path in files}

    before = content()
    examine_installation(joined / "maker", None)

    assert before == content()


@pytest.mark.parametrize("key", ["maker/keys/root.json", "maker/keys/vault.key", "node/log.key"])
def test_a_key_file_open_to_others_is_broken(joined: Path, key: str) -> None:
    """The remedy is the command that closes it."""
    (joined / key).chmod(0o640)
    broken = [one for one in examine_installation(joined / "maker", joined / "node") if one.state == BROKEN]

    assert broken
    assert "chmod 600" in broken[0].remedy


def test_a_workspace_that_joined_no_ledger_is_told_how(founded: Path) -> None:
    """It wants a look, with the command."""
    finding = found(founded, "working key")

    assert (LOOK, True) == (finding.state, "cellvow init join" in finding.remedy)


def test_a_workspace_whose_key_is_not_registered_is_broken(founded: Path) -> None:
    """It has joined, and cannot sign."""
    workspace = Workspace(founded / "maker")
    workspace.join(founded / "node")
    workspace.close()

    assert BROKEN == found(founded, "working key").state


def test_a_statement_without_an_answer_is_found(joined: Path) -> None:
    """It was signed and kept, and nobody knows what became of it."""
    workspace = Workspace(joined / "maker")
    key = workspace.keystore.new_key("operational", "second")
    possession = key.sign(possession_bytes("doctor-test", "maker", key.public_key.hex()))
    message = RegisterKey(
        organisation="maker",
        public_key=key.public_key.hex(),
        kind="operational",
        scope=commands.ALL_SCOPE,
        valid_from_ms=0,
        possession=possession.hex(),
    )
    workspace.sign("doctor-test", message, now_ms(), ROOT_KEY)
    workspace.close()
    finding = found(joined, "unresolved statements")

    assert LOOK == finding.state
    assert finding.remedy == f"cellvow key resend --workspace {joined / 'maker'}"


def test_a_folder_that_is_no_workspace_or_ledger_is_broken(tmp_path: Path) -> None:
    """The message says what makes one."""
    findings = examine_installation(tmp_path, tmp_path)
    broken = {finding.subject: finding for finding in findings if finding.state == BROKEN}

    assert {"workspace", "ledger"} == set(broken)
    assert all("cellvow init" in one.sentence + one.remedy for one in broken.values())


def test_the_writer_at_work_is_named(joined: Path) -> None:
    """The process that holds the lock is told, and it keeps the lock."""
    lock = WriterLock(joined / "node")
    try:
        finding = found(joined, "writer", workspace=False)
    finally:
        lock.release()

    assert (LOOK, f"process {os.getpid()} is writing") == (finding.state, finding.sentence)
    assert OK == found(joined, "writer", workspace=False).state
    assert (joined / "node" / LOCK_FILE).exists()


def test_a_checkpoint_that_lags_behind_is_found(joined: Path) -> None:
    """A block was committed and not published."""
    workspace = Workspace(joined / "maker")
    with workspace.home().open_session(now_ms) as session:
        workspace.keystore.new_key("operational", "second")
        commands.enrol(session, workspace, "second")
    workspace.close()
    finding = found(joined, "checkpoint", workspace=False)

    assert (LOOK, "it covers 3 of 5 leaves") == (finding.state, finding.sentence)
    assert "cellvow publish" in finding.remedy


def witness(folder: Path, name: str) -> None:
    """A witness in a folder of that name, watching the ledger, named by it."""
    vkey = str(make(WitnessToMake(folder=folder / name, name=f"witness.example/{name}")).document["vkey"])
    log = NodeHome(folder / "node").describe()["log"]
    add_log(LogToAdd(folder=folder / name, origin=ORIGIN, vkey=log))
    name_witness(WitnessToName(ledger=folder / "node", vkey=vkey, place=str(folder / name)))


def test_witnesses_are_reached_or_said_to_be_away(joined: Path) -> None:
    """A folder that opens is well; a service that does not answer wants a look; a missing folder is broken."""
    witness(joined, "north")
    subject = "witness witness.example/north"

    assert OK == found(joined, subject, workspace=False).state
    assert OK == found(joined, "checkpoint", workspace=False).state
    (joined / "north" / "witness.key").unlink()
    assert BROKEN == found(joined, subject, workspace=False).state


def test_a_service_that_does_not_answer_wants_a_look(joined: Path) -> None:
    """Port 1 of this machine has no witness."""
    witness(joined, "north")
    vkey = NodeHome(joined / "node").witnesses()[0].vkey
    finding = doctor.examine_witness("witness", WitnessAddress(vkey, "http://127.0.0.1:1"))

    assert LOOK == finding.state
    assert "cellvow witness run" in finding.remedy


@pytest.mark.parametrize(
    ("free", "state"),
    [
        (doctor.FREE_BYTES_LOOK, OK),
        (doctor.FREE_BYTES_LOOK - 1, LOOK),
        (doctor.FREE_BYTES_BROKEN, LOOK),
        (doctor.FREE_BYTES_BROKEN - 1, BROKEN),
    ],
)
def test_a_disk_that_fills_up_is_noticed_in_time(
    free: int, state: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each bound, and one byte below it."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage(10**12, 10**12 - free, free))

    assert state == doctor.examine_disk("disk", tmp_path).state


def test_a_clock_behind_the_last_block_is_broken() -> None:
    """A minute is let pass; a millisecond more is not."""
    now = 1_800_000_000_000

    assert OK == doctor.examine_clock(now + doctor.CLOCK_TOLERANCE_MS, now).state
    assert BROKEN == doctor.examine_clock(now + doctor.CLOCK_TOLERANCE_MS + 1, now).state
    assert OK == doctor.examine_clock(now - 10**12, now).state


@pytest.mark.parametrize(("version", "state"), [((3, 10), LOOK), ((3, 11), OK), ((3, 13), OK), ((3, 14), LOOK)])
def test_a_python_we_do_not_test_with_wants_a_look(version: tuple[int, int], state: str) -> None:
    """The oldest and the newest, and one beside each."""
    assert state == doctor.examine_python(version).state


def test_a_library_that_decides_an_edge_case_wrongly_is_broken() -> None:
    """Control: one that accepts everything, and one that refuses everything, are both found."""
    assert OK == doctor.examine_signatures().state
    for verdict in (True, False):
        finding = doctor.examine_signatures(lambda *_, verdict=verdict: verdict)

        assert BROKEN == finding.state


def test_the_trust_file_belongs_to_the_ledger(joined: Path) -> None:
    """A trust file that is no trust file breaks the ledger's line, not the examination."""
    (joined / "node" / TRUST_FILE).write_text("{}", encoding="utf-8")

    assert BROKEN == found(joined, "ledger", workspace=False).state
