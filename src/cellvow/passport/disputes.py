"""The disputes over a unit and the notice of its take-over, as its page and its two sides see them.

That a unit is disputed, about what, and how it ended is the world's: whoever scans a cloned serial must see it. Who the
parties are, what they stated and whom they named is for members and the owner: `DisputeView.summary` leaves it out.
"""

from dataclasses import dataclass

from cellvow.core.contracts.contract import Committed, Provenance, decode_record
from cellvow.core.contracts.dispute import derive_arbiter
from cellvow.core.contracts.dispute_file import (
    LAPSE_MS,
    LAPSED,
    OPEN,
    DisputeRecord,
    Move,
    UnitDisputes,
    derive_dispute_state,
    dispute_key,
    unit_disputes_key,
)
from cellvow.core.contracts.register import RESPONSIBILITY, RegisterRecord, register_key
from cellvow.core.contracts.takeover import TakeoverRecord, derive_takeover_state, takeover_key
from cellvow.core.protocol.transition import Read

IDENTITY_TOPICS = ("cloned_serial", "dead_identifier", "identity")
"""Topics by which it is in doubt whether the thing at hand is the unit of this page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeSummary:
    """What anybody may know of a dispute. `outcome` is an arbiter's, once he has decided."""

    topic: str
    state: str
    is_claim: bool
    opened_ms: int
    outcome: str | None
    holds: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether it is still to be decided."""
        return self.state == OPEN

    @property
    def is_of_identity(self) -> bool:
        """Whether the unit itself is in doubt while it is open."""
        return self.is_open and self.topic in IDENTITY_TOPICS


@dataclass(frozen=True, slots=True, kw_only=True)
class PositionView:
    """What one side has stated: commitments, in hexadecimal, to its text and its documents."""

    organisation: str
    stated_ms: int
    text: str
    evidence: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionView:
    """What an arbiter has decided; `grounds` is a commitment in hexadecimal."""

    arbiter: str
    outcome: str
    grounds: str
    moves: tuple[tuple[str, str], ...]
    voids_tests: bool
    decided_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeView:
    """The whole file, the same to whoever may see it. `statement` and `index` are what opened or last changed it.

    `arbiter` is whom both sides have named, while he has the case to himself; `lapses_ms` is when it ends by itself.
    """

    battery: str
    opener: str
    reference: str
    respondent: str | None
    summary: DisputeSummary
    version: int
    lapses_ms: int
    positions: tuple[PositionView, ...]
    named_by_opener: str | None
    named_by_respondent: str | None
    arbiter: str | None
    proposed_by: str | None
    proposed: tuple[tuple[str, str], ...]
    decision: DecisionView | None
    statement: str
    index: int

    @property
    def provenance(self) -> Provenance:
        """What opened or last changed it."""
        return Provenance(statement=self.statement, index=self.index)

    @property
    def name(self) -> str:
        """As commands take it: `ORGANISATION/REFERENCE`."""
        return f"{self.opener}/{self.reference}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeoverView:
    """The latest notice of a take-over; `by` and `respondent` are for members and the owner."""

    battery: str
    by: str
    respondent: str
    cause: str
    state: str
    since_ms: int
    ends_ms: int
    version: int
    evidence: tuple[str, ...]
    objected_by: str | None
    statement: str
    index: int

    @property
    def provenance(self) -> Provenance:
        """What gave or last changed it."""
        return Provenance(statement=self.statement, index=self.index)


def derive_disputes(read: Read, battery: str, now_ms: int) -> tuple[DisputeView, ...]:
    """The disputes over a unit, newest first: all that are open, and the latest of those that have ended."""
    value = read(unit_disputes_key(battery))
    if value is None:
        return ()
    listed = decode_record(UnitDisputes, value)
    found = [derive_dispute(read, one.organisation, one.reference, now_ms) for one in (*listed.ended, *listed.disputes)]
    views = [view for view in found if view is not None]
    return tuple(sorted(views, key=lambda one: (not one.summary.is_open, -one.summary.opened_ms)))


def derive_dispute(read: Read, opener: str, reference: str, now_ms: int) -> DisputeView | None:
    """One dispute, or None where there is none of that name."""
    value = read(dispute_key(opener, reference))
    return None if value is None else _view(read, decode_record(DisputeRecord, value), now_ms)


def derive_takeover(read: Read, battery: str, now_ms: int) -> TakeoverView | None:
    """The latest notice of a unit's take-over, or None where nobody ever gave one."""
    value, register = read(takeover_key(battery)), read(register_key(RESPONSIBILITY, battery))
    if value is None or register is None:
        return None
    record, answers = decode_record(TakeoverRecord, value), decode_record(RegisterRecord, register)
    return TakeoverView(
        battery=battery,
        by=record.by,
        respondent=record.respondent,
        cause=record.cause,
        state=derive_takeover_state(record, answers, now_ms),
        since_ms=record.since_ms,
        ends_ms=record.ends_ms,
        version=record.version,
        evidence=_commitments(record.evidence),
        objected_by=record.objected_by,
        statement=record.provenance.statement,
        index=record.provenance.index,
    )


def _view(read: Read, record: DisputeRecord, now_ms: int) -> DisputeView:
    decision, proposal = record.decision, record.settlement
    state = derive_dispute_state(record, now_ms)
    return DisputeView(
        battery=record.battery,
        opener=record.organisation,
        reference=record.reference,
        respondent=record.respondent,
        summary=DisputeSummary(
            topic=record.topic,
            state=state,
            is_claim=record.is_claim,
            opened_ms=record.opened_ms,
            outcome=None if decision is None else decision.outcome,
            holds=record.holds if state == OPEN else (),
        ),
        version=record.version,
        lapses_ms=record.opened_ms + LAPSE_MS,
        positions=tuple(
            PositionView(
                organisation=one.organisation,
                stated_ms=one.stated_ms,
                text=one.text.commitment,
                evidence=_commitments(one.evidence),
            )
            for one in record.positions
        ),
        named_by_opener=record.named_by_opener,
        named_by_respondent=record.named_by_respondent,
        arbiter=derive_arbiter(read, record, now_ms) if state != LAPSED else None,
        proposed_by=None if proposal is None else proposal.organisation,
        proposed=() if proposal is None else _moves(proposal.moves),
        decision=None
        if decision is None
        else DecisionView(
            arbiter=decision.arbiter,
            outcome=decision.outcome,
            grounds=decision.grounds.commitment,
            moves=_moves(decision.moves),
            voids_tests=decision.voids_tests,
            decided_ms=decision.decided_ms,
        ),
        statement=record.provenance.statement,
        index=record.provenance.index,
    )


def _commitments(committed: tuple[Committed, ...]) -> tuple[str, ...]:
    return tuple(one.commitment for one in committed)


def _moves(moves: tuple[Move, ...]) -> tuple[tuple[str, str], ...]:
    return tuple((move.register, move.organisation) for move in moves)
