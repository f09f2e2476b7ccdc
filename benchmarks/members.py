"""Who signs in the benchmarks and what they say: one maker with several keys, its batteries and their events.

Keys come from names and values from numbers, so every run measures the same bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from cellvow.core.contracts.attestation import IssueAttestation, Method, Result
from cellvow.core.contracts.battery import RegisterBattery, RegisterModel
from cellvow.core.contracts.contract import Message, encode_message
from cellvow.core.contracts.custody import OfferHandover, WithdrawHandover
from cellvow.core.contracts.organisation import RegisterKey, possession_bytes
from cellvow.core.ledger.genesis import Genesis, Organisation
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
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.signature import derive_key_id, derive_public_key, sign

CHAIN_ID = "bench.cellvow.example"
GENESIS_MS = 1_767_225_600_000
MAKER, BUYER = "maker", "buyer"
GTIN = "04012345123456"
KEYS = 4
"""Operational keys of the maker, signing in turn: the window of one key alone would bound what may wait."""
KEYS_A_BATTERY = 10
"""Keys of the state map that `fill_battery` leaves per battery."""
SCOPE = ("Anchor", "IssueAttestation", "OfferHandover", "RegisterBattery", "RegisterModel", "WithdrawHandover")


@dataclass
class SigningKey:
    """A key with its counter."""

    organisation: str
    name: str
    sequence: int = 0
    seed: bytes = field(init=False)
    public_key: bytes = field(init=False)
    kid: bytes = field(init=False)

    def __post_init__(self) -> None:
        self.seed = sha256(b"benchmark key", self.organisation.encode(), self.name.encode())
        self.public_key = derive_public_key(self.seed)
        self.kid = derive_key_id(self.public_key)

    def sign_single(self, message: Message) -> bytes:
        """A statement of one message."""
        body: dict[str, Json] = {"message": parse_object(encode_message(message))}
        return self._seal(message.subject, SINGLE_CONTENT, body)

    def sign_batch(self, messages: Sequence[Message], mode: str = "atomic") -> bytes:
        """A statement of several messages under one signature."""
        carried = tuple(encode_message(message) for message in messages)
        salt_seed = sha256(b"benchmark batch", self.seed, self.sequence.to_bytes(8, "big"))
        body: dict[str, Json] = {"count": len(carried), "mode": mode, "root": batch_root(salt_seed, carried).hex()}
        return encode_batch(self._seal(BATCH_SUBJECT, BATCH_CONTENT, body), salt_seed, carried)

    def _seal(self, subject: str, content: str, body: dict[str, Json]) -> bytes:
        self.sequence += 1
        protected = encode_protected(self.kid, self.organisation, subject, content)
        payload = encode_payload(CHAIN_ID, self.sequence, body)
        signed = encode_cbor(["Signature1", protected, b"", payload])
        return encode_envelope(protected, payload, sign(self.seed, signed))


@dataclass
class Maker:
    """The maker: its root key, and the keys that sign its batteries' events in turn."""

    root: SigningKey = field(default_factory=lambda: SigningKey(MAKER, "root"))
    keys: tuple[SigningKey, ...] = field(
        default_factory=lambda: tuple(SigningKey(MAKER, f"operational {number}") for number in range(KEYS))
    )
    turn: int = 0

    def key(self) -> SigningKey:
        """The key whose turn it is."""
        self.turn += 1
        return self.keys[self.turn % len(self.keys)]

    def registrations(self) -> list[bytes]:
        """Signed statements that register the operational keys."""
        return [self.root.sign_single(register_key(key)) for key in self.keys]

    def singles(self, messages: Iterator[Message]) -> list[bytes]:
        """Each message signed on its own."""
        return [self.key().sign_single(message) for message in messages]

    def batches(self, messages: Sequence[Message], size: int) -> list[bytes]:
        """The messages in batches of `size`."""
        return [self.key().sign_batch(messages[at : at + size]) for at in range(0, len(messages), size)]


def make_genesis() -> Genesis:
    """A maker and a buyer, both invented."""
    buyer = SigningKey(BUYER, "root")
    return Genesis(
        CHAIN_ID,
        GENESIS_MS,
        1,
        (
            Organisation(BUYER, "Buyer (invented)", ("buyer",), (buyer.public_key.hex(),)),
            Organisation(MAKER, "Maker (invented)", ("manufacturer",), (Maker().root.public_key.hex(),)),
        ),
    )


def battery_id(number: int) -> str:
    """The n-th battery."""
    return f"01/{GTIN}/21/B{number:07d}"


def make_model() -> RegisterModel:
    """The one model of the maker."""
    return RegisterModel(
        gtin=GTIN,
        category="ev",
        model="Bench 33",
        chemistry="NMC",
        rated_capacity_mah=33_100,
        nominal_voltage_mv=3_750,
        voltage_min_mv=2_500,
        voltage_max_mv=4_200,
        mass_g=787,
    )


def birth(number: int) -> RegisterBattery:
    """The birth of a battery: four records."""
    return RegisterBattery(battery=battery_id(number), manufactured_on="2025-06-30", facility="Plant 1")


def declaration(number: int, count: int) -> IssueAttestation:
    """The `count`-th declared value of a battery: one record."""
    reference = f"D-{number}-{count}"
    return IssueAttestation(
        battery=battery_id(number),
        reference=reference,
        evidence_class="declared",
        is_certificate=False,
        method=Method(name="rating", version="1"),
        tested_from_ms=GENESIS_MS,
        tested_until_ms=GENESIS_MS,
        results=(Result(quantity="state_of_health", commitment=sha256(reference.encode()).hex()),),
    )


def offer(number: int) -> OfferHandover:
    """An offer of a battery's custody to the buyer: one record, written again by the next."""
    return OfferHandover(battery=battery_id(number), addressee=BUYER, registers=("custody",), versions=(1,))


def withdrawal(number: int, version: int) -> WithdrawHandover:
    """The withdrawal of the offer of that version."""
    return WithdrawHandover(battery=battery_id(number), version=version)


def fill_battery(number: int) -> list[Message]:
    """What a battery has been through before anything is measured: it leaves `KEYS_A_BATTERY` records."""
    return [birth(number), offer(number), withdrawal(number, 1), *(declaration(number, count) for count in range(5))]


def life_events(filled: int, count: int) -> Iterator[Message]:
    """`count` events on a state of `filled` batteries: of ten, a birth, an offer, its withdrawal, seven declarations.

    Each filled battery is offered once, so `count` is at most ten times `filled`.
    """
    for number in range(count):
        round_, place = divmod(number, 10)
        if place == 0:
            yield birth(filled + round_)
        elif place == 1:
            yield offer(round_)
        elif place == 2:
            yield withdrawal(round_, 3)
        else:
            yield declaration((number * 7) % filled, 100 + number)


def register_key(key: SigningKey, scope: tuple[str, ...] = SCOPE) -> RegisterKey:
    """The registration of a key, for its organisation's root key to sign."""
    public_key = key.public_key.hex()
    possession = sign(key.seed, possession_bytes(CHAIN_ID, key.organisation, public_key))
    return RegisterKey(
        organisation=key.organisation,
        public_key=public_key,
        kind="operational",
        scope=scope,
        valid_from_ms=0,
        possession=possession.hex(),
    )
