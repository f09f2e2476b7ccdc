"""`cellvow invite`: ask a partner for the record that is missing of a battery's life, and answer such a request."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.invitation_answering import add_accept
from cellvow.cli.options import BatteryArgument, WorkspaceOptions, opened_workspace
from cellvow.cli.parsing import parse_battery, parse_interval_ms
from cellvow.cli.proposals import VOTING
from cellvow.cli.wording import day, moment
from cellvow.cli.writing import answer_of, submit_and_publish

if TYPE_CHECKING:
    from cellvow.workspace.admitting import Admission
    from cellvow.workspace.inviting import Inviting, Standing
    from cellvow.workspace.workspace import Workspace

app = make_app("Invite a partner to record what is missing of a life; accept.")
DAY_MS = 86_400_000
NEXT_STEPS = {
    "apply": "waits for the partner's application",
    "vote": "waits for the members' vote",
    "enrol": "waits for the partner's key",
    "take": "waits until the partner holds the unit",
    "sign": "waits for the partner's signature",
    "done": "done",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToInvite(WorkspaceOptions):
    """Options of `invite make`."""

    battery: BatteryArgument
    stage: Annotated[
        str,
        typer.Option(metavar="STAGE", help="What is missing: cells, test, handover, use, service, second_life or end."),
    ]
    partner: Annotated[
        str, typer.Option("--for", metavar="ORG|NAME", help="A member's identifier, or the name of somebody else.")
    ]
    days: Annotated[int, typer.Option(metavar="N", min=1, max=366, help="How many days the link lasts.")] = 30
    show: Annotated[
        list[str],
        typer.Option(metavar="PART", help="Let the link show more, like `grant issue`: health, history; repeat it."),
    ] = dataclasses.field(default_factory=list)
    origin: Annotated[
        str | None, typer.Option(metavar="URL", help="Site that `cellvow serve` runs, to make the link whole.")
    ] = None
    to: Annotated[
        Path | None,
        typer.Option(metavar="FILE", dir_okay=False, help="Write the link there, for you alone, and do not show it."),
    ] = None


@command(
    app,
    "make",
    examples=(
        (
            "cellvow invite make 01/09506000134376/21/PACK-0001 --stage service --for 'Garage Nord' "
            "--origin https://passports.example --workspace maker"
        ),
        "cellvow invite make 01/09506000134376/21/PACK-0001 --stage use --for carmaker --days 14 -w maker",
    ),
)
def make(options: ToInvite) -> Answer:
    """Invite a partner to record one missing stage.

    Whoever has the link sees what a stranger sees of the battery, and what is asked. It is told this once and kept
    nowhere. Whether the record was made is read from the ledger.
    """
    from cellvow.passport.digital_link import parse_origin
    from cellvow.vault import create_private_file
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.inviting import INVITATION_PATH, Wish

    origin = "" if options.origin is None else parse_origin(options.origin)
    _require_place(options)
    battery = parse_battery(options.battery)
    wish = Wish(battery, options.stage, options.partner, now_ms() + options.days * DAY_MS, frozenset(options.show))
    with opened_workspace(options.workspace) as workspace:
        inviting = _inviting(workspace)
        invited = inviting.make(wish)
        standing = inviting.standing(invited.invitation)
    link, invitation = f"{origin}{INVITATION_PATH}{invited.token}", invited.invitation
    if options.to is not None:
        create_private_file(options.to, f"{link}\n".encode("ascii"))
    whole = [] if origin else ["  This is its path on the site that `cellvow serve` runs; --origin makes it whole."]
    asking = f"Invitation {invitation.invitation_id} asks {invitation.name} for {invitation.stage} of {battery}"
    lines = [
        f"{asking}, until {moment(invitation.expires_ms)}:",
        f"  {link}" if options.to is None else f"  the link is in {options.to}, readable by you alone",
        *whole,
        f"  on the record now: {invitation.recorded} of {invitation.due} expected stages",
        "The link is told this once and kept nowhere. Tell the partner by another way which ledger it is:",
        f"  genesis {_genesis(inviting)}",
        f"  cellvow invite list -w {options.workspace}",
    ]
    told = {"link": link} if options.to is None else {"file": str(options.to)}
    return Answer({"invitation": _document(standing), **told, "genesis": _genesis(inviting)}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToList(WorkspaceOptions):
    """Options of `invite list`."""

    battery: Annotated[str | None, typer.Option(metavar="BATTERY", help="Only those for this battery.")] = None
    limit: Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")] = 50


@command(
    app,
    "list",
    examples=(
        "cellvow invite list --workspace maker",
        "cellvow invite list --battery 01/09506000134376/21/PACK-0001 --workspace maker --json",
    ),
)
def list_invitations(options: ToList) -> Answer:
    """List whom you invited, and what came of it.

    The newest first. That a record was made is read from the ledger, with its statement and what it did to the
    coverage.
    """
    battery = None if options.battery is None else parse_battery(options.battery)
    with opened_workspace(options.workspace) as workspace:
        found = _inviting(workspace).standings(battery, options.limit)
        unknown = workspace.invitations.unknown()
    document = {"invitations": [_document(one) for one in found], "unknown_links": unknown}
    if not found:
        return Answer(document, ["Nobody is invited yet: `cellvow invite make` does."])
    rows = tuple(
        (
            one.invitation.invitation_id,
            one.invitation.battery,
            one.invitation.stage,
            one.invitation.partner or one.invitation.name,
            one.state.replace("_", " "),
            day(one.invitation.expires_ms),
        )
        for one in found
    )
    lines: list[str | Table] = [Table(("invitation", "battery", "stage", "for", "state", "until"), rows)]
    for one in found:
        lines += _told(one)
    return Answer(document, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToRevoke(WorkspaceOptions):
    """Options of `invite revoke`."""

    invitation: Annotated[str, typer.Argument(metavar="INVITATION", help="Its number, as `invite list` names it.")]


@command(app, "revoke", examples=("cellvow invite revoke 8d9cb8344aee --workspace maker",))
def revoke(options: ToRevoke) -> Answer:
    """End an invitation, and what its link showed.

    What the partner has signed already stands.
    """
    with opened_workspace(options.workspace) as workspace:
        inviting = _inviting(workspace)
        ended = inviting.revoke(options.invitation)
        standing = inviting.standing(ended)
    sentence = f"Invitation {ended.invitation_id} is revoked since {moment(ended.revoked_ms)}."
    return Answer({"invitation": _document(standing)}, [sentence, f"  it was opened {ended.opened} times"])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToAdmit(WorkspaceOptions):
    """Options of `invite admit`."""

    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="The application you were sent.")]
    reference: Annotated[str | None, typer.Option("--ref", metavar="REF", help="Your name for the proposal.")] = None
    voting: Annotated[str, typer.Option(metavar="TIME", help="How long members may vote, like 12h or 14d.")] = VOTING


@command(app, "admit", examples=("cellvow invite admit application.json --workspace maker",))
def admit(options: ToAdmit) -> Answer:
    """Propose an invited partner as a member.

    The root key in his application must have signed it for this ledger, in answer to an invitation of yours that is
    in force. Give the command again to see what comes next: votes that are missing, or that he is a member.
    """
    from cellvow.workspace.admitting import Admission, read_application

    interval_ms = parse_interval_ms(options.voting)
    data = read_application(options.file)
    with opened_workspace(options.workspace) as workspace:
        admission = Admission.of(workspace, data)
        document: dict[str, object] = {"organisation": admission.organisation, "invitation": admission.invitation}
        view = admission.find_proposal()
        if admission.is_member:
            sentence = f"{admission.organisation} is a member: the same link leads its partner on."
            return Answer({**document, "state": "member"}, [sentence])
        if view is None:
            return _propose(options, workspace, admission, interval_ms)
        document["proposal"] = view.name
    if view.state == "adopted":
        holds = f"{view.name} is adopted: from block {view.effective_height:,} on {admission.organisation} is a member."
        return Answer({**document, "state": view.state}, [holds, "Give this command again once that block is there."])
    waits = f"{view.name} is open: {view.missing} more approvals admit {admission.organisation}."
    return Answer({**document, "state": view.state}, [waits, *_voting(view.name)])


def _propose(options: ToAdmit, workspace: "Workspace", admission: "Admission", interval_ms: int) -> Answer:
    from cellvow.workspace.governing import propose

    draft = admission.draft(options.reference, interval_ms)
    receipted, published = submit_and_publish(workspace, lambda session, own: propose(session, own, draft))
    proposal, change = f"{workspace.organisation}/{draft.reference}", admission.change
    who = f"{change.organisation} ({change.name}; {', '.join(change.roles)})"
    answer = answer_of(f"You propose to admit {who} as {proposal}.", receipted, published)
    document = {
        **answer.document,
        "organisation": change.organisation,
        "invitation": admission.invitation,
        "proposal": proposal,
        "state": "open",
    }
    return Answer(document, [*answer.text, *_voting(proposal)])


def _voting(proposal: str) -> list[str]:
    return [
        "Each member votes; then give this command again:",
        f"  cellvow vote cast {proposal} --approve -w WORKSPACE",
    ]


def _require_place(options: ToInvite) -> None:
    """Before there is a link: one that could not be written would be lost."""
    if options.to is not None and (options.to.exists() or not options.to.parent.is_dir()):
        raise WrongUsage(f"{options.to} exists, or its folder does not: name a new file")


def _inviting(workspace: "Workspace") -> "Inviting":
    from cellvow.workspace import clock
    from cellvow.workspace.inviting import Inviting
    from cellvow.workspace.passports import PassportReader

    return Inviting(workspace, PassportReader(workspace.home(), workspace), clock.now_ms)


def _genesis(inviting: "Inviting") -> str:
    return inviting.home.trust.genesis.hex()


def _told(one: "Standing") -> list[str]:
    """How far an invitation has come, and what it did."""
    invitation, coverage = one.invitation, one.coverage
    share = f"{invitation.recorded} of {invitation.due} expected stages then, {coverage.recorded} of {coverage.due} now"
    if one.answered is None:
        return [f"{invitation.invitation_id}: {NEXT_STEPS[one.next_step]}; {share}"]
    told = f"{invitation.invitation_id}: done: signed by {one.answered.organisation} on {day(one.answered.time_ms)}"
    return [f"{told}; {share}", f"  statement {one.answered.statement}"]


def _document(one: "Standing") -> dict[str, object]:
    invitation = dataclasses.asdict(one.invitation)
    return {
        **invitation,
        "state": one.state,
        "next_step": one.next_step,
        "answered": None if one.answered is None else dataclasses.asdict(one.answered),
        "before": {"recorded": one.invitation.recorded, "due": one.invitation.due},
        "now": {"recorded": one.coverage.recorded, "due": one.coverage.due},
    }


add_accept(app)
