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
from tests.simulation.small_scope.bugs import BUGS, begin, plant
from tests.simulation.small_scope.moves import list_moves
from tests.simulation.small_scope.promises import watch
from tests.simulation.small_scope.scope import make_scope
from tests.simulation.small_scope.search import search

STATES, EXPLORED = 500, 120_000
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
