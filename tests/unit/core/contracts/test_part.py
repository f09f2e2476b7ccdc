"""Parts: what a model is, what goes into what, how many levels, how much and how many; and what stays on record."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.assembly import AssemblyRecord, BuildRecord, assembly_key, build_key
from cellvow.core.contracts.contract import encode_record
from cellvow.core.contracts.part import PartRecord, part_key
from cellvow.core.contracts.whole import derive_root, derive_wholes
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import PART_LEVELS_MAX, PARTS_MAX
from cellvow.core.protocol.ruleset import RULESETS
from tests import messages
from tests.assembly import (
    CELL_GTIN,
    MODULE_GTIN,
    PACK_GTIN,
    assembled,
    cell,
    module,
    pack,
    part_of,
    refused,
    submit,
    sums,
    workshop,
)
from tests.world import CARMAKER, MAKER, World, make_genesis, without_sequences

# What a model is


def test_a_model_is_described_once_by_its_owner() -> None:
    """Level and cells are what the maker says; nobody else does, and he does not say otherwise later."""
    world = World(make_genesis(ruleset=3))
    world.accept(world[MAKER].key.sign(messages.model()))
    described = messages.description(cells=96)

    assert refused(world, CARMAKER, described) is Reason.NOT_YOUR_MODEL
    assert refused(world, MAKER, messages.description(messages.OTHER_GTIN)) is Reason.UNKNOWN_MODEL
    assert refused(world, MAKER, described) is None
    assert refused(world, MAKER, replace(described, cells=100)) is Reason.MODEL_DESCRIBED
    record = world.record(BuildRecord, build_key(messages.GTIN))
    assert (record.level, record.cells, record.organisation) == ("pack", 96, MAKER)


@pytest.mark.parametrize(
    ("level", "cells", "is_sound"),
    [("cell", 1, True), ("cell", 0, False), ("cell", 2, False), ("module", 0, False), ("pack", 1, True)],
)
def test_a_cell_has_one_cell_and_everything_else_at_least_one(level: str, cells: int, is_sound: bool) -> None:
    """A description that cannot be true is refused."""
    world = World(make_genesis(ruleset=3))
    world.accept(world[MAKER].key.sign(messages.model()))
    message = messages.description(level=level, cells=cells)  # type: ignore[arg-type]  # words of tests

    assert refused(world, MAKER, message) is (None if is_sound else Reason.MALFORMED_MESSAGE)


def test_rulesets_before_the_third_know_no_parts() -> None:
    """What is new is new: an older ledger refuses the messages as malformed."""
    names = [kind.__name__ for version in (1, 2) for kind in RULESETS[version].handlers]

    assert not [name for name in names if "Part" in name or name == "DescribeModel"]


# The tree


def test_a_part_knows_its_whole_and_the_whole_its_sums() -> None:
    """Part, position and sums are on the record; the sums count direct parts only."""
    world = assembled()
    entry = world.record(PartRecord, part_key(pack(1), module(2)))

    assert derive_wholes(world.state.get, cell(1)) == (module(1), pack(1))
    assert derive_root(world.state.get, cell(1)) == pack(1)
    assert derive_root(world.state.get, cell(3)) == cell(3)
    assert (entry.position, entry.state, entry.by, entry.mass_g, entry.cells) == ("2", "installed", MAKER, 4_000, 4)
    assert sums(world, pack(1)) == (2, 0, 8_000, 8)
    assert sums(world, module(1)) == (2, 0, 1_600, 2)


def test_a_part_that_is_taken_out_stays_in_the_history_of_its_whole() -> None:
    """The entry says that it was removed, why, when, and where it had been; the sums shrink by what it counted for."""
    world = assembled()
    removed = messages.part_out(module(2), pack(1), cause="harvested")

    assert refused(world, MAKER, removed) is None
    entry = world.record(PartRecord, part_key(pack(1), module(2)))
    assert (entry.state, entry.cause, entry.position, entry.version) == ("removed", "harvested", "2", 2)
    assert entry.since_ms == world.head.time_ms
    assert (part_of(world, module(2)), sums(world, pack(1))) == (None, (1, 0, 4_000, 4))


def test_a_part_comes_back_where_it_was() -> None:
    """The same entry goes on, with its next version."""
    world = assembled()
    world.accept(world[MAKER].key.sign(messages.part_out(module(2), pack(1))))
    world.accept(world[MAKER].key.sign(messages.part_in(module(2), pack(1), position="9")))
    entry = world.record(PartRecord, part_key(pack(1), module(2)))

    assert (entry.state, entry.cause, entry.position, entry.version) == ("installed", None, "9", 3)
    assert sums(world, pack(1)) == (2, 0, 8_000, 8)


@pytest.mark.parametrize(("given", "expected"), [(None, "1"), ("7", "7")])
def test_a_replacement_puts_one_part_where_the_other_was(given: str | None, expected: str) -> None:
    """In one message; unless another position is named."""
    world = assembled()
    outcome = submit(world, MAKER, messages.replacement(module(1), module(3), pack(1), position=given))

    assert [event["type"] for event in outcome.events] == ["PartReplaced"]
    assert world.record(PartRecord, part_key(pack(1), module(3))).position == expected
    assert world.record(PartRecord, part_key(pack(1), module(1))).state == "removed"
    assert (part_of(world, module(1)), part_of(world, module(3))) == (None, pack(1))
    assert part_of(world, cell(1)) == module(1)


def test_a_replacement_is_all_or_nothing() -> None:
    """Where the new part does not go in, the old one stays."""
    world = assembled()
    before = without_sequences(world.state.records)

    assert refused(world, MAKER, messages.replacement(module(1), module(2), pack(1))) is Reason.PART_OF_ANOTHER
    assert refused(world, MAKER, messages.replacement(module(3), module(1), pack(1))) is Reason.NOT_ITS_PART
    assert refused(world, MAKER, messages.replacement(module(1), module(1), pack(1))) is Reason.MALFORMED_MESSAGE
    assert refused(world, MAKER, messages.replacement(module(1), cell(3), module(1), pack(1))) is Reason.NOT_ITS_PART
    assert without_sequences(world.state.records) == before


def test_a_full_pack_takes_a_part_in_exchange() -> None:
    """The sums are taken after the old part left: what is full before may be full afterwards."""
    world = assembled()
    world.accept(world[MAKER].key.sign(messages.battery(cell(4))), world[MAKER].key.sign(messages.battery(cell(5))))
    for number in (3, 4):
        world.accept(world[MAKER].key.sign(messages.part_in(cell(number), module(1), pack(1))))

    extra = messages.part_in(cell(5), module(1), pack(1))
    assert refused(world, MAKER, extra) is Reason.TOO_MANY_CELLS
    assert refused(world, MAKER, messages.replacement(cell(1), cell(5), module(1), pack(1))) is None


@pytest.mark.parametrize(
    ("part", "whole", "is_fit"),
    [
        pytest.param(cell(3), module(3), True, id="cell into module"),
        pytest.param(cell(3), pack(2), True, id="cell into pack"),
        pytest.param(module(3), pack(2), True, id="module into pack"),
        pytest.param(cell(3), cell(4), False, id="cell into cell"),
        pytest.param(module(3), module(4), False, id="module into module"),
        pytest.param(module(3), cell(3), False, id="module into cell"),
        pytest.param(pack(2), module(3), False, id="pack into module"),
    ],
)
def test_what_goes_into_what(part: str, whole: str, is_fit: bool) -> None:
    """Cells into modules and packs, modules into packs; nothing into a cell."""
    world = workshop(pack(2), module(3), module(4), cell(3), cell(4))

    assert refused(world, MAKER, messages.part_in(part, whole)) is (None if is_fit else Reason.WRONG_LEVEL)


def system(*units: str, gtin: str = messages.GTIN) -> World:
    """These units, and a model of large systems of packs."""
    world = workshop(*units)
    world.accept(world[MAKER].key.sign(replace(messages.model(gtin), mass_g=10_000_000)))
    world.accept(world[MAKER].key.sign(messages.description(gtin, "pack", 10_000)))
    return world


SYSTEMS = tuple(f"01/{messages.GTIN}/21/SYSTEM-{number}" for number in range(3))


def test_parts_nest_in_four_levels_and_no_more() -> None:
    """A system of packs, its packs, their modules, their cells: whichever is joined first."""
    world = system(pack(1), module(1), cell(1))
    world.accept(*(world[MAKER].key.sign(messages.battery(one)) for one in SYSTEMS))
    steps = (
        messages.part_in(cell(1), module(1)),
        messages.part_in(pack(1), SYSTEMS[0]),
        messages.part_in(module(1), pack(1), SYSTEMS[0]),
    )
    world.accept(*(world[MAKER].key.sign(one) for one in steps))

    assert len(derive_wholes(world.state.get, cell(1))) + 1 == PART_LEVELS_MAX
    assert sums(world, SYSTEMS[0])[:2] == (1, 1)
    assert refused(world, MAKER, messages.part_in(SYSTEMS[0], SYSTEMS[1])) is Reason.TREE_TOO_DEEP
    assert refused(world, MAKER, messages.part_in(SYSTEMS[1], pack(1), SYSTEMS[0])) is Reason.TREE_TOO_DEEP
    world.accept(world[MAKER].key.sign(messages.part_out(pack(1), SYSTEMS[0])))
    assert sums(world, SYSTEMS[0])[:2] == (0, 0)
    assert refused(world, MAKER, messages.part_in(SYSTEMS[0], SYSTEMS[1])) is None


def test_no_cycle_comes_about_in_any_way() -> None:
    """Not a unit in itself, nor in what it holds, directly or further down."""
    world = system(pack(1))
    world.accept(*(world[MAKER].key.sign(messages.battery(one)) for one in SYSTEMS))
    assert refused(world, MAKER, messages.part_in(SYSTEMS[0], SYSTEMS[0])) is Reason.PART_OF_ITSELF
    world.accept(world[MAKER].key.sign(messages.part_in(SYSTEMS[0], SYSTEMS[1])))

    assert refused(world, MAKER, messages.part_in(SYSTEMS[1], SYSTEMS[0], SYSTEMS[1])) is Reason.PART_OF_ITSELF
    tall = assembled()
    assert refused(tall, MAKER, messages.part_in(pack(1), module(1), pack(1))) is Reason.PART_OF_ITSELF
    assert refused(tall, MAKER, messages.part_in(pack(1), cell(1), module(1), pack(1))) is Reason.PART_OF_ITSELF


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_units_are_not_built_into_each_other_in_one_block(order: tuple[int, int]) -> None:
    """Whichever stands first is done; the other would close a cycle."""
    world = system()
    world.accept(*(world[MAKER].key.sign(messages.battery(one)) for one in SYSTEMS))
    first, second = SYSTEMS[order[0]], SYSTEMS[order[1]]
    key = world[MAKER].key
    statements = (
        key.sign(messages.part_in(first, second)),
        key.sign(messages.part_in(second, first, second)),
    )
    reasons = [outcome.reason for (outcome,) in world.include(*statements)]

    assert reasons == [None, Reason.PART_OF_ITSELF]
    assert (part_of(world, first), part_of(world, second)) == (second, None)


def heavy(mass_g: int, cells: int) -> World:
    """A pack, and a module of another model with this mass and so many cells."""
    world = workshop(pack(1))
    key = world[MAKER].key
    world.accept(key.sign(replace(messages.model(), mass_g=mass_g)))
    world.accept(key.sign(messages.description(messages.GTIN, "module", cells)), key.sign(messages.battery()))
    return world


@pytest.mark.parametrize(
    ("mass_g", "cells", "reason"),
    [
        (10_000, 10, None),
        (10_001, 10, Reason.PARTS_TOO_HEAVY),
        (10_000, 11, Reason.TOO_MANY_CELLS),
    ],
)
def test_parts_weigh_no_more_than_their_whole_and_have_no_more_cells(
    mass_g: int, cells: int, reason: Reason | None
) -> None:
    """At the bound and one past it, by what the models say."""
    assert refused(heavy(mass_g, cells), MAKER, messages.part_in(messages.BATTERY, pack(1))) is reason


def test_a_third_module_is_too_heavy_though_each_is_light() -> None:
    """The sum counts, not the part."""
    assert refused(assembled(), MAKER, messages.part_in(module(3), pack(1))) is Reason.PARTS_TOO_HEAVY


def test_a_part_is_taken_out_with_what_it_was_counted_with() -> None:
    """Though its model was corrected meanwhile: the sums never go wrong by it."""
    world = assembled()
    registered = next(
        statement
        for block in world.blocks
        for statement in block.statements
        if MODULE_GTIN.encode() in statement.messages[0] and b"RegisterModel" in statement.messages[0]
    )
    lighter = replace(messages.model(MODULE_GTIN), mass_g=3_900)
    world.accept(world[MAKER].key.sign(messages.correction(registered, lighter)))
    world.accept(world[MAKER].key.sign(messages.part_out(module(2), pack(1))))
    world.accept(world[MAKER].key.sign(messages.part_in(module(3), pack(1))))

    assert sums(world, pack(1)) == (2, 0, 7_900, 8)


def test_a_unit_has_a_thousand_direct_parts_and_no_more() -> None:
    """At the bound and one past it."""
    world = system(cell(1), cell(2))
    world.accept(world[MAKER].key.sign(messages.battery(SYSTEMS[0])))
    world.accept(world[MAKER].key.sign(messages.part_in(cell(1), SYSTEMS[0])))
    crowd = replace(world.record(AssemblyRecord, assembly_key(SYSTEMS[0])), parts=PARTS_MAX - 1)
    world.state.update({assembly_key(SYSTEMS[0]): encode_record(crowd)})
    world.accept(world[MAKER].key.sign(messages.battery(cell(3))))

    assert refused(world, MAKER, messages.part_in(cell(2), SYSTEMS[0])) is None
    assert refused(world, MAKER, messages.part_in(cell(3), SYSTEMS[0])) is Reason.TOO_MANY_PARTS


def test_no_model_no_tree() -> None:
    """Both models are described before anything is built in."""
    world = workshop(pack(1), cell(1))
    world.accept(world[MAKER].key.sign(messages.model()), world[MAKER].key.sign(messages.battery()))

    for message in (
        messages.part_in(messages.BATTERY, pack(1)),
        messages.part_in(cell(1), messages.BATTERY),
    ):
        assert refused(world, MAKER, message) is Reason.MODEL_NOT_DESCRIBED


@pytest.mark.parametrize(
    "above",
    [(), (pack(2),), (module(1),), (pack(1), pack(1)), (pack(1), pack(2))],
    ids=["none", "another", "itself", "twice", "one too many"],
)
def test_a_message_names_the_units_around_as_they_are(above: tuple[str, ...]) -> None:
    """Whoever signs has seen the tree that stands: theirs are histories and tests that change too."""
    world = assembled()

    for message in (
        messages.part_in(cell(3), module(1), *above),
        messages.part_out(cell(1), module(1), *above),
        messages.replacement(cell(1), cell(3), module(1), *above),
    ):
        assert refused(world, MAKER, message) is Reason.WRONG_WHOLES
        assert message.concerns[-len(above) :] == above or not above


def test_models_of_this_page_are_what_the_tests_say() -> None:
    """Control: the bounds above are those of the fixture."""
    world = assembled()
    levels = {gtin: world.record(BuildRecord, build_key(gtin)).level for gtin in (CELL_GTIN, MODULE_GTIN, PACK_GTIN)}

    assert levels == {CELL_GTIN: "cell", MODULE_GTIN: "module", PACK_GTIN: "pack"}
