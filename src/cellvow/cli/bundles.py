"""`cellvow bundle`: the proof of one statement as a file - made, shown part by part, received and kept."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.bundle_text import bundle_document, describe_bundle
from cellvow.cli.command import Options, command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import ReadingOptions, WorkspaceOptions, opened_reading, opened_workspace
from cellvow.cli.parsing import parse_battery, parse_statement_digest

if TYPE_CHECKING:
    from cellvow.node.store import LedgerStore
    from cellvow.workspace.disclosing import Opening
    from cellvow.workspace.workspace import Workspace

app = make_app(
    "Proofs as files: make, show, receive. `cellvow bundle STATEMENT ...` is short for `bundle make`.",
    default="make",
)
BundleArgument = Annotated[
    Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="A bundle file (.cvb).")
]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleToMake(ReadingOptions):
    """Options of `bundle make`."""

    statement: Annotated[
        str, typer.Argument(metavar="[STATEMENT]", show_default=False, help="Digest of the statement, 64 hex digits.")
    ] = ""
    index: Annotated[int, typer.Option(metavar="N", min=0, help="Which message of a batch.")] = 0
    certificate: Annotated[
        str | None, typer.Option(metavar="REF", help="Instead: the attestation with this reference; needs --battery.")
    ] = None
    battery: Annotated[
        str | None, typer.Option(metavar="BATTERY", help="The battery that the certificate is about.")
    ] = None
    issuer: Annotated[
        str | None, typer.Option(metavar="ORGANISATION", help="Who issued it; without: the workspace's organisation.")
    ] = None
    disclose: Annotated[
        str,
        typer.Option(
            metavar="all|none|NAME,...",
            help="What to open in it of your vault: quantities, or fields like place, report, text, evidence/0.",
        ),
    ] = "none"
    document: Annotated[
        list[Path] | None,
        typer.Option(
            metavar="FILE",
            dir_okay=False,
            help="A document to put in, whose field --disclose opens; may be given again.",
        ),
    ] = None
    vault_documents: Annotated[
        bool, typer.Option("--vault-documents", help="Put in the documents of opened fields that your vault keeps.")
    ] = False
    no_state: Annotated[bool, typer.Option("--no-state", help="Without proofs of the records as they stand now.")] = (
        False
    )
    out: Annotated[Path, typer.Option(metavar="FILE", dir_okay=False, help="Where to write it.")]


@command(
    app,
    "make",
    examples=(
        (
            "cellvow bundle --certificate TEST-1 --battery 01/09506000134376/21/PACK-0001 "
            "--disclose all --workspace lab --out certificate.cvb"
        ),
        "cellvow bundle STATEMENT --ledger node --out proof.cvb",
        "cellvow bundle STATEMENT --disclose place --workspace fleet --out place.cvb",
        "cellvow bundle STATEMENT --disclose text,evidence --document report.pdf --workspace maker --out position.cvb",
    ),
)
def make(options: BundleToMake) -> Answer:
    """Write the proof of one statement into a file.

    It can be checked without us and without a network. Nothing confidential is in it unless --disclose says so.
    Whoever gets what it discloses can pass it on. Of a contested claim, or of a message that waits for a second
    signature, it proves that it was signed and kept, and not accepted.
    """
    from cellvow.node.records import StoredState
    from cellvow.workspace.sharing import Wanted, export_bundle

    with opened_reading(options) as (home, workspace):
        store = home.open_reader()
        try:
            digest, index = _named_statement(options, store, workspace)
            state = None if options.no_state else StoredState(store)
            opening = _opening(options, workspace)
            data = export_bundle(store, workspace, Wanted(digest, index, (), state, opening=opening))
        finally:
            store.close()
    options.out.write_bytes(data)
    document = {"bytes": len(data), "file": str(options.out), "index": index, "statement": digest.hex()}
    lines = [
        f"The bundle is in {options.out}: {len(data)} bytes, message {index} of statement {digest.hex()}.",
        "Whoever gets it checks it with:",
        f"  cellvow verify {options.out} --trust trust.json",
    ]
    return Answer(document, lines)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleToShow(Options):
    """Options of `bundle show`."""

    file: BundleArgument


@command(app, "show", examples=("cellvow bundle show certificate.cvb",))
def show(options: BundleToShow) -> Answer:
    """Show what a bundle contains, part by part. Nothing is checked: `cellvow verify` does that."""
    from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX
    from cellvow.verify import parse_bundle

    bundle = parse_bundle(read_bounded(options.file, BUNDLE_BYTES_MAX))
    return Answer({"parts": bundle_document(bundle)}, describe_bundle(bundle))


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class BundleToReceive(WorkspaceOptions):
    """Options of `bundle receive`."""

    file: BundleArgument


@command(app, "receive", examples=("cellvow bundle receive certificate.cvb --workspace buyer",))
def receive(options: BundleToReceive) -> Answer:
    """Verify a bundle and keep it in a workspace.

    It is checked against the ledger that the workspace has joined. The values it discloses then show in the
    workspace's view of the passport. One that does not hold is not kept.
    """
    from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX
    from cellvow.workspace.sharing import receive_bundle

    data = read_bounded(options.file, BUNDLE_BYTES_MAX)
    with opened_workspace(options.workspace) as workspace:
        verified = receive_bundle(workspace, data, workspace.home().trust)
    kind, subject = verified.ordered.get("type"), verified.ordered.get("battery", "")
    document = {
        "disclosures": verified.disclosures,
        "message": verified.message,
        "organisation": verified.organisation,
        "statement": verified.statement_digest,
    }
    lines = [
        f"It holds and is kept: {kind} {subject} by {verified.organisation_name} ({verified.organisation}).",
        f"It discloses {len(verified.disclosures)} values.",
    ]
    return Answer(document, lines)


def read_bounded(path: Path, bytes_max: int) -> bytes:
    """The bytes of a file, its size checked first; raises `Malformed` past the bound."""
    from cellvow.core.primitives.errors import Malformed

    with path.open("rb") as file:
        data = file.read(bytes_max + 1)
    if len(data) > bytes_max:
        raise Malformed(f"{path} is larger than the {bytes_max} bytes allowed")
    return data


def _opening(options: BundleToMake, workspace: "Workspace | None") -> "Opening":
    """What to open, by name, and the documents to put in."""
    from cellvow.workspace.disclosing import Opening

    paths = options.document or []
    if options.disclose == "none":
        if paths or options.vault_documents:
            raise WrongUsage("a document is shown with the field that it belongs to: name that with --disclose")
        return Opening()
    if workspace is None:
        raise WrongUsage("--disclose opens values of a vault: name the --workspace that holds them")
    names = None if options.disclose == "all" else tuple(options.disclose.split(","))
    return Opening(names, [_read_document(path) for path in paths], options.vault_documents)


def _read_document(path: Path) -> bytes:
    """A document to put in; raises `Malformed` where no bundle could hold it."""
    from cellvow.core.primitives.errors import Malformed
    from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX

    try:
        size = path.stat().st_size
    except OSError as error:
        raise WrongUsage(f"{path} cannot be read: {error.strerror}") from error
    if size > BUNDLE_BYTES_MAX:
        raise Malformed(
            f"{path} is larger than a bundle may be ({BUNDLE_BYTES_MAX} bytes): hand it over beside the bundle, which "
            "discloses its SHA-256"
        )
    return read_bounded(path, BUNDLE_BYTES_MAX)


def _named_statement(options: BundleToMake, store: "LedgerStore", workspace: "Workspace | None") -> tuple[bytes, int]:
    """The digest, and which message of the statement is meant."""
    if bool(options.statement) is (options.certificate is not None):
        raise WrongUsage("name either a STATEMENT or --certificate REF with --battery")
    if options.certificate is None:
        return parse_statement_digest(options.statement), options.index
    issuer = options.issuer or (None if workspace is None else workspace.organisation)
    if options.battery is None or issuer is None:
        raise WrongUsage("--certificate needs --battery, and --issuer or the issuer's --workspace")
    return _find_certificate(store, issuer, options.certificate, parse_battery(options.battery))


def _find_certificate(store: "LedgerStore", issuer: str, reference: str, battery: str) -> tuple[bytes, int]:
    from cellvow.core.contracts.attestation import AttestationRecord, attestation_key
    from cellvow.core.contracts.contract import decode_record
    from cellvow.core.primitives.errors import OperationalError

    value = store.get(attestation_key(issuer, reference))
    record = None if value is None else decode_record(AttestationRecord, value)
    if record is None or record.battery != battery:
        raise OperationalError(f"{issuer} has issued no {reference} about {battery} on this ledger")
    return bytes.fromhex(record.provenance.statement), record.provenance.index
