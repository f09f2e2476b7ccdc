"""The real handlers in a small scope: every message of three organisations about two batteries, in every order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cellvow.core.contracts import (
    attestation,
    battery,
    custody,
    dispute,
    dispute_file,
    life,
    part,
    second_life,
    takeover,
    use,
)
from cellvow.core.contracts.life import DeclareWaste
from cellvow.core.ledger.genesis import PRODUCERS_ORGANISATION
from tests.simulation.small_scope.bugs import BUGS, begin, plant
from tests.simulation.small_scope.moves import list_moves
from tests.simulation.small_scope.promises import moved, watch
from tests.simulation.small_scope.scope import (
    AUTHORITY,
    MAKER,
    OPERATOR,
    PACK,
    ROLES,
    WITH_PRODUCERS,
    Roles,
    make_scope,
)
from tests.simulation.small_scope.search import search
from tests.simulation.small_scope.stepping import Move, State, Step, take_step

STATES, EXPLORED = 500, 120_000
WASTE_STATES = 200
"""Enough for an offer from every state next to the first, and its acceptance."""
BUG_STATES = 2_000
"""More than any bug needs: a search ends where it finds one."""
LEFT_OUT = ("RegisterModel", "DescribeModel", "ReplacePart", "OrderWork", "WithdrawOrder")
"""Models are there from the beginning; a replacement is a removal and an installation; an order moves nothing."""


@pytest.fixture(autouse=True)
def _small_quotas(monkeypatch: pytest.MonkeyPatch) -> None:
    """One open dispute of each organisation and two over a unit: more of the same kind reach no other rule."""
    monkeypatch.setattr(dispute_file, "DISPUTES_OPEN_MAX", 1)
    monkeypatch.setattr(dispute_file, "BATTERY_DISPUTES_MAX", 2)


@pytest.mark.slow
def test_no_promise_breaks_in_the_nearest_states(record_property: Callable[[str, object], None]) -> None:
    """Some hundred states around the births; what was tried is counted."""
    searched = search(make_scope(), list_moves, watch, states_max=STATES)
    record_property("measured", searched.describe())

    assert searched.found is None, str(searched.found)
    assert searched.states >= STATES
    assert searched.results["contested"] > 0


@pytest.mark.slow
@pytest.mark.parametrize("roles", [ROLES, WITH_PRODUCERS], ids=["without", "with"])
def test_waste_finds_who_acts_for_producers_and_nobody_else_new(roles: Roles) -> None:
    """Around a pack that is waste: the third comes to answer for it where it has the role, and by no move else."""
    waste = take_step(make_scope(roles), Move(MAKER, DeclareWaste(battery=PACK, version=1, cause="worn_out"))).state
    takers: list[str] = []

    def note(before: State, move: Move, step: Step) -> str | None:
        """The promises, and who has come to answer for the pack."""
        takers.extend(
            new.organisation
            for unit, register, _, new in moved(before, step)
            if (unit, register) == (PACK, "responsibility")
        )
        return watch(before, move, step)

    searched = search(waste, list_moves, note, states_max=WASTE_STATES)

    assert searched.found is None, str(searched.found)
    assert OPERATOR in takers
    assert (AUTHORITY in takers) is (PRODUCERS_ORGANISATION in roles[AUTHORITY])


@pytest.mark.explore
def test_no_promise_breaks_in_a_hundred_thousand_states() -> None:
    """The size at which every pair of contracts has met."""
    searched = search(make_scope(), list_moves, watch, states_max=EXPLORED)
    print(searched.describe())

    assert searched.found is None, str(searched.found)
    assert searched.states >= 100_000


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(BUGS))
def test_a_planted_bug_is_found(name: str) -> None:
    """Control: with one check left out the search names the broken promise and the moves that lead there."""
    bug = BUGS[name]
    searched = search(begin(bug), list_moves, watch, states_max=BUG_STATES, ruleset=plant(name))

    assert searched.found is not None
    assert bug.kind in [type(move.message) for move in searched.found.moves]


def test_every_message_about_a_unit_is_tried() -> None:
    """A message type that no move names would be left out of every promise."""
    contracts = (attestation, battery, custody, dispute, life, part, second_life, takeover, use)
    there = {kind.__name__ for module in contracts for kind in module.CONTRACT.handlers}
    disputed = begin(BUGS["a party decides"])
    tried = {type(move.message).__name__ for move in list_moves(disputed)}
    on_disputes = {kind.__name__ for kind in dispute.CONTRACT.handlers}

    assert there - on_disputes - tried == set(LEFT_OUT)
    assert "OpenDispute" in tried
