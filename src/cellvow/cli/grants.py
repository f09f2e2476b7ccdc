"""`cellvow grant`: links by which a purchaser sees more of a battery for a time: given, listed, ended, logged."""

import dataclasses
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import BatteryArgument, WorkspaceOptions, opened_workspace
from cellvow.cli.parsing import parse_battery
from cellvow.cli.wording import day, moment

if TYPE_CHECKING:
    from cellvow.vault import Grant, LogCounts, Use

app = make_app("Give a purchaser a link that shows more, and end it.")
DAY_MS = 86_400_000
LimitOption = Annotated[int, typer.Option("--limit", metavar="N", min=1, max=1000, help="At most so many.")]


class ScopeName(StrEnum):
    """A part of a passport that a link can show."""

    HEALTH = "health"
    HISTORY = "history"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkToIssue(WorkspaceOptions):
    """Options of `grant issue`."""

    battery: BatteryArgument
    scope: Annotated[
        list[ScopeName],
        typer.Option(
            metavar="PART",
            help="What it shows: health (values, intervals, curve) or history (life, registers); repeat it.",
        ),
    ]
    days: Annotated[int, typer.Option(metavar="N", min=1, max=366, help="How many days it lasts.")] = 30
    note: Annotated[str, typer.Option(metavar="TEXT", help="For yourself: what or whom it is for.")] = ""
    origin: Annotated[
        str | None, typer.Option(metavar="URL", help="Site that serves the passport, to make the link whole.")
    ] = None
    qr: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write the link as QR (SVG); needs --origin.")
    ] = None


@command(
    app,
    "issue",
    examples=(
        "cellvow grant issue 01/09506000134376/21/PACK-0001 --scope health --days 14 --workspace buyer",
        (
            "cellvow grant issue 01/09506000134376/21/PACK-0001 --scope health --scope history "
            "--note 'offer 17' --origin https://passports.example --qr link.svg --workspace buyer"
        ),
    ),
)
def issue(options: LinkToIssue) -> Answer:
    """Make a link for somebody who may buy a battery you own.

    Whoever has the link sees what it shows until it ends: give it to one person. It is told this once and kept
    nowhere; a lost one is revoked and another made. Selling the battery ends it.
    """
    from cellvow.passport.digital_link import parse_origin
    from cellvow.vault import GrantOrder
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.granting import LINK_PATH, issue_grant

    origin = "" if options.origin is None else parse_origin(options.origin)
    _require_place_for_code(options)
    battery, now = parse_battery(options.battery), now_ms()
    scope = frozenset(str(one) for one in options.scope)
    order = GrantOrder(battery, scope, now + options.days * DAY_MS, options.note)
    with opened_workspace(options.workspace) as workspace:
        issued = issue_grant(workspace, workspace.home(), order, now)
    link, grant = f"{origin}{LINK_PATH}{issued.token}", issued.grant
    lines: list[str | Table] = [
        f"Grant {grant.grant_id} shows {_parts(grant)} of {battery} until {moment(grant.expires_ms)}:",
        f"  {link}",
    ]
    if not origin:
        lines.append("  This is its path on the site that `cellvow serve` runs; --origin makes it whole.")
    if options.qr is not None:
        _write_code(options.qr, link, battery)
        lines.append(f"  As a QR code it is in {options.qr}, readable by you alone.")
    lines += ["It is shown this once. To end it:", f"  cellvow grant revoke {grant.grant_id} -w {options.workspace}"]
    return Answer({"grant": _document(grant, now), "link": link}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinksToList(WorkspaceOptions):
    """Options of `grant list`."""

    battery: Annotated[str | None, typer.Option(metavar="BATTERY", help="Only links to this battery.")] = None
    after: Annotated[str, typer.Option(metavar="GRANT", help="Go on after this one.")] = ""
    limit: LimitOption = 50


@command(
    app,
    "list",
    examples=(
        "cellvow grant list --workspace buyer",
        "cellvow grant list --battery 01/09506000134376/21/PACK-0001 --workspace buyer --json",
    ),
)
def list_links(options: LinksToList) -> Answer:
    """List the links given so far, in the order they were made.

    How often each was opened and refused; never the links themselves, which are kept nowhere.
    """
    from cellvow.workspace.clock import now_ms

    battery, now = None if options.battery is None else parse_battery(options.battery), now_ms()
    with opened_workspace(options.workspace) as workspace:
        found = workspace.grants.grants(options.after, options.limit, battery)
    is_last = len(found) < options.limit
    document = {"grants": [_document(one, now) for one in found], "after": options.after, "is_last": is_last}
    if not found:
        return Answer(document, ["No link yet: `cellvow grant issue` makes one."])
    headings = ("grant", "battery", "shows", "state", "until", "opened", "refused", "note")
    rows = tuple(
        (
            one.grant_id,
            one.battery,
            _parts(one),
            one.state(now).replace("_", " "),
            day(one.expires_ms),
            str(one.uses),
            str(one.refusals),
            one.note,
        )
        for one in found
    )
    more = [] if is_last else [f"There may be more: --after {found[-1].grant_id}"]
    return Answer(document, [Table(headings, rows), *more])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LinkToRevoke(WorkspaceOptions):
    """Options of `grant revoke`."""

    grant: Annotated[str, typer.Argument(metavar="GRANT", help="Number of the grant, as `grant list` names it.")]


@command(app, "revoke", examples=("cellvow grant revoke 8d9cb8344aee --workspace buyer",))
def revoke(options: LinkToRevoke) -> Answer:
    """End a link: its next use is refused.

    What its bearer has seen, or taken away, cannot be taken back.
    """
    from cellvow.workspace.clock import now_ms

    now = now_ms()
    with opened_workspace(options.workspace) as workspace:
        grant = workspace.grants.revoke(options.grant, now)
    sentence = f"Grant {grant.grant_id} to {grant.battery} is revoked since {moment(grant.revoked_ms)}."
    return Answer({"grant": _document(grant, now)}, [sentence, f"  it was opened {grant.uses} times"])


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LogToRead(WorkspaceOptions):
    """Options of `grant log`."""

    grant: Annotated[str | None, typer.Option(metavar="GRANT", help="Only uses of this one.")] = None
    after: Annotated[int, typer.Option(metavar="NUMBER", min=0, help="Go on after this line.")] = 0
    limit: LimitOption = 50


@command(
    app,
    "log",
    examples=(
        "cellvow grant log --workspace buyer",
        "cellvow grant log --grant 8d9cb8344aee --after 120 --workspace buyer --json",
    ),
)
def read_log(options: LogToRead) -> Answer:
    """Show who tried which link when: every use and every refusal.

    No link and no address of a visitor is in it. Old lines are folded into counters.
    """
    with opened_workspace(options.workspace) as workspace:
        uses = workspace.grants.uses(options.after, options.limit, options.grant)
        counts = workspace.grants.counts()
    is_last = len(uses) < options.limit
    document = {
        "uses": [dataclasses.asdict(one) for one in uses],
        "counts": dataclasses.asdict(counts),
        "after": options.after,
        "is_last": is_last,
    }
    if not uses:
        return Answer(document, ["No link was used yet.", *_folded(counts)])
    table = Table(("line", "when", "grant", "what became of it", "where", "battery"), tuple(map(_use_cells, uses)))
    more = [] if is_last else [f"There may be more: --after {uses[-1].number}"]
    return Answer(document, [table, *_folded(counts), *more])


def _require_place_for_code(options: LinkToIssue) -> None:
    """Before there is a link: one that could not be written would be lost."""
    if options.qr is None:
        return
    if options.origin is None:
        raise WrongUsage("a QR code holds a whole link: name the site with --origin")
    if options.qr.exists() or not options.qr.parent.is_dir():
        raise WrongUsage(f"{options.qr} exists, or its folder does not: name a new file")


def _write_code(path: Path, link: str, battery: str) -> None:
    """A file that its owner alone may read: whoever can read the code has the link."""
    from cellvow.passport.digital_link import draw_qr
    from cellvow.vault import create_private_file

    drawn = draw_qr(link, title=f"Purchaser link to {battery}")
    lone = str(drawn).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1)
    create_private_file(path, f"{lone}\n".encode())


def _parts(grant: "Grant") -> str:
    return " and ".join(sorted(grant.scope))


def _document(grant: "Grant", now_ms: int) -> dict[str, object]:
    return {**dataclasses.asdict(grant), "scope": sorted(grant.scope), "state": grant.state(now_ms)}


def _use_cells(use: "Use") -> tuple[str, ...]:
    verdict = use.verdict.replace("_", " ")
    return (str(use.number), moment(use.moment_ms), use.grant_id or "-", verdict, use.route, use.battery or "-")


def _folded(counts: "LogCounts") -> list[str]:
    if not counts.uses_folded and not counts.unknown_folded:
        return []
    return [f"Only counted by now: {counts.uses_folded} older uses, {counts.unknown_folded} refusals of unknown links."]
