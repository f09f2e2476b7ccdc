"""The two processes of a member as the supervisor sees them: started, listened to, stopped; their words kept in files.

Each is tethered to the supervisor, stands in a process group of its own (a Ctrl-C reaches the supervisor alone, which
stops them in order), and writes to one pipe that ends in a bounded, rotated log.
"""

import os
import re
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from cellvow.core.primitives.errors import fail
from cellvow.node.cometbft.binary import EngineProgram
from cellvow.node.cometbft.member import MemberHome
from cellvow.node.cometbft.profile import MAX_PROCS

STOP_S_MAX = 15.0
"""How long a process may take to end after it was asked to; then it is killed."""
LOG_BYTES_MAX, LOGS_KEPT = 1_000_000, 3
"""Size of one log file, and how many older ones are kept beside it."""
LINE_BYTES_MAX = 16_384
"""A longer line is kept in parts."""
TAIL_LINES = 40
"""Last lines kept in memory, from which the reason of an end is read."""

_TETHER = Path(__file__).with_name("tether.py")
_STUCK = re.compile(
    r"^E\[[^\]]*\] (?:CONSENSUS FAILURE!!!"
    r"|Error in validation +module=blocksync height=\d+ hash=[0-9A-F]+ err=\"wrong Block\.Header\.)"
)
"""How the engine says that it has stopped voting, or cannot follow; it stays up then, as if nothing were wrong.

While it catches up it has checked a block's commit before it compares the header, so no single peer can make it say so.
"""
_TELLING = re.compile(r"AppHash|higher than core|address already in use|CONSENSUS FAILURE|^panic: |^Error: |^ERROR: ")


def tether(command: Sequence[str]) -> list[str]:
    """The command that runs this one so that it dies with this process, or rather with the thread that starts it."""
    return [sys.executable, "-I", "-S", str(_TETHER), str(os.getpid()), *command]


class RotatedLog:
    """A log file that never grows beyond a bound: full, it becomes `.1`, and the oldest falls off."""

    def __init__(self, path: Path, *, bytes_max: int = LOG_BYTES_MAX, kept: int = LOGS_KEPT) -> None:
        self._path = path
        self._bytes_max = bytes_max
        self._kept = kept
        self._file: IO[bytes] | None = None
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)

    def write(self, line: bytes) -> None:
        """Append one line, with the system when this returns; raises `OSError`, and tries anew with the next line."""
        file = self._opened()
        if file.tell() + len(line) > self._bytes_max and file.tell():
            self._rotate()
            file = self._opened()
        file.write(line)

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._file = os.fdopen(descriptor, "ab", buffering=0)
        return self._file

    def _rotate(self) -> None:
        self.close()
        for number in range(self._kept, 0, -1):
            older = self._path if number == 1 else self._numbered(number - 1)
            if older.exists():
                older.replace(self._numbered(number))

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")


class ChildProcess:
    """One tethered process; what it says goes to its log, and the last lines are remembered."""

    def __init__(self, command: Sequence[str], environ: Mapping[str, str], log: RotatedLog) -> None:
        self._log = log
        self._said: deque[str] = deque(maxlen=TAIL_LINES)
        self._telling: deque[str] = deque(maxlen=TAIL_LINES)
        self._is_stuck = False
        self._process = subprocess.Popen(  # noqa: S603 - our application, or the engine that was examined
            tether(command),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=dict(environ),
            process_group=0,
        )
        self._pump = threading.Thread(target=self._listen, name="log", daemon=True)
        self._pump.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def is_stuck(self) -> bool:
        """Whether it said that it has stopped working, though it stays up."""
        return self._is_stuck

    @property
    def words(self) -> str:
        """What it said that may tell why it ended, and its last lines; complete once it has been stopped."""
        return "\n".join([*self._telling, *self._said])

    def exit_code(self) -> int | None:
        """The code it ended with, negative for a signal; None while it runs."""
        return self._process.poll()

    def stop(self, seconds_max: float = STOP_S_MAX) -> None:
        """Ask it to end, kill it if it does not within `seconds_max`, and keep the last of what it says."""
        if self._process.poll() is None:
            with suppress(ProcessLookupError):
                self._process.terminate()
        try:
            self._process.wait(seconds_max)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._pump.join(STOP_S_MAX)
        self._log.close()

    def _listen(self) -> None:
        stream = self._process.stdout or fail("a process was started without its pipe")
        with stream:
            while line := stream.readline(LINE_BYTES_MAX):
                # On a full disk its words are lost; not read, they would stop it once the pipe is full.
                with suppress(OSError):
                    self._log.write(line)
                text = line.decode("utf-8", "replace").rstrip()
                self._said.append(text[:500])
                self._is_stuck = self._is_stuck or _STUCK.match(text) is not None
                if _TELLING.search(text):
                    self._telling.append(text[:1_000])


class MemberProcesses:
    """Starts the processes of one member: the application first, then the engine that connects to it."""

    def __init__(self, home: MemberHome, program: EngineProgram, environ: Mapping[str, str]) -> None:
        self._home = home
        self._program = program
        self._environ = environ
        self._socket = home.prepare_socket()

    def start_application(self) -> ChildProcess:
        """Start the application; an old socket is removed first, so that a socket there is a new one."""
        self._socket.unlink(missing_ok=True)
        module = "cellvow.node.cometbft.process"
        command = [sys.executable, "-P", "-m", module, str(self._home.ledger), str(self._socket)]
        return ChildProcess(command, self._environ, RotatedLog(self._home.application_log))

    def is_listening(self) -> bool:
        """Whether the application has made its socket."""
        return self._socket.exists()

    def start_engine(self) -> ChildProcess:
        """Start the engine against this member's application."""
        return start_engine(self._home, self._program, f"unix://{self._socket}", self._environ)


def start_engine(
    home: MemberHome,
    program: EngineProgram,
    application: str,
    environ: Mapping[str, str],
    threads: int | None = MAX_PROCS,
) -> ChildProcess:
    """Start an engine with the member's settings alone: variables of its own would override them.

    `application` is where it connects, `unix://PATH`; `threads` for its Go code where the machine has fewer cores.
    """
    command = [
        str(program.path),
        "start",
        *("--home", str(home.engine)),
        *("--proxy_app", application),
    ]
    kept = {name: environ[name] for name in ("PATH", "TMPDIR", "LANG") if name in environ}
    if threads is not None and (os.cpu_count() or 1) < threads:
        kept["GOMAXPROCS"] = str(threads)
    return ChildProcess(command, {"HOME": str(home.engine), **kept}, RotatedLog(home.engine_log))
