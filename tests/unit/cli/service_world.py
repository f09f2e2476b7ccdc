"""A maker, a workshop, a laboratory and a second-life operator on one ledger, with one battery that its maker holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellvow.core.ledger.genesis import Genesis
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.node.home import NodeHome
from cellvow.workspace import clock, commands
from cellvow.workspace.workspace import Workspace
from tests import messages
from tests.unit.cli.deciding_world import Deciding

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

CHAIN_ID = "service.example"
ROLES = {
    "lab": "laboratory",
    "maker": "manufacturer",
    "second": "second_life_operator",
    "workshop": "workshop",
}
BATTERY = messages.BATTERY
DAY_MS = 86_400_000


def make_service(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """Found the ledger, join it with all four, and register the battery."""
    world = Deciding(folder)
    monkeypatch.setattr(clock, "now_ms", lambda: world.now_ms)
    monkeypatch.setattr(commands, "now_ms", lambda: world.now_ms)
    workspaces = {name: Workspace.create(folder / name, name, name.title(), [role]) for name, role in ROLES.items()}
    genesis = Genesis(CHAIN_ID, 1_000, NEWEST, tuple(one.member() for one in workspaces.values()))
    home = NodeHome.create(folder / "node", genesis, "test.example/service", bytes(range(32)))
    with home.open_session(lambda: world.now_ms) as session:
        for workspace in workspaces.values():
            workspace.join(folder / "node")
            commands.enrol(session, workspace)
        commands.register_model(session, workspaces["maker"], messages.model())
        commands.register_battery(session, workspaces["maker"], BATTERY, "2025-06-30", "Plant 1")
    for workspace in workspaces.values():
        workspace.close()
    return world


def hand_over(world: Deciding, giver: str, taker: str) -> None:
    """Custody passes on."""
    world.do("handover", "offer", BATTERY, "--to", taker, "--register", "custody", who=giver)
    world.do("handover", "accept", BATTERY, who=taker)


def count_statements(world: Deciding) -> int:
    """Statements that the ledger holds."""
    store = NodeHome(world.folder / "node").open_reader()
    try:
        return len(store.statements(0, store.head().log.size))
    finally:
        store.close()
