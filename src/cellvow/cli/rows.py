"""`cellvow row`: one row of an archived measurement, proven under the root that stands on the ledger."""

import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.bundles import read_bounded
from cellvow.cli.command import Options, command, make_app
from cellvow.cli.options import WorkspaceOptions, opened_workspace

if TYPE_CHECKING:
    from cellvow.core.primitives.encoding import Json

app = make_app("Prove one row of a measurement, giving away no other.")

ROW_FILE_BYTES_MAX = 16_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RowToProve(WorkspaceOptions):
    """Options of `row prove`."""

    number: Annotated[str, typer.Argument(metavar="IMPORT", help="Number that `cellvow import` gave.")]
    row: Annotated[int, typer.Argument(metavar="ROW", min=0, help="Row of the archive, counted from 0.")]
    out: Annotated[Path, typer.Option(dir_okay=False, help="Where the row's proof goes (JSON).")]
    anchor: Annotated[Path, typer.Option(dir_okay=False, help="Where the anchor's bundle goes.")]


@command(
    app,
    "prove",
    examples=("cellvow row prove NUMBER 1200 --workspace lab --out row.json --anchor anchor.cvb",),
)
def prove(options: RowToProve) -> Answer:
    """Write the proof of one row, and of its anchor.

    The anchor is the signed statement that put the root over all rows of the measurement on the ledger.
    """
    from cellvow.workspace.laboratory import prove_imported_row

    with opened_workspace(options.workspace) as workspace:
        proof, anchor = prove_imported_row(workspace, options.number, options.row)
    options.out.write_text(json.dumps(proof.document(), sort_keys=True) + "\n", encoding="utf-8")
    options.anchor.write_bytes(anchor)
    lines = [
        f"Row {proof.index} of {proof.size} is in {options.out}, its anchor in {options.anchor}.",
        "Whoever gets both checks them with:",
        f"  cellvow row verify {options.out} --anchor {options.anchor} --trust trust.json",
    ]
    return Answer({"anchor": str(options.anchor), "proof": proof.document()}, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class RowToVerify(Options):
    """Options of `row verify`."""

    proof: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The row's proof.")]
    anchor: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The bundle of its anchor.")]
    trust: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="What you take as given.")]


@command(app, "verify", examples=("cellvow row verify row.json --anchor anchor.cvb --trust trust.json",))
def verify(options: RowToVerify) -> Answer:
    """Check offline that a row lies in an anchored measurement.

    The anchor's bundle is checked as by `cellvow verify`; the row must lead to the root that it holds.
    """
    from cellvow.core.primitives.signature import is_valid, require_sound_library
    from cellvow.evidence import parse_row_proof
    from cellvow.verify import describe_time
    from cellvow.verify.command import verify_file
    from cellvow.workspace.laboratory import verify_anchored_row

    require_sound_library()
    anchor = verify_file(options.anchor, options.trust, is_valid)
    proof = parse_row_proof(read_document(options.proof))
    values = verify_anchored_row(proof, anchor)
    when = describe_time(anchor.time_ms)
    lines = [
        f"Row {proof.index} of {proof.size}, as {anchor.organisation_name} anchored it on {when}:",
        *(f"  {name:<14} {value}" for name, value in values.items() if value is not None),
    ]
    return Answer({"anchored_by": anchor.organisation, "time_ms": anchor.time_ms, "values": values}, lines)


def read_document(path: Path) -> "Json":
    """The JSON of a file of bounded size; raises `Malformed`."""
    from cellvow.core.primitives.errors import Malformed

    try:
        document: Json = json.loads(read_bounded(path, ROW_FILE_BYTES_MAX))
    except ValueError as error:
        raise Malformed(f"{path.name} is not JSON: {error}") from error
    return document
