"""Invitations of one organisation: whom it asks to record which stage of which battery, until when, and who tried.

Of a link's token only a digest is kept, as of purchaser links; what became of the record itself the ledger says.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import apsw

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.identifier import parse_battery_id, parse_organisation_id
from cellvow.vault.cipher import RandomBytes
from cellvow.vault.link import (
    ID_LENGTH,
    IN_FORCE,
    NOTE_LENGTH_MAX,
    LinkTable,
    derive_link_state,
    is_one_line,
    require_lasting,
)
from cellvow.vault.link_token import make_token
from cellvow.vault.private_database import Layout, PrivateDatabase

INVITATIONS_MAX = 10_000
"""Invitations kept; at the bound the oldest that has ended is forgotten."""
_LAYOUT = Layout(
    noun="file of invitations",
    application_id=0x4356494E,  # "CVIN"
    tables="""
    CREATE TABLE invitation(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        token_digest BLOB NOT NULL UNIQUE, battery TEXT NOT NULL, stage TEXT NOT NULL, partner TEXT NOT NULL,
        name TEXT NOT NULL, height INTEGER NOT NULL, recorded INTEGER NOT NULL, due INTEGER NOT NULL,
        created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, grant_id TEXT NOT NULL, revoked_ms INTEGER,
        opened INTEGER NOT NULL DEFAULT 0, refused INTEGER NOT NULL DEFAULT 0) STRICT;
    CREATE INDEX invitation_battery ON invitation(battery, number);
    CREATE VIEW listed AS SELECT id, battery, stage, partner, name, height, recorded, due, created_ms, expires_ms,
        grant_id, revoked_ms, opened, refused, number, token_digest FROM invitation;
    CREATE TABLE tally(unknown INTEGER NOT NULL) STRICT;
    """,
)


class InvitationRefused(OperationalError):
    """A link that is not honoured; its text is the same whatever the cause."""

    def __init__(self) -> None:
        super().__init__("this link opens nothing here: ask who invited you for a new one")


class UnknownInvitation(OperationalError):
    """No invitation has that number."""


def _unknown(invitation_id: str) -> UnknownInvitation:
    return UnknownInvitation(f"there is no invitation {invitation_id!r}: `cellvow invite list` names them")


_TABLE = LinkTable("invitation", "cellvow/invitation/token/v1", "invitations", _unknown)


@dataclass(frozen=True, slots=True)
class InvitationOrder:
    """Whom to ask for what: `partner` is a member's identifier, or empty for somebody who is none and has only a name.

    `height`, `recorded` and `due` say how the battery stood: only what is signed above that height answers it.
    """

    battery: str
    stage: str
    partner: str
    name: str
    expires_ms: int
    height: int
    recorded: int
    due: int


@dataclass(frozen=True, slots=True)
class Invitation:
    """An invitation without its token. `grant_id` names the purchaser link that opens by the same token, if any."""

    invitation_id: str
    battery: str
    stage: str
    partner: str
    name: str
    height: int
    recorded: int
    due: int
    created_ms: int
    expires_ms: int
    grant_id: str = ""
    revoked_ms: int | None = None
    opened: int = 0
    refused: int = 0

    def state(self, now_ms: int) -> str:
        """in_force, revoked or expired."""
        return derive_link_state(self.expires_ms, self.revoked_ms, now_ms)


@dataclass(frozen=True, slots=True)
class Invited:
    """A new invitation with its token: told this once."""

    invitation: Invitation
    token: str = field(repr=False)


class Invitations:
    """The file of one organisation's invitations; shared by threads, and by processes through the file."""

    def __init__(self, database: PrivateDatabase, kept_max: int, random_bytes: RandomBytes) -> None:
        self._database = database
        self._kept_max = kept_max
        self._random_bytes = random_bytes

    @classmethod
    def open(
        cls, path: Path, kept_max: int = INVITATIONS_MAX, random_bytes: RandomBytes = secrets.token_bytes
    ) -> "Invitations":
        """Open the file, or create it where there is none: then nobody was ever invited."""
        return cls(PrivateDatabase.open(path, _LAYOUT, _begin), kept_max, random_bytes)

    def close(self) -> None:
        """Release the file; the object is not used afterwards."""
        self._database.close()

    def make(self, order: InvitationOrder, now_ms: int, give: Callable[[str], str] | None = None) -> Invited:
        """Make an invitation; raises `Malformed` for one that cannot be. Its token is kept nowhere.

        `give` is handed the token to make a purchaser link of it too, and returns that one's number.
        """
        _require_sound(order, now_ms)
        token, number = make_token(self._random_bytes), self._random_bytes(ID_LENGTH).hex()
        grant_id = "" if give is None else give(token)
        values = (order.battery, order.stage, order.partner, order.name, order.height, order.recorded, order.due)
        with self._database.writing() as connection:
            _TABLE.make_room(connection, self._kept_max, now_ms)
            connection.execute(
                "INSERT INTO invitation(id, token_digest, battery, stage, partner, name, height, recorded, due, "
                "created_ms, expires_ms, grant_id) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (number, _TABLE.digest(token), *values, now_ms, order.expires_ms, grant_id),
            )
            return Invited(_fetch(connection, number), token)

    def open_invitation(self, token: str, now_ms: int, still_stands: Callable[[Invitation], bool]) -> Invitation:
        """The invitation behind a token, counted as opened; raises `InvitationRefused`, counted too.

        `still_stands` says whether who invited may still ask for it.
        """
        with self._database.writing() as connection:
            row = _TABLE.find_by_token(connection, token)
            if row is None:
                connection.execute("UPDATE tally SET unknown = unknown + 1")
                found, is_open = None, False
            else:
                found = _invitation_of(row)
                is_open = found.state(now_ms) == IN_FORCE and still_stands(found)
                count = "UPDATE invitation SET opened = opened + ?, refused = refused + ? WHERE id = ?"
                connection.execute(count, (is_open, not is_open, found.invitation_id))
        if found is None or not is_open:
            raise InvitationRefused
        return found

    def revoke(self, invitation_id: str, now_ms: int) -> Invitation:
        """End an invitation: its next use is refused. Ending it again changes nothing. Raises `UnknownInvitation`."""
        with self._database.writing() as connection:
            return _invitation_of(_TABLE.revoke(connection, invitation_id, now_ms))

    def name_partner(self, invitation_id: str, partner: str) -> Invitation:
        """Keep which organisation applied in answer to it; raises `OperationalError` where another one has."""
        parse_organisation_id(partner)
        with self._database.writing() as connection:
            known = _fetch(connection, invitation_id)
            if known.partner not in ("", partner):
                raise OperationalError(f"invitation {invitation_id} is for {known.partner}, not for {partner}")
            connection.execute("UPDATE invitation SET partner = ? WHERE id = ?", (partner, invitation_id))
            return _fetch(connection, invitation_id)

    def find(self, invitation_id: str) -> Invitation:
        """An invitation by its number; raises `UnknownInvitation`."""
        with self._database.reading() as connection:
            return _fetch(connection, invitation_id)

    def invitations(self, battery: str | None = None, limit: int = 50) -> list[Invitation]:
        """At most `limit`, the newest first, of one battery or of all."""
        with self._database.reading() as connection:
            query = "SELECT * FROM listed WHERE ?1 IS NULL OR battery = ?1 ORDER BY number DESC LIMIT ?2"
            return [_invitation_of(row) for row in connection.execute(query, (battery, limit))]

    def unknown(self) -> int:
        """How many links were tried that no invitation has."""
        with self._database.reading() as connection:
            row: tuple[int] | None = connection.execute("SELECT unknown FROM tally").fetchone()
            return 0 if row is None else row[0]


def _begin(connection: apsw.Connection) -> None:
    connection.execute("INSERT INTO tally VALUES(0)")


def _require_sound(order: InvitationOrder, now_ms: int) -> None:
    parse_battery_id(order.battery)
    if order.partner:
        parse_organisation_id(order.partner)
    require_lasting("an invitation", order.expires_ms, now_ms)
    if not order.name.strip() or not is_one_line(order.name):
        raise Malformed(f"whom you invite has a name of at most {NOTE_LENGTH_MAX} printable characters in one line")


def _fetch(connection: apsw.Connection, invitation_id: str) -> Invitation:
    return _invitation_of(_TABLE.fetch(connection, invitation_id))


def _invitation_of(row: tuple[Any, ...]) -> Invitation:
    """A row of `listed`, whose table is strict: SQLite has checked the types."""
    return Invitation(*row[:-2])
