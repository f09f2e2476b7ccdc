"""`cellvow service`: a unit in use - where it is, work, documents, software, safety - signed where it happens.

Without network, too: `--offline` signs and keeps, `cellvow service send` sends, row by row.
"""

import dataclasses
import re
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal, get_args

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import BatteryArgument, WorkspaceOptions
from cellvow.cli.parsing import parse_battery
from cellvow.cli.service_reading import add_reading
from cellvow.cli.service_signing import (
    DayOption,
    ReportFile,
    ReportText,
    Signing,
    commit_report,
    day_of,
    require_one_report,
    sign,
    words_of,
)
from cellvow.cli.writing import perform

app = make_app("Record a unit in use: places, work, documents, software, safety.")

Purpose = Literal["vehicle", "storage_system"]
RemovalCause = Literal["service", "replacement", "end_of_use", "accident", "other"]
WorkKind = Literal["maintenance", "repair", "inspection", "calibration"]
Component = Literal["bms", "cell_monitor", "thermal_control", "charger"]
Severity = Literal["note", "caution", "danger"]
SafetyState = Literal["safe", "caution", "danger", "quarantine"]
IncidentKind = Literal[
    "overheating",
    "fire",
    "leak",
    "swelling",
    "impact",
    "water",
    "overcharge",
    "deep_discharge",
    "electrical_fault",
    "other",
]
_KINDS = ", ".join(get_args(IncidentKind))
_GTIN = re.compile(r"[0-9]{14}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")


class Reader(StrEnum):
    """A role that a document can be for."""

    MANUFACTURER = "manufacturer"
    VEHICLE_MAKER = "vehicle_maker"
    IMPORTER = "importer"
    LABORATORY = "laboratory"
    OPERATOR = "operator"
    WORKSHOP = "workshop"
    SECOND_LIFE_OPERATOR = "second_life_operator"
    RECYCLER = "recycler"
    AUTHORITY = "authority"
    INSURER = "insurer"
    BUYER = "buyer"
    PRODUCER_RESPONSIBILITY_ORGANISATION = "producer_responsibility_organisation"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToInstall(Signing):
    """Options of `service install`."""

    battery: BatteryArgument
    into: Annotated[Purpose, typer.Option(help="What it goes into.")]
    place: Annotated[
        str, typer.Option(metavar="VIN|SITE", help="Which one; it stays in your vault, the ledger gets a commitment.")
    ]
    on: DayOption = None


@command(
    app,
    "install",
    examples=(
        (
            "cellvow service install 01/09506000134376/21/PACK-0001 --into vehicle --place WVWZZZ1KZAW000001 "
            "--on 2026-03-02 --workspace carmaker"
        ),
        (
            "cellvow service install 01/09506000134376/21/PACK-0001 --into storage_system --place 'Site 7, rack 2' "
            "--offline --workspace operator"
        ),
    ),
)
def install(options: ToInstall) -> Answer:
    """Record that a unit you hold was built in.

    The vehicle's number never reaches the ledger: nobody can look up where a unit is, and you can prove it.
    """
    from cellvow.workspace import service

    battery, on = parse_battery(options.battery), day_of(options.on)
    return sign(
        options,
        f"{battery} is installed in a {words_of(options.into)}.",
        lambda workspace: service.make_installation(workspace, battery, options.into, options.place, on),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToRemove(Signing):
    """Options of `service remove`."""

    battery: BatteryArgument
    cause: Annotated[RemovalCause, typer.Option(help="Why it comes out.")]
    on: DayOption = None


@command(
    app,
    "remove",
    examples=("cellvow service remove 01/09506000134376/21/PACK-0001 --cause service --workspace workshop",),
)
def remove(options: ToRemove) -> Answer:
    """Record that a unit you hold was taken out."""
    from cellvow.workspace import service

    battery, on = parse_battery(options.battery), day_of(options.on)
    return sign(options, f"{battery} is taken out.", lambda _: service.make_removal(battery, options.cause, on))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToOrder(Signing):
    """Options of `service order`."""

    battery: BatteryArgument
    to: Annotated[str, typer.Option(metavar="ORGANISATION", help="Who is to do it.")]
    kind: Annotated[WorkKind, typer.Option(help="What is to be done.")]
    text: Annotated[str, typer.Option(metavar="TEXT", help="The order in words; it stays in your vault.")]


@command(
    app,
    "order",
    examples=(
        (
            "cellvow service order 01/09506000134376/21/PACK-0001 --to workshop --kind repair "
            "--text 'Replace the contactor' --workspace carmaker"
        ),
    ),
)
def order(options: ToOrder) -> Answer:
    """Order work on a unit you hold.

    The workshop need not take custody. With your order it may record a repair, which voids tests, and set the next
    service. It replaces your last order.
    """
    from cellvow.workspace import service

    battery = parse_battery(options.battery)
    return sign(
        options,
        f"{options.to} has your order: {options.kind} of {battery}.",
        lambda workspace: service.make_order(workspace, battery, options.to, options.kind, options.text),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForUnit(WorkspaceOptions):
    """Options of `service cancel`."""

    battery: BatteryArgument


@command(app, "cancel", examples=("cellvow service cancel 01/09506000134376/21/PACK-0001 --workspace carmaker",))
def cancel(options: ForUnit) -> Answer:
    """Withdraw your open order for a unit."""
    from cellvow.workspace import commands, service

    battery = parse_battery(options.battery)
    return perform(
        options.workspace,
        f"The order for {battery} is withdrawn.",
        lambda session, workspace: commands.submit_message(
            session, workspace, service.make_order_withdrawal(session, battery)
        ),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToWork(Signing):
    """Options of `service work`."""

    battery: BatteryArgument
    reference: Annotated[str, typer.Option(metavar="REF", help="Your own number for the work.")]
    kind: Annotated[WorkKind, typer.Option(help="What was done.")]
    on: DayOption = None
    report: ReportFile = None
    text: ReportText = None
    next_service: Annotated[
        str | None, typer.Option("--next", metavar="YYYY-MM-DD", help="When the next service is due.")
    ] = None


@command(
    app,
    "work",
    examples=(
        (
            "cellvow service work 01/09506000134376/21/PACK-0001 --reference W-17 --kind maintenance "
            "--text 'Coolant changed' --next 2027-03-02 --workspace workshop"
        ),
        (
            "cellvow service work 01/09506000134376/21/PACK-0001 --reference W-18 --kind repair "
            "--report report.pdf --offline --workspace workshop"
        ),
    ),
)
def work(options: ToWork) -> Answer:
    """Record work done on a unit.

    A repair voids its certificates: test it again. A repair, or a next service day, needs that you hold the unit or
    have its holder's order; other work is recorded on your own word.
    """
    from cellvow.workspace import service

    require_one_report(options.report, options.text)
    battery = parse_battery(options.battery)
    done = service.Work(battery, options.reference, options.kind, day_of(options.on), options.next_service)
    return sign(
        options,
        f"Work {options.reference} on {battery} is recorded: {options.kind}.",
        lambda workspace: service.make_work(done, commit_report(workspace, options.report, options.text)),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToPublish(Signing):
    """Options of `service document`."""

    about: Annotated[str, typer.Argument(metavar="BATTERY|GTIN", help="The battery or the model it is about.")]
    reference: Annotated[str, typer.Option(metavar="REF", help="Your own number for the document.")]
    version: Annotated[int, typer.Option(metavar="N", min=1, help="1, and one more with each new version.")]
    title: Annotated[str, typer.Option(metavar="TITLE", help="What members see of it.")]
    role: Annotated[
        list[Reader], typer.Option(metavar="ROLE", help="Whom it is for, like workshop or recycler; repeat it.")
    ]
    file: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="The document; it stays in your vault.")]


@command(
    app,
    "document",
    examples=(
        (
            "cellvow service document 09506000134376 --reference MANUAL-1 --version 1 --title 'Replacing a module' "
            "--role workshop --role second_life_operator --file manual.pdf --workspace maker"
        ),
    ),
)
def document(options: ToPublish) -> Answer:
    """Publish a maintenance document, or its next version.

    The ledger gets a commitment to its digest: readers can check that they have the right version.
    """
    from cellvow.workspace import service

    about = options.about if _GTIN.match(options.about) else parse_battery(options.about)
    paper = service.Paper(about, options.reference, options.version, options.title, list(map(str, options.role)))
    return sign(
        options,
        f"{options.reference}, version {options.version}, is published for {', '.join(map(words_of, options.role))}.",
        lambda workspace: service.make_document(workspace, paper, options.file),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ForSoftware(Signing):
    """Options of `service software` and `service reset`."""

    battery: BatteryArgument
    release: Annotated[str, typer.Option(metavar="RELEASE", help="The software's own version, like 2.4.1.")]
    component: Annotated[Component, typer.Option(help="What it runs on.")] = "bms"
    digest: Annotated[str | None, typer.Option(metavar="SHA256", help="Its SHA-256 as it was published.")] = None
    file: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="The software itself, instead of --digest.")
    ] = None


@command(
    app,
    "software",
    examples=(
        "cellvow service software 01/09506000134376/21/PACK-0001 --release 1.4.2 --file bms.bin --workspace maker",
    ),
)
def software(options: ForSoftware) -> Answer:
    """Record which software runs on a unit now.

    You made it, stand in a register of it, built it into what it is in, or have its holder's order.
    """
    return _record_software(options, is_reset=False)


@command(
    app,
    "reset",
    examples=(
        "cellvow service reset 01/09506000134376/21/PACK-0001 --release 2.0.0 --file own-bms.bin --workspace second",
    ),
)
def reset(options: ForSoftware) -> Answer:
    """Record that you reset a unit's software.

    You hold the unit, and prepare it for another use.
    A reset of the battery management system releases its original maker from liability for software uploaded later
    (Regulation (EU) 2023/1542, Article 14(3)). That is not taken back.
    """
    return _record_software(options, is_reset=True)


def _record_software(options: ForSoftware, *, is_reset: bool) -> Answer:
    from cellvow.workspace import service

    battery, digest = parse_battery(options.battery), _software_digest(options.digest, options.file)
    done = "reset, and runs" if is_reset else "up to date: it runs"
    return sign(
        options,
        f"{words_of(options.component)} of {battery} is {done} {options.release}.",
        lambda _: service.make_software(battery, options.component, options.release, digest, is_reset=is_reset),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToReport(Signing):
    """Options of `service incident`."""

    battery: BatteryArgument
    reference: Annotated[str, typer.Option(metavar="REF", help="Your own number for the report.")]
    kind: Annotated[IncidentKind, typer.Option(metavar="KIND", help=f"What happened: {_KINDS}.")]
    severity: Annotated[Severity, typer.Option(help="A danger raises the unit's state to caution at once.")]
    on: DayOption = None
    report: ReportFile = None
    text: ReportText = None


@command(
    app,
    "incident",
    examples=(
        (
            "cellvow service incident 01/09506000134376/21/PACK-0001 --reference I-3 --kind overheating "
            "--severity danger --text 'Hot to the touch while charging' --workspace workshop"
        ),
    ),
)
def incident(options: ToReport) -> Answer:
    """Report an incident of a unit.

    You need not hold it. Everybody sees kind and severity, and that you reported it. Only an assessment closes it.
    """
    from cellvow.workspace import service

    require_one_report(options.report, options.text)
    battery = parse_battery(options.battery)
    happening = service.Happening(battery, options.reference, options.kind, options.severity, day_of(options.on))
    return sign(
        options,
        f"Incident {options.reference} of {battery} is reported: {words_of(options.kind)}, {options.severity}.",
        lambda workspace: service.make_incident(happening, commit_report(workspace, options.report, options.text)),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToAssess(Signing):
    """Options of `service assess`."""

    battery: BatteryArgument
    state: Annotated[SafetyState, typer.Option(help="What you found.")]
    closes: Annotated[
        list[str],
        typer.Option(metavar="ORGANISATION/REF", help="An open incident that this closes; repeat it."),
    ] = dataclasses.field(default_factory=list)
    report: ReportFile = None
    text: ReportText = None


@command(
    app,
    "assess",
    examples=(
        (
            "cellvow service assess 01/09506000134376/21/PACK-0001 --state safe --closes workshop/I-3 "
            "--text 'Sensor fault, replaced' --workspace lab"
        ),
    ),
)
def assess(options: ToAssess) -> Answer:
    """Say in which state you found a unit.

    While a danger is open that you do not close, the unit stays at caution. Finding a danger voids its certificates.
    A maker warns of his units wherever they are; to call one safe he holds it, or has its holder's order.
    """
    from cellvow.workspace import service

    require_one_report(options.report, options.text)
    battery, closes = parse_battery(options.battery), [_incident_name(one) for one in options.closes]
    return sign(
        options,
        f"{battery} is assessed: {options.state}.",
        lambda workspace: service.make_assessment(
            battery, options.state, closes, commit_report(workspace, options.report, options.text)
        ),
    )


def _incident_name(text: str) -> tuple[str, str]:
    organisation, _, reference = text.partition("/")
    if not organisation or not reference:
        raise WrongUsage(f"{text[:60]!r} is not an incident: write ORGANISATION/REF, as `cellvow service show` does")
    return organisation, reference


def _software_digest(digest: str | None, file: Path | None) -> str:
    import hashlib

    if (digest is None) is (file is None):
        raise WrongUsage("give the software either as --file FILE or by its --digest SHA256")
    if file is not None:
        with file.open("rb") as opened:
            return hashlib.file_digest(opened, "sha256").hexdigest()
    if digest is None or _DIGEST.match(digest) is None:
        raise WrongUsage("a digest is 64 hexadecimal digits in lower case: that of SHA-256")
    return digest


add_reading(app)
