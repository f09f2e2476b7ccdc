"""What the page says of members under fire, it says with the module of tests that shows it."""

from __future__ import annotations

import re

from tests.docs.test_capabilities import ROOT

PAGE = ROOT / "docs" / "explanation" / "under-fire.md"
FIRE = ROOT / "tests" / "fire"
_MODULE = re.compile(r"`(tests/fire/test_\w+\.py)`")
_ROW = re.compile(r"^\| (?!---)(?!.*\bshown by\b)(.+) \|$", re.MULTILINE)


def faults(text: str) -> list[str]:
    """Rows that name no module of tests, modules that are not there, and modules that no line names."""
    named = _MODULE.findall(text)
    there = [f"tests/fire/{path.name}" for path in sorted(FIRE.glob("test_*.py"))]
    nameless = [row for row in _ROW.findall(text) if _MODULE.search(row) is None and not row.startswith("one member")]
    gone = [f"{one} is not there" for one in dict.fromkeys(named) if one not in there]
    return [*nameless, *gone, *(f"{one} is not named" for one in there if one not in named)]


def test_every_row_names_the_tests_that_show_it() -> None:
    """And every module of tests under fire stands behind a line of the page."""
    assert [] == faults(PAGE.read_text(encoding="utf-8"))


def test_a_row_without_tests_a_lost_module_and_a_forgotten_one_are_missed() -> None:
    """Control: three changes, three faults."""
    text = PAGE.read_text(encoding="utf-8")
    row = next(one for one in _ROW.findall(text) if "test_twins.py" in one)

    assert 1 == len(faults(text + "\n| does as it likes | nothing | nobody |\n"))
    assert "tests/fire/test_gone.py is not there" in faults(text + "\n`tests/fire/test_gone.py`\n")
    assert "tests/fire/test_twins.py is not named" in faults(text.replace(row, ""))
