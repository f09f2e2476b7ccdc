"""`cellvow battery` and `cellvow correct`: models, births, and what was mistyped."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cellvow.cli.answer import Answer, Table
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import BatteryArgument, ReadingOptions, WorkspaceOptions, opened_reading
from cellvow.cli.parsing import parse_battery, parse_rated_mah
from cellvow.cli.parts import Level
from cellvow.cli.sheets import SheetToImport, import_sheet
from cellvow.cli.writing import perform

if TYPE_CHECKING:
    from cellvow.core.contracts.battery import Backfill, RegisterBattery
    from cellvow.node.engine import Receipted
    from cellvow.node.home import LedgerSession
    from cellvow.workspace.workspace import Workspace

app = make_app("Register and list models and batteries.")
correct_app = make_app("Correct what one's own statement said.")
Category = Literal["ev", "lmt", "industrial", "sli", "portable"]
EvidenceClass = Literal["estimated", "declared"]
Cause = Literal["typing_error", "wrong_unit", "wrong_document", "wrong_value", "other"]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ModelToRegister(WorkspaceOptions):
    """Options of `battery model`."""

    gtin: Annotated[str, typer.Argument(metavar="GTIN", help="The model's GTIN, 14 digits.")]
    category: Annotated[Category, typer.Option(help="Battery category of Regulation (EU) 2023/1542.")]
    name: Annotated[str, typer.Option(metavar="NAME", help="The maker's name of the model.")]
    chemistry: Annotated[str, typer.Option(metavar="TERM", help="Chemistry, like LFP-graphite.")]
    rated_ah: Annotated[float, typer.Option(metavar="AH", help="Rated capacity, Ah.")]
    voltage_mv: Annotated[
        tuple[int, int, int], typer.Option(metavar="MIN NOMINAL MAX", help="Voltages in mV, lowest first.")
    ]
    mass_g: Annotated[int, typer.Option(metavar="G", min=0, help="Mass, g.")]


@command(
    app,
    "model",
    examples=(
        (
            "cellvow battery model 09506000134376 --category ev --name 'Pouch 33' "
            "--chemistry LMO-graphite --rated-ah 33.1 --voltage-mv 3000 3750 4200 --mass-g 800 --workspace maker"
        ),
    ),
)
def register_model(options: ModelToRegister) -> Answer:
    """Register a model under its GTIN, with its rated values."""
    from cellvow.core.contracts.battery import RegisterModel
    from cellvow.workspace import commands

    low, nominal, high = options.voltage_mv
    if not 0 <= low <= nominal <= high:
        raise WrongUsage(f"--voltage-mv {low} {nominal} {high}: give lowest, nominal and highest voltage in that order")
    model = RegisterModel(
        gtin=options.gtin,
        category=options.category,
        model=options.name,
        chemistry=options.chemistry,
        rated_capacity_mah=parse_rated_mah(options.rated_ah) or 0,
        nominal_voltage_mv=nominal,
        voltage_min_mv=low,
        voltage_max_mv=high,
        mass_g=options.mass_g,
    )
    return perform(
        options.workspace,
        f"Model {options.gtin} ({options.name}) is registered.",
        lambda session, workspace: commands.register_model(session, workspace, model),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BatteryToRegister(WorkspaceOptions):
    """Options of `battery new`."""

    battery: BatteryArgument
    manufactured_on: Annotated[str, typer.Option(metavar="YYYY-MM-DD", help="Day of manufacture.")]
    facility: Annotated[str, typer.Option(metavar="PLACE", help="Where it was made.")]
    reconstructed: Annotated[
        bool, typer.Option("--reconstructed", help="It is older than its record: every view will say so.")
    ] = False
    evidence_class: Annotated[EvidenceClass | None, typer.Option(help="How a reconstructed birth is known.")] = None
    basis: Annotated[
        str | None,
        typer.Option(metavar="TEXT", help="What a reconstructed birth rests on; everybody sees it: name no person."),
    ] = None


@command(
    app,
    "new",
    examples=(
        (
            "cellvow battery new 01/09506000134376/21/PACK-0001 --manufactured-on 2026-05-17 "
            "--facility 'Plant 1' --workspace maker"
        ),
        (
            "cellvow battery new 01/09506000134376/21/PACK-0002 --manufactured-on 2019-03-01 --facility unknown "
            "--reconstructed --evidence-class estimated --basis 'type plate' --workspace maker"
        ),
    ),
)
def register_battery(options: BatteryToRegister) -> Answer:
    """Register one battery of an own model: its birth on the ledger.

    One that is older than its record is --reconstructed: from what, and whether its birth is estimated or declared.
    """
    from cellvow.workspace import commands

    battery, backfill = parse_battery(options.battery), _parse_backfill(options)
    how = "" if backfill is None else f", its birth reconstructed ({backfill.evidence_class})"
    return perform(
        options.workspace,
        f"Battery {battery} is registered{how}.",
        lambda session, workspace: commands.register_battery(
            session, workspace, battery, options.manufactured_on, options.facility, backfill
        ),
    )


def _parse_backfill(options: BatteryToRegister) -> "Backfill | None":
    from cellvow.core.contracts.battery import Backfill

    if not options.reconstructed:
        if options.evidence_class is not None or options.basis is not None:
            raise WrongUsage("--evidence-class and --basis are for a birth that is --reconstructed")
        return None
    if options.evidence_class is None or options.basis is None:
        raise WrongUsage("a --reconstructed birth needs --evidence-class and --basis")
    return Backfill(evidence_class=options.evidence_class, basis=options.basis)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing(ReadingOptions):
    """Options of `battery list`."""

    after: Annotated[str, typer.Option(metavar="BATTERY", help="Go on after this one.")] = ""
    limit: Annotated[int, typer.Option(metavar="N", min=1, max=1000, help="At most so many.")] = 50
    mine: Annotated[
        bool, typer.Option("--mine", help="Only units in whose registers the workspace's organisation stands.")
    ] = False
    find: Annotated[str, typer.Option(metavar="TEXT", help="Of those of --mine: with this in the serial.")] = ""
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write all that --mine names to FILE, as CSV.")
    ] = None


@command(
    app,
    "list",
    examples=(
        "cellvow battery list --ledger node",
        "cellvow battery list --workspace maker --after 01/09506000134376/21/PACK-0050 --json",
        "cellvow battery list --workspace maker --mine --find 0042",
        "cellvow battery list --workspace maker --mine --csv units.csv",
    ),
)
def list_batteries(options: Listing) -> Answer:
    """List the batteries of a ledger, in order of their identifiers.

    With --mine those of the workspace's organisation, and in which registers it stands since when.
    """
    if options.mine or options.csv is not None or options.find:
        from cellvow.cli.units import list_units

        return list_units(options)
    from cellvow.passport.view import PUBLIC
    from cellvow.workspace.passports import PassportReader

    with opened_reading(options) as (home, workspace):
        reader = PassportReader(home, workspace)
        found = reader.batteries(options.after, options.limit)
        passports = [reader.passport(battery, PUBLIC) for battery in found]
    shown = [(one, "in force" if one.certificate_in_force else "none") for one in passports if one is not None]
    rows = [
        (one.battery, one.status if one.backfill is None else f"{one.status}, reconstructed", certificate)
        for one, certificate in shown
    ]
    listed = [
        {
            "battery": one.battery,
            "certificate": certificate,
            "reconstructed": one.backfill is not None,
            "status": one.status,
        }
        for one, certificate in shown
    ]
    document = {"batteries": listed, "after": options.after, "is_last": len(found) < options.limit}
    if not rows:
        return Answer(document, ["No battery is registered here yet: `cellvow battery new` registers one."])
    more = [] if len(found) < options.limit else [f"There may be more: --after {found[-1]}"]
    return Answer(document, [Table(("battery", "status", "certificate"), tuple(rows)), *more])


@command(
    app,
    "import",
    examples=(
        "cellvow battery import births.csv --dry-run --workspace maker",
        "cellvow battery import births.csv --results results.csv --workspace maker",
    ),
)
def import_batteries(options: SheetToImport) -> Answer:
    """Register the batteries of a CSV sheet.

    Its columns are battery (or serial and model), manufactured_on and facility. Every row is judged
    first; while one has a fault nothing is signed, unless --only-ready leaves such rows out. Run it again after an
    interruption: it goes on, and nothing is done twice.
    """
    return import_sheet(options, "register")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BirthToCorrect(WorkspaceOptions):
    """Options of `correct birth`."""

    battery: BatteryArgument
    manufactured_on: Annotated[
        str | None, typer.Option(metavar="YYYY-MM-DD", help="Right day of manufacture; without: as it stands.")
    ] = None
    facility: Annotated[
        str | None, typer.Option(metavar="PLACE", help="Right place of manufacture; without: as it stands.")
    ] = None
    evidence_class: Annotated[
        EvidenceClass | None, typer.Option(help="How the birth was reconstructed; without: as it stands.")
    ] = None
    basis: Annotated[str | None, typer.Option(metavar="TEXT", help="What that rests on; without: as it stands.")] = None
    cause: Annotated[Cause, typer.Option(help="Why it was wrong.")] = "typing_error"


@command(
    correct_app,
    "birth",
    examples=("cellvow correct birth 01/09506000134376/21/PACK-0001 --manufactured-on 2026-05-16 --workspace maker",),
)
def correct_birth(options: BirthToCorrect) -> Answer:
    """Correct the registration of one's own battery.

    What it said before stays visible. Certificates that rest on it are invalidated: they must be issued anew. A
    birth can be marked as reconstructed later (--evidence-class and --basis); that mark is never taken away.
    """
    from cellvow.workspace import commands

    battery = parse_battery(options.battery)
    stated = (options.manufactured_on, options.facility, options.evidence_class, options.basis)
    if all(one is None for one in stated):
        raise WrongUsage("nothing to correct: give --manufactured-on, --facility, --evidence-class or --basis")

    def act(session: "LedgerSession", workspace: "Workspace") -> "Receipted":
        replacement = _replacement(session, battery, options)
        return commands.correct_birth(session, workspace, replacement, options.cause)

    return perform(options.workspace, f"The birth of {battery} is corrected.", act)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DescriptionToCorrect(WorkspaceOptions):
    """Options of `correct description`."""

    gtin: Annotated[str, typer.Argument(metavar="GTIN", help="The model's GTIN, 14 digits.")]
    level: Annotated[Level | None, typer.Option(help="What a unit of it is; without: as it stands.")] = None
    cells: Annotated[int | None, typer.Option(metavar="N", min=1, help="Cells in one unit; without: as it stands.")] = (
        None
    )
    cause: Annotated[Cause, typer.Option(help="Why it was wrong.")] = "typing_error"


@command(
    correct_app,
    "description",
    examples=("cellvow correct description 09506000134376 --cells 96 --workspace maker",),
)
def correct_description(options: DescriptionToCorrect) -> Answer:
    """Correct what you said units of your model are.

    The number of cells at any time: what is built in already goes on counting as it did. The level - cell, module or
    pack - only until a unit of the model has been a part, or has had one. What it said before stays on the record.
    """
    from cellvow.workspace import parts

    level, cells = options.level, options.cells
    if level is None and cells is None:
        raise WrongUsage("nothing to correct: give --level or --cells")
    return perform(
        options.workspace,
        f"The description of model {options.gtin} is corrected.",
        lambda session, own: parts.correct_description(session, own, options.gtin, level, cells, options.cause),
    )


def _replacement(session: "LedgerSession", battery: str, options: BirthToCorrect) -> "RegisterBattery":
    from cellvow.core.contracts.battery import BatteryRecord, RegisterBattery, battery_key
    from cellvow.core.contracts.contract import decode_record
    from cellvow.core.ledger.rejection import Reason, Rejected

    value = session.engine.state.get(battery_key(battery))
    if value is None:
        raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
    record = decode_record(BatteryRecord, value)
    return RegisterBattery(
        battery=battery,
        manufactured_on=options.manufactured_on or record.manufactured_on,
        facility=options.facility or record.facility,
        backfill=_corrected_backfill(record.backfill, options),
    )


def _corrected_backfill(before: "Backfill | None", options: BirthToCorrect) -> "Backfill | None":
    from cellvow.core.contracts.battery import Backfill

    evidence_class = options.evidence_class or (None if before is None else before.evidence_class)
    basis = options.basis or (None if before is None else before.basis)
    if evidence_class is None and basis is None:
        return None
    if evidence_class is None or basis is None:
        raise WrongUsage("to mark a birth as reconstructed, give --evidence-class and --basis")
    return Backfill(evidence_class=evidence_class, basis=basis)
