"""Recoveries opened, approved, vetoed and completed in any order, against a model of plain dicts (T11)."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.contracts.recovery import RecoveryRecord, recovery_key
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.ledger.key import key_record_key, parse_key_record
from tests import messages
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER, Signer, World, make_genesis, make_signer

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
OTHERS = (AUTHORITY, BUYER, CARMAKER, LABORATORY)

others = st.sampled_from(OTHERS)
circles = st.sampled_from([(BUYER, CARMAKER), (BUYER, CARMAKER, LABORATORY), (AUTHORITY, LABORATORY, BUYER)])
pauses = st.sampled_from([0, HOUR_MS, DAY_MS - 1, DAY_MS, 2 * DAY_MS, 3 * DAY_MS, 8 * DAY_MS, 31 * DAY_MS])


@dataclass(frozen=True)
class Circle:
    """Guardians, how many must agree, how long the lock runs, and from when."""

    guardians: tuple[str, ...]
    threshold: int
    delay_ms: int
    from_ms: int


@dataclass
class Attempt:
    """What the model knows of one recovery."""

    circle: Circle
    opener: str
    opened_ms: int
    approvals: list[str] = field(default_factory=list)
    locked_ms: int | None = None
    end: str = ""


class RecoveryMachine(RuleBasedStateMachine):
    """Every rule predicts from the model whether the ledger accepts, and then changes both."""

    @initialize(circle=circles)
    def begin(self, circle: tuple[str, ...]) -> None:
        """The maker has its keys, and has appointed guardians."""
        self.world = World(make_genesis(ruleset=2))
        self.root: Signer = self.world[MAKER].root
        self.generation = 0
        self.history: list[Circle] = []
        self.attempts: list[Attempt] = []
        self.appoint(circle, 2, 2, 0)

    # What the model thinks

    def circle_at(self, time_ms: int) -> Circle | None:
        """The guardians in force."""
        in_force = [one for one in self.history if one.from_ms <= time_ms]
        return in_force[-1] if in_force else None

    def state(self, attempt: Attempt, time_ms: int) -> str:
        """Whether a recovery is open, its lock runs or has ended, or it is over."""
        if attempt.end:
            return attempt.end
        if attempt.locked_ms is None:
            return "open" if time_ms <= attempt.opened_ms + 7 * DAY_MS else "lapsed"
        if not self.is_unlocked(attempt, time_ms):
            return "locked"
        return "unlocked" if time_ms <= attempt.locked_ms + attempt.circle.delay_ms + 7 * DAY_MS else "lapsed"

    def is_unlocked(self, attempt: Attempt, time_ms: int) -> bool:
        """Whether the whole delay has passed since enough had approved."""
        return attempt.locked_ms is not None and time_ms >= attempt.locked_ms + attempt.circle.delay_ms

    def latest(self, time_ms: int) -> tuple[Attempt | None, str]:
        """The last recovery and what it is."""
        attempt = self.attempts[-1] if self.attempts else None
        return attempt, "none" if attempt is None else self.state(attempt, time_ms)

    # What happens

    def submit(self, signer: Signer, message: Message, pause_ms: int) -> tuple[bool, int]:
        """Put the message into a block after a pause; whether it was accepted, and the block's time."""
        time_ms = self.world.head.time_ms + pause_ms
        return self.world.submit(signer.sign(message), time_ms=time_ms).is_accepted, time_ms

    @rule(guardians=circles, threshold=st.integers(1, 4), days=st.integers(1, 4), pause=pauses)
    def appoint(self, guardians: tuple[str, ...], threshold: int, days: int, pause: int) -> None:
        """The owner names others; after the first time they wait for the delay of those in force."""
        message = messages.appointment(MAKER, guardians, threshold, days * DAY_MS)
        accepted, time_ms = self.submit(self.root, message, pause)

        assert accepted is (2 <= threshold <= len(guardians))
        if accepted:
            current = self.circle_at(time_ms)
            from_ms = time_ms + (current.delay_ms if current else 0)
            kept = [one for one in self.history if one.from_ms <= time_ms]
            self.history = [*kept, Circle(guardians, threshold, days * DAY_MS, from_ms)]

    @rule(who=others, pause=pauses)
    def open(self, who: str, pause: int) -> None:
        """A guardian, once in thirty days, while no other recovery is under way."""
        keys = messages.recovery(MAKER, f"root {len(self.attempts) + 1}")
        accepted, time_ms = self.submit(self.world[who].key, keys, pause)
        circle, (_, state) = self.circle_at(time_ms), self.latest(time_ms)
        tried = any(one.opener == who and time_ms < one.opened_ms + 30 * DAY_MS for one in self.attempts)
        is_free = state not in ("open", "locked", "unlocked")

        assert accepted is (circle is not None and who in circle.guardians and is_free and not tried)
        if accepted and circle is not None:
            self.attempts.append(Attempt(circle, who, time_ms, [who]))

    @rule(who=others, pause=pauses)
    def approve(self, who: str, pause: int) -> None:
        """Another guardian of the recovery's circle, while it is open."""
        accepted, time_ms = self.submit(self.world[who].key, messages.approval(MAKER, len(self.attempts)), pause)
        attempt, state = self.latest(time_ms)

        assert accepted is (
            attempt is not None and state == "open" and who in attempt.circle.guardians and who not in attempt.approvals
        )
        if accepted and attempt is not None:
            attempt.approvals.append(who)
            if len(attempt.approvals) >= attempt.circle.threshold:
                attempt.locked_ms = time_ms

    @rule(pause=pauses, by_owner=st.sampled_from([True, True, False]))
    def veto(self, pause: int, by_owner: bool) -> None:
        """Only the owner, until it is completed."""
        signer = self.root if by_owner else self.world[BUYER].key
        accepted, time_ms = self.submit(signer, messages.veto(MAKER, len(self.attempts)), pause)
        attempt, state = self.latest(time_ms)

        assert accepted is (by_owner and state in ("open", "locked", "unlocked"))
        if accepted and attempt is not None:
            attempt.end = "vetoed"

    @rule(who=others, pause=pauses)
    def complete(self, who: str, pause: int) -> None:
        """A guardian of its circle, once the lock has ended: then the new root key stands for the maker."""
        accepted, time_ms = self.submit(self.world[who].key, messages.completion(MAKER, len(self.attempts)), pause)
        attempt, state = self.latest(time_ms)

        assert accepted is (attempt is not None and who in attempt.circle.guardians and state == "unlocked")
        if accepted and attempt is not None:
            attempt.end = "completed"
            self.generation = len(self.attempts)
            self.root = make_signer(MAKER, f"root {self.generation}")

    @rule(who=others, waited=st.sampled_from([-1, 0, HOUR_MS]))
    def everything_at_once(self, who: str, waited: int) -> None:
        """All guardians agree, and one completes just before, at, or after the end of the lock."""
        self.open(who, 0)
        for guardian in OTHERS:
            self.approve(guardian, 0)
        attempt, _ = self.latest(self.world.head.time_ms)
        if attempt is not None and attempt.locked_ms is not None and not attempt.end:
            end_ms = attempt.locked_ms + attempt.circle.delay_ms + waited
            self.complete(who, max(0, end_ms - self.world.head.time_ms))

    # What always holds

    @invariant()
    def the_maker_has_the_root_key_of_the_model(self) -> None:
        """It changes by completion alone, and the one before has ended then."""
        if not hasattr(self, "world"):
            return
        records = self.world.state.records
        assert parse_organisation(records[organisation_key(MAKER)]).root_keys == (self.root.public_key.hex(),)
        assert parse_key_record(records[key_record_key(self.root.kid)]).revoked_height is None
        first = parse_key_record(records[key_record_key(self.world[MAKER].root.kid)])
        assert (first.revoked_height is None) is (self.generation == 0)

    @invariant()
    def no_lock_was_skipped(self) -> None:
        """Whatever was completed had its whole delay after enough of its guardians had approved."""
        if not hasattr(self, "world") or recovery_key(MAKER) not in self.world.state.records:
            return
        record = self.world.record(RecoveryRecord, recovery_key(MAKER))
        if record.state == "completed":
            assert len(record.approvals) >= record.appointment.threshold
            assert record.unlocks_ms is not None
            assert record.opened_ms + record.appointment.delay_ms <= record.unlocks_ms <= self.world.head.time_ms


@pytest.mark.slow
def test_any_course_of_recoveries_follows_the_model() -> None:
    """Four others and the owner act in any order, with any pauses."""
    run_state_machine_as_test(RecoveryMachine, settings=settings(max_examples=40, stateful_step_count=30))


@pytest.mark.slow
def test_a_model_that_skips_the_lock_is_found_wrong() -> None:
    """Control: the machine without a time lock disagrees with the ledger."""

    class Mutant(RecoveryMachine):
        def is_unlocked(self, attempt: Attempt, time_ms: int) -> bool:
            return attempt.locked_ms is not None and time_ms >= attempt.locked_ms

    with pytest.raises(AssertionError):
        run_state_machine_as_test(
            Mutant, settings=settings(max_examples=200, phases=[Phase.generate], print_blob=False)
        )
