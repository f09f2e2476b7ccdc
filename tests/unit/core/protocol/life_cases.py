"""Cases for the reasons of a unit's life, its second life and its end; a part of the table in `test_reasons`."""

from __future__ import annotations

from collections.abc import Callable

from cellvow.core.contracts.assembly import assembly_key
from cellvow.core.contracts.contract import Message, Provenance, encode_record
from cellvow.core.contracts.lineage import SuccessionRecord, succession_key
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.limits import SUCCESSORS_MAX
from tests import messages
from tests.lives import installed, with_parts
from tests.world import BUYER, MAKER, World

UNIT = messages.OTHER_BATTERY


def _after(*before: Message, then: Message) -> Callable[[World], Statement]:
    def case(world: World) -> Statement:
        for message in before:
            world.accept(world[MAKER].key.sign(message))
        return world[MAKER].key.sign(then)

    return case


def _beside(key: str, record: bytes, then: Message) -> Callable[[World], Statement]:
    """A record of another contract that stands beside the unit."""

    def case(world: World) -> Statement:
        world.state.update({key: record})
        return world[MAKER].key.sign(then)

    return case


def _not_the_owner(world: World) -> Statement:
    world.accept(world[MAKER].key.sign(messages.offer(BUYER, ("ownership",), (1,), identifier=UNIT)))
    world.accept(world[BUYER].key.sign(messages.accept(identifier=UNIT)))
    return world[MAKER].key.sign(_AGAIN)


_AGAIN = messages.second_life(originals=(messages.draw(UNIT),))
_CROWD = SuccessionRecord(
    provenance=Provenance(statement="00" * 32, index=0),
    battery=UNIT,
    organisation=MAKER,
    successors=tuple(f"01/{messages.GTIN}/21/H-{number}" for number in range(SUCCESSORS_MAX)),
    mass_left_g=787,
)

LIFE: dict[Reason, Callable[[World], Statement]] = {
    Reason.NOT_FOR_WASTE: _after(
        messages.waste(identifier=UNIT), then=messages.offer(BUYER, ("responsibility",), (1,), identifier=UNIT)
    ),
    Reason.WRONG_STATUS: _after(messages.waste(identifier=UNIT), then=messages.waste(2, identifier=UNIT)),
    Reason.UNIT_SUCCEEDED: _after(_AGAIN, then=messages.waste(2, identifier=UNIT)),
    Reason.BALANCE_EXCEEDED: _after(
        then=messages.second_life(originals=(messages.draw(UNIT, mass_g=786),)),
    ),
    Reason.STILL_INSTALLED: _beside(f"installation/{UNIT}", installed(), _AGAIN),
    Reason.STILL_HAS_PARTS: _beside(assembly_key(UNIT), with_parts(UNIT, parts=1)[assembly_key(UNIT)], _AGAIN),
    Reason.NOT_RESPONSIBLE: lambda world: world[BUYER].key.sign(messages.waste(identifier=UNIT)),
    Reason.NAMED_TWICE: _after(then=messages.second_life(originals=(messages.draw(UNIT), messages.draw(UNIT)))),
    Reason.NOT_THE_OWNER: _not_the_owner,
    Reason.TOO_MANY_SUCCESSORS: _beside(succession_key(UNIT), encode_record(_CROWD), _AGAIN),
}
