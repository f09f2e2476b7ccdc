"""A rehearsal says what the ledger will say, of any message in any state, and leaves no trace."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellvow.core.contracts.dispute import (
    AcceptSettlement,
    DecideDispute,
    NominateArbiter,
    OpenDispute,
    ProposeSettlement,
    StatePosition,
    WithdrawDispute,
)
from cellvow.core.contracts.dispute_file import Move
from cellvow.core.contracts.register import REGISTERS, RegisterRecord, register_key
from cellvow.core.contracts.takeover import NOTICE_MS, CompleteTakeover, GiveNotice, ObjectToTakeover, WithdrawNotice
from cellvow.core.ledger.rejection import Reason
from cellvow.workspace.rehearsal import Change, rehearse
from tests import messages
from tests.disputing import TEXT
from tests.unit.workspace.stored_world import StoredWorld, unit
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER

if TYPE_CHECKING:
    from cellvow.core.contracts.contract import Message
    from cellvow.workspace.rehearsal import Rehearsal

SIDES = (MAKER, CARMAKER, BUYER, AUTHORITY)
NAMES = {"battery": unit(0), "opener": MAKER, "reference": "D-1"}
STATING = StatePosition(battery=unit(0), opener=MAKER, reference="D-1", text=TEXT)
WHO = st.sampled_from(SIDES)
COUNTS = st.integers(0, 4)
MOVES = st.lists(
    st.builds(Move, register=st.sampled_from(REGISTERS), organisation=WHO),
    max_size=2,
    unique_by=lambda one: one.register,
).map(tuple)
MESSAGES: st.SearchStrategy[Any] = st.one_of(
    st.builds(
        OpenDispute,
        battery=st.just(unit(0)),
        reference=st.just("D-1"),
        topic=st.sampled_from(["custody", "ownership", "safety"]),
        respondent=WHO,
        text=st.just(TEXT),
        arbiter=st.none() | WHO,
    ),
    st.just(STATING),
    st.builds(NominateArbiter, **{name: st.just(one) for name, one in NAMES.items()}, arbiter=WHO),
    st.just(WithdrawDispute(**NAMES)),
    st.builds(ProposeSettlement, **{name: st.just(one) for name, one in NAMES.items()}, moves=MOVES),
    st.builds(AcceptSettlement, **{name: st.just(one) for name, one in NAMES.items()}, version=COUNTS),
    st.builds(
        DecideDispute,
        **{name: st.just(one) for name, one in NAMES.items()},
        positions=COUNTS,
        outcome=st.sampled_from(["upheld", "dismissed"]),
        grounds=st.just(TEXT),
        moves=MOVES,
        voids_tests=st.booleans(),
    ),
    st.builds(GiveNotice, battery=st.just(unit(0)), version=COUNTS, cause=st.just("unreachable")),
    st.builds(ObjectToTakeover, battery=st.just(unit(0)), version=COUNTS),
    st.builds(CompleteTakeover, battery=st.just(unit(0)), version=COUNTS),
    st.builds(WithdrawNotice, battery=st.just(unit(0)), version=COUNTS),
    st.builds(lambda version: messages.accept(version, identifier=unit(0)), COUNTS),
    st.just(messages.battery(unit(0))),
)


def rehearsed(world: StoredWorld, organisation: str, message: Message, now_ms: int | None = None) -> Rehearsal:
    """What one message would come to."""
    key = world[organisation].key
    return rehearse(world.store, organisation, key.kid, [message], world.head.time_ms if now_ms is None else now_ms)


def registered(world: StoredWorld) -> dict[str, str]:
    """Register -> organisation of the one unit."""
    return {one: world.record(RegisterRecord, register_key(one, unit(0))).organisation for one in REGISTERS}


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(steps=st.lists(st.tuples(WHO, MESSAGES), min_size=1, max_size=8))
def test_what_is_rehearsed_is_what_becomes_of_it(steps: list[tuple[str, Message]]) -> None:
    """The same outcome with the same code, and the same registers move from and to the same organisations."""
    with TemporaryDirectory() as folder:
        world = StoredWorld(Path(folder) / "ledger")
        world.register(0)
        world.offer(MAKER, 0, BUYER, ["custody", "responsibility"])
        for who, message in steps:
            size, before = world.store.count_records(), registered(world)
            shown = rehearsed(world, who, message)
            assert (size, before) == (world.store.count_records(), registered(world))
            became, after = world.say(who, message), registered(world)

            assert [became.reason] == [one.reason for one in shown.outcomes]
            assert became.is_contested == shown.is_contested
            assert [event["type"] for event in became.events] == [
                event["type"] for one in shown.outcomes for event in one.events
            ]
            moved = [Change(one, unit(0), before[one], after[one]) for one in REGISTERS if before[one] != after[one]]
            assert moved == [one for one in shown.changes if one.kind in REGISTERS]
        world.store.close()


@pytest.fixture
def world(tmp_path: Path) -> StoredWorld:
    """One battery whose buyer answers for it."""
    made = StoredWorld(tmp_path / "ledger")
    made.register(0)
    made.offer(MAKER, 0, BUYER, ["responsibility"])
    made.say(BUYER, messages.accept(identifier=unit(0)))
    return made


def test_a_rehearsal_is_of_a_moment(world: StoredWorld) -> None:
    """A take-over that cannot be completed today can be once its notice has ended."""
    assert world.say(MAKER, GiveNotice(battery=unit(0), version=2, cause="insolvent")).is_accepted
    complete = CompleteTakeover(battery=unit(0), version=1)
    today = rehearsed(world, MAKER, complete)
    then = rehearsed(world, MAKER, complete, world.head.time_ms + NOTICE_MS)

    assert today.rejection is not None
    assert (Reason.NOTICE_RUNNING, False) == (today.rejection.reason, today.is_sound)
    assert Change("responsibility", unit(0), BUYER, MAKER) in then.changes
    assert Change("takeover", unit(0), "open", "completed") in then.changes


def test_a_key_that_may_not_sign_is_told_so(world: StoredWorld) -> None:
    """A key that the ledger does not know leaves no trace; the root key is out of its scope."""
    unknown = rehearse(world.store, MAKER, bytes(16), [STATING], 0)
    root = rehearse(world.store, MAKER, world[MAKER].root.kid, [STATING], 0)

    assert unknown.refused is not None
    assert Reason.UNKNOWN_KEY is unknown.refused.reason
    assert root.rejection is not None
    assert Reason.OUT_OF_SCOPE is root.rejection.reason


def test_several_messages_stand_or_fall_together(world: StoredWorld) -> None:
    """As in a batch: the cause is told, and not that the others fall with it."""
    opening = OpenDispute(battery=unit(0), reference="D-1", topic="safety", respondent=BUYER, text=TEXT)
    both = rehearse(world.store, LABORATORY, world[LABORATORY].key.kid, [opening, opening], 0)

    assert [Reason.BATCH_ABORTED, Reason.DISPUTE_EXISTS] == [one.reason for one in both.outcomes]
    assert both.rejection is not None
    assert Reason.DISPUTE_EXISTS is both.rejection.reason
    assert () == both.changes


def test_what_stands_still_and_what_moves_again_is_told(world: StoredWorld) -> None:
    """A dispute between parties holds the register; its end lets it go."""
    opening = OpenDispute(battery=unit(0), reference="D-1", topic="responsibility", respondent=MAKER, text=TEXT)
    opened = rehearsed(world, BUYER, opening).changes
    assert world.say(BUYER, opening).is_accepted
    named = {"battery": unit(0), "opener": BUYER, "reference": "D-1"}
    over = rehearsed(world, BUYER, WithdrawDispute(**named)).changes

    assert (Change("dispute", f"{BUYER}/D-1", "", "open"), Change("still", unit(0), after="responsibility")) == opened
    assert (
        Change("dispute", f"{BUYER}/D-1", "open", "withdrawn"),
        Change("moving", unit(0), after="responsibility"),
    ) == over
