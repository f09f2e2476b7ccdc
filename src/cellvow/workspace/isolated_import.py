"""One cycler file, read and evaluated in a process of its own: whatever a damaged file does there, the node stays up.

The child gets an order as JSON on its standard input and answers with lines of JSON: progress, then one answer.
It archives the rows and puts the results into the vault itself, so nothing but plain text ever comes back.
"""

import os
import resource
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import msgspec

from cellvow.core.primitives.errors import Malformed, OperationalError, fail

MEMORY_BYTES_MAX = 6_000_000_000
"""Address space of a child: the largest accepted file with its columns needs about half of it."""
WRITTEN_BYTES_MAX = 2_000_000_000
"""The largest file a child may write: an archive is smaller than what it was made from."""
DEADLINE_S = 900.0
"""How long an import may take, on the clock on the wall; the same in seconds of the processor."""
ORDER_BYTES_MAX = 200_000
_LINE_BYTES_MAX = 200_000
_STEPS_SHOWN = 100
_KEPT_VARIABLES = ("PATH", "PYTHONPATH", "LANG", "LC_ALL", "TMPDIR", "SYSTEMROOT")
_THREADS = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "ARROW_DEFAULT_MEMORY_POOL": "system"}

Watch = Callable[[str, int, int], None]
"""Called with (step, done, total) now and then."""


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a child is to do: which file, for which workspace, how it is read and what it is compared with.

    `mapping` is a column mapping as text (docs/reference/evidence.md), empty where the format is a known one.
    """

    workspace: str
    file: str
    rated_mah: int | None = None
    nominal_mv: int | None = None
    repair_time: bool = False
    mapping: str = ""
    memory_bytes: int = MEMORY_BYTES_MAX
    deadline_s: float = DEADLINE_S


class Step(msgspec.Struct, frozen=True, tag="step"):
    """How far a child is: `done` of `total` in the step's own unit."""

    step: str
    done: int
    total: int


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """The import is in the workspace under this number; the rest is what its record does not keep."""

    number: str
    format: str
    kind: str
    remarks: tuple[str, ...]


class Refused(msgspec.Struct, frozen=True, tag="refused"):
    """The file was not taken: its own fault, said in a sentence of `cellvow.evidence`."""

    reason: str


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """The import ended without a word about the file: `cause` is one of `CAUSES`."""

    cause: str
    detail: str = ""


CAUSES = ("crash", "deadline", "interrupted", "memory", "stopped", "workspace")
"""Why an import can end without a result: crashed, too long, lost in a restart, too large, ended, our storage."""
Answer = Taken | Refused | Failed


class IsolatedImport:
    """A child at work; `stop` ends it from another thread."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._process: subprocess.Popen[bytes] | None = None
        self._guard = threading.Lock()
        self._ended: str | None = None

    def run(self, watch: Watch) -> Answer:
        """Start the child, wait for its end or the deadline, and say what became of it. Blocks."""
        with self._guard:
            if self._ended is not None:
                return Failed(self._ended)
            self._process = _start()
        timer = threading.Timer(self._order.deadline_s, self.stop, ("deadline",))
        timer.daemon = True
        timer.start()
        try:
            answer = self._converse(self._process, watch)
        finally:
            timer.cancel()
            self._process.kill()
            self._process.wait()
        cause = self._cause()
        return answer if cause is None or isinstance(answer, Taken) else Failed(cause)

    def stop(self, cause: str = "stopped") -> None:
        """End the child; its import then failed with this cause."""
        with self._guard:
            self._ended = self._ended or cause
            if self._process is not None:
                self._process.kill()

    def _cause(self) -> str | None:
        with self._guard:
            return self._ended

    def _converse(self, process: "subprocess.Popen[bytes]", watch: Watch) -> Answer:
        order, lines = process.stdin, process.stdout
        if order is None or lines is None:
            fail("a child was started without pipes")
        answer: Answer | None = None
        with lines:
            try:
                with order:
                    order.write(msgspec.json.encode(self._order))
            except BrokenPipeError:
                return Failed("crash")
            while line := lines.readline(_LINE_BYTES_MAX):
                said = _read_line(line)
                if isinstance(said, Step):
                    watch(said.step, said.done, said.total)
                elif said is not None:
                    answer = said
        return answer or Failed("crash", _end_of(process.wait()))


def _start() -> "subprocess.Popen[bytes]":
    environ = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "cellvow.workspace.isolated_import"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environ | _THREADS,
        start_new_session=True,
    )


def _read_line(line: bytes) -> "Step | Answer | None":
    """What a line says; a line that is none of ours, as a library might print, says nothing."""
    try:
        return msgspec.json.decode(line, type=Step | Taken | Refused | Failed)
    except (msgspec.ValidationError, msgspec.DecodeError):
        return None


def _end_of(code: int) -> str:
    return f"signal {-code}" if code < 0 else f"exit code {code}"


def main() -> int:
    """The child's own life: read the order, bound itself, import, answer."""
    order = msgspec.json.decode(sys.stdin.buffer.read(ORDER_BYTES_MAX), type=Order)
    _bound(order)
    try:
        answer: Answer = _import(order)
    except Malformed as error:
        answer = Refused(str(error))
    except MemoryError:
        answer = Failed("memory")
    except OperationalError as error:
        answer = Failed("workspace", str(error))
    _say(answer)
    return 0


def _bound(order: Order) -> None:
    seconds = int(order.deadline_s) + 5
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
    resource.setrlimit(resource.RLIMIT_FSIZE, (WRITTEN_BYTES_MAX, WRITTEN_BYTES_MAX))
    if sys.platform == "linux":  # elsewhere the system does not keep to it
        resource.setrlimit(resource.RLIMIT_AS, (order.memory_bytes, order.memory_bytes))


def _import(order: Order) -> Taken:
    from cellvow.evidence import evaluate_measurement, import_measurement, parse_mapping
    from cellvow.workspace.laboratory import take_in
    from cellvow.workspace.workspace import Workspace

    mapping = parse_mapping(order.mapping.encode(), "column mapping") if order.mapping else None
    measurement = import_measurement(
        Path(order.file), mapping=mapping, repair_time=order.repair_time, progress=_reporter("reading")
    )
    _say(Step("evaluating", 0, 1))
    evaluation = evaluate_measurement(measurement, rated_mah=order.rated_mah, nominal_mv=order.nominal_mv)
    workspace = Workspace(Path(order.workspace))
    try:
        imported = take_in(workspace, measurement, evaluation, _reporter("archiving"))
    finally:
        workspace.close()
    source = measurement.source
    return Taken(imported.number, source.format, evaluation.kind.title(), tuple(source.remarks))


def _reporter(step: str) -> Callable[[int, int], None]:
    """Says how far a step is, a hundred times at most."""
    shown = -1

    def report(done: int, total: int) -> None:
        nonlocal shown
        part = done * _STEPS_SHOWN // max(1, total)
        if part != shown:
            shown = part
            _say(Step(step, done, total))

    return report


def _say(words: "Step | Answer") -> None:
    sys.stdout.buffer.write(msgspec.json.encode(words) + b"\n")
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    raise SystemExit(main())
