"""What passes between organisations at the desk: bundles received, batteries registered, links for purchasers."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from cellvow.api.desk import parse_named_battery
from cellvow.api.desk_door import Door, explain_rejection
from cellvow.api.desk_upload import (
    FILE_FORM_BYTES_MAX,
    FILE_TYPE,
    FORM_BYTES_MAX,
    FORM_TYPE,
    Fields,
    FileSink,
    read_form,
    receive_file,
)
from cellvow.api.guard import BodyRule
from cellvow.api.passports import origin_of
from cellvow.api.problems import Refusal
from cellvow.core.ledger.rejection import NotIncludable, Rejected
from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError, VerificationError
from cellvow.vault import Grant, Issued, Use
from cellvow.web import Problem
from cellvow.web.desk_pages import DESK
from cellvow.workspace.desk_exchange import BatteryForm, LinkWish, ReceivedBundle

BUNDLE_BYTES_MAX = 1_000_000
LINKS_SHOWN, USES_SHOWN = 100, 100
_GRANT_ID = re.compile(r"[0-9a-f]{12}\Z")
_KEPT = re.compile(r"[0-9a-f]{64}-[0-9]{1,5}\Z")


class ExchangeSource(Protocol):
    """Bundles, births and links; blocks."""

    def receive(self, bundle: bytes) -> ReceivedBundle:
        """Verify and keep."""
        ...

    def received(self, name: str) -> ReceivedBundle | None:
        """A kept bundle."""
        ...

    def register(self, form: BatteryForm) -> str:
        """Register a battery, and its model where the ledger lacks it; its identifier."""
        ...

    def issue_link(self, wish: LinkWish) -> Issued:
        """Give a link."""
        ...

    def revoke_link(self, grant_id: str) -> None:
        """End a link."""
        ...

    def links(self, battery: str | None, limit: int) -> list[Grant]:
        """The newest links first."""
        ...

    def uses(self, limit: int) -> list[Use]:
        """The newest uses first."""
        ...


class ExchangePages:
    """Receiving, registering, letting look."""

    def __init__(
        self,
        source: ExchangeSource,
        door: Door,
        clock: Callable[[], int],
        origin: str | None = None,
    ) -> None:
        """`origin` is what links lead to, else the address a client used; `clock` gives milliseconds."""
        self._source = source
        self._door = door
        self._clock = clock
        self._origin = origin

    def routes(self) -> APIRouter:
        """Its addresses."""
        router = APIRouter()
        for path, show, take in (
            (f"{DESK}/receive", self.receive_form, self.receive),
            (f"{DESK}/batteries/new", self.battery_form, self.register),
            (f"{DESK}/links", self.links, self.link),
        ):
            router.add_api_route(path, show, methods=["GET", "HEAD"], response_model=None)
            router.add_api_route(path, take, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """A bundle, and small forms."""
        small = ("batteries/new", "links")
        return (
            BodyRule("POST", f"{DESK}/receive", BUNDLE_BYTES_MAX + FILE_FORM_BYTES_MAX, (FILE_TYPE,)),
            *(BodyRule("POST", f"{DESK}/{path}", FORM_BYTES_MAX, (FORM_TYPE,)) for path in small),
        )

    def receive_form(self, request: Request) -> Response:
        """The form for a bundle; after one was kept, what it says."""
        self._door.require_session(request)
        name = request.query_params.get("kept", "")
        kept = self._source.received(name) if _KEPT.match(name) else None
        return self._door.page(request, "desk_receive.html", kept=kept, fault=None, limit=BUNDLE_BYTES_MAX)

    async def receive(self, request: Request) -> Response:
        """Verify a bundle and keep it, or say why not."""
        self._door.require_session(request)

        def open_sink(fields: Fields, _: str) -> FileSink:
            self._door.require_form(request, fields)
            return InMemory()

        received = await receive_file(request, open_sink)
        if not isinstance(received.sink, InMemory):
            raise Refusal(Problem.BAD_REQUEST, detail="no file was chosen")
        return await run_in_threadpool(self._receive, request, bytes(received.sink.content))

    def battery_form(self, request: Request) -> Response:
        """The form for a new battery."""
        self._door.require_session(request)
        return self._door.page(request, "desk_battery.html", fields={}, fault=None, rejection=None)

    async def register(self, request: Request) -> Response:
        """Register it; on to its passport."""
        self._door.require_session(request)
        fields = await read_form(request)
        return await run_in_threadpool(self._register, request, fields)

    def links(self, request: Request) -> Response:
        """The links given, their uses, and the form for a new one."""
        self._door.require_session(request)
        battery = request.query_params.get("battery", "").strip()
        return self._show_links(request, battery=battery)

    async def link(self, request: Request) -> Response:
        """Give a link, shown this once; or end one."""
        self._door.require_session(request)
        fields = await read_form(request)
        return await run_in_threadpool(self._link, request, fields)

    def _receive(self, request: Request, bundle: bytes) -> Response:
        try:
            kept = self._source.receive(bundle)
        except (Malformed, VerificationError) as error:
            context = {"kept": None, "fault": str(error), "limit": BUNDLE_BYTES_MAX}
            return self._door.page(request, "desk_receive.html", 422, **context)
        return self._door.go_to(request, f"{DESK}/receive", kept=kept.name)

    def _register(self, request: Request, fields: Fields) -> Response:
        self._door.require_form(request, fields)
        context: dict[str, object] = {"fields": fields, "fault": None, "rejection": None}
        try:
            battery = self._source.register(BatteryForm(fields))
        except (Rejected, NotIncludable) as error:
            context["rejection"] = explain_rejection(error)
            return self._door.page(request, "desk_battery.html", 409, **context)
        except Malformed as error:
            context["fault"] = str(error)
            return self._door.page(request, "desk_battery.html", 400, **context)
        return self._door.go_to(request, f"{DESK}/labels/{battery}")

    def _show_links(self, request: Request, status: int = 200, **context: object) -> Response:
        battery = str(context.get("battery", ""))
        try:
            only = parse_named_battery(battery) if battery else None
        except Malformed:
            only = None
        known = {
            "links": self._source.links(only, LINKS_SHOWN),
            "uses": self._source.uses(USES_SHOWN),
            "now_ms": self._clock(),
            "address": None,
            "issued": None,
            "fault": None,
        }
        return self._door.page(request, "desk_links.html", status, **known | context)

    def _link(self, request: Request, fields: Fields) -> Response:
        self._door.require_form(request, fields)
        battery = fields.get("battery", "").strip()
        try:
            if _GRANT_ID.match(fields.get("revoke", "")):
                self._source.revoke_link(fields["revoke"])
                return self._door.go_to(request, f"{DESK}/links", battery=battery)
            issued = self._source.issue_link(LinkWish(parse_named_battery(battery), fields))
        except (Malformed, OperationalError, Rejected) as error:
            return self._show_links(request, _status_of(error), battery=battery, fault=str(error))
        origin = self._origin or origin_of(request) or ""
        address = f"{origin}/g/{issued.token}"
        return self._show_links(request, battery=battery, address=address, issued=issued.grant)


class InMemory:
    """A bundle or a sheet while it arrives: the guard bounds it."""

    def __init__(self) -> None:
        self.content = bytearray()

    def write(self, piece: bytes) -> None:
        """Append."""
        self.content += piece

    def discard(self) -> None:
        """Forget it."""
        self.content.clear()


def _status_of(error: CellvowError) -> int:
    return 400 if isinstance(error, Malformed) else 409
