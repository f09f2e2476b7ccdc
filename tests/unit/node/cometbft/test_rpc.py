"""The RPC client against a scripted engine: what it asks, what it makes of refusals, and what it does not wait for."""

from __future__ import annotations

import base64
import json
import socket
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.cometbft import rpc as rpc_module
from cellvow.node.cometbft.answers import Broadcast
from cellvow.node.cometbft.rpc import EngineRefusal, EngineRpc
from cellvow.node.engine import Backpressure

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

RECORDED = json.loads(Path(__file__).with_name("recorded_answers.json").read_text(encoding="utf-8"))
TAKEN = {"code": 0, "data": "", "log": "", "codespace": "", "hash": "00"}
SHORT_S = 0.2


class ScriptedEngine:
    """Answers each request with the next of its answers, over a real socket."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.connection_count = 0
        self.answers: list[bytes] = []
        self.status = 200
        engine = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                super().setup()
                engine.connection_count += 1

            def do_POST(self) -> None:
                length = int(self.headers["Content-Length"])
                engine.asked.append(json.loads(self.rfile.read(length)))
                content = engine.answers.pop(0)
                self.send_response(engine.status)
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, format: str, *_: object) -> None:  # noqa: A002 - the base class's name
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self._thread = Thread(target=self.server.serve_forever, args=(0.01,))
        self._thread.start()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.server.server_address[1]}"

    def will_answer(self, *results: object) -> None:
        """Answer with these results, in order."""
        self.answers += [json.dumps({"jsonrpc": "2.0", "id": 1, "result": result}).encode() for result in results]

    def will_refuse(self, reason: str) -> None:
        """Answer as the engine does when it declines: status 500, and the reason in the body."""
        self.status = 500
        error = {"code": -32603, "message": "Internal error", "data": reason}
        self.answers.append(json.dumps({"jsonrpc": "2.0", "id": 1, "error": error}).encode())

    def stop(self) -> None:
        """Answer no more."""
        self.server.shutdown()
        self.server.server_close()
        self._thread.join()


@pytest.fixture
def engine() -> Iterator[ScriptedEngine]:
    """A scripted engine."""
    made = ScriptedEngine()
    yield made
    made.stop()


@pytest.fixture
def rpc(engine: ScriptedEngine) -> Iterator[EngineRpc]:
    """A client of the scripted engine."""
    made = EngineRpc(engine.url)
    yield made
    made.close()


def validators_page(count: int, total: int) -> dict[str, object]:
    """Return a page of the validator set of height 5."""
    (one,) = RECORDED["validators"]["validators"]
    return {"block_height": "5", "validators": [one] * count, "count": str(count), "total": str(total)}


def test_a_transaction_is_offered_in_base64(engine: ScriptedEngine, rpc: EngineRpc) -> None:
    """The engine's JSON-RPC takes bytes in base64; code and log of CheckTx come back."""
    engine.will_answer({**TAKEN, "code": 7, "log": "stale"})

    assert Broadcast(7, "stale") == rpc.broadcast_tx_sync(b"\x00\xff")
    assert ("broadcast_tx_sync", base64.b64encode(b"\x00\xff").decode()) == (
        engine.asked[0]["method"],
        engine.asked[0]["params"]["tx"],
    )


def test_a_duplicate_is_known_and_no_error(engine: ScriptedEngine, rpc: EngineRpc) -> None:
    """The engine answers 500 for bytes that it has seen before."""
    engine.will_refuse("tx already exists in cache")

    assert Broadcast(0, "tx already exists in cache", already_known=True) == rpc.broadcast_tx_sync(b"again")


@pytest.mark.parametrize(
    ("reason", "family", "sentence"),
    [
        ("mempool is full: number of txs 5000 (max: 5000)", Backpressure, "wait and send again"),
        ("Tx too large. Max size is 1048576, but got 2000000", Malformed, "a transaction of 3 bytes: Tx too large"),
        ("error reading request body: http: request body too large", Malformed, "body too large"),
        ("something else", EngineRefusal, "the engine refused broadcast_tx_sync: something else"),
    ],
)
def test_a_refused_transaction_says_whose_fault_it_is(
    engine: ScriptedEngine, rpc: EngineRpc, reason: str, family: type[Exception], sentence: str
) -> None:
    """Overload asks to wait, an oversized transaction to mend it, anything else is the surroundings'."""
    engine.will_refuse(reason)

    with pytest.raises(family, match=sentence):
        rpc.broadcast_tx_sync(b"one")


CALLS: list[tuple[Callable[[EngineRpc], object], str, dict[str, str], str]] = [
    (lambda rpc: rpc.status().height, "status", {}, "status"),
    (lambda rpc: rpc.commit().header.height, "commit", {}, "commit 2"),
    (lambda rpc: rpc.commit(2).header.height, "commit", {"height": "2"}, "commit 2"),
    (lambda rpc: rpc.block(4).header.height, "block", {"height": "4"}, "block 4"),
    (lambda rpc: rpc.genesis().chain_id, "genesis", {}, "genesis"),
    (lambda rpc: rpc.peers(), "net_info", {}, "net_info"),
    (lambda rpc: rpc.num_unconfirmed_txs().count, "num_unconfirmed_txs", {}, "num_unconfirmed_txs"),
    (lambda rpc: rpc.abci_query("/x", b"\x0a").value, "abci_query", {"path": "/x", "data": "0a"}, "abci_query"),
]


@pytest.mark.parametrize(("call", "method", "parameters", "answer"), CALLS)
def test_each_call_asks_its_method(
    engine: ScriptedEngine,
    rpc: EngineRpc,
    call: Callable[[EngineRpc], object],
    method: str,
    parameters: dict[str, str],
    answer: str,
) -> None:
    """Method and parameters are the engine's; heights are strings."""
    engine.will_answer(RECORDED[answer])

    call(rpc)

    assert (method, parameters) == (engine.asked[0]["method"], engine.asked[0]["params"])


def test_all_pages_of_validators_are_read_at_one_height(engine: ScriptedEngine, rpc: EngineRpc) -> None:
    """The engine gives at most a hundred at once; later pages ask for the height of the first."""
    engine.will_answer(validators_page(100, 201), validators_page(100, 201), validators_page(1, 201))

    assert 201 == len(rpc.validators())
    assert [("1", None), ("2", "5"), ("3", "5")] == [
        (one["params"]["page"], one["params"].get("height")) for one in engine.asked
    ]


@pytest.mark.parametrize(("count", "total"), [(0, 1), (3, 2), (1, 150), (100, 10_001)])
def test_pages_that_do_not_add_up_are_refused(engine: ScriptedEngine, rpc: EngineRpc, count: int, total: int) -> None:
    """An engine that never reaches its own total is not asked for ever."""
    engine.will_answer(validators_page(count, total))

    with pytest.raises(OperationalError, match=f"{count} validators on page 1 of {total}"):
        rpc.validators()


def test_one_connection_serves_many_calls(engine: ScriptedEngine, rpc: EngineRpc) -> None:
    """A connection that is in order is kept for the next call."""
    engine.will_answer(*[RECORDED["status"]] * 5)

    assert [5] * 5 == [rpc.status().height for _ in range(5)]
    assert 1 == engine.connection_count


def test_a_restarted_engine_is_reached_again(engine: ScriptedEngine, rpc: EngineRpc) -> None:
    """A kept connection that the engine has closed in the meantime is no failure."""
    engine.will_answer(RECORDED["status"], RECORDED["status"])
    rpc.status()
    (kept,) = rpc._idle
    kept.sock.shutdown(socket.SHUT_RDWR)

    assert 5 == rpc.status().height
    assert 2 == engine.connection_count


def test_an_engine_that_is_not_there_is_named() -> None:
    """The error says where it was looked for, and what to ask oneself."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(OperationalError, match=f"127.0.0.1:{port} cannot be reached: .*is the member running"):
        EngineRpc(f"http://127.0.0.1:{port}").status()


def test_an_engine_that_does_not_answer_is_not_waited_for() -> None:
    """A listener that stays silent costs the time limit and no more."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        rpc = EngineRpc(f"http://127.0.0.1:{silent.getsockname()[1]}", timeout_s=SHORT_S)
        with pytest.raises(OperationalError, match=r"no answer within 0\.2 s"):
            rpc.status()


def test_an_answer_that_is_too_long_is_not_read(
    engine: ScriptedEngine, rpc: EngineRpc, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the bound it is read; one byte more is refused."""
    engine.will_answer(RECORDED["status"], RECORDED["status"])
    monkeypatch.setattr(rpc_module, "ANSWER_BYTES_MAX", len(engine.answers[0]))
    assert 5 == rpc.status().height

    monkeypatch.setattr(rpc_module, "ANSWER_BYTES_MAX", len(engine.answers[0]) - 1)
    with pytest.raises(OperationalError, match="answers more than"):
        rpc.status()


@pytest.mark.parametrize("content", [b"", b"<html>", b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_no_json_is_refused(engine: ScriptedEngine, rpc: EngineRpc, content: bytes) -> None:
    """Something else may listen at that port."""
    engine.answers.append(content)

    with pytest.raises(OperationalError, match="answered no JSON"):
        rpc.status()


def test_an_answer_without_a_result_is_refused(engine: ScriptedEngine, rpc: EngineRpc) -> None:
    """JSON that is no answer of the engine is said to be none."""
    engine.answers.append(b"[1]")

    with pytest.raises(OperationalError, match="status has no 'result'"):
        rpc.status()


@pytest.mark.parametrize(
    "url",
    [
        "127.0.0.1:26657",
        "https://127.0.0.1:26657",
        "http://127.0.0.1",
        "http://127.0.0.1:0",
        "http://127.0.0.1:99999",
        "http://user@127.0.0.1:26657",
        "http://127.0.0.1:26657/path",
        "http://127.0.0.1:26657?x",
        "http://a b:1",
        "http://[::1:1",
    ],
)
def test_only_host_and_port_are_an_address(url: str) -> None:
    """Anything more would be ignored in silence."""
    with pytest.raises(Malformed, match="is not http://host:port"):
        EngineRpc(url)


def test_an_address_may_be_of_version_six() -> None:
    """Brackets around the host, as URLs write it."""
    with pytest.raises(OperationalError, match="cannot be reached"):
        EngineRpc("http://[::1]:1").status()
