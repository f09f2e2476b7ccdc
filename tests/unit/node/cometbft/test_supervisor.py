"""Two processes as one member: any end restarts both, what a restart cannot mend stops it, and nothing is orphaned."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.node.cometbft.children import LOGS_KEPT, ChildProcess, RotatedLog, tether
from cellvow.node.cometbft.supervisor import (
    BACKOFF_S,
    FAILURES_MAX,
    STEADY_S,
    MemberStopped,
    Report,
    Supervisor,
    _lock,
    is_supervised,
    main,
    read_report,
    tell_in_file,
    write_report,
)

if TYPE_CHECKING:
    from collections.abc import Callable

PAUSE = threading.Event()
"""Never set: a short pause between two looks at a process."""
HIGHER = "ERROR: failed to create node: error on replay: app block height (18) is higher than core (13)"
REPLAYED = "panic: state.AppHash does not match AppHash after replay. Got AB, expected CD."
DECIDED = (
    'E[2026-11-30|02:28:52.567] CONSENSUS FAILURE!!! err="+2/3 committed an invalid block: wrong Block.Header.AppHash.'
)
FOLLOWING = (
    "E[2026-11-30|03:20:23.529] Error in validation                          module=blocksync height=15 hash=66AB "
    'err="wrong Block.Header.AppHash.  Expected 01AB, got 02CD"'
)


@dataclass
class FakeChild:
    """A process that ends when the script says so."""

    pid: int
    words: str = ""
    is_stuck: bool = False
    code: int | None = None
    log: list[str] = field(default_factory=list)
    name: str = ""

    def exit_code(self) -> int | None:
        """As told."""
        return self.code

    def stop(self) -> None:
        """Ends at once."""
        self.log.append(f"stop {self.name}")
        self.code = -15 if self.code is None else self.code


class FakeMember:
    """A launcher whose lives follow a script; time passes only in pauses."""

    def __init__(self, *lives: Callable[[FakeChild, FakeChild], None], listens: bool = True) -> None:
        self.lives = list(lives)
        self.log: list[str] = []
        self.pauses: list[float] = []
        self.reports: list[Report] = []
        self.now_s = 0.0
        self.life_s = 0.0
        self.listens = listens
        self.application = self.engine = FakeChild(0)

    def start_application(self) -> FakeChild:
        """Note it."""
        self.log.append("start application")
        self.application = FakeChild(1, log=self.log, name="application")
        self.engine = FakeChild(2, log=self.log, name="engine")
        if not self.listens:
            self.lives.pop(0)(self.application, self.engine)
        return self.application

    def is_listening(self) -> bool:
        """As told."""
        return self.listens

    def start_engine(self) -> FakeChild:
        """Note it."""
        self.log.append("start engine")
        return self.engine

    def pause(self, seconds: float) -> bool:
        """Time passes; the next life's end comes in its first pause; asked to stop when the script is over."""
        self.now_s += seconds
        self.pauses.append(seconds)
        if self.application.code is None and self.engine.code is None and not self.engine.is_stuck:
            if not self.lives:
                return True
            self.now_s += self.life_s
            self.lives.pop(0)(self.application, self.engine)
        return False

    def run(self) -> None:
        """Supervise it."""
        Supervisor(self, self.pause, self.reports.append, lambda: self.now_s).run()


def engine_ends(code: int, words: str = "") -> Callable[[FakeChild, FakeChild], None]:
    """A life in which the engine ends."""

    def end(_: FakeChild, engine: FakeChild) -> None:
        engine.code, engine.words = code, words

    return end


def application_ends(code: int, words: str = "") -> Callable[[FakeChild, FakeChild], None]:
    """A life in which the application ends; the engine leaves with code 0, as the real one does."""

    def end(application: FakeChild, engine: FakeChild) -> None:
        application.code, application.words, engine.code = code, words, 0

    return end


@pytest.mark.parametrize(
    ("life", "reason"),
    [
        (engine_ends(0), "the engine ended (exit code 0)"),
        (engine_ends(-9), "the engine ended (killed by SIGKILL)"),
        (application_ends(0), "the application ended (exit code 0)"),
        (application_ends(1, "cellvow: no"), "the application ended (exit code 1): cellvow: no"),
        (application_ends(-9), "the application ended (killed by SIGKILL)"),
    ],
)
def test_any_end_of_either_starts_both_anew(life: Callable[[FakeChild, FakeChild], None], reason: str) -> None:
    """Code 0 is no exception: the engine leaves with it when its application dies."""
    member = FakeMember(life)
    member.run()

    once = ["start application", "start engine", "stop engine", "stop application"]
    assert once * 2 == member.log
    assert (1, reason) == (member.reports[-1].restarts, member.reports[-1].reason)
    assert ["starting", "running", "waiting", "starting", "running", "stopped"] == [one.state for one in member.reports]


def test_an_engine_that_stopped_voting_is_restarted() -> None:
    """It stays up after a consensus failure and answers as if nothing were wrong."""

    def stick(_: FakeChild, engine: FakeChild) -> None:
        engine.is_stuck, engine.words = True, "CONSENSUS FAILURE!!! err=other"

    member = FakeMember(stick)
    member.run()

    assert member.reports[-1].reason.startswith("the engine has stopped voting")


@pytest.mark.parametrize(
    ("words", "named"),
    [(HIGHER, "restored from an older copy"), (REPLAYED, "fsck"), (DECIDED, "fsck"), (FOLLOWING, "fsck")],
)
def test_stores_of_different_moments_stop_the_member(words: str, named: str) -> None:
    """No restart mends that, and a validator must not sign again what it signed before."""
    member = FakeMember(engine_ends(1, words))

    with pytest.raises(MemberStopped, match=named):
        member.run()
    assert "failed" == member.reports[-1].state
    assert "new key" in member.reports[-1].reason
    assert 1 == member.log.count("start engine")


@pytest.mark.parametrize("words", [HIGHER, REPLAYED])
def test_words_of_others_do_not_stop_a_healthy_member(words: str) -> None:
    """A dishonest peer may make the engine log such a line: it counts only where the engine failed."""
    member = FakeMember(engine_ends(0, words))
    member.run()

    assert "stopped" == member.reports[-1].state


def test_a_proposal_with_a_wrong_hash_does_not_stop_the_member() -> None:
    """Any proposer can make every honest member say that; only what two thirds have committed counts."""
    member = FakeMember(engine_ends(1, "E[x] prevote step: invalid block err=wrong Block.Header.AppHash."))
    member.run()

    assert 1 == member.reports[-1].restarts


def test_an_application_that_must_stay_down_stays_down() -> None:
    """Code 3: its storage failed, or what it holds is not to be trusted."""
    member = FakeMember(application_ends(3, "cellvow: this member has stopped: disk full"))

    with pytest.raises(MemberStopped, match="disk full"):
        member.run()
    assert 1 == member.log.count("start application")


def test_pauses_grow_and_it_gives_up_in_the_end() -> None:
    """What fails nine times in a row is not mended by a tenth start."""
    member = FakeMember(*[engine_ends(1, "listen tcp: bind: address already in use")] * 20)

    with pytest.raises(MemberStopped, match=r"9 times in a row.*ports"):
        member.run()
    between = [pause for pause in member.pauses if pause in BACKOFF_S]
    assert [*BACKOFF_S, *[BACKOFF_S[-1]] * (FAILURES_MAX - len(BACKOFF_S))] == between


def test_a_member_that_ran_for_long_has_recovered() -> None:
    """Failures an hour apart never add up."""
    member = FakeMember(*[engine_ends(1)] * 20)
    member.life_s = STEADY_S
    member.run()

    assert 20 == member.reports[-1].restarts
    assert {BACKOFF_S[0]} == {pause for pause in member.pauses if pause >= BACKOFF_S[0]}


def test_an_application_that_dies_before_it_listens_is_a_failure_too() -> None:
    """The engine is not even started."""
    member = FakeMember(*[application_ends(1, "cellvow: locked")] * 20, listens=False)

    with pytest.raises(MemberStopped, match="cellvow: locked"):
        member.run()
    assert "start engine" not in member.log


def test_the_log_never_grows_beyond_its_bound(tmp_path: Path) -> None:
    """A full file becomes an older one, and the oldest falls off."""
    log = RotatedLog(tmp_path / "logs" / "engine.log", bytes_max=100)
    for number in range(200):
        log.write(b"line %03d\n" % number)
    log.close()
    files = sorted(path.name for path in (tmp_path / "logs").iterdir())

    assert ["engine.log", *(f"engine.log.{number}" for number in range(1, LOGS_KEPT + 1))] == files
    assert all(path.stat().st_size <= 100 for path in (tmp_path / "logs").iterdir())
    assert b"line 199" in (tmp_path / "logs" / "engine.log").read_bytes()


def test_a_log_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    """A disk that was full has room again."""
    log = RotatedLog(tmp_path / "logs" / "engine.log", bytes_max=10)
    log.write(b"before....")
    shutil.rmtree(tmp_path / "logs")
    with pytest.raises(FileNotFoundError):
        log.write(b"lost")
    (tmp_path / "logs").mkdir()
    log.write(b"after")
    log.close()

    assert b"after" == (tmp_path / "logs" / "engine.log").read_bytes()


@pytest.mark.slow
def test_a_process_whose_log_cannot_be_written_goes_on(tmp_path: Path) -> None:
    """Unread, it would stand still once the pipe is full."""
    child = started(
        tmp_path / "logs", "import sys; [print('x' * 1000) for _ in range(1000)]; print('whole')", lost=True
    )

    assert eventually(lambda: child.exit_code() is not None)
    child.stop()
    assert (0, True) == (child.exit_code(), child.words.endswith("whole"))


def test_a_report_that_cannot_be_written_stops_nobody(tmp_path: Path) -> None:
    """The one that is read may be an older one then."""
    tell_in_file(tmp_path / "gone", Report("running", 1, 2, 3, 4, ""))

    with pytest.raises(FileNotFoundError):
        write_report(tmp_path / "gone", Report("running", 1, 2, 3, 4, ""))


def started(folder: Path, script: str, *, lost: bool = False) -> ChildProcess:
    """A real process that runs a script; with `lost` its log has no place."""
    log = RotatedLog(folder / "child.log")
    if lost:
        shutil.rmtree(folder)
    return ChildProcess([sys.executable, "-I", "-S", "-c", script], os.environ, log)


def eventually(condition: Callable[[], bool], seconds_max: float = 20.0) -> bool:
    """Whether it holds before the time is over."""
    until = time.monotonic() + seconds_max
    while not condition() and time.monotonic() < until:
        PAUSE.wait(0.02)
    return condition()


@pytest.mark.slow
@pytest.mark.parametrize("failure", ["E[2026-11-30|02:28:52.567] CONSENSUS FAILURE!!! err=x", FOLLOWING])
def test_what_a_process_says_is_kept_and_its_failure_seen(tmp_path: Path, failure: str) -> None:
    """Its last lines tell why it ended; a failure that leaves it up is seen while it still runs."""
    child = started(tmp_path, f"print({failure!r}, flush=True); import time; time.sleep(60)")

    assert eventually(lambda: child.is_stuck)
    assert child.exit_code() is None
    child.stop()
    assert -signal.SIGTERM == child.exit_code()
    assert failure in child.words
    assert failure.encode() in (tmp_path / "child.log").read_bytes()


@pytest.mark.slow
def test_a_process_that_will_not_end_is_killed(tmp_path: Path) -> None:
    """Asked first, then killed."""
    script = "import signal, time; signal.signal(15, signal.SIG_IGN); print('deaf', flush=True); time.sleep(60)"
    child = started(tmp_path, script)

    assert eventually(lambda: "deaf" in child.words)
    child.stop(0.2)
    assert -signal.SIGKILL == child.exit_code()


if sys.platform == "linux":  # elsewhere no kernel does this, and `tether.py` says so

    @pytest.mark.slow
    def test_what_is_tethered_dies_with_its_parent(tmp_path: Path) -> None:
        """However the parent goes: here by SIGKILL, which nothing can catch."""
        program = tmp_path / "parent.py"
        sleeper = [sys.executable, "-I", "-S", "-c", "import time; print('up', flush=True); time.sleep(60)"]
        program.write_text(
            "import subprocess, sys, time\n"
            "from cellvow.node.cometbft.children import tether\n"
            f"child = subprocess.Popen(tether({sleeper!r}), stdout=subprocess.PIPE)\n"
            "child.stdout.readline()\n"
            "print(child.pid, flush=True)\n"
            "time.sleep(60)\n",
            encoding="utf-8",
        )
        with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            assert Path(f"/proc/{pid}/stat").exists()
            parent.kill()

            assert eventually(lambda: not _is_alive(pid))


def _is_alive(pid: int) -> bool:
    """A process that waits for nobody to ask for its code is dead."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.slow
def test_a_tethered_program_does_not_start_under_another_parent() -> None:
    """Its own may have died before the tether held."""
    command = tether([sys.executable, "-I", "-S", "-c", "print('started')"])
    command[4] = "1"
    answer = subprocess.run(command, capture_output=True, check=False)

    assert (1, b"") == (answer.returncode, answer.stdout)


def test_two_supervisors_never_run_one_member(tmp_path: Path) -> None:
    """Two engines with one validator's key would sign twice at one height."""
    assert not is_supervised(tmp_path)
    with _lock(tmp_path, fcntl.LOCK_EX):
        assert is_supervised(tmp_path)
    with _lock(tmp_path, fcntl.LOCK_SH):
        assert not is_supervised(tmp_path)  # somebody else only looks
    assert not is_supervised(tmp_path)


def test_a_report_is_read_back(tmp_path: Path) -> None:
    """And a broken one is told."""
    report = Report("running", 1, 2, 3, 4, "because")
    assert read_report(tmp_path) is None
    write_report(tmp_path, report)

    assert report == read_report(tmp_path)
    (tmp_path / "status.json").write_text("{", encoding="utf-8")
    with pytest.raises(Malformed, match=r"status\.json"):
        read_report(tmp_path)


def test_a_folder_without_a_member_is_told_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No traceback."""
    assert 1 == main([str(tmp_path)])
    assert "holds no member" in capsys.readouterr().err
    assert 2 == main([])
    assert issubclass(MemberStopped, OperationalError)


def test_a_member_that_was_taken_away_is_not_supervised(tmp_path: Path) -> None:
    """Whoever watches a network goes on when one member's folder is gone."""
    assert not is_supervised(tmp_path / "gone")
    assert None is read_report(tmp_path / "gone")
