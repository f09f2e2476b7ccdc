"""Three registers and the hand-over between them: offered by who stands in them, accepted by the addressee."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.custody import OfferRecord, offer_key
from cellvow.core.contracts.register import REGISTERS, RegisterName, RegisterRecord, register_key
from cellvow.core.ledger.rejection import Reason
from tests import messages
from tests.world import AUTHORITY, BUYER, CARMAKER, MAKER, World, without_sequences


def settled() -> World:
    """A ledger with one battery, held, owned and answered for by its maker."""
    world = World()
    maker = world[MAKER].key
    world.accept(maker.sign(messages.model()), maker.sign(messages.battery()))
    return world


def holders(world: World) -> dict[str, str]:
    """Register -> organisation, of the battery of these tests."""
    return {name: register(world, name).organisation for name in REGISTERS}


def register(world: World, name: str) -> RegisterRecord:
    """One register of the battery of these tests."""
    return world.record(RegisterRecord, register_key(name, messages.BATTERY))


def submit(world: World, organisation: str, message: Message) -> Reason | None:
    """What became of the message: None if it was accepted."""
    return world.submit(world[organisation].key.sign(message)).reason


def test_a_new_battery_is_held_owned_and_answered_for_by_its_maker() -> None:
    """All three registers start with whoever registered it."""
    assert holders(settled()) == dict.fromkeys(REGISTERS, MAKER)


@pytest.mark.parametrize(
    "names",
    [
        ("custody",),
        ("ownership",),
        ("responsibility",),
        ("custody", "ownership"),
        ("custody", "responsibility"),
        ("custody", "ownership", "responsibility"),
    ],
)
def test_a_hand_over_moves_the_registers_offered_and_no_other(names: tuple[RegisterName, ...]) -> None:
    """A carrier takes custody, a buyer ownership, a second-life operator all three."""
    world = settled()
    offered = submit(world, MAKER, messages.offer(BUYER, names, (1,) * len(names)))
    accepted = submit(world, BUYER, messages.accept())

    assert (offered, accepted) == (None, None)
    assert holders(world) == {name: BUYER if name in names else MAKER for name in REGISTERS}
    for name in REGISTERS:
        assert register(world, name).version == (2 if name in names else 1)


def test_a_register_that_moves_says_since_when_and_who_signed() -> None:
    """Time and provenance are those of the acceptance."""
    world = settled()
    submit(world, MAKER, messages.offer(BUYER))
    acceptance = world[BUYER].key.sign(messages.accept())
    world.accept(acceptance)
    record = register(world, "custody")

    assert record.since_ms == world.head.time_ms
    assert record.provenance.statement == acceptance.envelope.digest.hex()


def test_an_offer_moves_nobody() -> None:
    """Until the addressee accepts, everything stands as it stood: nobody is moved unasked."""
    world = settled()
    submit(world, MAKER, messages.offer(BUYER))

    assert holders(world) == dict.fromkeys(REGISTERS, MAKER)


@pytest.mark.parametrize("who", [MAKER, CARMAKER, AUTHORITY])
def test_an_offer_is_accepted_and_declined_by_its_addressee_alone(who: str) -> None:
    """Neither the offerer himself nor a third party answers for him."""
    world = settled()
    submit(world, MAKER, messages.offer(BUYER))

    assert submit(world, who, messages.accept()) is Reason.NOT_THE_ADDRESSEE
    assert submit(world, who, messages.decline()) is Reason.NOT_THE_ADDRESSEE
    assert holders(world) == dict.fromkeys(REGISTERS, MAKER)


@pytest.mark.parametrize("who", [BUYER, CARMAKER])
def test_an_offer_is_withdrawn_by_its_offerer_alone(who: str) -> None:
    """The addressee declines; he does not withdraw."""
    world = settled()
    submit(world, MAKER, messages.offer(BUYER))

    assert submit(world, who, messages.withdraw()) is Reason.NOT_THE_OFFERER


@pytest.mark.parametrize(("who", "ending"), [(BUYER, messages.decline()), (MAKER, messages.withdraw())])
def test_an_offer_that_ended_is_not_accepted(who: str, ending: Message) -> None:
    """Declined or withdrawn, it is over; the next offer has the next version."""
    world = settled()
    submit(world, MAKER, messages.offer(BUYER))

    assert submit(world, who, ending) is None
    assert submit(world, BUYER, messages.accept(1)) is Reason.NO_OPEN_OFFER
    assert submit(world, BUYER, messages.accept(2)) is Reason.NO_OPEN_OFFER
    assert submit(world, MAKER, messages.offer(BUYER)) is None
    assert submit(world, BUYER, messages.accept(3)) is None


def test_an_accepted_offer_is_over() -> None:
    """It cannot be accepted again, declined or withdrawn."""
    world = settled()
    submit(world, MAKER, messages.offer(BUYER))
    submit(world, BUYER, messages.accept())
    state = world.record(OfferRecord, offer_key(messages.BATTERY)).state

    assert state == "accepted"
    for version in (1, 2):
        assert submit(world, BUYER, messages.accept(version)) is Reason.NO_OPEN_OFFER
        assert submit(world, BUYER, messages.decline(version)) is Reason.NO_OPEN_OFFER
        assert submit(world, MAKER, messages.withdraw(version)) is Reason.NO_OPEN_OFFER


def test_an_answer_to_an_earlier_offer_does_not_accept_a_later_one() -> None:
    """The fence: a delayed acceptance of custody must not accept responsibility."""
    world = settled()
    submit(world, MAKER, messages.offer(BUYER, ("custody",), (1,)))
    submit(world, MAKER, messages.withdraw())
    submit(world, MAKER, messages.offer(BUYER, ("responsibility",), (1,)))

    assert submit(world, BUYER, messages.accept(1)) is Reason.STALE_VERSION
    assert submit(world, BUYER, messages.decline(1)) is Reason.STALE_VERSION
    assert submit(world, MAKER, messages.withdraw(2)) is Reason.STALE_VERSION
    assert holders(world) == dict.fromkeys(REGISTERS, MAKER)


def test_an_offer_signed_before_the_register_moved_is_stale() -> None:
    """The fence on the other side: there and back again, the register's version has grown."""
    world = settled()
    for giver, taker, seen, version in ((MAKER, BUYER, 1, 1), (BUYER, MAKER, 2, 3)):
        submit(world, giver, messages.offer(taker, ("custody",), (seen,)))
        assert submit(world, taker, messages.accept(version)) is None

    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,))) is Reason.STALE_VERSION
    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (3,))) is None


def test_two_acceptances_in_one_block_move_once() -> None:
    """The second finds no open offer."""
    world = settled()
    submit(world, MAKER, messages.offer(BUYER))
    statements = [world[BUYER].key.sign(messages.accept()) for _ in range(2)]

    assert [outcome.reason for (outcome,) in world.include(*statements)] == [None, Reason.NO_OPEN_OFFER]


def test_whoever_gave_a_register_away_cannot_give_it_again() -> None:
    """Selling one battery twice."""
    world = settled()
    submit(world, MAKER, messages.offer(BUYER, ("ownership",), (1,)))
    submit(world, BUYER, messages.accept())

    assert submit(world, MAKER, messages.offer(CARMAKER, ("ownership",), (2,))) is Reason.NOT_IN_THE_REGISTER
    assert submit(world, MAKER, messages.offer(CARMAKER, ("custody",), (1,))) is None


@pytest.mark.parametrize(
    ("names", "versions"),
    [
        (("ownership", "custody"), (1, 1)),
        (("custody", "custody"), (1, 1)),
        (("custody", "ownership"), (1,)),
        (("custody",), (1, 1)),
        ((), ()),
        (("title",), (1,)),
    ],
)
def test_registers_are_named_in_order_each_once_with_its_version(
    names: tuple[RegisterName, ...], versions: tuple[int, ...]
) -> None:
    """One spelling of an offer, and a version beside every register."""
    world = settled()

    assert submit(world, MAKER, messages.offer(BUYER, names, versions)) is Reason.MALFORMED_MESSAGE


def test_the_history_of_offers_leaves_one_record() -> None:
    """The latest offer stands under the battery; earlier ones are in the log."""
    world = settled()
    before = len(without_sequences(world.state.records))
    for version in (1, 3, 5):
        submit(world, MAKER, messages.offer(BUYER))
        submit(world, BUYER, messages.decline(version))

    assert len(without_sequences(world.state.records)) == before + 1
    assert world.record(OfferRecord, offer_key(messages.BATTERY)).version == 6


def test_a_battery_that_does_not_exist_is_not_offered() -> None:
    """Nor accepted, declined or withdrawn."""
    world = settled()
    nothing = messages.OTHER_BATTERY

    assert submit(world, MAKER, messages.offer(BUYER, identifier=nothing)) is Reason.UNKNOWN_BATTERY
    assert submit(world, BUYER, messages.accept(identifier=nothing)) is Reason.NO_OPEN_OFFER


def test_an_offer_names_a_member() -> None:
    """A name nobody bears, and one that looks like a member's."""
    world = settled()
    for name, reason in (("nobody", Reason.UNKNOWN_ORGANISATION), ("ѕecondlife", Reason.MALFORMED_MESSAGE)):
        assert submit(world, MAKER, replace(messages.offer(BUYER), addressee=name)) is reason
