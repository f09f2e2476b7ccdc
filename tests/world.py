"""A small world for tests: five organisations with fixed keys, what they sign, and a ledger held in memory.

    world = World()
    maker, laboratory = world.members["nordpack"], world.members["cellab"]
    world.accept(maker.key.sign(messages.model()))
    outcome = world.submit(maker.key.sign(messages.battery()))

Keys come from names, times from block numbers: the same calls give the same bytes everywhere.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from cellvow.core.contracts.contract import Message, RecordType, decode_record, encode_message
from cellvow.core.contracts.organisation import ROOT_ONLY, RegisterKey, RotateRootKey, possession_bytes
from cellvow.core.ledger.block import Block
from cellvow.core.ledger.genesis import Accreditation, Genesis, Organisation
from cellvow.core.ledger.outcome import Outcome, parse_outcome
from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.ledger.state import StateTree, entry_hash, key_hash
from cellvow.core.ledger.statement import (
    BATCH_CONTENT,
    BATCH_SUBJECT,
    SINGLE_CONTENT,
    Statement,
    batch_root,
    encode_batch,
    encode_envelope,
    encode_payload,
    encode_protected,
    parse_statement,
)
from cellvow.core.ledger.validator import Validator, order_validators
from cellvow.core.primitives.cbor import encode_cbor
from cellvow.core.primitives.digest import Digest, sha256
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import InvalidBlock, Malformed
from cellvow.core.primitives.signature import derive_key_id, derive_public_key, sign
from cellvow.core.protocol.ruleset import NEWEST, RULESETS
from cellvow.core.protocol.transition import (
    Applied,
    Head,
    apply_block,
    begin_chain,
    read_sequences,
    require_authentic,
    require_fresh,
)

CHAIN_ID = "test.cellvow.example"
GENESIS_MS = 1_767_225_600_000
"""1 January 2026, 00:00 UTC."""
BLOCK_MS = 60_000
"""From one block to the next, unless a test says otherwise."""
DAY_MS = 86_400_000
ACCREDITED_UNTIL_MS = GENESIS_MS + 365 * DAY_MS
OPERATIONAL_SCOPE = tuple(sorted(kind.__name__ for kind in RULESETS[NEWEST].handlers if kind.__name__ not in ROOT_ONLY))
"""Every message type but those that manage keys."""

MAKER, CARMAKER, LABORATORY, BUYER, AUTHORITY = "nordpack", "autowerk", "cellab", "secondlife", "marktamt"
_ROLES = {
    MAKER: ("Nordpack (invented)", ("manufacturer",)),
    CARMAKER: ("Autowerk (invented)", ("vehicle_maker", "importer")),
    LABORATORY: ("Cellab (invented)", ("laboratory",)),
    BUYER: ("Secondlife (invented)", ("buyer", "second_life_operator")),
    AUTHORITY: ("Marktamt (invented)", ("authority",)),
}


@dataclass
class Signer:
    """A key with its counter: signs messages and batches for one organisation on one ledger."""

    seed: bytes
    organisation: str
    sequence: int = 0

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return derive_public_key(self.seed)

    @property
    def kid(self) -> bytes:
        """16 bytes."""
        return derive_key_id(self.public_key)

    def next_sequence(self) -> int:
        """One more than the last."""
        self.sequence += 1
        return self.sequence

    def sign(
        self,
        message: Message | dict[str, Json],
        *,
        sequence: int | None = None,
        chain_id: str = CHAIN_ID,
        not_after_ms: int | None = None,
        subject: str | None = None,
    ) -> Statement:
        """A single statement. A message given as a document need not follow any schema."""
        document = parse_object(encode_message(message)) if isinstance(message, Message) else message
        if subject is None:
            subject = message.subject if isinstance(message, Message) else "nothing"
        payload = encode_payload(chain_id, sequence or self.next_sequence(), {"message": document}, not_after_ms)
        return parse_statement(self.seal(payload, subject=subject))

    def sign_batch(
        self,
        messages: Sequence[Message | bytes],
        *,
        mode: str = "atomic",
        sequence: int | None = None,
        chain_id: str = CHAIN_ID,
        not_after_ms: int | None = None,
    ) -> Statement:
        """A batch; its salts grow from a seed that follows from its sequence."""
        sequence = sequence or self.next_sequence()
        carried = tuple(m if isinstance(m, bytes) else encode_message(m) for m in messages)
        salt_seed = sha256(b"batch seed", self.seed, sequence.to_bytes(8, "big"))
        body: dict[str, Json] = {
            "root": batch_root(salt_seed, carried).hex(),
            "count": len(carried),
            "mode": mode,
        }
        payload = encode_payload(chain_id, sequence, body, not_after_ms)
        cose = self.seal(payload, subject=BATCH_SUBJECT, content=BATCH_CONTENT)
        return parse_statement(encode_batch(cose, salt_seed, carried))

    def seal(
        self, payload: bytes, *, subject: str, content: str = SINGLE_CONTENT, organisation: str | None = None
    ) -> bytes:
        """COSE_Sign1 bytes around any payload: what a hostile signer would send too."""
        protected = encode_protected(self.kid, organisation or self.organisation, subject, content)
        signed = encode_cbor(["Signature1", protected, b"", payload])
        return encode_envelope(protected, payload, sign(self.seed, signed))


@dataclass
class Member:
    """An organisation with its root key and one operational key that may sign everything else."""

    organisation: str
    root: Signer
    key: Signer

    def possession_of(self, signer: Signer, chain_id: str = CHAIN_ID) -> str:
        """What a new key of this member signs for its own registration."""
        signed = possession_bytes(chain_id, self.organisation, signer.public_key.hex())
        return sign(signer.seed, signed).hex()

    def rotate_root_key(self, signer: Signer, retires: Signer | None = None) -> RotateRootKey:
        """The message that registers another root key of this member, and ends the one it retires."""
        return RotateRootKey(
            organisation=self.organisation,
            public_key=signer.public_key.hex(),
            retires=None if retires is None else retires.kid.hex(),
            possession=self.possession_of(signer),
        )

    def register_key(
        self,
        signer: Signer,
        *,
        scope: Iterable[str] = OPERATIONAL_SCOPE,
        valid_from_ms: int = 0,
        valid_until_ms: int | None = None,
        chain_id: str = CHAIN_ID,
    ) -> RegisterKey:
        """The message that registers a key of this member, with proof of possession."""
        return RegisterKey(
            organisation=self.organisation,
            public_key=signer.public_key.hex(),
            kind="operational",
            scope=tuple(scope),
            valid_from_ms=valid_from_ms,
            valid_until_ms=valid_until_ms,
            possession=self.possession_of(signer, chain_id),
        )


def make_signer(organisation: str, name: str) -> Signer:
    """The key of that name: its seed is a digest of both names."""
    return Signer(sha256(b"test key", organisation.encode(), name.encode()), organisation)


def make_member(organisation: str) -> Member:
    """An organisation with its two keys, both unused."""
    return Member(organisation, make_signer(organisation, "root"), make_signer(organisation, "operational"))


def make_genesis(chain_id: str = CHAIN_ID, *, ruleset: int = 1, validators: Sequence[str] = ()) -> Genesis:
    """The five invented organisations; only the laboratory is accredited. Some may run validators of equal power."""
    return Genesis(
        chain_id,
        GENESIS_MS,
        ruleset,
        tuple(
            Organisation(
                organisation=identifier,
                name=name,
                roles=roles,
                root_keys=(make_signer(identifier, "root").public_key.hex(),),
                accreditations=_accreditations(identifier),
            )
            for identifier, (name, roles) in sorted(_ROLES.items())
        ),
        validators=order_validators(tuple(make_validator(organisation) for organisation in validators)),
    )


def make_validator(organisation: str, name: str = "validator", power: int = 10) -> Validator:
    """A validator of the organisation, whose consensus key grows from both names."""
    return Validator(organisation, make_signer(organisation, name).public_key.hex(), power)


def _accreditations(organisation: str) -> tuple[Accreditation, ...]:
    if organisation != LABORATORY:
        return ()
    quantities = ("capacity", "energy", "resistance_10s")
    return (Accreditation("IEC 62660-1", "2018", quantities, ACCREDITED_UNTIL_MS),)


@dataclass
class MemoryState:
    """Records in a dict and their authenticated map: a `State` for the transition."""

    records: dict[str, bytes] = field(default_factory=dict)
    tree: StateTree = field(default_factory=StateTree)

    def get(self, key: str) -> bytes | None:
        """The bytes of a record, or None."""
        return self.records.get(key)

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin with the prefix, in order."""
        return sorted(key for key in self.records if key.startswith(prefix))

    def update(self, writes: Mapping[str, bytes]) -> Digest:
        """The state root once these records are written."""
        self.records.update(writes)
        return self.tree.update({key_hash(k): entry_hash(key_hash(k), v) for k, v in writes.items()})

    @property
    def root(self) -> Digest:
        """The state root."""
        return self.tree.root


class World:
    """A ledger in memory with its members; blocks, outcomes and leaves are kept for inspection."""

    def __init__(
        self,
        genesis: Genesis | None = None,
        *,
        with_keys: bool = True,
        inherited: Mapping[str, bytes] | None = None,
    ) -> None:
        """Begin the chain; unless told otherwise block 1 registers everyone's operational key."""
        self.genesis = genesis or make_genesis()
        self.state = MemoryState()
        self.members = {m.organisation: make_member(m.organisation) for m in self.genesis.organisations}
        begun = begin_chain(self.genesis, self.state, inherited)
        self.head: Head = begun.head
        self.leaves: list[Digest] = list(begun.leaves)
        self.blocks: list[Block] = []
        self.applied: list[Applied] = []
        if with_keys:
            self.accept(*(m.root.sign(m.register_key(m.key)) for m in self.members.values()))

    def __getitem__(self, organisation: str) -> Member:
        """The member of that identifier."""
        return self.members[organisation]

    @property
    def next_ms(self) -> int:
        """The time of the next block, unless it is given one."""
        return self.head.time_ms + BLOCK_MS

    def next_block(self, *statements: Statement, time_ms: int | None = None, evidence: tuple[bytes, ...] = ()) -> Block:
        """The block that would follow, not yet applied."""
        return Block(self.head.height + 1, self.next_ms if time_ms is None else time_ms, statements, evidence)

    def apply(self, block: Block) -> Applied:
        """Apply a block; raises `InvalidBlock`, and then nothing has changed."""
        applied = apply_block(self.head, self.state, block)
        self.head = applied.head
        self.leaves += applied.leaves
        self.blocks.append(block)
        self.applied.append(applied)
        return applied

    def include(self, *statements: Statement, time_ms: int | None = None) -> list[list[Outcome]]:
        """Put the statements into one block; the outcomes of each one's messages."""
        applied = self.apply(self.next_block(*statements, time_ms=time_ms))
        return [[parse_outcome(outcome) for outcome in kept] for kept in applied.outcomes]

    def submit(self, statement: Statement, *, time_ms: int | None = None) -> Outcome:
        """Put a single statement into a block of its own; its outcome."""
        ((outcome,),) = self.include(statement, time_ms=time_ms)
        return outcome

    def accept(self, *statements: Statement, time_ms: int | None = None) -> list[list[Outcome]]:
        """Like `include`, for statements that must all be accepted."""
        outcomes = self.include(*statements, time_ms=time_ms)
        rejected = [one for kept in outcomes for one in kept if not one.is_accepted]
        if rejected:
            raise AssertionError(f"expected acceptance, got {rejected}")
        return outcomes

    def refusal(self, data: bytes, *, time_ms: int | None = None) -> NotIncludable | None:
        """Why a node would not take these bytes for the next block, or None. Changes nothing."""
        try:
            envelope = parse_statement(data).envelope
            when = self.next_ms if time_ms is None else time_ms
            require_authentic(self.head.chain_id, self.state.get, envelope, self.head.height + 1, when)
            require_fresh(read_sequences(self.state.get, envelope.kid), envelope)
        except Malformed as error:
            return NotIncludable(Reason.MALFORMED, detail=str(error))
        except NotIncludable as refusal:
            return refusal
        return None

    def record(self, record_type: type[RecordType], key: str) -> RecordType:
        """A record that must be there."""
        return decode_record(record_type, self.state.records[key])

    def snapshot(self) -> tuple[bytes, Head, dict[str, bytes]]:
        """State root, head and records: equal before and after whatever must not change anything."""
        return self.state.root, self.head, dict(self.state.records)


def require_invalid(world: World, block: Block) -> InvalidBlock:
    """The `InvalidBlock` that applying must raise, after which nothing may have changed."""
    before = world.snapshot()
    try:
        world.apply(block)
    except InvalidBlock as error:
        if world.snapshot() != before:
            raise AssertionError("an invalid block changed the state") from error
        return error
    raise AssertionError("the block was applied")


def without_sequences(records: Mapping[str, bytes]) -> dict[str, bytes]:
    """Records but for the used sequences, which every included statement changes."""
    return {key: value for key, value in records.items() if not key.startswith("sequence/")}
