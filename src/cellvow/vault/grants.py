"""Purchaser links of one owner: what each shows, until when, whether it was revoked, and who tried them when.

Of a link's token only a digest is kept; what the file holds is in docs/reference/vault.md.
"""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import apsw

from cellvow.core.primitives.errors import Malformed, OperationalError, ensure
from cellvow.core.primitives.identifier import parse_battery_id
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

GRANT_SCOPES = ("health", "history")
"""What a link can show: values, intervals and curve; the steps of life and all registers."""
_ROUTE = re.compile(r"[a-z][a-z0-9_-]{0,39}\Z")
_LAYOUT = Layout(
    noun="file of grants",
    application_id=0x43564752,  # "CVGR"
    tables="""
    CREATE TABLE grant(number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE,
        token_digest BLOB NOT NULL UNIQUE, battery TEXT NOT NULL, scope TEXT NOT NULL, note TEXT NOT NULL,
        created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL, revoked_ms INTEGER,
        uses INTEGER NOT NULL DEFAULT 0, refusals INTEGER NOT NULL DEFAULT 0, last_used_ms INTEGER) STRICT;
    CREATE INDEX grant_battery ON grant(battery, number);
    CREATE VIEW listed AS SELECT id, battery, scope, note, created_ms, expires_ms, revoked_ms,
        uses, refusals, last_used_ms, number, token_digest FROM grant;
    CREATE TABLE use(number INTEGER PRIMARY KEY AUTOINCREMENT, grant_id TEXT, moment_ms INTEGER NOT NULL,
        battery TEXT, route TEXT NOT NULL, verdict TEXT NOT NULL) STRICT;
    CREATE INDEX use_grant ON use(grant_id, number);
    CREATE INDEX use_known ON use(number) WHERE grant_id IS NOT NULL;
    CREATE TABLE tally(uses INTEGER NOT NULL, unknown INTEGER NOT NULL,
        uses_folded INTEGER NOT NULL, unknown_folded INTEGER NOT NULL) STRICT;
    """,
)
_DELETE_UNKNOWN = """
DELETE FROM use WHERE number IN (SELECT number FROM use WHERE grant_id IS NULL ORDER BY number LIMIT ?)
"""
_DELETE_KNOWN = """
DELETE FROM use WHERE number IN (SELECT number FROM use WHERE grant_id IS NOT NULL ORDER BY number LIMIT ?)
"""
_DELETE_OF_GRANT = """
DELETE FROM use WHERE grant_id = ?1 AND number <=
    (SELECT number FROM use WHERE grant_id = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)
"""


class GrantVerdict(StrEnum):
    """What became of one use of a link. The log tells them apart; to whoever tried, all refusals are one."""

    OPENED = "opened"
    UNKNOWN = "unknown"
    OTHER_BATTERY = "other_battery"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_OWNER = "not_owner"


class GrantRefused(OperationalError):
    """A link that is not honoured. Its text is the same whatever the verdict: only the owner's log tells why."""

    def __init__(self, verdict: GrantVerdict) -> None:
        super().__init__("this link opens nothing here: ask the battery's owner for a new one")
        self.verdict = verdict


class UnknownGrant(OperationalError):
    """No grant has that number."""


def _unknown(grant_id: str) -> UnknownGrant:
    return UnknownGrant(f"there is no grant {grant_id!r}: `cellvow grant list` names them")


_TABLE = LinkTable("grant", "cellvow/grant/token/v1", "links", _unknown)


@dataclass(frozen=True, slots=True)
class GrantOrder:
    """What a new link is to show: a battery, one or both of `GRANT_SCOPES`, until when, and the owner's note."""

    battery: str
    scope: frozenset[str]
    expires_ms: int
    note: str = ""


@dataclass(frozen=True, slots=True)
class Grant:
    """A link without its token. `uses` and `refusals` count all there ever were, also those the log has folded."""

    grant_id: str
    battery: str
    scope: frozenset[str]
    note: str
    created_ms: int
    expires_ms: int
    revoked_ms: int | None = None
    uses: int = 0
    refusals: int = 0
    last_used_ms: int | None = None

    def state(self, now_ms: int) -> str:
        """in_force, revoked or expired."""
        return derive_link_state(self.expires_ms, self.revoked_ms, now_ms)


@dataclass(frozen=True, slots=True)
class Issued:
    """A new grant with its token: 43 characters, told this once."""

    grant: Grant
    token: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Asked:
    """What a link's bearer asks for: a battery (None: whichever it is for), by which route (a word), when."""

    battery: str | None
    route: str
    moment_ms: int


@dataclass(frozen=True, slots=True)
class Use:
    """A line of the log. `grant_id` is None where the link was unknown; neither token nor address is in it."""

    number: int
    grant_id: str | None
    moment_ms: int
    battery: str | None
    route: str
    verdict: str


@dataclass(frozen=True, slots=True)
class LogCounts:
    """How many lines the log holds of known links and of unknown ones, and how many older ones it only counts."""

    uses: int
    unknown: int
    uses_folded: int
    unknown_folded: int


@dataclass(frozen=True, slots=True)
class GrantLimits:
    """What the file keeps. Beyond it the oldest lines are folded into counters; nothing is refused for a full log.

    Unknown links have a bound of their own, so that guessing pushes out no use; each grant has one, so that the
    bearer of a link pushes out no use of another.
    """

    grants: int = 100_000
    uses: int = 100_000
    uses_per_grant: int = 1_000
    unknown: int = 10_000


class Grants:
    """The file of one owner's links; shared by threads, and by processes through the file."""

    def __init__(self, database: PrivateDatabase, limits: GrantLimits, random_bytes: RandomBytes) -> None:
        self._database = database
        self._limits = limits
        self._random_bytes = random_bytes

    @classmethod
    def open(
        cls, path: Path, limits: GrantLimits | None = None, random_bytes: RandomBytes = secrets.token_bytes
    ) -> "Grants":
        """Open the file, or create it where there is none: then no link was ever given."""
        return cls(PrivateDatabase.open(path, _LAYOUT, _begin), limits or GrantLimits(), random_bytes)

    def close(self) -> None:
        """Release the file; the object is not used afterwards."""
        self._database.close()

    def issue(self, order: GrantOrder, now_ms: int, token: str | None = None) -> Issued:
        """Make a link; raises `Malformed` for an order that cannot be. Its token is kept nowhere: give it on now.

        With a `token` made just now for the same bearer, that one opens it too.
        """
        _require_sound(order, now_ms)
        token = token or make_token(self._random_bytes)
        grant = Grant(
            grant_id=self._random_bytes(ID_LENGTH).hex(),
            battery=order.battery,
            scope=order.scope,
            note=order.note,
            created_ms=now_ms,
            expires_ms=order.expires_ms,
        )
        with self._database.writing() as connection:
            self._make_room(connection, now_ms)
            connection.execute(
                "INSERT INTO grant(id, token_digest, battery, scope, note, created_ms, expires_ms) "
                "VALUES(?, ?, ?, ?, ?, ?, ?)",
                (
                    grant.grant_id,
                    _TABLE.digest(token),
                    grant.battery,
                    " ".join(sorted(grant.scope)),
                    grant.note,
                    grant.created_ms,
                    grant.expires_ms,
                ),
            )
        return Issued(grant, token)

    def open_grant(self, token: str, asked: Asked, still_owns: Callable[[str], bool]) -> Grant:
        """The grant behind a token, as it is after this use; raises `GrantRefused` where it is not honoured.

        Either way the use is on disk before this returns. `still_owns` says whether the grant's battery is still
        the owner's. Raises `OperationalError` where the use cannot be logged: then nothing is shown.
        """
        ensure(_ROUTE.match(asked.route) is not None, f"{asked.route!r} is no word for a route")
        if asked.battery is not None:
            parse_battery_id(asked.battery)
        with self._database.writing() as connection:
            row = _TABLE.find_by_token(connection, token)
            grant = None if row is None else _grant_of(row)
            verdict = _judge(grant, asked, still_owns)
            self._log(connection, None if grant is None else grant.grant_id, asked, verdict)
            seen = None if grant is None else _grant_of(_TABLE.fetch(connection, grant.grant_id))
        if seen is None or verdict is not GrantVerdict.OPENED:
            raise GrantRefused(verdict)
        return seen

    def revoke(self, grant_id: str, now_ms: int) -> Grant:
        """End a grant: its next use is refused. Ending it again changes nothing. Raises `UnknownGrant`."""
        with self._database.writing() as connection:
            return _grant_of(_TABLE.revoke(connection, grant_id, now_ms))

    def grants(self, after: str = "", limit: int = 50, battery: str | None = None) -> list[Grant]:
        """At most `limit` grants made after the one numbered `after`, oldest first, of one battery or of all."""
        with self._database.reading() as connection:
            number = _number_of(connection, after) if after else 0
            query = "SELECT * FROM listed WHERE number > ?1 AND (?2 IS NULL OR battery = ?2) ORDER BY number LIMIT ?3"
            return [_grant_of(row) for row in connection.execute(query, (number, battery, limit))]

    def uses(self, after: int = 0, limit: int = 50, grant_id: str | None = None) -> list[Use]:
        """At most `limit` lines of the log above number `after`, in order, of one grant or of all links."""
        with self._database.reading() as connection:
            query = "SELECT * FROM use WHERE number > ?1 AND (?2 IS NULL OR grant_id = ?2) ORDER BY number LIMIT ?3"
            return [Use(*row) for row in connection.execute(query, (after, grant_id, limit))]

    def counts(self) -> LogCounts:
        """What the log holds and what it has folded."""
        with self._database.reading() as connection:
            return _counts(connection)

    def _log(self, connection: apsw.Connection, grant_id: str | None, asked: Asked, verdict: GrantVerdict) -> None:
        insert = "INSERT INTO use(grant_id, moment_ms, battery, route, verdict) VALUES(?, ?, ?, ?, ?)"
        connection.execute(insert, (grant_id, asked.moment_ms, asked.battery, asked.route, str(verdict)))
        if grant_id is None:
            connection.execute("UPDATE tally SET unknown = unknown + 1")
            self._fold_unknown(connection)
            return
        is_opened = verdict is GrantVerdict.OPENED
        connection.execute(
            "UPDATE grant SET uses = uses + ?, refusals = refusals + ?, "
            "last_used_ms = CASE WHEN ? THEN ? ELSE last_used_ms END WHERE id = ?",
            (is_opened, not is_opened, is_opened, asked.moment_ms, grant_id),
        )
        connection.execute("UPDATE tally SET uses = uses + 1")
        self._fold_uses(connection, grant_id)

    def _fold_unknown(self, connection: apsw.Connection) -> None:
        excess = _counts(connection).unknown - self._limits.unknown
        if excess > 0:
            connection.execute(_DELETE_UNKNOWN, (excess,))
            fold = "UPDATE tally SET unknown = unknown - ?1, unknown_folded = unknown_folded + ?1"
            connection.execute(fold, (connection.changes(),))

    def _fold_uses(self, connection: apsw.Connection, grant_id: str) -> None:
        connection.execute(_DELETE_OF_GRANT, (grant_id, self._limits.uses_per_grant))
        _count_folded(connection)
        excess = _counts(connection).uses - self._limits.uses
        if excess > 0:
            connection.execute(_DELETE_KNOWN, (excess,))
            _count_folded(connection)

    def _make_room(self, connection: apsw.Connection, now_ms: int) -> None:
        """At the bound the oldest grant that has ended is forgotten with its lines in the log."""

        def forget(grant_id: str) -> None:
            connection.execute("DELETE FROM use WHERE grant_id = ?", (grant_id,))
            _count_folded(connection)

        _TABLE.make_room(connection, self._limits.grants, now_ms, forget)


def _begin(connection: apsw.Connection) -> None:
    connection.execute("INSERT INTO tally VALUES(0, 0, 0, 0)")


def _require_sound(order: GrantOrder, now_ms: int) -> None:
    parse_battery_id(order.battery)
    unknown = sorted(order.scope - frozenset(GRANT_SCOPES))
    if unknown or not order.scope:
        named = f"{unknown[0][:40]!r} is no scope" if unknown else "the link would show nothing"
        raise Malformed(f"{named}: name one or both of {', '.join(GRANT_SCOPES)}")
    require_lasting("a link", order.expires_ms, now_ms)
    if not is_one_line(order.note):
        raise Malformed(f"a note has at most {NOTE_LENGTH_MAX} printable characters in one line")


def _judge(grant: Grant | None, asked: Asked, still_owns: Callable[[str], bool]) -> GrantVerdict:
    if grant is None:
        return GrantVerdict.UNKNOWN
    if asked.battery not in (None, grant.battery):
        return GrantVerdict.OTHER_BATTERY
    state = grant.state(asked.moment_ms)
    if state != IN_FORCE:
        return GrantVerdict(state)
    return GrantVerdict.OPENED if still_owns(grant.battery) else GrantVerdict.NOT_OWNER


def _number_of(connection: apsw.Connection, grant_id: str) -> int:
    row: tuple[int] | None = connection.execute("SELECT number FROM grant WHERE id = ?", (grant_id,)).fetchone()
    if row is None:
        raise UnknownGrant(f"there is no grant {grant_id[:40]!r} to go on after")
    return row[0]


def _grant_of(row: tuple[Any, ...]) -> Grant:
    """A row of `listed`, whose table is strict: SQLite has checked the types."""
    grant_id, battery, scope, *rest = row[:-2]
    return Grant(grant_id, battery, frozenset(scope.split()), *rest)


def _counts(connection: apsw.Connection) -> LogCounts:
    row: tuple[int, int, int, int] | None = connection.execute("SELECT * FROM tally").fetchone()
    if row is None:
        raise OperationalError("the file of grants is damaged: restore it from a backup")
    return LogCounts(*row)


def _count_folded(connection: apsw.Connection) -> None:
    fold = "UPDATE tally SET uses = uses - ?1, uses_folded = uses_folded + ?1"
    connection.execute(fold, (connection.changes(),))
