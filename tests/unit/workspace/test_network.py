"""A network for trial as folders: its ports, its parts, and what is refused before anything is made."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.genesis import encode_genesis
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.cometbft.binary import EngineProgram
from cellvow.node.home import NodeHome
from cellvow.workspace.network import (
    INVENTED,
    MEMBERS_MAX,
    Network,
    NetworkPlan,
    await_condition,
    choose_ports,
    clear_network,
    common_hashes,
    describe_member,
    found_network,
)
from cellvow.workspace.network_trial import run_trial
from cellvow.workspace.workspace import Workspace
from tests.engine_stand_in import make_stand_in

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture
def program(tmp_path: Path) -> EngineProgram:
    """What writes the engine's settings."""
    return make_stand_in(tmp_path)


@pytest.mark.slow
def test_a_founded_network_is_opened_again(tmp_path: Path, program: EngineProgram) -> None:
    """Every member has the same genesis, names all others as peers, and works on its own ledger."""
    founded = found_network(tmp_path / "n", NetworkPlan(3, 26_600, "packs-2026"), program)
    network = Network(tmp_path / "n")

    assert [home.membership for home in founded.members] == [home.membership for home in network.members]
    assert ["member-1", "member-2", "member-3"] == [home.label for home in network.members]
    assert {encode_genesis(network.genesis)} == {
        (home.ledger / "genesis.json").read_bytes() for home in network.members
    }
    assert {network.trust.read_bytes()} == {(home.ledger / "trust.json").read_bytes() for home in network.members}
    ids = {home.membership.node_id for home in network.members}
    for home in network.members:
        assert ids - {home.membership.node_id} == {peer.partition("@")[0] for peer in home.membership.peers}
        workspace = Workspace(home.workspace)
        assert NodeHome(home.ledger).folder == workspace.home().folder
        workspace.close()


@pytest.mark.slow
def test_a_members_folder_works_where_it_is_carried_to(tmp_path: Path, program: EngineProgram) -> None:
    """Into a container, or onto another machine."""
    network = found_network(tmp_path / "n", NetworkPlan(1, 26_600, "packs-2026"), program)
    carried = network.members[0].folder.rename(tmp_path / "elsewhere")
    workspace = Workspace(carried / "workspace")

    assert carried / "ledger" == workspace.home().folder
    workspace.close()


@pytest.mark.slow
def test_members_that_are_down_are_described(tmp_path: Path, program: EngineProgram) -> None:
    """With the height of their own ledgers, and no hash that nobody vouches for."""
    network = found_network(tmp_path / "n", NetworkPlan(1, 26_600, "packs-2026"), program)
    state = describe_member(network.members[0])

    assert ("down", 0, None) == (state.supervisor, state.height, state.app_hash)
    assert (0, {}) == common_hashes(network)


def test_every_organisation_of_a_trial_is_called_invented() -> None:
    """Nobody takes them for real ones."""
    assert [] == [name for _, name, _ in INVENTED if not name.startswith("Invented ")]


@pytest.mark.parametrize(
    "plan",
    [
        NetworkPlan(0, 0, "packs-2026"),
        NetworkPlan(MEMBERS_MAX + 1, 0, "packs-2026"),
        NetworkPlan(2, 0, "packs-2026", ("one",)),
        NetworkPlan(1, 80, "packs-2026"),
        NetworkPlan(1, 0, "No Chain"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(tmp_path: Path, program: EngineProgram, plan: NetworkPlan) -> None:
    """And leaves no member behind."""
    with pytest.raises(Malformed):
        found_network(tmp_path / "n", plan, program)
    assert [] == list((tmp_path / "n").glob("*"))


def test_a_folder_that_is_not_empty_is_left_alone(tmp_path: Path, program: EngineProgram) -> None:
    """Founding never overwrites."""
    with pytest.raises(OperationalError, match="not empty"):
        found_network(tmp_path, NetworkPlan(1, 0, "packs-2026"), program)


@pytest.mark.slow
def test_only_a_network_is_cleared(tmp_path: Path, program: EngineProgram) -> None:
    """A folder with anything else in it is not touched."""
    found_network(tmp_path / "n", NetworkPlan(1, 0, "packs-2026"), program)
    (tmp_path / "n" / "thesis.odt").touch()
    with pytest.raises(OperationalError, match=r"thesis\.odt"):
        clear_network(tmp_path / "n")

    clear_network(tmp_path / "n", ("thesis.odt",))
    assert not (tmp_path / "n").exists()
    clear_network(tmp_path / "n")


def test_a_folder_without_members_is_told(tmp_path: Path) -> None:
    """With the command that makes them."""
    with pytest.raises(OperationalError, match="cellvow network init"):
        Network(tmp_path)


def test_free_ports_are_free_and_differ() -> None:
    """Several networks run side by side."""
    ports = choose_ports(14, 0)

    assert 14 == len(set(ports))
    with ExitStack() as bound:
        for port in ports:
            bound.enter_context(socket.socket()).bind(("127.0.0.1", port))


@pytest.mark.parametrize(("count", "base"), [(2, 1_023), (8, 65_529)])
def test_ports_out_of_range_are_refused(count: int, base: int) -> None:
    """One past either end."""
    with pytest.raises(Malformed, match="1024 to 65535"):
        choose_ports(count, base)


@pytest.mark.parametrize(("count", "base"), [(2, 1_024), (8, 65_528)])
def test_ports_at_the_end_of_the_range_are_taken(count: int, base: int) -> None:
    """At either end."""
    assert list(range(base, base + count)) == choose_ports(count, base)


def test_waiting_ends(tmp_path: Path) -> None:
    """With what was waited for."""
    answers = iter([False, False, True])
    pauses: list[float] = []
    await_condition(lambda: next(answers), "an answer", 60, pauses.append)

    assert 2 == len(pauses)
    never: Callable[[], bool] = (tmp_path / "never").exists
    with pytest.raises(OperationalError, match="in vain for a file"):
        await_condition(never, "a file", 0.0)


def test_a_trial_of_three_is_refused(tmp_path: Path) -> None:
    """With one of three killed the others are not more than two thirds."""
    with pytest.raises(OperationalError, match="4 or more"):
        run_trial(tmp_path / "n", NetworkPlan(3, 0, "packs-2026"), {"PATH": ""}, print)
