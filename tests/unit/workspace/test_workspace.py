"""A workspace that lost a file says so; a lost counter has a way out; another key can take over."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.anchor import Anchor
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.ledger.rejection import NotIncludable, Reason, Rejected
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.home import NodeHome
from cellvow.workspace import commands
from cellvow.workspace.workspace import SEQUENCES_FILE, VAULT_FILE, Workspace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.node.home import LedgerSession


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a workspace that has joined a ledger of its own."""
    workspace = Workspace.create(tmp_path / "lab", "lab", "Test Laboratory", ["laboratory"])
    genesis = Genesis("cellvow-unit", 1_000, 1, (workspace.member(),))
    NodeHome.create(tmp_path / "node", genesis, "cellvow.test/unit", bytes(range(32)))
    workspace.join(tmp_path / "node")
    workspace.close()
    return tmp_path / "lab"


@pytest.fixture
def session(folder: Path) -> Iterator[LedgerSession]:
    """The ledger, open for writing, at a time of its own."""
    ticks = itertools.count(4_000_000_000_000)
    workspace = Workspace(folder)
    with workspace.home().open_session(lambda: next(ticks)) as opened:
        workspace.close()
        yield opened


def anchor(number: int) -> Anchor:
    """A message that any key with all scope may sign."""
    return Anchor(root=f"{number:064x}", rows=1, kind="document")


@pytest.mark.parametrize("name", [SEQUENCES_FILE, VAULT_FILE])
def test_a_lost_file_is_missed_and_never_silently_made_anew(name: str, folder: Path) -> None:
    """A vault or counter that is gone is told with its remedy: a new one would hide the loss."""
    (folder / name).unlink()

    with pytest.raises(OperationalError, match=f"{name} is missing"):
        Workspace(folder)
    assert not (folder / name).exists()


def test_after_a_lost_counter_the_key_goes_on_and_older_statements_are_void(
    folder: Path, session: LedgerSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Recounting reads what was used, raises the floor, and what was signed before and not sent is refused for good."""
    monkeypatch.setattr(commands, "now_ms", lambda: 4_000_000_000_000)
    workspace = Workspace(folder)
    commands.enrol(session, workspace)
    commands.submit_message(session, workspace, anchor(1))
    never_sent = workspace.sign("cellvow-unit", anchor(2), 4_000_000_000_000)
    workspace.close()
    (folder / SEQUENCES_FILE).unlink()
    Workspace.replace_lost_counters(folder)
    workspace = Workspace(folder)
    with pytest.raises(NotIncludable):
        commands.submit_message(session, workspace, anchor(3))

    floors = commands.recount(session, workspace)
    commands.submit_message(session, workspace, anchor(4))
    workspace.close()

    assert set(floors) == {"root", "operational-1"}
    with pytest.raises(NotIncludable) as refusal:
        session.submit(never_sent.data).result(timeout=30)
    assert refusal.value.reason is Reason.SEQUENCE_USED


def test_a_counter_that_is_ahead_of_the_ledger_is_recounted_too(
    folder: Path, session: LedgerSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was signed and never sent has used numbers: the floor lies above them, and shuts those statements out."""
    monkeypatch.setattr(commands, "now_ms", lambda: 4_000_000_000_000)
    workspace = Workspace(folder)
    commands.enrol(session, workspace)
    never_sent = [workspace.sign("cellvow-unit", anchor(number), 4_000_000_000_000) for number in (1, 2, 3)]

    floors = commands.recount(session, workspace)
    commands.submit_message(session, workspace, anchor(4))
    workspace.close()

    assert floors["operational-1"] > 3
    for signed in never_sent:
        with pytest.raises(NotIncludable):
            session.submit(signed.data).result(timeout=30)


def test_another_key_takes_over_when_the_first_is_revoked(
    folder: Path, session: LedgerSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rotated key: the new one is registered and used, the old one signs nothing more."""
    monkeypatch.setattr(commands, "now_ms", lambda: 4_000_000_000_000)
    workspace = Workspace(folder)
    commands.enrol(session, workspace)
    workspace.keystore.new_key("operational", "operational-2")
    commands.enrol(session, workspace, "operational-2")
    commands.revoke_key(session, workspace, workspace.key().kid.hex(), "rotation")
    with pytest.raises(NotIncludable) as refusal:
        commands.submit_message(session, workspace, anchor(1))
    workspace.work_with("operational-2")

    commands.submit_message(session, workspace, anchor(1))
    workspace.close()

    assert refusal.value.reason is Reason.KEY_NOT_IN_FORCE
    assert Workspace(folder).settings.key == "operational-2"


def test_what_the_ledger_would_refuse_is_not_even_signed(folder: Path) -> None:
    """A field of the wrong form is named in words, no sequence is used and no pattern shown."""
    workspace = Workspace(folder)
    with pytest.raises(Malformed, match="Anchor: root does not have the form") as error:
        workspace.sign("cellvow-unit", Anchor(root="XYZ", rows=1, kind="document"), 1)

    assert workspace.sequences.allocate(workspace.key().kid) == 1
    assert "^" not in str(error.value)
    workspace.close()


def test_many_messages_go_under_one_signature(
    folder: Path, session: LedgerSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One statement and one leaf, an outcome for each message; a broken one voids an atomic batch."""
    monkeypatch.setattr(commands, "now_ms", lambda: 4_000_000_000_000)
    workspace = Workspace(folder)
    commands.enrol(session, workspace)
    receipted = commands.submit_batch(session, workspace, [anchor(number) for number in range(1, 31)])
    with pytest.raises(Rejected) as rejected:
        commands.submit_batch(session, workspace, [anchor(31), anchor(1)])
    commands.submit_batch(session, workspace, [anchor(31)])
    waiting = workspace.sequences.unresolved(workspace.key().kid)
    workspace.close()

    assert len(receipted.outcomes) == 30
    assert rejected.value.reason is Reason.ANCHOR_EXISTS
    assert waiting == []
