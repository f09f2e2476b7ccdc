"""Sheets at work: judged first, signed in batches after that, gone on with wherever they were stopped."""

import fcntl
import os
import secrets
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

from cellvow.core.ledger.outcome import parse_outcome
from cellvow.core.ledger.rejection import RULES, NotIncludable, Reason
from cellvow.core.ledger.statement import parse_statement
from cellvow.core.primitives.errors import CellvowError, OperationalError
from cellvow.core.primitives.limits import BATCH_MESSAGES_MAX
from cellvow.node.engine import Backpressure, Receipted
from cellvow.workspace.bulk import FAULTS, READY, Judge, Order
from cellvow.workspace.bulk_judging import Judging, Progress
from cellvow.workspace.bulk_records import (
    CLAIMED,
    DONE,
    JUDGING,
    LOST,
    RECORDED,
    REJECTED,
    RUNNING,
    STOPPED,
    BulkRecords,
    LineSeen,
    Piece,
    Settled,
    SheetRecord,
)
from cellvow.workspace.commands import COMMIT_TIMEOUT_S
from cellvow.workspace.ledger_writer import Turn
from cellvow.workspace.sheet import encode_row
from cellvow.workspace.workspace import Workspace

LOCK_FILE = "sheets.lock"
"""Held while a sheet's rows are signed: one sheet at a time in a workspace, whichever process does it."""
RESULT_COLUMNS = ("line", "subject", "state", "column", "remedy", "statement", "message", "code", "told")
_PAGE = 1_000
_JOIN_S_MAX = 60.0
_TRIES, _PAUSE_S = 10, 0.02
_BUSY = "another sheet is being signed for: wait until it has ended"


@dataclass(frozen=True, slots=True)
class SheetSeen:
    """A sheet as it stands, with how many rows there are of each word.

    `rows_in_all` is set while it is judged here.
    """

    record: SheetRecord
    counts: dict[str, int]
    rows_in_all: int = 0

    @property
    def rows(self) -> int:
        """All rows, as far as they are judged."""
        return sum(self.counts.values())

    @property
    def permille(self) -> int:
        """How far its judging is, or after that its signing."""
        done, every = (self.rows, self.rows_in_all) if self.record.state == JUDGING else (self.done, self.rows)
        return 1000 * done // every if every else 0

    @property
    def ready(self) -> int:
        """Rows that would be signed."""
        return self.counts.get(READY, 0)

    @property
    def faults(self) -> int:
        """Rows with something wrong."""
        return sum(count for word, count in self.counts.items() if word in FAULTS)

    @property
    def done(self) -> int:
        """Rows of which nothing more will become."""
        return self.rows - self.ready


class BulkJobs:
    """Judges sheets and signs for them. Blocks; shared by threads."""

    def __init__(
        self,
        workspace: Workspace,
        turn: Turn,
        clock: Callable[[], int],
        publish: Callable[[], None] = lambda: None,
    ) -> None:
        """`turn` opens the ledger for one statement, `publish` is called at the end; `clock` gives milliseconds."""
        self._workspace = workspace
        self._turn = turn
        self._clock = clock
        self._publish = publish
        self._records = BulkRecords.open(workspace.folder)
        self._judging = Judging(workspace, self._records, clock)
        self._is_closing = threading.Event()
        self._guard = threading.Lock()
        self._worker: threading.Thread | None = None
        self._current: str | None = None

    def close(self) -> None:
        """Stop after the statement that is under way, and release the file; a sheet that is stopped can go on."""
        self._is_closing.set()
        self._judging.close()
        with self._guard:
            worker = self._worker
        if worker is not None:
            worker.join(_JOIN_S_MAX)
        self._records.close()

    def take(self, kind: str, name: str, data: bytes) -> str:
        """Judge a sheet, a large one as a job; its number. Signs nothing. Raises `Malformed` for what is no sheet."""
        return self._judging.take(kind, name, data)

    def review(self, kind: str, name: str, data: bytes, progress: Progress = lambda _done, _all: None) -> SheetSeen:
        """Judge every row to the end and keep the verdicts; signs nothing. Raises `Malformed` for what is no sheet."""
        sheet = self._judging.judge(kind, name, data, progress)
        return SheetSeen(self._existing(sheet), self._records.counts(sheet))

    def unfinished(self, kind: str, data: bytes) -> SheetSeen | None:
        """The sheet of these very bytes that was begun and stopped."""
        record = self._records.unfinished(kind, sha256(data).hexdigest())
        return None if record is None else self.find(record.sheet)

    def find(self, sheet: str) -> SheetSeen | None:
        """A sheet as it stands: one that nobody works on any more has stopped."""
        record = self._records.find(sheet)
        if record is None:
            return None
        if record.state == RUNNING and self._current != sheet and not self._is_at_work():
            record = replace(record, state=STOPPED)
        rows = self._judging.rows_of(sheet)
        return SheetSeen(self._as_it_stands(record), self._records.counts(sheet), rows)

    def sheets(self, limit: int) -> list[SheetRecord]:
        """The newest first."""
        return [self._as_it_stands(one) for one in self._records.sheets(limit)]

    def lines(self, sheet: str, show: str, after: int, limit: int) -> list[LineSeen]:
        """Rows above a line."""
        return self._records.lines(sheet, show, after, limit)

    def results(self, sheet: str, show: str = "all") -> Iterator[bytes]:
        """Every row with its verdict and result, as CSV."""
        yield encode_row(RESULT_COLUMNS)
        after, more = 0, True
        while more:
            page = self._records.lines(sheet, show, after, _PAGE)
            yield from (encode_row(result_row(one)) for one in page)
            after, more = (page[-1].line if page else after), len(page) == _PAGE

    def start(self, sheet: str) -> None:
        """Sign for the rows that are ready, in a thread of its own; raises `Backpressure` while another is at work.

        Raises `OperationalError` for a sheet that was not judged to its end.
        """
        self._require_judged(sheet)
        with self._guard:
            if self._is_closing.is_set() or self._current is not None or self._is_at_work():
                raise Backpressure(_BUSY)
            self._records.mark(sheet, RUNNING)
            self._current = sheet
            self._worker = threading.Thread(target=self._run, args=(sheet,), name="sheets", daemon=True)
            self._worker.start()

    def wait(self, seconds_max: float) -> None:
        """Until nothing is judged or signed for here, or for so long."""
        self._judging.wait(seconds_max)
        with self._guard:
            worker = self._worker
        if worker is not None:
            worker.join(seconds_max)

    def execute(self, sheet: str, progress: Progress = lambda _done, _all: None) -> SheetSeen:
        """Sign for the rows that are ready, or go on with it; what a killed run had sent is asked for first.

        Raises `Backpressure` while another process does, and what the ledger raises: then it can be gone on with.
        """
        self._require_judged(sheet)
        with self._at_work():
            self._records.mark(sheet, RUNNING)
            try:
                is_whole = self._execute(sheet, progress)
            except BaseException as error:
                cause = str(error) if isinstance(error, CellvowError) else "it was interrupted"
                self._records.mark(sheet, STOPPED, cause)
                raise
            self._records.mark(sheet, DONE if is_whole else STOPPED)
        self._publish()
        seen = self.find(sheet)
        if seen is None:
            raise OperationalError(f"there is no sheet {sheet}")
        return seen

    def _run(self, sheet: str) -> None:
        try:
            self.execute(sheet)
        except CellvowError:
            return  # its record says why
        finally:
            self._current = None

    def _execute(self, sheet: str, progress: Progress) -> bool:
        """Whether nothing is left to do."""
        for piece in self._records.unsettled(sheet):
            self._send(sheet, piece)
        while not self._is_closing.is_set():
            seen = SheetSeen(self._existing(sheet), self._records.counts(sheet))
            progress(seen.done, seen.rows)
            orders = self._records.open_orders(sheet, BATCH_MESSAGES_MAX)
            if not orders:
                return True
            signed = self._sign(sheet, seen.record.kind, orders)
            if signed is not None:
                self._send(sheet, signed)
        return False

    def _sign(self, sheet: str, kind: str, orders: Sequence[tuple[int, Order]]) -> Piece | None:
        """One statement for the orders that still hold, kept before it is sent; None where none does."""
        store = self._workspace.home().open_reader()
        try:
            judge = Judge(kind, self._workspace.organisation, store.get, self._clock())
            verdicts = [(line, order, judge.check(order)) for line, order in orders]
            messages = [judge.message(order) for _, order, verdict in verdicts if verdict == READY]
            chain_id = store.head().chain_id
        finally:
            store.close()
        self._records.leave(sheet, [(line, verdict) for line, _, verdict in verdicts if verdict != READY])
        if not messages:
            return None
        signed = self._workspace.sign_batch(chain_id, messages, secrets.token_bytes(32), self._clock(), "each")
        digest = parse_statement(signed.data).envelope.digest.hex()
        piece = Piece(self._records.next_piece(sheet), signed.kid, signed.sequence, signed.data, digest)
        self._records.keep_piece(sheet, piece, [line for line, _, verdict in verdicts if verdict == READY])
        return piece

    def _send(self, sheet: str, piece: Piece) -> None:
        """Submit a statement, for the first time or again, and keep what became of its rows."""
        try:
            with self._turn() as session:
                receipted = session.submit(piece.statement).result(timeout=COMMIT_TIMEOUT_S)
        except NotIncludable:  # it will never be on the ledger: its rows are signed anew
            self._workspace.sequences.resolve(piece.kid, piece.sequence)
            self._records.drop(sheet, piece.piece)
            raise
        self._workspace.sequences.resolve(piece.kid, piece.sequence)
        results = _results(receipted, self._records.lines_of(sheet, piece.piece))
        if results is None:
            self._records.drop(sheet, piece.piece)
        else:
            self._records.settle(sheet, piece.piece, results)

    def _existing(self, sheet: str) -> SheetRecord:
        record = self._records.find(sheet)
        if record is None:
            raise OperationalError(f"there is no sheet {sheet}")
        return record

    def _as_it_stands(self, record: SheetRecord) -> SheetRecord:
        """The record, of a sheet that nobody judges any more as lost."""
        if record.state != JUDGING or not self._judging.is_lost(record.sheet):
            return record
        again = self._existing(record.sheet)  # it may have been judged to its end meanwhile
        return replace(again, state=LOST) if again.state == JUDGING else again

    def _require_judged(self, sheet: str) -> None:
        if self._existing(sheet).state in (JUDGING, LOST):
            raise OperationalError(f"the sheet {sheet} was not judged to its end: send it again")

    def _is_at_work(self) -> bool:
        descriptor = self._take_lock(fcntl.LOCK_SH, tries=1)
        if descriptor is None:
            return True
        os.close(descriptor)
        return False

    @contextmanager
    def _at_work(self) -> Iterator[None]:
        """Hold the lock of the workspace's sheets; raises `Backpressure` where another has it."""
        descriptor = self._take_lock(fcntl.LOCK_EX, _TRIES)
        if descriptor is None:
            raise Backpressure(_BUSY)
        try:
            yield
        finally:
            os.close(descriptor)

    def _take_lock(self, how: int, tries: int) -> int | None:
        """The lock's descriptor, or None where another holds it; who only looks holds it for a moment."""
        path: Path = self._workspace.folder / LOCK_FILE
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        for attempt in range(tries):
            try:
                fcntl.flock(descriptor, how | fcntl.LOCK_NB)
            except BlockingIOError:
                if attempt + 1 < tries:
                    self._is_closing.wait(_PAUSE_S)
            else:
                return descriptor
        os.close(descriptor)
        return None


def result_row(one: LineSeen) -> tuple[str, ...]:
    """The cells of a row's result, as `RESULT_COLUMNS` names them."""
    column, remedy = FAULTS.get(one.verdict, ("", ""))
    return (
        str(one.line),
        one.subject,
        one.result or one.verdict,
        column,
        f"{column or 'row'} {remedy}" if remedy else "",
        one.statement,
        "" if one.message is None or not one.statement else str(one.message),
        "" if one.code is None else str(one.code),
        one.told,
    )


def line_document(one: LineSeen) -> dict[str, object]:
    """A row for programs."""
    column, remedy = FAULTS.get(one.verdict, ("", ""))
    return {
        "code": one.code,
        "column": column or None,
        "line": one.line,
        "message": one.message if one.statement else None,
        "remedy": remedy or None,
        "state": one.result or one.verdict,
        "statement": one.statement or None,
        "subject": one.subject,
        "told": one.told or None,
    }


def _results(receipted: Receipted, lines: Sequence[int]) -> list[Settled] | None:
    """What became of each row; None where the statement came too late for all, and is signed anew."""
    outcomes = [parse_outcome(one) for one in receipted.outcomes]
    if outcomes and all(one.reason is Reason.EXPIRED for one in outcomes):
        return None
    results = []
    for line, outcome in zip(lines, outcomes, strict=True):
        if outcome.reason is not None:
            results.append(Settled(line, REJECTED, int(outcome.reason), RULES[outcome.reason]))
        elif outcome.is_contested:
            results.append(Settled(line, CLAIMED, None, str(outcome.events[-1]["reference"])))
        else:
            results.append(Settled(line, RECORDED))
    return results
