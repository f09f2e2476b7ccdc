"""Disputes, take-overs and second signatures at the desk: lists, files, and the forms that lead to a dry run."""

import re
from collections.abc import Callable
from typing import Protocol

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from cellvow.api.desk_acts import receive_fields
from cellvow.api.desk_door import BATTERY_PATH, Door, no_page, send_file
from cellvow.api.desk_upload import FILE_FORM_BYTES_MAX, FILE_TYPE
from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import choose_language
from cellvow.api.passports import parse_battery
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.web.desk_acts import DISPUTES, SECONDS, UNITS, dispute_context, naming, seconds_context, unit_context
from cellvow.workspace.desk_disputes import DisputeAtDesk, DisputesPage, UnitSeen
from cellvow.workspace.desk_handovers import Member
from cellvow.workspace.desk_seconds import SecondSeen
from cellvow.workspace.disputes import STATEMENTS_BYTES_MAX

ONE = f"{DISPUTES}/{{opener}}/{{reference}}"
_COMMITMENT = re.compile(r"[0-9a-f]{64}\Z")
_OCTETS, _JSON = "application/octet-stream", "application/json"
Members = Callable[[], list[Member]]


class DisputeSource(Protocol):
    """Disputes and take-overs; blocks."""

    def page(self, side: str, after: str) -> DisputesPage:
        """A page of the list."""
        ...

    def file(self, opener: str, reference: str) -> DisputeAtDesk | None:
        """A dispute whole."""
        ...

    def unit(self, battery: str) -> UnitSeen | None:
        """A unit."""
        ...

    def own_statements(self, opener: str, reference: str) -> bytes | None:
        """What opens one's own statements."""
        ...

    def keep_statements(self, opener: str, reference: str, data: bytes) -> int | None:
        """What another side has handed over."""
        ...

    def document(self, opener: str, reference: str, commitment: str) -> tuple[str, bytes] | None:
        """A document that is here."""
        ...


class SecondSource(Protocol):
    """What waits for a second signature; blocks."""

    def list(self) -> tuple[SecondSeen, ...]:
        """All of it."""
        ...

    def find(self, statement: str) -> SecondSeen | None:
        """That of one statement."""
        ...


class DisputePages:
    """Lists and files; what is ordered goes through the pages of acts."""

    def __init__(self, source: DisputeSource, seconds: SecondSource, members: Members, door: Door) -> None:
        """`members` are those one can dispute with, or name as arbiter."""
        self._source = source
        self._seconds = seconds
        self._members = members
        self._door = door

    def routes(self) -> APIRouter:
        """Its addresses."""
        router = APIRouter()
        for path, endpoint in (
            (DISPUTES, self.disputes),
            (f"{ONE}/statements.json", self.statements),
            (f"{ONE}/documents/{{commitment}}", self.document),
            (ONE, self.dispute),
            (f"{UNITS}/{BATTERY_PATH}", self.unit),
            (SECONDS, self.seconds),
            (f"{SECONDS}/{{statement}}", self.second),
        ):
            router.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route(f"{ONE}/statements", self.receive, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> tuple[BodyRule, ...]:
        """A file of statements."""
        path = f"{DISPUTES}/[a-z0-9-]{{2,32}}/[A-Z0-9.-]{{1,32}}/statements"
        return (BodyRule("POST", path, STATEMENTS_BYTES_MAX + FILE_FORM_BYTES_MAX, (FILE_TYPE,)),)

    def disputes(self, request: Request) -> Response:
        """A page of disputes."""
        self._door.require_session(request)
        after = request.query_params.get("after", "")[:200]
        page = self._source.page(request.query_params.get("side", ""), after)
        document = {"after": page.after, "disputes": page.disputes, "side": page.side}
        name_of = naming(page.names, choose_language(request))
        return self._door.answer(request, "desk_disputes.html", document, page=page, after=after, name_of=name_of)

    def dispute(self, request: Request, opener: str, reference: str) -> Response:
        """A dispute whole, and what this organisation may do."""
        self._door.require_session(request)
        return self._show(request, opener, reference)

    def statements(self, request: Request, opener: str, reference: str) -> Response:
        """One's own statements, for the other side and the arbiter."""
        self._door.require_session(request)
        made = self._source.own_statements(opener, reference)
        if made is None:
            raise no_page()
        return send_file(made, f"{opener}-{reference}-statements.json", _JSON)

    async def receive(self, request: Request, opener: str, reference: str) -> Response:
        """Check what another side has handed over and keep it, or say why not."""
        _, files = await receive_fields(request, self._door)
        data = files[0].content if files else b""
        return await run_in_threadpool(self._receive, request, opener, reference, data)

    def document(self, request: Request, opener: str, reference: str, commitment: str) -> Response:
        """A document that was stated, as a file to keep: it is never shown as a page of this site."""
        self._door.require_session(request)
        found = self._source.document(opener, reference, commitment) if _COMMITMENT.match(commitment) else None
        if found is None:
            raise no_page()
        return send_file(found[1], _file_name(found[0]), _OCTETS)

    def unit(self, request: Request, gtin: str, serial: str) -> Response:
        """A unit: its disputes and its take-over."""
        self._door.require_session(request)
        seen = self._source.unit(parse_battery(f"01/{gtin}/21/{serial}"))
        if seen is None:
            raise no_page()
        context = unit_context(seen, self._members(), choose_language(request))
        return self._door.answer(request, "desk_unit.html", seen, **context)

    def seconds(self, request: Request) -> Response:
        """All that waits for a second signature."""
        self._door.require_session(request)
        return self._waiting(request, self._seconds.list(), is_whole=False)

    def second(self, request: Request, statement: str) -> Response:
        """What waits of one statement, every field of it."""
        self._door.require_session(request)
        found = self._seconds.find(statement)
        if found is None:
            raise no_page()
        return self._waiting(request, (found,), is_whole=True)

    def _receive(self, request: Request, opener: str, reference: str, data: bytes) -> Response:
        try:
            kept = self._source.keep_statements(opener, reference, data)
        except (Malformed, VerificationError) as error:
            return self._show(request, opener, reference, 422, fault=str(error))
        if kept is None:
            raise no_page()
        return self._door.go_to(request, f"{DISPUTES}/{opener}/{reference}")

    def _show(self, request: Request, opener: str, reference: str, status: int = 200, *, fault: str = "") -> Response:
        seen = self._source.file(opener, reference)
        if seen is None:
            raise no_page()
        context = dispute_context(seen, self._members(), choose_language(request))
        if status == 200:
            return self._door.answer(request, "desk_dispute.html", seen, **context, fault=fault)
        return self._door.page(request, "desk_dispute.html", status, **context, fault=fault)

    def _waiting(self, request: Request, found: tuple[SecondSeen, ...], *, is_whole: bool) -> Response:
        document = [
            {
                "orders": one.orders,
                "refusal": None if one.refusal is None else int(one.refusal.reason),
                "statement": one.statement,
            }
            for one in found
        ]
        context = seconds_context(found, choose_language(request))
        return self._door.answer(request, "desk_seconds.html", document, **context, is_whole=is_whole)


def _file_name(name: str) -> str:
    """Somebody's name for a document, as a header can carry it."""
    kept = "".join(one if one.isascii() and (one.isalnum() or one in "._-") else "_" for one in name)
    return kept.lstrip(".")[-80:] or "document"
