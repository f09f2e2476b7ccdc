"""Taking turns, percentiles and ratios: what every published number goes through."""

from __future__ import annotations

from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.sampling import alternate, percentile

VALUES = st.lists(st.floats(-1e9, 1e9), min_size=1, max_size=50)


def test_both_sides_take_turns_and_begin_in_turn() -> None:
    """Drift of the machine hits both: neither is always first, none runs twice as often."""
    order: list[str] = []

    def run(name: str, result: float) -> float:
        order.append(name)
        return result

    ours, theirs = alternate(partial(run, "ours", 1.0), partial(run, "theirs", 2.0), runs=4)

    assert ["ours", "theirs", "theirs", "ours"] * 2 == order
    assert ([1.0] * 4, [2.0] * 4) == (ours, theirs)


@pytest.mark.slow
@given(VALUES, st.floats(0.01, 1))
def test_a_percentile_is_one_of_the_values_and_enough_lie_at_or_below_it(values: list[float], share: float) -> None:
    """Nearest rank: no value is invented, and no smaller one would do."""
    found = percentile(values, share)

    assert found in values
    assert sum(value <= found for value in values) >= share * len(values) - 1e-9
    assert sum(value < found for value in values) < share * len(values) or found == min(values)


def test_the_percentile_of_a_hundred_values_is_read_off() -> None:
    """Of 1 to 100 the 95th percentile is 95, and the whole is 100."""
    values = [float(number) for number in range(1, 101)]

    assert (1.0, 50.0, 95.0, 100.0) == tuple(percentile(values, share) for share in (0.01, 0.5, 0.95, 1.0))


@pytest.mark.parametrize(("values", "share"), [([], 0.5), ([1.0], 0.0), ([1.0], 1.1)])
def test_a_percentile_of_nothing_is_refused(values: list[float], share: float) -> None:
    """There is no value to give."""
    with pytest.raises(ValueError, match="percentile"):
        percentile(values, share)
