"""The smallest application that an engine can drive: it counts transactions, and remembers which methods were asked."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cellvow.node.cometbft import messages as abci
from cellvow.node.cometbft.server import AbciServer, FrameReader, encode_frame

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable
    from pathlib import Path

    from cellvow.core.primitives.errors import Malformed
    from cellvow.node.cometbft.messages import Message

REFUSED = b"refused"
"""A transaction that CheckTx answers with code 7."""
TIMEOUT_S = 10.0


class CounterApplication:
    """Counts the transactions of decided blocks; its state is two numbers and lies in memory."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.height = 0
        self.count = 0
        self.pending = (0, 0)
        self.is_proposing = True
        self.fault: Exception | None = None
        """What Commit raises, if anything."""

    def handshake(self, _: Message, /) -> Message:
        """Where the counter is."""
        self.asked["info"] += 1
        return abci.ResponseInfo(data="counter", last_block_height=self.height, last_block_app_hash=self.app_hash())

    def app_hash(self) -> bytes:
        """The count, so that an empty block changes nothing."""
        return self.count.to_bytes(8, "big") if self.height else b""

    def init_chain(self, _: Message, /) -> Message:
        """Begin."""
        self.asked["init_chain"] += 1
        return abci.ResponseInitChain(app_hash=bytes(8))

    def check_tx(self, request: Message, /) -> Message:
        """Refuse one certain transaction."""
        self.asked["check_tx"] += 1
        if request.tx == REFUSED:
            return abci.ResponseCheckTx(code=7, log="this one is always refused")
        return abci.ResponseCheckTx()

    def prepare_proposal(self, request: Message, /) -> Message:
        """Propose all, or nothing."""
        self.asked["prepare_proposal"] += 1
        return abci.ResponsePrepareProposal(txs=request.txs if self.is_proposing else [])

    def process_proposal(self, _: Message, /) -> Message:
        """Accept all."""
        self.asked["process_proposal"] += 1
        return abci.ResponseProcessProposal(status=abci.ResponseProcessProposal.ACCEPT)

    def extend_vote(self, _: Message, /) -> Message:
        """Add nothing."""
        self.asked["extend_vote"] += 1
        return abci.ResponseExtendVote()

    def verify_vote_extension(self, _: Message, /) -> Message:
        """Accept all."""
        self.asked["verify_vote_extension"] += 1
        return abci.ResponseVerifyVoteExtension(status=abci.ResponseVerifyVoteExtension.ACCEPT)

    def finalize_block(self, request: Message, /) -> Message:
        """Count without keeping."""
        self.asked["finalize_block"] += 1
        self.pending = (request.height, self.count + len(request.txs))
        results = [abci.ExecTxResult() for _ in request.txs]
        return abci.ResponseFinalizeBlock(tx_results=results, app_hash=self.pending[1].to_bytes(8, "big"))

    def commit(self, _: Message, /) -> Message:
        """Keep, or fail."""
        if self.fault is not None:
            raise self.fault
        self.asked["commit"] += 1
        self.height, self.count = self.pending
        return abci.ResponseCommit()

    def query(self, request: Message, /) -> Message:
        """The count."""
        self.asked["query"] += 1
        return abci.ResponseQuery(key=request.data, value=b"%d" % self.count, height=self.height)

    def list_snapshots(self, _: Message, /) -> Message:
        """None."""
        self.asked["list_snapshots"] += 1
        return abci.ResponseListSnapshots()

    def offer_snapshot(self, _: Message, /) -> Message:
        """No, thank you."""
        self.asked["offer_snapshot"] += 1
        return abci.ResponseOfferSnapshot(result=abci.ResponseOfferSnapshot.REJECT)

    def load_snapshot_chunk(self, _: Message, /) -> Message:
        """Nothing."""
        self.asked["load_snapshot_chunk"] += 1
        return abci.ResponseLoadSnapshotChunk()

    def apply_snapshot_chunk(self, _: Message, /) -> Message:
        """Never."""
        self.asked["apply_snapshot_chunk"] += 1
        return abci.ResponseApplySnapshotChunk(result=abci.ResponseApplySnapshotChunk.ABORT)


class AbciClient:
    """What the engine does on one connection, in the test's own process."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._frames = FrameReader()

    async def send(self, *chunks: bytes) -> None:
        """Write the chunks one by one, so that the server may read them one by one."""
        for chunk in chunks:
            self._writer.write(chunk)
            await self._writer.drain()
            await asyncio.sleep(0)

    async def receive(self) -> Message | None:
        """The next answer, None once the server has closed the connection."""
        while (frame := self._frames.next_frame()) is None:
            chunk = await asyncio.wait_for(self._reader.read(65_536), TIMEOUT_S)
            if not chunk:
                return None
            self._frames.feed(chunk)
        return abci.parse_message(abci.Response, frame)

    async def call(self, **request: Message) -> Message:
        """One request's answer."""
        await self.send(encode_frame(abci.Request(**request)))
        answer = await self.receive()
        assert answer is not None
        return answer

    async def kinds(self, count: int) -> list[str | None]:
        """The kinds of the next answers."""
        answers = [await self.receive() for _ in range(count)]
        return [answer.WhichOneof("value") if answer else None for answer in answers]

    async def close(self) -> None:
        """Hang up."""
        self._writer.close()
        await self._writer.wait_closed()


class Site:
    """A server on a socket, and what it reported."""

    def __init__(self, server: AbciServer, refusals: list[Malformed]) -> None:
        self.server = server
        self.refusals = refusals
        self._clients: list[AbciClient] = []

    async def connect(self) -> AbciClient:
        """Another connection."""
        client = AbciClient(*await asyncio.open_unix_connection(str(self.server.path)))
        self._clients.append(client)
        return client

    async def hang_up(self) -> None:
        """Close all connections."""
        for client in self._clients:
            await client.close()


@asynccontextmanager
async def serving(application: CounterApplication, folder: Path) -> AsyncIterator[Site]:
    """A server for the application, closed at the end."""
    refusals: list[Malformed] = []
    server = AbciServer(application, folder / "abci.sock", refusals.append)
    await server.start()
    site = Site(server, refusals)
    try:
        yield site
    finally:
        server.close()
        await site.hang_up()


def frames(requests: Iterable[Message]) -> bytes:
    """The requests as they stand on the wire."""
    return b"".join(encode_frame(request) for request in requests)
