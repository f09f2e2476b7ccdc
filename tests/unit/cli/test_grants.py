"""`cellvow grant` and `cellvow battery new --reconstructed`: what they print, write, refuse - and never say again."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from cellvow.cli import app
from cellvow.passport.view import OWNER
from cellvow.workspace import clock
from cellvow.workspace.granting import PurchaserLinks
from cellvow.workspace.passports import PassportReader
from tests.unit.workspace.deal import BATTERY, GTIN, OTHER_BATTERY, START_MS, Deal, strike_deal

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from typer.testing import Result

RUNNER = CliRunner()
NOW = START_MS + 1_000
ORIGIN = "https://passports.example"
DAY_MS = 86_400_000


@pytest.fixture
def deal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deal]:
    """A deal; commands run a second after it."""
    struck = strike_deal(tmp_path, monkeypatch)
    monkeypatch.setattr(clock, "now_ms", lambda: NOW)
    yield struck
    struck.close()


def run(deal: Deal, *words: str, who: str = "buyer") -> Result:
    """A command on a workspace of the deal."""
    return RUNNER.invoke(app, [*words, "--workspace", str(deal.home.folder.parent / who)])


def document(deal: Deal, *words: str, who: str = "buyer") -> dict[str, Any]:
    """What a command that succeeds answers to a script."""
    result = run(deal, *words, "--json", who=who)
    assert 0 == result.exit_code, result.output
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def issue(deal: Deal, *words: str) -> dict[str, Any]:
    """A link that shows health."""
    return document(deal, "grant", "issue", BATTERY, "--scope", "health", *words)


def test_a_link_is_told_once_and_opens_the_battery(deal: Deal) -> None:
    """Its path, joined to the site if one is named; afterwards no command says it again."""
    issued = issue(deal, "--origin", ORIGIN, "--days", "14", "--note", "offer 17")
    token = issued["link"].removeprefix(f"{ORIGIN}/g/")
    links = PurchaserLinks(deal.home, deal.buyer, lambda: NOW)
    listed, logged = document(deal, "grant", "list"), document(deal, "grant", "log")

    assert (BATTERY, 14 * DAY_MS // 1000) == links.enter(token)
    assert ("offer 17", ["health"], "in_force") == tuple(
        listed["grants"][0][name] for name in ("note", "scope", "state")
    )
    assert token not in json.dumps([listed, logged])


def test_without_a_site_the_path_of_the_link_is_told(deal: Deal) -> None:
    """People learn that it is a path."""
    result = run(deal, "grant", "issue", BATTERY, "--scope", "health", "--scope", "history")

    assert 0 == result.exit_code
    assert "health and history" in result.stdout
    assert "\n  /g/" in result.stdout
    assert "--origin" in result.stdout


def test_a_code_is_a_picture_that_its_owner_alone_may_read(deal: Deal, tmp_path: Path) -> None:
    """An SVG that stands alone, mode 0600, which does not spell the link out."""
    path = tmp_path / "link.svg"
    issued = issue(deal, "--origin", ORIGIN, "--qr", str(path))
    drawn = path.read_text(encoding="utf-8")

    assert drawn.startswith('<svg xmlns="http://www.w3.org/2000/svg"')
    assert issued["link"].rpartition("/")[2] not in drawn
    assert 0o600 == path.stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--qr", "{folder}/link.svg"), "name the site with --origin"),
        (("--origin", ORIGIN, "--qr", "{folder}/taken.svg"), "name a new file"),
        (("--origin", ORIGIN, "--qr", "{folder}/nowhere/link.svg"), "name a new file"),
        (("--days", "367"), "366"),
        (("--scope", "everything"), "everything"),
    ],
)
def test_wrong_usage_makes_no_link(words: tuple[str, ...], sentence: str, deal: Deal, tmp_path: Path) -> None:
    """A link whose code could not be written would be lost: it is not made."""
    (tmp_path / "taken.svg").touch()
    result = run(
        deal, "grant", "issue", BATTERY, "--scope", "health", *(word.format(folder=tmp_path) for word in words)
    )

    assert 2 == result.exit_code
    assert sentence in result.stderr
    assert [] == deal.buyer.grants.grants()


def test_who_does_not_own_the_battery_makes_no_link(deal: Deal) -> None:
    """The owner is named, and what to do."""
    result = run(deal, "grant", "issue", BATTERY, "--scope", "health", who="maker")

    assert 5 == result.exit_code
    assert "owned by buyer" in result.stderr


def test_a_revoked_link_is_shown_as_such(deal: Deal) -> None:
    """Ended at once; what it was opened before is told."""
    number = issue(deal)["grant"]["grant_id"]
    result = run(deal, "grant", "revoke", number)

    assert 0 == result.exit_code
    assert "opened 0 times" in result.stdout
    assert ["revoked"] == [one["state"] for one in document(deal, "grant", "list")["grants"]]
    assert 5 == run(deal, "grant", "revoke", "nothing").exit_code


def test_the_log_tells_uses_and_refusals(deal: Deal) -> None:
    """In order, a page at a time, of one grant or of all."""
    issued = issue(deal)
    token = issued["link"].removeprefix("/g/")
    links = PurchaserLinks(deal.home, deal.buyer, lambda: NOW)
    links.enter(token)
    links.reader(token, OTHER_BATTERY, "passport")
    links.reader("A" * 43, BATTERY, "passport")
    result = run(deal, "grant", "log")

    assert ["opened", "other_battery", "unknown"] == [one["verdict"] for one in document(deal, "grant", "log")["uses"]]
    assert [3] == [one["number"] for one in document(deal, "grant", "log", "--after", "2")["uses"]]
    number = issued["grant"]["grant_id"]
    assert 2 == len(document(deal, "grant", "log", "--grant", number)["uses"])
    assert "other battery" in " ".join(result.stdout.split())
    assert not [line for line in result.stdout.splitlines() if len(line) > 80]


def test_the_list_fits_eighty_columns_and_goes_on(deal: Deal) -> None:
    """With a note as long as can be, and a page that is full."""
    for _ in range(2):
        issue(deal, "--note", "n" * 80)
    result = run(deal, "grant", "list", "--limit", "1", "--battery", BATTERY)

    assert not [line for line in result.stdout.splitlines() if len(line) > 80]
    assert f"--after {deal.buyer.grants.grants()[0].grant_id}" in result.stdout


def test_where_no_link_was_given_it_is_said_what_to_do(deal: Deal) -> None:
    """An empty list and an empty log."""
    assert "cellvow grant issue" in run(deal, "grant", "list").stdout
    assert "No link was used yet" in run(deal, "grant", "log").stdout


OLD_BATTERY = f"01/{GTIN}/21/PACK-0003"
BIRTH = ("battery", "new", OLD_BATTERY, "--manufactured-on", "2019-03-01", "--facility", "unknown")
MARK = ("--reconstructed", "--evidence-class", "estimated", "--basis", "type plate")


def test_an_old_battery_enters_as_reconstructed(deal: Deal) -> None:
    """With evidence class and basis; a correction mends them and keeps the mark."""
    result = run(deal, *BIRTH, *MARK, who="maker")
    assert 0 == result.exit_code, result.output
    corrected = run(deal, "correct", "birth", OLD_BATTERY, "--basis", "invoice of 2019", who="maker")
    passport = PassportReader(deal.home, deal.maker).passport(OLD_BATTERY, OWNER)
    assert passport is not None

    assert "its birth reconstructed (estimated)" in " ".join(result.stdout.split())
    assert 0 == corrected.exit_code, corrected.output
    assert passport.backfill is not None
    assert ("estimated", "invoice of 2019", True) == (
        passport.backfill.evidence_class,
        passport.backfill.basis,
        passport.backfill.corrected,
    )


def test_a_passport_says_for_scripts_that_a_birth_was_reconstructed(deal: Deal) -> None:
    """With class, basis and who signed it; null where it was recorded as it happened."""
    reconstructed = document(deal, "passport", OTHER_BATTERY)["passport"]["backfill"]
    recorded = document(deal, "passport", BATTERY)["passport"]["backfill"]

    assert ("estimated", "maker") == (reconstructed["evidence_class"], reconstructed["source"]["organisation"])
    assert recorded is None


@pytest.mark.parametrize("language", ["en", "de", "pt_BR"])
def test_a_passport_says_for_people_that_a_birth_was_reconstructed(language: str, deal: Deal) -> None:
    """At the top and in the line of life."""
    result = run(deal, "passport", OTHER_BATTERY, "--lang", language, who="maker")

    assert 2 == " ".join(result.stdout.split()).count("type plate and invoice of 2019")


def test_a_stranger_is_told_too_and_of_no_other_battery(deal: Deal) -> None:
    """Once, at the top; a battery recorded as it happened says nothing of it."""
    public = run(deal, "passport", OTHER_BATTERY, "--public", who="maker").stdout

    assert 1 == " ".join(public.split()).count("type plate and invoice of 2019")
    assert "type plate" not in run(deal, "passport", BATTERY).stdout


def test_the_list_of_batteries_marks_reconstructed_ones(deal: Deal) -> None:
    """For scripts and for people."""
    listed = document(deal, "battery", "list")["batteries"]

    assert [False, True] == [one["reconstructed"] for one in listed]
    assert "original, reconstructed" in " ".join(run(deal, "battery", "list").stdout.split())


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ((*BIRTH, "--reconstructed"), "needs --evidence-class and --basis"),
        ((*BIRTH, *MARK[:3]), "needs --evidence-class and --basis"),
        ((*BIRTH, *MARK[1:]), "are for a birth that is --reconstructed"),
        ((*BIRTH, *MARK[:2], "measured", *MARK[3:]), "measured"),
        (("correct", "birth", BATTERY, "--basis", "type plate"), "give --evidence-class and --basis"),
        (("correct", "birth", BATTERY), "nothing to correct"),
    ],
)
def test_half_a_reconstruction_is_wrong_usage(words: tuple[str, ...], sentence: str, deal: Deal) -> None:
    """Nothing is signed."""
    result = run(deal, *words, who="maker")

    assert 2 == result.exit_code
    assert sentence in " ".join(result.stderr.split())
