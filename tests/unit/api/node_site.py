"""A small real node with its site, in a temporary folder: a ledger on disk, the keys of its members, a client.

    with NodeSite(tmp_path) as site:
        answer = site.post(site.member.root.sign(...).data)

What would happen later, in another thread, is kept in `site.later` and happens when a test says so.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from cellvow.api.access import Access
from cellvow.api.application import Area, Site, create_application
from cellvow.api.explorer import ExplorerRoutes
from cellvow.api.health import HealthRoutes
from cellvow.api.metrics import Figures, Meter
from cellvow.api.network import NetworkRoutes
from cellvow.api.openapi import DescriptionRoutes
from cellvow.api.passports import PassportPages
from cellvow.api.rates import RateLimit
from cellvow.api.statements import REFUSALS_BURST, REFUSALS_PER_MINUTE, StatementIntake, StatementRoutes
from cellvow.node.home import NodeHome
from cellvow.workspace.explorer import Explorer
from cellvow.workspace.intake import Intake
from cellvow.workspace.ledger_writer import LedgerWriter
from cellvow.workspace.network_view import NetworkReader
from cellvow.workspace.passports import TIMELINE_FILE, PassportReader
from cellvow.workspace.readiness import Readiness
from tests import messages
from tests.unit.api.asgi_client import AsgiClient
from tests.world import GENESIS_MS, MAKER, Member, make_genesis, make_member

if TYPE_CHECKING:
    from pathlib import Path

    import httpx
    from fastapi import FastAPI

OWNER_KEY = "owner-key-0123456789"
ORIGIN = "test.cellvow.example/log"
STATEMENTS = "/api/v1/statements"
COSE = {"content-type": 'application/cose; cose-type="cose-sign1"'}
OWNER = {"authorization": f"Bearer {OWNER_KEY}"}


@dataclass
class Ticks:
    """A clock that moves when told to, in milliseconds, or by a step with each look at it."""

    now_ms: int = GENESIS_MS + 1_000
    step_ms: int = 0

    def __call__(self) -> int:
        """The moment."""
        self.now_ms += self.step_ms
        return self.now_ms


@dataclass
class Deferred:
    """What is to happen later, and whether it was called off."""

    calls: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def __call__(self, seconds: float, call: Callable[[], None]) -> Callable[[], None]:
        """Keep it."""
        entry = (seconds, call)
        self.calls.append(entry)

        def call_off() -> None:
            if entry in self.calls:
                self.calls.remove(entry)

        return call_off

    def run(self) -> None:
        """Let everything happen that waits now."""
        waiting, self.calls = self.calls, []
        for _, call in waiting:
            call()


class NodeSite:
    """The whole application over a ledger with one registered key. `accept` is the operator's choice."""

    def __init__(self, folder: Path, *, accept: bool = True, metrics_on_loopback: bool = False) -> None:
        self.clock = Ticks()
        self.later = Deferred()
        self.home = NodeHome.create(folder / "node", make_genesis(), ORIGIN, bytes(range(32)))
        self.member: Member = make_member(MAKER)
        with self.home.open_session(self.clock) as session:
            session.submit(self.member.root.sign(self.member.register_key(self.member.key)).data).result(30)
        self.clock.now_ms += 1_000
        self.writer = LedgerWriter(self.home, self.clock, later=self.later)
        self.intake = Intake(self.home, self.writer, self.clock)
        self.access = Access(OWNER_KEY, self.clock)
        self.figures = Figures()
        self.accept, self.metrics_on_loopback = accept, metrics_on_loopback
        self.app = self.build(self.intake)
        self.client = AsgiClient(self.app)

    def build(self, intake: StatementIntake) -> FastAPI:
        """The application, with this intake."""
        reader = PassportReader(self.home)
        refusals = RateLimit(REFUSALS_BURST, REFUSALS_PER_MINUTE, self.clock)
        index = self.home.folder / TIMELINE_FILE
        health = HealthRoutes(self.access, Readiness(self.home, index, self.writer), self.figures)
        self.areas: tuple[Area, ...] = (
            StatementRoutes(intake, self.access, refusals, accept=self.accept),
            ExplorerRoutes(Explorer(self.home), reader, self.access),
            NetworkRoutes(NetworkReader(self.home, self.clock)),
            dataclasses.replace(health, metrics_on_loopback=self.metrics_on_loopback),
            DescriptionRoutes(),
        )
        app = create_application(Site(self.access, PassportPages(reader, self.access), self.areas))
        app.add_middleware(Meter, figures=self.figures)
        return app

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.intake.close()
        self.writer.close()

    def post(self, content: bytes, **headers: str) -> httpx.Response:
        """Send a statement."""
        return self.client.request("POST", STATEMENTS, content=content, headers={**COSE, **headers})

    def submit(self, data: bytes) -> None:
        """Commit a statement past the interface."""
        with self.writer.turn() as session:
            session.submit(data).result(30)

    def fill(self, batteries: int = 3) -> None:
        """A model, batteries of it in one batch, and a statement that is rejected: three blocks."""
        key = self.member.key
        numbers = [f"01/{messages.GTIN}/21/PACK-{number:04}" for number in range(1, batteries + 1)]
        self.submit(key.sign(messages.model()).data)
        self.submit(key.sign_batch([messages.battery(one) for one in numbers]).data)
        self.submit(key.sign(messages.model()).data)
