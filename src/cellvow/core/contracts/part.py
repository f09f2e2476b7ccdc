"""Parts: cells in modules, modules in packs, packs in a system of packs; built in, taken out, replaced, history kept.

A part goes where the unit goes that it is in: while it is built in, who holds, owns and answers for it is who stands
in the registers of the outermost one (`derive_registered`). A part and its whole name the same owner and the same
party that answers before they are joined, so that nobody's title moves without his signature.
"""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.assembly import (
    BuildRecord,
    Level,
    assembly_key,
    build_key,
    get_assembly,
    get_build,
    put_assembled,
)
from cellvow.core.contracts.battery import (
    BatteryRecord,
    ModelRecord,
    battery_key,
    change_battery,
    get_battery,
    model_key,
    void_tests,
)
from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Battery,
    Contested,
    Context,
    Contract,
    Count,
    Gtin,
    Message,
    OfUnit,
    Record,
    Term,
    require,
)
from cellvow.core.contracts.custody import OfferRecord, may_be_accepted, offer_key
from cellvow.core.contracts.dispute_file import require_movable
from cellvow.core.contracts.life import WasteRecord, waste_key
from cellvow.core.contracts.register import (
    CUSTODY,
    OWNERSHIP,
    REGISTERS,
    RESPONSIBILITY,
    get_register,
    put_register,
)
from cellvow.core.contracts.use import WASTE, is_installed
from cellvow.core.contracts.whole import derive_registered, derive_wholes
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import fail
from cellvow.core.primitives.limits import PART_LEVELS_MAX, PARTS_MAX

PartState = Literal["installed", "removed"]
RemovalCause = Literal["replaced", "defective", "harvested", "other"]
CELL, PACK = "cell", "pack"
INSTALLED = "installed"
LEVELS_OF: dict[Level, int] = {"cell": 1, "module": 2, "pack": 3}
"""Levels that a unit may have, itself included; a pack of packs has one more."""

Wholes = Annotated[tuple[Battery, ...], msgspec.Meta(max_length=PART_LEVELS_MAX), WORLD]


# Records


class PartRecord(Record, frozen=True, kw_only=True):
    """`part/WHOLE/PART`: that a unit is, or was last, a part of another; `by` recorded it, at `since_ms`.

    `mass_g` and `cells` are what it counts for in the sums of its whole: those of its model when it was built in.
    """

    battery: Battery
    part: Battery
    position: Term | None
    state: PartState
    mass_g: Count
    cells: Count
    since_ms: Count
    by: str
    cause: RemovalCause | None = None


# Messages


class DescribeModel(Message, frozen=True, kw_only=True):
    """Say of one's own model what its units are and how many cells they have: once, before any is a part or has any."""

    gtin: Annotated[Gtin, WORLD]
    level: Annotated[Level, WORLD]
    cells: Annotated[Count, WORLD]

    @property
    def subject(self) -> str:
        """The GTIN."""
        return self.gtin


class _OnWhole(OfUnit, frozen=True, kw_only=True):
    above: Wholes = ()


class InstallPart(_OnWhole, frozen=True, kw_only=True):
    """Build a part into a unit one holds; `above` are the units that this one is itself in, the nearest first."""

    part: Annotated[Battery, WORLD]
    position: Annotated[Term | None, MEMBERS] = None

    @property
    def concerns(self) -> tuple[str, ...]:
        """The unit, its part, and every unit around them: its tests end too."""
        return (self.battery, self.part, *self.above)


class RemovePart(_OnWhole, frozen=True, kw_only=True):
    """Take a part out of a unit one holds; from then on it has registers of its own again."""

    part: Annotated[Battery, WORLD]
    cause: Annotated[RemovalCause, MEMBERS]

    @property
    def concerns(self) -> tuple[str, ...]:
        """The unit, what was its part, and every unit around them."""
        return (self.battery, self.part, *self.above)


class ReplacePart(_OnWhole, frozen=True, kw_only=True):
    """Put one part in the place of another, all or nothing; without `position`, where the other one was."""

    removed: Annotated[Battery, WORLD]
    installed: Annotated[Battery, WORLD]
    position: Annotated[Term | None, MEMBERS] = None
    cause: Annotated[RemovalCause, MEMBERS]

    @property
    def concerns(self) -> tuple[str, ...]:
        """The unit, both parts, and every unit around them."""
        return (self.battery, self.removed, self.installed, *self.above)


# Rules


def part_key(battery: str, part: str) -> str:
    """Where what is known of a part in a unit lies in the state map."""
    return f"part/{battery}/{part}"


def require_sound_build(message: DescribeModel) -> None:
    """Raise `Rejected` unless a unit has at least one cell, and a cell itself just one."""
    is_sound = message.cells == 1 if message.level == CELL else message.cells >= 1
    require(is_sound, Reason.MALFORMED_MESSAGE, field="cells")


def derive_build(context: Context, message: DescribeModel) -> BuildRecord:
    """The record that the description of a model leaves."""
    return BuildRecord(
        provenance=context.provenance,
        gtin=message.gtin,
        organisation=context.organisation,
        level=message.level,
        cells=message.cells,
    )


def _require_around(context: Context, message: _OnWhole) -> BatteryRecord:
    """The unit whose parts change, once the signer holds it and named the units around it as they are."""
    whole = get_battery(context, message.battery)
    wholes = derive_wholes(context.get_bytes, message.battery)
    require(message.above == wholes, Reason.WRONG_WHOLES, battery=wholes[0] if wholes else "")
    _require_held(context, message.battery)
    for battery in (message.battery, *wholes):
        _require_undisputed(context, battery)
    _require_not_offered(context, (message.battery, *wholes)[-1], (CUSTODY, OWNERSHIP))
    return whole


def _require_held(context: Context, battery: str) -> None:
    holder = derive_registered(context.get_bytes, CUSTODY, battery)
    require(holder.organisation == context.organisation, Reason.NOT_THE_HOLDER, battery=battery)


def _require_undisputed(context: Context, battery: str) -> None:
    """What a party disputes is neither built in, nor taken out, nor stripped of its parts."""
    for register in REGISTERS:
        require_movable(context, register, battery)


def _require_not_offered(context: Context, battery: str, registers: tuple[str, ...]) -> None:
    """Who accepts a unit shall get it as it was when it was offered: its parts do not change until the offer ends."""
    offer = context.get(OfferRecord, offer_key(battery))
    is_open = offer is not None and may_be_accepted(context, offer)
    is_offered = is_open and offer is not None and any(one in registers for one in offer.registers)
    require(not is_offered, Reason.OFFER_OPEN, battery=battery)


def _require_free(context: Context, message: _OnWhole, part: BatteryRecord) -> None:
    """Raise unless the part is in no other unit, in the signer's hands, and under no offer, dispute or installation.

    Who holds this whole and says that the part is in it claims what the registers deny, where it is in somebody
    else's.
    """
    if part.part_of is not None:
        holder = derive_registered(context.get_bytes, CUSTODY, part.battery).organisation
        require(holder != context.organisation, Reason.PART_OF_ANOTHER, battery=part.part_of)
        raise Contested("part_elsewhere", part.battery, holder)
    _require_held(context, part.battery)
    for register in (OWNERSHIP, RESPONSIBILITY):
        own = get_register(context, register, part.battery).organisation
        other = derive_registered(context.get_bytes, register, message.battery).organisation
        require(own == other, Reason.REGISTERS_DIFFER, register=register)
    _require_undisputed(context, part.battery)
    _require_not_offered(context, part.battery, REGISTERS)
    require(not is_installed(context, part.battery), Reason.STILL_INSTALLED, battery=part.battery)


def _find_waste(context: Context, message: _OnWhole) -> str | None:
    """The nearest waste among the unit whose parts change and the units around it; None where none of them is."""
    around = (message.battery, *message.above)
    return next((one for one in around if get_battery(context, one).status == WASTE), None)


def _require_not_revived(context: Context, message: _OnWhole, part: BatteryRecord) -> None:
    """Raise `Rejected` where waste would come back into use as a part: that takes a second life."""
    is_revived = part.status == WASTE and _find_waste(context, message) is None
    require(not is_revived, Reason.WRONG_STATUS, status=part.status, deed="install")


def _require_level(context: Context, message: _OnWhole, part: BatteryRecord, builds: tuple[Level, Level]) -> None:
    """Raise unless a unit of the part's level goes into one of the whole's, and the tree stays within its levels."""
    inner, outer = builds
    fits = LEVELS_OF[inner] < LEVELS_OF[outer] or inner == outer == PACK
    require(fits, Reason.WRONG_LEVEL, part=inner, whole=outer)
    below = LEVELS_OF[inner] + (1 if get_assembly(context, part.battery).packs else 0)
    levels = len(message.above) + 1 + below
    require(levels <= PART_LEVELS_MAX, Reason.TREE_TOO_DEEP, levels=levels, most=PART_LEVELS_MAX)


def _get_mass(context: Context, gtin: str) -> int:
    model = context.get(ModelRecord, model_key(gtin))
    if model is None:
        raise Rejected(Reason.UNKNOWN_MODEL, gtin=gtin)
    return model.mass_g


# Handlers


def _describe(context: Context, message: DescribeModel) -> list[Event]:
    model = context.get(ModelRecord, model_key(message.gtin))
    if model is None:
        raise Rejected(Reason.UNKNOWN_MODEL, gtin=message.gtin)
    require(model.organisation == context.organisation, Reason.NOT_YOUR_MODEL, gtin=message.gtin)
    key = build_key(message.gtin)
    require(context.get_bytes(key) is None, Reason.MODEL_DESCRIBED, gtin=message.gtin)
    require_sound_build(message)
    context.put(key, derive_build(context, message))
    return [{"type": "ModelDescribed", "gtin": message.gtin, "level": message.level, "cells": message.cells}]


def _install(context: Context, message: InstallPart) -> list[Event]:
    whole = _require_around(context, message)
    _build_in(context, message, whole, message.part, message.position)
    _void_around(context, message)
    return [{"type": "PartInstalled", "battery": message.battery, "part": message.part}]


def _remove(context: Context, message: RemovePart) -> list[Event]:
    _require_around(context, message)
    _take_out(context, message, message.part, message.cause)
    _void_around(context, message)
    return [{"type": "PartRemoved", "battery": message.battery, "part": message.part, "cause": message.cause}]


def _replace(context: Context, message: ReplacePart) -> list[Event]:
    require(message.removed != message.installed, Reason.MALFORMED_MESSAGE, field="installed")
    whole = _require_around(context, message)
    before = _take_out(context, message, message.removed, message.cause)
    position = before.position if message.position is None else message.position
    _build_in(context, message, whole, message.installed, position)
    _void_around(context, message)
    named: Event = {"type": "PartReplaced", "battery": message.battery, "removed": message.removed}
    return [{**named, "installed": message.installed, "cause": message.cause}]


def _build_in(context: Context, message: _OnWhole, whole: BatteryRecord, part: str, position: Term | None) -> None:
    require(part not in (message.battery, *message.above), Reason.PART_OF_ITSELF, battery=part)
    unit = get_battery(context, part)
    _require_free(context, message, unit)
    _require_not_revived(context, message, unit)
    inner, outer = get_build(context, unit.gtin), get_build(context, whole.gtin)
    _require_level(context, message, unit, (inner.level, outer.level))
    mass_g = _get_mass(context, unit.gtin)
    _count_in(context, whole, inner, mass_g, outer.cells)
    for gtin in (whole.gtin, unit.gtin):
        put_assembled(context, gtin)
    key = part_key(message.battery, part)
    known = context.get(PartRecord, key)
    record = PartRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        battery=message.battery,
        part=part,
        position=position,
        state="installed",
        mass_g=mass_g,
        cells=inner.cells,
        since_ms=context.time_ms,
        by=context.organisation,
    )
    context.put(key, record)
    context.put(battery_key(part), change_battery(context, unit, part_of=message.battery))


def _count_in(context: Context, whole: BatteryRecord, inner: BuildRecord, mass_g: int, cells_most: int) -> None:
    """Add a part to the sums of its whole; raises `Rejected` where they would exceed what the whole can have."""
    sums = get_assembly(context, whole.battery)
    grown = msgspec.structs.replace(
        sums,
        parts=sums.parts + 1,
        packs=sums.packs + (1 if inner.level == PACK else 0),
        mass_g=sums.mass_g + mass_g,
        cells=sums.cells + inner.cells,
        mass_peak_g=max(sums.mass_peak_g, sums.mass_g + mass_g),
        cells_peak=max(sums.cells_peak, sums.cells + inner.cells),
        version=sums.version + 1,
        provenance=context.provenance,
    )
    mass_most = _get_mass(context, whole.gtin)
    require(grown.parts <= PARTS_MAX, Reason.TOO_MANY_PARTS, most=PARTS_MAX)
    require(grown.mass_g <= mass_most, Reason.PARTS_TOO_HEAVY, mass_g=grown.mass_g, most=mass_most)
    require(grown.cells <= cells_most, Reason.TOO_MANY_CELLS, cells=grown.cells, most=cells_most)
    context.put(assembly_key(whole.battery), grown)


def _take_out(context: Context, message: _OnWhole, part: str, cause: RemovalCause) -> PartRecord:
    """End what a part was in its whole, and give it registers of its own; what it was, as it stood before."""
    unit = get_battery(context, part)
    require(unit.part_of == message.battery, Reason.NOT_ITS_PART, battery=part)
    _require_undisputed(context, part)
    key = part_key(message.battery, part)
    before = context.get(PartRecord, key)
    if before is None:
        fail(f"{part} is a part of {message.battery} without a record of it")
    ended = msgspec.structs.replace(
        before,
        state="removed",
        since_ms=context.time_ms,
        by=context.organisation,
        cause=cause,
        version=before.version + 1,
        provenance=context.provenance,
    )
    context.put(key, ended)
    _count_out(context, before, is_pack=get_build(context, unit.gtin).level == PACK)
    for register in REGISTERS:
        _give_register(context, message, before, register)
    context.put(battery_key(part), change_battery(context, unit, part_of=None))
    _carry_waste(context, message, part)
    return before


def _give_register(context: Context, message: _OnWhole, before: PartRecord, register: str) -> None:
    """Let a part's own register name who counted for it; that it was another's in between is not forgotten."""
    standing = derive_registered(context.get_bytes, register, before.part)
    around = (get_register(context, register, one) for one in (message.battery, *message.above))
    is_return = any(one.since_ms > before.since_ms for one in around)
    put_register(context, register, before.part, standing.organisation, is_return=is_return)


def _carry_waste(context: Context, message: _OnWhole, part: str) -> None:
    """What is taken out of waste is waste, for the same reason: dismantling is no second life."""
    unit, waste = get_battery(context, part), _find_waste(context, message)
    if waste is None or unit.status == WASTE:
        return
    declared = context.get(WasteRecord, waste_key(waste))
    if declared is None:
        fail(f"battery {waste} is waste, and nobody has declared it")
    context.put(battery_key(part), msgspec.structs.replace(unit, status=WASTE))
    carried = msgspec.structs.replace(
        declared,
        provenance=context.provenance,
        version=1,
        battery=part,
        organisation=context.organisation,
        declared_ms=context.time_ms,
    )
    context.put(waste_key(part), carried)


def _count_out(context: Context, before: PartRecord, *, is_pack: bool) -> None:
    sums = get_assembly(context, before.battery)
    shrunk = msgspec.structs.replace(
        sums,
        parts=sums.parts - 1,
        packs=sums.packs - (1 if is_pack else 0),
        mass_g=sums.mass_g - before.mass_g,
        cells=sums.cells - before.cells,
        version=sums.version + 1,
        provenance=context.provenance,
    )
    context.put(assembly_key(before.battery), shrunk)


def _void_around(context: Context, message: _OnWhole) -> None:
    """End the epoch of the whole and of every unit it is in: each was tested with the parts it had.

    A first assembly does so too: nothing tells it from a later change, and where no certificate rests on an epoch its
    end takes nothing away. The part's own tests were of the part, and stay.
    """
    for battery in (message.battery, *message.above):
        unit = get_battery(context, battery)
        context.put(battery_key(battery), void_tests(context, unit, "parts_changed"))


CONTRACT = Contract(
    "part",
    {DescribeModel: _describe, InstallPart: _install, RemovePart: _remove, ReplacePart: _replace},
)
