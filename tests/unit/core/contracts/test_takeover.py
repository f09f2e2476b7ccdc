"""An orphaned unit is taken over: by notice with evidence, after time to object, and never its ownership."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.change import RemoveMember
from cellvow.core.contracts.contract import encode_record
from cellvow.core.contracts.dispute_file import Topic
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.contracts.takeover import (
    ANSWERED_MS,
    COMPLETION_MS,
    NOTICE_MS,
    TakeoverRecord,
    derive_takeover_state,
    takeover_key,
)
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import EVIDENCE_MAX
from tests import disputing, messages
from tests.decisions import adopt
from tests.disputing import completion, hand_over, holders, notice, objection, opening, second_thoughts, settled, submit
from tests.world import AUTHORITY, BUYER, CARMAKER, DAY_MS, LABORATORY, MAKER, World


def noticed() -> tuple[World, int]:
    """The second-life operator has given notice of the maker's battery; when the notice ends."""
    world = settled()
    assert submit(world, BUYER, notice()) is None
    return world, takeover(world).ends_ms


def takeover(world: World) -> TakeoverRecord:
    """The latest notice."""
    return world.record(TakeoverRecord, takeover_key(messages.BATTERY))


def abandoned() -> World:
    """The maker, who holds, owns and answers, is no member any more."""
    world = settled()
    adopt(world, RemoveMember(organisation=MAKER), voters=(AUTHORITY, BUYER, CARMAKER, LABORATORY))
    return world


def test_an_orphaned_unit_is_taken_over_after_the_notice() -> None:
    """Not a moment before. Responsibility and custody pass; the title stays where it is."""
    world, ends_ms = noticed()

    assert ends_ms == takeover(world).since_ms + NOTICE_MS
    assert submit(world, BUYER, completion()) is Reason.NOTICE_RUNNING
    assert submit(world, BUYER, completion(), time_ms=ends_ms - 1) is Reason.NOTICE_RUNNING
    assert holders(world) == dict.fromkeys(REGISTERS, MAKER)
    assert submit(world, BUYER, completion(), time_ms=ends_ms) is None
    assert holders(world) == {"custody": BUYER, "ownership": MAKER, "responsibility": BUYER}
    assert takeover(world).state == "completed"


def test_a_notice_names_its_giver_cause_and_evidence() -> None:
    """It is a statement that others can hold against him."""
    world, _ = noticed()
    record = takeover(world)

    assert (record.by, record.respondent, record.cause) == (BUYER, MAKER, "abandoned")
    assert record.evidence == (disputing.DOCUMENT,)


def test_who_left_the_ledger_is_not_waited_for() -> None:
    """He cannot object: the notice ends with the block that carries it."""
    world = abandoned()

    assert submit(world, BUYER, notice()) is None
    assert submit(world, BUYER, completion()) is None
    assert holders(world)["responsibility"] == BUYER


def test_custody_stays_with_whoever_else_holds_it() -> None:
    """A carrier who is there keeps what he holds."""
    world = settled()
    hand_over(world, MAKER, CARMAKER, ("custody",))
    submit(world, BUYER, notice())
    submit(world, BUYER, completion(), time_ms=takeover(world).ends_ms)

    assert holders(world) == {"custody": CARMAKER, "ownership": MAKER, "responsibility": BUYER}


@pytest.mark.parametrize("who", [MAKER, CARMAKER], ids=["who answers", "who owns"])
def test_an_objection_ends_the_notice(who: str) -> None:
    """Whoever stands in a register is there, and says so; nobody gives notice of that entry for a while."""
    world = settled()
    hand_over(world, MAKER, CARMAKER, ("ownership",))
    submit(world, BUYER, notice())
    ends_ms = takeover(world).ends_ms
    assert submit(world, who, objection()) is None
    objected_ms = world.head.time_ms

    assert takeover(world).objected_by == who
    assert submit(world, BUYER, completion(2), time_ms=ends_ms) is Reason.NO_OPEN_TAKEOVER
    assert submit(world, BUYER, notice()) is Reason.NOT_ORPHANED
    assert submit(world, BUYER, notice(), time_ms=objected_ms + ANSWERED_MS - 1) is Reason.NOT_ORPHANED
    assert submit(world, BUYER, notice(), time_ms=objected_ms + ANSWERED_MS) is None


def test_an_objection_of_who_left_since_protects_nobody() -> None:
    """He was there, and is not any more."""
    world, _ = noticed()
    submit(world, MAKER, objection())
    adopt(world, RemoveMember(organisation=MAKER), voters=(AUTHORITY, BUYER, CARMAKER, LABORATORY))

    assert submit(world, BUYER, notice()) is None


def test_an_objection_and_a_completion_in_one_block() -> None:
    """At the moment the notice ends: whichever comes first, and the other finds no notice."""
    for objects_first in (True, False):
        world, ends_ms = noticed()
        both = [world[MAKER].key.sign(objection()), world[BUYER].key.sign(completion())]
        kept = world.include(*(both if objects_first else reversed(both)), time_ms=ends_ms)
        assert [one.reason for (one,) in kept] == [None, Reason.NO_OPEN_TAKEOVER]
        assert holders(world)["responsibility"] == (MAKER if objects_first else BUYER)


@pytest.mark.parametrize("who", [BUYER, CARMAKER])
def test_nobody_else_objects(who: str) -> None:
    """Neither a stranger nor the claimant."""
    world, _ = noticed()

    assert submit(world, who, objection()) is Reason.NOT_IN_THE_REGISTER


@pytest.mark.parametrize("who", [LABORATORY, AUTHORITY])
def test_only_an_operator_takes_a_unit_over(who: str) -> None:
    """Somebody who can answer for it."""
    assert submit(settled(), who, notice()) is Reason.ROLE_MISSING


def test_nobody_takes_over_what_he_answers_for() -> None:
    """It is no orphan."""
    assert submit(settled(), MAKER, notice()) is Reason.NOT_ORPHANED


def test_waste_passes_to_a_producer_or_waste_operator_only() -> None:
    """Article 77(7): a second-life operator does not take over waste, nor what has become waste meanwhile."""
    world, ends_ms = noticed()
    record = replace(world.record(BatteryRecord, battery_key(messages.BATTERY)), status="waste")
    world.state.update({battery_key(messages.BATTERY): encode_record(record)})

    assert submit(world, BUYER, completion(), time_ms=ends_ms) is Reason.NOT_FOR_WASTE
    assert submit(world, BUYER, second_thoughts()) is None
    assert submit(world, BUYER, notice()) is Reason.NOT_FOR_WASTE


def test_a_part_goes_where_its_whole_goes() -> None:
    """It is not taken over by itself."""
    world = settled()
    record = replace(world.record(BatteryRecord, battery_key(messages.BATTERY)), part_of=messages.OTHER_BATTERY)
    world.state.update({battery_key(messages.BATTERY): encode_record(record)})

    assert submit(world, BUYER, notice()) is Reason.PART_OF_ANOTHER


@pytest.mark.parametrize("topic", ["responsibility", "custody"])
def test_a_disputed_register_is_not_taken_over(topic: Topic) -> None:
    """Neither by a new notice nor by one that ran before the dispute; once it ended, the notice can be completed."""
    world, ends_ms = noticed()
    assert submit(world, MAKER, opening(CARMAKER, topic)) is None

    assert submit(world, BUYER, completion(), time_ms=ends_ms) is Reason.REGISTER_DISPUTED
    assert submit(world, MAKER, disputing.withdrawal(MAKER)) is None
    assert submit(world, BUYER, completion()) is None


def test_one_notice_runs_at_a_time_and_lapses_by_itself() -> None:
    """Thirty days after its end another may give notice: no notice blocks a unit for ever."""
    world, ends_ms = noticed()
    last = ends_ms + COMPLETION_MS
    assert submit(world, BUYER, notice()) is Reason.TAKEOVER_OPEN
    assert submit(world, BUYER, notice(), time_ms=last) is Reason.TAKEOVER_OPEN
    assert submit(world, BUYER, completion(), time_ms=last + 1) is Reason.NO_OPEN_TAKEOVER

    assert submit(world, BUYER, notice()) is None
    assert takeover(world).version == 2
    assert submit(world, BUYER, completion(1)) is Reason.STALE_VERSION


def test_a_notice_is_moot_once_somebody_else_answers() -> None:
    """The unit was handed over meanwhile: it is no orphan, and the new party is not taken by surprise."""
    world, ends_ms = noticed()
    hand_over(world, MAKER, CARMAKER, ("responsibility",))

    assert submit(world, BUYER, completion(), time_ms=ends_ms) is Reason.NO_OPEN_TAKEOVER
    answers = disputing.register(world, "responsibility")
    assert derive_takeover_state(takeover(world), answers, world.head.time_ms) == "moot"
    assert submit(world, BUYER, notice(1)) is Reason.STALE_VERSION
    assert submit(world, BUYER, notice(2)) is None


def test_only_its_giver_completes_or_withdraws_a_notice() -> None:
    """Another operator gives his own."""
    world, ends_ms = noticed()

    assert submit(world, CARMAKER, second_thoughts()) is Reason.NO_OPEN_TAKEOVER
    assert submit(world, MAKER, completion(), time_ms=ends_ms) is Reason.NO_OPEN_TAKEOVER
    assert submit(world, BUYER, second_thoughts()) is None
    assert submit(world, BUYER, completion(2)) is Reason.NO_OPEN_TAKEOVER


def test_an_offer_of_who_is_gone_blocks_nobody() -> None:
    """He offered the unit, and vanished: whoever took it over hands it over."""
    world = settled()
    submit(world, MAKER, messages.offer(CARMAKER))
    submit(world, BUYER, notice())
    submit(world, BUYER, completion(), time_ms=takeover(world).ends_ms)

    assert submit(world, CARMAKER, messages.accept()) is Reason.NOT_IN_THE_REGISTER
    assert submit(world, BUYER, messages.offer(CARMAKER, ("custody", "responsibility"), (2, 2))) is None


def test_an_offer_of_who_is_gone_leaves_the_parts_free() -> None:
    """Whoever took the unit over may have it repaired: nobody can accept that offer any more."""
    world = settled()
    maker = world[MAKER].key
    world.accept(maker.sign(messages.description()))
    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,))) is None
    for battery in (messages.BATTERY, messages.OTHER_BATTERY):
        submit(world, BUYER, notice(battery=battery))
    ends_ms = takeover(world).ends_ms + DAY_MS
    for battery in (messages.BATTERY, messages.OTHER_BATTERY):
        assert submit(world, BUYER, completion(battery=battery), time_ms=ends_ms) is None

    assert submit(world, BUYER, messages.part_in()) is None


def test_an_offer_to_who_has_left_blocks_nobody() -> None:
    """He can neither accept nor decline it, and who made it may be gone as well: the owner sells."""
    world = settled()
    hand_over(world, MAKER, BUYER, ("ownership",))
    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,))) is None
    assert submit(world, BUYER, messages.offer(LABORATORY, ("ownership",), (2,))) is Reason.OFFER_OPEN
    adopt(world, RemoveMember(organisation=CARMAKER), voters=(AUTHORITY, BUYER, MAKER, LABORATORY))

    assert submit(world, BUYER, messages.offer(LABORATORY, ("ownership",), (2,))) is None


def test_documents_of_a_notice() -> None:
    """EVIDENCE_MAX, as under a position."""
    world = settled()
    most = (disputing.DOCUMENT,) * EVIDENCE_MAX

    assert submit(world, BUYER, replace(notice(), evidence=(*most, disputing.DOCUMENT))) is Reason.MALFORMED_MESSAGE
    assert submit(world, BUYER, replace(notice(), evidence=most)) is None


def test_what_became_a_part_since_the_notice_is_not_taken_over_by_itself() -> None:
    """Its registers rest from then on: a completion would move what counts for nobody."""
    world, ends_ms = noticed()
    record = replace(world.record(BatteryRecord, battery_key(messages.BATTERY)), part_of=messages.OTHER_BATTERY)
    world.state.update({battery_key(messages.BATTERY): encode_record(record)})

    assert submit(world, BUYER, completion(), time_ms=ends_ms) is Reason.PART_OF_ANOTHER
    assert holders(world)["responsibility"] == MAKER


def test_an_objection_protects_the_entry_that_it_was_made_for() -> None:
    """Who is given the unit afterwards has shown nobody yet that he is there."""
    world, _ = noticed()
    assert submit(world, MAKER, objection()) is None
    assert submit(world, BUYER, notice()) is Reason.NOT_ORPHANED
    hand_over(world, MAKER, CARMAKER, ("responsibility",))

    assert submit(world, BUYER, notice(2)) is None


def test_nobody_objects_to_his_own_notice() -> None:
    """Its giver may own the unit: he withdraws, and does not protect an absent party for ninety days."""
    world = settled()
    hand_over(world, MAKER, BUYER, ("ownership",))
    assert submit(world, BUYER, notice()) is None

    assert submit(world, BUYER, objection()) is Reason.NOT_IN_THE_REGISTER


def test_a_unit_without_a_notice_has_none_to_answer() -> None:
    """Nothing was announced: there is nothing to object to, to complete or to withdraw."""
    for message in (objection(), completion(), second_thoughts()):
        assert submit(settled(), MAKER, message) is Reason.NO_OPEN_TAKEOVER
