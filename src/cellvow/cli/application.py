"""The application: every command under its name, and the way in."""

from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cellvow import __version__
from cellvow.cli import (
    archives,
    attestations,
    batteries,
    bundles,
    disputes,
    exports,
    founding,
    grants,
    handovers,
    invitations,
    keys,
    lives,
    networks,
    parts,
    rows,
    services,
    signing,
    takeovers,
    votes,
    witnesses,
)
from cellvow.cli.command import CONTEXT
from cellvow.cli.demonstration import add_demo
from cellvow.cli.examination import add_doctor
from cellvow.cli.failures import MEANINGS
from cellvow.cli.ledgers import add_ledger_commands
from cellvow.cli.measurements import add_import
from cellvow.cli.network_watching import add_watching
from cellvow.cli.passports import add_passport
from cellvow.cli.serving import add_serve
from cellvow.cli.verdicts import add_verdict
from cellvow.cli.verification import add_verify

_EXIT_CODES = "\n".join(["\b", "Exit codes:", *(f"  {int(code):>3}  {meaning}" for code, meaning in MEANINGS.items())])

STORY = (
    *("demo", "serve", "doctor", "init", "key", "sign", "battery", "part", "handover", "service", "life"),
    *("dispute", "takeover", "correct"),
    *("import", "attest", "passport", "verdict", "grant", "invite", "bundle", "export", "row", "verify", "witness"),
    *("network", "vote", "publish", "fsck", "archive"),
)
"""The commands in the order a newcomer meets them."""


class StoryGroup(TyperGroup):
    """Lists the commands in the order of the story."""

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ANN401 - typer's own context class moved
        """The names, in order."""
        return sorted(super().list_commands(ctx), key=STORY.index)


app = typer.Typer(
    help="The signed life of batteries: from a cycler's file to a passport with an offline proof.",
    epilog=f"\b\nBegin with:\n  cellvow demo\n  cellvow serve\n\n{_EXIT_CODES}",
    cls=StoryGroup,
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings=CONTEXT,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"cellvow {__version__}")
        raise typer.Exit


@app.callback()
def _begin(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Say which version this is.")
    ] = False,
) -> None:
    """Parsed before every command."""


app.add_typer(founding.app, name="init")
app.add_typer(keys.app, name="key")
app.add_typer(signing.app, name="sign")
app.add_typer(batteries.app, name="battery")
app.add_typer(handovers.app, name="handover")
app.add_typer(disputes.app, name="dispute")
app.add_typer(takeovers.app, name="takeover")
app.add_typer(lives.app, name="life")
app.add_typer(parts.app, name="part")
app.add_typer(services.app, name="service")
app.add_typer(batteries.correct_app, name="correct")
add_import(app)
app.add_typer(attestations.app, name="attest")
add_passport(app)
add_verdict(app)
app.add_typer(grants.app, name="grant")
app.add_typer(invitations.app, name="invite")
app.add_typer(bundles.app, name="bundle")
app.add_typer(exports.app, name="export")
add_verify(app)
app.add_typer(rows.app, name="row")
add_serve(app)
app.add_typer(witnesses.app, name="witness")
add_watching(networks.app)
app.add_typer(networks.app, name="network")
app.add_typer(votes.app, name="vote")
add_ledger_commands(app)
app.add_typer(archives.app, name="archive")
add_demo(app)
add_doctor(app)


def main() -> None:
    """Run the command line and exit with its code."""
    app()
