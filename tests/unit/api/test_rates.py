"""Buckets of tokens for each client: spent, refilled by time, bounded in number, and owed only so far."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import Request

from cellvow.api.problems import Refusal
from cellvow.api.rates import CLIENTS_MAX, RateLimit
from tests.unit.api.node_site import Ticks


def asked_by(host: str) -> Request:
    """A request from an address."""
    return Request({"type": "http", "client": (host, 1), "headers": []})


def is_refused(limit: RateLimit, host: str) -> bool:
    """Whether one more is too many."""
    try:
        limit.take(asked_by(host))
    except Refusal:
        return True
    return False


@given(st.integers(1, 20), st.integers(1, 600), st.lists(st.integers(0, 5_000), max_size=80))
def test_no_client_gets_more_than_its_burst_and_what_time_gives(burst: int, rate: int, waits: list[int]) -> None:
    """However it spreads its requests."""
    clock = Ticks(0)
    limit = RateLimit(burst, rate, clock)
    taken = 0
    for wait in waits:
        clock.now_ms += wait
        taken += not is_refused(limit, "a")

    assert taken <= burst + sum(waits) * rate / 60_000 + 1e-6
    assert taken >= min(burst, len(waits))


def test_the_answer_names_the_seconds_to_wait_and_they_suffice() -> None:
    """Whoever waits as told is served."""
    clock = Ticks(0)
    limit = RateLimit(1, 6, clock)
    limit.take(asked_by("a"))
    with pytest.raises(Refusal) as refusal:
        limit.require(asked_by("a"))
    clock.now_ms += (refusal.value.retry_after_s or 0) * 1000

    limit.require(asked_by("a"))
    assert not is_refused(limit, "a")


def test_looking_costs_nothing_and_one_client_does_not_pay_for_another() -> None:
    """`require` counts nothing; addresses are apart."""
    limit = RateLimit(2, 1, Ticks(0))
    for _ in range(10):
        limit.require(asked_by("a"))

    assert [False, False, True] == [is_refused(limit, "a") for _ in range(3)]
    assert not is_refused(limit, "b")


def test_what_is_counted_afterwards_is_owed_no_further_than_a_burst() -> None:
    """A flood in flight when the limit was reached does not lock a client out for hours."""
    clock = Ticks(0)
    limit = RateLimit(5, 60, clock)
    for _ in range(1_000):
        limit.count(asked_by("a"))
    clock.now_ms += 5_000
    assert is_refused(limit, "a")
    clock.now_ms += 1_000

    assert not is_refused(limit, "a")


@pytest.mark.slow
def test_the_number_of_buckets_is_bounded() -> None:
    """A million addresses cost no more than so many buckets."""
    limit = RateLimit(1, 1, Ticks(0))
    for number in range(CLIENTS_MAX + 10):
        limit.take(asked_by(str(number)))

    assert len(limit._buckets) == CLIENTS_MAX
    assert is_refused(limit, str(CLIENTS_MAX + 9))
    assert not is_refused(limit, "0")
