"""Which sequence a key uses next, persisted before use and shared by all processes; and what awaits its outcome."""

from pathlib import Path

import apsw

from cellvow.core.primitives.errors import OperationalError, ensure
from cellvow.core.primitives.limits import INTEGER_MAX, SEQUENCE_WINDOW, STATEMENT_BYTES_MAX
from cellvow.core.primitives.signature import KEY_ID_LENGTH
from cellvow.vault import Layout, PrivateDatabase

SPAN_MAX = SEQUENCE_WINDOW - 1
"""Newest minus oldest unresolved: a span, not a count, since the ledger judges by distance from the highest."""

_LAYOUT = Layout(
    noun="sequence file",
    application_id=0x43565351,  # "CVSQ"
    tables="""
    CREATE TABLE counter(kid BLOB PRIMARY KEY, newest INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE unresolved(kid BLOB NOT NULL, sequence INTEGER NOT NULL, statement BLOB NOT NULL,
        PRIMARY KEY(kid, sequence)) STRICT;
    """,
)


class WindowFull(OperationalError):
    """A further sequence could push the oldest unresolved statement out of the ledger's window for ever."""


class Sequences:
    """The one allocator of a workspace's keys. A number is given once, whatever crashes; a crash may lose one."""

    def __init__(self, database: PrivateDatabase) -> None:
        self._database = database

    @classmethod
    def open(cls, path: Path) -> "Sequences":
        """Open the file, or create it where there is none: every counter then starts at 1.

        After the loss of a counter the ledger refuses what was used: `raise_to` the ledger's `top` first.
        """
        return cls(PrivateDatabase.open(path, _LAYOUT))

    def close(self) -> None:
        """Release the file; the allocator is not used afterwards."""
        self._database.close()

    def allocate(self, kid: bytes) -> int:
        """The next sequence of a key, on disk before it is returned; the first is 1. Raises `WindowFull`."""
        _require_kid(kid)
        with self._database.writing() as connection:
            sequence = _newest(connection, kid) + 1
            oldest = _oldest(connection, kid)
            if oldest is not None and sequence - oldest > SPAN_MAX:
                raise WindowFull(_why_full(sequence, oldest))
            _set_newest(connection, kid, sequence)
        return sequence

    def keep(self, kid: bytes, sequence: int, statement: bytes) -> None:
        """Keep a signed statement until its outcome is known; the same again changes nothing.

        Raises `OperationalError` if the sequence has fallen out of the window meanwhile, or stands for other bytes:
        such a statement must not be sent.
        """
        _require_kid(kid)
        ensure(len(statement) <= STATEMENT_BYTES_MAX, f"a statement of {len(statement)} bytes cannot be sent")
        with self._database.writing() as connection:
            newest = _newest(connection, kid)
            ensure(1 <= sequence <= newest, f"sequence {sequence} of key {kid.hex()} was never allocated")
            if newest - sequence > SPAN_MAX:
                raise OperationalError(f"sequence {sequence} is too far behind {newest}: sign with a new one")
            query = "SELECT statement FROM unresolved WHERE kid = ? AND sequence = ?"
            known: tuple[bytes] | None = connection.execute(query, (kid, sequence)).fetchone()
            if known is not None and known[0] != statement:
                raise OperationalError(f"another statement was signed with sequence {sequence}: this one is dropped")
            connection.execute("INSERT OR IGNORE INTO unresolved VALUES(?, ?, ?)", (kid, sequence, statement))

    def resolve(self, kid: bytes, sequence: int) -> None:
        """Forget a statement whose outcome is known; one that is not kept changes nothing."""
        _require_kid(kid)
        with self._database.writing() as connection:
            connection.execute("DELETE FROM unresolved WHERE kid = ? AND sequence = ?", (kid, sequence))

    def unresolved(self, kid: bytes) -> list[tuple[int, bytes]]:
        """Sequence and bytes of each statement without a known outcome, oldest first: to be sent again as they are."""
        _require_kid(kid)
        with self._database.reading() as connection:
            query = "SELECT sequence, statement FROM unresolved WHERE kid = ? ORDER BY sequence"
            return [(sequence, statement) for sequence, statement in connection.execute(query, (kid,))]

    def raise_to(self, kid: bytes, top: int) -> int:
        """Allocate only above `top` from now on: the ledger's highest, after a lost counter. It never goes down.

        Returns the newest number given out, or `top` where that is higher.
        """
        _require_kid(kid)
        ensure(0 <= top <= INTEGER_MAX, f"{top} cannot be a sequence")
        with self._database.writing() as connection:
            newest = max(top, _newest(connection, kid))
            _set_newest(connection, kid, newest)
        return newest


def _require_kid(kid: bytes) -> None:
    ensure(len(kid) == KEY_ID_LENGTH, f"a key identifier of {len(kid)} bytes")


def _newest(connection: apsw.Connection, kid: bytes) -> int:
    row: tuple[int] | None = connection.execute("SELECT newest FROM counter WHERE kid = ?", (kid,)).fetchone()
    return 0 if row is None else row[0]


def _set_newest(connection: apsw.Connection, kid: bytes, newest: int) -> None:
    if newest > INTEGER_MAX:
        raise OperationalError(f"key {kid.hex()} has used up its sequences: register a new key")
    connection.execute("INSERT OR REPLACE INTO counter VALUES(?, ?)", (kid, newest))


def _oldest(connection: apsw.Connection, kid: bytes) -> int | None:
    query = "SELECT min(sequence) FROM unresolved WHERE kid = ?"
    row: tuple[int | None] | None = connection.execute(query, (kid,)).fetchone()
    return None if row is None else row[0]


def _why_full(sequence: int, oldest: int) -> str:
    return (
        f"sequence {sequence} is not given out while {oldest} has no outcome: the ledger takes a sequence only within "
        f"{SEQUENCE_WINDOW} of the highest, so a difference above {SPAN_MAX} could shut the older statement out for "
        "ever. Send the unresolved statements again, then try again"
    )
