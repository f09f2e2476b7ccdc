"""Models and batteries: registered once by their maker; the three registers start with him."""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.contract import (
    WORLD,
    Battery,
    Contested,
    Context,
    Contract,
    Count,
    Gtin,
    Message,
    OfUnit,
    Provenance,
    Record,
    Schema,
    Term,
    require,
)
from cellvow.core.contracts.day import require_begun_day
from cellvow.core.contracts.organisation import require_role
from cellvow.core.contracts.register import REGISTERS, RESPONSIBILITY, get_register, put_register
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.identifier import derive_model_id, is_gtin

CATEGORIES = ("ev", "lmt", "industrial", "sli", "portable")
"""Battery categories of Regulation (EU) 2023/1542 Article 3."""
STATUSES = ("original", "repurposed", "re-used", "remanufactured", "waste")
"""Battery status of Regulation (EU) 2023/1542 Annex XIII point 4."""

CONTESTS_SINCE = 3
"""The first ruleset that keeps what a message claims against the registers, instead of rejecting it."""

_DAYS_OF_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

Category = Literal["ev", "lmt", "industrial", "sli", "portable"]
VoidingCause = Literal[
    "parts_changed", "repaired", "repurposed", "re-used", "remanufactured", "incident", "decision", "ended"
]
Day = Annotated[str, msgspec.Meta(pattern=r"^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])\Z")]


# Records


class ModelRecord(Record, frozen=True, kw_only=True):
    """`model/GTIN`: what the law makes public about a model."""

    gtin: Gtin
    organisation: str
    category: Category
    model: Term
    chemistry: Term
    rated_capacity_mah: Count
    nominal_voltage_mv: Count
    voltage_min_mv: Count
    voltage_max_mv: Count
    mass_g: Count
    corrects: Provenance | None = None


class Backfill(Schema, frozen=True, kw_only=True):
    """That a birth was reconstructed because the battery is older than its record, from what, and how well known.

    It is the world's: nobody shall take a reconstructed birth for one that was recorded when it happened.
    """

    evidence_class: Annotated[Literal["estimated", "declared"], WORLD]
    basis: Annotated[Term, WORLD]


class BatteryRecord(Record, frozen=True, kw_only=True):
    """`battery/ID`. `epoch` grows with everything that voids earlier tests: certificates name the one they rest on.

    `part_of` is the unit it is built into; once it has `ceased` nothing is done with it any more. `born` is where the
    facts of its birth stem from, once something later has changed the record.
    """

    battery: Battery
    organisation: str
    gtin: Gtin
    manufactured_on: Day
    facility: Term
    status: Literal["original", "repurposed", "re-used", "remanufactured", "waste"]
    epoch: Count = 0
    part_of: Battery | None = None
    ceased: Literal["succeeded", "recycled", "destroyed"] | None = None
    born: Provenance | None = None
    backfill: Backfill | None = None
    corrects: Provenance | None = None


class VoidingRecord(Record, frozen=True, kw_only=True):
    """`voiding/ID/EPOCH`: what ended the epoch, and so voided the certificates that rest on it."""

    battery: Battery
    epoch: Count
    cause: VoidingCause


# Messages


class RegisterModel(Message, frozen=True, kw_only=True):
    """Register a model under its GTIN: rated values as its maker declares them."""

    gtin: Annotated[Gtin, WORLD]
    category: Annotated[Category, WORLD]
    model: Annotated[Term, WORLD]
    chemistry: Annotated[Term, WORLD]
    rated_capacity_mah: Annotated[Count, WORLD]
    nominal_voltage_mv: Annotated[Count, WORLD]
    voltage_min_mv: Annotated[Count, WORLD]
    voltage_max_mv: Annotated[Count, WORLD]
    mass_g: Annotated[Count, WORLD]

    @property
    def subject(self) -> str:
        """The GTIN."""
        return self.gtin


class RegisterBattery(OfUnit, frozen=True, kw_only=True):
    """Register one battery of a registered model: its birth on the ledger, recorded as it happened or reconstructed."""

    manufactured_on: Annotated[Day, WORLD]
    facility: Annotated[Term, WORLD]
    backfill: Annotated[Backfill | None, WORLD] = None


# Rules


def model_key(gtin: str) -> str:
    """Where a model's record lies in the state map."""
    return f"model/{gtin}"


def battery_key(battery: str) -> str:
    """Where a battery's record lies in the state map."""
    return f"battery/{battery}"


def voiding_key(battery: str, epoch: int) -> str:
    """Where the cause that ended an epoch lies in the state map."""
    return f"voiding/{battery}/{epoch}"


def find_battery(context: Context, battery: str) -> BatteryRecord:
    """The battery, whether it has ceased or not, or `Rejected`."""
    record = context.get(BatteryRecord, battery_key(battery))
    if record is None:
        raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
    return record


def get_battery(context: Context, battery: str) -> BatteryRecord:
    """The battery, to do something with it; `Rejected`, or `Contested` where it is dead by the record."""
    record = find_battery(context, battery)
    require(record.ceased != "succeeded", Reason.UNIT_SUCCEEDED, battery=battery)
    if record.ceased is not None:
        raise Contested("dead_identifier", battery, get_register(context, RESPONSIBILITY, battery).organisation)
    return record


def void_tests(context: Context, record: BatteryRecord, cause: VoidingCause) -> BatteryRecord:
    """The battery in its next epoch, for the caller to write; why the last one ended is kept."""
    ended = VoidingRecord(provenance=context.provenance, battery=record.battery, epoch=record.epoch, cause=cause)
    context.put(voiding_key(record.battery, record.epoch), ended)
    return change_battery(context, record, epoch=record.epoch + 1)


def change_battery(context: Context, record: BatteryRecord, **changes: object) -> BatteryRecord:
    """The battery with these changes, for the caller to write; where its birth stems from stays known."""
    born = record.provenance if record.born is None else record.born
    later = {"born": born, "provenance": context.provenance, "version": record.version + 1}
    return msgspec.structs.replace(record, **later, **changes)


def require_day(day: str) -> None:
    """Raise `Rejected` unless the calendar has this day (`YYYY-MM-DD`)."""
    year, month, number = (int(part) for part in day.split("-"))
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = 29 if month == 2 and is_leap else _DAYS_OF_MONTHS[month - 1]
    require(number <= last, Reason.MALFORMED_MESSAGE, field="manufactured_on")


def require_birthday(context: Context, day: str) -> None:
    """Raise `Rejected` unless a unit can have been made on the day; rulesets before disputes take any of the calendar.

    Whatever is recorded later is held against it: a birth in the future would forbid all of that.
    """
    require_day(day)
    if context.ruleset >= CONTESTS_SINCE:
        require_begun_day(context, day)


def require_plausible(message: RegisterModel) -> None:
    """Raise `Rejected` unless the declared values can be those of a battery."""
    in_order = message.voltage_min_mv < message.voltage_max_mv
    in_order = in_order and message.voltage_min_mv <= message.nominal_voltage_mv <= message.voltage_max_mv
    require(in_order and message.rated_capacity_mah > 0, Reason.IMPLAUSIBLE_MODEL)


def _require_no_clone(context: Context, message: RegisterBattery) -> None:
    """Raise `Contested` where the identifier is dead, or another's, whoever of the two came first."""
    known = context.get(BatteryRecord, battery_key(message.battery))
    if known is None or context.ruleset < CONTESTS_SINCE:
        return
    if known.ceased in ("recycled", "destroyed"):
        get_battery(context, message.battery)
    if known.organisation != context.organisation:
        raise Contested("cloned_serial", message.battery, known.organisation)


def require_new_battery(context: Context, message: RegisterBattery) -> None:
    """Raise `Rejected`, or `Contested`, unless the signer may give a battery this identifier: his model's, and free."""
    require_birthday(context, message.manufactured_on)
    gtin = derive_model_id(message.battery)
    require(is_gtin(gtin), Reason.BAD_IDENTIFIER, gtin=gtin)
    _require_no_clone(context, message)
    model = context.get(ModelRecord, model_key(gtin))
    if model is None:
        raise Rejected(Reason.UNKNOWN_MODEL, gtin=gtin)
    if model.organisation != context.organisation and context.ruleset >= CONTESTS_SINCE:
        raise Contested("cloned_serial", message.battery, model.organisation)  # also before its maker registers it
    require(model.organisation == context.organisation, Reason.NOT_YOUR_MODEL, gtin=gtin)
    require(context.get_bytes(battery_key(message.battery)) is None, Reason.BATTERY_EXISTS, battery=message.battery)


# Handlers


def _register_model(context: Context, message: RegisterModel) -> list[Event]:
    require_role(context, "manufacturer", "importer", "second_life_operator")
    require_plausible(message)
    require(is_gtin(message.gtin), Reason.BAD_IDENTIFIER, gtin=message.gtin)
    key = model_key(message.gtin)
    require(context.get_bytes(key) is None, Reason.MODEL_EXISTS, gtin=message.gtin)
    context.put(key, derive_model(context, message))
    return [{"type": "ModelRegistered", "gtin": message.gtin}]


def _register_battery(context: Context, message: RegisterBattery) -> list[Event]:
    require_role(context, "manufacturer", "importer", "second_life_operator")
    require_new_battery(context, message)
    context.put(battery_key(message.battery), derive_battery(context, message))
    for register in REGISTERS:
        put_register(context, register, message.battery, context.organisation)
    return [_birth_event(message)]


def _birth_event(message: RegisterBattery) -> Event:
    event: Event = {"type": "BatteryRegistered", "battery": message.battery}
    if message.backfill is not None:
        event["reconstructed"] = message.backfill.evidence_class
    return event


def derive_model(context: Context, message: RegisterModel) -> ModelRecord:
    """The record a model's registration leaves."""
    return ModelRecord(
        provenance=context.provenance,
        gtin=message.gtin,
        organisation=context.organisation,
        category=message.category,
        model=message.model,
        chemistry=message.chemistry,
        rated_capacity_mah=message.rated_capacity_mah,
        nominal_voltage_mv=message.nominal_voltage_mv,
        voltage_min_mv=message.voltage_min_mv,
        voltage_max_mv=message.voltage_max_mv,
        mass_g=message.mass_g,
    )


def derive_battery(context: Context, message: RegisterBattery) -> BatteryRecord:
    """The record a battery's registration leaves."""
    return BatteryRecord(
        provenance=context.provenance,
        battery=message.battery,
        organisation=context.organisation,
        gtin=derive_model_id(message.battery),
        manufactured_on=message.manufactured_on,
        facility=message.facility,
        status="original",
        backfill=message.backfill,
    )


CONTRACT = Contract("battery", {RegisterModel: _register_model, RegisterBattery: _register_battery})
