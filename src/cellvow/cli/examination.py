"""`cellvow doctor`: what is well, what wants a look, what is broken, and what to type."""

import dataclasses
from typing import TYPE_CHECKING

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.command import command
from cellvow.cli.failures import ExitCode
from cellvow.cli.options import ReadingOptions

if TYPE_CHECKING:
    from cellvow.workspace.finding import Finding


def add_doctor(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(
        app,
        "doctor",
        examples=("cellvow doctor", "cellvow doctor --workspace lab", "cellvow doctor --ledger node --json"),
    )(examine)


def examine(options: ReadingOptions) -> Answer:
    """Say what is well, what wants a look, what is broken.

    Examines this machine, and the workspace or ledger named; says what to type. Changes nothing. Exit code 5 if
    something is broken.
    """
    from cellvow.workspace.doctor import examine_installation
    from cellvow.workspace.finding import BROKEN

    findings = examine_installation(options.workspace, options.ledger)
    is_broken = any(finding.state == BROKEN for finding in findings)
    rows = tuple((finding.state, finding.subject, finding.sentence) for finding in findings)
    document = {"findings": [dataclasses.asdict(finding) for finding in findings]}
    lines: list[str | Table] = [Table(("", "what", "finding"), rows), *_remedies(findings)]
    return Answer(document, lines, exit_code=int(ExitCode.OPERATIONAL) if is_broken else 0)


def _remedies(findings: "list[Finding]") -> list[str]:
    wanting = [finding for finding in findings if finding.remedy]
    if not wanting:
        return ["", "Nothing to do."]
    return ["", "What to do:", *(f"  {finding.subject}: {finding.remedy}" for finding in wanting)]
