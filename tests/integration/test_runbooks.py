"""The runbooks are executed: every command of every page, on the real engine; a page that lies goes red."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cellvow.cli.demonstration import verify_apart
from cellvow.node.home import NodeHome
from cellvow.verify.archive import write_archive
from tests.terminal import Terminal

HOW_TO = Path(__file__).resolve().parents[2] / "docs" / "how-to"
ON_ONE_NETWORK = (
    "README.md",
    "add-a-member.md",
    "lose-a-disk.md",
    "rotate-keys.md",
    "restore-from-archive.md",
    "upgrade.md",
    "new-genesis.md",
)
"""In the order of the list on the first page; the last one ends the network, and is a test of its own."""
BY_ITSELF = "move-to-a-consortium.md"
ON_ONE_WRITER = "invite-a-partner.md"
"""Executed by tests/e2e/test_invitation.py: it needs no engine."""
NEWCOMER = (
    "cellvow init workspace {network}/member-6/workspace --organisation shop --name 'Invented Shop' --role workshop",
    "cellvow network invite {network}/member-1 --output {network}.json",
    "cellvow key rotate -w network/member-2/workspace",
    "cellvow key rotate -w network/member-2/workspace",
    "cellvow network join {network}/member-6 --bootstrap {network}.json {how}",
)
"""Somebody who follows the ledger without a vote: he reads, and neither signs nor validates."""
pytestmark = [pytest.mark.cometbft, pytest.mark.slow]


def follow(terminal: Terminal, network: str, how: str = "") -> str:
    """Let a newcomer follow a network, and say what `fsck` says of his ledger."""
    for command in NEWCOMER:
        answer = terminal.run(command.format(network=network, how=how))
        assert 0 == answer.returncode, answer.stdout + answer.stderr
    terminal.leave_running(f"cellvow network member {network}/member-6")
    waited = terminal.run(f"cellvow network status {network} --wait")
    assert 0 == waited.returncode, waited.stdout + waited.stderr
    return terminal.run(f"cellvow fsck {network}/member-6/ledger").stdout


def test_the_runbooks_do_what_they_say_on_one_network(tmp_path: Path) -> None:
    """A fifth member comes, one loses its disk, keys, versions and rules change: at the end all five agree."""
    with Terminal(tmp_path) as terminal:
        for page in ON_ONE_NETWORK[:-1]:
            terminal.follow(HOW_TO / page)
        # An adopted change takes effect with the next statement, and no block is made for it alone.
        terminal.run("cellvow key rotate -w network/member-3/workspace")
        states = json.loads(terminal.run("cellvow network status network --wait --json").stdout)

    assert [5] * 5 == [one["validators"] for one in states["members"]]
    assert states["agree"]
    store = NodeHome(tmp_path / "network" / "member-4" / "ledger").open_reader()
    try:
        assert 2 == store.head().ruleset
    finally:
        store.close()


@pytest.mark.explore
def test_a_ledger_goes_on_under_a_new_genesis_with_all_its_members(tmp_path: Path) -> None:
    """The last runbook, after all others; newcomers then follow by replaying all, and by a snapshot."""
    with Terminal(tmp_path) as terminal:
        for page in ON_ONE_NETWORK[:-1]:
            terminal.follow(HOW_TO / page)
        replayed = follow(terminal, "network", "--history")
        assert 0 == terminal.run("cellvow network stop network/member-6").returncode
        terminal.follow(HOW_TO / ON_ONE_NETWORK[-1])
        closed = terminal.run("cellvow network member network/member-2")
        joined = follow(terminal, "next")
        states = json.loads(terminal.run("cellvow network status next --json").stdout)

    assert "closed: cellvow-next goes on from it" in " ".join(closed.stderr.split())
    assert "The ledger reproduces" in replayed
    assert "The ledger began with a snapshot" in joined
    assert [5] * 6 == [one["validators"] for one in states["members"]]
    assert states["agree"]
    store = NodeHome(tmp_path / "next" / "member-6" / "ledger").open_reader()
    try:
        predecessor = store.genesis().predecessor
    finally:
        store.close()
    assert predecessor is not None
    assert "cellvow-network" == predecessor.chain_id


def newest_statement(ledger: Path) -> str:
    """The digest of the last statement of a ledger, as `bundle make` takes it."""
    store = NodeHome(ledger).open_reader()
    try:
        block = store.last_block()
        assert block is not None
        return store.statements(block.first_leaf, 1)[0].statement.envelope.digest.hex()
    finally:
        store.close()


def verdicts(folder: Path, bundle: str, trust: str) -> list[bool]:
    """What each of the two verifiers says of a bundle under a trust file: whether it holds."""
    write_archive(folder / "cellvow-verify.pyz")
    said = verify_apart(folder / "cellvow-verify.pyz", folder / bundle, folder / trust, print)
    return [verdict.holds for verdict in said]


def test_a_ledger_of_one_writer_goes_on_as_a_consortium(tmp_path: Path) -> None:
    """Keys sign on; an old bundle holds under the old trust file, a new one under the new, neither otherwise."""
    with Terminal(tmp_path) as terminal:
        terminal.follow(HOW_TO / BY_ITSELF)
        for ledger, bundle in (("node", "old.cvb"), ("consortium/member-1/ledger", "new.cvb")):
            digest = newest_statement(tmp_path / ledger)
            made = terminal.run(f"cellvow bundle {digest} --ledger {ledger} --out {bundle}")
            assert 0 == made.returncode, made.stdout + made.stderr

    assert all(verdicts(tmp_path, "old.cvb", "node/trust.json"))
    assert all(verdicts(tmp_path, "new.cvb", "consortium/trust.json"))
    assert not any(verdicts(tmp_path, "old.cvb", "consortium/trust.json"))
    assert not any(verdicts(tmp_path, "new.cvb", "node/trust.json"))
