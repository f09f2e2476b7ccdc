"""Every described address under fire, over a real socket: no answer of 500, and each answer as it is described."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from threading import Thread
from typing import Any
from urllib.parse import urlencode

import httpx
import pytest
import schemathesis
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from schemathesis.checks import CheckFunction

from cellvow.api.guard import ADDRESS_BYTES_MAX
from cellvow.api.openapi import build_document
from cellvow.api.openapi_operations import OPERATIONS, Operation
from tests import messages
from tests.conftest import is_exploring
from tests.unit.api.node_site import COSE, OWNER, STATEMENTS, NodeSite

pytestmark = pytest.mark.slow

REFUSED = [400, 401, 404, 405, 409, 413, 414, 415, 429, 431]
"""Status of what does not fit the schema: an address too long is 414, which the tool would not expect."""
CONFIG = schemathesis.Config.from_dict(
    {
        "checks": {"negative_data_rejection": {"expected-statuses": REFUSED}},
        "generation": {"deterministic": not is_exploring(os.environ)},
    }
)

schemathesis.openapi.media_type("application/cose", st.binary(max_size=500))
schema = schemathesis.openapi.from_dict(build_document(), config=CONFIG)
PATHS = sorted({one.path for one in OPERATIONS})
ODD = st.sampled_from(
    ["%00", "..", "%2e%2e", "%2f", "\\", "//", "'", '"', "<script>", "%ff", "%F0%9F%94%8B", "{}", ";", "~"]
)
HEADERS = (
    "accept",
    "accept-language",
    "authorization",
    "content-type",
    "cookie",
    "host",
    "if-none-match",
    "origin",
    "range",
    "x-forwarded-for",
)


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[NodeSite]:
    """A node with a few blocks; its clock runs with every look, so that limits by time do not end the fire."""
    with NodeSite(tmp_path_factory.mktemp("fuzz")) as site:
        site.fill()
        site.writer.publish()
        site.clock.step_ms = 2_000
        yield site


@pytest.fixture(scope="module")
def address(node: NodeSite) -> Iterator[str]:
    """Its address on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(
        uvicorn.Config(node.app, log_level="critical", access_log=False, lifespan="off", http="h11")
    )
    thread = Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join()
    listener.close()


ENCODED_PATH = 200
"""What parts of the path may grow by when they are encoded."""


def excluded(case: schemathesis.Case[Any]) -> list[CheckFunction]:
    """What no schema can say: that bytes are signed (then 400 and 409 are right), how long a whole address is (414)."""
    is_too_long = len(case.path) + len(urlencode(case.query or {}, doseq=True)) >= ADDRESS_BYTES_MAX - ENCODED_PATH
    return [schemathesis.checks.positive_data_acceptance] if case.method == "POST" or is_too_long else []


@schema.parametrize()
def test_answers_are_as_described(case: schemathesis.Case[Any], address: str) -> None:
    """Arguments within the schema and beyond it: status, media type and document are those of the description."""
    case.call_and_validate(base_url=address, excluded_checks=excluded(case))


@pytest.mark.explore
@schema.parametrize()
def test_answers_to_a_member_are_as_described(case: schemathesis.Case[Any], address: str) -> None:
    """The same with the owner's key, which shows more."""
    without = [*excluded(case), schemathesis.checks.ignored_auth]
    case.call_and_validate(base_url=address, headers=dict(OWNER), excluded_checks=without)


@given(
    st.sampled_from(PATHS),
    st.lists(st.one_of(ODD, st.text(max_size=8)), max_size=4),
    st.text(max_size=20),
    st.dictionaries(st.sampled_from(HEADERS), st.binary(max_size=60), max_size=3),
)
def test_odd_paths_and_headers_are_no_error_of_ours(
    address: str, path: str, parts: list[str], query: str, headers: dict[str, bytes]
) -> None:
    """Traversal, zero bytes, broken UTF-8, anything in a header: an answer below 500, or 503 of /readyz."""
    filled = "".join(parts) if "{" not in path else path.partition("{")[0] + "".join(parts)
    target = (filled if filled.startswith("/") else path + filled).encode("utf-8", "surrogatepass")
    clean = {name: bytes(byte for byte in value if 32 <= byte != 127) for name, value in headers.items()}
    status = send_raw(address, b"GET", target + b"?" + query.encode("utf-8", "surrogatepass"), clean)

    assert 200 <= status < 500


def send_raw(address: str, method: bytes, target: bytes, headers: dict[str, bytes]) -> int:
    """Send a request as no client would, and read the status."""
    host, port = address.removeprefix("http://").split(":")
    line = method + b" " + bytes(byte for byte in target if byte > 32 and byte != 127) + b" HTTP/1.1\r\n"
    shown = {b"host": host.encode(), **{name.encode(): value for name, value in headers.items()}}
    fields = b"".join(name + b": " + value + b"\r\n" for name, value in shown.items())
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(line + fields + b"connection: close\r\n\r\n")
        return int(connection.recv(64).split(b" ", 2)[1])


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("operation", [one for one in OPERATIONS if one.method == "get"], ids=lambda one: one.path)
def test_head_says_what_get_says_without_the_body(address: str, operation: Operation, method: str) -> None:
    """Same status and kind for HEAD; a huge header or an old tag changes neither."""
    path = operation.path.format(
        height=2, gtin=messages.GTIN, serial="PACK-0001", statement="0" * 64, index=0, name="0" * 64
    )
    answer = httpx.request(method, address + path, headers={**OWNER, "if-none-match": '"old"', "x-odd": "a" * 10_000})
    plain = httpx.get(address + path, headers=OWNER)

    assert plain.status_code == answer.status_code
    assert plain.headers.get("content-type") == answer.headers.get("content-type")
    assert (method == "HEAD") is not bool(answer.content)


def test_a_header_block_without_end_is_cut_off(address: str) -> None:
    """More headers than a browser ever sends: refused, and the next request is answered."""
    statuses = [httpx.get(address + "/healthz", headers={"x-odd": "a" * 100_000}).status_code]
    statuses.append(httpx.get(address + "/healthz").status_code)

    assert [431, 200] == statuses


def test_after_the_fire_an_honest_statement_is_taken(address: str, node: NodeSite) -> None:
    """Nothing of it stands on the ledger, and the next signature counts."""
    before = httpx.get(address + "/api/v1/head").json()["height"]
    data = node.member.key.sign(messages.battery(f"01/{messages.GTIN}/21/AFTER-1")).data
    answer = httpx.post(address + STATEMENTS, content=data, headers=COSE)

    assert 200 == answer.status_code
    assert before + 1 == answer.json()["height"]
