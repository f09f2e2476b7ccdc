"""Checking proofs in the browser: the page, its words, the trust file to compare with, the checker to keep."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

from fastapi import APIRouter, Request, Response

from cellvow.api.access import Access
from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import HTML_UTF8, JSON, answer_body, choose_language, entity_tag, holds_newest
from cellvow.api.passports import encode_answer, language_links, localised
from cellvow.api.problems import Refusal
from cellvow.verify.archive import build_archive
from cellvow.web import Problem, check_words, render_verify

ARCHIVE_NAME = "cellvow-verify.pyz"


@dataclass(frozen=True, slots=True)
class ProofChecks:
    """The addresses for whoever checks. `trust` gives the bytes of the node's own trust file, or None without one."""

    access: Access
    trust: Callable[[], bytes | None]

    def routes(self) -> APIRouter:
        """The page, its words, the trust file, the checker."""
        router = APIRouter()
        for path, endpoint in (
            ("/verify", self.page),
            ("/verify/words", self.words),
            ("/trust.json", self.trust_file),
            (f"/{ARCHIVE_NAME}", self.archive),
        ):
            router.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """None: what is checked stays in the browser."""
        return ()

    def page(self, request: Request) -> Response:
        """Choose a proof and see what each check says."""
        page = render_verify(
            locale=choose_language(request), home=localised("/", request), languages=language_links("/verify")
        )
        return answer_body(request, page.encode(), HTML_UTF8, is_private=self.access.is_owner(request))

    def words(self, request: Request) -> Response:
        """What the scripts say, in the language of the request."""
        body = encode_answer(check_words(choose_language(request)))
        return answer_body(request, body, JSON, is_private=False)

    def trust_file(self, request: Request) -> Response:
        """What this node says of itself, as the file a verifier takes: public, to be compared."""
        content = self.trust()
        if content is None:
            raise Refusal(Problem.NO_PAGE)
        return answer_body(request, content, JSON, is_private=False)

    def archive(self, request: Request) -> Response:
        """The checker as one file; it needs Python alone."""
        content = _archive()
        headers = {
            "Cache-Control": "no-cache",
            "Content-Disposition": f'attachment; filename="{ARCHIVE_NAME}"',
            "ETag": entity_tag(content),
        }
        if holds_newest(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        return Response(content, 200, headers, "application/zip")


@cache
def _archive() -> bytes:
    return build_archive()
