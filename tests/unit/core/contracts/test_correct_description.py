"""What a model's description said wrong is corrected: its cells at any time, its level until it rests in a tree."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.assembly import AssembledRecord, BuildRecord, Level, assembled_key, build_key
from cellvow.core.contracts.contract import encode_message
from cellvow.core.contracts.part import PartRecord, part_key
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.protocol.ruleset import NEWEST, RULESETS
from tests import messages
from tests.assembly import CELL_GTIN, MODULE_GTIN, PACK_GTIN, assembled, cell, module, pack, refused, sums, workshop
from tests.world import CARMAKER, MAKER, World


def description_of(world: World, gtin: str) -> Statement:
    """The statement that described the model."""
    said = (statement for block in world.blocks for statement in block.statements)
    return next(one for one in said if one.envelope.subject == gtin and b'"DescribeModel"' in one.data)


def correct(world: World, gtin: str, level: Level, cells: int, organisation: str = MAKER) -> Reason | None:
    """Why the correction of a description as it first was is rejected: None if it is not."""
    message = messages.correction(description_of(world, gtin), messages.description(gtin, level, cells))
    return refused(world, organisation, message)


def build_of(world: World, gtin: str) -> BuildRecord:
    """What units of the model are."""
    return world.record(BuildRecord, build_key(gtin))


def test_a_corrected_description_holds_and_names_the_statement_it_corrects() -> None:
    """Level and cells are the new ones; whose they are stays, and what was said before is named."""
    world = workshop()
    before = build_of(world, MODULE_GTIN)
    outcome = correct(world, MODULE_GTIN, "pack", 12)
    after = build_of(world, MODULE_GTIN)

    assert outcome is None
    assert (after.level, after.cells, after.organisation) == ("pack", 12, MAKER)
    assert (after.corrects, after.version) == (before.provenance, 2)


def test_a_correction_is_corrected_by_naming_it() -> None:
    """The statement that stands now, not the first one."""
    world = workshop()
    first = messages.correction(description_of(world, PACK_GTIN), messages.description(PACK_GTIN, "pack", 12))
    statement = world[MAKER].key.sign(first)
    world.accept(statement)

    assert correct(world, PACK_GTIN, "pack", 14) is Reason.NOT_THE_CURRENT_STATEMENT
    again = messages.correction(statement, messages.description(PACK_GTIN, "pack", 14))
    assert refused(world, MAKER, again) is None
    assert build_of(world, PACK_GTIN).cells == 14


def test_the_cells_are_corrected_while_units_are_in_use_and_rule_what_is_built_in_next() -> None:
    """What counts already goes on counting as it did: a sum never says what was not built in."""
    world = assembled()
    counted = sums(world, module(1))
    refused_before = refused(world, MAKER, messages.part_in(module(3), pack(1)))
    assert correct(world, CELL_GTIN, "cell", 2) is Reason.MALFORMED_MESSAGE
    assert correct(world, MODULE_GTIN, "module", 2) is None

    assert refused_before is Reason.PARTS_TOO_HEAVY
    assert sums(world, module(1)) == counted
    assert world.record(PartRecord, part_key(pack(1), module(1))).cells == 4
    assert refused(world, MAKER, messages.part_in(cell(3), module(1), pack(1))) is Reason.TOO_MANY_CELLS


def test_a_part_leaves_the_sums_with_what_it_brought_whatever_was_corrected_since() -> None:
    """Else a sum would fall below nothing, or keep cells that are in no part."""
    world = assembled()
    assert correct(world, MODULE_GTIN, "module", 400) is None
    for number in (1, 2):
        assert refused(world, MAKER, messages.part_out(module(number), pack(1))) is None

    assert sums(world, pack(1)) == (0, 0, 0, 0)


@pytest.mark.parametrize("gtin", [CELL_GTIN, MODULE_GTIN, PACK_GTIN])
def test_a_level_stays_once_a_unit_of_the_model_is_in_a_tree(gtin: str) -> None:
    """As a part or as its whole, and after it was taken out as well: how deep a tree may be rests on it."""
    world = workshop(pack(1), module(1), cell(1))
    world.accept(world[MAKER].key.sign(messages.part_in(module(1), pack(1))))
    world.accept(world[MAKER].key.sign(messages.part_in(cell(1), module(1), pack(1))))
    world.accept(world[MAKER].key.sign(messages.part_out(cell(1), module(1), pack(1))))
    world.accept(world[MAKER].key.sign(messages.part_out(module(1), pack(1))))
    other: Level = "module" if gtin != MODULE_GTIN else "pack"

    assert correct(world, gtin, other, 1) is Reason.MODEL_ASSEMBLED
    assert world.record(AssembledRecord, assembled_key(gtin)).version == 1


def test_a_pack_called_a_cell_afterwards_does_not_make_a_tree_too_deep() -> None:
    """Threat: the maker shrinks the level of a whole tree on paper, and hides it in the lowest place of another."""
    world = assembled()

    assert correct(world, PACK_GTIN, "cell", 1) is Reason.MODEL_ASSEMBLED
    assert refused(world, MAKER, messages.part_in(pack(1), module(3))) is Reason.WRONG_LEVEL


def test_nobody_corrects_the_description_of_another_or_to_what_cannot_be() -> None:
    """Another member's word, the same again, no cells, a cell of two."""
    world = workshop()

    assert correct(world, PACK_GTIN, "pack", 12, CARMAKER) is Reason.NOT_YOUR_STATEMENT
    assert correct(world, PACK_GTIN, "pack", 10) is Reason.NOTHING_CHANGES
    assert correct(world, PACK_GTIN, "pack", 0) is Reason.MALFORMED_MESSAGE
    assert correct(world, PACK_GTIN, "cell", 2) is Reason.MALFORMED_MESSAGE
    assert build_of(world, PACK_GTIN).cells == 10


def test_a_model_that_was_never_described_has_nothing_to_correct() -> None:
    """The first description is no correction."""
    world = workshop()
    world.accept(world[MAKER].key.sign(replace(messages.model(messages.OTHER_GTIN), mass_g=1_000)))
    named = messages.correction(description_of(world, PACK_GTIN), messages.description(messages.OTHER_GTIN))

    assert refused(world, MAKER, named) is Reason.NOT_THE_CURRENT_STATEMENT


@pytest.mark.parametrize("version", RULESETS)
def test_rulesets_without_descriptions_read_no_correction_of_one(version: int) -> None:
    """To them it is malformed, as to the software that shipped them; other corrections they read as before."""
    said = description_of(workshop(), PACK_GTIN)
    ours = encode_message(messages.correction(said, messages.description(PACK_GTIN)))
    others = encode_message(messages.correction(said, messages.model()))

    assert (RULESETS[version].find_message(ours) is None) is (version < NEWEST)
    assert RULESETS[version].find_message(others) is not None
