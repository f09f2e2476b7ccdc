"""Disputes over a unit: what two sides say against each other, with evidence, an arbiter and what his decision moves.

A message that claims what the registers deny opens one by itself (`open_claim`); any member may open another. Both
sides see the same file. Only a party's dispute holds a register still, every member's open disputes are counted, and
each dispute has a way out: it is withdrawn, settled by both, decided, or lapses.
"""

from collections.abc import Callable
from typing import Annotated

import msgspec

from cellvow.core.contracts.battery import BatteryRecord, battery_key, find_battery, void_tests
from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Committed,
    Context,
    Contract,
    Count,
    Member,
    OfUnit,
    Reference,
    require,
    require_version,
)
from cellvow.core.contracts.dispute_file import (
    DAY_MS,
    OPEN,
    Decision,
    DisputeRecord,
    HoldRecord,
    Move,
    Moves,
    Position,
    Settlement,
    Topic,
    Verdict,
    count_opening,
    derive_dispute_state,
    dispute_event,
    dispute_key,
    end_dispute,
    hold_key,
    put_dispute,
    require_movable,
)
from cellvow.core.contracts.life import require_fit_for_waste
from cellvow.core.contracts.organisation import get_organisation, is_member
from cellvow.core.contracts.register import (
    OWNERSHIP,
    REGISTERS,
    RESPONSIBILITY,
    RegisterName,
    get_register,
    put_register,
)
from cellvow.core.contracts.sign import forget_bounds
from cellvow.core.contracts.whole import derive_registered
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.limits import EVIDENCE_MAX, POSITIONS_MAX

AGREED_MS = 180 * DAY_MS
"""How long the arbiter whom both sides named has the case to himself; after that an authority may step in."""
AUTHORITY = "authority"

Evidence = Annotated[tuple[Committed, ...], msgspec.Meta(max_length=EVIDENCE_MAX), WORLD]


# Messages


class OpenDispute(OfUnit, frozen=True, kw_only=True):
    """Open a dispute over a unit with one's first position; `rule_gap` needs no respondent."""

    reference: Annotated[Reference, WORLD]
    topic: Annotated[Topic, WORLD]
    respondent: Annotated[Member | None, MEMBERS] = None
    text: Annotated[Committed, WORLD]
    evidence: Evidence = ()
    arbiter: Annotated[Member | None, MEMBERS] = None


class _InDispute(OfUnit, frozen=True, kw_only=True):
    opener: Annotated[Member, MEMBERS]
    reference: Annotated[Reference, WORLD]


class StatePosition(_InDispute, frozen=True, kw_only=True):
    """State one's position as a party of the dispute: commitments to a text and to documents."""

    text: Annotated[Committed, WORLD]
    evidence: Evidence = ()


class NominateArbiter(_InDispute, frozen=True, kw_only=True):
    """Name the member who shall decide; he has the case to himself once both sides have named him, and stays so."""

    arbiter: Annotated[Member, MEMBERS]


class WithdrawDispute(_InDispute, frozen=True, kw_only=True):
    """Withdraw one's own dispute or claim; it stays readable."""


class ProposeSettlement(_InDispute, frozen=True, kw_only=True):
    """Propose to the other side what shall end the dispute: registers that move between the two, or none."""

    moves: Moves = ()


class AcceptSettlement(_InDispute, frozen=True, kw_only=True):
    """Accept what the other side has proposed last: the dispute ends, and the registers move as proposed."""

    version: Annotated[Count, MEMBERS]


class DecideDispute(_InDispute, frozen=True, kw_only=True):
    """Decide a dispute as its arbiter, on grounds that are committed to; `positions` is how many he has read.

    They fence the decision, and not the version: a party that goes on naming arbiters must not put it off.
    """

    positions: Annotated[Count, MEMBERS]
    outcome: Annotated[Verdict, WORLD]
    grounds: Annotated[Committed, WORLD]
    moves: Moves = ()
    voids_tests: Annotated[bool, WORLD] = False


# Rules


def _get_dispute(context: Context, message: _InDispute) -> DisputeRecord:
    """The open dispute a message is about, or `Rejected`."""
    record = context.get(DisputeRecord, dispute_key(message.opener, message.reference))
    if record is None or record.battery != message.battery:
        raise Rejected(Reason.UNKNOWN_DISPUTE, reference=message.reference)
    state = derive_dispute_state(record, context.time_ms)
    require(state == OPEN, Reason.DISPUTE_NOT_OPEN, state=state)
    return record


def _require_party(context: Context, record: DisputeRecord) -> None:
    require(context.organisation in (record.organisation, record.respondent), Reason.NOT_A_PARTY)


def _parties(record: DisputeRecord) -> tuple[str | None, ...]:
    return record.organisation, record.respondent


def _require_fit(context: Context, parties: tuple[str | None, ...], arbiter: str) -> None:
    """Raise `Rejected` where somebody is named as arbiter who is a party himself, or no member."""
    is_fit = arbiter not in parties and is_member(context.get_bytes, arbiter)
    require(is_fit, Reason.NOT_THE_ARBITER, organisation=arbiter)


def derive_arbiter(read: Callable[[str], bytes | None], record: DisputeRecord, time_ms: int) -> str | None:
    """Whom both sides have named, while he has the case to himself; None where an authority may decide."""
    named = record.named_by_opener
    agreed = named is not None and named == record.named_by_respondent and is_member(read, named)
    return named if agreed and time_ms <= record.opened_ms + AGREED_MS else None


def _require_arbiter(context: Context, record: DisputeRecord) -> None:
    """The one whom both sides named decides; without agreement, or once he let it lie, an authority does."""
    named = derive_arbiter(context.get_bytes, record, context.time_ms)
    both = record.named_by_opener == record.named_by_respondent == context.organisation
    may_decide = both or (named is None and _is_authority(context))
    require(may_decide and context.organisation not in _parties(record), Reason.NOT_THE_ARBITER)


def _require_moves(context: Context, record: DisputeRecord, moves: tuple[Move, ...]) -> None:
    """Raise `Rejected` unless every move takes a register from one party, or leaves it, and names a party.

    A part goes where its whole goes, and a unit that has ceased, or was never registered, is nobody's to move.
    """
    if not moves:
        return
    parties = _parties(record)
    unit = context.get(BatteryRecord, battery_key(record.battery))
    is_free = unit is not None and unit.part_of is None and unit.ceased is None
    require(is_free and len({move.register: move for move in moves}) == len(moves), Reason.WRONG_EFFECT)
    for move in moves:
        registered = get_register(context, move.register, record.battery).organisation
        between = registered in parties and move.organisation in parties
        require(between and is_member(context.get_bytes, move.organisation), Reason.WRONG_EFFECT)
        if unit is not None and move.register == RESPONSIBILITY:
            require_fit_for_waste(context, unit, move.organisation)


def _apply_moves(context: Context, record: DisputeRecord, moves: tuple[Move, ...]) -> None:
    """Move registers once the dispute has ended; one that another dispute holds stays where it is, and so does this."""
    _require_moves(context, record, moves)
    for move in moves:
        require_movable(context, move.register, record.battery)
        put_register(context, move.register, record.battery, move.organisation)


def _hold(context: Context, message: OpenDispute) -> tuple[RegisterName, ...]:
    """The register that stands still from now on: disputed between who is registered and another who is concerned.

    A party holds one entry of a register still once: what it withdrew, lost or let lapse it cannot hold again.
    """
    if message.topic not in ("custody", "ownership", "responsibility"):
        return ()
    entry = derive_registered(context.get_bytes, message.topic, message.battery)
    if not _may_hold(context, message) or entry.organisation not in (context.organisation, message.respondent):
        return ()
    key = hold_key(message.topic, message.battery, context.organisation)
    known = context.get(HoldRecord, key)
    if known is not None and known.entry == entry.version:
        return ()
    version = 1 if known is None else known.version + 1
    held = HoldRecord(provenance=context.provenance, version=version, battery=message.battery, entry=entry.version)
    context.put(key, held)
    return (message.topic,)


def _standing(context: Context, battery: str, registers: tuple[str, ...]) -> list[str]:
    """Who stands in the registers that count for a unit: for a part, those of the unit it is in."""
    return [derive_registered(context.get_bytes, one, battery).organisation for one in registers]


def _may_hold(context: Context, message: OpenDispute) -> bool:
    """Whether the signer stands in a register; who made the unit answers for it, and keeps nobody from selling it."""
    standing = _standing(context, message.battery, REGISTERS)
    is_maker = find_battery(context, message.battery).organisation == context.organisation
    return context.organisation in standing or (is_maker and message.topic == RESPONSIBILITY)


def _require_voidable(context: Context, record: DisputeRecord) -> None:
    """Raise `Rejected` where two strangers and their arbiter would end the certificates of somebody else's unit."""
    find_battery(context, record.battery)
    standing = _standing(context, record.battery, (OWNERSHIP, RESPONSIBILITY))
    is_theirs = any(one in _parties(record) for one in standing)
    require(is_theirs or _is_authority(context), Reason.WRONG_EFFECT)


def _is_authority(context: Context) -> bool:
    member = get_organisation(context, context.organisation)
    return member is not None and AUTHORITY in member.roles


def _require_respondent(context: Context, message: OpenDispute) -> None:
    """Raise `Rejected` unless the other side is another member, or one that has left and stands in a register still."""
    respondent = message.respondent
    if respondent is None:
        require(message.topic == "rule_gap", Reason.NOT_A_PARTY)
        return
    standing = _standing(context, message.battery, REGISTERS)
    is_known = is_member(context.get_bytes, respondent) or respondent in standing
    require(is_known and respondent != context.organisation, Reason.NOT_A_PARTY)


# Handlers


def _open(context: Context, message: OpenDispute) -> list[Event]:
    find_battery(context, message.battery)
    require(not message.reference.startswith("CLAIM-"), Reason.MALFORMED_MESSAGE, field="reference")
    key = dispute_key(context.organisation, message.reference)
    require(context.get_bytes(key) is None, Reason.DISPUTE_EXISTS, reference=message.reference)
    _require_respondent(context, message)
    if message.arbiter is not None:
        _require_fit(context, (context.organisation, message.respondent), message.arbiter)
    record = DisputeRecord(
        provenance=context.provenance,
        organisation=context.organisation,
        reference=message.reference,
        battery=message.battery,
        topic=message.topic,
        respondent=message.respondent,
        is_claim=False,
        holds=_hold(context, message),
        opened_ms=context.time_ms,
        state="open",
        positions=(_position(context, message.text, message.evidence),),
        named_by_opener=message.arbiter,
    )
    count_opening(context, record)
    return [dispute_event("DisputeOpened", record)]


def _position(context: Context, text: Committed, evidence: tuple[Committed, ...]) -> Position:
    return Position(organisation=context.organisation, text=text, evidence=evidence, stated_ms=context.time_ms)


def _state_position(context: Context, message: StatePosition) -> list[Event]:
    record = _get_dispute(context, message)
    _require_party(context, record)
    own = sum(one.organisation == context.organisation for one in record.positions)
    require(own < POSITIONS_MAX, Reason.TOO_MANY_POSITIONS)
    stated = (*record.positions, _position(context, message.text, message.evidence))
    put_dispute(context, msgspec.structs.replace(record, positions=stated))
    return [dispute_event("PositionStated", record)]


def _nominate(context: Context, message: NominateArbiter) -> list[Event]:
    record = _get_dispute(context, message)
    _require_party(context, record)
    agreed = derive_arbiter(context.get_bytes, record, context.time_ms)
    require(agreed is None, Reason.ARBITER_AGREED, arbiter=agreed or "")
    _require_fit(context, _parties(record), message.arbiter)
    if context.organisation == record.organisation:
        named = msgspec.structs.replace(record, named_by_opener=message.arbiter)
    else:
        named = msgspec.structs.replace(record, named_by_respondent=message.arbiter)
    put_dispute(context, named)
    return [dispute_event("ArbiterNominated", record)]


def _withdraw(context: Context, message: WithdrawDispute) -> list[Event]:
    record = _get_dispute(context, message)
    require(context.organisation == record.organisation, Reason.NOT_A_PARTY)
    end_dispute(context, msgspec.structs.replace(record, state="withdrawn"))
    return [dispute_event("DisputeWithdrawn", record)]


def _propose(context: Context, message: ProposeSettlement) -> list[Event]:
    record = _get_dispute(context, message)
    _require_party(context, record)
    require(record.respondent is not None, Reason.NOT_A_PARTY)
    _require_moves(context, record, message.moves)
    proposed = Settlement(organisation=context.organisation, moves=message.moves)
    put_dispute(context, msgspec.structs.replace(record, settlement=proposed))
    return [dispute_event("SettlementProposed", record)]


def _accept(context: Context, message: AcceptSettlement) -> list[Event]:
    record = _get_dispute(context, message)
    _require_party(context, record)
    require_version(record, message.version)
    settlement = record.settlement
    if settlement is None or settlement.organisation == context.organisation:
        raise Rejected(Reason.NO_SETTLEMENT)
    end_dispute(context, msgspec.structs.replace(record, state="settled"))
    _apply_moves(context, record, settlement.moves)
    return [dispute_event("DisputeSettled", record)]


def _decide(context: Context, message: DecideDispute) -> list[Event]:
    record = _get_dispute(context, message)
    stated = len(record.positions)
    require(message.positions == stated, Reason.STALE_VERSION, current=stated, seen=message.positions)
    _require_arbiter(context, record)
    has_effect = message.voids_tests or len(message.moves) > 0
    require(not has_effect or message.outcome != "dismissed", Reason.WRONG_EFFECT)
    if message.voids_tests:
        _require_voidable(context, record)
    decision = Decision(
        arbiter=context.organisation,
        outcome=message.outcome,
        grounds=message.grounds,
        moves=message.moves,
        voids_tests=message.voids_tests,
        decided_ms=context.time_ms,
    )
    ended = msgspec.structs.replace(record, state="decided", decision=decision)
    end_dispute(context, ended, dismissed=message.outcome == "dismissed")
    _apply_moves(context, record, message.moves)
    if message.voids_tests:
        unit = find_battery(context, record.battery)
        context.put(battery_key(record.battery), void_tests(context, unit, "decision"))
        if _is_authority(context):  # an arbiter whom the parties chose takes no counter back for them
            forget_bounds(context, record.battery)
    return [dispute_event("DisputeDecided", record, outcome=message.outcome)]


CONTRACT = Contract(
    "dispute",
    {
        OpenDispute: _open,
        StatePosition: _state_position,
        NominateArbiter: _nominate,
        WithdrawDispute: _withdraw,
        ProposeSettlement: _propose,
        AcceptSettlement: _accept,
        DecideDispute: _decide,
    },
)
