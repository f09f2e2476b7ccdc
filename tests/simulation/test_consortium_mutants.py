"""The controls of the simulated consortium: every planted fault breaks a promise before long."""

from __future__ import annotations

import pytest

from tests.simulation.consortium.mutants import MUTANTS
from tests.simulation.consortium.record import Violation
from tests.simulation.consortium.world import run_seed

STORIES_MAX = 200
"""Stories within which each fault must show; most show in the first ten."""


@pytest.mark.slow
@pytest.mark.parametrize("name", MUTANTS)
def test_a_member_with_a_fault_breaks_a_promise(name: str) -> None:
    """The member, gateway or witness that its name describes is caught, by the audit and in words."""
    for seed in range(STORIES_MAX):
        try:
            run_seed(seed, MUTANTS[name])
        except Violation as violation:
            print(violation)
            return
    pytest.fail(f"{STORIES_MAX} stories with a member that {name}, and nobody noticed")
