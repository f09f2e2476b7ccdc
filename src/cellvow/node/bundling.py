"""Building bundles from a store: the statement, its proofs under a checkpoint, and its signer's key chain."""

from collections.abc import Sequence

from cellvow.core.ledger.checkpoint import parse_note
from cellvow.core.ledger.commitment import Disclosure
from cellvow.core.ledger.genesis import Genesis, encode_organisation
from cellvow.core.ledger.key import ROOT, KeyRecord, key_record_key, parse_key_record
from cellvow.core.ledger.outcome import outcome_leaf
from cellvow.core.ledger.statement import batch_leaf
from cellvow.core.primitives.errors import OperationalError, fail
from cellvow.core.primitives.merkle import fetch_from, inclusion_path
from cellvow.node.records import StoredState
from cellvow.node.store import LedgerStore, StoredBlock, StoredStatement
from cellvow.verify.bundle import (
    Admission,
    BatchPlace,
    BlockProof,
    Bundle,
    Disclosed,
    Inclusion,
    RecordProof,
    StateProofs,
)


def build_bundle(
    store: LedgerStore,
    digest: bytes,
    index: int = 0,
    *,
    state: StoredState | None = None,
    records: Sequence[str] = (),
    disclosures: Sequence[Disclosure] = (),
) -> Bundle:
    """The bundle of message `index` of a statement, under the newest checkpoint.

    With `state`, the signer's key and `records` are proven as of that checkpoint. Raises `OperationalError` when the
    statement is unknown, or no checkpoint covers it yet.
    """
    note = store.checkpoint()
    stored = store.statement_of_digest(digest)
    if stored is None:
        raise OperationalError(f"the ledger holds no statement {digest.hex()}")
    if note is None or parse_note(note).checkpoint.size <= stored.leaf:
        raise OperationalError("no checkpoint covers this statement yet: publish one, then ask again")
    size = parse_note(note).checkpoint.size
    block = _block_of(store, stored)
    envelope = stored.statement.envelope
    key = _key_of(store, envelope.kid)
    genesis = store.genesis()
    return Bundle(
        genesis=genesis.header,
        admission=_admission(genesis, envelope.organisation),
        keys=_registration(store, key, size),
        statement=_inclusion(store, stored, index, size),
        block=_block_proof(store, block, size),
        checkpoint=note,
        state=None if state is None else _state(store, state, size, [key_record_key(envelope.kid), *records]),
        disclosures=tuple(Disclosed(one.salt, one.field) for one in disclosures),
    )


def _block_of(store: LedgerStore, stored: StoredStatement) -> StoredBlock:
    block = store.block(stored.height)
    if block is None:
        fail(f"statement {stored.leaf} stands in a block that is not there")
    return block


def _key_of(store: LedgerStore, kid: bytes) -> KeyRecord:
    value = store.get(key_record_key(kid))
    if value is None:
        fail(f"an included statement was signed by the unregistered key {kid.hex()}")
    return parse_key_record(value)


def _admission(genesis: Genesis, organisation: str) -> Admission:
    names = [member.organisation for member in genesis.organisations]
    index = names.index(organisation)
    leaves = genesis.leaves
    path = inclusion_path(fetch_from(leaves), index, len(leaves))
    return Admission(encode_organisation(genesis.organisations[index]), index, tuple(path))


def _registration(store: LedgerStore, key: KeyRecord, size: int) -> tuple[Inclusion, ...]:
    if key.kind == ROOT or key.statement is None:
        return ()
    stored = store.statement_of_digest(bytes.fromhex(key.statement))
    if stored is None:
        fail(f"key {key.kid} names a statement that is not there")
    index = next(place for place, message in enumerate(stored.statement.messages) if key.public_key.encode() in message)
    return (_inclusion(store, stored, index, size),)


def _inclusion(store: LedgerStore, stored: StoredStatement, index: int, size: int) -> Inclusion:
    statement = stored.statement
    return Inclusion(
        cose=statement.envelope.cose,
        outcome=stored.outcomes[index],
        leaf=stored.leaf,
        path=tuple(inclusion_path(store.node, stored.leaf, size)),
        batch=_batch_place(stored, index) if statement.is_batch else None,
    )


def _batch_place(stored: StoredStatement, index: int) -> BatchPlace:
    statement, count = stored.statement, len(stored.statement.messages)
    salts = [statement.salt(place) or b"" for place in range(count)]
    messages = [batch_leaf(salt, message) for salt, message in zip(salts, statement.messages, strict=True)]
    outcomes = [outcome_leaf(salt, outcome) for salt, outcome in zip(salts, stored.outcomes, strict=True)]
    return BatchPlace(
        index=index,
        salt=salts[index],
        message=statement.messages[index],
        path=tuple(inclusion_path(fetch_from(messages), index, count)),
        outcome_path=tuple(inclusion_path(fetch_from(outcomes), index, count)),
    )


def _block_proof(store: LedgerStore, block: StoredBlock, size: int) -> BlockProof:
    return BlockProof(block.body, tuple(inclusion_path(store.node, block.leaf, size)))


def _state(store: LedgerStore, state: StoredState, size: int, keys: Sequence[str]) -> StateProofs:
    block = store.last_block()
    if block is None or block.leaf != size - 1:
        raise OperationalError("the newest checkpoint is older than the newest block: publish one, then ask again")
    records = []
    for key in sorted(dict.fromkeys(keys)):
        value = store.get(key)
        if value is not None:
            records.append(RecordProof(key, value, state.prove(key).siblings))
    return StateProofs(_block_proof(store, block, size), tuple(records))
