"""Authenticated encryption of one vault: keys grown from the master key, and AES-256-GCM bound to a context.

Sealed bytes are nonce (12 bytes) || ciphertext || tag (16 bytes); NIST SP 800-38D, RFC 5869 for the keys.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from cellvow.core.primitives.errors import VerificationError, ensure

KEY_LENGTH = 32
NONCE_LENGTH = 12
RandomBytes = Callable[[int], bytes]
"""So many unpredictable bytes; `secrets.token_bytes` outside tests."""


@dataclass(frozen=True, slots=True)
class VaultKeys:
    """What one vault needs of the master key, each use with a key of its own; `check` is kept in the open."""

    wrap: bytes = field(repr=False)
    index: bytes = field(repr=False)
    check: bytes


def derive_vault_keys(master_key: bytes, vault_id: bytes) -> VaultKeys:
    """The keys of the vault with this identifier: two vaults under one master key share none."""
    ensure(len(master_key) == KEY_LENGTH, f"a master key of {len(master_key)} bytes: {KEY_LENGTH} are required")
    return VaultKeys(
        wrap=_derive(master_key, vault_id, b"cellvow/vault/wrap/v1"),
        index=_derive(master_key, vault_id, b"cellvow/vault/index/v1"),
        check=_derive(master_key, vault_id, b"cellvow/vault/check/v1"),
    )


def seal(key: bytes, plaintext: bytes, context: bytes, random_bytes: RandomBytes) -> bytes:
    """Encrypt under a 32-byte key with a fresh nonce; only the same `context` opens it."""
    nonce = random_bytes(NONCE_LENGTH)
    ensure(len(nonce) == NONCE_LENGTH, f"{len(nonce)} random bytes for a nonce")
    return nonce + AESGCM(key).encrypt(nonce, plaintext, context)


def open_sealed(key: bytes, sealed: bytes, context: bytes) -> bytes:
    """The plaintext; raises `VerificationError` if the bytes, the key or the context is not that of `seal`."""
    nonce, ciphertext = sealed[:NONCE_LENGTH], sealed[NONCE_LENGTH:]
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, context)
    except (InvalidTag, ValueError) as error:
        raise VerificationError("the sealed bytes do not authenticate") from error


def _derive(master_key: bytes, vault_id: bytes, use: bytes) -> bytes:
    return HKDF(algorithm=SHA256(), length=KEY_LENGTH, salt=vault_id, info=use).derive(master_key)
