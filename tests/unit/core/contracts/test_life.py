"""The life of a unit: which status follows which, who may cause it, and that what has ceased stays ceased."""

from __future__ import annotations

import itertools
from typing import Literal

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.attestation import AttestationRecord, attestation_key, derive_state
from cellvow.core.contracts.battery import STATUSES, VoidingRecord, battery_key, voiding_key
from cellvow.core.contracts.contract import Message, encode_record
from cellvow.core.contracts.dispute import DecideDispute, OpenDispute
from cellvow.core.contracts.dispute_file import Move
from cellvow.core.contracts.life import (
    FIT_FOR_WASTE,
    TRANSITIONS,
    DecommissionRecord,
    SightingRecord,
    Transition,
    WasteRecord,
    decommission_key,
    sighting_key,
    waste_key,
)
from cellvow.core.contracts.lineage import EndRecord, end_key
from cellvow.core.ledger.rejection import ARTICLES, Reason
from tests import messages
from tests.lives import (
    RECYCLER,
    claimed,
    hand_over,
    holders,
    installed,
    lives_world,
    order,
    recycle,
    refused,
    registered,
    second_unit,
    unit_of,
    with_parts,
)
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER, World, without_sequences

UNIT, OTHER = messages.BATTERY, messages.OTHER_BATTERY


def set_status(world: World, status: str) -> None:
    """Let the unit's record have this status, whatever led there."""
    changed = replace(unit_of(world), status=status)
    world.state.update({battery_key(UNIT): encode_record(changed)})


def deed_of(row: Transition, version: int) -> Message:
    """The message that orders what a row of the table is about."""
    if row.ceases == "succeeded":
        # The recycler of these tests has no model of his own, so that only the table can let it through.
        return messages.second_life(
            row.deed,  # type: ignore[arg-type]  # these three deeds are operations
            originals=(messages.draw(version=version),),
            successors=(messages.successor(second_unit()),),
        )
    make = {
        "decommission": messages.decommissioning,
        "waste": messages.waste,
        "recycle": messages.recycling,
        "destroy": messages.destruction,
    }
    return make[row.deed](version)


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("row", TRANSITIONS, ids=lambda row: row.deed)
def test_every_deed_leads_from_the_statuses_of_its_row_and_from_no_other(row: Transition, status: str) -> None:
    """All pairs of status and deed: accepted with the row's status after it, or refused with the record as it was."""
    world = lives_world("recycler", "second_life_operator")
    who = RECYCLER if row.deed == "recycle" else BUYER
    hand_over(world, MAKER, who)
    set_status(world, status)
    before = unit_of(world)
    reason = refused(world, who, deed_of(row, before.version))
    after = unit_of(world)

    if status in row.before:
        assert reason is None
        assert (after.status, after.ceased) == (row.after or status, row.ceases)
    else:
        assert reason is Reason.WRONG_STATUS
        assert after == before
    assert ARTICLES[Reason.WRONG_STATUS] == "Regulation (EU) 2023/1542, Annex XIII point 4"


def test_no_row_leads_back_to_original_and_only_the_three_operations_leave_waste() -> None:
    """The table itself: a status that goes backwards has no row."""
    assert "original" not in [row.after for row in TRANSITIONS]
    leaving = [row.deed for row in TRANSITIONS if "waste" in row.before and row.ceases is None]
    assert leaving == []
    assert [row.deed for row in TRANSITIONS if row.after == "waste"] == ["waste"]
    assert [row.ceases for row in TRANSITIONS if row.deed == "recycle"] == ["recycled"]


@pytest.mark.parametrize("register", ["ownership", "responsibility"])
@pytest.mark.parametrize("make", [messages.waste, messages.decommissioning])
def test_who_owns_or_answers_takes_a_unit_out_of_use(register: str, make: object) -> None:
    """Either of them alone may; who merely holds it, or nobody at all, may not."""
    world = lives_world()
    hand_over(world, MAKER, CARMAKER, names=("custody",))
    hand_over(world, MAKER, BUYER, names=(register,))  # type: ignore[arg-type]  # names of registers
    message: Message = make(1)  # type: ignore[operator]  # builders of messages

    assert refused(world, CARMAKER, message) is Reason.NOT_RESPONSIBLE
    assert refused(world, AUTHORITY, message) is Reason.NOT_RESPONSIBLE
    assert refused(world, BUYER, message) is None


def test_waste_is_declared_with_its_reason_and_its_tests_hold_on() -> None:
    """By whom, when, why; a test that shows it safe to carry is still one."""
    world = lives_world()
    world.accept(world[LABORATORY].key.sign(messages.anchor()), world[LABORATORY].key.sign(messages.certificate()))
    statement = world[MAKER].key.sign(messages.waste())
    world.accept(statement)
    record = world.record(WasteRecord, waste_key(UNIT))
    test = world.record(AttestationRecord, attestation_key(LABORATORY, messages.REFERENCE))

    assert (unit_of(world).status, unit_of(world).ceased) == ("waste", None)
    assert (record.organisation, record.cause, record.declared_ms) == (MAKER, "worn_out", world.head.time_ms)
    assert record.provenance.statement == statement.envelope.digest.hex()
    assert derive_state(test, unit_of(world), world.head.time_ms) == "issued"


def test_a_unit_out_of_use_is_no_waste() -> None:
    """Decommissioned with its reason; its status stays, and a second life is open to it."""
    world = lives_world()
    outcome = order(world, MAKER, messages.decommissioning())
    record = world.record(DecommissionRecord, decommission_key(UNIT))

    assert outcome.events == ({"type": "UnitDecommissioned", "battery": UNIT, "cause": "out_of_service"},)
    assert (record.organisation, record.cause, record.version) == (MAKER, "out_of_service", 1)
    assert unit_of(world).status == "original"
    assert refused(world, MAKER, messages.decommissioning()) is None
    assert world.record(DecommissionRecord, decommission_key(UNIT)).version == 2


@pytest.mark.parametrize(
    ("role", "is_fit"),
    [(role, role in FIT_FOR_WASTE) for role in ("manufacturer", "importer", "recycler", "operator", "buyer")],
)
def test_the_responsibility_for_waste_passes_to_producers_and_waste_operators_only(role: str, is_fit: bool) -> None:
    """Article 77(7); custody and ownership pass as before."""
    by_role = {"manufacturer": MAKER, "importer": CARMAKER, "recycler": RECYCLER, "operator": LABORATORY}
    world = lives_world()
    addressee = by_role.get(role, BUYER)
    giver = CARMAKER if addressee == MAKER else MAKER
    if giver != MAKER:
        hand_over(world, MAKER, giver)
    version = registered(world, "responsibility").version
    world.accept(world[giver].key.sign(messages.waste()))
    offered = refused(world, giver, messages.offer(addressee, ("responsibility",), (version,)))

    assert offered is (None if is_fit else Reason.NOT_FOR_WASTE)
    assert ARTICLES[Reason.NOT_FOR_WASTE].endswith("Article 77(7)")


def test_the_rule_for_waste_is_about_responsibility_alone() -> None:
    """A carrier holds waste, a bank owns it; neither answers for it by that."""
    world = lives_world()
    world.accept(world[MAKER].key.sign(messages.waste()))
    hand_over(world, MAKER, BUYER, names=("custody", "ownership"))

    assert holders(world) == (BUYER, BUYER, MAKER)


def test_an_offer_made_before_it_was_waste_does_not_go_around_the_rule() -> None:
    """In both orders: what was offered to an unfit member cannot be accepted once the unit is waste."""
    for declared_first in (False, True):
        world = lives_world()
        world.accept(world[MAKER].key.sign(messages.offer(BUYER)))
        waste, accept = world[MAKER].key.sign(messages.waste()), world[BUYER].key.sign(messages.accept())
        outcomes = world.include(*((waste, accept) if declared_first else (accept, waste)))
        reasons = [outcome.reason for (outcome,) in outcomes]

        assert reasons == ([None, Reason.NOT_FOR_WASTE] if declared_first else [None, Reason.NOT_RESPONSIBLE])
        assert holders(world) == ((MAKER,) if declared_first else (BUYER,)) * 3


def test_waste_is_recycled_by_a_recycler_who_holds_it_and_answers_for_it() -> None:
    """Role, status, custody, responsibility: each of them missing is refused by its own reason."""
    world = lives_world()
    version = unit_of(world).version

    assert refused(world, MAKER, messages.recycling(version)) is Reason.ROLE_MISSING
    assert refused(world, RECYCLER, messages.recycling(version)) is Reason.NOT_THE_HOLDER
    hand_over(world, MAKER, RECYCLER, names=("custody",))
    assert refused(world, RECYCLER, messages.recycling(version)) is Reason.NOT_RESPONSIBLE
    hand_over(world, MAKER, RECYCLER, names=("responsibility",))
    assert refused(world, RECYCLER, messages.recycling(version)) is Reason.WRONG_STATUS
    world.accept(world[RECYCLER].key.sign(messages.waste(version)))
    assert refused(world, RECYCLER, messages.recycling(version)) is Reason.STALE_VERSION
    assert refused(world, RECYCLER, messages.recycling(version + 1)) is None
    assert (unit_of(world).status, unit_of(world).ceased) == ("waste", "recycled")


def test_the_end_leaves_a_tombstone_and_voids_every_test_with_its_reason() -> None:
    """How, by whom, when and what it weighed; the papers as commitments."""
    world = lives_world()
    world.accept(world[LABORATORY].key.sign(messages.anchor()), world[LABORATORY].key.sign(messages.certificate()))
    recycle(world)
    end, unit = world.record(EndRecord, end_key(UNIT)), unit_of(world)
    test = world.record(AttestationRecord, attestation_key(LABORATORY, messages.REFERENCE))

    assert (end.how, end.cause, end.organisation, end.mass_g) == ("recycled", "recycle", RECYCLER, 787)
    assert end.papers == (messages.PAPER, messages.PAPER)
    assert end.ended_ms == world.head.time_ms
    assert world.record(VoidingRecord, voiding_key(UNIT, 0)).cause == "ended"
    assert derive_state(test, unit, world.head.time_ms) == "invalidated"


@pytest.mark.parametrize(("winner", "reason"), [(BUYER, Reason.NOT_FOR_WASTE), (CARMAKER, None)])
def test_no_decision_gives_waste_to_somebody_who_may_not_answer_for_it(winner: str, reason: Reason | None) -> None:
    """An arbiter, too, moves the responsibility for waste to a producer or a waste operator only."""
    world = lives_world()
    world.accept(world[MAKER].key.sign(messages.waste()))
    dispute = OpenDispute(battery=UNIT, reference="D-1", topic="responsibility", respondent=MAKER, text=messages.PAPER)
    world.accept(world[winner].key.sign(dispute))
    decision = DecideDispute(
        battery=UNIT,
        opener=winner,
        reference="D-1",
        positions=1,
        outcome="upheld",
        grounds=messages.PAPER,
        moves=(Move(register="responsibility", organisation=winner),),
    )

    assert refused(world, AUTHORITY, decision) is reason
    assert registered(world, "responsibility").organisation == (MAKER if reason else winner)


def test_who_answers_records_that_a_unit_is_gone() -> None:
    """And nobody else; it ceases whatever it was built into, but not as a part of a unit that is still there."""
    world = lives_world()
    world.state.update({f"installation/{UNIT}": installed(), **with_parts(parts=2)})

    assert refused(world, BUYER, messages.destruction()) is Reason.NOT_RESPONSIBLE
    assert refused(world, MAKER, messages.destruction()) is None
    end = world.record(EndRecord, end_key(UNIT))
    assert (end.how, end.cause, unit_of(world).ceased) == ("destroyed", "fire", "destroyed")


def test_threat_a_producer_ends_a_unit_that_others_own_and_use() -> None:
    """An end is final: who answers needs the word of who holds or owns it, or of an authority, that it is gone."""
    for witness, reason in ((None, Reason.NOT_THE_HOLDER), (CARMAKER, None), (BUYER, None), (AUTHORITY, None)):
        world = answered_from_afar()
        if witness is not None:
            assert refused(world, witness, messages.incident()) is None

        assert refused(world, MAKER, messages.destruction()) is reason


def test_the_word_of_others_or_of_a_lesser_incident_ends_no_unit() -> None:
    """Neither a stranger's danger nor the holder's note; nor what an assessment has closed since."""
    world = answered_from_afar()
    for who, message in (
        (LABORATORY, messages.incident()),
        (CARMAKER, messages.incident("I-1", "caution")),
        (CARMAKER, messages.incident("I-2")),
        (LABORATORY, messages.assessment("safe", (CARMAKER, "I-2"))),
    ):
        assert refused(world, who, message) is None

    assert refused(world, MAKER, messages.destruction()) is Reason.NOT_THE_HOLDER


@pytest.mark.parametrize("register", ["custody", "ownership"])
def test_who_answers_and_holds_or_owns_ends_a_unit_by_himself(register: str) -> None:
    """There is nobody else to ask, or it is his own."""
    world = answered_from_afar()
    hand_over(world, CARMAKER if register == "custody" else BUYER, MAKER, names=(register,))  # type: ignore[arg-type]  # names of registers

    assert refused(world, MAKER, messages.destruction()) is None


def answered_from_afar() -> World:
    """The car maker holds the unit, the buyer owns it, and its maker answers for it still."""
    world = lives_world()
    hand_over(world, MAKER, CARMAKER, names=("custody",))
    hand_over(world, MAKER, BUYER, names=("ownership",))
    return world


def test_a_part_is_gone_with_its_whole_and_by_itself_once_that_is_gone() -> None:
    """Until then its life is that of the unit it is in."""
    world = lives_world()
    world.state.update({battery_key(UNIT): encode_record(replace(unit_of(world), part_of=OTHER))})

    for message in (messages.destruction(), messages.waste(), messages.decommissioning()):
        assert refused(world, MAKER, message) is Reason.PART_OF_ANOTHER
    world.accept(world[MAKER].key.sign(messages.destruction(identifier=OTHER)))
    assert refused(world, MAKER, messages.waste()) is Reason.PART_OF_ANOTHER
    assert refused(world, MAKER, messages.destruction()) is None


@pytest.mark.parametrize("state", ["installed", "removed"])
def test_what_is_installed_is_taken_out_first(state: Literal["installed", "removed"]) -> None:
    """Waste, rest and recycling of a unit that something still uses are refused."""
    world = lives_world()
    world.state.update({f"installation/{UNIT}": installed(state=state)})
    expected = Reason.STILL_INSTALLED if state == "installed" else None

    assert refused(world, MAKER, messages.decommissioning()) is expected
    assert refused(world, MAKER, messages.waste()) is expected


def test_a_unit_with_registered_parts_is_not_recycled_away() -> None:
    """They would have no place any more, and could turn up elsewhere as if they had never been in it."""
    world = lives_world()
    world.accept(world[MAKER].key.sign(messages.waste()))
    hand_over(world, MAKER, RECYCLER)
    world.state.update(with_parts(parts=1, mass_g=100))
    assert refused(world, RECYCLER, messages.recycling()) is Reason.STILL_HAS_PARTS

    world.state.update(with_parts(mass_peak_g=100))
    assert refused(world, RECYCLER, messages.recycling()) is None
    assert world.record(EndRecord, end_key(UNIT)).mass_g == 687


def test_what_a_party_disputes_is_not_recycled_away() -> None:
    """The unit is what the dispute is about."""
    world = lives_world()
    world.accept(world[MAKER].key.sign(messages.waste()))
    hand_over(world, MAKER, RECYCLER)
    dispute = OpenDispute(
        battery=UNIT, reference="D-1", topic="responsibility", respondent=RECYCLER, text=messages.PAPER
    )
    world.accept(world[MAKER].key.sign(dispute))

    assert refused(world, RECYCLER, messages.recycling()) is Reason.REGISTER_DISPUTED


def _returns(world: World) -> dict[str, tuple[str, Message]]:
    """What would bring a dead identifier back: who signs, and what."""
    versions = tuple(registered(world, name).version for name in ("custody", "ownership", "responsibility"))
    return {
        "registered": (MAKER, messages.battery()),
        "registered elsewhere": (BUYER, messages.battery()),
        "handed over": (RECYCLER, messages.offer(BUYER, versions=versions)),
        "attested": (LABORATORY, messages.declaration()),
        "sighted": (AUTHORITY, messages.sighting()),
        "waste again": (RECYCLER, messages.waste(unit_of(world).version)),
        "graded": (LABORATORY, messages.grading()),
    }


RETURNS = ("registered", "registered elsewhere", "handed over", "attested", "sighted", "waste again", "graded")


@pytest.mark.parametrize("name", RETURNS)
def test_a_dead_identifier_that_appears_again_is_kept_as_a_claim(name: str) -> None:
    """Nothing it ordered happens; the claim stands in its signer's name, against who answered last."""
    world = lives_world()
    recycle(world)
    who, message = _returns(world)[name]
    before = without_sequences(world.state.records)
    outcome = order(world, who, message)
    after = without_sequences(world.state.records)

    assert claimed(outcome) == "dead_identifier"
    assert outcome.events[-1]["opener"] == who
    changed = sorted(key.split("/")[0] for key in after if after[key] != before.get(key))
    assert changed == ["dispute", "disputes", "disputing"]


@pytest.mark.parametrize("name", RETURNS)
@pytest.mark.parametrize("ends_first", [True, False])
def test_an_end_and_a_return_in_one_block_are_judged_in_their_order(name: str, ends_first: bool) -> None:
    """First the end: the other is a claim. First the other: it is judged by a unit that still lives."""
    world = lives_world()
    world.accept(world[MAKER].key.sign(messages.waste()))
    hand_over(world, MAKER, RECYCLER)
    who, message = _returns(world)[name]
    end, other = world[RECYCLER].key.sign(messages.recycling()), world[who].key.sign(message)
    outcomes = world.include(*((end, other) if ends_first else (other, end)))
    (kept,) = outcomes[1 if ends_first else 0]

    assert unit_of(world).ceased == "recycled"
    assert (claimed(kept) == "dead_identifier") is ends_first


def test_an_offer_that_was_open_at_the_end_moves_nobody() -> None:
    """The addressee accepts a dead unit: his claim, and the registers stay."""
    world = lives_world()
    world.accept(world[MAKER].key.sign(messages.offer(BUYER)))
    world.accept(world[MAKER].key.sign(messages.destruction()))

    assert claimed(order(world, BUYER, messages.accept())) == "dead_identifier"
    assert holders(world) == (MAKER,) * 3
    assert refused(world, MAKER, messages.withdraw()) is None


def test_what_has_ceased_stays_ceased_whatever_its_maker_corrects() -> None:
    """A correction of the birth brings back neither status nor epoch."""
    world = lives_world()
    birth = world.blocks[1].statements[1]
    recycle(world)
    before = unit_of(world)
    changed = replace(messages.battery(), facility="Plant 9")
    assert refused(world, MAKER, messages.correction(birth, changed)) is None
    after = unit_of(world)

    assert (after.facility, after.status, after.ceased) == ("Plant 9", "waste", "recycled")
    assert after.epoch == before.epoch + 1
    assert claimed(order(world, LABORATORY, messages.declaration())) == "dead_identifier"


def test_a_sighting_counts_and_an_unknown_identifier_raises_an_alert() -> None:
    """A known unit is seen; one that this ledger never heard of has its own event, and may be born later."""
    world = lives_world()
    unknown = f"01/{messages.GTIN}/21/NEVER-HEARD"
    outcomes = [order(world, who, messages.sighting(unknown)) for who in (CARMAKER, AUTHORITY)]
    seen = order(world, CARMAKER, messages.sighting())
    record = world.record(SightingRecord, sighting_key(unknown))

    assert [one.events[0]["type"] for one in outcomes] == ["UnknownUnitSighted"] * 2
    assert seen.events == ({"type": "UnitSighted", "battery": UNIT, "sightings": 1},)
    assert (record.sightings, record.version) == (2, 2)
    assert record.first_ms < record.last_ms
    assert refused(world, MAKER, messages.battery(unknown)) is None


def test_a_misread_code_raises_no_alert() -> None:
    """The check digit of its model is wrong: somebody read it wrongly."""
    world = lives_world()

    assert refused(world, AUTHORITY, messages.sighting("01/04012345123450/21/X")) is Reason.BAD_IDENTIFIER


@pytest.mark.parametrize("order_of", list(itertools.permutations(range(2))))
def test_two_ends_of_one_unit_in_one_block_leave_one(order_of: tuple[int, ...]) -> None:
    """Recycled and burnt: whoever comes first ends it, the other is a claim."""
    world = lives_world()
    world.accept(world[MAKER].key.sign(messages.waste()))
    hand_over(world, MAKER, RECYCLER)
    both = [world[RECYCLER].key.sign(one) for one in (messages.recycling(), messages.destruction(2))]
    outcomes = world.include(*(both[number] for number in order_of))

    assert [outcome.is_accepted for (outcome,) in outcomes] == [True, False]
    assert [claimed(outcome) for (outcome,) in outcomes] == [None, "dead_identifier"]
    assert unit_of(world).ceased == ("recycled", "destroyed")[order_of[0]]
