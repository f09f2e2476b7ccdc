"""A sequence is given once, whatever races or crashes, and never so far ahead that an older statement is shut out."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import InvariantBroken, OperationalError
from cellvow.core.primitives.limits import INTEGER_MAX, SEQUENCE_WINDOW, STATEMENT_BYTES_MAX
from cellvow.workspace.sequences import SPAN_MAX, Sequences, WindowFull

if TYPE_CHECKING:
    from collections.abc import Iterator

KID, OTHER_KID = bytes(16), bytes([1]) * 16
WORKERS, ROUNDS = 4, 25


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the counters lie."""
    return tmp_path / "sequences.db"


@pytest.fixture
def sequences(path: Path) -> Iterator[Sequences]:
    """A new allocator."""
    sequences = Sequences.open(path)
    yield sequences
    sequences.close()


def test_a_key_starts_at_one_and_goes_on_after_a_restart(sequences: Sequences, path: Path) -> None:
    """Each key has its own counter, kept in the file."""
    given = [sequences.allocate(KID), sequences.allocate(KID), sequences.allocate(OTHER_KID)]
    sequences.close()
    reopened = Sequences.open(path)

    assert [1, 2, 1] == given
    assert 3 == reopened.allocate(KID)
    reopened.close()


def test_the_file_is_its_owners_alone(sequences: Sequences, path: Path) -> None:
    """Statements that wait are not for other users of the machine."""
    assert 0o600 == path.stat().st_mode & 0o777
    sequences.close()
    path.chmod(0o644)

    with pytest.raises(OperationalError, match="chmod 600"):
        Sequences.open(path)


def test_what_is_kept_is_there_until_it_is_resolved(sequences: Sequences, path: Path) -> None:
    """Bytes come back as they were signed, oldest first, to another process too."""
    for statement in (b"first", b"second", b"third"):
        sequences.keep(KID, sequences.allocate(KID), statement)
    sequences.keep(KID, 1, b"first")
    sequences.resolve(KID, 2)
    sequences.resolve(KID, 2)
    other = Sequences.open(path)

    assert [(1, b"first"), (3, b"third")] == other.unresolved(KID)
    assert [] == other.unresolved(OTHER_KID)
    other.close()


def test_a_second_statement_under_one_sequence_is_refused(sequences: Sequences) -> None:
    """The ledger would take only one of them, and nobody could say which."""
    sequences.keep(KID, sequences.allocate(KID), b"first")

    with pytest.raises(OperationalError, match="another statement was signed with sequence 1"):
        sequences.keep(KID, 1, b"second")
    assert [(1, b"first")] == sequences.unresolved(KID)


@pytest.mark.slow
@given(st.lists(st.tuples(st.integers(0, SPAN_MAX), st.integers(0, 3)), max_size=8))
def test_no_statement_that_waits_is_ever_shut_out(steps: list[tuple[int, int]]) -> None:
    """However far others go on and whatever is resolved when, the ledger would still take all that is unresolved."""
    with tempfile.TemporaryDirectory() as folder:
        sequences, newest = Sequences.open(Path(folder) / "sequences.db"), 0
        for by_others, place in steps:
            oldest = min((sequence for sequence, _ in sequences.unresolved(KID)), default=newest)
            newest = min(newest + by_others, oldest + SPAN_MAX)
            sequences.raise_to(KID, newest)
            try:
                newest = sequences.allocate(KID)
                sequences.keep(KID, newest, b"statement")
            except WindowFull:
                sequences.resolve(KID, oldest)
            waiting = [sequence for sequence, _ in sequences.unresolved(KID)]
            assert all(newest - SEQUENCE_WINDOW < sequence <= newest for sequence in waiting)
            for sequence in waiting[place : place + 1]:
                sequences.resolve(KID, sequence)
        sequences.close()


def test_the_span_is_bounded_at_1023(sequences: Sequences) -> None:
    """The number 1,023 above the oldest unresolved is given, the next is not, and nothing is used up by asking."""
    sequences.keep(KID, sequences.allocate(KID), b"oldest")
    sequences.raise_to(KID, SPAN_MAX)

    assert 1 + SPAN_MAX == sequences.allocate(KID)
    for _ in range(2):
        with pytest.raises(WindowFull, match=f"sequence {SPAN_MAX + 2} is not given out while 1 has no outcome"):
            sequences.allocate(KID)
    assert 1 == sequences.allocate(OTHER_KID)
    sequences.resolve(KID, 1)
    assert 2 + SPAN_MAX == sequences.allocate(KID)


def test_the_span_counts_from_the_oldest_not_the_number_of_unresolved(sequences: Sequences) -> None:
    """Resolving all but the oldest gives no room: it is the distance that shuts it out."""
    sequences.keep(KID, sequences.allocate(KID), b"oldest")
    sequences.raise_to(KID, SPAN_MAX)
    newest = sequences.allocate(KID)
    sequences.keep(KID, newest, b"newest")
    sequences.resolve(KID, newest)

    with pytest.raises(WindowFull, match="Send the unresolved statements again"):
        sequences.allocate(KID)


def test_a_number_lost_between_allocation_and_keeping_blocks_nothing(sequences: Sequences) -> None:
    """Only what was kept can be sent, so only that has to stay in the window."""
    sequences.allocate(KID)
    sequences.raise_to(KID, 10 * SPAN_MAX)

    assert 10 * SPAN_MAX + 1 == sequences.allocate(KID)


def test_a_statement_that_fell_out_of_the_window_is_not_kept(sequences: Sequences) -> None:
    """A signer that slept while others went on is told to sign anew, at the bound and one past it."""
    for _ in range(2):
        sequences.allocate(KID)
    sequences.raise_to(KID, 2 + SPAN_MAX)
    sequences.keep(KID, 2, b"just in time")

    with pytest.raises(OperationalError, match="sequence 1 is too far behind 1025: sign with a new one"):
        sequences.keep(KID, 1, b"too late")


def test_a_sequence_that_was_never_given_is_a_bug(sequences: Sequences) -> None:
    """So is a statement that could not be sent, or a key identifier that is none."""
    sequences.allocate(KID)
    for sequence in (0, 2):
        with pytest.raises(InvariantBroken, match="never allocated"):
            sequences.keep(KID, sequence, b"")
    sequences.keep(KID, 1, bytes(STATEMENT_BYTES_MAX))

    with pytest.raises(InvariantBroken, match="512001 bytes"):
        sequences.keep(KID, 1, bytes(STATEMENT_BYTES_MAX + 1))
    with pytest.raises(InvariantBroken, match="identifier of 15 bytes"):
        sequences.allocate(KID[:15])


def test_a_counter_is_raised_and_never_lowered(sequences: Sequences) -> None:
    """After a lost counter the ledger's top is the floor; an old answer changes nothing."""
    sequences.raise_to(KID, 500)
    sequences.raise_to(KID, 3)

    assert 501 == sequences.allocate(KID)


def test_the_last_sequence_is_the_largest_integer(sequences: Sequences) -> None:
    """A key whose numbers are used up is replaced; its counter does not start again."""
    sequences.raise_to(KID, INTEGER_MAX - 1)

    assert INTEGER_MAX == sequences.allocate(KID)
    with pytest.raises(OperationalError, match="register a new key"):
        sequences.allocate(KID)
    for top in (-1, INTEGER_MAX + 1):
        with pytest.raises(InvariantBroken, match="cannot be a sequence"):
            sequences.raise_to(KID, top)


@pytest.mark.slow
def test_racing_threads_never_get_the_same_number(path: Path) -> None:
    """Half of them share a connection, half have one of their own: together they get each number once."""
    shared = Sequences.open(path)
    connections = [shared, shared, *(Sequences.open(path) for _ in range(WORKERS - 2))]
    with ThreadPoolExecutor(WORKERS) as pool:
        given = list(pool.map(lambda one: [one.allocate(KID) for _ in range(ROUNDS)], connections))

    assert list(range(1, WORKERS * ROUNDS + 1)) == sorted(number for numbers in given for number in numbers)
    for connection in connections[1:]:
        connection.close()


ALLOCATE = """
import sys
from pathlib import Path
from cellvow.workspace.sequences import Sequences
sequences = Sequences.open(Path(sys.argv[1]))
sys.stdin.readline()
for _ in range(int(sys.argv[2])):
    print(sequences.allocate(bytes(16)), flush=True)
"""


def start(path: Path, script: str, rounds: int) -> subprocess.Popen[str]:
    """Start a process that waits for a line before it allocates."""
    command = [sys.executable, "-c", script, str(path), str(rounds)]
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ)


@pytest.mark.slow
def test_racing_processes_never_get_the_same_number(path: Path) -> None:
    """They even race for making the file."""
    processes = [start(path, ALLOCATE, ROUNDS) for _ in range(2)]
    for process in processes:
        assert process.stdin
        process.stdin.write("go\n")
        process.stdin.flush()
    given = [int(line) for process in processes for line in process.communicate(timeout=60)[0].split()]

    assert list(range(1, 2 * ROUNDS + 1)) == sorted(given)


KILLED = ALLOCATE + "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"


@pytest.mark.slow
def test_a_process_killed_between_allocation_and_keeping_loses_only_a_number(path: Path) -> None:
    """The number is not given again, nothing is unresolved, and nothing is blocked."""
    process = start(path, KILLED, 1)
    output, _ = process.communicate("go\n", timeout=60)
    sequences = Sequences.open(path)

    assert (-signal.SIGKILL, "1\n") == (process.returncode, output)
    assert [] == sequences.unresolved(KID)
    assert 2 == sequences.allocate(KID)
    sequences.close()
