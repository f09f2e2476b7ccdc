"""What is remembered of sheets: each row with its verdict and result, and which statement was signed for which rows."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from cellvow.vault import Layout, PrivateDatabase
from cellvow.workspace.bulk import READY, Judged, Order

SHEETS_FILE = "sheets.db"
"""Made when the desk is first used; whoever loses it still has what was signed on the ledger."""
SHEETS_KEPT = 50
"""Sheets beyond that are forgotten, oldest first, unless they are under way."""
JUDGING, LOST = "judging", "lost"
REVIEWED, RUNNING, STOPPED, DONE = "reviewed", "running", "stopped", "done"
SHEET_STATES = (JUDGING, LOST, REVIEWED, RUNNING, STOPPED, DONE)
"""A sheet is judged and reviewed, or its judging is lost; then it is signed for, or stopped on the way, or done."""
RECORDED, REJECTED, CLAIMED, LEFT = "recorded", "rejected", "claimed", "left"
RESULTS = (RECORDED, REJECTED, CLAIMED, LEFT)
"""A row that was sent was recorded, rejected by the ledger, or kept as a claim; one was left when it no longer held."""
SHOWS = ("all", "faults", "ready", *RESULTS)

_LAYOUT = Layout(
    noun="file of sheets",
    application_id=0x43565348,  # "CVSH"
    tables="""
    CREATE TABLE sheet(place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL,
        file TEXT NOT NULL, digest TEXT NOT NULL, encoding TEXT NOT NULL, unused TEXT NOT NULL,
        created_ms INTEGER NOT NULL, state TEXT NOT NULL, cause TEXT NOT NULL) STRICT;
    CREATE TABLE line(sheet TEXT NOT NULL, line INTEGER NOT NULL, subject TEXT NOT NULL, verdict TEXT NOT NULL,
        wanted TEXT NOT NULL, piece INTEGER, message INTEGER, result TEXT NOT NULL, code INTEGER, told TEXT NOT NULL,
        PRIMARY KEY(sheet, line)) STRICT, WITHOUT ROWID;
    CREATE INDEX line_open ON line(sheet, line) WHERE verdict='ready' AND result='' AND piece IS NULL;
    CREATE INDEX line_result ON line(sheet, verdict, result, line);
    CREATE TABLE piece(sheet TEXT NOT NULL, piece INTEGER NOT NULL, kid BLOB NOT NULL, sequence INTEGER NOT NULL,
        statement BLOB NOT NULL, digest TEXT NOT NULL, settled INTEGER NOT NULL,
        PRIMARY KEY(sheet, piece)) STRICT;
    """,
)


@dataclass(frozen=True, slots=True)
class SheetRecord:
    """A sheet; `unused` are columns that were not read, `cause` why it stopped."""

    sheet: str
    kind: str
    file: str
    digest: str
    encoding: str
    unused: str
    created_ms: int
    state: str
    cause: str = ""


@dataclass(frozen=True, slots=True)
class Piece:
    """A statement signed for some rows, kept before it was sent."""

    piece: int
    kid: bytes
    sequence: int
    statement: bytes
    digest: str


@dataclass(frozen=True, slots=True)
class LineSeen:
    """A row as it stands: its verdict, then what became of it, in which message of which statement."""

    line: int
    subject: str
    verdict: str
    result: str
    code: int | None
    told: str
    statement: str
    message: int | None


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of one row that was sent."""

    line: int
    result: str
    code: int | None = None
    told: str = ""


class BulkRecords:
    """The file of sheets; shared by threads, and by processes through the file."""

    def __init__(self, database: PrivateDatabase) -> None:
        self._database = database

    @classmethod
    def open(cls, folder: Path) -> "BulkRecords":
        """Open the file in a workspace's folder, or create it."""
        return cls(PrivateDatabase.open(folder / SHEETS_FILE, _LAYOUT))

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def begin(self, sheet: SheetRecord, rows: Sequence[Judged] = ()) -> None:
        """Keep a sheet with the rows that were judged, and forget the oldest that are not under way."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO sheet(id, kind, file, digest, encoding, unused, created_ms, state, cause) "
                "VALUES(?,?,?,?,?,?,?,?,?)",
                (
                    *(sheet.sheet, sheet.kind, sheet.file, sheet.digest, sheet.encoding, sheet.unused),
                    *(sheet.created_ms, sheet.state, sheet.cause),
                ),
            )
            _add_lines(connection, sheet.sheet, rows)
            query = "SELECT id FROM sheet WHERE state NOT IN (?, ?) AND place <= (SELECT max(place) FROM sheet) - ?"
            for (old,) in connection.execute(query, (RUNNING, STOPPED, SHEETS_KEPT)).fetchall():
                for table, column in (("line", "sheet"), ("piece", "sheet"), ("sheet", "id")):
                    connection.execute(f"DELETE FROM {table} WHERE {column}=?", (old,))  # noqa: S608 - names of our own

    def add_lines(self, sheet: str, rows: Sequence[Judged]) -> None:
        """Keep further rows of a sheet that is being judged."""
        with self._database.writing() as connection:
            _add_lines(connection, sheet, rows)

    def mark(self, sheet: str, state: str, cause: str = "") -> None:
        """Keep how far a sheet is."""
        with self._database.writing() as connection:
            connection.execute("UPDATE sheet SET state=?, cause=? WHERE id=?", (state, cause[:1_000], sheet))

    def find(self, sheet: str) -> SheetRecord | None:
        """One sheet."""
        with self._database.reading() as connection:
            row: Any = connection.execute(f"{_SELECT} WHERE id=?", (sheet,)).fetchone()
            return None if row is None else SheetRecord(*row)

    def unfinished(self, kind: str, digest: str) -> SheetRecord | None:
        """The sheet of these very bytes that was begun and not ended."""
        with self._database.reading() as connection:
            query = f"{_SELECT} WHERE kind=? AND digest=? AND state IN (?, ?) ORDER BY place LIMIT 1"
            row: Any = connection.execute(query, (kind, digest, RUNNING, STOPPED)).fetchone()
            return None if row is None else SheetRecord(*row)

    def sheets(self, limit: int) -> list[SheetRecord]:
        """The newest first."""
        with self._database.reading() as connection:
            return [SheetRecord(*row) for row in connection.execute(f"{_SELECT} ORDER BY place DESC LIMIT ?", (limit,))]

    def counts(self, sheet: str) -> dict[str, int]:
        """How many rows there are of each result and, of those without one, of each verdict."""
        query = "SELECT iif(result='', verdict, result) AS word, count(*) FROM line WHERE sheet=? GROUP BY word"
        with self._database.reading() as connection:
            return {str(word): int(count) for word, count in connection.execute(query, (sheet,))}

    def lines(self, sheet: str, show: str, after: int, limit: int) -> list[LineSeen]:
        """At most `limit` rows above a line: all, those with a fault, those that wait, or those of one result."""
        where = {"all": "1", "faults": "result='' AND verdict NOT IN ('ready', 'already')", "ready": _IS_READY}
        query = (
            "SELECT l.line, subject, verdict, result, code, told, coalesce(p.digest, ''), "  # noqa: S608 - our own names
            "message FROM line l "
            "LEFT JOIN piece p ON p.sheet=l.sheet AND p.piece=l.piece AND l.result != '' "
            f"WHERE l.sheet=? AND l.line > ? AND {where.get(show, 'result=?')} ORDER BY l.line LIMIT ?"
        )
        values = (sheet, after, *(() if show in where else (show,)), limit)
        with self._database.reading() as connection:
            return [LineSeen(*row) for row in connection.execute(query, values)]

    def open_orders(self, sheet: str, limit: int) -> list[tuple[int, Order]]:
        """The next rows that are ready and were never sent."""
        query = (
            "SELECT line, wanted FROM line WHERE sheet=? AND verdict='ready' AND result='' AND piece IS NULL LIMIT ?"
        )
        with self._database.reading() as connection:
            rows = connection.execute(query, (sheet, limit))
            return [(line, msgspec.json.decode(wanted, type=Order)) for line, wanted in rows]

    def leave(self, sheet: str, left: Sequence[tuple[int, str]]) -> None:
        """Rows that the ledger no longer has room for: (line, word of what stands against it now)."""
        with self._database.writing() as connection:
            connection.executemany(
                "UPDATE line SET verdict=?, result=? WHERE sheet=? AND line=?",
                ((word, LEFT, sheet, line) for line, word in left),
            )

    def keep_piece(self, sheet: str, piece: Piece, lines: Sequence[int]) -> None:
        """Keep a signed statement with its rows in the order of its messages, before it is sent."""
        with self._database.writing() as connection:
            row = (sheet, piece.piece, piece.kid, piece.sequence, piece.statement, piece.digest)
            connection.execute("INSERT INTO piece VALUES(?, ?, ?, ?, ?, ?, 0)", row)
            connection.executemany(
                "UPDATE line SET piece=?, message=? WHERE sheet=? AND line=?",
                ((piece.piece, index, sheet, line) for index, line in enumerate(lines)),
            )

    def unsettled(self, sheet: str) -> list[Piece]:
        """Statements that were signed and whose outcome was never read."""
        query = "SELECT piece, kid, sequence, statement, digest FROM piece WHERE sheet=? AND settled=0 ORDER BY piece"
        with self._database.reading() as connection:
            return [Piece(*row) for row in connection.execute(query, (sheet,))]

    def next_piece(self, sheet: str) -> int:
        """The number of the next statement."""
        with self._database.reading() as connection:
            query = "SELECT coalesce(max(piece), 0) + 1 FROM piece WHERE sheet=?"
            row: Any = connection.execute(query, (sheet,)).fetchone()
            return int(row[0])

    def lines_of(self, sheet: str, piece: int) -> list[int]:
        """The rows of a statement, in the order of its messages."""
        query = "SELECT line FROM line WHERE sheet=? AND piece=? ORDER BY message"
        with self._database.reading() as connection:
            return [int(line) for (line,) in connection.execute(query, (sheet, piece))]

    def settle(self, sheet: str, piece: int, results: Sequence[Settled]) -> None:
        """Keep what became of a statement's rows."""
        with self._database.writing() as connection:
            connection.executemany(
                "UPDATE line SET result=?, code=?, told=? WHERE sheet=? AND line=?",
                ((one.result, one.code, one.told, sheet, one.line) for one in results),
            )
            connection.execute("UPDATE piece SET settled=1, statement=x'' WHERE sheet=? AND piece=?", (sheet, piece))

    def drop(self, sheet: str, piece: int) -> None:
        """A statement that can never take effect: its rows are to be signed anew."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE line SET piece=NULL, message=NULL WHERE sheet=? AND piece=? AND result=''", (sheet, piece)
            )
            connection.execute("UPDATE piece SET settled=1, statement=x'' WHERE sheet=? AND piece=?", (sheet, piece))


_SELECT = "SELECT id, kind, file, digest, encoding, unused, created_ms, state, cause FROM sheet"
_IS_READY = f"verdict='{READY}' AND result=''"


def _add_lines(connection: Any, sheet: str, rows: Sequence[Judged]) -> None:  # noqa: ANN401 - a connection of apsw
    connection.executemany(
        "INSERT INTO line VALUES(?, ?, ?, ?, ?, NULL, NULL, '', NULL, '')",
        ((sheet, one.line, one.subject, one.verdict, _encode(one.order)) for one in rows),
    )


def _encode(order: Order | None) -> str:
    return "" if order is None else msgspec.json.encode(order).decode()
