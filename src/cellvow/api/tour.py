"""The tour over HTTP: `/tour` and `/tour/STOP`, on the battery asked for or the first that has a certificate.

A stop to which that one has no answer is answered on another of the first few batteries, if one of them can.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from fastapi import APIRouter, Request, Response

from cellvow.api.access import Access
from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import HTML_UTF8, JSON, answer_body, choose_language, wants_json
from cellvow.api.passports import encode_answer, language_links, localised, parse_battery
from cellvow.api.problems import Refusal
from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.view import OWNER, PUBLIC, Audience, Passport, Reader
from cellvow.web import (
    Other,
    Problem,
    TourLinks,
    find_elsewhere,
    find_open,
    find_stop,
    render_stop,
    render_tour,
    tour_document,
)
from cellvow.web.wording import Wording
from cellvow.workspace.passports import Viewed

SEARCHED_MAX = 20
"""Batteries looked at for one with a certificate, where none was asked for, and for one that answers a stop."""
ROUTE = "tour"


class TourSource(Protocol):
    """Where the tour gets its battery from: already what the reader may see."""

    def batteries(self, after: str, limit: int) -> Sequence[BatteryId]:
        """At most `limit` batteries whose identifier sorts above `after`, in order."""
        ...

    def view(self, battery: str, who: Reader) -> Viewed | None:
        """The passport and its proofs, or None where the ledger knows no such battery."""
        ...


@dataclass(frozen=True, slots=True)
class TourPages:
    """The tour of one node. `witness_note` is that of `PageLinks`; `has_verdicts` as for passports."""

    source: TourSource
    access: Access
    witness_note: str | None = None
    has_verdicts: bool = False

    def routes(self) -> APIRouter:
        """The whole way, and each stop."""
        router = APIRouter()
        router.add_api_route("/tour", self.tour, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route("/tour/{stop}", self.stop, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """None: it is only read."""
        return ()

    def tour(self, request: Request) -> Response:
        """The whole way, as HTML or JSON."""
        return self._answer(request, "/tour", None)

    def stop(self, request: Request, stop: str) -> Response:
        """One stop; programs get the whole way, which is short."""
        if find_stop(stop) is None:
            raise Refusal(Problem.NO_PAGE)
        return self._answer(request, f"/tour/{stop}", stop)

    def _answer(self, request: Request, path: str, name: str | None) -> Response:
        viewed, locale = self._look(request), choose_language(request)
        passport = None if viewed is None else viewed.passport
        links = self._links(request, path, viewed)
        is_private = passport is not None and passport.audience is not Audience.PUBLIC
        elsewhere = {} if passport is None else self._find_elsewhere(passport, Wording(locale))
        if wants_json(request):
            document = tour_document(passport, locale=locale, links=links, elsewhere=elsewhere)
            return answer_body(request, encode_answer(document), JSON, is_private=is_private)
        stop = None if name is None else find_stop(name)
        if stop is None:
            page = render_tour(passport, locale=locale, links=links, elsewhere=elsewhere)
        else:
            page = render_stop(stop, passport, locale=locale, links=links, elsewhere=elsewhere)
        return answer_body(request, page.encode(), HTML_UTF8, is_private=is_private)

    def _look(self, request: Request) -> Viewed | None:
        """What the tour is about, as this reader may see it; None where there is no battery yet."""
        asked = request.query_params.get("battery", "")
        battery = parse_battery(asked) if asked else self._find_battery()
        if battery is None:
            return None
        viewed = self.source.view(battery, self.access.reader(request, battery, ROUTE))
        if viewed is None:
            raise Refusal(Problem.NOT_A_BATTERY)
        return viewed

    def _find_battery(self) -> str | None:
        """The first battery with a certificate that has not ended, among the first few; else the first."""
        first = self.source.batteries("", SEARCHED_MAX)
        for battery in first:
            viewed = self.source.view(battery, PUBLIC)
            shown = None if viewed is None or viewed.passport.ended is not None else viewed.passport
            if shown is not None and any(one.is_certificate for one in shown.attestations):
                return battery
        return first[0] if first else None

    def _find_elsewhere(self, passport: Passport, wording: Wording) -> dict[str, Other]:
        """For the stops that the tour's battery leaves open: the first of the first few that answers each.

        Of those a purchaser sees what everybody sees: his link is for one battery, and is not tried on another.
        """
        found: dict[str, Other] = {}
        wanted = find_open(passport, wording)
        who = OWNER if passport.audience is Audience.OWNER else PUBLIC
        for battery in self.source.batteries("", SEARCHED_MAX) if wanted else ():
            missing = [stop for stop in wanted if stop.name not in found]
            viewed = self.source.view(battery, who) if missing and battery != passport.battery else None
            if viewed is not None:
                found |= find_elsewhere(missing, Other(viewed.passport, bundles_of(viewed)), wording)
        return found

    def _links(self, request: Request, path: str, viewed: Viewed | None) -> TourLinks:
        asked = request.query_params.get("battery", "")

        def to(target: str) -> str:
            return localised(target, request, battery=asked if target.startswith("/tour") else "")

        return TourLinks(
            home=to("/"),
            languages=language_links(path, battery=asked),
            to=to,
            bundle_of=bundles_of(viewed),
            witness_note=self.witness_note,
            has_verdicts=self.has_verdicts,
        )


def bundles_of(viewed: Viewed | None) -> Callable[[str, int], str | None]:
    """The address of each proof of a battery that the reader may take."""

    def bundle_of(statement: str, index: int) -> str | None:
        if viewed is None or (statement, index) not in viewed.proofs:
            return None
        return f"/{viewed.passport.battery}/bundle/{statement}/{index}"

    return bundle_of
