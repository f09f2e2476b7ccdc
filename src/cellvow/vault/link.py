"""What every link that an owner gives has, whatever it opens: a token of which a digest is kept, a time, and an end.

A kind of link has a table of its own in a file of its own, and both have these columns: `number` in the order they were
made, `id`, `token_digest`, `created_ms`, `expires_ms`, `revoked_ms`; and a view `listed` of whose columns the last two
are `number` and `token_digest`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import apsw

from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.vault.link_token import digest_token, find_by_token

LASTS_MS_MAX = 366 * 86_400_000
"""The longest a link may last: a year, as passport providers do; the law sets no figure yet."""
NOTE_LENGTH_MAX = 80
"""Characters of what is written beside a link: an owner's note, a name."""
ID_LENGTH = 6
"""Bytes of a link's number."""
IN_FORCE, REVOKED, EXPIRED = "in_force", "revoked", "expired"


def derive_link_state(expires_ms: int, revoked_ms: int | None, now_ms: int) -> str:
    """in_force, revoked or expired: one that was revoked stays so."""
    if revoked_ms is not None:
        return REVOKED
    return IN_FORCE if now_ms < expires_ms else EXPIRED


def require_lasting(what: str, expires_ms: int, now_ms: int) -> None:
    """Raise `Malformed` unless a new link lasts into the future, and no longer than it may; `what` names its kind."""
    if not now_ms < expires_ms <= now_ms + LASTS_MS_MAX:
        raise Malformed(f"{what} lasts into the future, and 366 days at most: choose another end")


def is_one_line(text: str) -> bool:
    """Whether a text can be written beside a link: printable, in one line, not too long."""
    return len(text) <= NOTE_LENGTH_MAX and text.isprintable()


@dataclass(frozen=True, slots=True)
class LinkTable:
    """The table of one kind of link.

    `domain` separates its tokens' digests from those of other kinds; `plural` is what people call them; `unknown` makes
    the error for a number that no link has.
    """

    name: str
    domain: str
    plural: str
    unknown: Callable[[str], OperationalError]

    def digest(self, token: str) -> Digest:
        """What is kept of a token."""
        return digest_token(self.domain, token)

    def fetch(self, connection: apsw.Connection, link_id: str) -> tuple[Any, ...]:
        """The row of `listed` with a number; raises what `unknown` makes."""
        row: tuple[Any, ...] | None = connection.execute("SELECT * FROM listed WHERE id = ?", (link_id,)).fetchone()
        if row is None:
            raise self.unknown(link_id[:40])
        return row

    def find_by_token(self, connection: apsw.Connection, token: str) -> tuple[Any, ...] | None:
        """The row of `listed` that a token opens, or None."""
        return find_by_token(connection, "SELECT * FROM listed WHERE token_digest = ?", self.domain, token)

    def revoke(self, connection: apsw.Connection, link_id: str, now_ms: int) -> tuple[Any, ...]:
        """End a link, and give its row; ending it again changes nothing. Raises what `unknown` makes."""
        self.fetch(connection, link_id)
        update = f"UPDATE {self.name} SET revoked_ms = ? WHERE id = ? AND revoked_ms IS NULL"  # noqa: S608 - our names
        connection.execute(update, (now_ms, link_id))
        return self.fetch(connection, link_id)

    def make_room(
        self, connection: apsw.Connection, kept_max: int, now_ms: int, forget: Callable[[str], None] = lambda _: None
    ) -> None:
        """At the bound, forget the oldest link that has ended; `forget` is given its number first.

        Raises `OperationalError` where all are in force.
        """
        (kept,) = connection.execute(f"SELECT count(*) FROM {self.name}").fetchone() or (0,)  # noqa: S608 - our names
        if kept < kept_max:
            return
        ended = (
            f"SELECT id FROM {self.name} WHERE revoked_ms IS NOT NULL OR expires_ms <= ? "  # noqa: S608 - our names
            "ORDER BY number LIMIT 1"
        )
        row: tuple[str] | None = connection.execute(ended, (now_ms,)).fetchone()
        if row is None:
            raise OperationalError(f"{kept} {self.plural} are in force, and no more are kept: revoke one first")
        forget(row[0])
        connection.execute(f"DELETE FROM {self.name} WHERE id = ?", row)  # noqa: S608 - our names
