"""Checkpoints of the log as C2SP signed notes, their keys, the log's signature and witnesses' cosignatures.

    example.cellvow.org/demo
    3
    nvCB9fGnjkL84rnNpUyFiPWwg2VzIRlRMYkTcVNbm8g=

    — example.cellvow.org/demo <base64 of key id and signature>
    — witness.example/north <base64 of key id, time and signature>

Standards: c2sp.org/signed-note, tlog-checkpoint and tlog-cosignature (Ed25519, `cosignature/v1`). Of what
they allow only one spelling is read here: no extension line, printable ASCII names, canonical base64.
"""

import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum

from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest, sha256
from cellvow.core.primitives.errors import Malformed, VerificationError, ensure
from cellvow.core.primitives.limits import (
    CHECKPOINT_BYTES_MAX,
    CHECKPOINT_SIGNATURES_MAX,
    INTEGER_MAX,
)
from cellvow.core.primitives.merkle import EMPTY_ROOT

SignatureCheck = Callable[[bytes, bytes, bytes], bool]
"""(public key, message, signature) -> whether it holds; the caller brings its Ed25519 library."""
Signer = Callable[[bytes], bytes]
"""message -> 64-byte Ed25519 signature; where the key lies is the caller's matter."""

NAME_LENGTH_MAX = 255
"""Bytes of an origin or key name: what tlog-cosignature leaves room for."""
NOTE_KEY_ID_LENGTH = 4
"""Bytes of a signed note's key id: tells keys apart, proves nothing (signed-note)."""
SIGNATURE_LENGTH = 64
"""Bytes of an Ed25519 signature."""
TIME_LENGTH = 8
"""Bytes of the time before a cosignature, big-endian seconds since 1970 (tlog-cosignature)."""
TIME_S_MAX = 2**63 - 1
"""Latest time of a cosignature (tlog-cosignature)."""
PUBLIC_KEY_LENGTH = 32
"""Bytes of an Ed25519 public key."""

_DASH = "\N{EM DASH} "


class KeyAlgorithm(IntEnum):
    """The signature type byte of a signed note's key."""

    LOG = 0x01
    """Ed25519 over the body (signed-note): the log's own signature."""
    COSIGNATURE = 0x04
    """Ed25519 over time and body (tlog-cosignature): a witness's cosignature."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its origin, its number of leaves and the root over them (RFC 9162)."""

    origin: str
    size: int
    root: Digest


@dataclass(frozen=True, slots=True)
class NoteKey:
    """A public key that signs notes under a name, bound to one algorithm."""

    name: str
    algorithm: KeyAlgorithm
    public_key: bytes

    @property
    def key_id(self) -> bytes:
        """First 4 bytes of SHA-256(name || newline || algorithm byte || public key) (signed-note)."""
        return derive_note_key_id(self.name, self.algorithm, self.public_key)


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: who signed, and what follows the key id (a cosignature's time comes first)."""

    name: str
    key_id: bytes
    payload: bytes


@dataclass(frozen=True, slots=True)
class SignedNote:
    """A checkpoint with its signature lines, none of them verified yet."""

    checkpoint: Checkpoint
    signatures: tuple[NoteSignature, ...]

    @property
    def body(self) -> bytes:
        """The bytes that the log signs."""
        return encode_body(self.checkpoint)


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint whose every signature holds; `cosigned_by` lists (witness, seconds since 1970)."""

    checkpoint: Checkpoint
    cosigned_by: tuple[tuple[str, int], ...]


# Bytes of a checkpoint


def encode_body(checkpoint: Checkpoint) -> bytes:
    """The three lines that the log signs, each ended by a newline; `Malformed` for a bad origin or size."""
    _require_name(checkpoint.origin)
    if not 0 <= checkpoint.size <= INTEGER_MAX or len(checkpoint.root) != DIGEST_LENGTH:
        raise Malformed("a checkpoint needs a size below 2^53 and a root of 32 bytes")
    if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
        raise Malformed("a checkpoint of size 0 has another root than the empty tree's")
    root = encode_base64(checkpoint.root)
    return f"{checkpoint.origin}\n{checkpoint.size}\n{root}\n".encode("ascii")


def parse_body(body: bytes) -> Checkpoint:
    """The checkpoint of its three lines, or `Malformed` for every other spelling of it."""
    try:
        lines = body.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise Malformed(f"the checkpoint is not ASCII at byte {error.start}") from error
    if len(lines) != 4 or lines[3]:
        raise Malformed("a checkpoint is three lines: origin, size and root, each ended by a newline")
    checkpoint = Checkpoint(lines[0], parse_decimal(lines[1]), Digest(parse_base64(lines[2])))
    ensure(encode_body(checkpoint) == body, "a parsed checkpoint is spelled differently")
    return checkpoint


def encode_note(checkpoint: Checkpoint, signatures: Sequence[NoteSignature]) -> bytes:
    """Body, blank line, signature lines in the order given; `Malformed` past a bound or for one key twice."""
    _require_count(len(signatures))
    _require_distinct(signatures)
    note = b"".join((encode_body(checkpoint), b"\n", *map(encode_signature, signatures)))
    if len(note) > CHECKPOINT_BYTES_MAX:
        raise Malformed(f"checkpoint of {len(note)} bytes: at most {CHECKPOINT_BYTES_MAX} are allowed")
    return note


def parse_note(data: bytes) -> SignedNote:
    """The signed checkpoint of its bytes; `Malformed` for every spelling but the one `encode_note` gives."""
    if len(data) > CHECKPOINT_BYTES_MAX:
        raise Malformed(f"checkpoint of {len(data)} bytes: at most {CHECKPOINT_BYTES_MAX} are allowed")
    body, blank, rest = data.partition(b"\n\n")
    if not blank:
        raise Malformed("no blank line between the checkpoint and its signatures")
    note = SignedNote(parse_body(body + b"\n"), parse_signatures(rest))
    ensure(encode_note(note.checkpoint, note.signatures) == data, "a parsed note is spelled differently")
    return note


def encode_signature(signature: NoteSignature) -> bytes:
    """One signature line with its newline; `Malformed` for a bad name, key id or empty payload."""
    _require_name(signature.name)
    if len(signature.key_id) != NOTE_KEY_ID_LENGTH or not signature.payload:
        raise Malformed("a signature line holds a key id of 4 bytes and at least one byte more")
    return f"{_DASH}{signature.name} {encode_base64(signature.key_id + signature.payload)}\n".encode()


def parse_signatures(data: bytes) -> tuple[NoteSignature, ...]:
    """The signatures of one or more lines (of a note, or of a witness's reply), or `Malformed`."""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Malformed(f"the signature lines are not UTF-8 at byte {error.start}") from error
    lines = text.split("\n")
    if lines.pop():
        raise Malformed("the last signature line does not end in a newline")
    _require_count(len(lines))
    signatures = tuple(map(_parse_signature, lines))
    _require_distinct(signatures)
    return signatures


def _require_count(lines: int) -> None:
    if not 1 <= lines <= CHECKPOINT_SIGNATURES_MAX:
        raise Malformed(f"{lines} signature lines: from 1 to {CHECKPOINT_SIGNATURES_MAX} are allowed")


def _require_distinct(signers: Sequence[NoteSignature | NoteKey]) -> None:
    if len(dict.fromkeys((signer.name, signer.key_id) for signer in signers)) != len(signers):
        raise Malformed("two signatures or keys bear the same name and key id")


def _parse_signature(line: str) -> NoteSignature:
    name, space, encoded = line.removeprefix(_DASH).partition(" ")
    if not line.startswith(_DASH) or not space:
        raise Malformed(f"not a signature line (dash, name, base64): {line[:40]!r}")
    content = parse_base64(encoded)
    signature = NoteSignature(name, content[:NOTE_KEY_ID_LENGTH], content[NOTE_KEY_ID_LENGTH:])
    encode_signature(signature)
    return signature


# Keys


def derive_note_key_id(name: str, algorithm: KeyAlgorithm, public_key: bytes) -> bytes:
    """First 4 bytes of SHA-256(name || newline || algorithm byte || public key) (signed-note)."""
    return sha256(name.encode("ascii"), b"\n", bytes([algorithm]), public_key)[:NOTE_KEY_ID_LENGTH]


def encode_vkey(key: NoteKey) -> str:
    """The key as text `name+hex key id+base64(algorithm byte || public key)` (signed-note, verifier key)."""
    _require_name(key.name)
    if len(key.public_key) != PUBLIC_KEY_LENGTH:
        raise Malformed("an Ed25519 public key has 32 bytes")
    return f"{key.name}+{key.key_id.hex()}+{encode_base64(bytes([key.algorithm]) + key.public_key)}"


def parse_vkey(text: str) -> NoteKey:
    """The key of its text form, or `Malformed`; a key id that is not the key's own is refused."""
    # base64 may hold '+', a name may not: the first two separate.
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise Malformed("a verifier key is spelled name+key id+base64 of the key")
    content = parse_base64(parts[2])
    if content[:1] not in (bytes([KeyAlgorithm.LOG]), bytes([KeyAlgorithm.COSIGNATURE])):
        raise Malformed("the verifier key is neither a log's Ed25519 key (1) nor a witness's (4)")
    _require_name(parts[0])
    key = NoteKey(parts[0], KeyAlgorithm(content[0]), content[1:])
    if encode_vkey(key) != text:
        raise Malformed("the key id of the verifier key is not that of its name and key")
    return key


# Signing


def sign_checkpoint(checkpoint: Checkpoint, key: NoteKey, signer: Signer) -> NoteSignature:
    """The log's signature of its checkpoint; `signer` signs with the secret half of `key`."""
    ensure(key.algorithm is KeyAlgorithm.LOG, "a checkpoint is signed with a log's key")
    ensure(key.name == checkpoint.origin, "a log signs only its own checkpoints")
    return NoteSignature(key.name, key.key_id, signer(encode_body(checkpoint)))


def cosign_checkpoint(checkpoint: Checkpoint, key: NoteKey, time_s: int, signer: Signer) -> NoteSignature:
    """A witness's cosignature at `time_s`, seconds since 1970."""
    ensure(key.algorithm is KeyAlgorithm.COSIGNATURE, "a checkpoint is cosigned with a witness's key")
    message = encode_cosigned_message(encode_body(checkpoint), time_s)
    return NoteSignature(key.name, key.key_id, time_s.to_bytes(TIME_LENGTH, "big") + signer(message))


def encode_cosigned_message(body: bytes, time_s: int) -> bytes:
    """The bytes a witness signs: header line, time line, then the body (tlog-cosignature)."""
    ensure(0 <= time_s <= TIME_S_MAX, "a cosignature's time is not a number of seconds below 2^63")
    return f"cosignature/v1\ntime {time_s}\n".encode("ascii") + body


# Verifying


def verify_checkpoint(
    note_bytes: bytes,
    log_key: NoteKey,
    witness_keys: Sequence[NoteKey],
    quorum: int,
    check: SignatureCheck,
) -> VerifiedCheckpoint:
    """The checkpoint, if the log signed it, at least `quorum` of the witnesses did, and nobody else.

    Raises `Malformed` for bytes that are no canonical note and for keys that cannot be a trust (shared
    public keys, a quorum out of reach); `VerificationError` if the log's signature is missing, if any
    signature present is unknown or fails - though the quorum be met - or if the quorum is not met.
    """
    check_trust(log_key, witness_keys, quorum)
    note = parse_note(note_bytes)
    if note.checkpoint.origin != log_key.name:
        raise VerificationError(f"the checkpoint is of {note.checkpoint.origin}, not of {log_key.name}")
    known = {(key.name, key.key_id): key for key in (log_key, *witness_keys)}
    by_log, cosigned_by = 0, []
    for signature in note.signatures:
        key = known.get((signature.name, signature.key_id))
        if key is None:
            raise VerificationError(f"a signature by an unknown key: {signature.name}")
        if key is log_key:
            verify_log_signature(note.checkpoint, signature, key, check)
            by_log += 1
        else:
            cosigned_by.append((key.name, verify_cosignature(note.checkpoint, signature, key, check)))
    if not by_log:
        raise VerificationError("the log's own signature is missing")
    if len(cosigned_by) < quorum:
        raise VerificationError(f"{len(cosigned_by)} witnesses cosigned: {quorum} are required")
    return VerifiedCheckpoint(note.checkpoint, tuple(cosigned_by))


def verify_log_signature(checkpoint: Checkpoint, signature: NoteSignature, key: NoteKey, check: SignatureCheck) -> None:
    """Raise `VerificationError` unless `signature` is the log's under `key`."""
    _require_signer(signature, key, KeyAlgorithm.LOG)
    if not check(key.public_key, encode_body(checkpoint), signature.payload):
        raise VerificationError(f"the signature of the log {key.name} fails")


def verify_cosignature(checkpoint: Checkpoint, signature: NoteSignature, key: NoteKey, check: SignatureCheck) -> int:
    """The time (seconds since 1970) of a cosignature that holds under `key`, or `VerificationError`."""
    _require_signer(signature, key, KeyAlgorithm.COSIGNATURE)
    time_s = int.from_bytes(signature.payload[:TIME_LENGTH], "big")
    if len(signature.payload) != TIME_LENGTH + SIGNATURE_LENGTH or time_s > TIME_S_MAX:
        raise VerificationError(f"the cosignature of {key.name} is not a time and an Ed25519 signature")
    message = encode_cosigned_message(encode_body(checkpoint), time_s)
    if not check(key.public_key, message, signature.payload[TIME_LENGTH:]):
        raise VerificationError(f"the cosignature of the witness {key.name} fails")
    return time_s


def _require_signer(signature: NoteSignature, key: NoteKey, algorithm: KeyAlgorithm) -> None:
    if key.algorithm is not algorithm:
        raise VerificationError(f"the key of {key.name} is of another kind than its signature")
    if (signature.name, signature.key_id) != (key.name, key.key_id):
        raise VerificationError(f"the signature is not by the key of {key.name}")


def check_trust(log_key: NoteKey, witness_keys: Sequence[NoteKey], quorum: int) -> None:
    """Raise `Malformed` for keys and a quorum that cannot be a trust: of the wrong kind, shared, or out of reach."""
    if log_key.algorithm is not KeyAlgorithm.LOG:
        raise Malformed(f"the key of {log_key.name} is not a log's key")
    if any(key.algorithm is not KeyAlgorithm.COSIGNATURE for key in witness_keys):
        raise Malformed("a witness key is not a cosignature key (4)")
    # A cosignature does not commit to its signer's name: one key under two names would count twice.
    public_keys = [log_key.public_key, *(key.public_key for key in witness_keys)]
    if len(dict.fromkeys(public_keys)) != len(public_keys):
        raise Malformed("log and witnesses share a public key: each needs its own")
    _require_distinct((log_key, *witness_keys))
    if not 0 <= quorum <= len(witness_keys):
        raise Malformed(f"a quorum of {quorum} cannot be reached by {len(witness_keys)} witnesses")


# Small spellings, shared with the witness protocol


def encode_base64(content: bytes) -> str:
    """Standard base64 with padding (RFC 4648 section 4)."""
    return binascii.b2a_base64(content, newline=False).decode("ascii")


def parse_base64(text: str) -> bytes:
    """The bytes of canonical base64: padded, trailing bits zero, nothing else; or `Malformed`."""
    try:
        content = binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise Malformed(f"not base64: {text[:48]!r}") from error
    if encode_base64(content) != text:
        raise Malformed(f"not in canonical base64: {text[:48]!r}")
    return content


def parse_decimal(text: str) -> int:
    """The integer below 2^53 of ASCII digits without leading zeros, or `Malformed`."""
    # The length first: int() of a million digits is slow; str.isdigit alone also takes other scripts' digits.
    if len(text) > len(str(INTEGER_MAX)) or not (text.isascii() and text.isdigit()):
        raise Malformed(f"not a decimal below 2^53: {text[:24]!r}")
    value = int(text)
    if str(value) != text or value > INTEGER_MAX:
        raise Malformed(f"not a decimal below 2^53 without leading zeros: {text!r}")
    return value


def _require_name(name: str) -> None:
    if not 1 <= len(name) <= NAME_LENGTH_MAX or not all("!" <= c <= "~" and c != "+" for c in name):
        raise Malformed(f"a name is 1 to {NAME_LENGTH_MAX} printable ASCII characters without space and '+'")
