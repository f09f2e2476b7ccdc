"""Honest clients under fire: each signs for one organisation, offers the same bytes until answered, and remembers."""

from __future__ import annotations

import hashlib
import threading
import time
from collections import deque
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from cellvow.core.contracts.anchor import Anchor
from cellvow.core.primitives.errors import CellvowError
from cellvow.node.cometbft.engine import ConsortiumEngine
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.workspace.clock import now_ms
from cellvow.workspace.workspace import Workspace

if TYPE_CHECKING:
    from collections.abc import Sequence
    from concurrent.futures import Future

    from cellvow.node.cometbft.member import MemberHome
    from cellvow.node.engine import Receipted
    from cellvow.workspace.workspace import Signed

PACE_S = 0.1
"""Between two statements of one client."""
PATIENCE_S = 3.0
"""After so long without an answer the same bytes are offered to the next member."""
RPC_TIMEOUT_S = 2.0
TICK_S = 0.02


@dataclass(frozen=True)
class Acknowledged:
    """What a client was told: where its statement stands, and when it was told, in seconds of the monotonic clock."""

    receipted: Receipted
    at_s: float
    offered_s: float


@dataclass
class _Offer:
    signed: Signed
    offered_s: float
    sent_s: float = 0.0
    future: Future[Receipted] | None = None


class Client:
    """One organisation's client, in a thread of its own; begins with its own member and goes on to others."""

    def __init__(self, home: MemberHome, members: Sequence[MemberHome], chain_id: str, pace_s: float = PACE_S) -> None:
        place = [one.label for one in members].index(home.label)
        self._ring = deque([*members[place:], *members[:place]])
        self._workspace = Workspace(home.workspace)
        self._chain_id = chain_id
        self._pace_s = pace_s
        self._engines: dict[str, ConsortiumEngine] = {}
        self._offers: list[_Offer] = []
        self._seed = f"{home.label}-{time.time_ns()}"
        self._count = 0
        self._is_offering = threading.Event()
        self._is_ending = threading.Event()
        self.acknowledged: list[Acknowledged] = []
        self._thread = threading.Thread(target=self._run, name=f"client-{home.label}", daemon=True)
        self._thread.start()

    @property
    def waiting(self) -> int:
        """Statements without an answer."""
        return len(self._offers)

    def go_on(self) -> None:
        """Offer statements."""
        self._is_offering.set()

    def hold(self) -> None:
        """Offer no new ones; those without an answer are still pursued."""
        self._is_offering.clear()

    def close(self) -> None:
        """Stop."""
        self._is_ending.set()
        self._thread.join()
        for engine in self._engines.values():
            engine.close()
            engine.rpc.close()
        self._workspace.close()

    def _run(self) -> None:
        due_s = time.monotonic()
        while not self._is_ending.wait(TICK_S):
            now_s = time.monotonic()
            if self._is_offering.is_set() and now_s >= due_s:
                due_s = now_s + self._pace_s
                self._offers.append(_Offer(self._sign(), now_s))
            self._offers = [one for one in self._offers if not self._pursue(one, now_s)]

    def _sign(self) -> Signed:
        self._count += 1
        root = hashlib.sha256(f"{self._seed}-{self._count}".encode()).hexdigest()
        return self._workspace.sign(self._chain_id, Anchor(root=root, rows=1, kind="telemetry"), now_ms())

    def _pursue(self, one: _Offer, now_s: float) -> bool:
        """Whether the offer is answered by now."""
        if one.future is None:
            with suppress(CellvowError):
                one.sent_s, one.future = now_s, self._engine().submit(one.signed.data)
            if one.future is None:
                self._ring.rotate(-1)
        elif one.future.done():
            with suppress(CellvowError):
                self.acknowledged.append(Acknowledged(one.future.result(), now_s, one.offered_s))
                self._workspace.sequences.resolve(one.signed.kid, one.signed.sequence)
                return True
            one.future = None
        elif now_s - one.sent_s > PATIENCE_S:
            one.future = None
            self._ring.rotate(-1)
        return False

    def _engine(self) -> ConsortiumEngine:
        home = self._ring[0]
        if home.label not in self._engines:
            rpc = EngineRpc(home.membership.addresses.rpc_url, RPC_TIMEOUT_S)
            self._engines[home.label] = ConsortiumEngine(home.ledger, rpc)
        return self._engines[home.label]


def longest_gap_s(acknowledged: Sequence[Acknowledged], from_s: float, until_s: float) -> float:
    """The longest time without any acknowledgement between two moments."""
    moments = sorted(one.at_s for one in acknowledged if from_s <= one.at_s <= until_s)
    edges = [from_s, *moments, until_s]
    return max(later - earlier for earlier, later in pairwise(edges))
