"""The network as one member sees it: who signed, who is silent, what will hold, and whether it stands alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.change import ActivateRuleset
from cellvow.core.ledger.commit import ABSENT, VOTED
from cellvow.core.ledger.evidence import DUPLICATE_VOTE, Evidence, encode_evidence
from cellvow.core.primitives.errors import Malformed
from cellvow.node.home import NodeHome
from cellvow.workspace.network_view import OTHERS_FILE, NetworkReader, NetworkView, derive_address, read_others
from tests import messages
from tests.bundles.consensus import voting_key
from tests.unit.workspace.consortium_world import FakeEngine, MemberOnDisk, consortium_genesis
from tests.world import AUTHORITY, CARMAKER, DAY_MS, LABORATORY, MAKER, World, make_genesis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def member(tmp_path: Path) -> Iterator[MemberOnDisk]:
    """The maker's node, all four validators well."""
    made = MemberOnDisk(tmp_path)
    yield made
    made.close()


def look(member: MemberOnDisk, others: dict[str, str] | None = None) -> NetworkView:
    """The network now."""
    return NetworkReader(member.home, lambda: member.now_ms, open_engine=member.open_engine, others=others or {}).view()


def test_who_signed_the_newest_header_is_told(member: MemberOnDisk) -> None:
    """One validator is away; this node's own is marked, and shares add up."""
    member.engine.flags = (VOTED, ABSENT)
    view = look(member)
    assert view.engine is not None

    assert (3, 30, 40) == (view.engine.signers, view.engine.signed_power, view.engine.total_power)
    assert [250] * 4 == [one.share_permille for one in view.validators]
    assert 1 == sum(one.has_signed is False for one in view.validators)
    assert [MAKER] == [one.organisation for one in view.validators if one.is_own]


def test_a_silent_engine_leaves_what_the_ledger_knows(member: MemberOnDisk) -> None:
    """Members and validators stand there, who signed does not."""
    member.engine.silent = True
    view = look(member)
    assert view.engine is not None

    assert "unreachable" == view.engine.reason
    assert 4 == len(view.validators)
    assert {None} == {one.has_signed for one in view.validators}
    assert not view.is_compared


def test_threat_an_engine_shows_a_header_that_too_few_signed(member: MemberOnDisk) -> None:
    """Two of four are no two thirds: what it shows is not believed."""
    member.engine.flags = (VOTED, ABSENT, ABSENT)
    view = look(member)
    assert view.engine is not None

    assert "unsound" == view.engine.reason


def test_a_member_that_agrees_is_not_alone(member: MemberOnDisk) -> None:
    """Engine, proof and another member name the same root."""
    member.prove()
    member.others["http://127.0.0.1:2"] = FakeEngine(member.world)
    view = look(member, {LABORATORY: "http://127.0.0.1:2"})

    assert [True, True, True] == [one.agrees for one in view.comparisons]
    assert not view.is_alone


@pytest.mark.parametrize("teller", ["engine", "validators", "member"])
def test_threat_a_member_that_rewrote_its_database_is_alone(member: MemberOnDisk, teller: str) -> None:
    """Whoever still names what was signed - its engine, the proof it kept, another member - shows the fork."""
    honest = World(consortium_genesis())
    honest.accept(honest[MAKER].key.sign(messages.model()))
    member.include(member.world[MAKER].key.sign(messages.model("09506000134352")))
    member.engine.silent = teller != "engine"
    if teller == "engine":
        member.engine.app_hash = honest.head.app_hash
    if teller == "validators":
        member.prove(honest.head.app_hash)
    member.others["http://127.0.0.1:2"] = FakeEngine(honest, silent=teller != "member")
    view = look(member, {CARMAKER: "http://127.0.0.1:2"})

    assert view.is_alone
    assert [teller] == [one.source for one in view.disagreeing]


def test_a_ledger_behind_its_engine_is_not_called_a_fork(member: MemberOnDisk) -> None:
    """What it does not have yet cannot be compared."""
    ahead = World(consortium_genesis())
    ahead.accept(ahead[MAKER].key.sign(messages.model()))
    member.engine.app_hash = ahead.head.app_hash
    view = look(member)

    assert [None] == [one.agrees for one in view.comparisons]
    assert not view.is_alone


def test_votes_and_pending_changes_are_shown(tmp_path: Path) -> None:
    """A vote that lacks one approval, then the adopted change with its height."""
    member = MemberOnDisk(tmp_path, ruleset=1)
    world = member.world
    change = messages.proposal(MAKER, ActivateRuleset(ruleset=2), effective_height=20)
    member.include(world[MAKER].key.sign(change))
    member.include(*(world[one].key.sign(messages.vote(MAKER)) for one in (MAKER, CARMAKER)))
    (voted,) = look(member).governance.open
    member.include(world[LABORATORY].key.sign(messages.vote(MAKER)))
    view = look(member)
    member.close()

    assert (3, 1, (LABORATORY, AUTHORITY)) == (voted.needed, voted.missing, voted.silent)
    assert [20] == [one.effective_height for one in view.governance.pending]
    assert () == view.governance.open


def test_evidence_names_whose_validator_it_was(member: MemberOnDisk) -> None:
    """By the address of a key that genesis or the ledger names."""
    address = derive_address(voting_key(2).public_key).hex()
    known = Evidence(DUPLICATE_VOTE, address, 10, 7, member.now_ms, 40)
    unknown = Evidence(DUPLICATE_VOTE, "ef" * 20, 10, 8, member.now_ms, 40)
    member.include(evidence=(encode_evidence(known), encode_evidence(unknown)))
    view = look(member)

    assert 2 == view.evidence_total
    assert [None, LABORATORY] == [one.organisation for one in view.evidence]


def test_a_recovery_is_shown_until_it_ends(member: MemberOnDisk) -> None:
    """With who approved it and when the lock ends; a vetoed one is gone."""
    world = member.world
    member.include(world[LABORATORY].root.sign(messages.appointment(LABORATORY, (MAKER, CARMAKER))))
    member.include(world[MAKER].key.sign(messages.recovery(LABORATORY)))
    member.include(world[CARMAKER].key.sign(messages.approval(LABORATORY)))
    (pending,) = look(member).recoveries
    member.include(world[LABORATORY].key.sign(messages.veto(LABORATORY)))

    assert ("pending", (CARMAKER, MAKER)) == (pending.state, tuple(sorted(pending.approvals)))
    assert pending.unlocks_ms == world.blocks[-2].time_ms + 2 * DAY_MS
    assert () == look(member).recoveries


def test_strangers_cannot_make_the_engine_work(member: MemberOnDisk) -> None:
    """A view is kept for two seconds, however often it is asked for."""
    moments = iter([1_000, 1_500, 2_999, 3_000])
    reader = NetworkReader(member.home, lambda: next(moments), open_engine=member.open_engine, others={})
    for _ in range(3):
        reader.view()
    before = member.engine.asked.count("status")
    reader.view()

    assert (1, 2) == (before, member.engine.asked.count("status"))


def test_a_ledger_of_one_writer_has_no_engine(tmp_path: Path) -> None:
    """Its members stand there, and nobody validates."""
    home = NodeHome.create(tmp_path / "node", make_genesis(), "test.cellvow.example/log", bytes(32))
    view = NetworkReader(home, lambda: 0).view()

    assert (None, (), 5) == (view.engine, view.validators, view.members_total)


def test_other_members_are_read_from_a_file(tmp_path: Path) -> None:
    """None without it; a wrong form is refused with what it should be."""
    assert {} == read_others(tmp_path)

    (tmp_path / OTHERS_FILE).write_text(json.dumps({"lab": "http://10.0.0.2:26657"}), encoding="utf-8")
    assert {"lab": "http://10.0.0.2:26657"} == read_others(tmp_path)

    for wrong in ("[]", "{", '{"lab": 1}', '{"lab": "ftp://x"}'):
        (tmp_path / OTHERS_FILE).write_text(wrong, encoding="utf-8")
        with pytest.raises(Malformed):
            read_others(tmp_path)
