"""`cellvow verdict` at the border: judged by the buyer and by a stranger, recorded, handed over, computed again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cellvow.verify import encode_bundle, parse_bundle
from tests.e2e.story import BATTERY, Story, tell_story

pytestmark = pytest.mark.slow
IMPORT, SECOND_LIFE = "import_market_surveillance", "second_life_intake"
POLICY = """policy certified
facts
  capacity_at_least_mah: list of at most 8 integer
  is_certificate: boolean
  rated_capacity_mah: integer
clause certificate: is_certificate
clause healthy: any(capacity_at_least_mah, it * 100 >= rated_capacity_mah * 80)
"""


@pytest.fixture(scope="module")
def story(tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The whole story, and a policy of the buyer's own."""
    folder = tmp_path_factory.mktemp("verdict") / "story"
    folder.mkdir()
    told = tell_story(folder)
    (folder / "certified.policy").write_text(POLICY, encoding="utf-8")
    return told


def judge(story: Story, *words: str, code: int = 0) -> dict[str, Any]:
    """What the buyer is told."""
    return story.ask("verdict", BATTERY, *words, "-w", "buyer", code=code)


def test_the_buyer_is_told_to_accept_in_words_with_reasons_and_citations(story: Story) -> None:
    """Answer first, hours and money with their assumptions, a checklist, reasons, and the statements cited."""
    said = story.run("verdict", BATTERY, "--policy", "certified.policy", "-w", "buyer").stdout
    lines = said.splitlines()

    assert f"ACCEPT  {BATTERY}" == lines[0]
    assert "It avoids a re-test of 6 to 10 h" in said
    assert "our assumption, change it" in said
    assert ["  MET      certificate", "  MET      healthy"] == [line for line in lines if line.startswith("  MET ")]
    assert story.said["certificate"]["statement"] in said
    assert all(len(line) <= 80 for line in lines)


def test_a_stranger_may_be_told_to_accept_by_what_is_public(story: Story) -> None:
    """A certificate and its public sentence are enough for a policy that asks for no more."""
    document = story.ask("verdict", BATTERY, "--policy", "certified.policy", "--ledger", "node")

    assert "accept" == document["verdict"]
    assert [{"key": "remark.some_unseen", "parameters": {}}] == document["remarks"]


def test_re_test_and_cannot_tell_have_exit_codes_of_their_own(story: Story) -> None:
    """6: a year later the test is too old. 7: a stranger is not shown the history."""
    late = judge(story, "--policy", SECOND_LIFE, "--today", "2999-12-31", code=6)
    unsure = story.ask("verdict", BATTERY, "--policy", IMPORT, "--ledger", "node", code=7)

    assert ("re_test", "cannot_tell") == (late["verdict"], unsure["verdict"])
    assert "would_cost" == late["savings"]["kind"]
    assert unsure["savings"] is None


def test_hours_and_money_follow_the_askers_own_figures(story: Story) -> None:
    """7.5 hours at 60 euros are 450."""
    document = judge(story, "--policy", "certified.policy", "--test-hours", "7.5", "--hourly-cost", "60")

    assert [45_000, 45_000] == document["savings"]["cents"]
    assert "stated by whoever asks" == document["savings"]["assumptions"]["source"]


def test_a_verdict_is_recorded_handed_over_and_computed_again(story: Story) -> None:
    """From the bundle alone; a bundle that keeps the reasons, or was tampered with, is exit 1."""
    recorded = judge(story, "--policy", "certified.policy", "--record", "V-1")["recorded"]
    assert "witnessed" == recorded["level"]
    bundle = ("bundle", recorded["statement"], "-w", "buyer", "--out")
    story.ask(*bundle, "verdict.cvb", "--disclose", "all")
    story.ask(*bundle, "silent.cvb")
    checked = story.ask("verdict", "--check", "verdict.cvb", "--trust", "node/trust.json")

    assert ("accept", "buyer", True) == (checked["verdict"], checked["organisation"], checked["anchored"])
    assert "It recomputes: accept" in story.run("verdict", "--check", "verdict.cvb").stdout
    assert "cellvow verdict --check verdict.cvb" in story.run("verify", "verdict.cvb").stdout
    assert "does not show the reasons" in story.ask("verdict", "--check", "silent.cvb", code=1)["reason"]
    assert "not that of a recorded verdict" in story.ask("verdict", "--check", "certificate.cvb", code=1)["reason"]
    _swap_a_fact(story.folder / "verdict.cvb", story.folder / "swapped.cvb")
    assert 13 == story.ask("verdict", "--check", "swapped.cvb", code=1)["check"]


def _swap_a_fact(source: Path, target: Path) -> None:
    """Reasons in which a threshold is higher than the issuer's: the commitment notices."""
    data = source.read_bytes()
    field = parse_bundle(data).disclosures[0].field
    swapped = field.replace(b'"value":9000', b'"value":9999')

    assert swapped != field
    assert data == encode_bundle(parse_bundle(data))
    target.write_bytes(data.replace(field, swapped))


def test_a_number_is_used_once_and_a_day_to_come_is_rejected(story: Story) -> None:
    """Exit 3, with the code of the rule; nothing is recorded."""
    judge(story, "--policy", "certified.policy", "--record", "V-2")

    assert 901 == judge(story, "--policy", "certified.policy", "--record", "V-2", code=3)["code"]
    later = ("--policy", "certified.policy", "--record", "V-3", "--today", "2999-12-31")
    assert 904 == judge(story, *later, code=3)["code"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("verdict",), 2),
        (("verdict", BATTERY, "-w", "buyer"), 2),
        (("verdict", BATTERY, "--list-policies"), 2),
        (("verdict", BATTERY, "--policy", IMPORT, "--ledger", "node", "--record", "V-9"), 2),
        (("verdict", BATTERY, "--policy", IMPORT, "-w", "buyer", "--attestation", "lab"), 2),
        (("verdict", BATTERY, "--policy", IMPORT, "-w", "buyer", "--test-hours", "ten"), 2),
        (("verdict", BATTERY, "--policy", "nowhere", "-w", "buyer"), 4),
        (("verdict", BATTERY, "--policy", IMPORT, "-w", "buyer", "--attestation", "lab/NONE"), 4),
        (("verdict", BATTERY, "--policy", IMPORT, "-w", "buyer", "--today", "yesterday"), 4),
        (("verdict", BATTERY, "--policy", IMPORT, "-w", "buyer", "--test-hours", "0"), 4),
        (("verdict", BATTERY[:-1] + "9", "--policy", IMPORT, "-w", "buyer"), 3),
        (("verdict", "--show-policy", "nowhere"), 4),
    ],
)
def test_wrong_words_end_with_the_code_of_whose_fault_it_is(story: Story, words: tuple[str, ...], code: int) -> None:
    """And a sentence; never a traceback."""
    assert story.ask(*words, code=code)["reason"]


def test_a_policy_that_asks_for_what_does_not_exist_is_pointed_at(story: Story) -> None:
    """Line, column, caret and the nearest name reach the terminal."""
    (story.folder / "wrong.policy").write_text(POLICY.replace("is_certificate", "is_certified"), encoding="utf-8")
    result = story.run("verdict", BATTERY, "--policy", "wrong.policy", "-w", "buyer", code=4)

    assert "line 4, column 3" in result.stderr
    assert "did you mean" in result.stderr
    assert "is_certificate" in result.stderr


def test_the_ready_policies_are_listed_and_shown_with_their_sources(story: Story) -> None:
    """What is shown can be saved, changed and used; its data too."""
    listed = story.ask("verdict", "--list-policies")["policies"]
    shown = story.ask("verdict", "--show-policy", SECOND_LIFE)
    (story.folder / "ours.policy").write_text(shown["text"], encoding="utf-8")

    assert [IMPORT, SECOND_LIFE] == [one["name"] for one in listed]
    assert "own published method" in json.dumps(shown["sources"])
    assert shown["digest"] == judge(story, "--policy", "ours.policy")["policy"]["digest"]
    assert "Sources:" in story.run("verdict", "--show-policy", IMPORT).stdout
