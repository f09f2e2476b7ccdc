"""The units of an organisation at its desk: searched, filtered, page by page, and as a sheet."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from cellvow.core.contracts.battery import ModelRecord, model_key
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.register import REGISTERS
from cellvow.workspace.holdings_index import HoldingsIndex
from cellvow.workspace.holdings_pages import PAGE_UNITS, Page, Unit, Wish
from cellvow.workspace.sheet import encode_row
from cellvow.workspace.workspace import Workspace

SHEET_PAGE = 1_000
UNIT_COLUMNS = ("battery", "model", "serial", *(f"{one}_since" for one in REGISTERS), "status", "offer", "disputed")


@dataclass(frozen=True, slots=True)
class UnitsPage:
    """A page of units, and the names of their models."""

    page: Page
    models: dict[str, str]


class Units:
    """Reads the index of holdings for one organisation. Blocks; shared by threads."""

    def __init__(self, workspace: Workspace, clock: Callable[[], int], index: HoldingsIndex | None = None) -> None:
        """`clock` gives milliseconds; `index` is one that a site shares."""
        self._workspace = workspace
        self._clock = clock
        self._index = index or HoldingsIndex(workspace.home, workspace.folder)

    def page(self, wish: Wish, after: str, limit: int = PAGE_UNITS) -> UnitsPage:
        """One page of the units that are wanted, above a battery."""
        with self._index.opened() as (store, holdings):
            page = holdings.units(self._workspace.organisation, wish, after, self._clock(), limit)
            values = {one: store.get(model_key(one)) for one in dict.fromkeys(unit.model for unit in page.units)}
        models = {one: decode_record(ModelRecord, value).model for one, value in values.items() if value is not None}
        return UnitsPage(page, models)

    def every(self, wish: Wish) -> Iterator[Unit]:
        """All units that are wanted, in order, however many; each page as the ledger stands when it is read."""
        after: str | None = ""
        while after is not None:
            with self._index.opened() as (_, holdings):
                page = holdings.units(self._workspace.organisation, wish, after, self._clock(), SHEET_PAGE)
            yield from page.units
            after = page.after

    def sheet(self, wish: Wish) -> Iterator[bytes]:
        """All units that are wanted as CSV, row by row; raises `IndexUnready` before the first."""
        self._index.require_filled()
        return self._rows(wish)

    def _rows(self, wish: Wish) -> Iterator[bytes]:
        yield encode_row(UNIT_COLUMNS)
        for unit in self.every(wish):
            yield encode_row(unit_row(unit))


def unit_row(unit: Unit) -> tuple[str, ...]:
    """The cells of a unit, as `UNIT_COLUMNS` names them."""
    since = dict(unit.since_ms)
    days = ("" if register not in since else _day(since[register]) for register in REGISTERS)
    return (
        unit.battery,
        unit.model,
        unit.serial,
        *days,
        unit.status,
        unit.offer,
        "yes" if unit.is_disputed else "",
    )


def _day(time_ms: int) -> str:
    return datetime.fromtimestamp(time_ms / 1_000, UTC).strftime("%Y-%m-%d")


def unit_document(unit: Unit) -> dict[str, object]:
    """A unit for programs."""
    return {
        "battery": unit.battery,
        "disputed": unit.is_disputed,
        "model": unit.model,
        "offer": unit.offer or None,
        "serial": unit.serial,
        "since_ms": dict(unit.since_ms),
        "status": unit.status,
    }
