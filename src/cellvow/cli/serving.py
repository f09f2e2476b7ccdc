"""`cellvow serve`: the passports of a ledger as pages, for everybody and for the owner of a workspace."""

import dataclasses
import secrets
import sys
import threading
import webbrowser
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command
from cellvow.cli.listening import Listener
from cellvow.cli.options import ReadingOptions
from cellvow.cli.pages import find_witness_note
from cellvow.cli.site import NoPassports, Served, Wanted, build_site
from cellvow.core.primitives.errors import fail

if TYPE_CHECKING:
    from cellvow.node.home import NodeHome
    from cellvow.workspace.workspace import Workspace

DEMO_LEDGER, DEMO_WORKSPACE = Path("demo/ledger"), Path("demo/buyer")
TOKEN_BYTES = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Serving(ReadingOptions):
    """Options of `serve`."""

    host: Annotated[
        str,
        typer.Option(metavar="ADDRESS", help="Address to listen on; others than this machine's are seen by others."),
    ] = "127.0.0.1"
    port: Annotated[int, typer.Option(metavar="PORT", min=0, max=65535, help="Port; 0 takes a free one.")] = 0
    origin: Annotated[
        str | None, typer.Option(metavar="URL", help="Site that resolves codes; without: the address a client used.")
    ] = None
    accept: Annotated[
        bool, typer.Option("--accept", help="Take statements that others have signed: POST /api/v1/statements.")
    ] = False
    local_metrics: Annotated[
        bool,
        typer.Option("--local-metrics", help="Give /metrics to this machine without a key; not behind a proxy here."),
    ] = False


def add_serve(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(
        app,
        "serve",
        examples=(
            "cellvow serve",
            "cellvow serve --workspace buyer --port 8000",
            "cellvow serve --ledger node --accept",
        ),
    )(serve)


def serve(options: Serving) -> Answer:
    """Serve passports as pages until interrupted.

    Without a ledger or workspace, those of the demonstration in ./demo. With a workspace a second link opens its
    owner's view and desk, where files are imported and statements signed with its key: whoever has that link acts
    for the organisation. The key in it is new at every start and is written nowhere.
    """
    served = open_served(options)
    token = None if served.workspace is None else secrets.token_urlsafe(TOKEN_BYTES)
    listener = Listener.bind(options.host, options.port)
    owner = None if token is None else _owner_link(listener.url, served, token)

    def listen(ready: Callable[[], None]) -> None:
        def begin() -> None:
            ready()
            if sys.stdout.isatty() and not options.as_json:
                open_browser(listener.url)

        with ExitStack() as closing:
            if served.workspace is not None:
                closing.callback(served.workspace.close)
            wanted = Wanted(token, options.origin, options.accept, options.local_metrics)
            listener.run(build_site(served, wanted, closing), begin)

    lines = [served.note, f"  everybody's view: {listener.url}/"]
    if owner is not None:
        lines.append(f"  owner's view:     {owner}")
        lines.append(f"  owner's desk:     {listener.url}/desk (open the link above first)")
        lines.append(f"  workshop phones:  {listener.url}/field")
    lines += ["Ctrl-C stops it."]
    return Answer({"owner_url": owner, "url": f"{listener.url}/"}, lines, stay_up=listen)


def open_served(options: ReadingOptions) -> Served:
    """What the options name; without any, the demonstration's folders, or nothing where there are none."""
    from cellvow.node.home import TRUST_FILE, NodeHome
    from cellvow.workspace.passports import PassportReader
    from cellvow.workspace.workspace import Workspace

    ledger, folder = options.ledger, options.workspace
    if ledger is None and folder is None:
        if not (DEMO_LEDGER / TRUST_FILE).is_file():
            return Served(NoPassports(), None, "There is nothing to show yet: `cellvow demo` makes something first.")
        ledger, folder = DEMO_LEDGER, DEMO_WORKSPACE
    workspace = None if folder is None else Workspace(folder)
    home = NodeHome(ledger) if ledger is not None else _home_of(workspace)
    whose = "" if workspace is None else f", and {workspace.organisation}'s own view"
    note = f"Serving the passports of {home.folder}{whose}:"
    return Served(PassportReader(home, workspace), workspace, note, find_witness_note(home))


def open_browser(url: str) -> None:
    """Open a window on the page; a browser that would take over this terminal is left alone."""
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return
    if isinstance(browser, webbrowser.GenericBrowser) and not isinstance(browser, webbrowser.BackgroundBrowser):
        return
    opening: Callable[[str], bool] = browser.open
    threading.Thread(target=opening, args=(url,), daemon=True).start()


def _owner_link(url: str, served: Served, token: str) -> str:
    first = served.source.batteries("", 1)
    return f"{url}/enter/{token}{f'?to=/{first[0]}' if first else ''}"


def _home_of(workspace: "Workspace | None") -> "NodeHome":
    if workspace is None:
        fail("neither a ledger nor a workspace was named, and the demonstration was not taken")
    return workspace.home()
