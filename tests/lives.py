"""Units whose life goes on in another company: a ledger of the newest ruleset with a recycler, and hand-overs on it."""

from __future__ import annotations

from dataclasses import replace as replace_genesis
from typing import Literal

from cellvow.core.contracts.assembly import AssemblyRecord, assembly_key
from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Message, Provenance, encode_record
from cellvow.core.contracts.custody import OfferRecord, offer_key
from cellvow.core.contracts.register import REGISTERS, RegisterName, RegisterRecord, register_key
from cellvow.core.contracts.use import InstallationRecord
from cellvow.core.ledger.genesis import Organisation
from cellvow.core.ledger.outcome import Outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.protocol.ruleset import NEWEST
from tests import messages
from tests.world import BUYER, GENESIS_MS, MAKER, World, make_genesis, make_signer

RECYCLER = "rohstoff"
SECOND_GTIN = messages.OTHER_GTIN
"""A model of the second-life operator."""
_UNSAID = Provenance(statement="1e" * 32, index=0)
ALL_REGISTERS: tuple[RegisterName, ...] = ("custody", "ownership", "responsibility")


def second_unit(number: int = 1) -> str:
    """A unit of the second-life operator's model."""
    return f"01/{SECOND_GTIN}/21/SECOND-{number:04}"


def lives_world(*roles: str) -> World:
    """One battery of the maker, a second of the same model, and a model of the second-life operator.

    He is a buyer too, unless he is given other `roles`.
    """
    genesis = make_genesis(ruleset=NEWEST)
    recycler = Organisation(
        organisation=RECYCLER,
        name="Rohstoff (invented)",
        roles=("recycler",),
        root_keys=(make_signer(RECYCLER, "root").public_key.hex(),),
    )
    known = (
        replace_genesis(one, roles=roles) if roles and one.organisation == BUYER else one
        for one in genesis.organisations
    )
    ordered = tuple(sorted((*known, recycler), key=lambda one: one.organisation))
    world = World(replace_genesis(genesis, organisations=ordered))
    maker = world[MAKER].key
    world.accept(maker.sign(messages.model()), maker.sign(messages.battery()))
    world.accept(maker.sign(messages.battery(messages.OTHER_BATTERY)))
    world.accept(world[BUYER].key.sign(messages.model(SECOND_GTIN)))
    return world


def order(world: World, organisation: str, message: Message) -> Outcome:
    """What became of the message in a block of its own."""
    return world.submit(world[organisation].key.sign(message))


def refused(world: World, organisation: str, message: Message) -> Reason | None:
    """The reason why the message was rejected, None if it was not."""
    return order(world, organisation, message).reason


def claimed(outcome: Outcome) -> str | None:
    """What the message was kept as a claim of, None if it was not."""
    return str(outcome.events[-1]["topic"]) if outcome.is_contested else None


def unit_of(world: World, battery: str = messages.BATTERY) -> BatteryRecord:
    """The record of a unit as it stands."""
    return world.record(BatteryRecord, battery_key(battery))


def registered(world: World, register: str, battery: str = messages.BATTERY) -> RegisterRecord:
    """One register of a unit."""
    return world.record(RegisterRecord, register_key(register, battery))


def hand_over(
    world: World,
    giver: str,
    taker: str,
    battery: str = messages.BATTERY,
    names: tuple[RegisterName, ...] = ALL_REGISTERS,
) -> None:
    """Offered by one side and accepted by the other."""
    versions = tuple(registered(world, name, battery).version for name in names)
    world.accept(world[giver].key.sign(messages.offer(taker, names, versions, identifier=battery)))
    version = world.record(OfferRecord, offer_key(battery)).version
    world.accept(world[taker].key.sign(messages.accept(version, identifier=battery)))


def holders(world: World, battery: str = messages.BATTERY) -> tuple[str, ...]:
    """Who stands in the registers of a unit."""
    return tuple(registered(world, name, battery).organisation for name in REGISTERS)


def recycle(world: World, battery: str = messages.BATTERY) -> None:
    """Declared waste by its maker, handed over to the recycler, recycled there."""
    world.accept(world[MAKER].key.sign(messages.waste(unit_of(world, battery).version, identifier=battery)))
    hand_over(world, MAKER, RECYCLER, battery)
    message = messages.recycling(unit_of(world, battery).version, identifier=battery)
    world.accept(world[RECYCLER].key.sign(message))


def with_parts(battery: str = messages.BATTERY, **sums: int) -> dict[str, bytes]:
    """The record of what a unit's registered parts add up to, under its key."""
    record = AssemblyRecord(provenance=_UNSAID, battery=battery, **sums)
    return {assembly_key(battery): encode_record(record)}


def installed(identifier: str = messages.BATTERY, state: Literal["installed", "removed"] = "installed") -> bytes:
    """The record of a unit that is, or was, in a vehicle."""
    record = InstallationRecord(
        provenance=_UNSAID,
        battery=identifier,
        organisation=MAKER,
        state=state,
        into="vehicle",
        place=messages.committed("1f"),
        installed_on="2025-12-01",
        since_ms=GENESIS_MS,
    )
    return encode_record(record)
