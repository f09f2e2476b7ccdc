"""The embedded engine: one writer thread that groups what waits into a block and commits it at once."""

import queue
import threading
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.ledger.statement import Statement, parse_statement
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import CellvowError, InvalidBlock, InvariantBroken, Malformed
from cellvow.core.primitives.limits import BLOCK_BYTES_MAX, BLOCK_STATEMENTS_MAX
from cellvow.core.primitives.signature import require_sound_library
from cellvow.core.protocol.admission import Admission
from cellvow.core.protocol.transition import Applied, Head, apply_block
from cellvow.node.checking import Check, ChecksAhead, SignatureCache, find_checks
from cellvow.node.engine import Backpressure, Clock, Receipted
from cellvow.node.records import StoredState
from cellvow.node.store import LedgerStopped, LedgerStore, StoredStatement

_UNKNOWN = "the ledger has stopped, and what became of this statement is unknown until it is sent again: {}"
QUEUE_MAX = 20_000
"""Statements waiting; beyond it callers are told to slow down."""


@dataclass(frozen=True, slots=True)
class _Waiting:
    statement: Statement
    future: "Future[Receipted]"


class EmbeddedEngine:
    """Orders statements for one ledger; use as a context manager, or call `close`."""

    def __init__(self, store: LedgerStore, clock: Clock, *, queue_max: int = QUEUE_MAX) -> None:
        require_sound_library()
        self._store = store
        self._clock = clock
        self._state = StoredState(store)
        self._head = store.head()
        self._check = SignatureCache()
        self._queue: queue.Queue[_Waiting | None] = queue.Queue(queue_max)
        self._failure: CellvowError | None = None
        self._closed = False
        self._is_doubtful = False
        self._ahead = ChecksAhead(self._check)
        self._writer = threading.Thread(target=self._run, name="ledger-writer", daemon=True)
        self._writer.start()

    def __enter__(self) -> "EmbeddedEngine":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def head(self) -> Head:
        """Where the chain stands."""
        return self._head

    @property
    def state(self) -> StoredState:
        """The state as of the head; ask it only while nothing is being submitted."""
        return self._state

    def submit(self, data: bytes) -> "Future[Receipted]":
        """Queue a statement; raises `NotIncludable` for malformed bytes, `Backpressure` when the queue is full."""
        if self._has_failed():
            raise LedgerStopped(f"the ledger has stopped: {self._failure}")
        if self._closed:
            raise LedgerStopped("the ledger is closed")
        try:
            statement = parse_statement(data)
        except Malformed as error:
            raise NotIncludable(Reason.MALFORMED, detail=str(error)) from error
        waiting = _Waiting(statement, Future())
        try:
            self._queue.put_nowait(waiting)
        except queue.Full:
            raise Backpressure(f"{self._queue.maxsize} statements wait: nothing was taken, try again") from None
        if self._has_failed():  # it stopped while this was being queued
            self._answer_unknown(self._drain())
        return waiting.future

    def close(self) -> None:
        """Commit what waits, then stop; the store is closed with it."""
        if self._closed:
            return
        self._closed = True
        self._queue.put(None)
        self._writer.join()
        self._ahead.close()
        self._store.close()

    def _run(self) -> None:
        last = False
        while not last:
            batch, last = self._gather(self._queue.get())
            error: CellvowError | None = InvariantBroken("the ledger's writer ended by a fault of its own")
            try:
                self._commit(batch)
                error = None
            except CellvowError as known:
                error = known
            finally:
                if error is not None:
                    self._stop(batch, error)
                    last = True

    def _gather(self, first: _Waiting | None) -> tuple[list[_Waiting], bool]:
        """What waits, up to one block; whether the engine was told to close."""
        batch: list[_Waiting] = []
        size, waiting = 0, first
        while waiting is not None:
            batch.append(waiting)
            size += len(waiting.statement.data)
            if len(batch) >= BLOCK_STATEMENTS_MAX or size > BLOCK_BYTES_MAX - 512_000:
                return batch, False
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return batch, False
        return batch, True

    def _commit(self, batch: list[_Waiting]) -> None:
        height, time_ms = self._head.height + 1, max(self._clock(), self._head.time_ms)
        self._ahead.finish(self._checks_of(batch))
        self._ahead.begin(self._checks_of(self._peek()))
        block = Block(height, time_ms, tuple(waiting.statement for waiting in batch))
        admitted, applied = batch, self._apply_whole(block)
        if applied is None:
            admitted = self._admit(batch, height, time_ms)
            self._is_doubtful = len(admitted) < len(batch)
            if not admitted:
                return
            block = Block(height, time_ms, tuple(waiting.statement for waiting in admitted))
            applied = apply_block(self._head, self._state, block, self._check)
        self._store.commit(block, applied)
        self._head = applied.head
        for offset, waiting in enumerate(admitted):
            waiting.future.set_result(_receipted(block, applied, offset))

    def _apply_whole(self, block: Block) -> Applied | None:
        """What the block does, where everything that waited may stand in it: then nobody need be admitted singly.

        A block that may not stand changes nothing; after one, each statement is judged on its own until all pass again.
        """
        txids = dict.fromkeys(statement.envelope.txid for statement in block.statements)
        if self._is_doubtful or not block.statements or len(txids) < len(block.statements):
            return None
        try:
            return apply_block(self._head, self._state, block, self._check)
        except InvalidBlock:
            return None

    def _admit(self, batch: list[_Waiting], height: int, time_ms: int) -> list[_Waiting]:
        """Those that may stand in the block; the others are answered at once."""
        admitted: list[_Waiting] = []
        first_of: dict[Digest, _Waiting] = {}
        admission = Admission(self._head, self._state.get, height, time_ms, self._check)
        for waiting in batch:
            envelope = waiting.statement.envelope
            if self._share_answer(waiting, first_of.get(envelope.txid)):
                continue
            try:
                admission.admit(waiting.statement)
            except NotIncludable as refusal:
                # What is recorded has used its sequence: only what is refused can be known already.
                if not self._answer_recorded(waiting):
                    waiting.future.set_exception(refusal)
                continue
            first_of[envelope.txid] = waiting
            admitted.append(waiting)
        return admitted

    def _share_answer(self, waiting: _Waiting, first: _Waiting | None) -> bool:
        """Whether the same statement waits in this block already: then this one gets its answer."""
        if first is None:
            return False
        first.future.add_done_callback(lambda done: _copy(done, waiting.future))
        return True

    def _answer_recorded(self, waiting: _Waiting) -> bool:
        """Whether the same statement is recorded: then its answer is given again."""
        stored = self._store.statement_of_txid(waiting.statement.envelope.txid)
        if stored is None or stored.statement.data != waiting.statement.data:
            return False
        waiting.future.set_result(receipted_of(self._store, stored))
        return True

    def _peek(self) -> list[_Waiting]:
        """What waits for the next block, left where it is."""
        with self._queue.mutex:
            return [one for one in islice(self._queue.queue, BLOCK_STATEMENTS_MAX) if one is not None]

    def _checks_of(self, batch: list[_Waiting]) -> list[Check]:
        return find_checks((waiting.statement.envelope for waiting in batch), self._state.get)

    def _stop(self, batch: list[_Waiting], error: CellvowError) -> None:
        """Answer everybody that the fate of what they sent is unknown, and take nothing more."""
        self._failure = error
        self._answer_unknown(batch)
        self._answer_unknown(self._drain())

    def _has_failed(self) -> bool:
        return self._failure is not None

    def _drain(self) -> list[_Waiting]:
        drained: list[_Waiting] = []
        while True:
            try:
                waiting = self._queue.get_nowait()
            except queue.Empty:
                return drained
            if waiting is not None:
                drained.append(waiting)

    def _answer_unknown(self, waiting: list[_Waiting]) -> None:
        for one in waiting:
            if not one.future.done():
                one.future.set_exception(LedgerStopped(_UNKNOWN.format(self._failure)))


def receipted_of(store: LedgerStore, stored: StoredStatement) -> Receipted:
    """What became of a statement that stands in the ledger."""
    block = store.block(stored.height)
    envelope = stored.statement.envelope
    time_ms = 0 if block is None else block.time_ms
    return Receipted(envelope.txid, envelope.digest, stored.height, time_ms, stored.leaf, stored.outcomes)


def _receipted(block: Block, applied: Applied, offset: int) -> Receipted:
    envelope = block.statements[offset].envelope
    leaf = applied.head.log.size - len(applied.leaves) + offset
    return Receipted(envelope.txid, envelope.digest, block.height, block.time_ms, leaf, applied.outcomes[offset])


def _copy(done: "Future[Receipted]", to: "Future[Receipted]") -> None:
    error = done.exception()
    if error is not None:
        to.set_exception(error)
    else:
        to.set_result(done.result())
