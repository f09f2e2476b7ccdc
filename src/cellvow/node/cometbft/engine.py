"""Submitting to a consortium: a statement goes to this member's engine, and its answer is read from his own ledger.

What the engine says on taking it is no acknowledgement: two thirds of the validators must commit it first.
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.ledger.state import StateProof, StateTree
from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError
from cellvow.core.protocol.transition import Head
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.embedded import receipted_of
from cellvow.node.engine import Receipted
from cellvow.node.records import build_tree
from cellvow.node.store import LedgerStore

POLL_S = 0.02
"""Between two looks at the ledger while statements wait for their block."""
COMMIT_S_MAX = 30.0
"""How long a statement is waited for; after that its fate is unknown, and it may be sent again."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Somebody who waits for a statement's block, until so many seconds of our own time."""

    txid: Digest
    future: "Future[Receipted]"
    until_s: float


class FollowedState:
    """The records as of the newest block on disk; its authenticated map is built when a proof is asked for."""

    def __init__(self, store: LedgerStore) -> None:
        self._store = store
        self._built: tuple[int, StateTree] | None = None

    def get(self, key: str) -> bytes | None:
        """The bytes of a record, or None."""
        return self._store.get(key)

    def prove(self, key: str) -> StateProof:
        """Proof that a record stands in the map; the first after a new block reads the whole state."""
        height = self._store.head().height
        if self._built is None or self._built[0] != height:
            self._built = (height, build_tree(self._store))
        return self._built[1].prove(key, {})


class ConsortiumEngine:
    """The `Engine` of a member of a consortium; use as a context manager, or call `close`."""

    def __init__(
        self,
        folder: Path,
        rpc: EngineRpc,
        *,
        pause: Callable[[float], None] = time.sleep,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`folder` holds the ledger, which another process writes; `pause` and `monotonic` are how time goes."""
        self.store = LedgerStore.open_reader(folder)
        self.rpc = rpc
        self._state = FollowedState(self.store)
        self._folder = folder
        self._pause = pause
        self._monotonic = monotonic
        self._waiting: list[_Waiting] = []
        self._guard = threading.Lock()
        self._follower: threading.Thread | None = None
        self._closed = False

    @property
    def head(self) -> Head:
        """Where this member's ledger stands."""
        return self.store.head()

    @property
    def state(self) -> FollowedState:
        """The records as of that head."""
        return self._state

    def submit(self, data: bytes) -> "Future[Receipted]":
        """Hand a statement to the engine; the future resolves once it is committed here.

        Raises `NotIncludable` where the engine refuses it, `Backpressure` where its mempool is full.
        """
        try:
            envelope = parse_statement(data).envelope
        except Malformed as error:
            raise NotIncludable(Reason.MALFORMED, detail=str(error)) from error
        future: Future[Receipted] = Future()
        if self._answer_recorded(envelope.txid, data, future):
            return future
        taken = self.rpc.broadcast_tx_sync(data)
        if taken.code and not taken.already_known:
            if self._answer_recorded(envelope.txid, data, future):  # it was committed in between
                return future
            raise self._refusal(taken.code, taken.log)
        self._follow(envelope.txid, future)
        return future

    def close(self) -> None:
        """Stop waiting; whoever still waits is told that the fate of his statement is unknown."""
        with self._guard:
            self._closed = True
        if self._follower is not None:
            self._follower.join()
        for one in self._waiting:
            one.future.set_exception(
                OperationalError("the ledger was closed before the statement's block came: send again")
            )
        self.store.close()

    def _answer_recorded(self, txid: Digest, data: bytes, future: "Future[Receipted]") -> bool:
        stored = self.store.statement_of_txid(txid)
        if stored is None or stored.statement.data != data:
            return False
        future.set_result(receipted_of(self.store, stored))
        return True

    def _refusal(self, code: int, log: str) -> CellvowError:
        if code == Reason.SEQUENCE_USED and self.store.restored_height() is not None:
            return OperationalError(
                f"this sequence was used before height {self.store.restored_height()}, where this member joined by "
                "snapshot: whether by this very statement, a member with the whole history can say"
            )
        try:
            return NotIncludable(Reason(code), detail=log)
        except ValueError:
            return OperationalError(f"the engine refused the statement with code {code}: {log}")

    def _follow(self, txid: Digest, future: "Future[Receipted]") -> None:
        with self._guard:
            self._waiting.append(_Waiting(txid, future, self._monotonic() + COMMIT_S_MAX))
            if self._follower is None or not self._follower.is_alive():
                self._follower = threading.Thread(target=self._run, name="ledger-follower", daemon=True)
                self._follower.start()

    def _run(self) -> None:
        """Answer those who wait as blocks come, until nobody waits."""
        store = LedgerStore.open_reader(self._folder)
        try:
            while self._look(store):
                self._pause(POLL_S)
        finally:
            store.close()

    def _look(self, store: LedgerStore) -> bool:
        """Answer whoever can be answered; whether anybody is left."""
        with self._guard:
            waiting = list(self._waiting)
        left = [one for one in waiting if not self._answer(store, one)]
        with self._guard:
            self._waiting = [*left, *self._waiting[len(waiting) :]]
            if self._waiting and not self._closed:
                return True
            if not self._closed:
                self._follower = None
            return False

    def _answer(self, store: LedgerStore, one: "_Waiting") -> bool:
        """Answer one who waits, if he can be answered now."""
        try:
            stored = store.statement_of_txid(one.txid)
            answer = None if stored is None else receipted_of(store, stored)
        except CellvowError as error:
            one.future.set_exception(error)
            return True
        if answer is not None:
            one.future.set_result(answer)
        elif self._monotonic() > one.until_s:
            one.future.set_exception(_late())
        else:
            return False
        return True


def _late() -> OperationalError:
    return OperationalError(
        f"no block came with the statement within {COMMIT_S_MAX:.0f} s: more than a third of the validators may be "
        "out of reach (`cellvow network status`). Its fate is unknown; sent again, it takes effect once"
    )
