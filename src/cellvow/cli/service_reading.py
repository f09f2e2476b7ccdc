"""`cellvow service show`, `queue` and `send`: a unit in use, what waits, and what became of it."""

import dataclasses

import typer

from cellvow.cli.answer import Answer
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
