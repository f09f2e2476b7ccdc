"""What must hold after every fault: one history everywhere, nothing lost that was acknowledged, every ledger sound."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

from cellvow.core.ledger.log import encode_app_hash
from cellvow.core.primitives.errors import CellvowError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.fsck import Checked, check_ledger

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cellvow.node.cometbft.rpc import EngineRpc
    from cellvow.node.store import LedgerStore, StoredStatement
    from tests.fire.offering import Acknowledged

    History = Mapping[int, str]
    """By height: what stands there, in hexadecimal."""


@dataclass(frozen=True)
class LedgerHistory:
    """One ledger: its app hash after each block that is not empty, and that block's own leaf."""

    height: int
    app_hashes: History
    leaves: History


def read_history(store: LedgerStore, after: int = 0) -> LedgerHistory:
    """The history above a height, from the ledger's own blocks and its log."""
    with store.unchanging() as still:
        blocks = list(still.blocks(after))
        hashes = {one.height: encode_app_hash(still.frontier(one.leaf + 1)).hex() for one in blocks}
        return LedgerHistory(still.head().height, hashes, {one.height: one.body.hex() for one in blocks})


def read_headers(rpc: EngineRpc, first: int, last: int) -> tuple[dict[int, str], dict[int, str]]:
    """Of the engine's headers from `first` to `last`: the block's own hash, and the app hash after the one before."""
    signed = {height: rpc.commit(height) for height in range(first, last + 1)}
    own = {height: one.commit.block_id.hash.hex() for height, one in signed.items()}
    return own, {height - 1: one.header.app_hash.hex() for height, one in signed.items()}


def find_forks(histories: Mapping[str, History]) -> list[str]:
    """A sentence for each height at which two histories differ."""
    return [
        f"height {height}: {one} has {histories[one][height][-16:]}, {other} has {histories[other][height][-16:]}"
        for one, other in combinations(sorted(histories), 2)
        for height in sorted(histories[one].keys() & histories[other].keys())
        if histories[one][height] != histories[other][height]
    ]


def find_lost(acknowledged: Sequence[Acknowledged], stores: Mapping[str, LedgerStore]) -> list[str]:
    """A sentence for each acknowledged statement that a ledger lacks, or keeps elsewhere or with another outcome."""
    found = []
    for label, store in sorted(stores.items()):
        for one in acknowledged:
            kept = store.statement_of_txid(one.receipted.txid)
            if kept is None:
                found.append(f"{label} lacks {one.receipted.txid.hex()[:16]}, acknowledged at {one.receipted.height}")
            elif _place(kept) != (one.receipted.height, one.receipted.leaf, one.receipted.outcomes):
                found.append(f"{label} keeps {one.receipted.txid.hex()[:16]} elsewhere, or with another outcome")
    return found


def _place(kept: StoredStatement) -> tuple[int, int, tuple[bytes, ...]]:
    return kept.height, kept.leaf, kept.outcomes


def check_store(store: LedgerStore) -> Checked:
    """The whole ledger applied again from genesis; raises `VerificationError` where it does not reproduce."""
    with store.unchanging() as still:
        return check_ledger(still, check=_holds)


def find_fault(label: str, store: LedgerStore) -> str | None:
    """Why a ledger does not reproduce, or None."""
    try:
        check_store(store)
    except CellvowError as error:
        return f"{label}: {error}"
    return None


def _holds(key: bytes, message: bytes, signature: bytes) -> bool:
    """As `is_valid`, but not it: so no second process is started for every ledger."""
    return is_valid(key, message, signature)


def spread(figures: Iterable[float]) -> str:
    """How many there were, with median, least and most, in seconds."""
    ordered = sorted(figures)
    return f"n {len(ordered)}, median {ordered[len(ordered) // 2]:.1f} s ({ordered[0]:.1f} to {ordered[-1]:.1f} s)"
