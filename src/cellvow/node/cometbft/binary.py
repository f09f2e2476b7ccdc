"""The stock engine's program: where it lies, and whether it is of the line this was built and measured with."""

import re
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import cellvow
from cellvow.core.primitives.errors import OperationalError

ENGINE_VARIABLE = "CELLVOW_COMETBFT"
"""Environment variable that names the program; what it names is taken or refused, never replaced in silence."""
PROGRAM = "cometbft"
VERSION_MIN = (0, 38, 25)
"""Oldest version taken. Another line (0.37, 1.0) speaks another ABCI, so only 0.38 is."""
ANSWER_S_MAX = 20.0
"""How long the program may take to say its version."""

_VERSION = re.compile(r"v?(\d+)\.(\d+)\.(\d+)")
_REMEDY = (
    "`make network-engine` builds it (it needs Go 1.22.11 or newer, and fetches one where there is none); "
    f"or name yours: {ENGINE_VARIABLE}=PATH"
)


@dataclass(frozen=True, slots=True)
class EngineProgram:
    """The engine as a file that runs, and its version."""

    path: Path
    version: tuple[int, int, int]

    @property
    def version_text(self) -> str:
        """As people write it: `0.38.25`."""
        return ".".join(map(str, self.version))


def find_engine(environ: Mapping[str, str]) -> EngineProgram:
    """The engine: the one named, else on PATH, else built beside these sources, else the user's own.

    Raises `OperationalError`, with what to type, where there is none or it is of another line.
    """
    named = environ.get(ENGINE_VARIABLE)
    if named:
        return examine_engine(Path(named))
    for candidate in _candidates(environ):
        if candidate.is_file():
            return examine_engine(candidate)
    raise OperationalError(f"the engine that orders blocks, {PROGRAM} 0.38, is not on this machine: {_REMEDY}")


def examine_engine(path: Path) -> EngineProgram:
    """The program in a file; raises `OperationalError` unless it runs and is 0.38.25 or a later 0.38."""
    try:
        answer = subprocess.run(  # noqa: S603 - the program the user named or installed, with an argument of ours
            [str(path), "version"], capture_output=True, text=True, check=False, timeout=ANSWER_S_MAX
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        reason = getattr(error, "strerror", None) or "it does not answer"
        raise OperationalError(f"{path} does not run as the engine ({reason}): {_REMEDY}") from error
    version = parse_version(answer.stdout)
    if version is None:
        raise OperationalError(f"{path} does not say its version, so it is not {PROGRAM}: {_REMEDY}")
    if version[:2] != VERSION_MIN[:2] or version < VERSION_MIN:
        needed, found = (".".join(map(str, one)) for one in (VERSION_MIN, version))
        raise OperationalError(f"{path} is {PROGRAM} {found}; {needed} or a later 0.38 is needed: {_REMEDY}")
    return EngineProgram(path.absolute(), version)


def parse_version(text: str) -> tuple[int, int, int] | None:
    """The version that `cometbft version` prints, or None for anything else."""
    found = _VERSION.match(text.strip())
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def _candidates(environ: Mapping[str, str]) -> list[Path]:
    on_path = shutil.which(PROGRAM, path=environ.get("PATH", ""))
    sources = Path(cellvow.__file__).resolve().parents[2]  # where `make network-engine` was run, if it was
    homes = [Path(environ["HOME"])] if environ.get("HOME") else []
    return [
        *([Path(on_path)] if on_path else []),
        sources / ".cache" / "engine" / PROGRAM,
        *(home / ".local" / "share" / "cellvow" / PROGRAM for home in homes),
    ]
