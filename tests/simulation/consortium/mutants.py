"""Members, gateways and witnesses with one planted fault each; a simulation that overlooks one proves nothing."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING

from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives.digest import sha256
from cellvow.core.protocol.admission import Admission
from cellvow.node.cometbft.chain import Finalized, ReplicatedChain
from cellvow.node.engine import Receipted
from cellvow.node.witness import Witness
from tests.simulation.consortium.member import Cast, SteppedGateway, TestedApplication
from tests.simulation.consortium.watching import Watch
from tests.simulation.witness_world import NORTH, NORTH_SEED, Log
from tests.world import CARMAKER

if TYPE_CHECKING:
    from cellvow.core.ledger.block import Block
    from cellvow.core.ledger.statement import Statement
    from cellvow.core.primitives.signature import SignatureCheck
    from cellvow.core.protocol.transition import Applied, Head
    from cellvow.node.cometbft.messages import Message
    from cellvow.node.store import LedgerStore


def _with(chain: type[ReplicatedChain]) -> type[TestedApplication]:
    """The application over a ledger with a fault."""

    class Application(TestedApplication):
        def make_chain(self, store: LedgerStore, check: SignatureCheck) -> ReplicatedChain:
            return chain(store, check)

    return Application


class PersistsInFinalizeBlock(ReplicatedChain):
    """Writes a block before the engine asks for it."""

    def finalize(self, height: int, time_ms: int, decided: Sequence[bytes], evidence: Sequence[bytes]) -> Finalized:
        """As its parent, but for the fault."""
        finalized = super().finalize(height, time_ms, decided, evidence)
        super().commit()
        return finalized

    def commit(self) -> Head:
        """As its parent, but for the fault."""
        return self._head


class CommitsWithoutHead(ReplicatedChain):
    """Writes what a block did, and not that it was."""

    def commit(self) -> Head:
        """As its parent, but for the fault."""
        if self._pending is not None:
            block, applied, _ = self._pending
            self._store.commit(block, replace(applied, head=self._store.head()))
            self._head, self._pending = applied.head, None
        return self._head


class CommitsALittleLater(ReplicatedChain):
    """Answers a commit at once and writes it with the next one."""

    _owed: tuple[Block, Applied] | None = None

    def commit(self) -> Head:
        """As its parent, but for the fault."""
        pending, self._pending = self._pending, None
        if self._owed is not None:
            self._store.commit(*self._owed)
        if pending is not None:
            self._owed = pending[:2]
            self._head = pending[1].head
        return self._head


class HashesTheHeight(ReplicatedChain):
    """Mixes the height into the app hash, so that every empty block calls for another one."""

    def finalize(self, height: int, time_ms: int, decided: Sequence[bytes], evidence: Sequence[bytes]) -> Finalized:
        """As its parent, but for the fault."""
        finalized = super().finalize(height, time_ms, decided, evidence)
        return replace(finalized, app_hash=finalized.app_hash + height.to_bytes(8, "big"))


class KeepsWhatWasNotCommitted(ReplicatedChain):
    """Forgets the pending block when its engine comes back, and not what it did to the state."""

    def finalize(self, height: int, time_ms: int, decided: Sequence[bytes], evidence: Sequence[bytes]) -> Finalized:
        """As its parent, but for the fault."""
        self._pending = None
        return super().finalize(height, time_ms, decided, evidence)


class TakesStaleProposals(ReplicatedChain):
    """Votes for a block without asking whether its statements were there before."""

    def find_fault(self, proposed: Sequence[bytes], height: int, time_ms: int) -> str | None:
        """As its parent, but for the fault."""
        fault = super().find_fault(proposed, height, time_ms)
        return None if fault is not None and "used this sequence" in fault else fault


class ProposesWhatItHas(ReplicatedChain):
    """Proposes its mempool as it is."""

    def prepare(self, waiting: Iterable[bytes], *_: int) -> list[bytes]:
        """As its parent, but for the fault."""
        return list(waiting)


class _BlindToFloors(Admission):
    """Forgets which keys raise their floor in this block."""

    def admit(self, statement: Statement) -> None:
        """As its parent, but for the fault."""
        self._raising.clear()
        super().admit(statement)


class IgnoresFloorsInsideABlock(ReplicatedChain):
    """Does not see that a statement raises the floor under the ones after it."""

    def _admission(self, time_ms: int, height: int | None = None) -> Admission:
        sound = super()._admission(time_ms, height)
        return _BlindToFloors(sound.head, sound.read, sound.height, sound.time_ms, sound.check)


class JudgesByWhatIsNotCommitted(ReplicatedChain):
    """Tells a client that his sequence is used while the block that uses it can still get lost here."""

    def check(self, data: bytes, time_ms: int) -> Statement:
        """As its parent, but for the fault."""
        pending, self._pending = self._pending, None
        try:
            return super().check(data, time_ms)
        finally:
            self._pending = pending


class ForgetsSequencesOnRestart(ReplicatedChain):
    """Starts with no sequence marked as used."""

    def __init__(self, store: LedgerStore, check: SignatureCheck) -> None:
        store._connection.execute("DELETE FROM record WHERE key >= ? AND key < ?", _SEQUENCES)
        super().__init__(store, check)


class RemembersSignaturesByTheirStatement(ReplicatedChain):
    """Takes any signature of a statement for good once one was."""

    def __init__(self, store: LedgerStore, check: SignatureCheck) -> None:
        super().__init__(store, check)
        known: dict[tuple[bytes, bytes], bool] = {}

        def lenient(public_key: bytes, message: bytes, signature: bytes) -> bool:
            if not known.get((public_key, message)):
                known[public_key, message] = check(public_key, message, signature)
            return known[public_key, message]

        self._check = lenient  # type: ignore[assignment]  # asked the same way


class RemembersNoSignature(ReplicatedChain):
    """Checks every signature each time that it is shown."""

    def __init__(self, store: LedgerStore, check: SignatureCheck) -> None:
        super().__init__(store, check)
        self._check = check  # type: ignore[assignment]  # asked the same way


class ReadsTheClock(TestedApplication):
    """Applies a block at its own time."""

    def finalize_block(self, request: Message, /) -> Message:
        """As its parent, but for the fault."""
        now = self.clock()
        request.time.seconds, request.time.nanos = now // 1_000, now % 1_000 * 1_000_000
        return super().finalize_block(request)


class OrdersByItsName(TestedApplication):
    """Applies a block's statements in an order of its own."""

    def finalize_block(self, request: Message, /) -> Message:
        """As its parent, but for the fault."""
        own = sorted(request.txs, key=lambda data: sha256(self.name.encode(), data))
        del request.txs[:]
        request.txs.extend(own)
        return super().finalize_block(request)


class ReportsOtherCodes(TestedApplication):
    """Records outcomes as everybody does, and tells its engine that all went well."""

    def finalize_block(self, request: Message, /) -> Message:
        """As its parent, but for the fault."""
        answer = super().finalize_block(request)
        for one in answer.tx_results:
            one.code = 0
        return answer


class KeepsValidatorsToItself(TestedApplication):
    """Does not tell its engine who validates from now on."""

    def finalize_block(self, request: Message, /) -> Message:
        """As its parent, but for the fault."""
        answer = super().finalize_block(request)
        del answer.validator_updates[:]
        return answer


class JoinsWithoutSequences(TestedApplication):
    """Takes a snapshot and leaves the used sequences out."""

    def _take_restored(self) -> None:
        super()._take_restored()
        self._chain.store._connection.execute("DELETE FROM record WHERE key >= ? AND key < ?", _SEQUENCES)
        self._take_chain()


class AcknowledgesAtOnce(SteppedGateway):
    """Takes the engine's word that it has a statement for the word that it is committed."""

    def submit(self, data: bytes) -> Future[Receipted]:
        """As its parent, but for the fault."""
        future = super().submit(data)
        if not future.done():
            envelope, head = parse_statement(data).envelope, self.head
            place = (head.height + 1, head.time_ms, head.log.size)
            early: Future[Receipted] = Future()
            early.set_result(Receipted(envelope.txid, envelope.digest, *place, ()))
            return early
        return future


class ForgetfulWatch(Watch):
    """A witness whose memory is lost when it starts again, and whose key is not."""

    def restart(self) -> None:
        """As its parent, but for the fault."""
        self._witness.close()
        for file in self._folder.iterdir():
            file.unlink()
        self._witness = Witness.create(self._folder, NORTH, NORTH_SEED)
        self._witness.add_log(self._key.name, Log([], self._key.name).vkey)


_SEQUENCES = ("sequence/", "sequence0")

MUTANTS = {
    "persists in FinalizeBlock": Cast(_with(PersistsInFinalizeBlock)),
    "commits without the head": Cast(_with(CommitsWithoutHead)),
    "answers a commit before it is written": Cast(_with(CommitsALittleLater)),
    "app hash holds the height": Cast(_with(HashesTheHeight)),
    "keeps the state of a block that was not committed": Cast(_with(KeepsWhatWasNotCommitted)),
    "votes for stale statements": Cast(_with(TakesStaleProposals)),
    "proposes its mempool unfiltered": Cast(_with(ProposesWhatItHas)),
    "does not see floors rise inside a block": Cast(_with(IgnoresFloorsInsideABlock)),
    "refuses by what is not committed": Cast(_with(JudgesByWhatIsNotCommitted)),
    "forgets sequences on restart": Cast(_with(ForgetsSequencesOnRestart)),
    "remembers signatures by their statement": Cast(_with(RemembersSignaturesByTheirStatement)),
    "remembers no signature": Cast(_with(RemembersNoSignature)),
    "applies at its own time": Cast(ReadsTheClock),
    "orders by its own name": Cast(OrdersByItsName, only=CARMAKER),
    "reports other codes": Cast(ReportsOtherCodes, only=CARMAKER),
    "keeps validators to itself": Cast(KeepsValidatorsToItself, only=CARMAKER),
    "joins without sequences": Cast(JoinsWithoutSequences),
    "acknowledges at CheckTx": Cast(gateway=AcknowledgesAtOnce),
    "the witness forgets": Cast(watch=ForgetfulWatch),
}
"""What each mutant does, and who plays it."""
