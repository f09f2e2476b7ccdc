"""Units split, merged, declared waste, recycled and burnt in any order, against a model of plain dicts.

Mass and cells never grow through any sequence of operations; what has ceased stays ceased; every status is reached by
a row of the table.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.life import TRANSITIONS
from cellvow.core.contracts.lineage import Operation, OriginRecord, SuccessionRecord, origin_key, succession_key
from tests import messages
from tests.lives import RECYCLER, SECOND_GTIN, hand_over, lives_world, order
from tests.world import BUYER, MAKER

MASS_G, CELLS = 787, 12
STEPS = {(before, row.after or before, row.ceases) for row in TRANSITIONS for before in row.before}
operations: st.SearchStrategy[Operation] = st.sampled_from(["repurpose", "reuse", "remanufacture"])
shares = st.sampled_from([1, 100, 400, 787, 788])
cell_counts = st.sampled_from([0, 1, 6, 12])


@dataclass
class Unit:
    """What the model knows of one unit."""

    holder: str
    mass_left: int = MASS_G
    cells_left: int = CELLS
    status: str = "original"
    ceased: str | None = None
    version: int = 1


class SecondLifeMachine(RuleBasedStateMachine):
    """Every rule predicts from the model whether the ledger accepts, and then changes both."""

    def __init__(self) -> None:
        """An empty model; the ledger begins with `begin`."""
        super().__init__()
        self.units: dict[str, Unit] = {}
        self.seen: dict[str, tuple[str, str | None]] = {}
        self.born = 0

    @initialize()
    def begin(self) -> None:
        """Two units of twelve cells, with the second-life operator."""
        self.world = lives_world("recycler", "second_life_operator")
        self.world.accept(self.world[MAKER].key.sign(messages.description(cells=12)))
        for battery in (messages.BATTERY, messages.OTHER_BATTERY):
            self.units[battery] = Unit(MAKER)
            self.pass_on(battery, BUYER)

    def submit(self, organisation: str, message: Message, *, expected: bool) -> None:
        """The ledger accepts if and only if the model expects so."""
        outcome = order(self.world, organisation, message)
        assert outcome.is_accepted is expected, (outcome, message)

    def name(self, number: int) -> str:
        """One of the units there are."""
        return sorted(self.units)[number % len(self.units)]

    def pass_on(self, battery: str, to: str) -> None:
        """All three registers, signed by both sides."""
        hand_over(self.world, self.units[battery].holder, to, battery)
        self.units[battery].holder = to

    @rule(number=st.integers(0, 9), to=st.sampled_from([BUYER, RECYCLER]))
    def move(self, number: int, to: str) -> None:
        """A living unit goes to the other side, waste too."""
        battery = self.name(number)
        unit = self.units[battery]
        if unit.ceased is None and unit.holder != to:
            self.pass_on(battery, to)

    @rule(
        operation=operations,
        drawn=st.lists(st.tuples(st.integers(0, 9), shares, cell_counts), min_size=1, max_size=2),
        out=st.lists(st.tuples(shares, cell_counts), min_size=1, max_size=2),
    )
    def transform(self, operation: Operation, drawn: list[tuple[int, int, int]], out: list[tuple[int, int]]) -> None:
        """What goes in was left, what comes out went in; originals are distinct and with the operator."""
        given = [(self.name(number), mass, cells) for number, mass, cells in drawn]
        names = [f"01/{SECOND_GTIN}/21/SECOND-{self.born + number}" for number in range(len(out))]
        self.born += len(out)
        draws = tuple(
            messages.draw(one, version=self.units[one].version, mass_g=mass, cells=cells) for one, mass, cells in given
        )
        heirs = tuple(
            messages.successor(one, mass_g=mass, cells=cells) for one, (mass, cells) in zip(names, out, strict=True)
        )
        expected = len({one for one, _, _ in given}) == len(given) and self.may_take(given)
        expected = expected and sum(m for m, _ in out) <= sum(m for _, m, _ in given)
        expected = expected and sum(c for _, c in out) <= sum(c for _, _, c in given)
        self.submit(BUYER, messages.second_life(operation, draws, heirs), expected=expected)
        if not expected:
            return
        after = {"repurpose": "repurposed", "reuse": "re-used", "remanufacture": "remanufactured"}[operation]
        for one, mass, cells in given:
            unit = self.units[one]
            unit.mass_left, unit.cells_left = unit.mass_left - mass, unit.cells_left - cells
            unit.version += 1
            if unit.ceased is None:
                unit.status, unit.ceased = after, "succeeded"
        for one, (mass, cells) in zip(names, out, strict=True):
            self.units[one] = Unit(BUYER, mass, cells, after)

    def may_take(self, given: list[tuple[str, int, int]]) -> bool:
        """Whether each original is the operator's, not gone, and has as much left."""
        units = [(self.units[one], mass, cells) for one, mass, cells in given]
        return all(
            unit.holder == BUYER
            and unit.ceased in (None, "succeeded")
            and mass <= unit.mass_left
            and cells <= unit.cells_left
            for unit, mass, cells in units
        )

    @rule(number=st.integers(0, 9))
    def declare_waste(self, number: int) -> None:
        """What lives and is none yet, by who has it."""
        battery = self.name(number)
        unit = self.units[battery]
        expected = unit.ceased is None and unit.status != "waste"
        self.submit(unit.holder, messages.waste(unit.version, identifier=battery), expected=expected)
        if expected:
            unit.status, unit.version = "waste", unit.version + 1

    @rule(number=st.integers(0, 9))
    def recycle(self, number: int) -> None:
        """Waste, by who has it: either of the two is a recycler."""
        battery = self.name(number)
        unit = self.units[battery]
        expected = unit.ceased is None and unit.status == "waste"
        self.submit(unit.holder, messages.recycling(unit.version, identifier=battery), expected=expected)
        if expected:
            unit.ceased, unit.version = "recycled", unit.version + 1

    @rule(number=st.integers(0, 9))
    def burn(self, number: int) -> None:
        """Whatever lives, by who has it."""
        battery = self.name(number)
        unit = self.units[battery]
        expected = unit.ceased is None
        self.submit(unit.holder, messages.destruction(unit.version, identifier=battery), expected=expected)
        if expected:
            unit.ceased, unit.version = "destroyed", unit.version + 1

    @invariant()
    def mass_and_cells_never_grow(self) -> None:
        """Of what the first two had: what lives, what is gone, and what is left of what became something."""
        mass = cells = 0
        for battery in self.units:
            left = self.world.state.get(succession_key(battery))
            origin = self.world.state.get(origin_key(battery))
            if left is not None:
                record = self.world.record(SuccessionRecord, succession_key(battery))
                assert (record.mass_left_g, record.cells_left) >= (0, 0)
                mass, cells = mass + record.mass_left_g, cells + record.cells_left
            elif origin is not None:
                begun = self.world.record(OriginRecord, origin_key(battery))
                mass, cells = mass + begun.mass_g, cells + begun.cells
            else:
                mass, cells = mass + MASS_G, cells + CELLS
        assert mass <= 2 * MASS_G
        assert cells <= 2 * CELLS

    @invariant()
    def every_step_is_one_of_the_table_and_none_leaves_the_end(self) -> None:
        """Status and end as the model has them, and reached from the last by one row."""
        for battery, unit in self.units.items():
            record = self.world.record(BatteryRecord, battery_key(battery))
            assert (record.status, record.ceased) == (unit.status, unit.ceased)
            before, ceased = self.seen.get(battery, (record.status, None))
            if (before, ceased) != (record.status, record.ceased):
                assert ceased is None
                assert (before, record.status, record.ceased) in STEPS
            self.seen[battery] = (record.status, record.ceased)


@pytest.mark.slow
def test_no_sequence_of_splits_and_merges_makes_anything_grow() -> None:
    """Three companies act in any order, rightly and wrongly."""
    run_state_machine_as_test(SecondLifeMachine, settings=settings(max_examples=40, stateful_step_count=25))


@pytest.mark.slow
def test_a_model_that_lets_a_unit_be_drawn_from_twice_is_found_wrong() -> None:
    """Control: the machine with one rule mutated disagrees with the ledger."""

    class Mutant(SecondLifeMachine):
        def may_take(self, given: list[tuple[str, int, int]]) -> bool:
            return all(
                self.units[one].holder == BUYER
                and self.units[one].ceased in (None, "succeeded")
                and mass <= MASS_G
                and cells <= CELLS
                for one, mass, cells in given
            )

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Mutant, settings=settings(max_examples=200, phases=[Phase.generate], print_blob=False)
        )
