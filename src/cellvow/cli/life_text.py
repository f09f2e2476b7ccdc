"""What `cellvow life` answers, for scripts and in words: a plan, a unit's life beyond itself, and the sums."""

import dataclasses
from typing import TYPE_CHECKING

from cellvow.cli.answer import Table
from cellvow.cli.wording import moment

if TYPE_CHECKING:
    from cellvow.core.contracts.second_life import BeginSecondLife
    from cellvow.passport.life_cycle import Diverted, End, Kin, Lineage
    from cellvow.workspace.second_life import LifeShown

_DONE = {"repurpose": "repurposed", "reuse": "re-used", "remanufacture": "remanufactured"}


def plan_document(plan: "BeginSecondLife") -> dict[str, object]:
    """A plan for `--json`."""
    return {
        "operation": plan.operation,
        "originals": [{"battery": one.battery, "mass_g": one.mass_g, "cells": one.cells} for one in plan.originals],
        "successors": [{"battery": one.battery, "mass_g": one.mass_g, "cells": one.cells} for one in plan.successors],
    }


def plan_lines(plan: "BeginSecondLife") -> list[str | Table]:
    """A plan as a table, with its balance."""
    rows = [("gives", one.battery, str(one.mass_g), str(one.cells)) for one in plan.originals]
    rows += [("takes", one.battery, str(one.mass_g), str(one.cells)) for one in plan.successors]
    left_g = sum(one.mass_g for one in plan.originals) - sum(one.mass_g for one in plan.successors)
    balance = f"{left_g} g go into none of them" if left_g >= 0 else f"{-left_g} g too many would come out"
    return [Table(("", "unit", "g", "cells"), tuple(rows), indent=2), f"  {balance}"]


def life_document(life: "LifeShown") -> dict[str, object]:
    """A unit's life beyond itself for `--json`."""
    grade = life.grade
    return {
        "battery": life.battery,
        "decommissioned": None
        if life.decommissioned is None
        else {"by": life.decommissioned.organisation, "cause": life.decommissioned.cause},
        "end": None if life.end is None else dataclasses.asdict(life.end),
        "grade": None
        if grade is None
        else {
            "applications": list(grade.record.applications),
            "by": grade.record.organisation,
            "grade": grade.record.grade,
            "reference": grade.record.reference,
            "state": grade.state,
            "until": grade.record.until,
        },
        "lineage": dataclasses.asdict(life.lineage),
        "sightings": 0 if life.sightings is None else life.sightings.sightings,
        "status": life.status,
        "voidings": {str(epoch): one.cause for epoch, one in life.voidings.items()},
        "waste": None if life.waste is None else {"by": life.waste.organisation, "cause": life.waste.cause},
    }


def life_lines(life: "LifeShown") -> list[str | Table]:
    """The same in words."""
    lines: list[str | Table] = [f"{life.battery}: {life.status or 'not registered on this ledger'}"]
    lines += _end_lines(life.end)
    lines += _kin_lines(life.lineage)
    if life.decommissioned is not None:
        lines.append(f"  out of use by {life.decommissioned.organisation}: {life.decommissioned.cause}")
    if life.waste is not None:
        lines.append(f"  declared waste by {life.waste.organisation}: {life.waste.cause}")
    if life.grade is not None:
        record = life.grade.record
        uses = ", ".join(record.applications) or "no use"
        lines.append(f"  graded {record.grade} by {record.organisation} ({life.grade.state}): {uses}")
    lines += [f"  tests of epoch {epoch} are void: {one.cause}" for epoch, one in life.voidings.items()]
    if life.sightings is not None:
        lines.append(f"  seen {life.sightings.sightings} times in the field, last {moment(life.sightings.last_ms)}")
    return lines


def diverted_lines(figures: "Diverted") -> list[str]:
    """The sums in kilograms."""
    return [
        f"  second life   {_kilograms(figures.second_life_g)} in {figures.second_life_units} units",
        f"  once more     {_kilograms(figures.again_g)}",
        f"  of it waste   {_kilograms(figures.from_waste_g)}",
        f"  recycled      {_kilograms(figures.recycled_g)} in {figures.recycled_units} units",
        f"  gone          {_kilograms(figures.destroyed_g)} in {figures.destroyed_units} units",
    ]


def _end_lines(end: "End | None") -> list[str]:
    if end is None:
        return []
    return [f"  ceased: {end.how} ({end.cause}) by {end.organisation}, {moment(end.ended_ms)}"]


def _kin_lines(lineage: "Lineage") -> list[str]:
    made = [f"  made of {_kin(one)}" for one in lineage.originals]
    became = [f"  became {_kin(one)}" for one in lineage.successors]
    left = lineage.mass_left_g or 0
    return [*made, *became, *([f"  {left} g of it are left"] if left else [])]


def _kin(one: "Kin") -> str:
    return f"{one.battery}, {_DONE[one.operation]} by {one.organisation}, {moment(one.begun_ms)}"


def _kilograms(grams: int) -> str:
    return f"{grams // 1000}.{grams % 1000:03} kg"
