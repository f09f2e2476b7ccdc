"""Checking a whole ledger against itself: every block applied again from genesis, every leaf and record compared."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from cellvow.core.ledger.block import Block
from cellvow.core.ledger.checkpoint import SignatureCheck, parse_note
from cellvow.core.ledger.statement import Envelope
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import CellvowError, VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.transition import Applied, Head, apply_block, begin_chain
from cellvow.node.checking import ChecksAhead, SignatureCache, find_checks
from cellvow.node.fsck_restored import check_continuation
from cellvow.node.inheritance import read_inherited
from cellvow.node.records import MemoryState
from cellvow.node.store import LedgerStore, StoredBlock, StoredStatement

Progress = Callable[[int, int], None]
"""(blocks checked, blocks in all)."""


def _ignore(_done: int, _total: int) -> None:
    """Nobody watches."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A ledger that reproduces: how much was replayed, and the app hash it ends in.

    `joined_height` is set where it began with a snapshot: then nothing was replayed, and what it holds was compared
    (`fsck_restored`).
    """

    blocks: int
    statements: int
    leaves: int
    records: int
    app_hash: bytes
    checkpoint_size: int | None
    joined_height: int | None = None


def check_ledger(store: LedgerStore, progress: Progress = _ignore, check: SignatureCheck = is_valid) -> Checked:
    """Replay the ledger from genesis; raises `VerificationError` naming the first place that does not reproduce."""
    try:
        if store.restored_height() is not None:
            return _compare(store)
        return _replay(store, progress, check)
    except VerificationError:
        raise
    except CellvowError as error:
        raise VerificationError(f"the ledger does not replay: {error}") from error


def _replay(store: LedgerStore, progress: Progress, check: SignatureCheck) -> Checked:
    state = MemoryState()
    applied = begin_chain(store.genesis(), state, read_inherited(store))
    _compare_leaves(store, applied, "genesis")
    head, blocks, statements = applied.head, 0, 0
    total = store.count_blocks()
    cache = SignatureCache(check)
    with ChecksAhead(cache, is_elsewhere=check is is_valid) as ahead:
        for loaded, following in _with_next(map(partial(_load, store), store.blocks())):
            ahead.finish(find_checks(loaded.envelopes, state.get))
            ahead.begin([] if following is None else find_checks(following.envelopes, state.get))
            applied = _replay_block(store, head, state, loaded, cache)
            head, blocks, statements = applied.head, blocks + 1, statements + loaded.stored.statements
            progress(blocks, total)
    _compare_head(store, head)
    records = _compare_records(store, state)
    return Checked(blocks, statements, head.log.size, records, head.app_hash, _check_note(store, head))


def _compare(store: LedgerStore) -> Checked:
    """What can be checked where the history up to a snapshot is elsewhere."""
    head = store.head()
    found = check_continuation(store, head)
    size = _check_note(store, head, joined_size=found.joined_size)
    return Checked(
        found.blocks, found.statements, head.log.size, found.records, head.app_hash, size, store.restored_height()
    )


@dataclass(frozen=True, slots=True)
class _Loaded:
    """A block with the statements found in its place."""

    stored: StoredBlock
    kept: list[StoredStatement]

    @property
    def envelopes(self) -> Iterator[Envelope]:
        return (one.statement.envelope for one in self.kept)


def _load(store: LedgerStore, stored: StoredBlock) -> _Loaded:
    return _Loaded(stored, store.statements(stored.first_leaf, stored.statements))


def _with_next(blocks: Iterator[_Loaded]) -> Iterator[tuple[_Loaded, _Loaded | None]]:
    """Each block with the one after it, whose signatures can be checked meanwhile."""
    previous = next(blocks, None)
    for block in blocks:
        if previous is not None:
            yield previous, block
        previous = block
    if previous is not None:
        yield previous, None


def _replay_block(
    store: LedgerStore, head: Head, state: MemoryState, loaded: _Loaded, check: SignatureCheck
) -> Applied:
    stored, kept = loaded.stored, loaded.kept
    if len(kept) != stored.statements or stored.first_leaf != head.log.size:
        raise VerificationError(f"block {stored.height}: statements are missing, or leaves were moved")
    block = Block(stored.height, stored.time_ms, tuple(one.statement for one in kept), stored.evidence)
    applied = apply_block(head, state, block, check)
    for one, outcomes in zip(kept, applied.outcomes, strict=True):
        if one.outcomes != outcomes:
            raise VerificationError(f"block {stored.height}, leaf {one.leaf}: the outcome kept is not the one it had")
        if one.height != stored.height:
            raise VerificationError(f"leaf {one.leaf} names block {one.height}, and stands in {stored.height}")
    if applied.block_leaf != stored.body:
        raise VerificationError(f"block {stored.height}: its document does not reproduce")
    _compare_leaves(store, applied, f"block {stored.height}")
    return applied


def _compare_leaves(store: LedgerStore, applied: Applied, where: str) -> None:
    """Compare the new nodes of the log, which stand side by side in each level."""
    levels: dict[int, list[tuple[int, Digest]]] = {}
    for level, position, digest in applied.nodes:
        levels.setdefault(level, []).append((position, digest))
    for level, nodes in levels.items():
        first = nodes[0][0]
        if store.nodes(level, first, len(nodes)) != [digest for _, digest in nodes]:
            position = next(place for place, digest in nodes if store.node(level, place) != digest)
            kind = f"leaf {position}" if level == 0 else f"node {position} of level {level}"
            raise VerificationError(f"{where}: {kind} of the log is not what the block gives")


def _compare_head(store: LedgerStore, head: Head) -> None:
    kept = store.head()
    # Validators also decide empty blocks, which are counted and leave nothing in the ledger.
    is_later = kept.height > head.height and bool(store.genesis().validators)
    if kept.app_hash != head.app_hash or (kept.height != head.height and not is_later):
        raise VerificationError("the head kept is not the one the blocks lead to")


def _compare_records(store: LedgerStore, state: MemoryState) -> int:
    count = 0
    for key, value in store.records():
        if state.values.get(key) != value:
            raise VerificationError(f"record {key} is not what the statements give: somebody edited it")
        count += 1
    if count != len(state.values):
        raise VerificationError("records are missing that the statements give")
    return count


def _check_note(store: LedgerStore, head: Head, *, joined_size: int = 0) -> int | None:
    """The size of the newest checkpoint, once its root is shown to be a prefix of this log; None for an older log's."""
    note = store.checkpoint()
    if note is None:
        return None
    checkpoint = parse_note(note).checkpoint
    if checkpoint.size < joined_size:
        return None
    if checkpoint.size > head.log.size:
        raise VerificationError(f"a checkpoint of {checkpoint.size} leaves was signed, and {head.log.size} are left")
    if store.frontier(checkpoint.size).root() != checkpoint.root:
        raise VerificationError(f"the checkpoint of {checkpoint.size} leaves was signed over another history")
    return checkpoint.size
