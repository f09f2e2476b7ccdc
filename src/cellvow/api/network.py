"""The network for everybody who looks, as a page and for programs: members, validators, votes, what will hold."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from fastapi import APIRouter, Request, Response

from cellvow.api.explorer import localised
from cellvow.api.guard import BodyRule
from cellvow.api.metrics import Gauge
from cellvow.api.negotiation import HTML_UTF8, JSON, answer_body, choose_language, wants_json
from cellvow.api.passports import language_links
from cellvow.api.problems import Refusal
from cellvow.web import Problem
from cellvow.web.blocks_page import ChainLinks
from cellvow.web.network_page import render_network
from cellvow.workspace.network_view import EngineView, NetworkView


class NetworkSource(Protocol):
    """Where the network is looked at."""

    def view(self) -> NetworkView | None:
        """The network now, or None where there is no ledger."""
        ...


class NoNetwork:
    """Where there is no ledger yet."""

    def view(self) -> NetworkView | None:
        """None."""
        return None


@dataclass(frozen=True, slots=True)
class NetworkRoutes:
    """The network of one node, as `/network` and `/api/v1/network`: the same for strangers and members."""

    source: NetworkSource

    def routes(self) -> APIRouter:
        """One page and its document."""
        router = APIRouter()
        router.add_api_route("/network", self.show_page, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route("/api/v1/network", self.show_document, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """None is taken."""
        return ()

    def show_document(self, request: Request) -> Response:
        """The network for programs."""
        view = self.source.view()
        if view is None:
            raise Refusal(Problem.NO_BLOCK)
        return answer_body(request, msgspec.json.encode(view) + b"\n", JSON, is_private=False)

    def show_page(self, request: Request) -> Response:
        """The network as a page."""
        if wants_json(request):
            return self.show_document(request)
        links = ChainLinks(
            home=localised("/", request),
            languages=language_links("/network"),
            to=lambda path: localised(path, request),
        )
        page = render_network(self.source.view(), locale=choose_language(request), links=links)
        return answer_body(request, page.encode(), HTML_UTF8, is_private=False)


def network_gauges(source: NetworkSource) -> tuple[Gauge, ...]:
    """What a member of a consortium counts about the others; 0 where its engine cannot be reached."""

    def engine(read: Callable[[EngineView], float]) -> float:
        view = source.view()
        return 0 if view is None or view.engine is None else read(view.engine)

    def is_alone() -> float:
        view = source.view()
        return float(view is not None and view.is_alone)

    def missing() -> float:
        view = source.view()
        return 0 if view is None else sum(not one.has_signed for one in view.validators)

    return (
        Gauge(
            "cellvow_engine_reachable", "1 where the engine answers.", lambda: engine(lambda one: one.reason is None)
        ),
        Gauge("cellvow_engine_height", "Height of the newest header.", lambda: engine(lambda one: one.height)),
        Gauge(
            "cellvow_engine_peers", "Other engines connected with this one.", lambda: engine(lambda one: len(one.peers))
        ),
        Gauge("cellvow_validators_missing", "Validators that did not sign the newest header.", missing),
        Gauge("cellvow_alone", "1 where this ledger is not the one that others have signed.", is_alone),
    )
