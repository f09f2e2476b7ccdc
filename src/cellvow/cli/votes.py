"""`cellvow vote`: what members decide together - proposed, voted on, seen by everybody before it holds."""

import dataclasses
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import ReadingOptions, WorkspaceOptions, opened_reading, opened_workspace
from cellvow.cli.parsing import parse_reference
from cellvow.cli.proposals import app as propose_app
from cellvow.cli.vote_text import (
    ended_lines,
    open_lines,
    pending_lines,
    proposal_document,
    proposal_lines,
    standing_lines,
)
from cellvow.cli.writing import answer_of, perform, submit_and_publish

if TYPE_CHECKING:
    from cellvow.workspace.governing import Governance

app = make_app("Decide with the other members: propose, vote, see what will hold.")
app.add_typer(propose_app, name="propose")
ReferenceArgument = Annotated[
    str, typer.Argument(metavar="ORGANISATION/REF", help="The proposal, as `cellvow vote list` names it.")
]


@command(app, "list", examples=("cellvow vote list --workspace lab", "cellvow vote list --ledger node"))
def list_votes(options: ReadingOptions) -> Answer:
    """Show open votes and what will change.

    From which block each change holds, who voted how, and how many approvals are missing.
    """
    governance = _read(options)
    document = {
        "height": governance.height,
        "open": [proposal_document(one) for one in governance.open],
        "pending": [proposal_document(one) for one in governance.pending],
        "ended": [proposal_document(one) for one in governance.ended],
    }
    height = governance.height
    lines: list[str | Table] = ["What will change:", *pending_lines(governance.pending, height)]
    lines += ["", "What is being decided:", *open_lines(governance.open, height)]
    if governance.ended:
        lines += ["", "Decided or ended before:", *ended_lines(governance.ended, height)]
    return Answer(document, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VoteToShow(ReadingOptions):
    """Options of `vote show`."""

    reference: ReferenceArgument


@command(app, "show", examples=("cellvow vote show maker/P-1 --workspace lab",))
def show_vote(options: VoteToShow) -> Answer:
    """Show one proposal with its votes."""
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.governing import fetch_proposal

    organisation, reference = parse_reference(options.reference)
    with opened_reading(options) as (home, _):
        view, height = fetch_proposal(home, organisation, reference, now_ms())
    return Answer({"height": height, "proposal": proposal_document(view)}, proposal_lines(view, height))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Ballot(WorkspaceOptions):
    """Options of `vote cast`."""

    reference: ReferenceArgument
    approve: Annotated[
        bool | None, typer.Option("--approve/--refuse", help="For it, or against it.", show_default=False)
    ] = None


@command(
    app,
    "cast",
    examples=(
        "cellvow vote cast maker/P-1 --approve --workspace lab",
        "cellvow vote cast maker/P-1 --refuse --workspace lab",
    ),
)
def cast(options: Ballot) -> Answer:
    """Approve or refuse a proposal.

    Until it is decided you may vote anew. It is adopted as soon as enough approve. On a ledger of one writer the vote
    that adopts what holds at once also makes the block with which it does.
    """
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.governing import cast_vote, fetch_proposal

    if options.approve is None:
        raise WrongUsage("say how you vote: --approve or --refuse")
    organisation, reference = parse_reference(options.reference)
    approve = options.approve
    with opened_workspace(options.workspace) as workspace:
        receipted, published = submit_and_publish(
            workspace, lambda session, own: cast_vote(session, own, organisation, reference, approve=approve)
        )
        view, height = fetch_proposal(workspace.home(), organisation, reference, now_ms())
    said = f"You have {'approved' if approve else 'refused'} {organisation}/{reference}."
    answer = answer_of(said, receipted, published)
    document = {**answer.document, "proposal": proposal_document(view)}
    return Answer(document, [*answer.text, *standing_lines(view, height)])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class VoteToWithdraw(WorkspaceOptions):
    """Options of `vote withdraw`."""

    reference: Annotated[str, typer.Argument(metavar="REF", help="Reference of your own proposal.")]


@command(app, "withdraw", examples=("cellvow vote withdraw P-1 --workspace maker",))
def withdraw(options: VoteToWithdraw) -> Answer:
    """Withdraw one's own open proposal."""
    from cellvow.workspace.governing import withdraw_proposal

    return perform(
        options.workspace,
        f"{options.reference} is withdrawn.",
        lambda session, workspace: withdraw_proposal(session, workspace, options.reference),
    )


def _read(options: ReadingOptions) -> "Governance":
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.governing import read_governance

    with opened_reading(options) as (home, _):
        store = home.open_reader()
        try:
            return read_governance(store, now_ms())
        finally:
            store.close()
