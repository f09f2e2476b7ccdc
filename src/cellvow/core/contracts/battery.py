"""Models and batteries: registered once by their maker; the three registers start with him."""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.contract import (
    WORLD,
    Battery,
    Context,
    Contract,
    Count,
    Gtin,
    Message,
    Provenance,
    Record,
    Schema,
    Term,
    require,
)
from cellvow.core.contracts.organisation import require_role
from cellvow.core.contracts.register import REGISTERS, RegisterRecord, register_key
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.identifier import derive_model_id, is_gtin

CATEGORIES = ("ev", "lmt", "industrial", "sli", "portable")
"""Battery categories of Regulation (EU) 2023/1542 Article 3."""
STATUSES = ("original", "repurposed", "re-used", "remanufactured", "waste")
"""Battery status of Regulation (EU) 2023/1542 Annex XIII point 4."""

_DAYS_OF_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)

Category = Literal["ev", "lmt", "industrial", "sli", "portable"]
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
    """`battery/ID`. `epoch` grows with everything that voids earlier tests: certificates name the one they rest on."""

    battery: Battery
    organisation: str
    gtin: Gtin
    manufactured_on: Day
    facility: Term
    status: Literal["original", "repurposed", "re-used", "remanufactured", "waste"]
    epoch: Count = 0
    part_of: Battery | None = None
    parts: tuple[Battery, ...] = ()
    backfill: Backfill | None = None
    corrects: Provenance | None = None


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


class RegisterBattery(Message, frozen=True, kw_only=True):
    """Register one battery of a registered model: its birth on the ledger, recorded as it happened or reconstructed."""

    battery: Annotated[Battery, WORLD]
    manufactured_on: Annotated[Day, WORLD]
    facility: Annotated[Term, WORLD]
    backfill: Annotated[Backfill | None, WORLD] = None

    @property
    def subject(self) -> str:
        """The battery."""
        return self.battery


# Rules


def model_key(gtin: str) -> str:
    """Where a model's record lies in the state map."""
    return f"model/{gtin}"


def battery_key(battery: str) -> str:
    """Where a battery's record lies in the state map."""
    return f"battery/{battery}"


def get_battery(context: Context, battery: str) -> BatteryRecord:
    """The battery, or `Rejected`."""
    record = context.get(BatteryRecord, battery_key(battery))
    if record is None:
        raise Rejected(Reason.UNKNOWN_BATTERY, battery=battery)
    return record


def require_day(day: str) -> None:
    """Raise `Rejected` unless the calendar has this day (`YYYY-MM-DD`)."""
    year, month, number = (int(part) for part in day.split("-"))
    is_leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    last = 29 if month == 2 and is_leap else _DAYS_OF_MONTHS[month - 1]
    require(number <= last, Reason.MALFORMED_MESSAGE, field="manufactured_on")


def require_plausible(message: RegisterModel) -> None:
    """Raise `Rejected` unless the declared values can be those of a battery."""
    in_order = message.voltage_min_mv < message.voltage_max_mv
    in_order = in_order and message.voltage_min_mv <= message.nominal_voltage_mv <= message.voltage_max_mv
    require(in_order and message.rated_capacity_mah > 0, Reason.IMPLAUSIBLE_MODEL)


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
    require_day(message.manufactured_on)
    gtin = derive_model_id(message.battery)
    require(is_gtin(gtin), Reason.BAD_IDENTIFIER, gtin=gtin)
    model = context.get(ModelRecord, model_key(gtin))
    if model is None:
        raise Rejected(Reason.UNKNOWN_MODEL, gtin=gtin)
    require(model.organisation == context.organisation, Reason.NOT_YOUR_MODEL, gtin=gtin)
    key = battery_key(message.battery)
    require(context.get_bytes(key) is None, Reason.BATTERY_EXISTS, battery=message.battery)
    context.put(key, derive_battery(context, message))
    for register in REGISTERS:
        context.put(
            register_key(register, message.battery),
            RegisterRecord(
                battery=message.battery,
                organisation=context.organisation,
                since_ms=context.time_ms,
                provenance=context.provenance,
            ),
        )
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
