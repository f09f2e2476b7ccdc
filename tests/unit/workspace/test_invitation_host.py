"""The site behind a link, as a partner's program asks it: that host alone, no redirect, bounded, never trusted."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.workspace.invitation_host import ANSWER_BYTES_MAX, InvitationHost, NotTaken, parse_link

if TYPE_CHECKING:
    from collections.abc import Iterator

TOKEN = "t" * 43


@contextmanager
def answering(
    status: int, body: bytes = b"", headers: dict[str, str] | None = None
) -> Iterator[tuple[InvitationHost, list[str]]]:
    """A site on this machine that always answers the same, and what it was asked."""
    asked: list[str] = []

    class Always(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.command} {self.path}")
            self.send_response(status)
            for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.do_GET()

        def log_message(self, *_: object) -> None:
            """Nothing."""

    server = HTTPServer(("127.0.0.1", 0), Always)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield InvitationHost(parse_link(f"http://127.0.0.1:{server.server_port}/invite/{TOKEN}")), asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "nonsense",
        f"ftp://host.example/invite/{TOKEN}",
        f"file:///invite/{TOKEN}",
        f"http://user@host.example/invite/{TOKEN}",
        f"http://host.example@other.example/invite/{TOKEN}",
        f"http://host.example/invite/{TOKEN}?next=1",
        f"http://host.example/invite/{TOKEN}#x",
        f"http://host.example/invite/{TOKEN}/x",
        f"http://host.example/other/invite/{TOKEN}",
        f"http://host.example/invite/{TOKEN[:-1]}",
        f"http://host.example:99999/invite/{TOKEN}",
        f"http://host.example\\@other.example/invite/{TOKEN}",
        f"http://[::1/invite/{TOKEN}",
    ],
)
def test_what_is_no_link_is_refused_and_not_repeated(text: str) -> None:
    """The message would stand in a terminal, and in what people copy from it."""
    with pytest.raises(Malformed) as refused:
        parse_link(text)

    assert TOKEN[:-1] not in str(refused.value)


@pytest.mark.parametrize("site", ["http://127.0.0.1:8000", "https://passports.example", "http://[::1]:80"])
def test_a_link_is_its_site_and_a_token_that_is_not_shown(site: str) -> None:
    """Neither in the site's name nor when printed."""
    link = parse_link(f"{site}/invite/{TOKEN}")

    assert TOKEN == link.token
    assert TOKEN not in repr(link) + link.site


def test_threat_the_host_sends_on_to_another_address() -> None:
    """Not followed, whichever redirect it is: exactly one request was made, and to it."""
    for status in (301, 302, 303, 307, 308):
        with answering(status, headers={"Location": "http://169.254.169.254/"}) as (host, asked):
            with pytest.raises(OperationalError, match="not followed"):
                host.fetch()

            assert [f"GET /invite/{TOKEN}"] == asked


def test_threat_the_host_answers_without_end() -> None:
    """One byte past the bound is refused; at the bound it is read, and is no invitation."""
    with answering(200, b" " * (ANSWER_BYTES_MAX + 1)) as (host, _), pytest.raises(OperationalError, match="longer"):
        host.fetch()
    with answering(200, b" " * ANSWER_BYTES_MAX) as (host, _), pytest.raises(Malformed, match="no invitation"):
        host.fetch()


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b"\xff", b'{"format":"cellvow-record-invitation/2"}', b"[" * 9_000]
)
def test_threat_the_host_answers_something_else(body: bytes) -> None:
    """No invitation, for an invitation; and nothing that says what became of a statement."""
    with answering(200, body) as (host, _):
        with pytest.raises(Malformed):
            host.fetch()
        with pytest.raises(Malformed):
            host.submit(b"statement")


def test_a_link_that_ended_says_whom_to_ask() -> None:
    """404."""
    with answering(404) as (host, _), pytest.raises(OperationalError, match="ask who invited you"):
        host.fetch()


def test_a_host_that_takes_no_statements_leaves_them_waiting() -> None:
    """It is no refusal for good; a conflict is, with the host's reason."""
    with answering(405) as (host, _):
        with pytest.raises(OperationalError, match="serve --accept") as kept:
            host.submit(b"statement")
        assert not isinstance(kept.value, NotTaken)
    body = b'{"detail":"the key is not in force"}'
    with answering(409, body) as (host, _), pytest.raises(NotTaken, match="not in force"):
        host.submit(b"statement")


def test_a_host_that_is_not_there_is_named_without_the_token() -> None:
    """So that the message can be passed on."""
    with answering(200) as (host, _):
        gone = host
    with pytest.raises(OperationalError, match=r"127\.0\.0\.1") as refused:
        gone.fetch()

    assert TOKEN not in str(refused.value)
