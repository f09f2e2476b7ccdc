"""The log's side of witnessing: offer a signed checkpoint to every witness and gather their cosignatures."""

import http.client
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from threading import Event, Lock, Timer
from typing import Protocol
from urllib.parse import SplitResult, urlsplit

from cellvow.core.ledger.checkpoint import (
    Checkpoint,
    NoteKey,
    NoteSignature,
    SignatureCheck,
    SignedNote,
    encode_note,
    parse_decimal,
    parse_note,
    parse_signatures,
    verify_checkpoint,
    verify_cosignature,
    verify_log_signature,
)
from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.witness_protocol import SIZE, TEXT, Response, encode_request

Prove = Callable[[int, int], Sequence[Digest]]
"""(old size, size) -> consistency path between the log's two trees; called from other threads, one at a time."""

ROUNDS_MAX = 3
"""Requests to one witness for one checkpoint: one to learn its size, one that fits, one if it moved on."""
RESPONSE_BYTES_MAX = 8_192
"""Longest answer read from a witness; a cosignature line has some 150 bytes."""
WITNESSES_ASKED_AT_ONCE_MAX = 8
"""Threads that wait for witnesses."""
TIMEOUT_S = 5.0
"""Longest wait for one answer of a witness over HTTP, all told."""


class WitnessPort(Protocol):
    """A way to reach a witness."""

    def add_checkpoint(self, body: bytes) -> Response:
        """Its answer to POST /add-checkpoint; raises `OperationalError` where it cannot be reached."""
        ...


@dataclass(frozen=True, slots=True)
class WitnessEndpoint:
    """A witness the log publishes to: the key its cosignatures must hold under, and the way to it."""

    key: NoteKey
    port: WitnessPort


@dataclass(frozen=True, slots=True)
class Answer:
    """What one witness said: the time of its cosignature (seconds since 1970), or why there is none."""

    name: str
    cosigned_s: int | None
    reason: str | None


@dataclass(frozen=True, slots=True)
class Publication:
    """The checkpoint with every cosignature that holds, and each witness's answer, by name."""

    note: bytes
    answers: tuple[Answer, ...]

    @property
    def cosignatures(self) -> int:
        """How many witnesses vouch for it."""
        return sum(answer.cosigned_s is not None for answer in self.answers)


class Publisher:
    """Publishes one log's checkpoints to its witnesses, remembering how far each one has come.

    Raises `Malformed` if two of the keys are one: a cosignature would count twice.
    """

    def __init__(
        self,
        log_key: NoteKey,
        witnesses: Sequence[WitnessEndpoint],
        prove: Prove,
        check: SignatureCheck = is_valid,
    ) -> None:
        public_keys = [log_key.public_key, *(witness.key.public_key for witness in witnesses)]
        names = [witness.key.name for witness in witnesses]
        if len(set(public_keys)) != len(public_keys) or len(set(names)) != len(names):
            raise Malformed("each witness needs a name and a public key of its own, apart from the log's")
        self._log_key = log_key
        self._witnesses = sorted(witnesses, key=lambda witness: witness.key.name)
        self._prove = prove
        self._check = check
        self._sizes: dict[str, int] = {}
        self._proving = Lock()

    def publish(self, note_bytes: bytes) -> Publication:
        """Ask every witness that has not cosigned `note_bytes` yet, all at once.

        The resulting note has the log's line first and the witnesses by name; whatever else was in
        `note_bytes` is dropped. Raises `Malformed` or `VerificationError` if the log's own line fails.
        A witness that is down, refuses or lies is named in `answers`, never raised.
        """
        note = parse_note(note_bytes)
        by_log = self._find_log_signature(note)
        if self._witnesses:
            with ThreadPoolExecutor(min(len(self._witnesses), WITNESSES_ASKED_AT_ONCE_MAX)) as pool:
                gathered = list(pool.map(lambda witness: self._gather(note, by_log, witness), self._witnesses))
        else:
            gathered = []
        cosignatures = [signature for signature, _ in gathered if signature]
        published = encode_note(note.checkpoint, [by_log, *cosignatures])
        keys = [witness.key for witness in self._witnesses]
        verify_checkpoint(published, self._log_key, keys, len(cosignatures), self._check)
        return Publication(published, tuple(answer for _, answer in gathered))

    def _find_log_signature(self, note: SignedNote) -> NoteSignature:
        for signature in note.signatures:
            if (signature.name, signature.key_id) == (self._log_key.name, self._log_key.key_id):
                verify_log_signature(note.checkpoint, signature, self._log_key, self._check)
                return signature
        raise VerificationError("the checkpoint to publish is not signed by its log")

    def _gather(
        self, note: SignedNote, by_log: NoteSignature, witness: WitnessEndpoint
    ) -> tuple[NoteSignature | None, Answer]:
        name = witness.key.name
        try:
            cosignature = _find_cosignature(note.signatures, witness.key)
            if cosignature is None:
                cosignature = self._ask(note.checkpoint, by_log, witness)
            time_s = verify_cosignature(note.checkpoint, cosignature, witness.key, self._check)
        except (Malformed, OperationalError, VerificationError) as error:
            return None, Answer(name, None, str(error))
        self._sizes[name] = note.checkpoint.size
        return cosignature, Answer(name, time_s, None)

    def _ask(self, checkpoint: Checkpoint, by_log: NoteSignature, witness: WitnessEndpoint) -> NoteSignature:
        request_note = encode_note(checkpoint, [by_log])
        old_size = min(self._sizes.get(witness.key.name, 0), checkpoint.size)
        for _ in range(ROUNDS_MAX):
            with self._proving:
                proof = self._prove(old_size, checkpoint.size)
            response = witness.port.add_checkpoint(encode_request(old_size, proof, request_note))
            if response.status == 200:
                return _read_cosignature(response.body, witness.key)
            old_size = self._read_size(response, checkpoint, witness.key.name)
        raise OperationalError(f"the witness named another size {ROUNDS_MAX} times in a row")

    def _read_size(self, response: Response, checkpoint: Checkpoint, name: str) -> int:
        if response.status != 409 or response.content_type != SIZE:
            sentence = response.body[:300].decode("utf-8", "replace").strip()
            raise VerificationError(f"the witness refused with status {response.status}: {sentence!r}")
        size = parse_decimal(response.body.decode("ascii", "replace").removesuffix("\n"))
        if size > checkpoint.size:
            raise VerificationError(
                f"the witness holds {size} leaves of this log, the checkpoint has {checkpoint.size}: "
                "the log was rolled back, or an older checkpoint was published"
            )
        self._sizes[name] = size
        return size


class HttpWitness:
    """A witness behind a URL prefix, over HTTP or HTTPS; redirects are not followed.

    `timeout_s` bounds each step of the exchange and the time from request to the end of the answer.
    """

    def __init__(self, url: str, timeout_s: float = TIMEOUT_S) -> None:
        parts = _split_address(url)
        self._kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._host, self._port = parts.hostname or "", parts.port
        self._path = parts.path.rstrip("/") + "/add-checkpoint"
        self._timeout_s = timeout_s

    def add_checkpoint(self, body: bytes) -> Response:
        """Its answer to POST /add-checkpoint; raises `OperationalError` where it cannot be reached."""
        connection = self._kind(self._host, self._port, timeout=self._timeout_s)
        is_late = Event()
        try:
            connection.connect()
            # A socket's own timeout starts again with every byte: a witness could drip for ever.
            deadline = Timer(self._timeout_s, _hang_up, [connection.sock, is_late])
            deadline.daemon = True
            deadline.start()
            try:
                response = self._exchange(connection, body)
            finally:
                deadline.cancel()
                deadline.join()
            if is_late.is_set():
                raise TimeoutError
            return response
        except (OSError, http.client.HTTPException) as error:
            late = is_late.is_set() or isinstance(error, TimeoutError)
            reason = f"no answer within {self._timeout_s:g} s" if late else str(error) or type(error).__name__
            raise OperationalError(f"the witness at {self._host} cannot be reached: {reason}") from error
        finally:
            connection.close()

    def _exchange(self, connection: http.client.HTTPConnection, body: bytes) -> Response:
        connection.request("POST", self._path, body, {"Content-Type": TEXT, "Connection": "close"})
        with connection.getresponse() as answer:
            content = answer.read(RESPONSE_BYTES_MAX + 1)
            if len(content) > RESPONSE_BYTES_MAX:
                raise OperationalError(f"the witness's answer is longer than {RESPONSE_BYTES_MAX} bytes")
            if answer.length:
                raise http.client.IncompleteRead(content, answer.length)
            return Response(answer.status, answer.headers.get("Content-Type", ""), content)


def _split_address(url: str) -> SplitResult:
    """The parts of `http(s)://host[:port][/prefix]`, or `Malformed` for anything that holds more."""
    try:
        parts = urlsplit(url)
        is_plain = url == f"{parts.scheme}://{parts.netloc}{parts.path}" and "@" not in parts.netloc
        is_sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_plain = is_sound = False
        parts = SplitResult("", "", "", "", "")
    if not (is_plain and is_sound and all("!" <= c <= "~" for c in url)):
        raise Malformed(f"the witness's address is not http(s)://host[:port][/prefix]: {url[:80]!r}")
    return parts


def _hang_up(connected: socket.socket, is_late: Event) -> None:
    is_late.set()
    # The other side may have been quicker.
    with suppress(OSError):
        connected.shutdown(socket.SHUT_RDWR)


def _find_cosignature(signatures: Sequence[NoteSignature], key: NoteKey) -> NoteSignature | None:
    for signature in signatures:
        if (signature.name, signature.key_id) == (key.name, key.key_id):
            return signature
    return None


def _read_cosignature(body: bytes, key: NoteKey) -> NoteSignature:
    cosignature = _find_cosignature(parse_signatures(body), key)
    if cosignature is None:
        raise VerificationError(f"the witness's answer holds no cosignature by the key of {key.name}")
    return cosignature
