"""One member's consensus engine as its application sees it: the order of calls, what is durable, and the replay.

Not consensus: which block is decided comes from outside. After CometBFT v0.38: the block is on disk before
FinalizeBlock, its results before Commit, the engine's own state after it; a handshake plays again what is missing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft import messages as abci
from cellvow.node.cometbft.answers import Broadcast
from cellvow.node.cometbft.messages import Message
from cellvow.node.cometbft.profile import PROFILE
from tests.simulation.consortium.record import Violation

Call = Callable[[str, Message], Message]
"""A request to the application by the name of its method; raises `Died`."""
MEMPOOL_MAX = 200
RECHECKS = any(one.name == "mempool.recheck" and one.value is True for one in PROFILE)
"""Whether our profile has engines ask again, after each block, whether what still waits may be included."""


class Decided(NamedTuple):
    """A block that two thirds have decided; `app_hash` is the one after the block before.

    `offence` is the height of a double vote that it carries the evidence of, 0 where it carries none.
    """

    height: int
    time_ms: int
    statements: tuple[bytes, ...]
    app_hash: bytes
    offence: int = 0

    @property
    def is_empty(self) -> bool:
        """Whether the log must not grow by it."""
        return not self.statements and not self.offence


class Result(NamedTuple):
    """What a member's application made of a block."""

    app_hash: bytes
    codes: tuple[int, ...]
    updates: tuple[tuple[bytes, int], ...]


@dataclass
class Durable:
    """What an engine finds again after it died."""

    blocks: dict[int, Decided] = field(default_factory=dict)
    results: dict[int, Result] = field(default_factory=dict)
    height: int = 0
    app_hash: bytes = b""

    @property
    def newest_block(self) -> int:
        """The height of the newest block on disk, 0 before the first."""
        return max(self.blocks, default=0)


class EngineModel:
    """One member's engine; `call` reaches its application, `point` is where the engine itself may die."""

    def __init__(self, disk: Durable, genesis: Message, call: Call, point: Callable[[str], None]) -> None:
        self.disk = disk
        self.mempool: dict[bytes, None] = {}
        self._cache: dict[bytes, None] = {}
        self._genesis = genesis
        self._call = call
        self._point = point
        self.replayed = 0

    def start(self) -> Message:
        """The handshake: ask where the application stands, and play again what it lacks; its answer to Info."""
        answer = self._call("handshake", abci.RequestInfo(version="0.38.25"))
        height, disk = answer.last_block_height, self.disk
        if height == 0:
            begun = self._call("init_chain", self._genesis)
            if not disk.height:
                disk.app_hash = begun.app_hash
        if height > max(disk.newest_block, disk.height):
            raise Violation(f"6: app block height ({height}) is higher than core ({disk.newest_block})")
        for missing in range(height + 1, disk.newest_block + 1):
            self.replayed += 1
            self._apply(disk.blocks[missing])
        if height == disk.newest_block > disk.height:
            # The application has committed what the engine has not noted: no call, the kept results are taken.
            self._finish(disk.blocks[height], disk.results[height])
        elif height and height == disk.height and answer.last_block_app_hash != disk.app_hash:
            raise Violation(f"6: after a restart the application says another app hash at height {height}")
        return answer

    def broadcast(self, data: bytes) -> Broadcast:
        """A statement offered over RPC, or by a peer: CheckTx unless the bytes are known."""
        if data in self._cache:
            return Broadcast(0, "", already_known=True)
        if len(self.mempool) >= MEMPOOL_MAX:
            raise OperationalError("the mempool is full")
        answer = self._call("check_tx", abci.RequestCheckTx(tx=data))
        if answer.code == 0:
            self.mempool[data] = self._cache[data] = None
        return Broadcast(answer.code, answer.log)

    def propose(self, height: int, time_ms: int, bytes_max: int) -> tuple[bytes, ...]:
        """PrepareProposal over as much of the mempool as fits a block."""
        reaped, size = [], 0
        for data in self.mempool:
            size += len(data)
            if size > bytes_max:
                break
            reaped.append(data)
        request = abci.RequestPrepareProposal(
            max_tx_bytes=bytes_max, txs=reaped, height=height, time=_timestamp(time_ms)
        )
        return tuple(self._call("prepare_proposal", request).txs)

    def accepts(self, height: int, time_ms: int, statements: tuple[bytes, ...]) -> bool:
        """ProcessProposal; a header that contradicts this engine's own state never reaches the application."""
        request = abci.RequestProcessProposal(txs=statements, height=height, time=_timestamp(time_ms))
        answer = self._call("process_proposal", request)
        return bool(answer.status == abci.ResponseProcessProposal.ACCEPT)

    def take(self, block: Decided) -> None:
        """A decided block: onto the disk, then to the application."""
        if block.height != self.disk.height + 1 or self.disk.newest_block > self.disk.height:
            raise Violation(f"the model handed over block {block.height} out of order")
        self._point("before the block is saved")
        self.disk.blocks[block.height] = block
        self._point("once the block is saved")
        self._apply(block)

    def _apply(self, block: Decided) -> None:
        """FinalizeBlock, results to disk, Commit, state to disk; a block applied before is only checked again."""
        if block.height == self.disk.height + 1 and block.app_hash != self.disk.app_hash:
            raise Violation(f"1: the header of block {block.height} holds another app hash than this member has")
        answer = self._call("finalize_block", _finalize_request(block))
        result = Result(
            answer.app_hash,
            tuple(one.code for one in answer.tx_results),
            tuple((one.pub_key.ed25519, one.power) for one in answer.validator_updates),
        )
        known = self.disk.results.get(block.height, result)
        if known != result:
            raise Violation(f"1: block {block.height} played again gives another result")
        self.disk.results[block.height] = result
        self._point("once the results are saved")
        self._call("commit", abci.RequestCommit())
        self._point("before the state is saved")
        if block.height > self.disk.height:
            self._finish(block, result)

    def _finish(self, block: Decided, result: Result) -> None:
        self.disk.height, self.disk.app_hash = block.height, result.app_hash
        for data, code in zip(block.statements, result.codes, strict=True):
            self.mempool.pop(data, None)
            if code == 0:
                self._cache[data] = None
            else:
                self._cache.pop(data, None)
        for data in list(self.mempool) if RECHECKS else ():
            if self._call("check_tx", abci.RequestCheckTx(tx=data, type=1)).code:
                del self.mempool[data]
                self._cache.pop(data, None)


def _finalize_request(block: Decided) -> Message:
    request = abci.RequestFinalizeBlock(txs=block.statements, height=block.height, time=_timestamp(block.time_ms))
    if block.offence:
        offence = request.misbehavior.add(type=1, height=block.offence, total_voting_power=4)
        offence.validator.address = b"\x0f" * 20
        offence.validator.power = 1
        offence.time.CopyFrom(_timestamp(block.time_ms))
    return request


def _timestamp(time_ms: int) -> Message:
    return abci.Timestamp(seconds=time_ms // 1_000, nanos=time_ms % 1_000 * 1_000_000)
