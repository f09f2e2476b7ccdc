"""A public predicate is signed only where the whole interval supports it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.cli.attestations import supported_predicates
from cellvow.cli.failures import WrongUsage
from cellvow.cli.parsing import Threshold
from cellvow.core.primitives.encoding import Json

NUMBERS = st.integers(-(10**9), 10**9)


def field(value: int, low: int, high: int, quantity: str = "capacity") -> dict[str, Json]:
    """A field document with an interval."""
    return {"quantity": quantity, "value": value, "low": low, "high": high}


def is_supported(threshold: Threshold, *documents: dict[str, Json]) -> bool:
    """Whether the predicate would be signed."""
    try:
        (predicate,) = supported_predicates([threshold], documents)
    except WrongUsage:
        return False
    return (threshold.quantity, threshold.threshold) == (predicate.quantity, predicate.threshold)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4), NUMBERS)
def test_at_least_holds_exactly_where_every_lower_end_reaches_it(ends: list[tuple[int, int]], bound: int) -> None:
    """One interval that falls short is enough to refuse."""
    documents = [field(min(pair), min(pair), max(pair)) for pair in ends]
    reaches = all(min(pair) >= bound for pair in ends)

    assert reaches is is_supported(Threshold("capacity", "at_least", bound), *documents)


@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=4), NUMBERS)
def test_at_most_holds_exactly_where_every_upper_end_stays_below(ends: list[tuple[int, int]], bound: int) -> None:
    """The mirror image."""
    documents = [field(max(pair), min(pair), max(pair)) for pair in ends]
    stays = all(max(pair) <= bound for pair in ends)

    assert stays is is_supported(Threshold("capacity", "at_most", bound), *documents)


def test_a_value_without_interval_counts_as_it_stands() -> None:
    """A declared value supports what it says and no more."""
    declared: dict[str, Json] = {"quantity": "state_of_health", "value": 960}

    assert is_supported(Threshold("state_of_health", "at_least", 960), declared)
    assert not is_supported(Threshold("state_of_health", "at_least", 961), declared)


def test_a_predicate_about_nothing_is_refused() -> None:
    """No value of that quantity, no predicate."""
    with pytest.raises(WrongUsage, match="nothing here says anything about energy"):
        supported_predicates([Threshold("energy", "at_least", 1)], [field(5, 4, 6)])


def test_a_value_without_a_number_supports_nothing() -> None:
    """A curve has no number to compare."""
    curve: dict[str, Json] = {"quantity": "discharge_curve", "points": []}

    assert not is_supported(Threshold("discharge_curve", "at_least", 0), curve)
