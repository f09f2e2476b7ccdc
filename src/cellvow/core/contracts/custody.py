"""Hand-over in two steps: who stands in a register offers it, the other side accepts; nobody is moved unasked."""

from itertools import pairwise
from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.battery import CONTESTS_SINCE, get_battery
from cellvow.core.contracts.contract import (
    MEMBERS,
    Battery,
    Contested,
    Context,
    Contract,
    Count,
    Member,
    OfUnit,
    Record,
    require,
    require_version,
)
from cellvow.core.contracts.dispute_file import require_movable
from cellvow.core.contracts.life import require_fit_for_waste
from cellvow.core.contracts.organisation import get_organisation, is_member
from cellvow.core.contracts.register import RESPONSIBILITY, RegisterName, RegisterRecord, get_register, register_key
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected

OPEN, ACCEPTED, DECLINED, WITHDRAWN = "open", "accepted", "declined", "withdrawn"


# Records


class OfferRecord(Record, frozen=True, kw_only=True):
    """`offer/ID`: the latest offer for a battery and how it ended."""

    battery: Battery
    offerer: str
    addressee: str
    registers: tuple[RegisterName, ...]
    state: Literal["open", "accepted", "declined", "withdrawn"]


# Messages


class OfferHandover(OfUnit, frozen=True, kw_only=True):
    """Offer one or more registers of a battery to another member; `versions` are those the offerer has seen."""

    addressee: Annotated[Member, MEMBERS]
    registers: Annotated[tuple[RegisterName, ...], msgspec.Meta(min_length=1, max_length=3), MEMBERS]
    versions: Annotated[tuple[Count, ...], msgspec.Meta(min_length=1, max_length=3), MEMBERS]


class _Answer(OfUnit, frozen=True, kw_only=True):
    version: Annotated[Count, MEMBERS]


class AcceptHandover(_Answer, frozen=True, kw_only=True):
    """Accept the open offer of this version: its registers now name the signer."""


class DeclineHandover(_Answer, frozen=True, kw_only=True):
    """Decline the open offer of this version."""


class WithdrawHandover(_Answer, frozen=True, kw_only=True):
    """Withdraw one's own open offer of this version."""


# Rules


def offer_key(battery: str) -> str:
    """Where the latest offer for a battery lies in the state map."""
    return f"offer/{battery}"


def _get_open_offer(context: Context, message: _Answer) -> OfferRecord:
    offer = context.get(OfferRecord, offer_key(message.battery))
    if offer is None or offer.state != OPEN:
        raise Rejected(Reason.NO_OPEN_OFFER, battery=message.battery)
    require_version(offer, message.version)
    return offer


def may_be_accepted(context: Context, offer: OfferRecord) -> bool:
    """Whether an offer still stands: a decision or a take-over may have moved what it offers to somebody else.

    Nor does one to somebody who has left the ledger since: he can neither accept nor decline it.
    """
    if context.ruleset >= CONTESTS_SINCE and not is_member(context.get_bytes, offer.addressee):
        return False
    named = (get_register(context, register, offer.battery).organisation for register in offer.registers)
    return offer.state == OPEN and all(one == offer.offerer for one in named)


def _close(context: Context, offer: OfferRecord, state: Literal["accepted", "declined", "withdrawn"]) -> None:
    closed = msgspec.structs.replace(offer, state=state, version=offer.version + 1, provenance=context.provenance)
    context.put(offer_key(offer.battery), closed)


def _contest(context: Context, battery: str, record: RegisterRecord) -> None:
    """Who names the version that stands knows who is registered, and disputes it; an outdated one is a lost race."""
    if context.ruleset >= CONTESTS_SINCE:
        raise Contested("not_held", battery, record.organisation)


# Handlers


def _offer(context: Context, message: OfferHandover) -> list[Event]:
    unit = get_battery(context, message.battery)
    require(unit.part_of is None, Reason.PART_OF_ANOTHER, battery=unit.part_of or "")
    require(message.addressee != context.organisation, Reason.OFFER_TO_ONESELF)
    addressee = get_organisation(context, message.addressee)
    require(addressee is not None, Reason.UNKNOWN_ORGANISATION, organisation=message.addressee)
    if RESPONSIBILITY in message.registers:
        require_fit_for_waste(context, unit, message.addressee)
    ordered = all(a < b for a, b in pairwise(message.registers))
    paired = len(message.registers) == len(message.versions)
    require(ordered and paired, Reason.MALFORMED_MESSAGE, field="registers")
    for register, version in zip(message.registers, message.versions, strict=True):
        record = get_register(context, register, message.battery)
        if record.organisation != context.organisation and record.version == version:
            _contest(context, message.battery, record)
        require(record.organisation == context.organisation, Reason.NOT_IN_THE_REGISTER, register=register)
        require_version(record, version)
        require_movable(context, register, message.battery)
    latest = context.get(OfferRecord, offer_key(message.battery))
    require(latest is None or not may_be_accepted(context, latest), Reason.OFFER_OPEN, battery=message.battery)
    offer = OfferRecord(
        provenance=context.provenance,
        version=1 if latest is None else latest.version + 1,
        battery=message.battery,
        offerer=context.organisation,
        addressee=message.addressee,
        registers=message.registers,
        state="open",
    )
    context.put(offer_key(message.battery), offer)
    return [{"type": "HandoverOffered", "battery": message.battery, "version": offer.version}]


def _accept(context: Context, message: AcceptHandover) -> list[Event]:
    offer = _get_open_offer(context, message)
    require(offer.addressee == context.organisation, Reason.NOT_THE_ADDRESSEE)
    unit = get_battery(context, message.battery)  # it may have become waste, a part, or have ceased since the offer
    require(unit.part_of is None, Reason.PART_OF_ANOTHER, battery=unit.part_of or "")
    if RESPONSIBILITY in offer.registers:
        require_fit_for_waste(context, unit, context.organisation)
    for register in offer.registers:
        record = get_register(context, register, message.battery)
        require_movable(context, register, message.battery)
        require(record.organisation == offer.offerer, Reason.NOT_IN_THE_REGISTER, register=register)
        moved = msgspec.structs.replace(
            record,
            organisation=context.organisation,
            since_ms=context.time_ms,
            version=record.version + 1,
            provenance=context.provenance,
        )
        context.put(register_key(register, message.battery), moved)
    _close(context, offer, "accepted")
    return [{"type": "HandoverAccepted", "battery": message.battery, "registers": list(offer.registers)}]


def _decline(context: Context, message: DeclineHandover) -> list[Event]:
    offer = _get_open_offer(context, message)
    require(offer.addressee == context.organisation, Reason.NOT_THE_ADDRESSEE)
    _close(context, offer, "declined")
    return [{"type": "HandoverDeclined", "battery": message.battery}]


def _withdraw(context: Context, message: WithdrawHandover) -> list[Event]:
    offer = _get_open_offer(context, message)
    require(offer.offerer == context.organisation, Reason.NOT_THE_OFFERER)
    _close(context, offer, "withdrawn")
    return [{"type": "HandoverWithdrawn", "battery": message.battery}]


CONTRACT = Contract(
    "custody",
    {
        OfferHandover: _offer,
        AcceptHandover: _accept,
        DeclineHandover: _decline,
        WithdrawHandover: _withdraw,
    },
)
