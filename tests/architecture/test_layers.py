"""The import contract covers every package there is, and breaks when an arrow is turned round."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import PACKAGE, ROOT

if TYPE_CHECKING:
    from pathlib import Path

LINT = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"


def contract(identifier: str) -> dict[str, object]:
    """Return the import contract of that id as pyproject.toml states it."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    contracts: list[dict[str, object]] = settings["tool"]["importlinter"]["contracts"]
    return next(each for each in contracts if each["id"] == identifier)


def layers_of(identifier: str) -> list[str]:
    """Return the packages named in the layers of a contract, from the top down."""
    layers = contract(identifier)["layers"]
    assert isinstance(layers, list)
    return [name.strip(" ()") for layer in layers for name in layer.replace(":", "|").split("|")]


def modules_in(folder: Path) -> set[str]:
    """Return the packages and modules that lie directly in a folder."""
    found = {path.stem for path in folder.glob("*.py")} - {"__init__"}
    return found | {path.parent.name for path in folder.glob("*/__init__.py")}


def test_every_package_has_its_layer() -> None:
    """No package of ours, of the core neither, is missing from the contract."""
    assert set() == modules_in(PACKAGE) - set(layers_of("house"))
    assert set() == modules_in(PACKAGE / "core") - set(layers_of("core"))
    assert contract("house")["exhaustive"] is True
    assert contract("core")["exhaustive"] is True


def lay_out(folder: Path, modules: dict[str, str]) -> None:
    """Write a small package `cellvow` of modules with the given text, below `folder`."""
    for name, text in {"cellvow": "", **modules}.items():
        package = folder.joinpath(*name.split("."))
        package.mkdir(parents=True, exist_ok=True)
        package.joinpath("__init__.py").write_text(text, encoding="utf-8")
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    start = settings.index("[tool.importlinter]")
    (folder / "pyproject.toml").write_text(settings[start:], encoding="utf-8")


def is_kept(folder: Path) -> bool:
    """Run the import contracts over the package below `folder`; returns whether all are kept."""
    environ = {**os.environ, "PYTHONPATH": str(folder)}
    answer = subprocess.run(
        [sys.executable, "-c", LINT], cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    assert "Contracts:" in answer.stdout, answer.stdout + answer.stderr
    return answer.returncode == 0


ALLOWED = {
    "cellvow.core": "",
    "cellvow.core.primitives": "",
    "cellvow.core.ledger": "import cellvow.core.primitives",
    "cellvow.core.contracts": "import cellvow.core.ledger",
    "cellvow.core.protocol": "import cellvow.core.contracts",
    "cellvow.verify": "import cellvow.core.ledger",
    "cellvow.node": "import cellvow.core.protocol",
    "cellvow.evidence": "import cellvow.core.primitives",
    "cellvow.twin": "import cellvow.evidence",
    "cellvow.workspace": "import cellvow.node, cellvow.verify",
    "cellvow.web": "import cellvow.workspace",
    "cellvow.cli": "import cellvow.web, cellvow.workspace",
}
TURNED_ROUND = {
    "the core knows the node": ("cellvow.core.protocol", "import cellvow.node"),
    "primitives know the ledger": ("cellvow.core.primitives", "import cellvow.core.ledger"),
    "a contract knows the protocol": ("cellvow.core.contracts", "import cellvow.core.protocol"),
    "the verifier executes": ("cellvow.verify", "import cellvow.core.protocol"),
    "the verifier knows the node": ("cellvow.verify", "import cellvow.node"),
    "the node knows the evidence": ("cellvow.node", "import cellvow.evidence"),
    "the node knows the twin": ("cellvow.node", "import cellvow.twin"),
    "the node knows its workspace": ("cellvow.node", "import cellvow.workspace"),
    "the workspace knows a page": ("cellvow.workspace", "import cellvow.web"),
}


@pytest.mark.slow
def test_what_the_house_allows_is_kept(tmp_path: Path) -> None:
    """A package laid out as the architecture draws it keeps every contract."""
    lay_out(tmp_path, ALLOWED)

    assert is_kept(tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize(("module", "text"), TURNED_ROUND.values(), ids=TURNED_ROUND.keys())
def test_control_an_arrow_turned_round_breaks_the_contract(tmp_path: Path, module: str, text: str) -> None:
    """Each forbidden arrow, put in alone, is found."""
    lay_out(tmp_path, {**ALLOWED, module: text})

    assert not is_kept(tmp_path)


@pytest.mark.slow
def test_control_a_package_without_a_layer_breaks_the_contract(tmp_path: Path) -> None:
    """A new package has to be given its place before anything else."""
    lay_out(tmp_path, {**ALLOWED, "cellvow.blockchain": ""})

    assert not is_kept(tmp_path)
