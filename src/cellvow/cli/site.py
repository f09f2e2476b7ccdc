"""What `cellvow serve` consists of: the areas that a ledger and a workspace can fill, and what is closed with them."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cellvow.passport.digital_link import parse_origin

if TYPE_CHECKING:
    from fastapi import FastAPI

    from cellvow.api.access import Access
    from cellvow.api.application import Area
    from cellvow.api.metrics import Figures
    from cellvow.api.passports import PassportPages
    from cellvow.core.primitives.identifier import BatteryId
    from cellvow.node.home import NodeHome
    from cellvow.passport.claimed import Claimed
    from cellvow.passport.view import Reader
    from cellvow.workspace.intake import Intake
    from cellvow.workspace.ledger_writer import LedgerWriter
    from cellvow.workspace.passports import PassportReader, Viewed
    from cellvow.workspace.workspace import Workspace


class NoPassports:
    """What is served before there is a ledger: nothing, and the pages say what to do first."""

    def batteries(self, after: str = "", limit: int = 50) -> "list[BatteryId]":  # noqa: ARG002 - as the port has it
        """No battery."""
        return []

    def batteries_of_code(self, code: str, limit: int = 50) -> "list[BatteryId]":  # noqa: ARG002 - likewise
        """No battery."""
        return []

    def claimed(self, battery: str) -> "Claimed | None":  # noqa: ARG002 - likewise
        """No claim."""
        return None

    def view(self, battery: str, who: "Reader") -> "Viewed | None":  # noqa: ARG002 - likewise
        """No passport."""
        return None

    def bundle(self, battery: str, statement: str, index: int, who: "Reader") -> bytes | None:  # noqa: ARG002 - likewise
        """No bundle."""
        return None


@dataclass(frozen=True, slots=True)
class Served:
    """What is served: a source of passports, and the workspace whose view its owner's link opens."""

    source: "PassportReader | NoPassports"
    workspace: "Workspace | None"
    note: str
    witness_note: str | None = None

    @property
    def home(self) -> "NodeHome | None":
        """The node whose passports they are; None before there is a ledger."""
        return None if isinstance(self.source, NoPassports) else self.source.home


@dataclass(frozen=True, slots=True)
class Wanted:
    """How it is served: who is the owner, what codes lead to, and what the operator lets happen."""

    owner_token: str | None = field(repr=False)
    origin: str | None = None
    takes_statements: bool = False
    metrics_on_loopback: bool = False


def build_site(served: Served, wanted: Wanted, closing: ExitStack) -> "FastAPI":
    """The application; what it opens is closed by `closing`."""
    from cellvow.api.access import Access
    from cellvow.api.application import Site, create_application
    from cellvow.api.kept_pages import KeptPages
    from cellvow.api.metrics import Figures, Meter
    from cellvow.api.passports import PassportPages
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.granting import PurchaserLinks

    home, workspace = served.home, served.workspace
    links = None if home is None or workspace is None else PurchaserLinks(home, workspace)
    access = Access(wanted.owner_token, now_ms, links)
    origin = None if wanted.origin is None else parse_origin(wanted.origin)
    kept = None if isinstance(served.source, NoPassports) else KeptPages(served.source.version, now_ms)
    pages = PassportPages(
        served.source,
        access,
        origin,
        served.witness_note,
        has_verdicts=True,
        kept=kept,
        organisation=None if workspace is None else workspace.organisation,
    )
    figures = Figures()
    areas = [*_reading_areas(served, access, pages)]
    if home is not None:
        areas += _node_areas(served, wanted, home, _Shared(access, figures, closing))
    app = create_application(Site(access, pages, areas))
    app.add_middleware(Meter, figures=figures)
    return app


@dataclass(frozen=True, slots=True)
class _Shared:
    access: "Access"
    figures: "Figures"
    closing: ExitStack

    def opened(self, close: Callable[[], None]) -> None:
        self.closing.callback(close)


def _reading_areas(served: Served, access: "Access", pages: "PassportPages") -> "list[Area]":
    """What works without a ledger, or says that there is none."""
    from cellvow.api.about import AboutPages
    from cellvow.api.explorer import ExplorerRoutes, NoChain
    from cellvow.api.network import NetworkRoutes, NoNetwork
    from cellvow.api.openapi import DescriptionRoutes
    from cellvow.api.tour import TourPages
    from cellvow.api.verdicts import VerdictPages
    from cellvow.api.verifying import ProofChecks
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.explorer import Explorer
    from cellvow.workspace.network_view import NetworkReader

    home = served.home
    chain = NoChain() if home is None else Explorer(home)
    network = NoNetwork() if home is None else NetworkReader(home, now_ms)
    return [
        VerdictPages(pages, now_ms),
        ProofChecks(access, lambda: _read_trust(home)),
        ExplorerRoutes(chain, served.source, access, served.witness_note),
        NetworkRoutes(network),
        TourPages(served.source, access, served.witness_note, has_verdicts=True),
        AboutPages(),
        DescriptionRoutes(),
    ]


def _node_areas(served: Served, wanted: Wanted, home: "NodeHome", shared: _Shared) -> "list[Area]":
    """What a node adds: its health, statements, and the desk of its organisation."""
    from cellvow.api.health import HealthRoutes
    from cellvow.api.metrics import Gauge
    from cellvow.api.network import network_gauges
    from cellvow.api.rates import RateLimit
    from cellvow.api.statements import REFUSALS_BURST, REFUSALS_PER_MINUTE, StatementRoutes
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.intake import Intake
    from cellvow.workspace.ledger_writer import LedgerWriter
    from cellvow.workspace.network_view import NetworkReader
    from cellvow.workspace.passports import TIMELINE_FILE
    from cellvow.workspace.readiness import Readiness

    writer = LedgerWriter(home, now_ms)
    shared.opened(writer.close)
    intake = Intake(home, writer, now_ms)
    shared.opened(intake.close)
    folder = home.folder if served.workspace is None else served.workspace.folder
    refusals = RateLimit(REFUSALS_BURST, REFUSALS_PER_MINUTE, now_ms)
    return [
        HealthRoutes(
            shared.access,
            Readiness(home, folder / TIMELINE_FILE, writer),
            shared.figures,
            (
                Gauge(
                    "cellvow_statements_pending_bytes",
                    "Statements taken and not answered",
                    lambda: intake.pending_bytes,
                ),
                *(network_gauges(NetworkReader(home, now_ms)) if home.is_member else ()),
            ),
            metrics_on_loopback=wanted.metrics_on_loopback,
        ),
        StatementRoutes(intake, shared.access, refusals, accept=wanted.takes_statements),
        *_field_areas(served, home, intake),
        *_desk_areas(served, wanted, writer, shared),
    ]


def _field_areas(served: Served, home: "NodeHome", intake: "Intake") -> "list[Area]":
    """The page of the organisation's phones: what they send is signed, so no session is asked for."""
    from cellvow.api.field import FieldPages
    from cellvow.api.rates import RateLimit
    from cellvow.api.statements import REFUSALS_BURST, REFUSALS_PER_MINUTE
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.field import FieldIntake

    if served.workspace is None:
        return []
    source = FieldIntake(served.workspace, home, intake, now_ms)
    return [FieldPages(source, RateLimit(REFUSALS_BURST, REFUSALS_PER_MINUTE, now_ms))]


def _desk_areas(served: Served, wanted: Wanted, writer: "LedgerWriter", shared: _Shared) -> "list[Area]":
    from cellvow.api.desk_areas import desk_areas
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.desk import Desk

    if served.workspace is None or isinstance(served.source, NoPassports):
        return []
    desk = Desk(served.workspace, served.source, writer)
    shared.opened(desk.close)
    return [*desk_areas(desk, shared.access, now_ms, wanted.origin)]


def _read_trust(home: "NodeHome | None") -> bytes | None:
    from cellvow.verify.trust import encode_trust

    return None if home is None else encode_trust(home.trust)
