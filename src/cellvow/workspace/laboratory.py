"""From a cycler file to a certificate: rows to the archive, results to the vault, commitments to the ledger."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from cellvow import __version__
from cellvow.core.contracts.anchor import Anchor, AnchorRecord, anchor_key
from cellvow.core.contracts.attestation import Method, Predicate, Standard
from cellvow.core.contracts.contract import decode_record
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed, OperationalError, VerificationError
from cellvow.evidence import (
    Evaluation,
    Measurement,
    Progress,
    RowProof,
    prove_row,
    verify_row,
    write_archive,
)
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.node.records import StoredState
from cellvow.passport.derivation import CURVE
from cellvow.verify import Verified
from cellvow.workspace.clock import now_ms
from cellvow.workspace.commands import Attestation, Declaration, attest, submit_message
from cellvow.workspace.sharing import Wanted, export_bundle
from cellvow.workspace.workspace import Workspace

IMPORT_KIND = "import"
IMPORT_BYTES_MAX = 1_000_000
METHOD_NAME = "cellvow.evidence"
NO_DATE = "the file names no date: the dates of this attestation are those of the import"
CURVE_POINTS_SHOWN = 60
"""Points of a curve that go into a certificate: enough for the picture, small enough for a bundle."""


@dataclass(frozen=True, slots=True)
class Imported:
    """A measurement this workspace has taken in; `number` names its vault record."""

    number: str
    source: str
    root: str
    rows: int
    evidence_class: str
    imported_ms: int
    results: tuple[dict[str, Json], ...]
    undetermined: tuple[tuple[str, str], ...]
    curve: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Certification:
    """What a laboratory decides about an attestation: its number, whether it certifies, and what may be public."""

    battery: str
    reference: str
    standard: Standard | None = None
    is_certificate: bool = False
    valid_until_ms: int | None = None
    predicates: tuple[Predicate, ...] = ()
    supersedes: str | None = None


def take_in(
    workspace: Workspace, measurement: Measurement, evaluation: Evaluation, progress: Progress | None = None
) -> Imported:
    """Archive a measurement's rows and keep its results in the vault; nothing goes onto the ledger yet."""
    file_key = secrets.token_bytes(32)
    source = measurement.source
    archive = write_archive(
        measurement, workspace.archive / f"{source.sha256.hex()}.parquet", file_key, progress=progress
    )
    document: dict[str, Json] = {
        "curve": [list(point) for point in _full_curve(evaluation)],
        "evidence_class": source.evidence_class,
        "file": archive.path.name,
        "file_key": file_key.hex(),
        "imported_ms": now_ms(),
        "results": [result.document() for result in evaluation.results],
        "root": archive.root.hex(),
        "rows": archive.size,
        "source": source.name,
        "undetermined": [[one.quantity, one.reason] for one in evaluation.undetermined],
    }
    number = workspace.vault.put_record(IMPORT_KIND, encode_document(document))
    return load_import(workspace, number)


def load_import(workspace: Workspace, number: str) -> Imported:
    """A measurement taken in earlier, by its number."""
    document = _import_document(workspace, number)
    return Imported(
        number=number,
        source=str(document["source"]),
        root=str(document["root"]),
        rows=_whole(document["rows"]),
        evidence_class=str(document["evidence_class"]),
        imported_ms=_whole(document["imported_ms"]),
        results=tuple(one for one in _list(document["results"]) if isinstance(one, dict)),
        undetermined=tuple((str(_list(one)[0]), str(_list(one)[1])) for one in _list(document["undetermined"])),
        curve=tuple((_whole(_list(one)[0]), _whole(_list(one)[1])) for one in _list(document["curve"])),
    )


def attest_import(
    session: LedgerSession, workspace: Workspace, imported: Imported, certification: Certification
) -> Receipted:
    """Anchor the rows, unless they are, and attest to every result of an import."""
    if session.engine.state.get(anchor_key(workspace.organisation, imported.root)) is None:
        submit_message(session, workspace, Anchor(root=imported.root, rows=imported.rows, kind="measurement"))
    attestation = Attestation(
        battery=certification.battery,
        reference=certification.reference,
        evidence_class=imported.evidence_class,
        method=Method(name=METHOD_NAME, version=__version__),
        tested_from_ms=imported.imported_ms,
        tested_until_ms=imported.imported_ms,
        declarations=tuple(declarations_of(imported)),
        standard=certification.standard,
        input_root=imported.root,
        valid_until_ms=certification.valid_until_ms,
        predicates=certification.predicates,
        supersedes=certification.supersedes,
        is_certificate=certification.is_certificate,
    )
    return attest(session, workspace, attestation)


def prove_imported_row(workspace: Workspace, number: str, index: int) -> tuple[RowProof, bytes]:
    """The proof of one row of an import, and the bundle of the statement that anchored it."""
    document = _import_document(workspace, number)
    root = str(document["root"])
    store = workspace.home().open_reader()
    try:
        value = store.get(anchor_key(workspace.organisation, root))
        if value is None:
            raise OperationalError(f"import {number} is not anchored yet: attest to it first")
        provenance = decode_record(AnchorRecord, value).provenance
        wanted = Wanted(bytes.fromhex(provenance.statement), provenance.index, (), StoredState(store))
        anchor = export_bundle(store, workspace, wanted)
    finally:
        store.close()
    file_key = bytes.fromhex(str(document["file_key"]))
    return prove_row(workspace.archive / str(document["file"]), file_key, index), anchor


def verify_anchored_row(proof: RowProof, anchor: Verified) -> dict[str, int | None]:
    """The values of a row, proven to lie under the root that a verified anchor holds; or `VerificationError`."""
    message = anchor.ordered
    root, rows = message.get("root"), message.get("rows")
    if message.get("type") != "Anchor" or not isinstance(root, str) or not isinstance(rows, int):
        raise VerificationError("the bundle is not that of an anchor")
    return verify_row(proof, bytes.fromhex(root), rows)


def declarations_of(imported: Imported) -> list[Declaration]:
    """The field documents of an import: every result, and the discharge curve where there is one."""
    declared = [
        Declaration(str(result["quantity"]), {**result, "caveats": [*_list(result["caveats"]), NO_DATE]})
        for result in imported.results
    ]
    if imported.curve:
        points: list[Json] = [list(point) for point in imported.curve]
        declared.append(Declaration(CURVE, {"points": points, "quantity": CURVE, "unit": "mAh, mV"}))
    return declared


def predicates_of(imported: Imported, quantity: str, at_least: int) -> tuple[Predicate, ...]:
    """The public sentence "at least", if the whole interval of every such result lies above the threshold."""
    lows = [_whole(result["low"]) for result in imported.results if result["quantity"] == quantity]
    if not lows or min(lows) < at_least:
        return ()
    return (Predicate(quantity=quantity, comparison="at_least", threshold=at_least),)


def _full_curve(evaluation: Evaluation) -> list[tuple[int, int]]:
    """The curve of a full discharge; a slice of one would pass for the battery's."""
    return thin_curve(evaluation.discharge_curve()) if evaluation.full_discharges() else []


def thin_curve(points: Sequence[tuple[float, float]]) -> list[tuple[int, int]]:
    """At most `CURVE_POINTS_SHOWN` of the (Ah, V) points, in mAh and mV, ends included."""
    if not points:
        return []
    last = len(points) - 1
    count = min(CURVE_POINTS_SHOWN, len(points))
    chosen = [points[round(place * last / max(1, count - 1))] for place in range(count)]
    return [(round(charge * 1000), round(voltage * 1000)) for charge, voltage in chosen]


def _import_document(workspace: Workspace, number: str) -> dict[str, Json]:
    record = workspace.vault.get_record(number)
    if record.kind != IMPORT_KIND:
        raise Malformed(f"{number} is not the number of an import")
    return parse_object(record.payload, bytes_max=IMPORT_BYTES_MAX)


def _whole(value: Json) -> int:
    if not isinstance(value, int):
        raise Malformed("an import in the vault holds something else than a whole number")
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise Malformed("an import in the vault holds something else than a list")
    return value
