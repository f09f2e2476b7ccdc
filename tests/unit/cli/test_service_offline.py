"""X04: a workshop signs without network and sends once later; what somebody else did meanwhile is shown, row by row."""

from __future__ import annotations

import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.use import InstallationRecord, installation_key
from cellvow.core.ledger.rejection import Reason
from cellvow.node.home import NodeHome
from cellvow.workspace.sending import list_waiting, send_waiting
from cellvow.workspace.sequences import Sequences
from cellvow.workspace.workspace import Workspace
from tests import messages
from tests.unit.cli.service_world import BATTERY, CHAIN_ID, DAY_MS, count_statements, make_service

if TYPE_CHECKING:
    from pathlib import Path

    from tests.unit.cli.deciding_world import Deciding

pytestmark = pytest.mark.slow
INSTALL = ("service", "install", BATTERY, "--into", "vehicle", "--place", "WVWZZZ1KZAW000001")
REMOVE = ("service", "remove", BATTERY, "--cause", "service")


class Killed(BaseException):
    """The process ended here: nothing after it ran."""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """The maker holds the battery."""
    return make_service(tmp_path, monkeypatch)


def work(reference: str) -> tuple[str, ...]:
    """An inspection."""
    return ("service", "work", BATTERY, "--reference", reference, "--kind", "inspection", "--text", "Looked at it")


def fates(answer: dict[str, Any]) -> list[tuple[str, bool]]:
    """What became of each row, and whether the ledger had it already."""
    return [(one["fate"], one["was_known"]) for one in answer["sent"]]


def installation(world: Deciding) -> InstallationRecord | None:
    """The battery's installation as the ledger has it."""
    store = NodeHome(world.folder / "node").open_reader()
    try:
        value = store.get(installation_key(BATTERY))
        return None if value is None else decode_record(InstallationRecord, value)
    finally:
        store.close()


def test_a_workshop_signs_with_no_ledger_in_reach_and_sends_once_later(world: Deciding) -> None:
    """The node's folder is away while it signs; a day later all of it is recorded, in the order it was signed."""
    node, away = world.folder / "node", world.folder / "away"
    node.rename(away)
    first = world.do(*INSTALL, "--offline", who="maker")
    world.do(*REMOVE, "--offline", who="maker")
    online = world.run(*work("W-0"), who="maker")
    queued = world.read("service", "queue", who="maker")
    world.now_ms += DAY_MS
    unreachable = world.run("service", "send", who="maker")
    away.rename(node)
    before = count_statements(world)
    sent = world.do("service", "send", who="maker")
    again = world.do("service", "send", who="maker")

    assert (first["message"], first["waiting"]) == ("InstallBattery", 1)
    assert online.exit_code == unreachable.exit_code == 5
    assert "InstallBattery" in queued
    assert "UninstallBattery" in queued
    assert fates(sent) == [("recorded", False), ("recorded", False)]
    assert (again["sent"], count_statements(world) - before) == ([], 2)
    record = installation(world)
    assert record is not None
    assert (record.state, record.version) == ("removed", 2)


def test_what_is_signed_offline_does_not_go_stale_and_what_is_signed_online_does(world: Deciding) -> None:
    """Control: a statement with a time limit, sent a day late, is rejected as too late."""
    world.do(*work("W-1"), "--offline", who="workshop")
    workspace = Workspace(world.folder / "workshop")
    workspace.sign(CHAIN_ID, messages.work("W-2", "inspection"), world.now_ms)
    workspace.close()
    world.now_ms += DAY_MS
    result = world.run("service", "send", who="workshop")

    assert result.exit_code == 3
    assert "recorded in block" in result.stdout
    assert f"code {int(Reason.EXPIRED)}" in " ".join(result.stdout.split())


@pytest.mark.parametrize("answered", [0, 1])
def test_a_turn_that_is_killed_and_repeated_takes_effect_once(
    world: Deciding, monkeypatch: pytest.MonkeyPatch, answered: int
) -> None:
    """Killed after the ledger committed a statement and before that was noted: it is named as already recorded."""
    for reference in ("W-1", "W-2", "W-3"):
        world.do(*work(reference), "--offline", who="workshop")
    before, resolve = count_statements(world), Sequences.resolve
    resolved: list[int] = []

    def killed(self: Sequences, kid: bytes, sequence: int) -> None:
        if len(resolved) == answered:
            raise Killed
        resolved.append(sequence)
        resolve(self, kid, sequence)

    monkeypatch.setattr(Sequences, "resolve", killed)
    workspace = Workspace(world.folder / "workshop")
    with pytest.raises(Killed), workspace.home().open_session(lambda: world.now_ms) as session:
        list(send_waiting(session, workspace))
    workspace.close()
    monkeypatch.setattr(Sequences, "resolve", resolve)
    world.now_ms += 60_000
    sent = world.do("service", "send", who="workshop")

    rest = 2 - answered
    assert fates(sent) == [("recorded", True), *[("recorded", False)] * rest]
    assert "already recorded" not in world.read("service", "send", who="workshop")
    assert count_statements(world) - before == 3


_KILLED = """
import os, signal, sys
from cellvow.cli import app
from cellvow.workspace import clock, sequences
folder, moment, survived = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
clock.now_ms = lambda: moment
resolve, answered = sequences.Sequences.resolve, []
def kill(self, kid, sequence):
    if len(answered) == survived:
        os.kill(os.getpid(), signal.SIGKILL)
    answered.append(sequence)
    resolve(self, kid, sequence)
sequences.Sequences.resolve = kill
app(["service", "send", "--workspace", folder])
"""


def test_a_process_killed_outright_between_commit_and_answer_doubles_nothing(world: Deciding) -> None:
    """SIGKILL, after the second statement stands in the ledger and before the workspace noted it."""
    for reference in ("W-1", "W-2", "W-3"):
        world.do(*work(reference), "--offline", who="workshop")
    before = count_statements(world)
    words = [str(world.folder / "workshop"), str(world.now_ms + 1_000), "1"]
    died = subprocess.run([sys.executable, "-c", _KILLED, *words], capture_output=True, check=False)
    committed = count_statements(world) - before
    world.now_ms += 60_000
    sent = world.do("service", "send", who="workshop")

    assert (died.returncode, committed) == (-signal.SIGKILL, 2)
    assert fates(sent) == [("recorded", True), ("recorded", False)]
    assert count_statements(world) - before == 3


def test_a_reader_who_stops_half_way_has_lost_nothing(world: Deciding) -> None:
    """What was not asked for yet still waits, in its order."""
    for reference in ("W-1", "W-2"):
        world.do(*work(reference), "--offline", who="workshop")
    workspace = Workspace(world.folder / "workshop")
    with workspace.home().open_session(lambda: world.now_ms) as session:
        sent = next(iter(send_waiting(session, workspace)))
        left = [one.messages for one in list_waiting(workspace)]
    workspace.close()

    assert sent.fate == "recorded"
    assert left == [("RecordWork",)]


@pytest.mark.parametrize("offline_first", [True, False])
def test_a_conflict_is_shown_with_its_rule_and_changes_nothing(world: Deciding, offline_first: bool) -> None:
    """Two phones of one workshop install the same unit; whichever is sent first counts, in either order."""
    world.do(*INSTALL, "--offline", who="maker")
    other = (*INSTALL[:-1], "WVWZZZ1KZAW000002")
    if offline_first:
        sent = world.do("service", "send", who="maker")
        late = world.run(*other, who="maker")
        assert (fates(sent), late.exit_code) == ([("recorded", False)], 3)
        return
    world.do(*other, who="maker")
    held = installation(world)
    world.do(*work("W-1"), "--offline", who="maker")
    result = world.run("service", "send", "--json", who="maker")
    words = world.run("service", "queue", who="maker").stdout

    assert result.exit_code == 3
    assert '"code": 1202' in result.stdout
    assert '"by": "maker"' in result.stdout
    assert '"fate": "recorded"' in result.stdout
    assert "Nothing waits" in words
    assert installation(world) == held


def test_a_conflict_is_told_to_people_in_one_row(world: Deciding) -> None:
    """Which message, about what, and the sentence of the rule with its facts."""
    world.do(*REMOVE, "--offline", who="maker")
    result = world.run("service", "send", who="maker")
    said = " ".join(result.stdout.split())

    assert result.exit_code == 3
    assert "UninstallBattery" in said
    assert "code 1203" in said
    assert "0 of 1 are recorded." in said
    assert "then sign anew" in said


def test_a_ledger_that_is_locked_keeps_the_queue(world: Deciding) -> None:
    """Somebody else writes: trying again later makes sense, and nothing was lost."""
    world.do(*work("W-1"), "--offline", who="workshop")
    with NodeHome(world.folder / "node").open_session(lambda: world.now_ms):
        locked = world.run("service", "send", who="workshop")

    assert locked.exit_code == 5
    assert fates(world.do("service", "send", who="workshop")) == [("recorded", False)]


def test_a_workspace_that_never_saw_its_ledger_signs_nothing_offline(world: Deciding) -> None:
    """It would not know for which ledger."""
    Workspace.create(world.folder / "new", "newcomer", "New", ["workshop"]).close()
    result = world.run(*work("W-1"), "--offline", who="new")

    assert result.exit_code == 5
    assert "knows no ledger" in " ".join(result.stderr.split())


def test_a_workspace_that_joined_before_the_ledgers_name_was_kept_reads_it_from_the_node(world: Deciding) -> None:
    """Older settings name the folder alone."""
    settings = world.folder / "workshop" / "cellvow.toml"
    lines = [line for line in settings.read_text().splitlines() if not line.startswith("chain")]
    settings.write_text("\n".join(lines) + "\n")
    world.do(*work("W-1"), "--offline", who="workshop")

    assert fates(world.do("service", "send", who="workshop")) == [("recorded", False)]


def test_resending_by_key_sends_the_same_queue(world: Deciding) -> None:
    """One queue, two ways to empty it."""
    world.do(*work("W-1"), "--offline", who="workshop")

    assert world.do("key", "resend", who="workshop")["sent"] == 1
    assert world.do("service", "send", who="workshop")["sent"] == []


def test_what_waits_for_a_second_signature_leaves_the_queue(world: Deciding) -> None:
    """The ledger holds it for a colleague: it was not done, nothing is left to send, and the answer says whose turn."""
    world.do("sign", "rule", "--message", "InstallBattery", who="maker")
    world.do(*INSTALL, "--offline", who="maker")
    sent = world.do("service", "send", who="maker")

    assert [("held", False)] == fates(sent)
    assert [0] == sent["sent"][0]["held"]
    assert installation(world) is None
    assert "Nothing waits to be sent." in world.read("service", "queue", who="maker")
