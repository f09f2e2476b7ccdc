"""A test runs or is not collected for a reason the summary states; none is skipped or expected to fail."""

from __future__ import annotations

import ast

import pytest

from tests.architecture.sources import parse, python_files, relative

SKIPPING = {"skip", "skipif", "xfail", "importorskip", "skipTest", "SkipTest", "expectedFailure", "skipUnless"}


def skips_in(tree: ast.AST) -> list[str]:
    """Return a line for each way around running a test."""
    found = []
    for node in ast.walk(tree):
        names = [node.attr] if isinstance(node, ast.Attribute) else []
        names += [alias.name for alias in node.names] if isinstance(node, ast.ImportFrom) else []
        found += [f"line {getattr(node, 'lineno', 0)}: {name}" for name in names if name in SKIPPING]
    return found


@pytest.mark.slow
def test_no_test_is_skipped() -> None:
    """No test says skip, xfail or importorskip."""
    found = {relative(path): skips for path in python_files("tests") if (skips := skips_in(parse(path)))}

    assert {} == found


CONTROLS = [
    "@pytest.mark.skip\ndef test_x(): ...",  # text for the checker to find, never run
    "@pytest.mark.skipif(True, reason='x')\ndef test_x(): ...",  # text for the checker to find, never run
    "@pytest.mark.xfail\ndef test_x(): ...",  # text for the checker to find, never run
    "pytest.skip('x')",  # text for the checker to find, never run
    "pytest.importorskip('numpy')",  # text for the checker to find, never run
    "from pytest import skip",  # text for the checker to find, never run
    "class T(TestCase):\n    def test_x(self):\n        self.skipTest('x')",  # text for the checker to find, never run
]


@pytest.mark.parametrize("source", CONTROLS)
def test_control_each_way_of_skipping_is_found(source: str) -> None:
    """The check can fail: each way around running a test is found."""
    assert skips_in(ast.parse(source))
