"""A unit in use as its page tells it: what it is in, who worked on it, what runs on it, what it is made of."""

from collections.abc import Iterator, Sequence
from typing import TypeVar, get_args

from cellvow.core.contracts.assembly import AssemblyRecord, assembly_key
from cellvow.core.contracts.battery import BatteryRecord
from cellvow.core.contracts.contract import Record, decode_record
from cellvow.core.contracts.document import DocumentRecord, PublishDocument, document_key
from cellvow.core.contracts.life import DecommissionRecord, WasteRecord, decommission_key, waste_key
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.contracts.second_life import GradeRecord, derive_grade_state, grade_key
from cellvow.core.contracts.software import Component, SoftwareRecord, software_key
from cellvow.core.contracts.use import INSTALLED, InstallationRecord, ServiceRecord, installation_key, service_key
from cellvow.core.contracts.whole import derive_registered
from cellvow.passport.access import sees_document
from cellvow.passport.parts import PartChange, derive_part_history, derive_tree, flatten_tree
from cellvow.passport.recorded import Ledger
from cellvow.passport.view import PartLeft, Parts, PartSeen, Reader, UseFact

RecordType = TypeVar("RecordType", bound=Record)

PARTS_SHOWN_MAX = 50
PARTS_LEFT_SHOWN_MAX = 10
DOCUMENTS_SHOWN_MAX = 10
"""So many of each are in a view: a pack of a thousand cells, or a drawer full of manuals, is told as cut."""


def derive_use(ledger: Ledger, unit: BatteryRecord, reader: Reader, now_ms: int) -> tuple[UseFact, ...]:
    """What is recorded of the unit in use, in the order in which people ask."""
    facts = (
        *_place(ledger, unit.battery),
        *_service(ledger, unit.battery),
        *_software(ledger, unit.battery),
        *_grades(ledger, unit, now_ms),
        *_documents(ledger, unit, reader),
    )
    return tuple(facts)


def derive_parts(ledger: Ledger, battery: str) -> Parts | None:
    """The parts of the unit, and what it is in; None where it neither has nor had any, and is in nothing."""
    tree = derive_tree(ledger.read, ledger.find_keys, battery, PARTS_SHOWN_MAX)
    if tree is None:
        return None
    sums = _read(ledger, AssemblyRecord, assembly_key(battery))
    seen = [
        PartSeen(part.battery, part.position, part.level, depth, part.since_ms)
        for depth, part in flatten_tree(tree.parts)
    ]
    changes = [one for one in derive_part_history(ledger.recorded) if one.battery == battery and one.removed]
    left = [_left(ledger, one) for one in reversed(changes)]
    if not (tree.above or seen or left):
        return None
    direct = 0 if sums is None else sums.parts
    return Parts(tree.above, tuple(seen), direct, tree.is_cut, tuple(left[:PARTS_LEFT_SHOWN_MAX]))


def derive_grading(ledger: Ledger, unit: BatteryRecord, now_ms: int) -> UseFact | None:
    """The newest grading of a unit for a second use and whether it holds; None where nobody graded it."""
    grade = _read(ledger, GradeRecord, grade_key(unit.battery))
    if grade is None:
        return None
    applications = ", ".join(grade.applications)
    state = derive_grade_state(grade, unit, now_ms)
    if state != "in_force":
        return _fact(ledger, "grade_over", grade, grade=grade.grade, grade_state=state)
    if applications:
        return _fact(ledger, "grade", grade, grade=grade.grade, applications=applications)
    return _fact(ledger, "grade_unfit", grade, grade=grade.grade)


def _left(ledger: Ledger, change: PartChange) -> PartLeft:
    place = (change.statement, change.index)
    source = next(ledger.source_of(one) for one in ledger.recorded if (one.statement, one.index) == place)
    return PartLeft(change.removed or "", change.installed, change.position, change.cause or "", source)


def _place(ledger: Ledger, battery: str) -> Iterator[UseFact]:
    installed = _read(ledger, InstallationRecord, installation_key(battery))
    if installed is not None and installed.state == INSTALLED:
        yield _fact(ledger, "installed", installed, into=installed.into, day=installed.installed_on)
    elif installed is not None:
        yield _fact(ledger, "removed", installed, into=installed.into, day=installed.removed_on or "")
    resting = _read(ledger, DecommissionRecord, decommission_key(battery))
    if resting is not None and (installed is None or installed.state != INSTALLED):  # else it is in use again
        yield _fact(ledger, "decommissioned", resting, rest=resting.cause)
    waste = _read(ledger, WasteRecord, waste_key(battery))
    if waste is not None:
        yield _fact(ledger, "waste", waste, rest=waste.cause)


def _service(ledger: Ledger, battery: str) -> Iterator[UseFact]:
    service = _read(ledger, ServiceRecord, service_key(battery))
    if service is None:
        return
    if service.next_service_on is not None:
        by = ledger.name(service.next_set_by or service.organisation)
        yield _fact(ledger, "next_service", service, day=service.next_service_on, by=by)
    yield _fact(ledger, "work", service, work=service.kind, day=service.done_on, reference=service.reference)


def _software(ledger: Ledger, battery: str) -> Iterator[UseFact]:
    for component in _words_of(Component):
        software = _read(ledger, SoftwareRecord, software_key(battery, component))
        if software is None:
            continue
        name = "software_reset" if software.installed_as == "reset" else "software"
        yield _fact(ledger, name, software, component=component, release=software.release)
        released = software.maker_released
        if released is not None:
            detail = (("by", ledger.name(released.organisation)),)
            yield UseFact("maker_released", detail, ledger.find_source(released.provenance))


def _grades(ledger: Ledger, unit: BatteryRecord, now_ms: int) -> Iterator[UseFact]:
    graded = derive_grading(ledger, unit, now_ms)
    if graded is not None:
        yield graded


def _documents(ledger: Ledger, unit: BatteryRecord, reader: Reader) -> Iterator[UseFact]:
    """The newest version of each document about the unit or its model that this reader is told of.

    First those of its maker and of who stands in its registers: a stranger's many papers hide none of theirs.
    """
    near = [derive_registered(ledger.read, register, unit.battery).organisation for register in REGISTERS]
    near.append(unit.organisation)
    published = [(one.organisation, one.message) for one in ledger.recorded]
    names = [(by, message.reference) for by, message in published if isinstance(message, PublishDocument)]
    found = [_read(ledger, DocumentRecord, document_key(*name)) for name in dict.fromkeys(names)]
    shown = [one for one in found if one is not None and sees_document(reader, one.roles)]
    for document in sorted(shown, key=lambda one: (one.organisation not in near, -one.published_ms))[
        :DOCUMENTS_SHOWN_MAX
    ]:
        detail = {"reference": document.reference, "version": str(document.version), "title": document.title}
        yield _fact(ledger, "document", document, **detail, roles=", ".join(document.roles))


def _fact(ledger: Ledger, name: str, record: Record, **detail: str) -> UseFact:
    return UseFact(name, tuple(detail.items()), ledger.find_source(record.provenance))


def _read(ledger: Ledger, schema: type[RecordType], key: str) -> RecordType | None:
    value = ledger.read(key)
    return None if value is None else decode_record(schema, value)


def _words_of(words: object) -> Sequence[str]:
    return get_args(words)
