"""The WebSocket that engines are spoken to through: frames, answers, refusals."""

from __future__ import annotations

import asyncio
import json
import struct
from collections.abc import Callable, Coroutine
from contextlib import suppress

import pytest

from benchmarks.consortium_wire import CLOSE, PING, PONG, TEXT, Wire, encode_call, encode_frame, read_result
from cellvow.core.primitives.errors import OperationalError

Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Coroutine[object, object, None]]


def from_server(content: bytes, kind: int = TEXT) -> bytes:
    """A whole frame as a server sends it: without a mask."""
    length = len(content)
    if length < 126:
        return bytes([0x80 | kind, length]) + content
    if length < 1 << 16:
        return struct.pack(">BBH", 0x80 | kind, 126, length) + content
    return struct.pack(">BBQ", 0x80 | kind, 127, length) + content


async def take_frame(reader: asyncio.StreamReader) -> tuple[int, bytes]:
    """A short frame of a client: kind and content."""
    first, second = await reader.readexactly(2)
    mask = await reader.readexactly(4)

    assert (b"\0\0\0\0", 0x80) == (mask, second & 0x80)
    return first & 0x0F, await reader.readexactly(second & 0x7F)


def converse(answering: Answering, status: bytes = b"101 Switching Protocols") -> dict[str, object]:
    """What a client gets for one call from a server that answers so."""

    async def run() -> dict[str, object]:
        ended = asyncio.Event()

        async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(b"HTTP/1.1 " + status + b"\r\n\r\n")
            with suppress(asyncio.IncompleteReadError):
                await answering(reader, writer)
            writer.close()
            await writer.wait_closed()
            ended.set()

        async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
            host, port = server.sockets[0].getsockname()[:2]
            try:
                async with Wire(host, port) as wire:
                    return await wire.call("status")
            finally:
                await ended.wait()

    return asyncio.run(asyncio.wait_for(run(), 20))


@pytest.mark.parametrize("length", [0, 125, 126, 65_535, 65_536])
def test_frames_of_every_length_are_whole_and_masked(length: int) -> None:
    """The three forms of a length, at their bounds; the mask is there, as the engine requires, and changes nothing."""
    frame = encode_frame(b"x" * length)

    assert 0x81 == frame[0]
    assert 0x80 == frame[1] & 0x80
    assert frame.endswith(b"\0\0\0\0" + b"x" * length)


@pytest.mark.parametrize("length", [1, 200, 70_000])
def test_an_answer_of_any_length_is_read_after_a_ping(length: int) -> None:
    """A ping in between is answered with its own words."""
    heard: list[tuple[int, bytes]] = []

    async def answering(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await take_frame(reader))
        writer.write(from_server(b"still there?", PING))
        heard.append(await take_frame(reader))
        writer.write(from_server(json.dumps({"id": 0, "result": {"said": "y" * length}}).encode()))

    assert {"said": "y" * length} == converse(answering)
    assert "status" == json.loads(heard[0][1])["method"]
    assert (PONG, b"still there?") == heard[1]


async def _refuses(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await take_frame(reader)
    writer.write(from_server(b'{"id":0,"error":{"message":"Internal error","data":"mempool is full"}}'))


async def _closes(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await take_frame(reader)
    writer.write(from_server(b"\x03\xe8too slow", CLOSE))


async def _ends(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await take_frame(reader)


async def _fragments(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await take_frame(reader)
    writer.write(bytes([TEXT, 1]) + b"{")


@pytest.mark.parametrize(
    ("answering", "sentence"),
    [
        (_refuses, "mempool is full"),
        (_closes, "too slow"),
        (_ends, "ended the connection"),
        (_fragments, "in parts"),
    ],
)
def test_whatever_is_no_answer_ends_the_run_with_a_sentence(answering: Answering, sentence: str) -> None:
    """A benchmark that went on would count what never happened."""
    with pytest.raises(OperationalError, match=sentence):
        converse(answering)


def test_a_server_that_opens_no_websocket_is_said() -> None:
    """It is no engine."""
    with pytest.raises(OperationalError, match="no WebSocket"):
        converse(_ends, b"404 Not Found")


def test_a_call_carries_its_number_and_its_answer_is_the_result() -> None:
    """JSON-RPC 2.0."""
    call = json.loads(encode_call(7, "block", height="3").partition(b"\0\0\0\0")[2])

    assert {"jsonrpc": "2.0", "id": 7, "method": "block", "params": {"height": "3"}} == call
    assert {"height": "3"} == read_result(b'{"id":7,"result":{"height":"3"}}')
