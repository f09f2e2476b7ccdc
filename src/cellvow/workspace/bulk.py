"""Rows of a sheet as orders to the ledger: read, judged against the records as they stand, and made into messages."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import msgspec

from cellvow.core.contracts.battery import BatteryRecord, ModelRecord, RegisterBattery, battery_key, model_key
from cellvow.core.contracts.contract import Message, RecordType, decode_record
from cellvow.core.contracts.custody import (
    ACCEPTED,
    DECLINED,
    OPEN,
    WITHDRAWN,
    AcceptHandover,
    DeclineHandover,
    OfferHandover,
    OfferRecord,
    WithdrawHandover,
    offer_key,
)
from cellvow.core.contracts.dispute_file import (
    DisputeRecord,
    UnitDisputes,
    derive_dispute_state,
    dispute_key,
    unit_disputes_key,
)
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.contracts.register import REGISTERS, RegisterRecord, register_key
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import ORGANISATION_PATTERN, derive_model_id, is_gtin, parse_battery_id
from cellvow.workspace.sheet import Row

REGISTER, OFFER, ACCEPT, DECLINE, WITHDRAW = "register", "offer", "accept", "decline", "withdraw"
KINDS = (REGISTER, OFFER, ACCEPT, DECLINE, WITHDRAW)
COLUMNS = {
    REGISTER: ("battery", "serial", "model", "manufactured_on", "facility"),
    OFFER: ("battery", "addressee", "registers"),
    ACCEPT: ("battery",),
    DECLINE: ("battery",),
    WITHDRAW: ("battery",),
}
"""What each kind of sheet reads; other columns are left alone, and told."""
READY, ALREADY = "ready", "already"
FAULTS = {
    "cells": ("", "has more cells than the sheet has columns: put a cell with the separator in it into quotes"),
    "battery": ("battery", "is written 01/, 14 digits, /21/ and a serial of capital letters, digits, '.' and '-'"),
    "serial": ("serial", "has 1 to 20 capital letters, digits, '.' and '-'; with it a model is needed"),
    "model": ("model", "is a model number (GTIN): 14 digits of which the last is the check digit"),
    "model_differs": ("model", "is another one than the battery's identifier names: correct one of the two"),
    "day": ("manufactured_on", "is a day that there is, written YYYY-MM-DD"),
    "day_future": ("manufactured_on", "lies in the future: register a battery once it is made"),
    "facility": ("facility", "is a place of work: 1 to 64 letters, digits, spaces and ._:+/-"),
    "duplicate": ("battery", "stands in this sheet before: remove one of the two rows"),
    "addressee": ("addressee", "is no member of this ledger: write its identifier, like carmaker"),
    "oneself": ("addressee", "is your own organisation: name who is to take it"),
    "registers": (
        "registers",
        "are custody, ownership and responsibility, with a space between; empty means all three",
    ),
    "role": ("", "cannot be registered by you: only manufacturers, importers and second-life operators register"),
    "unknown_model": ("model", "is not registered on this ledger: register the model first"),
    "not_your_model": ("model", "is another member's model: its maker registers its batteries"),
    "taken": ("battery", "was registered by another member: if the serial is yours, register it alone, as a claim"),
    "differs": ("battery", "is registered with another day or facility: correct its birth if that is wrong"),
    "unknown_battery": ("battery", "is not on this ledger: its maker registers it first"),
    "ended": ("battery", "has ended: nothing is done with it any more"),
    "part": ("battery", "is built into another unit: hand over that one, or take it out first"),
    "not_held": ("registers", "name another organisation: only who stands in a register passes it on"),
    "offer_open": ("battery", "is offered already: withdraw that offer first"),
    "disputed": ("registers", "are held still by an open dispute: end it first"),
    "no_offer": ("battery", "has no open offer"),
    "not_addressee": ("battery", "is offered to another member"),
    "not_offerer": ("battery", "is offered by another member: only who offered it withdraws it"),
}
"""Fault of a row -> (its column, what is wrong and what to do), as the command line and a sheet's results say it."""
_MAKERS = ("manufacturer", "importer", "second_life_operator")
_TERM = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._:+/-]{0,63}\Z")
_ANSWERS = {
    ACCEPT: (AcceptHandover, ACCEPTED),
    DECLINE: (DeclineHandover, DECLINED),
    WITHDRAW: (WithdrawHandover, WITHDRAWN),
}

Get = Callable[[str], bytes | None]
"""A record of the ledger by its key."""


class Order(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a sound row asks for."""

    battery: str
    manufactured_on: str = ""
    facility: str = ""
    addressee: str = ""
    registers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judged:
    """A row and what was found: ready, already there, or a word of `FAULTS`; `subject` is what it names."""

    line: int
    subject: str
    verdict: str
    order: Order | None = None


@dataclass
class Judge:
    """Judges rows one after the other, for one organisation as of one moment; changes nothing."""

    kind: str
    organisation: str
    get: Get
    now_ms: int
    _seen: dict[str, int] = field(default_factory=dict)

    def judge(self, row: Row) -> Judged:
        """One row."""
        typed = row.cells.get("battery") or " ".join(filter(None, (row.cells.get("model"), row.cells.get("serial"))))
        if not row.is_whole:
            return Judged(row.line, typed, "cells")
        read = parse_order(self.kind, row.cells, self.now_ms)
        if isinstance(read, str):
            return Judged(row.line, typed, read)
        if read.battery in self._seen:
            return Judged(row.line, read.battery, "duplicate")
        self._seen[read.battery] = row.line
        return Judged(row.line, read.battery, self.check(read), read)

    def check(self, order: Order) -> str:
        """What the records say to an order now."""
        if self.kind == REGISTER:
            return self._check_birth(order)
        unit = self._read(BatteryRecord, battery_key(order.battery))
        if unit is None:
            return "unknown_battery"
        if self.kind != OFFER:
            return self._check_answer(order)
        if unit.ceased is not None:
            return "ended"
        return "part" if unit.part_of is not None else self._check_offer(order)

    def message(self, order: Order) -> Message:
        """The message of an order that is ready."""
        if self.kind == REGISTER:
            return RegisterBattery(
                battery=order.battery, manufactured_on=order.manufactured_on, facility=order.facility
            )
        if self.kind != OFFER:
            offer = self._read(OfferRecord, offer_key(order.battery))
            return _ANSWERS[self.kind][0](battery=order.battery, version=0 if offer is None else offer.version)
        records = [self._read(RegisterRecord, register_key(one, order.battery)) for one in order.registers]
        return OfferHandover(
            battery=order.battery,
            addressee=order.addressee,
            registers=order.registers,  # type: ignore[arg-type]  # checked when the row was read
            versions=tuple(0 if one is None else one.version for one in records),
        )

    def _check_birth(self, order: Order) -> str:
        member = self.get(organisation_key(self.organisation))
        if member is None or not any(role in _MAKERS for role in parse_organisation(member).roles):
            return "role"
        model = self._read(ModelRecord, model_key(derive_model_id(order.battery)))
        if model is None:
            return "unknown_model"
        known = self._read(BatteryRecord, battery_key(order.battery))
        if known is None:
            return READY if model.organisation == self.organisation else "not_your_model"
        if known.organisation != self.organisation:
            return "taken"
        is_same = (known.manufactured_on, known.facility) == (order.manufactured_on, order.facility)
        return ALREADY if is_same else "differs"

    def _check_offer(self, order: Order) -> str:
        if order.addressee == self.organisation:
            return "oneself"
        if self.get(organisation_key(order.addressee)) is None:
            return "addressee"
        offer = self._read(OfferRecord, offer_key(order.battery))
        if offer is not None and offer.state == OPEN:
            same = (self.organisation, order.addressee, order.registers)
            return ALREADY if (offer.offerer, offer.addressee, offer.registers) == same else "offer_open"
        for register in order.registers:
            record = self._read(RegisterRecord, register_key(register, order.battery))
            if record is None or record.organisation != self.organisation:
                return "not_held"
        return "disputed" if self._is_held_still(order.battery, order.registers) else READY

    def _check_answer(self, order: Order) -> str:
        offer = self._read(OfferRecord, offer_key(order.battery))
        if offer is None:
            return "no_offer"
        is_mine = self.organisation == (offer.offerer if self.kind == WITHDRAW else offer.addressee)
        if offer.state != OPEN:
            return ALREADY if is_mine and offer.state == _ANSWERS[self.kind][1] else "no_offer"
        if not is_mine:
            return "not_offerer" if self.kind == WITHDRAW else "not_addressee"
        held = self.kind == ACCEPT and self._is_held_still(order.battery, offer.registers)
        return "disputed" if held else READY

    def _is_held_still(self, battery: str, registers: tuple[str, ...]) -> bool:
        listed = self._read(UnitDisputes, unit_disputes_key(battery))
        for one in () if listed is None else listed.disputes:
            record = self._read(DisputeRecord, dispute_key(one.organisation, one.reference))
            if record is None or derive_dispute_state(record, self.now_ms) != OPEN:
                continue
            if any(register in record.holds for register in registers):
                return True
        return False

    def _read(self, record_type: type[RecordType], key: str) -> RecordType | None:
        value = self.get(key)
        return None if value is None else decode_record(record_type, value)


def parse_order(kind: str, cells: Mapping[str, str], now_ms: int) -> Order | str:
    """The order of a row by itself, or what is wrong with it: a word of `FAULTS`."""
    battery = _parse_unit(cells)
    if battery in FAULTS:
        return battery
    if kind == REGISTER:
        fault = _birth_fault(cells, now_ms)
        return fault or Order(battery, cells.get("manufactured_on", ""), cells.get("facility", ""))
    if kind != OFFER:
        return Order(battery)
    addressee = cells.get("addressee", "")
    if re.match(ORGANISATION_PATTERN, addressee) is None:
        return "addressee"
    named = dict.fromkeys(re.split(r"[\s,;+|]+", cells.get("registers", "").lower().strip()))
    registers = tuple(sorted(one for one in named if one)) or tuple(sorted(REGISTERS))
    return Order(battery, addressee=addressee, registers=registers) if set(registers) <= set(REGISTERS) else "registers"


def missing_columns(kind: str, columns: tuple[str, ...]) -> tuple[str, ...]:
    """What a sheet of a kind lacks altogether."""
    needed = {REGISTER: ("manufactured_on", "facility"), OFFER: ("addressee",)}.get(kind, ())
    lacking = tuple(one for one in needed if one not in columns)
    named = "battery" in columns or (kind == REGISTER and {"serial", "model"} <= set(columns))
    return lacking if named else ("battery", *lacking)


def _parse_unit(cells: Mapping[str, str]) -> str:
    """The battery that a row names, or the word for what is wrong."""
    battery, serial, model = (cells.get(name, "") for name in ("battery", "serial", "model"))
    fault = "battery" if battery else "serial"
    if not battery:
        if not model and not serial:
            return "battery"
        if not is_gtin(model):
            return "model"
        battery = f"01/{model}/21/{serial}"
    try:
        parsed = parse_battery_id(battery)
    except Malformed:
        return fault
    return "model_differs" if model and model != derive_model_id(parsed) else parsed


def _birth_fault(cells: Mapping[str, str], now_ms: int) -> str | None:
    day = cells.get("manufactured_on", "")
    try:
        made = date.fromisoformat(day)
    except ValueError:
        return "day"
    if made.isoformat() != day or not 1000 <= made.year < 3000:
        return "day"
    if made > datetime.fromtimestamp(now_ms / 1_000, UTC).date():
        return "day_future"
    return None if _TERM.match(cells.get("facility", "")) else "facility"
