"""`cellvow key phone`: a workshop's phone signs for the organisation with a key that never leaves it."""

import dataclasses
from typing import Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command
from cellvow.cli.options import WorkspaceOptions, opened_workspace
from cellvow.cli.parsing import parse_last_moment
from cellvow.cli.writing import perform

_EXAMPLE_LINE = "cellvow-phone-1:packs:workshop:3b6a...:9f00..."


def add_phone(keys: typer.Typer) -> None:
    """Add the command to `cellvow key`."""
    command(
        keys,
        "phone",
        examples=(
            f"cellvow key phone --fingerprint 8B1F-02C4-77DE-A05C-91E3 --workspace workshop {_EXAMPLE_LINE}",
            (
                "cellvow key phone --fingerprint 8B1F-02C4-77DE-A05C-91E3 --valid-until 2027-12-31 "
                f"--workspace workshop {_EXAMPLE_LINE}"
            ),
        ),
    )(admit)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Phone(WorkspaceOptions):
    """Options of `key phone`."""

    line: Annotated[str, typer.Argument(metavar="LINE", help="The line that the phone shows on the page /field.")]
    fingerprint: Annotated[
        str, typer.Option(metavar="XXXX-XXXX-...", help="Its fingerprint, read from the phone itself.")
    ]
    valid_until: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Last day it may sign.")] = None


def admit(options: Phone) -> Answer:
    """Admit a phone for a workshop's records.

    Its key was made on the phone and stays there; you register its public half with your root key. It may install and
    remove units and parts, record work, software and incidents; it hands nothing over and manages no keys.
    """
    from cellvow.workspace import phones

    code = phones.parse_phone_code(options.line)
    until = None if options.valid_until is None else parse_last_moment(options.valid_until)
    with opened_workspace(options.workspace) as workspace:
        phones.require_phone(code, workspace, options.fingerprint)
    answer = perform(
        options.workspace,
        f"The phone {code.fingerprint} signs for {code.organisation} from the next block on.",
        lambda session, workspace: phones.admit_phone(session, workspace, code, valid_until_ms=until),
    )
    ends = f"  cellvow key revoke {code.kid} --cause lost --workspace {options.workspace}"
    lines = [*answer.text, "If the phone is lost:", ends]
    return Answer({**answer.document, "fingerprint": code.fingerprint, "kid": code.kid}, lines)
