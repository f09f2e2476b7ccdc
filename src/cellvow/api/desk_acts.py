"""Two clicks: a form becomes a draft, its page is the dry run, and signing brings back what was shown there."""

import re
from collections.abc import Mapping, Sequence
from typing import Protocol

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from cellvow.api.desk_door import Door, explain_rejection
from cellvow.api.desk_exchange import InMemory
from cellvow.api.desk_upload import FILE_FORM_BYTES_MAX, FILE_TYPE, Fields, FileSink, receive_file
from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import choose_language
from cellvow.core.ledger.rejection import NotIncludable, Rejected
from cellvow.core.primitives.errors import Malformed
from cellvow.web.act_words import ACT_WORDS
from cellvow.web.desk_acts import ACTS, act_context, place_of
from cellvow.workspace.desk_acts import ActSeen
from cellvow.workspace.desk_jobs import plain_file_name
from cellvow.workspace.drafts import DOCUMENT_BYTES_MAX, Attached

NUMBER = "[0-9a-f]{32}"
_NUMBER = re.compile(NUMBER + r"\Z")


class ActSource(Protocol):
    """Composes, rehearses and signs; blocks."""

    def prepare(self, owner: str, act: str, fields: Mapping[str, str], documents: Sequence[Attached] = ()) -> str:
        """The number of the draft."""
        ...

    def attach(self, owner: str, number: str, document: Attached) -> bool:
        """One more document."""
        ...

    def forget(self, owner: str, number: str) -> None:
        """Drop it."""
        ...

    def look(self, owner: str, number: str) -> ActSeen | None:
        """The dry run."""
        ...

    def confirm(self, owner: str, number: str, seen: str) -> bool:
        """Sign it, if it is still what was shown."""
        ...


class ActPages:
    """Dry runs, and the second click."""

    def __init__(self, source: ActSource, door: Door) -> None:
        self._source = source
        self._door = door

    def routes(self) -> APIRouter:
        """Its addresses."""
        router = APIRouter()
        router.add_api_route(ACTS, self.receive, methods=["POST"], response_model=None)
        router.add_api_route(f"{ACTS}/{{number}}", self.show, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route(f"{ACTS}/{{number}}", self.go_on, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> tuple[BodyRule, ...]:
        """Forms, each with a document at most."""
        most = DOCUMENT_BYTES_MAX + FILE_FORM_BYTES_MAX
        return (
            BodyRule("POST", ACTS, most, (FILE_TYPE,)),
            BodyRule("POST", f"{ACTS}/{NUMBER}", most, (FILE_TYPE,)),
        )

    async def receive(self, request: Request) -> Response:
        """Compose what a form orders; on to its dry run. Nothing is signed or kept."""
        fields, documents = await receive_fields(request, self._door)
        return await run_in_threadpool(self.prepare, request, fields.get("act", ""), fields, documents)

    def prepare(
        self, request: Request, act: str, fields: Mapping[str, str], documents: Sequence[Attached] = ()
    ) -> Response:
        """The draft of an act, or why there is none; the form is known to be this session's."""
        try:
            number = self._source.prepare(self._door.owner(request), act, fields, documents)
        except Malformed as error:
            return self._fault(request, 400, act, fault=str(error))
        except (Rejected, NotIncludable) as error:
            return self._fault(request, 409, act, rejection=explain_rejection(error))
        return self._door.go_to(request, f"{ACTS}/{number}")

    def show(self, request: Request, number: str) -> Response:
        """The dry run, or what became of it."""
        self._door.require_session(request)
        return self._show(request, number)

    async def go_on(self, request: Request, number: str) -> Response:
        """Sign it, add a document, or drop it."""
        fields, documents = await receive_fields(request, self._door)
        return await run_in_threadpool(self._go_on, request, number, fields, documents)

    def _go_on(self, request: Request, number: str, fields: Fields, documents: Sequence[Attached]) -> Response:
        owner, wanted = self._door.owner(request), fields.get("do", "")
        seen = self._source.look(owner, number) if _NUMBER.match(number) else None
        if seen is None:
            return self._gone(request)
        if wanted == "drop":
            self._source.forget(owner, number)
            return self._door.go_to(request, place_of(seen.draft.composed))
        if wanted == "attach":
            try:
                for one in documents:
                    self._source.attach(owner, number, one)
            except Malformed as error:
                return self._show(request, number, 400, fault=str(error))
        elif wanted == "sign" and not self._source.confirm(owner, number, fields.get("seen", "")):
            return self._show(request, number, 409, is_stale=True)
        return self._door.go_to(request, f"{ACTS}/{number}")

    def _show(
        self, request: Request, number: str, status: int = 200, *, fault: str = "", is_stale: bool = False
    ) -> Response:
        seen = self._source.look(self._door.owner(request), number) if _NUMBER.match(number) else None
        if seen is None:
            return self._gone(request)
        context = act_context(seen, choose_language(request))
        return self._door.page(request, "desk_act.html", status, **context, fault=fault, is_stale=is_stale)

    def _gone(self, request: Request) -> Response:
        return self._fault(request, 404, "", is_gone=True)

    def _fault(
        self,
        request: Request,
        status: int,
        act: str,
        *,
        fault: str = "",
        rejection: tuple[str, str] | None = None,
        is_gone: bool = False,
    ) -> Response:
        named = act if act in ACT_WORDS["act"] else ""
        told = {"fault": fault, "rejection": rejection, "is_gone": is_gone, "named": named}
        return self._door.page(request, "desk_act_fault.html", status, **told)


async def receive_fields(request: Request, door: Door) -> tuple[Fields, tuple[Attached, ...]]:
    """The fields of a form of this session and the document that came with it, if one was chosen.

    Raises `Refusal` without session or form, before a byte of the document is read.
    """
    door.require_session(request)
    name, is_known = "", False

    def open_sink(fields: Fields, file_name: str) -> FileSink:
        nonlocal name, is_known
        door.require_form(request, fields)
        name, is_known = plain_file_name(file_name), True
        return InMemory()

    received = await receive_file(request, open_sink)
    if not is_known:
        door.require_form(request, received.fields)
    content = bytes(received.sink.content) if isinstance(received.sink, InMemory) else b""
    return received.fields, (Attached(name, content),) if content else ()
