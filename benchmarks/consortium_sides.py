"""Four engines on this machine as benchmarks need them: with our application behind each, or the engine's own kvstore.

Both sides are made alike - same keys, same genesis, same settings, same threads - so that what differs is the
application and nothing else. While one side is measured, the other is paused.
"""

import os
import signal
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from benchmarks.members import SigningKey, make_genesis
from benchmarks.servers import ROOT
from cellvow.core.ledger.genesis import Genesis, Organisation
from cellvow.core.ledger.validator import Validator, order_validators
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft.binary import EngineProgram
from cellvow.node.cometbft.children import ChildProcess, MemberProcesses, start_engine
from cellvow.node.cometbft.member import EngineKeys, MemberHome, Membership
from cellvow.node.cometbft.profile import MAX_PROCS, PROFILE, Setting, fetch_defaults, render_settings
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.workspace.network import INVENTED, LOCAL_HOST, PORTS_PER_MEMBER, POWER, await_condition, choose_ports

MEMBERS = 4
LEDGER, KVSTORE = "ledger", "kvstore"
READY_S_MAX = 60.0
RPC_TIMEOUT_S = 5.0
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")
_USER_TIME = 11
"""Place of the user time in /proc/PID/stat, counted after the program's name; the system time follows it."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a side is to be."""

    kind: str
    members: int = MEMBERS
    settings: tuple[Setting, ...] = PROFILE
    threads: int | None = MAX_PROCS
    """For the engine's Go code; None leaves it to the engine."""


@dataclass(frozen=True, slots=True)
class Cpu:
    """Processor seconds that a side has used: all its engines, all its applications."""

    engines_s: float
    applications_s: float

    def __sub__(self, other: "Cpu") -> "Cpu":
        return Cpu(self.engines_s - other.engines_s, self.applications_s - other.applications_s)

    @property
    def whole_s(self) -> float:
        """Both."""
        return self.engines_s + self.applications_s


class Side:
    """Members that run; leaving the block stops them. A context manager."""

    def __init__(self, folder: Path, program: EngineProgram, plan: Plan) -> None:
        self.plan = plan
        self._program = program
        self._homes = _found(folder, program, plan)
        self._engines: list[ChildProcess] = []
        self._applications: list[ChildProcess] = []

    def __enter__(self) -> Self:
        with ExitStack() as on_failure:
            on_failure.callback(self._stop)
            for home in self._homes:
                self._start(home)
            self._await_ready()
            on_failure.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each engine's RPC."""
        return [(LOCAL_HOST, home.membership.rpc_port) for home in self._homes]

    @property
    def homes(self) -> Sequence[MemberHome]:
        """The members' folders."""
        return self._homes

    def cpu(self) -> Cpu:
        """What the members have used since they started."""
        return Cpu(sum(map(_cpu_seconds, self._engines)), sum(map(_cpu_seconds, self._applications)))

    def pause(self) -> None:
        """Stop every process where it stands: it costs nothing until `resume`."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        for child in (*self._engines, *self._applications):
            os.kill(child.pid, number)

    def _start(self, home: MemberHome) -> None:
        environ = _environ()
        if self.plan.kind == KVSTORE:
            self._engines.append(start_engine(home, self._program, KVSTORE, environ, self.plan.threads))
            return
        processes = MemberProcesses(home, self._program, environ)
        application = processes.start_application()
        self._applications.append(application)
        await_condition(
            lambda: processes.is_listening() or application.exit_code() is not None,
            f"the application of {home.label} to open its ledger",
            READY_S_MAX,
        )
        address = f"unix://{home.socket}"
        self._engines.append(start_engine(home, self._program, address, environ, self.plan.threads))

    def _await_ready(self) -> None:
        for home, engine in zip(self._homes, self._engines, strict=True):
            rpc = EngineRpc(home.membership.addresses.rpc_url, RPC_TIMEOUT_S)
            try:
                _await_engine(home, engine, rpc, self.plan.members - 1)
            finally:
                rpc.close()

    def _stop(self) -> None:
        for child in (*self._engines, *self._applications):
            if child.exit_code() is None:
                os.kill(child.pid, signal.SIGCONT)
        for child in (*self._engines, *self._applications):
            child.stop()
        self._engines, self._applications = [], []


@contextmanager
def both_sides(folder: Path, program: EngineProgram) -> Iterator[tuple[Side, Side]]:
    """The ledger and the kvstore, each paused until it is its turn (`taking_turn`)."""
    with Side(folder / LEDGER, program, Plan(LEDGER)) as ours:
        ours.pause()
        with Side(folder / KVSTORE, program, Plan(KVSTORE)) as theirs:
            theirs.pause()
            yield ours, theirs


@contextmanager
def taking_turn(side: Side) -> Iterator[None]:
    """Let a side go on for the length of the block."""
    side.resume()
    try:
        yield
    finally:
        side.pause()


def make_consortium(members: int) -> Genesis:
    """The maker and the buyer, and invented organisations that validate."""
    base, chosen = make_genesis(), INVENTED[:members]
    founders = [
        Organisation(name, title, roles, (SigningKey(name, "root").public_key.hex(),)) for name, title, roles in chosen
    ]
    validators = [Validator(name, _keys(name).validator_key, POWER) for name, _, _ in chosen]
    ordered = sorted((*base.organisations, *founders), key=lambda one: one.organisation)
    return replace(base, organisations=tuple(ordered), validators=order_validators(tuple(validators)))


def without(settings: Sequence[Setting], name: str, value: str | int | bool) -> tuple[Setting, ...]:
    """The settings, one of them replaced; raises `OperationalError` where there is none of that name."""
    if name not in [one.name for one in settings]:
        raise OperationalError(f"the profile sets no {name}: the benchmark names a setting that is gone")
    return tuple(replace(one, value=value) if one.name == name else one for one in settings)


def _keys(name: str) -> EngineKeys:
    return EngineKeys(sha256(b"benchmark validator", name.encode()), sha256(b"benchmark node", name.encode()))


def _found(folder: Path, program: EngineProgram, plan: Plan) -> list[MemberHome]:
    names = [name for name, _, _ in INVENTED[: plan.members]]
    ports = choose_ports(PORTS_PER_MEMBER * plan.members, 0)
    genesis, defaults = make_consortium(plan.members), fetch_defaults(program)
    peers = [f"{_keys(name).node_id}@{LOCAL_HOST}:{ports[PORTS_PER_MEMBER * n]}" for n, name in enumerate(names)]
    homes = []
    for place, name in enumerate(names):
        p2p_port, rpc_port = ports[PORTS_PER_MEMBER * place : PORTS_PER_MEMBER * (place + 1)]
        others = tuple(peer for peer in peers if peer != peers[place])
        member = Membership(name, name, _keys(name).node_id, name, LOCAL_HOST, p2p_port, rpc_port, others)
        text = render_settings(defaults, (*plan.settings, *member.addresses.settings()))
        homes.append(MemberHome.create(folder / f"member-{place + 1}", member, _keys(name), genesis, text))
    return homes


def _await_engine(home: MemberHome, engine: ChildProcess, rpc: EngineRpc, peers: int) -> None:
    until_s = time.monotonic() + READY_S_MAX
    while time.monotonic() < until_s:
        if engine.exit_code() is not None:
            raise OperationalError(f"the engine of {home.label} ended: {engine.words[-300:]!r}")
        if _is_ready(rpc, peers):
            return
        time.sleep(0.05)
    raise OperationalError(f"the engine of {home.label} was not ready within {READY_S_MAX:.0f} s: see its log")


def _is_ready(rpc: EngineRpc, peers: int) -> bool:
    try:
        status = rpc.status()
        return bool(status.height) and not status.is_catching_up and len(rpc.peers()) == peers
    except OperationalError:  # it does not listen yet
        return False


def _environ() -> Mapping[str, str]:
    paths = [str(ROOT / "src"), *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}


def _cpu_seconds(child: ChildProcess) -> float:
    """Of a process with all its threads, its own children left out: there are none that matter."""
    fields = Path(f"/proc/{child.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[_USER_TIME]) + int(fields[_USER_TIME + 1])) / _TICKS_PER_S
