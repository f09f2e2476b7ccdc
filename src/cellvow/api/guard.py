"""What every request must keep to and every answer carries, whatever the route: sizes, times, headers, bodies."""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from cellvow.api.problems import READING, Refusal, present_refusal, security_headers
from cellvow.web import Problem

ADDRESS_BYTES_MAX = 1_024
"""Path and query of a request: ours have at most 300."""
HEADER_BYTES_MAX = 32_000
"""All headers of a request: a browser sends some 1,000. The server itself bounds only those that come in pieces."""
BODY_SILENCE_S_MAX = 15.0
"""How long a client may say nothing in the middle of a body."""
BODY_BYTES_PER_S_MIN = 50_000
"""Below that a body counts as slow, after a first half minute."""
_BODY_S_MIN = 30.0


@dataclass(frozen=True, slots=True)
class BodyRule:
    """Where a request may carry a body, how long it is at most, and what it may be."""

    method: str
    path: str
    """A regular expression that the whole path matches."""
    bytes_max: int
    media_types: tuple[str, ...]

    @property
    def seconds_max(self) -> float:
        """How long the whole body may take."""
        return _BODY_S_MIN + self.bytes_max / BODY_BYTES_PER_S_MIN


class Guard:
    """Refuses what no rule allows before any route is asked; every answer gets the security headers."""

    def __init__(self, app: ASGIApp, rules: Sequence[BodyRule] = ()) -> None:
        """`app` is what the guarded requests reach; without a rule a path takes no body and no method but GET."""
        self._app = app
        self._rules = tuple(rules)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one connection's message flow (ASGI)."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in security_headers(scope["path"]).items():
                    headers[name] = value
            await send(message)

        rule = find_rule(self._rules, scope)
        refusal = find_refusal(scope, rule, self._methods(scope["path"]))
        if refusal is not None:
            answer = present_refusal(Request(scope), refusal)
            await answer(scope, receive, send_guarded)
        elif rule is None:
            await self._app(scope, receive, send_guarded)
        else:
            await self._app(scope, _bounded(receive, rule), send_guarded)

    def _methods(self, path: str) -> tuple[str, ...]:
        """The methods with a rule for this path."""
        return tuple(sorted({rule.method for rule in self._rules if re.fullmatch(rule.path, path)}))


def find_rule(rules: Sequence[BodyRule], scope: Scope) -> BodyRule | None:
    """The rule for the body of a request, if there is one."""
    method, path = scope["method"], scope["path"]
    return next((rule for rule in rules if rule.method == method and re.fullmatch(rule.path, path)), None)


def find_refusal(scope: Scope, rule: BodyRule | None, methods: Sequence[str] = ()) -> Refusal | None:
    """What is wrong with a request before its route is known, if anything; `methods` have a rule for its path."""
    if len(scope.get("raw_path") or b"") + len(scope["query_string"]) > ADDRESS_BYTES_MAX:
        return Refusal(Problem.TOO_LONG)
    if sum(len(name) + len(value) for name, value in scope["headers"]) > HEADER_BYTES_MAX:
        return Refusal(Problem.HEADERS, limit=str(HEADER_BYTES_MAX))
    headers = dict(scope["headers"])
    length = headers.get(b"content-length", b"0").strip()
    if rule is None:
        has_body = b"transfer-encoding" in headers or length != b"0"
        if methods and not has_body:
            return None  # the router knows what else the path takes, and says so
        if scope["method"] not in ("GET", "HEAD"):
            return Refusal(Problem.READ_ONLY, allow=", ".join(methods) or READING)
        return Refusal(Problem.BODY) if has_body else None
    if not length.isdigit() or len(length) > 15 or int(length) > rule.bytes_max:
        return Refusal(Problem.TOO_LARGE, limit=str(rule.bytes_max))
    media_type = headers.get(b"content-type", b"").decode("latin-1").partition(";")[0].strip().lower()
    return None if media_type in rule.media_types else Refusal(Problem.MEDIA_TYPE)


def _bounded(receive: Receive, rule: BodyRule) -> Receive:
    """The same body, ended by `Refusal` where it grows too long or comes too slowly."""
    received = 0
    deadline: float | None = None
    is_whole = False

    async def bounded() -> Message:
        nonlocal received, deadline, is_whole
        if is_whole:  # what comes after the body is only whether the client is still there
            return await receive()
        now = asyncio.get_running_loop().time()
        deadline = now + rule.seconds_max if deadline is None else deadline
        patience = min(BODY_SILENCE_S_MAX, deadline - now)
        try:
            async with asyncio.timeout(max(0.0, patience)):
                message = await receive()
        except TimeoutError as error:
            raise Refusal(Problem.SLOW, limit=f"{rule.seconds_max:.0f}") from error
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            if received > rule.bytes_max:
                raise Refusal(Problem.TOO_LARGE, limit=str(rule.bytes_max))
            is_whole = not message.get("more_body", False)
        return message

    return bounded
