"""Every dependency is locked by hash, in one version, and has its line of reasons."""

from __future__ import annotations

import re
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.architecture.sources import ROOT

LOCKED = re.compile(
    r"^(?P<name>[a-z0-9-]+)==(?P<version>\S+)"
    r"(?P<hashes>[^\n]*\n(?:\s+--hash=sha256:[0-9a-f]{64}(?: \\)?\n)*)",
    re.MULTILINE,
)
REASON = re.compile(r"^\| ([a-z0-9-]+) \| (?:[^|]+ \| ){4}[^|]+ \|$", re.MULTILINE)
LOCKS = ["run", "test"]


def requirement_file(name: str) -> str:
    """Return the text of a file in requirements/."""
    return (ROOT / "requirements" / name).read_text(encoding="utf-8")


def locked_versions(text: str) -> dict[str, str]:
    """Return name -> version of everything a lock pins."""
    return {name: version for name, version, _ in LOCKED.findall(text)}


def unhashed(text: str) -> list[str]:
    """Return what a lock pins without the hash of a file."""
    return [name for name, _, rest in LOCKED.findall(text) if "--hash=sha256:" not in rest]


def direct_dependencies() -> set[str]:
    """Return what we name ourselves, to run and to test."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines = [*project["dependencies"]]
    for name in ("run.in", "test.in"):
        lines += [line for line in requirement_file(name).splitlines() if line and not line.startswith("#")]
    return {Requirement(line).name for line in lines}


def disagreements(run: dict[str, str], test: dict[str, str]) -> list[str]:
    """Return what the tests would not run with in the version that users get."""
    return [name for name, version in run.items() if test.get(name) != version]


def test_tests_run_with_the_versions_that_users_get() -> None:
    """The test lock holds all of the run lock, version by version."""
    run, test = (locked_versions(requirement_file(f"{name}.txt")) for name in LOCKS)

    assert run
    assert [] == disagreements(run, test)


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_package_has_its_hashes(name: str) -> None:
    """Nothing is installed that could be swapped on the way."""
    text = requirement_file(f"{name}.txt")

    assert [] == unhashed(text)


def test_every_named_dependency_is_locked_and_explained() -> None:
    """What we name is in the locks and has its line in docs/dependencies.md; no line explains what is gone."""
    explained = set(REASON.findall((ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")))

    assert direct_dependencies() == explained - {"package"}
    assert set() == direct_dependencies() - locked_versions(requirement_file("test.txt")).keys()


def test_control_a_missing_hash_and_another_version_are_found() -> None:
    """The checks can fail: a line without a hash, another version and a missing package are found."""
    hashed = f"a-b==1.0 \\\n    --hash=sha256:{'0' * 64}\n"

    assert [] == unhashed(hashed)
    assert ["c"] == unhashed(hashed + "c==2.0\n")
    assert ["a", "b"] == disagreements({"a": "1", "b": "1"}, {"a": "2"})
