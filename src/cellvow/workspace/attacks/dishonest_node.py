"""A node that breaks the rules it is told to break, and keeps all others: what an operator can do with changed code."""

from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.signature import SignatureCheck, is_valid
from cellvow.core.protocol.transition import Applied, apply_block, begin_chain
from cellvow.node.records import MemoryState, StoredState
from cellvow.node.store import LedgerStore
from cellvow.workspace.clock import now_ms


@dataclass(frozen=True, slots=True)
class Bend:
    """How a node breaks the rules: records it writes unasked, another chain's statements, any signature, its clock."""

    planted: Mapping[str, bytes] = field(default_factory=dict)
    chain_id: str | None = None
    check: SignatureCheck = is_valid
    time_ms: int | None = None


def append_bent(folder: Path, statements: Sequence[bytes], bend: Bend) -> Applied:
    """Append a block to a ledger by a node that bends the rules; each statement must be accepted by what is left.

    Leaves, state root and log are computed as they should be from what the node pretends: nothing is left for the
    arithmetic to find.
    """
    with closing(LedgerStore.open_writer(folder)) as store:
        head = store.head()
        time_ms = max(now_ms(), head.time_ms) if bend.time_ms is None else bend.time_ms
        block = Block(head.height + 1, time_ms, tuple(parse_statement(data) for data in statements))
        pretended = replace(head, chain_id=bend.chain_id or head.chain_id, time_ms=min(head.time_ms, time_ms))
        applied = apply_block(pretended, _PlantingState(StoredState(store), bend.planted), block, bend.check)
        accepted = all(b'"result":"accepted"' in outcome for kept in applied.outcomes for outcome in kept)
        ensure(accepted, "the dishonest node was meant to accept what it was given")
        written = replace(
            applied, head=replace(applied.head, chain_id=head.chain_id), writes={**applied.writes, **bend.planted}
        )
        store.commit(block, written)
        return written


class _PlantingState:
    """A state into which every block also writes what its operator wants."""

    def __init__(self, state: StoredState, planted: Mapping[str, bytes]) -> None:
        self._state = state
        self._planted = planted

    def get(self, key: str) -> bytes | None:
        """The bytes of a record, or None."""
        return self._state.get(key)

    def keys(self, prefix: str) -> Iterable[str]:
        """The keys of all records that begin with `prefix`, in order."""
        return self._state.keys(prefix)

    def update(self, writes: Mapping[str, bytes]) -> Digest:
        """The state root once these records and the planted ones are written."""
        return self._state.update({**writes, **self._planted})


def rebuild_without(old: LedgerStore, folder: Path, left_out: int) -> int:
    """Build the ledger anew in `folder` as if the block of this height had never been; how many leaves it has."""
    genesis, state = old.genesis(), MemoryState()
    applied = begin_chain(genesis, state)
    with closing(LedgerStore.create(folder, genesis, applied)) as store:
        head = applied.head
        for stored in old.blocks():
            if stored.height == left_out:
                continue
            statements = tuple(one.statement for one in old.statements(stored.first_leaf, stored.statements))
            block = Block(stored.height, stored.time_ms, statements, stored.evidence)
            applied = apply_block(head, state, block)
            store.commit(block, applied)
            head = applied.head
        return head.log.size
