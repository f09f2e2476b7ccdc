"""A newcomer with an empty ledger: its engine discovers snapshots, takes one chunk by chunk, and goes on from there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.cometbft import messages as abci
from tests.simulation.consortium.record import Chronicle, Died, Violation

if TYPE_CHECKING:
    from random import Random

    from cellvow.node.cometbft.messages import Message
    from tests.simulation.consortium.audit import Audit
    from tests.simulation.consortium.member import Member

OFFER, APPLY = abci.ResponseOfferSnapshot, abci.ResponseApplySnapshotChunk


def join_by_snapshot(rng: Random, newcomer: Member, peers: list[Member], audit: Audit, chronicle: Chronicle) -> bool:
    """Whether the newcomer stands at a snapshot's height now; where it died on the way, its folder is worth nothing."""
    offers = [
        (peer, snapshot)
        for peer in peers
        for snapshot in _listed(peer)
        if snapshot.height < audit.height  # the header after it is what vouches for its app hash
    ]
    if not offers:
        chronicle.note("no snapshot to join by")
        return False
    peer, snapshot = rng.choice(offers)
    newcomer.is_joining = True
    try:
        newcomer.start_application()
        _require_lies_refused(newcomer, snapshot, audit)
        _take(rng, newcomer, snapshot, [other for other, same in offers if same.hash == snapshot.hash], audit)
        answer = newcomer.call("handshake", abci.RequestInfo())
    except Died as died:
        chronicle.note("died while joining", died.where)
        newcomer.fall("both")
        return False
    stands = (answer.last_block_height, answer.last_block_app_hash)
    if stands != (snapshot.height, audit.app_hash(snapshot.height)):
        raise Violation(f"6: the newcomer says {stands[0]} after a snapshot of height {snapshot.height}")
    newcomer.begin_at(snapshot.height, answer.last_block_app_hash)
    chronicle.note("joined by snapshot", snapshot.height, peer.name)
    return True


def _listed(peer: Member) -> list[Message]:
    application = peer.application
    return [] if application is None else list(application.list_snapshots(abci.RequestListSnapshots()).snapshots)


def _require_lies_refused(newcomer: Member, snapshot: Message, audit: Audit) -> None:
    """A snapshot whose metadata are not those of its hash is not taken up."""
    lie = abci.Snapshot()
    lie.CopyFrom(snapshot)
    lie.metadata = snapshot.metadata[:-1] + bytes([snapshot.metadata[-1] ^ 1])
    offer = abci.RequestOfferSnapshot(snapshot=lie, app_hash=audit.app_hash(snapshot.height))
    if newcomer.call("offer_snapshot", offer).result == OFFER.ACCEPT:
        raise Violation("6: a snapshot that contradicts itself is taken up")


def _take(rng: Random, newcomer: Member, snapshot: Message, holders: list[Member], audit: Audit) -> None:
    offer = abci.RequestOfferSnapshot(snapshot=snapshot, app_hash=audit.app_hash(snapshot.height))
    if newcomer.call("offer_snapshot", offer).result != OFFER.ACCEPT:
        raise Violation(f"6: the newcomer refuses a sound snapshot of height {snapshot.height}")
    indexes = list(range(snapshot.chunks))
    rng.shuffle(indexes)
    for index in indexes:
        holder = rng.choice(holders)
        if holder.application is None:
            raise Died("both", "as nobody serves the chunk")
        asked = abci.RequestLoadSnapshotChunk(height=snapshot.height, format=snapshot.format, chunk=index)
        chunk = holder.application.load_snapshot_chunk(asked).chunk
        if not chunk:
            raise Died("both", "as the snapshot was pruned")
        if rng.random() < 0.3:
            place = rng.randrange(len(chunk))
            wrong = chunk[:place] + bytes([chunk[place] ^ 1]) + chunk[place + 1 :]
            if _apply(newcomer, index, wrong) != APPLY.RETRY:
                raise Violation("6: a chunk with a flipped bit is not asked for again")
        if _apply(newcomer, index, chunk) != APPLY.ACCEPT:
            raise Violation("6: a sound chunk is refused")


def _apply(newcomer: Member, index: int, chunk: bytes) -> int:
    try:
        request = abci.RequestApplySnapshotChunk(index=index, chunk=chunk, sender="peer")
        return int(newcomer.call("apply_snapshot_chunk", request).result)
    except OperationalError as error:
        raise Violation(f"6: a chunk stops the newcomer: {error}") from error
