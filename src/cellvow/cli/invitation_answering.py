"""`cellvow invite accept`: on the partner's machine, from a link to his first signed record."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import WorkspaceOptions
from cellvow.cli.service_signing import DayOption, day_of
from cellvow.cli.wording import day, moment
from cellvow.core.ledger.genesis import ROLES
from cellvow.core.primitives.errors import Malformed

if TYPE_CHECKING:
    from cellvow.workspace.accepting import Newcomer, RecordWords
    from cellvow.workspace.invitation_document import InvitationDocument
    from cellvow.workspace.invitation_host import InvitationHost
    from cellvow.workspace.workspace import Workspace

LINK_BYTES_MAX = 1_024
APPLICATION_FILE = "application.json"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToAccept(WorkspaceOptions):
    """Options of `invite accept`."""

    link: Annotated[str, typer.Argument(metavar="LINK|FILE", help="The link you were given, or a file that holds it.")]
    genesis: Annotated[
        str | None, typer.Option(metavar="DIGEST", help="The ledger's genesis, as you were told by another way.")
    ] = None
    trust: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Its trust.json, instead of --genesis.")
    ] = None
    organisation: Annotated[
        str | None, typer.Option(metavar="ID", help="For a new workspace: your identifier, a-z, 0-9 and '-'.")
    ] = None
    name: Annotated[str | None, typer.Option(metavar="NAME", help="For a new workspace: your public name.")] = None
    role: Annotated[
        list[str], typer.Option(metavar="ROLE", help=f"For a new workspace: of {', '.join(ROLES)}; repeat it.")
    ] = dataclasses.field(default_factory=list)
    to: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Where the application is written.")
    ] = None
    take: Annotated[
        bool, typer.Option("--take", help="Also accept the open offer of the unit, so that you hold it.")
    ] = False
    into: Annotated[str | None, typer.Option(metavar="PURPOSE", help="use: vehicle or storage_system.")] = None
    place: Annotated[str | None, typer.Option(metavar="VIN|SITE", help="use: which one; stays in your vault.")] = None
    kind: Annotated[
        str | None, typer.Option(metavar="KIND", help="service: maintenance, repair, inspection or calibration.")
    ] = None
    reference: Annotated[str | None, typer.Option(metavar="REF", help="service: your number for the work.")] = None
    text: Annotated[str | None, typer.Option(metavar="TEXT", help="service: the report; stays in your vault.")] = None
    on: DayOption = None
    sign: Annotated[bool, typer.Option("--sign", help="Sign and send; without, it is only shown.")] = False


def add_accept(app: typer.Typer) -> None:
    """Add the command to `cellvow invite`."""
    command(
        app,
        "accept",
        examples=(
            (
                "cellvow invite accept link.txt --trust trust.json --organisation garage --name 'Garage Nord' "
                "--role workshop --workspace garage"
            ),
            (
                "cellvow invite accept LINK --kind maintenance --reference W-1 --text 'Coolant changed' --sign "
                "--workspace garage"
            ),
        ),
    )(accept)


def accept(options: ToAccept) -> Answer:
    """Answer an invitation, as far as it can be done now.

    The first time it makes a workspace with new keys and an application for whoever invited you. Once the members
    have admitted you, the same command registers your key, shows the record that is asked for, and signs it with
    --sign. Only the site of the link is asked, and no redirect is followed.
    """
    from cellvow.workspace.accepting import confirm_genesis, open_or_make
    from cellvow.workspace.invitation_host import InvitationHost, parse_link

    host = InvitationHost(parse_link(_read_link(options.link)))
    confirmed = _confirmed(options)
    asked = host.fetch()
    confirm_genesis(options.workspace, asked, confirmed)
    workspace = open_or_make(options.workspace, asked, _newcomer(options, asked))
    try:
        if asked.next_step == "done":
            return _done(asked)
        if asked.next_step == "apply":
            return _apply(options, workspace, asked)
        if asked.next_step == "vote":
            return _wait(workspace, asked)
        return _record(options, host, workspace, asked)
    finally:
        workspace.close()


def _read_link(text: str) -> str:
    """The link itself: in a file it stands in no list of processes and in no history of a shell."""
    path = Path(text)
    if "://" in text or not path.is_file():
        return text
    with path.open("rb") as file:
        return file.read(LINK_BYTES_MAX).decode("ascii", "replace").strip()


def _confirmed(options: ToAccept) -> str | None:
    """The digest of the genesis that the partner means, if he names it."""
    from cellvow.verify.trust import parse_trust

    if options.trust is None:
        return options.genesis
    if options.genesis is not None:
        raise WrongUsage("name the ledger either with --genesis or with --trust")
    return parse_trust(options.trust.read_bytes()).genesis.hex()


def _newcomer(options: ToAccept, asked: "InvitationDocument") -> "Newcomer | None":
    from cellvow.workspace.accepting import Newcomer

    if options.organisation is None:
        return None
    if not options.role:
        raise WrongUsage(f"name your role with --role; this record is usually signed by {', '.join(asked.roles)}")
    return Newcomer(options.organisation, options.name or asked.partner.name, tuple(options.role))


def _apply(options: ToAccept, workspace: "Workspace", asked: "InvitationDocument") -> Answer:
    from cellvow.workspace.accepting import write_application

    path = options.to or workspace.folder / APPLICATION_FILE
    write_application(workspace, asked, path)
    document = {
        "step": "apply",
        "application": str(path),
        "organisation": workspace.organisation,
        "invitation": asked.invitation,
    }
    lines = [
        *_asked_lines(asked),
        f"Your application as {workspace.organisation} is in {path}; it holds no secret.",
        f"Send it to {asked.inviter.name}, who proposes you as a member; the members vote. Then, with the same link:",
        f"  cellvow invite accept LINK -w {options.workspace}",
    ]
    return Answer(document, lines)


def _wait(workspace: "Workspace", asked: "InvitationDocument") -> Answer:
    lines = [*_asked_lines(asked), f"The members of {asked.chain_id} have not admitted {workspace.organisation} yet."]
    return Answer({"step": "vote", "organisation": workspace.organisation, "invitation": asked.invitation}, lines)


def _record(options: ToAccept, host: "InvitationHost", workspace: "Workspace", asked: "InvitationDocument") -> Answer:
    from cellvow.workspace.accepting import WordsMissing, describe_record, enrol_over, send_over

    said = [f"Your key is registered on {asked.chain_id}."] if enrol_over(host, workspace, asked) else []
    if options.sign and send_over(host, workspace):
        said.append("What you had signed before is sent now.")
    asked = host.fetch() if said else asked
    if asked.next_step == "done":
        return _done(asked, said)
    if asked.next_step == "take":
        asked, took = _take(options, host, workspace, asked)
        said += took
    words = _words(options)
    try:
        described = describe_record(asked, words)
    except WordsMissing as error:
        raise WrongUsage(str(error)) from error
    shown = [*said, *_asked_lines(asked), "The record that is asked for:"]
    shown += [f"  {name}: {one}" for name, one in described]
    if not options.sign:
        document = {"step": "sign", "record": dict(described), "invitation": asked.invitation}
        return Answer(document, [*shown, "Nothing is signed yet. Add --sign to sign and send it."])
    return _sign(host, workspace, asked, (words, shown))


def _sign(
    host: "InvitationHost",
    workspace: "Workspace",
    asked: "InvitationDocument",
    prepared: tuple["RecordWords", list[str]],
) -> Answer:
    from cellvow.workspace.accepting import prepare_record, sign_record

    words, shown = prepared
    message = prepare_record(workspace, asked, words)
    receipted = sign_record(host, workspace, message)
    after = host.fetch()
    document = {
        "step": "done",
        "message": type(message).__name__,
        "statement": receipted.digest.hex(),
        "height": receipted.height,
        "before": {"recorded": after.before.recorded, "due": after.before.due},
        "now": {"recorded": after.now.recorded, "due": after.now.due},
    }
    lines = [
        *shown,
        f"Signed, and committed in block {receipted.height}, {moment(receipted.time_ms)}:",
        f"  statement {receipted.digest.hex()}",
        _share_line(after),
    ]
    return Answer(document, lines)


def _take(
    options: ToAccept, host: "InvitationHost", workspace: "Workspace", asked: "InvitationDocument"
) -> tuple["InvitationDocument", list[str]]:
    from cellvow.workspace.accepting import sign_record, take_over

    offer = take_over(asked)
    if not options.take:
        raise WrongUsage(f"only who holds the unit can record this: --take accepts the offer of {asked.inviter.name}")
    if not options.sign:
        return asked, [f"With --sign you first accept the offer of {asked.inviter.name}: you hold the unit then."]
    sign_record(host, workspace, offer)
    return host.fetch(), [f"You hold {asked.battery} now."]


def _done(asked: "InvitationDocument", said: list[str] | None = None) -> Answer:
    if asked.answered is None:
        raise Malformed("the host says that the record was made, and not where: ask who invited you")
    signed = f"Done: signed on {day(asked.answered.time_ms)}, statement {asked.answered.statement}."
    document = {"step": "done", "statement": asked.answered.statement, "height": asked.answered.height}
    return Answer(document, [*(said or []), *_asked_lines(asked), signed])


def _words(options: ToAccept) -> "RecordWords":
    from cellvow.workspace.accepting import RecordWords

    return RecordWords(
        day=day_of(options.on),
        into=options.into,
        place=options.place,
        reference=options.reference,
        kind=options.kind,
        text=options.text,
    )


def _share_line(after: "InvitationDocument") -> str:
    before, now = after.before, after.now
    return f"  on the record: {before.recorded} of {before.due} expected stages before, {now.recorded} of {now.due} now"


def _asked_lines(asked: "InvitationDocument") -> list[str]:
    inviter, stage = asked.inviter, asked.stage.replace("_", " ")
    return [
        f"{inviter.name} ({inviter.organisation}) asks for {stage} of {asked.battery}",
        f"  on the ledger {asked.chain_id}, until {moment(asked.expires_ms)}",
    ]
