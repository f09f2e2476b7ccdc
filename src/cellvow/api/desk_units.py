"""The units of an organisation at its desk: search, filters and pages, for people, programs and spreadsheets."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse

from cellvow.api.desk import parse_named_battery
from cellvow.api.desk_door import Door
from cellvow.core.primitives.errors import Malformed
from cellvow.web.desk_pages import DESK
from cellvow.web.desk_units import ASKED, units_context
from cellvow.workspace.desk_units import UnitsPage, unit_document
from cellvow.workspace.holdings_pages import Wish

UNITS = f"{DESK}/units"
CSV_UTF8 = "text/csv; charset=utf-8"
_TEXT_LENGTH_MAX = 200


class UnitSource(Protocol):
    """The units of the organisation; blocks."""

    def page(self, wish: Wish, after: str) -> UnitsPage:
        """One page."""
        ...

    def sheet(self, wish: Wish) -> Iterator[bytes]:
        """All of them as CSV."""
        ...


class UnitPages:
    """The list of units."""

    def __init__(self, source: UnitSource, door: Door) -> None:
        self._source = source
        self._door = door

    def routes(self) -> APIRouter:
        """Its addresses."""
        router = APIRouter()
        router.add_api_route(UNITS, self.units, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route(f"{UNITS}.csv", self.sheet, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> tuple[()]:
        """None is taken."""
        return ()

    def units(self, request: Request) -> Response:
        """A page of units."""
        self._door.require_session(request)
        asked = {name: request.query_params.get(name, "").strip()[:_TEXT_LENGTH_MAX] for name in ASKED}
        after = request.query_params.get("after", "")[:60]
        wish = parse_unit_wish(asked)
        shown = self._source.page(wish, after)
        document = {
            "after": shown.page.after,
            "is_full": shown.page.is_full,
            "units": [unit_document(one) for one in shown.page.units],
        }
        return self._door.answer(request, "desk_units.html", document, **units_context(shown, wish, asked, after))

    def sheet(self, request: Request) -> Response:
        """All units that are asked for as CSV, sent while they are read."""
        self._door.require_session(request)
        headers = {"Content-Disposition": 'attachment; filename="units.csv"', "Cache-Control": "no-store"}
        if request.method == "HEAD":
            return Response(b"", 200, headers, CSV_UTF8)
        return StreamingResponse(self._source.sheet(parse_unit_wish(request.query_params)), 200, headers, CSV_UTF8)


def parse_unit_wish(asked: Mapping[str, str]) -> Wish:
    """Which units somebody asks for: a serial or a part of it as typed, or a battery's code as scanned."""
    text, model = asked.get("q", "").strip(), asked.get("model", "").strip()
    if text.startswith(("01/", "/", "http://", "https://")):
        try:
            battery = parse_named_battery(text)
        except Malformed:
            battery = ""
        if battery:
            text, model = battery[21:], battery[3:17]
    return Wish(
        register=asked.get("register", ""),
        model=model,
        serial=text.upper(),
        status=asked.get("status", ""),
        offer=asked.get("offer", ""),
        disputed=asked.get("disputed", "") == "yes",
    )
