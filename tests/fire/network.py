"""Members under fire: real processes through their supervisors, honest clients, and one judgement after each fault."""

from __future__ import annotations

import os
import signal
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft.binary import find_engine
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.cometbft.supervisor import is_supervised, read_report
from cellvow.node.home import NodeHome
from cellvow.workspace import commands
from cellvow.workspace.clock import now_ms
from cellvow.workspace.network import (
    Network,
    NetworkPlan,
    RunningNetwork,
    await_condition,
    describe_member,
    found_network,
    stored_height,
)
from cellvow.workspace.workspace import Workspace
from tests.fire.judging import find_fault, find_forks, find_lost, read_headers, read_history
from tests.fire.namespaces import Fabric, Namespace, within
from tests.fire.offering import Acknowledged, Client, longest_gap_s

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cellvow.node.cometbft.member import MemberHome
    from cellvow.node.home import LedgerSession
    from cellvow.node.store import LedgerStore

RECOVERY_S_MAX = 20.0
"""What a network may take from the end of a fault until every member has a statement offered after it."""
STILL_S_MAX = 30.0
"""How long the last answers and blocks may take once nothing new is offered."""


@dataclass(frozen=True)
class Measured:
    """One fault: its name, the longest time without an acknowledgement, and how long all took to be back."""

    fault: str
    gap_s: float
    recovery_s: float

    def __str__(self) -> str:
        return f"{self.fault}: back after {self.recovery_s:.1f} s, longest gap {self.gap_s:.1f} s"


class FireNetwork:
    """A network whose members can be hurt one by one; a context manager that ends whatever it started."""

    def __init__(
        self, folder: Path, fabric: Fabric | None = None, *, members: int = 4, is_thorough: bool = False
    ) -> None:
        """With `fabric` every member lives in a namespace of its own, else all share this machine's loopback.

        `is_thorough`: every ledger is applied again from genesis after every fault, not only when that is asked for.
        """
        self._is_thorough = is_thorough
        self._fabric = fabric
        self.places: dict[str, Namespace] = {}
        spaces = [] if fabric is None else [fabric.add() for _ in range(members)]
        plan = NetworkPlan(members, 0, "packs-2026", tuple(one.address for one in spaces))
        self.network: Network = found_network(folder, plan, find_engine(os.environ))
        for home, space in zip(self.network.members, spaces, strict=False):
            self.settle(home, space)
        self.clients: list[Client] = []
        self.measured: list[Measured] = []
        self.left_alone: set[str] = set()
        self.without_history: dict[str, int] = {}
        self._running: dict[str, RunningNetwork] = {}
        self._judged: int = 0
        self._past: list[Acknowledged] = []

    def __enter__(self) -> FireNetwork:
        return self

    def __exit__(self, *_: object) -> None:
        self.end_clients()
        with ExitStack() as ending:
            for home in self.network.members:
                ending.callback(self.resume, home)  # what is stopped cannot end
            for running in self._running.values():
                ending.callback(running.stop)
            ending.pop_all().close()

    @property
    def members(self) -> tuple[MemberHome, ...]:
        """All members, in order."""
        return self.network.members

    @property
    def healthy(self) -> list[MemberHome]:
        """Those who are not left alone with their fork."""
        return [home for home in self.members if home.label not in self.left_alone]

    @property
    def acknowledged(self) -> list[Acknowledged]:
        """All that clients were ever told."""
        return [*self._past, *(one for client in self.clients for one in client.acknowledged)]

    @property
    def fabric(self) -> Fabric:
        """The bridge that the members' namespaces are on."""
        if self._fabric is None:
            raise OperationalError("this network has no namespaces")
        return self._fabric

    # Members

    def settle(self, home: MemberHome, space: Namespace) -> None:
        """Let a member live in a namespace; its RPC is reached here by its own port."""
        self.places[home.label] = space
        self.fabric.relay(home.membership.rpc_port, space)

    def start(self, home: MemberHome, environ: Mapping[str, str] | None = None) -> None:
        """Start a member's supervisor, where it lives; one that has ended is forgotten."""
        if home.label in self._running:
            self.stop(home)
        running = RunningNetwork(self.network, os.environ if environ is None else environ)
        self._running[home.label] = running
        with ExitStack() as place:
            if home.label in self.places:
                place.enter_context(within(self.places[home.label].path))
            running.start(home)

    def start_all(self) -> None:
        """Start every member, and wait until each has a block and sees all others."""
        for home in self.members:
            self.start(home)
        self.await_ready()

    def await_ready(self) -> None:
        """Wait until every member has a block and sees all others."""
        RunningNetwork(self.network, os.environ).await_ready()

    def stop(self, home: MemberHome) -> None:
        """Let a member end in order."""
        self._running.pop(home.label).stop()

    def kill(self, home: MemberHome, part: str) -> None:
        """SIGKILL to the `engine`, the `application` or the `supervisor`; the last takes both others with it."""
        if part == "supervisor":
            self._running.pop(home.label).kill(home)
        else:
            os.kill(self.pids(home)[part], signal.SIGKILL)

    def pids(self, home: MemberHome) -> dict[str, int]:
        """The processes of a member that runs."""
        report = read_report(home.folder)
        named = {} if report is None else {name: getattr(report, name) for name in ("engine", "application")}
        found = {name: pid for name, pid in named.items() if pid is not None}
        if report is None or len(found) < len(named) or not is_supervised(home.folder):
            raise OperationalError(f"{home.label} does not run")
        return {**found, "supervisor": report.supervisor}

    def pause(self, home: MemberHome) -> None:
        """SIGSTOP to all processes of a member."""
        for pid in self.pids(home).values():
            os.kill(pid, signal.SIGSTOP)

    def resume(self, home: MemberHome) -> None:
        """SIGCONT to all processes of a member, if it runs."""
        with suppress(OperationalError, ProcessLookupError):
            for pid in self.pids(home).values():
                os.kill(pid, signal.SIGCONT)

    def split(self, *groups: Sequence[MemberHome]) -> None:
        """Let no group hear another."""
        for group in groups:
            others = [self.places[home.label].address for other in groups if other is not group for home in other]
            for home in group:
                self.places[home.label].ignore(others)

    def join(self, *homes: MemberHome) -> None:
        """Let these hear everybody again."""
        for home in homes:
            self.places[home.label].listen()

    def reason(self, home: MemberHome) -> str:
        """Why a member's supervisor stopped it, or started it anew."""
        return describe_member(home).reason

    # Clients

    @contextmanager
    def session(self, home: MemberHome) -> Iterator[tuple[LedgerSession, Workspace]]:
        """A member's own session and workspace."""
        workspace = Workspace(home.workspace)
        try:
            with workspace.home().open_session(now_ms) as session:
                yield session, workspace
        finally:
            workspace.close()

    def enrol(self, *homes: MemberHome) -> None:
        """Register the working keys of these organisations."""
        for home in homes:
            with self.session(home) as (session, workspace):
                commands.enrol(session, workspace)

    def begin_clients(self, *homes: MemberHome) -> None:
        """Clients of these organisations, whose keys are registered, offer statements from now on."""
        chain_id = self.network.genesis.chain_id
        self.clients = [Client(home, self.healthy, chain_id) for home in homes]
        for client in self.clients:
            client.go_on()

    def go_on(self) -> None:
        """Let the clients offer statements."""
        for client in self.clients:
            client.go_on()

    def end_clients(self) -> None:
        """Stop the clients; what they were told is remembered."""
        for client in self.clients:
            client.close()
        self._past = self.acknowledged
        self.clients = []

    # Faults and judgement

    def suffer(self, fault: str, inflict: Callable[[], None], heal: Callable[[], None], seconds: float) -> Measured:
        """One fault of some length under load; then everything must be back in time, and everything is judged."""
        self.go_on()
        began_s = time.monotonic()
        inflict()
        self.last(seconds)
        heal()
        healed_s = time.monotonic()
        self.await_(lambda: self.is_back(healed_s), f"all members to be back after: {fault}", 3 * RECOVERY_S_MAX)
        back_s = time.monotonic()
        gap_s = longest_gap_s(self.acknowledged, began_s, back_s)
        measured = Measured(fault, gap_s, back_s - healed_s)
        self.measured.append(measured)
        self.judge(replay=self._is_thorough)
        if measured.recovery_s > RECOVERY_S_MAX:
            raise AssertionError(f"{measured}: more than {RECOVERY_S_MAX:.0f} s")
        return measured

    def last(self, seconds: float) -> None:
        """Let a fault last: the clients' threads go on meanwhile."""
        until_s = time.monotonic() + seconds
        self.await_(lambda: time.monotonic() >= until_s, "a fault to last", seconds + 5)

    def await_(self, condition: Callable[[], bool], what: str, seconds_max: float = 60.0) -> None:
        """Wait for something, with a bound."""
        await_condition(condition, what, seconds_max)

    def is_back(self, healed_s: float) -> bool:
        """Whether something offered after a moment is acknowledged and stands in every healthy member's ledger."""
        later = [one.receipted.height for one in self.acknowledged if one.offered_s > healed_s]
        return bool(later) and all((stored_height(home) or 0) >= min(later) for home in self.healthy)

    def become_still(self) -> None:
        """Offer nothing, and wait until all is answered and every member has the same height, in engine and ledger."""
        for client in self.clients:
            client.hold()
        self.await_(lambda: not any(client.waiting for client in self.clients), "the last answers", STILL_S_MAX)
        self.await_(self._is_still, "every member to come to rest at one height", STILL_S_MAX)

    def _is_still(self) -> bool:
        heights = {stored_height(home) for home in self.healthy}
        heights |= {describe_member(home).height for home in self.healthy}
        return len(heights) == 1 and None not in heights

    def judge(self, *, replay: bool = True) -> None:
        """No fork, nothing lost, one height, every ledger sound (`replay`); raises what is not."""
        self.become_still()
        with ExitStack() as closing:
            stores: dict[str, LedgerStore] = {}
            for home in self.healthy:
                stores[home.label] = NodeHome(home.ledger).open_reader()
                closing.callback(stores[home.label].close)
            found = self._find_forks(stores)
            for label, store in stores.items():
                since = self.without_history.get(label, 0)
                kept = [one for one in self.acknowledged if one.receipted.height > since]
                found += find_lost(kept, {label: store})
            found += [fault for label, store in stores.items() if replay and (fault := find_fault(label, store))]
        if found:
            raise AssertionError("\n".join(found[:20]))

    def _find_forks(self, stores: Mapping[str, LedgerStore]) -> list[str]:
        """Compare ledgers and headers of the heights that were not compared before, and headers with ledgers."""
        after = self._judged
        histories = {label: read_history(store, after) for label, store in stores.items()}
        last = min(one.height for one in histories.values())
        blocks: dict[str, dict[int, str]] = {}
        promised: dict[str, dict[int, str]] = {}
        for home in self.healthy:
            rpc = EngineRpc(home.membership.addresses.rpc_url)
            try:
                # Who began with a snapshot has headers from the block after the one that vouches for it.
                first = max(after + 1, self.without_history.get(home.label, -1) + 2)
                blocks[home.label], promised[f"{home.label}'s engine"] = read_headers(rpc, first, last)
            finally:
                rpc.close()
        kept = {f"{label}'s ledger": one.app_hashes for label, one in histories.items()}
        self._judged = last
        bodies = {label: one.leaves for label, one in histories.items()}
        return find_forks(blocks) + find_forks(bodies) + find_forks({**promised, **kept})
