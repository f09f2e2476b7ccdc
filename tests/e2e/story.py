"""The story of the command-line tests: three organisations, a witnessed ledger, one battery from birth to proof."""

from __future__ import annotations

import json
import os
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from typer.testing import CliRunner

import cellvow
from cellvow.cli import app
from cellvow.core.primitives.quantity import UNITS
from tests.unit.evidence.sheets import full_test

if TYPE_CHECKING:
    from collections.abc import Mapping

BATTERY = "01/09506000134376/21/PACK-0001"
GTIN = "09506000134376"
ORIGIN = "story.example/log"
STANDARD = "cellvow:dc-discharge:1"
SCOPE = f"{STANDARD}:{','.join((*UNITS, 'discharge_curve'))}:2999-12-31"
MODEL = ("--category", "ev", "--name", "Pouch 10", "--chemistry", "LMO-graphite", "--rated-ah", "10.5")
LIMITS = ("--voltage-mv", "3000", "3750", "4200", "--mass-g", "800")
ROLES = {"maker": ("manufacturer",), "lab": ("laboratory", "--accreditation", SCOPE), "buyer": ("buyer",)}
RUNNER = CliRunner()
CELLVOW = [sys.executable, "-c", "from cellvow.cli import main; main()"]
ENVIRON = {**os.environ, "PYTHONPATH": str(Path(cellvow.__file__).parents[1])}


@dataclass
class Story:
    """A folder in which commands are run, and what each answered."""

    folder: Path
    said: dict[str, dict[str, Any]] = field(default_factory=dict)

    def run(self, *words: object, code: int = 0) -> Any:  # noqa: ANN401 - typer's result type moved between versions
        """Run a command in this process, check its exit code, and that no traceback was shown."""
        previous = Path.cwd()
        os.chdir(self.folder)
        try:
            result = RUNNER.invoke(app, [str(word) for word in words], env={"COLUMNS": "80"})
        finally:
            os.chdir(previous)
        said = result.stdout + result.stderr

        assert code == result.exit_code, said
        assert "Traceback" not in said
        return result

    def ask(self, *words: object, code: int = 0) -> dict[str, Any]:
        """The same with `--json`: exactly one document on standard output, nothing beside it."""
        result = self.run(*words, "--json", code=code)

        assert "" == result.stderr
        document: dict[str, Any] = json.loads(result.stdout)
        assert (code == 0) is document["ok"]
        return document

    def tell(self, name: str, *words: object) -> dict[str, Any]:
        """Run and keep the document under a name."""
        self.said[name] = self.ask(*words)
        return self.said[name]


def found(story: Story, roles: Mapping[str, tuple[str, ...]] = ROLES) -> None:
    """Three organisations or others, a ledger, a witness."""
    for name, (role, *more) in roles.items():
        naming = ("--organisation", name, "--name", f"The {name}", "--role", role)
        story.tell(f"workspace {name}", "init", "workspace", name, *naming, *more)
    members = [word for name in roles for word in ("--member", f"{name}/member.json")]
    log = story.tell("ledger", "init", "ledger", "node", "--chain-id", "story", "--origin", ORIGIN, *members)["log"]
    for name in roles:
        story.tell(f"join {name}", "init", "join", name, "--ledger", "node")
    vkey = story.tell("witness", "witness", "init", "north", "--name", "witness.example/north")["vkey"]
    story.tell("add-log", "witness", "add-log", "north", "--origin", ORIGIN, "--vkey", log)
    story.tell("name witness", "init", "witness", "node", "--vkey", vkey, "--place", "north")


def live(story: Story) -> None:
    """A battery is born, corrected, measured, certified, declared, handed over."""
    story.tell("model", "battery", "model", GTIN, *MODEL, *LIMITS, "-w", "maker")
    birth = ("--manufactured-on", "2003-05-17", "--facility", "Plant 1", "-w", "maker")
    story.tell("birth", "battery", "new", BATTERY, *birth)
    story.tell("correction", "correct", "birth", BATTERY, "--manufactured-on", "2026-05-17", "-w", "maker")
    (story.folder / "cell.csv").write_bytes(full_test(2).bitrode())
    story.tell("import", "import", "cell.csv", "--battery", BATTERY, "-w", "lab")
    issue = ("--from", story.said["import"]["number"], "--reference", "TEST-1", "-w", "lab")
    certify = ("--certificate", "--standard", STANDARD, "--predicate", "capacity>=9000", "--valid-until", "2999-12-31")
    story.tell("certificate", "attest", BATTERY, *issue, *certify)
    declare = ("--declare", "state_of_health=960", "--reference", "DECL-1", "-w", "maker")
    story.tell("declaration", "attest", BATTERY, *declare)
    story.tell("offer", "handover", "offer", BATTERY, "--to", "buyer", "-w", "maker")
    story.tell("acceptance", "handover", "accept", BATTERY, "-w", "buyer")


def prove(story: Story) -> None:
    """The laboratory shows the buyer its values."""
    certificate = ("--certificate", "TEST-1", "--battery", BATTERY)
    story.tell("bundle", "bundle", *certificate, "--disclose", "all", "-w", "lab", "--out", "certificate.cvb")
    story.tell("received", "bundle", "receive", "certificate.cvb", "-w", "buyer")


def tell_story(folder: Path) -> Story:
    """Tell the whole story in an empty folder."""
    told = Story(folder)
    found(told)
    live(told)
    prove(told)
    return told


def copy_story(story: Story, folder: Path) -> Story:
    """A copy to spoil; its workspaces submit to the copied ledger, which asks the copied witness."""
    shutil.copytree(story.folder, folder)
    copied = Story(folder, dict(story.said))
    for name in ("maker", "lab", "buyer"):
        copied.ask("init", "join", name, "--ledger", "node")
    witnesses = folder / "node" / "witnesses.json"
    there, here = str(story.folder / "north"), str(folder / "north")
    witnesses.write_text(witnesses.read_text(encoding="utf-8").replace(there, here), encoding="utf-8")
    return copied
