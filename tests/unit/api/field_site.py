"""The site of a workshop's phones in one process, and phones in Python that sign as the page does."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

from nacl.signing import SigningKey

from cellvow.api.access import Access
from cellvow.api.application import Site, create_application
from cellvow.api.field import UPLOADS, FieldPages
from cellvow.api.negotiation import JSON
from cellvow.api.passports import PassportPages
from cellvow.api.rates import RateLimit
from cellvow.core.contracts.contract import Committed, Message, encode_message
from cellvow.core.contracts.organisation import possession_bytes
from cellvow.core.contracts.use import InstallBattery, RecordWork
from cellvow.core.ledger.commitment import commit
from cellvow.core.ledger.statement import SINGLE_CONTENT, encode_envelope, encode_payload, encode_protected
from cellvow.core.primitives.cbor import Cbor, encode_cbor
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.signature import derive_key_id
from cellvow.workspace.field import FieldIntake
from cellvow.workspace.intake import Intake
from cellvow.workspace.ledger_writer import LedgerWriter
from cellvow.workspace.phones import PhoneCode, admit_phone
from cellvow.workspace.workspace import Workspace
from tests.unit.api.asgi_client import AsgiClient
from tests.unit.api.node_site import Deferred
from tests.unit.api.test_passports import Shelf
from tests.unit.cli.service_world import BATTERY, CHAIN_ID

if TYPE_CHECKING:
    import httpx

    from tests.unit.cli.deciding_world import Deciding

REFUSALS = 5
"""How many uploads that nobody of the organisation signed one client may send here."""
Opening = tuple[bytes, bytes]


@dataclass
class Phone:
    """A key of its own, and the counter beside it."""

    seed: int = 1
    organisation: str = "maker"
    sequence: int = 0
    key: SigningKey = field(init=False)

    def __post_init__(self) -> None:
        self.key = SigningKey(bytes([self.seed]) * 32)

    @property
    def public_key(self) -> bytes:
        """32 bytes."""
        return bytes(self.key.verify_key)

    @property
    def code(self) -> PhoneCode:
        """What it shows to be admitted."""
        signed = possession_bytes(CHAIN_ID, self.organisation, self.public_key.hex())
        return PhoneCode(CHAIN_ID, self.organisation, self.public_key.hex(), self.key.sign(signed).signature.hex())

    def sign(self, message: Message, sequence: int | None = None, chain_id: str = CHAIN_ID) -> bytes:
        """A statement with the next sequence, or with this one."""
        self.sequence = self.sequence + 1 if sequence is None else sequence
        protected = encode_protected(derive_key_id(self.public_key), self.organisation, message.subject, SINGLE_CONTENT)
        body: dict[str, Json] = {"message": parse_object(encode_message(message))}
        payload = encode_payload(chain_id, self.sequence, body)
        signature = self.key.sign(encode_cbor(["Signature1", protected, b"", payload])).signature
        return encode_envelope(protected, payload, signature)


def paper(document: dict[str, Json], salt: int = 7) -> tuple[Committed, Opening]:
    """A commitment, and what opens it."""
    drawn, document_bytes = bytes([salt]) * 32, encode_document(document)
    return Committed(commitment=commit(drawn, document_bytes).hex()), (drawn, document_bytes)


def work(reference: str, text: str = "Coolant changed", salt: int = 7) -> tuple[RecordWork, Opening]:
    """Work done on the battery, and what opens its report."""
    report, opening = paper({"quantity": "text", "text": text}, salt)
    done = RecordWork(battery=BATTERY, reference=reference, kind="inspection", done_on="2026-11-30", report=report)
    return done, opening


def installation(place: str = "WVWZZZ1KZAW000001") -> tuple[InstallBattery, Opening]:
    """The battery is in a vehicle, and what opens which."""
    where, opening = paper({"into": "vehicle", "place": place, "quantity": "place"})
    return InstallBattery(battery=BATTERY, into="vehicle", place=where, installed_on="2026-11-30"), opening


def encode_row(statement: bytes, *openings: Opening, made_ms: int = 0) -> bytes:
    """The bytes of an upload."""
    pairs: list[Cbor] = [[salt, document] for salt, document in openings]
    return encode_cbor([statement, pairs, made_ms])


class FieldSite:
    """The site of one member of a world; a context that closes what it opens."""

    def __init__(self, world: Deciding, who: str = "maker") -> None:
        self._closing = ExitStack()
        self.workspace = Workspace(world.folder / who)
        self._closing.callback(self.workspace.close)
        self._home = self.workspace.home()

        def clock() -> int:
            return world.now_ms

        self._later = Deferred()
        self._writer = LedgerWriter(self._home, clock, later=self._later, pause=lambda _: None)
        self._closing.callback(self._writer.close)
        intake = Intake(self._home, self._writer, clock)
        self._closing.callback(intake.close)
        source = FieldIntake(self.workspace, self._home, intake, clock)
        access = Access(None, clock)
        area = FieldPages(source, RateLimit(REFUSALS, REFUSALS, clock))
        self.client = AsgiClient(create_application(Site(access, PassportPages(Shelf(), access), [area])))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    def admit(self, phone: Phone) -> None:
        """Let a phone sign for the member."""
        with self._writer.turn() as session:
            admit_phone(session, self.workspace, phone.code)

    def rest(self) -> None:
        """Nobody writes for a while: commands of other processes get their turn at the ledger."""
        while self._later.calls:
            self._later.run()

    def post(self, row: bytes, media_type: str = "application/cbor") -> httpx.Response:
        """Send an upload."""
        return self.client.request("POST", UPLOADS, content=row, headers={"content-type": media_type, "accept": JSON})

    def send(self, row: bytes) -> dict[str, Any]:
        """What became of an upload that is taken."""
        answer = self.post(row)
        assert 200 == answer.status_code, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def opened(self, committed: Committed) -> bytes | None:
        """What the vault holds of a commitment."""
        vault = self.workspace.vault
        place = vault.find_by_commitment(bytes.fromhex(committed.commitment))
        return None if place is None else vault.disclose(place.record_id, [place.field_index])[0].field
