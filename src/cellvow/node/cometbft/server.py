"""The ABCI socket: what the engine asks comes in over four connections, and goes to one application on one event loop.

A frame is an unsigned varint and that many bytes of one `Request` or `Response`; `04 22 02 0a 00` would be a
`Request` of four bytes. Answers leave a connection in the order of its requests; those to the requests of one read
leave in one write.
"""

import asyncio
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Protocol, cast

from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError
from cellvow.node.cometbft.messages import Message, Request, Response, ResponseException, ResponseFlush, parse_message

FRAME_BYTES_MAX = 21 * 1024 * 1024
"""One message of the engine: its own default for the largest block, more than any snapshot chunk (16 MB)."""
SOCKET_PATH_BYTES_MAX = 107
"""The kernel's bound for a unix socket's path on Linux, without the closing zero."""

_READ_BYTES = 262_144
"""Bytes read at once: more than the kernel keeps for a unix socket."""
_LENGTH_BYTES_MAX = 5
"""A varint of 35 bits: no length within the bound needs more than four bytes."""

Answer = Callable[[Message], Message]


class Application(Protocol):
    """The ledger as the engine sees it: one method a request, from its `Request...` to its `Response...` message.

    An error of our own (`CellvowError`) stops the member, since the engine gives up at the first exception: what is
    wrong with a transaction, a query, a proposal or a snapshot goes into the answer. All methods but `query` are
    called on the event loop, one after the other; `query` runs in a thread of its own, on a snapshot of its own.
    """

    def handshake(self, request: Message, /) -> Message:
        """RequestInfo: the height and application hash of the last Commit that is on disk."""

    def init_chain(self, request: Message, /) -> Message:
        """RequestInitChain: the state at genesis; asked again if the member died before its first Commit."""

    def check_tx(self, request: Message, /) -> Message:
        """RequestCheckTx: whether a transaction is worth passing on."""

    def prepare_proposal(self, request: Message, /) -> Message:
        """RequestPrepareProposal: the transactions of the block that this member proposes."""

    def process_proposal(self, request: Message, /) -> Message:
        """RequestProcessProposal: whether a proposed block deserves this member's vote."""

    def extend_vote(self, request: Message, /) -> Message:
        """RequestExtendVote: asked only where vote extensions are switched on."""

    def verify_vote_extension(self, request: Message, /) -> Message:
        """RequestVerifyVoteExtension: asked only where vote extensions are switched on."""

    def finalize_block(self, request: Message, /) -> Message:
        """RequestFinalizeBlock: the outcome of a decided block; nothing is kept yet."""

    def commit(self, request: Message, /) -> Message:
        """RequestCommit: keep the block just finalized."""

    def query(self, request: Message, /) -> Message:
        """RequestQuery: read from the state; called in another thread."""

    def list_snapshots(self, request: Message, /) -> Message:
        """RequestListSnapshots: what this member offers to newcomers."""

    def offer_snapshot(self, request: Message, /) -> Message:
        """RequestOfferSnapshot: whether to begin with a snapshot that others offer."""

    def load_snapshot_chunk(self, request: Message, /) -> Message:
        """RequestLoadSnapshotChunk: one chunk of a snapshot offered by this member."""

    def apply_snapshot_chunk(self, request: Message, /) -> Message:
        """RequestApplySnapshotChunk: one chunk of the snapshot that was accepted."""


def encode_frame(message: Message) -> bytes:
    """The message behind its length."""
    content = message.SerializeToString()
    rest, prefix = len(content), bytearray()
    while rest > 0x7F:
        prefix.append(rest & 0x7F | 0x80)
        rest >>= 7
    prefix.append(rest)
    return bytes(prefix) + content


_FLUSHED = encode_frame(Response(flush=ResponseFlush()))
"""It says nothing, and is asked for after nearly every other request."""


class FrameReader:
    """Cuts a stream of bytes into frames, wherever the stream was split."""

    def __init__(self, frame_bytes_max: int = FRAME_BYTES_MAX) -> None:
        self._buffer = bytearray()
        self._frame_bytes_max = frame_bytes_max

    def feed(self, chunk: bytes | memoryview) -> None:
        """Add what was read."""
        self._buffer += chunk

    def next_frame(self) -> bytes | None:
        """The next frame's content, None if it is not all there; raises `Malformed` for a length out of bounds."""
        buffer, length, start = self._buffer, 0, 0
        for byte in buffer:
            length |= (byte & 0x7F) << 7 * start
            start += 1
            # Refused before its content is read, so that no length costs more memory than the bound.
            if length > self._frame_bytes_max:
                raise Malformed(f"a frame of at least {length} bytes; {self._frame_bytes_max} are allowed")
            if byte < 0x80:
                break
            if start == _LENGTH_BYTES_MAX:
                raise Malformed(f"a frame whose length has more than {_LENGTH_BYTES_MAX} bytes")
        else:
            return None
        if len(buffer) < start + length:
            return None
        with memoryview(buffer) as view:
            frame = bytes(view[start : start + length])
        del buffer[: start + length]
        return frame


class AbciServer:
    """Serves one application on a unix socket that only this user can reach, until `close` or a failure.

    `on_refusal` is told of each connection closed because of what it sent; the others go on.
    """

    def __init__(
        self, application: Application, path: Path, on_refusal: Callable[[Malformed], None] | None = None
    ) -> None:
        self.path = path
        self.failure: BaseException | None = None
        """Why the server stopped, None while it serves and after `close`."""
        self._on_refusal = on_refusal
        self._answers = _answers_of(application)
        self._connections: list[_Connection] = []
        self._queries = ThreadPoolExecutor(1, "abci-query")
        self._is_closed = asyncio.Event()
        self._listener: asyncio.Server | None = None

    @property
    def connection_count(self) -> int:
        """Connections open now; a running engine holds four."""
        return len(self._connections)

    @property
    def is_closed(self) -> bool:
        """Whether it has stopped serving, on request or by a failure."""
        return self._is_closed.is_set()

    async def start(self) -> None:
        """Listen; raises `OperationalError` where the socket cannot be made, or another application serves it."""
        listening = _listen(self.path)
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_unix_server(lambda: _Connection(self), sock=listening)

    async def serve_until_closed(self) -> None:
        """Wait until the server is closed and its last query is over; raises what made it fail."""
        await self._is_closed.wait()
        await asyncio.to_thread(self._queries.shutdown)
        if self.failure is not None:
            raise self.failure

    def close(self) -> None:
        """Stop listening and close every connection, once what was answered is written."""
        if self._is_closed.is_set():
            return
        self._is_closed.set()
        if self._listener is not None:
            self._listener.close()
            self.path.unlink(missing_ok=True)
        for connection in list(self._connections):
            connection.close()
        self._queries.shutdown(wait=False, cancel_futures=True)

    def fail(self, error: BaseException) -> None:
        """Close for good because of `error`; the first one counts."""
        if not self._is_closed.is_set():
            self.failure = error
        self.close()

    def refuse(self, error: Malformed) -> None:
        """Tell the owner what a connection was closed for."""
        if self._on_refusal is not None:
            self._on_refusal(error)

    def answer(self, kind: str, request: Message) -> Message:
        """The application's answer to a request of this kind."""
        return self._answers[kind](request)

    def submit_query(self, request: Message) -> "Future[Message]":
        """The answer to a query, from the thread for queries."""
        return self._queries.submit(self._answers["query"], request)

    def enter(self, connection: "_Connection") -> bool:
        """Take note of a new connection; False if the server is closed."""
        if self._is_closed.is_set():
            return False
        self._connections.append(connection)
        return True

    def leave(self, connection: "_Connection") -> None:
        """Forget a connection that is closed."""
        if connection in self._connections:
            self._connections.remove(connection)


class _StopAtFault:
    """Stops the server when something is raised inside: the event loop alone would only report it and go on."""

    def __init__(self, server: AbciServer) -> None:
        self._server = server

    def __enter__(self) -> None:
        """Begin to watch."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let what was raised pass, with the server stopped."""
        if error is not None:
            self._server.fail(error)


class _Connection(asyncio.BufferedProtocol):
    """One of the engine's connections."""

    def __init__(self, server: AbciServer) -> None:
        self._server = server
        self._reader = FrameReader()
        self._room = memoryview(bytearray(_READ_BYTES))
        self._transport: asyncio.Transport | None = None
        self._is_querying = False
        self._is_write_full = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin, unless the server was closed in the meantime."""
        if self._server.enter(self):
            self._transport = cast("asyncio.Transport", transport)  # uvloop's is one in all but its class
        else:
            transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - how it was lost makes no difference
        """End; the server goes on, since a new engine may connect."""
        self._transport = None
        self._server.leave(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - always the same room
        """Where the event loop puts what it reads next."""
        return self._room

    def buffer_updated(self, nbytes: int) -> None:
        """Answer what is complete."""
        self._reader.feed(self._room[:nbytes])
        self._answer_frames()

    def pause_writing(self) -> None:
        """Take no more requests from an engine that does not read its answers."""
        self._is_write_full = True
        self._hold_or_read()

    def resume_writing(self) -> None:
        """Go on with what was left."""
        self._is_write_full = False
        self._hold_or_read()
        self._answer_frames()

    def close(self) -> None:
        """Write what is left and close."""
        if self._transport is not None:
            self._transport.close()
            self._transport = None

    def _answer_frames(self) -> None:
        """Answer frame by frame until none is complete, or one has to be waited for."""
        with _StopAtFault(self._server):
            self._answer_each([])

    def _answer_each(self, written: list[bytes]) -> None:
        while self._transport is not None and not (self._is_querying or self._is_write_full):
            try:
                request = self._next_request()
            except Malformed as error:
                self._write(written)
                self.close()
                self._server.refuse(error)
                return
            if request is None:
                break
            self._take(request, written)
        self._write(written)

    def _next_request(self) -> tuple[str, Message] | None:
        frame = self._reader.next_frame()
        if frame is None:
            return None
        request = parse_message(Request, frame)
        kind = request.WhichOneof("value")
        if kind is None:
            raise Malformed(f"a request of {len(frame)} bytes that is none of ABCI 2.0")
        return kind, getattr(request, kind)

    def _take(self, request: tuple[str, Message], written: list[bytes]) -> None:
        """Answer one request into `written`, or begin to wait for its answer."""
        kind, content = request
        if kind == "query":
            self._is_querying = True
            self._hold_or_read()
            asyncio.wrap_future(self._server.submit_query(content)).add_done_callback(self._end_query)
            return
        try:
            answer = self._server.answer(kind, content)
        except CellvowError as error:
            self._write([*written, _exception_frame(error)])
            written.clear()
            self._server.fail(error)
            return
        written.append(_FLUSHED if kind == "flush" else encode_frame(Response(**{kind: answer})))

    def _end_query(self, answered: "asyncio.Future[Message]") -> None:
        """Write the query's answer and go on with what came after it."""
        self._is_querying = False
        if answered.cancelled():
            return
        error = answered.exception()
        if error is not None:
            self._write([_exception_frame(error)])
            self._server.fail(error)
            return
        with _StopAtFault(self._server):
            self._write([encode_frame(Response(query=answered.result()))])
        self._hold_or_read()
        self._answer_frames()

    def _write(self, frames: list[bytes]) -> None:
        if frames and self._transport is not None:
            self._transport.write(b"".join(frames))

    def _hold_or_read(self) -> None:
        """Read on only where an answer may be written: what waits is then bounded by one read."""
        if self._transport is None:
            return
        if self._is_querying or self._is_write_full:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()


def _answers_of(application: Application) -> dict[str, Answer]:
    """Who answers which kind of request; the server itself answers those that only test the socket."""
    return {
        "echo": lambda request: Response(echo={"message": request.message}).echo,
        "flush": lambda _: ResponseFlush(),
        "info": application.handshake,
        "init_chain": application.init_chain,
        "check_tx": application.check_tx,
        "prepare_proposal": application.prepare_proposal,
        "process_proposal": application.process_proposal,
        "extend_vote": application.extend_vote,
        "verify_vote_extension": application.verify_vote_extension,
        "finalize_block": application.finalize_block,
        "commit": application.commit,
        "query": application.query,
        "list_snapshots": application.list_snapshots,
        "offer_snapshot": application.offer_snapshot,
        "load_snapshot_chunk": application.load_snapshot_chunk,
        "apply_snapshot_chunk": application.apply_snapshot_chunk,
    }


def _exception_frame(error: BaseException) -> bytes:
    return encode_frame(Response(exception=ResponseException(error=str(error) or type(error).__name__)))


def _listen(path: Path) -> socket.socket:
    """A socket that listens at `path`, in the place of one that nobody serves any more."""
    if len(bytes(path)) > SOCKET_PATH_BYTES_MAX:
        raise OperationalError(
            f"the path of the socket {path} has {len(bytes(path))} bytes; the system allows {SOCKET_PATH_BYTES_MAX}: "
            "choose a home with a shorter path"
        )
    with ExitStack() as on_failure:
        listening = on_failure.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
        try:
            if path.is_socket():
                _require_unserved(path)
                path.unlink()
            listening.bind(str(path))
            # Nobody can connect before `listen`: the rights are in place by then.
            path.chmod(0o600)
            listening.listen(16)
        except OSError as error:
            raise OperationalError(f"the socket {path} cannot be made: {error.strerror}") from error
        on_failure.pop_all()
    return listening


def _require_unserved(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except ConnectionRefusedError:
            return
    raise OperationalError(f"another application serves {path} already: stop it first")
