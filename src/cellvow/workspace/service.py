"""A unit in service, as an organisation records and reads it: what is confidential goes into its vault first.

Each function makes one message; `commands.submit_message` sends it, `sending.sign_offline` keeps it for later.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from cellvow.core.contracts.battery import battery_key
from cellvow.core.contracts.contract import Committed, RecordType, decode_record
from cellvow.core.contracts.document import DocumentRecord, PublishDocument, document_key
from cellvow.core.contracts.organisation import is_member, organisation_key
from cellvow.core.contracts.safety import (
    AssessSafety,
    IncidentName,
    ReportIncident,
    SafetyRecord,
    safety_key,
)
from cellvow.core.contracts.software import Component, ResetSoftware, SoftwareRecord, UpdateSoftware, software_key
from cellvow.core.contracts.use import (
    InstallationRecord,
    InstallBattery,
    OrderRecord,
    OrderWork,
    RecordWork,
    ServiceRecord,
    UninstallBattery,
    WithdrawOrder,
    installation_key,
    order_key,
    service_key,
)
from cellvow.core.ledger.genesis import ROLES, parse_organisation
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import derive_model_id
from cellvow.node.home import LedgerSession, NodeHome
from cellvow.node.store import LedgerStore
from cellvow.vault.vault import PAYLOAD_BYTES_MAX
from cellvow.workspace.passports import TIMELINE_FILE
from cellvow.workspace.timeline import Timeline
from cellvow.workspace.workspace import Workspace

PLACE_KIND, DOCUMENT_KIND, TEXT_KIND = "place", "document", "text"
PLACE_CHARACTERS_MAX = 200


# What stays in the vault


def commit_place(workspace: Workspace, into: str, place: str) -> Committed:
    """The commitment to a vehicle's identification number or a site; raises `Malformed` for an empty or endless one."""
    if not 1 <= len(place) <= PLACE_CHARACTERS_MAX or not place.isprintable():
        raise Malformed(f"a vehicle or site is named by 1 to {PLACE_CHARACTERS_MAX} characters")
    return _commit(workspace, PLACE_KIND, {"into": into, "place": place, "quantity": PLACE_KIND})


def commit_file(workspace: Workspace, path: Path) -> Committed:
    """The commitment to a file by its digest; its content goes into the vault, at most 16 MB."""
    with path.open("rb") as file:
        content = file.read(PAYLOAD_BYTES_MAX + 1)
    if not content or len(content) > PAYLOAD_BYTES_MAX:
        raise Malformed(f"{path} is empty, or larger than the {PAYLOAD_BYTES_MAX} bytes that a document may have")
    record = workspace.vault.put_record(DOCUMENT_KIND, content)
    document: dict[str, Json] = {
        "bytes": len(content),
        "quantity": DOCUMENT_KIND,
        "record": str(record),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    return _commit(workspace, DOCUMENT_KIND, document)


def commit_text(workspace: Workspace, text: str) -> Committed:
    """The commitment to a sentence or two."""
    if not text.strip():
        raise Malformed("an empty text says nothing: nothing was signed")
    return _commit(workspace, TEXT_KIND, {"quantity": TEXT_KIND, "text": text})


def open_committed(workspace: Workspace, committed: Committed) -> dict[str, Json] | None:
    """What this organisation committed to there; None where it was somebody else, or it was erased."""
    place = workspace.vault.find_by_commitment(bytes.fromhex(committed.commitment))
    if place is None:
        return None
    (disclosure,) = workspace.vault.disclose(place.record_id, [place.field_index])
    return parse_object(disclosure.field)


def _commit(workspace: Workspace, kind: str, document: dict[str, Json]) -> Committed:
    sealed = workspace.vault.commit_fields(kind, [document])
    return Committed(commitment=sealed.commitments[0].hex())


# What is signed


def make_installation(workspace: Workspace, battery: str, into: str, place: str, day: str) -> InstallBattery:
    """That a unit is in a vehicle or a storage system from a day on."""
    committed = commit_place(workspace, into, place)
    return InstallBattery(battery=battery, into=into, place=committed, installed_on=day)  # type: ignore[arg-type]  # the CLI offers the words


def make_removal(battery: str, cause: str, day: str) -> UninstallBattery:
    """That a unit was taken out on a day."""
    return UninstallBattery(battery=battery, cause=cause, removed_on=day)  # type: ignore[arg-type]  # the CLI offers the causes


def make_order(workspace: Workspace, battery: str, workshop: str, kind: str, text: str) -> OrderWork:
    """An order to a workshop, which need not take custody for it."""
    order = commit_text(workspace, text)
    return OrderWork(battery=battery, workshop=workshop, kind=kind, order=order)  # type: ignore[arg-type]  # the CLI offers the kinds


def make_order_withdrawal(session: LedgerSession, battery: str) -> WithdrawOrder:
    """The end of the order that is open now; raises `Rejected` where there is none."""
    value = session.engine.state.get(order_key(battery))
    if value is None:
        raise Rejected(Reason.NO_OPEN_ORDER, battery=battery)
    return WithdrawOrder(battery=battery, version=decode_record(OrderRecord, value).version)


@dataclass(frozen=True, slots=True)
class Work:
    """Work that was done, before its report becomes a commitment."""

    battery: str
    reference: str
    kind: str
    done_on: str
    next_service_on: str | None = None


def make_work(work: Work, report: Committed) -> RecordWork:
    """The message about work."""
    return RecordWork(
        battery=work.battery,
        reference=work.reference,
        kind=work.kind,  # type: ignore[arg-type]  # the CLI offers the kinds
        done_on=work.done_on,
        report=report,
        next_service_on=work.next_service_on,
    )


@dataclass(frozen=True, slots=True)
class Paper:
    """A document to publish, about a unit or a model, for some roles."""

    about: str
    reference: str
    version: int
    title: str
    roles: Sequence[str]


def make_document(workspace: Workspace, paper: Paper, path: Path) -> PublishDocument:
    """The message about a document; the file itself goes into the vault."""
    ordered = tuple(role for role in ROLES if role in paper.roles)
    return PublishDocument(
        about=paper.about,
        reference=paper.reference,
        version=paper.version,
        title=paper.title,
        roles=ordered,  # type: ignore[arg-type]  # words of the same list
        document=commit_file(workspace, path),
    )


def make_software(
    battery: str, component: str, release: str, digest: str, *, is_reset: bool
) -> UpdateSoftware | ResetSoftware:
    """What runs on a component now, by an update or after a reset."""
    kind = ResetSoftware if is_reset else UpdateSoftware
    return kind(battery=battery, component=component, release=release, digest=digest)  # type: ignore[arg-type]  # the CLI offers the components


@dataclass(frozen=True, slots=True)
class Happening:
    """What happened to a unit, before its report becomes a commitment."""

    battery: str
    reference: str
    kind: str
    severity: str
    occurred_on: str


def make_incident(happening: Happening, report: Committed) -> ReportIncident:
    """The message about an incident."""
    return ReportIncident(
        battery=happening.battery,
        reference=happening.reference,
        kind=happening.kind,  # type: ignore[arg-type]  # the CLI offers the kinds
        severity=happening.severity,  # type: ignore[arg-type]  # likewise
        occurred_on=happening.occurred_on,
        report=report,
    )


def make_assessment(battery: str, state: str, closes: Sequence[tuple[str, str]], report: Committed) -> AssessSafety:
    """The message about the state somebody found a unit in."""
    names = tuple(IncidentName(organisation=who, reference=reference) for who, reference in closes)
    return AssessSafety(battery=battery, state=state, closes=names, report=report)  # type: ignore[arg-type]  # the CLI offers the states


# What is read


@dataclass(frozen=True, slots=True)
class Version:
    """One version of a document: when it was published, by which statement."""

    version: int
    time_ms: int
    statement: str


@dataclass(frozen=True, slots=True)
class PaperView:
    """A document as it stands, with all its versions, oldest first."""

    record: DocumentRecord
    versions: tuple[Version, ...]


@dataclass(frozen=True, slots=True)
class ServiceView:
    """What is on record of a unit in use. Members see all of it, a stranger safety and software alone.

    `documents` are those whose publisher named a role of the reader, and the reader's own.
    """

    battery: str
    safety: SafetyRecord | None
    software: tuple[SoftwareRecord, ...]
    installation: InstallationRecord | None = None
    place: str | None = None
    order: OrderRecord | None = None
    service: ServiceRecord | None = None
    documents: tuple[PaperView, ...] = ()


def read_service(home: NodeHome, workspace: Workspace | None, battery: str) -> ServiceView:
    """What is on record of a unit in use, for the workspace's member or, without one, for a stranger."""
    store = home.open_reader()
    try:
        if store.get(battery_key(battery)) is None:
            raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
        components = (_record(store, SoftwareRecord, software_key(battery, one)) for one in get_args(Component))
        software = tuple(one for one in components if one is not None)
        safety = _record(store, SafetyRecord, safety_key(battery))
        if workspace is None:
            return ServiceView(battery, safety, software)
        installation = _record(store, InstallationRecord, installation_key(battery))
        return ServiceView(
            battery,
            safety,
            software,
            installation,
            None if installation is None else _place(workspace, installation),
            _record(store, OrderRecord, order_key(battery)),
            _record(store, ServiceRecord, service_key(battery)),
            _documents(home, store, workspace, battery),
        )
    finally:
        store.close()


def _record(store: LedgerStore, record_type: type[RecordType], key: str) -> RecordType | None:
    value = store.get(key)
    return None if value is None else decode_record(record_type, value)


def _place(workspace: Workspace, installation: InstallationRecord) -> str | None:
    opened = open_committed(workspace, installation.place)
    return None if opened is None else str(opened["place"])


def _documents(home: NodeHome, store: LedgerStore, workspace: Workspace, battery: str) -> tuple[PaperView, ...]:
    timeline = Timeline.open(workspace.folder / TIMELINE_FILE, home.trust.genesis)
    try:
        timeline.follow(store)
        recorded = timeline.recorded(store, battery, derive_model_id(battery))
    finally:
        timeline.close()
    versions: dict[str, list[Version]] = {}
    for one in recorded:
        if isinstance(one.message, PublishDocument):
            key = document_key(one.organisation, one.message.reference)
            versions.setdefault(key, []).append(Version(one.message.version, one.time_ms, one.statement))
    roles = read_roles(store, workspace.organisation)
    found = [(_record(store, DocumentRecord, key), tuple(told)) for key, told in versions.items()]
    return tuple(
        PaperView(record, told)
        for record, told in found
        if record is not None
        and (record.organisation == workspace.organisation or any(role in record.roles for role in roles))
    )


def read_roles(store: LedgerStore, organisation: str) -> tuple[str, ...]:
    """The roles of a member on the ledger now; none where it is no member."""
    value = store.get(organisation_key(organisation))
    if value is None or not is_member(store.get, organisation):
        return ()
    return parse_organisation(value).roles
