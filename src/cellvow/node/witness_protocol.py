"""The rules of a consistency witness (c2sp.org/tlog-witness): bytes and held state in, verdict out.

A request says which size the witness is thought to hold and proves that the new checkpoint extends it:

    old 3
    <base64 of a hash, one line each, none if old is 0>

    <signed checkpoint>
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.core.ledger.checkpoint import (
    Checkpoint,
    NoteKey,
    SignatureCheck,
    SignedNote,
    encode_base64,
    encode_note,
    parse_base64,
    parse_decimal,
    parse_note,
    verify_log_signature,
)
from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.limits import CHECKPOINT_BYTES_MAX
from cellvow.core.primitives.merkle import EMPTY_ROOT, verify_consistency

PROOF_LINES_MAX = 63
"""Hashes in one consistency proof (tlog-witness)."""
REQUEST_BYTES_MAX = CHECKPOINT_BYTES_MAX + PROOF_LINES_MAX * 45 + 32
"""The longest request: a full checkpoint, a full proof, and the line that names the old size."""
TEXT = "text/plain; charset=utf-8"
"""Content type of cosignatures and of sentences."""
SIZE = "text/x.tlog.size"
"""Content type of a 409 that tells the size the witness holds (tlog-witness)."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A parsed request; its signatures and its proof are not verified yet."""

    old_size: int
    proof: tuple[Digest, ...]
    note: SignedNote


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer, whatever carries it."""

    status: int
    content_type: str
    body: bytes


@dataclass(frozen=True, slots=True)
class Held:
    """The latest checkpoint a witness cosigned for a log: the log's signed note, and when (seconds)."""

    note: bytes
    time_s: int

    @property
    def checkpoint(self) -> Checkpoint:
        """What the note says."""
        return parse_note(self.note).checkpoint


@dataclass(frozen=True, slots=True)
class Fork:
    """Proof that a log lied: it signed two checkpoints of one size with different roots."""

    origin: str
    size: int
    held: bytes
    offered: bytes
    seen_s: int


@dataclass(frozen=True, slots=True)
class Accepted:
    """The checkpoint may be cosigned once `held` is on disk."""

    held: Held


@dataclass(frozen=True, slots=True)
class Refused:
    """The checkpoint is not cosigned; `fork` is to be kept if there is one."""

    response: Response
    fork: Fork | None = None


Verdict = Accepted | Refused


def encode_request(old_size: int, proof: Sequence[bytes], note: bytes) -> bytes:
    """The body of POST /add-checkpoint."""
    lines = [f"old {old_size}", *map(encode_base64, proof), ""]
    return "".join(f"{line}\n" for line in lines).encode("ascii") + note


def parse_request(body: bytes) -> AddCheckpoint:
    """The request of its bytes, or `Malformed`."""
    if len(body) > REQUEST_BYTES_MAX:
        raise Malformed(f"request of {len(body)} bytes: at most {REQUEST_BYTES_MAX} are allowed")
    head, blank, note = body.partition(b"\n\n")
    if not blank or not head.isascii():
        raise Malformed("a request is ASCII lines of old size and proof, a blank line, and a checkpoint")
    old, *hashes = head.decode("ascii").split("\n")
    if not old.startswith("old "):
        raise Malformed("the first line of a request is 'old' and a size")
    if len(hashes) > PROOF_LINES_MAX:
        raise Malformed(f"{len(hashes)} proof lines: at most {PROOF_LINES_MAX} are allowed")
    return AddCheckpoint(parse_decimal(old.removeprefix("old ")), tuple(map(_parse_hash, hashes)), parse_note(note))


def authenticate_request(request: AddCheckpoint, log_key: NoteKey, check: SignatureCheck) -> bytes:
    """The checkpoint as a note with the log's signature alone, or `VerificationError`.

    Signatures by keys the witness does not know are ignored, as tlog-witness demands.
    """
    for signature in request.note.signatures:
        if (signature.name, signature.key_id) == (log_key.name, log_key.key_id):
            verify_log_signature(request.note.checkpoint, signature, log_key, check)
            return encode_note(request.note.checkpoint, [signature])
    raise VerificationError(f"the checkpoint bears no signature by the key known for {log_key.name}")


def decide(held: Held | None, request: AddCheckpoint, offered: bytes, now_s: int) -> Verdict:
    """What becomes of an authentic request, `offered` being its note with the log's signature alone."""
    new = request.note.checkpoint
    old = held.checkpoint if held else Checkpoint(new.origin, 0, EMPTY_ROOT)
    if request.old_size > new.size:
        return Refused(explain(400, "the old size is larger than the checkpoint's"))
    is_fork = held is not None and new.size == old.size and new.root != old.root
    fork = Fork(new.origin, new.size, held.note, offered, now_s) if held and is_fork else None
    if request.old_size != old.size:
        return Refused(Response(409, SIZE, f"{old.size}\n".encode("ascii")), fork)
    if fork:
        sentence = f"the log signed another root for its first {new.size} leaves: both are kept as evidence"
        return Refused(explain(409, sentence), fork)
    try:
        verify_consistency(old.size, old.root, new.size, new.root, request.proof)
    except VerificationError as error:
        return Refused(explain(422, f"the consistency proof does not hold: {error.reason}"))
    if held and now_s < held.time_s:
        # A cosignature says "the largest tree seen up to this time": dated back it would be false.
        return Refused(explain(503, "the witness's clock is behind its last cosignature: set it right"))
    return Accepted(Held(offered, now_s))


def explain(status: int, sentence: str) -> Response:
    """A response that is one sentence."""
    return Response(status, TEXT, f"{sentence}\n".encode())


def _parse_hash(line: str) -> Digest:
    content = parse_base64(line)
    if len(content) != DIGEST_LENGTH:
        raise Malformed(f"a proof line holds {len(content)} bytes: a hash has {DIGEST_LENGTH}")
    return Digest(content)
