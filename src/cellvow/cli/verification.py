"""`cellvow verify`: the numbered offline checks of a bundle, in words."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import Options, command
from cellvow.cli.failures import ExitCode


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToVerify(Options):
    """Options of `verify`."""

    bundle: Annotated[
        Path, typer.Argument(metavar="BUNDLE", exists=True, dir_okay=False, help="The bundle file (.cvb).")
    ]
    trust: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="What you take as given, from another source than the bundle.",
        ),
    ] = None
    documents: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", file_okay=False, help="Where to write the documents that the bundle shows."),
    ] = None


def add_verify(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(
        app,
        "verify",
        examples=("cellvow verify certificate.cvb --trust trust.json", "cellvow verify certificate.cvb --json"),
    )(verify)


def verify(options: ToVerify) -> Answer:
    """Check a bundle offline, in thirteen numbered checks.

    The first that fails is named. Needs no network, no ledger and no trust in whoever handed it over. Without
    --trust it says whether the bundle is consistent; it is then anchored to nothing. The same checks need only
    Python: cellvow-verify.pyz. Exit code 9 where all holds, and the ledger kept the message as a contested claim, or
    until a second signature, without accepting it.
    """
    from cellvow.core.primitives.signature import is_valid, require_sound_library
    from cellvow.verify.command import describe, verified_document, verify_file, write_documents

    require_sound_library()
    verified = verify_file(options.bundle, options.trust, is_valid)
    lines = describe(verified)
    if verified.ordered.get("type") == "RecordVerdict" and verified.disclosures:
        lines += ["The verdict itself can be computed again:", f"  cellvow verdict --check {options.bundle}"]
    if options.documents is not None:
        lines += [f"Written: {path}" for path in write_documents(options.bundle, verified, options.documents)]
    return Answer(verified_document(verified), lines, 0 if verified.is_accepted else int(ExitCode.NOT_ACCEPTED))
