"""The keys of one organisation in a folder: a file per signing key, and the master key of its vault.

`root.json`: `{"algorithm":"ed25519","kid":"..","kind":"root","public_key":"..","seed":".."}` and a line feed, mode
0600 in a folder of mode 0700. Files are NOT protected by a passphrase yet: whoever can read them, or a backup of
them, can sign as the organisation and open its vault. Only the rights of the files guard them.
"""

import re
import secrets
from pathlib import Path
from typing import Never, NoReturn, SupportsIndex

from cellvow.core.ledger.key import ALGORITHM, KINDS
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError, ensure
from cellvow.core.primitives.signature import derive_key_id, derive_public_key, sign
from cellvow.vault import FOLDER_MODE, RandomBytes, create_private_file, read_private_file, require_private

VAULT_KEY_FILE = "vault.key"
NAME_PATTERN = r"^[a-z][a-z0-9-]{0,31}\Z"
SEED_LENGTH = 32
VAULT_KEY_LENGTH = 32

_SUFFIX = ".json"
_BYTES_MAX = 1_024
_FIELDS = ("algorithm", "kid", "kind", "public_key", "seed")


class SigningKey:
    """A key that signs. It can be neither pickled nor copied, and its `repr` shows no secret.

    The seed stays in memory until the process ends: Python cannot wipe it.
    """

    __slots__ = ("_seed", "kid", "kind", "public_key")

    def __init__(self, kind: str, seed: bytes) -> None:
        ensure(kind in KINDS, f"{kind!r} is no kind of key")
        ensure(len(seed) == SEED_LENGTH, f"a seed of {len(seed)} bytes")
        self.kind = kind
        self.public_key = derive_public_key(seed)
        self.kid = derive_key_id(self.public_key)
        self._seed = seed

    def sign(self, message: bytes) -> bytes:
        """The 64-byte Ed25519 signature of a message."""
        return sign(self._seed, message)

    def __repr__(self) -> str:
        return f"<SigningKey {self.kind} {self.kid.hex()}>"

    def __reduce_ex__(self, protocol: SupportsIndex) -> NoReturn:
        raise TypeError("a signing key stays where it was opened: it is never pickled or copied")


class Keystore:
    """One organisation's folder of keys."""

    def __init__(self, folder: Path, random_bytes: RandomBytes) -> None:
        self._folder = folder
        self._random_bytes = random_bytes

    @classmethod
    def create(cls, folder: Path, random_bytes: RandomBytes = secrets.token_bytes) -> "Keystore":
        """Make the folder (mode 0700) with a new `vault.key`; raises `OperationalError` if anything is there."""
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=FOLDER_MODE)
        except OSError as error:
            raise OperationalError(f"{folder} cannot be made: {error.strerror}") from error
        if any(folder.iterdir()):
            raise OperationalError(f"{folder} is not empty: nothing was changed")
        require_private(folder)
        create_private_file(folder / VAULT_KEY_FILE, random_bytes(VAULT_KEY_LENGTH).hex().encode() + b"\n")
        return cls(folder, random_bytes)

    @classmethod
    def open(cls, folder: Path, random_bytes: RandomBytes = secrets.token_bytes) -> "Keystore":
        """Open an existing folder; raises `OperationalError` if it, or a key in it, is open to other users."""
        if not folder.is_dir():
            raise OperationalError(f"{folder} holds no keys: restore the folder from a backup")
        require_private(folder)
        for path in _key_files(folder):
            require_private(path)
        return cls(folder, random_bytes)

    def names(self) -> list[str]:
        """The names of the signing keys, sorted."""
        return [path.stem for path in _key_files(self._folder) if path.suffix == _SUFFIX]

    def new_key(self, kind: str, name: str) -> SigningKey:
        """Make a key of a kind (`root`, `operational`, `device`), on disk when this returns; a name is used once."""
        if kind not in KINDS:
            raise Malformed(f"{kind[:40]!r} is no kind of key: {', '.join(KINDS)} are")
        path, seed = self._path(name), self._random_bytes(SEED_LENGTH)
        key = SigningKey(kind, seed)
        create_private_file(path, _encode_key(key, seed))
        return key

    def key(self, name: str) -> SigningKey:
        """The key of that name.

        Raises `OperationalError` if it is missing or open to other users, `Malformed` if the file is not a key's,
        `VerificationError` if its parts do not belong together.
        """
        path = self._path(name)
        return _parse_key(path, read_private_file(path, bytes_max=_BYTES_MAX))

    def vault_key(self) -> bytes:
        """The 32 secret bytes that open the vault; without them its content is lost. Raises as `key` does."""
        path = self._folder / VAULT_KEY_FILE
        content = read_private_file(path, bytes_max=_BYTES_MAX)
        if re.fullmatch(rb"[0-9a-f]{64}\n", content) is None:
            raise Malformed(f"{path} does not hold a key: restore it from a backup")
        return bytes.fromhex(content.decode("ascii"))

    def _path(self, name: str) -> Path:
        if re.match(NAME_PATTERN, name) is None:
            raise Malformed(f"{name[:60]!r} is not a key's name: 1 to 32 characters from a-z, 0-9 and '-'")
        return self._folder / f"{name}{_SUFFIX}"


def _key_files(folder: Path) -> list[Path]:
    # A draft that a crash left behind begins with a dot.
    return sorted(path for path in folder.iterdir() if not path.name.startswith("."))


def _encode_key(key: SigningKey, seed: bytes) -> bytes:
    document: dict[str, Json] = {
        "algorithm": ALGORITHM,
        "kid": key.kid.hex(),
        "kind": key.kind,
        "public_key": key.public_key.hex(),
        "seed": seed.hex(),
    }
    return encode_document(document) + b"\n"


def _parse_key(path: Path, content: bytes) -> SigningKey:
    try:
        document = parse_object(content.removesuffix(b"\n"))
    except Malformed:
        # Without its cause: what is wrong may quote what is secret.
        _refuse(path, "it is not a canonical document")
    if tuple(sorted(document)) != _FIELDS:
        _refuse(path, f"it must hold exactly {', '.join(_FIELDS)}")
    if document["algorithm"] != ALGORITHM or document["kind"] not in KINDS:
        _refuse(path, "its algorithm or kind is unknown")
    seed = str(document["seed"])
    if re.fullmatch(r"[0-9a-f]{64}", seed) is None:
        _refuse(path, "its seed is not 64 hexadecimal digits")
    key = SigningKey(str(document["kind"]), bytes.fromhex(seed))
    if (document["public_key"], document["kid"]) != (key.public_key.hex(), key.kid.hex()):
        raise VerificationError(f"{path} was altered: its seed belongs to another public key; restore it from a backup")
    return key


def _refuse(path: Path, reason: str) -> Never:
    raise Malformed(f"{path} is not the file of a key ({reason}): restore it from a backup") from None
