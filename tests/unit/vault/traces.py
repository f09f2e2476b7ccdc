"""Looking for secrets in every file of a folder, as somebody who copied the disk would."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

import apsw

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PIECE_LENGTH = 12
"""Pieces searched for: shorter ones occur by chance, longer ones miss what a page boundary cuts."""
PIECES_MAX = 100
"""Of a long secret so many are searched for: of 100 kB still four in every page of SQLite's."""


class Stored(NamedTuple):
    """What the vault's file holds of one record."""

    sealed: bytes
    wrapped: bytes


def stored_bytes(path: Path, record_id: str) -> Stored:
    """Ciphertext and wrapped key of a record, read past the vault."""
    query = "SELECT sealed, wrapped FROM record JOIN wrapped_key ON record = id WHERE id = ?"
    with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
        sealed, wrapped = connection.execute(query, (record_id,)).fetchone() or (None, None)
    assert isinstance(sealed, bytes)
    assert isinstance(wrapped, bytes)
    return Stored(sealed, wrapped)


def alter(path: Path, statement: str, values: tuple[bytes | str | int, ...] = ()) -> None:
    """Change the vault's file behind its back."""
    with closing(apsw.Connection(str(path))) as connection:
        connection.execute(statement, values).fetchall()


def traces(folder: Path, secrets: Iterable[bytes]) -> list[str]:
    """Each file that holds a piece of a secret, whatever its name."""
    contents = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    return sorted({path.name for path, content in contents.items() for secret in secrets if _occurs(secret, content)})


def _occurs(secret: bytes, content: bytes) -> bool:
    last = max(1, len(secret) - PIECE_LENGTH + 1)
    stride = max(PIECE_LENGTH, len(secret) // PIECES_MAX)
    return any(secret[start : start + PIECE_LENGTH] in content for start in range(0, last, stride))
