"""The signed envelope: COSE_Sign1 (RFC 9052) around one message, or around the root of a batch.

Single: `18([<< {1: -8, 3: content type, 4: kid, 15: {1: organisation, 2: subject}} >>, {}, payload, signature])`
with payload `{"chain_id":..,"message":{..},"not_after_ms":..,"sequence":..}` as canonical JSON.
Batch: `[COSE_Sign1, seed, [message, ...]]` with payload `{"chain_id","count","mode","not_after_ms","root","sequence"}`.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property

from cellvow.core.primitives.cbor import Cbor, Tagged, encode_cbor, parse_cbor
from cellvow.core.primitives.digest import Digest, keyed_digest, sha256
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import parse_chain_id, parse_organisation_id, parse_subject
from cellvow.core.primitives.limits import (
    BATCH_BYTES_MAX,
    BATCH_MESSAGES_MAX,
    INTEGER_MAX,
    MESSAGE_BYTES_MAX,
    STATEMENT_BYTES_MAX,
)
from cellvow.core.primitives.merkle import leaf_hash, tree_root

SINGLE_CONTENT = "application/vnd.cellvow.message.v1+json"
BATCH_CONTENT = "application/vnd.cellvow.batch.v1+json"
BATCH_SUBJECT = "batch"
SALT_DOMAIN = "cellvow/batch-salt/v1"
SEED_LENGTH = 32
MODES = ("atomic", "each")
EDDSA = -8
"""COSE algorithm identifier of EdDSA (RFC 9053 section 2.2)."""
SIGNATURE_LENGTH = 64
_KID_LENGTH = 16
_SMALLEST_LENGTH = (0, 24, 256)  # of a CBOR string, by the bytes its length takes (RFC 8949 section 4.2.1)
_SINGLE_HEADER = encode_cbor({1: EDDSA, 3: SINGLE_CONTENT, 4: bytes(_KID_LENGTH), 15: 0})[: -_KID_LENGTH - 2]
_CLAIMS = b"\x0f\xa2\x01"


@dataclass(frozen=True)
class Envelope:
    """One COSE_Sign1, parsed: who signed, for which chain, and the payload."""

    cose: bytes
    protected: bytes
    payload: bytes
    signature: bytes
    kid: bytes
    organisation: str
    subject: str
    content: str
    members: dict[str, Json]

    @property
    def chain_id(self) -> str:
        """The ledger this statement is for; it counts on no other."""
        return str(self.members["chain_id"])

    @property
    def sequence(self) -> int:
        """The signer's number for it; used once per key."""
        return _as_integer(self.members["sequence"])

    @property
    def not_after_ms(self) -> int | None:
        """Block time in ms after which the signer does not want it applied, if he said so."""
        value = self.members.get("not_after_ms")
        return None if value is None else _as_integer(value)

    @cached_property
    def signed_bytes(self) -> bytes:
        """The Sig_structure that the signature covers (RFC 9052 section 4.4)."""
        return b"\x84jSignature1" + encode_cbor(self.protected) + b"\x40" + encode_cbor(self.payload)

    @cached_property
    def txid(self) -> Digest:
        """SHA-256 of the Sig_structure: the idempotency key."""
        return sha256(self.signed_bytes)

    @cached_property
    def digest(self) -> Digest:
        """SHA-256 of the COSE_Sign1 bytes: the statement digest that records name as their provenance."""
        return sha256(self.cose)


@dataclass(frozen=True)
class Statement:
    """A signed statement as received: its envelope and the messages it carries, in order."""

    data: bytes
    envelope: Envelope
    messages: tuple[bytes, ...]
    mode: str
    seed: bytes | None

    @property
    def is_batch(self) -> bool:
        """Whether one signature covers several messages."""
        return self.seed is not None

    @cached_property
    def salts(self) -> tuple[bytes | None, ...]:
        """The salt of each message of a batch; None for a single statement, which needs none."""
        return (None,) if self.seed is None else derive_salts(self.seed, len(self.messages))

    def salt(self, index: int) -> bytes | None:
        """The salt of message `index` of a batch; None for a single statement, which needs none."""
        return self.salts[index]


def derive_salt(seed: bytes, index: int) -> Digest:
    """32 bytes that blind message `index` of a batch, so that its neighbours' proofs do not reveal it."""
    return keyed_digest(seed, SALT_DOMAIN, index.to_bytes(4, "big"))


def derive_salts(seed: bytes, count: int) -> tuple[Digest, ...]:
    """`derive_salt` of the first `count` messages; HMAC's two keyed states (RFC 2104) are made once for all."""
    if len(seed) != SEED_LENGTH:
        return tuple(derive_salt(seed, index) for index in range(count))
    key = seed.ljust(hashlib.sha256().block_size, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in key) + SALT_DOMAIN.encode("ascii") + b"\0")
    outer = hashlib.sha256(bytes(byte ^ 0x5C for byte in key))
    salts = []
    for index in range(count):
        within, around = inner.copy(), outer.copy()
        within.update(index.to_bytes(4, "big"))
        around.update(within.digest())
        salts.append(Digest(around.digest()))
    return tuple(salts)


def batch_leaf(salt: bytes, message: bytes) -> Digest:
    """Leaf hash of one message in its batch's tree."""
    return leaf_hash(salt + message)


def batch_root(seed: bytes, messages: tuple[bytes, ...]) -> Digest:
    """What the signature of a batch covers: the root over its salted messages."""
    salts = derive_salts(seed, len(messages))
    return tree_root([batch_leaf(salt, message) for salt, message in zip(salts, messages, strict=True)])


def encode_protected(kid: bytes, organisation: str, subject: str, content: str) -> bytes:
    """The protected header of a statement."""
    return encode_cbor({1: EDDSA, 3: content, 4: kid, 15: {1: organisation, 2: subject}})


def encode_payload(chain_id: str, sequence: int, body: dict[str, Json], not_after_ms: int | None = None) -> bytes:
    """The payload of a statement: `body` is `{"message": ..}` or `{"root", "count", "mode"}`."""
    limit: dict[str, Json] = {} if not_after_ms is None else {"not_after_ms": not_after_ms}
    return encode_document({"chain_id": chain_id, "sequence": sequence, **limit, **body})


def encode_envelope(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """The COSE_Sign1 bytes."""
    return encode_cbor(Tagged([protected, {}, payload, signature]))


def encode_batch(cose: bytes, seed: bytes, messages: tuple[bytes, ...]) -> bytes:
    """The wire bytes of a batch."""
    return b"\x83" + cose + encode_cbor(seed) + encode_cbor(list(messages))


def parse_envelope(cose: bytes) -> Envelope:
    """The envelope of COSE_Sign1 bytes; raises `Malformed` for anything but the closed schema."""
    tagged = parse_cbor(cose)
    if not isinstance(tagged, Tagged):
        raise Malformed("a statement starts with CBOR tag 18, COSE_Sign1")
    return _envelope(tagged, cose)


def parse_statement(data: bytes) -> Statement:
    """The statement of wire bytes, checked in form alone; raises `Malformed`. Signatures are checked elsewhere."""
    if len(data) > STATEMENT_BYTES_MAX:
        raise Malformed(f"statement of {len(data)} bytes: at most {STATEMENT_BYTES_MAX} are allowed")
    plain = _plain_envelope(data)
    if plain is not None:
        return _single(data, plain)
    value = parse_cbor(data)
    if isinstance(value, Tagged):
        return _single(data, _envelope(value, data))
    if isinstance(value, list) and len(value) == 3 and isinstance(value[0], Tagged):
        return _batch(data, _envelope(value[0]), value[1], value[2])
    raise Malformed("a statement is COSE_Sign1 (tag 18) or an array of it, a seed and messages")


def _plain_envelope(data: bytes) -> Envelope | None:
    """The envelope of a single statement read by its fixed bytes; None for all else, which the full parser judges."""
    if data[:2] != b"\xd2\x84":
        return None
    protected, at = _byte_string(data, 2)
    if data[at : at + 1] != b"\xa0":
        return None
    payload, at = _byte_string(data, at + 1)
    signature, at = _byte_string(data, at)
    if at != len(data) or len(signature) != SIGNATURE_LENGTH:
        return None
    return _opened(data, protected, payload, signature)


def _byte_string(data: bytes, at: int) -> tuple[bytes, int]:
    """The byte string at `at` in its one form, and where it ends: past the data where there is none."""
    head, argument = data[at : at + 1], 0
    if head == b"\x58":
        argument, length = 1, data[at + 1] if at + 1 < len(data) else 0
    elif head == b"\x59":
        argument, length = 2, int.from_bytes(data[at + 1 : at + 3], "big")
    else:
        return b"", len(data) + 1
    start = at + 1 + argument
    if length < _SMALLEST_LENGTH[argument] or start + length > len(data):
        return b"", len(data) + 1
    return data[start : start + length], start + length


def _envelope(tagged: Tagged, cose: bytes | None = None) -> Envelope:
    """The envelope; `cose` are its bytes where they are known."""
    parts = tagged.value
    if not isinstance(parts, list) or len(parts) != 4:
        raise Malformed("COSE_Sign1 is an array of four")
    protected, unprotected, payload, signature = parts
    if not isinstance(protected, bytes) or not isinstance(payload, bytes) or not isinstance(signature, bytes):
        raise Malformed("protected header, payload and signature are byte strings")
    if unprotected != {} or len(signature) != SIGNATURE_LENGTH:
        raise Malformed("the unprotected header is empty and the signature has 64 bytes")
    return _opened(encode_cbor(tagged) if cose is None else cose, protected, payload, signature)


def _opened(cose: bytes, protected: bytes, payload: bytes, signature: bytes) -> Envelope:
    """The envelope of these parts, once header and payload are in their one form."""
    kid, organisation, subject, content = _plain_header(protected) or _header(protected)
    members = parse_object(payload)
    parse_chain_id(_as_text(members.get("chain_id")))
    if not 1 <= _as_integer(members.get("sequence")) <= INTEGER_MAX:
        raise Malformed("a sequence starts at 1")
    if "not_after_ms" in members:
        _as_integer(members["not_after_ms"])
    return Envelope(cose, protected, payload, signature, kid, organisation, subject, content, members)


def _plain_header(protected: bytes) -> tuple[bytes, str, str, str] | None:
    """The header of a single statement read by its fixed bytes; None for all else, which the full parser judges."""
    start = len(_SINGLE_HEADER)
    claims = start + _KID_LENGTH
    if protected[:start] != _SINGLE_HEADER or protected[claims : claims + 3] != _CLAIMS:
        return None
    organisation, at = _text_string(protected, claims + 3)
    if protected[at : at + 1] != b"\x02":
        return None
    subject, at = _text_string(protected, at + 1)
    if at != len(protected) or not organisation.isascii() or not subject.isascii():
        return None
    names = parse_organisation_id(organisation.decode("ascii")), parse_subject(subject.decode("ascii"))
    return protected[start:claims], *names, SINGLE_CONTENT


def _text_string(data: bytes, at: int) -> tuple[bytes, int]:
    """Like `_byte_string`, for the bytes of a text of at most 255."""
    head = data[at] if at < len(data) else 0
    start, length = at + 1, head - 0x60
    if head == 0x78 and at + 1 < len(data):
        start, length = at + 2, data[at + 1]
    if not (0 <= length < 24 or (head == 0x78 and length >= 24)) or start + length > len(data):
        return b"", len(data) + 1
    return data[start : start + length], start + length


def _header(protected: bytes) -> tuple[bytes, str, str, str]:
    header = parse_cbor(protected)
    if not isinstance(header, dict) or list(header) != [1, 3, 4, 15] or header[1] != EDDSA:
        raise Malformed("the protected header has exactly labels 1 (alg -8), 3, 4 and 15")
    content, kid, claims = header[3], header[4], header[15]
    if content not in (SINGLE_CONTENT, BATCH_CONTENT):
        raise Malformed(f"content type {str(content)[:60]!r} is unknown")
    if not isinstance(kid, bytes) or len(kid) != _KID_LENGTH:
        raise Malformed("label 4 (kid) has 16 bytes")
    if not isinstance(claims, dict) or list(claims) != [1, 2]:
        raise Malformed("label 15 has exactly claims 1 (organisation) and 2 (subject)")
    return kid, parse_organisation_id(_as_text(claims[1])), parse_subject(_as_text(claims[2])), str(content)


def check_payload(envelope: Envelope) -> None:
    """Raise `Malformed` unless the payload has exactly the members of its content type, of their types."""
    if envelope.content == SINGLE_CONTENT:
        _require_members(envelope, "message")
        if not isinstance(envelope.members["message"], dict):
            raise Malformed("the message is an object")
        return
    _require_members(envelope, "count", "mode", "root")
    if envelope.subject != BATCH_SUBJECT or envelope.members["mode"] not in MODES:
        raise Malformed("the subject of a batch is 'batch' and its mode 'atomic' or 'each'")
    if not 1 <= _as_integer(envelope.members["count"]) <= BATCH_MESSAGES_MAX:
        raise Malformed(f"a batch carries 1 to {BATCH_MESSAGES_MAX} messages")
    if not is_hex(envelope.members["root"], 32):
        raise Malformed("the root of a batch is 32 bytes in lower-case hexadecimal")


def _single(data: bytes, envelope: Envelope) -> Statement:
    if envelope.content != SINGLE_CONTENT:
        raise Malformed("COSE_Sign1 alone is a single statement")
    check_payload(envelope)
    return Statement(data, envelope, (_message_in(envelope),), "atomic", None)


def _message_in(envelope: Envelope) -> bytes:
    """The bytes of a single statement's message: what stands between its neighbours, as the payload is canonical."""
    limit = "" if envelope.not_after_ms is None else f'"not_after_ms":{envelope.not_after_ms},'
    before = f'{{"chain_id":"{envelope.chain_id}","message":'  # the identifier holds nothing that JSON escapes
    after = f',{limit}"sequence":{envelope.sequence}}}'
    return envelope.payload[len(before) : -len(after)]


def _batch(data: bytes, envelope: Envelope, seed: Cbor, messages: Cbor) -> Statement:
    if envelope.content != BATCH_CONTENT:
        raise Malformed("an array carries a batch")
    check_payload(envelope)
    members = envelope.members
    if not isinstance(seed, bytes) or len(seed) != SEED_LENGTH:
        raise Malformed("the seed of a batch has 32 bytes")
    carried = _messages(messages)
    if members["count"] != len(carried):
        raise Malformed(f"the batch carries {len(carried)} messages and says {members['count']}")
    statement = Statement(data, envelope, carried, str(members["mode"]), seed)
    leaves = [batch_leaf(salt or b"", message) for salt, message in zip(statement.salts, carried, strict=True)]
    if members["root"] != tree_root(leaves).hex():
        raise Malformed("the signed root is not the root of the messages carried")
    return statement


def _messages(value: Cbor) -> tuple[bytes, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= BATCH_MESSAGES_MAX:
        raise Malformed(f"a batch carries 1 to {BATCH_MESSAGES_MAX} messages")
    messages = tuple(message for message in value if isinstance(message, bytes))
    if len(messages) != len(value) or any(len(message) > MESSAGE_BYTES_MAX for message in messages):
        raise Malformed(f"each message of a batch is a byte string of at most {MESSAGE_BYTES_MAX} bytes")
    if sum(map(len, messages)) > BATCH_BYTES_MAX:
        raise Malformed(f"the messages of a batch have at most {BATCH_BYTES_MAX} bytes together")
    return messages


def _require_members(envelope: Envelope, *own: str) -> None:
    expected = sorted(("chain_id", "sequence", *own))
    present = sorted(name for name in envelope.members if name != "not_after_ms")
    if present != expected:
        raise Malformed(f"the payload has exactly {', '.join(expected)} and perhaps not_after_ms")


def _as_text(value: object) -> str:
    if not isinstance(value, str):
        raise Malformed("a text field is missing or not text")
    return value


def _as_integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise Malformed("an integer field is missing, negative or not an integer")
    return value


def is_hex(text: object, length: int) -> bool:
    """Whether the value is lower-case hexadecimal of `length` bytes."""
    return isinstance(text, str) and re.fullmatch(f"[0-9a-f]{{{2 * length}}}", text) is not None
