"""What watches a node asks: is the process alive, can it serve, and what does it count.

`/metrics` names no battery and no party, but how much a company does is its own affair: it needs the owner's key.
A proxy on the same machine makes every client look like loopback, so that door opens only where the operator says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import msgspec
from fastapi import APIRouter, Request, Response

from cellvow.api.access import Access
from cellvow.api.guard import BodyRule
from cellvow.api.metrics import TEXT_FORMAT, Figures, Gauge
from cellvow.api.negotiation import JSON
from cellvow.workspace.readiness import Standing

RETRY_AFTER_S = 10
LOOPBACK = ("127.0.0.1", "::1")


class StandingSource(Protocol):
    """Where a node's standing is looked up."""

    def stand(self) -> Standing:
        """How it stands now; never raises for what is wrong with it."""
        ...


class Alive(msgspec.Struct, frozen=True):
    """The process answers."""

    alive: bool


class Ready(msgspec.Struct, frozen=True):
    """Whether the node can serve, and why not."""

    ready: bool
    reasons: tuple[str, ...]
    height: int


@dataclass(frozen=True, slots=True)
class HealthRoutes:
    """`figures` are those that the application's `Meter` counts; `gauges` are whatever else the node can read."""

    access: Access
    source: StandingSource
    figures: Figures
    gauges: tuple[Gauge, ...] = field(default=())
    metrics_on_loopback: bool = False

    def routes(self) -> APIRouter:
        """The three addresses."""
        router = APIRouter()
        for path, endpoint in (("/healthz", self.alive), ("/readyz", self.ready), ("/metrics", self.metrics)):
            router.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """None: they are only read."""
        return ()

    async def alive(self) -> Response:
        """The process is alive: nothing else is looked at."""
        return _answer(200, Alive(alive=True))

    def ready(self) -> Response:
        """Whether traffic should come here; 503 with the reasons where it should not."""
        standing = self.source.stand()
        is_ready = not standing.reasons
        return _answer(200 if is_ready else 503, Ready(is_ready, standing.reasons, standing.height))

    def metrics(self, request: Request) -> Response:
        """Counters, the histogram of times, and gauges, for the owner's key."""
        client = "" if request.client is None else request.client.host
        if not (self.metrics_on_loopback and client in LOOPBACK):
            self.access.require_key(request)
        text = self.figures.text((*_gauges(self.source.stand()), *self.gauges))
        return Response(text.encode(), 200, {"Cache-Control": "no-store"}, TEXT_FORMAT)


def _answer(status: int, document: Alive | Ready) -> Response:
    headers = {"Cache-Control": "no-store"}
    if status == 503:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    return Response(msgspec.json.encode(document), status, headers, JSON)


def _gauges(standing: Standing) -> tuple[Gauge, ...]:
    def kept(number: float) -> Callable[[], float]:
        return lambda: number

    return (
        Gauge("cellvow_ready", "1 where the node can serve.", kept(not standing.reasons)),
        Gauge("cellvow_height", "Height of the last block.", kept(standing.height)),
        Gauge("cellvow_log_leaves", "Leaves of the log.", kept(standing.leaves)),
        Gauge("cellvow_checkpoint_leaves", "Leaves under the newest checkpoint.", kept(standing.checkpoint_leaves)),
        Gauge("cellvow_checkpoint_cosignatures", "Witnesses of the newest checkpoint.", kept(standing.cosignatures)),
        Gauge("cellvow_disk_free_bytes", "Room left where the ledger lies.", kept(standing.disk_free_bytes)),
    )
