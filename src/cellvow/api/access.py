"""Who is asking, decided in one place: a session of the owner, a grant of the owner, or a stranger. Default: stranger.

Keys arrive once, in the path of `/enter/KEY` or `/g/TOKEN`, and become cookies that scripts cannot read; programs show
them as `Authorization: Bearer`. No page and no redirect ever names one.
"""

import hmac
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from fastapi import APIRouter, Request, Response

from cellvow.api.addresses import ENTER_PATH
from cellvow.api.problems import Refusal
from cellvow.api.rates import RateLimit
from cellvow.passport.view import OWNER, PUBLIC, Reader
from cellvow.web import Problem
from cellvow.workspace.granting import LINK_PATH

SESSION_COOKIE, GRANT_COOKIE = "cellvow_session", "cellvow_grant"
SESSION_MS = 12 * 3_600_000
"""How long a session lasts after it was last used."""
SESSIONS_MAX = 64
GUESSES_BURST, GUESSES_PER_MINUTE = 20, 20
"""Keys one client may show; a right one counts as well, so that nothing can be learned from the limit."""
TOKEN_LENGTH_MAX = 128


class GrantSource(Protocol):
    """The owner's purchaser links. Every use and every refusal is recorded by it."""

    def enter(self, token: str) -> tuple[str, int] | None:
        """The battery a link leads to and the seconds it still lasts, or None where it is not to be honoured."""
        ...

    def reader(self, token: str, battery: str, route: str) -> Reader | None:
        """As whom a link's bearer reads this battery, or None where it is not to be honoured."""
        ...


class NoGrants:
    """Where no owner gives links."""

    def enter(self, token: str) -> tuple[str, int] | None:  # noqa: ARG002 - as the port has it
        """None."""
        return None

    def reader(self, token: str, battery: str, route: str) -> Reader | None:  # noqa: ARG002 - likewise
        """None."""
        return None


@dataclass(slots=True)
class Session:
    """The owner's browser, once it has shown his key. `form_token` stands in every form it is given."""

    form_token: str = field(repr=False)
    used_ms: int


class Access:
    """Decides who a request speaks for. `clock` gives milliseconds."""

    def __init__(self, owner_token: str | None, clock: Callable[[], int], grants: GrantSource | None = None) -> None:
        self._owner_token = owner_token or ""
        self._clock = clock
        self._grants = grants or NoGrants()
        self._sessions: OrderedDict[str, Session] = OrderedDict()
        self._guard = threading.Lock()
        self.guesses = RateLimit(GUESSES_BURST, GUESSES_PER_MINUTE, clock)
        self._misses = RateLimit(GUESSES_BURST, GUESSES_PER_MINUTE, clock)

    def reader(self, request: Request, battery: str, route: str) -> Reader:
        """As whom a request reads a battery; a grant that is not honoured leaves a stranger, and is recorded."""
        if self.is_owner(request):
            return OWNER
        token = request.cookies.get(GRANT_COOKIE) or _bearer(request)
        if not token or len(token) > TOKEN_LENGTH_MAX:
            return PUBLIC
        self._misses.require(request)  # each try is recorded on disk: nobody may ask for that without end
        reader = self._grants.reader(token, battery, route)
        if reader is None:
            self._misses.take(request)
        return reader or PUBLIC

    def is_stranger(self, request: Request) -> bool:
        """Whether a request shows no key of any kind, so that it is nobody's in particular."""
        shown = request.cookies.keys() & {SESSION_COOKIE, GRANT_COOKIE}
        return not shown and "authorization" not in request.headers

    def is_owner(self, request: Request) -> bool:
        """Whether the request carries the owner's session, or his key as a bearer."""
        return self.session(request) is not None or self._is_key(_bearer(request))

    def session(self, request: Request) -> Session | None:
        """The session of the request's cookie, while it lasts."""
        name, now = request.cookies.get(SESSION_COOKIE, ""), self._clock()
        with self._guard:
            session = self._sessions.get(name)
            if session is None:
                return None
            if now - session.used_ms > SESSION_MS:
                del self._sessions[name]
                return None
            session.used_ms = now
            self._sessions.move_to_end(name)
            return session

    def require_session(self, request: Request) -> Session:
        """The owner's session; raises `Refusal` (401) without one."""
        session = self.session(request)
        if session is None:
            raise Refusal(Problem.SIGN_IN)
        return session

    def require_form(self, request: Request, form_token: str) -> Session:
        """The session whose form was sent; raises `Refusal` where the form is another's, or another site's."""
        session = self.require_session(request)
        own = {f"{request.url.scheme}://{request.headers.get('host', '')}"}
        came_from = request.headers.get("origin")
        site = request.headers.get("sec-fetch-site")
        is_foreign = came_from is not None and came_from not in own
        is_foreign = is_foreign or site not in (None, "same-origin", "none")
        if is_foreign or not hmac.compare_digest(form_token.encode(), session.form_token.encode()):
            raise Refusal(Problem.FORM)
        return session

    def require_key(self, request: Request) -> None:
        """Raise `Refusal` (401) unless a program shows the owner's key as a bearer: no browser sends that unasked."""
        self.guesses.take(request)
        if not self._is_key(_bearer(request)):
            raise Refusal(Problem.SIGN_IN)

    def routes(self) -> APIRouter:
        """The two addresses that turn a key into a cookie, and the one that ends a session."""
        router = APIRouter()
        enter = f"{ENTER_PATH}{{key}}"
        router.add_api_route(enter, self._enter, methods=["GET"], response_model=None, include_in_schema=False)
        router.add_api_route(f"{LINK_PATH}{{token}}", self.open_grant, methods=["GET"], response_model=None)
        router.add_api_route("/leave", self._leave, methods=["GET"], response_model=None, include_in_schema=False)
        return router

    def _enter(self, request: Request, key: str) -> Response:
        """Open the owner's session; `?to=` is the path to go on to."""
        self.guesses.take(request)
        if not self._is_key(key):
            raise Refusal(Problem.NOT_A_BATTERY)
        name = secrets.token_urlsafe(32)
        with self._guard:
            self._sessions[name] = Session(secrets.token_urlsafe(32), self._clock())
            if len(self._sessions) > SESSIONS_MAX:
                self._sessions.popitem(last=False)
        answer = _go_to(_own_path(request.query_params.get("to", "/")))
        _set_cookie(request, answer, SESSION_COOKIE, name, "/", SESSION_MS // 1000)
        return answer

    def open_grant(self, request: Request, token: str) -> Response:
        """Follow a purchaser link to the battery it is for."""
        self.guesses.take(request)
        found = self._grants.enter(token) if len(token) <= TOKEN_LENGTH_MAX else None
        if found is None:
            raise Refusal(Problem.NOT_A_BATTERY)
        battery, lasts_s = found
        answer = _go_to(f"/{battery}")
        _set_cookie(request, answer, GRANT_COOKIE, token, f"/{battery}", lasts_s)
        return answer

    def _leave(self, request: Request) -> Response:
        """End the session."""
        with self._guard:
            self._sessions.pop(request.cookies.get(SESSION_COOKIE, ""), None)
        answer = _go_to("/")
        answer.delete_cookie(SESSION_COOKIE, path="/")
        return answer

    def _is_key(self, shown: str) -> bool:
        return bool(self._owner_token) and hmac.compare_digest(shown.encode(), self._owner_token.encode())


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _own_path(text: str) -> str:
    """A path of this site; anything that a browser could take for another site leads to the start."""
    is_own = text.startswith("/") and not text.startswith("//") and text.isascii() and text.isprintable()
    return text if is_own and "\\" not in text else "/"


def _go_to(path: str) -> Response:
    return Response(b"", 303, {"Location": path, "Cache-Control": "no-store"})


def _set_cookie(request: Request, answer: Response, name: str, value: str, path: str, lasts_s: int) -> None:
    is_https = request.url.scheme == "https"
    answer.set_cookie(name, value, max_age=lasts_s, path=path, secure=is_https, httponly=True, samesite="lax")
