"""Descriptions of models corrected between installations and removals, in any order: the sums over parts stay true."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cellvow.core.contracts.assembly import BuildRecord, Level, assembly_key, build_key
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.correction import CorrectStatement, StatementReference
from cellvow.core.contracts.part import PartRecord
from cellvow.core.contracts.whole import derive_wholes
from cellvow.core.primitives.limits import PART_LEVELS_MAX
from tests import messages
from tests.assembly import CELL_GTIN, MODULE_GTIN, PACK_GTIN, assembled, cell, module, pack, submit, sums, workshop
from tests.world import MAKER, World

UNITS = (cell(1), cell(2), cell(3), module(1), module(2), module(3), pack(1), pack(2))
PAIRS = [(part, whole) for whole in UNITS[3:] for part in UNITS if part != whole]
Step: TypeAlias = tuple[str, int, Level | None, int]
"""What is done, to which of all that could be meant, and the level - None: as it stands - and cells of a correction."""
levels: st.SearchStrategy[Level | None] = st.sampled_from([None, None, None, "cell", "module", "pack"])
steps = st.tuples(
    st.sampled_from(["in", "in", "out", "correct", "correct"]),
    st.integers(0, 999),
    levels,
    st.sampled_from([0, 1, 2, 4, 8, 12]),
)


def take(world: World, step: Step) -> None:
    """One step, whether it is accepted or not."""
    what, pick, level, cells = step
    if what == "correct":
        gtin = (CELL_GTIN, MODULE_GTIN, PACK_GTIN)[pick % 3]
        submit(world, MAKER, correction(world, gtin, level, cells))
        return
    inside = [(one.part, one.battery) for one in entries(world)]
    chosen = inside if what == "out" else [pair for pair in PAIRS if pair[0] not in dict(inside)]
    if chosen:
        part, whole = chosen[pick % len(chosen)]
        above = derive_wholes(world.state.get, whole)
        make = messages.part_out if what == "out" else messages.part_in
        submit(world, MAKER, make(part, whole, *above[:4]))


def entries(world: World) -> list[PartRecord]:
    """What is built in now."""
    known = (decode_record(PartRecord, world.state.records[key]) for key in world.state.keys("part/"))
    return [one for one in known if one.state == "installed"]


def correction(world: World, gtin: str, level: Level | None, cells: int) -> CorrectStatement:
    """Of the description as it stands now."""
    build = world.record(BuildRecord, build_key(gtin))
    stated = build.provenance
    named = StatementReference(statement=stated.statement, index=stated.index)
    return CorrectStatement(
        corrects=named, cause="wrong_value", replacement=messages.description(gtin, level or build.level, cells)
    )


def counted(world: World, whole: str) -> tuple[int, int, int, int]:
    """Parts, packs among them, mass and cells, by the record of the sums."""
    return sums(world, whole) if world.state.get(assembly_key(whole)) is not None else (0, 0, 0, 0)


def is_pack(world: World, part: str) -> bool:
    """Whether the model of the part says so now."""
    return world.record(BuildRecord, build_key(part[3:17])).level == "pack"


@pytest.mark.slow
@pytest.mark.parametrize("begin", [lambda: workshop(*UNITS), assembled], ids=["apart", "assembled"])
@settings(max_examples=50, deadline=None)
@given(taken=st.lists(steps, min_size=12, max_size=25))
def test_sums_are_those_of_the_parts_that_are_in_and_no_tree_grows_too_deep(
    begin: Callable[[], World], taken: list[Step]
) -> None:
    """Of every whole, as its parts counted when they were built in; never below nothing."""
    world = begin()
    for step in taken:
        take(world, step)

    for whole in UNITS:
        mine = [one for one in entries(world) if one.battery == whole]
        packs = sum(is_pack(world, one.part) for one in mine)
        expected = (len(mine), packs, sum(one.mass_g for one in mine), sum(one.cells for one in mine))
        assert counted(world, whole) == expected
        assert len(derive_wholes(world.state.get, whole)) < PART_LEVELS_MAX
