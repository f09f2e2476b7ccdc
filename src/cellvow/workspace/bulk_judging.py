"""Judging sheets: every row against the records as they stand, a large sheet in a thread of its own, piece by piece.

Nothing is signed here. A sheet whose judging was broken off is told as such and never signed for: whoever sent it sends
it again.
"""

import fcntl
import os
import secrets
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from hashlib import sha256
from itertools import islice

from cellvow.core.primitives.errors import CellvowError, Malformed
from cellvow.node.engine import Backpressure
from cellvow.workspace.bulk import COLUMNS, KINDS, Judge, missing_columns
from cellvow.workspace.bulk_records import JUDGING, LOST, REVIEWED, BulkRecords, SheetRecord
from cellvow.workspace.sheet import Row, Sheet, parse_sheet
from cellvow.workspace.workspace import Workspace

ROWS_AT_ONCE = 2_000
"""Rows that are judged while whoever sent them waits: well under a second; a larger sheet is judged as a job."""
JUDGED_MAX = 3
"""Large sheets that are judged or wait for it: each is held in memory whole."""
JUDGING_LOCK = "judging.lock"
"""Held while this process judges large sheets: what nobody holds it for, nobody judges any more."""
_PIECE = 500
_BUSY = "other sheets are being judged: try again in a minute"

Progress = Callable[[int, int], None]
"""(rows done, in all)."""


class Judging:
    """Takes sheets in. Blocks only for small ones; shared by threads."""

    def __init__(self, workspace: Workspace, records: BulkRecords, clock: Callable[[], int]) -> None:
        """`clock` gives milliseconds."""
        self._workspace = workspace
        self._records = records
        self._clock = clock
        self._is_closing = threading.Event()
        self._guard = threading.Condition()
        self._rows: dict[str, int] = {}
        self._lock: int | None = None
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="judging")

    def close(self) -> None:
        """Stop after the rows that are under way; what was not judged to its end is lost, and says so."""
        self._is_closing.set()
        self._pool.shutdown(wait=True)

    def take(self, kind: str, name: str, data: bytes) -> str:
        """Judge a small sheet, or begin to judge a large one; its number.

        Raises `Malformed` for what is no sheet of the kind, `Backpressure` while too many large ones are judged.
        """
        record, sheet = self._read(kind, name, data)
        if len(sheet.rows) <= ROWS_AT_ONCE:
            self._judge(record, sheet.rows)
            return record.sheet
        with self._guard:
            if self._is_closing.is_set() or len(self._rows) >= JUDGED_MAX:
                raise Backpressure(_BUSY)
            self._records.begin(record)
            self._hold()
            self._rows[record.sheet] = len(sheet.rows)
        self._pool.submit(self._judge_in_pool, record, sheet.rows)
        return record.sheet

    def judge(self, kind: str, name: str, data: bytes, progress: Progress) -> str:
        """Judge a sheet of any size to its end; its number. Raises `Malformed` for what is no sheet of the kind."""
        record, sheet = self._read(kind, name, data)
        self._judge(record, sheet.rows, progress)
        return record.sheet

    def rows_of(self, sheet: str) -> int:
        """How many rows a sheet has that is judged here now; 0 for any other."""
        with self._guard:
            return self._rows.get(sheet, 0)

    def is_lost(self, sheet: str) -> bool:
        """Whether nobody judges a sheet any more that was begun and not judged to its end."""
        if self.rows_of(sheet):
            return False
        descriptor = self._open_lock()
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:  # another process may judge it
            return False
        finally:
            os.close(descriptor)
        return True

    def wait(self, seconds_max: float) -> bool:
        """Until no large sheet is judged here, or for so long; whether that came to be in time."""
        with self._guard:
            return self._guard.wait_for(lambda: not self._rows, timeout=seconds_max)

    def _read(self, kind: str, name: str, data: bytes) -> tuple[SheetRecord, Sheet]:
        if kind not in KINDS:
            raise Malformed(f"a sheet is one of {', '.join(KINDS)}")
        sheet = parse_sheet(data)
        lacking = missing_columns(kind, sheet.columns)
        if lacking:
            named = ", ".join(COLUMNS[kind])
            raise Malformed(f"the sheet has no column {', '.join(lacking)}: its first line names {named}")
        if not sheet.rows:
            raise Malformed("the sheet has no rows under its first line")
        unused = ", ".join(one for one in sheet.columns if one and one not in COLUMNS[kind])
        encoding = f"{sheet.encoding}, a guess" if sheet.is_guessed else sheet.encoding
        record = SheetRecord(
            secrets.token_hex(8), kind, name, sha256(data).hexdigest(), encoding, unused[:500], self._clock(), JUDGING
        )
        return record, sheet

    def _judge(self, record: SheetRecord, rows: Sequence[Row], progress: Progress = lambda _done, _all: None) -> None:
        """Judge a sheet that nobody sees before its end."""
        store = self._workspace.home().open_reader()
        try:
            judge = Judge(record.kind, self._workspace.organisation, store.get, self._clock())
            judged = []
            for number, row in enumerate(rows):
                if number % _PIECE == 0:
                    progress(number, len(rows))
                judged.append(judge.judge(row))
        finally:
            store.close()
        self._records.begin(replace(record, state=REVIEWED), judged)

    def _judge_in_pool(self, record: SheetRecord, rows: Sequence[Row]) -> None:
        """Judge a sheet that was begun, its rows piece by piece."""
        try:
            is_whole = self._judge_pieces(record, rows)
        except CellvowError as error:
            self._records.mark(record.sheet, LOST, str(error))
        else:
            self._records.mark(record.sheet, REVIEWED if is_whole else LOST)
        finally:
            with self._guard:
                del self._rows[record.sheet]
                self._release()
                self._guard.notify_all()

    def _judge_pieces(self, record: SheetRecord, rows: Sequence[Row]) -> bool:
        """Whether all of them were judged before this was closed."""
        store = self._workspace.home().open_reader()
        try:
            judge = Judge(record.kind, self._workspace.organisation, store.get, self._clock())
            left = iter(rows)
            while piece := [judge.judge(row) for row in islice(left, _PIECE)]:
                self._records.add_lines(record.sheet, piece)
                if self._is_closing.is_set():
                    return False
        finally:
            store.close()
        return True

    def _hold(self) -> None:
        if self._lock is None:
            self._lock = self._open_lock()
            fcntl.flock(self._lock, fcntl.LOCK_SH)  # another process may judge as well

    def _release(self) -> None:
        if self._lock is not None and not self._rows:
            os.close(self._lock)
            self._lock = None

    def _open_lock(self) -> int:
        return os.open(self._workspace.folder / JUDGING_LOCK, os.O_RDWR | os.O_CREAT, 0o600)
