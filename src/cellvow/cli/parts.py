"""`cellvow part`: cells in modules, modules in packs - built in, taken out, replaced, and shown as a tree."""

import dataclasses
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.command import command, make_app
from cellvow.cli.options import BatteryArgument, ReadingOptions, WorkspaceOptions, opened_reading
from cellvow.cli.parsing import parse_battery
from cellvow.cli.wording import day
from cellvow.cli.writing import perform

if TYPE_CHECKING:
    from cellvow.passport.parts import Tree

app = make_app("Build parts into a battery, take them out, replace them.")
Level = Literal["cell", "module", "pack"]
Cause = Literal["replaced", "defective", "harvested", "other"]
PartArgument = Annotated[
    str, typer.Argument(metavar="PART", help="The part, as 01/GTIN/21/SERIAL or as the link on it.")
]
PositionOption = Annotated[str | None, typer.Option(metavar="TEXT", help="Where in it, like 'slot 3'.")]
CauseOption = Annotated[Cause, typer.Option(help="Why it comes out.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelToDescribe(WorkspaceOptions):
    """Options of `part describe`."""

    gtin: Annotated[str, typer.Argument(metavar="GTIN", help="The model's GTIN, 14 digits.")]
    level: Annotated[Level, typer.Option(help="What a unit of this model is.")]
    cells: Annotated[int, typer.Option(metavar="N", min=1, help="Cells in one unit; a cell has 1.")]


@command(
    app,
    "describe",
    examples=("cellvow part describe 09506000134376 --level pack --cells 96 --workspace maker",),
)
def describe(options: ModelToDescribe) -> Answer:
    """Say what units of an own model are.

    It is said once: cell, module or pack, and how many cells. Before that no unit of it is a part, or has parts.
    `cellvow correct description` mends a mistake.
    """
    from cellvow.workspace import parts

    counted = "1 cell" if options.cells == 1 else f"{options.cells} cells"
    return perform(
        options.workspace,
        f"Model {options.gtin} is described: a {options.level} of {counted}.",
        lambda session, workspace: parts.describe_model(session, workspace, options.gtin, options.level, options.cells),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PartToInstall(WorkspaceOptions):
    """Options of `part install`."""

    part: PartArgument
    into: Annotated[str, typer.Option(metavar="BATTERY", help="The unit it goes into.")]
    position: PositionOption = None
    claim: Annotated[
        bool,
        typer.Option("--claim", help="Another has it in a unit of his own: claim it, which opens a dispute with him."),
    ] = False


@command(
    app,
    "install",
    examples=(
        (
            "cellvow part install 01/09506000134369/21/MODULE-0001 --into 01/09506000134376/21/PACK-0001 "
            "--position 'slot 1' --workspace maker"
        ),
    ),
)
def install(options: PartToInstall) -> Answer:
    """Build a part into a battery that one holds.

    Both must be in your hands and have the same owner and the same party that answers. Tests of the battery, and of
    every unit around it, are void from then on.
    """
    from cellvow.workspace import parts

    part, whole = parse_battery(options.part), parse_battery(options.into)
    return perform(
        options.workspace,
        f"{part} is built into {whole}.",
        lambda session, workspace: parts.install_part(
            session, workspace, whole, part, options.position, claim=options.claim
        ),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PartToRemove(WorkspaceOptions):
    """Options of `part remove`."""

    part: PartArgument
    cause: CauseOption


@command(
    app,
    "remove",
    examples=("cellvow part remove 01/09506000134369/21/MODULE-0001 --cause defective --workspace maker",),
)
def remove(options: PartToRemove) -> Answer:
    """Take a part out of the battery that it is in.

    Whoever holds, owns and answers for the battery does so for the part from then on.
    """
    from cellvow.workspace import parts

    part = parse_battery(options.part)
    return perform(
        options.workspace,
        f"{part} is taken out ({options.cause}).",
        lambda session, workspace: parts.remove_part(session, workspace, part, options.cause),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PartToReplace(WorkspaceOptions):
    """Options of `part replace`."""

    removed: Annotated[str, typer.Argument(metavar="OLD", help="The part that comes out.")]
    installed: Annotated[str, typer.Argument(metavar="NEW", help="The part that goes in.")]
    cause: CauseOption
    position: PositionOption = None


@command(
    app,
    "replace",
    examples=(
        ("cellvow part replace 01/09506000134369/21/M-1 01/09506000134369/21/M-9 --cause defective --workspace maker"),
    ),
)
def replace(options: PartToReplace) -> Answer:
    """Put one part in the place of another, all or nothing."""
    from cellvow.workspace import parts

    removed, installed = parse_battery(options.removed), parse_battery(options.installed)
    return perform(
        options.workspace,
        f"{installed} is in the place of {removed} ({options.cause}).",
        lambda session, workspace: parts.replace_part(
            session, workspace, removed, installed, options.cause, options.position
        ),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class TreeToShow(ReadingOptions):
    """Options of `part tree`."""

    battery: BatteryArgument


@command(
    app,
    "tree",
    examples=(
        "cellvow part tree 01/09506000134376/21/PACK-0001 --ledger node",
        "cellvow part tree 01/09506000134376/21/PACK-0001 --workspace maker --json",
    ),
)
def tree(options: TreeToShow) -> Answer:
    """Show the parts of a battery, with their positions."""
    from cellvow.workspace.parts import read_tree

    battery = parse_battery(options.battery)
    with opened_reading(options) as (home, _):
        shown = read_tree(home, battery)
    return Answer(dataclasses.asdict(shown), _lines(shown))


def _lines(tree: "Tree") -> list[str | Table]:
    from cellvow.passport.parts import flatten_tree

    kind = "not described" if tree.level is None else f"{tree.level}, {tree.cells} cells"
    lines: list[str | Table] = [f"{tree.battery} ({kind})"]
    if tree.above:
        lines.append(f"  is built into {', in '.join(tree.above)}")
    if not tree.parts:
        return [*lines, "  No parts are recorded."]
    rows = tuple(
        ("  " * depth + part.battery, part.position or "-", part.level or "-", day(part.since_ms))
        for depth, part in flatten_tree(tree.parts)
    )
    lines.append(Table(("part", "position", "level", "since"), rows, indent=2))
    if tree.is_cut:
        lines.append(f"  There are more: the first {len(rows)} are shown.")
    direct = f"{tree.cells_of_parts} cells, {tree.mass_g_of_parts} g"
    return [*lines, f"  {len(tree.parts)} direct parts: {direct}."]
