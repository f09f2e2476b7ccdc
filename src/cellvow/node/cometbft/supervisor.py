"""Runs application and engine as one member: either ends, both are started anew; what a restart cannot mend stops it.

The engine leaves with code 0 when its application dies, and does not connect again: so any end of either process is
a fault, whatever its code. Run by itself: `python -P -m cellvow.node.cometbft.supervisor MEMBER_FOLDER`.
"""

import fcntl
import json
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Never, Protocol

from cellvow.core.primitives.errors import CellvowError, Malformed, OperationalError
from cellvow.node.cometbft.binary import find_engine
from cellvow.node.cometbft.children import MemberProcesses
from cellvow.node.cometbft.member import LOCK_FILE, STATUS_FILE, MemberHome
from cellvow.node.home import NodeHome

POLL_S = 0.1
"""How often the processes are looked at."""
BACKOFF_S = (0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
"""Pauses before the first restarts in a row; the last one also before all later ones."""
STEADY_S = 60.0
"""A member that ran this long has recovered: earlier failures no longer count."""
FAILURES_MAX = 8
"""Failures in a row after which it stops for good: what fails so often is not mended by another restart."""
LOCK_ATTEMPTS = 5
"""How often the member's lock is asked for, `POLL_S` apart."""
LISTEN_S_MAX = 600.0
"""How long the application may take to open its ledger; 10^7 records take some 20 s."""
EXIT_STAY_DOWN = 3
"""The application's code for: do not start me again (its storage failed, or what it holds is not to be trusted)."""

_NEW_KEY = "a validator that forgot what it signed must not sign on, so let the member rejoin with a new key"
_COMPLAINTS = (
    (
        re.compile(r"app block height \(\d+\) is higher than core"),
        f"the engine's store is older than the ledger: it was restored from an older copy, or reset; {_NEW_KEY}",
    ),
    (
        # Not any line that names a wrong hash: a dishonest proposer could make every honest member say so.
        re.compile(
            r"AppHash does not match AppHash after replay|\+2/3 committed an invalid block: wrong Block.Header"
            r"|Error in validation +module=blocksync height=\d+ hash=[0-9A-F]+ err=\"wrong Block\.Header\."
        ),
        (
            "the ledger of this member is not the one that the others agreed on: it was altered, or restored from an "
            "older copy. `cellvow fsck` says where; `cellvow archive restore` makes it anew. If the engine's folder is "
            f"an older copy too: {_NEW_KEY}"
        ),
    ),
)
"""What no restart mends, by the engine's own words (v0.38: consensus/replay.go, consensus/state.go,
blocksync/reactor.go)."""
_ENDS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


class MemberStopped(OperationalError):
    """The member stays down until somebody has mended what the sentence says."""


class Child(Protocol):
    """A process of the member."""

    @property
    def pid(self) -> int:
        """Its process id."""

    @property
    def is_stuck(self) -> bool:
        """Whether it has said that it stopped working, though it stays up."""

    @property
    def words(self) -> str:
        """What it said last."""

    def exit_code(self) -> int | None:
        """The code it ended with, or None."""

    def stop(self) -> None:
        """End it, and wait for that."""


class Launcher(Protocol):
    """Starts the processes of the member."""

    def start_application(self) -> Child:
        """Start the application."""

    def is_listening(self) -> bool:
        """Whether the application can be connected to."""

    def start_engine(self) -> Child:
        """Start the engine."""


@dataclass(frozen=True, slots=True)
class Report:
    """What the supervisor does, for `status.json`."""

    state: str
    """starting, running, waiting (for the next start), stopped, failed."""
    supervisor: int
    application: int | None
    engine: int | None
    restarts: int
    reason: str
    """Why it was last started anew, or stopped; empty before the first time."""


Pause = Callable[[float], bool]
"""Waits so many seconds; True, at once, when the member is asked to stop."""


class Supervisor:
    """One member's two processes, kept running together."""

    def __init__(
        self,
        launcher: Launcher,
        pause: Pause,
        tell: Callable[[Report], None],
        clock_s: Callable[[], float] = time.monotonic,
    ) -> None:
        """`pause` and `clock_s` (seconds) are how time passes; `tell` is told whatever changes."""
        self._launcher = launcher
        self._pause = pause
        self._tell_report = tell
        self._clock_s = clock_s
        self._restarts = 0
        self._reason = ""

    def run(self) -> None:
        """Keep the member running until it is asked to stop; raises `MemberStopped` where a restart mends nothing."""
        failures = 0
        while True:
            started_s = self._clock_s()
            try:
                reason = self._live()
            except MemberStopped as stopped:
                self._fail(str(stopped))
            if reason is None:
                self._tell("stopped")
                return
            failures = 1 if self._clock_s() - started_s >= STEADY_S else failures + 1
            self._reason = reason
            if failures > FAILURES_MAX:
                self._fail(f"it failed {failures} times in a row, the last time because {reason}; see its logs")
            self._restarts += 1
            self._tell("waiting")
            if self._pause(BACKOFF_S[min(failures, len(BACKOFF_S)) - 1]):
                self._tell("stopped")
                return

    def _fail(self, reason: str) -> Never:
        self._reason = reason
        self._tell("failed")
        raise MemberStopped(reason)

    def _live(self) -> str | None:
        """One life of both processes; why it ended, or None when asked to. Raises `MemberStopped`."""
        self._tell("starting")
        application = self._launcher.start_application()
        engine: Child | None = None
        try:
            is_asked = self._await_listening(application)
            if not is_asked and application.exit_code() is None and self._launcher.is_listening():
                engine = self._launcher.start_engine()
                self._tell("running", application, engine)
                is_asked = self._watch(application, engine)
        finally:
            # The engine first: it ends cleanly while its application answers.
            ended = (application.exit_code(), None if engine is None else engine.exit_code())
            for child in (engine, application):
                if child is not None:
                    child.stop()
        return None if is_asked else _judge(application, engine, ended)

    def _await_listening(self, application: Child) -> bool:
        """Wait until the application can be connected to or has ended; whether the member is asked to stop."""
        until_s = self._clock_s() + LISTEN_S_MAX
        while not self._launcher.is_listening() and application.exit_code() is None and self._clock_s() < until_s:
            if self._pause(POLL_S):
                return True
        return False

    def _watch(self, application: Child, engine: Child) -> bool:
        """Wait until one of them ends or is stuck; whether the member is asked to stop."""
        while application.exit_code() is None and engine.exit_code() is None and not engine.is_stuck:
            if self._pause(POLL_S):
                return True
        return False

    def _tell(self, state: str, application: Child | None = None, engine: Child | None = None) -> None:
        pids = [None if child is None else child.pid for child in (application, engine)]
        self._tell_report(Report(state, os.getpid(), pids[0], pids[1], self._restarts, self._reason))


def _judge(application: Child, engine: Child | None, ended: tuple[int | None, int | None]) -> str:
    """Why the member ended, as the end of a sentence; raises `MemberStopped` for what no restart mends."""
    # The engine that was refused an answer may be gone before the application is.
    if EXIT_STAY_DOWN in (ended[0], application.exit_code()):
        raise MemberStopped(f"the application must not be started again: {_last_line(application)}")
    if engine is not None and (engine.is_stuck or ended[1] not in (None, 0)):
        for pattern, sentence in _COMPLAINTS:
            if pattern.search(engine.words):
                raise MemberStopped(sentence)
        if "address already in use" in engine.words:
            return "another program has one of its ports (is this member running already?)"
    if ended[0] is not None:
        return f"the application ended ({_in_words(ended[0])}){_quoted(application)}"
    if engine is None:
        return f"the application did not open its ledger within {LISTEN_S_MAX:.0f} s"
    if ended[1] is None:
        return f"the engine has stopped voting{_quoted(engine)}"
    return f"the engine ended ({_in_words(ended[1])}){_quoted(engine)}"


def _in_words(code: int) -> str:
    return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"


def _last_line(child: Child) -> str:
    lines = [line for line in child.words.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it said nothing"


def _quoted(child: Child) -> str:
    return f": {_last_line(child)}" if child.words.strip() else ""


def run_member(folder: Path, environ: Mapping[str, str]) -> None:
    """Run the member in this process until SIGTERM, SIGINT or SIGHUP.

    Raises `MemberStopped` for what a restart does not mend, `OperationalError` where it cannot even begin.

    Only one process may run a member: two engines with one validator's key would sign twice at one height.
    """
    home = MemberHome(folder)
    NodeHome(home.ledger).require_open()
    program = find_engine(environ)
    asked = threading.Event()
    previous = {number: signal.signal(number, lambda *_: asked.set()) for number in _ENDS}
    try:
        with _only_one(home):
            processes = MemberProcesses(home, program, environ)
            Supervisor(processes, asked.wait, lambda report: tell_in_file(home.folder, report)).run()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def write_report(folder: Path, report: Report) -> None:
    """Replace a member's `status.json`."""
    document = {name: getattr(report, name) for name in Report.__slots__}
    draft = folder / f".{STATUS_FILE}"
    draft.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    draft.replace(folder / STATUS_FILE)


def tell_in_file(folder: Path, report: Report) -> None:
    """Replace a member's `status.json` if that can be done: a full disk is no reason to stop what still runs."""
    with suppress(OSError):
        write_report(folder, report)


def read_report(folder: Path) -> Report | None:
    """What the supervisor of a member does, or did last; None before its first start."""
    path = folder / STATUS_FILE
    try:
        return Report(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, TypeError) as error:
        raise Malformed(f"{path} is not what a supervisor writes: delete it, it is written anew") from error


def is_supervised(folder: Path) -> bool:
    """Whether some process runs the member in this folder now."""
    try:
        with _lock(folder, fcntl.LOCK_SH):
            return False
    except FileNotFoundError:
        return False  # the member's folder was taken away
    except BlockingIOError:
        return True


@contextmanager
def _only_one(home: MemberHome) -> Iterator[None]:
    """The member's lock; whoever only looks whether it is held has it for a moment, so it is asked for repeatedly."""
    with ExitStack() as held:
        for attempt in range(LOCK_ATTEMPTS):
            try:
                held.enter_context(_lock(home.folder, fcntl.LOCK_EX))
                break
            except BlockingIOError as error:
                if attempt == LOCK_ATTEMPTS - 1:
                    running = f"{home.label} is running already: `cellvow network status` shows it"
                    raise OperationalError(running) from error
                time.sleep(POLL_S)
        yield


@contextmanager
def _lock(folder: Path, kind: int) -> Iterator[None]:
    """The member's lock, or `BlockingIOError`; the kernel gives it back however this process ends."""
    descriptor = os.open(folder / LOCK_FILE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the member whose folder is named; 0 when asked to stop, 1 with a sentence otherwise."""
    named = list(sys.argv[1:] if arguments is None else arguments)
    if len(named) != 1:
        sys.stderr.write("cellvow: name the folder of one member\n")
        return 2
    try:
        run_member(Path(named[0]), os.environ)
    except CellvowError as error:
        sys.stderr.write(f"cellvow: {Path(named[0]).name}: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
