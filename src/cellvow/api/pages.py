"""The pages of `cellvow serve`: the list of batteries, passports at their Digital Link path, bundles to take away."""

import hmac
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

import msgspec
from fastapi import FastAPI, Request, Response

from cellvow.api.guard import Guard
from cellvow.api.negotiation import choose_language, entity_tag, holds_newest, wants_json
from cellvow.api.problems import Refusal, add_problem_handlers
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import BatteryId, is_gtin, parse_battery_id
from cellvow.passport.digital_link import encode_digital_link, parse_origin
from cellvow.passport.view import Audience, Passport
from cellvow.web import (
    LOCALES,
    BatteryEntry,
    IndexLinks,
    PageLinks,
    Problem,
    bundle_file_name,
    passport_document,
    render_index,
    render_passport,
)

PAGE_LENGTH = 50
"""Batteries on one page of the list."""
INDEX_MAX = 10_000
"""Above every index a batch can have; a longer number in an address is no index."""
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_HTML = "text/html; charset=utf-8"
_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect x="5" width="6" height="3" fill="#0b5d6b"/>'
    '<rect x="2" y="2" width="12" height="14" rx="2" fill="#0b5d6b"/>'
    '<path d="M5 9l2.2 2.5L11 6.5" fill="none" stroke="#fff" stroke-width="2"/></svg>'
)


class PassportSource(Protocol):
    """Where pages get their content from. Everything it gives is already what the audience may see."""

    def batteries(self, after: str, limit: int) -> Sequence[BatteryId]:
        """At most `limit` batteries whose identifier sorts above `after`, in order."""
        ...

    def passport(self, battery: str, audience: Audience) -> Passport | None:
        """The passport, or None where the ledger knows no such battery."""
        ...

    def proofs(self, battery: str, audience: Audience) -> Collection[tuple[str, int]]:
        """The (statement, index) pairs that the passport names and whose bundle the audience may take."""
        ...

    def bundle(self, battery: str, statement: str, index: int, audience: Audience) -> bytes | None:
        """A bundle, or None where the passport names no such statement or the audience may not take it."""
        ...


def create_pages_app(
    source: PassportSource,
    *,
    owner_token: str | None,
    origin: str | None = None,
    witness_note: str | None = None,
) -> FastAPI:
    """The application that answers for `source`.

    Whoever shows `owner_token` as `?key=` sees the owner's view; without a token nobody does. `origin` is what QR
    codes lead to (`https://HOST`), else the address a client used; `witness_note` is that of `PageLinks`.
    """
    app = FastAPI(title="Cellvow passports", docs_url=None, redoc_url=None, openapi_url=None)
    pages = _Pages(source, owner_token, None if origin is None else parse_origin(origin), witness_note)
    methods = ["GET", "HEAD"]
    battery = "/01/{gtin}/21/{serial}"
    for path, endpoint in (
        ("/", pages.index),
        (battery, pages.passport),
        (battery + "/bundle/{statement}/{index}", pages.bundle),
        ("/healthz", pages.health),
        ("/favicon.ico", pages.icon),
    ):
        app.add_api_route(path, endpoint, methods=methods, response_model=None)
    add_problem_handlers(app)
    app.add_middleware(Guard)
    return app


@dataclass(frozen=True, slots=True)
class _Pages:
    source: PassportSource
    owner_token: str | None
    origin: str | None
    witness_note: str | None

    def index(self, request: Request) -> Response:
        """The list, a page of it at a time; `?after=` is the last battery of the page before."""
        audience = self._audience(request)
        after = request.query_params.get("after", "")
        if after:
            _parse_battery(after)
        found = self.source.batteries(after, PAGE_LENGTH + 1)
        shown, last = found[:PAGE_LENGTH], len(found) <= PAGE_LENGTH
        more = None if last else _address("/", request, after=shown[-1])
        if wants_json(request):
            addresses = [f"/{battery}" for battery in shown]
            return _answer(request, audience, _encode({"batteries": addresses, "more": more}), "application/json")
        entries = [BatteryEntry(one[3:17], one[21:], _address(f"/{one}", request)) for one in shown]
        first = _address("/", request) if after else None
        links = IndexLinks(_address("/", request), first, more, _languages("/", request, after=after))
        page = render_index(entries, locale=choose_language(request), links=links)
        return _answer(request, audience, page.encode(), _HTML)

    def passport(self, request: Request, gtin: str, serial: str) -> Response:
        """One passport, as HTML or JSON."""
        audience = self._audience(request)
        battery = _parse_battery(f"01/{gtin}/21/{serial}")
        passport = self.source.passport(battery, audience)
        if passport is None:
            raise Refusal(Problem.NOT_A_BATTERY)
        links = self._links(request, battery, audience)
        if wants_json(request):
            return _answer(request, audience, _encode(passport_document(passport, links)), "application/json")
        page = render_passport(passport, locale=choose_language(request), links=links)
        return _answer(request, audience, page.encode(), _HTML)

    def bundle(self, request: Request, gtin: str, serial: str, statement: str, index: str) -> Response:
        """One bundle, as a file."""
        audience = self._audience(request)
        battery = _parse_battery(f"01/{gtin}/21/{serial}")
        number = int(index) if index.isascii() and index.isdigit() and len(index) <= 5 else INDEX_MAX
        if _DIGEST.match(statement) is None or number >= INDEX_MAX:
            raise Refusal(Problem.NO_PROOF)
        bundle = self.source.bundle(battery, statement, number, audience)
        if bundle is None:
            raise Refusal(Problem.NO_PROOF)
        name = bundle_file_name(serial, statement, number)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(bundle, 200, headers, "application/octet-stream")

    def health(self) -> Response:
        """Whether the ledger can be read; a failure becomes 503."""
        self.source.batteries("", 1)
        return Response(b"ok\n", 200, {"Cache-Control": "no-store"}, "text/plain; charset=utf-8")

    def icon(self) -> Response:
        """The sign in a browser's tab."""
        return Response(_ICON.encode(), 200, {"Cache-Control": "public, max-age=86400"}, "image/svg+xml")

    def _audience(self, request: Request) -> Audience:
        """Who is looking. A wrong key is answered like a battery that is not there, whether there is one or not."""
        keys = request.query_params.getlist("key")
        if not keys:
            return Audience.PUBLIC
        shown, kept = keys[0].encode(), (self.owner_token or "").encode()
        if len(keys) > 1 or not kept or not hmac.compare_digest(shown, kept):
            raise Refusal(Problem.NOT_A_BATTERY)
        return Audience.OWNER

    def _links(self, request: Request, battery: BatteryId, audience: Audience) -> PageLinks:
        proofs = frozenset(self.source.proofs(battery, audience))
        serial, path = battery[21:], f"/{battery}"
        origin = self.origin or _origin_of(request)
        tail = _query(request)

        def bundle_of(statement: str, index: int) -> str | None:
            return f"{serial}/bundle/{statement}/{index}{tail}" if (statement, index) in proofs else None

        return PageLinks(
            digital_link=None if origin is None else encode_digital_link(battery, origin),
            bundle_of=bundle_of,
            home=_address("/", request),
            languages=_languages(path, request),
            witness_note=self.witness_note,
        )


def _parse_battery(text: str) -> BatteryId:
    try:
        return parse_battery_id(text)
    except Malformed as error:
        gtin = re.match(r"01/([0-9]{14})/21/", text)
        is_mistyped = gtin is not None and not is_gtin(gtin[1])
        raise Refusal(Problem.CHECK_DIGIT if is_mistyped else Problem.IDENTIFIER) from error


def _origin_of(request: Request) -> str | None:
    """The address that the client used, or None where what it says of that is no address."""
    try:
        return parse_origin(f"{request.url.scheme}://{request.headers.get('host', '')}")
    except Malformed:
        return None


def _query(request: Request, **parameters: str) -> str:
    """A query that keeps the key, since whoever sees the owner's view goes on in it."""
    kept = {name: value for name, value in parameters.items() if value}
    key = request.query_params.get("key")
    if key is not None:
        kept["key"] = key
    return f"?{urlencode(kept)}" if kept else ""


def _address(path: str, request: Request, **parameters: str) -> str:
    asked = request.query_params.get("lang", "")
    return path + _query(request, **parameters, lang=asked if asked in LOCALES else "")


def _languages(path: str, request: Request, **parameters: str) -> tuple[tuple[str, str], ...]:
    return tuple((language, path + _query(request, **parameters, lang=language)) for language in LOCALES)


def _encode(document: object) -> bytes:
    return msgspec.json.encode(document) + b"\n"


def _answer(request: Request, audience: Audience, body: bytes, media_type: str) -> Response:
    """A body that a stranger's cache may keep while it stays the same, and an owner's view that nobody keeps."""
    headers = {"Vary": "Accept, Accept-Language", "Content-Language": choose_language(request).replace("_", "-")}
    if audience is Audience.OWNER:
        return Response(body, 200, {**headers, "Cache-Control": "no-store"}, media_type)
    tag = entity_tag(body)
    headers |= {"Cache-Control": "no-cache", "ETag": tag}
    if holds_newest(request, tag):
        return Response(None, 304, headers)
    return Response(body, 200, headers, media_type)
