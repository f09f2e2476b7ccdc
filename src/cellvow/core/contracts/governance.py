"""Governance: members propose a change, vote, and everybody can see what will hold from which height, before it does.

A proposal is adopted as soon as enough approve and refused as soon as enough cannot. An adopted change waits in one
record for its height; `take_effect` applies it at the start of the first block from then on that is not empty.
"""

from dataclasses import replace
from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.change import (
    THRESHOLDS,
    Change,
    Distrust,
    apply_change,
    change_since,
    require_applicable,
)
from cellvow.core.contracts.contract import (
    WORLD,
    Context,
    Contract,
    Count,
    Member,
    Message,
    Record,
    Reference,
    Schema,
    require,
)
from cellvow.core.contracts.electorate import (
    ROLL_KEY,
    RollRecord,
    count_electorate,
    get_validators,
    put_roll,
    select_electors,
)
from cellvow.core.contracts.organisation import is_member
from cellvow.core.contracts.parameter import get_parameter
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import fail
from cellvow.core.primitives.limits import EFFECTIVE_AHEAD_MAX, ELECTORATE_MAX, PENDING_MAX

ProposalState = Literal["open", "adopted", "effective", "refused", "lapsed", "withdrawn"]
OPEN, ADOPTED, EFFECTIVE, REFUSED, LAPSED = "open", "adopted", "effective", "refused", "lapsed"
PENDING_KEY = "pending"
"""Where the adopted changes that wait for their height lie in the state map."""


# Records


class ProposalRecord(Record, frozen=True, kw_only=True):
    """`proposal/ORGANISATION/REFERENCE`: a change, the votes on it, and what became of it.

    `effective_height` is the one asked for; once adopted, the one from which the change holds; once effective, the
    block in which it took effect. `electorate` is how many could vote when it was decided, `cause` the rejection code
    of an adopted change that could not be applied any more.
    """

    organisation: str
    reference: Reference
    change: Change
    effective_height: Count
    closes_ms: Count
    proposed_ms: Count
    state: ProposalState
    approvals: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    decided_height: Count | None = None
    electorate: Count | None = None
    cause: Count | None = None


class OpenProposals(Record, frozen=True, kw_only=True):
    """`proposals/ORGANISATION`: its open proposals, which are counted against its quota."""

    references: tuple[Reference, ...]


class PendingChange(Schema, frozen=True, kw_only=True):
    """A proposal that was adopted, and the height from which its change holds."""

    organisation: str
    reference: Reference
    height: Count


class PendingChanges(Record, frozen=True, kw_only=True):
    """`pending`: what was adopted and has not taken effect, in the order in which it will."""

    changes: tuple[PendingChange, ...]


# Messages


class Propose(Message, frozen=True, kw_only=True):
    """Propose a change that holds from a height on; votes are cast until `closes_ms`."""

    organisation: Annotated[Member, WORLD]
    reference: Annotated[Reference, WORLD]
    change: Annotated[Change, WORLD]
    effective_height: Annotated[Count, WORLD]
    closes_ms: Annotated[Count, WORLD]

    @property
    def subject(self) -> str:
        """The proposal."""
        return proposal_key(self.organisation, self.reference)

    @property
    def since(self) -> int:
        """The first ruleset that has the words of the change."""
        return change_since(self.change)


class CastVote(Message, frozen=True, kw_only=True):
    """Approve or refuse an open proposal; until it is decided a member may vote anew."""

    proposer: Annotated[Member, WORLD]
    reference: Annotated[Reference, WORLD]
    approve: Annotated[bool, WORLD]

    @property
    def subject(self) -> str:
        """The proposal."""
        return proposal_key(self.proposer, self.reference)


class WithdrawProposal(Message, frozen=True, kw_only=True):
    """Withdraw one's own open proposal."""

    organisation: Annotated[Member, WORLD]
    reference: Annotated[Reference, WORLD]

    @property
    def subject(self) -> str:
        """The proposal."""
        return proposal_key(self.organisation, self.reference)


# Rules


def proposal_key(organisation: str, reference: str) -> str:
    """Where a proposal lies in the state map."""
    return f"proposal/{organisation}/{reference}"


def open_proposals_key(organisation: str) -> str:
    """Where the list of a member's open proposals lies in the state map."""
    return f"proposals/{organisation}"


def derive_proposal_state(record: ProposalRecord, time_ms: int) -> str:
    """What a proposal is now: an open one has lapsed once its time to vote has passed."""
    return LAPSED if record.state == OPEN and time_ms > record.closes_ms else record.state


def require_term(context: Context, message: Propose) -> None:
    """Raise `Rejected` unless voting ends in time and the height asked for is not too far off."""
    longest_ms = get_parameter(context, "voting_ms_max").amount
    in_time = context.time_ms < message.closes_ms <= context.time_ms + longest_ms
    in_reach = message.effective_height <= context.height + EFFECTIVE_AHEAD_MAX
    require(in_time and in_reach, Reason.WRONG_TERM, voting_ms_max=longest_ms)


def tally(context: Context, votes: tuple[str, ...]) -> int:
    """How many of these votes are those of organisations that may vote now."""
    return len(select_electors(context, votes))


def _get_open(context: Context, organisation: str, reference: str) -> ProposalRecord:
    record = context.get(ProposalRecord, proposal_key(organisation, reference))
    if record is None:
        raise Rejected(Reason.UNKNOWN_PROPOSAL, reference=reference)
    state = derive_proposal_state(record, context.time_ms)
    require(state == OPEN, Reason.PROPOSAL_NOT_OPEN, state=state)
    return record


def _put_proposal(context: Context, record: ProposalRecord) -> None:
    context.put(proposal_key(record.organisation, record.reference), record)


def _changed(context: Context, record: ProposalRecord, state: ProposalState) -> ProposalRecord:
    return msgspec.structs.replace(
        record, state=state, version=record.version + 1, provenance=context.provenance, decided_height=context.height
    )


def _put_open(context: Context, organisation: str, references: tuple[str, ...]) -> None:
    key = open_proposals_key(organisation)
    known = context.get(OpenProposals, key)
    version = 1 if known is None else known.version + 1
    context.put(key, OpenProposals(provenance=context.provenance, version=version, references=references))


def _list_open(context: Context, organisation: str) -> tuple[str, ...]:
    record = context.get(OpenProposals, open_proposals_key(organisation))
    return () if record is None else record.references


def _close(context: Context, record: ProposalRecord) -> None:
    """Write a proposal that is open no longer, and take it off its maker's list."""
    _put_proposal(context, record)
    still = tuple(one for one in _list_open(context, record.organisation) if one != record.reference)
    _put_open(context, record.organisation, still)


def _close_lapsed(context: Context, organisation: str) -> None:
    for reference in _list_open(context, organisation):
        record = context.get(ProposalRecord, proposal_key(organisation, reference))
        if record is not None and derive_proposal_state(record, context.time_ms) == LAPSED:
            _close(context, _changed(context, record, "lapsed"))


# Handlers


def _propose(context: Context, message: Propose) -> list[Event]:
    require(message.organisation == context.organisation, Reason.NOT_YOUR_PROPOSAL)
    require(is_member(context.get_bytes, context.organisation), Reason.UNKNOWN_ORGANISATION)
    key = proposal_key(message.organisation, message.reference)
    require(context.get_bytes(key) is None, Reason.PROPOSAL_EXISTS, reference=message.reference)
    require_term(context, message)
    _close_lapsed(context, message.organisation)
    references = _list_open(context, message.organisation)
    most = get_parameter(context, "proposals_open_max").amount
    require(len(references) < most, Reason.TOO_MANY_PROPOSALS, most=most)
    require_applicable(context, message.change)
    require(count_electorate(context) <= ELECTORATE_MAX, Reason.ELECTORATE_TOO_LARGE, most=ELECTORATE_MAX)
    _open_roll(context)
    record = ProposalRecord(
        provenance=context.provenance,
        organisation=message.organisation,
        reference=message.reference,
        change=message.change,
        effective_height=message.effective_height,
        closes_ms=message.closes_ms,
        proposed_ms=context.time_ms,
        state="open",
    )
    _put_proposal(context, record)
    _put_open(context, message.organisation, (*references, message.reference))
    return [{"type": "ProposalMade", "organisation": message.organisation, "reference": message.reference}]


def _open_roll(context: Context) -> None:
    """Where all members vote, count them once and keep the number."""
    if not get_validators(context) and context.get(RollRecord, ROLL_KEY) is None:
        put_roll(context, count_electorate(context))


def _vote(context: Context, message: CastVote) -> list[Event]:
    record = _get_open(context, message.proposer, message.reference)
    voter = context.organisation
    require(select_electors(context, (voter,)) == [voter], Reason.NOT_IN_THE_ELECTORATE)
    same = voter in (record.approvals if message.approve else record.refusals)
    require(not same, Reason.SAME_VOTE)
    approvals = _with_vote(record.approvals, voter, is_cast=message.approve)
    refusals = _with_vote(record.refusals, voter, is_cast=not message.approve)
    voted = msgspec.structs.replace(
        record,
        approvals=approvals,
        refusals=refusals,
        version=record.version + 1,
        provenance=context.provenance,
    )
    cast: Event = {"type": "VoteCast", "organisation": message.proposer, "reference": message.reference}
    return [cast, *_decide(context, voted)]


def _with_vote(votes: tuple[str, ...], voter: str, *, is_cast: bool) -> tuple[str, ...]:
    others = [one for one in votes if one != voter]
    return tuple(sorted([*others, voter] if is_cast else others))


def _decide(context: Context, record: ProposalRecord) -> list[Event]:
    """Adopt the proposal as soon as enough approve, refuse it as soon as enough cannot, or keep it open."""
    amount, out_of = get_parameter(context, THRESHOLDS[type(record.change)])
    electorate, parts = count_electorate(context), out_of or 1
    approving, refusing = tally(context, record.approvals), tally(context, record.refusals)
    named: Event = {"organisation": record.organisation, "reference": record.reference}
    decided = msgspec.structs.replace(record, decided_height=context.height, electorate=electorate)
    if approving * parts > electorate * amount:
        height = _adopt(context, decided)
        return [{"type": "ProposalAdopted", "height": height, **named}]
    if (electorate - refusing) * parts <= electorate * amount:
        _close(context, msgspec.structs.replace(decided, state="refused"))
        return [{"type": "ProposalRefused", **named}]
    _put_proposal(context, record)
    return []


def _adopt(context: Context, record: ProposalRecord) -> int:
    """Close the proposal and let its change wait; the height from which it holds."""
    next_height = context.height + 1
    is_urgent = isinstance(record.change, Distrust)
    height = next_height if is_urgent else max(record.effective_height, next_height)
    _close(context, msgspec.structs.replace(record, state="adopted", effective_height=height))
    known = context.get(PendingChanges, PENDING_KEY)
    waiting = () if known is None else known.changes
    require(len(waiting) < PENDING_MAX, Reason.TOO_MANY_CHANGES, most=PENDING_MAX)
    change = PendingChange(organisation=record.organisation, reference=record.reference, height=height)
    # The sort is stable: what is due at one height takes effect in the order in which it was adopted.
    ordered = tuple(sorted((*waiting, change), key=lambda one: one.height))
    version = 1 if known is None else known.version + 1
    context.put(PENDING_KEY, PendingChanges(provenance=context.provenance, version=version, changes=ordered))
    return height


def _withdraw(context: Context, message: WithdrawProposal) -> list[Event]:
    require(message.organisation == context.organisation, Reason.NOT_YOUR_PROPOSAL)
    record = _get_open(context, message.organisation, message.reference)
    _close(context, _changed(context, record, "withdrawn"))
    return [{"type": "ProposalWithdrawn", "organisation": message.organisation, "reference": message.reference}]


CONTRACT = Contract("governance", {Propose: _propose, CastVote: _vote, WithdrawProposal: _withdraw})


# What is due


def take_effect(context: Context) -> None:
    """Apply the adopted changes whose height has come, in order; one that cannot be applied any more lapses."""
    pending = context.get(PendingChanges, PENDING_KEY)
    due = () if pending is None else tuple(one for one in pending.changes if one.height <= context.height)
    if pending is None or not due:
        return
    for one in due:
        _take_effect(context, one)
    waiting = pending.changes[len(due) :]
    context.put(PENDING_KEY, msgspec.structs.replace(pending, changes=waiting, version=pending.version + 1))


def _take_effect(context: Context, due: PendingChange) -> None:
    record = context.get(ProposalRecord, proposal_key(due.organisation, due.reference))
    if record is None:
        fail(f"the adopted proposal {due.organisation}/{due.reference} has no record")
    # What it writes stems from the vote that adopted it.
    own = replace(context, read=context.get_bytes, find=context.keys, provenance=record.provenance, writes={})
    try:
        apply_change(own, record.change)
    except Rejected as rejected:
        lapsed = msgspec.structs.replace(record, state="lapsed", cause=int(rejected.reason), version=record.version + 1)
        _put_proposal(context, lapsed)
        return
    context.writes.update(own.writes)
    effective = msgspec.structs.replace(
        record, state="effective", effective_height=context.height, version=record.version + 1
    )
    _put_proposal(context, effective)
