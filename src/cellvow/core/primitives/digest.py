"""SHA-256, plain where another standard fixes the input, under a domain prefix everywhere else."""

import hashlib
import hmac
from typing import NewType

Digest = NewType("Digest", bytes)
"""32 bytes of SHA-256."""

DIGEST_LENGTH = 32


def sha256(*parts: bytes) -> Digest:
    """SHA-256 of the concatenated parts."""
    return Digest(hashlib.sha256(b"".join(parts)).digest())


def domain_digest(domain: str, *parts: bytes) -> Digest:
    """SHA-256 of `domain`, a zero byte and the parts, so that no two kinds of document share a digest."""
    return sha256(domain.encode("ascii"), b"\0", *parts)


def keyed_digest(key: bytes, domain: str, *parts: bytes) -> Digest:
    """HMAC-SHA-256 (RFC 2104) under `key` of `domain`, a zero byte and the parts."""
    return Digest(hmac.digest(key, b"".join((domain.encode("ascii"), b"\0", *parts)), "sha256"))
