"""What the records say of a unit beyond itself: lineage, tombstone, why tests are void, and what was diverted."""

from __future__ import annotations

from msgspec.structs import replace

from cellvow.passport.life_cycle import (
    CORRECTED,
    ENDS,
    ORIGINS,
    Diverted,
    Lineage,
    derive_diverted,
    derive_end,
    derive_lineage,
    derive_voidings,
)
from tests import messages
from tests.lives import RECYCLER, hand_over, lives_world, recycle, second_unit, unit_of
from tests.world import BUYER, MAKER, World

UNIT, OTHER = messages.BATTERY, messages.OTHER_BATTERY


def merged() -> World:
    """Both units become one in another company, and that becomes another one again, with 100 g left."""
    world = lives_world()
    for battery in (UNIT, OTHER):
        hand_over(world, MAKER, BUYER, battery)
    both = (messages.draw(UNIT), messages.draw(OTHER))
    world.accept(
        world[BUYER].key.sign(
            messages.second_life("repurpose", both, (messages.successor(second_unit(1), mass_g=1_500),))
        )
    )
    third = messages.draw(second_unit(1), mass_g=1_400)
    world.accept(
        world[BUYER].key.sign(
            messages.second_life("reuse", (third,), (messages.successor(second_unit(2), mass_g=1_400),))
        )
    )
    return world


def diverted(world: World) -> Diverted:
    """The sums over all records of a ledger in memory."""
    values = ([world.state.records[key] for key in world.state.keys(prefix)] for prefix in (ORIGINS, ENDS))
    return derive_diverted(world.state.get, *values)


def test_a_unit_names_what_it_was_made_of_and_what_it_became() -> None:
    """With the operation, by whom, and what is left of it; the first unit has no origin, the last no successor."""
    read = merged().state.get
    first, middle, last = (derive_lineage(read, one) for one in (UNIT, second_unit(1), second_unit(2)))

    assert first.originals == ()
    assert [(one.battery, one.operation, one.organisation) for one in first.successors] == [
        (second_unit(1), "repurpose", BUYER)
    ]
    assert [one.battery for one in middle.originals] == [UNIT, OTHER]
    assert (middle.mass_left_g, [one.operation for one in middle.successors]) == (100, ["reuse"])
    assert [one.battery for one in last.originals] == [second_unit(1)]
    assert derive_lineage(lives_world().state.get, UNIT) == Lineage()


def test_a_tombstone_says_how_by_whom_and_what_came_after() -> None:
    """For the answer 410; a unit that lives has none, and neither has one that was never born."""
    world = merged()
    end = derive_end(world.state.get, UNIT)
    recycled = lives_world()
    recycle(recycled)
    gone = derive_end(recycled.state.get, UNIT)

    assert end is not None
    assert gone is not None
    assert (end.how, end.cause, end.organisation, end.successors) == (
        "succeeded",
        "repurpose",
        BUYER,
        (second_unit(1),),
    )
    assert (gone.how, gone.organisation, gone.status, gone.successors) == ("recycled", RECYCLER, "waste", ())
    assert gone.statement == recycled.blocks[-1].statements[0].envelope.digest.hex()
    assert derive_end(world.state.get, second_unit(2)) is None
    assert derive_end(world.state.get, second_unit(9)) is None


def test_every_void_epoch_has_its_reason() -> None:
    """The operation that ended it, or that the birth was corrected; the present epoch has none."""
    world = lives_world()
    birth = world.blocks[1].statements[1]
    world.accept(world[MAKER].key.sign(messages.correction(birth, replace(messages.battery(), facility="Plant 9"))))
    world.accept(
        world[MAKER].key.sign(messages.second_life(originals=(messages.draw(version=unit_of(world).version),)))
    )
    voidings = derive_voidings(world.state.get, UNIT)

    assert {epoch: one.cause for epoch, one in voidings.items()} == {0: CORRECTED, 1: "remanufactured"}
    source = voidings[1].source
    assert source is not None
    assert source.statement == world.blocks[-1].statements[0].envelope.digest.hex()
    assert derive_voidings(world.state.get, messages.HEIR) == {}
    assert derive_voidings(world.state.get, second_unit(9)) == {}


def test_the_mass_of_a_third_life_is_not_counted_as_another_second_one() -> None:
    """1.5 kg went into a second life, 1.4 kg of it once more."""
    figures = diverted(merged())

    assert (figures.second_life_units, figures.second_life_g, figures.again_g) == (2, 1_500, 1_400)
    assert (figures.from_waste_g, figures.recycled_g, figures.destroyed_g) == (0, 0, 0)


def test_waste_diverted_and_waste_recycled_are_told_apart() -> None:
    """One unit was prepared for a second life from waste, the other recycled."""
    world = lives_world()
    recycle(world, OTHER)
    world.accept(world[MAKER].key.sign(messages.waste()))
    world.accept(world[MAKER].key.sign(messages.second_life(originals=(messages.draw(version=2),))))

    assert diverted(world) == Diverted(
        second_life_units=1, second_life_g=787, from_waste_g=787, recycled_units=1, recycled_g=787
    )


def test_a_ledger_without_ends_has_diverted_nothing() -> None:
    """All sums are zero."""
    assert diverted(lives_world()) == Diverted()
