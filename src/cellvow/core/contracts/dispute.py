"""Disputes over a unit: what two sides say against each other, with evidence, an arbiter and what his decision moves.

A message that claims what the registers deny opens one by itself (`open_claim`); any member may open another. Both
sides see the same file. Only a party's dispute holds a register still, every member's open disputes are counted, and
each dispute has a way out: it is withdrawn, settled by both, decided, or lapses.
"""

from typing import Annotated

import msgspec

from cellvow.core.contracts.battery import BatteryRecord, battery_key, find_battery, void_tests
from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Battery,
    Committed,
    Context,
    Contract,
    Count,
    Member,
    Message,
    Reference,
    require,
    require_version,
)
from cellvow.core.contracts.dispute_file import (
    DAY_MS,
    OPEN,
    Decision,
    DisputeRecord,
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
    put_dispute,
)
from cellvow.core.contracts.organisation import get_organisation, is_member
from cellvow.core.contracts.part import derive_registered
from cellvow.core.contracts.register import REGISTERS, RegisterName, put_register
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.limits import (
    EVIDENCE_MAX,
    POSITIONS_MAX,
)

AGREED_MS = 180 * DAY_MS
"""How long the arbiter whom both sides named has the case to himself; after that an authority may step in."""
AUTHORITY = "authority"

Evidence = Annotated[tuple[Committed, ...], msgspec.Meta(max_length=EVIDENCE_MAX), WORLD]


# Messages


class OpenDispute(Message, frozen=True, kw_only=True):
    """Open a dispute over a unit with one's first position; `rule_gap` needs no respondent."""

    battery: Annotated[Battery, WORLD]
    reference: Annotated[Reference, WORLD]
    topic: Annotated[Topic, WORLD]
    respondent: Annotated[Member | None, MEMBERS] = None
    text: Annotated[Committed, WORLD]
    evidence: Evidence = ()
    arbiter: Annotated[Member | None, MEMBERS] = None

    @property
    def subject(self) -> str:
        """The unit."""
        return self.battery


class _InDispute(Message, frozen=True, kw_only=True):
    battery: Annotated[Battery, WORLD]
    opener: Annotated[Member, MEMBERS]
    reference: Annotated[Reference, WORLD]

    @property
    def subject(self) -> str:
        """The unit."""
        return self.battery


class StatePosition(_InDispute, frozen=True, kw_only=True):
    """State one's position as a party of the dispute: commitments to a text and to documents."""

    text: Annotated[Committed, WORLD]
    evidence: Evidence = ()


class NominateArbiter(_InDispute, frozen=True, kw_only=True):
    """Name the member who shall decide; he has the case to himself where both sides name him."""

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
    """Decide a dispute as its arbiter, on grounds that are committed to."""

    version: Annotated[Count, MEMBERS]
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


def _require_arbiter(context: Context, record: DisputeRecord) -> None:
    """The one whom both sides named decides; without agreement, or once he let it lie, an authority does."""
    is_party = context.organisation in (record.organisation, record.respondent)
    named = record.named_by_opener if record.named_by_opener == record.named_by_respondent else None
    is_free = named is None or context.time_ms > record.opened_ms + AGREED_MS or not is_member(context.get_bytes, named)
    member = get_organisation(context, context.organisation)
    is_authority = member is not None and AUTHORITY in member.roles
    may_decide = context.organisation == named or (is_free and is_authority)
    require(may_decide and not is_party, Reason.NOT_THE_ARBITER)


def _require_moves(context: Context, record: DisputeRecord, moves: tuple[Move, ...]) -> None:
    parties = (record.organisation, record.respondent)
    distinct = len(dict.fromkeys(move.register for move in moves)) == len(moves)
    between = all(move.organisation in parties and is_member(context.get_bytes, move.organisation) for move in moves)
    unit = find_battery(context, record.battery)
    # A part goes where its whole goes, and a unit that has ceased is nobody's to move.
    is_free = unit.part_of is None and unit.ceased is None
    require(not moves or (distinct and between and is_free), Reason.WRONG_EFFECT)


def _apply_moves(context: Context, record: DisputeRecord, moves: tuple[Move, ...]) -> None:
    _require_moves(context, record, moves)
    for move in moves:
        put_register(context, move.register, record.battery, move.organisation)


def _is_concerned(context: Context, unit: BatteryRecord) -> bool:
    """Whether the signer made the unit or stands in a register that counts for it: then he holds it still."""
    standing = (derive_registered(context.get_bytes, register, unit.battery) for register in REGISTERS)
    return context.organisation == unit.organisation or any(
        one.organisation == context.organisation for one in standing
    )


# Handlers


def _open(context: Context, message: OpenDispute) -> list[Event]:
    unit = find_battery(context, message.battery)
    require(not message.reference.startswith("CLAIM-"), Reason.MALFORMED_MESSAGE, field="reference")
    key = dispute_key(context.organisation, message.reference)
    require(context.get_bytes(key) is None, Reason.DISPUTE_EXISTS, reference=message.reference)
    respondent = message.respondent
    is_other = respondent != context.organisation
    is_known = respondent is not None and is_member(context.get_bytes, respondent)
    require(is_other and (is_known or (respondent is None and message.topic == "rule_gap")), Reason.NOT_A_PARTY)
    held: tuple[RegisterName, ...] = ()
    if message.topic in ("custody", "ownership", "responsibility") and _is_concerned(context, unit):
        held = (message.topic,)
    record = DisputeRecord(
        provenance=context.provenance,
        organisation=context.organisation,
        reference=message.reference,
        battery=message.battery,
        topic=message.topic,
        respondent=respondent,
        is_claim=False,
        holds=held,
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
    parties = (record.organisation, record.respondent)
    is_fit = message.arbiter not in parties and is_member(context.get_bytes, message.arbiter)
    require(is_fit, Reason.NOT_THE_ARBITER, organisation=message.arbiter)
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
    require_version(record, message.version)
    _require_arbiter(context, record)
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
