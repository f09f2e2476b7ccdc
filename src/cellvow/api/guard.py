"""What every request must keep to and every answer carries, whatever the route: sizes, headers, no bodies."""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cellvow.api.problems import SECURITY_HEADERS, present_problem
from cellvow.web import Problem

ADDRESS_BYTES_MAX = 1_024
"""Path and query of a request: ours have at most 300."""


class Guard:
    """Refuses bodies and overlong addresses before any route is asked; every answer gets the security headers."""

    def __init__(self, app: ASGIApp) -> None:
        """`app` is what the guarded requests reach."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection's message flow (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        problem = find_problem(scope)
        if problem is None:
            await self._app(scope, receive, send_guarded)
        else:
            await present_problem(Request(scope), problem)(scope, receive, send_guarded)


def find_problem(scope: Scope) -> Problem | None:
    """What is wrong with a request before its route is known, if anything."""
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > ADDRESS_BYTES_MAX:
        return Problem.TOO_LONG
    headers = dict(scope["headers"])
    has_body = b"transfer-encoding" in headers or headers.get(b"content-length", b"0").strip() != b"0"
    if scope["method"] not in ("GET", "HEAD"):
        return Problem.READ_ONLY
    return Problem.BODY if has_body else None
