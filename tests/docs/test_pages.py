"""What the documentation shows runs, and what it points at is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])
PYTHON = re.compile(r"^```python\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\]\(([^)#\s]+)(?:#[^)]*)?\)")
COMMAND = re.compile(r"^make ([a-z]+)|`make ([a-z]+)[` ]", re.MULTILINE)


def examples() -> list[tuple[str, str]]:
    """(page, code) of every Python example."""
    return [
        (page.relative_to(ROOT).as_posix(), code)
        for page in PAGES
        for code in PYTHON.findall(page.read_text(encoding="utf-8"))
    ]


def broken_links(page: Path, text: str) -> list[str]:
    """The relative links of a page that lead nowhere."""
    targets = [target for target in LINK.findall(text) if "://" not in target]
    return [target for target in targets if not (page.parent / target).exists()]


@pytest.mark.parametrize(("page", "code"), examples())
def test_a_python_example_runs(page: str, code: str) -> None:
    """Copied from the page and run as it stands."""
    exec(compile(code, page, "exec"), {})  # noqa: S102 - our own documentation


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(page: Path) -> None:
    """Relative links name files of the repository."""
    assert broken_links(page, page.read_text(encoding="utf-8")) == []


def test_a_dead_link_is_found() -> None:
    """Control: the search finds a link to nothing."""
    assert broken_links(ROOT / "README.md", "see [this](docs/nowhere.md)") == ["docs/nowhere.md"]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_every_make_target_named_exists(page: Path) -> None:
    """`make x` in the documentation is a target of the Makefile."""
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    named = {one or other for one, other in COMMAND.findall(page.read_text(encoding="utf-8"))}

    assert named <= targets
