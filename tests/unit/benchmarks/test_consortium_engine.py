"""The consortium's load on a real engine, of either side."""

from __future__ import annotations

import os
from pathlib import Path
from statistics import median

import pytest

from benchmarks.consortium_load import Pace, load
from benchmarks.consortium_sides import KVSTORE, LEDGER, Plan, Side
from benchmarks.consortium_statements import Pairs, Sayings, prepare
from cellvow.node.cometbft.binary import find_engine


@pytest.mark.slow
@pytest.mark.cometbft
@pytest.mark.parametrize("kind", [LEDGER, KVSTORE])
def test_a_load_is_committed_by_either_side_and_counted(kind: str, tmp_path: Path) -> None:
    """One member each: every transaction has its commit after it was due, and processor time is told."""
    sayings = Sayings()
    with Side(tmp_path / "side", find_engine(os.environ), Plan(kind, members=1)) as side:
        prepare(side, sayings)
        statements = [one for step in sayings.preparation() for one in step] if kind == KVSTORE else sayings.singles(40)
        transactions = Pairs().alike(statements) if kind == KVSTORE else statements
        side.pause()
        side.resume()
        done = load(side, transactions, Pace(100))

    assert len(transactions) == len(done.commits_s) == sum(block.transactions for block in done.blocks)
    assert all(commit > due for due, commit in zip(done.dues_s, done.commits_s, strict=True))
    assert 0 < done.cpu.engines_s
    assert (kind == LEDGER) == (done.cpu.applications_s > 0)
    assert 0 < median(done.commits_s) - median(done.dues_s)
