"""Uploads and the jobs that import them: a bounded queue, one child at a time, nothing left behind."""

import fcntl
import os
import queue
import secrets
import shutil
import threading
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.evidence.bounds import FILE_BYTES_MAX
from cellvow.node.engine import Backpressure
from cellvow.vault import FOLDER_MODE
from cellvow.workspace.desk_records import DONE, FAILED, REFUSED, RUNNING, WAITING, DeskRecords, ImportRecord, JobRecord
from cellvow.workspace.isolated_import import Failed, IsolatedImport, Order, Refused, Taken

UPLOADS_FOLDER = "uploads"
UPLOADS_MAX = 6
"""Files that are received, wait or are imported at once; each takes up to 512 MB of the disk, and more are refused
before a byte of them is kept."""
NAME_LENGTH_MAX = 100
UNNAMED = "measurement"
_LOCK = "lock"
_JOIN_S_MAX = 10.0


def plain_file_name(name: str) -> str:
    """A client's name for a file as one harmless name: the last part of it, letters, digits, space and `._+-`."""
    last = name.replace("\\", "/").rpartition("/")[2]
    kept = "".join(one if _is_plain(one) else "_" for one in unicodedata.normalize("NFC", last))
    while len(kept.encode()) > NAME_LENGTH_MAX:
        kept = kept[:-1]
    kept = kept.strip(" .")
    return kept or UNNAMED


def _is_plain(character: str) -> bool:
    return (character.isalnum() and character.isprintable()) or character in " ._+-"


class Upload:
    """A file that is being received, in a folder of its own that only this node reads."""

    def __init__(self, folder: Path, name: str, on_end: Callable[[], None]) -> None:
        self.folder = folder
        self.path = folder / plain_file_name(name)
        self._on_end = on_end
        self._size = 0
        folder.mkdir(mode=FOLDER_MODE)
        descriptor = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        self._file: BinaryIO = os.fdopen(descriptor, "wb", buffering=0)

    @property
    def name(self) -> str:
        """Its harmless name."""
        return self.path.name

    def write(self, piece: bytes) -> None:
        """Append; raises `OperationalError` where the disk is full, `Malformed` for more than is ever read."""
        self._size += len(piece)
        try:
            if self._size > FILE_BYTES_MAX:
                raise Malformed(f"{self.name}: at most {FILE_BYTES_MAX} bytes are read")
            self._file.write(piece)
        except OSError as error:
            raise OperationalError(f"the upload cannot be kept: {error.strerror or error}") from error

    def finish(self) -> None:
        """All has come."""
        self._file.close()

    def discard(self) -> None:
        """Delete it; doing so again changes nothing."""
        self._file.close()
        if self.folder.exists():
            shutil.rmtree(self.folder, ignore_errors=True)
            self._on_end()


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of an upload: the battery it is about, what to compare with, and how to read it."""

    battery: str | None = None
    rated_mah: int | None = None
    nominal_mv: int | None = None
    repair_time: bool = False
    mapping: str = ""


@dataclass(frozen=True, slots=True)
class JobSeen:
    """A job as it stands now; `permille` is how far its present step is."""

    record: JobRecord
    step: str = ""
    permille: int = 0


@dataclass(slots=True)
class _Waiting:
    job: str
    upload: Upload
    wish: Wish


class ImportJobs:
    """Takes uploads and imports them one after the other. What a dead run left is deleted when this starts."""

    def __init__(self, folder: Path, records: DeskRecords, clock: Callable[[], int]) -> None:
        """`folder` is the workspace's."""
        self._workspace = folder
        self._records = records
        self._clock = clock
        self._run = secrets.token_hex(8)
        self._uploads = folder / UPLOADS_FOLDER
        self._uploads.mkdir(mode=FOLDER_MODE, exist_ok=True)
        self._own = self._uploads / self._run
        self._own.mkdir(mode=FOLDER_MODE)
        self._lock = _lock(self._own / _LOCK)
        self._clear_dead_runs()
        self._queue: queue.Queue[_Waiting | None] = queue.Queue()
        self._guard = threading.Condition()
        self._open = 0
        self._steps: dict[str, tuple[str, int]] = {}
        self._lost: set[str] = set()
        self._running: IsolatedImport | None = None
        self._is_closing = False
        self._worker = threading.Thread(target=self._work, name="imports", daemon=True)
        self._worker.start()

    def open_upload(self, name: str) -> Upload:
        """A place for a new file; raises `Backpressure` while too many are received or wait."""
        with self._guard:
            if self._is_closing or self._open >= UPLOADS_MAX:
                raise Backpressure("other files are being imported: try again in a minute")
            self._open += 1
        return Upload(self._own / secrets.token_hex(8), name, self._on_end)

    def start(self, upload: Upload, wish: Wish) -> str:
        """Queue a whole upload; the number of its job. The upload is deleted when the job ends."""
        upload.finish()
        job = secrets.token_hex(8)
        record = JobRecord(job, self._run, upload.name, wish.battery, self._clock(), WAITING)
        self._records.add_job(record)
        self._queue.put(_Waiting(job, upload, wish))
        return job

    def job(self, job: str) -> JobSeen | None:
        """How far a job is, or None where there is none of that number."""
        record = self._records.job(job)
        return None if record is None else self._seen(record)

    def jobs(self, limit: int) -> list[JobSeen]:
        """The newest first."""
        return [self._seen(record) for record in self._records.jobs(limit)]

    def wait_until_idle(self, seconds_max: float) -> bool:
        """Wait until no upload is received, waits or is imported; whether that came to be in time."""
        with self._guard:
            return self._guard.wait_for(lambda: self._open == 0, timeout=seconds_max)

    def close(self) -> None:
        """End what runs, refuse what waits, delete every upload; doing so again changes nothing."""
        with self._guard:
            if self._is_closing:
                return
            self._is_closing = True
            running = self._running
        if running is not None:
            running.stop()
        self._queue.put(None)
        self._worker.join(_JOIN_S_MAX)
        shutil.rmtree(self._own, ignore_errors=True)
        os.close(self._lock)

    def _seen(self, record: JobRecord) -> JobSeen:
        if record.job in self._lost:
            return JobSeen(replace(record, state=FAILED, cause="workspace"))
        step, permille = self._steps.get(record.job, ("", 0))
        return JobSeen(record, step, permille)

    def _work(self) -> None:
        while (waiting := self._queue.get()) is not None:
            try:
                self._do(waiting)
            except OperationalError:  # its end could not be written down: it is told from here
                self._lost.add(waiting.job)
            finally:
                waiting.upload.discard()
                self._steps.pop(waiting.job, None)

    def _do(self, waiting: _Waiting) -> None:
        wish = waiting.wish
        order = Order(
            workspace=str(self._workspace),
            file=str(waiting.upload.path),
            rated_mah=wish.rated_mah,
            nominal_mv=wish.nominal_mv,
            repair_time=wish.repair_time,
            mapping=wish.mapping,
        )
        child = IsolatedImport(order)
        with self._guard:
            if self._is_closing:
                child.stop()
            self._running = child
        self._records.mark_job(waiting.job, RUNNING)

        def watch(step: str, done: int, total: int) -> None:
            self._steps[waiting.job] = (step, min(1000, done * 1000 // max(1, total)))

        try:
            self._keep(waiting, child.run(watch))
        except OSError as error:
            raise OperationalError(f"no process can be started: {error}") from error
        finally:
            with self._guard:
                self._running = None

    def _keep(self, waiting: _Waiting, answer: Taken | Refused | Failed) -> None:
        if isinstance(answer, Taken):
            record = ImportRecord(
                answer.number,
                waiting.upload.name,
                waiting.wish.battery,
                self._clock(),
                answer.format,
                answer.kind,
                answer.remarks,
            )
            self._records.add_import(record)
            self._records.mark_job(waiting.job, DONE, number=answer.number)
        elif isinstance(answer, Refused):
            self._records.mark_job(waiting.job, REFUSED, answer.reason)
        else:
            self._records.mark_job(waiting.job, FAILED, answer.cause)

    def _on_end(self) -> None:
        with self._guard:
            self._open -= 1
            self._guard.notify_all()

    def _clear_dead_runs(self) -> None:
        alive = {self._run}
        for folder in self._uploads.iterdir():
            if folder == self._own:
                continue
            try:
                os.close(_lock(folder / _LOCK))
            except BlockingIOError:  # its process lives
                alive.add(folder.name)
            except OSError:
                continue  # it went away meanwhile
            else:
                shutil.rmtree(folder, ignore_errors=True)
        for run in self._records.unfinished_runs():
            if run not in alive:
                self._records.end_jobs_of(run, "interrupted")


def _lock(path: Path) -> int:
    """Hold the lock of a run's folder as long as the descriptor is open; `BlockingIOError` where another does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
