"""Members on the real engine: tried as a whole, restarted after any death, stopped where a restart would harm."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import yaml  # type: ignore[import-untyped]  # it ships no types

from cellvow.cli.networks import BASE_PORT
from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft.binary import find_engine
from cellvow.node.cometbft.supervisor import read_report
from cellvow.workspace.network import (
    Network,
    NetworkPlan,
    RunningNetwork,
    await_condition,
    describe_member,
    found_network,
)

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).resolve().parents[2]
CELLVOW = [sys.executable, "-c", "from cellvow.cli import main; main()"]
TRIAL_S_MAX = 180
pytestmark = [pytest.mark.cometbft, pytest.mark.slow]


def found(folder: Path, members: int = 1) -> Network:
    """A network on free ports."""
    return found_network(folder, NetworkPlan(members, 0, "packs-2026"), find_engine(os.environ))


def eventually(condition: Callable[[], bool], seconds_max: float = 60.0) -> bool:
    """Whether it holds before the time is over."""
    with suppress(OperationalError):
        await_condition(condition, "a test's condition", seconds_max)
    return condition()


def is_up(network: Network, place: int = 0, restarts: int = 0) -> bool:
    """Whether a member runs after so many restarts, and its engine answers with a block."""
    state = describe_member(network.members[place])
    return state.supervisor == "running" and state.restarts >= restarts and state.app_hash is not None


def test_the_trial_of_a_network_ends_with_a_proof_that_holds(tmp_path: Path) -> None:
    """Founded, used, one killed and back, all stopped; both verifiers take the proof, knowing the genesis alone."""
    command = [*CELLVOW, "network", "try", str(tmp_path / "network"), "--json"]
    answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=TRIAL_S_MAX)

    assert 0 == answer.returncode, answer.stdout + answer.stderr
    document = json.loads(answer.stdout)
    assert all(verdict["holds"] for verdict in document["verified_by"])
    trust = json.loads((tmp_path / "network" / "trust.json").read_bytes())
    assert {"engine", "genesis"} == trust.keys()
    reports = [read_report(home.folder) for home in Network(tmp_path / "network").members]
    assert ["stopped"] * 4 == [report.state for report in reports if report is not None]


@pytest.mark.parametrize("victim", ["application", "engine"])
def test_a_process_that_is_killed_is_back_and_so_is_the_other(tmp_path: Path, victim: str) -> None:
    """The engine never connects to a new application by itself, so both are started anew."""
    network = found(tmp_path / "network")
    with RunningNetwork(network, os.environ) as running:
        running.start_all()
        before = read_report(network.members[0].folder)
        assert before is not None
        os.kill(getattr(before, victim), signal.SIGKILL)

        assert eventually(lambda: is_up(network, restarts=1))
        after = read_report(network.members[0].folder)
        assert after is not None
        assert {before.application, before.engine}.isdisjoint({after.application, after.engine})
        assert "the application ended" in after.reason or "the engine ended" in after.reason


def test_a_killed_supervisor_leaves_nobody_behind_and_the_next_start_is_clean(tmp_path: Path) -> None:
    """Its processes die with it; old socket, lock and report are in nobody's way."""
    network = found(tmp_path / "network")
    home = network.members[0]
    with RunningNetwork(network, os.environ) as running:
        running.start_all()
        report = read_report(home.folder)
        assert report is not None
        running.kill(home)

        assert eventually(lambda: "down" == describe_member(home).supervisor)
        assert eventually(lambda: not any(is_alive(pid) for pid in (report.application, report.engine)))
        running.start(home)
        assert eventually(lambda: is_up(network))


def is_alive(pid: int | None) -> bool:
    """Whether a process of that id is there."""
    assert pid is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_second_supervisor_of_a_running_member_is_refused(tmp_path: Path) -> None:
    """Two engines with one validator's key would sign twice at one height."""
    network = found(tmp_path / "network")
    with RunningNetwork(network, os.environ) as running:
        running.start_all()
        command = [*CELLVOW, "network", "member", str(network.members[0].folder), "--json"]
        answer = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)

        assert 0 != answer.returncode
        assert "running already" in answer.stdout
        with pytest.raises(OperationalError, match="running already"):
            running.start(network.members[0])
        assert is_up(network)


def stopped_for_good(network: Network, running: RunningNetwork) -> str:
    """Why the first member stays down after it was started."""
    running.start(network.members[0])
    assert eventually(lambda: running.ended(network.members[0]))
    report = read_report(network.members[0].folder)
    assert report is not None
    assert ("failed", 0) == (report.state, report.restarts)
    return report.reason


def test_an_engine_restored_from_an_older_copy_stops_the_member(tmp_path: Path) -> None:
    """It would have forgotten what its validator has signed: it says so, and what to do."""
    network = found(tmp_path / "network")
    engine = network.members[0].engine
    shutil.copytree(engine / "data", tmp_path / "older")
    with RunningNetwork(network, os.environ) as running:
        running.start_all()
        running.stop()
        shutil.rmtree(engine / "data")
        shutil.copytree(tmp_path / "older", engine / "data")

        reason = stopped_for_good(network, running)
        assert "restored from an older copy" in reason
        assert "new key" in reason


def test_a_ledger_that_is_not_the_agreed_one_stops_the_member(tmp_path: Path) -> None:
    """Here another network's, at the same height: the hash differs, and no restart mends that."""
    mine, others = (found(tmp_path / name) for name in ("mine", "others"))
    for network in (mine, others):
        with RunningNetwork(network, os.environ) as running:
            running.start_all()
    shutil.rmtree(mine.members[0].ledger)
    shutil.copytree(others.members[0].ledger, mine.members[0].ledger)
    with RunningNetwork(mine, os.environ) as running:
        reason = stopped_for_good(mine, running)

    assert "not the one that the others agreed on" in reason


def test_a_port_that_is_taken_is_named_as_the_reason(tmp_path: Path) -> None:
    """And tried again: the other program may go."""
    network = found(tmp_path / "network")
    home = network.members[0]
    with RunningNetwork(network, os.environ) as running, ExitStack() as taken:
        other = taken.enter_context(socket.socket())
        other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        other.bind(("127.0.0.1", home.membership.rpc_port))
        other.listen()
        running.start(home)
        assert eventually(lambda: "another program has one of its ports" in describe_member(home).reason)
        taken.close()
        assert eventually(lambda: is_up(network, restarts=1))


def test_members_run_until_they_are_interrupted(tmp_path: Path) -> None:
    """`network up` says when all see each other; Ctrl-C stops all, in order."""
    network = found(tmp_path / "network", members=2)
    command = [*CELLVOW, "network", "up", str(tmp_path / "network"), "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        document = json.loads(process.stdout.readline())
        status = subprocess.run(
            [*CELLVOW, "network", "status", str(tmp_path / "network"), "--json"], capture_output=True, check=False
        )
        process.send_signal(signal.SIGINT)

        assert 0 == process.wait(60)
    assert [(1, "running")] * 2 == [(one["peers"], one["supervisor"]) for one in document["members"]]
    assert json.loads(status.stdout)["agree"]
    assert ["stopped"] * 2 == [describe_member(home).supervisor for home in network.members]


def test_the_compose_file_runs_what_init_writes(tmp_path: Path) -> None:
    """Its services, folders, ports and the name of the engine's version are those of `network init` and the profile."""
    composed = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text(encoding="utf-8"))["services"]
    plan = NetworkPlan(4, BASE_PORT, "packs-2026", tuple(composed))
    network = found_network(tmp_path / "network", plan, find_engine(os.environ))

    for home, (name, service) in zip(network.members, composed.items(), strict=True):
        source, target = service["volumes"][0].split(":")
        settings = (home.engine / "config" / "config.toml").read_text(encoding="utf-8")
        assert (name, name) == (home.label, home.membership.host)
        assert f"../network/{home.label}" == source
        assert ["network", "member", target] == service["command"]
        assert [str(home.membership.p2p_port)] == service["expose"]
        assert f'laddr = "tcp://0.0.0.0:{home.membership.p2p_port}"' in settings
        assert {"member-1", "member-2", "member-3", "member-4"} - {name} == {
            peer.partition("@")[2].partition(":")[0] for peer in home.membership.peers
        }
    assert (ROOT / "deploy" / composed["member-1"]["build"]["context"]).resolve() == ROOT
    assert (ROOT / composed["member-1"]["build"]["dockerfile"]).is_file()


def test_the_image_holds_the_engine_that_make_builds() -> None:
    """One version, pinned in one way, in both places."""
    pinned = [
        line.partition('"')[2].rstrip('"\n')
        for line in (ROOT / "tools" / "engine.py").read_text(encoding="utf-8").splitlines()
        if line.startswith("MODULE, VERSION")
    ]
    version = pinned[0].rpartition('"')[2]

    assert f"cmd/cometbft@v{version}" in (ROOT / "deploy" / "Dockerfile").read_text(encoding="utf-8")
