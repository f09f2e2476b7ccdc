"""Sheets and own units on the command line: judged first, refused whole while a row has a fault, gone on with."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cellvow.cli import app
from cellvow.workspace.workspace import Workspace
from tests.unit.desk_world import BATTERY, GTIN, DeskWorld

if TYPE_CHECKING:
    from typer.testing import Result

pytestmark = pytest.mark.slow

HEADING = "battery,manufactured_on,facility"
GOOD, BAD = f"01/{GTIN}/21/C-1,2026-05-17,Plant 1", f"01/{GTIN}/21/C-2,2026-02-30,Plant 1"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A ledger with a maker and a buyer."""
    DeskWorld.found(tmp_path / "world").close()
    return tmp_path / "world"


def cellvow(*arguments: str | Path) -> Result:
    """Run a command."""
    return CliRunner().invoke(app, [str(one) for one in arguments])


def document(*arguments: str | Path) -> dict[str, Any]:
    """Run it with `--json`; what it says."""
    said: dict[str, Any] = json.loads(cellvow(*arguments, "--json").stdout)
    return said


def sheet(folder: Path, *lines: str) -> Path:
    """A file with these lines."""
    path = folder / "sheet.csv"
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def rows_of(path: Path) -> list[dict[str, str]]:
    """A CSV file, read."""
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def leaves(folder: Path) -> int:
    """How large the ledger is."""
    workspace = Workspace(folder / "maker")
    store = workspace.home().open_reader()
    size = store.head().log.size
    store.close()
    workspace.close()
    return size


def test_threat_a_dry_run_on_the_command_line_signs_something(folder: Path) -> None:
    """Neither it nor a sheet with a fault signs anything; control: --only-ready does."""
    path, maker, before = sheet(folder, HEADING, GOOD, BAD), folder / "maker", leaves(folder)
    dry = cellvow("battery", "import", path, "--dry-run", "-w", maker)
    refused = cellvow("battery", "import", path, "-w", maker)
    untouched = leaves(folder)
    signed = cellvow("battery", "import", path, "--only-ready", "-w", maker, "--results", folder / "out.csv")
    results = rows_of(folder / "out.csv")

    assert [1, 1, 1] == [dry.exit_code, refused.exit_code, signed.exit_code]
    assert "dry run: nothing is signed" in " ".join(dry.stdout.split())
    assert "manufactured_on is a day" in " ".join(dry.stdout.split())
    assert "--only-ready" in refused.stdout
    assert before == untouched < leaves(folder)
    assert [("2", "recorded"), ("3", "day")] == [(row["line"], row["state"]) for row in results]


def test_a_sheet_of_offers_is_made_and_accepted(folder: Path) -> None:
    """Both sides with a sheet; the buyer then lists the unit as its own."""
    offers = sheet(folder, "battery,addressee,registers", f"{BATTERY},buyer,custody")
    made = document("handover", "import", offers, "-w", folder / "maker")
    answered = document(
        "handover", "import", sheet(folder, "battery", BATTERY), "--as", "accept", "-w", folder / "buyer"
    )
    listed = document("battery", "list", "--mine", "-w", folder / "buyer")

    assert [{"recorded": 1}, {"recorded": 1}] == [made["counts"], answered["counts"]]
    assert [BATTERY] == [one["battery"] for one in listed["batteries"]]
    assert ["custody"] == list(listed["batteries"][0]["since_ms"])


def test_own_units_are_listed_found_and_written(folder: Path) -> None:
    """By a part of the serial, and all of them as CSV."""
    cellvow("battery", "import", sheet(folder, HEADING, GOOD), "-w", folder / "maker")
    found = document("battery", "list", "--mine", "--find", "c-1", "-w", folder / "maker")
    shown = cellvow("battery", "list", "--mine", "-w", folder / "maker")
    written = document("battery", "list", "--mine", "--csv", folder / "units.csv", "-w", folder / "maker")
    rows = rows_of(folder / "units.csv")

    assert ["C-1"] == [one["serial"] for one in found["batteries"]]
    assert "all three" in shown.stdout
    assert (2, ["C-1", "PACK-0001"]) == (written["units"], [row["serial"] for row in rows])
    assert 2 == cellvow("battery", "list", "--csv", folder / "x.csv", "-w", folder / "maker").exit_code


def test_a_file_that_is_no_sheet_ends_in_a_sentence(folder: Path) -> None:
    """It names what is missing, and no traceback is shown."""
    result = cellvow("battery", "import", sheet(folder, "a,b", "1,2"), "-w", folder / "maker")

    assert result.exit_code != 0
    assert "manufactured_on" in result.output
    assert "Traceback" not in result.output
