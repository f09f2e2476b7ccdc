"""Threats 14 and 15: bodies too long, too slow or never ending are given up at their limit, and nothing is kept."""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from fastapi import APIRouter, FastAPI, Request, Response

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.guard import ADDRESS_BYTES_MAX, BODY_SILENCE_S_MAX, HEADER_BYTES_MAX, BodyRule
from cellvow.api.passports import PassportPages
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.test_passports import Shelf

LIMIT = 1_000
RULE = BodyRule("POST", "/sink", LIMIT, ("text/plain",))
Receive = Callable[[], Awaitable[dict[str, Any]]]


class Sink:
    """An area that reads whatever body it is given, and remembers how much of it arrived."""

    def __init__(self) -> None:
        self.received = 0
        self.whole = 0

    def routes(self) -> APIRouter:
        """One address."""
        router = APIRouter()
        router.add_api_route("/sink", self.take, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> tuple[BodyRule, ...]:
        """Its limit."""
        return (RULE,)

    async def take(self, request: Request) -> Response:
        """Count."""
        async for chunk in request.stream():
            self.received += len(chunk)
        self.whole += 1
        return Response(b"whole")


def build(sink: Sink) -> FastAPI:
    """An application with this area."""
    access = Access(None, lambda: 0)
    return create_application(Site(access, PassportPages(Shelf(), access), (sink,)))


class _Impatient(selectors.DefaultSelector):
    """Waits for nothing: the time it was to wait has passed at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now_s = 0.0

    def select(self, timeout: float | None = None) -> Any:  # noqa: ANN401 - as the base class has it
        """What is ready now."""
        if timeout:
            self.now_s += timeout
        return super().select(0)


class FakeLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock jumps to whatever is waited for."""

    def __init__(self) -> None:
        self.selector = _Impatient()
        super().__init__(self.selector)

    def time(self) -> float:
        """Seconds passed."""
        return self.selector.now_s


class Line:
    """One request sent straight to an application, its body as `receive` gives it."""

    def __init__(self, sink: Sink, receive: Receive, headers: dict[str, str]) -> None:
        self.app = build(sink)
        self.receive = receive
        self.headers = [(name.encode(), value.encode()) for name, value in headers.items()]
        self.sent: list[dict[str, Any]] = []
        self.loop = FakeLoop()

    def run(self) -> tuple[int, float]:
        """Status, and the seconds it took."""
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "POST",
            "path": "/sink",
            "raw_path": b"/sink",
            "query_string": b"",
            "root_path": "",
            "scheme": "http",
            "headers": self.headers,
            "client": ("192.0.2.1", 1),
            "server": ("x", 80),
        }

        async def send(message: Any) -> None:  # noqa: ANN401 - a message of the protocol
            self.sent.append(message)

        try:
            self.loop.run_until_complete(self.app(scope, self.receive, send))
            return int(self.sent[0]["status"]), self.loop.time()
        finally:
            self.loop.close()

    def header(self, name: bytes) -> bytes | None:
        """A header of the answer."""
        return dict(self.sent[0]["headers"]).get(name)


def chunk(size: int, *, more: bool = True) -> dict[str, Any]:
    """A piece of a body."""
    return {"type": "http.request", "body": b"x" * size, "more_body": more}


PLAIN = {"content-type": "text/plain", "transfer-encoding": "chunked"}


def test_a_client_that_falls_silent_is_given_up() -> None:
    """One byte, and then nothing: 408 after the silence allowed, and the connection is closed."""
    first = [chunk(1)]

    async def receive() -> dict[str, Any]:
        if first:
            return first.pop()
        await asyncio.Event().wait()
        raise AssertionError

    sink = Sink()
    line = Line(sink, receive, PLAIN)
    status, seconds = line.run()

    assert (408, 0) == (status, sink.whole)
    assert BODY_SILENCE_S_MAX <= seconds <= BODY_SILENCE_S_MAX + 1
    assert b"close" == line.header(b"connection")


def test_a_body_that_drips_is_given_up_in_the_end() -> None:
    """A byte just before each silence is too long keeps nobody's connection for ever."""

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(BODY_SILENCE_S_MAX - 1)
        return chunk(1)

    sink = Sink()
    status, seconds = Line(sink, receive, PLAIN).run()

    assert (408, 0) == (status, sink.whole)
    assert seconds <= RULE.seconds_max + 1


def test_control_a_body_within_its_time_is_taken() -> None:
    """Slow, but not too slow."""
    pieces = [chunk(1, more=False), chunk(1)]

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(BODY_SILENCE_S_MAX - 1)
        return pieces.pop()

    sink = Sink()

    assert 200 == Line(sink, receive, PLAIN).run()[0]
    assert 2 == sink.received


@pytest.mark.parametrize("length", [LIMIT + 1, 2_000_000_000, 10**14])
def test_a_length_beyond_the_limit_is_refused_before_a_byte_is_read(length: int) -> None:
    """Two gigabytes announced cost one header."""

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was asked for")

    line = Line(Sink(), receive, {"content-type": "text/plain", "content-length": str(length)})

    assert 413 == line.run()[0]
    assert b"close" == line.header(b"connection")


@pytest.mark.parametrize("length", ["-1", "1e3", "0x10", "1" * 30, "", " ", "1,1"])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    """Whatever a proxy in between would make of it."""

    async def receive() -> dict[str, Any]:
        raise AssertionError("the body was asked for")

    assert 413 == Line(Sink(), receive, {"content-type": "text/plain", "content-length": length}).run()[0]


def test_a_stream_without_an_end_stops_at_the_limit() -> None:
    """Chunked, no length announced: no more is read than the limit and the piece that crosses it."""
    given = 0

    async def receive() -> dict[str, Any]:
        nonlocal given
        given += 100
        return chunk(100)

    sink = Sink()

    assert 413 == Line(sink, receive, PLAIN).run()[0]
    assert LIMIT + 100 == given
    assert (LIMIT, 0) == (sink.received, sink.whole)


def test_the_limit_itself_is_allowed() -> None:
    """At the bound, not past it."""
    client = AsgiClient(build(Sink()))

    for size, status in ((LIMIT, 200), (LIMIT + 1, 413)):
        answer = client.request("POST", "/sink", content=b"x" * size, headers={"content-type": "text/plain"})
        assert status == answer.status_code


@pytest.mark.parametrize(
    ("method", "address", "headers", "status"),
    [
        ("POST", "/sink", {"content-type": "text/html"}, 415),
        ("PUT", "/sink", {}, 405),
        ("POST", "/sink/", {}, 405),
        ("DELETE", "/", {}, 405),
        ("TRACE", "/", {}, 405),
        ("OPTIONS", "/sink", {}, 405),
        ("GET", "/" + "a" * ADDRESS_BYTES_MAX, {}, 414),
        ("GET", "/?" + "a" * ADDRESS_BYTES_MAX, {}, 414),
        ("GET", "/", {"transfer-encoding": "chunked"}, 413),
        ("GET", "/", {"content-length": "5"}, 413),
        ("GET", "/", {"x-odd": "a" * HEADER_BYTES_MAX}, 431),
    ],
)
def test_what_no_rule_allows_is_refused(method: str, address: str, headers: dict[str, str], status: int) -> None:
    """Methods, bodies and addresses beyond the rules, with the headers that every answer has."""
    client = AsgiClient(build(Sink()))
    answer = client.request(method, address, headers=headers)

    assert status == answer.status_code
    assert "nosniff" == answer.headers["x-content-type-options"]
    assert "no-referrer" == answer.headers["referrer-policy"]
