"""The chain for everybody who looks: head, checkpoint, blocks and batteries for programs, and the chain as pages.

A stranger gets hashes, counts and times; the owner of the node, a member, also what the statements say.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol
from urllib.parse import urlencode

import msgspec
from fastapi import APIRouter, Request, Response

from cellvow.api.access import Access
from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import HTML_UTF8, JSON, answer_body, choose_language, wants_json
from cellvow.api.passports import language_links, parse_battery
from cellvow.api.problems import Refusal
from cellvow.core.primitives.identifier import BatteryId
from cellvow.core.primitives.limits import INTEGER_MAX
from cellvow.web import LOCALES, Problem
from cellvow.web.blocks_page import ChainLinks, render_block, render_blocks
from cellvow.workspace.explorer import BLOCKS_MAX, BlockPage, BlockView, ChainHead, LeafView

PAGE_LENGTH = 12
"""Blocks on one page: as many as a picture on a phone can hold."""
BATTERIES_MAX = 500
"""Batteries in one answer."""
DEFAULT_LIMIT = 50
NOTE = "text/plain; charset=utf-8"


class ChainSource(Protocol):
    """Where the chain is read."""

    def head(self) -> ChainHead | None:
        """Where it stands, or None where there is no ledger."""
        ...

    def note(self) -> bytes | None:
        """The newest signed checkpoint, or None before the first."""
        ...

    def blocks_after(self, height: int, limit: int) -> Sequence[BlockView]:
        """At most `limit` blocks above a height, oldest first."""
        ...

    def blocks_before(self, height: int | None, limit: int) -> Sequence[BlockView]:
        """At most `limit` blocks below a height, or the newest, newest first."""
        ...

    def block(self, height: int, first_leaf: int, *, bodies: bool) -> BlockPage | None:
        """A block with its leaves from one on, or None where none is recorded."""
        ...


class BatteryList(Protocol):
    """Where batteries are listed."""

    def batteries(self, after: str, limit: int) -> Sequence[BatteryId]:
        """At most `limit` batteries whose identifier sorts above `after`, in order."""
        ...


class NoChain:
    """Where there is no ledger yet."""

    def head(self) -> ChainHead | None:
        """None."""
        return None

    def note(self) -> bytes | None:
        """None."""
        return None

    def blocks_after(self, height: int, limit: int) -> Sequence[BlockView]:  # noqa: ARG002 - as the port has it
        """None of them."""
        return ()

    def blocks_before(self, height: int | None, limit: int) -> Sequence[BlockView]:  # noqa: ARG002 - likewise
        """None of them."""
        return ()

    def block(self, height: int, first_leaf: int, *, bodies: bool) -> BlockPage | None:  # noqa: ARG002 - likewise
        """None."""
        return None


class Blocks(msgspec.Struct, frozen=True):
    """A page of blocks, oldest first; `next` is the address of the next page, or null at the end."""

    blocks: list[BlockView]
    next: str | None


class Batteries(msgspec.Struct, frozen=True):
    """A page of batteries by identifier; `next` is the address of the next page, or null at the end."""

    batteries: list[str]
    next: str | None


class BlockAnswer(msgspec.Struct, frozen=True):
    """A block with some of its leaves; `next` is the address of the rest, or null where there is none."""

    block: BlockView
    leaves: tuple[LeafView, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class ExplorerRoutes:
    """The chain of one node, as `/blocks` and under `/api/v1`; `witness_note` is that of `PageLinks`."""

    source: ChainSource
    batteries: BatteryList
    access: Access
    witness_note: str | None = None

    def routes(self) -> APIRouter:
        """Two pages and five addresses for programs."""
        router = APIRouter()
        for path, endpoint in (
            ("/api/v1/head", self.show_head),
            ("/api/v1/checkpoint", self.show_checkpoint),
            ("/api/v1/blocks", self.list_blocks),
            ("/api/v1/blocks/{height}", self.show_block),
            ("/api/v1/batteries", self.list_batteries),
            ("/blocks", self.blocks_page),
            ("/blocks/{height}", self.block_page),
        ):
            router.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """None: it is only read."""
        return ()

    def show_head(self, request: Request) -> Response:
        """Where the chain stands."""
        head = self.source.head()
        if head is None:
            raise Refusal(Problem.NO_BLOCK)
        return _json(request, head)

    def show_checkpoint(self, request: Request) -> Response:
        """The newest checkpoint as a signed note, cosignatures included."""
        note = self.source.note()
        if note is None:
            raise Refusal(Problem.NO_BLOCK)
        return answer_body(request, note, NOTE, is_private=False)

    def list_blocks(self, request: Request) -> Response:
        """Blocks above `?after=`, oldest first: what a follower asks for."""
        after = read_number(request, "after", 0, 0, INTEGER_MAX)
        limit = read_number(request, "limit", DEFAULT_LIMIT, 1, BLOCKS_MAX)
        found = list(self.source.blocks_after(after, limit + 1))
        shown = found[:limit]
        more = f"/api/v1/blocks?after={shown[-1].height}&limit={limit}" if len(found) > limit else None
        return _json(request, Blocks(shown, more))

    def show_block(self, request: Request, height: str) -> Response:
        """One block with its leaves from `?leaf=` on."""
        is_member = self.access.is_owner(request)
        page = self._find(request, height, is_member=is_member)
        more = None if page.next_leaf is None else f"/api/v1/blocks/{page.block.height}?leaf={page.next_leaf}"
        return _json(request, BlockAnswer(page.block, page.leaves, more), is_private=is_member, is_final=True)

    def list_batteries(self, request: Request) -> Response:
        """Batteries whose identifier sorts above `?after=`."""
        after = request.query_params.get("after", "")
        limit = read_number(request, "limit", DEFAULT_LIMIT, 1, BATTERIES_MAX)
        if after:
            parse_battery(after)
        found = self.batteries.batteries(after, limit + 1)
        shown = [str(one) for one in found[:limit]]
        query = urlencode({"after": shown[-1], "limit": limit}, safe="/") if len(found) > limit else None
        return _json(request, Batteries(shown, None if query is None else f"/api/v1/batteries?{query}"))

    def blocks_page(self, request: Request) -> Response:
        """The chain as a picture, newest first; `?before=` turns the page."""
        if wants_json(request):
            return self.list_blocks(request)
        asked = request.query_params.get("before", "")
        before = read_number(request, "before", 1, 1, INTEGER_MAX) if "before" in request.query_params else None
        head = self.source.head()
        found = list(self.source.blocks_before(before, PAGE_LENGTH + 1))
        shown = found[:PAGE_LENGTH]
        links = ChainLinks(
            home=localised("/", request),
            languages=language_links("/blocks", before=asked),
            to=lambda path: localised(path, request),
            witness_note=self.witness_note,
            newest=None if before is None else localised("/blocks", request),
            older=localised("/blocks", request, before=str(shown[-1].height)) if len(found) > PAGE_LENGTH else None,
        )
        is_member = self.access.is_owner(request)
        page = render_blocks(head, shown, locale=choose_language(request), is_member=is_member, links=links)
        return answer_body(request, page.encode(), HTML_UTF8, is_private=is_member)

    def block_page(self, request: Request, height: str) -> Response:
        """One block, its leaves, and for a member what its statements say."""
        if wants_json(request):
            return self.show_block(request, height)
        is_member = self.access.is_owner(request)
        page = self._find(request, height, is_member=is_member)
        head = self.source.head()
        if head is None:
            raise Refusal(Problem.NO_BLOCK)
        path = f"/blocks/{page.block.height}"
        rest = None if page.next_leaf is None else localised(path, request, leaf=str(page.next_leaf))
        links = ChainLinks(
            home=localised("/", request),
            languages=language_links(path, leaf=request.query_params.get("leaf", "")),
            to=lambda target: localised(target, request),
            witness_note=self.witness_note,
            newest=localised("/blocks", request),
            older=rest,
        )
        text = render_block(page, head, locale=choose_language(request), is_member=is_member, links=links)
        return answer_body(request, text.encode(), HTML_UTF8, is_private=is_member)

    def _find(self, request: Request, height: str, *, is_member: bool) -> BlockPage:
        number = int(height) if height.isascii() and height.isdigit() and len(height) <= 16 else 0
        leaf = read_number(request, "leaf", 0, 0, INTEGER_MAX)
        page = self.source.block(number, leaf, bodies=is_member) if 0 < number <= INTEGER_MAX else None
        if page is None:
            raise Refusal(Problem.NO_BLOCK)
        return page


def read_number(request: Request, name: str, default: int, least: int, most: int) -> int:
    """A whole number of the query; raises `Refusal` (400), naming the limits, where it is none or beyond them."""
    text = request.query_params.get(name)
    if text is None:
        return default
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= 16 else -1
    if not least <= number <= most:
        raise Refusal(Problem.BAD_REQUEST, detail=f"{name} is a whole number from {least} to {most}.")
    return number


def localised(path: str, request: Request, **parameters: str) -> str:
    """A path of this site with its parameters, in the language that was asked for by name, if any."""
    asked = request.query_params.get("lang", "").replace("-", "_")
    kept = {**parameters, "lang": asked} if asked in LOCALES else parameters
    return f"{path}?{urlencode(kept)}" if kept else path


def _json(request: Request, answer: object, *, is_private: bool = False, is_final: bool = False) -> Response:
    body = msgspec.json.encode(answer) + b"\n"
    return answer_body(request, body, JSON, is_private=is_private, is_final=is_final)
