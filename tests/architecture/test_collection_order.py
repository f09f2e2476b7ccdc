"""Both workers of a parallel run must collect the same tests: no test's name may depend on the moment or on chance."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parents[1]
CHANGING = {"compress", "urandom", "token_bytes", "uuid4", "time", "now", "mkdtemp", "random"}
"""Calls whose value differs from one process to the next; `gzip.compress` writes the time unless told `mtime`."""


def changing_parameters(source: str) -> list[int]:
    """Lines where a parametrised value without ids comes from such a call."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not (
            isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "parametrize"
        ):
            continue
        if any(keyword.arg == "ids" for keyword in node.keywords):
            continue
        found += [inner.lineno for inner in ast.walk(node) if isinstance(inner, ast.Call) and _is_changing(inner)]
    return found


def _is_changing(call: ast.Call) -> bool:
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name in CHANGING and not any(keyword.arg == "mtime" for keyword in call.keywords)


@pytest.mark.parametrize("path", sorted(TESTS.rglob("test_*.py")), ids=lambda path: path.relative_to(TESTS).as_posix())
def test_no_name_of_a_test_depends_on_the_moment(path: Path) -> None:
    """A gzip file carries the time it was made: as a parameter it names the test anew every second."""
    assert changing_parameters(path.read_text(encoding="utf-8")) == []


def test_a_changing_parameter_is_found() -> None:
    """Control: the one that was met."""
    source = '@pytest.mark.parametrize("content", [gzip.compress(b"x")])\ndef test_x(content): ...\n'

    assert changing_parameters(source) == [1]
    assert changing_parameters(source.replace('b"x")]', 'b"x", mtime=0)]')) == []
