"""A network of members on one machine, for trial: founded in a folder, run, asked how it is.

network/genesis.json, trust.json     what all members share, and what verifiers take as given
        member-1/, member-2/, ...    one folder each (`node/cometbft/member.py`)
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from cellvow.core.ledger.genesis import Genesis, encode_genesis, parse_genesis
from cellvow.core.ledger.validator import Validator, order_validators
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError
from cellvow.core.primitives.identifier import parse_chain_id
from cellvow.node.cometbft.binary import EngineProgram
from cellvow.node.cometbft.children import tether
from cellvow.node.cometbft.member import LEDGER, MEMBER_FILE, WORKSPACE, EngineKeys, MemberHome, Membership
from cellvow.node.cometbft.profile import PROFILE, fetch_defaults, render_settings
from cellvow.node.cometbft.rpc import EngineRefusal, EngineRpc
from cellvow.node.cometbft.supervisor import is_supervised, read_report
from cellvow.node.home import GENESIS_FILE, TRUST_FILE, NodeHome
from cellvow.workspace.clock import now_ms
from cellvow.workspace.settings import write_settings
from cellvow.workspace.workspace import Workspace

INVENTED = (
    ("packmaker", "Invented Pack Works", ("manufacturer",)),
    ("carmaker", "Invented Motors", ("vehicle_maker", "importer")),
    ("laboratory", "Invented Test Laboratory", ("laboratory",)),
    ("recycler", "Invented Recycling", ("recycler",)),
    ("operator", "Invented Fleet", ("operator",)),
    ("workshop", "Invented Workshop", ("workshop",)),
    ("authority", "Invented Authority", ("authority",)),
)
"""Identifier, name and roles of the organisations of a trial: all invented, and called so."""
MEMBERS_MAX = len(INVENTED)
POWER = 10
"""Voting power of each member: all alike."""
LOCAL_HOST = "127.0.0.1"
PORTS_PER_MEMBER = 2
PORTS_FROM, PORTS_UNTIL = 12_000, 32_000
"""Where free ports are looked for: below those that systems give to outgoing connections, which would take one."""
PORT_ATTEMPTS = 100
READY_S_MAX = 60.0
"""How long members may take to come up and see each other."""
STOP_S_MAX = 40.0
"""How long a supervisor may take to end both processes; then it is killed, and they with it."""
POLL_S = 0.1
SIZE_DIGITS = 16
"""An application hash begins with the size of the log, eight bytes."""
RPC_TIMEOUT_S = 3.0
"""For questions to an engine on this machine."""

_PARTS = (GENESIS_FILE, TRUST_FILE)


@dataclass(frozen=True, slots=True)
class NetworkPlan:
    """What a network is to be: how many members, on which ports, under which name, at which addresses.

    Member N listens for others on `base_port + 2(N - 1)`, and for its own programs on the port after; 0 takes free
    ones. `hosts` are the names by which the members reach each other, one each; none: all are on this machine.
    """

    members: int
    base_port: int
    chain_id: str
    hosts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class MemberState:
    """How a member is: heights and hash as its engine tells them, None where that cannot be asked."""

    label: str
    organisation: str
    supervisor: str
    """What its supervisor says: running, waiting, failed, stopped; `down` where there is none."""
    restarts: int
    reason: str
    height: int | None = None
    app_hash: str | None = None
    """The application hash in the header of `height`."""
    peers: int | None = None
    validators: int | None = None
    is_catching_up: bool = False


class Network:
    """The members' folders, opened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        found = sorted(
            (path.parent for path in folder.glob(f"member-*/{MEMBER_FILE}")),
            key=lambda path: (len(path.name), path.name),
        )
        if not found:
            raise OperationalError(f"{folder} holds no network: `cellvow network init {folder}` makes one")
        self.members = tuple(MemberHome(path) for path in found)

    @property
    def trust(self) -> Path:
        """What a verifier takes as given: the genesis, by its digest."""
        return self.folder / TRUST_FILE

    @property
    def genesis(self) -> Genesis:
        """The document that all members started from."""
        return parse_genesis((self.folder / GENESIS_FILE).read_bytes())


def found_network(folder: Path, plan: NetworkPlan, program: EngineProgram) -> Network:
    """Make the homes, keys and workspaces of all members, and the one genesis and profile that they share.

    Raises `OperationalError` where the folder is not empty, `Malformed` for a plan that cannot be.
    """
    if not 1 <= plan.members <= MEMBERS_MAX:
        raise Malformed(f"a network for trial has 1 to {MEMBERS_MAX} members, not {plan.members}")
    if plan.hosts and len(plan.hosts) != plan.members:
        raise Malformed(f"{len(plan.hosts)} hosts are named for {plan.members} members: name one for each, or none")
    if folder.exists() and any(folder.iterdir()):
        raise OperationalError(f"{folder} is not empty: nothing was changed; name another folder")
    parse_chain_id(plan.chain_id)
    defaults = fetch_defaults(program)
    chosen = INVENTED[: plan.members]
    keys = {name: EngineKeys(secrets.token_bytes(32), secrets.token_bytes(32)) for name, _, _ in chosen}
    members = plan_members([(name, title) for name, title, _ in chosen], keys, plan)
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    organisations = []
    for number, (name, title, roles) in enumerate(chosen, start=1):
        workspace = Workspace.create(folder / f"member-{number}" / WORKSPACE, name, title, roles)
        # Relative, so that a member's folder works where it is carried to.
        write_settings(workspace.folder, replace(workspace.settings, ledger=Path("..") / LEDGER))
        organisations.append(workspace.member())
        workspace.close()
    ordered = tuple(sorted(organisations, key=lambda one: one.organisation))
    genesis = Genesis(plan.chain_id, now_ms(), 1, ordered, None, name_validators(keys))
    return make_homes(folder, members, keys, genesis, defaults)


def name_validators(keys: Mapping[str, EngineKeys]) -> tuple[Validator, ...]:
    """The validators of genesis, one of each organisation, all with the same power."""
    return order_validators(tuple(Validator(name, one.validator_key, POWER) for name, one in keys.items()))


def make_homes(
    folder: Path,
    members: Sequence[Membership],
    keys: Mapping[str, EngineKeys],
    genesis: Genesis,
    defaults: str,
    inherited: Mapping[str, bytes] | None = None,
) -> "Network":
    """Make `member-1`, `member-2` and so on with one genesis, and put what all share beside them.

    `keys` are by organisation; `defaults` is the engine's own `config.toml`; `inherited` as for `MemberHome.create`.
    """
    parsed = parse_genesis(encode_genesis(genesis))
    for number, member in enumerate(members, start=1):
        settings = render_settings(defaults, (*PROFILE, *member.addresses.settings()))
        home = folder / f"member-{number}"
        MemberHome.create(home, member, keys[member.organisation], parsed, settings, inherited)
    (folder / GENESIS_FILE).write_bytes(encode_genesis(parsed))
    shutil.copyfile(folder / "member-1" / LEDGER / TRUST_FILE, folder / TRUST_FILE)
    return Network(folder)


def plan_members(
    organisations: Sequence[tuple[str, str]], keys: Mapping[str, EngineKeys], plan: NetworkPlan
) -> list[Membership]:
    """The entry of each organisation's member, given as (identifier, name): addresses, and all others as peers."""
    count = len(organisations)
    hosts = plan.hosts or (LOCAL_HOST,) * count
    ports = choose_ports(count * PORTS_PER_MEMBER, plan.base_port)
    named = [
        f"{keys[name].node_id}@{host}:{ports[PORTS_PER_MEMBER * place]}"
        for place, ((name, _), host) in enumerate(zip(organisations, hosts, strict=True))
    ]
    return [
        Membership(
            organisation=name,
            name=title,
            node_id=keys[name].node_id,
            moniker=name,
            host=hosts[place],
            p2p_port=ports[PORTS_PER_MEMBER * place],
            rpc_port=ports[PORTS_PER_MEMBER * place + 1],
            peers=tuple(peer for peer in named if peer != named[place]),
        )
        for place, (name, title) in enumerate(organisations)
    ]


def choose_ports(count: int, base_port: int) -> list[int]:
    """So many ports in a row from the first one; with 0, ports of this machine that are free now."""
    if base_port:
        if not 1_024 <= base_port <= 65_536 - count:
            raise Malformed(f"the ports {base_port} to {base_port + count - 1} are not all in 1024 to 65535")
        return list(range(base_port, base_port + count))
    for _ in range(PORT_ATTEMPTS):
        first = PORTS_FROM + secrets.randbelow(PORTS_UNTIL - PORTS_FROM - count)
        ports = list(range(first, first + count))
        if all(map(_is_free, ports)):
            return ports
    raise OperationalError(f"{count} ports in a row are not free on this machine: name a --base-port")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as tried:
        try:
            tried.bind((LOCAL_HOST, port))
        except OSError:
            return False
        return True


def clear_network(folder: Path, parts: Sequence[str] = ()) -> None:
    """Delete an earlier network with these further files; refuses any other folder, and one whose members run."""
    if not folder.exists():
        return
    known = (*_PARTS, *parts)
    foreign = sorted(
        path.name for path in folder.iterdir() if path.name not in known and not path.name.startswith("member-")
    )
    if foreign:
        raise OperationalError(
            f"{folder} holds {foreign[0]}, which is no part of a network: nothing is deleted. Name another folder"
        )
    if any(is_supervised(path) for path in folder.glob("member-*")):
        raise OperationalError(f"members of {folder} are running: stop them first, nothing was deleted")
    shutil.rmtree(folder)


class RunningNetwork:
    """Members run by this process, each by a supervisor of its own; leaving the block stops all. A context manager."""

    def __init__(self, network: Network, environ: Mapping[str, str]) -> None:
        self.network = network
        self._environ = dict(environ)
        self._supervisors: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "RunningNetwork":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self, home: MemberHome) -> None:
        """Start one member's supervisor, tethered to this process; raises `OperationalError` where it runs already."""
        if is_supervised(home.folder):
            raise OperationalError(f"{home.label} is running already: `cellvow network status` shows it")
        home.engine_log.parent.mkdir(exist_ok=True, mode=0o700)
        module = "cellvow.node.cometbft.supervisor"
        command = [sys.executable, "-P", "-m", module, str(home.folder)]
        with (home.engine_log.parent / "supervisor.log").open("wb") as log:
            self._supervisors[home.label] = subprocess.Popen(  # noqa: S603 - our own module
                tether(command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environ,
                process_group=0,
            )

    def start_all(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Start every member, and wait until each has a block and sees all others."""
        for home in self.network.members:
            self.start(home)
        self.await_ready(pause)

    def await_ready(self, pause: Callable[[float], None] = time.sleep) -> None:
        """Wait until every member has a block and sees all others; raises `OperationalError` where one fails."""
        others = len(self.network.members) - 1

        def is_ready(home: MemberHome) -> bool:
            state = describe_member(home)
            if self.ended(home):
                raise OperationalError(f"{home.label} did not start: {self._why(home)}")
            return bool(state.height) and state.peers == others and not state.is_catching_up

        for home in self.network.members:
            await_condition(lambda home=home: is_ready(home), f"{home.label} to be ready", READY_S_MAX, pause)  # type: ignore[misc]  # bound now

    def ended(self, home: MemberHome) -> bool:
        """Whether this process has started a supervisor for the member, and it has ended."""
        supervisor = self._supervisors.get(home.label)
        return supervisor is not None and supervisor.poll() is not None

    def kill(self, home: MemberHome) -> None:
        """Kill a member's supervisor with SIGKILL; application and engine are tethered to it and die with it."""
        supervisor = self._supervisors.pop(home.label)
        supervisor.kill()
        supervisor.wait()

    def stop(self) -> None:
        """Stop all members that still run, in order: each its engine, then its application."""
        for supervisor in self._supervisors.values():
            with suppress(ProcessLookupError):
                supervisor.send_signal(signal.SIGTERM)
        for supervisor in self._supervisors.values():
            try:
                supervisor.wait(STOP_S_MAX)
            except subprocess.TimeoutExpired:
                supervisor.kill()
                supervisor.wait()
        self._supervisors.clear()

    def _why(self, home: MemberHome) -> str:
        report = read_report(home.folder)
        if report is not None and report.reason:
            return report.reason
        said = (home.engine_log.parent / "supervisor.log").read_text(encoding="utf-8", errors="replace").strip()
        return said.splitlines()[-1] if said else "it said nothing"


def stop_member(home: MemberHome, pause: Callable[[float], None] = time.sleep) -> None:
    """Ask whoever runs the member to stop it, and wait; raises `OperationalError` where it does not run."""
    report = read_report(home.folder)
    if report is None or not is_supervised(home.folder):
        raise OperationalError(f"{home.label} does not run: `cellvow network status` shows it")
    with suppress(ProcessLookupError):
        os.kill(report.supervisor, signal.SIGTERM)
    await_condition(lambda: not is_supervised(home.folder), f"{home.label} to stop", STOP_S_MAX, pause)


def await_agreement(network: Network, pause: Callable[[float], None] = time.sleep) -> None:
    """Wait until every member runs and is where the others were when this began; raises `OperationalError`."""
    target = max(state.height or 0 for state in map(describe_member, network.members))

    def is_reached() -> bool:
        height, hashes = common_hashes(network)
        return len(hashes) == len(network.members) and height >= max(target, 1)

    await_condition(is_reached, f"all members to be at block {target}", READY_S_MAX, pause)


def describe_member(home: MemberHome) -> MemberState:
    """How a member is now."""
    report = read_report(home.folder)
    is_up = is_supervised(home.folder)
    is_stale = report is None or (not is_up and report.state not in ("failed", "stopped"))
    state = MemberState(
        label=home.label,
        organisation=home.membership.organisation,
        supervisor="down" if report is None or is_stale else report.state,
        restarts=0 if report is None else report.restarts,
        reason="" if report is None else report.reason,
    )
    if not is_up:
        return replace(state, height=stored_height(home))
    rpc = EngineRpc(home.membership.addresses.rpc_url, RPC_TIMEOUT_S)
    try:
        status = rpc.status()
        return replace(
            state,
            height=status.height,
            app_hash=status.app_hash.hex(),
            peers=len(rpc.peers()),
            validators=len(rpc.validators()) if status.height else None,
            is_catching_up=status.is_catching_up,
        )
    except OperationalError:  # not up yet, or up and deaf: what could be learned is told
        return replace(state, height=stored_height(home))
    finally:
        rpc.close()


def common_hashes(network: Network) -> tuple[int, dict[str, str]]:
    """The newest height that all running members have reached, and the application hash in its header by each of them.

    A member that began with a snapshot of a later block, and so has no header of that one, is left out.
    """
    with ExitStack() as closing:
        heights: dict[str, int] = {}
        reachable: dict[str, EngineRpc] = {}
        for home in network.members:
            rpc = EngineRpc(home.membership.addresses.rpc_url, RPC_TIMEOUT_S)
            closing.callback(rpc.close)
            with suppress(OperationalError):
                heights[home.label] = rpc.status().height
                reachable[home.label] = rpc
        height = min(heights.values(), default=0)
        if not height:
            return 0, {}
        hashes: dict[str, str] = {}
        for label, rpc in reachable.items():
            with suppress(EngineRefusal):
                hashes[label] = rpc.commit(height).header.app_hash.hex()
        return height, hashes


def split_app_hash(app_hash: str) -> tuple[int, str]:
    """How many leaves the log has, and its root, from an application hash in hexadecimal."""
    return int(app_hash[:SIZE_DIGITS], 16), app_hash[SIZE_DIGITS:]


def await_condition(
    condition: Callable[[], bool], what: str, seconds_max: float, pause: Callable[[float], None] = time.sleep
) -> None:
    """Ask until it holds; raises `OperationalError` with `what` was waited for when that takes too long."""
    until_s = time.monotonic() + seconds_max
    while not condition():
        if time.monotonic() >= until_s:
            raise OperationalError(f"waited {seconds_max:.0f} s in vain for {what}; `cellvow network status` shows why")
        pause(POLL_S)


def stored_height(home: MemberHome) -> int | None:
    """The height of the member's own ledger, read beside whoever writes it; None where it cannot be."""
    try:
        store = NodeHome(home.ledger).open_reader()
    except (CellvowError, OSError):
        return None
    try:
        return store.head().height
    finally:
        store.close()
