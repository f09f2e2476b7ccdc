"""A world of cells, modules and packs for tests: models described, units registered, all in the maker's hands."""

from __future__ import annotations

from msgspec.structs import replace

from cellvow.core.contracts.assembly import AssemblyRecord, Level, assembly_key
from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.register import REGISTERS, RegisterName, RegisterRecord, register_key
from cellvow.core.contracts.whole import derive_registered
from cellvow.core.ledger.outcome import Outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.protocol.ruleset import NEWEST
from tests import messages
from tests.world import MAKER, World, make_genesis

CELL_GTIN, MODULE_GTIN, PACK_GTIN = "04012345123463", "04012345123470", "04012345123487"
ALL_THREE: tuple[RegisterName, ...] = ("custody", "ownership", "responsibility")
MODELS: dict[str, tuple[Level, int, int]] = {
    CELL_GTIN: ("cell", 1, 800),
    MODULE_GTIN: ("module", 4, 4_000),
    PACK_GTIN: ("pack", 10, 10_000),
}
"""GTIN -> level, cells, mass in g: a module holds four cells of these and a pack two of its modules."""


def cell(number: int = 1) -> str:
    """A cell."""
    return f"01/{CELL_GTIN}/21/CELL-{number}"


def module(number: int = 1) -> str:
    """A module."""
    return f"01/{MODULE_GTIN}/21/MODULE-{number}"


def pack(number: int = 1) -> str:
    """A pack."""
    return f"01/{PACK_GTIN}/21/PACK-{number}"


def begun(world: World | None = None) -> World:
    """The models, described, on a ledger of their own or a given one; no unit yet."""
    world = world or World(make_genesis(ruleset=NEWEST))
    signer = world[MAKER].key
    for gtin, (level, cells, mass_g) in MODELS.items():
        world.accept(signer.sign(replace(messages.model(gtin), mass_g=mass_g)))
        world.accept(signer.sign(messages.description(gtin, level, cells)))
    return world


def workshop(*units: str, world: World | None = None) -> World:
    """These units, each by itself: held, owned and answered for by their maker."""
    world = begun(world)
    world.accept(*(world[MAKER].key.sign(messages.battery(one)) for one in units))
    return world


def assembled(world: World | None = None) -> World:
    """A pack of two modules, one of them with two cells; a cell, a module and a pack beside them."""
    units = (pack(1), pack(2), module(1), module(2), module(3), cell(1), cell(2), cell(3))
    world = workshop(*units, world=world)
    for message in (
        messages.part_in(module(1), pack(1), position="1"),
        messages.part_in(module(2), pack(1), position="2"),
        messages.part_in(cell(1), module(1), pack(1), position="A"),
        messages.part_in(cell(2), module(1), pack(1), position="B"),
    ):
        world.accept(world[MAKER].key.sign(message))
    return world


def submit(world: World, organisation: str, message: Message) -> Outcome:
    """What became of the message."""
    return world.submit(world[organisation].key.sign(message))


def refused(world: World, organisation: str, message: Message) -> Reason | None:
    """Why the message was rejected: None if it was not."""
    return submit(world, organisation, message).reason


def hand_over(world: World, battery: str, giver: str, taker: str, names: tuple[RegisterName, ...] = ALL_THREE) -> None:
    """Move registers of a unit."""
    ordered = tuple(sorted(names))
    seen = tuple(world.record(RegisterRecord, register_key(name, battery)).version for name in ordered)
    version = world.accept(world[giver].key.sign(messages.offer(taker, ordered, seen, identifier=battery)))
    number = version[0][0].events[0]["version"]
    world.accept(world[taker].key.sign(messages.accept(int(str(number)), identifier=battery)))


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
