"""The application of `cellvow serve`: which areas it has, in which order, behind one guard."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import APIRouter, FastAPI, Request, Response

from cellvow import __version__
from cellvow.api.access import Access
from cellvow.api.guard import BodyRule, Guard
from cellvow.api.negotiation import entity_tag, holds_newest
from cellvow.api.passports import PassportPages
from cellvow.api.problems import Refusal, add_problem_handlers
from cellvow.web import Problem, load_static

_ICON = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16"><rect x="5" width="6" height="3" fill="#0b5d6b"/>'
    '<rect x="2" y="2" width="12" height="14" rx="2" fill="#0b5d6b"/>'
    '<path d="M5 9l2.2 2.5L11 6.5" fill="none" stroke="#fff" stroke-width="2"/></svg>'
)


class Area(Protocol):
    """A group of addresses that belong together."""

    def routes(self) -> APIRouter:
        """Its addresses."""
        ...

    def bodies(self) -> Sequence[BodyRule]:
        """What its requests may carry."""
        ...


@dataclass(frozen=True, slots=True)
class Site:
    """What one application serves: who may what, the passports, and whatever further areas its node has."""

    access: Access
    passports: PassportPages
    areas: Sequence[Area] = field(default=())


def create_application(site: Site) -> FastAPI:
    """The application that answers for `site`; what no area takes is refused."""
    app = FastAPI(title="Cellvow", version=__version__, docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(_basics())
    app.include_router(site.access.routes())
    app.include_router(site.passports.routes())
    rules: list[BodyRule] = []
    for area in site.areas:
        app.include_router(area.routes())
        rules += area.bodies()
    add_problem_handlers(app)
    app.add_middleware(Guard, rules=rules)
    return app


def _basics() -> APIRouter:
    router = APIRouter(include_in_schema=False)
    router.add_api_route("/favicon.ico", _icon, methods=["GET", "HEAD"], response_model=None)
    router.add_api_route("/static/{name:path}", _static, methods=["GET", "HEAD"], response_model=None)
    return router


def _icon() -> Response:
    """The sign in a browser's tab."""
    return Response(_ICON.encode(), 200, {"Cache-Control": "public, max-age=86400"}, "image/svg+xml")


def _static(request: Request, name: str) -> Response:
    """A script of ours."""
    found = load_static(name)
    if found is None:
        raise Refusal(Problem.NO_PAGE)
    tag = entity_tag(found.content)
    headers = {"Cache-Control": "no-cache", "ETag": tag}
    if holds_newest(request, tag):
        return Response(status_code=304, headers=headers)
    return Response(found.content, 200, headers, found.media_type)
