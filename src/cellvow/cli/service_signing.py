"""What the commands of `cellvow service` share: signing now or for later, the day, and a report that stays at home."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import WorkspaceOptions, opened_workspace
from cellvow.cli.wording import day
from cellvow.cli.writing import perform

if TYPE_CHECKING:
    from cellvow.core.contracts.contract import Committed, Message
    from cellvow.workspace.workspace import Workspace

DayOption = Annotated[str | None, typer.Option("--on", metavar="YYYY-MM-DD", help="Which day; without: today, UTC.")]
ReportFile = Annotated[
    Path | None, typer.Option(metavar="FILE", dir_okay=False, help="The report; it stays in your vault.")
]
ReportText = Annotated[str | None, typer.Option(metavar="TEXT", help="The report in a sentence, instead of a file.")]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Signing(WorkspaceOptions):
    """Options of everything that is signed here."""

    offline: Annotated[
        bool, typer.Option("--offline", help="Sign without reaching the ledger; `service send` sends it later.")
    ] = False


def sign(options: Signing, sentence: str, make: "Callable[[Workspace], Message]") -> Answer:
    """Make a message, sign it, and send it now or keep it for `service send`; `sentence` says what is done by it."""
    from cellvow.workspace import commands
    from cellvow.workspace.sending import list_waiting, sign_offline

    if not options.offline:
        return perform(
            options.workspace,
            sentence,
            lambda session, workspace: commands.submit_message(session, workspace, make(workspace)),
        )
    with opened_workspace(options.workspace) as workspace:
        message = make(workspace)
        signed = sign_offline(workspace, message)
        waiting = len(list_waiting(workspace))
    kind = type(message).__name__
    document = {"message": kind, "sequence": signed.sequence, "subject": message.subject, "waiting": waiting}
    lines = [
        f"Signed, not sent: {kind} about {message.subject}.",
        f"{waiting} {'statement waits' if waiting == 1 else 'statements wait'}. Send once the ledger is in reach:",
        f"  cellvow service send --workspace {options.workspace}",
    ]
    return Answer(document, lines)


def words_of(word: str) -> str:
    """A word of the ledger as people write it."""
    return "BMS" if word == "bms" else word.replace("_", " ")


def day_of(text: str | None) -> str:
    """The day that was given, or today (UTC); whether there is such a day is the ledger's to say."""
    from cellvow.workspace import clock

    return day(clock.now_ms()) if text is None else text


def require_one_report(report: Path | None, text: str | None) -> None:
    """Raise `WrongUsage` unless the report comes as a file or as a text."""
    if (report is None) is (text is None):
        raise WrongUsage("give the report either as --report FILE or as --text TEXT")


def commit_report(workspace: "Workspace", report: Path | None, text: str | None) -> "Committed":
    """The commitment to a report, which goes into the vault."""
    from cellvow.workspace import service

    return service.commit_text(workspace, text or "") if report is None else service.commit_file(workspace, report)
