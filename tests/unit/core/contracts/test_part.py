"""Parts: who may build them in and take them out, what a tree may be, and whose a part is meanwhile and afterwards."""

from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from cellvow.core.contracts.attestation import AttestationRecord, attestation_key, derive_state
from cellvow.core.contracts.battery import BatteryRecord, VoidingRecord, battery_key, voiding_key
from cellvow.core.contracts.contract import Committed, Message, encode_record
from cellvow.core.contracts.custody import OfferRecord, offer_key
from cellvow.core.contracts.dispute import OpenDispute
from cellvow.core.contracts.dispute_file import DisputeRecord, dispute_key
from cellvow.core.contracts.part import (
    AssemblyRecord,
    BuildRecord,
    PartRecord,
    assembly_key,
    build_key,
    derive_registered,
    derive_root,
    derive_wholes,
    part_key,
)
from cellvow.core.contracts.register import REGISTERS, RegisterRecord, register_key
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.limits import PART_LEVELS_MAX, PARTS_MAX
from cellvow.core.protocol.ruleset import RULESETS
from tests import messages
from tests.assembly import (
    CELL_GTIN,
    MODULE_GTIN,
    PACK_GTIN,
    assembled,
    cell,
    hand_over,
    module,
    pack,
    refused,
    submit,
    workshop,
)
from tests.world import BUYER, CARMAKER, LABORATORY, MAKER, World, make_genesis, without_sequences


def part_of(world: World, battery: str) -> str | None:
    """The unit that a unit is built into, by its record."""
    return world.record(BatteryRecord, battery_key(battery)).part_of


def epoch(world: World, battery: str) -> int:
    """How often the tests of a unit were voided."""
    return world.record(BatteryRecord, battery_key(battery)).epoch


def sums(world: World, battery: str) -> tuple[int, int, int, int]:
    """Parts, packs among them, mass and cells, as the unit's assembly has them."""
    record = world.record(AssemblyRecord, assembly_key(battery))
    return record.parts, record.packs, record.mass_g, record.cells


def answering(world: World, battery: str) -> dict[str, str]:
    """Register -> who counts as registered for the unit now."""
    return {name: derive_registered(world.state.get, name, battery).organisation for name in REGISTERS}


def standing(world: World, battery: str) -> dict[str, str]:
    """Register -> who stands in the unit's own one."""
    return {name: world.record(RegisterRecord, register_key(name, battery)).organisation for name in REGISTERS}


def dispute(battery: str, topic: str = "ownership", respondent: str = MAKER) -> OpenDispute:
    """A dispute over a unit."""
    text = Committed(commitment="ab" * 32)
    return OpenDispute(battery=battery, reference="D-1", topic=topic, respondent=respondent, text=text)  # type: ignore[arg-type]  # words of tests


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
    removed = messages.removal(module(2), pack(1), cause="harvested")

    assert refused(world, MAKER, removed) is None
    entry = world.record(PartRecord, part_key(pack(1), module(2)))
    assert (entry.state, entry.cause, entry.position, entry.version) == ("removed", "harvested", "2", 2)
    assert entry.since_ms == world.head.time_ms
    assert (part_of(world, module(2)), sums(world, pack(1))) == (None, (1, 0, 4_000, 4))


def test_a_part_comes_back_where_it_was() -> None:
    """The same entry goes on, with its next version."""
    world = assembled()
    world.accept(world[MAKER].key.sign(messages.removal(module(2), pack(1))))
    world.accept(world[MAKER].key.sign(messages.installation(module(2), pack(1), position="9")))
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
        world.accept(world[MAKER].key.sign(messages.installation(cell(number), module(1), pack(1))))

    extra = messages.installation(cell(5), module(1), pack(1))
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

    assert refused(world, MAKER, messages.installation(part, whole)) is (None if is_fit else Reason.WRONG_LEVEL)


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
        messages.installation(cell(1), module(1)),
        messages.installation(pack(1), SYSTEMS[0]),
        messages.installation(module(1), pack(1), SYSTEMS[0]),
    )
    world.accept(*(world[MAKER].key.sign(one) for one in steps))

    assert len(derive_wholes(world.state.get, cell(1))) + 1 == PART_LEVELS_MAX
    assert sums(world, SYSTEMS[0])[:2] == (1, 1)
    assert refused(world, MAKER, messages.installation(SYSTEMS[0], SYSTEMS[1])) is Reason.TREE_TOO_DEEP
    assert refused(world, MAKER, messages.installation(SYSTEMS[1], pack(1), SYSTEMS[0])) is Reason.TREE_TOO_DEEP
    world.accept(world[MAKER].key.sign(messages.removal(pack(1), SYSTEMS[0])))
    assert sums(world, SYSTEMS[0])[:2] == (0, 0)
    assert refused(world, MAKER, messages.installation(SYSTEMS[0], SYSTEMS[1])) is None


def test_no_cycle_comes_about_in_any_way() -> None:
    """Not a unit in itself, nor in what it holds, directly or further down."""
    world = system(pack(1))
    world.accept(*(world[MAKER].key.sign(messages.battery(one)) for one in SYSTEMS))
    assert refused(world, MAKER, messages.installation(SYSTEMS[0], SYSTEMS[0])) is Reason.PART_OF_ITSELF
    world.accept(world[MAKER].key.sign(messages.installation(SYSTEMS[0], SYSTEMS[1])))

    assert refused(world, MAKER, messages.installation(SYSTEMS[1], SYSTEMS[0], SYSTEMS[1])) is Reason.PART_OF_ITSELF
    tall = assembled()
    assert refused(tall, MAKER, messages.installation(pack(1), module(1), pack(1))) is Reason.PART_OF_ITSELF
    assert refused(tall, MAKER, messages.installation(pack(1), cell(1), module(1), pack(1))) is Reason.PART_OF_ITSELF


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_units_are_not_built_into_each_other_in_one_block(order: tuple[int, int]) -> None:
    """Whichever stands first is done; the other would close a cycle."""
    world = system()
    world.accept(*(world[MAKER].key.sign(messages.battery(one)) for one in SYSTEMS))
    first, second = SYSTEMS[order[0]], SYSTEMS[order[1]]
    key = world[MAKER].key
    statements = (
        key.sign(messages.installation(first, second)),
        key.sign(messages.installation(second, first, second)),
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
    assert refused(heavy(mass_g, cells), MAKER, messages.installation(messages.BATTERY, pack(1))) is reason


def test_a_third_module_is_too_heavy_though_each_is_light() -> None:
    """The sum counts, not the part."""
    assert refused(assembled(), MAKER, messages.installation(module(3), pack(1))) is Reason.PARTS_TOO_HEAVY


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
    world.accept(world[MAKER].key.sign(messages.removal(module(2), pack(1))))
    world.accept(world[MAKER].key.sign(messages.installation(module(3), pack(1))))

    assert sums(world, pack(1)) == (2, 0, 7_900, 8)


def test_a_unit_has_a_thousand_direct_parts_and_no_more() -> None:
    """At the bound and one past it."""
    world = system(cell(1), cell(2))
    world.accept(world[MAKER].key.sign(messages.battery(SYSTEMS[0])))
    world.accept(world[MAKER].key.sign(messages.installation(cell(1), SYSTEMS[0])))
    crowd = replace(world.record(AssemblyRecord, assembly_key(SYSTEMS[0])), parts=PARTS_MAX - 1)
    world.state.update({assembly_key(SYSTEMS[0]): encode_record(crowd)})
    world.accept(world[MAKER].key.sign(messages.battery(cell(3))))

    assert refused(world, MAKER, messages.installation(cell(2), SYSTEMS[0])) is None
    assert refused(world, MAKER, messages.installation(cell(3), SYSTEMS[0])) is Reason.TOO_MANY_PARTS


def test_no_model_no_tree() -> None:
    """Both models are described before anything is built in."""
    world = workshop(pack(1), cell(1))
    world.accept(world[MAKER].key.sign(messages.model()), world[MAKER].key.sign(messages.battery()))

    for message in (
        messages.installation(messages.BATTERY, pack(1)),
        messages.installation(cell(1), messages.BATTERY),
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
        messages.installation(cell(3), module(1), *above),
        messages.removal(cell(1), module(1), *above),
        messages.replacement(cell(1), cell(3), module(1), *above),
    ):
        assert refused(world, MAKER, message) is Reason.WRONG_WHOLES
        assert message.concerns[-len(above) :] == above or not above


# Whose it is


def test_who_does_not_hold_the_whole_changes_none_of_its_parts() -> None:
    """Neither a stranger, nor the owner who has lent it: custody is what counts."""
    world = assembled()
    hand_over(world, pack(1), MAKER, BUYER, ("custody",))

    for who in (MAKER, CARMAKER):
        for message in (
            messages.installation(module(3), pack(1)),
            messages.removal(module(1), pack(1)),
            messages.removal(cell(1), module(1), pack(1)),
            messages.replacement(module(1), module(3), pack(1)),
        ):
            assert refused(world, who, message) is Reason.NOT_THE_HOLDER
    assert refused(world, BUYER, messages.removal(module(1), pack(1))) is None


def test_nobody_builds_in_what_another_holds() -> None:
    """The part has to be in the signer's hands as well."""
    world = assembled()
    hand_over(world, cell(3), MAKER, BUYER, ("custody",))

    assert refused(world, MAKER, messages.installation(cell(3), module(3))) is Reason.NOT_THE_HOLDER


@pytest.mark.parametrize("register", ["ownership", "responsibility"])
def test_nobody_is_given_title_or_duty_by_way_of_an_assembly(register: str) -> None:
    """Threat: a workshop builds in somebody's module and takes it out as its own, or leaves its waste with another."""
    world = assembled()
    hand_over(world, cell(3), MAKER, CARMAKER, (register,))  # type: ignore[arg-type]  # words of tests
    outcome = submit(world, MAKER, messages.installation(cell(3), module(3)))

    assert (outcome.reason, outcome.facts) == (Reason.REGISTERS_DIFFER, (("register", register),))


def test_a_part_goes_where_its_whole_goes_and_stays_there() -> None:
    """Handed over with the pack; taken out by its new holder, it names those who then stood for the pack."""
    world = assembled()
    hand_over(world, pack(1), MAKER, BUYER)
    hand_over(world, pack(1), BUYER, CARMAKER, ("ownership",))
    expected = {"custody": BUYER, "ownership": CARMAKER, "responsibility": BUYER}

    assert answering(world, cell(1)) == answering(world, module(1)) == answering(world, pack(1)) == expected
    assert standing(world, module(1)) == dict.fromkeys(REGISTERS, MAKER)
    assert refused(world, BUYER, messages.removal(module(1), pack(1))) is None
    assert standing(world, module(1)) == answering(world, module(1)) == answering(world, cell(1)) == expected


def test_a_part_is_not_offered_by_itself() -> None:
    """Neither by who stood in its registers once, nor by who holds the whole."""
    world = assembled()
    hand_over(world, pack(1), MAKER, BUYER)

    for who in (MAKER, BUYER):
        message = messages.offer(CARMAKER, ("custody",), (1,), identifier=module(1))
        assert refused(world, who, message) is Reason.PART_OF_ANOTHER


def test_a_unit_under_an_offer_is_not_built_in() -> None:
    """Threat: an offer made before could be accepted while the unit is a part, and nobody would know whose it is."""
    world = assembled()
    world.accept(world[MAKER].key.sign(messages.offer(BUYER, identifier=module(3))))
    world.accept(world[MAKER].key.sign(messages.removal(module(2), pack(1))))

    assert refused(world, MAKER, messages.installation(module(3), pack(1))) is Reason.OFFER_OPEN
    assert refused(world, MAKER, messages.replacement(module(1), module(3), pack(1))) is Reason.OFFER_OPEN
    assert refused(world, MAKER, messages.withdraw(identifier=module(3))) is None
    assert refused(world, MAKER, messages.installation(module(3), pack(1))) is None


@pytest.mark.parametrize("is_offer_first", [True, False])
def test_an_offer_and_an_assembly_in_one_block_exclude_each_other(is_offer_first: bool) -> None:
    """In either order: the first is done, the second refused."""
    world = workshop(pack(1), module(1))
    key = world[MAKER].key
    pair: list[Message] = [messages.offer(BUYER, identifier=module(1)), messages.installation(module(1), pack(1))]
    ordered = pair if is_offer_first else pair[::-1]
    reasons = [outcome.reason for (outcome,) in world.include(*(key.sign(one) for one in ordered))]

    assert reasons == [None, Reason.OFFER_OPEN if is_offer_first else Reason.PART_OF_ANOTHER]
    offered = offer_key(module(1)) in world.state.records
    assert offered is is_offer_first and (part_of(world, module(1)) is None) is is_offer_first
    assert not offered or world.record(OfferRecord, offer_key(module(1))).state == "open"


@pytest.mark.parametrize("disputed", [module(1), pack(1), module(3)], ids=["part", "whole", "new part"])
def test_what_is_disputed_is_neither_built_in_nor_taken_out(disputed: str) -> None:
    """Threat: who is about to lose a unit strips it of its parts, or hides the part in another."""
    world = assembled()
    hand_over(world, pack(1), MAKER, BUYER, ("ownership",))
    hand_over(world, module(3), MAKER, BUYER, ("ownership",))
    signer = BUYER if disputed == module(3) else MAKER  # of a part of his pack the maker is concerned as its maker
    respondent = MAKER if signer == BUYER else BUYER
    world.accept(world[signer].key.sign(dispute(disputed, respondent=respondent)))

    assert refused(world, MAKER, messages.replacement(module(1), module(3), pack(1))) is Reason.REGISTER_DISPUTED
    if disputed != module(3):
        assert refused(world, MAKER, messages.removal(module(1), pack(1))) is Reason.REGISTER_DISPUTED


def test_what_is_in_a_vehicle_by_itself_does_not_become_a_part() -> None:
    """An installation on record that has not ended stands in the way; one that has does not."""
    world = workshop(pack(1), module(1))
    put = world.state.update
    put({f"installation/{module(1)}": b'{"state":"installed","vehicle":"x"}'})
    assert refused(world, MAKER, messages.installation(module(1), pack(1))) is Reason.STILL_INSTALLED
    put({f"installation/{module(1)}": b'{"state":"removed"}'})
    assert refused(world, MAKER, messages.installation(module(1), pack(1))) is None


def ceased(world: World, battery: str, how: str) -> None:
    """End a unit on the record, as the contracts about the end of life do."""
    record = world.record(BatteryRecord, battery_key(battery))
    world.state.update({battery_key(battery): encode_record(msgspec.structs.replace(record, ceased=how))})


def test_what_has_ceased_is_neither_whole_nor_part() -> None:
    """Recycled units come back as contested claims, those with successors are refused."""
    world = workshop(pack(1), module(1), module(2))
    ceased(world, module(1), "recycled")
    ceased(world, module(2), "succeeded")

    assert submit(world, MAKER, messages.installation(module(1), pack(1))).is_contested
    assert refused(world, MAKER, messages.installation(module(2), pack(1))) is Reason.UNIT_SUCCEEDED


# A part in two packs


def rivals() -> World:
    """The maker and the buyer each hold a pack; the module is the maker's."""
    world = workshop(pack(1), pack(2), module(1))
    hand_over(world, pack(2), MAKER, BUYER)
    return world


def test_a_part_in_two_packs_is_a_contested_claim() -> None:
    """It stays where it is; who claims otherwise has opened a dispute with who holds it, and it counts against him."""
    world = rivals()
    world.accept(world[MAKER].key.sign(messages.installation(module(1), pack(1))))
    records = [battery_key(module(1)), battery_key(pack(2)), battery_key(pack(1))]
    before = {key: world.state.records[key] for key in records}
    outcome = submit(world, BUYER, messages.installation(module(1), pack(2)))
    file = world.record(DisputeRecord, dispute_key(BUYER, "CLAIM-1"))

    assert outcome.is_contested
    assert (file.topic, file.battery, file.respondent, file.is_claim) == ("part_elsewhere", module(1), MAKER, True)
    assert before == {key: world.state.records[key] for key in records}
    assert assembly_key(pack(2)) not in world.state.records


def test_who_holds_no_pack_claims_no_part_for_it() -> None:
    """Control: a claim costs nothing but a pack of one's own; without one it is refused."""
    world = rivals()
    world.accept(world[MAKER].key.sign(messages.installation(module(1), pack(1))))

    assert refused(world, CARMAKER, messages.installation(module(1), pack(2))) is Reason.NOT_THE_HOLDER


@pytest.mark.parametrize("first", [MAKER, BUYER])
def test_two_claim_a_part_in_one_block_and_one_has_it(first: str) -> None:
    """In either order it is in the pack of who held it; the other claim is kept, or refused while it was nowhere yet.

    Who repeats a refused one finds the part elsewhere, and his claim is kept.
    """
    world = rivals()
    own, other = messages.installation(module(1), pack(1)), messages.installation(module(1), pack(2))
    statements: dict[str, Statement] = {MAKER: world[MAKER].key.sign(own), BUYER: world[BUYER].key.sign(other)}
    order = [first, BUYER if first == MAKER else MAKER]
    outcomes = dict(zip(order, (one for (one,) in world.include(*(statements[who] for who in order))), strict=True))

    assert outcomes[MAKER].is_accepted
    assert part_of(world, module(1)) == pack(1)
    if first == MAKER:
        assert outcomes[BUYER].is_contested
    else:
        assert outcomes[BUYER].reason is Reason.NOT_THE_HOLDER
        assert submit(world, BUYER, other).is_contested
    assert part_of(world, module(1)) == pack(1)


@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_a_cell_in_two_modules_of_one_holder_is_refused(order: tuple[int, int]) -> None:
    """In one block, in both orders: he contradicts himself, and the first statement stands."""
    world = workshop(module(1), module(2), cell(1))
    key = world[MAKER].key
    statements = [key.sign(messages.installation(cell(1), module(number))) for number in order]
    reasons = [outcome.reason for (outcome,) in world.include(*statements)]

    assert reasons == [None, Reason.PART_OF_ANOTHER]
    assert part_of(world, cell(1)) == module(order[0])
    assert assembly_key(module(order[1])) not in world.state.records


@pytest.mark.parametrize("is_removal_first", [True, False])
def test_a_removal_and_a_replacement_in_one_block(is_removal_first: bool) -> None:
    """Of one part, in either order: only the first finds it in its place."""
    world = assembled()
    pair: list[Message] = [messages.removal(module(1), pack(1)), messages.replacement(module(1), module(3), pack(1))]
    ordered = pair if is_removal_first else pair[::-1]
    reasons = [one.reason for (one,) in world.include(*(world[MAKER].key.sign(message) for message in ordered))]

    assert reasons == [None, Reason.NOT_ITS_PART]
    assert (part_of(world, module(3)) is None) is is_removal_first


@pytest.mark.parametrize("is_sale_first", [True, False])
def test_an_accepted_sale_and_a_removal_in_one_block(is_sale_first: bool) -> None:
    """Whose the part is depends on the order alone: with the pack if it left later, with the seller if before."""
    world = assembled()
    world.accept(world[MAKER].key.sign(messages.offer(BUYER, identifier=pack(1))))
    sale = world[BUYER].key.sign(messages.accept(identifier=pack(1)))
    removal = world[MAKER].key.sign(messages.removal(module(1), pack(1)))
    world.include(*((sale, removal) if is_sale_first else (removal, sale)))

    assert answering(world, module(1)) == dict.fromkeys(REGISTERS, BUYER if is_sale_first else MAKER)
    assert (part_of(world, module(1)) is None) is not is_sale_first


# Tests


def certified(world: World, *units: str) -> None:
    """A certificate of each unit."""
    laboratory = world[LABORATORY].key
    world.accept(laboratory.sign(messages.anchor()))
    for number, unit in enumerate(units):
        world.accept(laboratory.sign(messages.certificate(f"CERT-{number}", identifier=unit)))


def validity(world: World, number: int) -> str:
    """What the certificate is worth now."""
    record = world.record(AttestationRecord, attestation_key(LABORATORY, f"CERT-{number}"))
    battery = world.record(BatteryRecord, battery_key(record.battery))
    return derive_state(record, battery, world.head.time_ms)


@pytest.mark.parametrize(
    "message",
    [
        messages.installation(cell(3), module(1), pack(1)),
        messages.removal(cell(1), module(1), pack(1)),
        messages.replacement(cell(1), cell(3), module(1), pack(1)),
    ],
    ids=["install", "remove", "replace"],
)
def test_a_change_of_parts_voids_the_tests_of_every_unit_around_and_no_other(message: Message) -> None:
    """The module was tested with the cells it had, and so was its pack; the cells themselves, and the module beside."""
    world = assembled()
    certified(world, module(1), pack(1), cell(1), cell(3), module(2))
    before = epoch(world, pack(1))
    world.accept(world[MAKER].key.sign(message))

    assert [validity(world, number) for number in range(5)] == ["invalidated"] * 2 + ["issued"] * 3
    assert epoch(world, pack(1)) == before + 1
    for unit in (module(1), pack(1)):
        ended = world.record(VoidingRecord, voiding_key(unit, epoch(world, unit) - 1))
        assert ended.cause == "parts_changed"
        assert ended.provenance == world.record(BatteryRecord, battery_key(unit)).provenance


def test_every_record_that_changes_belongs_to_a_unit_that_the_message_concerns() -> None:
    """The index and the sources of passports rest on it: whose record stems from a message, its history names it."""
    world = assembled()
    message = messages.replacement(cell(1), cell(3), module(1), pack(1))
    before = without_sequences(world.state.records)
    world.accept(world[MAKER].key.sign(message))
    changed = [key for key, value in without_sequences(world.state.records).items() if before.get(key) != value]

    assert changed
    for key in changed:
        assert any(unit in key for unit in message.concerns), key
    assert {cell(1), cell(3), module(1), pack(1)} == dict.fromkeys(message.concerns).keys()


def test_a_dispute_over_a_part_is_a_party_s_if_he_stands_for_its_whole() -> None:
    """Who bought the pack may hold its module still; who sold it no longer, though the module's own register has him."""
    world = assembled()
    hand_over(world, pack(1), MAKER, BUYER)
    hand_over(world, pack(1), BUYER, CARMAKER)
    for who, held in ((CARMAKER, ("ownership",)), (BUYER, ())):
        world.accept(world[who].key.sign(dispute(module(1), respondent=LABORATORY)))
        assert world.record(DisputeRecord, dispute_key(who, "D-1")).holds == held


def test_models_of_this_page_are_what_the_tests_say() -> None:
    """Control: the bounds above are those of the fixture."""
    world = assembled()
    levels = {gtin: world.record(BuildRecord, build_key(gtin)).level for gtin in (CELL_GTIN, MODULE_GTIN, PACK_GTIN)}

    assert levels == {CELL_GTIN: "cell", MODULE_GTIN: "module", PACK_GTIN: "pack"}
