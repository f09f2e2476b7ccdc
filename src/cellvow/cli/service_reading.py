"""`cellvow service show`, `give`, `check`, `queue` and `send`: what is recorded, handed out, waiting and sent."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.bundles import read_bounded
from cellvow.cli.command import command
from cellvow.cli.options import BatteryArgument, ReadingOptions, WorkspaceOptions, opened_reading, opened_workspace
from cellvow.cli.parsing import parse_battery
from cellvow.cli.service_text import answer_of_queue, answer_of_sent, answer_of_service
from cellvow.cli.wording import day


def add_reading(app: typer.Typer) -> None:
    """Add the commands to the group `service`."""
    command(
        app,
        "show",
        examples=(
            "cellvow service show 01/09506000134376/21/PACK-0001 --workspace workshop",
            "cellvow service show 01/09506000134376/21/PACK-0001 --ledger node --json",
        ),
    )(show)
    command(
        app,
        "give",
        examples=("cellvow service give MANUAL-1 --to workshop --out manual.cvd --workspace maker",),
    )(give)
    command(
        app,
        "check",
        examples=("cellvow service check manual.cvd --out manual.pdf --workspace workshop",),
    )(check)
    command(app, "queue", examples=("cellvow service queue --workspace workshop",))(list_queue)
    command(app, "send", examples=("cellvow service send --workspace workshop",))(send)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToShow(ReadingOptions):
    """Options of `service show`."""

    battery: BatteryArgument


def show(options: ToShow) -> Answer:
    """Show a unit in use.

    A stranger sees safety and software, a member also place, service and open order. Documents are shown to the roles
    they are published for.
    """
    from cellvow.workspace import clock
    from cellvow.workspace.service import read_service

    with opened_reading(options) as (home, workspace):
        view = read_service(home, workspace, parse_battery(options.battery))
    return answer_of_service(view, day(clock.now_ms()), is_member=options.workspace is not None)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToGive(WorkspaceOptions):
    """Options of `service give`."""

    reference: Annotated[str, typer.Argument(metavar="REF", help="Your number of the document.")]
    to: Annotated[str, typer.Option(metavar="ORGANISATION", help="Who gets it.")]
    out: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="Where to write it.")]


def give(options: ToGive) -> Answer:
    """Give a document to a member it is for.

    Writes its newest version with what proves it. A member of none of its roles gets nothing.
    """
    from cellvow.workspace.papers import hand_out

    with opened_workspace(options.workspace) as workspace:
        store = workspace.home().open_reader()
        try:
            data = hand_out(workspace, store, options.reference, options.to)
        finally:
            store.close()
    options.out.write_bytes(data)
    lines = [
        f"{options.reference} is in {options.out}. {options.to} checks it with:",
        f"  cellvow service check {options.out} --workspace {options.to}",
    ]
    return Answer({"bytes": len(data), "out": str(options.out), "to": options.to}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToCheck(ReadingOptions):
    """Options of `service check`."""

    file: Annotated[Path, typer.Argument(metavar="FILE", dir_okay=False, help="What you were given.")]
    out: Annotated[Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Where the document goes.")] = None


def check(options: ToCheck) -> Answer:
    """Check a document you were given against the ledger.

    Says whether it is what its publisher published, and whether a newer version is out.
    """
    from cellvow.workspace.papers import PAPER_BYTES_MAX, check_paper

    data = read_bounded(options.file, PAPER_BYTES_MAX)
    with opened_reading(options) as (home, workspace):
        paper = check_paper(data, home, workspace)
    if options.out is not None:
        options.out.write_bytes(paper.content)
    lines = [f"{paper.organisation}/{paper.reference}, version {paper.version}: {paper.title}, about {paper.about}."]
    lines.append("It is what was published." if options.out is None else f"It is what was published, in {options.out}.")
    if paper.version < paper.newest:
        lines.append(f"Version {paper.newest} is out: ask {paper.organisation} for it.")
    document = {name: getattr(paper, name) for name in ("about", "newest", "organisation", "reference", "version")}
    return Answer({**document, "title": paper.title}, lines)


def list_queue(options: WorkspaceOptions) -> Answer:
    """List what is signed and waits to be sent."""
    from cellvow.workspace.sending import list_waiting

    with opened_workspace(options.workspace) as workspace:
        return answer_of_queue(list_waiting(workspace))


def send(options: WorkspaceOptions) -> Answer:
    """Send what was signed without network.

    Each takes effect once, however often you send. What the ledger rejects - because somebody was there before - is
    listed with its rule; nothing is changed by it.
    """
    from cellvow.cli.writing import publish
    from cellvow.core.primitives.errors import OperationalError
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.sending import send_waiting

    sent, stopped = [], None
    with opened_workspace(options.workspace) as workspace, workspace.home().open_session(now_ms) as session:
        try:
            for one in send_waiting(session, workspace):
                sent.append(one)  # noqa: PERF402 - what was answered is told, though the next is not
        except (OperationalError, TimeoutError) as error:
            stopped = str(error) or "no answer from the ledger in time"
        published = publish(session) if sent and stopped is None else None
    return answer_of_sent(sent, published, stopped)
