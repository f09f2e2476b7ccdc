"""`cellvow takeover`: another operator answers for a battery whose responsible party is gone."""

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command, make_app
from cellvow.cli.dispute_text import takeover_lines
from cellvow.cli.options import BatteryArgument, ReadingOptions, WorkspaceOptions, opened_reading
from cellvow.cli.parsing import parse_battery
from cellvow.cli.writing import perform

app = make_app("Take over a battery that nobody answers for.")
_DONE = {
    "object": "You have objected to the take-over of {battery}.",
    "complete": "You answer for {battery} from now on.",
    "withdraw": "The notice of a take-over of {battery} is withdrawn.",
}


class Cause(StrEnum):
    """Why nobody answers for it any more."""

    INSOLVENT = "insolvent"
    UNREACHABLE = "unreachable"
    ABANDONED = "abandoned"
    REMOVED = "removed"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Notice(WorkspaceOptions):
    """Options of `takeover notice`."""

    battery: BatteryArgument
    cause: Annotated[Cause, typer.Option(metavar="CAUSE", help="insolvent, unreachable, abandoned or removed.")]
    document: Annotated[
        list[Path],
        typer.Option(metavar="FILE", help="Evidence; repeat it. The file stays here."),
    ] = dataclasses.field(default_factory=list)


@command(
    app,
    "notice",
    examples=(
        "cellvow takeover notice 01/09506000134376/21/PACK-0001 --cause insolvent --document ruling.pdf -w secondlife",
    ),
)
def notice(options: Notice) -> Answer:
    """Give notice that you take a battery over.

    For thirty days whoever is registered can object; after that you complete it. Ownership does not pass.
    """
    from cellvow.workspace import disputes

    battery = parse_battery(options.battery)
    return perform(
        options.workspace,
        f"Notice of the take-over of {battery} is given.",
        lambda session, workspace: disputes.give_notice(
            session, workspace, battery, str(options.cause), options.document
        ),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Looking(ReadingOptions):
    """Options of `takeover show`."""

    battery: BatteryArgument


@command(app, "show", examples=("cellvow takeover show 01/09506000134376/21/PACK-0001 --workspace maker",))
def show(options: Looking) -> Answer:
    """Show the latest notice of a take-over."""
    from cellvow.passport.disputes import derive_takeover
    from cellvow.workspace.clock import now_ms

    battery = parse_battery(options.battery)
    with opened_reading(options) as (home, _):
        store = home.open_reader()
        try:
            view = derive_takeover(store.get, battery, now_ms())
        finally:
            store.close()
    document = None if view is None else dataclasses.asdict(view)
    return Answer({"takeover": document}, takeover_lines(view, battery))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForBattery(WorkspaceOptions):
    """Options of the answers to a notice."""

    battery: BatteryArgument


@command(app, "object", examples=("cellvow takeover object 01/09506000134376/21/PACK-0001 --workspace maker",))
def object_to(options: ForBattery) -> Answer:
    """Object to a take-over: you are there.

    The notice ends. Who gave it may open a dispute instead.
    """
    return _answer(options, "object")


@command(app, "complete", examples=("cellvow takeover complete 01/09506000134376/21/PACK-0001 -w secondlife",))
def complete(options: ForBattery) -> Answer:
    """Take the battery over, once the notice has ended."""
    return _answer(options, "complete")


@command(app, "withdraw", examples=("cellvow takeover withdraw 01/09506000134376/21/PACK-0001 -w secondlife",))
def withdraw(options: ForBattery) -> Answer:
    """Withdraw your own notice."""
    return _answer(options, "withdraw")


def _answer(options: ForBattery, answer: str) -> Answer:
    from cellvow.workspace import disputes

    battery = parse_battery(options.battery)
    return perform(
        options.workspace,
        _DONE[answer].format(battery=battery),
        lambda session, workspace: disputes.answer_notice(session, workspace, battery, answer),
    )
