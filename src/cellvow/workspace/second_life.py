"""What an organisation does after a unit's first life: rest, waste, second life, grading, end; and what was diverted.

Places, reports and what was recovered go into the vault; the ledger gets commitments.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Committed, Context, Provenance, RecordType, decode_record
from cellvow.core.contracts.life import (
    DeclareWaste,
    Decommission,
    DecommissionRecord,
    RecordDestruction,
    RecordRecycling,
    ReportSighting,
    SightingRecord,
    WasteRecord,
    decommission_key,
    sighting_key,
    waste_key,
)
from cellvow.core.contracts.lineage import get_succession
from cellvow.core.contracts.second_life import (
    BeginSecondLife,
    Draw,
    GradeRecord,
    GradeUnit,
    Successor,
    derive_grade_state,
    grade_key,
)
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import Malformed
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.node.store import LedgerStore
from cellvow.passport.life_cycle import (
    ENDS,
    ORIGINS,
    Diverted,
    End,
    Lineage,
    Voiding,
    derive_diverted,
    derive_end,
    derive_lineage,
    derive_voidings,
)
from cellvow.workspace.clock import now_ms
from cellvow.workspace.commands import submit_message
from cellvow.workspace.workspace import Workspace

LIFE_KIND = "life"
Read = Callable[[str], bytes | None]
_NOBODY = Provenance(statement="0" * 64, index=0)


@dataclass(frozen=True, slots=True)
class Share:
    """A unit with its mass in grams and its cells in an operation; None: all that is left, or an equal share."""

    battery: str
    mass_g: int | None = None
    cells: int | None = None


@dataclass(frozen=True, slots=True)
class SecondLife:
    """What is to become what."""

    operation: str
    originals: tuple[Share, ...]
    successors: tuple[Share, ...]
    manufactured_on: str
    facility: str


@dataclass(frozen=True, slots=True)
class Graded:
    """The latest grading, and what it is worth now."""

    record: GradeRecord
    state: str


@dataclass(frozen=True, slots=True)
class LifeShown:
    """A unit's life beyond itself; `status` None where this ledger never heard of its birth."""

    battery: str
    status: str | None
    lineage: Lineage
    end: End | None
    voidings: dict[int, Voiding]
    decommissioned: DecommissionRecord | None
    waste: WasteRecord | None
    grade: Graded | None
    sightings: SightingRecord | None


def decommission(session: LedgerSession, workspace: Workspace, battery: str, cause: str) -> Receipted:
    """Take a unit out of use, with the reason."""
    message = Decommission(battery=battery, version=_version(session, battery), cause=cause)  # type: ignore[arg-type]  # the CLI offers the causes
    return submit_message(session, workspace, message)


def declare_waste(session: LedgerSession, workspace: Workspace, battery: str, cause: str) -> Receipted:
    """Declare a unit waste, with the reason."""
    message = DeclareWaste(battery=battery, version=_version(session, battery), cause=cause)  # type: ignore[arg-type]  # the CLI offers the causes
    return submit_message(session, workspace, message)


def record_recycling(
    session: LedgerSession, workspace: Workspace, battery: str, facility: str, recovered: str
) -> Receipted:
    """Record that a waste unit was recycled; where and what was recovered stay in the vault."""
    version = _version(session, battery)
    papers = _commit(workspace, {"facility": facility, "recovered": recovered})
    message = RecordRecycling(battery=battery, version=version, facility=papers[0], recovered=papers[1])
    return submit_message(session, workspace, message)


def record_destruction(
    session: LedgerSession, workspace: Workspace, battery: str, cause: str, report: str
) -> Receipted:
    """Record that a unit is gone; the report stays in the vault."""
    version = _version(session, battery)
    (paper,) = _commit(workspace, {"report": report})
    message = RecordDestruction(battery=battery, version=version, cause=cause, report=paper)  # type: ignore[arg-type]  # the CLI offers the causes
    return submit_message(session, workspace, message)


def report_sighting(session: LedgerSession, workspace: Workspace, battery: str, place: str) -> Receipted:
    """Report that the identifier was seen in the field; the place stays in the vault."""
    (paper,) = _commit(workspace, {"place": place})
    return submit_message(session, workspace, ReportSighting(battery=battery, place=paper))


def grade_unit(
    session: LedgerSession,
    workspace: Workspace,
    grading: tuple[str, str, str],
    applications: tuple[str, ...],
    until: str | None,
    report: str,
) -> Receipted:
    """Grade a unit for a second use: `grading` is (battery, own reference, grade); the report stays in the vault."""
    battery, reference, grade = grading
    (paper,) = _commit(workspace, {"report": report})
    message = GradeUnit(
        battery=battery,
        reference=reference,
        grade=grade,  # type: ignore[arg-type]  # the CLI offers the grades
        applications=tuple(sorted(dict.fromkeys(applications))),  # type: ignore[arg-type]  # and the applications
        until=until,
        report=paper,
    )
    return submit_message(session, workspace, message)


def plan_second_life(read: Read, wanted: SecondLife) -> BeginSecondLife:
    """The message, with what is left of each original filled in; raises `Rejected` for a unit nobody registered.

    Where a successor's mass or cells are not given, the rest is shared out equally, what does not divide to the first.
    """
    originals = tuple(_draw(read, share) for share in wanted.originals)
    masses = _share_out(sum(one.mass_g for one in originals), [one.mass_g for one in wanted.successors])
    cells = _share_out(sum(one.cells for one in originals), [one.cells for one in wanted.successors])
    if min((*masses, *(one.mass_g for one in originals))) < 1:
        raise Malformed("every original gives, and every successor takes, at least one gram: give the masses")
    successors = tuple(
        Successor(
            battery=share.battery,
            manufactured_on=wanted.manufactured_on,
            facility=wanted.facility,
            mass_g=mass_g,
            cells=count,
        )
        for share, mass_g, count in zip(wanted.successors, masses, cells, strict=True)
    )
    return BeginSecondLife(operation=wanted.operation, originals=originals, successors=successors)  # type: ignore[arg-type]  # the CLI offers the operations


def begin_second_life(session: LedgerSession, workspace: Workspace, wanted: SecondLife) -> Receipted:
    """Let units become others, fenced by the versions seen now."""
    return submit_message(session, workspace, plan_second_life(session.engine.state.get, wanted))


def read_life(store: LedgerStore, battery: str) -> LifeShown:
    """A unit's life beyond itself, from the records of one moment."""
    read = store.get
    unit = _find(read, BatteryRecord, battery_key(battery))
    grade = _find(read, GradeRecord, grade_key(battery))
    graded = None
    if grade is not None and unit is not None:
        graded = Graded(grade, derive_grade_state(grade, unit, now_ms()))
    return LifeShown(
        battery=battery,
        status=None if unit is None else unit.status,
        lineage=derive_lineage(read, battery),
        end=derive_end(read, battery),
        voidings=derive_voidings(read, battery),
        decommissioned=_find(read, DecommissionRecord, decommission_key(battery)),
        waste=_find(read, WasteRecord, waste_key(battery)),
        grade=graded,
        sightings=_find(read, SightingRecord, sighting_key(battery)),
    )


def read_diverted(store: LedgerStore) -> Diverted:
    """What all units of the ledger that were done with became, added up record by record."""
    origins, ends = ((value for _, value in store.records(prefix)) for prefix in (ORIGINS, ENDS))
    return derive_diverted(store.get, origins, ends)


def _find(read: Read, record_type: type[RecordType], key: str) -> RecordType | None:
    value = read(key)
    return None if value is None else decode_record(record_type, value)


def _get_unit(read: Read, battery: str) -> BatteryRecord:
    unit = _find(read, BatteryRecord, battery_key(battery))
    if unit is None:
        raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
    return unit


def _version(session: LedgerSession, battery: str) -> int:
    return _get_unit(session.engine.state.get, battery).version


def _draw(read: Read, share: Share) -> Draw:
    unit = _get_unit(read, share.battery)
    context = Context(read=read, organisation="", kid="", height=0, time_ms=0, chain_id="", provenance=_NOBODY)
    left = get_succession(context, unit)
    return Draw(
        battery=share.battery,
        version=unit.version,
        mass_g=left.mass_left_g if share.mass_g is None else share.mass_g,
        cells=left.cells_left if share.cells is None else share.cells,
    )


def _share_out(total: int, given: list[int | None]) -> list[int]:
    """The numbers given, and for the others an equal share of what they leave; what does not divide to the first."""
    missing = [number for number, one in enumerate(given) if one is None]
    rest = max(0, total - sum(one for one in given if one is not None))
    shares = [one or 0 for one in given]
    for place, number in enumerate(missing):
        shares[number] = rest // len(missing) + (rest % len(missing) if place == 0 else 0)
    return shares


def _commit(workspace: Workspace, texts: dict[str, str]) -> tuple[Committed, ...]:
    fields = [{"name": name, "text": text} for name, text in texts.items()]
    sealed = workspace.vault.commit_fields(LIFE_KIND, fields)
    return tuple(Committed(commitment=one.hex()) for one in sealed.commitments)
