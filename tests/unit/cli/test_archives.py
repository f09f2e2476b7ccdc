"""`cellvow archive` and `cellvow witness replay`: what they answer, and how they exit."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cellvow.cli import app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.parsing import parse_interval_ms
from cellvow.node.home import TRUST_FILE
from cellvow.verify.trust import encode_trust
from tests.archive_world import LedgerOnDisk, seed_of

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

RUNNER = CliRunner()


@pytest.fixture
def node(tmp_path: Path) -> Path:
    """A node's folder: 60 leaves, signed, with its trust file."""
    ledger = LedgerOnDisk(tmp_path / "node")
    ledger.grow_to(60)
    ledger.publish()
    ledger.store.close()
    (ledger.folder / TRUST_FILE).write_bytes(encode_trust(ledger.trust))
    (tmp_path / "log.key").write_text(seed_of("log").hex())
    return ledger.folder


def run(*arguments: object, exit_code: int = 0) -> dict[str, Any]:
    """The JSON answer of a command."""
    result = RUNNER.invoke(app, [*map(str, arguments), "--json"])
    assert exit_code == result.exit_code, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def test_export_verify_and_restore_tell_one_story(node: Path, tmp_path: Path) -> None:
    """The same size and root all the way, and who signed."""
    archive, trust = tmp_path / "archive", node / TRUST_FILE
    exported = run("archive", "export", archive, "--ledger", node, "--rehearse")
    verified = run("archive", "verify", archive, "--trust", trust)
    restored = run(
        *("archive", "restore", archive, "--to", tmp_path / "new", "--trust", trust),
        *("--log-key", tmp_path / "log.key"),
    )
    checked = run("fsck", tmp_path / "new")

    assert [60, 60, 60, 60] == [exported["size"], exported["rehearsed_size"], verified["size"], restored["size"]]
    assert exported["root"] == verified["root"]
    assert ["witness.test/a", "witness.test/b", "witness.test/c"] == verified["signed_by"] == restored["signed_by"]
    assert (False, 60) == (restored["is_replica"], checked["checkpoint_size"])


def test_an_archive_that_was_altered_exits_with_one(node: Path, tmp_path: Path) -> None:
    """And names the file; without trust it says that nobody's signature was looked at."""
    archive = tmp_path / "archive"
    run("archive", "export", archive, "--ledger", node, "--public")
    assert run("archive", "verify", archive)["signed_by"] is None
    tile = archive / "tile" / "0" / "000.p" / "60"
    tile.write_bytes(tile.read_bytes()[::-1])

    assert "tile/0/000.p/60" in run("archive", "verify", archive, exit_code=1)["reason"]


def test_without_blocks_nothing_can_be_rehearsed(node: Path, tmp_path: Path) -> None:
    """Two options that make no sense together."""
    run("archive", "export", tmp_path / "a", "--ledger", node, "--public", "--rehearse", exit_code=2)


def test_a_restore_in_words_says_what_is_missing(node: Path, tmp_path: Path) -> None:
    """A replica is called one; where the log key is said to be but is not, that is told too."""
    archive, trust = tmp_path / "archive", node / TRUST_FILE
    run("archive", "export", archive, "--ledger", node)
    arguments = ["archive", "restore", str(archive), "--to", str(tmp_path / "new"), "--trust", str(trust)]
    lost = RUNNER.invoke(app, [*arguments, "--log-key", str(tmp_path / "lost.key")])
    replica = RUNNER.invoke(app, arguments)

    assert 5 == lost.exit_code
    assert "read-only replica" in replica.stdout
    assert "3 of 3: witness.test/a" in replica.stdout


def test_a_witness_is_told_to_execute(node: Path, tmp_path: Path) -> None:
    """It then shows what it executes, from where, and how far it has come."""
    witness = tmp_path / "north"
    run("witness", "init", witness, "--name", "witness.test/north")
    replayed = run("witness", "replay", witness, "--trust", node / TRUST_FILE, "--source", node)
    shown = run("witness", "show", witness)

    assert 60 == replayed["size"]
    assert {"cellvow.test/archived": str(node)} == shown["executes"]


def test_a_schedule_stays_up_and_reports_each_round(node: Path, tmp_path: Path) -> None:
    """Two rounds, each rehearsed, then an interrupt: that is an end, not a failure."""
    arguments = ["archive", "export", str(tmp_path / "archive"), "--ledger", str(node), "--every", "1s"]
    program = "from cellvow.cli import main; main()"
    with subprocess.Popen(
        [sys.executable, "-c", program, *arguments, "--rehearse", "--json"],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        text=True,
    ) as process:
        assert process.stdout is not None
        rounds = [json.loads(process.stdout.readline()) for _ in range(3)][1:]
        process.send_signal(signal.SIGINT)
        process.stdout.read()

    assert 0 == process.returncode
    assert [(True, 60), (True, 60)] == [(one["ok"], one["size"]) for one in rounds]
    assert rounds[0]["rehearsed_ms"] < rounds[1]["rehearsed_ms"]


def test_a_time_is_a_number_and_a_unit() -> None:
    """Seconds to days; nothing else is guessed at."""
    assert [30_000, 600_000, 3_600_000, 86_400_000] == [parse_interval_ms(one) for one in ("30s", "10m", "1h", "1d")]
    for wrong in ("", "1", "h", "0s", "-1h", "1.5h", "1w", "1 h", "1h\n", "1000000s"):
        with pytest.raises(WrongUsage):
            parse_interval_ms(wrong)
