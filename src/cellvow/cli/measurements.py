"""`cellvow import`: from a cycler's file to results with an interval, and what cannot be determined and why."""

import dataclasses
import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Table, progress_shown
from cellvow.cli.command import Options, command
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import opened_workspace
from cellvow.cli.parsing import parse_battery, parse_rated_mah
from cellvow.cli.wording import amount, conditions_text, interval, quantity_name
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.primitives.limits import INTEGER_MAX

if TYPE_CHECKING:
    from cellvow.evidence import Evaluation, Measurement, Result
    from cellvow.workspace.laboratory import Imported
    from cellvow.workspace.workspace import Workspace


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Import(Options):
    """Options of `import`."""

    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            exists=True,
            dir_okay=False,
            help="Bitrode CSV, Battery Data Format (CSV, Parquet), Arbin .res, Neware .ndax, or any CSV by --mapping.",
        ),
    ]
    rated_ah: Annotated[
        float | None, typer.Option(metavar="AH", help="Rated capacity, Ah, to tell the state of health.")
    ] = None
    nominal_v: Annotated[
        float | None, typer.Option(metavar="V", help="Nominal voltage, V, to tell the health by energy as well.")
    ] = None
    reference_mohm: Annotated[
        float | None,
        typer.Option(metavar="MOHM", help="Resistance after 10 s when new, mOhm, to tell the health by resistance."),
    ] = None
    battery: Annotated[
        str | None,
        typer.Option(
            metavar="BATTERY",
            help="Take rated capacity and nominal voltage of this battery's model (needs a workspace).",
        ),
    ] = None
    mapping: Annotated[
        Path | None,
        typer.Option(metavar="MAPPING", dir_okay=False, help="TOML or JSON file that says which column is what."),
    ] = None
    suggest_mapping: Annotated[
        Path | None,
        typer.Option(
            metavar="MAPPING",
            dir_okay=False,
            help="Write a proposal for such a file from the headings, and do no more.",
        ),
    ] = None
    repair_time: Annotated[
        bool,
        typer.Option("--repair-time", help="Repair time that steps backwards; every result is then called estimated."),
    ] = False
    workspace: Annotated[
        Path | None,
        typer.Option(
            "--workspace",
            "-w",
            metavar="DIR",
            envvar="CELLVOW_WORKSPACE",
            file_okay=False,
            help="Keep it here, to attest.",
        ),
    ] = None


def add_import(app: typer.Typer) -> None:
    """Add the command to the application."""
    command(
        app,
        "import",
        examples=(
            "cellvow import cell.csv --rated-ah 33.1",
            "cellvow import cell.csv --battery 01/09506000134376/21/PACK-0001 --workspace lab",
            "cellvow import cell.csv --suggest-mapping mapping.toml",
            "cellvow import cell.csv --mapping mapping.toml --rated-ah 2.5 --nominal-v 3.6",
        ),
    )(import_file)


def import_file(options: Import) -> Answer:
    """Evaluate a cycler's file: results with their intervals.

    Capacity, energy, resistance, coulombic efficiency and health by several definitions; what cannot be determined is
    named with the reason. With a workspace the rows are archived as Parquet, the results go into its vault, and the
    answer names the number that `cellvow attest --from` takes. Nothing goes onto a ledger.
    """
    if options.suggest_mapping is not None:
        return _suggest(options.file, options.suggest_mapping)
    evaluation = _evaluate(options)
    measurement = evaluation.measurement
    imported = _keep(options, measurement, evaluation)
    spread = evaluation.health_spread()
    document = {
        "evidence_class": measurement.source.evidence_class,
        "file": measurement.source.name,
        "format": measurement.source.format,
        "health_spread_permille": None if spread is None else spread.permille,
        "kind": evaluation.kind.title(),
        "number": None if imported is None else imported.number,
        "remarks": list(measurement.source.remarks),
        "results": [result.document() for result in evaluation.results],
        "root": None if imported is None else imported.root,
        "rows": len(measurement),
        "sha256": measurement.source.sha256.hex(),
        "undetermined": [{"quantity": one.quantity, "reason": one.reason} for one in evaluation.undetermined],
    }
    return Answer(document, [*describe_evaluation(evaluation), *_describe_keeping(imported)])


def _suggest(file: Path, target: Path) -> Answer:
    """Write a proposed mapping to a file that is not there yet."""
    from cellvow.evidence import suggest_mapping

    proposed = suggest_mapping(file)
    try:
        with target.open("x", encoding="utf-8") as out:
            out.write(proposed)
    except FileExistsError as error:
        raise WrongUsage(f"{target} is there already: name a new file, or delete it") from error
    except OSError as error:
        raise OperationalError(f"{target} cannot be written: {error.strerror or error}") from error
    text = [
        f"A proposal for the columns of {file.name} is in {target}.",
        "Check every line, and replace every ? in it: what the headings do not say is left open.",
        "Next:",
        f"  cellvow import {file} --mapping {target}",
    ]
    return Answer({"mapping": proposed, "written": str(target)}, text)


def _evaluate(options: Import) -> "Evaluation":
    from cellvow.evidence import evaluate_measurement, import_measurement, read_mapping, with_reference_resistance

    rated_mah, nominal_mv = _rating(options)
    mapping = None if options.mapping is None else read_mapping(options.mapping)
    with progress_shown(f"reading {options.file.name}", as_json=options.as_json) as progress:
        measurement = import_measurement(
            options.file, mapping=mapping, repair_time=options.repair_time, progress=progress
        )
    evaluation = evaluate_measurement(measurement, rated_mah=rated_mah, nominal_mv=nominal_mv)
    reference_uohm = _thousandths(options.reference_mohm, "--reference-mohm")
    return evaluation if reference_uohm is None else with_reference_resistance(evaluation, reference_uohm)


def describe_evaluation(evaluation: "Evaluation") -> list[str | Table]:
    """A measurement and its results, in words and one table."""
    measurement = evaluation.measurement
    source = measurement.source
    hours = measurement.duration_s / 3600
    lines: list[str | Table] = [
        f"{source.name}: {source.format}, {len(measurement)} rows over {hours:.1f} h, {source.evidence_class}",
        *([source.description] if source.description else []),
        *(f"Note: {remark}" for remark in source.remarks),
        f"{evaluation.kind.title().capitalize()}: {evaluation.kind.reason}.",
    ]
    if evaluation.results:
        lines += ["", Table(("quantity", "value", "interval", "class", "conditions"), _rows(evaluation))]
        if spread := evaluation.health_spread():
            lines += ["", f"{spread.sentence()}."]
        for result in evaluation.results:
            lines += ["", *_describe_result(result)]
    for missing in evaluation.undetermined:
        lines += ["", f"{quantity_name(missing.quantity)}: not determinable", f"  {missing.reason}"]
    return lines + _describe_caveats(evaluation.results)


def _rows(evaluation: "Evaluation") -> tuple[tuple[str, ...], ...]:
    return tuple(
        (
            quantity_name(result.quantity),
            amount(result.interval.value, result.unit),
            interval(result.interval.low, result.interval.high, result.unit),
            result.evidence_class,
            conditions_text(result.conditions._asdict()),
        )
        for result in evaluation.results
    )


def _describe_result(result: "Result") -> list[str]:
    conditions, bounds = result.conditions, result.interval
    total = sum(one.standard**2 for one in result.uncertainty)
    by_size = sorted(result.uncertainty, key=lambda source: -source.standard)
    shares = [(one.name, round(100 * one.standard**2 / total)) for one in by_size] if total else []
    sources = ", ".join(f"{name} {share}%" for name, share in shares if share)
    return [
        f"{quantity_name(result.quantity)}: {result.method}",
        f"  from rows {conditions.first_row} to {conditions.last_row}",
        f"  {bounds.coverage_permille / 10:g} % interval, its variance by source: {sources or 'none'}",
    ]


def _describe_caveats(results: Sequence["Result"]) -> list[str]:
    """What to mind, each sentence once, with the quantities it concerns unless it concerns all."""
    concerned: dict[str, list[str]] = {}
    for result in results:
        for caveat in result.caveats:
            concerned.setdefault(caveat, []).append(quantity_name(result.quantity))
    lines = []
    for caveat, names in concerned.items():
        whom = "" if len(names) == len(results) else f" ({', '.join(dict.fromkeys(names))})"
        lines.append(f"Mind{whom}: {caveat}.")
    return ["", *lines] if lines else []


def _describe_keeping(imported: "Imported | None") -> list[str]:
    if imported is None:
        return ["", "Nothing was kept: name a --workspace to keep it and attest to it."]
    return [
        "",
        f"Kept as import {imported.number}: {imported.rows} rows archived.",
        f"  root {imported.root}",
        "Next:",
        f"  cellvow attest BATTERY --from {imported.number} --reference REF",
    ]


def _keep(options: Import, measurement: "Measurement", evaluation: "Evaluation") -> "Imported | None":
    if options.workspace is None:
        return None
    from cellvow.workspace.laboratory import take_in

    with (
        opened_workspace(options.workspace) as workspace,
        progress_shown("archiving rows", as_json=options.as_json) as progress,
    ):
        return take_in(workspace, measurement, evaluation, progress)


def _rating(options: Import) -> tuple[int | None, int | None]:
    """(rated capacity mAh, nominal voltage mV) from the options or from the battery's model."""
    if options.battery is None:
        return parse_rated_mah(options.rated_ah), _thousandths(options.nominal_v, "--nominal-v")
    if options.rated_ah is not None or options.nominal_v is not None or options.workspace is None:
        raise WrongUsage(
            "--battery needs a --workspace that has joined a ledger, and stands instead of --rated-ah and --nominal-v"
        )
    with opened_workspace(options.workspace) as workspace:
        return _rating_of_model(workspace, parse_battery(options.battery))


def _thousandths(value: float | None, option: str) -> int | None:
    """A positive number of an option in thousandths of its unit."""
    if value is None:
        return None
    if not math.isfinite(value) or not 0 < round(value * 1000) <= INTEGER_MAX:
        raise WrongUsage(f"{option} {value:g}: give a number above 0")
    return round(value * 1000)


def _rating_of_model(workspace: "Workspace", battery: str) -> tuple[int, int]:
    from cellvow.core.contracts.battery import ModelRecord, model_key
    from cellvow.core.contracts.contract import decode_record
    from cellvow.core.primitives.identifier import derive_model_id

    store = workspace.home().open_reader()
    try:
        value = store.get(model_key(derive_model_id(battery)))
    finally:
        store.close()
    if value is None:
        raise OperationalError(f"the ledger knows no model {derive_model_id(battery)}: give --rated-ah instead")
    model = decode_record(ModelRecord, value)
    return model.rated_capacity_mah, model.nominal_voltage_mv
