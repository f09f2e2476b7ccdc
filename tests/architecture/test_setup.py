"""What a newcomer meets when something is missing: a sentence with a remedy, never a traceback."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import ROOT

if TYPE_CHECKING:
    from pathlib import Path

TOOLS = ["tools/environment.sh", "tools/environment.py", "tools/measurement.py", "requirements/measurement.txt"]
WITHOUT_ENSUREPIP = (
    "import runpy, sys; sys.modules['ensurepip'] = None; sys.argv = ['environment.py', 'run']; "
    "runpy.run_path('tools/environment.py', run_name='__main__')"
)
ARCHIVE = "celljar-0.2.1.tar.gz"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder that holds the tools of the Makefile and nothing else, so that this installation is left alone."""
    for name in TOOLS:
        target = tmp_path / name
        target.parent.mkdir(exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    return tmp_path


def run(clone: Path, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the clone with pip cut off from every index."""
    offline = {**os.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "", **environ}
    return subprocess.run(command, cwd=clone, env=offline, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_a_missing_venv_module_is_named_with_its_remedy(clone: Path) -> None:
    """Debian splits venv off; the message is the line to type."""
    answer = run(clone, sys.executable, "-c", WITHOUT_ENSUREPIP)

    assert 1 == answer.returncode
    assert f"sudo apt install python3.{sys.version_info.minor}-venv" in answer.stderr
    assert "Traceback" not in answer.stderr


def test_a_python_that_is_too_old_is_refused_by_name(clone: Path) -> None:
    """A Python asked for by name is taken or refused, never replaced in silence."""
    answer = run(clone, "sh", "tools/environment.sh", "run", PYTHON="false")

    assert 1 == answer.returncode
    assert "PYTHON=false is not a Python 3.11, 3.12 or 3.13" in answer.stderr


def test_a_machine_without_a_suitable_python_is_told_what_to_install(clone: Path) -> None:
    """Where no Python is found at all, the remedy is named."""
    shell = clone / "bin" / "sh"
    shell.parent.mkdir()
    shell.symlink_to("/bin/sh")
    answer = run(clone, str(shell), "tools/environment.sh", "run", PYTHON="", PATH=str(shell.parent))

    assert 1 == answer.returncode
    assert "no Python 3.11, 3.12 or 3.13 found" in answer.stderr
    assert "apt install python3" in answer.stderr


@pytest.mark.slow
def test_an_unreachable_index_is_said_and_the_demo_goes_on(clone: Path) -> None:
    """Without the real measurement the demo still runs, and says on what."""
    answer = run(clone, sys.executable, "tools/measurement.py")

    assert 0 == answer.returncode
    assert "could not be reached" in answer.stdout
    assert not (clone / ".cache" / "measurement" / ARCHIVE).exists()


@pytest.mark.slow
def test_a_measurement_with_another_hash_stops_the_demo(clone: Path) -> None:
    """An archive of the right name and the wrong content is neither used nor kept."""
    forged = clone / "mirror" / ARCHIVE
    forged.parent.mkdir()
    forged.write_bytes(b"not the measurement")
    answer = run(clone, sys.executable, "tools/measurement.py", PIP_FIND_LINKS=str(forged.parent))

    assert 1 == answer.returncode
    assert "hash is not the pinned one" in answer.stderr
    assert not (clone / ".cache" / "measurement" / ARCHIVE).exists()


@pytest.mark.slow
def test_a_measurement_spoilt_in_the_cache_is_not_taken_for_the_real_one(clone: Path) -> None:
    """The cache is checked by hash on every run; a spoilt archive is removed."""
    cached = clone / ".cache" / "measurement" / ARCHIVE
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"spoilt")
    answer = run(clone, sys.executable, "tools/measurement.py")

    assert "could not be reached" in answer.stdout
    assert not cached.exists()
