"""Our own files as the architecture tests see them: where they are, what they parse to."""

from __future__ import annotations

import ast
import subprocess
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "src" / "cellvow"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@cache
def parse(path: Path) -> ast.Module:
    """Return the syntax tree of a Python file of ours."""
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def python_files(*folders: str) -> list[Path]:
    """Return every Python file below the named folders of the repository, sorted."""
    return sorted(path for folder in folders for path in (ROOT / folder).rglob("*.py"))


def tracked_files() -> list[Path]:
    """Return what belongs to the repository: tracked files and those that would be added, that exist."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


def functions_of(tree: ast.AST) -> Iterator[Function]:
    """Yield every function and method of a syntax tree, nested ones too."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def relative(path: Path) -> str:
    """Return the path as a person names it, from the root of the repository."""
    return path.relative_to(ROOT).as_posix()
