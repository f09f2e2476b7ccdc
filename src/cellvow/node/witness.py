"""The consistency witness: one key that cosigns a log's checkpoint only if it extends the last one seen."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Self

from cellvow.core.ledger.checkpoint import (
    TIME_S_MAX,
    Checkpoint,
    KeyAlgorithm,
    NoteKey,
    cosign_checkpoint,
    encode_base64,
    encode_signature,
    encode_vkey,
    parse_base64,
    parse_vkey,
)
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError, ensure
from cellvow.core.primitives.signature import (
    derive_public_key,
    is_valid,
    is_valid_public_key,
    require_sound_library,
    sign,
)
from cellvow.node.witness_protocol import (
    TEXT,
    Accepted,
    Fork,
    Refused,
    Response,
    authenticate_request,
    decide,
    explain,
    parse_request,
)
from cellvow.node.witness_store import KnownLog, WitnessStore

KEY_FILE = "witness.key"
"""The secret half: `PRIVATE+KEY+name+key id+base64(algorithm byte || seed)`, as note-signing tools write it."""
STORE_FILE = "witness.sqlite"
"""What the witness must not forget; never restored from a backup, since an old store is a lost one."""
SEED_LENGTH = 32
"""Bytes of the secret from which an Ed25519 key pair grows."""

_KEY_PREFIX = "PRIVATE+KEY+"


class Witness:
    """A witness at work: its key, and the store that key belongs to.

    May be called from several threads; `add_checkpoint` keeps before it answers.
    """

    def __init__(self, key: NoteKey, seed: bytes, store: WitnessStore) -> None:
        require_sound_library()
        self.key = key
        self._seed = seed
        self._store = store

    @classmethod
    def create(cls, folder: Path, name: str, seed: bytes) -> Self:
        """A new witness in `folder` with the key grown from `seed` (32 secret random bytes, used nowhere else).

        Raises `Malformed` for a bad name or seed, `OperationalError` if the folder holds a witness already.
        """
        key = _derive_key(name, seed)
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if (folder / KEY_FILE).exists():
            raise OperationalError(f"{folder} holds a witness already: it is never made anew over its store")
        # The store first: a key without a store would have to be retired.
        store = WitnessStore.create(folder / STORE_FILE, key)
        _write_key(folder / KEY_FILE, key, seed)
        return cls(key, seed, store)

    @classmethod
    def open(cls, folder: Path, name: str) -> Self:
        """The witness in `folder`; raises `OperationalError` if it is not `name`'s, or not whole."""
        key, seed = _read_key(folder / KEY_FILE)
        if key.name != name:
            raise OperationalError(f"{folder} holds the witness {key.name}, not {name}")
        return cls(key, seed, WitnessStore.open(folder / STORE_FILE, key))

    def close(self) -> None:
        """Release the store."""
        self._store.close()

    @property
    def name(self) -> str:
        """The name under which it cosigns."""
        return self.key.name

    @property
    def vkey(self) -> str:
        """Its public key as others put it into their trust."""
        return encode_vkey(self.key)

    def add_log(self, origin: str, vkey: str) -> None:
        """Serve the log of `origin`, trusting its key; its first checkpoint is then taken on trust.

        Raises `Malformed` if the key is no log's, not of this origin, or differs from the one known.
        """
        key = parse_vkey(vkey)
        if key.algorithm is not KeyAlgorithm.LOG or key.name != origin:
            raise Malformed(f"the key is not a log's key for the origin {origin}")
        if not is_valid_public_key(key.public_key):
            raise Malformed(f"the key of {origin} is not a point that Ed25519 signatures can be checked with")
        self._store.add_log(key)

    def add_checkpoint(self, body: bytes, now_s: int) -> Response:
        """Answer POST /add-checkpoint (tlog-witness) at `now_s`, whole seconds since 1970.

        200 with the cosignature line; 400 malformed; 403 not signed by the log; 404 unknown origin; 409 with
        the size held, or without if the log forked; 422 proof does not hold; 503 clock behind. Raises
        `OperationalError` if the store fails: nothing was cosigned then.
        """
        ensure(0 <= now_s <= TIME_S_MAX, "the time is not a number of seconds below 2^63")
        try:
            request = parse_request(body)
        except Malformed as error:
            return explain(400, str(error))
        checkpoint = request.note.checkpoint
        log = self._store.fetch_log(checkpoint.origin)
        if log is None:
            return explain(404, f"this witness does not serve the log {checkpoint.origin}")
        try:
            offered = authenticate_request(request, log.key, is_valid)
        except VerificationError as error:
            return explain(403, error.reason)
        if isinstance(decide(log.held, request, offered, now_s), Accepted):
            objection = self.examine(checkpoint)
            if objection is not None:
                return objection
        verdict = self._store.record(checkpoint.origin, lambda held: decide(held, request, offered, now_s))
        if isinstance(verdict, Refused):
            return verdict.response
        cosignature = cosign_checkpoint(checkpoint, self.key, now_s, self._sign)
        return Response(200, TEXT, encode_signature(cosignature))

    def examine(self, checkpoint: Checkpoint) -> Response | None:
        """Why a checkpoint that extends the last one is not cosigned all the same; a consistency witness has no why."""

    def logs(self) -> tuple[KnownLog, ...]:
        """The logs it serves and what it holds of each."""
        return self._store.fetch_logs()

    def forks(self) -> tuple[Fork, ...]:
        """The pairs of contradicting checkpoints that logs have signed."""
        return self._store.fetch_forks()

    def _sign(self, message: bytes) -> bytes:
        return sign(self._seed, message)


class LocalWitness:
    """A witness in this process behind the port that `publication` asks; `clock` gives whole seconds."""

    def __init__(self, witness: Witness, clock: Callable[[], int]) -> None:
        self._witness = witness
        self._clock = clock

    def add_checkpoint(self, body: bytes) -> Response:
        """The witness's answer, now."""
        return self._witness.add_checkpoint(body, self._clock())


def _derive_key(name: str, seed: bytes) -> NoteKey:
    if len(seed) != SEED_LENGTH:
        raise Malformed(f"a seed has {SEED_LENGTH} bytes, not {len(seed)}")
    key = NoteKey(name, KeyAlgorithm.COSIGNATURE, derive_public_key(seed))
    encode_vkey(key)
    return key


def _write_key(path: Path, key: NoteKey, seed: bytes) -> None:
    secret = encode_base64(bytes([key.algorithm]) + seed)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(f"{_KEY_PREFIX}{key.name}+{key.key_id.hex()}+{secret}\n")
        file.flush()
        os.fsync(file.fileno())
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _read_key(path: Path) -> tuple[NoteKey, bytes]:
    if not path.is_file():
        raise OperationalError(f"there is no witness in {path.parent}: {path.name} is missing")
    if path.stat().st_mode & 0o077:
        raise OperationalError(f"others on this machine may read {path}: run chmod 600 on it")
    try:
        name, key_id, secret = path.read_text("ascii").strip().removeprefix(_KEY_PREFIX).split("+", 2)
        content = parse_base64(secret)
        key = _derive_key(name, content[1:])
    except (ValueError, Malformed) as error:
        raise OperationalError(f"{path} is not a witness's key: it was altered or cut off") from error
    if content[:1] != bytes([KeyAlgorithm.COSIGNATURE]) or key.key_id.hex() != key_id:
        raise OperationalError(f"{path} is not a witness's key: its key id is not that of the key")
    return key, content[1:]
