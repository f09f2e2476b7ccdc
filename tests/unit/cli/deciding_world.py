"""Three organisations with their workspaces on one ledger of the newest ruleset, and a clock that tests move."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

from cellvow.cli import app
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.node.home import NodeHome
from cellvow.workspace import clock, commands
from cellvow.workspace.workspace import Workspace

if TYPE_CHECKING:
    from pathlib import Path

    import pytest
    from typer.testing import Result

START_MS = 1_800_000_000_000
CHAIN_ID = "deciding.example"
ORGANISATIONS = ("buyer", "lab", "maker")
RUNNER = CliRunner()


@dataclass
class Deciding:
    """The folder with `buyer`, `lab`, `maker` and `node`; every command takes a second."""

    folder: Path
    now_ms: int = field(default=START_MS)

    def run(self, *words: str, who: str | None = None) -> Result:
        """A command, on a workspace or none."""
        self.now_ms += 1_000
        named = () if who is None else ("--workspace", str(self.folder / who))
        return RUNNER.invoke(app, [*words, *named], env={"CELLVOW_WORKSPACE": "", "CELLVOW_LEDGER": ""})

    def do(self, *words: str, who: str | None = None) -> dict[str, Any]:
        """What a command that succeeds answers to a script."""
        result = self.run(*words, "--json", who=who)
        assert 0 == result.exit_code, result.output
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    def read(self, *words: str, who: str | None = None) -> str:
        """What a command that succeeds says to people, in one line."""
        result = self.run(*words, who=who)
        assert 0 == result.exit_code, result.output
        return " ".join(result.stdout.split())


def make_deciding(
    folder: Path, monkeypatch: pytest.MonkeyPatch, ruleset: int = NEWEST, roles: dict[str, list[str]] | None = None
) -> Deciding:
    """Found the ledger and join it with all three, operators unless `roles` says otherwise."""
    deciding = Deciding(folder)
    monkeypatch.setattr(clock, "now_ms", lambda: deciding.now_ms)
    monkeypatch.setattr(commands, "now_ms", lambda: deciding.now_ms)
    workspaces = [
        Workspace.create(folder / one, one, one.title(), (roles or {}).get(one, ["operator"])) for one in ORGANISATIONS
    ]
    genesis = Genesis(CHAIN_ID, 1_000, ruleset, tuple(one.member() for one in workspaces))
    home = NodeHome.create(folder / "node", genesis, "test.example/deciding", bytes(range(32)))
    with home.open_session(lambda: deciding.now_ms) as session:
        for workspace in workspaces:
            workspace.join(folder / "node")
            commands.enrol(session, workspace)
            workspace.close()
    return deciding
