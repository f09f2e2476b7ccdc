"""Units in use: built into something and out again, and worked on.

What only adds an entry under the signer's name needs his role alone. What others rely on - a repair that voids tests,
the day of the next service - needs the consent of who holds the unit: his own signature, or his order to a workshop.
"""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.battery import (
    BatteryRecord,
    Day,
    battery_key,
    get_battery,
    void_tests,
)
from cellvow.core.contracts.contract import (
    MEMBERS,
    WORLD,
    Battery,
    Committed,
    Context,
    Contract,
    Count,
    Member,
    OfUnit,
    Record,
    Reference,
    require,
    require_version,
)
from cellvow.core.contracts.day import number_day, require_lived_day
from cellvow.core.contracts.organisation import get_organisation, require_role
from cellvow.core.contracts.register import CUSTODY
from cellvow.core.contracts.whole import derive_registered, stands
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected

SERVICE_ROLES = ("manufacturer", "operator", "second_life_operator", "vehicle_maker", "workshop")
"""Who works on units, writes documents for that and brings their software up to date."""
INSTALLED, OPEN, REPAIR = "installed", "open", "repair"
WASTE = "waste"

Purpose = Literal["vehicle", "storage_system"]
RemovalCause = Literal["service", "replacement", "end_of_use", "accident", "other"]
WorkKind = Literal["maintenance", "repair", "inspection", "calibration"]
Standing = Literal["holder", "ordered", "own_word"]
"""On what somebody worked on a unit: he held it, who held it had ordered it of him, or on his own word alone."""


# Records


class InstallationRecord(Record, frozen=True, kw_only=True):
    """`installation/BATTERY`: what it is in, or was in last; `organisation` recorded that, as its holder."""

    battery: Battery
    organisation: str
    state: Literal["installed", "removed"]
    into: Purpose
    place: Committed
    installed_on: Day
    since_ms: Count
    removed_on: Day | None = None
    cause: RemovalCause | None = None


class OrderRecord(Record, frozen=True, kw_only=True):
    """`order/BATTERY`: the latest work order for a unit; it holds while `organisation`, who gave it, has custody."""

    battery: Battery
    organisation: str
    workshop: str
    kind: WorkKind
    order: Committed
    state: Literal["open", "done", "withdrawn"]


class WorkRecord(Record, frozen=True, kw_only=True):
    """`work/ORGANISATION/REFERENCE`: work that was done on a unit, and on what standing."""

    organisation: str
    reference: Reference
    battery: Battery
    kind: WorkKind
    standing: Standing
    done_on: Day
    report: Committed
    recorded_ms: Count


class ServiceRecord(Record, frozen=True, kw_only=True):
    """`service/BATTERY`: the newest work with its holder's consent, and the day of the next, with who set it."""

    battery: Battery
    organisation: str
    reference: Reference
    kind: WorkKind
    done_on: Day
    next_service_on: Day | None = None
    next_set_by: str | None = None


# Messages


class InstallBattery(OfUnit, frozen=True, kw_only=True):
    """Record that a unit one holds was built into a vehicle or a storage system; which one is a commitment."""

    into: Annotated[Purpose, MEMBERS]
    place: Annotated[Committed, WORLD]
    installed_on: Annotated[Day, MEMBERS]


class UninstallBattery(OfUnit, frozen=True, kw_only=True):
    """Record that a unit one holds was taken out of what it was in."""

    cause: Annotated[RemovalCause, MEMBERS]
    removed_on: Annotated[Day, MEMBERS]


class OrderWork(OfUnit, frozen=True, kw_only=True):
    """Order work on a unit one holds of another member, who need not take custody of it; replaces the last order."""

    workshop: Annotated[Member, MEMBERS]
    kind: Annotated[WorkKind, MEMBERS]
    order: Annotated[Committed, WORLD]


class WithdrawOrder(OfUnit, frozen=True, kw_only=True):
    """Withdraw the open order of this version."""

    version: Annotated[Count, MEMBERS]


class RecordWork(OfUnit, frozen=True, kw_only=True):
    """Record work done on a unit, under one's own number; a repair voids its tests."""

    reference: Annotated[Reference, MEMBERS]
    kind: Annotated[WorkKind, MEMBERS]
    done_on: Annotated[Day, MEMBERS]
    report: Annotated[Committed, WORLD]
    next_service_on: Annotated[Day | None, MEMBERS] = None


# Rules


def installation_key(battery: str) -> str:
    """Where a unit's installation lies in the state map."""
    return f"installation/{battery}"


def order_key(battery: str) -> str:
    """Where the latest work order for a unit lies in the state map."""
    return f"order/{battery}"


def work_key(organisation: str, reference: str) -> str:
    """Where recorded work lies in the state map."""
    return f"work/{organisation}/{reference}"


def service_key(battery: str) -> str:
    """Where a unit's newest work and next service lie in the state map."""
    return f"service/{battery}"


def is_installed(context: Context, battery: str) -> bool:
    """Whether the unit is in a vehicle or a storage system now."""
    record = context.get(InstallationRecord, installation_key(battery))
    return record is not None and record.state == INSTALLED


def require_holder(context: Context, battery: str) -> None:
    """Raise `Rejected` unless the signer has custody of the unit, or of what it is built into."""
    holder = derive_registered(context.get_bytes, CUSTODY, battery).organisation
    require(holder == context.organisation, Reason.NOT_THE_HOLDER, holder=holder)


def find_order(context: Context, battery: str) -> OrderRecord | None:
    """The open order for the unit that the signer is to carry out, if who gave it still holds the unit."""
    order = context.get(OrderRecord, order_key(battery))
    if order is None or order.state != OPEN or order.workshop != context.organisation:
        return None
    holder = derive_registered(context.get_bytes, CUSTODY, battery).organisation
    return order if holder == order.organisation else None


def derive_standing(context: Context, battery: str, kind: WorkKind) -> Standing:
    """On what the signer does work of this kind: an order for an inspection is none for a repair."""
    if stands(context, CUSTODY, battery):
        return "holder"
    order = find_order(context, battery)
    return "ordered" if order is not None and order.kind == kind else "own_word"


def _require_free(unit: BatteryRecord) -> None:
    require(unit.part_of is None, Reason.PART_OF_ANOTHER, battery=unit.part_of or "")


# Handlers


def _install(context: Context, message: InstallBattery) -> list[Event]:
    unit = get_battery(context, message.battery)
    require_holder(context, message.battery)
    _require_free(unit)
    require(unit.status != WASTE, Reason.WRONG_STATUS, status=unit.status, deed="install")
    key = installation_key(message.battery)
    before = context.get(InstallationRecord, key)
    if before is not None and before.state == INSTALLED:
        raise Rejected(Reason.ALREADY_INSTALLED, by=before.organisation, on=before.installed_on)
    # Stays in something do not overlap, in whatever order they are told.
    require_lived_day(context, unit, message.installed_on, not_before=None if before is None else before.removed_on)
    record = InstallationRecord(
        provenance=context.provenance,
        version=1 if before is None else before.version + 1,
        battery=message.battery,
        organisation=context.organisation,
        state="installed",
        into=message.into,
        place=message.place,
        installed_on=message.installed_on,
        since_ms=context.time_ms,
    )
    context.put(key, record)
    return [{"type": "BatteryInstalled", "battery": message.battery, "into": message.into}]


def _uninstall(context: Context, message: UninstallBattery) -> list[Event]:
    unit = get_battery(context, message.battery)
    require_holder(context, message.battery)
    key = installation_key(message.battery)
    before = context.get(InstallationRecord, key)
    if before is None or before.state != INSTALLED:
        raise Rejected(Reason.NOT_INSTALLED, battery=message.battery)
    require_lived_day(context, unit, message.removed_on, not_before=before.installed_on)
    record = msgspec.structs.replace(
        before,
        provenance=context.provenance,
        version=before.version + 1,
        organisation=context.organisation,
        state="removed",
        since_ms=context.time_ms,
        removed_on=message.removed_on,
        cause=message.cause,
    )
    context.put(key, record)
    return [{"type": "BatteryUninstalled", "battery": message.battery, "cause": message.cause}]


def _order(context: Context, message: OrderWork) -> list[Event]:
    get_battery(context, message.battery)
    require_holder(context, message.battery)
    workshop = get_organisation(context, message.workshop)
    if workshop is None:
        raise Rejected(Reason.UNKNOWN_ORGANISATION, organisation=message.workshop)
    is_fit = any(role in workshop.roles for role in SERVICE_ROLES)
    require(is_fit, Reason.ROLE_MISSING, needed=" or ".join(SERVICE_ROLES), organisation=message.workshop)
    key = order_key(message.battery)
    before = context.get(OrderRecord, key)
    record = OrderRecord(
        provenance=context.provenance,
        version=1 if before is None else before.version + 1,
        battery=message.battery,
        organisation=context.organisation,
        workshop=message.workshop,
        kind=message.kind,
        order=message.order,
        state="open",
    )
    context.put(key, record)
    return [{"type": "WorkOrdered", "battery": message.battery, "workshop": message.workshop}]


def _withdraw_order(context: Context, message: WithdrawOrder) -> list[Event]:
    get_battery(context, message.battery)
    require_holder(context, message.battery)
    record = context.get(OrderRecord, order_key(message.battery))
    if record is None or record.state != OPEN:
        raise Rejected(Reason.NO_OPEN_ORDER, battery=message.battery)
    require_version(record, message.version)
    _end_order(context, record, "withdrawn")
    return [{"type": "WorkOrderWithdrawn", "battery": message.battery, "workshop": record.workshop}]


def _end_order(context: Context, record: OrderRecord, state: Literal["done", "withdrawn"]) -> None:
    ended = msgspec.structs.replace(record, state=state, version=record.version + 1, provenance=context.provenance)
    context.put(order_key(record.battery), ended)


def _record_work(context: Context, message: RecordWork) -> list[Event]:
    unit = get_battery(context, message.battery)
    require_role(context, *SERVICE_ROLES)
    require_lived_day(context, unit, message.done_on)
    standing = derive_standing(context, message.battery, message.kind)
    is_bare = standing == "own_word" and message.kind != REPAIR and message.next_service_on is None
    require(standing != "own_word" or is_bare, Reason.NO_OPEN_ORDER, battery=message.battery)
    planned = message.next_service_on
    is_later = planned is None or number_day(planned) >= number_day(message.done_on)
    require(is_later, Reason.DAY_OUT_OF_RANGE, day=planned or "")
    key = work_key(context.organisation, message.reference)
    require(context.get_bytes(key) is None, Reason.WORK_EXISTS, reference=message.reference)
    record = WorkRecord(
        provenance=context.provenance,
        organisation=context.organisation,
        reference=message.reference,
        battery=message.battery,
        kind=message.kind,
        standing=standing,
        done_on=message.done_on,
        report=message.report,
        recorded_ms=context.time_ms,
    )
    context.put(key, record)
    if standing != "own_word":
        _change_service(context, message)
    order = find_order(context, message.battery) if standing == "ordered" else None
    if order is not None:
        _end_order(context, order, "done")
    if message.kind == REPAIR:
        # Whoever repairs a part has opened what it is in: that one's tests are void as well, so it is the one to name.
        _require_free(unit)
        context.put(battery_key(message.battery), void_tests(context, unit, "repaired"))
    event: Event = {"type": "WorkRecorded", "battery": message.battery, "kind": message.kind, "standing": standing}
    return [{**event, "reference": message.reference}]


def _change_service(context: Context, message: RecordWork) -> None:
    """Work that is told late, after newer work was, neither becomes the newest nor plans what comes next."""
    key = service_key(message.battery)
    before = context.get(ServiceRecord, key)
    if before is not None and message.done_on < before.done_on:
        return
    planned, set_by = message.next_service_on, context.organisation
    if planned is None:
        planned, set_by = (None, "") if before is None else (before.next_service_on, before.next_set_by or "")
    record = ServiceRecord(
        provenance=context.provenance,
        version=1 if before is None else before.version + 1,
        battery=message.battery,
        organisation=context.organisation,
        reference=message.reference,
        kind=message.kind,
        done_on=message.done_on,
        next_service_on=planned,
        next_set_by=set_by or None,
    )
    context.put(key, record)


CONTRACT = Contract(
    "use",
    {
        InstallBattery: _install,
        UninstallBattery: _uninstall,
        OrderWork: _order,
        WithdrawOrder: _withdraw_order,
        RecordWork: _record_work,
    },
)
