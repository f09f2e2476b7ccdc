"""The file of a dispute over a unit, and the claims that open one by themselves.

A dispute counts against the quota of who opened it and of the unit; only a party's holds a register still, one entry
of it once, and none does so for ever. Members who are not concerned with a unit fill half of its quota at most, and
no member more than a small share: a party always finds room, whatever another party does.
"""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import (
    WORLD,
    Battery,
    Committed,
    Contest,
    Contested,
    Context,
    Count,
    Member,
    Record,
    Reference,
    Schema,
    require,
)
from cellvow.core.contracts.register import REGISTERS, RegisterName
from cellvow.core.contracts.whole import stands
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import (
    BATTERY_DISPUTES_MAX,
    BATTERY_DISPUTES_OF_MEMBER_MAX,
    DISPUTES_ENDED_MAX,
    DISPUTES_OPEN_MAX,
)

DAY_MS = 86_400_000
LAPSE_MS = 365 * DAY_MS
"""How long a dispute that nobody ends holds anything still; who opened it may open it anew."""
DISMISSED_MS = 90 * DAY_MS
"""How long a dispute or claim that was dismissed counts against the quota of who opened it."""

Topic = Literal["custody", "ownership", "responsibility", "certificate", "identity", "safety", "rule_gap"]
"""What a member may dispute in his own words; what a message claims by itself is a `Contest`."""
DisputeState = Literal["open", "withdrawn", "settled", "decided"]
Verdict = Literal["upheld", "dismissed", "divided"]
OPEN, LAPSED = "open", "lapsed"


# Records


class Move(Schema, frozen=True, kw_only=True):
    """That a register of the unit names this organisation from now on."""

    register: Annotated[RegisterName, WORLD]
    organisation: Annotated[Member, WORLD]


Moves = Annotated[tuple[Move, ...], msgspec.Meta(max_length=len(REGISTERS)), WORLD]


class Position(Schema, frozen=True, kw_only=True):
    """What one side says: commitments to its text and to the documents it rests on."""

    organisation: str
    text: Committed
    evidence: tuple[Committed, ...]
    stated_ms: Count


class Settlement(Schema, frozen=True, kw_only=True):
    """What one side has proposed to end the dispute with."""

    organisation: str
    moves: tuple[Move, ...]


class Decision(Schema, frozen=True, kw_only=True):
    """What an arbiter decided, on which grounds (a commitment), and what it moved."""

    arbiter: str
    outcome: Verdict
    grounds: Committed
    moves: tuple[Move, ...]
    voids_tests: bool
    decided_ms: Count


class DisputeRecord(Record, frozen=True, kw_only=True):
    """`dispute/ORGANISATION/REFERENCE`: one dispute; `organisation` opened it.

    `is_claim`: a message opened it by itself, and its statement is the evidence. `holds` are the registers that do
    not move while it is open. `named_by_opener` and `named_by_respondent` are the arbiters each side wants.
    """

    organisation: str
    reference: Reference
    battery: Battery
    topic: Contest | Topic
    respondent: str | None
    is_claim: bool
    holds: tuple[RegisterName, ...]
    opened_ms: Count
    state: DisputeState
    positions: tuple[Position, ...] = ()
    named_by_opener: str | None = None
    named_by_respondent: str | None = None
    settlement: Settlement | None = None
    decision: Decision | None = None


class DisputeName(Schema, frozen=True, kw_only=True):
    """Which dispute: who opened it, under which reference."""

    organisation: str
    reference: Reference


class UnitDisputes(Record, frozen=True, kw_only=True):
    """`disputes/BATTERY`: the disputes over a unit that were open when one was last opened or ended.

    `ended` are the latest of those that are over, oldest first, and before them those in which an arbiter found
    something; the others are in the unit's history.
    """

    disputes: tuple[DisputeName, ...] = ()
    ended: tuple[DisputeName, ...] = ()


class HoldRecord(Record, frozen=True, kw_only=True):
    """`hold/REGISTER/BATTERY/ORGANISATION`: the entry of a register that a party has held still; it does so once."""

    battery: Battery
    entry: Count


class MemberDisputes(Record, frozen=True, kw_only=True):
    """`disputing/ORGANISATION`: the disputes it opened, counted against its quota; `claims` numbers its claims."""

    disputes: tuple[DisputeName, ...] = ()
    claims: Count = 0
    dismissed_ms: tuple[Count, ...] = ()


# Rules


def dispute_key(organisation: str, reference: str) -> str:
    """Where a dispute lies in the state map."""
    return f"dispute/{organisation}/{reference}"


def unit_disputes_key(battery: str) -> str:
    """Where the open disputes over a unit lie in the state map."""
    return f"disputes/{battery}"


def hold_key(register: str, battery: str, organisation: str) -> str:
    """Where it lies in the state map which entry of a register a party has held still."""
    return f"hold/{register}/{battery}/{organisation}"


def member_disputes_key(organisation: str) -> str:
    """Where the disputes that a member opened lie in the state map."""
    return f"disputing/{organisation}"


def derive_dispute_state(record: DisputeRecord, time_ms: int) -> str:
    """What a dispute is now: one that nobody ended in its time has lapsed."""
    if record.state == OPEN and time_ms > record.opened_ms + LAPSE_MS:
        return LAPSED
    return record.state


def find_open_disputes(context: Context, battery: str) -> list[DisputeRecord]:
    """The disputes over a unit that are open now, in the order they were opened."""
    listed = context.get(UnitDisputes, unit_disputes_key(battery))
    return _still_open(context, () if listed is None else listed.disputes)


def require_movable(context: Context, register: str, battery: str) -> None:
    """Raise `Rejected` while a dispute between parties holds the register still."""
    for record in find_open_disputes(context, battery):
        held = register in record.holds
        require(not held, Reason.REGISTER_DISPUTED, register=register, dispute=record.reference)


def is_concerned(context: Context, battery: str) -> bool:
    """Whether the signer made the unit or stands in one of its registers."""
    unit = context.get(BatteryRecord, battery_key(battery))
    if unit is None:
        return False
    is_named = any(stands(context, register, battery) for register in REGISTERS)
    return is_named or context.organisation == unit.organisation


def _still_open(context: Context, names: tuple[DisputeName, ...]) -> list[DisputeRecord]:
    records = (context.get(DisputeRecord, dispute_key(one.organisation, one.reference)) for one in names)
    return [one for one in records if one is not None and derive_dispute_state(one, context.time_ms) == OPEN]


def _name(record: DisputeRecord) -> DisputeName:
    return DisputeName(organisation=record.organisation, reference=record.reference)


def count_opening(context: Context, record: DisputeRecord) -> None:
    """Write a new dispute, and count it against the quota of its opener and of the unit; raises `Rejected`."""
    key = member_disputes_key(record.organisation)
    own = context.get(MemberDisputes, key) or MemberDisputes(provenance=context.provenance, version=0)
    open_now = _still_open(context, own.disputes)
    recent = tuple(one for one in own.dismissed_ms if context.time_ms < one + DISMISSED_MS)
    over = find_open_disputes(context, record.battery)
    room = BATTERY_DISPUTES_MAX if is_concerned(context, record.battery) else BATTERY_DISPUTES_MAX // 2
    enough = len(open_now) + len(recent) < DISPUTES_OPEN_MAX and len(over) < room
    share = sum(one.organisation == record.organisation for one in over)
    enough = enough and share < BATTERY_DISPUTES_OF_MEMBER_MAX
    require(enough, Reason.TOO_MANY_DISPUTES, open=len(open_now), dismissed=len(recent))
    counted = msgspec.structs.replace(
        own,
        disputes=(*map(_name, open_now), _name(record)),
        claims=own.claims + (1 if record.is_claim else 0),
        dismissed_ms=recent,
        version=own.version + 1,
        provenance=context.provenance,
    )
    context.put(key, counted)
    _list_over(context, record.battery, (*map(_name, over), _name(record)))
    context.put(dispute_key(record.organisation, record.reference), record)


def _list_over(context: Context, battery: str, names: tuple[DisputeName, ...]) -> None:
    key = unit_disputes_key(battery)
    known = context.get(UnitDisputes, key)
    if known is None:
        known = UnitDisputes(provenance=context.provenance, version=0)
    ended = _keep_ended(context, (*known.ended, *(one for one in known.disputes if one not in names)))
    version = known.version + 1
    context.put(key, UnitDisputes(provenance=context.provenance, version=version, disputes=names, ended=ended))


def _keep_ended(context: Context, ended: tuple[DisputeName, ...]) -> tuple[DisputeName, ...]:
    """The latest of those that are over, as many as a unit names; what an arbiter found goes last.

    Else whoever lost could bury the decision under disputes that he opens and withdraws.
    """
    kept = list(ended)
    while len(kept) > DISPUTES_ENDED_MAX:
        kept.remove(next((one for one in kept if not _is_found(context, one)), kept[0]))
    return tuple(kept)


def _is_found(context: Context, name: DisputeName) -> bool:
    record = context.get(DisputeRecord, dispute_key(name.organisation, name.reference))
    decision = None if record is None else record.decision
    return decision is not None and decision.outcome != "dismissed"


def put_dispute(context: Context, record: DisputeRecord) -> None:
    """Write the next version of a dispute."""
    changed = msgspec.structs.replace(record, version=record.version + 1, provenance=context.provenance)
    context.put(dispute_key(record.organisation, record.reference), changed)


def end_dispute(context: Context, record: DisputeRecord, *, dismissed: bool = False) -> None:
    """Write a dispute that has ended, and take it off the lists."""
    put_dispute(context, record)
    key = member_disputes_key(record.organisation)
    own = context.get(MemberDisputes, key)
    if own is not None:
        kept = tuple(one for one in own.disputes if one != _name(record))
        times = (*own.dismissed_ms, context.time_ms)[-DISPUTES_OPEN_MAX:] if dismissed else own.dismissed_ms
        ended = msgspec.structs.replace(
            own, disputes=kept, dismissed_ms=times, version=own.version + 1, provenance=context.provenance
        )
        context.put(key, ended)
    _list_over(context, record.battery, tuple(map(_name, find_open_disputes(context, record.battery))))


def open_claim(context: Context, claim: Contested) -> list[Event]:
    """Keep what a message claims against the registers; raises `Rejected` past the signer's quota.

    The message's own statement is the evidence. Somebody who repeats his claim is pointed to the one that is open.
    """
    for known in find_open_disputes(context, claim.battery):
        is_same = known.is_claim and (known.organisation, known.topic) == (context.organisation, claim.about)
        require(not is_same, Reason.DISPUTE_EXISTS, reference=known.reference)
    respondent = None if claim.respondent == context.organisation else claim.respondent
    own = context.get(MemberDisputes, member_disputes_key(context.organisation))
    record = DisputeRecord(
        provenance=context.provenance,
        organisation=context.organisation,
        reference=f"CLAIM-{1 if own is None else own.claims + 1}",
        battery=claim.battery,
        topic=claim.about,
        respondent=respondent,
        is_claim=True,
        holds=(),
        opened_ms=context.time_ms,
        state="open",
    )
    count_opening(context, record)
    return [dispute_event("DisputeOpened", record)]


def dispute_event(kind: str, record: DisputeRecord, **more: str) -> Event:
    """What is recorded of a dispute."""
    named: Event = {"type": kind, "battery": record.battery, "opener": record.organisation}
    return {**named, "reference": record.reference, "topic": record.topic, **more}
