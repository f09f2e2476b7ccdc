"""`cellvow vote`: proposed in a sentence, voted on by each, seen by everybody before it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.change import THRESHOLDS
from cellvow.core.protocol.ruleset import RULESETS
from cellvow.web.network_words import NETWORK_WORDS
from tests.unit.cli.deciding_world import Deciding, make_deciding

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow
KEY, KID = "9f1c" * 16, "9f1c" * 8
PROPOSALS = (
    ("remove-member", "buyer"),
    ("roles", "lab", "--role", "laboratory"),
    ("accredit", "lab", "--scope", "IEC 62660-1:2018:capacity:2028-12-31"),
    ("parameter", "threshold.member", "3/4"),
    ("parameter", "voting_ms_max", "30d"),
    ("parameter", "proposals_open_max", "4"),
)


@pytest.fixture
def deciding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """Three members; none has voted yet."""
    return make_deciding(tmp_path, monkeypatch, ruleset=1)


def test_a_change_is_seen_before_it_holds(deciding: Deciding) -> None:
    """Proposed with its block, missing approvals counted down, adopted, and waiting for its height."""
    proposed = deciding.read("vote", "propose", "ruleset", "2", "--from-block", "40", who="maker")
    deciding.do("vote", "cast", "maker/P-1", "--approve", who="maker")
    deciding.do("vote", "cast", "maker/P-1", "--approve", who="lab")
    listed = deciding.read("vote", "list", "--ledger", str(deciding.folder / "node"))
    adopted = deciding.do("vote", "cast", "maker/P-1", "--approve", who="buyer")
    waiting = deciding.read("vote", "list", who="buyer")

    assert "If adopted, from block 40 on: ruleset 2 holds: adds recovery of lost keys" in proposed
    assert "1 more approval missing, 3 decide" in listed
    assert "for it: lab, maker; against it: nobody not yet: buyer" in listed
    assert ["VoteCast", "ProposalAdopted"] == [event["type"] for event in adopted["events"]]
    assert "From block 40 on: ruleset 2 holds: adds recovery of lost keys" in waiting


def test_a_change_that_took_effect_says_since_when(deciding: Deciding) -> None:
    """It moves to what was decided, and the ledger obeys it."""
    deciding.do("vote", "propose", "roles", "lab", "--role", "laboratory", "--ref", "LAB", who="maker")
    for who in ("maker", "buyer"):
        deciding.do("vote", "cast", "maker/LAB", "--approve", who=who)
    deciding.do("vote", "propose", "remove-member", "buyer", who="maker")
    shown = deciding.do("vote", "show", "maker/LAB", who="lab")
    listed = deciding.do("vote", "list", who="lab")

    assert "effective" == shown["proposal"]["state"]
    assert (["maker/LAB"], ["maker/P-1"]) == tuple([one["name"] for one in listed[key]] for key in ("ended", "open"))


def test_a_member_may_refuse_and_withdraw(deciding: Deciding) -> None:
    """Two of three cannot be reached any more; an own proposal ends when its maker says so."""
    deciding.do("vote", "propose", "remove-member", "buyer", who="maker")
    deciding.do("vote", "propose", "remove-member", "lab", who="maker")
    refused = deciding.do("vote", "cast", "maker/P-1", "--refuse", who="lab")
    deciding.do("vote", "withdraw", "P-2", who="maker")
    shown = deciding.read("vote", "show", "maker/P-2", who="maker")

    assert ["VoteCast", "ProposalRefused"] == [event["type"] for event in refused["events"]]
    assert shown.startswith("maker/P-2: withdrawn")


@pytest.mark.parametrize("words", PROPOSALS, ids=lambda words: " ".join(words[:2]))
def test_every_kind_of_change_can_be_proposed(deciding: Deciding, words: tuple[str, ...]) -> None:
    """Each gets the next free name, and stands open."""
    answer = deciding.do("vote", "propose", *words, who="maker")

    assert ("maker/P-1", "open") == (answer["proposal"]["name"], answer["proposal"]["state"])


def test_a_newcomer_is_admitted_from_his_file(deciding: Deciding) -> None:
    """By the member.json that his new workspace holds."""
    folder = deciding.folder / "carrier"
    deciding.do("init", "workspace", str(folder), "--organisation", "carrier", "--name", "Carrier", "--role", "buyer")
    deciding.do("vote", "propose", "admit-member", str(folder / "member.json"), who="maker")
    for who in ("maker", "lab", "buyer"):
        deciding.do("vote", "cast", "maker/P-1", "--approve", who=who)
    deciding.do("vote", "propose", "remove-member", "buyer", who="maker")
    joined = deciding.do("init", "join", str(folder), "--ledger", str(deciding.folder / "node"))

    assert joined["registered"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("vote", "propose", "roles", "lab", "--role", "king"), "king"),
        (("vote", "propose", "parameter", "weather", "1"), "weather"),
        (("vote", "propose", "ruleset", "99"), "upgrade"),
        (("vote", "propose", "distrust", KID, "--since", "yesterday"), "YYYY-MM-DD"),
        (("vote", "cast", "P-1", "--approve"), "ORGANISATION/REF"),
        (("vote", "cast", "maker/P-1"), "--approve or --refuse"),
    ],
)
def test_wrong_words_are_explained(deciding: Deciding, words: tuple[str, ...], said: str) -> None:
    """Before anything is signed, with what to type instead."""
    result = deciding.run(*words, who="maker")

    assert 2 == result.exit_code
    assert said in result.stderr


def test_what_rests_on_validators_is_refused_by_a_ledger_of_one_writer(deciding: Deciding) -> None:
    """The ledger's own reason reaches the person who typed."""
    for words in (("admit-validator", "lab", "--key", KEY), ("remove-validator", "--key", KEY)):
        assert 0 != deciding.run("vote", "propose", *words, who="maker").exit_code
    assert 0 != deciding.run("vote", "propose", "distrust", KID, "--since", "2026-01-01", who="maker").exit_code


def test_an_unknown_proposal_is_named(deciding: Deciding) -> None:
    """With the command that lists those there are."""
    result = deciding.run("vote", "show", "maker/P-9", who="maker")

    assert 0 != result.exit_code
    assert "vote list" in result.stderr


def test_every_ruleset_says_what_it_adds() -> None:
    """A new version cannot be shipped without a sentence, nor a change without its threshold."""
    assert {str(version) for version in RULESETS} == set(NETWORK_WORDS["adds"])
    assert set(THRESHOLDS.values()) < set(NETWORK_WORDS["parameter"])
