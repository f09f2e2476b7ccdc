"""Sizes we hold ourselves to; medians take care of themselves, tails do not."""

from __future__ import annotations

import ast
from typing import TYPE_CHECKING

import pytest

from tests.architecture.sources import Function, functions_of, parse, python_files, relative

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

FUNCTION_LINES_MAX = 60
FUNCTION_LINES_P90_MAX = 22
FILE_LINES_MAX = 500
ARGUMENTS_MAX = 6

FILES = python_files("src", "tests", "tools", "benchmarks")


def function_lines(function: Function) -> int:
    """Return how many lines the function spans, docstring and decorators included."""
    first = min([function.lineno, *(decorator.lineno for decorator in function.decorator_list)])
    return (function.end_lineno or first) - first + 1


def code_lines(function: Function) -> int:
    """Return the lines of the function without its docstring, as measured in the projects we learn from."""
    docstring = function.body[0] if ast.get_docstring(function) is not None else None
    spoken = (docstring.end_lineno or docstring.lineno) - docstring.lineno + 1 if docstring else 0
    return function_lines(function) - spoken


def argument_count(function: Function) -> int:
    """Return how many arguments the function takes, not counting self or cls."""
    named = [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]
    return sum(argument.arg not in {"self", "cls"} for argument in named)


def percentile_90(lengths: Sequence[int]) -> int:
    """Return the length that nine of ten do not exceed."""
    ordered = sorted(lengths)
    return ordered[max(0, -(-len(ordered) * 9 // 10) - 1)]


def oversized(tree: ast.Module, lines: int) -> list[str]:
    """Return a line for each tail that is too long in one file."""
    found = [f"{lines} lines in the file"] if lines > FILE_LINES_MAX else []
    for function in functions_of(tree):
        if function_lines(function) > FUNCTION_LINES_MAX:
            found.append(f"{function.name}: {function_lines(function)} lines")
        if argument_count(function) > ARGUMENTS_MAX:
            found.append(f"{function.name}: {argument_count(function)} arguments")
    return found


@pytest.mark.parametrize("path", FILES, ids=relative)
def test_no_function_and_no_file_is_too_long(path: Path) -> None:
    """Functions fit a screen, files a sitting, arguments a memory."""
    lines = len(path.read_text(encoding="utf-8").splitlines())

    assert [] == oversized(parse(path), lines)


def test_nine_of_ten_functions_of_the_product_are_short() -> None:
    """The 90th percentile of function length in src stays where good projects have it."""
    lengths = [code_lines(function) for path in python_files("src") for function in functions_of(parse(path))]

    assert percentile_90(lengths or [0]) <= FUNCTION_LINES_P90_MAX


def test_control_a_long_function_is_found() -> None:
    """One line more than allowed is found, the allowed length is not."""
    fits = "def f():\n" + "    x = 1\n" * (FUNCTION_LINES_MAX - 1)

    assert [] == oversized(ast.parse(fits), 1)
    assert ["f: 61 lines"] == oversized(ast.parse(fits + "    x = 1\n"), 1)


def test_control_a_long_file_is_found() -> None:
    """One line more than allowed is found, the allowed length is not."""
    assert [] == oversized(ast.parse(""), FILE_LINES_MAX)
    assert ["501 lines in the file"] == oversized(ast.parse(""), FILE_LINES_MAX + 1)


def test_control_too_many_arguments_are_found() -> None:
    """A seventh argument is found; self does not count."""
    assert [] == oversized(ast.parse("def f(self, a, b, c, *, d, e, f): ..."), 1)
    assert ["f: 7 arguments"] == oversized(ast.parse("def f(a, b, c, *, d, e, f, g): ..."), 1)


def test_control_the_percentile_sees_the_tail() -> None:
    """Nine of ten is an upper bound of nine in ten values, no average."""
    assert 1 == percentile_90([1] * 9 + [100])
    assert 100 == percentile_90([1] * 8 + [100, 100])
