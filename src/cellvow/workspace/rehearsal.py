"""What messages would do if they were signed now: the ledger's own rules, run on its own records, and nothing is kept.

It is `apply_block` itself over a store that is only read, with a statement nobody has signed: so a rehearsal knows what
the ledger knows - scope of the key, fences, quotas, a second signature - and repeats none of its rules.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from cellvow.core.contracts.contract import Message, RecordType, decode_record
from cellvow.core.contracts.custody import OfferRecord
from cellvow.core.contracts.dispute_file import DisputeRecord
from cellvow.core.contracts.register import REGISTERS, RegisterRecord
from cellvow.core.contracts.takeover import TakeoverRecord
from cellvow.core.ledger.block import Block
from cellvow.core.ledger.key import parse_sequence_record, sequence_record_key
from cellvow.core.ledger.outcome import Outcome, find_cause, parse_outcome
from cellvow.core.ledger.rejection import NotIncludable
from cellvow.core.ledger.statement import (
    BATCH_CONTENT,
    BATCH_SUBJECT,
    SEED_LENGTH,
    SIGNATURE_LENGTH,
    SINGLE_CONTENT,
    Statement,
    batch_root,
    encode_batch,
    encode_envelope,
    encode_payload,
    encode_protected,
    parse_statement,
)
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.protocol.transition import apply_block, require_authentic
from cellvow.node.store import LedgerStore
from cellvow.workspace.workspace import encode_checked

KINDS = (*REGISTERS, "offer", "dispute", "takeover", "still", "moving", "tests")
"""What a change can be of: a register, an offer, a dispute, a notice of a take-over; a register that stands still from
then on or may move again; the tests of a unit, which become void.
"""
NOBODY = ""
"""Stands where there was nothing before."""


@dataclass(frozen=True, slots=True)
class Change:
    """What would be different: `about` is a unit, or the name of a dispute; `before` and `after` as the kind has it."""

    kind: str
    about: str
    before: str = NOBODY
    after: str = NOBODY


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What would become of each message, and what would be different; `refused` is why there would be no trace."""

    outcomes: tuple[Outcome, ...]
    changes: tuple[Change, ...] = ()
    records: int = 0
    refused: NotIncludable | None = None

    @property
    def rejection(self) -> Outcome | None:
        """Why nothing would be done: the first outcome that is not another's fault."""
        return find_cause(self.outcomes)

    @property
    def is_sound(self) -> bool:
        """Whether the ledger would keep it as more than a refusal."""
        return self.refused is None and self.rejection is None

    @property
    def is_held(self) -> bool:
        """Whether it would wait for a second signature."""
        return self.is_sound and any(one.is_held for one in self.outcomes)

    @property
    def is_contested(self) -> bool:
        """Whether it would be kept as a claim against the registers."""
        return self.is_sound and any(one.is_contested for one in self.outcomes)


def rehearse(store: LedgerStore, organisation: str, kid: bytes, messages: Sequence[Message], now_ms: int) -> Rehearsal:
    """What would become of these messages, signed by this key of the organisation at this moment; changes nothing.

    Raises `Malformed` for a message that the ledger would not read.
    """
    head = store.head()
    time_ms = max(now_ms, head.time_ms)
    known = store.get(sequence_record_key(kid))
    sequence = 1 if known is None else parse_sequence_record(known).top + 1
    statement = _unsigned(head.chain_id, organisation, kid, sequence, messages)
    height = head.height + 1
    try:
        require_authentic(head.chain_id, store.get, statement.envelope, height, time_ms, _taken_as_signed)
    except NotIncludable as refusal:
        return Rehearsal((), refused=refusal)
    applied = apply_block(head, _ReadOnly(store), Block(height, time_ms, (statement,)), _taken_as_signed)
    outcomes = tuple(parse_outcome(one) for one in applied.outcomes[0])
    written = {key: value for key, value in applied.writes.items() if key != sequence_record_key(kid)}
    return Rehearsal(outcomes, tuple(_changes(store, written)), len(written))


def _taken_as_signed(_public_key: bytes, _message: bytes, _signature: bytes) -> bool:
    return True


@dataclass(frozen=True, slots=True)
class _ReadOnly:
    """The records as they stand; what is written to it goes nowhere, and no root is of use to anybody."""

    store: LedgerStore

    def get(self, key: str) -> bytes | None:
        return self.store.get(key)

    def keys(self, prefix: str) -> Iterable[str]:
        return [key for key, _ in self.store.records(prefix)]

    def update(self, _writes: Mapping[str, bytes]) -> Digest:
        return Digest(bytes(32))


def _unsigned(chain_id: str, organisation: str, kid: bytes, sequence: int, messages: Sequence[Message]) -> Statement:
    """The statement of these messages, with nothing where its signature would be."""
    carried = tuple(encode_checked(one) for one in messages)
    seed, nothing = bytes(SEED_LENGTH), bytes(SIGNATURE_LENGTH)
    if len(carried) > 1:
        body: dict[str, Json] = {"count": len(carried), "mode": "atomic", "root": batch_root(seed, carried).hex()}
        protected = encode_protected(kid, organisation, BATCH_SUBJECT, BATCH_CONTENT)
        envelope = encode_envelope(protected, encode_payload(chain_id, sequence, body), nothing)
        return parse_statement(encode_batch(envelope, seed, carried))
    body = {"message": parse_object(carried[0])}
    protected = encode_protected(kid, organisation, messages[0].subject, SINGLE_CONTENT)
    return parse_statement(encode_envelope(protected, encode_payload(chain_id, sequence, body), nothing))


def _changes(store: LedgerStore, written: Mapping[str, bytes]) -> Iterable[Change]:
    """What the records written say in other words than those that stand."""
    for key, value in sorted(written.items()):
        kind, _, about = key.partition("/")
        if kind in REGISTERS:
            registered = _before(store, RegisterRecord, key)
            after = decode_record(RegisterRecord, value).organisation
            yield from _differing(kind, about, "" if registered is None else registered.organisation, after)
        elif kind == "offer":
            offer = _before(store, OfferRecord, key)
            after = decode_record(OfferRecord, value).state
            yield from _differing(kind, about, "" if offer is None else offer.state, after)
        elif kind == "takeover":
            notice = _before(store, TakeoverRecord, key)
            after = decode_record(TakeoverRecord, value).state
            yield from _differing(kind, about, "" if notice is None else notice.state, after)
        elif kind == "dispute":
            yield from _dispute_changes(_before(store, DisputeRecord, key), decode_record(DisputeRecord, value))
        elif kind == "voiding":
            yield Change("tests", about.rpartition("/")[0])


def _dispute_changes(before: DisputeRecord | None, after: DisputeRecord) -> Iterable[Change]:
    name = f"{after.organisation}/{after.reference}"
    yield from _differing("dispute", name, "" if before is None else before.state, after.state)
    if before is None:
        yield from (Change("still", after.battery, after=register) for register in after.holds)
    elif after.state != before.state:
        yield from (Change("moving", after.battery, after=register) for register in after.holds)


def _differing(kind: str, about: str, before: str, after: str) -> Iterable[Change]:
    if before != after:
        yield Change(kind, about, before, after)


def _before(store: LedgerStore, record_type: type[RecordType], key: str) -> RecordType | None:
    value = store.get(key)
    return None if value is None else decode_record(record_type, value)
