"""What the desk remembers between two starts: imports and their jobs, and which statement was signed for which."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cellvow.vault import Layout, PrivateDatabase

DESK_FILE = "desk.db"
"""Made when the desk is first used; whoever loses it still has imports in the vault and statements on the ledger."""
JOBS_KEPT = 200
"""Ended jobs beyond that are forgotten, oldest first; what they imported is not."""
WAITING, RUNNING, DONE, REFUSED, FAILED = "waiting", "running", "done", "refused", "failed"

_LAYOUT = Layout(
    noun="desk's file",
    application_id=0x4356444B,  # "CVDK"
    tables="""
    CREATE TABLE job(place INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, run TEXT NOT NULL,
        file TEXT NOT NULL, battery TEXT, created_ms INTEGER NOT NULL, state TEXT NOT NULL,
        cause TEXT NOT NULL, number TEXT) STRICT;
    CREATE TABLE import(place INTEGER PRIMARY KEY AUTOINCREMENT, number TEXT NOT NULL UNIQUE,
        file TEXT NOT NULL, battery TEXT, created_ms INTEGER NOT NULL, format TEXT NOT NULL,
        kind TEXT NOT NULL, remarks TEXT NOT NULL) STRICT;
    CREATE TABLE signing(number TEXT NOT NULL, statement TEXT NOT NULL, battery TEXT NOT NULL,
        reference TEXT NOT NULL, signed_ms INTEGER NOT NULL, PRIMARY KEY(number, statement)) STRICT;
    """,
)


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One upload and what became of it. `cause` is a sentence for a refused file, else a word of `CAUSES`."""

    job: str
    run: str
    file: str
    battery: str | None
    created_ms: int
    state: str
    cause: str = ""
    number: str | None = None

    @property
    def has_ended(self) -> bool:
        """Whether nothing more will become of it."""
        return self.state in (DONE, REFUSED, FAILED)


@dataclass(frozen=True, slots=True)
class Signing:
    """A statement that was signed for an import."""

    statement: str
    battery: str
    reference: str
    signed_ms: int


@dataclass(frozen=True, slots=True)
class ImportRecord:
    """An import that came over the desk, with what its vault record does not keep."""

    number: str
    file: str
    battery: str | None
    created_ms: int
    format: str = ""
    kind: str = ""
    remarks: tuple[str, ...] = ()
    signings: tuple[Signing, ...] = ()


class DeskRecords:
    """The desk's file; shared by threads, and by processes through the file."""

    def __init__(self, database: PrivateDatabase) -> None:
        self._database = database

    @classmethod
    def open(cls, folder: Path) -> "DeskRecords":
        """Open the file in a workspace's folder, or create it."""
        return cls(PrivateDatabase.open(folder / DESK_FILE, _LAYOUT))

    def close(self) -> None:
        """Release the file."""
        self._database.close()

    def add_job(self, job: JobRecord) -> None:
        """Keep a new job, and forget the oldest that have ended."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO job(id, run, file, battery, created_ms, state, cause, number) VALUES(?,?,?,?,?,?,?,?)",
                (job.job, job.run, job.file, job.battery, job.created_ms, job.state, job.cause, job.number),
            )
            connection.execute(
                "DELETE FROM job WHERE state IN (?, ?, ?) AND place <= (SELECT max(place) FROM job) - ?",
                (DONE, REFUSED, FAILED, JOBS_KEPT),
            )

    def mark_job(self, job: str, state: str, cause: str = "", number: str | None = None) -> None:
        """Keep what became of a job."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE job SET state=?, cause=?, number=? WHERE id=?", (state, cause[:4_000], number, job)
            )

    def end_jobs_of(self, run: str, cause: str) -> None:
        """Whatever a run that is no more left unfinished has failed."""
        with self._database.writing() as connection:
            connection.execute(
                "UPDATE job SET state=?, cause=? WHERE run=? AND state IN (?, ?)",
                (FAILED, cause, run, WAITING, RUNNING),
            )

    def unfinished_runs(self) -> list[str]:
        """The runs that have jobs which never ended."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT DISTINCT run FROM job WHERE state IN (?, ?)", (WAITING, RUNNING))
            return [str(run) for (run,) in rows]

    def job(self, job: str) -> JobRecord | None:
        """One job."""
        with self._database.reading() as connection:
            row: tuple[Any, ...] | None = connection.execute(f"{_SELECT_JOB} WHERE id=?", (job,)).fetchone()
            return None if row is None else JobRecord(*row)

    def jobs(self, limit: int) -> list[JobRecord]:
        """The newest jobs first."""
        with self._database.reading() as connection:
            rows = connection.execute(f"{_SELECT_JOB} ORDER BY place DESC LIMIT ?", (limit,))
            return [JobRecord(*row) for row in rows]

    def add_import(self, record: ImportRecord) -> None:
        """Keep an import."""
        remarks = json.dumps(list(record.remarks))
        with self._database.writing() as connection:
            connection.execute(
                "INSERT INTO import(number, file, battery, created_ms, format, kind, remarks) VALUES(?,?,?,?,?,?,?)",
                (record.number, record.file, record.battery, record.created_ms, record.format, record.kind, remarks),
            )

    def find_import(self, number: str) -> ImportRecord | None:
        """One import that came over the desk."""
        with self._database.reading() as connection:
            row: tuple[Any, ...] | None = connection.execute(f"{_SELECT_IMPORT} WHERE number=?", (number,)).fetchone()
            return None if row is None else _import_of(row, _signings(connection, number))

    def imports(self, limit: int) -> list[ImportRecord]:
        """The newest imports first."""
        with self._database.reading() as connection:
            rows = connection.execute(f"{_SELECT_IMPORT} ORDER BY place DESC LIMIT ?", (limit,)).fetchall()
            return [_import_of(row, _signings(connection, str(row[0]))) for row in rows]

    def add_signing(self, number: str, signing: Signing) -> None:
        """Keep which statement was signed for an import; keeping it again changes nothing."""
        with self._database.writing() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO signing VALUES(?, ?, ?, ?, ?)",
                (number, signing.statement, signing.battery, signing.reference, signing.signed_ms),
            )

    def signings(self, number: str) -> tuple[Signing, ...]:
        """What was signed for an import, whichever way that came in."""
        with self._database.reading() as connection:
            return _signings(connection, number)


_SELECT_JOB = "SELECT id, run, file, battery, created_ms, state, cause, number FROM job"
_SELECT_IMPORT = "SELECT number, file, battery, created_ms, format, kind, remarks FROM import"


def _import_of(row: Any, signings: tuple[Signing, ...]) -> ImportRecord:  # noqa: ANN401 - a row of the table above
    number, file, battery, created_ms, form, kind, remarks = row
    return ImportRecord(number, file, battery, created_ms, form, kind, tuple(json.loads(remarks)), signings)


def _signings(connection: Any, number: str) -> tuple[Signing, ...]:  # noqa: ANN401 - a connection of apsw
    query = "SELECT statement, battery, reference, signed_ms FROM signing WHERE number=? ORDER BY signed_ms"
    return tuple(Signing(*row) for row in connection.execute(query, (number,)))
