"""kill -9 at any moment: nothing acknowledged is lost, and the ledger replays."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import apsw
import pytest

from cellvow.core.ledger.key import parse_sequence_record, sequence_record_key
from cellvow.core.primitives.errors import OperationalError, VerificationError
from cellvow.core.primitives.signature import derive_key_id
from cellvow.node.fsck import check_ledger
from cellvow.node.store import LEDGER_FILE, LedgerStore
from tests.bundles.chain import Chain, model, public_of, registration

if TYPE_CHECKING:
    from collections.abc import Sequence

ROUNDS = 60 if os.environ.get("CELLVOW_EXPLORE") == "1" else 8
ROOT = Path(__file__).resolve().parents[2]


def begin(folder: Path) -> None:
    """A ledger with the maker's key and a model."""
    chain = Chain(folder)
    chain.submit("key", chain.signer.single("maker root", "maker", registration("maker", "maker key")))
    chain.submit("model", chain.signer.single("maker key", "maker", model()))
    chain.close()


def write_until_killed(folder: Path, first: int, sequence: int, lines: int) -> list[str]:
    """Digests acknowledged by a writer that is killed once it has acknowledged so many."""
    command = [sys.executable, "-m", "tests.simulation.ledger_under_kill", str(folder), str(first), str(sequence)]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    child = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)
    acknowledged = []
    assert child.stdout is not None
    for line in child.stdout:
        acknowledged.append(line.split()[0])
        if len(acknowledged) == lines:
            child.send_signal(signal.SIGKILL)
            break
    acknowledged += [line.split()[0] for line in child.stdout if line.endswith("\n")]
    child.stdout.close()
    child.wait(timeout=60)
    return acknowledged


def top_sequence(store: LedgerStore) -> int:
    """The highest sequence the ledger has seen of the maker's key."""
    value = store.get(sequence_record_key(derive_key_id(public_of("maker key"))))
    return 0 if value is None else parse_sequence_record(value).top


def missing(store: LedgerStore, digests: Sequence[str]) -> list[str]:
    """Which of the acknowledged statements the ledger does not hold."""
    return [digest for digest in digests if store.statement_of_digest(bytes.fromhex(digest)) is None]


@pytest.mark.slow
def test_a_killed_writer_loses_nothing_it_acknowledged(tmp_path: Path) -> None:
    """Killed round after round at a random moment: every acknowledged statement is there, and all replays."""
    folder, rng = tmp_path / "ledger", random.Random(7)
    acknowledged: list[str] = []
    begin(folder)
    for _ in range(ROUNDS):
        reader = LedgerStore.open_reader(folder)
        first, sequence = len(acknowledged) + 5_000, top_sequence(reader) + 1
        reader.close()
        acknowledged += write_until_killed(folder, first, sequence, rng.randrange(1, 40))
        reader = LedgerStore.open_reader(folder)

        assert missing(reader, acknowledged) == []
        check_ledger(reader)
        reader.close()


def test_a_ledger_that_lost_its_last_blocks_is_found_out(tmp_path: Path) -> None:
    """Control: were an acknowledged block lost, this suite would see it."""
    folder = tmp_path / "ledger"
    begin(folder)
    reader = LedgerStore.open_reader(folder)
    last = reader.last_block()
    assert last is not None
    digest = reader.statements(last.first_leaf, 1)[0].statement.envelope.digest.hex()
    reader.close()
    connection = apsw.Connection(str(folder / LEDGER_FILE))
    connection.execute("DELETE FROM statement WHERE height=?; DELETE FROM block WHERE height=?", (last.height,) * 2)
    connection.close()
    reader = LedgerStore.open_reader(folder)

    assert missing(reader, [digest]) == [digest]
    with pytest.raises(VerificationError):
        check_ledger(reader)
    reader.close()


def test_a_weaker_way_of_writing_is_refused_at_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`synchronous=NORMAL` passes every kill test and loses data when power fails: the store reads the level back."""
    folder = tmp_path / "ledger"
    begin(folder)
    real = apsw.Connection

    class Weak(real):  # type: ignore[valid-type,misc]  # the connection class, weakened
        def execute(self, statements: str, *arguments: object) -> object:
            return super().execute(statements.replace("synchronous=FULL", "synchronous=NORMAL"), *arguments)

    monkeypatch.setattr(apsw, "Connection", Weak)

    with pytest.raises(OperationalError, match="only WAL with FULL"):
        LedgerStore.open_writer(folder)


@pytest.mark.slow
def test_two_writers_started_at_once_never_both_write(tmp_path: Path) -> None:
    """The second process is refused while the first lives, and may write once it is gone."""
    folder = tmp_path / "ledger"
    begin(folder)
    first = LedgerStore.open_writer(folder)
    script = (
        "import sys; from pathlib import Path; from cellvow.node.store import LedgerStore, LedgerLocked\n"
        "try:\n    LedgerStore.open_writer(Path(sys.argv[1]))\nexcept LedgerLocked as error:\n    print(error)\n"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", script, str(folder)]
    second = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)
    first.close()
    third = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=60)

    assert f"process {os.getpid()}" in second.stdout
    assert third.stdout == ""
