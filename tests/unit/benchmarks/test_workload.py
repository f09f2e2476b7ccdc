"""What the benchmarks measure is what they say: a filled state, accepted events, answered requests."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from benchmarks.ledger_latency import Answer, block_interval_s
from benchmarks.ledgers import Filled, clock_ms, require_accepted
from benchmarks.members import KEYS_A_BATTERY, battery_id, birth, life_events
from benchmarks.servers import Request, load, serving
from cellvow.core.primitives.errors import InvariantBroken, OperationalError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def filled(tmp_path: Path) -> Filled:
    """A ledger of ten batteries."""
    return Filled(tmp_path / "filled", 10, lambda _: None)


@pytest.mark.slow
def test_a_filled_ledger_holds_ten_records_for_each_battery(filled: Filled, tmp_path: Path) -> None:
    """A state with next to nothing in it would flatter every figure."""
    home, _ = filled.copy(tmp_path / "copy")
    store = home.open_reader()
    records = [key for key, _ in store.records() if battery_id(7) in key or "/D-7-" in key]
    store.close()

    assert KEYS_A_BATTERY == len(records)


@pytest.mark.slow
def test_every_event_of_the_mix_is_accepted_singly_and_in_batches(filled: Filled, tmp_path: Path) -> None:
    """A benchmark of refusals would be fast and worthless."""
    for name, size in (("single", 1), ("batch", 25)):
        home, maker = filled.copy(tmp_path / name)
        with home.open_session(clock_ms) as session:
            events = list(life_events(10, 100))
            statements = maker.singles(iter(events)) if size == 1 else maker.batches(events, size)

            require_accepted([session.submit(one) for one in statements])


@pytest.mark.slow
def test_control_a_rejected_event_stops_the_benchmark(filled: Filled, tmp_path: Path) -> None:
    """The second birth of a battery is rejected, and counted by nobody."""
    home, maker = filled.copy(tmp_path / "rejected")
    with home.open_session(clock_ms) as session, pytest.raises(InvariantBroken, match="rejected"):
        require_accepted([session.submit(maker.key().sign_single(birth(3)))])


def test_the_block_interval_is_the_time_between_first_answers() -> None:
    """Answers of one block come together; one block has no interval."""
    answers = [Answer(0.0, 1.0, 1), Answer(0.0, 1.1, 1), Answer(0.0, 3.0, 2), Answer(0.0, 4.0, 5)]

    assert 1.5 == block_interval_s(answers)
    assert 0.0 == block_interval_s(answers[:2])


@pytest.mark.slow
def test_a_server_is_loaded_and_every_answer_counted() -> None:
    """Each request once, over several connections; a wrong status stops the benchmark."""
    with serving("-m", "benchmarks.hello") as url:
        done = load(url, [Request("GET", "/")] * 20, concurrency=4, lasting_s=0)

        assert 20 == done.answers == len(done.latencies_s)
        with pytest.raises(OperationalError, match="404"):
            load(url, [Request("GET", "/nowhere")], concurrency=1, lasting_s=0)


def test_a_command_that_is_no_server_is_said() -> None:
    """It ends without saying where it listens."""
    with pytest.raises(OperationalError, match="did not start"), serving("-c", "pass"):
        pass
