"""Building bundles from a store: the statement, its proofs under a checkpoint, and its signer's key chain."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypedDict, Unpack

from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.ledger.checkpoint import parse_note
from cellvow.core.ledger.commit import parse_header
from cellvow.core.ledger.commitment import Disclosure
from cellvow.core.ledger.genesis import Genesis, encode_organisation
from cellvow.core.ledger.key import ROOT, KeyRecord, key_record_key, parse_key_record
from cellvow.core.ledger.outcome import outcome_leaf, parse_outcome
from cellvow.core.ledger.statement import batch_leaf
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import OperationalError, fail
from cellvow.core.primitives.merkle import fetch_from, inclusion_path
from cellvow.node.records import ReadableState
from cellvow.node.store import LedgerStore, StoredBlock, StoredStatement
from cellvow.verify.bundle import (
    ROTATIONS_MAX,
    Admission,
    BatchPlace,
    BlockProof,
    Bundle,
    Disclosed,
    Inclusion,
    RecordProof,
    StateProofs,
)
from cellvow.verify.consensus import app_hash_of, parse_consensus_proof


class Shown(TypedDict, total=False):
    """What a bundle shows beside the statement, and under whose word.

    `state` proves the signer's key and `records`; `vouched_by` is a consensus proof instead of the newest checkpoint.
    """

    state: ReadableState | None
    records: Sequence[str]
    disclosures: Sequence[Disclosure]
    vouched_by: bytes | None


def build_bundle(store: LedgerStore, digest: bytes, index: int = 0, **shown: Unpack[Shown]) -> Bundle:
    """The bundle of message `index` of a statement, under the newest checkpoint or under a consensus proof's header.

    A state is needed where genesis does not lead to the signer's key. Raises `OperationalError` when the statement is
    unknown, or nothing vouches for it yet.
    """
    state, vouched_by = shown.get("state"), shown.get("vouched_by")
    note = store.checkpoint() if vouched_by is None else None
    stored = store.statement_of_digest(digest)
    if stored is None:
        raise OperationalError(f"the ledger holds no statement {digest.hex()}")
    size = _vouched_size(note, vouched_by)
    if size <= stored.leaf:
        raise OperationalError("no checkpoint covers this statement yet: publish one, then ask again")
    envelope = stored.statement.envelope
    signer = _signer(store, _key_of(store, envelope.kid), size)
    if signer.admission is None and state is None:
        raise OperationalError(f"the state shows who {envelope.organisation} is: ask for the bundle with its state")
    keys = [key_record_key(envelope.kid), *signer.records, *shown.get("records", ())]
    return Bundle(
        genesis=store.genesis().header,
        admission=signer.admission,
        keys=signer.registration,
        statement=_inclusion(store, stored, index, size),
        block=_block_proof(store, _block_of(store, stored), size),
        checkpoint=note,
        state=None if state is None else _state(store, state, size, keys),
        disclosures=tuple(Disclosed(one.salt, one.field) for one in shown.get("disclosures", ())),
        consensus=vouched_by,
        rotations=signer.rotations,
    )


def _vouched_size(note: bytes | None, consensus: bytes | None) -> int:
    """How many leaves the note or the header vouches for; 0 where there is neither."""
    if consensus is not None:
        return app_hash_of(parse_header(parse_consensus_proof(consensus).header))[0]
    return 0 if note is None else parse_note(note).checkpoint.size


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


@dataclass(frozen=True, slots=True)
class _Signer:
    """What shows who signed: his place in genesis with rotations, or records of the state; his key's registration."""

    admission: Admission | None
    registration: tuple[Inclusion, ...]
    records: tuple[str, ...] = ()
    rotations: tuple[Inclusion, ...] = ()


def _signer(store: LedgerStore, key: KeyRecord, size: int) -> _Signer:
    """The key chain from genesis where it leads to the key; else the records, with a registration by a root key."""
    genesis, found = store.genesis(), _find_registration(store, key)
    root = key if key.kind == ROOT else None if found is None else _key_of(store, found[0].statement.envelope.kid)
    inclusions = () if found is None else (_inclusion(store, *found, size),)
    rotations = None if root is None else _find_rotations(store, root, genesis)
    if rotations is not None:
        links = tuple(_inclusion(store, *rotation, size) for rotation in rotations)
        return _Signer(_admission(genesis, key.organisation), inclusions, rotations=links)
    records = (
        organisation_key(key.organisation),
        *(() if root is None else (key_record_key(bytes.fromhex(root.kid)),)),
    )
    return _Signer(None, inclusions, records)


def _find_registration(store: LedgerStore, key: KeyRecord) -> tuple[StoredStatement, int] | None:
    """The `RegisterKey` statement of a root key that registered this one, and its place in it; None without one."""
    found = None if key.kind == ROOT else _find_message(store, key, "RegisterKey")
    if found is None or _key_of(store, found[0].statement.envelope.kid).kind != ROOT:
        return None
    return found


def _find_rotations(store: LedgerStore, root: KeyRecord, genesis: Genesis) -> list[tuple[StoredStatement, int]] | None:
    """The rotations that lead from a root key of genesis to this one, oldest first; None where none do.

    None for a member that was admitted by vote, a key that was recovered, and one of a ledger before this one.
    """
    named = [key for one in genesis.organisations if one.organisation == root.organisation for key in one.root_keys]
    rotations: list[tuple[StoredStatement, int]] = []
    while root.public_key not in named:
        found = _find_message(store, root, "RotateRootKey")
        if found is None or len(rotations) == ROTATIONS_MAX:
            return None
        rotations.insert(0, found)
        root = _key_of(store, found[0].statement.envelope.kid)
    return rotations


def _find_message(store: LedgerStore, key: KeyRecord, kind: str) -> tuple[StoredStatement, int] | None:
    """The accepted message of this kind that made the key, and its place in its statement."""
    stored = None if key.statement is None else store.statement_of_digest(bytes.fromhex(key.statement))
    if stored is None:
        return None  # of genesis, of a ledger before this one, or of before this node's own history
    for place, message in enumerate(stored.statement.messages):
        document = parse_object(message)
        is_named = document.get("type") == kind and document.get("public_key") == key.public_key
        if is_named and parse_outcome(stored.outcomes[place]).is_accepted:
            return stored, place
    return None


def _admission(genesis: Genesis, organisation: str) -> Admission:
    names = [member.organisation for member in genesis.organisations]
    index = names.index(organisation)
    leaves = genesis.leaves
    path = inclusion_path(fetch_from(leaves), index, len(leaves))
    return Admission(encode_organisation(genesis.organisations[index]), index, tuple(path))


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


def _state(store: LedgerStore, state: ReadableState, size: int, keys: Sequence[str]) -> StateProofs:
    block = store.last_block()
    if block is None or block.leaf != size - 1:
        raise OperationalError("the newest checkpoint is older than the newest block: publish one, then ask again")
    records = []
    for key in sorted(dict.fromkeys(keys)):
        value = store.get(key)
        if value is not None:
            records.append(RecordProof(key, value, state.prove(key).siblings))
    return StateProofs(_block_proof(store, block, size), tuple(records))
