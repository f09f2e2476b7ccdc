"""The page for a phone without network, what keeps it there, and where it sends what was signed meanwhile."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from typing import Protocol

import msgspec
from fastapi import APIRouter, Request, Response

from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import HTML_UTF8, JSON, answer_body, choose_language
from cellvow.api.passports import encode_answer, language_links
from cellvow.api.problems import WORKER_PAGE, Refusal, as_sentence
from cellvow.api.rates import RateLimit
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.errors import Malformed
from cellvow.node.store import LedgerStopped
from cellvow.web import (
    LOCALES,
    FieldPhone,
    Problem,
    field_scripts,
    field_words,
    load_static,
    render_field,
    render_worker,
)
from cellvow.workspace.field import UPLOAD_BYTES_MAX, Answer, Standing

FIELD = WORKER_PAGE
UPLOADS = f"{FIELD}/statements"
UPLOAD_TYPES = ("application/cbor",)
_KID = re.compile(r"[0-9a-f]{32}\Z")
_UNAUTHENTIC = tuple(
    int(one)
    for one in (
        Reason.UNKNOWN_KEY,
        Reason.FOREIGN_KEY,
        Reason.KEY_NOT_IN_FORCE,
        Reason.BAD_SIGNATURE,
    )
)


class FieldSource(Protocol):
    """The organisation whose phones they are."""

    @property
    def organisation(self) -> str:
        """Its identifier."""
        ...

    @property
    def chain_id(self) -> str:
        """The ledger its phones sign for."""
        ...

    async def take(self, data: bytes) -> Answer:
        """Record an upload once; raises `Malformed` or `OperationalError`."""
        ...

    def standing(self, kid: bytes) -> Standing:
        """Whether a key may sign for it; blocks."""
        ...


@dataclass(frozen=True, slots=True)
class FieldPages:
    """The page and what it needs. `refusals` counts uploads that no key of the organisation has signed, by client."""

    source: FieldSource
    refusals: RateLimit

    def routes(self) -> APIRouter:
        """The page, its words, its worker; where a phone asks for its standing and sends its rows."""
        router = APIRouter(include_in_schema=False)
        for path, endpoint in (
            (FIELD, self.page),
            (f"{FIELD}/words", self.words),
            (f"{FIELD}/worker.js", self.worker),
            (f"{FIELD}/standing/{{kid}}", self.standing),
        ):
            router.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route(UPLOADS, self.take, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """One row."""
        return (BodyRule("POST", UPLOADS, UPLOAD_BYTES_MAX, UPLOAD_TYPES),)

    def page(self, request: Request) -> Response:
        """The whole page: nothing in it is of a session, so that a phone may keep it."""
        return answer_body(request, self._page(choose_language(request)).encode(), HTML_UTF8, is_private=False)

    def words(self, request: Request) -> Response:
        """What the scripts say, in the language of the request."""
        return answer_body(request, encode_answer(field_words(choose_language(request))), JSON, is_private=False)

    def worker(self, request: Request) -> Response:
        """The worker with the names of what it keeps; another version of any of it makes another worker."""
        files = (*_addresses("words"), *(f"/static/{name}" for name in field_scripts()))
        parts = [self._page(language).encode() for language in LOCALES]
        parts += [encode_answer(field_words(language)) for language in LOCALES]
        version = sha256(b"".join((*parts, _scripts()))).hexdigest()[:16]
        body = render_worker(version, _addresses(""), files).encode()
        answer = answer_body(request, body, "text/javascript; charset=utf-8", is_private=False)
        answer.headers["Service-Worker-Allowed"] = FIELD
        return answer

    def standing(self, kid: str) -> Response:
        """Whether a phone's key was admitted: what its record says to the world."""
        if _KID.match(kid) is None:
            raise Refusal(Problem.NO_PAGE)
        return _present({"state": self.source.standing(bytes.fromhex(kid))})

    async def take(self, request: Request) -> Response:
        """Record a row and say what became of it; the same bytes get the same answer, however often they come."""
        self.refusals.require(request)
        data = await request.body()
        try:
            answer = await self.source.take(data)
        except Malformed as error:
            self.refusals.count(request)
            raise Refusal(Problem.BAD_REQUEST, detail=as_sentence(str(error))) from error
        except LedgerStopped as error:
            raise Refusal(Problem.UNKNOWN) from error
        if answer.fate == "elsewhere" or answer.code in _UNAUTHENTIC:
            self.refusals.count(request)
        return _present(answer)

    def _page(self, language: str) -> str:
        phone = FieldPhone(self.source.organisation, self.source.chain_id)
        return render_field(phone, locale=language, home=f"/?lang={language}", languages=language_links(FIELD))


def _addresses(name: str) -> tuple[str, ...]:
    """An address of the area in each language."""
    path = f"{FIELD}/{name}" if name else FIELD
    return tuple(f"{path}?lang={language}" for language in LOCALES)


@cache
def _scripts() -> bytes:
    """All scripts that the page loads, one behind the other."""
    found = (load_static(name) for name in field_scripts())
    return b"".join(one.content for one in found if one is not None)


def _present(answer: object) -> Response:
    return Response(msgspec.json.encode(answer), 200, {"Cache-Control": "no-store"}, JSON)
