"""The witness over HTTP: what it answers, what it refuses to read, and how a log reaches it."""

from __future__ import annotations

import asyncio
import socket
from contextlib import contextmanager, suppress
from threading import Thread
from typing import TYPE_CHECKING

import httpx
import pytest
import uvicorn

from cellvow.api.witness import create_witness_app
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.publication import RESPONSE_BYTES_MAX, HttpWitness, Publisher, WitnessEndpoint
from cellvow.node.witness import Witness
from cellvow.node.witness_protocol import REQUEST_BYTES_MAX, SIZE, Response
from tests.simulation.witness_world import NORTH, NORTH_SEED, NOW_S, Log, cosign

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

LOG = Log.of_size(12)
TIMEOUT_S = 5.0
SHORT_S = 0.05


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Witness]:
    """A witness of the log."""
    made = Witness.create(tmp_path / "north", NORTH, NORTH_SEED)
    made.add_log(LOG.origin, LOG.vkey)
    yield made
    made.close()


class Client:
    """Calls the witness's application without a network."""

    def __init__(self, witness: Witness) -> None:
        self._app = create_witness_app(witness, lambda: NOW_S)

    def get(self, path: str) -> httpx.Response:
        """GET."""
        return asyncio.run(self._call("GET", path, b""))

    def post(self, path: str, content: bytes = b"") -> httpx.Response:
        """POST."""
        return asyncio.run(self._call("POST", path, content))

    async def _call(self, method: str, path: str, content: bytes) -> httpx.Response:
        transport = httpx.ASGITransport(self._app)
        async with httpx.AsyncClient(transport=transport, base_url="http://witness") as client:
            return await client.request(method, path, content=content)


@pytest.fixture
def client(witness: Witness) -> Client:
    """The witness's application."""
    return Client(witness)


def test_the_answer_over_http_is_the_witness_s(client: Client) -> None:
    """Status, content type and body pass through."""
    good = client.post("/add-checkpoint", content=LOG.request(0, 5))
    stale = client.post("/add-checkpoint", content=LOG.request(0, 9))

    assert (good.status_code, good.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert (stale.status_code, stale.headers["content-type"], stale.content) == (409, SIZE, b"5\n")


def test_a_body_of_the_limit_is_read_and_one_byte_more_is_not(client: Client) -> None:
    """The limit counts bytes received, whatever length was announced."""
    at_limit = client.post("/add-checkpoint", content=b"x" * REQUEST_BYTES_MAX)
    above = client.post("/add-checkpoint", content=b"x" * (REQUEST_BYTES_MAX + 1))

    assert (at_limit.status_code, above.status_code) == (400, 413)


def test_an_endless_body_is_cut_off(witness: Witness) -> None:
    """Not more than the limit and one piece is ever taken from a stream without a length."""
    taken = []
    piece = b"x" * 1_000

    async def receive() -> dict[str, object]:
        taken.append(len(piece))
        return {"type": "http.request", "body": piece, "more_body": True}

    sent: list[dict[str, object]] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/add-checkpoint",
        "headers": [],
        "query_string": b"",
    }
    asyncio.run(create_witness_app(witness, lambda: NOW_S)(scope, receive, send))  # type: ignore[arg-type]  # plain ASGI dictionaries

    assert sent[0]["status"] == 413
    assert sum(taken) <= REQUEST_BYTES_MAX + len(piece)


def test_other_methods_and_paths_are_refused(client: Client) -> None:
    """There are two routes and nothing else."""
    assert client.get("/add-checkpoint").status_code == 405
    assert client.post("/").status_code == 405
    for path in ("/docs", "/openapi.json", "/redoc", "/witness.key"):
        assert client.get(path).status_code == 404


def test_the_page_tells_what_the_witness_has_seen(client: Client, witness: Witness) -> None:
    """Name, key, logs, sizes and forks, as plain text."""
    empty = client.get("/").text
    assert "nothing seen yet" in empty
    assert "none seen" in empty

    client.post("/add-checkpoint", content=LOG.request(0, 5))
    client.post("/add-checkpoint", content=LOG.branch(2).request(5, 5))
    page = client.get("/")

    assert page.headers["content-type"].startswith("text/plain")
    assert page.headers["x-content-type-options"] == "nosniff"
    for part in (NORTH, witness.vkey, LOG.origin, f"5 leaves, last cosigned at {NOW_S}", "1 seen"):
        assert part in page.text
    assert LOG.note(5).decode() in page.text
    assert LOG.branch(2).note(5).decode() in page.text


def test_a_witness_of_no_log_says_so(tmp_path: Path) -> None:
    """An empty page says what is missing."""
    idle = Witness.create(tmp_path / "idle", NORTH, NORTH_SEED)
    assert "no logs are served" in Client(idle).get("/").text
    idle.close()


def test_a_store_that_failed_is_503(client: Client, witness: Witness) -> None:
    """Overload and broken storage ask the log to come back; the page says it too."""
    witness._store._failure = "the disk is full"

    answers = [client.post("/add-checkpoint", content=LOG.request(0, 5)), client.get("/")]

    assert [(answer.status_code, answer.text) for answer in answers] == [(503, "the disk is full\n")] * 2


@contextmanager
def served(witness: Witness) -> Iterator[str]:
    """The witness behind a real server on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(create_witness_app(witness, lambda: NOW_S), log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.mark.slow
def test_a_log_reaches_a_witness_over_http(witness: Witness) -> None:
    """Through sockets the published note is the same as in one process."""
    with served(witness) as url:
        port = HttpWitness(url + "/", TIMEOUT_S)
        publisher = Publisher(LOG.key, [WitnessEndpoint(witness.key, port)], LOG.prove)
        notes = [publisher.publish(LOG.note(size)).note for size in (5, 9)]

    assert notes == [LOG.note(size, [cosign(LOG.checkpoint(size))]) for size in (5, 9)]


@contextmanager
def answering(raw: bytes, *, then_hang: bool = False, for_ever: bool = False) -> Iterator[str]:
    """A server on loopback that sends `raw` to whoever connects, and may keep the line open or go on."""
    listener = socket.create_server(("127.0.0.1", 0))

    def answer() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(65_536)
            connection.sendall(raw)
            while then_hang and connection.recv(65_536):
                continue
            with suppress(OSError):
                while for_ever:
                    connection.sendall(raw)

    thread = Thread(target=answer)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        thread.join()
        listener.close()


def test_an_http_answer_is_read(witness: Witness) -> None:
    """Control: what the refused answers below differ from."""
    with answering(b"HTTP/1.1 409 Conflict\r\nContent-Type: text/x.tlog.size\r\nContent-Length: 2\r\n\r\n5\n") as url:
        assert HttpWitness(url, TIMEOUT_S).add_checkpoint(LOG.request(0, 5)) == Response(409, SIZE, b"5\n")
    assert witness.logs()[0].held is None


def test_a_redirect_is_not_followed() -> None:
    """A witness cannot send the log elsewhere."""
    raw = b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
    with answering(raw) as url:
        assert HttpWitness(url, TIMEOUT_S).add_checkpoint(b"").status == 302


def test_a_flood_is_cut_off() -> None:
    """An answer one byte beyond the limit is refused, the limit itself is read."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n\r\n"
    with answering(head + b"x" * RESPONSE_BYTES_MAX) as url:
        assert len(HttpWitness(url, TIMEOUT_S).add_checkpoint(b"").body) == RESPONSE_BYTES_MAX
    with (
        answering(head + b"x" * (RESPONSE_BYTES_MAX + 1)) as url,
        pytest.raises(OperationalError, match="longer than"),
    ):
        HttpWitness(url, TIMEOUT_S).add_checkpoint(b"")


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nab", b"SSH-2.0-x\r\n"])
def test_a_broken_answer_is_reported(raw: bytes) -> None:
    """Closed lines, half answers and other protocols are the witness's failure, not ours."""
    with answering(raw) as url, pytest.raises(OperationalError, match="cannot be reached"):
        HttpWitness(url, TIMEOUT_S).add_checkpoint(b"")


@pytest.mark.parametrize("raw", [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\nab"])
def test_a_witness_that_hangs_is_given_up(raw: bytes) -> None:
    """Wherever the answer stops coming, the log waits its time and goes on."""
    with answering(raw, then_hang=True) as url, pytest.raises(OperationalError, match="no answer within"):
        HttpWitness(url, SHORT_S).add_checkpoint(b"")


@pytest.mark.slow
def test_a_witness_that_drips_is_given_up() -> None:
    """Bytes that keep coming without ever making an answer do not stretch the time."""
    interim = b"HTTP/1.1 100 Continue\r\n\r\n"
    with answering(interim, for_ever=True) as url, pytest.raises(OperationalError, match="no answer within"):
        HttpWitness(url, SHORT_S).add_checkpoint(b"")


def test_nobody_listening_is_reported() -> None:
    """A refused connection names the host."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with pytest.raises(OperationalError, match=r"witness at 127\.0\.0\.1 cannot be reached"):
        HttpWitness(f"http://127.0.0.1:{port}", TIMEOUT_S).add_checkpoint(b"")


@pytest.mark.parametrize(
    "url",
    [
        "",
        "witness.example",
        "ftp://witness.example",
        "file:///etc/passwd",
        "http://",
        "http://witness.example?x=1",
        "http://witness.example#x",
        "http://user:secret@witness.example",
        "http://witness.example:port",
        "http://witness.example:99999",
        "http://witness.example/a b",
        "http://witness.example/a\r\nHost: x",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    """Only http and https with a host; nothing that smuggles more into the request."""
    with pytest.raises(Malformed, match="address"):
        HttpWitness(url)
