"""Two of four validators run twice: a fork must happen, and whoever watches several members must see and prove it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import VerificationError
from cellvow.node.cometbft.monitor import Monitor, verify_fork
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.home import GENESIS_FILE
from cellvow.workspace import commands
from cellvow.workspace.network import describe_member
from tests.fire.network import FireNetwork
from tests.fire.scenarios import make_engine_home
from tests.world import make_genesis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.fire.namespaces import Fabric

pytestmark = [pytest.mark.cometbft, pytest.mark.network, pytest.mark.slow]
CELLVOW = [sys.executable, "-c", "from cellvow.cli import main; main()"]
DECIDED_S_MAX = 60.0


@pytest.fixture
def forked(tmp_path: Path, fabric: Fabric) -> Iterator[FireNetwork]:
    """Two halves that never hear each other; the third and the fourth validator vote in both."""
    fire = FireNetwork(tmp_path / "network", fabric)
    first, second, third, fourth = fire.members
    twins = [make_engine_home(fire, one, f"twin-of-{one.label}") for one in (third, fourth)]
    fire.split([first, third, fourth], [second, *twins])
    with fire:
        for home in (*fire.members, *twins):
            fire.start(home)
        fire.await_(
            lambda: all((describe_member(home).height or 0) >= 1 for home in fire.members), "a block", DECIDED_S_MAX
        )
        # Each half decides a statement of its own.
        for home in (first, second):
            with fire.session(home) as (session, workspace):
                commands.enrol(session, workspace)
        yield fire


def test_two_of_four_run_twice_make_a_fork_that_the_monitor_proves(
    forked: FireNetwork, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Both decisions are shown with both commits, and those who signed both are named; the proof needs no member."""
    sources = {home.label: EngineRpc(home.membership.addresses.rpc_url) for home in forked.members[:2]}
    seen = Monitor(sources, forked.network.genesis).look()
    for source in sources.values():
        source.close()

    assert 1 == len(seen.forks)
    fork = seen.forks[0].verified
    assert fork.first.block != fork.second.block
    assert 30 == min(fork.first.signed_power, fork.second.signed_power)
    assert {home.membership.organisation for home in forked.members[2:]} == set(fork.culprits)
    assert fork == verify_fork(seen.forks[0].proof, forked.network.genesis)
    with pytest.raises(VerificationError):
        verify_fork(seen.forks[0].proof, make_genesis(validators=("maker", "buyer", "authority")))

    kept = tmp_path / "fork.proof"
    urls = [home.membership.addresses.rpc_url for home in forked.members[:2]]
    genesis = forked.network.folder / GENESIS_FILE
    watched = run("network", "watch", *urls, "--genesis", str(genesis), "--proof", str(kept), "--once", "--json")
    assert (1, 1) == (watched.returncode, json.loads(watched.stdout)["forks"])
    checked = run("network", "fork", str(kept), "--genesis", str(genesis))
    assert 0 == checked.returncode, checked.stdout + checked.stderr
    assert "The proof holds." in checked.stdout
    record_property(
        "measured", f"two of four run twice: fork at height {fork.height}, proof {len(kept.read_bytes())} B"
    )


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours."""
    return subprocess.run([*CELLVOW, *arguments], capture_output=True, text=True, check=False, timeout=60)
