"""Disputes: who may open and end them, what they hold still, and what a settlement or a decision moves."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.battery import BatteryRecord, battery_key, voiding_key
from cellvow.core.contracts.change import RemoveMember
from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.custody import OfferRecord, offer_key
from cellvow.core.contracts.dispute import AGREED_MS
from cellvow.core.contracts.dispute_file import (
    LAPSE_MS,
    Move,
    Topic,
    UnitDisputes,
    derive_dispute_state,
    unit_disputes_key,
)
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.ledger.rejection import Reason
from tests import disputing, messages
from tests.decisions import adopt
from tests.disputing import (
    consent,
    decision,
    dispute,
    hand_over,
    holders,
    moves,
    nomination,
    opening,
    outcome,
    position,
    settled,
    settlement,
    submit,
    withdrawal,
)
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER, World

TO_BUYER = moves(("custody", BUYER))


def divided() -> World:
    """The buyer owns what the maker still holds and answers for: both are concerned."""
    world = settled()
    hand_over(world, MAKER, BUYER, ("ownership",))
    return world


def disputed(topic: Topic = "custody") -> World:
    """The owner disputes a register with the maker."""
    world = divided()
    assert submit(world, BUYER, opening(MAKER, topic)) is None
    return world


def test_a_dispute_keeps_both_positions_in_one_file() -> None:
    """Each side's text and documents, in the order they were stated: there is one record, and no second view of it."""
    world = disputed()
    assert submit(world, MAKER, position(documents=2)) is None
    file = dispute(world, BUYER)

    assert [(one.organisation, len(one.evidence)) for one in file.positions] == [(BUYER, 1), (MAKER, 2)]
    assert (file.organisation, file.respondent, file.topic, file.state) == (BUYER, MAKER, "custody", "open")
    assert file.positions[0].stated_ms < file.positions[1].stated_ms == world.head.time_ms


@pytest.mark.parametrize("topic", REGISTERS)
def test_a_disputed_register_does_not_move_and_the_others_do(topic: Topic) -> None:
    """Whoever is registered cannot give away what a party disputes with him."""
    world = settled()
    hand_over(world, MAKER, BUYER, ("ownership",) if topic != "ownership" else ("custody",))
    submit(world, BUYER, opening(MAKER, topic))
    for name in REGISTERS:
        holder, version = disputing.register(world, name).organisation, disputing.register(world, name).version
        reason = submit(world, holder, messages.offer(CARMAKER, (name,), (version,)))  # type: ignore[arg-type]  # a register
        assert reason is (Reason.REGISTER_DISPUTED if name == topic else None)
        if reason is None:
            submit(world, holder, messages.withdraw(_offered(world)))


def _offered(world: World) -> int:
    return world.record(OfferRecord, offer_key(messages.BATTERY)).version


@pytest.mark.parametrize("disputed_first", [True, False], ids=["dispute first", "acceptance first"])
def test_a_dispute_and_an_acceptance_in_one_block(disputed_first: bool) -> None:
    """Whichever comes first in the block wins, and the other finds things as they are then."""
    world = divided()
    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,))) is None
    opened = world[BUYER].key.sign(opening())
    accepted = world[CARMAKER].key.sign(messages.accept(_offered(world)))
    order = (opened, accepted) if disputed_first else (accepted, opened)
    reasons = [one.reason for (one,) in world.include(*order)]

    assert reasons == ([None, Reason.REGISTER_DISPUTED] if disputed_first else [None, None])
    assert holders(world)["custody"] == (MAKER if disputed_first else CARMAKER)
    assert dispute(world, BUYER).holds == (("custody",) if disputed_first else ())


@pytest.mark.parametrize(
    ("who", "message"),
    [
        (LABORATORY, opening(MAKER)),  # stands in no register, and did not make it
        (BUYER, opening(CARMAKER)),  # a party, against somebody who is not registered
        (BUYER, opening(MAKER, "safety")),  # about no register
    ],
    ids=["a stranger", "against a stranger", "no register"],
)
def test_a_dispute_holds_still_only_what_two_concerned_dispute(who: str, message: Message) -> None:
    """Threat: a rival who opens disputes to keep a unit from being sold."""
    world = divided()
    assert submit(world, who, message) is None

    assert dispute(world, who).holds == ()
    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,))) is None


def test_who_made_a_unit_keeps_nobody_from_selling_it() -> None:
    """Threat: a maker against the second-hand market. He answers for the unit; he holds nothing else of it."""
    world = settled()
    hand_over(world, MAKER, BUYER)

    assert submit(world, MAKER, opening(BUYER, "ownership", "D-1")) is None
    assert submit(world, MAKER, opening(BUYER, "responsibility", "D-2")) is None
    assert [dispute(world, MAKER, name).holds for name in ("D-1", "D-2")] == [(), ("responsibility",)]


@pytest.mark.parametrize("ending", ["withdrawn", "dismissed", "lapsed"])
def test_a_party_holds_an_entry_of_a_register_once(ending: str) -> None:
    """Threat: a dispute opened anew each time it ends would hold a register for ever."""
    world = disputed()
    later = world.next_ms
    if ending == "withdrawn":
        assert submit(world, BUYER, withdrawal()) is None
    elif ending == "dismissed":
        assert submit(world, AUTHORITY, decision("dismissed")) is None
    else:
        later = dispute(world, BUYER).opened_ms + LAPSE_MS + 1
    assert submit(world, BUYER, opening(reference="D-2"), time_ms=max(later, world.next_ms)) is None

    assert dispute(world, BUYER, "D-2").holds == ()
    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,))) is None


def test_a_new_entry_of_the_register_can_be_held_again() -> None:
    """Somebody else is registered: that is another matter."""
    world = disputed()
    submit(world, BUYER, withdrawal())
    hand_over(world, MAKER, CARMAKER, ("custody",))
    submit(world, BUYER, opening(CARMAKER, reference="D-2"))

    assert dispute(world, BUYER, "D-2").holds == ("custody",)


def test_a_dispute_lapses_after_a_year_and_holds_nothing_then() -> None:
    """At the last moment it still holds; a millisecond later the register moves, and nobody had to do anything."""
    world = disputed()
    last = dispute(world, BUYER).opened_ms + LAPSE_MS

    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,)), time_ms=last) is Reason.REGISTER_DISPUTED
    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,)), time_ms=last + 1) is None
    assert submit(world, MAKER, position()) is Reason.DISPUTE_NOT_OPEN
    assert derive_dispute_state(dispute(world, BUYER), world.head.time_ms) == "lapsed"


def test_a_settlement_moves_registers_by_both_signatures() -> None:
    """The one who proposes signs, the other who accepts signs: neither moves anything alone."""
    world = disputed()
    assert submit(world, BUYER, settlement(TO_BUYER)) is None
    version = dispute(world, BUYER).version

    assert submit(world, BUYER, consent(version)) is Reason.NO_SETTLEMENT
    assert holders(world)["custody"] == MAKER
    assert submit(world, MAKER, consent(version - 1)) is Reason.STALE_VERSION
    assert submit(world, MAKER, consent(version)) is None
    assert holders(world) == {"custody": BUYER, "ownership": BUYER, "responsibility": MAKER}
    assert dispute(world, BUYER).state == "settled"


def test_a_settlement_that_was_replaced_is_not_accepted_in_its_place() -> None:
    """The fence: the other side changed what it proposes while the acceptance was on its way."""
    world = disputed()
    submit(world, MAKER, settlement())
    seen = dispute(world, BUYER).version
    submit(world, MAKER, settlement(moves(("ownership", MAKER))))

    assert submit(world, BUYER, consent(seen)) is Reason.STALE_VERSION
    assert holders(world)["ownership"] == BUYER


def test_two_strangers_cannot_settle_over_what_others_hold() -> None:
    """Threat: a dispute staged between two, settled at the cost of a third who never signed anything."""
    world = settled()
    assert submit(world, BUYER, opening(CARMAKER)) is None

    assert submit(world, BUYER, settlement(TO_BUYER)) is Reason.WRONG_EFFECT
    assert submit(world, BUYER, nomination(LABORATORY)) is None
    assert submit(world, CARMAKER, nomination(LABORATORY)) is None
    assert submit(world, LABORATORY, decision("upheld", TO_BUYER)) is Reason.WRONG_EFFECT
    assert submit(world, LABORATORY, decision("upheld", voids_tests=True)) is Reason.WRONG_EFFECT
    assert holders(world) == dict.fromkeys(REGISTERS, MAKER)


def test_a_settlement_that_no_longer_fits_moves_nothing() -> None:
    """Proposed while the maker held it; by the time it is accepted somebody else holds it."""
    world = divided()
    submit(world, BUYER, opening(MAKER, "safety"))
    submit(world, BUYER, settlement(TO_BUYER))
    hand_over(world, MAKER, CARMAKER, ("custody",))

    assert submit(world, MAKER, consent(dispute(world, BUYER).version)) is Reason.WRONG_EFFECT
    assert holders(world)["custody"] == CARMAKER
    assert dispute(world, BUYER).state == "open"


def test_a_settlement_does_not_pass_by_another_dispute() -> None:
    """Threat: two settle a side matter to move what a third, who is concerned, holds still."""
    world = settled()
    hand_over(world, MAKER, BUYER, ("ownership",))
    hand_over(world, MAKER, CARMAKER, ("responsibility",))
    submit(world, CARMAKER, opening(MAKER, reference="D-2"))
    submit(world, BUYER, opening(MAKER, "safety"))
    submit(world, BUYER, settlement(TO_BUYER))

    assert submit(world, MAKER, consent(dispute(world, BUYER).version)) is Reason.REGISTER_DISPUTED
    assert submit(world, AUTHORITY, decision("upheld", TO_BUYER)) is Reason.REGISTER_DISPUTED
    submit(world, CARMAKER, withdrawal(CARMAKER, "D-2"))
    assert submit(world, AUTHORITY, decision("upheld", TO_BUYER)) is None
    assert holders(world)["custody"] == BUYER


@pytest.mark.parametrize(
    "wanted",
    [
        moves(("custody", CARMAKER)),  # somebody who is no party
        moves(("custody", BUYER), ("custody", MAKER)),  # one register twice
        moves(("custody", "nobody")),
    ],
    ids=["third party", "twice", "nobody"],
)
def test_a_decision_moves_registers_between_parties_only(wanted: tuple[Move, ...]) -> None:
    """Neither the arbiter nor a settlement gives a unit to somebody who did not ask for it."""
    world = disputed()

    assert submit(world, AUTHORITY, decision("upheld", wanted)) is Reason.WRONG_EFFECT
    assert submit(world, BUYER, settlement(wanted)) is Reason.WRONG_EFFECT
    assert submit(world, AUTHORITY, decision("upheld", TO_BUYER)) is None
    assert holders(world) == {"custody": BUYER, "ownership": BUYER, "responsibility": MAKER}


def test_a_decision_is_kept_with_its_arbiter_grounds_and_effect() -> None:
    """Whoever reads the file sees who decided what, on which grounds, and what moved."""
    world = disputed()
    decided = outcome(world, AUTHORITY, decision("divided", TO_BUYER, voids_tests=True))
    file = dispute(world, BUYER)

    assert decided.events[0]["outcome"] == "divided"
    assert file.decision is not None
    assert (file.state, file.decision.arbiter, file.decision.outcome) == ("decided", AUTHORITY, "divided")
    assert (file.decision.grounds, file.decision.moves) == (disputing.TEXT, TO_BUYER)
    assert world.record(BatteryRecord, battery_key(messages.BATTERY)).epoch == 1
    assert voiding_key(messages.BATTERY, 0) in world.state.records


@pytest.mark.parametrize("bad", [{"moves": TO_BUYER}, {"voids_tests": True}], ids=["moves", "voids"])
def test_a_dismissal_has_no_effect(bad: dict[str, object]) -> None:
    """Dismissed, and yet something moves: no decision."""
    assert submit(disputed(), AUTHORITY, replace(decision("dismissed"), **bad)) is Reason.WRONG_EFFECT


def test_the_arbiter_both_sides_name_decides_and_no_authority() -> None:
    """Agreed on, he has the case to himself, and neither side can leave him once it fears his decision."""
    world = disputed()
    assert submit(world, BUYER, nomination(LABORATORY)) is None
    assert submit(world, BUYER, nomination(CARMAKER)) is None
    assert submit(world, MAKER, nomination(LABORATORY)) is None
    assert submit(world, LABORATORY, decision()) is Reason.NOT_THE_ARBITER
    assert submit(world, BUYER, nomination(LABORATORY)) is None

    assert submit(world, BUYER, nomination(CARMAKER)) is Reason.ARBITER_AGREED
    assert submit(world, MAKER, nomination(AUTHORITY)) is Reason.ARBITER_AGREED
    assert submit(world, AUTHORITY, decision()) is Reason.NOT_THE_ARBITER
    assert submit(world, LABORATORY, decision()) is None


def test_an_arbiter_who_lets_it_lie_is_followed_by_an_authority() -> None:
    """After half a year, and not before; he may still decide himself."""
    world = disputed()
    for side in (BUYER, MAKER):
        submit(world, side, nomination(LABORATORY))
    last = dispute(world, BUYER).opened_ms + AGREED_MS

    assert submit(world, AUTHORITY, decision(), time_ms=last) is Reason.NOT_THE_ARBITER
    assert submit(world, CARMAKER, decision(), time_ms=last + 1) is Reason.NOT_THE_ARBITER
    assert submit(world, AUTHORITY, decision(), time_ms=last + 2) is None


def test_an_arbiter_who_is_no_member_any_more_is_followed_by_an_authority() -> None:
    """He cannot sign: the case would have no way out for half a year."""
    world = disputed()
    for side in (BUYER, MAKER):
        submit(world, side, nomination(LABORATORY))
    adopt(world, RemoveMember(organisation=LABORATORY), voters=(AUTHORITY, BUYER, CARMAKER, MAKER))

    assert submit(world, AUTHORITY, decision()) is None


@pytest.mark.parametrize("arbiter", [BUYER, MAKER, "nobody"])
def test_no_side_names_a_party_or_nobody_as_arbiter(arbiter: str) -> None:
    """Judge in one's own cause; when opening, and later."""
    world = disputed()

    assert submit(world, MAKER, nomination(arbiter)) is Reason.NOT_THE_ARBITER
    assert submit(world, BUYER, opening(reference="D-2", arbiter=arbiter)) is Reason.NOT_THE_ARBITER


def test_an_authority_that_is_a_party_does_not_decide() -> None:
    """Whoever disputes does not judge."""
    world = divided()
    submit(world, AUTHORITY, opening(MAKER, "safety"))

    assert submit(world, AUTHORITY, decision(opener=AUTHORITY)) is Reason.NOT_THE_ARBITER


def test_an_arbiter_decides_on_all_that_was_stated() -> None:
    """The fence: a position he has not read. Naming arbiters and settlements do not put his decision off."""
    world = disputed()
    submit(world, MAKER, position())
    submit(world, MAKER, nomination(CARMAKER))
    submit(world, MAKER, settlement())

    assert submit(world, AUTHORITY, decision(positions=1)) is Reason.STALE_VERSION
    assert submit(world, AUTHORITY, decision(positions=2)) is None


@pytest.mark.parametrize(
    "message",
    [position(), nomination(AUTHORITY), settlement(), consent(1)],
    ids=lambda one: type(one).__name__,
)
def test_strangers_take_no_part(message: Message) -> None:
    """Who is no party states, names, proposes and accepts nothing."""
    assert submit(disputed(), CARMAKER, message) is Reason.NOT_A_PARTY


def test_only_who_opened_a_dispute_withdraws_it() -> None:
    """Not the other side, whom it would suit."""
    world = disputed()

    assert submit(world, MAKER, withdrawal()) is Reason.NOT_A_PARTY
    assert submit(world, BUYER, withdrawal()) is None
    assert dispute(world, BUYER).state == "withdrawn"


@pytest.mark.parametrize(
    ("who", "message"),
    [
        (MAKER, position()),
        (MAKER, nomination(CARMAKER)),
        (MAKER, settlement()),
        (MAKER, consent(2)),
        (BUYER, withdrawal()),
        (AUTHORITY, decision()),
    ],
    ids=lambda one: one if isinstance(one, str) else type(one).__name__,
)
@pytest.mark.parametrize("ending", ["withdrawn", "decided"])
def test_an_ended_dispute_stays_as_it_is(who: str, message: Message, ending: str) -> None:
    """It stays readable, and nothing is done with it any more."""
    world = disputed()
    submit(world, *((BUYER, withdrawal()) if ending == "withdrawn" else (AUTHORITY, decision())))

    assert submit(world, who, message) is Reason.DISPUTE_NOT_OPEN
    assert world.record(UnitDisputes, unit_disputes_key(messages.BATTERY)).disputes == ()


def test_what_the_rules_do_not_say_needs_no_other_side() -> None:
    """A record of a gap: with positions, an authority's word, and no party on the other side."""
    world = settled()
    assert submit(world, LABORATORY, opening(None, "rule_gap")) is None

    assert submit(world, LABORATORY, settlement(opener=LABORATORY)) is Reason.NOT_A_PARTY
    assert submit(world, LABORATORY, position(LABORATORY)) is None
    assert submit(world, AUTHORITY, decision("upheld", opener=LABORATORY, positions=2)) is None


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (opening(None), Reason.NOT_A_PARTY),
        (opening(BUYER), Reason.NOT_A_PARTY),
        (opening("nobody"), Reason.NOT_A_PARTY),
        (opening(reference="CLAIM-1"), Reason.MALFORMED_MESSAGE),
        (opening(battery=f"01/{messages.GTIN}/21/NONE"), Reason.UNKNOWN_BATTERY),
    ],
    ids=["no respondent", "oneself", "nobody", "a claim's number", "no such unit"],
)
def test_a_dispute_that_nobody_could_answer_is_not_opened(message: Message, reason: Reason) -> None:
    """It is against another member, about a unit that is there, under a reference of one's own."""
    assert submit(divided(), BUYER, message) is reason


def test_a_reference_is_used_once_even_after_its_dispute_ended() -> None:
    """History is not overwritten."""
    world = disputed()
    assert submit(world, BUYER, opening()) is Reason.DISPUTE_EXISTS
    submit(world, BUYER, withdrawal())

    assert submit(world, BUYER, opening()) is Reason.DISPUTE_EXISTS


def test_a_dispute_about_another_unit_is_not_found_under_this_one() -> None:
    """The reference is the opener's; the message names the unit too, so that its history holds it."""
    world = disputed()

    assert submit(world, MAKER, position(battery=messages.OTHER_BATTERY)) is Reason.UNKNOWN_DISPUTE
    assert submit(world, MAKER, position(reference="D-9")) is Reason.UNKNOWN_DISPUTE


def test_who_left_the_ledger_can_be_disputed_with() -> None:
    """He owns by the register, and signs nothing any more: an authority gives the unit to somebody who is there."""
    world = divided()
    adopt(world, RemoveMember(organisation=BUYER), voters=(AUTHORITY, CARMAKER, LABORATORY, MAKER))
    assert submit(world, MAKER, opening(BUYER, "ownership")) is None
    moved = moves(("ownership", MAKER))

    assert submit(world, AUTHORITY, decision("upheld", moved, MAKER)) is None
    assert holders(world)["ownership"] == MAKER


def test_nothing_moves_to_who_left_the_ledger() -> None:
    """Nobody would answer."""
    world = disputed()
    adopt(world, RemoveMember(organisation=BUYER), voters=(AUTHORITY, CARMAKER, LABORATORY, MAKER))

    assert submit(world, AUTHORITY, decision("upheld", TO_BUYER)) is Reason.WRONG_EFFECT
    assert submit(world, AUTHORITY, decision("dismissed")) is None


def test_an_offer_of_what_a_decision_moved_blocks_nobody() -> None:
    """The former holder's open offer would keep the new one from handing over."""
    world = disputed()
    submit(world, MAKER, messages.offer(CARMAKER, ("responsibility",), (1,)))
    submit(world, MAKER, messages.withdraw(_offered(world)))
    submit(world, BUYER, withdrawal())
    submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,)))
    submit(world, BUYER, opening(MAKER, "safety", "D-2"))
    assert submit(world, AUTHORITY, decision("upheld", TO_BUYER, reference="D-2")) is None

    assert submit(world, CARMAKER, messages.accept(_offered(world))) is Reason.NOT_IN_THE_REGISTER
    assert submit(world, BUYER, messages.offer(CARMAKER, ("custody",), (2,))) is None
    assert submit(world, CARMAKER, messages.accept(_offered(world))) is None
