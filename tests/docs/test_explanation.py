"""The explanation says the same as the page that every node shows, and each of its claims names what shows it."""

from __future__ import annotations

import re

import pytest

from cellvow.web.about_page import ABOUT_FAMILIES, ATTACKS, CHAIN, NOT_PROVEN, PROVEN
from cellvow.web.catalogue import load_catalogue
from cellvow.web.tour_stops import STOPS
from tests.docs.test_capabilities import ROOT, faults_of_tests

PAGE = ROOT / "docs" / "explanation" / "what-the-ledger-proves.md"
COMMANDS = ROOT / "docs" / "reference" / "commands.md"
ROW = re.compile(r"^\| (?!claim|-)(.+?) \| (.+?) \| `(.+?)` \|$", re.MULTILINE)
SINGLE = ("title", "lead", "chain_title", "proven_title", "unproven_title", "attacks_title", "attacks_lead", "cost")


def english(key: str) -> str:
    """A text of the page."""
    return load_catalogue("en").template(key)


def page_words() -> str:
    """The document, its lines joined."""
    return " ".join(PAGE.read_text(encoding="utf-8").split())


def missing_sentences(words: str) -> list[str]:
    """The texts of the page that the document lacks."""
    keys = [f"about.{name}" for name in SINGLE]
    for kind, (rows, parts) in ABOUT_FAMILIES.items():
        keys += [f"about.{kind}.{row}.{part}" for row in rows for part in parts]
    return [key for key in keys if english(key) not in words]


def claim_faults(text: str) -> list[str]:
    """What is wrong with the table: a claim without a row, a row without a claim, a test that does not exist."""
    rows = ROW.findall(text)
    claims = [english(f"about.proven.{name}.name") for name in PROVEN]
    claims += [english(f"about.attack.{name}.name") for name in ATTACKS]
    claims += [english(f"stop.{stop.name}.place") for stop in STOPS if stop.is_built]
    faults = [] if claims == [claim for claim, _, _ in rows] else ["the rows are not the claims, in their order"]
    return faults + [f"{claim} {fault}" for claim, shown_by, _ in rows for fault in faults_of_tests(shown_by, ROOT)]


def unknown_tries(text: str) -> list[str]:
    """What the table tells a reader to try and does not exist: a command, or a stop of the tour."""
    known = COMMANDS.read_text(encoding="utf-8")
    stops = {f"/tour/{stop.name}" for stop in STOPS}
    tries = [one for _, _, one in ROW.findall(text)]
    return [one for one in tries if one not in known and one not in stops and one != "python3 cellvow-verify.pyz"]


def test_the_document_says_what_the_page_says() -> None:
    """Every sentence of the page stands in the document, so that the two cannot contradict each other."""
    assert [] == missing_sentences(page_words())


@pytest.mark.slow
def test_every_claim_names_what_shows_it() -> None:
    """Each claim, and each answer of the tour to what would notice a lie, has a test that exists."""
    assert [] == claim_faults(PAGE.read_text(encoding="utf-8"))


def test_what_a_reader_is_told_to_try_is_there() -> None:
    """Commands are documented commands, addresses are stops."""
    assert [] == unknown_tries(PAGE.read_text(encoding="utf-8"))


def test_the_explanation_is_read_in_five_minutes() -> None:
    """At two hundred words a minute, without the table."""
    text = PAGE.read_text(encoding="utf-8").partition("## What shows it")[0]

    assert 400 < len(text.split()) <= 1_000
    assert len(CHAIN) == len(NOT_PROVEN) == 6


@pytest.mark.parametrize("lost", ["a log that only grows", "That a statement is true.", "He plants a key"])
def test_control_a_changed_sentence_is_found(lost: str) -> None:
    """A document that says something else than the page is caught."""
    assert 1 == len(missing_sentences(page_words().replace(lost, "something else")))


@pytest.mark.slow
def test_control_a_claim_without_a_test_is_found() -> None:
    """A row that names no test, and a row that is missing, are caught."""
    text = PAGE.read_text(encoding="utf-8")
    rows = text.splitlines(keepends=True)

    assert claim_faults(text.replace("test_the_whole_ledger_replays", "test_gone"))
    assert claim_faults("".join(line for line in rows if "| Who said it." not in line))
    assert unknown_tries(text.replace("cellvow fsck", "cellvow magic"))
