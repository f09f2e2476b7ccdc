"""The engine's RPC: JSON-RPC 2.0 over HTTP, with bounded answers and bounded patience."""

import base64
import http.client
import json
import time
from collections import deque
from contextlib import suppress
from urllib.parse import urlsplit

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.cometbft.answers import (
    Answer,
    Backlog,
    Block,
    Broadcast,
    Genesis,
    Peer,
    Queried,
    SignedHeader,
    Status,
    Validator,
    read_backlog,
    read_block,
    read_genesis,
    read_peers,
    read_queried,
    read_signed_header,
    read_status,
    read_validator,
)
from cellvow.node.engine import Backpressure

ANSWER_BYTES_MAX = 32 * 1024 * 1024
"""Longest answer read: a block of the engine's default size (21 MiB) in base64, and some room."""
TIMEOUT_S = 10.0
"""For each step of a call, and for the whole body of its answer; a sound engine needs milliseconds."""
VALIDATORS_PER_PAGE = 100
"""The engine's own bound."""
VALIDATORS_MAX = 10_000
"""The engine's own bound on a set of validators."""
IDLE_CONNECTIONS_MAX = 8
"""Connections kept open for the next calls."""

_CHUNK_BYTES = 65_536
_ALREADY_KNOWN = "tx already exists in cache"
_IS_FULL = "mempool is full"
_TOO_LARGE = ("Tx too large", "request body too large")


class EngineRefusal(OperationalError):
    """The engine was reached and said no; `reason` is its own sentence."""

    def __init__(self, method: str, reason: str) -> None:
        super().__init__(f"the engine refused {method}: {reason}")
        self.reason = reason


class EngineRpc:
    """Calls one member's engine; may be used from several threads.

    Every call raises `OperationalError` where the engine cannot be reached, does not answer within `timeout_s`
    (seconds), or answers what cannot be read, and `EngineRefusal` where it declines.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        """`url` is `http://host:port`, or `Malformed`."""
        self._host, self._port = _split_address(url)
        self._timeout_s = timeout_s
        self._idle: deque[http.client.HTTPConnection] = deque(maxlen=IDLE_CONNECTIONS_MAX)

    def status(self) -> Status:
        """How far this member is."""
        return read_status(self._call("status"))

    def broadcast_tx_sync(self, transaction: bytes) -> Broadcast:
        """Offer a transaction to the mempool and return what CheckTx said of it.

        Raises `Backpressure` where the mempool is full, `Malformed` for a transaction larger than the engine takes.
        After any other error it may have been taken all the same: offering it again does no harm.
        """
        try:
            answer = self._call("broadcast_tx_sync", tx=base64.b64encode(transaction).decode("ascii"))
        except EngineRefusal as refusal:
            if _ALREADY_KNOWN in refusal.reason:
                return Broadcast(0, refusal.reason, already_known=True)
            if _IS_FULL in refusal.reason:
                raise Backpressure(f"{refusal.reason}: wait and send again") from refusal
            if any(words in refusal.reason for words in _TOO_LARGE):
                raise Malformed(f"a transaction of {len(transaction)} bytes: {refusal.reason}") from refusal
            raise
        return Broadcast(answer.at("code").integer(), answer.at("log").text())

    def commit(self, height: int | None = None) -> SignedHeader:
        """The header of a height, the newest if None, with the commit for it."""
        return read_signed_header(self._call("commit", **_at(height)))

    def validators(self, height: int | None = None) -> tuple[Validator, ...]:
        """The whole set of validators of a height, the newest if None, in the engine's order."""
        found: list[Validator] = []
        while True:
            page = len(found) // VALIDATORS_PER_PAGE + 1
            answer = self._call("validators", page=str(page), per_page=str(VALIDATORS_PER_PAGE), **_at(height))
            # Later pages are of the same set, though a block came meanwhile.
            height = answer.at("block_height").integer()
            total, entries = answer.at("total").integer(), answer.at("validators").each()
            found.extend(read_validator(entry) for entry in entries)
            if len(found) == total:
                return tuple(found)
            if len(entries) != VALIDATORS_PER_PAGE or not len(found) < total <= VALIDATORS_MAX:
                raise answer.unreadable(f"has {len(entries)} validators on page {page} of {total} in all")

    def block(self, height: int | None = None) -> Block:
        """The block of a height, the newest if None."""
        return read_block(self._call("block", **_at(height)))

    def genesis(self) -> Genesis:
        """What the chain began with; refused by the engine where it is larger than 16 MB."""
        return read_genesis(self._call("genesis"))

    def peers(self) -> tuple[Peer, ...]:
        """The engines connected with this one (the engine's `net_info`)."""
        return read_peers(self._call("net_info"))

    def abci_query(self, path: str, content: bytes) -> Queried:
        """Ask the application behind this engine."""
        return read_queried(self._call("abci_query", path=path, data=content.hex()))

    def num_unconfirmed_txs(self) -> Backlog:
        """How much waits in the mempool."""
        return read_backlog(self._call("num_unconfirmed_txs"))

    def close(self) -> None:
        """Close the connections kept open; the next call opens another."""
        while self._idle:
            self._idle.pop().close()

    def _call(self, method: str, **parameters: str) -> Answer:
        """The result of one call."""
        request = {"jsonrpc": "2.0", "id": 1, "method": method, "params": parameters}
        content = self._post(json.dumps(request).encode("utf-8"))
        try:
            answer = Answer(json.loads(content), method)
        except (ValueError, RecursionError) as error:
            start = content[:80].decode("ascii", "replace")
            raise OperationalError(f"the engine at {self._place} answered no JSON: {start!r}") from error
        # A refusal has the status 500 and its reason in the body, so that the status says nothing.
        if answer.may_hold("error"):
            refused = answer.at("error")
            reason = refused.at("data" if refused.may_hold("data") else "message").text()
            raise EngineRefusal(method, reason)
        return answer.at("result")

    @property
    def _place(self) -> str:
        return f"{self._host}:{self._port}"

    def _post(self, body: bytes) -> bytes:
        """The body of the answer to one request, over a connection kept open if there is one."""
        try:
            with suppress(IndexError):
                kept = self._idle.pop()
                # The engine closes what idles too long: that shows only now, and says nothing about the engine.
                with suppress(ConnectionError):
                    return self._exchange(kept, body)
            return self._exchange(http.client.HTTPConnection(self._host, self._port, timeout=self._timeout_s), body)
        except (OSError, http.client.HTTPException) as error:
            is_late = isinstance(error, TimeoutError)
            reason = f"no answer within {self._timeout_s:g} s" if is_late else str(error) or type(error).__name__
            raise OperationalError(
                f"the engine at {self._place} cannot be reached: {reason}; is the member running?"
            ) from error

    def _exchange(self, connection: http.client.HTTPConnection, body: bytes) -> bytes:
        """One request and its answer; the connection is kept if all went well, else closed."""
        is_sound = False
        try:
            connection.request("POST", "/", body, {"Content-Type": "application/json"})
            with connection.getresponse() as answer:
                content = self._read(answer)
            # Without a socket, the engine has announced that it closes.
            is_sound = connection.sock is not None and len(self._idle) < IDLE_CONNECTIONS_MAX
            return content
        finally:
            if is_sound:
                self._idle.append(connection)
            else:
                connection.close()

    def _read(self, answer: http.client.HTTPResponse) -> bytes:
        """The whole body; the socket's own patience starts anew with every byte, so that of the body is counted."""
        content = bytearray()
        deadline_s = time.monotonic() + self._timeout_s
        while chunk := answer.read1(_CHUNK_BYTES):
            content += chunk
            if len(content) > ANSWER_BYTES_MAX:
                raise OperationalError(f"the engine at {self._place} answers more than {ANSWER_BYTES_MAX} bytes")
            if time.monotonic() > deadline_s:
                raise TimeoutError
        if answer.length:
            raise http.client.IncompleteRead(bytes(content[:80]), answer.length)
        return bytes(content)


def _split_address(url: str) -> tuple[str, int]:
    """Host and port of `http://host:port`, or `Malformed` for anything else."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 0
    except ValueError:
        host, port = "", 0
    bracketed = f"[{host}]" if ":" in host else host
    if not (host and port and url.lower() == f"http://{bracketed}:{port}" and all("!" <= c <= "~" for c in url)):
        raise Malformed(f"the engine's address is not http://host:port: {url[:80]!r}")
    return host, port


def _at(height: int | None) -> dict[str, str]:
    return {} if height is None else {"height": str(height)}
