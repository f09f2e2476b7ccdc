"""What a member stands on, made worse: a full disk, a clock that is wrong, an older or a dishonest build of ours."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import cellvow
from tests.conftest import find_fault_tools
from tests.fire.namespaces import run

if TYPE_CHECKING:
    from types import TracebackType

BALLAST = "ballast"
OLDER = "\n\nRULESETS = {1: RULESETS[1]}\nNEWEST = 1\n"
CHUNK_READ = "return read_chunk(self._folder, height, index)"


class SmallDisk:
    """A file system of a few megabytes in the place of a folder; a context manager."""

    def __init__(self, folder: Path, size_mb: int = 8) -> None:
        self._folder = folder
        self._size_mb = size_mb

    def __enter__(self) -> SmallDisk:
        aside = self._folder.with_name(f"{self._folder.name}.aside")
        self._folder.rename(aside)
        self._folder.mkdir(mode=0o700)
        run("mount", "-t", "tmpfs", "-o", f"size={self._size_mb}m,mode=700", "cellvow-fire", str(self._folder))
        shutil.copytree(aside, self._folder, dirs_exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        run("umount", "--lazy", str(self._folder))

    def fill(self) -> None:
        """Leave no byte free."""
        with (self._folder / BALLAST).open("ab", buffering=0) as ballast:
            for size in (65_536, 4_096, 1):
                with suppress(OSError):
                    while ballast.write(b"\0" * size):
                        pass

    def clear(self) -> None:
        """Free what was filled."""
        (self._folder / BALLAST).unlink()


def shifted(seconds: int) -> dict[str, str]:
    """The environment of a process whose wall clock is off; what is written in Go does not see it."""
    library = find_fault_tools(os.environ)
    shift = {"LD_PRELOAD": str(library), "FAKETIME": f"{seconds:+d}", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
    return {**os.environ, **shift}


def build_without_ruleset_2(folder: Path) -> dict[str, str]:
    """The environment of processes that run an older build: our own, but for every ruleset after the first."""
    with (_copy(folder) / "core" / "protocol" / "ruleset.py").open("a", encoding="utf-8") as rulesets:
        rulesets.write(OLDER)
    return _environ(folder)


def build_with_lying_chunks(folder: Path) -> dict[str, str]:
    """The environment of processes that run a dishonest build: it changes a byte of every chunk that it serves."""
    place = _copy(folder)
    lie = f"chunk = {CHUNK_READ.removeprefix('return ')}; return chunk[:-1] + bytes([chunk[-1] ^ 1])"
    _replace(place / "node" / "cometbft" / "statesync.py", CHUNK_READ, lie)
    return _environ(folder)


def _copy(folder: Path) -> Path:
    source = Path(cellvow.__file__).parent
    return Path(shutil.copytree(source, folder / "cellvow", ignore=shutil.ignore_patterns("__pycache__")))


def _replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    if text.count(old) != 1:
        raise AssertionError(f"{path} has changed: {old!r} stands there {text.count(old)} times")
    path.write_text(text.replace(old, new), encoding="utf-8")


def _environ(folder: Path) -> dict[str, str]:
    known = os.environ.get("PYTHONPATH")
    return {**os.environ, "PYTHONPATH": str(folder) if not known else f"{folder}{os.pathsep}{known}"}
