"""`cellvow import`: from a cycler's file to results with an interval, and what cannot be determined and why."""

import dataclasses
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
            metavar="FILE", exists=True, dir_okay=False, help="Bitrode CSV, Battery Data Format as CSV or Parquet."
        ),
    ]
    rated_ah: Annotated[
        float | None, typer.Option(metavar="AH", help="Rated capacity, Ah, to tell the state of health.")
    ] = None
    battery: Annotated[
        str | None,
        typer.Option(metavar="BATTERY", help="Take the rated capacity of this battery's model (needs a workspace)."),
    ] = None
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
        ),
    )(import_file)


def import_file(options: Import) -> Answer:
    """Evaluate a cycler's file: results with their intervals.

    Capacity, energy, resistance and health; what cannot be determined is named with the reason. With a workspace
    the rows are archived as Parquet, the results go into its vault, and the answer names the number that `cellvow
    attest --from` takes. Nothing goes onto a ledger.
    """
    from cellvow.evidence import evaluate_measurement, import_measurement

    rated_mah = _rated_mah(options)
    with progress_shown(f"reading {options.file.name}", as_json=options.as_json) as progress:
        measurement = import_measurement(options.file, progress=progress)
    evaluation = evaluate_measurement(measurement, rated_mah=rated_mah)
    imported = _keep(options, measurement, evaluation)
    document = {
        "evidence_class": measurement.source.evidence_class,
        "file": measurement.source.name,
        "format": measurement.source.format,
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


def _rated_mah(options: Import) -> int | None:
    if options.battery is None:
        return parse_rated_mah(options.rated_ah)
    if options.rated_ah is not None or options.workspace is None:
        raise WrongUsage("--battery needs a --workspace that has joined a ledger, and stands instead of --rated-ah")
    with opened_workspace(options.workspace) as workspace:
        return _rated_of_model(workspace, parse_battery(options.battery))


def _rated_of_model(workspace: "Workspace", battery: str) -> int:
    from cellvow.core.contracts.battery import ModelRecord, model_key
    from cellvow.core.contracts.contract import decode_record
    from cellvow.core.primitives.errors import OperationalError
    from cellvow.core.primitives.identifier import derive_model_id

    store = workspace.home().open_reader()
    try:
        value = store.get(model_key(derive_model_id(battery)))
    finally:
        store.close()
    if value is None:
        raise OperationalError(f"the ledger knows no model {derive_model_id(battery)}: give --rated-ah instead")
    return decode_record(ModelRecord, value).rated_capacity_mah
