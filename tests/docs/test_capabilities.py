"""docs/capabilities.md names every capability once and claims nothing that no test shows."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "capabilities.md"
IDS = Path(__file__).with_name("capability_ids.txt").read_text(encoding="utf-8").split()
ROW = re.compile(r"^\| ([A-Z]\d{2}) \| (.+?) \| (.+?) \| (.+?) \|$", re.MULTILINE)
NODE_ID = re.compile(r"`(tests/[\w/]+\.py)((?:::\w+)+)(?:\[[^`]*\])?`")


class Capability(NamedTuple):
    """One row of the page."""

    identifier: str
    name: str
    state: str
    shown_by: str


def parse_page(text: str) -> list[Capability]:
    """Return the rows of the page, in its order."""
    return [Capability(*(cell.strip() for cell in row)) for row in ROW.findall(text)]


def id_faults(rows: list[Capability], identifiers: list[str]) -> list[str]:
    """Return what differs between the rows and the list of identifiers, order included."""
    named = [row.identifier for row in rows]
    faults = [f"{each} is missing" for each in identifiers if each not in named]
    faults += [f"{each} is no capability" for each in named if each not in identifiers]
    faults += [f"{each} occurs {named.count(each)} times" for each in sorted(set(named)) if named.count(each) > 1]
    return faults or ([] if named == identifiers else ["the rows are not in the order of the list"])


def defined_names(tree: ast.Module) -> set[str]:
    """Return the tests of a file as pytest names them: `::test_x`, `::TestY::test_x`."""
    names = set()
    for node in tree.body:
        if isinstance(node, ast.FunctionDef):
            names.add(f"::{node.name}")
        elif isinstance(node, ast.ClassDef):
            names |= {f"::{node.name}::{each.name}" for each in node.body if isinstance(each, ast.FunctionDef)}
            names |= {f"::{node.name}::{name}" for name in machine_tests(node)}
        elif isinstance(node, ast.Assign):
            names |= {
                f"::{target.id}::runTest" for target in node.targets if isinstance(target, ast.Name)
            }  # `TestX = Machine.TestCase` of Hypothesis
    return names


def machine_tests(node: ast.ClassDef) -> set[str]:
    """Return the test that a class inherits from a Hypothesis state machine's `TestCase`."""
    return {"runTest"} if any(ast.unparse(base).endswith(".TestCase") for base in node.bases) else set()


def faults_of_tests(shown_by: str, root: Path) -> list[str]:
    """Return what is wrong with the tests a row names: none at all, or one that does not exist."""
    nodes = NODE_ID.findall(shown_by)
    if not nodes:
        return ["names no test"]
    faults = [] if not NODE_ID.sub("", shown_by).strip(" ,") else [f"is not a list of tests: {shown_by}"]
    for file, name in nodes:
        path = root / file
        if not path.is_file():
            faults.append(f"names {file}, which does not exist")
        elif name not in defined_names(ast.parse(path.read_text(encoding="utf-8"))):
            faults.append(f"names {name[2:]}, which {file} does not define")
    return faults


def row_faults(row: Capability, root: Path = ROOT) -> list[str]:
    """Return what a row claims and does not show."""
    state, _, reason = row.state.partition(": ")
    if state in {"works", "partly"}:
        return [f"{row.identifier} {fault}" for fault in faults_of_tests(row.shown_by, root)]
    if state not in {"not yet", "declined"}:
        return [f"{row.identifier} has the unknown state {row.state}"]
    faults = [] if row.shown_by == "-" else [f"{row.identifier} is {state} and still names {row.shown_by}"]
    if state == "declined" and len(reason.split()) < 3:
        faults.append(f"{row.identifier} is declined without a reason")
    return faults


def test_every_capability_has_its_row() -> None:
    """Each identifier of our list is there exactly once, in the list's order."""
    rows = parse_page(PAGE.read_text(encoding="utf-8"))

    assert [] == id_faults(rows, IDS)


@pytest.mark.data
def test_our_list_of_capabilities_is_the_given_one(third_party_data: Path) -> None:
    """The identifiers we keep are those of the list that the product answers to, beside the data's folder."""
    lines = (third_party_data.parent / "capabilities.tsv").read_text(encoding="utf-8").splitlines()

    assert [line.split("\t")[0] for line in lines[1:]] == IDS


def test_no_capability_is_claimed_without_a_test() -> None:
    """What works or partly works names tests that exist; what is declined says why."""
    rows = parse_page(PAGE.read_text(encoding="utf-8"))

    assert [] == [fault for row in rows for fault in row_faults(row)]


def test_control_missing_repeated_foreign_and_disordered_rows_are_found() -> None:
    """Each way the rows can differ from the list is found."""
    a, b = Capability("A01", "x", "not yet", "-"), Capability("A02", "y", "not yet", "-")

    assert [] == id_faults([a, b], ["A01", "A02"])
    assert ["A02 is missing"] == id_faults([a], ["A01", "A02"])
    assert ["A02 is no capability"] == id_faults([a, b], ["A01"])
    assert ["A01 occurs 2 times"] == id_faults([a, a, b], ["A01", "A02"])
    assert ["the rows are not in the order of the list"] == id_faults([b, a], ["A01", "A02"])


CONTROLS = [
    ("works", "-", "names no test"),
    ("works", "trust me", "names no test"),
    ("partly", "`tests/test_gone.py::test_x`", "does not exist"),
    ("works", "`tests/test_here.py::test_y`", "does not define"),
    ("works", "`tests/test_here.py::test_x` and more", "is not a list of tests"),
    ("not yet", "`tests/test_here.py::test_x`", "still names"),
    ("declined", "-", "without a reason"),
    ("declined: no", "-", "without a reason"),
    ("nearly", "-", "unknown state"),
]


@pytest.mark.parametrize(("state", "shown_by", "fault"), CONTROLS)
def test_control_each_empty_claim_is_found(tmp_path: Path, state: str, shown_by: str, fault: str) -> None:
    """A claim without a test, with a test that is not there, or a refusal without a reason is found."""
    tmp_path.joinpath("tests").mkdir()
    tmp_path.joinpath("tests", "test_here.py").write_text("def test_x(): ...\n", encoding="utf-8")

    found = row_faults(Capability("A01", "x", state, shown_by), tmp_path)

    assert len(found) == 1
    assert fault in found[0]


def test_a_claim_whose_test_exists_is_accepted(tmp_path: Path) -> None:
    """Functions, methods, parametrised cases and Hypothesis machines are found where they are defined."""
    tmp_path.joinpath("tests").mkdir()
    source = "def test_x(): ...\nclass TestY:\n    def test_z(self): ...\nTestMachine = Machine.TestCase\n"
    tmp_path.joinpath("tests", "test_here.py").write_text(source, encoding="utf-8")
    names = ("test_x", "test_x[a-b]", "TestY::test_z", "TestMachine::runTest")
    shown_by = " ".join(f"`tests/test_here.py::{name}`" for name in names)

    assert [] == row_faults(Capability("A01", "x", "partly: one actor", shown_by), tmp_path)
