"""A case for every reason about parts: each brings its own models and units to the settled world."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cellvow.core.contracts.assembly import AssemblyRecord, assembly_key
from cellvow.core.contracts.contract import Message, encode_record
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.limits import PARTS_MAX
from tests import messages
from tests.assembly import PACK_GTIN, assembled, cell, hand_over, module, pack
from tests.world import CARMAKER, MAKER, World

Case = Callable[[World], Statement]


def _on_assembly(message: Message, organisation: str = MAKER) -> Case:
    return lambda world: assembled(world)[organisation].key.sign(message)


def _too_deep(world: World) -> Statement:
    assembled(world)
    others = [f"01/{messages.OTHER_GTIN}/21/SYSTEM-{number}" for number in (1, 2)]
    key = world[MAKER].key
    world.accept(key.sign(replace(messages.model(messages.OTHER_GTIN), mass_g=90_000)))
    world.accept(key.sign(messages.description(messages.OTHER_GTIN)))
    world.accept(*(key.sign(messages.battery(one)) for one in others))
    world.accept(key.sign(messages.part_in(pack(1), others[0])))
    return key.sign(messages.part_in(others[0], others[1]))


def _too_many(world: World) -> Statement:
    key = assembly_key(pack(1))
    crowd = replace(assembled(world).record(AssemblyRecord, key), parts=PARTS_MAX)
    world.state.update({key: encode_record(crowd)})
    return world[MAKER].key.sign(messages.part_in(cell(3), pack(1)))


def _too_many_cells(world: World) -> Statement:
    assembled(world)
    key = world[MAKER].key
    world.accept(key.sign(messages.model(messages.OTHER_GTIN)))
    world.accept(key.sign(messages.description(messages.OTHER_GTIN, "module", 3)))
    tight = f"01/{messages.OTHER_GTIN}/21/MODULE-9"
    world.accept(key.sign(messages.battery(tight)))
    return key.sign(messages.part_in(tight, pack(1)))


def _other_owner(world: World) -> Statement:
    hand_over(assembled(world), module(3), MAKER, CARMAKER, ("ownership",))
    return world[MAKER].key.sign(messages.part_in(module(3), pack(2)))


def _of_another_level(world: World) -> Statement:
    said = [one for block in assembled(world).blocks for one in block.statements]
    described = next(one for one in said if one.envelope.subject == PACK_GTIN and b"DescribeModel" in one.data)
    return world[MAKER].key.sign(messages.correction(described, messages.description(PACK_GTIN, "module", 10)))


PART_CASES: dict[Reason, Case] = {
    Reason.PART_OF_ANOTHER: _on_assembly(messages.part_in(module(1), pack(2))),
    Reason.NOT_THE_HOLDER: _on_assembly(messages.part_out(module(1), pack(1)), CARMAKER),
    Reason.PART_OF_ITSELF: _on_assembly(messages.part_in(pack(1), module(1), pack(1))),
    Reason.TREE_TOO_DEEP: _too_deep,
    Reason.TOO_MANY_PARTS: _too_many,
    Reason.PARTS_TOO_HEAVY: _on_assembly(messages.part_in(module(3), pack(1))),
    Reason.NOT_ITS_PART: _on_assembly(messages.part_out(module(3), pack(1))),
    Reason.MODEL_NOT_DESCRIBED: _on_assembly(messages.part_in(messages.OTHER_BATTERY, pack(1))),
    Reason.MODEL_DESCRIBED: _on_assembly(messages.description(PACK_GTIN)),
    Reason.WRONG_LEVEL: _on_assembly(messages.part_in(pack(2), module(3))),
    Reason.TOO_MANY_CELLS: _too_many_cells,
    Reason.WRONG_WHOLES: _on_assembly(messages.part_out(cell(1), module(1))),
    Reason.REGISTERS_DIFFER: _other_owner,
    Reason.MODEL_ASSEMBLED: _of_another_level,
}
"""Reason -> what the maker, or another, signs that it refuses."""
