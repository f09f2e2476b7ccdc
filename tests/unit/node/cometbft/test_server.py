"""The ABCI socket: framing, order, who is closed for what, and what stops the member."""

from __future__ import annotations

import asyncio
import socket
import stat
from threading import Event
from typing import TYPE_CHECKING, NoReturn

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import CellvowError, InvariantBroken, Malformed, OperationalError
from cellvow.node.cometbft import messages as abci
from cellvow.node.cometbft.server import FRAME_BYTES_MAX, AbciServer, FrameReader, encode_frame
from tests.unit.node.cometbft.counter import REFUSED, TIMEOUT_S, CounterApplication, frames, serving

if TYPE_CHECKING:
    from pathlib import Path

    from cellvow.node.cometbft.messages import Message

FLUSH = abci.Request(flush=abci.RequestFlush())
CHECK = abci.Request(check_tx=abci.RequestCheckTx(tx=b"one"))
REFUSED_CHECK = abci.Request(check_tx=abci.RequestCheckTx(tx=REFUSED))
QUERY = abci.Request(query=abci.RequestQuery(data=b"count"))
COMMIT = abci.Request(commit=abci.RequestCommit())
INFO = abci.Request(info=abci.RequestInfo(version="0.38.25"))


def read_all(reader: FrameReader, chunk: bytes) -> list[bytes]:
    """Return the frames complete after the chunk."""
    reader.feed(chunk)
    found = []
    while (frame := reader.next_frame()) is not None:
        found.append(frame)
    return found


class SlowQuery(CounterApplication):
    """Answers a query when told to."""

    def __init__(self) -> None:
        super().__init__()
        self.may_answer = Event()

    def query(self, request: Message, /) -> Message:
        """Wait, then answer."""
        assert self.may_answer.wait(TIMEOUT_S)
        return super().query(request)


class Faulty(CounterApplication):
    """Raises what it is given at Commit and at Query."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def commit(self, _: Message, /) -> NoReturn:
        """Fail."""
        raise self.error

    def query(self, _: Message, /) -> NoReturn:
        """Fail."""
        raise self.error


class WrongAnswer(CounterApplication):
    """Answers Commit with another method's message."""

    def commit(self, _: Message, /) -> Message:
        """Answer something else."""
        return abci.ResponseEcho(message="not a commit")


def test_a_frame_is_found_wherever_the_stream_is_split() -> None:
    """Three frames, one of them with a length of two bytes, come out the same for every split in two."""
    contents = [b"a", b"b" * 200, b""]
    stream = b"\x01a" + b"\xc8\x01" + b"b" * 200 + b"\x00"

    for at in range(len(stream) + 1):
        reader = FrameReader()
        assert contents == read_all(reader, stream[:at]) + read_all(reader, stream[at:])


@pytest.mark.slow
@given(st.lists(st.binary(max_size=300), max_size=8), st.data())
def test_frames_survive_any_splitting(contents: list[bytes], draw: st.DataObject) -> None:
    """However the stream is cut, the frames come out whole and in order."""
    requests = [abci.Request(check_tx=abci.RequestCheckTx(tx=content)) for content in contents]
    stream, reader = frames(requests), FrameReader()
    cuts = sorted(draw.draw(st.lists(st.integers(0, len(stream)), max_size=12)))
    pieces = [stream[start:end] for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True)]

    found = [frame for piece in pieces for frame in read_all(reader, piece)]

    assert [request.SerializeToString() for request in requests] == found


def test_a_frame_of_the_longest_length_is_read_and_one_more_byte_refused() -> None:
    """The bound holds for the announced length, before any of the content is there."""
    assert [b"x" * 130] == read_all(FrameReader(130), b"\x82\x01" + b"x" * 130)
    with pytest.raises(Malformed, match="at least 131 bytes; 130 are allowed"):
        read_all(FrameReader(130), b"\x83\x01")
    with pytest.raises(Malformed, match=f"{FRAME_BYTES_MAX} are allowed"):
        read_all(FrameReader(), b"\x81\x80\x80\x0b")
    assert [] == read_all(FrameReader(), b"\x80\x80\x80\x0a")


def test_a_length_that_never_ends_is_refused() -> None:
    """Continuation bytes without a value are no length."""
    assert [] == read_all(FrameReader(), b"\x80\x80\x80\x80")
    with pytest.raises(Malformed, match="more than 5 bytes"):
        read_all(FrameReader(), b"\x80\x80\x80\x80\x80")


def test_every_method_is_answered_by_its_own_response(tmp_path: Path) -> None:
    """Each of the sixteen requests reaches the application's method and gets the response of its name."""
    kinds = [field.name for field in abci.POOL.FindMessageTypeByName("tendermint.abci.Request").fields]
    application = CounterApplication()

    async def ask_all() -> list[str | None]:
        async with serving(application, tmp_path) as site:
            client = await site.connect()
            await client.send(frames(abci.Request(**{kind: {}}) for kind in kinds))
            return await client.kinds(len(kinds))

    assert kinds == asyncio.run(ask_all())
    assert {kind: 1 for kind in kinds if kind not in ("echo", "flush")} == dict(application.asked)


def test_answers_come_back_from_single_bytes(tmp_path: Path) -> None:
    """A request that arrives byte by byte is answered once, with its fields."""

    async def trickle() -> list[Message | None]:
        async with serving(CounterApplication(), tmp_path) as site:
            client = await site.connect()
            echo = encode_frame(abci.Request(echo=abci.RequestEcho(message="hello")))
            await client.send(*[bytes([byte]) for byte in echo + encode_frame(REFUSED_CHECK)])
            return [await client.receive(), await client.receive()]

    echoed, checked = asyncio.run(trickle())
    assert echoed is not None
    assert checked is not None
    assert "hello" == echoed.echo.message
    assert (7, "this one is always refused") == (checked.check_tx.code, checked.check_tx.log)


@pytest.mark.slow
def test_a_thousand_requests_in_one_write_are_answered_in_order(tmp_path: Path) -> None:
    """Order holds across many reads, a query in between included."""
    asked = [CHECK, QUERY, FLUSH, REFUSED_CHECK] * 250

    async def flood() -> list[str | None]:
        async with serving(CounterApplication(), tmp_path) as site:
            client = await site.connect()
            sending = asyncio.create_task(client.send(frames(asked)))
            answers = await client.kinds(len(asked))
            await sending
            return answers

    assert [request.WhichOneof("value") for request in asked] == asyncio.run(flood())


def test_a_slow_query_holds_its_own_connection_only(tmp_path: Path) -> None:
    """While a query waits, consensus is answered; what follows the query on its connection keeps its place."""
    application = SlowQuery()

    async def ask_both() -> tuple[str | None, list[str | None]]:
        async with serving(application, tmp_path) as site:
            asking, consensus = await site.connect(), await site.connect()
            await asking.send(frames([QUERY, FLUSH, INFO]))
            committed = await consensus.call(commit=abci.RequestCommit())
            application.may_answer.set()
            return committed.WhichOneof("value"), await asking.kinds(3)

    assert ("commit", ["query", "flush", "info"]) == asyncio.run(ask_both())


def test_a_query_whose_asker_left_is_forgotten(tmp_path: Path) -> None:
    """The connection may close before the answer is there; others go on."""
    application = SlowQuery()

    async def leave_and_return() -> str | None:
        async with serving(application, tmp_path) as site:
            leaving, staying = await site.connect(), await site.connect()
            await leaving.send(encode_frame(QUERY))
            await staying.call(flush=abci.RequestFlush())
            await leaving.close()
            application.may_answer.set()
            return (await staying.call(query=abci.RequestQuery())).WhichOneof("value")

    assert "query" == asyncio.run(leave_and_return())


@pytest.mark.parametrize(
    ("written", "sentence"),
    [
        (b"\x03\x42\x04\x0a", "3 bytes that are no message"),
        (b"\x00", "none of ABCI 2.0"),
        (b"\x03\xaa\x01\x00", "none of ABCI 2.0"),
        (b"\x81\x80\x80\x0b", "are allowed"),
        (b"GET / HTTP/1.1\r\n" * 8, "no message of the expected kind"),
    ],
)
def test_malformed_bytes_close_their_own_connection_only(tmp_path: Path, written: bytes, sentence: str) -> None:
    """What came before is answered, the connection is closed, the owner told why, and the others go on."""

    async def attack() -> tuple[list[str | None], str | None, list[str]]:
        async with serving(CounterApplication(), tmp_path) as site:
            attacker, engine = await site.connect(), await site.connect()
            await attacker.send(encode_frame(FLUSH) + written)
            answers = await attacker.kinds(2)
            other = (await engine.call(info=abci.RequestInfo())).WhichOneof("value")
            return answers, other, [str(refusal) for refusal in site.refusals]

    answers, other, refusals = asyncio.run(attack())
    assert ["flush", None] == answers
    assert "info" == other
    assert 1 == len(refusals)
    assert sentence in refusals[0]


@pytest.mark.parametrize("request_", [COMMIT, QUERY], ids=["commit", "query"])
def test_a_fault_of_ours_is_told_to_the_engine_and_stops_the_member(tmp_path: Path, request_: Message) -> None:
    """The engine gets the sentence as an exception, what it asked before is answered, and the owner gets the error."""
    fault = OperationalError("the disk is full: free some space, then start the member again")

    async def fail() -> tuple[list[Message | None], CellvowError | None, bool]:
        async with serving(Faulty(fault), tmp_path) as site:
            engine = await site.connect()
            await engine.send(frames([FLUSH, request_, FLUSH]))
            answers = [await engine.receive() for _ in range(3)]
            raised = None
            try:
                await asyncio.wait_for(site.server.serve_until_closed(), TIMEOUT_S)
            except CellvowError as error:
                raised = error
            return answers, raised, site.server.path.exists()

    (flushed, refused, after), raised, is_left = asyncio.run(fail())
    assert flushed is not None
    assert refused is not None
    assert "flush" == flushed.WhichOneof("value")
    assert str(fault) == refused.exception.error
    assert after is None
    assert fault is raised
    assert not is_left


@pytest.mark.filterwarnings("default")
@pytest.mark.parametrize("request_", [COMMIT, QUERY], ids=["commit", "query"])
def test_a_bug_in_the_application_stops_the_member_too(tmp_path: Path, request_: Message) -> None:
    """An error of no family of ours is no reason to go on."""
    fault = ZeroDivisionError("a bug")

    async def fail() -> None:
        async with serving(Faulty(fault), tmp_path) as site:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            await (await site.connect()).send(encode_frame(request_))
            await asyncio.wait_for(site.server.serve_until_closed(), TIMEOUT_S)

    with pytest.raises(ZeroDivisionError, match="a bug"):
        asyncio.run(fail())


def test_an_answer_of_another_kind_stops_the_member(tmp_path: Path) -> None:
    """An application that answers Commit with an echo is broken: the engine must not see it."""

    async def fail() -> None:
        async with serving(WrongAnswer(), tmp_path) as site:
            asyncio.get_running_loop().set_exception_handler(lambda *_: None)
            await (await site.connect()).send(encode_frame(COMMIT))
            await asyncio.wait_for(site.server.serve_until_closed(), TIMEOUT_S)

    with pytest.raises(TypeError):
        asyncio.run(fail())


def test_a_closed_server_raises_nothing_and_leaves_no_socket(tmp_path: Path) -> None:
    """Closing on request is no failure; the engine sees its connections end."""

    async def stop() -> tuple[Message | None, bool, BaseException | None]:
        async with serving(CounterApplication(), tmp_path) as site:
            engine = await site.connect()
            await engine.call(flush=abci.RequestFlush())
            assert 1 == site.server.connection_count
            site.server.close()
            await asyncio.wait_for(site.server.serve_until_closed(), TIMEOUT_S)
            return await engine.receive(), site.server.path.exists(), site.server.failure

    assert (None, False, None) == asyncio.run(stop())


def test_a_new_engine_may_connect_after_the_old_one_died(tmp_path: Path) -> None:
    """Closed connections are forgotten and change nothing for the next."""

    async def reconnect() -> str | None:
        async with serving(CounterApplication(), tmp_path) as site:
            old = await site.connect()
            await old.call(flush=abci.RequestFlush())
            await old.close()
            return (await (await site.connect()).call(info=abci.RequestInfo())).WhichOneof("value")

    assert "info" == asyncio.run(reconnect())


def test_the_socket_is_for_its_owner_only(tmp_path: Path) -> None:
    """No other user of the machine may speak to the application."""

    async def rights() -> int:
        async with serving(CounterApplication(), tmp_path) as site:
            return stat.S_IMODE(site.server.path.stat().st_mode)

    assert 0o600 == asyncio.run(rights())


def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    """After a crash the file is still there, and nobody behind it."""
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(tmp_path / "abci.sock"))

    async def ask() -> str | None:
        async with serving(CounterApplication(), tmp_path) as site:
            return (await (await site.connect()).call(flush=abci.RequestFlush())).WhichOneof("value")

    assert "flush" == asyncio.run(ask())


def test_a_second_application_on_the_same_socket_is_refused(tmp_path: Path) -> None:
    """Two applications of one member would drift apart; the first keeps serving."""

    async def start_twice() -> str | None:
        async with serving(CounterApplication(), tmp_path) as site:
            second = AbciServer(CounterApplication(), site.server.path)
            with pytest.raises(OperationalError, match="stop it first"):
                await second.start()
            second.close()
            return (await (await site.connect()).call(flush=abci.RequestFlush())).WhichOneof("value")

    assert "flush" == asyncio.run(start_twice())


@pytest.mark.parametrize(("name", "sentence"), [("x" * 120, "shorter path"), ("absent/abci.sock", "cannot be made")])
def test_a_socket_that_cannot_be_made_is_explained(tmp_path: Path, name: str, sentence: str) -> None:
    """A path too long for the system and a folder that is not there are said in words."""

    async def start() -> None:
        server = AbciServer(CounterApplication(), tmp_path / name)
        try:
            await server.start()
        finally:
            server.close()

    with pytest.raises(OperationalError, match=sentence):
        asyncio.run(start())


def test_the_first_failure_is_the_one_reported(tmp_path: Path) -> None:
    """What fails on the way down does not hide why."""

    async def fail_twice() -> BaseException | None:
        async with serving(CounterApplication(), tmp_path) as site:
            site.server.fail(InvariantBroken("first"))
            site.server.fail(InvariantBroken("second"))
            return site.server.failure

    assert "first" == str(asyncio.run(fail_twice()))
