"""A small ledger with every kind of statement, built with fixed keys so that each run gives the same bytes."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from cellvow.core.contracts.acceptance import AttestationReference, RecordVerdict, verdict_key
from cellvow.core.contracts.anchor import Anchor
from cellvow.core.contracts.attestation import IssueAttestation, Method, Predicate, Result, Standard, attestation_key
from cellvow.core.contracts.battery import RegisterBattery, RegisterModel, battery_key
from cellvow.core.contracts.contract import Message, encode_message
from cellvow.core.contracts.correction import CorrectStatement, StatementReference
from cellvow.core.contracts.organisation import RegisterKey, RotateRootKey, possession_bytes
from cellvow.core.ledger.checkpoint import (
    Checkpoint,
    KeyAlgorithm,
    NoteKey,
    cosign_checkpoint,
    encode_note,
    sign_checkpoint,
)
from cellvow.core.ledger.commitment import Disclosure, commit
from cellvow.core.ledger.genesis import Accreditation, Genesis, Organisation
from cellvow.core.ledger.statement import (
    BATCH_CONTENT,
    BATCH_SUBJECT,
    SINGLE_CONTENT,
    batch_root,
    encode_batch,
    encode_envelope,
    encode_payload,
    encode_protected,
)
from cellvow.core.primitives.cbor import encode_cbor
from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.signature import derive_key_id, derive_public_key, sign
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.bundling import build_bundle
from cellvow.node.embedded import EmbeddedEngine
from cellvow.node.records import MemoryState
from cellvow.node.store import LedgerStore
from cellvow.verify import Trust, encode_bundle, encode_trust

if TYPE_CHECKING:
    from pathlib import Path

    from cellvow.node.engine import Receipted

CHAIN = "cellvow-test"
GTIN = "04012345123456"
SCOPE = (
    "RegisterModel",
    "RegisterBattery",
    "Anchor",
    "IssueAttestation",
    "RevokeAttestation",
    "CorrectStatement",
    "RecordVerdict",
)


def seed_of(name: str) -> bytes:
    """The fixed seed of a named key."""
    return sha256(b"test key ", name.encode())


def public_of(name: str) -> bytes:
    """The public key of a named key."""
    return derive_public_key(seed_of(name))


def make_genesis() -> Genesis:
    """Three organisations; the laboratory is accredited for two quantities."""
    scope = Accreditation("cellvow:dc-capacity", "1", ("capacity", "resistance_10s"), 4_000_000_000_000)

    def member(name: str, *roles: str, scopes: tuple[Accreditation, ...] = ()) -> Organisation:
        return Organisation(name, f"{name.title()} Works", roles, (public_of(f"{name} root").hex(),), scopes)

    members = (member("buyer", "buyer"), member("lab", "laboratory", scopes=(scope,)), member("maker", "manufacturer"))
    return Genesis(CHAIN, 1_000, 1, members)


@dataclass
class Signer:
    """Signs with named keys and counts their sequences."""

    sequences: dict[str, int] = field(default_factory=dict)

    def _next(self, key: str) -> int:
        self.sequences[key] = self.sequences.get(key, 0) + 1
        return self.sequences[key]

    def _seal(self, key: str, protected: bytes, payload: bytes) -> bytes:
        signed = encode_cbor(["Signature1", protected, b"", payload])
        return encode_envelope(protected, payload, sign(seed_of(key), signed))

    def single(self, key: str, organisation: str, message: Message, not_after_ms: int | None = None) -> bytes:
        """A single statement."""
        protected = encode_protected(derive_key_id(public_of(key)), organisation, message.subject, SINGLE_CONTENT)
        body: dict[str, Json] = {"message": parse_object(encode_message(message))}
        return self._seal(key, protected, encode_payload(CHAIN, self._next(key), body, not_after_ms))

    def batch(self, key: str, organisation: str, messages: list[Message], mode: str = "atomic") -> bytes:
        """A batch under one signature."""
        carried, seed = tuple(encode_message(message) for message in messages), sha256(b"batch", key.encode())
        protected = encode_protected(derive_key_id(public_of(key)), organisation, BATCH_SUBJECT, BATCH_CONTENT)
        body: dict[str, Json] = {
            "count": len(carried),
            "mode": mode,
            "root": batch_root(seed, carried).hex(),
        }
        return encode_batch(self._seal(key, protected, encode_payload(CHAIN, self._next(key), body)), seed, carried)


def registration(organisation: str, key: str) -> RegisterKey:
    """The message that registers a named key."""
    public_key = public_of(key).hex()
    possession = sign(seed_of(key), possession_bytes(CHAIN, organisation, public_key)).hex()
    return RegisterKey(
        organisation=organisation,
        public_key=public_key,
        kind="operational",
        scope=SCOPE,
        valid_from_ms=0,
        valid_until_ms=3_000_000_000_000,
        possession=possession,
    )


def rotation(organisation: str, key: str, retires: str | None) -> RotateRootKey:
    """The message that gives an organisation another root key."""
    public_key = public_of(key).hex()
    possession = sign(seed_of(key), possession_bytes(CHAIN, organisation, public_key)).hex()
    kid = None if retires is None else derive_key_id(public_of(retires)).hex()
    return RotateRootKey(organisation=organisation, public_key=public_key, retires=kid, possession=possession)


def battery_id(number: int) -> str:
    """The n-th battery of the test model."""
    return f"01/{GTIN}/21/LEAF-{number:04d}"


def model() -> RegisterModel:
    """The test model."""
    return RegisterModel(
        gtin=GTIN,
        category="ev",
        model="Pouch 33",
        chemistry="LMO/LNO-graphite",
        rated_capacity_mah=33_100,
        nominal_voltage_mv=3_750,
        voltage_min_mv=3_000,
        voltage_max_mv=4_200,
        mass_g=799,
    )


def birth(number: int) -> RegisterBattery:
    """The birth of the n-th battery."""
    return RegisterBattery(battery=battery_id(number), manufactured_on="2013-05-17", facility="plant-1")


def early_birth(number: int) -> RegisterBattery:
    """One of the day on which this ledger's time begins: from ruleset 3 on nothing is born in the future."""
    return replace(birth(number), manufactured_on="1970-01-01")


def field_document(quantity: str, value: int) -> bytes:
    """A committed value with its interval."""
    return encode_document(
        {
            "coverage_permille": 950,
            "high": value + 90,
            "low": value - 90,
            "quantity": quantity,
            "unit": "mAh",
            "value": value,
        }
    )


def disclosures(number: int) -> list[Disclosure]:
    """What the n-th certificate may disclose."""
    quantities = ("capacity", "resistance_10s")
    return [
        Disclosure(sha256(quantity.encode(), bytes([number])), field_document(quantity, 30_000 + number))
        for quantity in quantities
    ]


def certificate(number: int) -> IssueAttestation:
    """The n-th certificate of the laboratory."""
    opened = disclosures(number)
    return IssueAttestation(
        battery=battery_id(number),
        reference=f"C-{number}",
        evidence_class="measured",
        is_certificate=True,
        standard=Standard(name="cellvow:dc-capacity", edition="1"),
        method=Method(name="cellvow.evidence", version="0.1"),
        tested_from_ms=1_000,
        tested_until_ms=1_500,
        input_root=sha256(b"rows").hex(),
        results=tuple(
            Result(quantity=quantity, commitment=commit(one.salt, one.field).hex())
            for quantity, one in zip(("capacity", "resistance_10s"), opened, strict=True)
        ),
        predicates=(Predicate(quantity="capacity", comparison="at_least", threshold=26_000),),
    )


def reasons() -> Disclosure:
    """What a recorded verdict may disclose: verifiers open it, and do not compute it again."""
    return Disclosure(sha256(b"verdict"), encode_document({"candidates": [], "quantity": "evaluation"}))


def verdict() -> RecordVerdict:
    """The laboratory's own verdict, which rests on its certificate 1."""
    opened = reasons()
    return RecordVerdict(
        battery=battery_id(1),
        reference="V-1",
        policy=sha256(b"policy").hex(),
        as_of="1970-01-01",
        verdict="accept",
        attestation=AttestationReference(organisation="lab", reference="C-1"),
        results=(Result(quantity="evaluation", commitment=commit(opened.salt, opened.field).hex()),),
    )


@dataclass(frozen=True)
class Sound:
    """A bundle that holds, with its trust file."""

    name: str
    bundle: bytes
    trust: bytes


class Chain:
    """The ledger in a folder, with what is needed to build any bundle from it."""

    def __init__(self, folder: Path, genesis: Genesis | None = None, inherited: dict[str, bytes] | None = None) -> None:
        self.genesis = genesis or make_genesis()
        begun = begin_chain(self.genesis, MemoryState(), inherited)
        self.store = LedgerStore.create(folder, self.genesis, begun)
        self.time_ms = 2_000
        self.engine = EmbeddedEngine(self.store, self._tick)
        self.signer = Signer()
        self.receipts: dict[str, Receipted] = {}
        self.log_key = NoteKey("cellvow.test/log", KeyAlgorithm.LOG, public_of("log"))
        self.witnesses = tuple(
            NoteKey(f"witness.test/{name}", KeyAlgorithm.COSIGNATURE, public_of(f"witness {name}")) for name in "abc"
        )

    def _tick(self) -> int:
        self.time_ms += 7
        return self.time_ms

    def trust(self, quorum: int = 2, replaying: str = "") -> Trust:
        """The trust of this ledger; `replaying` has the letters of the witnesses that execute its blocks."""
        names = tuple(key.name for key in self.witnesses if key.name[-1] in replaying)
        return Trust(self.genesis.digest, self.log_key, self.witnesses, quorum, names)

    def submit(self, name: str, data: bytes) -> Receipted:
        """Submit a statement and remember its receipt by name."""
        self.receipts[name] = self.engine.submit(data).result(timeout=60)
        return self.receipts[name]

    def fill(self, batteries: int = 12) -> None:
        """One of everything: keys, a model, single and batched births, an anchor, certificates."""
        signer = self.signer
        for organisation in ("maker", "lab"):
            message = registration(organisation, f"{organisation} key")
            self.submit(f"key {organisation}", signer.single(f"{organisation} root", organisation, message))
        self.submit("model", signer.single("maker key", "maker", model(), 2_900_000_000_000))
        half = batteries // 2
        for number in range(half):
            self.submit(f"birth {number}", signer.single("maker key", "maker", birth(number)))
        births: list[Message] = [birth(number) for number in range(half, batteries)]
        self.submit("batch", signer.batch("maker key", "maker", births))
        root = sha256(b"rows").hex()
        self.submit("anchor", signer.single("lab key", "lab", Anchor(root=root, rows=47_729, kind="measurement")))
        for number in range(batteries):
            self.submit(f"certificate {number}", signer.single("lab key", "lab", certificate(number)))
        self.submit("correction", signer.single("lab key", "lab", self.correction()))
        self.submit("verdict", signer.single("lab key", "lab", verdict()))

    def correction(self) -> CorrectStatement:
        """The laboratory's correction of its certificate 0: it should have disclosed other values."""
        first = self.receipts["certificate 0"].digest.hex()
        results = tuple(
            Result(quantity=old.quantity, commitment=commit(one.salt, one.field).hex())
            for old, one in zip(certificate(0).results, disclosures(200), strict=True)
        )
        return CorrectStatement(
            corrects=StatementReference(statement=first, index=0),
            cause="wrong_value",
            replacement=replace(certificate(0), results=results),
        )

    def publish(self, cosigned_by: str = "abc") -> bytes:
        """Sign the newest checkpoint and keep it."""
        checkpoint = Checkpoint(self.log_key.name, self.engine.head.log.size, self.engine.head.log.root())
        signatures = [sign_checkpoint(checkpoint, self.log_key, lambda m: sign(seed_of("log"), m))]
        for key in self.witnesses:
            name = key.name[-1]
            if name in cosigned_by:
                signer = partial(sign, seed_of(f"witness {name}"))
                signatures.append(cosign_checkpoint(checkpoint, key, 1_800_000_000, signer))
        note = encode_note(checkpoint, signatures)
        self.store.put_checkpoint(checkpoint.size, note)
        return note

    def sound(self, rng: random.Random, batteries: int = 12) -> Sound:
        """A random bundle that holds."""
        kind = rng.choice(
            ["birth", "batch", "certificate", "certificate", "correction", "verdict", "key maker", "model", "anchor"]
        )
        index, records, opened = 0, [], []
        if kind == "birth":
            kind = f"birth {rng.randrange(batteries // 2)}"
        elif kind == "batch":
            index = rng.randrange(batteries - batteries // 2)
            records = [battery_key(battery_id(batteries // 2 + index))]
        elif kind == "certificate":
            number = rng.randrange(batteries)
            kind = f"certificate {number}"
            records = [attestation_key("lab", f"C-{number}"), battery_key(battery_id(number))]
            opened = [one for one in disclosures(number) if rng.random() < 0.7]
        elif kind == "correction":
            records = [attestation_key("lab", "C-0"), battery_key(battery_id(0))]
            opened = disclosures(200)
        elif kind == "verdict":
            records = [verdict_key("lab", "V-1"), attestation_key("lab", "C-1"), battery_key(battery_id(1))]
            opened = [reasons()]
        bundle = build_bundle(
            self.store,
            self.receipts[kind].digest,
            index,
            state=self.engine.state if rng.random() < 0.7 else None,
            records=records,
            disclosures=opened,
        )
        return Sound(kind, encode_bundle(bundle), encode_trust(self.trust(rng.choice([0, 1, 2]))))

    def close(self) -> None:
        """Stop the engine."""
        self.engine.close()
