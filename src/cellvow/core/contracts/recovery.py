"""Recovery of lost keys: guardians agree on new ones, a lock runs in the open, and the owner can veto until it ends.

Nobody keeps a seed phrase: an organisation names other members as its guardians while it has its keys. When it has
lost them, one guardian opens a recovery with the new root keys, m approve, and then time runs that nothing shortens.
"""

from dataclasses import replace
from typing import Annotated, Literal, NamedTuple

import msgspec

from cellvow.core.contracts.contract import (
    WORLD,
    Context,
    Contract,
    Count,
    Hash,
    Member,
    Message,
    Record,
    Schema,
    require,
)
from cellvow.core.contracts.organisation import (
    SignatureText,
    end_all_keys,
    get_organisation,
    is_member,
    put_organisation,
    put_root_key,
    require_new_key,
    require_possession,
    require_standing,
)
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.limits import GUARDIANS_MAX, RECOVERY_KEYS_MAX

DAY_MS = 86_400_000
DELAY_MS_MIN = DAY_MS
"""The shortest lock: an owner looks at his page once a day."""
DELAY_MS_MAX = 365 * DAY_MS
ATTEMPT_MS = 7 * DAY_MS
"""How long guardians have to approve, and to complete once the lock has ended; then another may begin anew."""
PERIOD_MS = 30 * DAY_MS
"""In which a guardian opens one recovery: tries are bounded, and one hostile guardian cannot keep out the others."""

Guardians = Annotated[tuple[Member, ...], msgspec.Meta(min_length=2, max_length=GUARDIANS_MAX)]
Delay = Annotated[int, msgspec.Meta(ge=DELAY_MS_MIN, le=DELAY_MS_MAX)]
RecoveryState = Literal["open", "pending", "vetoed", "completed"]
OPEN, PENDING, LAPSED = "open", "pending", "lapsed"


# Records


class Appointment(Schema, frozen=True, kw_only=True):
    """Who the guardians are, how many of them must agree, how long the lock runs, and from when this holds."""

    guardians: Guardians
    threshold: Count
    delay_ms: Delay
    from_ms: Count


class GuardiansRecord(Record, frozen=True, kw_only=True):
    """`guardians/ORGANISATION`: the appointment in force, and the one that follows it."""

    organisation: str
    current: Appointment
    following: Appointment | None = None


class Try(Schema, frozen=True, kw_only=True):
    """That a guardian opened a recovery."""

    guardian: str
    opened_ms: Count


class RecoveryRecord(Record, frozen=True, kw_only=True):
    """`recovery/ORGANISATION`: the latest recovery, under the appointment that was in force when it was opened.

    `open` until enough have approved, then `pending` until `unlocks_ms` and completion; `tries` are the recent ones.
    """

    organisation: str
    attempt: Count
    state: RecoveryState
    public_keys: tuple[Hash, ...]
    appointment: Appointment
    approvals: tuple[str, ...]
    opened_ms: Count
    unlocks_ms: Count | None = None
    tries: tuple[Try, ...]


# Messages


class AppointGuardians(Message, frozen=True, kw_only=True):
    """Name the members who may together replace one's lost keys; a later choice holds only after the old delay."""

    organisation: Annotated[Member, WORLD]
    guardians: Annotated[Guardians, WORLD]
    threshold: Annotated[Count, WORLD]
    delay_ms: Annotated[Delay, WORLD]

    @property
    def subject(self) -> str:
        """The organisation."""
        return self.organisation


class OpenRecovery(Message, frozen=True, kw_only=True):
    """Open the recovery of an organisation as one of its guardians, with its new root keys; counts as approval."""

    organisation: Annotated[Member, WORLD]
    public_keys: Annotated[tuple[Hash, ...], msgspec.Meta(min_length=1, max_length=RECOVERY_KEYS_MAX), WORLD]
    possessions: Annotated[tuple[SignatureText, ...], msgspec.Meta(min_length=1, max_length=RECOVERY_KEYS_MAX), WORLD]

    @property
    def subject(self) -> str:
        """The organisation."""
        return self.organisation


class _Attempt(Message, frozen=True, kw_only=True):
    organisation: Annotated[Member, WORLD]
    attempt: Annotated[Count, WORLD]

    @property
    def subject(self) -> str:
        """The organisation."""
        return self.organisation


class ApproveRecovery(_Attempt, frozen=True, kw_only=True):
    """Approve the recovery of this number as one of the guardians; with enough of them its lock begins to run."""


class VetoRecovery(_Attempt, frozen=True, kw_only=True):
    """End the recovery of one's own organisation: its keys are not lost. Any key but a device's may sign it."""


class CompleteRecovery(_Attempt, frozen=True, kw_only=True):
    """Once the lock has ended, let every key of the organisation end and the new root keys begin."""


# Rules


class Standing(NamedTuple):
    """A recovery with what it is now."""

    record: RecoveryRecord
    state: str


def guardians_key(organisation: str) -> str:
    """Where the guardians of an organisation lie in the state map."""
    return f"guardians/{organisation}"


def recovery_key(organisation: str) -> str:
    """Where the latest recovery of an organisation lies in the state map."""
    return f"recovery/{organisation}"


def derive_appointment(record: GuardiansRecord, time_ms: int) -> Appointment:
    """The appointment in force: the following one once its time has come."""
    following = record.following
    return following if following is not None and time_ms >= following.from_ms else record.current


def derive_recovery_state(record: RecoveryRecord, time_ms: int) -> str:
    """What a recovery is now: one that was not approved, or not completed, in its time has lapsed."""
    if record.state == OPEN:
        return LAPSED if time_ms > record.opened_ms + ATTEMPT_MS else OPEN
    if record.state == PENDING and record.unlocks_ms is not None:
        return LAPSED if time_ms > record.unlocks_ms + ATTEMPT_MS else PENDING
    return record.state


def _get_appointment(context: Context, organisation: str) -> Appointment:
    record = context.get(GuardiansRecord, guardians_key(organisation))
    require(is_member(context.get_bytes, organisation), Reason.UNKNOWN_ORGANISATION, organisation=organisation)
    if record is None:
        raise Rejected(Reason.NO_GUARDIANS, organisation=organisation)
    return derive_appointment(record, context.time_ms)


def _get_recovery(context: Context, message: _Attempt) -> Standing:
    """The recovery of that number while it is under way; raises `Rejected` otherwise."""
    record = context.get(RecoveryRecord, recovery_key(message.organisation))
    if record is None or record.attempt != message.attempt:
        raise Rejected(Reason.NO_OPEN_RECOVERY, organisation=message.organisation)
    state = derive_recovery_state(record, context.time_ms)
    require(state in (OPEN, PENDING), Reason.NO_OPEN_RECOVERY, state=state)
    return Standing(record, state)


def _require_guardian(context: Context, appointment: Appointment) -> None:
    require(context.organisation in appointment.guardians, Reason.NOT_A_GUARDIAN)


def _put(context: Context, record: RecoveryRecord) -> None:
    changed = msgspec.structs.replace(record, version=record.version + 1, provenance=context.provenance)
    context.put(recovery_key(record.organisation), changed)


def _recent_tries(context: Context, record: RecoveryRecord | None) -> tuple[Try, ...]:
    tries = () if record is None else record.tries
    return tuple(one for one in tries if context.time_ms < one.opened_ms + PERIOD_MS)


# Handlers


def _appoint(context: Context, message: AppointGuardians) -> list[Event]:
    require(message.organisation == context.organisation, Reason.NOT_YOUR_KEY)
    require_standing(context)
    distinct = len(dict.fromkeys(message.guardians)) == len(message.guardians)
    others = all(is_member(context.get_bytes, one) and one != context.organisation for one in message.guardians)
    enough = 2 <= message.threshold <= len(message.guardians)
    require(distinct and others and enough, Reason.WRONG_GUARDIANS)
    known = context.get(GuardiansRecord, guardians_key(message.organisation))
    current = None if known is None else derive_appointment(known, context.time_ms)
    appointment = Appointment(
        guardians=message.guardians,
        threshold=message.threshold,
        delay_ms=message.delay_ms,
        # A thief of the root key must wait as long as if he recovered it: the owner can be back before.
        from_ms=context.time_ms + (0 if current is None else current.delay_ms),
    )
    record = GuardiansRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        organisation=message.organisation,
        current=current or appointment,
        following=None if current is None else appointment,
    )
    context.put(guardians_key(message.organisation), record)
    return [{"type": "GuardiansAppointed", "organisation": message.organisation, "from_ms": appointment.from_ms}]


def _open(context: Context, message: OpenRecovery) -> list[Event]:
    appointment = _get_appointment(context, message.organisation)
    _require_guardian(context, appointment)
    known = context.get(RecoveryRecord, recovery_key(message.organisation))
    state = "" if known is None else derive_recovery_state(known, context.time_ms)
    require(state not in (OPEN, PENDING), Reason.RECOVERY_OPEN)
    tries = _recent_tries(context, known)
    require(all(one.guardian != context.organisation for one in tries), Reason.TOO_MANY_RECOVERIES)
    _require_new_keys(context, message)
    record = RecoveryRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        organisation=message.organisation,
        attempt=1 if known is None else known.attempt + 1,
        state="open",
        public_keys=message.public_keys,
        appointment=appointment,
        approvals=(context.organisation,),
        opened_ms=context.time_ms,
        tries=(*tries, Try(guardian=context.organisation, opened_ms=context.time_ms)),
    )
    context.put(recovery_key(message.organisation), record)
    return [{"type": "RecoveryOpened", "organisation": message.organisation, "attempt": record.attempt}]


def _require_new_keys(context: Context, message: OpenRecovery) -> None:
    keys, possessions = message.public_keys, message.possessions
    paired = len(keys) == len(possessions) == len(dict.fromkeys(keys))
    require(paired, Reason.MALFORMED_MESSAGE, field="public_keys")
    for public_key, possession in zip(keys, possessions, strict=True):
        require_new_key(context, public_key)
        require_possession(context, message.organisation, public_key, possession)


def _approve(context: Context, message: ApproveRecovery) -> list[Event]:
    record, state = _get_recovery(context, message)
    _require_guardian(context, record.appointment)
    require(state == OPEN and context.organisation not in record.approvals, Reason.APPROVED_ALREADY)
    approvals = tuple(sorted((*record.approvals, context.organisation)))
    approved = msgspec.structs.replace(record, approvals=approvals)
    named: Event = {"organisation": message.organisation, "attempt": message.attempt}
    events: list[Event] = [{"type": "RecoveryApproved", **named}]
    if len(approvals) >= record.appointment.threshold:
        unlocks_ms = context.time_ms + record.appointment.delay_ms
        approved = msgspec.structs.replace(approved, state="pending", unlocks_ms=unlocks_ms)
        events.append({"type": "RecoveryLocked", **named, "unlocks_ms": unlocks_ms})
    _put(context, approved)
    return events


def _veto(context: Context, message: VetoRecovery) -> list[Event]:
    require(message.organisation == context.organisation, Reason.NOT_YOUR_KEY)
    record, _ = _get_recovery(context, message)
    _put(context, msgspec.structs.replace(record, state="vetoed"))
    return [{"type": "RecoveryVetoed", "organisation": message.organisation, "attempt": message.attempt}]


def _complete(context: Context, message: CompleteRecovery) -> list[Event]:
    record, state = _get_recovery(context, message)
    _require_guardian(context, record.appointment)
    unlocks_ms = record.unlocks_ms
    if state != PENDING or unlocks_ms is None:
        raise Rejected(Reason.LOCK_NOT_RUNNING)
    require(context.time_ms >= unlocks_ms, Reason.TIME_LOCK, unlocks_ms=unlocks_ms)
    member = get_organisation(context, message.organisation)
    if member is None:
        raise Rejected(Reason.UNKNOWN_ORGANISATION, organisation=message.organisation)
    for public_key in record.public_keys:
        require_new_key(context, public_key)
    end_all_keys(context, message.organisation)
    for public_key in record.public_keys:
        put_root_key(context, message.organisation, public_key)
    put_organisation(context, replace(member, root_keys=record.public_keys))
    _put(context, msgspec.structs.replace(record, state="completed"))
    return [{"type": "RecoveryCompleted", "organisation": message.organisation, "attempt": message.attempt}]


CONTRACT = Contract(
    "recovery",
    {
        AppointGuardians: _appoint,
        OpenRecovery: _open,
        ApproveRecovery: _approve,
        VetoRecovery: _veto,
        CompleteRecovery: _complete,
    },
)
