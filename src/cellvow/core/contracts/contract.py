"""What every contract is: messages with circles, records with provenance, and the context a handler gets.

A contract module reads: records, messages, rules, handlers - in that order. A handler takes a `Context` and one
message, reads and puts records, and returns the events it records; it raises `Rejected` when a rule is broken, and
`Contested` when the message claims what the registers deny.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, TypeVar

import msgspec

from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import CellvowError, fail
from cellvow.core.primitives.identifier import (
    BATTERY_PATTERN,
    GTIN_PATTERN,
    ORGANISATION_PATTERN,
    REFERENCE_PATTERN,
)
from cellvow.core.primitives.limits import INTEGER_MAX, RECORD_BYTES_MAX

WORLD = msgspec.Meta(extra={"circle": "world"})
"""Anybody may see it: identifiers on the battery itself, and what the law makes public about a model."""
MEMBERS = msgspec.Meta(extra={"circle": "members"})
"""Members of the ledger see it: identifiers of others, registers, masses, status."""
GRANTED = msgspec.Meta(extra={"circle": "granted"})
"""On the ledger a salted commitment only; the value lies in its owner's vault and travels by grant."""

Battery = Annotated[str, msgspec.Meta(pattern=BATTERY_PATTERN)]
Gtin = Annotated[str, msgspec.Meta(pattern=GTIN_PATTERN)]
Member = Annotated[str, msgspec.Meta(pattern=ORGANISATION_PATTERN)]
Reference = Annotated[str, msgspec.Meta(pattern=REFERENCE_PATTERN)]
Hash = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
Term = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9][A-Za-z0-9 ._:+/-]{0,63}\Z")]
Count = Annotated[int, msgspec.Meta(ge=0, le=INTEGER_MAX)]
Integer = Annotated[int, msgspec.Meta(ge=-INTEGER_MAX, le=INTEGER_MAX)]


class Schema(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """A closed part of a message. A field left out is absent; there is no second spelling for it."""


class Committed(Schema, frozen=True, kw_only=True):
    """A text or a document that stays with who has it; the ledger keeps the commitment to it."""

    commitment: Annotated[Hash, GRANTED]


class Message(Schema, frozen=True, tag=True, tag_field="type", kw_only=True):
    """An order in the imperative; `subject` is what the envelope must name."""

    @property
    def subject(self) -> str:
        """What the message is about."""
        fail(f"{type(self).__name__} does not say what it is about")

    @property
    def concerns(self) -> tuple[str, ...]:
        """Everything whose history it belongs to: its subject, and what else its records may stem from."""
        return (self.subject,)

    @property
    def since(self) -> int:
        """The first ruleset that has all its words; to an earlier one that has its type it is malformed."""
        return 1


class OfUnit(Message, frozen=True, kw_only=True):
    """What a message about one unit has."""

    battery: Annotated[Battery, WORLD]

    @property
    def subject(self) -> str:
        """The unit."""
        return self.battery


class Provenance(Schema, frozen=True, kw_only=True):
    """Where a record comes from: message `index` of the statement; a batch's `salt` keeps records unguessable."""

    statement: Hash
    index: Count
    salt: Hash | None = None


class Record(Schema, frozen=True, kw_only=True):
    """A value of the state map. `version` grows with every change and fences what was read earlier."""

    provenance: Provenance
    version: Count = 1


Contest = Literal["cloned_serial", "dead_identifier", "counter_backwards", "health_risen", "part_elsewhere", "not_held"]
"""What a message may claim against the registers."""


class Contested(CellvowError):
    """A message claims what the registers deny: it does nothing, and the claim is kept for an arbiter.

    `respondent` is the organisation whose entry it speaks against; None where nobody is registered.
    """

    def __init__(self, about: Contest, battery: str, respondent: str | None) -> None:
        self.about: Contest = about
        self.battery = battery
        self.respondent = respondent
        super().__init__(f"the registers say otherwise of {battery}: {about}")


MessageType = TypeVar("MessageType", bound=Message)
RecordType = TypeVar("RecordType", bound=Record)
Handler = Callable[["Context", Any], list[Event]]

_ENCODER = msgspec.json.Encoder(order="sorted")
_DECODERS: dict[type, "msgspec.json.Decoder[Any]"] = {}


def _no_keys(_prefix: str) -> Iterable[str]:
    return ()


@dataclass(slots=True)
class Context:
    """What a handler may know and touch: the records as of this message, its signer, and block time.

    `find` gives the keys of the records read that begin with a prefix, in order; `ruleset` is the one in force.
    """

    read: Callable[[str], bytes | None]
    organisation: str
    kid: str
    height: int
    time_ms: int
    chain_id: str
    provenance: Provenance
    writes: dict[str, bytes] = field(default_factory=dict)
    find: Callable[[str], Iterable[str]] = _no_keys
    ruleset: int = 1

    def get(self, record_type: type[RecordType], key: str) -> RecordType | None:
        """The record under `key`, or None."""
        value = self.get_bytes(key)
        return None if value is None else decode_record(record_type, value)

    def get_bytes(self, key: str) -> bytes | None:
        """The bytes under `key`, this message's own writes included."""
        return self.writes[key] if key in self.writes else self.read(key)

    def keys(self, prefix: str) -> list[str]:
        """The keys that begin with `prefix`, in order, this message's own writes included."""
        own = [key for key in self.writes if key.startswith(prefix)]
        return sorted(dict.fromkeys((*self.find(prefix), *own)))

    def put(self, key: str, record: Record) -> None:
        """Write a record."""
        self.put_bytes(key, encode_record(record))

    def put_bytes(self, key: str, value: bytes) -> None:
        """Write the bytes of a record; raises `Rejected` past the size limit."""
        if len(value) > RECORD_BYTES_MAX:
            raise Rejected(Reason.RECORD_TOO_LARGE, bytes=len(value), most=RECORD_BYTES_MAX)
        self.writes[key] = value


@dataclass(frozen=True, slots=True)
class Contract:
    """A named set of message types with their handlers."""

    name: str
    handlers: Mapping[type[Message], Handler]


def encode_message(message: Message) -> bytes:
    """Canonical bytes of a message."""
    return _ENCODER.encode(message)


def encode_record(record: Record) -> bytes:
    """Canonical bytes of a record."""
    return _ENCODER.encode(record)


def decode_record(record_type: type[RecordType], value: bytes) -> RecordType:
    """The record of bytes this ledger wrote itself."""
    decoder = _DECODERS.get(record_type)
    if decoder is None:
        decoder = _DECODERS[record_type] = msgspec.json.Decoder(record_type)
    decoded: RecordType = decoder.decode(value)
    return decoded


def require(condition: bool, reason: Reason, **facts: str | int) -> None:
    """Raise `Rejected(reason)` unless the rule holds."""
    if not condition:
        raise Rejected(reason, **facts)


def require_version(record: Record, version: int) -> None:
    """Raise `Rejected` unless the signer saw the record as it stands: the fence against lost updates."""
    require(record.version == version, Reason.STALE_VERSION, current=record.version, seen=version)
