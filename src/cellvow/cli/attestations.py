"""`cellvow attest`: sign for an import's results, declare a value, or withdraw what was signed."""

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from cellvow.cli.answer import Answer
from cellvow.cli.command import command, make_app
from cellvow.cli.failures import WrongUsage
from cellvow.cli.options import BatteryArgument, WorkspaceOptions
from cellvow.cli.parsing import (
    Threshold,
    parse_battery,
    parse_declaration,
    parse_document_file,
    parse_last_moment,
    parse_standard,
    parse_threshold,
)
from cellvow.cli.writing import perform

if TYPE_CHECKING:
    from cellvow.core.contracts.attestation import Predicate
    from cellvow.core.primitives.encoding import Json
    from cellvow.node.engine import Receipted
    from cellvow.node.home import LedgerSession
    from cellvow.workspace.laboratory import Certification
    from cellvow.workspace.workspace import Workspace

app = make_app(
    "Attest to results, declare values, revoke. `cellvow attest BATTERY ...` is short for `attest issue`.",
    default="issue",
)
Cause = Literal["error", "fraud", "instrument", "accreditation", "other"]
DECLARATION_METHOD, DECLARATION_VERSION = "declaration", "1"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToAttest(WorkspaceOptions):
    """Options of `attest issue`."""

    battery: BatteryArgument
    reference: Annotated[str, typer.Option(metavar="REF", help="Your own number for it, like TEST-17; used once.")]
    imported: Annotated[
        str | None, typer.Option("--from", metavar="NUMBER", help="The import to attest to, as `import` named it.")
    ] = None
    declare: Annotated[
        list[str],
        typer.Option(metavar="QUANTITY=NUMBER", help="A value to declare, in whole units; nobody measured it."),
    ] = dataclasses.field(default_factory=list)
    document: Annotated[
        list[str],
        typer.Option(metavar="KIND=FILE", help="A document to commit to by its digest, as test_summary=summary.pdf."),
    ] = dataclasses.field(default_factory=list)
    certificate: Annotated[
        bool, typer.Option("--certificate", help="A certificate under your accreditation; needs --standard.")
    ] = False
    standard: Annotated[str | None, typer.Option(metavar="NAME:EDITION", help="The standard followed.")] = None
    predicate: Annotated[
        list[str],
        typer.Option(metavar="QUANTITY>=NUMBER", help="What everybody may know of a value, in whole units."),
    ] = dataclasses.field(default_factory=list)
    valid_until: Annotated[str | None, typer.Option(metavar="YYYY-MM-DD", help="Last day it is valid.")] = None
    supersedes: Annotated[str | None, typer.Option(metavar="REF", help="Your earlier one that it replaces.")] = None


@command(
    app,
    "issue",
    examples=(
        "cellvow attest 01/09506000134376/21/PACK-0001 --from NUMBER --reference TEST-1 --workspace lab",
        (
            "cellvow attest 01/09506000134376/21/PACK-0001 --from NUMBER --reference TEST-2 "
            "--certificate --standard cellvow:dc-discharge:1 --predicate 'capacity>=26000' --workspace lab"
        ),
        "cellvow attest 01/09506000134376/21/PACK-0001 --declare state_of_health=960 --reference DECL-1 -w maker",
        (
            "cellvow attest 01/09506000134376/21/PACK-0001 --document test_summary=summary.pdf "
            "--standard 'UN 38.3:Rev.8' --reference TS-2026-17 -w maker"
        ),
    ),
)
def issue(options: ToAttest) -> Answer:
    """Attest to an import, declare values, commit to documents.

    Values stay in your vault; the ledger gets salted commitments and, if you say so, public predicates. Units of
    --declare and --predicate: capacity mAh, energy mWh, resistance_10s uohm, state_of_charge and state_of_health
    permille. Of a document the vault keeps the digest; keep the document itself.
    """
    if bool(options.declare or options.document) is (options.imported is not None):
        raise WrongUsage("give either --from NUMBER, or --declare QUANTITY=NUMBER and --document KIND=FILE")
    battery = parse_battery(options.battery)
    thresholds = [parse_threshold(text) for text in options.predicate]
    act = _act_on_import if options.imported is not None else _act_on_declarations
    kind = "Certificate" if options.certificate else "Attestation"
    return perform(
        options.workspace,
        f"{kind} {options.reference} about {battery} is issued.",
        lambda session, workspace: act(session, workspace, options, thresholds),
    )


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ToRevoke(WorkspaceOptions):
    """Options of `attest revoke`."""

    battery: BatteryArgument
    reference: Annotated[str, typer.Option(metavar="REF", help="Your number of the attestation to withdraw.")]
    cause: Annotated[Cause, typer.Option(help="Why it is withdrawn.")]


@command(
    app,
    "revoke",
    examples=("cellvow attest revoke 01/09506000134376/21/PACK-0001 --reference TEST-1 --cause instrument -w lab",),
)
def revoke(options: ToRevoke) -> Answer:
    """Withdraw one's own attestation; it stays readable, and revoked."""
    from cellvow.workspace import commands

    battery = parse_battery(options.battery)
    return perform(
        options.workspace,
        f"{options.reference} about {battery} is revoked.",
        lambda session, workspace: commands.revoke_attestation(
            session, workspace, battery, options.reference, options.cause
        ),
    )


def supported_predicates(
    thresholds: Sequence[Threshold], documents: Sequence["dict[str, Json]"]
) -> "tuple[Predicate, ...]":
    """The predicates, if the whole interval of every such value supports each; raises `WrongUsage` otherwise."""
    from cellvow.core.contracts.attestation import Predicate

    for threshold in thresholds:
        _require_supported(threshold, [one for one in documents if one["quantity"] == threshold.quantity])
    return tuple(
        Predicate(
            quantity=one.quantity,
            comparison=one.comparison,  # type: ignore[arg-type]  # parsed from the two signs there are
            threshold=one.threshold,
        )
        for one in thresholds
    )


def _require_supported(threshold: Threshold, documents: Sequence["dict[str, Json]"]) -> None:
    if not documents:
        raise WrongUsage(f"nothing here says anything about {threshold.quantity}: a predicate needs a value behind it")
    bound = "low" if threshold.comparison == "at_least" else "high"
    ends = [_whole(document.get(bound, document.get("value"))) for document in documents]
    holds = min(ends) >= threshold.threshold if bound == "low" else max(ends) <= threshold.threshold
    if not holds:
        end = min(ends) if bound == "low" else max(ends)
        wish = threshold.comparison.replace("_", " ")
        raise WrongUsage(
            f"{threshold.quantity} {wish} {threshold.threshold} is not supported: its interval ends at {end}"
        )


def _act_on_import(
    session: "LedgerSession", workspace: "Workspace", options: ToAttest, thresholds: Sequence[Threshold]
) -> "Receipted":
    from cellvow.core.primitives.errors import Malformed
    from cellvow.workspace.laboratory import attest_import, load_import

    imported = load_import(workspace, options.imported or "")
    if not imported.results:
        raise Malformed(f"nothing could be determined from {imported.source}: there is nothing to attest to")
    predicates = supported_predicates(thresholds, imported.results)
    return attest_import(session, workspace, imported, _certification(options, predicates))


def _certification(options: ToAttest, predicates: "tuple[Predicate, ...]") -> "Certification":
    from cellvow.core.contracts.attestation import Standard
    from cellvow.workspace.laboratory import Certification

    standard = None
    if options.standard is not None:
        name, edition = parse_standard(options.standard)
        standard = Standard(name=name, edition=edition)
    return Certification(
        battery=parse_battery(options.battery),
        reference=options.reference,
        standard=standard,
        is_certificate=options.certificate,
        valid_until_ms=None if options.valid_until is None else parse_last_moment(options.valid_until),
        predicates=predicates,
        supersedes=options.supersedes,
    )


def _act_on_declarations(
    session: "LedgerSession", workspace: "Workspace", options: ToAttest, thresholds: Sequence[Threshold]
) -> "Receipted":
    from cellvow.core.contracts.attestation import Method
    from cellvow.workspace import commands
    from cellvow.workspace.documents import digest_document

    declarations = []
    documents = [parse_document_file(text) for text in options.document]
    for text in options.declare:
        quantity, unit, value = parse_declaration(text)
        declarations.append(commands.Declaration(quantity, {"quantity": quantity, "unit": unit, "value": value}))
    declarations += [commands.Declaration(kind, digest_document(kind, path)) for kind, path in documents]
    predicates = supported_predicates(thresholds, [one.document for one in declarations])
    certification = _certification(options, predicates)
    moment = max(session.engine.head.time_ms, 1)
    attestation = commands.Attestation(
        battery=certification.battery,
        reference=certification.reference,
        evidence_class="declared",
        method=Method(name=DECLARATION_METHOD, version=DECLARATION_VERSION),
        tested_from_ms=moment,
        tested_until_ms=moment,
        declarations=tuple(declarations),
        standard=certification.standard,
        valid_until_ms=certification.valid_until_ms,
        predicates=certification.predicates,
        supersedes=certification.supersedes,
        is_certificate=certification.is_certificate,
    )
    return commands.attest(session, workspace, attestation)


def _whole(value: "Json") -> int:
    if not isinstance(value, int):
        raise WrongUsage("a value without a number supports no predicate")
    return value
