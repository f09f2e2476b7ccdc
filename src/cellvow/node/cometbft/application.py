"""The ledger as an ABCI 2.0 application: each request of the engine, put to the replicated chain and answered.

A statement that is refused is answered with its code; only what must stop the member is raised.
"""

import json
from pathlib import Path

from cellvow import __version__
from cellvow.core.ledger.evidence import DUPLICATE_VOTE, LIGHT_CLIENT_ATTACK, Evidence, encode_evidence
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.ledger.rejection import NotIncludable
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import InvalidBlock, Malformed, OperationalError, fail
from cellvow.node.cometbft.chain import ReplicatedChain
from cellvow.node.cometbft.messages import (
    Message,
    ResponseApplySnapshotChunk,
    ResponseCheckTx,
    ResponseCommit,
    ResponseExtendVote,
    ResponseFinalizeBlock,
    ResponseInfo,
    ResponseInitChain,
    ResponseListSnapshots,
    ResponseLoadSnapshotChunk,
    ResponseOfferSnapshot,
    ResponsePrepareProposal,
    ResponseProcessProposal,
    ResponseQuery,
    ResponseVerifyVoteExtension,
)
from cellvow.node.cometbft.reading import QueryReader
from cellvow.node.cometbft.statesync import StateSync
from cellvow.node.engine import Clock
from cellvow.node.snapshot import Snapshot
from cellvow.node.snapshot_restoring import Verdict
from cellvow.node.store import LedgerStore

APP_VERSION = 1
"""Version of what the engine and the application agree on beyond ABCI; it stands in every header."""
CODESPACE = "cellvow"
GENESIS_FIELD = "cellvow_genesis"
"""The one field of the engine's `app_state`: the digest of the genesis document that every member holds."""

_EVIDENCE_KINDS = {1: DUPLICATE_VOTE, 2: LIGHT_CLIENT_ATTACK}


class LedgerApplication:
    """One member's application; all of it but `query` runs on the event loop's thread."""

    def __init__(self, folder: Path, clock: Clock, *, snapshot_interval: int = 0) -> None:
        """`folder` holds the ledger; every `snapshot_interval` heights a snapshot is made, 0 makes none."""
        self._folder = folder
        self._clock = clock
        self._chain = ReplicatedChain(LedgerStore.open_writer(folder))
        self._sync = StateSync(folder, snapshot_interval)
        self._reader = QueryReader(folder)

    @property
    def chain(self) -> ReplicatedChain:
        """The ledger underneath."""
        return self._chain

    def close(self) -> None:
        """Close the ledger; what is finalized and not committed is played again by the engine."""
        self._sync.close()
        self._reader.close()
        self._chain.store.close()

    def handshake(self, _: Message, /) -> Message:
        """The last committed height and app hash; the engine plays again what is missing.

        Not only an engine that begins asks: whoever calls its RPC (`abci_info`) does, also between a block's
        FinalizeBlock and its Commit. So nothing changes here; what is pending is dropped where another block comes.
        """
        head = self._chain.head
        height = self._height_for_engine()
        return ResponseInfo(
            data="cellvow",
            version=__version__,
            app_version=APP_VERSION,
            last_block_height=height,
            last_block_app_hash=head.app_hash if height else b"",
        )

    def init_chain(self, request: Message, /) -> Message:
        """Leaf 0 of the log; raises `OperationalError` where the engine's genesis is not this ledger's."""
        genesis = self._chain.store.genesis()
        _require_same_genesis(genesis, request)
        if self._height_for_engine():
            raise OperationalError(
                f"the engine begins anew and the ledger stands at height {self._chain.head.height}: the engine's data "
                "was deleted. Rejoin with an empty ledger and a new key (`cellvow network replace`)"
            )
        return ResponseInitChain(app_hash=self._chain.head.app_hash)

    def check_tx(self, request: Message, /) -> Message:
        """0 where the statement may wait for a block, or wait on; else the code of the refusal."""
        try:
            if request.type:  # after a block: what has become stale must not lie in front of all that is fresh
                self._chain.check_again(request.tx)
            else:
                self._chain.check(request.tx, self._clock())
        except NotIncludable as refusal:
            return ResponseCheckTx(code=int(refusal.reason), log=str(refusal)[:500], codespace=CODESPACE)
        return ResponseCheckTx(gas_wanted=1)

    def prepare_proposal(self, request: Message, /) -> Message:
        """The waiting statements that may stand in a block now."""
        chosen = self._chain.prepare(request.txs, request.height, _milliseconds(request.time), request.max_tx_bytes)
        return ResponsePrepareProposal(txs=chosen)

    def process_proposal(self, request: Message, /) -> Message:
        """ACCEPT a block that may stand, REJECT any other."""
        fault = self._chain.find_fault(request.txs, request.height, _milliseconds(request.time))
        statuses = ResponseProcessProposal
        return ResponseProcessProposal(status=statuses.ACCEPT if fault is None else statuses.REJECT)

    def extend_vote(self, _: Message, /) -> Message:
        """Never asked: vote extensions are off in our consensus parameters."""
        return ResponseExtendVote()

    def verify_vote_extension(self, _: Message, /) -> Message:
        """Never asked, and whoever extends a vote all the same is refused."""
        return ResponseVerifyVoteExtension(status=ResponseVerifyVoteExtension.REJECT)

    def finalize_block(self, request: Message, /) -> Message:
        """What a decided block does, kept in memory until the commit."""
        evidence = [encode_evidence(_evidence_of(one)) for one in request.misbehavior]
        try:
            finalized = self._chain.finalize(request.height, _milliseconds(request.time), request.txs, evidence)
        except InvalidBlock as error:
            raise InvalidBlock(f"{error} (this member stops: the others have decided what it cannot apply)") from error
        updates = [{"pub_key": {"ed25519": bytes.fromhex(key)}, "power": power} for key, power in finalized.validators]
        return ResponseFinalizeBlock(
            tx_results=[{"code": code, "codespace": CODESPACE if code else ""} for code in finalized.codes],
            validator_updates=updates,
            app_hash=finalized.app_hash,
        )

    def commit(self, _: Message, /) -> Message:
        """Write the block; on return it is on disk."""
        head = self._chain.commit()
        self._sync.after_commit(head.height)
        return ResponseCommit(retain_height=0)

    def query(self, request: Message, /) -> Message:
        """Read from a snapshot of the ledger, in the thread for queries."""
        if request.prove:
            return ResponseQuery(code=1, codespace=CODESPACE, log="proofs are in bundles: `cellvow bundle export`")
        try:
            height, value = self._reader.read(request.path, request.data)
        except (Malformed, OperationalError) as error:
            return ResponseQuery(code=1, codespace=CODESPACE, log=str(error)[:500])
        return ResponseQuery(height=height, key=request.data, value=value)

    def list_snapshots(self, _: Message, /) -> Message:
        """The snapshots this member serves."""
        return ResponseListSnapshots(snapshots=[_snapshot_fields(one) for one in self._sync.snapshots()])

    def offer_snapshot(self, request: Message, /) -> Message:
        """ACCEPT a snapshot that claims the app hash the engine's light client vouches for."""
        if self._height_for_engine():
            return ResponseOfferSnapshot(result=ResponseOfferSnapshot.ABORT)
        offered = request.snapshot
        snapshot = Snapshot(offered.height, offered.format, offered.chunks, Digest(offered.hash), offered.metadata)
        accepted = self._sync.begin(snapshot, request.app_hash, self._chain.store.genesis().digest)
        results = ResponseOfferSnapshot
        return ResponseOfferSnapshot(result=results.ACCEPT if accepted else results.REJECT)

    def load_snapshot_chunk(self, request: Message, /) -> Message:
        """One chunk of a snapshot that was listed; empty if it is gone."""
        return ResponseLoadSnapshotChunk(chunk=self._sync.chunk(request.height, request.chunk))

    def apply_snapshot_chunk(self, request: Message, /) -> Message:
        """Check a chunk; with the last one the ledger begins at the snapshot's height."""
        results = ResponseApplySnapshotChunk
        verdict = self._sync.apply(request.index, request.chunk)
        if verdict is Verdict.BAD_CHUNK:
            senders = [request.sender] if request.sender else []
            return ResponseApplySnapshotChunk(
                result=results.RETRY, refetch_chunks=[request.index], reject_senders=senders
            )
        if verdict is Verdict.BAD_SNAPSHOT:
            return ResponseApplySnapshotChunk(result=results.REJECT_SNAPSHOT)
        if verdict is Verdict.COMPLETE:
            self._take_restored()
        return ResponseApplySnapshotChunk(result=results.ACCEPT)

    def _take_restored(self) -> None:
        """Go on with the ledger that the snapshot gave, in the place of the empty one."""
        self._chain.store.close()
        self._sync.install()
        self._chain = ReplicatedChain(LedgerStore.open_writer(self._folder))
        self._reader.forget()

    def _height_for_engine(self) -> int:
        """The last committed height; 0 before the first block, also where heights go on above a predecessor's."""
        return 0 if _is_fresh(self._chain) else self._chain.head.height


def _is_fresh(chain: ReplicatedChain) -> bool:
    predecessor = chain.store.genesis().predecessor
    return chain.head.height == (0 if predecessor is None else predecessor.height)


def _require_same_genesis(genesis: Genesis, request: Message) -> None:
    stated = _stated_genesis(bytes(request.app_state_bytes))
    if stated != genesis.digest.hex() or request.chain_id != genesis.chain_id:
        raise OperationalError(
            f"the engine's genesis is of another ledger ({request.chain_id}, {stated}) than this member's "
            f"({genesis.chain_id}, {genesis.digest.hex()}): the founders must hand every member the same two files"
        )
    founders = sorted((one.public_key, one.power) for one in genesis.validators)
    named = sorted((one.pub_key.ed25519.hex(), one.power) for one in request.validators)
    if founders != named or _milliseconds(request.time) != genesis.time_ms:
        raise OperationalError(
            "the engine's genesis names other validators, or another time, than this ledger's genesis: "
            "take the engine's genesis file from the founders again"
        )


def _stated_genesis(app_state: bytes) -> str:
    """The digest that the engine's genesis file names, however it is laid out; a word for anything else."""
    try:
        document = json.loads(app_state)
    except (ValueError, RecursionError):
        return "unreadable"
    stated = document.get(GENESIS_FIELD) if isinstance(document, dict) else None
    return stated if isinstance(stated, str) else "none named"


def _milliseconds(moment: Message) -> int:
    """Milliseconds since 1970 of a protobuf timestamp: nanoseconds are cut off, never rounded up."""
    return int(moment.seconds) * 1_000 + int(moment.nanos) // 1_000_000


def _evidence_of(misbehavior: Message) -> Evidence:
    kind = _EVIDENCE_KINDS.get(misbehavior.type)
    if kind is None:
        fail(f"the engine reports misbehaviour of the unknown kind {misbehavior.type}")
    return Evidence(
        kind=kind,
        address=misbehavior.validator.address.hex(),
        power=misbehavior.validator.power,
        height=misbehavior.height,
        time_ms=_milliseconds(misbehavior.time),
        total_power=misbehavior.total_voting_power,
    )


def _snapshot_fields(snapshot: Snapshot) -> dict[str, object]:
    return {
        "height": snapshot.height,
        "format": snapshot.format,
        "chunks": snapshot.chunks,
        "hash": snapshot.hash,
        "metadata": snapshot.metadata,
    }
