"""The fault model says of each limit which test shows it, and of each attack who noticed it when it was tried."""

from __future__ import annotations

import re

import pytest

from cellvow.workspace.attacks import ATTACKS, OUTSIDE, RULES
from tests.docs.test_capabilities import NODE_ID, ROOT, faults_of_tests
from tests.integration.test_attacks import NOTICED_BY

PAGE = ROOT / "docs" / "explanation" / "fault-model.md"
COMMANDS = ROOT / "docs" / "reference" / "commands.md"
SHOWN = ("## A consortium of four", "## One writer with witnesses", "## What is not protected")
"""The sections whose every row names what shows it, in its last column."""
PARTIES = (*OUTSIDE, RULES)


def section(text: str, heading: str) -> str:
    """The text below a heading, up to the next one."""
    return text.partition(f"{heading}\n")[2].partition("\n## ")[0]


def rows(text: str) -> list[list[str]]:
    """The cells of a section's table, without its head."""
    lines = [line for line in text.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[1:]]


def faults(text: str) -> list[str]:
    """Rows whose last column is no list of tests that exist, and tests named elsewhere that do not."""
    found = []
    for heading in SHOWN:
        listed = rows(section(text, heading))
        found += [] if listed else [f"{heading} has no rows"]
        found += [f"{row[0]} {fault}" for row in listed for fault in faults_of_tests(row[-1], ROOT)]
    named = " ".join(match.group() for match in NODE_ID.finditer(text))
    return found + faults_of_tests(named, ROOT)


def attack_faults(text: str) -> list[str]:
    """What the table of attacks says otherwise than the test that carries them out."""
    expected = [
        [
            attack.name.replace("_", " "),
            ", ".join(party for party in PARTIES if party in NOTICED_BY[attack.name]),
            attack.gains,
        ]
        for attack in ATTACKS
    ]
    return [str(row) for row in rows(section(text, "## Twelve attacks")) if row not in expected] + [
        name for name, *_ in expected if f"| {name} |" not in text
    ]


def unknown_commands(text: str) -> list[str]:
    """Commands that the page names and the reference does not."""
    known = COMMANDS.read_text(encoding="utf-8")
    return [one for one in re.findall(r"`(cellvow [a-z -]+)`", text) if one not in known]


@pytest.mark.slow
def test_each_limit_names_the_test_that_shows_it() -> None:
    """Every row of what dishonest members can and cannot do, and of what is not protected."""
    assert [] == faults(PAGE.read_text(encoding="utf-8"))


def test_the_page_says_of_each_attack_who_noticed_it() -> None:
    """The same parties as in the test, no more and no fewer, and the same gain."""
    assert [] == attack_faults(PAGE.read_text(encoding="utf-8"))


def test_what_a_reader_is_told_to_run_exists() -> None:
    """Each command stands in the reference of commands."""
    assert [] == unknown_commands(PAGE.read_text(encoding="utf-8"))


def test_nothing_is_called_unchangeable() -> None:
    """The page promises what can be noticed, and no more."""
    words = PAGE.read_text(encoding="utf-8").casefold()

    assert [] == [one for one in ("immutable", "unchangeable", "tamper-proof", "unhackable") if one in words]


@pytest.mark.slow
def test_control_a_row_that_shows_nothing_is_found() -> None:
    """A test that is gone, a party that was not there, and a command that nobody wrote."""
    text = PAGE.read_text(encoding="utf-8")

    assert faults(text.replace("test_a_fork_needs_two_of_four_to_vote_twice", "test_gone"))
    assert faults(text.replace("## A consortium of four", "## Elsewhere"))
    assert attack_faults(text.replace("| roll back | consistency", "| roll back | purchaser, consistency"))
    assert attack_faults(text.replace("| forge state |", "| forge nothing |"))
    assert unknown_commands(text.replace("cellvow witness replay", "cellvow witness dance"))
