"""What signed events could reach at best here: both cores busy with one signature check and the rest of one event."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from benchmarks.ledgers import Filled, clock_ms
from benchmarks.sampling import cpu_seconds, seconds
from cellvow.core.ledger.block import Block
from cellvow.core.ledger.key import key_record_key, parse_key_record
from cellvow.core.ledger.statement import Statement, parse_statement
from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.transition import apply_block
from cellvow.node.records import StoredState
from cellvow.node.store import LedgerStore

CORES = 2
BLOCK = 1_000
CHECKED = 400


@dataclass(frozen=True, slots=True)
class SingleBound:
    """Seconds of one signature check, and processor seconds of everything else an event needs."""

    check_s: float
    rest_s: float

    @property
    def events_per_s(self) -> float:
        """Events a second if two cores shared the work of each event perfectly."""
        return CORES / (self.check_s + self.rest_s)


def measure_bound(filled: Filled, folder: Path, statements: Sequence[bytes]) -> SingleBound:
    """Both parts, measured on a copy of the filled ledger with the same statements that the engine gets."""
    home, _ = filled.copy(folder)
    store = LedgerStore.open_writer(home.folder)
    try:
        check_s = _check_seconds(store, [parse_statement(one) for one in statements[:CHECKED]])
        state = StoredState(store)
        rest = cpu_seconds(lambda: _apply_all(store, state, statements))
    finally:
        store.close()
    return SingleBound(check_s, rest / len(statements))


def _check_seconds(store: LedgerStore, statements: Sequence[Statement]) -> float:
    times = []
    for one in statements:
        value = store.get(key_record_key(one.envelope.kid))
        ensure(value is not None, "the benchmark's keys are registered")
        public_key = bytes.fromhex(parse_key_record(value or b"").public_key)
        signed, signature = one.envelope.signed_bytes, one.envelope.signature
        times.append(seconds(lambda: is_valid(public_key, signed, signature)))  # noqa: B023 - called at once
    return median(times)


def _apply_all(store: LedgerStore, state: StoredState, statements: Sequence[bytes]) -> None:
    """Parse, apply and commit in one thread, without the signature checks that are measured apart."""
    head = store.head()
    for at in range(0, len(statements), BLOCK):
        parsed = tuple(parse_statement(one) for one in statements[at : at + BLOCK])
        block = Block(head.height + 1, max(clock_ms(), head.time_ms), parsed)
        applied = apply_block(head, state, block, lambda _key, _message, _signature: True)
        store.commit(block, applied)
        head = applied.head
