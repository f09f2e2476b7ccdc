"""The chain as it can be looked at: for a stranger hashes and times, for a member what the statements say."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

from cellvow.core.ledger.checkpoint import verify_checkpoint
from cellvow.core.ledger.key import is_suspect, key_record_key, parse_key_record
from cellvow.core.ledger.log import block_leaf, parse_block_leaf
from cellvow.core.ledger.outcome import parse_outcome
from cellvow.core.ledger.rejection import RULES, Rejected
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.ruleset import Ruleset, get_ruleset
from cellvow.node.home import NodeHome
from cellvow.node.store import LedgerStore, StoredBlock, StoredStatement
from cellvow.workspace.consent import ConsentView, read_consent

BLOCKS_MAX = 100
"""Blocks in one answer."""
LEAVES_MAX = 50
"""Leaves of one block in one answer: a block can have 2,000."""
MESSAGES_MAX = 20
"""Messages of one batch in one answer: a batch can have 500."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cosigned:
    """A witness that vouches for a checkpoint, and when it did, in milliseconds since 1970."""

    name: str
    time_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointView:
    """The newest checkpoint: all leaves below `size` are under it. `quorum` is how many cosignatures are asked for."""

    size: int
    root: str
    cosigned_by: tuple[Cosigned, ...]
    quorum: int

    @property
    def is_witnessed(self) -> bool:
        """Whether as many others vouch for it as the trust file asks for."""
        return 0 < self.quorum <= len(self.cosigned_by)


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainHead:
    """Where the chain stands: height and time of its last block, leaves and root of its log, newest checkpoint.

    In a consortium the validators sign, and no checkpoint is made: `consent` says what they have signed.
    """

    chain_id: str
    origin: str
    genesis: str
    height: int
    time_ms: int
    leaves: int
    root: str
    checkpoint: CheckpointView | None
    consent: ConsentView | None = None

    @property
    def vouched_leaves(self) -> int:
        """How many leaves, from the first on, are under what was signed last."""
        if self.consent is not None:
            return self.consent.size
        return 0 if self.checkpoint is None else self.checkpoint.size


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockView:
    """One block; its own leaf, the last, is `block_leaf` with the hash `block_hash`."""

    height: int
    time_ms: int
    first_leaf: int
    statements: int
    evidence: int
    block_leaf: int
    block_hash: str
    state_root: str
    ruleset: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageView:
    """One message and what became of it: the events recorded, or the reason why not."""

    index: int
    type: str
    subject: str
    accepted: bool
    contested: bool = False
    held: bool = False
    events: tuple[str, ...] = ()
    code: int | None = None
    reason: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementView:
    """What a member sees of a statement; `messages` are its first ones, `messages_total` counts all.

    `suspect`: its key had been somebody else's by the time of its block, as was said since.
    """

    txid: str
    digest: str
    bytes: int
    organisation: str
    sequence: int
    mode: str | None
    messages_total: int
    messages: tuple[MessageView, ...]
    suspect: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeafView:
    """One leaf of a block. A stranger gets no digest: beside the leaf's hash it would let him guess the outcome."""

    index: int
    kind: str
    hash: str
    statement: StatementView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockPage:
    """A block with some of its leaves; `next_leaf` is where the rest begins, `earlier` and `later` are heights."""

    block: BlockView
    leaves: tuple[LeafView, ...]
    next_leaf: int | None
    earlier: int | None
    later: int | None


class Explorer:
    """Reads the chain of one ledger; shared by threads."""

    def __init__(self, home: NodeHome) -> None:
        self._home = home

    def head(self) -> ChainHead:
        """Where the chain stands; every signature of its checkpoint is checked."""
        with self._reading() as store:
            head, trust = store.head(), self._home.trust
            return ChainHead(
                chain_id=head.chain_id,
                origin=head.chain_id if trust.log is None else trust.log.name,
                genesis=trust.genesis.hex(),
                height=head.height,
                time_ms=head.time_ms,
                leaves=head.log.size,
                root=head.log.root().hex(),
                checkpoint=self._checkpoint(store),
                consent=read_consent(store) if self._home.is_member else None,
            )

    def note(self) -> bytes | None:
        """The newest checkpoint as the log and its witnesses signed it."""
        with self._reading() as store:
            return store.checkpoint()

    def blocks_after(self, height: int, limit: int) -> list[BlockView]:
        """At most `limit` blocks above a height, oldest first."""
        with self._reading() as store:
            return [_view(block) for block in islice(store.blocks(after=height), limit)]

    def blocks_before(self, height: int | None, limit: int) -> list[BlockView]:
        """At most `limit` blocks below a height, or the newest, newest first."""
        with self._reading() as store:
            top = store.head().height + 1
            return [_view(block) for block in _below(store, top if height is None else min(height, top), limit)]

    def block(self, height: int, first_leaf: int, *, bodies: bool) -> BlockPage | None:
        """A block with its leaves from `first_leaf` on; None where none is recorded. `bodies` are for members."""
        with self._reading() as store:
            block = store.block(height)
            if block is None:
                return None
            start = min(max(first_leaf, block.first_leaf), block.leaf)
            end = min(start + LEAVES_MAX, block.leaf + 1)
            statements = _statements(store, block, start, end) if bodies else {}
            return BlockPage(
                block=_view(block),
                leaves=tuple(
                    LeafView(
                        index=leaf,
                        kind=_kind(block, leaf),
                        hash=store.node(0, leaf).hex(),
                        statement=statements.get(leaf),
                    )
                    for leaf in range(start, end)
                ),
                next_leaf=end if end <= block.leaf else None,
                earlier=next((one.height for one in _below(store, height, 1)), None),
                later=next((one.height for one in store.blocks(after=height)), None),
            )

    @contextmanager
    def _reading(self) -> Iterator[LedgerStore]:
        store = self._home.open_reader()
        try:
            yield store
        finally:
            store.close()

    def _checkpoint(self, store: LedgerStore) -> CheckpointView | None:
        note, trust = store.checkpoint(), self._home.trust
        if note is None or trust.log is None:
            return None
        verified = verify_checkpoint(note, trust.log, trust.witnesses, 0, is_valid)
        cosigned = tuple(Cosigned(name=name, time_ms=seconds * 1000) for name, seconds in verified.cosigned_by)
        size, root = verified.checkpoint.size, verified.checkpoint.root.hex()
        return CheckpointView(size=size, root=root, cosigned_by=cosigned, quorum=trust.quorum)


def _below(store: LedgerStore, height: int, limit: int) -> list[StoredBlock]:
    """The blocks below a height, newest first; heights may have gaps, so the span searched grows until it suffices."""
    span = limit
    while True:
        floor = max(0, height - 1 - span)
        found = []
        for block in store.blocks(after=floor):
            if block.height >= height:
                break
            found.append(block)
        if len(found) >= limit or floor == 0:
            return found[: -limit - 1 : -1]
        span *= 4


def _view(block: StoredBlock) -> BlockView:
    leaf = parse_block_leaf(block.body)
    return BlockView(
        height=block.height,
        time_ms=block.time_ms,
        first_leaf=block.first_leaf,
        statements=block.statements,
        evidence=len(block.evidence),
        block_leaf=block.leaf,
        block_hash=block_leaf(block.body).hex(),
        state_root=leaf.state_root.hex(),
        ruleset=leaf.ruleset,
    )


def _kind(block: StoredBlock, leaf: int) -> str:
    if leaf == block.leaf:
        return "block"
    return "statement" if leaf < block.first_leaf + block.statements else "evidence"


def _statements(store: LedgerStore, block: StoredBlock, start: int, end: int) -> dict[int, StatementView]:
    ruleset = get_ruleset(parse_block_leaf(block.body).ruleset)
    count = max(0, min(end, block.first_leaf + block.statements) - start)
    found = store.statements(start, count)
    return {one.leaf: _statement(one, ruleset, suspect=_is_suspect(store, one, block.time_ms)) for one in found}


def _is_suspect(store: LedgerStore, stored: StoredStatement, time_ms: int) -> bool:
    value = store.get(key_record_key(stored.statement.envelope.kid))
    return value is not None and is_suspect(parse_key_record(value), time_ms)


def _statement(stored: StoredStatement, ruleset: Ruleset, *, suspect: bool) -> StatementView:
    statement, envelope = stored.statement, stored.statement.envelope
    shown = range(min(len(statement.messages), MESSAGES_MAX))
    return StatementView(
        txid=envelope.txid.hex(),
        digest=envelope.digest.hex(),
        bytes=len(statement.data),
        organisation=envelope.organisation,
        sequence=envelope.sequence,
        mode=statement.mode if statement.is_batch else None,
        messages_total=len(statement.messages),
        messages=tuple(_message(stored, index, ruleset) for index in shown),
        suspect=suspect,
    )


def _message(stored: StoredStatement, index: int, ruleset: Ruleset) -> MessageView:
    kind, subject = _about(stored, index, ruleset)
    outcome = parse_outcome(stored.outcomes[index])
    if outcome.reason is None:
        events = tuple(str(event["type"]) for event in outcome.events)
        return MessageView(
            index=index,
            type=kind,
            subject=subject,
            accepted=outcome.is_accepted,
            contested=outcome.is_contested,
            held=outcome.is_held,
            events=events,
        )
    reason = outcome.reason
    return MessageView(
        index=index,
        type=kind,
        subject=subject,
        accepted=False,
        code=int(reason),
        reason=reason.name,
        rule=RULES[reason],
    )


def _about(stored: StoredStatement, index: int, ruleset: Ruleset) -> tuple[str, str]:
    """The type and subject of a message; what matches no schema was rejected for it, and has only its envelope's."""
    try:
        message = ruleset.parse_message(stored.statement.messages[index])
    except Rejected:
        return "unknown", stored.statement.envelope.subject
    return type(message).__name__, message.subject
