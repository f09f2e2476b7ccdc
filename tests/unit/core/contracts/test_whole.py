"""A part that was sold with its whole: who acts for it now, and that who built it in does no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts import dispute_file
from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.dispute_file import DisputeRecord, dispute_key
from cellvow.core.contracts.life import WasteRecord, waste_key
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.ledger.genesis import encode_organisation, parse_organisation
from cellvow.core.ledger.rejection import Reason
from tests import disputing, messages
from tests.assembly import assembled, cell, hand_over, module, pack, refused, submit
from tests.lives import registered
from tests.world import BUYER, CARMAKER, LABORATORY, MAKER, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellvow.core.contracts.contract import Message

PARTS = (module(1), cell(1))
"""One lies in the pack, the other in that one: their own registers still have who built them in."""


def sold(*owners: str) -> World:
    """The pack was sold on from its maker to each of these, with all that is in it."""
    world = assembled()
    for giver, taker in zip((MAKER, *owners), owners, strict=False):
        hand_over(world, pack(1), giver, taker)
    return world


def version_of(world: World, battery: str) -> int:
    """The version of a unit's record."""
    return world.record(BatteryRecord, battery_key(battery)).version


def ordered(part: str) -> Message:
    """An order to work on a part."""
    return messages.work_order(CARMAKER, identifier=part)


def planned(part: str) -> Message:
    """Work on a part, and when it is to be serviced next."""
    return messages.work("W-1", "calibration", next_on="2026-06-01", identifier=part)


def put_in(part: str) -> Message:
    """Software for a part whose maker is released by that."""
    return messages.reset(identifier=part)


def assessed(part: str) -> Message:
    """What somebody found who looked at a part."""
    return messages.assessment("caution", identifier=part)


def graded(part: str) -> Message:
    """What a part is good for."""
    return messages.grading(identifier=part)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("make", [ordered, planned, put_in, assessed, graded])
def test_who_holds_the_whole_acts_as_the_holder_of_its_parts(part: str, make: Callable[[str], Message]) -> None:
    """The part's own register does not have him: it rests while the part is built in."""
    assert refused(sold(BUYER), BUYER, make(part)) is None


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("make", [ordered, planned])
def test_who_built_a_part_in_and_sold_the_whole_holds_it_no_more(part: str, make: Callable[[str], Message]) -> None:
    """Though its own register has him still: neither orders work on what another holds, nor plans its service."""
    assert refused(assembled(), MAKER, make(part)) is None
    assert refused(sold(BUYER), MAKER, make(part)) in (Reason.NOT_THE_HOLDER, Reason.NO_OPEN_ORDER)


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("make", [ordered, planned, put_in, assessed, graded])
def test_who_sold_the_whole_on_holds_none_of_its_parts(part: str, make: Callable[[str], Message]) -> None:
    """An operator who is through with it releases no maker, and calls nothing safe."""
    refusal = (Reason.NOT_THE_HOLDER, Reason.NO_OPEN_ORDER)

    assert refused(sold(BUYER, CARMAKER), BUYER, make(part)) in refusal


def test_an_order_for_a_part_ends_when_the_whole_is_sold() -> None:
    """The workshop has the consent of who holds it, and not of who did."""
    for owners, reason in (((), None), ((BUYER,), Reason.NO_OPEN_ORDER)):
        world = assembled()
        world.accept(world[MAKER].key.sign(messages.work_order(CARMAKER, "calibration", identifier=module(1))))
        for owner in owners:
            hand_over(world, pack(1), MAKER, owner)

        assert refused(world, CARMAKER, planned(module(1))) is reason


def test_a_buyer_reports_a_danger_in_a_part_of_what_is_his() -> None:
    """Whoever stands in a register of the whole is near its parts, in whatever role."""
    world = sold(CARMAKER)

    assert refused(world, CARMAKER, messages.incident(identifier=cell(1))) is None


def test_a_part_of_what_burnt_is_told_to_be_gone_by_who_answered_for_the_whole() -> None:
    """Not by who answered for the part before it was sold with its pack."""
    world = sold(BUYER)
    world.accept(world[BUYER].key.sign(messages.destruction(version_of(world, pack(1)), identifier=pack(1))))
    gone = messages.destruction(version_of(world, module(2)), identifier=module(2))

    assert refused(world, MAKER, gone) is Reason.NOT_RESPONSIBLE
    assert refused(world, BUYER, gone) is None


def test_a_part_of_what_burnt_that_is_seen_again_is_kept_as_a_claim() -> None:
    """It is gone with its whole, against who answered for that; before, it was seen like any other."""
    world = sold(BUYER)
    assert refused(world, CARMAKER, messages.sighting(cell(1))) is None
    world.accept(world[BUYER].key.sign(messages.destruction(version_of(world, pack(1)), identifier=pack(1))))
    outcome = submit(world, CARMAKER, messages.sighting(cell(1)))

    assert outcome.is_contested
    assert world.record(DisputeRecord, dispute_key(CARMAKER, "CLAIM-1")).respondent == BUYER


def test_who_sold_a_part_with_its_whole_is_a_stranger_to_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Strangers fill half of its files at most, whoever its own register has; who bought the whole finds room."""
    monkeypatch.setattr(dispute_file, "BATTERY_DISPUTES_MAX", 2)
    world = sold(BUYER, CARMAKER)
    claim = disputing.opening(MAKER, "identity", battery=module(1))

    assert refused(world, BUYER, claim) is None
    assert refused(world, LABORATORY, claim) is Reason.TOO_MANY_DISPUTES
    assert refused(world, CARMAKER, claim) is None
    assert world.record(DisputeRecord, dispute_key(CARMAKER, disputing.D_1)).state == "open"


def test_threat_a_sale_and_its_return_vanish_from_the_registers_of_a_part() -> None:
    """A part that was another's in between does not say that it was in one hand all the time."""
    world = sold(BUYER, MAKER)
    first = registered(world, "ownership", module(1))
    world.accept(world[MAKER].key.sign(messages.part_out(module(1), pack(1))))
    again = registered(world, "ownership", module(1))

    assert (again.organisation, again.since_ms, again.version) == (MAKER, world.head.time_ms, first.version + 1)
    assert again.since_ms > registered(world, "ownership", pack(1)).since_ms > first.since_ms


def test_a_part_that_was_nobody_elses_keeps_its_entry() -> None:
    """Control: who had it all the time has it since then, in however many units it was."""
    world = assembled()
    before = registered(world, "ownership", cell(1))
    world.accept(world[MAKER].key.sign(messages.part_out(cell(1), module(1), pack(1))))

    assert registered(world, "ownership", cell(1)) == before


# Waste


def wasted(whole: str = pack(1)) -> World:
    """The pack was declared waste with everything in it."""
    world = assembled()
    world.accept(world[MAKER].key.sign(messages.waste(version_of(world, whole), identifier=whole)))
    return world


def test_threat_dismantling_makes_waste_usable_again() -> None:
    """What is taken out of waste is waste, for the reason of what it was in; so is what lay deeper in it."""
    world = wasted()
    for message in (messages.part_out(module(1), pack(1)), messages.part_out(cell(1), module(1))):
        world.accept(world[MAKER].key.sign(message))
        record = world.record(WasteRecord, waste_key(message.part))

        assert world.record(BatteryRecord, battery_key(message.part)).status == "waste"
        assert (record.organisation, record.cause) == (MAKER, messages.waste().cause)
    offer = messages.offer(BUYER, ("responsibility",), (1,), identifier=module(1))
    assert refused(world, MAKER, offer) is Reason.NOT_FOR_WASTE


def test_a_cell_in_a_module_of_a_waste_pack_is_waste_once_it_is_out() -> None:
    """The nearest unit around it is no waste by its own record; one further out is."""
    world = wasted()
    world.accept(world[MAKER].key.sign(messages.part_out(cell(1), module(1), pack(1))))

    assert world.record(BatteryRecord, battery_key(cell(1))).status == "waste"


def test_waste_that_is_taken_out_of_waste_keeps_its_own_reason() -> None:
    """Who declared it, and why, does not become the word of who took it out."""
    world = wasted(module(3))
    declared = world.record(WasteRecord, waste_key(module(3)))
    world.accept(world[MAKER].key.sign(messages.waste(version_of(world, pack(2)), identifier=pack(2))))
    world.accept(world[MAKER].key.sign(messages.part_in(module(3), pack(2))))
    world.accept(world[MAKER].key.sign(messages.part_out(module(3), pack(2))))

    assert world.record(WasteRecord, waste_key(module(3))) == declared


def test_what_is_taken_out_of_a_unit_in_use_stays_what_it_is() -> None:
    """Control: the rule is about waste alone."""
    world = assembled()
    world.accept(world[MAKER].key.sign(messages.part_out(module(1), pack(1))))

    assert world.record(BatteryRecord, battery_key(module(1))).status == "original"
    assert waste_key(module(1)) not in world.state.records


def test_threat_waste_comes_back_as_a_part() -> None:
    """A waste module goes into no pack in use, by itself or in the place of another; it takes a second life."""
    world = wasted(module(3))

    assert refused(world, MAKER, messages.part_in(module(3), pack(2))) is Reason.WRONG_STATUS
    assert refused(world, MAKER, messages.replacement(module(2), module(3), pack(1))) is Reason.WRONG_STATUS
    assert world.record(BatteryRecord, battery_key(module(3))).part_of is None
    world.accept(world[MAKER].key.sign(messages.waste(version_of(world, pack(2)), identifier=pack(2))))
    assert refused(world, MAKER, messages.part_in(module(3), pack(2))) is None


def test_waste_that_was_put_into_waste_is_recycled_with_it_or_taken_out() -> None:
    """By itself it would leave a hole in what it is in."""
    world = wasted(module(3))
    world.accept(world[MAKER].key.sign(messages.waste(version_of(world, pack(2)), identifier=pack(2))))
    world.accept(world[MAKER].key.sign(messages.part_in(module(3), pack(2))))
    key = organisation_key(MAKER)
    member = parse_organisation(world.state.records[key])
    recycler = type(member)(member.organisation, member.name, ("recycler",), member.root_keys)
    world.state.update({key: encode_organisation(recycler)})

    recycled = messages.recycling(version_of(world, module(3)), identifier=module(3))
    assert refused(world, MAKER, recycled) is Reason.PART_OF_ANOTHER


def test_waste_is_built_into_no_vehicle() -> None:
    """Nor into a storage system: it is waste until a second life begins."""
    world = wasted(pack(2))

    assert refused(world, MAKER, messages.installation(identifier=pack(2))) is Reason.WRONG_STATUS
    assert refused(assembled(), MAKER, messages.installation(identifier=pack(2))) is None
