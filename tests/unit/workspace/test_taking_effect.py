"""On a ledger of one writer a decision holds at once: whoever casts the deciding vote makes the block for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.change import ChangeRoles
from cellvow.core.contracts.governance import CastVote
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.node.home import LedgerSession, NodeHome
from cellvow.workspace import countersigning
from cellvow.workspace.governing import Draft, cast_vote, propose, read_proposal
from cellvow.workspace.sending import send_waiting, sign_offline
from cellvow.workspace.workspace import Workspace
from tests.unit.cli.deciding_world import Deciding, make_deciding

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
DAY_MS = 86_400_000


class Council:
    """The ledger, open for writing, with its three members; the maker has proposed a role for the laboratory."""

    def __init__(self, deciding: Deciding, *, from_block: int = 0) -> None:
        """Two approvals decide; the buyer's is there."""
        self.deciding = deciding
        self.members = {name: Workspace(deciding.folder / name) for name in ("buyer", "lab", "maker")}
        self.session = self.open()
        closes_ms = deciding.now_ms + DAY_MS
        change = ChangeRoles(organisation="lab", roles=("laboratory",))
        draft = Draft(change=change, reference="P-1", effective_height=from_block, closes_ms=closes_ms)
        propose(self.session, self.members["maker"], draft)
        cast_vote(self.session, self.members["buyer"], "maker", "P-1", approve=True)

    def open(self) -> LedgerSession:
        """A turn at writing."""
        return NodeHome(self.deciding.folder / "node").open_session(lambda: self.deciding.now_ms)

    def decide(self) -> int:
        """Cast the deciding vote as the laboratory; the blocks made since then."""
        before = self.session.engine.head.height
        cast_vote(self.session, self.members["lab"], "maker", "P-1", approve=True)
        return self.session.engine.head.height - before

    @property
    def state(self) -> str:
        """What became of the proposal."""
        return read_proposal(self.session.store, "maker", "P-1", self.deciding.now_ms).state

    @property
    def roles(self) -> tuple[str, ...]:
        """What the laboratory is."""
        value = self.session.engine.state.get(organisation_key("lab"))
        assert value is not None
        return parse_organisation(value).roles

    def close(self) -> None:
        """Close what is open."""
        self.session.close()
        for one in self.members.values():
            one.close()


@pytest.fixture
def council(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Council]:
    """One vote before the decision."""
    made = Council(make_deciding(tmp_path, monkeypatch))
    yield made
    made.close()


def leave_unanswered(workspace: Workspace, name: str) -> None:
    """Sign something with a key and do not send it."""
    vote = CastVote(proposer="maker", reference="P-9", approve=True)
    workspace.sign(workspace.chain_id, vote, None, name)


def test_a_vote_that_decides_makes_the_block_from_which_the_change_holds(council: Council) -> None:
    """Nobody else says anything, and yet it holds when the vote returns."""
    blocks = council.decide()

    assert (blocks, council.state, council.roles) == (2, "effective", ("laboratory",))


def test_a_vote_that_does_not_decide_makes_no_block_but_its_own(council: Council) -> None:
    """A refusal, with which nothing is decided yet."""
    before = council.session.engine.head.height
    cast_vote(council.session, council.members["lab"], "maker", "P-1", approve=False)

    assert (council.session.engine.head.height - before, council.state) == (1, "open")


def test_what_is_to_hold_from_a_later_block_waits_for_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The members named that block: nobody hurries it."""
    council = Council(make_deciding(tmp_path, monkeypatch), from_block=90)
    blocks, state = council.decide(), council.state
    council.close()

    assert (blocks, state) == (1, "adopted")


def test_the_working_key_does_it_where_the_root_key_is_put_away(council: Council) -> None:
    """As it should be: on a stick in a safe."""
    laboratory = council.members["lab"]
    next((laboratory.folder / "keys").glob(f"{laboratory.root_key}*")).unlink()

    assert (council.decide(), council.state) == (2, "effective")


def test_a_key_with_an_unanswered_statement_keeps_it(council: Council) -> None:
    """A raised floor would shut that statement out: where no key is free, sending again makes the block instead."""
    laboratory = council.members["lab"]
    for name in (laboratory.root_key, laboratory.settings.key):
        leave_unanswered(laboratory, name)
    blocks, waiting = council.decide(), council.state
    sent = [one.fate for one in send_waiting(council.session, laboratory)]

    assert (blocks, waiting) == (1, "adopted")
    assert sent == ["rejected", "rejected"]
    assert council.state == "effective"


def test_a_vote_that_was_signed_without_network_takes_effect_when_it_is_sent(council: Council) -> None:
    """The last of what is sent decides, and no statement follows it."""
    laboratory = council.members["lab"]
    sign_offline(laboratory, CastVote(proposer="maker", reference="P-1", approve=True))
    sent = [one.fate for one in send_waiting(council.session, laboratory)]

    assert (sent, council.state) == (["recorded"], "effective")


def test_a_vote_with_a_second_signature_takes_effect_with_the_second(council: Council) -> None:
    """The first does nothing, so it makes no block either."""
    deciding = council.deciding
    council.close()
    deciding.do("key", "new", "operational-2", who="lab")
    deciding.do("key", "register", "operational-2", who="lab")
    deciding.do("sign", "rule", "--message", "CastVote", who="lab")
    held = deciding.run("vote", "cast", "maker/P-1", "--approve", who="lab")
    before = deciding.do("vote", "show", "maker/P-1", who="lab")["proposal"]["state"]
    laboratory = Workspace(deciding.folder / "lab")
    council.session = council.open()
    statement = countersigning.waiting(council.session.store, "lab")[0].statement
    countersigning.give_second(council.session, laboratory, statement, None, "operational-2")
    laboratory.close()

    assert (held.exit_code, before, council.state) == (8, "open", "effective")


def test_the_command_says_that_it_holds(council: Council) -> None:
    """In words and to scripts, with the block since which."""
    council.close()
    said = council.deciding.read("vote", "cast", "maker/P-1", "--approve", who="lab")
    shown = council.deciding.do("vote", "show", "maker/P-1", who="lab")
    council.session = council.open()

    assert shown["proposal"]["state"] == "effective"
    assert f"maker/P-1 in effect: Since block {shown['height']}" in said
