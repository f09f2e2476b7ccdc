"""Checking a ledger that began with a snapshot: it cannot be replayed from genesis, so what it holds is compared."""

from collections.abc import Iterable
from dataclasses import dataclass

from cellvow.core.ledger.log import (
    BlockLeaf,
    block_leaf,
    evidence_leaf,
    genesis_leaf,
    parse_block_leaf,
    statement_leaf,
)
from cellvow.core.ledger.outcome import outcome_digest
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.merkle import Frontier, inclusion_path, verify_inclusion
from cellvow.core.protocol.transition import Head
from cellvow.node.records import build_tree
from cellvow.node.store import LedgerStore, StoredBlock


@dataclass(frozen=True, slots=True)
class Continuation:
    """What was compared since the snapshot: its log size, blocks and statements after it, and all records.

    Not checked, for want of what came before: the history up to the snapshot, and whether the signatures and outcomes
    after it are the ones that the rules give. An archive node's `fsck` checks both.
    """

    joined_size: int
    blocks: int
    statements: int
    records: int


def check_continuation(store: LedgerStore, head: Head) -> Continuation:
    """Compare log, statements, blocks and records with each other; raises `VerificationError` where they differ.

    The log is built anew from the statements and outcomes since the snapshot, its end must be the head, genesis must
    stand in it, and the newest block must name the state root of the records that are here.
    """
    joined, blocks, statements = Frontier(), 0, 0
    log = joined
    for stored in store.blocks():
        if not joined.size:
            joined = log = _find_beginning(store, stored)
        if stored.leaf < log.size:
            continue  # the block that the snapshot itself showed
        log = _append(store, log, stored)
        blocks, statements = blocks + 1, statements + stored.statements
    if not joined.size:
        joined = log = store.frontier(1)
    if log != head.log:
        raise VerificationError("the head kept is not the one the blocks since the snapshot lead to")
    _check_genesis(store, log)
    root = _check_newest(store, head)
    tree = build_tree(store)
    if tree.root != root:
        raise VerificationError("the records are not those of the newest block's state root: somebody edited them")
    return Continuation(joined.size, blocks, statements, store.count_records())


def _find_beginning(store: LedgerStore, first: StoredBlock) -> Frontier:
    """The log as the snapshot left it: it ended in the first block here, or in genesis."""
    has_joined_before = first.height > (store.restored_height() or 0)
    return store.frontier(1 if has_joined_before else first.leaf + 1)


def _append(store: LedgerStore, log: Frontier, stored: StoredBlock) -> Frontier:
    """The log after one more block, whose leaves follow from its statements, outcomes, evidence and document."""
    kept = store.statements(stored.first_leaf, stored.statements)
    _check_frame(stored, parse_block_leaf(stored.body))
    if len(kept) != stored.statements or stored.first_leaf != log.size:
        raise VerificationError(f"block {stored.height}: statements are missing, or leaves were moved")
    leaves = [
        statement_leaf(one.statement.envelope.digest, outcome_digest(one.outcomes, one.statement.salts)) for one in kept
    ]
    leaves += [evidence_leaf(one) for one in stored.evidence]
    leaves.append(block_leaf(stored.body))
    return _grow(store, log, leaves, stored.height)


def _grow(store: LedgerStore, log: Frontier, leaves: Iterable[Digest], height: int) -> Frontier:
    for leaf in leaves:
        log, nodes = log.append(leaf)
        for level, position, digest in nodes:
            if store.nodes(level, position, 1) != [digest]:
                raise VerificationError(f"block {height}: node {position} of level {level} of the log is another")
    return log


def _check_frame(stored: StoredBlock, leaf: BlockLeaf) -> None:
    frame = (stored.height, stored.time_ms, stored.first_leaf, stored.statements, len(stored.evidence))
    if frame != (leaf.height, leaf.time_ms, leaf.first_leaf, leaf.statements, leaf.evidence):
        raise VerificationError(f"block {stored.height} is kept with other figures than its document has")


def _check_genesis(store: LedgerStore, log: Frontier) -> None:
    leaf = genesis_leaf(store.genesis().digest, store.genesis_state_root())
    if verify_inclusion(leaf, 0, log.size, inclusion_path(store.node, 0, log.size)) != log.root():
        raise VerificationError("genesis is not the one that the log begins with")


def _check_newest(store: LedgerStore, head: Head) -> Digest:
    """The state root that the newest block names, which must be the last leaf of the log and agree with the head."""
    stored = store.last_block()
    if stored is None:
        return store.genesis_state_root()
    leaf = parse_block_leaf(stored.body)
    _check_frame(stored, leaf)
    size = head.log.size
    path = inclusion_path(store.node, size - 1, size)
    if stored.leaf != size - 1 or verify_inclusion(block_leaf(stored.body), size - 1, size, path) != head.log.root():
        raise VerificationError("the newest block is not the one that the log ends in")
    if (leaf.time_ms, leaf.ruleset) != (head.time_ms, head.ruleset) or leaf.height > head.height:
        raise VerificationError("the head names another time, height or ruleset than the newest block")
    return leaf.state_root
