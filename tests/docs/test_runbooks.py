"""The list of runbooks is the folder's, all are executed, and what executes them finds a page that lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.integration.test_runbooks import BY_ITSELF, HOW_TO, ON_ONE_NETWORK, ON_ONE_WRITER
from tests.terminal import PageIsWrongError, Step, Terminal, parse_steps

if TYPE_CHECKING:
    from pathlib import Path

OF_A_LIFE = "second-life.md"
"""About units and no network: it needs no engine, and is executed here."""
OF_A_WORKSHOP = "work-without-network.md"
"""Likewise."""
PAGES = sorted(path.name for path in HOW_TO.glob("*.md"))


def page(folder: Path, *lines: str) -> Path:
    """A page with one block of these lines."""
    path = folder / "page.md"
    path.write_text("\n".join(["Do this:", "", "```console", *lines, "```", ""]), encoding="utf-8")
    return path


def test_every_runbook_is_executed_in_the_order_of_the_list() -> None:
    """A page that is not in the list, or not executed, could say anything."""
    listed = (HOW_TO / "README.md").read_text(encoding="utf-8")
    alone = (BY_ITSELF, OF_A_LIFE, ON_ONE_WRITER, OF_A_WORKSHOP)
    places = [listed.index(f"({name})") for name in (*ON_ONE_NETWORK[1:], *alone)]

    assert sorted((*ON_ONE_NETWORK, *alone)) == PAGES
    assert sorted(places) == places


@pytest.mark.parametrize("name", PAGES)
def test_every_shell_block_of_a_runbook_is_one_that_is_executed(name: str) -> None:
    """No command hides in a block of another kind."""
    text = (HOW_TO / name).read_text(encoding="utf-8")
    opened = [line.strip() for line in text.splitlines() if line.strip().startswith("```") and line.strip() != "```"]

    assert parse_steps(text)
    assert ["```console"] * len(opened) == opened


@pytest.mark.slow
def test_a_second_life_and_its_end_are_lived_as_the_page_says(tmp_path: Path) -> None:
    """From a pack to a storage unit in another company, to a passport that ceased and a number that is seen again."""
    with Terminal(tmp_path) as terminal:
        terminal.follow(HOW_TO / OF_A_LIFE)


@pytest.mark.slow
def test_a_workshop_works_without_network_as_the_page_says(tmp_path: Path) -> None:
    """What is signed out of reach is sent once."""
    with Terminal(tmp_path) as terminal:
        terminal.follow(HOW_TO / OF_A_WORKSHOP)


def test_a_step_is_a_command_with_what_it_answers() -> None:
    """Also in an indented block of a list."""
    text = "1. So:\n\n   ```console\n   $ one\n   answer of one\n   more\n   $ two &\n   ```\n"

    assert [Step("one", ("answer of one", "more")), Step("two &", ())] == parse_steps(text)


@pytest.mark.slow
def test_control_a_page_that_lies_is_found(tmp_path: Path) -> None:
    """A command that fails, one that says something else, one that does not stay up, and a page without commands."""
    with Terminal(tmp_path) as terminal:
        terminal.follow(page(tmp_path, "$ WORD=$(echo hello)", "$ echo $WORD  you", "hello you"))
        for lines in (["$ false"], ["$ echo hello", "goodbye"], ["$ false &"], []):
            with pytest.raises(PageIsWrongError):
                terminal.follow(page(tmp_path, *lines))
