"""The engine's JSON-RPC over a WebSocket (RFC 6455): the least that a load generator and a listener need.

Both sides of every comparison are spoken to through this and nothing else.
"""

import asyncio
import base64
import json
import struct
from contextlib import suppress
from typing import Any, Self

from cellvow.core.primitives.errors import OperationalError

PATH = "/websocket"
TEXT, CLOSE, PING, PONG = 0x1, 0x8, 0x9, 0xA
ANSWER_S_MAX = 30.0
FRAME_BYTES_MAX = 64 * 1024 * 1024
"""Longest frame read: a block of 4 MB in base64 with everything that engines write beside it."""
_FINAL, _MASKED = 0x80, 0x80
_NO_MASK = b"\0\0\0\0"
"""A mask that changes nothing: clients must mask, against proxies that are not here."""
_LENGTH_16, _LENGTH_64 = 126, 127


def encode_frame(content: bytes, kind: int = TEXT) -> bytes:
    """One whole frame from a client."""
    head = bytes([_FINAL | kind])
    if len(content) < _LENGTH_16:
        return head + bytes([_MASKED | len(content)]) + _NO_MASK + content
    if len(content) < 1 << 16:
        return head + struct.pack(">BH", _MASKED | _LENGTH_16, len(content)) + _NO_MASK + content
    return head + struct.pack(">BQ", _MASKED | _LENGTH_64, len(content)) + _NO_MASK + content


def encode_call(number: int, method: str, **parameters: str) -> bytes:
    """The frame of one call; its answer carries the same number."""
    call = {"jsonrpc": "2.0", "id": number, "method": method, "params": parameters}
    return encode_frame(json.dumps(call).encode("ascii"))


def encode_offer(number: int, transaction: bytes) -> bytes:
    """The frame that offers a transaction and does not wait for what the application says of it."""
    return encode_call(number, "broadcast_tx_async", tx=base64.b64encode(transaction).decode("ascii"))


class Wire:
    """One WebSocket to one engine; `async with`."""

    def __init__(self, host: str, port: int) -> None:
        self._host = host
        self._port = port
        self._reader: asyncio.StreamReader
        self._writer: asyncio.StreamWriter

    async def __aenter__(self) -> Self:
        self._reader, self._writer = await asyncio.open_connection(self._host, self._port, limit=1 << 20)
        lines = [
            f"GET {PATH} HTTP/1.1",
            f"Host: {self._host}:{self._port}",
            "Upgrade: websocket",
            "Connection: Upgrade",
            f"Sec-WebSocket-Key: {base64.b64encode(b'cellvow benchmark').decode('ascii')[:22]}==",
            "Sec-WebSocket-Version: 13",
        ]
        self._writer.write("\r\n".join([*lines, "", ""]).encode("ascii"))
        head = await asyncio.wait_for(self._reader.readuntil(b"\r\n\r\n"), ANSWER_S_MAX)
        if b" 101 " not in head.split(b"\r\n")[0]:
            await self.__aexit__()
            raise OperationalError(f"the engine opens no WebSocket: {head[:80]!r}")
        return self

    async def __aexit__(self, *_: object) -> None:
        self._writer.close()
        with suppress(ConnectionError):  # what the engine did in the end makes no difference
            await self._writer.wait_closed()

    def send(self, frame: bytes) -> None:
        """Hand over a frame that was encoded before."""
        self._writer.write(frame)

    async def drain(self) -> None:
        """Wait until the engine has taken most of what was sent."""
        await self._writer.drain()

    async def receive(self) -> bytes:
        """The next text; pings are answered meanwhile. Raises `OperationalError` where the engine closes."""
        while True:
            kind, content = await self._read_frame()
            if kind == PING:
                self.send(encode_frame(content, PONG))
            elif kind == CLOSE:
                raise OperationalError(f"the engine closed the connection: {content[2:200]!r}")
            elif kind == TEXT:
                return content

    async def call(self, method: str, **parameters: str) -> dict[str, Any]:
        """The result of one call on a connection that nothing else is read from."""
        self.send(encode_call(0, method, **parameters))
        return read_result(await asyncio.wait_for(self.receive(), ANSWER_S_MAX))

    async def _read_frame(self) -> tuple[int, bytes]:
        try:
            first, second = await self._reader.readexactly(2)
            length = second & 0x7F
            if length == _LENGTH_16:
                (length,) = struct.unpack(">H", await self._reader.readexactly(2))
            elif length == _LENGTH_64:
                (length,) = struct.unpack(">Q", await self._reader.readexactly(8))
            if not first & _FINAL or second & _MASKED or length > FRAME_BYTES_MAX:
                raise OperationalError("the engine sent a frame in parts, masked or too long: it never does")
            return first & 0x0F, await self._reader.readexactly(length)
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise OperationalError("the engine ended the connection: see its log") from error


def read_result(answer: bytes) -> dict[str, Any]:
    """The result in an answer; raises `OperationalError` with the engine's own words where it refused."""
    document = json.loads(answer)
    if "error" in document:
        refused = document["error"]
        raise OperationalError(f"the engine refused: {refused.get('data') or refused.get('message')}")
    result: dict[str, Any] = document["result"]
    return result
