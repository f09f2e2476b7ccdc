"""The chain, top to bottom: how a block changes the state and grows the log. Read this first.

`apply_block` checks the block, lets what was decided for it take effect, applies each statement, and commits to the
result in the log. What follows it are its steps, in the order they are called. Nothing here reads a clock, a file or a
random number: the same block on the same state gives the same outcomes, the same state root and the same app hash on
every machine.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Protocol

from cellvow.core.contracts.beginning import genesis_records
from cellvow.core.contracts.contract import Contested, Context, Message, Provenance, decode_record
from cellvow.core.contracts.countersigning import (
    COUNTERSIGNS_SINCE,
    NEVER_HELD,
    Countersign,
    SigningRuleRecord,
    end_hold,
    hold,
    needs_second,
    signing_rule_key,
)
from cellvow.core.contracts.dispute_file import open_claim
from cellvow.core.contracts.governance import take_effect
from cellvow.core.contracts.parameter import get_ruleset_version
from cellvow.core.ledger.block import Block, check_block
from cellvow.core.ledger.genesis import Genesis
from cellvow.core.ledger.key import (
    KeyRecord,
    SequenceRecord,
    encode_sequence_record,
    key_record_key,
    may_sign,
    parse_key_record,
    parse_sequence_record,
    sequence_record_key,
)
from cellvow.core.ledger.log import (
    BlockLeaf,
    block_leaf,
    encode_app_hash,
    encode_block_leaf,
    evidence_leaf,
    genesis_leaf,
    statement_leaf,
)
from cellvow.core.ledger.outcome import Event, Outcome, encode_outcome, outcome_digest
from cellvow.core.ledger.rejection import NotIncludable, Reason, Rejected
from cellvow.core.ledger.statement import Envelope, Statement
from cellvow.core.ledger.validator import VALIDATORS_KEY, Validator, parse_validators
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import InvalidBlock, Malformed
from cellvow.core.primitives.limits import SEQUENCE_WINDOW
from cellvow.core.primitives.merkle import Frontier
from cellvow.core.primitives.signature import SignatureCheck, is_valid
from cellvow.core.protocol.ruleset import Ruleset, get_ruleset

Read = Callable[[str], bytes | None]
"""key -> the bytes of its record, or None."""
Find = Callable[[str], Iterable[str]]
"""prefix -> the keys that begin with it, in ascending order."""


class State(Protocol):
    """The records as of the last block, and their authenticated map."""

    def get(self, key: str) -> bytes | None:
        """The bytes of a record, or None."""

    def keys(self, prefix: str) -> Iterable[str]:
        """The keys of all records that begin with `prefix`, in ascending order."""

    def update(self, writes: Mapping[str, bytes]) -> Digest:
        """The state root once these records are written."""


@dataclass(frozen=True, slots=True)
class Head:
    """Where a chain stands: the last block's height and time, the log over everything, the rules in force."""

    chain_id: str
    height: int
    time_ms: int
    log: Frontier
    ruleset: int

    @property
    def app_hash(self) -> bytes:
        """Size and root of the log: what engines, checkpoints and headers vouch for."""
        return encode_app_hash(self.log)


@dataclass(frozen=True, slots=True)
class Applied:
    """What a block did: everything a store must write in one transaction before anyone is told.

    `validators` are all that there are from now on, where this block changed them: the engine must be told.
    """

    head: Head
    outcomes: tuple[tuple[bytes, ...], ...]
    writes: dict[str, bytes]
    leaves: tuple[Digest, ...]
    nodes: tuple[tuple[int, int, Digest], ...]
    block_leaf: bytes
    validators: tuple[Validator, ...] | None = None


def begin_chain(genesis: Genesis, state: State, inherited: Mapping[str, bytes] | None = None) -> Applied:
    """The chain before its first block: the first members' records, and leaf 0 of the log.

    Where genesis names a predecessor, `inherited` are that ledger's records, and heights go on from its last one.
    Raises `Malformed` where genesis and they do not go together.
    """
    get_ruleset(genesis.ruleset)
    records = genesis_records(genesis, inherited or {})
    height = _inherit(genesis, state, inherited)
    leaf = genesis_leaf(genesis.digest, state.update(records))
    log, nodes = Frontier().append(leaf)
    head = Head(genesis.chain_id, height, genesis.time_ms, log, genesis.ruleset)
    writes = {**(inherited or {}), **records}
    return Applied(head, (), writes, (leaf,), tuple(nodes), b"", genesis.validators or None)


def _inherit(genesis: Genesis, state: State, inherited: Mapping[str, bytes] | None) -> int:
    """The height to go on from, once the predecessor's records are written and have the root that genesis names."""
    predecessor = genesis.predecessor
    if predecessor is None:
        if inherited is not None:
            raise Malformed("genesis names no predecessor: it inherits no records")
        return 0
    if inherited is None:
        raise Malformed(f"genesis goes on from {predecessor.chain_id}: give that ledger's records")
    if state.update(inherited).hex() != predecessor.state_root:
        raise Malformed(f"the records given are not those of {predecessor.chain_id} at height {predecessor.height}")
    return predecessor.height


def apply_block(head: Head, state: State, block: Block, check: SignatureCheck = is_valid) -> Applied:
    """Apply a block to the state it follows; raises `InvalidBlock` when it must not stand at all."""
    # 1. The block follows, and is within its bounds.
    check_block(block, head.height, head.time_ms)
    if block.is_empty:
        return Applied(replace(head, height=block.height), (), {}, (), (), b"")

    # 2. What the members decided for this height takes effect: also by which rules this block is judged.
    sitting = _open_sitting(head, state, block)

    # 3. Each statement, in order: authentic and fresh, then applied. Its outcome is kept, whatever it is.
    outcomes = []
    for statement in block.statements:
        key = _authenticate(head, sitting, statement, check)
        outcomes.append(_apply_statement(sitting, statement, key))

    # 4. What the log will say: a leaf per statement, one per piece of evidence, and one for the block.
    writes, ruleset = sitting.writes, sitting.ruleset.version
    state_root = state.update(writes)
    body = encode_block_leaf(
        BlockLeaf(
            height=block.height,
            time_ms=block.time_ms,
            first_leaf=head.log.size,
            statements=len(block.statements),
            evidence=len(block.evidence),
            state_root=state_root,
            ruleset=ruleset,
        )
    )
    leaves = [
        statement_leaf(statement.envelope.digest, _digest_outcomes(statement, kept))
        for statement, kept in zip(block.statements, outcomes, strict=True)
    ]
    leaves += [evidence_leaf(evidence) for evidence in block.evidence]
    leaves.append(block_leaf(body))

    # 5. The log grows by those leaves; its size and root are the app hash.
    log, nodes = _grow(head.log, leaves)
    new_head = replace(head, height=block.height, time_ms=block.time_ms, log=log, ruleset=ruleset)
    validators = parse_validators(writes[VALIDATORS_KEY]) if VALIDATORS_KEY in writes else None
    return Applied(new_head, tuple(outcomes), writes, tuple(leaves), nodes, body, validators)


@dataclass(frozen=True, slots=True)
class _Sitting:
    """A block while it is applied: its rules, the state it follows, and what was written; first of all what was due."""

    ruleset: Ruleset
    state: State
    block: Block
    due: dict[str, bytes]
    writes: dict[str, bytes]
    known: Find
    signing_rule: Callable[[str], tuple[str, ...]]

    @property
    def read(self) -> Read:
        """The records as of now."""
        return _overlay(self.state.get, self.writes)

    @property
    def find(self) -> Find:
        """The keys as of now that begin with a prefix, in order."""
        return _overlay_keys(self.known, self.writes)

    def has_ended(self, key: KeyRecord) -> bool:
        """Whether what took effect at the start of this block ended the key."""
        if not self.due:
            return False
        value = self.due.get(key_record_key(bytes.fromhex(key.kid)))
        return value is not None and parse_key_record(value).revoked_height == self.block.height


def _open_sitting(head: Head, state: State, block: Block) -> _Sitting:
    known = cache(lambda prefix: tuple(state.keys(prefix)))  # the state stays as it is while the block is applied
    context = Context(
        read=state.get,
        organisation="",
        kid="",
        height=block.height,
        time_ms=block.time_ms,
        chain_id=head.chain_id,
        provenance=_NOBODY,
        find=known,
        ruleset=head.ruleset,
    )
    take_effect(context)
    ruleset = get_ruleset(get_ruleset_version(context))
    return _Sitting(ruleset, state, block, context.writes, dict(context.writes), known, _signing_rules(state, ruleset))


def _signing_rules(state: State, ruleset: Ruleset) -> Callable[[str], tuple[str, ...]]:
    """organisation -> the messages it wants signed twice; as with its keys, a change counts from the next block on."""

    def rule_of(organisation: str) -> tuple[str, ...]:
        value = state.get(signing_rule_key(organisation)) if ruleset.version >= COUNTERSIGNS_SINCE else None
        return () if value is None else decode_record(SigningRuleRecord, value).messages

    return cache(rule_of)


_NOBODY = Provenance(statement="00" * 32, index=0)
"""Stands where no statement is at work: what takes effect stems from the votes that decided it."""


def _authenticate(head: Head, sitting: _Sitting, statement: Statement, check: SignatureCheck) -> KeyRecord:
    """The signer's key as of the last block, once the statement is authentic, fresh, and its sequence marked."""
    envelope, block = statement.envelope, sitting.block
    record_key = sequence_record_key(envelope.kid)
    try:
        key = require_authentic(head.chain_id, sitting.state.get, envelope, block.height, block.time_ms, check)
        marked = require_fresh(read_sequences(sitting.read, envelope.kid), envelope)
    except NotIncludable as refusal:
        raise InvalidBlock(f"block {block.height} holds a statement that is not includable: {refusal}") from refusal
    sitting.writes[record_key] = encode_sequence_record(marked)
    return key


def require_authentic(
    chain_id: str, read: Read, envelope: Envelope, height: int, time_ms: int, check: SignatureCheck = is_valid
) -> KeyRecord:
    """The signer's key record; raises `NotIncludable` unless his key in force signed this for this chain."""
    if envelope.chain_id != chain_id:
        raise NotIncludable(Reason.WRONG_CHAIN, chain_id=envelope.chain_id)
    value = read(key_record_key(envelope.kid))
    if value is None:
        raise NotIncludable(Reason.UNKNOWN_KEY, kid=envelope.kid.hex())
    key = parse_key_record(value)
    if key.organisation != envelope.organisation:
        raise NotIncludable(Reason.FOREIGN_KEY, kid=key.kid)
    if not key.is_in_force(height, time_ms):
        raise NotIncludable(Reason.KEY_NOT_IN_FORCE, kid=key.kid)
    if not check(bytes.fromhex(key.public_key), envelope.signed_bytes, envelope.signature):
        raise NotIncludable(Reason.BAD_SIGNATURE, kid=key.kid)
    return key


def read_sequences(read: Read, kid: bytes) -> SequenceRecord:
    """The sequences that a key has used."""
    value = read(sequence_record_key(kid))
    return SequenceRecord() if value is None else parse_sequence_record(value)


def require_fresh(record: SequenceRecord, envelope: Envelope) -> SequenceRecord:
    """The key's sequences with this one marked; raises `NotIncludable` if it was used, or lies outside the window."""
    ahead = envelope.sequence - record.top
    if not -SEQUENCE_WINDOW < ahead <= SEQUENCE_WINDOW:
        raise NotIncludable(Reason.SEQUENCE_OUT_OF_WINDOW, sequence=envelope.sequence, top=record.top)
    statement = envelope.digest.hex()
    if ahead > 0:
        marks = (record.marks << ahead | 1) & ((1 << SEQUENCE_WINDOW) - 1)
        return SequenceRecord(envelope.sequence, marks, statement)
    if record.marks >> -ahead & 1:
        raise NotIncludable(Reason.SEQUENCE_USED, sequence=envelope.sequence)
    return SequenceRecord(record.top, record.marks | 1 << -ahead, statement)


def _apply_statement(sitting: _Sitting, statement: Statement, key: KeyRecord) -> tuple[bytes, ...]:
    """The outcomes of a statement's messages; what they wrote is in `writes`, or dropped as a whole."""
    own: dict[str, bytes] = {}
    outcomes: list[Outcome] = []
    rule = _find_rule(sitting, statement, key.organisation)
    contexts = _contexts(sitting, own, statement, key)
    for index in range(len(statement.messages)):
        context = contexts(index)
        outcome = _apply_message(sitting, statement, key, rule, context)
        own.update(context.writes)
        outcomes.append(outcome)
    if statement.mode == "atomic" and not _stand_together(outcomes):
        own, outcomes = _abort(sitting, statement, key, rule, outcomes)
    sitting.writes.update(own)
    return tuple(encode_outcome(outcome) for outcome in outcomes)


def _find_rule(sitting: _Sitting, statement: Statement, organisation: str) -> tuple[str, ...]:
    """The messages that need a second signature here: of an atomic batch all that may wait, if one of them does."""
    rule = sitting.signing_rule(organisation)
    if not rule or not statement.is_batch or statement.mode != "atomic":
        return rule
    found = (sitting.ruleset.find_message(data) for data in statement.messages)
    messages = [message for message in found if message is not None]
    if not any(needs_second(rule, message) for message in messages):
        return rule
    return tuple(name for name in (type(message).__name__ for message in messages) if name not in NEVER_HELD)


def _stand_together(outcomes: list[Outcome]) -> bool:
    """Whether all of an atomic batch was done, or all of it waits for a second signature."""
    return all(outcome.is_accepted for outcome in outcomes) or all(outcome.is_held for outcome in outcomes)


def _abort(
    sitting: _Sitting, statement: Statement, key: KeyRecord, rule: tuple[str, ...], outcomes: list[Outcome]
) -> tuple[dict[str, bytes], list[Outcome]]:
    """What is left of a batch of which nothing is done: what it claimed against the registers is kept.

    A claim is judged anew, on the records as they stand without the rest of its batch: nothing of that may show.
    Where nothing else stops the batch, what waits for a second signature does.
    """
    is_stopped = any(outcome.reason is not None or outcome.is_contested for outcome in outcomes)
    aborted = Outcome(reason=Reason.BATCH_ABORTED)
    waiting = aborted if is_stopped else Outcome(reason=Reason.PARTLY_HELD)
    kept: dict[str, bytes] = {}
    left: list[Outcome] = []
    contexts = _contexts(sitting, kept, statement, key)
    for index, first in enumerate(outcomes):
        outcome = first
        if first.is_contested:
            context = contexts(index)
            outcome = _apply_message(sitting, statement, key, rule, context)
            if outcome.is_contested:
                kept.update(context.writes)
        left.append(waiting if outcome.is_held else aborted if outcome.is_accepted else outcome)
    return kept, left


def _apply_message(
    sitting: _Sitting, statement: Statement, key: KeyRecord, rule: tuple[str, ...], context: Context
) -> Outcome:
    """What became of one message: the events its contract recorded, or the rule it broke."""
    envelope, ruleset = statement.envelope, sitting.ruleset
    try:
        if envelope.not_after_ms is not None and context.time_ms > envelope.not_after_ms:
            raise Rejected(Reason.EXPIRED, not_after_ms=envelope.not_after_ms)
        message = ruleset.parse_message(statement.messages[context.provenance.index])
        name = type(message).__name__
        if not may_sign(key, name):
            raise Rejected(Reason.OUT_OF_SCOPE, message=name, kid=key.kid)
        if sitting.has_ended(key):
            raise Rejected(Reason.KEY_HAS_ENDED, kid=key.kid)
        if not statement.is_batch and message.subject != envelope.subject:
            raise Rejected(Reason.WRONG_SUBJECT, subject=message.subject)
        if needs_second(rule, message):
            return Outcome(events=tuple(hold(context, message)), is_held=True)
        return _order(ruleset, context, message)
    except Rejected as rejected:
        context.writes.clear()
        return Outcome.of_rejection(rejected)


def _order(ruleset: Ruleset, context: Context, message: Message) -> Outcome:
    """What the message's contract recorded, or the dispute that its claim against the registers opened."""
    try:
        return Outcome(events=tuple(_execute(ruleset, context, message)))
    except Contested as claim:
        context.writes.clear()
        if isinstance(message, Countersign):
            end_hold(context, message, "executed")
        return Outcome(events=tuple(open_claim(context, claim)), is_contested=True)


def _execute(ruleset: Ruleset, context: Context, message: Message) -> list[Event]:
    """What the message's contract recorded; a second signature lets what waits for it be ordered, as of now."""
    events = ruleset.handlers[type(message)](context, message)
    if isinstance(message, Countersign):
        held = ruleset.ordered_by(message)
        events = [*events, *ruleset.handlers[type(held)](context, held)]
    return events


def _contexts(
    sitting: _Sitting, own: dict[str, bytes], statement: Statement, key: KeyRecord
) -> Callable[[int], Context]:
    """index -> the context of that message of the statement; `own` is what those before it wrote."""
    read, find = _overlay(sitting.read, own), _overlay_keys(sitting.find, own)
    digest, chain_id = statement.envelope.digest.hex(), statement.envelope.chain_id

    def context_of(index: int) -> Context:
        salt = statement.salt(index)
        return Context(
            read=read,
            organisation=key.organisation,
            kid=key.kid,
            height=sitting.block.height,
            time_ms=sitting.block.time_ms,
            chain_id=chain_id,
            provenance=Provenance(statement=digest, index=index, salt=None if salt is None else salt.hex()),
            find=find,
            ruleset=sitting.ruleset.version,
        )

    return context_of


def _digest_outcomes(statement: Statement, outcomes: tuple[bytes, ...]) -> Digest:
    return outcome_digest(outcomes, statement.salts)


def _overlay(read: Read, writes: Mapping[str, bytes]) -> Read:
    def get(key: str) -> bytes | None:
        return writes[key] if key in writes else read(key)

    return get


def _overlay_keys(find: Find, writes: Mapping[str, bytes]) -> Find:
    def keys(prefix: str) -> list[str]:
        written = [key for key in writes if key.startswith(prefix)]
        return sorted(dict.fromkeys((*find(prefix), *written)))

    return keys


def _grow(log: Frontier, leaves: list[Digest]) -> tuple[Frontier, tuple[tuple[int, int, Digest], ...]]:
    nodes: list[tuple[int, int, Digest]] = []
    for leaf in leaves:
        log, new = log.append(leaf)
        nodes += new
    return log, tuple(nodes)
