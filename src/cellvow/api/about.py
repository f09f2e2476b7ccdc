"""The explanation and the glossary over HTTP: `/about` and `/glossary`, the same for every reader."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request, Response

from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import HTML_UTF8, JSON, answer_body, choose_language, wants_json
from cellvow.api.passports import encode_answer, language_links, localised
from cellvow.web import GLOSSARY, about_document, glossary_document, render_about, render_glossary

ABOUT = "/about"


@dataclass(frozen=True, slots=True)
class AboutPages:
    """Pages that depend on no ledger."""

    def routes(self) -> APIRouter:
        """The two pages."""
        router = APIRouter()
        router.add_api_route(ABOUT, self.about, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route(GLOSSARY, self.glossary, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """None: they are only read."""
        return ()

    def about(self, request: Request) -> Response:
        """What a ledger proves here, as HTML or JSON."""
        locale = choose_language(request)
        if wants_json(request):
            return _answer_json(request, about_document(locale))

        def to(path: str) -> str:
            return localised(path, request)

        page = render_about(locale=locale, home=to("/"), languages=language_links(ABOUT), to=to)
        return answer_body(request, page.encode(), HTML_UTF8, is_private=False)

    def glossary(self, request: Request) -> Response:
        """The words, as HTML or JSON."""
        locale = choose_language(request)
        if wants_json(request):
            return _answer_json(request, glossary_document(locale))
        page = render_glossary(locale=locale, home=localised("/", request), languages=language_links(GLOSSARY))
        return answer_body(request, page.encode(), HTML_UTF8, is_private=False)


def _answer_json(request: Request, document: object) -> Response:
    return answer_body(request, encode_answer(document), JSON, is_private=False)
