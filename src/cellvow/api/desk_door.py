"""The door of the desk: nobody comes in without the owner's session, nothing is sent without a form of that session."""

from collections.abc import Callable

import msgspec
from fastapi import Request, Response

from cellvow.api.access import Access
from cellvow.api.desk_upload import Fields
from cellvow.api.negotiation import HTML_UTF8, JSON, choose_language, wants_json
from cellvow.api.problems import Refusal
from cellvow.api.rates import RateLimit
from cellvow.core.ledger.rejection import NotIncludable, Rejected
from cellvow.web import LOCALES, Problem
from cellvow.web.desk_pages import Frame, render_desk_page

FORMS_BURST, FORMS_PER_MINUTE = 30, 60
"""Forms one client may send: each may sign, import or set a document."""
FORM_FIELD = "form"
BATTERY_PATH = "01/{gtin}/21/{serial}"


class Door:
    """Lets the owner in and presents what the desk says."""

    def __init__(self, access: Access, clock: Callable[[], int]) -> None:
        """`clock` gives milliseconds."""
        self._access = access
        self._forms = RateLimit(FORMS_BURST, FORMS_PER_MINUTE, clock)

    def frame(self, request: Request) -> Frame:
        """What surrounds a page; raises `Refusal` (401) without a session."""
        session = self._access.require_session(request)
        asked = request.query_params.get("lang", "")
        parameters = [(name, value) for name, value in request.query_params.multi_items() if name != "lang"]
        query = "&".join(f"{_quoted(name)}={_quoted(value)}" for name, value in parameters)
        here = request.url.path + (f"?{query}" if query else "")
        lang = asked if asked in LOCALES else ""
        return Frame(choose_language(request), here, session.form_token, lang)

    def require_session(self, request: Request) -> None:
        """Raise `Refusal` (401) without the owner's session: before a byte of a body is read."""
        self._access.require_session(request)

    def owner(self, request: Request) -> str:
        """Which session it is, for what belongs to one of them; raises `Refusal` (401) without one."""
        return self._access.require_session(request).form_token

    def require_form(self, request: Request, fields: Fields) -> None:
        """Count the form, and raise `Refusal` unless this session was given it."""
        self._forms.take(request)
        self._access.require_form(request, fields.get(FORM_FIELD, ""))

    def page(self, request: Request, template: str, status: int = 200, **context: object) -> Response:
        """A page of the desk that nobody keeps."""
        page = render_desk_page(template, self.frame(request), **context)
        return Response(page.encode(), status, _private(request), HTML_UTF8)

    def answer(self, request: Request, template: str, document: object, **context: object) -> Response:
        """The page, or `document` for a program."""
        if wants_json(request):
            self.require_session(request)
            return Response(msgspec.json.encode(document) + b"\n", 200, _private(request), JSON)
        return self.page(request, template, 200, **context)

    def go_to(self, request: Request, path: str, **parameters: str) -> Response:
        """On to another page, after a form was taken."""
        return Response(b"", 303, {"Location": self.frame(request).to(path, **parameters), "Cache-Control": "no-store"})


def explain_rejection(error: Rejected | NotIncludable) -> tuple[str, str]:
    """(the broken rule as a sentence, its code)."""
    return error.rule, str(int(error.reason))


def send_file(content: bytes, name: str, media_type: str) -> Response:
    """A document to keep; its name is ours and ASCII."""
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
    return Response(content, 200, headers, media_type)


def no_page() -> Refusal:
    """The refusal for an address that names nothing here."""
    return Refusal(Problem.NO_PAGE)


def _private(request: Request) -> dict[str, str]:
    language = choose_language(request).replace("_", "-")
    return {"Cache-Control": "no-store", "Content-Language": language, "Vary": "Accept, Accept-Language, Cookie"}


def _quoted(text: str) -> str:
    from urllib.parse import quote

    return quote(text, safe="")
