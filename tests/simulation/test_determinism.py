"""The same blocks give the same app hash: whatever the hash seed, time zone, locale or version of Python."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from cellvow.core.protocol.ruleset import RULESETS
from tests.simulation.replay import tell

ROOT = Path(__file__).resolve().parent.parent.parent
REPLAY = Path(__file__).with_name("replay.py")
VERSIONS = ("python3.11", "python3.12", "python3.13")
SURROUNDINGS = {
    "seed 0, UTC, C": {"PYTHONHASHSEED": "0", "TZ": "UTC", "LC_ALL": "C"},
    "seed 1, Kiritimati, Turkish": {"PYTHONHASHSEED": "1", "TZ": "Pacific/Kiritimati", "LC_ALL": "tr_TR.UTF-8"},
    "seed 4294967295, Apia, German": {
        "PYTHONHASHSEED": "4294967295",
        "TZ": "Pacific/Apia",
        "LC_ALL": "de_DE.UTF-8",
    },
    "seed 7, optimised": {"PYTHONHASHSEED": "7", "PYTHONOPTIMIZE": "2"},
}


def environment(**changed: str) -> dict[str, str]:
    """This process's surroundings with the package importable and some variables changed."""
    import cellvow

    source = str(Path(cellvow.__file__).resolve().parent.parent)
    return {**os.environ, "PYTHONPATH": source, "PYTHONDONTWRITEBYTECODE": "1", **changed}


def replay(interpreter: str, *arguments: str, **changed: str) -> list[str]:
    """What a fresh process of that interpreter prints."""
    command = [interpreter, str(REPLAY), *arguments]
    answer = subprocess.run(
        command, cwd=ROOT, env=environment(**changed), capture_output=True, text=True, check=True, timeout=60
    )
    return answer.stdout.splitlines()


@cache
def expected() -> list[str]:
    """What this process makes of the history."""
    return tell(broken=False)


def interpreters() -> list[str]:
    """This interpreter, and each other version on PATH that has the dependencies of the core."""
    found = {"this": sys.executable}
    for name in VERSIONS:
        path = shutil.which(name)
        version = f"{sys.version_info.major}.{sys.version_info.minor}"
        if path is None or name.endswith(version):
            continue
        works = subprocess.run([path, "-c", "import msgspec, nacl"], capture_output=True, check=False, timeout=60)
        if works.returncode == 0:
            found[name] = path
    return list(found.values())


INTERPRETERS = interpreters()


@pytest.mark.slow
def test_the_history_uses_every_message_type_and_both_ends() -> None:
    """Otherwise agreement would say little."""
    lines = expected()
    accepted = [line for line in lines if '"accepted"' in line]
    rejected = [line for line in lines if '"rejected"' in line]
    events = "\n".join(accepted)

    assert len(accepted) > 140
    assert len(rejected) >= 7
    assert (len(RULESETS[1].handlers), len(RULESETS[2].handlers)) == (18, 23)
    for decided in ("ProposalAdopted", "ProposalRefused", "ProposalWithdrawn", "RecoveryVetoed", "RecoveryCompleted"):
        assert decided in events


@pytest.mark.slow
@pytest.mark.parametrize("surroundings", SURROUNDINGS)
def test_surroundings_do_not_change_the_app_hash(surroundings: str) -> None:
    """Hash seed, time zone, locale and optimisation are no part of the rules."""
    assert replay(sys.executable, **SURROUNDINGS[surroundings]) == expected()


@pytest.mark.slow
@pytest.mark.parametrize("interpreter", INTERPRETERS, ids=lambda path: Path(path).name)
def test_every_python_gives_the_same_app_hash(interpreter: str) -> None:
    """Each version found here that can import the dependencies replays to the same bytes."""
    assert replay(interpreter, PYTHONHASHSEED="99") == expected()


@pytest.mark.slow
def test_a_dependence_on_the_order_of_a_set_is_found() -> None:
    """Control: a history told in the order of a set of strings differs between two hash seeds."""
    answers = [replay(sys.executable, "--broken", PYTHONHASHSEED=seed)[0] for seed in ("1", "2")]

    assert answers[0] != answers[1]
