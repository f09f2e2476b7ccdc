"""docs/reference/http.md is fresh and names every address, every body limit and every problem."""

from __future__ import annotations

from cellvow.api.openapi_operations import OPERATIONS, UNDESCRIBED, UNDESCRIBED_AREAS
from cellvow.web import Problem
from tools.make_http_reference import PAGE, render


def test_the_page_is_fresh() -> None:
    """A stale one is made anew by `python tools/make_http_reference.py`."""
    assert PAGE.read_text("utf-8") == render()


def test_every_address_and_problem_is_on_the_page() -> None:
    """With its limit where it takes a body."""
    page = PAGE.read_text("utf-8")

    for operation in OPERATIONS:
        assert f"### `{operation.method.upper()} {operation.path}`" in page
        assert not operation.body_types or f"at most {operation.body_bytes_max} bytes" in page
    for path in (*UNDESCRIBED, *UNDESCRIBED_AREAS):
        assert f"| `{path}` |" in page
    for problem in Problem:
        assert f"| {problem.text.replace('_', '-')} | {problem.status} |" in page
