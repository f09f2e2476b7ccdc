"""Which statements may stand in one block together."""

from __future__ import annotations

import pytest

from cellvow.core.contracts.organisation import RaiseFloor
from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.admission import Admission
from tests import messages
from tests.world import BUYER, MAKER, World, require_invalid


def _admission(world: World) -> Admission:
    return Admission(world.head, world.state.get, world.head.height + 1, world.next_ms)


def _refusal(admission: Admission, statement: Statement) -> Reason | None:
    try:
        admission.admit(statement)
    except NotIncludable as refusal:
        return refusal.reason
    return None


def test_what_is_admitted_together_stands_together() -> None:
    """The transition takes every block that was put together so."""
    world = World()
    maker, buyer = world[MAKER].key, world[BUYER].key
    statements = [maker.sign(messages.model()), buyer.sign(messages.model()), maker.sign(messages.model())]
    admission = _admission(world)

    assert [None] * 3 == [_refusal(admission, one) for one in statements]
    assert Reason.SEQUENCE_USED is _refusal(admission, statements[0])
    world.include(*statements)


@pytest.mark.parametrize("batched", [False, True])
def test_nothing_of_a_key_follows_its_raised_floor_in_one_block(batched: bool) -> None:
    """The floor takes effect inside the block: a later statement would make the whole of it invalid."""
    world = World()
    maker, buyer = world[MAKER].key, world[BUYER].key
    order = RaiseFloor(organisation=MAKER, floor=500)
    raising = maker.sign_batch([messages.model(), order]) if batched else maker.sign(order)
    after, other = maker.sign(messages.model()), buyer.sign(messages.model())
    admission = _admission(world)

    assert None is _refusal(admission, raising)
    assert Reason.SEQUENCE_USED is _refusal(admission, after)
    assert None is _refusal(admission, other)
    require_invalid(world, world.next_block(raising, after))
    world.accept(raising)


def test_a_refused_statement_changes_nothing() -> None:
    """What failed its signature has not used its sequence."""
    world = World()
    statement = world[MAKER].key.sign(messages.model())
    admission = _admission(world)
    admission.check = lambda *_: False

    assert Reason.BAD_SIGNATURE is _refusal(admission, statement)
    admission.check = is_valid
    assert None is _refusal(admission, statement)
