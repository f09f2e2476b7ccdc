"""Who stands where: the batteries of an organisation, the offers it has made and was made, and its answers."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import islice

from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.custody import OPEN, OfferRecord, offer_key
from cellvow.core.contracts.register import REGISTERS, RegisterRecord
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import parse_battery_id, parse_organisation_id
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.node.store import LedgerStore
from cellvow.workspace.commands import answer_handover, offer_handover
from cellvow.workspace.workspace import Workspace

RECORDS_READ_MAX = 20_000
"""Records of one register, or offers, that are looked through for one page; a list cut off there says so."""
HOLDINGS_SHOWN, OFFERS_SHOWN = 100, 50
MEMBERS_SHOWN = 500
ANSWERS = ("accept", "decline", "withdraw")

Turn = Callable[[], AbstractContextManager[LedgerSession]]
"""Opens the ledger for one act."""


@dataclass(frozen=True, slots=True)
class Member:
    """An organisation that can be handed something."""

    organisation: str
    name: str


@dataclass(frozen=True, slots=True)
class Holding:
    """A battery and the registers in which the organisation stands."""

    battery: str
    registers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Offer:
    """An open offer: whose, to whom, of which registers."""

    battery: str
    offerer: Member
    addressee: Member
    registers: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What an organisation has, and the open offers on both sides; `is_complete` unless a list was cut off."""

    holdings: tuple[Holding, ...]
    received: tuple[Offer, ...]
    made: tuple[Offer, ...]
    is_complete: bool = True


class Handovers:
    """Reads the registers and signs offers and answers."""

    def __init__(self, workspace: Workspace, turn: Turn) -> None:
        self._workspace = workspace
        self._turn = turn

    def standing(self) -> Standing:
        """What the organisation has and what is open."""
        own = self._workspace.organisation
        store = self._workspace.home().open_reader()
        try:
            holdings, all_holdings = _holdings(store, own)
            offers, all_offers = _open_offers(store, own)
        finally:
            store.close()
        received = [one for one in offers if one.addressee.organisation == own]
        made = [one for one in offers if one.offerer.organisation == own]
        cut = max(len(received), len(made)) > OFFERS_SHOWN or len(holdings) > HOLDINGS_SHOWN
        return Standing(
            tuple(holdings[:HOLDINGS_SHOWN]),
            tuple(received[:OFFERS_SHOWN]),
            tuple(made[:OFFERS_SHOWN]),
            all_holdings and all_offers and not cut,
        )

    def members(self) -> list[Member]:
        """The other members of the ledger, by name."""
        store = self._workspace.home().open_reader()
        try:
            found = [parse_organisation(value) for _, value in islice(store.records("organisation/"), MEMBERS_SHOWN)]
        finally:
            store.close()
        others = (Member(one.organisation, one.name) for one in found)
        return sorted(
            (one for one in others if one.organisation != self._workspace.organisation), key=lambda one: one.name
        )

    def offer(self, battery: str, addressee: str, registers: Sequence[str]) -> Receipted:
        """Offer registers of a battery to a member; raises the ledger's `Rejected`."""
        parse_battery_id(battery)
        parse_organisation_id(addressee)
        if not registers or not set(registers) <= set(REGISTERS):
            raise Malformed(f"name what passes on: one or more of {', '.join(REGISTERS)}")
        with self._turn() as session:
            return offer_handover(session, self._workspace, battery, addressee, registers)

    def answer(self, battery: str, answer: str, version: int) -> Receipted:
        """Accept, decline or withdraw the offer of this version; raises `Rejected` where it is another by now."""
        parse_battery_id(battery)
        if answer not in ANSWERS:
            raise Malformed(f"an offer is answered by one of {', '.join(ANSWERS)}")
        with self._turn() as session:
            value = session.engine.state.get(offer_key(battery))
            if value is None:
                raise Rejected(Reason.NO_OPEN_OFFER, battery=battery)
            if decode_record(OfferRecord, value).version != version:
                raise Rejected(Reason.STALE_VERSION, battery=battery)
            return answer_handover(session, self._workspace, battery, answer)


def _holdings(store: LedgerStore, organisation: str) -> tuple[list[Holding], bool]:
    held: dict[str, list[str]] = {}
    is_complete = True
    for register in REGISTERS:
        values = _bounded(store, f"{register}/")
        for value in values:
            record = decode_record(RegisterRecord, value)
            if record.organisation == organisation:
                held.setdefault(record.battery, []).append(register)
        is_complete = is_complete and len(values) < RECORDS_READ_MAX
    return [Holding(battery, tuple(registers)) for battery, registers in sorted(held.items())], is_complete


def _open_offers(store: LedgerStore, organisation: str) -> tuple[list[Offer], bool]:
    offers, values = [], _bounded(store, "offer/")
    for value in values:
        record = decode_record(OfferRecord, value)
        if record.state == OPEN and organisation in (record.offerer, record.addressee):
            sides = _member(store, record.offerer), _member(store, record.addressee)
            offers.append(Offer(record.battery, *sides, record.registers, record.version))
    return offers, len(values) < RECORDS_READ_MAX


def _bounded(store: LedgerStore, prefix: str) -> list[bytes]:
    return [value for _, value in islice(store.records(prefix), RECORDS_READ_MAX)]


def _member(store: LedgerStore, organisation: str) -> Member:
    value = store.get(f"organisation/{organisation}")
    return Member(organisation, organisation if value is None else parse_organisation(value).name)
