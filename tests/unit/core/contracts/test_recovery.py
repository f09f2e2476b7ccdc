"""Recovery of lost keys: guardians, the lock that nothing shortens, the veto, and what ends at completion (T11)."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.contracts.recovery import (
    ATTEMPT_MS,
    DELAY_MS_MIN,
    PERIOD_MS,
    GuardiansRecord,
    RecoveryRecord,
    derive_recovery_state,
    guardians_key,
    recovery_key,
)
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.ledger.key import key_record_key, parse_key_record
from cellvow.core.ledger.outcome import Outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import GUARDIANS_MAX, RECOVERY_KEYS_MAX
from tests import messages
from tests.decisions import pass_block
from tests.world import (
    AUTHORITY,
    BUYER,
    CARMAKER,
    DAY_MS,
    LABORATORY,
    MAKER,
    World,
    make_genesis,
    make_signer,
    require_invalid,
)

GUARDIANS = (CARMAKER, LABORATORY, BUYER)
DELAY_MS = 2 * DAY_MS


def guarded() -> World:
    """The maker has appointed three guardians, two of whom must agree; the lock runs two days."""
    world = World(make_genesis(ruleset=2))
    world.accept(world[MAKER].root.sign(messages.appointment(MAKER, GUARDIANS, 2, DELAY_MS)))
    return world


def locked() -> World:
    """Two guardians agree on a new root key."""
    world = guarded()
    world.accept(world[BUYER].key.sign(messages.recovery(MAKER)))
    world.accept(world[CARMAKER].key.sign(messages.approval(MAKER)))
    return world


def record_of(world: World) -> RecoveryRecord:
    """The recovery of the maker."""
    return world.record(RecoveryRecord, recovery_key(MAKER))


def submit(world: World, organisation: str, message: Message, time_ms: int | None = None) -> Outcome:
    """Let a member's operational key sign it."""
    return world.submit(world[organisation].key.sign(message), time_ms=time_ms)


def test_a_recovery_is_pending_in_the_open_until_its_lock_ends() -> None:
    """Anybody can be shown who agreed, on which keys, and when it unlocks."""
    world = locked()
    record = record_of(world)

    assert (record.state, record.approvals, record.attempt) == ("pending", (CARMAKER, BUYER), 1)
    assert record.unlocks_ms == world.head.time_ms + DELAY_MS
    assert record.public_keys == (make_signer(MAKER, "new root").public_key.hex(),)


@pytest.mark.parametrize(("after_ms", "reason"), [(-1, Reason.TIME_LOCK), (0, None)])
def test_the_lock_ends_at_its_time_and_not_a_millisecond_before(after_ms: int, reason: Reason | None) -> None:
    """By the time of the block."""
    world = locked()
    unlocks_ms = record_of(world).unlocks_ms or 0

    assert submit(world, BUYER, messages.completion(MAKER), unlocks_ms + after_ms).reason is reason


def test_completion_ends_every_old_key_and_begins_the_new_root() -> None:
    """Root, operational and device keys; the organisation goes on as itself."""
    world = locked()
    member, device, new = world[MAKER], make_signer(MAKER, "device"), make_signer(MAKER, "new root")
    message = replace(member.register_key(device, scope=("Anchor",)), kind="device", device="BMS-1")
    world.accept(member.root.sign(message))
    outcome = submit(world, CARMAKER, messages.completion(MAKER), record_of(world).unlocks_ms)
    ended = [
        parse_key_record(world.state.records[key_record_key(one.kid)]).revoked_height
        for one in (member.root, member.key, device)
    ]

    assert [event["type"] for event in outcome.events] == ["RecoveryCompleted"]
    assert ended == [world.head.height] * 3
    assert parse_organisation(world.state.records[organisation_key(MAKER)]).root_keys == (new.public_key.hex(),)
    assert "revoked" in str(require_invalid(world, world.next_block(member.key.sign(messages.model()))))
    assert world.submit(new.sign(member.register_key(make_signer(MAKER, "next")))).is_accepted
    assert record_of(world).state == "completed"


def test_an_old_root_key_registers_nothing_in_the_block_of_completion() -> None:
    """Whoever found the lost key comes too late, even by one place."""
    world = locked()
    member, late = world[MAKER], make_signer(MAKER, "late")
    complete = world[BUYER].key.sign(messages.completion(MAKER))
    register = member.root.sign(member.register_key(late))
    outcomes = world.include(complete, register, time_ms=record_of(world).unlocks_ms)

    assert [one.reason for (one,) in outcomes] == [None, Reason.KEY_HAS_ENDED]
    assert key_record_key(late.kid) not in world.state.records


@pytest.mark.parametrize("signer", ["root", "operational", "narrow"])
@pytest.mark.parametrize("stage", ["open", "pending"])
def test_the_owner_vetoes_at_any_stage_with_any_key(signer: str, stage: str) -> None:
    """A key of whatever scope shows that the keys are not lost; then nobody completes."""
    world = guarded()
    member, narrow = world[MAKER], make_signer(MAKER, "narrow")
    world.accept(member.root.sign(member.register_key(narrow, scope=("Anchor",))))
    world.accept(world[BUYER].key.sign(messages.recovery(MAKER)))
    if stage == "pending":
        world.accept(world[CARMAKER].key.sign(messages.approval(MAKER)))
    key = {"root": member.root, "operational": member.key, "narrow": narrow}[signer]
    world.accept(key.sign(messages.veto(MAKER)))

    assert record_of(world).state == "vetoed"
    late = world.head.time_ms + DELAY_MS
    assert submit(world, BUYER, messages.completion(MAKER), late).reason is Reason.NO_OPEN_RECOVERY


def test_nobody_but_the_owner_vetoes() -> None:
    """Not even a guardian."""
    world = locked()

    assert submit(world, BUYER, messages.veto(MAKER)).reason is Reason.NOT_YOUR_KEY


@pytest.mark.parametrize("approvals", [0, 1])
def test_the_lock_runs_from_the_last_approval_needed(approvals: int) -> None:
    """Three must agree: with fewer, time does nothing."""
    world = World(make_genesis(ruleset=2))
    world.accept(world[MAKER].root.sign(messages.appointment(MAKER, GUARDIANS, 3, DELAY_MS)))
    world.accept(world[BUYER].key.sign(messages.recovery(MAKER)))
    for guardian in (CARMAKER, LABORATORY)[:approvals]:
        world.accept(world[guardian].key.sign(messages.approval(MAKER)))
    outcome = submit(world, BUYER, messages.completion(MAKER), world.head.time_ms + DELAY_MS)

    assert outcome.reason is Reason.LOCK_NOT_RUNNING


def test_guardians_are_replaced_only_after_the_old_delay() -> None:
    """A thief of the root key waits as long as if he recovered it; the old ones are in force until then."""
    world = guarded()
    world.accept(world[MAKER].root.sign(messages.appointment(MAKER, (AUTHORITY, BUYER), 2, DAY_MS)))
    from_ms = world.head.time_ms + DELAY_MS
    record = world.record(GuardiansRecord, guardians_key(MAKER))
    early = submit(world, AUTHORITY, messages.recovery(MAKER), from_ms - 1)
    late = submit(world, AUTHORITY, messages.recovery(MAKER), from_ms)

    assert (record.current.guardians, record.following and record.following.from_ms) == (GUARDIANS, from_ms)
    assert (early.reason, late.reason) == (Reason.NOT_A_GUARDIAN, None)


def test_a_recovery_under_way_keeps_the_guardians_it_began_with() -> None:
    """New ones, or a shorter delay, change nothing about a lock that runs."""
    world = locked()
    unlocks_ms = record_of(world).unlocks_ms or 0
    world.accept(world[MAKER].root.sign(messages.appointment(MAKER, (AUTHORITY, BUYER), 2, DAY_MS)))

    assert submit(world, AUTHORITY, messages.completion(MAKER), unlocks_ms).reason is Reason.NOT_A_GUARDIAN
    assert submit(world, LABORATORY, messages.completion(MAKER), unlocks_ms).is_accepted


@pytest.mark.parametrize(
    ("guardians", "threshold", "reason"),
    [
        ((BUYER, CARMAKER), 2, None),
        ((BUYER, CARMAKER), 1, Reason.WRONG_GUARDIANS),
        ((BUYER, CARMAKER), 3, Reason.WRONG_GUARDIANS),
        ((BUYER, BUYER), 2, Reason.WRONG_GUARDIANS),
        ((BUYER, MAKER), 2, Reason.WRONG_GUARDIANS),
        ((BUYER, "nobody"), 2, Reason.WRONG_GUARDIANS),
        ((BUYER,), 1, Reason.MALFORMED_MESSAGE),
        ((BUYER,) * (GUARDIANS_MAX + 1), 2, Reason.MALFORMED_MESSAGE),
    ],
)
def test_guardians_are_other_members_and_more_than_one(
    guardians: tuple[str, ...], threshold: int, reason: Reason | None
) -> None:
    """At least two must agree, and no more than there are."""
    world = World(make_genesis(ruleset=2))
    outcome = world.submit(world[MAKER].root.sign(messages.appointment(MAKER, guardians, threshold)))

    assert outcome.reason is reason


@pytest.mark.parametrize(("delay_ms", "is_allowed"), [(DELAY_MS_MIN, True), (DELAY_MS_MIN - 1, False)])
def test_a_lock_runs_a_day_at_least(delay_ms: int, is_allowed: bool) -> None:
    """An owner must have had the time to look."""
    world = World(make_genesis(ruleset=2))
    outcome = world.submit(world[MAKER].root.sign(messages.appointment(MAKER, GUARDIANS, 2, delay_ms)))

    assert outcome.is_accepted is is_allowed


def test_nobody_appoints_guardians_of_another() -> None:
    """The message names its own signer."""
    world = World(make_genesis(ruleset=2))

    assert world.submit(world[BUYER].root.sign(messages.appointment(MAKER, GUARDIANS))).reason is Reason.NOT_YOUR_KEY


def test_a_guardian_tries_once_in_thirty_days_and_another_may_meanwhile() -> None:
    """Vetoed or left to lapse: a hostile guardian neither wears the owner out nor keeps the others away."""
    world = guarded()
    world.accept(world[BUYER].key.sign(messages.recovery(MAKER)))
    opened_ms = world.head.time_ms
    world.accept(world[MAKER].key.sign(messages.veto(MAKER)))
    again = submit(world, BUYER, messages.recovery(MAKER))
    other = submit(world, CARMAKER, messages.recovery(MAKER))
    world.accept(world[MAKER].key.sign(messages.veto(MAKER, 2)))
    later = submit(world, BUYER, messages.recovery(MAKER), opened_ms + PERIOD_MS)

    assert (again.reason, other.reason, later.reason) == (Reason.TOO_MANY_RECOVERIES, None, None)
    assert [one.guardian for one in record_of(world).tries] == [CARMAKER, BUYER]


@pytest.mark.parametrize("stage", ["open", "pending"])
def test_what_is_not_approved_or_completed_in_its_time_lapses(stage: str) -> None:
    """Then another guardian may begin anew; until then the first stands."""
    world = guarded() if stage == "open" else locked()
    if stage == "open":
        world.accept(world[BUYER].key.sign(messages.recovery(MAKER)))
    record = record_of(world)
    end_ms = ATTEMPT_MS + (record.opened_ms if stage == "open" else record.unlocks_ms or 0)
    at = submit(world, LABORATORY, messages.recovery(MAKER, "another"), end_ms)
    after = submit(world, LABORATORY, messages.recovery(MAKER, "another"), end_ms + 1)

    assert [derive_recovery_state(record, end_ms), derive_recovery_state(record, end_ms + 1)] == [stage, "lapsed"]
    assert (at.reason, after.reason) == (Reason.RECOVERY_OPEN, None)


@pytest.mark.parametrize(("count", "is_allowed"), [(RECOVERY_KEYS_MAX, True), (RECOVERY_KEYS_MAX + 1, False)])
def test_a_recovery_brings_few_keys(count: int, is_allowed: bool) -> None:
    """Up to the bound, each with its own signature."""
    world = guarded()
    message = messages.recovery(MAKER, *(f"new {number}" for number in range(count)))

    assert submit(world, BUYER, message).is_accepted is is_allowed


def test_the_new_keys_have_signed_for_themselves() -> None:
    """For this organisation, each its own, none registered already."""
    world = guarded()
    sound = messages.recovery(MAKER, "new root", "new safe")
    swapped = replace(sound, possessions=tuple(reversed(sound.possessions)))
    unpaired = replace(sound, possessions=sound.possessions[:1])
    known = messages.recovery(MAKER, "root")

    assert submit(world, BUYER, swapped).reason is Reason.NO_POSSESSION
    assert submit(world, BUYER, unpaired).reason is Reason.MALFORMED_MESSAGE
    assert submit(world, BUYER, known).reason is Reason.KEY_EXISTS
    assert submit(world, BUYER, sound).is_accepted


def test_recovery_is_unknown_to_the_first_ruleset() -> None:
    """It comes with the second, by vote."""
    world = World()
    pass_block(world)

    assert submit(world, BUYER, messages.recovery(MAKER)).reason is Reason.MALFORMED_MESSAGE
