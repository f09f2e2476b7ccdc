"""`cellvow passport`: one battery as a stranger sees it, or as the organisation of a workspace does."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command
from cellvow.cli.options import BatteryArgument, Language, ReadingOptions, opened_reading
from cellvow.cli.pages import lone_links, write_page
from cellvow.cli.parsing import parse_battery
from cellvow.cli.passport_text import describe_passport

if TYPE_CHECKING:
    from cellvow.passport.claimed import Claimed
    from cellvow.passport.view import Passport


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Showing(ReadingOptions):
    """Options of `passport`."""

    battery: BatteryArgument
    public: Annotated[bool, typer.Option("--public", help="As a stranger sees it, though a workspace is named.")] = (
        False
    )
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write it as a page into this file.")
    ] = None
    lang: Annotated[Language, typer.Option(help="Language of the answer and the page.")] = "en"
    origin: Annotated[
        str | None, typer.Option(metavar="URL", help="Site that resolves the battery's code, for the QR on the page.")
    ] = None


def add_passport(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(
        app,
        "passport",
        examples=(
            "cellvow passport 01/09506000134376/21/PACK-0001 --ledger node",
            "cellvow passport 01/09506000134376/21/PACK-0001 --workspace buyer --html pack.html --lang de",
        ),
    )(show)


def show(options: Showing) -> Answer:
    """Show a battery's passport, as a stranger or its owner sees it.

    What it is, who answers for it, what its tests are worth now. With only a ledger: what everybody may see. With a
    workspace: what its organisation may see, and the values that others have shown it.
    """
    from cellvow.passport.view import OWNER, PUBLIC
    from cellvow.workspace.passports import PassportReader

    battery = parse_battery(options.battery)
    with opened_reading(options) as (home, workspace):
        is_owner = workspace is not None and not options.public
        source = PassportReader(home, workspace if is_owner else None)
        passport = source.passport(battery, OWNER if is_owner else PUBLIC)
        claimed = source.claimed(battery) if passport is None else None
    if passport is None:
        return _unknown(battery, claimed)
    lines = describe_passport(passport, options.lang)
    if options.html is not None:
        write_page(passport, options.html, options.lang, lone_links(battery, options.origin))
        lines = [*lines, "", f"The page is in {options.html}."]
    return Answer({"passport": passport_document(passport)}, lines)


def passport_document(passport: "Passport") -> dict[str, object]:
    """Everything in the view, for `--json`."""
    document: dict[str, object] = dataclasses.asdict(passport)
    document["audience"] = passport.audience.value
    return document


def _unknown(battery: str, claimed: "Claimed | None") -> Answer:
    """Nobody registered it; who claims the number is said, and that is his word alone."""
    from cellvow.core.ledger.rejection import Reason, Rejected

    if claimed is None:
        raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
    names = ", ".join(f"{one.organisation}/{one.reference}" for one in claimed.claims)
    raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery, claimed_by=names)
