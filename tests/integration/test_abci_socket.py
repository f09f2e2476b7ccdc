"""One validator of the real engine drives an application of ours over the socket."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import time
from collections import Counter
from contextlib import contextmanager, suppress
from queue import Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, NamedTuple, TypeAlias, TypeVar

import pytest

from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError
from cellvow.node.cometbft.answers import encode_commit, encode_header
from cellvow.node.cometbft.binary import find_engine
from cellvow.node.cometbft.messages import Commit, Header, RequestEcho, parse_message
from cellvow.node.cometbft.rpc import EngineRpc
from cellvow.node.cometbft.server import AbciServer
from cellvow.node.engine import Backpressure
from tests.unit.node.cometbft.counter import REFUSED, AbciClient, CounterApplication

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from cellvow.node.cometbft.messages import Message

pytestmark = [pytest.mark.cometbft, pytest.mark.slow]

TRANSACTIONS = 50
MEMPOOL_SIZE = 60
TRANSACTION_BYTES_MAX = 1_000
DEADLINE_S = 30.0
POLL_S = 0.02
ASKED = {"check_tx", "commit", "finalize_block", "flush", "info", "init_chain", "prepare_proposal", "process_proposal"}
"""What the engine of one validator asks by itself in its first minute."""

Found = TypeVar("Found")
Serving: TypeAlias = "tuple[RecordingServer, list[CellvowError]]"


class RecordingServer(AbciServer):
    """Remembers the kinds of requests that it answered."""

    def __init__(self, application: CounterApplication, path: Path) -> None:
        super().__init__(application, path)
        self.answered: Counter[str] = Counter()

    def answer(self, kind: str, request: Message) -> Message:
        """Count, then answer."""
        self.answered[kind] += 1
        return super().answer(kind, request)


class Member(NamedTuple):
    """A running validator: its application with server and failures, its engine's RPC and process."""

    application: CounterApplication
    server: RecordingServer
    failures: list[CellvowError]
    rpc: EngineRpc
    engine: subprocess.Popen[bytes]


def wait_for(look: Callable[[], Found | None], what: str) -> Found:
    """Look until something is there, for at most DEADLINE_S seconds."""
    deadline_s = time.monotonic() + DEADLINE_S
    pause = Event()
    while time.monotonic() < deadline_s:
        found = look()
        if found is not None:
            return found
        pause.wait(POLL_S)
    raise AssertionError(f"{what} did not happen within {DEADLINE_S:g} s")


async def echo(path: Path, text: str) -> str:
    """Return what the server echoes on a connection of our own, which the engine never asks for."""
    client = AbciClient(*await asyncio.open_unix_connection(str(path)))
    answer = await client.call(echo=RequestEcho(message=text))
    await client.close()
    returned: str = answer.echo.message
    return returned


def is_at_rest(application: CounterApplication) -> bool:
    """Whether every block decided was committed; the engine may decide one empty block after the last transaction."""
    return application.asked["finalize_block"] == application.asked["commit"]


def free_port() -> int:
    """Return a port of the loopback interface that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving_in_thread(application: CounterApplication, path: Path) -> Iterator[Serving]:
    """The application's server on an event loop of its own, and what made it fail."""
    started: Queue[tuple[RecordingServer, asyncio.AbstractEventLoop]] = Queue()
    failures: list[CellvowError] = []

    async def serve() -> None:
        server = RecordingServer(application, path)
        await server.start()
        started.put((server, asyncio.get_running_loop()))
        try:
            await server.serve_until_closed()
        except CellvowError as error:
            failures.append(error)

    thread = Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    server, loop = started.get(timeout=DEADLINE_S)
    try:
        yield server, failures
    finally:
        if not server.is_closed:
            loop.call_soon_threadsafe(server.close)
        thread.join(DEADLINE_S)


@contextmanager
def running_engine(home: Path, socket_path: Path, port: int) -> Iterator[subprocess.Popen[bytes]]:
    """The engine of one fresh validator, stopped at the end."""
    command = str(find_engine(os.environ).path)
    subprocess.run([command, "init", "--home", str(home)], check=True, capture_output=True, timeout=DEADLINE_S)
    options = [
        f"--proxy_app=unix://{socket_path}",
        f"--rpc.laddr=tcp://127.0.0.1:{port}",
        "--p2p.laddr=tcp://127.0.0.1:0",
        "--consensus.create_empty_blocks=false",
        "--log_level=error",
    ]
    environment = {
        **os.environ,
        "CMT_CONSENSUS_TIMEOUT_COMMIT": "0s",
        "CMT_MEMPOOL_SIZE": str(MEMPOOL_SIZE),
        "CMT_MEMPOOL_MAX_TX_BYTES": str(TRANSACTION_BYTES_MAX),
    }
    with (home / "engine.log").open("wb") as log:
        engine = subprocess.Popen(
            [command, "start", "--home", str(home), *options], stdout=log, stderr=log, env=environment
        )
        try:
            yield engine
        finally:
            engine.terminate()
            engine.wait(DEADLINE_S)


@pytest.fixture
def member(tmp_path: Path) -> Iterator[Member]:
    """A validator that answers its RPC."""
    application, path, port = CounterApplication(), tmp_path / "abci.sock", free_port()
    with (
        serving_in_thread(application, path) as (server, failures),
        running_engine(tmp_path / "home", path, port) as engine,
    ):
        rpc = EngineRpc(f"http://127.0.0.1:{port}")

        def answers() -> bool | None:
            try:
                return rpc.status().height >= 0 or None
            except OperationalError:
                return None

        wait_for(answers, "the engine's first answer")
        wait_for(lambda: (application.height == 1 and is_at_rest(application)) or None, "the first, empty block")
        yield Member(application, server, failures, rpc, engine)
        rpc.close()


def test_the_engine_commits_what_the_application_takes(member: Member) -> None:
    """Fifty transactions are offered and committed; every method that one validator needs is asked."""
    application, rpc = member.application, member.rpc

    offered = [rpc.broadcast_tx_sync(b"transaction %d" % number) for number in range(TRANSACTIONS)]
    wait_for(lambda: application.count == TRANSACTIONS or None, "the last commit")

    assert {0} == {one.code for one in offered}
    assert b"%d" % TRANSACTIONS == rpc.abci_query("/count", b"").value
    assert "beside the engine" == asyncio.run(echo(member.server.path, "beside the engine"))
    assert ASKED | {"echo"} == set(member.server.answered)
    assert 1 == application.asked["query"]
    assert 1 == application.asked["init_chain"]
    wait_for(lambda: is_at_rest(application) or None, "the commit of every block decided")


def test_the_engine_tells_what_it_knows_and_refuses(member: Member) -> None:
    """A duplicate, a refusal by CheckTx and a height that is not there are each told apart."""
    rpc = member.rpc

    first, again = rpc.broadcast_tx_sync(b"once"), rpc.broadcast_tx_sync(b"once")
    refused = rpc.broadcast_tx_sync(REFUSED)

    assert (0, False) == (first.code, first.already_known)
    assert again.already_known
    assert (7, "this one is always refused", False) == (refused.code, refused.log, refused.already_known)
    with pytest.raises(OperationalError, match="refused commit: height 999 must be less than or equal"):
        rpc.commit(999)


def test_a_full_mempool_and_an_oversized_transaction_are_told_apart(member: Member) -> None:
    """Where nothing is proposed the mempool fills: the sender is asked to wait; too long a transaction is his fault."""
    member.application.is_proposing = False

    assert 0 == member.rpc.broadcast_tx_sync(bytes(TRANSACTION_BYTES_MAX)).code
    with pytest.raises(Malformed, match="a transaction of 1001 bytes: Tx too large"):
        member.rpc.broadcast_tx_sync(bytes(TRANSACTION_BYTES_MAX + 1))
    for number in range(1, MEMPOOL_SIZE):
        member.rpc.broadcast_tx_sync(b"waiting %d" % number)
    assert MEMPOOL_SIZE == member.rpc.num_unconfirmed_txs().count
    with pytest.raises(Backpressure, match=r"mempool is full.*wait and send again"):
        member.rpc.broadcast_tx_sync(b"one too many")


def test_headers_commits_and_blocks_agree(member: Member) -> None:
    """The signed header, the block and the validators of one height belong together, and encode as protobuf."""
    rpc = member.rpc
    rpc.broadcast_tx_sync(b"one of a block")
    wait_for(lambda: member.application.count == 1 or None, "the first transaction's commit")
    height = next(h for h in range(1, member.application.height + 1) if rpc.block(h).transactions)

    signed, block, validators = rpc.commit(height), rpc.block(height), rpc.validators(height)
    header = parse_message(Header, encode_header(signed.header))
    commit = parse_message(Commit, encode_commit(signed.commit))

    assert block.header == signed.header
    assert (b"one of a block",) == block.transactions
    assert block.block_id == signed.commit.block_id
    assert [validators[0].address] == [entry.validator_address for entry in signed.commit.signatures]
    assert (signed.header.app_hash, height) == (header.app_hash, header.height)
    assert signed.commit.signatures[0].signature == commit.signatures[0].signature
    assert rpc.genesis().chain_id == signed.header.chain_id == rpc.status().chain_id
    assert () == rpc.peers()
    assert 0 == rpc.num_unconfirmed_txs().count


def test_an_engine_leaves_when_its_application_fails(member: Member) -> None:
    """A fault in Commit reaches the owner, the engine stops by itself, and its RPC says so in words."""
    fault = OperationalError("the disk is full: free some space, then start the member again")
    member.application.fault = fault

    with suppress(OperationalError):  # it may leave before it answers
        member.rpc.broadcast_tx_sync(b"the last straw")
    wait_for(member.engine.poll, "the engine's exit")

    wait_for(lambda: member.failures or None, "the report to the owner")
    assert [fault] == member.failures
    with pytest.raises(OperationalError, match="is the member running"):
        member.rpc.status()
