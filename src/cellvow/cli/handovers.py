"""`cellvow handover`: who holds a battery, who owns it, who answers for it - moved in two steps, both signed."""

import dataclasses
from enum import StrEnum
from typing import Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command, make_app
from cellvow.cli.options import BatteryArgument, WorkspaceOptions
from cellvow.cli.parsing import parse_battery
from cellvow.cli.sheets import SheetToImport, import_sheet
from cellvow.cli.writing import perform

app = make_app("Hand a battery over, signed by both sides.")
_DONE = {"accept": "is accepted", "decline": "is declined", "withdraw": "is withdrawn"}


class RegisterName(StrEnum):
    """A register that can pass on."""

    CUSTODY = "custody"
    OWNERSHIP = "ownership"
    RESPONSIBILITY = "responsibility"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Offer(WorkspaceOptions):
    """Options of `handover offer`."""

    battery: BatteryArgument
    to: Annotated[str, typer.Option(metavar="ORGANISATION", help="Who is to take it.")]
    register: Annotated[
        list[RegisterName],
        typer.Option(
            metavar="REGISTER",
            help="What passes on: custody, ownership or responsibility; repeat it. Without: all three.",
        ),
    ] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForBattery(WorkspaceOptions):
    """Options of the answers to an offer."""

    battery: BatteryArgument


@command(
    app,
    "offer",
    examples=(
        "cellvow handover offer 01/09506000134376/21/PACK-0001 --to carmaker --workspace maker",
        "cellvow handover offer 01/09506000134376/21/PACK-0001 --to carrier --register custody -w maker",
    ),
)
def offer(options: Offer) -> Answer:
    """Offer a battery to another member.

    Nothing moves before the other side accepts.
    """
    from cellvow.workspace import commands

    battery = parse_battery(options.battery)
    registers = tuple(str(one) for one in options.register or RegisterName)
    return perform(
        options.workspace,
        f"{battery} is offered to {options.to}: {', '.join(registers)}.",
        lambda session, workspace: commands.offer_handover(session, workspace, battery, options.to, registers),
    )


@command(app, "accept", examples=("cellvow handover accept 01/09506000134376/21/PACK-0001 --workspace carmaker",))
def accept(options: ForBattery) -> Answer:
    """Accept the open offer for a battery.

    Its registers name your organisation from then on.
    """
    return _answer(options, "accept")


@command(app, "decline", examples=("cellvow handover decline 01/09506000134376/21/PACK-0001 --workspace carmaker",))
def decline(options: ForBattery) -> Answer:
    """Decline the open offer."""
    return _answer(options, "decline")


@command(app, "withdraw", examples=("cellvow handover withdraw 01/09506000134376/21/PACK-0001 --workspace maker",))
def withdraw(options: ForBattery) -> Answer:
    """Withdraw one's own open offer."""
    return _answer(options, "withdraw")


class HandoverKind(StrEnum):
    """What the rows of a sheet are to do."""

    OFFER = "offer"
    ACCEPT = "accept"
    DECLINE = "decline"
    WITHDRAW = "withdraw"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class HandoversToImport(SheetToImport):
    """Options of `handover import`."""

    what: Annotated[HandoverKind, typer.Option("--as", metavar="WHAT", help="offer, accept, decline or withdraw.")] = (
        HandoverKind.OFFER
    )


@command(
    app,
    "import",
    examples=(
        "cellvow handover import offers.csv --dry-run --workspace maker",
        "cellvow handover import truck.csv --as accept --only-ready --workspace carmaker",
    ),
)
def import_handovers(options: HandoversToImport) -> Answer:
    """Offer the batteries of a CSV sheet, or answer offers.

    Its columns are battery and, to offer, addressee and registers. Every row is judged
    first; while one has a fault nothing is signed, unless --only-ready leaves such rows out. Run it again after an
    interruption: it goes on, and nothing is done twice.
    """
    return import_sheet(options, str(options.what))


def _answer(options: ForBattery, answer: str) -> Answer:
    from cellvow.workspace import commands

    battery = parse_battery(options.battery)
    return perform(
        options.workspace,
        f"The offer of {battery} {_DONE[answer]}.",
        lambda session, workspace: commands.answer_handover(session, workspace, battery, answer),
    )
