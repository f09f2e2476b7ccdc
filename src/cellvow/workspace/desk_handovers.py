"""Who stands where: the batteries of an organisation, and the offers it has made and was made."""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice

from cellvow.core.contracts.organisation import name_of
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.node.store import LedgerStore
from cellvow.workspace.holdings import Holdings
from cellvow.workspace.holdings_index import HoldingsIndex
from cellvow.workspace.holdings_pages import MADE, RECEIVED, Wish
from cellvow.workspace.workspace import Workspace

HOLDINGS_SHOWN, OFFERS_SHOWN = 10, 20
MEMBERS_SHOWN = 500


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
    """The first units of an organisation, and a page of its open offers on each side.

    `received_after` and `made_after` are where the next page of offers begins, None where there is none.
    """

    holdings: tuple[Holding, ...]
    received: tuple[Offer, ...]
    made: tuple[Offer, ...]
    received_after: str | None = None
    made_after: str | None = None
    has_more_holdings: bool = False


class Handovers:
    """Reads the registers: what of them is handed over is signed as any act of the desk (`desk_acts`)."""

    def __init__(self, workspace: Workspace, clock: Callable[[], int], index: HoldingsIndex | None = None) -> None:
        """`clock` gives milliseconds; `index` is one that a site shares."""
        self._index = index or HoldingsIndex(workspace.home, workspace.folder)
        self._workspace = workspace
        self._clock = clock

    def standing(self, received_after: str = "", made_after: str = "") -> Standing:
        """What the organisation has and what is open, the offers from the pages asked for."""
        own = self._workspace.organisation
        with self._index.opened() as (store, holdings):
            page = holdings.units(own, Wish(), "", self._clock(), HOLDINGS_SHOWN)
            received, more_received = _offers(store, holdings, own, RECEIVED, received_after)
            made, more_made = _offers(store, holdings, own, MADE, made_after)
        held = tuple(Holding(one.battery, one.registers) for one in page.units if one.registers)
        return Standing(held, received, made, more_received, more_made, page.after is not None)

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


def _offers(
    store: LedgerStore, holdings: Holdings, organisation: str, side: str, after: str
) -> tuple[tuple[Offer, ...], str | None]:
    """A page of open offers, and where the next one begins."""
    found = holdings.offers(organisation, side, after, OFFERS_SHOWN + 1)
    offers = tuple(
        Offer(one.battery, find_name(store, one.offerer), find_name(store, one.addressee), one.registers, one.version)
        for one in found[:OFFERS_SHOWN]
    )
    return offers, offers[-1].battery if len(found) > OFFERS_SHOWN else None


def find_name(store: LedgerStore, organisation: str) -> Member:
    """A member with the name it goes by."""
    return Member(organisation, name_of(store.get, organisation))
