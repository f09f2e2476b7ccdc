"""`cellvow network watch` and `network fork`: what they ask for, and what they say."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.genesis import encode_genesis
from tests.unit.node.cometbft.test_monitor import GENESIS, FakeMember, look

if TYPE_CHECKING:
    from pathlib import Path

CELLVOW = [sys.executable, "-c", "from cellvow.cli import main; main()"]
pytestmark = pytest.mark.slow
DEAF = ("http://127.0.0.1:9", "http://127.0.0.1:10")
"""Ports where nobody answers."""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command of ours."""
    return subprocess.run([*CELLVOW, "network", *arguments], capture_output=True, text=True, check=False, timeout=60)


def write_genesis(folder: Path) -> str:
    """The file of a genesis with validators."""
    path = folder / "genesis.json"
    path.write_bytes(encode_genesis(GENESIS))
    return str(path)


def test_the_proof_of_a_fork_is_checked_with_the_genesis_alone(tmp_path: Path) -> None:
    """Height, both blocks and who signed both are told; a changed byte is refused."""
    fork = look(a=FakeMember(9), b=FakeMember(9, "other", 4)).look().forks[0]
    path = tmp_path / "fork.proof"
    path.write_bytes(fork.proof)
    answer = run("fork", str(path), "--genesis", write_genesis(tmp_path), "--json")

    assert 0 == answer.returncode, answer.stdout
    told = json.loads(answer.stdout)["fork"]
    assert (4, ["buyer", "lab", "maker"]) == (told["height"], told["organisations"])
    path.write_bytes(fork.proof[:-1] + bytes([fork.proof[-1] ^ 1]))
    assert 0 != run("fork", str(path), "--genesis", write_genesis(tmp_path)).returncode


def test_watching_by_address_needs_the_genesis(tmp_path: Path) -> None:
    """And one folder, or addresses: not both."""
    assert "--genesis" in run("watch", *DEAF).stderr
    assert "name one folder" in run("watch", str(tmp_path), DEAF[0]).stderr


def test_members_that_all_say_nothing_are_no_agreement(tmp_path: Path) -> None:
    """It ends with a sentence and an exit code of its own."""
    answer = run("watch", *DEAF, "--genesis", write_genesis(tmp_path), "--once", "--json")

    assert 5 == answer.returncode
    assert "no member answers" in answer.stdout
