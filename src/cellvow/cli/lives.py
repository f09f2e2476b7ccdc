"""`cellvow life`: what comes after a unit's first life - rest, waste, second life, end - and what was diverted."""

import dataclasses
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, get_args

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.command import command, make_app
from cellvow.cli.life_text import diverted_lines, life_document, life_lines, plan_document, plan_lines
from cellvow.cli.options import BatteryArgument, ReadingOptions, WorkspaceOptions, opened_reading, opened_workspace
from cellvow.cli.parsing import parse_battery, parse_share
from cellvow.cli.writing import perform

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellvow.node.engine import Receipted
    from cellvow.node.home import LedgerSession
    from cellvow.workspace.second_life import SecondLife, Share
    from cellvow.workspace.workspace import Workspace

    Turn = tuple[LedgerSession, Workspace, str]
    """A turn at the ledger, the organisation whose it is, and the unit it is about."""

app = make_app("Second lives and ends: waste, recycling, what became of a unit.")
RestCause = Literal["out_of_service", "vehicle_scrapped", "defective", "damaged", "recalled", "stored", "other"]
WasteCause = Literal["worn_out", "defective", "damaged", "recalled", "accident", "unwanted", "obsolete", "other"]
LossCause = Literal["fire", "accident", "disaster", "lost"]
Operation = Literal["repurpose", "reuse", "remanufacture"]
Grade = Literal["A", "B", "C", "D", "E"]
_STAYS = "it stays in your vault."


class Application(StrEnum):
    """A use a graded unit may be fit for."""

    BACKUP_POWER = "backup_power"
    GRID_STORAGE = "grid_storage"
    HOME_STORAGE = "home_storage"
    LIGHT_VEHICLE = "light_vehicle"
    MACHINE = "machine"
    ROAD_VEHICLE = "road_vehicle"
    SPARE_PARTS = "spare_parts"
    VESSEL = "vessel"


def _words(choices: object) -> str:
    return ", ".join(get_args(choices))


class OfUnit(Protocol):
    """Options that name one unit."""

    @property
    def workspace(self) -> Path:
        """Whose act it is."""
        ...

    @property
    def battery(self) -> str:
        """The unit, as it was typed."""
        ...


def _record(options: OfUnit, sentence: str, act: "Callable[[Turn], Receipted]") -> Answer:
    """Do one thing with the unit that is named; `sentence` says of {battery} what was done."""
    battery = parse_battery(options.battery)
    return perform(
        options.workspace,
        sentence.format(battery=battery),
        lambda session, workspace: act((session, workspace, battery)),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Rest(WorkspaceOptions):
    """Options of `life decommission`."""

    battery: BatteryArgument
    cause: Annotated[RestCause, typer.Option(metavar="CAUSE", help=f"Why: {_words(RestCause)}.")]


@command(
    app,
    "decommission",
    examples=("cellvow life decommission 01/09506000134376/21/PACK-0001 --cause out_of_service -w fleet",),
)
def decommission(options: Rest) -> Answer:
    """Take a unit out of use.

    It is not waste by that. Whoever answers for it or owns it may.
    """
    from cellvow.workspace import second_life

    return _record(options, "{battery} is out of use.", lambda turn: second_life.decommission(*turn, options.cause))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Waste(WorkspaceOptions):
    """Options of `life waste`."""

    battery: BatteryArgument
    cause: Annotated[WasteCause, typer.Option(metavar="CAUSE", help=f"Why: {_words(WasteCause)}.")]


@command(app, "waste", examples=("cellvow life waste 01/09506000134376/21/PACK-0001 --cause worn_out -w fleet",))
def declare_waste(options: Waste) -> Answer:
    """Declare a unit waste.

    From then on only a producer or a waste operator can be given the
    responsibility for it (Article 77(7)). Its tests hold on.
    """
    from cellvow.workspace import second_life

    return _record(options, "{battery} is waste.", lambda turn: second_life.declare_waste(*turn, options.cause))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recycling(WorkspaceOptions):
    """Options of `life recycle`."""

    battery: BatteryArgument
    facility: Annotated[str, typer.Option(metavar="PLACE", help=f"Where; {_STAYS}")]
    recovered: Annotated[str, typer.Option(metavar="TEXT", help=f"What was recovered; {_STAYS}")]


@command(
    app,
    "recycle",
    examples=(
        "cellvow life recycle 01/09506000134376/21/PACK-0001 --facility 'Hall 4' --recovered 'Co 1.2 kg' -w recycler",
    ),
)
def recycle(options: Recycling) -> Answer:
    """Record that a waste unit was recycled.

    Its passport ceases, and its tests with it. A recycler does it who holds the
    unit and answers for it; registered parts are taken out before.
    """
    from cellvow.workspace import second_life

    return _record(
        options,
        "{battery} is recycled: its passport has ceased.",
        lambda turn: second_life.record_recycling(*turn, options.facility, options.recovered),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Destruction(WorkspaceOptions):
    """Options of `life destroyed`."""

    battery: BatteryArgument
    cause: Annotated[LossCause, typer.Option(help="How it came to be gone.")]
    report: Annotated[str, typer.Option(metavar="TEXT", help=f"What happened; {_STAYS}")]


@command(
    app,
    "destroyed",
    examples=("cellvow life destroyed 01/09506000134376/21/PACK-0001 --cause fire --report 'File 17' -w fleet",),
)
def destroyed(options: Destruction) -> Answer:
    """Record that a unit is gone.

    Whoever answers for it does; where he neither holds nor owns it, who does, or an authority, has reported a danger.
    Its passport ceases, with those of the parts in it, and nothing brings it back.
    """
    from cellvow.workspace import second_life

    return _record(
        options,
        "{battery} is gone: its passport has ceased.",
        lambda turn: second_life.record_destruction(*turn, options.cause, options.report),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Begin(WorkspaceOptions):
    """Options of `life second`."""

    operation: Annotated[Operation, typer.Argument(help="What is done.")]
    original: Annotated[
        list[str],
        typer.Option(
            metavar="BATTERY[=G[,CELLS]]",
            help="A unit that becomes others, and what it gives; without numbers all that is left. Repeat it.",
        ),
    ]
    successor: Annotated[
        list[str],
        typer.Option(
            metavar="BATTERY[=G[,CELLS]]",
            help="A unit it becomes, and what that takes; without numbers an equal share. Repeat it.",
        ),
    ]
    manufactured_on: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Day on which the new units were made.")]
    facility: Annotated[str, typer.Option(metavar="PLACE", help="Where they were made; their passports show it.")]
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be signed, and sign nothing.")] = False


@command(
    app,
    "second",
    examples=(
        (
            "cellvow life second repurpose --original 01/09506000134376/21/PACK-0001 "
            "--successor 01/09506000134352/21/HOME-0001 --manufactured-on 2026-11-30 --facility Porto -w reuse"
        ),
        (
            "cellvow life second reuse --original 01/09506000134376/21/PACK-0001=400000,96 "
            "--successor 01/09506000134352/21/A=200000,48 --successor 01/09506000134352/21/B=200000,48 "
            "--manufactured-on 2026-11-30 --facility Porto --dry-run -w reuse"
        ),
    ),
)
def begin_second_life(options: Begin) -> Answer:
    """Let units become others, linked to them.

    The originals stand with you in all three registers, and cease; the new
    units are of a model of yours. Never more mass or cells come out than go in.
    Tests of the originals are void, with the operation as the reason.
    """
    from cellvow.workspace import second_life

    wanted = _wanted(options)
    if options.dry_run:
        with opened_workspace(options.workspace) as workspace, closing(workspace.home().open_reader()) as store:
            plan = second_life.plan_second_life(store.get, wanted)
        return Answer(plan_document(plan), ["Nothing is signed. It would be:", *plan_lines(plan)])
    names = ", ".join(one.battery for one in wanted.successors)
    return perform(
        options.workspace,
        f"A second life has begun: {names}.",
        lambda session, workspace: second_life.begin_second_life(session, workspace, wanted),
    )


def _wanted(options: Begin) -> "SecondLife":
    from cellvow.workspace.second_life import SecondLife

    return SecondLife(
        operation=options.operation,
        originals=tuple(_share(one) for one in options.original),
        successors=tuple(_share(one) for one in options.successor),
        manufactured_on=options.manufactured_on,
        facility=options.facility,
    )


def _share(text: str) -> "Share":
    from cellvow.workspace.second_life import Share

    battery, mass_g, cells = parse_share(text)
    return Share(battery, mass_g, cells)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Grading(WorkspaceOptions):
    """Options of `life grade`."""

    battery: BatteryArgument
    reference: Annotated[str, typer.Argument(metavar="REF", help="Your own number for the grading.")]
    grade: Annotated[Grade, typer.Option(help="A is the best.")]
    report: Annotated[str, typer.Option(metavar="TEXT", help=f"What it rests on; {_STAYS}")]
    use: Annotated[
        list[Application],
        typer.Option(metavar="USE", help=f"What it is fit for, repeated: {', '.join(Application)}. Without: nothing."),
    ] = dataclasses.field(default_factory=list)
    until: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Last day on which it holds.")] = None


@command(
    app,
    "grade",
    examples=(
        "cellvow life grade 01/09506000134376/21/PACK-0001 G-7 --grade B --use home_storage --report 'G7' -w lab",
    ),
)
def grade(options: Grading) -> Answer:
    """Grade a unit for a second use.

    A laboratory does, or a second-life operator who holds it. What voids the
    tests of the unit voids the grading.
    """
    from cellvow.workspace import second_life

    uses = tuple(str(one) for one in options.use)

    def act(turn: "Turn") -> "Receipted":
        session, workspace, battery = turn
        grading = (battery, options.reference, options.grade)
        return second_life.grade_unit(session, workspace, grading, uses, options.until, options.report)

    return _record(options, f"{{battery}} is graded {options.grade}.", act)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Sighting(WorkspaceOptions):
    """Options of `life sighting`."""

    battery: BatteryArgument
    place: Annotated[str, typer.Option(metavar="PLACE", help=f"Where; {_STAYS}")]


@command(app, "sighting", examples=("cellvow life sighting 01/09506000134376/21/PACK-0001 --place Lisbon -w workshop",))
def sighting(options: Sighting) -> Answer:
    """Report that the code of a unit was seen in the field.

    An identifier that this ledger does not know raises an alert; one that has
    ceased is kept as a claim, in your name.
    """
    from cellvow.workspace import second_life

    return _record(
        options,
        "The sighting of {battery} is recorded.",
        lambda turn: second_life.report_sighting(*turn, options.place),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToShow(ReadingOptions):
    """Options of `life show`."""

    battery: BatteryArgument


@command(app, "show", examples=("cellvow life show 01/09506000134376/21/PACK-0001 --ledger node",))
def show(options: ToShow) -> Answer:
    """Show what a unit was, became, and how it ended."""
    from cellvow.workspace.second_life import read_life

    battery = parse_battery(options.battery)
    with opened_reading(options) as (home, _), closing(home.open_reader()) as store:
        life = read_life(store, battery)
    return Answer(life_document(life), life_lines(life))


@command(app, "diverted", examples=("cellvow life diverted --ledger node", "cellvow life diverted -l node --json"))
def diverted(options: ReadingOptions) -> Answer:
    """Add up what became of units that were done with.

    The mass that went into a second life, that was recycled, and that is gone:
    from the records of all units, by the weights on record.
    """
    from cellvow.workspace.second_life import read_diverted

    with opened_reading(options) as (home, _), closing(home.open_reader()) as store:
        figures = read_diverted(store)
    lines: list[str | Table] = list(diverted_lines(figures))
    return Answer({"diverted": dataclasses.asdict(figures)}, lines)
