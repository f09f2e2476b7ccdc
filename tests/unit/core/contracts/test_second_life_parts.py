"""A second life of units that had parts: what was taken out of them is not given away a second time."""

from __future__ import annotations

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.second_life import BeginSecondLife
from cellvow.core.ledger.rejection import Reason
from tests import messages
from tests.assembly import PACK_GTIN, assembled, module, pack
from tests.lives import order, refused
from tests.world import MAKER


def test_an_emptied_pack_does_not_give_its_parts_away_a_second_time() -> None:
    """Two modules of 4 kg are taken out of a pack of 10 kg: 2 kg are left to become another, and no more."""
    world = assembled()
    for module_out in (module(1), module(2)):
        world.accept(world[MAKER].key.sign(messages.part_out(module_out, pack(1))))
    heir = f"01/{PACK_GTIN}/21/HEIR"

    def drawn(mass_g: int) -> BeginSecondLife:
        version = world.record(BatteryRecord, battery_key(pack(1))).version
        draw = messages.draw(pack(1), version=version, mass_g=mass_g)
        return messages.second_life("remanufacture", (draw,), (messages.successor(heir, mass_g=mass_g),))

    assert refused(world, MAKER, drawn(2_001)) is Reason.BALANCE_EXCEEDED
    assert order(world, MAKER, drawn(2_000)).is_accepted
