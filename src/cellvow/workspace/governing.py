"""Governing a ledger: what a member proposes and votes, and how each proposal stands, read from the records alone."""

from collections.abc import Iterable
from dataclasses import dataclass

from cellvow.core.contracts.change import THRESHOLDS, Change
from cellvow.core.contracts.contract import Context, Provenance, decode_record
from cellvow.core.contracts.electorate import get_validators, list_electors
from cellvow.core.contracts.governance import (
    ADOPTED,
    OPEN,
    CastVote,
    ProposalRecord,
    Propose,
    WithdrawProposal,
    derive_proposal_state,
    proposal_key,
)
from cellvow.core.contracts.organisation import is_member
from cellvow.core.contracts.parameter import get_parameter
from cellvow.core.ledger.rejection import RULES, Reason
from cellvow.core.primitives.errors import OperationalError
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession, NodeHome
from cellvow.node.store import LedgerStore
from cellvow.workspace.commands import submit_message
from cellvow.workspace.workspace import Workspace

_NOBODY = Provenance(statement="0" * 64, index=0)
_PROPOSALS = "proposal/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """What somebody is about to propose: `closes_ms` is when voting ends, in milliseconds since 1970."""

    change: Change
    reference: str
    effective_height: int
    closes_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalView:
    """A proposal as it stands: `needed` approvals adopt it, and `silent` may vote and have not yet.

    `effective_height` is the block from which the change holds, if it is adopted; `cause` is why an adopted one lapsed.
    """

    organisation: str
    reference: str
    change: Change
    state: str
    effective_height: int
    closes_ms: int
    proposed_ms: int
    approvals: tuple[str, ...]
    refusals: tuple[str, ...]
    silent: tuple[str, ...]
    needed: int
    decided_height: int | None = None
    cause: str | None = None

    @property
    def missing(self) -> int:
        """How many more approvals adopt it; none once it is decided."""
        return max(0, self.needed - len(self.approvals)) if self.state == OPEN else 0

    @property
    def name(self) -> str:
        """As commands take it: `ORGANISATION/REFERENCE`."""
        return f"{self.organisation}/{self.reference}"


@dataclass(frozen=True, slots=True)
class Governance:
    """Everything people may want to see before it holds: open votes, adopted changes that wait, and what ended last."""

    height: int
    open: tuple[ProposalView, ...]
    pending: tuple[ProposalView, ...]
    ended: tuple[ProposalView, ...]


# What a member does


def propose(session: LedgerSession, workspace: Workspace, draft: Draft) -> Receipted:
    """Propose a change; it counts as no vote."""
    message = Propose(
        organisation=workspace.organisation,
        reference=draft.reference,
        change=draft.change,
        effective_height=draft.effective_height,
        closes_ms=draft.closes_ms,
    )
    return submit_message(session, workspace, message)


def cast_vote(
    session: LedgerSession, workspace: Workspace, proposer: str, reference: str, *, approve: bool
) -> Receipted:
    """Approve or refuse an open proposal; until it is decided the vote may be changed."""
    return submit_message(session, workspace, CastVote(proposer=proposer, reference=reference, approve=approve))


def withdraw_proposal(session: LedgerSession, workspace: Workspace, reference: str) -> Receipted:
    """Withdraw one's own open proposal."""
    message = WithdrawProposal(organisation=workspace.organisation, reference=reference)
    return submit_message(session, workspace, message)


def next_reference(store: LedgerStore, organisation: str) -> str:
    """A reference that the member has not used for a proposal yet: P-1, P-2 and so on."""
    number = 1
    while store.get(proposal_key(organisation, f"P-{number}")) is not None:
        number += 1
    return f"P-{number}"


# How it stands


def read_governance(store: LedgerStore, now_ms: int, *, ended_max: int = 5) -> Governance:
    """Open votes by the end of voting, waiting changes in order of effect, and the newest `ended_max` that ended."""
    context = reading_context(store)
    views = [_view(context, record, now_ms) for record in _records(store)]
    ended = [one for one in views if one.state not in (OPEN, ADOPTED)]
    newest = sorted(ended, key=lambda one: one.decided_height or 0, reverse=True)
    return Governance(
        height=context.height,
        open=tuple(sorted((one for one in views if one.state == OPEN), key=lambda one: one.closes_ms)),
        pending=tuple(sorted((one for one in views if one.state == ADOPTED), key=lambda one: one.effective_height)),
        ended=tuple(newest[:ended_max]),
    )


def read_proposal(store: LedgerStore, organisation: str, reference: str, now_ms: int) -> ProposalView:
    """One proposal; raises `OperationalError` where there is none of that name."""
    value = store.get(proposal_key(organisation, reference))
    if value is None:
        raise OperationalError(
            f"{organisation} has proposed nothing as {reference}: `cellvow vote list` names what there is"
        )
    return _view(reading_context(store), decode_record(ProposalRecord, value), now_ms)


def fetch_proposal(home: NodeHome, organisation: str, reference: str, now_ms: int) -> tuple[ProposalView, int]:
    """(a proposal, the newest block) of a node's ledger; raises `OperationalError` where none has that name."""
    store = home.open_reader()
    try:
        return read_proposal(store, organisation, reference, now_ms), store.head().height
    finally:
        store.close()


def reading_context(store: LedgerStore) -> Context:
    """The records as a contract reads them, as of the head, for whoever only looks."""
    head = store.head()
    return Context(
        read=store.get,
        organisation="",
        kid="",
        height=head.height,
        time_ms=head.time_ms,
        chain_id=head.chain_id,
        provenance=_NOBODY,
        find=lambda prefix: [key for key, _ in store.records(prefix)],
        ruleset=head.ruleset,
    )


def electorate(context: Context) -> list[str]:
    """The organisations that may vote now, in order."""
    validators = get_validators(context)
    if validators:
        return list_electors(validators)
    named = (key.partition("/")[2] for key in context.keys("organisation/"))
    return [organisation for organisation in named if is_member(context.get_bytes, organisation)]


def _records(store: LedgerStore) -> Iterable[ProposalRecord]:
    return (decode_record(ProposalRecord, value) for _, value in store.records(_PROPOSALS))


def _view(context: Context, record: ProposalRecord, now_ms: int) -> ProposalView:
    state = derive_proposal_state(record, max(now_ms, context.time_ms))
    electors = electorate(context) if state == OPEN else []
    voted = (*record.approvals, *record.refusals)
    amount, out_of = get_parameter(context, THRESHOLDS[type(record.change)])
    voters = len(electors) if state == OPEN else record.electorate or 0
    counts = electors if state == OPEN else voted
    return ProposalView(
        organisation=record.organisation,
        reference=record.reference,
        change=record.change,
        state=state,
        effective_height=record.effective_height,
        closes_ms=record.closes_ms,
        proposed_ms=record.proposed_ms,
        approvals=tuple(one for one in record.approvals if one in counts),
        refusals=tuple(one for one in record.refusals if one in counts),
        silent=tuple(one for one in electors if one not in voted),
        needed=voters * amount // (out_of or 1) + 1,
        decided_height=record.decided_height,
        cause=None if record.cause is None else RULES[Reason(record.cause)],
    )
