"""The state machine as a replicated engine drives it: propose, vote, finalize, commit. No wire format here.

What an engine may rely on: `finalize` keeps everything in memory, `commit` writes it in one transaction, and the
same blocks give the same app hash on every member. What it must do: call them in that order, each height once, or
again from the last committed height after any crash.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.outcome import parse_outcome
from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.ledger.statement import Statement, parse_statement
from cellvow.core.ledger.validator import VALIDATORS_KEY, Validator, parse_validators
from cellvow.core.primitives.errors import InvalidBlock, Malformed, OperationalError, ensure
from cellvow.core.primitives.limits import BLOCK_BYTES_MAX, BLOCK_STATEMENTS_MAX, STATEMENT_BYTES_MAX
from cellvow.core.primitives.signature import SignatureCheck, is_valid
from cellvow.core.protocol.admission import Admission
from cellvow.core.protocol.transition import Applied, Head, apply_block
from cellvow.node.checking import SignatureCache
from cellvow.node.records import StoredState
from cellvow.node.store import LedgerStore

PARSED_MAX = 10_000
"""Statements kept parsed between the four times an engine shows them; as many as its mempool and a block hold."""
PARSED_BYTES_MAX = 64_000_000
"""Their bytes, all told."""
_ACCEPTANCE = b'{"events":'
"""How the canonical form of an acceptance begins, and of nothing else that the transition gives."""


@dataclass(frozen=True, slots=True)
class Finalized:
    """What a block did, before it is committed: a code per statement (0: all accepted), and the engine's orders."""

    app_hash: bytes
    codes: tuple[int, ...]
    validators: tuple[tuple[str, int], ...]
    """(public key in hexadecimal, power) of each validator that changes; power 0 removes it."""


class ReplicatedChain:
    """One member's ledger under an engine that orders statements with others; asked by one thread."""

    def __init__(self, store: LedgerStore, check: SignatureCheck = is_valid) -> None:
        """`store` is open for writing; `check` is replaced by tests that count."""
        self._store = store
        self._check = SignatureCache(check)
        self._parsed = ParsedStatements()
        self._state = StoredState(store)
        self._head = store.head()
        self._last_ms = self._head.time_ms  # of the newest block seen: empty ones tell the time too
        self._pending: tuple[Block, Applied, Finalized] | None = None

    @property
    def head(self) -> Head:
        """Where the committed chain stands."""
        return self._head

    @property
    def store(self) -> LedgerStore:
        """The ledger underneath."""
        return self._store

    def validators(self) -> tuple[Validator, ...]:
        """Who validates, as of the last committed block."""
        record = self._store.get(VALIDATORS_KEY)
        return () if record is None else parse_validators(record)

    def check(self, data: bytes, time_ms: int) -> Statement:
        """The statement, if it may wait for a block; raises `NotIncludable`. `time_ms` stands for the block's time."""
        statement = self._parse(data)
        last_ms = self._last_ms
        try:
            self._admission(last_ms).admit(statement)
        except NotIncludable as refusal:
            # A clock is not the block's: only a key in force by neither of them is refused.
            if refusal.reason is not Reason.KEY_NOT_IN_FORCE or time_ms <= last_ms:
                raise
            self._admission(time_ms).admit(statement)
        return statement

    def check_again(self, data: bytes) -> None:
        """Raise `NotIncludable` where what waits can stand in no block any more: its signature was checked before."""
        admission = self._admission(self._last_ms)
        admission.check = _was_checked
        admission.admit(self._parse(data))

    def prepare(self, waiting: Iterable[bytes], height: int, time_ms: int, bytes_max: int) -> list[bytes]:
        """Those that may stand in one block, in their order: what an honest member proposes."""
        chosen: list[bytes] = []
        size, admission = 0, self._admission(time_ms, height)
        for data in waiting:
            if len(chosen) == BLOCK_STATEMENTS_MAX or size + len(data) > min(bytes_max, BLOCK_BYTES_MAX):
                break
            try:
                admission.admit(self._parse(data))
            except NotIncludable:
                continue
            chosen.append(data)
            size += len(data)
        return chosen

    def find_fault(self, proposed: Sequence[bytes], height: int, time_ms: int) -> str | None:
        """Why a proposed block must not stand, or None: depends on the block and the committed state alone."""
        if len(proposed) > BLOCK_STATEMENTS_MAX or sum(map(len, proposed)) > BLOCK_BYTES_MAX:
            return "the block is larger than the ledger allows"
        if height <= self._head.height or time_ms < self._head.time_ms:
            return "the block does not follow the last one"
        admission = self._admission(time_ms, height)
        for data in proposed:
            try:
                admission.admit(self._parse(data))
            except NotIncludable as refusal:
                return str(refusal)
        return None

    def finalize(self, height: int, time_ms: int, decided: Sequence[bytes], evidence: Sequence[bytes]) -> Finalized:
        """Apply a decided block in memory; raises `InvalidBlock` where it cannot stand, which must stop the member."""
        block = Block(height, time_ms, tuple(self._parse_decided(height, data) for data in decided), tuple(evidence))
        if self._pending is not None:
            known, _, finalized = self._pending
            if known == block:
                return finalized  # the engine came back after a crash of its own, and this process lived on
            self.forget_pending()
        applied = apply_block(self._head, self._state, block, self._check)
        self._last_ms = time_ms
        changed = applied.writes.get(VALIDATORS_KEY)
        finalized = Finalized(
            applied.head.app_hash,
            tuple(_code_of(outcomes) for outcomes in applied.outcomes),
            () if changed is None else _changes(self.validators(), parse_validators(changed)),
        )
        self._pending = (block, applied, finalized)
        return finalized

    def commit(self) -> Head:
        """Write the finalized block in one transaction; on return it is on disk. Raises `LedgerStopped`."""
        pending, self._pending = self._pending, None
        ensure(pending is not None, "the engine commits a block that was not finalized")
        if pending is not None:
            block, applied, _ = pending
            self._store.commit(block, applied)
            self._head = applied.head
        return self._head

    def forget_pending(self) -> None:
        """Drop what was finalized and not committed: the state is read again from disk."""
        if self._pending is not None:
            self._pending = None
            self._state = StoredState(self._store)

    def _admission(self, time_ms: int, height: int | None = None) -> Admission:
        """What may stand in the block of this height, the next one if none is named."""
        # What is finalized need not become committed here: until then nobody is told that a sequence is used.
        read = self._state.get if self._pending is None else self._store.get
        return Admission(self._head, read, height or self._head.height + 1, time_ms, self._check)

    def _parse(self, data: bytes) -> Statement:
        try:
            return self._parsed.parse(data)
        except Malformed as error:
            raise NotIncludable(Reason.MALFORMED, detail=str(error)) from error

    def _parse_decided(self, height: int, data: bytes) -> Statement:
        try:
            return self._parsed.parse(data)
        except Malformed as error:
            raise InvalidBlock(f"block {height} was decided with bytes that are no statement: {error}") from error


class ParsedStatements:
    """Statements by their bytes: an engine shows each up to four times, and parsing costs as much as judging."""

    def __init__(self, *, most: int = PARSED_MAX, bytes_max: int = PARSED_BYTES_MAX) -> None:
        self._known: dict[bytes, Statement] = {}
        self._size = 0
        self._most = most
        self._bytes_max = bytes_max

    def parse(self, data: bytes) -> Statement:
        """The statement of its bytes; raises `Malformed`."""
        known = self._known.get(data)
        if known is not None:
            return known
        if len(data) > STATEMENT_BYTES_MAX:
            raise Malformed(f"a statement of {len(data)} bytes: at most {STATEMENT_BYTES_MAX} are allowed")
        statement = parse_statement(data)
        self._known[data] = statement
        self._size += len(data)
        while len(self._known) > self._most or self._size > self._bytes_max:
            oldest = next(iter(self._known))
            del self._known[oldest]
            self._size -= len(oldest)
        return statement


def require_known_height(chain: ReplicatedChain, engine_height: int) -> None:
    """Raise `OperationalError` where the ledger is ahead of the engine: one of the two is an older copy."""
    if chain.head.height > engine_height:
        raise OperationalError(
            f"the ledger stands at height {chain.head.height} and the engine at {engine_height}: one was restored from "
            "an older copy. Never restore a validator's memory; rejoin with a new key (`cellvow network replace`)"
        )


def _was_checked(_public_key: bytes, _message: bytes, _signature: bytes) -> bool:
    return True


def _code_of(outcomes: tuple[bytes, ...]) -> int:
    """0 where no message was rejected, else the first cause's code."""
    # An acceptance is known by its first bytes; of a batch of 500 each would be parsed only to learn that.
    told = (parse_outcome(outcome).reason for outcome in outcomes if not outcome.startswith(_ACCEPTANCE))
    reasons = [reason for reason in told if reason is not None]
    causes = [reason for reason in reasons if reason is not Reason.BATCH_ABORTED]
    return int((causes or reasons or [0])[0])


def _changes(before: tuple[Validator, ...], after: tuple[Validator, ...]) -> tuple[tuple[str, int], ...]:
    """What an engine must be told, in the order of the keys."""
    old = {one.public_key: one.power for one in before}
    new = {one.public_key: one.power for one in after}
    changed = {key: power for key, power in new.items() if old.get(key) != power}
    gone = {key: 0 for key in old if key not in new}
    return tuple(sorted({**changed, **gone}.items()))
