"""The list of batteries, passports at their Digital Link path and short code, bundles to take away."""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from cellvow.api.access import Access
from cellvow.api.guard import BodyRule
from cellvow.api.kept_pages import KeptPages
from cellvow.api.negotiation import HTML_UTF8 as HTML
from cellvow.api.negotiation import JSON, answer_body, choose_language, wants_json
from cellvow.api.problems import PROBLEM_JSON, Refusal
from cellvow.core.contracts.register import OWNERSHIP
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import BatteryId, is_gtin, parse_battery_id
from cellvow.passport.claimed import Claimed
from cellvow.passport.digital_link import encode_digital_link, find_identifier, parse_origin
from cellvow.passport.short_code import derive_short_code, parse_short_code, write_short_code
from cellvow.passport.view import Audience, Reader
from cellvow.web import (
    LOCALES,
    BatteryEntry,
    Excerpt,
    IndexLinks,
    PageLinks,
    Problem,
    bundle_file_name,
    claimed_document,
    cut_excerpt,
    passport_document,
    render_claimed,
    render_index,
    render_passport,
    render_tombstone,
    tombstone_document,
)
from cellvow.workspace.inviting import ASKED
from cellvow.workspace.passports import Viewed

PAGE_LENGTH = 50
"""Batteries on one page of the list."""
INDEX_MAX = 10_000
"""Above every index a batch can have; a longer number in an address is no index."""
BATTERY_PATH = "/01/{gtin}/21/{serial}"
FIND_PATH = "/find"
CURSOR_PARAMETERS = ("before", "after", "see")
"""The step before which those of a life are shown, the statement after which attestations are, and the section."""
STATEMENT_LETTERS = 16
"""So much of a statement's digest names it in an address, where no other of the same passport begins alike."""
_DIGEST_START = re.compile(rf"[0-9a-f]{{{STATEMENT_LETTERS},64}}\Z")


class PassportSource(Protocol):
    """Where pages get their content from. Everything it gives is already what the reader may see."""

    def batteries(self, after: str, limit: int) -> Sequence[BatteryId]:
        """At most `limit` batteries whose identifier sorts above `after`, in order."""
        ...

    def batteries_of_code(self, code: str, limit: int) -> Sequence[BatteryId]:
        """At most `limit` batteries with a short code, in order."""
        ...

    def claimed(self, battery: str) -> Claimed | None:
        """Who claims a number that nobody has registered, or None."""
        ...

    def view(self, battery: str, who: Reader) -> Viewed | None:
        """The passport and its proofs, or None where the ledger knows no such battery."""
        ...

    def bundle(self, battery: str, statement: str, index: int, who: Reader) -> bytes | None:
        """A bundle, or None where the passport names no such statement or the reader may not take it."""
        ...


@dataclass(frozen=True, slots=True)
class PassportPages:
    """The pages of one node's batteries.

    `origin` is what QR codes lead to (`https://HOST`), else the address a client used; `witness_note` is that of
    `PageLinks`; `has_verdicts` says whether this node gives verdicts, so that pages can lead to them. `kept` holds
    strangers' passports while the ledger stays as it is; `organisation` is whose desk is
    here: as the owner of a battery it is led to where it lets others look.
    """

    source: PassportSource
    access: Access
    origin: str | None = None
    witness_note: str | None = None
    has_verdicts: bool = False
    kept: KeptPages | None = None
    organisation: str | None = None

    def routes(self) -> APIRouter:
        """The list, each passport at its Digital Link path and its short code, and its bundles."""
        router = APIRouter()
        for path, endpoint in (
            ("/", self.index),
            (FIND_PATH, self.find),
            ("/s/{code}", self.short),
            (BATTERY_PATH, self.passport),
            (BATTERY_PATH + "/bundle/{statement}/{index}", self.bundle),
        ):
            router.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """None: passports are only read."""
        return ()

    def index(self, request: Request) -> Response:
        """The list, a page of it at a time; `?after=` is the last battery of the page before."""
        after = request.query_params.get("after", "")
        if after:
            parse_battery(after)
        found = self.source.batteries(after, PAGE_LENGTH + 1)
        shown, last = found[:PAGE_LENGTH], len(found) <= PAGE_LENGTH
        more = None if last else localised("/", request, after=shown[-1])
        first = localised("/", request) if after else None
        asked = request.query_params.get("lang", "")
        links = IndexLinks(
            localised("/", request),
            first,
            more,
            language_links("/", after=after),
            lang=asked if asked in LOCALES else "",
        )
        return self._list(request, shown, links)

    def find(self, request: Request) -> Response:
        """Lead on to the battery whose code, `?code=`, somebody typed in any of the ways it is written."""
        text = request.query_params.get("code", "").strip()
        if not text:
            return _lead_to(localised("/", request))
        identifier = find_identifier(text)
        if identifier is not None:
            return _lead_to(localised(f"/{parse_battery(identifier)}", request))
        try:
            code = parse_short_code(text)
        except Malformed as error:
            raise Refusal(Problem.NO_CODE) from error
        return _lead_to(localised(f"/s/{write_short_code(code)}", request))

    def short(self, request: Request, code: str) -> Response:
        """Lead on to the battery of a short code; where two share it, list both."""
        try:
            parsed = parse_short_code(code)
        except Malformed as error:
            raise Refusal(Problem.SHORT_CODE) from error
        found = self.source.batteries_of_code(parsed, PAGE_LENGTH)
        if not found:
            raise Refusal(Problem.NOT_A_BATTERY)
        if len(found) == 1:
            return _lead_to(localised(f"/{found[0]}", request))
        links = IndexLinks(localised("/", request), None, None, language_links(f"/s/{parsed}"), is_shared_code=True)
        return self._list(request, found, links)

    async def passport(self, request: Request, gtin: str, serial: str) -> Response:
        """One passport, as HTML or JSON.

        `?before=` and `?after=` turn to earlier steps and further attestations; `?see=` is one section by itself.
        """
        if self.kept is None or not self.access.is_stranger(request):
            return await run_in_threadpool(self._passport, request, gtin, serial)
        version = self.kept.now()
        answer = self.kept.find(request, version)
        if answer is None:
            answer = await run_in_threadpool(self._passport, request, gtin, serial)
            self.kept.keep(request, version, answer)
        return answer

    def _passport(self, request: Request, gtin: str, serial: str) -> Response:
        try:
            battery, reader, viewed = self.view(request, gtin, serial, "passport")
        except Refusal as refusal:
            claimed = self._find_claimed(refusal, f"01/{gtin}/21/{serial}")
            if claimed is None:
                raise
            return self._show_claimed(request, claimed)
        excerpt = cut_excerpt(viewed.passport, *(request.query_params.get(name, "") for name in CURSOR_PARAMETERS))
        if excerpt is None:
            raise Refusal(Problem.CURSOR)
        links = self._links(request, battery, viewed, excerpt)
        is_private = reader.audience is not Audience.PUBLIC
        status = 410 if viewed.passport.has_ceased else 200
        is_tombstone = viewed.passport.has_ceased and reader.audience is not Audience.OWNER
        if wants_json(request):
            document = tombstone_document(viewed.passport, links) if is_tombstone else passport_document(excerpt, links)
            return answer_body(request, encode_answer(document), JSON, is_private=is_private, status=status)
        language = choose_language(request)
        if is_tombstone:
            page = render_tombstone(viewed.passport, locale=language, links=links)
        else:
            page = render_passport(viewed.passport, locale=language, links=links, excerpt=excerpt)
        return answer_body(request, page.encode(), HTML, is_private=is_private, status=status)

    def _find_claimed(self, refusal: Refusal, battery: str) -> Claimed | None:
        return self.source.claimed(battery) if refusal.problem is Problem.NOT_A_BATTERY else None

    def _show_claimed(self, request: Request, claimed: Claimed) -> Response:
        """No passport, and by whose word there should be one: the same to everybody."""
        path, language = f"/{claimed.battery}", choose_language(request)
        if wants_json(request):
            document = claimed_document(claimed, locale=language, instance=path)
            return answer_body(request, encode_answer(document), PROBLEM_JSON, is_private=False, status=404)
        page = render_claimed(
            claimed,
            locale=language,
            home=localised("/", request),
            languages=language_links(path),
            block_of=lambda height: localised(f"/blocks/{height}", request),
        )
        return answer_body(request, page.encode(), HTML, is_private=False, status=Problem.CLAIMED.status)

    def bundle(self, request: Request, gtin: str, serial: str, statement: str, index: str) -> Response:
        """One bundle, as a file."""
        battery = parse_battery(f"01/{gtin}/21/{serial}")
        reader = self.access.reader(request, battery, "bundle")
        number = int(index) if index.isascii() and index.isdigit() and len(index) <= 5 else INDEX_MAX
        if _DIGEST_START.match(statement) is None or number >= INDEX_MAX:
            raise Refusal(Problem.NO_PROOF)
        digest = statement if len(statement) == 64 else self._whole_digest(battery, reader, statement, number)
        bundle = self.source.bundle(battery, digest, number, reader)
        if bundle is None:
            raise Refusal(Problem.NO_PROOF)
        name = bundle_file_name(serial, digest, number)
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return Response(bundle, 200, headers, "application/octet-stream")

    def view(self, request: Request, gtin: str, serial: str, route: str) -> tuple[BatteryId, Reader, Viewed]:
        """The battery of an address as this request may see it; raises `Refusal` (404) where there is none."""
        battery = parse_battery(f"01/{gtin}/21/{serial}")
        reader = self.access.reader(request, battery, route)
        viewed = self.source.view(battery, reader)
        if viewed is None:
            raise Refusal(Problem.NOT_A_BATTERY)
        return battery, reader, viewed

    def _is_at_owners_desk(self, viewed: Viewed) -> bool:
        """Whether the reader sits at the desk of the organisation that owns the battery now."""
        owner = next((one.organisation for one in viewed.passport.registers if one.register == OWNERSHIP), None)
        return owner is not None and owner == self.organisation and viewed.passport.audience is Audience.OWNER

    def _invitations_of(self, request: Request, battery: BatteryId, viewed: Viewed) -> Callable[[str], str | None]:
        """Where whoever stands in a register of the battery, at his own desk, invites somebody for a stage."""
        named = [one.organisation for one in viewed.passport.registers]
        may_invite = self.organisation in named and viewed.passport.audience is Audience.OWNER

        def invite_to(stage: str) -> str | None:
            is_asked = may_invite and stage in ASKED
            return localised("/desk/invitations", request, battery=battery, stage=stage) if is_asked else None

        return invite_to

    def _whole_digest(self, battery: BatteryId, reader: Reader, start: str, index: int) -> str:
        viewed = self.source.view(battery, reader)
        proofs = () if viewed is None else viewed.proofs
        found = [statement for statement, place in proofs if place == index and statement.startswith(start)]
        if len(found) != 1:
            raise Refusal(Problem.NO_PROOF)
        return found[0]

    def _list(self, request: Request, shown: Sequence[BatteryId], links: IndexLinks) -> Response:
        is_owner = self.access.is_owner(request)
        if wants_json(request):
            body = encode_answer({"batteries": [f"/{battery}" for battery in shown], "more": links.more})
            return answer_body(request, body, JSON, is_private=is_owner)
        entries = [BatteryEntry(one[3:17], one[21:], localised(f"/{one}", request)) for one in shown]
        page = render_index(entries, locale=choose_language(request), links=links)
        return answer_body(request, page.encode(), HTML, is_private=is_owner)

    def _links(self, request: Request, battery: BatteryId, viewed: Viewed, excerpt: Excerpt) -> PageLinks:
        path, origin = f"/{battery}", self.origin or origin_of(request)
        before, after, see = (request.query_params.get(name, "") for name in CURSOR_PARAMETERS)
        short = f"/s/{write_short_code(derive_short_code(battery))}"
        links = PageLinks(
            digital_link=None if origin is None else encode_digital_link(battery, origin),
            bundle_of=bundle_addresses(battery, viewed),
            home=localised("/", request),
            passport_of=lambda other: localised(f"/{other}", request),
            languages=language_links(path, before=before, after=after, see=see),
            witness_note=self.witness_note,
            short=short if origin is None else f"{origin}{short}",
            verdict=localised(f"{path}/verdict", request) if self.has_verdicts else None,
            words=f"/verify/words?lang={choose_language(request)}",
            give=localised("/desk/links", request, battery=battery) if self._is_at_owners_desk(viewed) else None,
            invite_to=self._invitations_of(request, battery, viewed),
            newest=localised(path, request) if excerpt.is_later else None,
        )
        steps, tests = excerpt.steps_cursor, excerpt.attestations_cursor
        return replace(
            links,
            earlier_steps=None if steps is None else localised(path, request, before=steps, after=after),
            more_attestations=None if tests is None else localised(path, request, before=before, after=tests, see=see),
            all_tests=localised(path, request, see="tests"),
            all_use=localised(path, request, see="use"),
            all_parts=localised(path, request, see="parts"),
        )


def _lead_to(address: str) -> Response:
    return Response(b"", 302, {"Location": address, "Cache-Control": "no-cache"})


def bundle_addresses(battery: BatteryId, viewed: Viewed) -> Callable[[str, int], str | None]:
    """The address of each bundle that the reader may take, relative to the passport's own address."""
    serial = battery[21:]
    starts = Counter((statement[:STATEMENT_LETTERS], index) for statement, index in viewed.proofs)

    def bundle_of(statement: str, index: int) -> str | None:
        if (statement, index) not in viewed.proofs:
            return None
        start = statement[:STATEMENT_LETTERS]
        return f"{serial}/bundle/{start if starts[start, index] == 1 else statement}/{index}"

    return bundle_of


def parse_battery(text: str) -> BatteryId:
    """The battery of an address; raises `Refusal` (404) naming what is wrong with it."""
    try:
        return parse_battery_id(text)
    except Malformed as error:
        gtin = re.match(r"01/([0-9]{14})/21/", text)
        is_mistyped = gtin is not None and not is_gtin(gtin[1])
        raise Refusal(Problem.CHECK_DIGIT if is_mistyped else Problem.IDENTIFIER) from error


def origin_of(request: Request) -> str | None:
    """The address that the client used, or None where what it says of that is no address."""
    try:
        return parse_origin(f"{request.url.scheme}://{request.headers.get('host', '')}")
    except Malformed:
        return None


def localised(path: str, request: Request, **parameters: str) -> str:
    """A path with its parameters, in the language that was asked for by name, if any."""
    asked = request.query_params.get("lang", "")
    kept = {name: value for name, value in (*parameters.items(), ("lang", asked if asked in LOCALES else "")) if value}
    return f"{path}?{urlencode(kept)}" if kept else path


def language_links(path: str, **parameters: str) -> tuple[tuple[str, str], ...]:
    """(catalogue, address) of the same page in each language."""
    kept = {name: value for name, value in parameters.items() if value}
    return tuple((language, f"{path}?{urlencode({**kept, 'lang': language})}") for language in LOCALES)


def encode_answer(document: object) -> bytes:
    """A JSON answer, with a line break at its end."""
    return msgspec.json.encode(document) + b"\n"
