"""Taking over an orphaned unit: a notice with evidence, time to object, and then another operator answers for it.

Responsibility moves, and custody where the same organisation was registered as holding it: whoever answers for a unit
must be able to have it tested, moved and recycled. Ownership never does: title passes by the owner's own signature, or
by an arbiter's decision in a dispute over it.
"""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.battery import BatteryRecord, get_battery
from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Battery,
    Committed,
    Context,
    Contract,
    Count,
    OfUnit,
    Record,
    require,
    require_version,
)
from cellvow.core.contracts.dispute_file import DAY_MS, require_movable
from cellvow.core.contracts.life import require_fit_for_waste
from cellvow.core.contracts.organisation import is_member, require_role
from cellvow.core.contracts.register import (
    CUSTODY,
    REGISTERS,
    RESPONSIBILITY,
    RegisterName,
    RegisterRecord,
    get_register,
    put_register,
)
from cellvow.core.contracts.use import WASTE
from cellvow.core.ledger.genesis import PRODUCERS_ORGANISATION
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.limits import EVIDENCE_MAX

NOTICE_MS = 30 * DAY_MS
"""How long who is registered can object; an organisation that is no member any more cannot, and is not waited for."""
COMPLETION_MS = 30 * DAY_MS
"""How long after the notice it can be completed; after that it has lapsed."""
ANSWERED_MS = 90 * DAY_MS
"""How long an objection shows that somebody is there: until then nobody gives notice of the same entry again."""
OPERATORS = ("second_life_operator", "recycler", "operator", "manufacturer")
"""Who may take over a unit that nobody answers for; who acts for producers together takes over waste alone."""
OPEN, MOOT, LAPSED = "open", "moot", "lapsed"

Cause = Literal["insolvent", "unreachable", "abandoned", "removed"]
TakeoverState = Literal["open", "objected", "completed", "withdrawn"]
Evidence = Annotated[tuple[Committed, ...], msgspec.Meta(max_length=EVIDENCE_MAX), WORLD]


# Records


class TakeoverRecord(Record, frozen=True, kw_only=True):
    """`takeover/BATTERY`: the latest notice. `entry` is the version of the responsibility register it speaks of."""

    battery: Battery
    by: str
    respondent: str
    entry: Count
    cause: Cause
    evidence: tuple[Committed, ...]
    state: TakeoverState
    since_ms: Count
    ends_ms: Count
    objected_by: str | None = None


# Messages


class GiveNotice(OfUnit, frozen=True, kw_only=True):
    """Give notice that one takes a unit over, since who answers for it is gone; `version` is its register's."""

    version: Annotated[Count, MEMBERS]
    cause: Annotated[Cause, MEMBERS]
    evidence: Evidence = ()


class _OnNotice(OfUnit, frozen=True, kw_only=True):
    version: Annotated[Count, MEMBERS]


class ObjectToTakeover(_OnNotice, frozen=True, kw_only=True):
    """Object, as an organisation in one of the unit's registers: the notice ends, and its giver may dispute instead."""


class CompleteTakeover(_OnNotice, frozen=True, kw_only=True):
    """Take the unit over, once the notice has ended without an objection."""


class WithdrawNotice(_OnNotice, frozen=True, kw_only=True):
    """Withdraw one's own notice."""


# Rules


def takeover_key(battery: str) -> str:
    """Where the latest notice of a take-over lies in the state map."""
    return f"takeover/{battery}"


def derive_takeover_state(record: TakeoverRecord, answers: RegisterRecord, time_ms: int) -> str:
    """What a notice is now: moot once somebody else answers for the unit, lapsed where it was not completed in time."""
    if record.state != OPEN:
        return record.state
    if answers.version != record.entry:
        return MOOT
    return LAPSED if time_ms > record.ends_ms + COMPLETION_MS else OPEN


def _get_open_notice(context: Context, message: _OnNotice) -> TakeoverRecord:
    """The running notice of this version, or `Rejected`."""
    record = context.get(TakeoverRecord, takeover_key(message.battery))
    if record is None:
        raise Rejected(Reason.NO_OPEN_TAKEOVER, battery=message.battery)
    state = derive_takeover_state(record, get_register(context, RESPONSIBILITY, message.battery), context.time_ms)
    require(state == OPEN, Reason.NO_OPEN_TAKEOVER, state=state)
    require_version(record, message.version)
    return record


def _require_claimant(context: Context, unit: BatteryRecord) -> None:
    """Raise `Rejected` unless the signer may answer for this unit in law."""
    require_role(context, *OPERATORS, *((PRODUCERS_ORGANISATION,) if unit.status == WASTE else ()))
    require_fit_for_waste(context, unit, context.organisation)


def _require_orphaned(context: Context, known: TakeoverRecord | None, answers: RegisterRecord) -> None:
    """Raise `Rejected` where somebody answers for the unit: the signer himself, or one who has objected of late."""
    require(answers.organisation != context.organisation, Reason.NOT_ORPHANED, registered=answers.organisation)
    if known is None or known.entry != answers.version or not is_member(context.get_bytes, answers.organisation):
        return
    answered = known.state == "objected" and context.time_ms < known.since_ms + ANSWERED_MS
    require(not answered, Reason.NOT_ORPHANED, registered=answers.organisation)


def _moving(context: Context, battery: str) -> tuple[RegisterName, ...]:
    """Which registers a take-over moves now; raises `Rejected` where one of them is disputed."""
    answers = get_register(context, RESPONSIBILITY, battery)
    holds = get_register(context, CUSTODY, battery)
    moving: tuple[RegisterName, ...] = ("responsibility",)
    if holds.organisation == answers.organisation:
        moving = ("custody", "responsibility")
    for register in moving:
        require_movable(context, register, battery)
    return moving


def _close(context: Context, record: TakeoverRecord, state: TakeoverState, objected_by: str | None = None) -> None:
    closed = msgspec.structs.replace(
        record,
        state=state,
        since_ms=context.time_ms,
        objected_by=objected_by,
        version=record.version + 1,
        provenance=context.provenance,
    )
    context.put(takeover_key(record.battery), closed)


# Handlers


def _give_notice(context: Context, message: GiveNotice) -> list[Event]:
    unit = get_battery(context, message.battery)
    _require_claimant(context, unit)
    require(unit.part_of is None, Reason.PART_OF_ANOTHER, battery=unit.part_of or "")
    answers = get_register(context, RESPONSIBILITY, message.battery)
    known = context.get(TakeoverRecord, takeover_key(message.battery))
    _require_orphaned(context, known, answers)
    require_version(answers, message.version)
    is_running = known is not None and derive_takeover_state(known, answers, context.time_ms) == OPEN
    require(not is_running, Reason.TAKEOVER_OPEN, battery=message.battery)
    _moving(context, message.battery)
    waits = NOTICE_MS if is_member(context.get_bytes, answers.organisation) else 0
    record = TakeoverRecord(
        provenance=context.provenance,
        version=1 if known is None else known.version + 1,
        battery=message.battery,
        by=context.organisation,
        respondent=answers.organisation,
        entry=answers.version,
        cause=message.cause,
        evidence=message.evidence,
        state="open",
        since_ms=context.time_ms,
        ends_ms=context.time_ms + waits,
    )
    context.put(takeover_key(message.battery), record)
    noticed: Event = {"type": "TakeoverNoticed", "battery": message.battery, "version": record.version}
    return [{**noticed, "by": context.organisation, "respondent": answers.organisation, "ends_ms": record.ends_ms}]


def _object(context: Context, message: ObjectToTakeover) -> list[Event]:
    record = _get_open_notice(context, message)
    standing = [get_register(context, register, message.battery).organisation for register in REGISTERS]
    is_registered = context.organisation in standing and context.organisation != record.by
    require(is_registered, Reason.NOT_IN_THE_REGISTER, battery=message.battery)
    _close(context, record, "objected", context.organisation)
    return [{"type": "TakeoverObjected", "battery": message.battery, "by": context.organisation}]


def _complete(context: Context, message: CompleteTakeover) -> list[Event]:
    unit = get_battery(context, message.battery)
    record = _get_open_notice(context, message)
    require(record.by == context.organisation, Reason.NO_OPEN_TAKEOVER, by=record.by)
    _require_claimant(context, unit)
    require(unit.part_of is None, Reason.PART_OF_ANOTHER, battery=unit.part_of or "")
    require(context.time_ms >= record.ends_ms, Reason.NOTICE_RUNNING, ends_ms=record.ends_ms)
    moving = _moving(context, message.battery)
    _close(context, record, "completed")
    for register in moving:
        put_register(context, register, message.battery, context.organisation)
    return [{"type": "TakeoverCompleted", "battery": message.battery, "registers": list(moving)}]


def _withdraw(context: Context, message: WithdrawNotice) -> list[Event]:
    record = _get_open_notice(context, message)
    require(record.by == context.organisation, Reason.NO_OPEN_TAKEOVER, by=record.by)
    _close(context, record, "withdrawn")
    return [{"type": "TakeoverWithdrawn", "battery": message.battery}]


CONTRACT = Contract(
    "takeover",
    {
        GiveNotice: _give_notice,
        ObjectToTakeover: _object,
        CompleteTakeover: _complete,
        WithdrawNotice: _withdraw,
    },
)
