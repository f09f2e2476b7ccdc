"""`cellvow witness replay` and `cellvow init witness --replaying`: one says what the other is to be told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cellvow.cli.application import app
from cellvow.node.home import NodeHome
from cellvow.verify import parse_trust
from tests.bundles.chain import make_genesis, seed_of

if TYPE_CHECKING:
    from pathlib import Path

RUNNER = CliRunner()
NAME = "witness.test/north"


def answer(*arguments: object, exit_code: int = 0) -> dict[str, Any]:
    """The JSON answer of a command."""
    result = RUNNER.invoke(app, [*map(str, arguments), "--json"])
    assert exit_code == result.exit_code, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


@pytest.mark.slow
def test_a_replaying_witness_is_named_with_the_command_that_it_prints(tmp_path: Path) -> None:
    """Its ledger named it as a watching one before; the trust file says more of it from then on, and no second time."""
    home = NodeHome.create(tmp_path / "node", make_genesis(), "cellvow.test/named", seed_of("named log"))
    north, trust = tmp_path / "north", home.folder / "trust.json"
    vkey = answer("witness", "init", north, "--name", NAME)["vkey"]
    answer("witness", "add-log", north, "--origin", "cellvow.test/named", "--vkey", home.describe()["log"])
    watching = answer("init", "witness", home.folder, "--vkey", vkey, "--place", north)
    replay = ["witness", "replay", str(north), "--trust", str(trust), "--source", str(home.folder)]
    printed = RUNNER.invoke(app, replay).stdout.splitlines()[-1].split()[1:]
    told = [str(home.folder) if word == "LEDGER" else word for word in printed]
    executing = answer(*told)
    answer(*told, exit_code=5)

    assert ([], [NAME]) == (watching["replaying"], executing["replaying"])
    assert ([NAME], 1) == (executing["witnesses"], executing["quorum"])
    assert [NAME] == executing["checkpoint"]["cosigned_by"]
    assert (NAME,) == parse_trust(trust.read_bytes()).replaying
