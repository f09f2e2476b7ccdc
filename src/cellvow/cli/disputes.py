"""`cellvow dispute`: what two sides say against each other over a unit, with evidence, an arbiter and a decision."""

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command, make_app
from cellvow.cli.dispute_text import dispute_document, file_lines, list_lines, view_document
from cellvow.cli.options import BatteryArgument, ReadingOptions, WorkspaceOptions, opened_reading
from cellvow.cli.parsing import parse_battery, parse_dispute, parse_move
from cellvow.cli.writing import perform

if TYPE_CHECKING:
    from cellvow.workspace.disputes import Stated

app = make_app("Dispute what is recorded of a battery, and end disputes.")
DisputeArgument = Annotated[
    str, typer.Argument(metavar="ORGANISATION/REF", help="The dispute, as `cellvow dispute list` names it.")
]
TextOption = Annotated[str, typer.Option(metavar="TEXT", help="What you say. Only a commitment to it leaves you.")]
DocumentOption = Annotated[
    list[Path],
    typer.Option(metavar="FILE", help="A document it rests on; repeat it. It stays here."),
]
MoveOption = Annotated[
    list[str],
    typer.Option(metavar="REGISTER=ORGANISATION", help="A register and whom it shall name; repeat it. Without: none."),
]


class Topic(StrEnum):
    """What a member may dispute in his own words."""

    CUSTODY = "custody"
    OWNERSHIP = "ownership"
    RESPONSIBILITY = "responsibility"
    CERTIFICATE = "certificate"
    IDENTITY = "identity"
    SAFETY = "safety"
    RULE_GAP = "rule_gap"


class Verdict(StrEnum):
    """How an arbiter may decide."""

    UPHELD = "upheld"
    DISMISSED = "dismissed"
    DIVIDED = "divided"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Opening(WorkspaceOptions):
    """Options of `dispute open`."""

    battery: BatteryArgument
    topic: Annotated[Topic, typer.Option(metavar="TOPIC", help="About what: a register, a certificate, and so on.")]
    text: TextOption
    against: Annotated[
        str | None, typer.Option(metavar="ORGANISATION", help="The other side; only a rule_gap needs none.")
    ] = None
    document: DocumentOption = dataclasses.field(default_factory=list)
    arbiter: Annotated[str | None, typer.Option(metavar="ORGANISATION", help="Who shall decide, if it agrees.")] = None
    reference: Annotated[
        str | None, typer.Option("--ref", metavar="REF", help="Your name for it. Without: D-1, D-2 and so on.")
    ] = None


@command(
    app,
    "open",
    examples=(
        'cellvow dispute open 01/09506000134376/21/PACK-0001 --topic custody --against carmaker --text "Kept" -w maker',
    ),
)
def open_dispute(options: Opening) -> Answer:
    """Open a dispute over a battery.

    Where both sides are registered with it, the disputed register does not move until the dispute ends.
    """
    from cellvow.workspace import disputes

    battery = parse_battery(options.battery)
    new = disputes.NewDispute(
        battery=battery,
        topic=str(options.topic),
        stated=_stated(options.text, options.document),
        respondent=options.against,
        reference=options.reference,
        arbiter=options.arbiter,
    )
    return perform(
        options.workspace,
        f"A dispute over {battery} is open.",
        lambda session, workspace: disputes.open_dispute(session, workspace, new),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Looking(ReadingOptions):
    """Options of `dispute list`."""

    battery: BatteryArgument


@command(app, "list", examples=("cellvow dispute list 01/09506000134376/21/PACK-0001 --workspace maker",))
def list_disputes(options: Looking) -> Answer:
    """Show the disputes over a battery.

    All that are open, and the latest of those that have ended.
    """
    from cellvow.passport.disputes import derive_disputes
    from cellvow.workspace.clock import now_ms

    battery = parse_battery(options.battery)
    with opened_reading(options) as (home, _):
        store = home.open_reader()
        try:
            views = derive_disputes(store.get, battery, now_ms())
        finally:
            store.close()
    return Answer({"disputes": [view_document(view) for view in views]}, list_lines(views, battery))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Showing(ReadingOptions):
    """Options of `dispute show`."""

    dispute: DisputeArgument
    read: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="Statements another handed you; repeat it."),
    ] = dataclasses.field(default_factory=list)
    write: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write your own statements here, for the others to --read.")
    ] = None


@command(
    app,
    "show",
    examples=(
        "cellvow dispute show maker/D-1 --workspace carmaker",
        "cellvow dispute show maker/D-1 --write mine.json -w maker",
        "cellvow dispute show maker/D-1 --read mine.json -w carmaker",
    ),
)
def show_dispute(options: Showing) -> Answer:
    """Show one dispute whole.

    Both sides and the arbiter see the same file. Texts open to their owner, and to whom he hands them.
    """
    from cellvow.cli.failures import WrongUsage
    from cellvow.workspace.disputes import export_statements, open_file, read_dispute

    opener, reference = parse_dispute(options.dispute)
    written: list[str] = []
    with opened_reading(options) as (home, workspace):
        store = home.open_reader()
        try:
            view = read_dispute(store.get, opener, reference)
        finally:
            store.close()
        file = open_file(workspace, view, options.read)
        if options.write is not None:
            if workspace is None:
                raise WrongUsage("statements are written from a --workspace: only it can open its own")
            count = export_statements(workspace, view, options.write)
            written = ["", f"{count} of your statements are in {options.write}: hand it to whom you want to read them."]
    return Answer({"dispute": dispute_document(file)}, [*file_lines(file), *written])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForDispute(WorkspaceOptions):
    """Options of what a party does in a dispute."""

    dispute: DisputeArgument


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Stating(ForDispute):
    """Options of `dispute state`."""

    text: TextOption
    document: DocumentOption = dataclasses.field(default_factory=list)


@command(app, "state", examples=('cellvow dispute state maker/D-1 --text "Returned on 9 March" -w carmaker',))
def state(options: Stating) -> Answer:
    """State your position in a dispute, up to eight times."""
    from cellvow.workspace import disputes

    opener, reference = parse_dispute(options.dispute)
    stated = _stated(options.text, options.document)
    return perform(
        options.workspace,
        f"Your position in {options.dispute} is stated.",
        lambda session, workspace: disputes.state_position(session, workspace, opener, reference, stated),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Nominating(ForDispute):
    """Options of `dispute nominate`."""

    arbiter: Annotated[str, typer.Option(metavar="ORGANISATION", help="A member who is no party.")]


@command(app, "nominate", examples=("cellvow dispute nominate maker/D-1 --arbiter lab --workspace carmaker",))
def nominate(options: Nominating) -> Answer:
    """Name who shall decide.

    Once both sides have named the same member the case is his; otherwise an authority decides.
    """
    from cellvow.workspace import disputes

    opener, reference = parse_dispute(options.dispute)
    return perform(
        options.workspace,
        f"You have named {options.arbiter} in {options.dispute}.",
        lambda session, workspace: disputes.nominate_arbiter(session, workspace, opener, reference, options.arbiter),
    )


@command(app, "withdraw", examples=("cellvow dispute withdraw maker/D-1 --workspace maker",))
def withdraw(options: ForDispute) -> Answer:
    """Withdraw your own dispute or claim."""
    from cellvow.workspace import disputes

    opener, reference = parse_dispute(options.dispute)
    return perform(
        options.workspace,
        f"{options.dispute} is withdrawn.",
        lambda session, workspace: disputes.withdraw_dispute(session, workspace, opener, reference),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Proposing(ForDispute):
    """Options of `dispute propose`."""

    move: MoveOption = dataclasses.field(default_factory=list)


@command(app, "propose", examples=("cellvow dispute propose maker/D-1 --move custody=maker --workspace maker",))
def propose(options: Proposing) -> Answer:
    """Propose a settlement to the other side.

    Registers move between the two of you only, and only once the other side has accepted.
    """
    from cellvow.workspace import disputes

    opener, reference = parse_dispute(options.dispute)
    moves = [parse_move(one) for one in options.move]
    return perform(
        options.workspace,
        f"A settlement of {options.dispute} is proposed.",
        lambda session, workspace: disputes.propose_settlement(session, workspace, opener, reference, moves),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Accepting(ForDispute):
    """Options of `dispute accept`."""

    version: Annotated[int, typer.Option(metavar="NUMBER", min=1, help="As `cellvow dispute show` prints it.")]


@command(app, "accept", examples=("cellvow dispute accept maker/D-1 --version 3 --workspace carmaker",))
def accept(options: Accepting) -> Answer:
    """Accept the settlement that you have read.

    The dispute ends, and the registers move as proposed. A later proposal is not accepted with it.
    """
    from cellvow.workspace import disputes

    opener, reference = parse_dispute(options.dispute)
    return perform(
        options.workspace,
        f"{options.dispute} is settled.",
        lambda session, workspace: disputes.accept_settlement(session, workspace, opener, reference, options.version),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Deciding(ForDispute):
    """Options of `dispute decide`."""

    verdict: Annotated[Verdict, typer.Option(metavar="VERDICT", help="upheld, dismissed or divided.")]
    grounds: Annotated[str, typer.Option(metavar="TEXT", help="Why. Only a commitment to it leaves you.")]
    move: MoveOption = dataclasses.field(default_factory=list)
    voids_tests: Annotated[
        bool, typer.Option("--voids-tests", help="Earlier tests of the battery are void from then on.")
    ] = False


@command(
    app,
    "decide",
    examples=('cellvow dispute decide maker/D-1 --verdict upheld --grounds "No return is shown" -w lab',),
)
def decide(options: Deciding) -> Answer:
    """Decide a dispute as its arbiter."""
    from cellvow.workspace import disputes

    opener, reference = parse_dispute(options.dispute)
    ruling = disputes.Ruling(
        outcome=str(options.verdict),
        grounds=disputes.Stated(text=options.grounds),
        moves=tuple(parse_move(one) for one in options.move),
        voids_tests=options.voids_tests,
    )
    return perform(
        options.workspace,
        f"{options.dispute} is decided: {options.verdict}.",
        lambda session, workspace: disputes.decide_dispute(session, workspace, opener, reference, ruling),
    )


def _stated(text: str, documents: list[Path]) -> "Stated":
    from cellvow.workspace.disputes import Stated

    return Stated(text=text, documents=tuple(documents))
