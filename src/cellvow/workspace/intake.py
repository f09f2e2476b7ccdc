"""Statements signed elsewhere: checked before anything is spent on them, then handed to the ledger's one writer."""

import asyncio
from dataclasses import dataclass
from threading import Lock

from cellvow.core.ledger.statement import Envelope, parse_envelope
from cellvow.core.primitives.cbor import encode_cbor, parse_cbor
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import INTEGER_MAX, STATEMENT_BYTES_MAX
from cellvow.core.protocol.transition import require_authentic
from cellvow.node.embedded import receipted_of
from cellvow.node.engine import Backpressure, Clock, Level, Receipted
from cellvow.node.home import NodeHome
from cellvow.node.store import StoredStatement
from cellvow.workspace.ledger_writer import LedgerWriter

PENDING_BYTES_MAX = 32_000_000
"""Bytes of statements taken and not yet answered; beyond it senders are told to slow down."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of a statement, and how much its sender may rely on it."""

    receipted: Receipted
    level: Level


class Intake:
    """Takes statements for the ledger of `home`; shared by threads, and by the tasks of one event loop."""

    def __init__(self, home: NodeHome, writer: LedgerWriter, clock: Clock) -> None:
        self._home = home
        self._writer = writer
        self._clock = clock
        self._store = home.open_reader()
        self._chain_id = self._store.genesis().chain_id
        self._guard = Lock()
        self._pending_bytes = 0

    @property
    def pending_bytes(self) -> int:
        """Bytes of statements that wait for their answer."""
        return self._pending_bytes

    def close(self) -> None:
        """Close the reading connection; the writer belongs to whoever made it."""
        self._store.close()

    def examine(self, data: bytes) -> Taken | None:
        """What is recorded of these very bytes; None where they are new and signed by a key in force.

        Costs a parse and one signature check, whatever it is given. Raises `Malformed` or `NotIncludable`.
        """
        envelope = parse_outer_envelope(data)
        known = self._store.statement_of_txid(envelope.txid)
        if known is not None and known.statement.data == data:
            return self._taken(known)
        # A key in force at the next block: its height is above every height that a key may start from.
        require_authentic(self._chain_id, self._store.get, envelope, INTEGER_MAX, self._clock())
        return None

    async def submit(self, data: bytes) -> Taken:
        """Commit a statement that `examine` found new; the answer is that it stands on disk, never that it waits.

        Raises `NotIncludable`, `Backpressure`, `LedgerLocked`, or `LedgerStopped`: then its fate is unknown.
        """
        self._reserve(len(data))
        try:
            while (session := self._writer.take_open()) is None:
                await asyncio.to_thread(self._writer.open)
            with self._writer.lent(session):
                # A sender that goes away must not cancel what the ledger's writer is about to answer.
                receipted = await asyncio.shield(asyncio.wrap_future(session.submit(data)))
        finally:
            self._reserve(-len(data))
        return Taken(receipted, Level.COMMITTED)

    def find(self, name: bytes, *, by_txid: bool) -> Taken | None:
        """What became of the statement with this digest or, where that is allowed, with this txid."""
        known = self._store.statement_of_digest(name)
        if known is None and by_txid:
            known = self._store.statement_of_txid(name)
        return None if known is None else self._taken(known)

    def _taken(self, known: StoredStatement) -> Taken:
        return Taken(receipted_of(self._store, known), self._home.level_of(self._store, known.leaf))

    def _reserve(self, size: int) -> None:
        with self._guard:
            if size > 0 and self._pending_bytes + size > PENDING_BYTES_MAX:
                raise Backpressure(f"{self._pending_bytes} bytes wait: nothing was taken, try again")
            self._pending_bytes += size


def parse_outer_envelope(data: bytes) -> Envelope:
    """The envelope of a statement whose messages are not looked at yet; raises `Malformed`.

    The signature covers the root of a batch, so whoever signed it can be known before 500 messages are hashed.
    """
    if len(data) > STATEMENT_BYTES_MAX:
        raise Malformed(f"statement of {len(data)} bytes: at most {STATEMENT_BYTES_MAX} are allowed")
    value = parse_cbor(data)
    return parse_envelope(encode_cbor(value[0] if isinstance(value, list) and value else value))
