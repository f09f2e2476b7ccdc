"""The doctor of a member: engine, heights, app hash, clock, peers, validators - each fault found and explained."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.ledger.commit import ABSENT, VOTED
from cellvow.workspace.doctor_member import examine_member
from cellvow.workspace.finding import BROKEN, LOOK, OK, Finding
from tests import messages
from tests.unit.workspace.consortium_world import MemberOnDisk, consortium_genesis
from tests.world import MAKER, World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def member(tmp_path: Path) -> Iterator[MemberOnDisk]:
    """A member with which all is well."""
    made = MemberOnDisk(tmp_path)
    made.prove()
    yield made
    made.close()


def examine(member: MemberOnDisk) -> dict[str, Finding]:
    """The findings by subject."""
    found = examine_member(member.home, member.store, member.now_ms, member.open_engine)
    return {one.subject: one for one in found}


def other_history() -> World:
    """What the others have, where this member has something else."""
    world = World(consortium_genesis())
    world.accept(world[MAKER].key.sign(messages.model()))
    return world


def test_a_sound_member_is_sound(member: MemberOnDisk) -> None:
    """Every subject is examined, and none wants anything."""
    found = examine(member)

    assert {OK} == {one.state for one in found.values()}
    assert "all 4 signed" in found["validators"].sentence
    assert "signed by 4 of 4 validators" in found["validators' proof"].sentence


def test_a_silent_engine_is_the_first_thing_said(member: MemberOnDisk) -> None:
    """With how to start it; the ledger's own proof is examined all the same."""
    member.engine.silent = True
    found = examine(member)

    assert ["engine", "validators' proof"] == list(found)
    assert BROKEN == found["engine"].state
    assert "cellvow network up" in found["engine"].remedy


@pytest.mark.parametrize(
    ("field", "value", "subject", "state", "said"),
    [
        ("version", "0.37.4", "engine", BROKEN, "0.38.25 or a later 0.38 is needed"),
        ("version", "1.0.0", "engine", BROKEN, "0.38.25 or a later 0.38 is needed"),
        ("chain_id", "other.example", "engine", BROKEN, "other.example"),
        ("catching_up", True, "catching up", LOOK, "at block 2"),
        ("ahead_ms", 3_600_000, "clock of the validators", BROKEN, "3599 s behind"),
        ("monikers", ("carmaker",), "peers", LOOK, "connected with 1 of 3 others"),
        ("monikers", (), "peers", BROKEN, "connected with 0 of 3 others"),
        ("flags", (VOTED, ABSENT), "validators", LOOK, "1 of 4 signed none of the newest 2 blocks"),
    ],
)
def test_each_fault_of_an_engine_is_found(
    member: MemberOnDisk, field: str, value: object, subject: str, state: str, said: str
) -> None:
    """In the subject it belongs to, with a sentence and what to do; the others stay sound."""
    setattr(member.engine, field, value)
    found = examine(member)

    assert state == found[subject].state
    assert said in found[subject].sentence
    assert found[subject].remedy
    assert [subject] == [name for name, one in found.items() if one.state != OK]


def test_two_silent_of_four_leave_none_to_lose(member: MemberOnDisk) -> None:
    """The newest header was not signed by two thirds: nothing it shows is believed."""
    member.engine.flags = (VOTED, ABSENT, ABSENT)

    assert BROKEN == examine(member)["validators"].state


def test_one_more_silent_validator_would_stop_the_chain(member: MemberOnDisk) -> None:
    """That is said while there is time."""
    member.engine.flags = (ABSENT,)

    assert "with one more silent validator" in examine(member)["validators"].remedy


def test_an_app_hash_that_differs_is_called_by_its_name(member: MemberOnDisk) -> None:
    """The member is alone, and what it must not do is trust its own files."""
    honest = other_history()
    member.include(member.world[MAKER].key.sign(messages.model("09506000134352")))
    member.engine.app_hash = honest.head.app_hash
    found = examine(member)["ledger and engine"]

    assert (BROKEN, True) == (found.state, "this member is alone" in found.sentence)


def test_a_proof_of_another_history_is_found_without_an_engine(member: MemberOnDisk) -> None:
    """The last proof kept still names what the others signed."""
    honest = other_history()
    member.include(member.world[MAKER].key.sign(messages.model("09506000134352")))
    member.prove(honest.head.app_hash)
    member.engine.silent = True

    assert BROKEN == examine(member)["validators' proof"].state


def test_a_ledger_that_lags_and_one_from_a_copy_are_told_apart(member: MemberOnDisk) -> None:
    """Behind: its application lags. Ahead: one of the two was restored."""
    member.engine.app_hash = other_history().head.app_hash
    behind = examine(member)["ledger and engine"]
    member.engine.app_hash = None
    member.engine.world = World(consortium_genesis(), with_keys=False)
    for _ in range(3):
        member.include(member.world[MAKER].key.sign(messages.model("09506000134352")))
    ahead = examine(member)["ledger and engine"]

    assert (LOOK, True) == (behind.state, "leaves" in behind.sentence)
    assert (BROKEN, True) == (ahead.state, "older copy" in ahead.sentence)


def test_a_proof_that_covers_too_little_wants_to_be_fetched(member: MemberOnDisk) -> None:
    """With the command that does it."""
    member.include(member.world[MAKER].key.sign(messages.model()))
    found = examine(member)["validators' proof"]

    assert (LOOK, True) == (found.state, "cellvow publish" in found.remedy)
