"""Options that several commands share, and what they name: a workspace, a ledger, or one by way of the other."""

import dataclasses
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cellvow.cli.command import Options
from cellvow.cli.failures import WrongUsage

if TYPE_CHECKING:
    from cellvow.node.home import NodeHome
    from cellvow.workspace.workspace import Workspace

Language = Literal["en", "de", "pt_BR"]
BatteryArgument = Annotated[
    str, typer.Argument(metavar="BATTERY", help="The battery, as 01/GTIN/21/SERIAL or as the link on it.")
]
_WORKSPACE_HELP = "Folder of the workspace."
_LEDGER_HELP = "Folder of the node."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class WorkspaceOptions(Options):
    """For commands that sign, or read what only the organisation has."""

    workspace: Annotated[
        Path,
        typer.Option(
            "--workspace", "-w", metavar="DIR", envvar="CELLVOW_WORKSPACE", file_okay=False, help=_WORKSPACE_HELP
        ),
    ]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LedgerOptions(Options):
    """For commands about a node."""

    ledger: Annotated[
        Path, typer.Option("--ledger", "-l", metavar="DIR", envvar="CELLVOW_LEDGER", file_okay=False, help=_LEDGER_HELP)
    ]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ReadingOptions(Options):
    """For commands that read a ledger: as its stranger, or as the organisation of a workspace."""

    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace", "-w", metavar="DIR", envvar="CELLVOW_WORKSPACE", file_okay=False, help=_WORKSPACE_HELP
        ),
    ] = None
    ledger: Annotated[
        Path | None,
        typer.Option("--ledger", "-l", metavar="DIR", envvar="CELLVOW_LEDGER", file_okay=False, help=_LEDGER_HELP),
    ] = None


@contextmanager
def opened_workspace(folder: Path) -> Iterator["Workspace"]:
    """The workspace in a folder, closed at the end."""
    from cellvow.workspace.workspace import Workspace

    workspace = Workspace(folder)
    try:
        yield workspace
    finally:
        workspace.close()


@contextmanager
def opened_reading(options: ReadingOptions) -> Iterator[tuple["NodeHome", "Workspace | None"]]:
    """The node to read from, and the workspace where one is named."""
    from cellvow.node.home import NodeHome

    if options.workspace is None:
        if options.ledger is None:
            raise WrongUsage("name a --workspace or a --ledger (or set CELLVOW_WORKSPACE, CELLVOW_LEDGER)")
        yield NodeHome(options.ledger), None
        return
    with opened_workspace(options.workspace) as workspace:
        home = workspace.home()
        if options.ledger is not None and options.ledger.resolve() != home.folder:
            raise WrongUsage(f"the workspace has joined {home.folder}, not {options.ledger}: name one of them")
        yield home, workspace
