"""The secret in a link: how one is made, which digest of it is kept, and how it is found again in constant time."""

import hmac
import re
from base64 import urlsafe_b64encode
from typing import Any

import apsw

from cellvow.core.primitives.digest import DIGEST_LENGTH, Digest, domain_digest
from cellvow.vault.cipher import RandomBytes

TOKEN_LENGTH = 32
"""Random bytes in a link: nobody finds one by trying."""
_TOKEN_TEXT = re.compile(r"[A-Za-z0-9_-]{43}\Z", re.ASCII)


def make_token(random_bytes: RandomBytes) -> str:
    """A new token: 43 characters that stand in an address as they are."""
    return urlsafe_b64encode(random_bytes(TOKEN_LENGTH)).rstrip(b"=").decode("ascii")


def is_token(text: str) -> bool:
    """Whether a text is spelt as a token."""
    return _TOKEN_TEXT.match(text) is not None


def digest_token(domain: str, token: str) -> Digest:
    """What is kept of a token; of the text: a second spelling of the same bytes is another token."""
    return domain_digest(domain, token.encode("ascii"))


def find_by_token(connection: apsw.Connection, query: str, domain: str, token: str) -> tuple[Any, ...] | None:
    """The row of a token, or None; `query` asks by the digest, and its last column is the digest that was kept."""
    is_spelt = is_token(token)
    digest = digest_token(domain, token) if is_spelt else Digest(bytes(DIGEST_LENGTH))
    row: tuple[Any, ...] | None = connection.execute(query, (digest,)).fetchone()
    kept = bytes(DIGEST_LENGTH) if row is None else row[-1]
    # In constant time, found or not: what the index told by its speed concerns a digest that nobody can choose.
    is_equal = hmac.compare_digest(kept, digest)
    return row if row is not None and is_spelt and is_equal else None
