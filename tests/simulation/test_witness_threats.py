"""Logs that lie to a witness, and requests that race: all that is ever cosigned lies on one history."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from threading import Barrier, Thread
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.witness import Witness
from cellvow.node.witness_protocol import (
    Accepted,
    AddCheckpoint,
    Held,
    Refused,
    Verdict,
    decide,
    encode_request,
    parse_request,
)
from cellvow.node.witness_store import WitnessStore
from tests.simulation.witness_world import NORTH_SEED, NOW_S, Log, seeded, witness_key

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from cellvow.core.primitives.digest import Digest

Decide = Callable[[Held | None, AddCheckpoint, bytes, int], Verdict]

KEY = witness_key()
HONEST = Log.of_size(24)
BRANCHES = [HONEST, HONEST.branch(0), HONEST.branch(5), HONEST.branch(12)]
SEEDS = range(80)
STEPS = 30


def find_contradiction(cosigned: list[tuple[Log, int]]) -> str | None:
    """Two cosigned trees of which neither is the beginning of the later one, or None."""
    for (first, size), (second, later) in pairwise(cosigned):
        if size > later:
            return f"{later} leaves cosigned after {size}"
        if first.leaves[:size] != second.leaves[:size]:
            return f"two histories cosigned, apart before leaf {size}"
    return None


@cache
def note_of(branch: int, size: int) -> bytes:
    """The checkpoint of one of the histories."""
    return BRANCHES[branch].note(size)


@cache
def proof_of(branch: int, old_size: int, size: int) -> list[Digest]:
    """The proof of one of the histories."""
    return BRANCHES[branch].prove(old_size, size)


def lie(random: Random, held_size: int) -> tuple[int, int, bytes]:
    """A request by a log that mixes histories, sizes and proofs."""
    branch, prover = random.randrange(len(BRANCHES)), random.randrange(len(BRANCHES))
    size = min(24, max(0, held_size + random.randint(-2, 4)))
    claimed = random.choice([held_size, held_size, held_size, 0, size, random.randint(0, 24)])
    start = min(claimed, size)
    proof = random.choice([proof_of(prover, start, size), proof_of(branch, start, size), []])
    return branch, size, encode_request(claimed, proof, note_of(branch, size))


def play(seed: int, rule: Decide) -> list[tuple[Log, int]]:
    """What a witness with `rule` cosigns for a lying log."""
    random, held, cosigned = seeded(seed), None, []
    for _ in range(STEPS):
        branch, size, body = lie(random, held.checkpoint.size if held else 0)
        verdict = rule(held, parse_request(body), note_of(branch, size), NOW_S)
        if isinstance(verdict, Accepted):
            held = verdict.held
            cosigned.append((BRANCHES[branch], size))
    return cosigned


def contradictions(rule: Decide) -> list[str]:
    """The seeds that lead a witness with `rule` into contradicting itself."""
    found = [(seed, find_contradiction(play(seed, rule))) for seed in SEEDS]
    return [f"seed {seed}: {reason}" for seed, reason in found if reason]


@pytest.mark.slow
def test_no_lying_log_makes_a_witness_contradict_itself() -> None:
    """Over all seeds the cosigned trees extend each other, and some are cosigned at all."""
    assert contradictions(decide) == []
    assert sum(len(play(seed, decide)) for seed in SEEDS) > len(SEEDS)


def trusting(held: Held | None, request: AddCheckpoint, offered: bytes, now_s: int) -> Verdict:
    """Mutant: takes any larger tree without looking at the proof."""
    verdict = decide(held, request, offered, now_s)
    if isinstance(verdict, Refused) and verdict.response.status == 422:
        return Accepted(Held(offered, now_s))
    return verdict


def obliging(held: Held | None, request: AddCheckpoint, offered: bytes, now_s: int) -> Verdict:
    """Mutant: goes back to any smaller tree it is asked for."""
    if held and request.note.checkpoint.size < held.checkpoint.size:
        return Accepted(Held(offered, now_s))
    return decide(held, request, offered, now_s)


def forgetful(held: Held | None, request: AddCheckpoint, offered: bytes, now_s: int) -> Verdict:
    """Mutant: takes two trees of one size for one tree."""
    verdict = decide(held, request, offered, now_s)
    return Accepted(Held(offered, now_s)) if isinstance(verdict, Refused) and verdict.fork else verdict


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [trusting, obliging, forgetful])
def test_a_witness_with_a_broken_rule_is_caught(mutant: Decide) -> None:
    """Control: the same seeds convict each mutant rule."""
    assert contradictions(mutant) != []


def make_witness(path: Path, store_class: type[WitnessStore] = WitnessStore) -> Witness:
    """A witness of the log, at size 5."""
    store = store_class.create(path, KEY)
    store.add_log(HONEST.key)
    witness = Witness(KEY, NORTH_SEED, store)
    assert witness.add_checkpoint(HONEST.request(0, 5), NOW_S).status == 200
    return witness


def size_of(witness: Witness) -> int:
    """The size it holds."""
    [log] = witness.logs()
    return log.held.checkpoint.size if log.held else 0


@pytest.mark.slow
def test_of_requests_that_race_on_one_origin_one_wins(tmp_path: Path) -> None:
    """Eight threads ask from one old size, half of them for a fork: one is cosigned, the others hear 409."""
    for attempt in range(10):
        witness = make_witness(tmp_path / str(attempt))
        bodies = [log.request(5, 7) for log in (HONEST, HONEST.branch(5))] * 4
        statuses = ask_at_once(witness, bodies)

        assert statuses.count(200) + statuses.count(409) == len(bodies)
        assert statuses.count(200) == 1
        assert size_of(witness) == 7
        witness.close()


def ask_at_once(witness: Witness, bodies: list[bytes]) -> list[int]:
    """The statuses of requests that start together, each in a thread of its own."""
    statuses: list[int] = []
    start = Barrier(len(bodies))

    def ask(body: bytes) -> None:
        start.wait()
        statuses.append(witness.add_checkpoint(body, NOW_S).status)

    threads = [Thread(target=ask, args=(body,)) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return statuses


class InterruptibleStore(WitnessStore):
    """Runs `interrupt` once, between judging and keeping."""

    interrupt: Callable[[], object] | None = None

    def take_interrupt(self) -> None:
        """Let the other request in, if there is one."""
        interrupt, self.interrupt = self.interrupt, None
        if interrupt:
            interrupt()


class RacyStore(InterruptibleStore):
    """Control: reads and keeps in two steps, as if the two needed no transaction."""

    def record(self, origin: str, decide: Callable[[Held | None], Verdict]) -> Verdict:
        """Judge by what was read a while ago."""
        log = self.fetch_log(origin)
        verdict = decide(log.held if log else None)
        self.take_interrupt()
        return super().record(origin, lambda _: verdict)


class AtomicStore(InterruptibleStore):
    """The real store, interrupted inside its transaction."""

    def record(self, origin: str, decide: Callable[[Held | None], Verdict]) -> Verdict:
        """Let the other request try while this one holds the transaction."""

        def interrupted(held: Held | None) -> Verdict:
            verdict = decide(held)
            self.take_interrupt()
            return verdict

        return super().record(origin, interrupted)


def race(path: Path, store_class: type[InterruptibleStore]) -> tuple[list[int], int]:
    """A request for 6 leaves, and one for 9 by another process in its midst: the statuses and the size held."""
    first = make_witness(path, store_class)
    store = first._store
    other_store = WitnessStore.open(path, KEY)
    other_store._connection.set_busy_timeout(0)
    second = Witness(KEY, NORTH_SEED, other_store)
    statuses: list[int] = []

    def interrupt() -> None:
        try:
            statuses.append(second.add_checkpoint(HONEST.request(5, 9), NOW_S).status)
        except OperationalError:
            statuses.append(503)

    assert isinstance(store, InterruptibleStore)
    store.interrupt = interrupt
    statuses.append(first.add_checkpoint(HONEST.request(5, 6), NOW_S).status)
    size = size_of(first)
    first.close()
    second.close()
    return statuses, size


def test_nobody_writes_between_judging_and_keeping(tmp_path: Path) -> None:
    """The other request has to wait, so no leaf that was cosigned is rolled back."""
    assert race(tmp_path / "store", AtomicStore) == ([503, 200], 6)


def test_a_store_that_judges_first_and_locks_later_rolls_back(tmp_path: Path) -> None:
    """Control: without the transaction both are cosigned and the larger tree is forgotten."""
    assert race(tmp_path / "store", RacyStore) == ([200, 200], 6)


def test_a_busy_store_is_no_broken_store(tmp_path: Path) -> None:
    """After another process had the lock the witness goes on."""
    first = make_witness(tmp_path / "store")
    second = Witness(KEY, NORTH_SEED, WitnessStore.open(tmp_path / "store", KEY))
    second._store._connection.set_busy_timeout(0)

    def judge(held: Held | None) -> Verdict:
        with pytest.raises(OperationalError, match="try again"):
            second.add_checkpoint(HONEST.request(5, 9), NOW_S)
        return Accepted(held) if held else Accepted(Held(HONEST.note(5), NOW_S))

    first._store.record(HONEST.origin, judge)

    assert second.add_checkpoint(HONEST.request(5, 9), NOW_S).status == 200
    first.close()
    second.close()
