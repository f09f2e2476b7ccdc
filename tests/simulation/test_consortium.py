"""Stories of a consortium: the real application, gateway, store and witness around a model of their engines.

What a failing story says is enough to tell it again: `run_seed` of its seed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.simulation.consortium.coverage import SITUATIONS, describe, find_missing
from tests.simulation.consortium.mutants import MUTANTS
from tests.simulation.consortium.options import derive_options
from tests.simulation.consortium.record import Violation
from tests.simulation.consortium.workload import HOSTS
from tests.simulation.consortium.world import run_seed

STORIES = 1_000
EXPLORED = 100_000
LOTS = 20
"""Parts of the exploration, so that one that fails does not hide the others."""


def play(first: int, count: int) -> Counter[str]:
    """What the stories of these seeds have met."""
    reached: Counter[str] = Counter()
    for seed in range(first, first + count):
        reached.update(run_seed(seed).chronicle.reached)
    return reached


@pytest.mark.slow
@pytest.mark.parametrize("half", [0, 1])  # one for each core
def test_no_promise_of_a_consortium_breaks_in_a_thousand_stories(
    half: int, record_property: Callable[[str, object], None]
) -> None:
    """Crashes between any two calls, lying proposers, partitions and lost votes: nothing lost, nothing forked."""
    reached = play(half * STORIES // 2, STORIES // 2)
    record_property("measured", describe(reached, STORIES // 2))
    assert [] == find_missing(reached)


@pytest.mark.explore
@pytest.mark.parametrize("lot", range(LOTS))
def test_no_promise_of_a_consortium_breaks_in_a_hundred_thousand_stories(lot: int) -> None:
    """The same, a hundred times as often."""
    count = EXPLORED // LOTS
    reached = play(STORIES + lot * count, count)
    print(describe(reached, count))
    assert [] == find_missing(reached)


@pytest.mark.slow
@pytest.mark.parametrize("seed", [3, 8, 17, 24])
def test_a_seed_tells_the_same_story_again(seed: int) -> None:
    """Seeds stand for stories with faults of every kind; what happened in one can be looked at twice."""
    assert run_seed(seed).chronicle.trace == run_seed(seed).chronicle.trace
    assert run_seed(seed).chronicle.trace != run_seed(seed + 1).chronicle.trace


@pytest.mark.slow
def test_a_failure_names_its_seed_and_its_options() -> None:
    """Whoever reads it can tell the story again, and sees what was allowed to happen in it."""
    cast = MUTANTS["app hash holds the height"]
    with pytest.raises(Violation, match=r"seed 5: [67]: .*; run_seed\(5\) with Options\(seed=5, ") as first:
        run_seed(5, cast)
    with pytest.raises(Violation) as second:
        run_seed(5, cast)
    assert str(first.value) == str(second.value)


@pytest.mark.slow
def test_without_faults_nothing_dies_and_the_chain_comes_to_rest() -> None:
    """The quietest options: what is met then is only what honest members do."""
    quiet = replace(
        derive_options(8, HOSTS),
        byzantine="",
        crash_permille=0,
        storage_percent=0,
        partition_percent=0,
        lost_votes_percent=0,
        hostile_percent=0,
    )
    reached = run_seed(8, options=quiet).chronicle.reached
    assert 1 == reached["at rest"]
    assert [] == [situation for situation in reached if " dies " in situation or situation == "proposal refused"]


def test_a_situation_that_is_never_met_is_named() -> None:
    """The control of the coverage: without the stories everything is missing, without one situation that one is."""
    assert set(SITUATIONS) <= set(find_missing(Counter()))
    met = Counter(dict.fromkeys(SITUATIONS, 1))
    del met["joined by snapshot"]
    assert "joined by snapshot" in find_missing(met)
    assert "at rest" not in find_missing(met)
