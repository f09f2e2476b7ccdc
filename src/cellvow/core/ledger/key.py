"""The key record: whose key it is, what it may sign, and when.

A key is rotated (`replaces`), belongs to a device (`device`), and may be marked as compromised; its record says so.
"""

import re
from dataclasses import dataclass
from functools import lru_cache

from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed

ROOT, OPERATIONAL, DEVICE = "root", "operational", "device"
KINDS = (ROOT, OPERATIONAL, DEVICE)
ROOT_SCOPE = ("RegisterKey", "RevokeKey", "RaiseFloor")
"""The scope written into the record of a root key."""
ROOT_MESSAGES = (
    *ROOT_SCOPE,
    "RotateRootKey",
    "AppointGuardians",
    "OpenRecovery",
    "ApproveRecovery",
    "VetoRecovery",
    "SetSigningRule",
)
"""All a root key may sign: it manages keys and nothing else. Later rulesets know more of these than the first did."""
VETO = "VetoRecovery"
"""What a root or operational key signs whatever its scope: an owner who is there keeps his keys."""
ALGORITHM = "ed25519"
"""The algorithm is bound to the key, never chosen by a message."""


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One registered key.

    `scope` lists message types; times are block times in ms; a key is in force in the blocks after
    `registered_height` up to and with `revoked_height`. `compromised_since_ms` makes later statements suspect.
    """

    kid: str
    public_key: str
    organisation: str
    kind: str
    scope: tuple[str, ...]
    valid_from_ms: int
    valid_until_ms: int | None
    registered_height: int
    revoked_height: int | None = None
    compromised_since_ms: int | None = None
    replaces: str | None = None
    device: str | None = None
    statement: str | None = None
    algorithm: str = ALGORITHM

    def is_in_force(self, height: int, time_ms: int) -> bool:
        """Whether the key may sign in the block of this height and time."""
        if height <= self.registered_height:
            return False
        if self.revoked_height is not None and height > self.revoked_height:
            return False
        return self.valid_from_ms <= time_ms and (self.valid_until_ms is None or time_ms <= self.valid_until_ms)


def may_sign(key: KeyRecord, message: str) -> bool:
    """Whether a key may sign this type of message: a root key what manages keys, any other what its scope lists."""
    if key.kind == ROOT:
        return message in ROOT_MESSAGES
    return message in key.scope or (message == VETO and key.kind == OPERATIONAL)


def is_suspect(key: KeyRecord, time_ms: int) -> bool:
    """Whether a statement of this block time was signed after the key was compromised; it stays, and is marked."""
    return key.compromised_since_ms is not None and time_ms >= key.compromised_since_ms


_FIELDS = tuple(sorted(KeyRecord.__slots__))


def encode_key_record(record: KeyRecord) -> bytes:
    """Canonical bytes of a key record: its value in the state map."""
    document: dict[str, Json] = {name: getattr(record, name) for name in _FIELDS if name != "scope"}
    document["scope"] = list(record.scope)
    return encode_document(document)


@lru_cache(maxsize=4_096)  # the same few keys sign block after block
def parse_key_record(data: bytes) -> KeyRecord:
    """The key record of canonical bytes; raises `Malformed`."""
    document = parse_object(data)
    scope = document.pop("scope", None)
    if tuple(sorted((*document, "scope"))) != _FIELDS or not isinstance(scope, list):
        raise Malformed("a key record has exactly its fourteen fields")
    names = tuple(name for name in scope if isinstance(name, str))
    if len(names) != len(scope):
        raise Malformed("the scope of a key lists names of messages")
    _check_types(document)
    return KeyRecord(scope=names, **document)  # type: ignore[arg-type]  # types checked above


_TEXT_FIELDS = ("kid", "public_key", "organisation", "kind", "algorithm")
_INTEGER_FIELDS = ("valid_from_ms", "registered_height")
_OPTIONAL_INTEGERS = ("valid_until_ms", "revoked_height", "compromised_since_ms")
_OPTIONAL_TEXTS = ("replaces", "device", "statement")


def _check_types(document: dict[str, Json]) -> None:
    texts = all(isinstance(document[name], str) for name in _TEXT_FIELDS)
    integers = all(type(document[name]) is int for name in _INTEGER_FIELDS)
    optional = all(document[name] is None or type(document[name]) is int for name in _OPTIONAL_INTEGERS)
    named = all(document[name] is None or isinstance(document[name], str) for name in _OPTIONAL_TEXTS)
    if not (texts and integers and optional and named):
        raise Malformed("a field of the key record has the wrong type")


def key_record_key(kid: bytes) -> str:
    """Where a key's record lies in the state map."""
    return f"key/{kid.hex()}"


_MARKS = r"^(0|[1-9a-f][0-9a-f]{0,255})\Z"
_USUAL = re.compile(
    rb'\{"marks":"(0|[1-9a-f][0-9a-f]{0,255})","statement":"([0-9a-z]*)","top":(0|[1-9][0-9]{0,14})\}\Z'
)
"""The canonical form of every record the ledger writes; others are left to the parser that explains."""


@dataclass(frozen=True, slots=True)
class SequenceRecord:
    """Which sequences a key has used: the highest, and a bit for each of the 1,024 at and below it."""

    top: int = 0
    marks: int = 0
    statement: str = ""


def sequence_record_key(kid: bytes) -> str:
    """Where a key's used sequences lie in the state map."""
    return f"sequence/{kid.hex()}"


def encode_sequence_record(record: SequenceRecord) -> bytes:
    """Canonical bytes of a sequence record."""
    usual = f'{{"marks":"{record.marks:x}","statement":"{record.statement}","top":{record.top}}}'.encode()
    if _USUAL.match(usual) is not None:
        return usual
    return encode_document({"marks": f"{record.marks:x}", "statement": record.statement, "top": record.top})


@lru_cache(maxsize=4_096)  # an engine asks four times, on the same record
def parse_sequence_record(data: bytes) -> SequenceRecord:
    """The sequence record of canonical bytes; raises `Malformed`."""
    usual = _USUAL.match(data)
    if usual is not None:
        return SequenceRecord(int(usual[3]), int(usual[1], 16), usual[2].decode("ascii"))
    document = parse_object(data)
    top, marks, statement = document.get("top"), document.get("marks"), document.get("statement")
    texts = isinstance(marks, str) and isinstance(statement, str)
    if len(document) != 3 or type(top) is not int or not texts or re.match(_MARKS, str(marks)) is None:
        raise Malformed("a sequence record has exactly top, marks and statement")
    return SequenceRecord(top, int(str(marks), 16), str(statement))
