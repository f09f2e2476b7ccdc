"""Ed25519 through libsodium, the one library whose verdict counts in consensus."""

from collections.abc import Callable
from functools import cache

from nacl import bindings
from nacl.exceptions import CryptoError

from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.edge_cases import EDGE_CASES
from cellvow.core.primitives.errors import ensure

SignatureCheck = Callable[[bytes, bytes, bytes], bool]
"""(public key, message, signature) -> whether it holds."""

SIGNATURE_LENGTH = 64
PUBLIC_KEY_LENGTH = 32
KEY_ID_LENGTH = 16


def is_valid(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether `signature` of `message` holds under `public_key`, by the rule stated in `ed25519`."""
    if len(public_key) != PUBLIC_KEY_LENGTH or len(signature) != SIGNATURE_LENGTH:
        return False
    try:
        bindings.crypto_sign_open(signature + message, public_key)
    except CryptoError:
        return False
    return True


def is_valid_public_key(public_key: bytes) -> bool:
    """Whether the bytes encode a point of the prime-order group; only such keys are registered."""
    return len(public_key) == PUBLIC_KEY_LENGTH and bool(bindings.crypto_core_ed25519_is_valid_point(public_key))


def sign(seed: bytes, message: bytes) -> bytes:
    """The 64-byte signature of `message` by the key grown from a 32-byte seed."""
    _, secret_key = bindings.crypto_sign_seed_keypair(seed)
    return bytes(bindings.crypto_sign(message, secret_key)[:SIGNATURE_LENGTH])


def derive_public_key(seed: bytes) -> bytes:
    """The public key of a 32-byte seed."""
    public_key, _ = bindings.crypto_sign_seed_keypair(seed)
    return bytes(public_key)


def derive_key_id(public_key: bytes) -> bytes:
    """The `kid` of a key: the first 16 bytes of SHA-256 of the public key."""
    return sha256(public_key)[:KEY_ID_LENGTH]


@cache
def require_sound_library() -> None:
    """Stop unless the installed libsodium decides every edge case as the rule demands."""
    for case in EDGE_CASES:
        verdict = is_valid(case.public_key, case.message, case.signature)
        ensure(
            verdict is case.is_valid,
            f"the installed libsodium must not be used: it decides the edge case '{case.name}' wrongly",
        )
