"""Whatever members do, in whatever order: safety is lowered by an assessment only, and a released maker stays so."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cellvow.core.contracts.contract import Message, decode_record
from cellvow.core.contracts.safety import SAFETY_STATES, AssessSafety, SafetyRecord, safety_key
from cellvow.core.contracts.software import ResetSoftware, SoftwareRecord, software_key
from cellvow.core.protocol.ruleset import NEWEST
from tests import messages
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER, World, make_genesis

SAFETY, SOFTWARE = safety_key(messages.BATTERY), software_key(messages.BATTERY, "bms")

members = st.sampled_from((AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER))
references = st.sampled_from(("I-1", "I-2", "I-3"))
reports = st.builds(messages.incident, references, st.sampled_from(("note", "caution", "danger")))
closings = st.lists(st.tuples(members, references), max_size=2)
assessments = st.builds(
    lambda state, closed: messages.assessment(state, *closed), st.sampled_from(SAFETY_STATES), closings
)
releases = st.sampled_from(("1.0", "2.0"))
others: st.SearchStrategy[Message] = st.one_of(
    st.builds(messages.software, releases),
    st.builds(messages.reset, releases),
    st.builds(messages.work_order, members, st.sampled_from(("repair", "inspection"))),
    st.builds(messages.work, st.sampled_from(("W-1", "W-2", "W-3")), st.sampled_from(("repair", "inspection"))),
    st.sampled_from([messages.installation(), messages.removal()]),
    st.builds(messages.offer, members, st.just(("custody",)), st.tuples(st.integers(1, 3))),
    st.builds(messages.accept, st.integers(1, 4)),
)
steps = st.lists(st.tuples(members, st.one_of(reports, assessments, others)), max_size=25)


@dataclass
class Seen:
    """What stands on record before or after a step."""

    safety: SafetyRecord | None
    software: SoftwareRecord | None


def look(world: World) -> Seen:
    """What stands on record now."""
    records = world.state.records
    safety = decode_record(SafetyRecord, records[SAFETY]) if SAFETY in records else None
    return Seen(safety, decode_record(SoftwareRecord, records[SOFTWARE]) if SOFTWARE in records else None)


def state_of(seen: Seen) -> int:
    """How bad the state is, from 0: safe."""
    return 0 if seen.safety is None else SAFETY_STATES.index(seen.safety.state)


def require_step(before: Seen, after: Seen, organisation: str, message: Message) -> None:
    """The rules that every step keeps; raises `AssertionError`."""
    lowered = state_of(after) < state_of(before)
    assert not lowered or isinstance(message, AssessSafety), "lowered by something else than an assessment"
    if after.safety is not None:
        is_alarmed = any(one.severity == "danger" for one in after.safety.incidents)
        assert not is_alarmed or state_of(after) >= 1, "called safe while a danger is open"
        if state_of(after) != state_of(before):
            assert after.safety.organisation == organisation, "changed under another's name"
    released = None if before.software is None else before.software.maker_released
    now = None if after.software is None else after.software.maker_released
    assert released is None or now == released, "a release was taken back, or changed"
    if now is not None and released is None:
        assert isinstance(message, ResetSoftware), "released without a reset"
        assert organisation != MAKER, "the maker released himself"


def begin() -> World:
    """A unit of the maker's, under the newest ruleset."""
    world = World(make_genesis(ruleset=NEWEST))
    maker = world[MAKER].key
    world.accept(maker.sign(messages.model()), maker.sign(messages.battery()))
    return world


@settings(max_examples=150, deadline=None)
@given(steps=steps)
def test_safety_is_lowered_by_assessments_only_and_a_release_is_for_good(steps: list[tuple[str, Message]]) -> None:
    """Reports, assessments, software, resets, work and hand-overs by anybody, each in a block of its own."""
    world = begin()
    for organisation, message in steps:
        before = look(world)
        world.submit(world[organisation].key.sign(message))
        require_step(before, look(world), organisation, message)


def test_control_the_rules_see_a_state_lowered_by_a_report_and_a_release_undone() -> None:
    """The check goes red where the record is changed behind its back, and for sound steps it does not."""
    world = begin()
    world.accept(world[MAKER].key.sign(messages.offer(BUYER, ("custody",), (1,))))
    world.accept(world[BUYER].key.sign(messages.accept()))
    world.accept(world[BUYER].key.sign(messages.reset()), world[CARMAKER].key.sign(messages.incident()))
    sound = look(world)
    require_step(sound, sound, CARMAKER, messages.incident())
    assert sound.safety is not None
    assert sound.software is not None
    calmed = Seen(replace(sound.safety, state="safe", incidents=()), sound.software)
    undone = Seen(sound.safety, replace(sound.software, maker_released=None))
    for after in (calmed, undone):
        try:
            require_step(sound, after, CARMAKER, messages.incident("I-2"))
        except AssertionError:
            continue
        raise AssertionError(f"not seen: {after}")
