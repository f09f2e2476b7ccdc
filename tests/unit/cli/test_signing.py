"""`cellvow sign` and the roles of keys: one person orders, another one confirms, and a narrow key stays narrow."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cellvow.cli.failures import ExitCode
from cellvow.workspace.commands import ALL_SCOPE
from cellvow.workspace.scopes import WORK, role_of, successor_scope
from tests.unit.cli.deciding_world import Deciding, make_deciding

if TYPE_CHECKING:
    from pathlib import Path

PROPOSAL = ("vote", "propose", "parameter", "proposals_open_max", "4")


@pytest.fixture
def deciding(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Deciding:
    """Three members; the maker has a second key, and wants proposals signed twice."""
    made = make_deciding(tmp_path, monkeypatch)
    made.do("key", "new", "operational-2", who="maker")
    made.do("key", "register", "operational-2", "--role", "delegate", who="maker")
    made.do("sign", "rule", "--message", "Propose", who="maker")
    return made


def propose(deciding: Deciding) -> str:
    """A proposal signed once; the statement that waits."""
    failed = deciding.run(*PROPOSAL, "--json", who="maker")
    assert failed.exit_code == ExitCode.WAITING
    (waiting,) = deciding.do("sign", "waiting", who="maker")["waiting"]
    return str(waiting["statement"])


@pytest.mark.slow
def test_a_held_message_says_plainly_that_it_waits(deciding: Deciding) -> None:
    """Nothing is claimed to be done: neither in words, nor by the exit code, nor to a script."""
    said = deciding.run(*PROPOSAL, who="maker")
    told = json.loads(deciding.run(*PROPOSAL, "--ref", "P-2", "--json", who="maker").stdout)

    assert said.exit_code == ExitCode.WAITING
    assert "nothing was done yet" in " ".join(said.stderr.split())
    assert "cellvow sign second" in " ".join(said.stderr.split())
    assert "is proposed" not in said.stdout
    assert told["held"]["indexes"] == [0]
    assert deciding.do("vote", "list", who="lab")["open"] == []


@pytest.mark.slow
def test_a_second_key_confirms_what_waits(deciding: Deciding) -> None:
    """It reads what was ordered and by whom, signs, and the proposal stands."""
    statement = propose(deciding)
    shown = deciding.read("sign", "waiting", "--key", "operational-2", who="maker")
    own = deciding.read("sign", "waiting", who="maker")
    done = deciding.do("sign", "second", f"{statement[:12]}/0", "--key", "operational-2", who="maker")

    assert "Propose about" in shown
    assert '"proposals_open_max"' in shown
    assert "signed by operational-1" in shown
    assert "your key can sign it" in shown
    assert "not for your key: the second signature must be another key's" in own
    assert [event["type"] for event in done["events"]] == ["MessageCountersigned", "ProposalMade"]
    assert len(deciding.do("vote", "list", who="lab")["open"]) == 1
    assert deciding.do("sign", "waiting", who="maker")["waiting"] == []


@pytest.mark.slow
def test_the_same_key_is_refused_and_anybody_may_withdraw(deciding: Deciding) -> None:
    """The first signer cannot confirm himself; he can take it back."""
    statement = propose(deciding)
    refused = deciding.run("sign", "second", statement, who="maker")
    withdrawn = deciding.do("sign", "withdraw", statement, who="maker")
    gone = deciding.run("sign", "second", statement, "--key", "operational-2", who="maker")

    assert refused.exit_code == ExitCode.REFUSED
    assert "code 1602" in " ".join(refused.stderr.split())
    assert [event["type"] for event in withdrawn["events"]] == ["HeldWithdrawn"]
    assert gone.exit_code == ExitCode.OPERATIONAL


@pytest.mark.slow
def test_a_rule_is_shown_and_ended(deciding: Deciding) -> None:
    """It is read from the ledger, and one signature does again after it."""
    assert "A second signature is needed for: Propose." in deciding.read("sign", "rule", who="maker")
    assert "One signature does." in deciding.read("sign", "rule", who="lab")
    deciding.do("sign", "rule", "--none", who="maker")

    assert deciding.do(*PROPOSAL, who="maker")["proposal"]["state"] == "open"
    assert deciding.run("sign", "rule", "--none", "--message", "Propose", who="maker").exit_code == 2


@pytest.mark.slow
@pytest.mark.parametrize("words", [("nothing",), ("9f1c",), (f"{'9f1c' * 16}/x",), (f"{'9f1c' * 16}/",)])
def test_what_names_nothing_is_wrong_usage(words: tuple[str, ...], deciding: Deciding) -> None:
    """A statement is 64 digits, a place in it a number."""
    assert deciding.run("sign", "second", *words, who="maker").exit_code == ExitCode.WRONG_USAGE


@pytest.mark.slow
def test_a_key_of_a_role_shows_it_and_signs_nothing_else(deciding: Deciding) -> None:
    """The list names the role; what lies outside of it is out of scope."""
    listed = {one["name"]: one.get("role") for one in deciding.do("key", "list", who="maker")["keys"]}
    deciding.do("key", "new", "bench", who="maker")
    deciding.do("key", "register", "bench", "--role", "tester", who="maker")
    deciding.do("key", "use", "bench", who="maker")
    refused = deciding.run(*PROPOSAL, who="maker")

    assert listed == {"operational-1": "signatory", "operational-2": "delegate", "root": None}
    assert "delegate" in deciding.read("key", "list", who="maker")
    assert "code 203" in " ".join(refused.stderr.split())


@pytest.mark.slow
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--role", "wizard"), "is no role; roles are tester, dispatcher"),
        (("--role", "tester", "--scope", "Anchor"), "say --role or --scope, not both"),
    ],
)
def test_an_unknown_or_doubled_role_is_wrong_usage(words: tuple[str, ...], said: str, deciding: Deciding) -> None:
    """Nothing is registered."""
    deciding.do("key", "new", "bench", who="maker")
    refused = deciding.run("key", "register", "bench", *words, who="maker")

    assert refused.exit_code == ExitCode.WRONG_USAGE
    assert said in " ".join(refused.stderr.split())


@pytest.mark.slow
def test_rotation_makes_no_tester_a_dispatcher(deciding: Deciding) -> None:
    """The successor of a narrow key may sign what that one could, and nothing more."""
    deciding.do("key", "new", "bench", who="maker")
    deciding.do("key", "register", "bench", "--role", "tester", who="maker")
    deciding.do("key", "use", "bench", who="maker")
    rotated = deciding.do("key", "rotate", who="maker")
    shown = deciding.do("key", "show", rotated["key"], who="maker")["key"]

    assert shown["role"] == "tester"
    assert sorted(shown["scope"]) == sorted(WORK["tester"])


def test_a_key_for_everything_learns_what_a_newer_release_adds() -> None:
    """And a selection of one's own stays what it is."""
    earlier = tuple(name for name in ALL_SCOPE if name != "Countersign")

    assert sorted(successor_scope(earlier)) == sorted(ALL_SCOPE)
    assert successor_scope(("Anchor", "OfferHandover")) == ("Anchor", "OfferHandover")


def test_no_role_reaches_past_what_an_operational_key_may_sign() -> None:
    """Each is a part of the whole, names nothing twice, and is told from every other."""
    for role, names in WORK.items():
        assert set(names) <= set(ALL_SCOPE)
        assert len(set(names)) == len(names)
        assert role_of(names[::-1]) == role
    assert role_of(("Anchor",)) is None
