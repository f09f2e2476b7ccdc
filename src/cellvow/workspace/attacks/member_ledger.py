"""Another member's ledger: it executes the blocks that are served, as each member of a consortium does."""

from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from cellvow.core.ledger.log import encode_app_hash
from cellvow.core.primitives.errors import InvalidBlock, VerificationError
from cellvow.node.archive import load_statements
from cellvow.node.cometbft.chain import ReplicatedChain
from cellvow.node.store import LedgerStore, StoredBlock


def follow_ledger(own: Path, served: LedgerStore) -> None:
    """Execute what is new in the ledger served, into a ledger of one's own.

    Raises `VerificationError` with what an honest member answers to the first block that does not follow.
    """
    with closing(LedgerStore.open_writer(own)) as store:
        chain = ReplicatedChain(store)
        _require_same_beginning(chain, served)
        for block in served.blocks(chain.head.height):
            _execute(chain, served, block)


def ask_member(own: Path, proposed: Sequence[bytes], height: int, time_ms: int) -> str | None:
    """Why a member votes against a proposed block, or None where he votes for it."""
    with closing(LedgerStore.open_writer(own)) as store:
        return ReplicatedChain(store).find_fault(proposed, height, time_ms)


def _require_same_beginning(chain: ReplicatedChain, served: LedgerStore) -> None:
    own, theirs = chain.head.log, served.head().log
    if theirs.size < own.size:
        raise VerificationError(f"the ledger served has {theirs.size} leaves, and this member executed {own.size}")
    if served.frontier(own.size).root() != own.root():
        raise VerificationError(f"its first {own.size} leaves are not those that this member executed")


def _execute(chain: ReplicatedChain, served: LedgerStore, stored: StoredBlock) -> None:
    statements = [one.statement.data for one in load_statements(served, stored)]
    fault = chain.find_fault(statements, stored.height, stored.time_ms)
    if fault is not None:
        raise VerificationError(f"this member votes against block {stored.height}: {fault}")
    try:
        finalized = chain.finalize(stored.height, stored.time_ms, statements, stored.evidence)
    except InvalidBlock as error:
        raise VerificationError(f"this member stops at block {stored.height}: {error}") from error
    if finalized.app_hash != encode_app_hash(served.frontier(stored.leaf + 1)):
        raise VerificationError(
            f"this member's app hash is another: executing block {stored.height} does not give what it says"
        )
    chain.commit()
