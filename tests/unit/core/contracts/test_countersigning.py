"""A second signature: what waits does nothing, and no single key of the organisation gets around the rule."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from cellvow.core.contracts.contract import Context, Message, Provenance, encode_message
from cellvow.core.contracts.countersigning import (
    LAPSE_MS,
    NEVER_HELD,
    Countersign,
    HeldRecord,
    HoldingRecord,
    SigningRuleRecord,
    derive_held_state,
    held_key,
    hold,
    holding_key,
    signing_rule_key,
)
from cellvow.core.contracts.custody import OfferRecord, offer_key
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.limits import HELD_MAX, MESSAGE_BYTES_MAX, RECORD_BYTES_MAX, ROTATIONS_FOLLOWED_MAX
from cellvow.core.protocol.ruleset import NEWEST
from tests import messages
from tests.unit.core.protocol.signing_cases import add_key
from tests.world import (
    BLOCK_MS,
    BUYER,
    CARMAKER,
    MAKER,
    Signer,
    World,
    make_genesis,
    make_signer,
    require_invalid,
    without_sequences,
)

OFFER = messages.offer(BUYER)


def ruled_world(*names: str, ruleset: int = NEWEST) -> World:
    """A battery of the maker, who wants these messages signed twice: hand-overs unless told otherwise."""
    world = World(make_genesis(ruleset=ruleset))
    key = world[MAKER].key
    world.accept(key.sign(messages.model()), key.sign(messages.battery()))
    world.accept(world[MAKER].root.sign(messages.signing_rule(MAKER, *(names or ("OfferHandover",)))))
    return world


def held_of(world: World, first: Statement, index: int = 0) -> HeldRecord:
    """What the ledger holds of a message."""
    return world.record(HeldRecord, held_key(MAKER, first.envelope.digest.hex(), index))


def offered(world: World) -> bool:
    """Whether the battery was offered to anybody."""
    return offer_key(messages.BATTERY) in world.state.records


def held_offer(world: World, signer: Signer | None = None, message: Message = OFFER) -> Statement:
    """A hand-over signed once, in a block of its own."""
    first = (signer or world[MAKER].key).sign(message)
    outcome = world.submit(first)
    assert outcome.is_held
    return first


def test_one_stolen_key_hands_nothing_over() -> None:
    """The first signature writes the hold and nothing of what it orders; its outcome is no acceptance."""
    world = ruled_world()
    first = world[MAKER].key.sign(OFFER)
    outcome = world.submit(first)

    assert (outcome.is_held, outcome.is_accepted, outcome.reason) == (True, False, None)
    assert [event["type"] for event in outcome.events] == ["MessageHeld"]
    assert not offered(world)
    assert held_of(world, first).kid == world[MAKER].key.kid.hex()


def test_two_keys_hand_over_and_the_record_stems_from_the_second() -> None:
    """The event names both signers; the offer is what one signature makes without a rule."""
    world = ruled_world()
    second, first = add_key(world), held_offer(world)
    statement = second.sign(messages.second_signature(first))
    outcome = world.submit(statement)

    assert [event["type"] for event in outcome.events] == ["MessageCountersigned", "HandoverOffered"]
    named = outcome.events[0]
    assert (named["first"], named["second"]) == (world[MAKER].key.kid.hex(), second.kid.hex())
    offer = world.record(OfferRecord, offer_key(messages.BATTERY))
    assert (offer.offerer, offer.provenance.statement) == (MAKER, statement.envelope.digest.hex())
    assert held_of(world, first).state == "executed"


def test_without_a_rule_one_signature_does() -> None:
    """Control: what is not named is done at once, and so is everything under an older ruleset."""
    for world in (ruled_world("RecordVerdict"), World(make_genesis(ruleset=2))):
        key = world[MAKER].key
        world.include(key.sign(messages.model()), key.sign(messages.battery()))
        assert world.submit(key.sign(OFFER)).is_accepted


def test_the_same_key_cannot_sign_twice() -> None:
    """Its second signature is refused, whoever holds it; so is the one of a device."""
    world = ruled_world()
    first = held_offer(world)

    assert world.submit(world[MAKER].key.sign(messages.second_signature(first))).reason is Reason.SAME_SIGNER
    assert not offered(world)


def test_a_rotated_key_is_the_same_signer() -> None:
    """The key that took the first one's place belongs to the same hand; one registered apart does not."""
    world = ruled_world()
    first, successor = held_offer(world), make_signer(MAKER, "successor")
    rotation = replace(world[MAKER].register_key(successor), replaces=world[MAKER].key.kid.hex())
    world.accept(world[MAKER].root.sign(rotation))

    assert world.submit(successor.sign(messages.second_signature(first))).reason is Reason.SAME_SIGNER
    assert world.submit(add_key(world).sign(messages.second_signature(first))).is_accepted


@pytest.mark.parametrize("rotations", [ROTATIONS_FOLLOWED_MAX - 1, ROTATIONS_FOLLOWED_MAX])
def test_a_key_rotated_too_often_counts_as_the_first(rotations: int) -> None:
    """Another person's key, rotated while the message waits: followed to the bound, refused past it."""
    world = ruled_world()
    key, first = add_key(world), held_offer(world)
    for number in range(rotations):
        successor = make_signer(MAKER, f"successor {number}")
        rotation = replace(world[MAKER].register_key(successor), replaces=key.kid.hex())
        world.accept(world[MAKER].root.sign(rotation))
        key = successor
    outcome = world.submit(key.sign(messages.second_signature(first)))

    assert outcome.reason is (Reason.SAME_SIGNER if rotations == ROTATIONS_FOLLOWED_MAX else None)


def test_a_key_rotated_often_before_anything_waited_gives_the_second_signature() -> None:
    """Year after year: who held its forerunners signed nothing of what waits now."""
    world = ruled_world()
    key = add_key(world)
    for number in range(ROTATIONS_FOLLOWED_MAX + 1):
        successor = make_signer(MAKER, f"successor {number}")
        rotation = replace(world[MAKER].register_key(successor), replaces=key.kid.hex())
        world.accept(world[MAKER].root.sign(rotation))
        key = successor
    first = held_offer(world)

    assert world.submit(key.sign(messages.second_signature(first))).is_accepted


def test_an_operational_key_cannot_switch_the_rule_off() -> None:
    """Not with a scope that names it either: an older ruleset let such a scope pass."""
    world = ruled_world()
    outcome = world.submit(world[MAKER].key.sign(messages.signing_rule(MAKER)))

    assert outcome.reason is Reason.OUT_OF_SCOPE
    assert world.record(SigningRuleRecord, signing_rule_key(MAKER)).messages == ("OfferHandover",)


def test_nobody_sets_the_rule_of_another() -> None:
    """The buyer's root key cannot make the maker's staff wait."""
    world = ruled_world()

    assert world.submit(world[BUYER].root.sign(messages.signing_rule(MAKER))).reason is Reason.NOT_YOUR_KEY


def test_a_rule_counts_from_the_next_block_on() -> None:
    """Like a change of keys, in either order within the block; and so does its end."""
    for turn in (1, -1):
        world = ruled_world()
        relaxed = world[MAKER].root.sign(messages.signing_rule(MAKER))
        pair = [relaxed, world[MAKER].key.sign(OFFER)][::turn]
        held = [one.is_held for kept in world.include(*pair) for one in kept]

        assert held == [False, True][::turn]
        assert world.submit(world[MAKER].key.sign(OFFER)).is_accepted


@pytest.mark.parametrize("name", NEVER_HELD)
def test_no_rule_names_what_saves_keys_or_ends_a_hold(name: str) -> None:
    """A rule could otherwise lock its organisation in."""
    world = ruled_world()
    outcome = world.submit(world[MAKER].root.sign(messages.signing_rule(MAKER, name)))

    assert (outcome.reason, outcome.facts) == (Reason.WRONG_SIGNING_RULE, (("message", name),))


@pytest.mark.parametrize("names", [("OfferHandover", "Anchor"), ("Anchor", "Anchor")])
def test_a_rule_has_one_spelling(names: tuple[str, ...]) -> None:
    """Sorted, each name once."""
    world = ruled_world()
    message = replace(messages.signing_rule(MAKER), messages=names)

    assert world.submit(world[MAKER].root.sign(message)).reason is Reason.WRONG_SIGNING_RULE


def test_a_second_signature_that_is_replayed_does_nothing() -> None:
    """As the same bytes it is not includable; signed anew nothing waits any more."""
    world = ruled_world()
    second, first = add_key(world), held_offer(world)
    statement = second.sign(messages.second_signature(first))
    world.accept(statement)
    before = without_sequences(world.state.records)

    require_invalid(world, world.next_block(statement))
    assert world.submit(second.sign(messages.second_signature(first))).reason is Reason.NOTHING_HELD
    assert without_sequences(world.state.records) == before


def test_two_second_signatures_in_one_block_act_once() -> None:
    """In both orders the first of them acts."""
    for turn in (1, -1):
        world = ruled_world()
        keys, first = [add_key(world, "second"), add_key(world, "third")], held_offer(world)
        signed = [key.sign(messages.second_signature(first)) for key in keys[::turn]]
        outcomes = [one.reason for (one,) in world.include(*signed)]

        assert outcomes == [None, Reason.NOTHING_HELD]


def test_first_and_second_signature_in_one_block() -> None:
    """In order they act; the other way round nothing waits yet, and the hold stays."""
    world = ruled_world()
    second, first = add_key(world), world[MAKER].key.sign(OFFER)
    early = second.sign(messages.second_signature(first))
    (outcome,), (held,) = world.include(early, first)
    assert (outcome.reason, held.is_held) == (Reason.NOTHING_HELD, True)

    other = ruled_world()
    second, first = add_key(other), other[MAKER].key.sign(OFFER)
    (held,), (outcome,) = other.include(first, second.sign(messages.second_signature(first)))
    assert (held.is_held, outcome.is_accepted) == (True, True)


def test_what_waits_is_judged_as_of_its_second_signature() -> None:
    """Its fence is stale by then: nothing is done, and it goes on waiting until it is withdrawn."""
    world = ruled_world()
    second, first = add_key(world), held_offer(world)
    world.accept(world[MAKER].root.sign(messages.signing_rule(MAKER)))
    world.accept(world[MAKER].key.sign(OFFER))
    world.accept(world[BUYER].key.sign(messages.accept()))
    world.accept(world[BUYER].key.sign(messages.offer(MAKER, versions=(2, 2, 2))))
    world.accept(world[MAKER].key.sign(messages.accept(3)))
    outcome = world.submit(second.sign(messages.second_signature(first)))

    assert outcome.reason is Reason.STALE_VERSION
    assert held_of(world, first).state == "waiting"
    assert world.submit(second.sign(messages.withdraw_held(first))).is_accepted


def test_a_claim_against_the_registers_needs_two_keys_too() -> None:
    """Contested by the second signature: the dispute is opened then, and the message waits no longer."""
    world = ruled_world()
    second = add_key(world)
    foreign = messages.offer(CARMAKER)
    world.accept(world[MAKER].root.sign(messages.signing_rule(MAKER)))
    world.accept(world[MAKER].key.sign(OFFER))
    world.accept(world[BUYER].key.sign(messages.accept()))
    world.accept(world[MAKER].root.sign(messages.signing_rule(MAKER, "OfferHandover")))
    first = held_offer(world, message=replace(foreign, versions=(2, 2, 2)))
    assert f"disputing/{MAKER}" not in world.state.records
    outcome = world.submit(second.sign(messages.second_signature(first)))

    assert outcome.is_contested
    assert [event["type"] for event in outcome.events] == ["DisputeOpened"]
    assert held_of(world, first).state == "executed"
    assert world.record(HoldingRecord, holding_key(MAKER)).held == ()


def test_a_second_signature_needs_the_scope_of_what_it_signs() -> None:
    """Whoever may countersign, but not hand over, does not hand over by countersigning."""
    world = ruled_world()
    clerk, first = make_signer(MAKER, "clerk"), held_offer(world)
    world.accept(world[MAKER].root.sign(world[MAKER].register_key(clerk, scope=("Countersign", "WithdrawHeld"))))

    assert world.submit(clerk.sign(messages.second_signature(first))).reason is Reason.OUT_OF_SCOPE
    assert not offered(world)


def test_another_member_gives_no_second_signature() -> None:
    """Neither in the maker's name nor in its own; and he cannot withdraw it."""
    world = ruled_world()
    first = held_offer(world)
    signed = messages.second_signature(first)

    for message in (signed, replace(signed, organisation=BUYER), messages.withdraw_held(first)):
        assert world.submit(world[BUYER].key.sign(message)).reason is Reason.NOTHING_HELD
    assert held_of(world, first).state == "waiting"


def test_a_second_signature_is_for_what_was_signed_first() -> None:
    """Another addressee, another spelling, another subject: nothing happens."""
    world = ruled_world()
    second, first = add_key(world), held_offer(world)
    signed = messages.second_signature(first)
    other = bytes(signed.order).replace(BUYER.encode(), CARMAKER.encode())
    spaced = bytes(signed.order).replace(b'{"', b'{ "', 1)

    forged = [(replace(signed, order=msgspec.Raw(one)), Reason.NOTHING_HELD) for one in (other, spaced)]
    cases = [*forged, (replace(signed, about=messages.OTHER_BATTERY), Reason.WRONG_SUBJECT)]
    for message, reason in cases:
        (outcome,) = world.include(second.sign_batch([message], mode="each"))[0]
        assert outcome.reason is reason
    assert not offered(world)


def test_a_device_signs_first_and_never_second() -> None:
    """The rule holds for devices too: an operational key confirms what one has said."""
    world = ruled_world("Anchor")
    device = make_signer(MAKER, "cycler")
    registration = replace(world[MAKER].register_key(device), kind="device", device="C-7", scope=("Anchor",))
    world.accept(world[MAKER].root.sign(registration))
    first = held_offer(world, device, messages.anchor())

    assert world.submit(device.sign(messages.second_signature(first))).reason is Reason.OUT_OF_SCOPE
    wide = replace(world[MAKER].register_key(make_signer(MAKER, "wide")), kind="device", device="C-8")
    refused = world.submit(world[MAKER].root.sign(replace(wide, scope=("Anchor", "Countersign"))))
    assert refused.reason is Reason.OUTSIDE_DEVICE_SCOPE
    assert world.submit(world[MAKER].key.sign(messages.second_signature(first))).is_accepted


def test_a_correction_is_no_way_around_the_rule() -> None:
    """Who wants models signed twice wants their corrections signed twice."""
    world = ruled_world("RegisterModel")
    changed = replace(messages.model(), mass_g=790)
    born = world.blocks[1].statements[0]
    first = held_offer(world, message=messages.correction(born, changed))
    before = world.state.records[f"model/{messages.GTIN}"]

    assert world.submit(add_key(world).sign(messages.second_signature(first))).is_accepted
    assert world.state.records[f"model/{messages.GTIN}"] != before


def test_both_keys_may_withdraw_and_nothing_comes_after() -> None:
    """The way out of a hold: by who signed first, or by any other key that may."""
    for name in ("operational", "second"):
        world = ruled_world()
        add_key(world)
        signer, first = make_signer(MAKER, name), held_offer(world)
        signer.sequence = 100
        world.accept(signer.sign(messages.withdraw_held(first)))
        outcome = world.submit(add_key(world, "third").sign(messages.second_signature(first)))

        assert outcome.reason is Reason.NOTHING_HELD
        assert not offered(world)


@pytest.mark.parametrize(("late_ms", "reason"), [(0, None), (1, Reason.NOTHING_HELD)])
def test_a_hold_lapses_after_thirty_days(late_ms: int, reason: Reason | None) -> None:
    """To the millisecond; lapsed, it is neither executed nor counted."""
    world = ruled_world()
    second, first = add_key(world), held_offer(world)
    since = held_of(world, first).since_ms
    outcome = world.submit(second.sign(messages.second_signature(first)), time_ms=since + LAPSE_MS + late_ms)

    assert outcome.reason is reason
    assert derive_held_state(held_of(world, first), since + LAPSE_MS + 1) == (
        "executed" if reason is None else "lapsed"
    )


def test_as_many_wait_as_the_bound_and_lapsed_ones_make_room() -> None:
    """64 of an organisation, not one more; after thirty days there is room again."""
    world = ruled_world()
    key = world[MAKER].key
    (outcomes,) = world.include(key.sign_batch([OFFER] * (HELD_MAX + 1), mode="each"))

    assert [one.reason for one in outcomes] == [None] * HELD_MAX + [Reason.TOO_MANY_HELD]
    late = world.submit(key.sign(OFFER), time_ms=world.head.time_ms + LAPSE_MS + BLOCK_MS)
    assert late.is_held
    assert len(world.record(HoldingRecord, holding_key(MAKER)).held) == 1


def test_an_atomic_batch_waits_as_a_whole() -> None:
    """All of it is named: all of it waits, and a batch of second signatures does all of it or nothing."""
    world = ruled_world("RegisterModel", "RegisterBattery")
    second = add_key(world)
    newer = messages.battery(f"01/{messages.OTHER_GTIN}/21/PACK-0009")
    batch = world[MAKER].key.sign_batch([messages.model(messages.OTHER_GTIN), newer])
    (outcomes,) = world.include(batch)
    assert [one.is_held for one in outcomes] == [True, True]

    signed = [messages.second_signature(batch, index) for index in (0, 1)]
    (turned,) = world.include(second.sign_batch(signed[::-1]))
    assert [one.reason for one in turned] == [Reason.UNKNOWN_MODEL, Reason.BATCH_ABORTED]
    (done,) = world.include(second.sign_batch(signed))
    assert all(one.is_accepted for one in done)
    assert f"battery/{newer.battery}" in world.state.records


def test_an_atomic_batch_of_which_one_message_is_named_waits_as_a_whole() -> None:
    """Its sender wants all of it or nothing; each by itself, what is not named is done at once."""
    world = ruled_world()
    mixed = [OFFER, messages.anchor()]
    (outcomes,) = world.include(world[MAKER].key.sign_batch(mixed))
    assert [one.is_held for one in outcomes] == [True, True]
    assert f"anchor/{MAKER}/{messages.ROWS_ROOT}" not in world.state.records

    (each,) = world.include(world[MAKER].key.sign_batch(mixed, mode="each"))
    assert [(one.is_held, one.is_accepted) for one in each] == [(True, False), (False, True)]


def test_an_atomic_batch_with_what_never_waits_is_not_held() -> None:
    """One part would be done and the other not: none is, and the outcome says how to sign it."""
    world = ruled_world()
    before = without_sequences(world.state.records)
    key = world[MAKER].key
    (outcomes,) = world.include(key.sign_batch([OFFER, messages.raise_floor(key, 500)], sequence=400))

    assert [one.reason for one in outcomes] == [Reason.PARTLY_HELD, Reason.BATCH_ABORTED]
    assert without_sequences(world.state.records) == before


def test_an_atomic_batch_that_fails_holds_nothing() -> None:
    """What was rejected keeps its own reason; what would have waited is aborted with it."""
    world = ruled_world()
    (outcomes,) = world.include(world[MAKER].key.sign_batch([OFFER, b'{"type":"Teleport"}']))

    assert [one.reason for one in outcomes] == [Reason.BATCH_ABORTED, Reason.MALFORMED_MESSAGE]
    assert holding_key(MAKER) not in world.state.records


def test_a_leavers_key_ends_at_a_height() -> None:
    """What he signed before stays, also what waits; what he signs after may not stand in a block."""
    world = ruled_world()
    second, leaver = add_key(world), add_key(world, "leaver")
    world.accept(leaver.sign(messages.anchor()))
    first = held_offer(world, leaver)
    world.accept(world[MAKER].root.sign(replace(messages.revoke_key(leaver), cause="leaver")))

    require_invalid(world, world.next_block(leaver.sign(messages.anchor("77" * 32))))
    require_invalid(world, world.next_block(leaver.sign(messages.withdraw_held(first))))
    assert f"anchor/{MAKER}/{messages.ROWS_ROOT}" in world.state.records
    assert world.submit(second.sign(messages.second_signature(first))).is_accepted


def test_a_leaver_gives_no_second_signature() -> None:
    """Who has left at a height does not confirm what others order after it."""
    world = ruled_world()
    leaver, first = add_key(world, "leaver"), held_offer(world)
    world.accept(world[MAKER].root.sign(replace(messages.revoke_key(leaver), cause="leaver")))

    require_invalid(world, world.next_block(leaver.sign(messages.second_signature(first))))


def test_what_a_compromised_key_signed_first_is_not_countersigned() -> None:
    """A thief's order does not come true because a colleague signs what waits; it can be withdrawn."""
    world = ruled_world()
    second, first = add_key(world), held_offer(world)
    world.accept(world[MAKER].root.sign(messages.compromise(world[MAKER].key, world.head.time_ms)))

    assert world.submit(second.sign(messages.second_signature(first))).reason is Reason.FIRST_KEY_COMPROMISED
    assert world.submit(second.sign(messages.withdraw_held(first))).is_accepted


class Long(Message, frozen=True, kw_only=True):
    """A message of any length."""

    text: str

    @property
    def subject(self) -> str:
        """As long as a subject may be."""
        return "s" * 128


def is_kept(length: int) -> bool:
    """Whether a message of this length is held; the only other outcome is that its record is too large."""
    context = Context(lambda _: None, "o", "ab" * 16, 1, 1, "test", Provenance(statement="ab" * 32, index=0))
    try:
        return bool(hold(context, Long(text="x" * length)))
    except Rejected as rejected:
        if rejected.reason is not Reason.RECORD_TOO_LARGE:
            raise
        return False


def test_what_waits_has_room_inside_its_second_signature() -> None:
    """A message is held as long as its record has room, and its second signature is shorter than that record."""
    lengths = range(RECORD_BYTES_MAX - 1_500, RECORD_BYTES_MAX + 1)
    most = max(length for length in lengths if is_kept(length))
    order = msgspec.Raw(encode_message(Long(text="x" * most)))
    second = Countersign(organisation="o", statement="ab" * 32, index=0, about="s" * 128, order=order)

    assert most < RECORD_BYTES_MAX
    assert len(encode_message(second)) <= MESSAGE_BYTES_MAX
