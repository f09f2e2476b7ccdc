"""A test whose need is missing is left out and counted, or stops the run where it was required."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import ROOT

if TYPE_CHECKING:
    from pathlib import Path

SUITE = """
import pytest

@pytest.mark.data
def test_with_data(): ...

def test_with_the_folder(third_party_data): ...

@pytest.mark.explore
def test_at_full_size(): ...

def test_of_our_own(): ...
"""
USAGE_ERROR = 4


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    """A small repository with our conftest and four tests, beside which there is no data."""
    repository = tmp_path / "repository"
    repository.joinpath("tests").mkdir(parents=True)
    repository.joinpath("tests", "conftest.py").write_bytes((ROOT / "tests" / "conftest.py").read_bytes())
    repository.joinpath("tests", "test_suite.py").write_text(SUITE, encoding="utf-8")
    settings = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    start, end = settings.index("[tool.pytest]"), settings.index("[tool.mypy]")
    repository.joinpath("pyproject.toml").write_text(settings[start:end], encoding="utf-8")
    return repository


def run(suite: Path, *arguments: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in the small repository, where only what `environ` names is found or required."""
    ours = {name: value for name, value in os.environ.items() if not name.startswith(("CELLVOW_", "PYTEST_"))}
    command = [sys.executable, "-m", "pytest", *arguments]
    return subprocess.run(command, cwd=suite, env={**ours, **environ}, capture_output=True, text=True, check=False)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [[], ["-n", "1"]], ids=["one process", "parallel"])
def test_what_is_not_found_is_left_out_and_counted(suite: Path, arguments: list[str]) -> None:
    """The summary names each group left out, how many tests, and what would include them."""
    answer = run(suite, *arguments)

    assert 0 == answer.returncode
    assert "1 passed" in answer.stdout
    assert "skipped" not in answer.stdout
    assert "data: 2 test(s); to include them, set CELLVOW_DATA" in answer.stdout
    assert "explore: 1 test(s); to include them, set CELLVOW_EXPLORE=1" in answer.stdout


@pytest.mark.slow
def test_what_is_found_is_run(suite: Path, tmp_path: Path) -> None:
    """With the data's folder and CELLVOW_EXPLORE nothing is left out."""
    answer = run(suite, CELLVOW_DATA=str(tmp_path), CELLVOW_EXPLORE="1", CELLVOW_REQUIRE="data")

    assert 0 == answer.returncode
    assert "4 passed" in answer.stdout
    assert "not collected" not in answer.stdout


@pytest.mark.slow
def test_what_is_required_and_not_found_stops_the_run(suite: Path) -> None:
    """A gate that requires a group cannot pass without it."""
    answer = run(suite, CELLVOW_REQUIRE="data")

    assert USAGE_ERROR == answer.returncode
    assert "data: not found; set CELLVOW_DATA" in answer.stderr


@pytest.mark.slow
def test_a_misspelt_requirement_stops_the_run(suite: Path) -> None:
    """A group that nobody knows is not taken for a group that is there."""
    answer = run(suite, CELLVOW_REQUIRE="browser,dta")

    assert USAGE_ERROR == answer.returncode
    assert "CELLVOW_REQUIRE names dta" in answer.stderr
