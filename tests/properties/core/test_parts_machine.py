"""Parts built in, taken out and replaced while their wholes change hands, in any order, against plain dicts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from msgspec.structs import replace

from cellvow.core.contracts.assembly import AssemblyRecord, assembly_key
from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Message, decode_record
from cellvow.core.contracts.part import PartRecord, part_key
from cellvow.core.contracts.register import REGISTERS, RegisterName, RegisterRecord, register_key
from cellvow.core.contracts.whole import derive_registered, derive_wholes
from cellvow.core.primitives.limits import PART_LEVELS_MAX
from tests import messages
from tests.assembly import MODELS, begun, cell, hand_over, module, pack
from tests.world import BUYER, MAKER, World

SYSTEM_GTIN = "04012345123494"
BUILDS = {**MODELS, SYSTEM_GTIN: ("pack", 12, 20_000)}
SYSTEM = f"01/{SYSTEM_GTIN}/21/SYSTEM-1"
UNITS = (*map(cell, range(1, 7)), *map(module, range(1, 4)), pack(1), pack(2), SYSTEM)
SOLD = (cell(5), cell(6), module(3), pack(2))
HEIGHT = {"cell": 1, "module": 2, "pack": 3}
PLAYERS = (MAKER, BUYER)

units = st.sampled_from(UNITS)
wholes = st.sampled_from(UNITS[6:])
players = st.sampled_from((None, None, None, *PLAYERS))
"""None stands for whoever may do it by the model, so that most steps lead somewhere."""
picks = st.integers(0, 999)
rarely = st.integers(0, 7).map(lambda number: number == 0)
register_choices: st.SearchStrategy[tuple[RegisterName, ...]] = st.sampled_from(
    [("custody",), ("custody", "ownership", "responsibility"), ("custody", "ownership", "responsibility")]
)


def build(unit: str) -> tuple[str, int, int]:
    """Level, cells and mass of a unit's model."""
    return BUILDS[unit[3:17]]


class PartsMachine(RuleBasedStateMachine):
    """Every rule predicts from the model what becomes of its message, and then changes both."""

    @initialize()
    def begin(self) -> None:
        """Six cells, three modules, two packs and a system for packs, each by itself; some are the buyer's already."""
        self.world = begun()
        key = self.world[MAKER].key
        level, cells, mass_g = BUILDS[SYSTEM_GTIN]
        assert level == "pack"
        self.world.accept(key.sign(replace(messages.model(SYSTEM_GTIN), mass_g=mass_g)))
        self.world.accept(key.sign(messages.description(SYSTEM_GTIN, "pack", cells)))
        self.world.accept(*(key.sign(messages.battery(one)) for one in UNITS))
        self.inside: dict[str, str] = {}
        self.registers = {unit: dict.fromkeys(REGISTERS, MAKER) for unit in UNITS}
        for unit in SOLD:
            hand_over(self.world, unit, MAKER, BUYER)
            self.registers[unit] = dict.fromkeys(REGISTERS, BUYER)
        self.offered: dict[str, int] = {}
        self.terms: dict[str, tuple[str, str, tuple[RegisterName, ...]]] = {}
        self.claims: list[tuple[str, str]] = []
        self.epochs = dict.fromkeys(UNITS, 0)

    # What the model thinks

    def above(self, unit: str) -> tuple[str, ...]:
        """The units around it, the nearest first."""
        around: list[str] = []
        while (around or [unit])[-1] in self.inside:
            around.append(self.inside[(around or [unit])[-1]])
        return tuple(around)

    def standing(self, unit: str) -> dict[str, str]:
        """Who stands for it: for a part, who does for the outermost unit."""
        return self.registers[(unit, *self.above(unit))[-1]]

    def parts(self, whole: str) -> list[str]:
        """Its direct parts."""
        return [part for part, around in self.inside.items() if around == whole]

    def fits(self, part: str, whole: str) -> bool:
        """Whether the part goes into the whole by level, depth, mass and cells."""
        (inner, cells, mass_g), (outer, cells_most, mass_most) = build(part), build(whole)
        is_level = HEIGHT[inner] < HEIGHT[outer] or inner == outer == "pack"
        has_packs = any(build(one)[0] == "pack" for one in self.parts(part))
        depth = len(self.above(whole)) + 1 + HEIGHT[inner] + has_packs
        others = [build(one) for one in self.parts(whole)]
        is_light = mass_g + sum(one[2] for one in others) <= mass_most
        is_few = cells + sum(one[1] for one in others) <= cells_most
        return is_level and depth <= PART_LEVELS_MAX and is_light and is_few and part not in (whole, *self.above(whole))

    def may_change(self, who: str, whole: str) -> bool:
        """Whether one may change the parts of a unit: he holds it, and it is not offered; every offer is of custody."""
        return self.standing(whole)["custody"] == who and (whole, *self.above(whole))[-1] not in self.offered

    def verdict(self, who: str, part: str, whole: str) -> str:
        """What becomes of building the part in, by the model."""
        if not self.may_change(who, whole) or part in (whole, *self.above(whole)):
            return "rejected"
        if part in self.inside:
            is_other, is_new = self.standing(part)["custody"] != who, (who, part) not in self.claims
            return "contested" if is_other and is_new and self.claims_of(who) < 16 else "rejected"
        mine, theirs = self.standing(part), self.standing(whole)
        is_same = all(mine[name] == theirs[name] for name in ("ownership", "responsibility"))
        is_free = mine["custody"] == who and is_same and part not in self.offered
        return "accepted" if is_free and self.fits(part, whole) else "rejected"

    def claims_of(self, who: str) -> int:
        """How many claims one has open."""
        return sum(claimant == who for claimant, _ in self.claims)

    def count_epochs(self, whole: str) -> None:
        """The tests of the whole and of all around it have ended."""
        for unit in (whole, *self.above(whole)):
            self.epochs[unit] += 1

    # What happens

    def submit(self, who: str, message: Message, expected: str) -> None:
        """Put the message into a block; it must become what the model expects."""
        outcome = self.world.submit(self.world[who].key.sign(message))
        became = "accepted" if outcome.is_accepted else "contested" if outcome.is_contested else "rejected"

        assert became == expected, outcome

    @rule(part=units, whole=wholes, who=players, is_wrong=rarely)
    def install(self, part: str, whole: str, who: str | None, is_wrong: bool) -> None:
        """What one holds, into what one holds, where it fits."""
        who = who or self.standing(whole)["custody"]
        expected = "rejected" if is_wrong else self.verdict(who, part, whole)
        above = (*self.above(whole), whole) if is_wrong else self.above(whole)
        self.submit(who, messages.part_in(part, whole, *above[:4]), expected)
        if expected == "accepted":
            self.inside[part] = whole
            self.count_epochs(whole)
        if expected == "contested":
            self.claims.append((who, part))

    @rule(pick=picks, wanted=st.sampled_from(["accepted", "accepted", "accepted", "contested"]))
    def install_well(self, pick: int, wanted: str) -> None:
        """One of all that the model would let in, or keep as a claim."""
        found = [
            (part, whole)
            for whole in UNITS[6:]
            for part in UNITS
            if self.verdict(self.standing(whole)["custody"], part, whole) == wanted
        ]
        if found:
            self.install(*found[pick % len(found)], who=None, is_wrong=False)

    @rule(pick=picks)
    def remove_well(self, pick: int) -> None:
        """One of all that are built in."""
        if self.inside:
            self.remove(sorted(self.inside)[pick % len(self.inside)], None, SYSTEM, is_wrong=False)

    @rule(pick=picks, installed=units)
    def exchange_well(self, pick: int, installed: str) -> None:
        """One of all that are built in, for whatever comes."""
        if self.inside:
            self.exchange(sorted(self.inside)[pick % len(self.inside)], installed, None)

    @rule(pick=picks)
    def answer_well(self, pick: int) -> None:
        """One of all that are offered is accepted."""
        if self.offered:
            self.answer(sorted(self.offered)[pick % len(self.offered)], is_accepted=True)

    @rule(part=units, who=players, other=wholes, is_wrong=rarely)
    def remove(self, part: str, who: str | None, other: str, is_wrong: bool) -> None:
        """What is in there, by who holds the whole; it keeps who stood for the whole."""
        whole = other if is_wrong else self.inside.get(part, other)
        who = who or self.standing(whole)["custody"]
        may = self.inside.get(part) == whole and self.may_change(who, whole)
        self.submit(who, messages.part_out(part, whole, *self.above(whole)), "accepted" if may else "rejected")
        if may:
            self.take_out(part)
            self.count_epochs(whole)

    def take_out(self, part: str) -> None:
        """The part has registers of its own again."""
        self.registers[part] = dict(self.standing(part))
        del self.inside[part]

    @rule(removed=units, installed=units, who=players)
    def exchange(self, removed: str, installed: str, who: str | None) -> None:
        """Both steps, or neither."""
        whole = self.inside.get(removed, pack(1))
        who = who or self.standing(whole)["custody"]
        above = self.above(whole)
        may = self.inside.get(removed) == whole and self.may_change(who, whole) and removed != installed
        expected, before = "rejected", (dict(self.inside), dict(self.registers))
        if may:
            self.take_out(removed)
            expected = self.verdict(who, installed, whole)
        if expected == "accepted":
            self.inside[installed] = whole
            self.count_epochs(whole)
        else:
            self.inside, self.registers = before
        if expected == "contested":
            self.claims.append((who, installed))
        self.submit(who, messages.replacement(removed, installed, whole, *above), expected)

    def versions(self, unit: str, names: tuple[RegisterName, ...]) -> tuple[int, ...]:
        """The versions of a unit's own registers."""
        return tuple(self.world.record(RegisterRecord, register_key(name, unit)).version for name in names)

    @rule(unit=units, who=players, names=register_choices)
    def offer(self, unit: str, who: str | None, names: tuple[RegisterName, ...]) -> None:
        """Only what stands by itself, by who stands in its registers."""
        who = who or self.registers[unit]["custody"]
        other = BUYER if who == MAKER else MAKER
        is_part, own = unit in self.inside, all(self.registers[unit][name] == who for name in names)
        if not is_part and not own:
            return  # a claim against the registers, which the machine of custody tries
        may = not is_part and unit not in self.offered
        message = messages.offer(other, names, self.versions(unit, names), identifier=unit)
        outcome = self.world.submit(self.world[who].key.sign(message))

        assert outcome.is_accepted is may, outcome
        if may:
            self.offered[unit] = int(str(outcome.events[0]["version"]))
            self.terms[unit] = (who, other, names)

    @rule(unit=units, is_accepted=st.booleans())
    @precondition(lambda self: self.offered)
    def answer(self, unit: str, is_accepted: bool) -> None:
        """An open offer ends, one way or the other."""
        if unit not in self.offered:
            self.submit(BUYER, messages.accept(identifier=unit), "rejected")
            return
        who, other, names = self.terms[unit]
        version = self.offered.pop(unit)
        if is_accepted:
            self.submit(other, messages.accept(version, identifier=unit), "accepted")
            self.registers[unit] = {**self.registers[unit], **dict.fromkeys(names, other)}
        else:
            self.submit(who, messages.withdraw(version, identifier=unit), "accepted")

    # What holds

    def recount(self, whole: str) -> list[str]:
        """The direct parts of a unit, from the record of every unit."""
        return [unit for unit in UNITS if unit_of(self.world, unit) == whole]

    @invariant()
    def no_part_is_in_two_wholes(self) -> None:
        """Its record names the one of the model, and no other has it as installed."""
        for part in UNITS:
            holding = [
                record.battery for record in entries(self.world) if record.part == part and record.state == "installed"
            ]
            assert holding == ([self.inside[part]] if part in self.inside else [])
            assert unit_of(self.world, part) == self.inside.get(part)

    @invariant()
    def no_cycle_and_no_more_levels_than_four(self) -> None:
        """Every way up ends, and is the model's."""
        for unit in UNITS:
            around = derive_wholes(self.world.state.get, unit)
            assert around == self.above(unit)
            assert len(around) < PART_LEVELS_MAX
            assert len(dict.fromkeys((unit, *around))) == len(around) + 1

    @invariant()
    def sums_are_what_a_recount_gives_and_never_too_much(self) -> None:
        """Parts, packs among them, mass and cells; within what the model of the whole has."""
        for whole in UNITS:
            _, cells_most, mass_most = build(whole)
            counted = [build(part) for part in self.recount(whole)]
            expected = (
                len(counted),
                sum(level == "pack" for level, _, _ in counted),
                sum(mass_g for _, _, mass_g in counted),
                sum(cells for _, cells, _ in counted),
            )
            assert sums_of(self.world, whole) == expected
            assert expected[2] <= mass_most
            assert expected[3] <= cells_most

    @invariant()
    def exactly_one_party_stands_for_every_unit(self) -> None:
        """In each register, by itself or with the unit around it; a part's own ones wait until it is out."""
        for unit in UNITS:
            for name in REGISTERS:
                standing = derive_registered(self.world.state.get, name, unit).organisation
                assert standing == self.standing(unit)[name]

    @invariant()
    def tests_end_with_every_change_around_and_no_other(self) -> None:
        """The epoch of each unit is what the model counted."""
        for unit in UNITS:
            assert self.world.record(BatteryRecord, battery_key(unit)).epoch == self.epochs[unit]

    @invariant()
    def no_part_is_under_an_offer(self) -> None:
        """Nobody could say whose it would be."""
        assert not [unit for unit in self.offered if unit in self.inside]


def unit_of(world: World, part: str) -> str | None:
    """The unit that a part is in by its own record."""
    return world.record(BatteryRecord, battery_key(part)).part_of


def entries(world: World) -> Iterator[PartRecord]:
    """Every entry of a part in a whole."""
    for key in world.state.keys("part/"):
        record = decode_record(PartRecord, world.state.records[key])
        assert key == part_key(record.battery, record.part)
        yield record


def sums_of(world: World, whole: str) -> tuple[int, int, int, int]:
    """The sums on record: nothing where there never was a part."""
    value = world.state.get(assembly_key(whole))
    if value is None:
        return 0, 0, 0, 0
    record = decode_record(AssemblyRecord, value)
    return record.parts, record.packs, record.mass_g, record.cells


@pytest.mark.slow
def test_any_assembly_of_twelve_units_follows_the_model() -> None:
    """Two organisations build in, take out, replace and hand over in any order, rightly and wrongly."""
    run_state_machine_as_test(PartsMachine, settings=settings(max_examples=60, stateful_step_count=40, deadline=None))


@pytest.mark.slow
def test_a_model_in_which_what_comes_out_is_its_maker_s_again_is_found_wrong() -> None:
    """Control: the machine with one step mutated disagrees with the ledger."""

    class Mutant(PartsMachine):
        def take_out(self, part: str) -> None:
            super().take_out(part)
            self.registers[part] = dict.fromkeys(REGISTERS, MAKER)

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Mutant,
            settings=settings(
                max_examples=400, stateful_step_count=40, phases=[Phase.generate], print_blob=False, deadline=None
            ),
        )
