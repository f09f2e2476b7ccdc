"""`cellvow invite`: ask a partner for the record that is missing of a battery's life, and answer such a request."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.command import command, make_app
from cellvow.cli.invitation_answering import add_accept
from cellvow.cli.options import BatteryArgument, WorkspaceOptions, opened_workspace
from cellvow.cli.parsing import parse_battery, parse_interval_ms
from cellvow.cli.proposals import VOTING
from cellvow.cli.wording import day, moment
from cellvow.cli.writing import answer_of, submit_and_publish

if TYPE_CHECKING:
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
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.inviting import INVITATION_PATH, Wish

    origin = "" if options.origin is None else parse_origin(options.origin)
    battery = parse_battery(options.battery)
    wish = Wish(battery, options.stage, options.partner, now_ms() + options.days * DAY_MS, frozenset(options.show))
    with opened_workspace(options.workspace) as workspace:
        inviting = _inviting(workspace)
        invited = inviting.make(wish)
        standing = inviting.standing(invited.invitation)
    link, invitation = f"{origin}{INVITATION_PATH}{invited.token}", invited.invitation
    whole = [] if origin else ["  This is its path on the site that `cellvow serve` runs; --origin makes it whole."]
    asking = f"Invitation {invitation.invitation_id} asks {invitation.name} for {invitation.stage} of {battery}"
    lines = [
        f"{asking}, until {moment(invitation.expires_ms)}:",
        f"  {link}",
        *whole,
        f"  on the record now: {invitation.recorded} of {invitation.due} expected stages",
        "The link is shown this once. Tell the partner this digest by another way, so that he can check the ledger:",
        f"  genesis {_genesis(inviting)}",
        f"  cellvow invite list -w {options.workspace}",
    ]
    return Answer({"invitation": _document(standing), "link": link, "genesis": _genesis(inviting)}, lines)


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
    """Propose an invited partner as a member, from his application.

    His root key must have signed it for this ledger, in answer to an invitation of yours that is in force.
    """
    from cellvow.core.contracts.change import AdmitMember
    from cellvow.core.primitives.errors import OperationalError
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.governing import Draft, next_reference, propose
    from cellvow.workspace.invitation_document import APPLICATION_BYTES_MAX, verify_application

    with options.file.open("rb") as file:
        data = file.read(APPLICATION_BYTES_MAX + 1)
    interval_ms = parse_interval_ms(options.voting)
    with opened_workspace(options.workspace) as workspace:
        number, member = verify_application(data.rstrip(b"\n"), _genesis(_inviting(workspace)))
        invitation = workspace.invitations.find(number)
        if invitation.state(now_ms()) != "in_force":
            raise OperationalError(f"invitation {number} has ended: make another one")
        workspace.invitations.name_partner(number, member.organisation)
        change = AdmitMember(
            organisation=member.organisation,
            name=member.name,
            roles=member.roles,  # type: ignore[arg-type]  # verify_application has checked them against the same list
            root_keys=member.root_keys,
        )
        store = workspace.home().open_reader()
        try:
            reference = options.reference or next_reference(store, workspace.organisation)
        finally:
            store.close()
        draft = Draft(change=change, reference=reference, effective_height=0, closes_ms=now_ms() + interval_ms)
        receipted, published = submit_and_publish(workspace, lambda session, own: propose(session, own, draft))
        proposal = f"{workspace.organisation}/{reference}"
    sentence = f"You propose to admit {member.organisation} ({member.name}; {', '.join(member.roles)}) as {proposal}."
    answer = answer_of(sentence, receipted, published)
    document = {**answer.document, "proposal": proposal, "organisation": member.organisation, "invitation": number}
    voting = f"  cellvow vote cast {proposal} --approve -w WORKSPACE"
    return Answer(document, [*answer.text, "Each member votes:", voting])


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
