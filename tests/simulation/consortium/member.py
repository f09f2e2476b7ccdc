"""One member under test: the real application, store and gateway around the model of its engine, and its deaths."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cellvow.core.primitives.errors import InvalidBlock, OperationalError
from cellvow.node.cometbft import messages as abci
from cellvow.node.cometbft.answers import Broadcast
from cellvow.node.cometbft.application import GENESIS_FIELD, LedgerApplication
from cellvow.node.cometbft.chain import ReplicatedChain
from cellvow.node.cometbft.engine import ConsortiumEngine
from cellvow.node.store import LedgerStopped, LedgerStore
from tests.simulation.consortium.engine_model import Durable, EngineModel
from tests.simulation.consortium.record import Died, Violation
from tests.simulation.consortium.watching import Watch
from tests.simulation.consortium.workload import PARSED, check_once

if TYPE_CHECKING:
    from cellvow.core.ledger.genesis import Genesis
    from cellvow.core.primitives.signature import SignatureCheck
    from cellvow.node.cometbft.messages import Message
    from cellvow.node.engine import Receipted

SNAPSHOT_INTERVAL = 3


class CountedCheck:
    """A signature check that counts how often it is really asked, by all that it is asked about."""

    def __init__(self) -> None:
        self.counts: Counter[tuple[bytes, bytes, bytes]] = Counter()

    def __call__(self, public_key: bytes, message: bytes, signature: bytes) -> bool:
        """The verdict."""
        self.counts[public_key, message, signature] += 1
        return check_once(public_key, message, signature)


class AtOnce:
    """Does in the foreground what is meant for a thread, so that a story is the same each time."""

    def submit(self, act: Callable[..., None], *facts: object) -> Future[None]:
        """Do it now."""
        future: Future[None] = Future()
        act(*facts)
        future.set_result(None)
        return future

    def shutdown(self) -> None:
        """Nothing is under way."""


class TestedApplication(LedgerApplication):
    """The application with its signature checks counted, and snapshots that are finished at once."""

    __test__ = False

    def __init__(self, folder: Path, clock: Callable[[], int], name: str, *, snapshot_interval: int = 0) -> None:
        super().__init__(folder, clock, snapshot_interval=snapshot_interval)
        self.check = CountedCheck()
        self.name = name
        self.clock = clock
        self._sync._thread = AtOnce()  # type: ignore[assignment]  # the two calls that are made of it
        self._take_chain()

    def make_chain(self, store: LedgerStore, check: SignatureCheck) -> ReplicatedChain:
        """The ledger under test; mutants make another one."""
        return ReplicatedChain(store, check)

    def _take_restored(self) -> None:
        super()._take_restored()
        self._take_chain()

    def _take_chain(self) -> None:
        self._chain = self.make_chain(self._chain.store, self.check)
        self._chain._parsed = PARSED


class StandIn(threading.Thread):
    """Looks like the gateway's thread that follows the ledger, and does nothing: it is never started."""

    def is_alive(self) -> bool:
        """As far as the gateway can see."""
        return True

    def join(self, timeout: float | None = None) -> None:
        """There is nothing to wait for."""


class SteppedGateway(ConsortiumEngine):
    """The gateway without its thread: whoever tells the story lets it look."""

    def submit(self, data: bytes) -> Future[Receipted]:
        """Submit, and start no thread."""
        self._follower = StandIn()
        return super().submit(data)

    def look(self) -> None:
        """Answer whoever can be answered now."""
        self._look(self.store)


@dataclass(frozen=True)
class Cast:
    """Who plays the parts: the classes under test, or a mutant's; `only` names the one member that is a mutant."""

    application: type[TestedApplication] = TestedApplication
    gateway: type[SteppedGateway] = SteppedGateway
    watch: type[Watch] = Watch
    only: str = ""

    def application_of(self, name: str) -> type[TestedApplication]:
        """The application of a member."""
        return self.application if self.only in ("", name) else TestedApplication


@dataclass(frozen=True)
class Surroundings:
    """What a member is told by its world: the time, and whether something fails here and now."""

    genesis: Message
    """InitChain as every engine sends it."""
    now_ms: Callable[[str], int]
    """By the member's own clock."""
    strike: Callable[[str], None]
    """Raises `Died` where a process ends at this point."""
    breaks: Callable[[str], str]
    """Of a member about to commit: "" or what its disk does: refuse the commit, or fail in the middle."""
    between: Callable[[str], None]
    """What reaches a member between its FinalizeBlock and its Commit."""


class Member:
    """A member; `is_running` while both of its processes do."""

    def __init__(
        self,
        name: str,
        folder: Path,
        around: Surroundings,
        cast: Cast,
        *,
        snapshots: bool = False,
    ) -> None:
        self.name = name
        self.folder = folder
        self.around = around
        self.is_running = False
        self.applications: list[TestedApplication] = []
        self.application: TestedApplication | None = None
        self.committed = 0
        """The height of the last commit that was answered."""
        self.compared = 0
        """Up to which height its results have been compared with the others'."""
        self.in_doubt = False
        self.is_joining = False
        """Whether it takes a snapshot: nothing that it committed before then counts."""
        self._cast = cast
        self._interval = SNAPSHOT_INTERVAL if snapshots else 0
        self.disk = Durable()
        self.engine = self._make_engine()
        self.gateway = self._open_gateway()

    @property
    def height(self) -> int:
        """How far its engine has come."""
        return self.disk.height

    def start(self) -> None:
        """Start what does not run, application first, and let the engine shake hands; raises `Died`."""
        self.start_application()
        self.engine = self._make_engine()
        self.engine.start()
        self.is_running = True

    def start_application(self) -> None:
        """Start the application alone, unless it runs: an engine that joins by snapshot does not shake hands."""
        if self.application is None:
            clock = lambda: self.around.now_ms(self.name)  # noqa: E731 - bound to this member
            self.application = self._cast.application_of(self.name)(
                self.folder, clock, self.name, snapshot_interval=self._interval
            )
            self.applications.append(self.application)

    def begin_at(self, height: int, app_hash: bytes) -> None:
        """It has joined by a snapshot of this height."""
        self.disk.height, self.disk.app_hash = height, app_hash
        self.committed, self.is_joining = height, False
        self.reopen_gateway()
        self.is_running = True

    def fall(self, what: str) -> None:
        """Let processes end: an application takes its engine with it, an engine alone leaves its application."""
        self.is_running = False
        self.engine = self._make_engine()
        if what != "engine" and self.application is not None:
            self.application.close()  # the gateway still reads: the write-ahead log stays as a kill leaves it
            self.application = None

    def close(self) -> None:
        """End all of it."""
        self.fall("both")
        self.gateway.close()

    def reopen_gateway(self) -> None:
        """Read the ledger anew: it was replaced by a snapshot's."""
        self.gateway.close()
        self.gateway = self._open_gateway()

    def submit(self, data: bytes) -> Future[Receipted]:
        """Offer a statement at this member's gateway."""
        return self.gateway.submit(data)

    def broadcast_tx_sync(self, data: bytes) -> Broadcast:
        """What the gateway calls over RPC."""
        if not self.is_running:
            raise OperationalError("the engine cannot be reached")
        return self.engine.broadcast(data)

    def _make_engine(self) -> EngineModel:
        return EngineModel(self.disk, self.around.genesis, self.call, self._point)

    def _open_gateway(self) -> SteppedGateway:
        return self._cast.gateway(self.folder, self, monotonic=lambda: self._now_ms() / 1_000)  # type: ignore[arg-type]  # the one call it makes

    def _now_ms(self) -> int:
        return self.around.now_ms(self.name)

    def _point(self, where: str) -> None:
        self.around.strike(where)

    def call(self, method: str, request: Message) -> Message:
        """One request of the engine to the application, with deaths before, inside and after."""
        application = self.application
        if application is None:
            raise Violation(f"the model called {method} of an application that is dead")
        self.around.strike(f"before {method}")
        if method == "commit":
            self.around.between(self.name)
            answer = self._commit(application, request)
        else:
            answer = self._ask(application, method, request)
        if method == "handshake" and not self.is_joining:
            self._require_last_committed(answer)
        self.around.strike(f"after {method}")
        if method == "commit":
            self.in_doubt = False
        return answer

    def _ask(self, application: TestedApplication, method: str, request: Message) -> Message:
        try:
            answer: Message = getattr(application, method)(request)
        except InvalidBlock as error:
            raise Violation(f"4: {self.name} cannot apply what was decided: {error}") from error
        return answer

    def _commit(self, application: TestedApplication, request: Message) -> Message:
        connection = application.chain.store._connection
        fault = self.around.breaks(self.name)
        if fault == "commit":
            connection.set_commit_hook(lambda: True)
        elif fault == "middle":
            connection.set_progress_handler(lambda: True, 7)
        self.in_doubt = True
        try:
            answer = application.commit(request)
        except LedgerStopped as error:
            if not fault:
                raise Violation(f"2: {self.name} stopped without a fault: {error}") from error
            raise Died("application", f"inside commit, the disk fails at the {fault}") from error
        finally:
            connection.set_commit_hook(None)
            connection.set_progress_handler(None)
        self.committed = application.chain.head.height
        return answer

    def _require_last_committed(self, answer: Message) -> None:
        """Info after a crash: the last commit that was answered, or one more where the crash came inside it."""
        height = answer.last_block_height
        allowed = (self.committed, self.committed + 1) if self.in_doubt else (self.committed,)
        if height not in allowed:
            raise Violation(f"6: {self.name} stands at {height} after a restart, {allowed} were committed")
        self.in_doubt = False
        self.committed = max(self.committed, height)


def init_request(genesis: Genesis) -> Message:
    """InitChain as every engine of this genesis sends it."""
    request = abci.RequestInitChain(
        chain_id=genesis.chain_id,
        app_state_bytes=f'{{"{GENESIS_FIELD}":"{genesis.digest.hex()}"}}'.encode(),
        time=abci.Timestamp(seconds=genesis.time_ms // 1_000, nanos=genesis.time_ms % 1_000 * 1_000_000),
    )
    for one in genesis.validators:
        request.validators.add(pub_key={"ed25519": bytes.fromhex(one.public_key)}, power=one.power)
    return request
