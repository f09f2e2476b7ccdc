"""`cellvow service`: a unit in use - installed, worked on, its documents, its software, its safety - signed on the spot.

Without network, too: `--offline` signs and keeps, `cellvow service send` sends, row by row.
"""

import dataclasses
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import BatteryArgument, ReadingOptions, WorkspaceOptions, opened_reading, opened_workspace
from cellvow.cli.parsing import parse_battery
from cellvow.cli.service_text import answer_of_queue, answer_of_sent, answer_of_service
from cellvow.cli.wording import day
from cellvow.cli.writing import perform

if TYPE_CHECKING:
    from cellvow.core.contracts.contract import Committed, Message
    from cellvow.workspace.workspace import Workspace

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
Reader = Literal[
    "manufacturer",
    "vehicle_maker",
    "importer",
    "laboratory",
    "operator",
    "workshop",
    "second_life_operator",
    "recycler",
    "authority",
    "insurer",
    "buyer",
]
_GTIN = re.compile(r"[0-9]{14}\Z")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
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

    battery, on = parse_battery(options.battery), _day(options.on)
    return _sign(
        options,
        f"{battery} is installed in a {_words(options.into)}.",
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
    """Record that a unit you hold was taken out of what it was in."""
    from cellvow.workspace import service

    battery, on = parse_battery(options.battery), _day(options.on)
    return _sign(options, f"{battery} is taken out.", lambda _: service.make_removal(battery, options.cause, on))


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
    """Order work on a unit you hold; the workshop need not take custody.

    With your order it may record a repair, which voids tests, and set the next service. It replaces your last order.
    """
    from cellvow.workspace import service

    battery = parse_battery(options.battery)
    return _sign(
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

    _require_one_report(options.report, options.text)
    battery = parse_battery(options.battery)
    done = service.Work(battery, options.reference, options.kind, _day(options.on), options.next_service)
    return _sign(
        options,
        f"Work {options.reference} on {battery} is recorded: {options.kind}.",
        lambda workspace: service.make_work(done, _commit_report(workspace, options.report, options.text)),
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
    paper = service.Paper(about, options.reference, options.version, options.title, options.role)
    return _sign(
        options,
        f"{options.reference}, version {options.version}, is published for {', '.join(map(_words, options.role))}.",
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
    """Record which software runs on a unit now."""
    return _record_software(options, is_reset=False)


@command(
    app,
    "reset",
    examples=(
        "cellvow service reset 01/09506000134376/21/PACK-0001 --release 2.0.0 --file own-bms.bin --workspace second",
    ),
)
def reset(options: ForSoftware) -> Answer:
    """Record that you reset a unit you hold to prepare it for another use.

    A reset of the battery management system releases its original maker from liability for software uploaded later
    (Regulation (EU) 2023/1542, Article 14(3)). That is not taken back.
    """
    return _record_software(options, is_reset=True)


def _record_software(options: ForSoftware, *, is_reset: bool) -> Answer:
    from cellvow.workspace import service

    battery, digest = parse_battery(options.battery), _software_digest(options.digest, options.file)
    done = "reset, and runs" if is_reset else "up to date: it runs"
    return _sign(
        options,
        f"{_words(options.component)} of {battery} is {done} {options.release}.",
        lambda _: service.make_software(battery, options.component, options.release, digest, is_reset=is_reset),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToReport(Signing):
    """Options of `service incident`."""

    battery: BatteryArgument
    reference: Annotated[str, typer.Option(metavar="REF", help="Your own number for the report.")]
    kind: Annotated[IncidentKind, typer.Option(help="What happened.")]
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
    """Report what happened to a unit; you need not hold it.

    Everybody sees kind and severity, and that you reported it. Only an assessment closes it.
    """
    from cellvow.workspace import service

    _require_one_report(options.report, options.text)
    battery = parse_battery(options.battery)
    happening = service.Happening(battery, options.reference, options.kind, options.severity, _day(options.on))
    return _sign(
        options,
        f"Incident {options.reference} of {battery} is reported: {_words(options.kind)}, {options.severity}.",
        lambda workspace: service.make_incident(happening, _commit_report(workspace, options.report, options.text)),
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
    """
    from cellvow.workspace import service

    _require_one_report(options.report, options.text)
    battery, closes = parse_battery(options.battery), [_incident_name(one) for one in options.closes]
    return _sign(
        options,
        f"{battery} is assessed: {options.state}.",
        lambda workspace: service.make_assessment(
            battery, options.state, closes, _commit_report(workspace, options.report, options.text)
        ),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToShow(ReadingOptions):
    """Options of `service show`."""

    battery: BatteryArgument


@command(
    app,
    "show",
    examples=(
        "cellvow service show 01/09506000134376/21/PACK-0001 --workspace workshop",
        "cellvow service show 01/09506000134376/21/PACK-0001 --ledger node --json",
    ),
)
def show(options: ToShow) -> Answer:
    """Show a unit in use: place, service, documents, software, safety.

    A stranger sees safety and software. Documents are shown to the roles they are published for.
    """
    from cellvow.workspace import clock
    from cellvow.workspace.service import read_service

    with opened_reading(options) as (home, workspace):
        view = read_service(home, workspace, parse_battery(options.battery))
    return answer_of_service(view, day(clock.now_ms()), is_member=options.workspace is not None)


@command(app, "queue", examples=("cellvow service queue --workspace workshop",))
def queue(options: WorkspaceOptions) -> Answer:
    """List what is signed and waits to be sent."""
    from cellvow.workspace.sending import list_waiting

    with opened_workspace(options.workspace) as workspace:
        return answer_of_queue(list_waiting(workspace))


@command(app, "send", examples=("cellvow service send --workspace workshop",))
def send(options: WorkspaceOptions) -> Answer:
    """Send what was signed without network.

    Each takes effect once, however often you send. What the ledger rejects - because somebody was there before - is
    listed with its rule; nothing is changed by it.
    """
    from cellvow.cli.writing import publish
    from cellvow.workspace.clock import now_ms
    from cellvow.workspace.sending import send_waiting

    with opened_workspace(options.workspace) as workspace, workspace.home().open_session(now_ms) as session:
        sent = list(send_waiting(session, workspace))
        published = publish(session) if sent else None
    return answer_of_sent(sent, published)


def _sign(options: Signing, sentence: str, make: "Callable[[Workspace], Message]") -> Answer:
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
        f"{waiting} wait. Send them once the ledger is in reach:",
        f"  cellvow service send --workspace {options.workspace}",
    ]
    return Answer(document, lines)


def _words(word: str) -> str:
    return "BMS" if word == "bms" else word.replace("_", " ")


def _day(text: str | None) -> str:
    from cellvow.workspace import clock

    return day(clock.now_ms()) if text is None else text


def _require_one_report(report: Path | None, text: str | None) -> None:
    if (report is None) is (text is None):
        raise WrongUsage("give the report either as --report FILE or as --text TEXT")


def _commit_report(workspace: "Workspace", report: Path | None, text: str | None) -> "Committed":
    from cellvow.workspace import service

    return service.commit_text(workspace, text or "") if report is None else service.commit_file(workspace, report)


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
