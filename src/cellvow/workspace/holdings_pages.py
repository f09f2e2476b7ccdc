"""What the index of holdings answers: pages of units, of offers and of disputes, each by keyset and of bounded cost."""

import re
from dataclasses import dataclass
from typing import Any

import apsw

from cellvow.core.contracts.dispute_file import LAPSE_MS
from cellvow.core.contracts.register import REGISTERS
from cellvow.core.primitives.limits import INTEGER_MAX

PAGE_UNITS = 50
LOOKED_THROUGH_MAX = 20_000
"""Rows that are looked through for one page; one that is not full by then says where to go on."""
CANDIDATES_MAX = 2_000
"""Serials found by their letters that are all joined and sorted; more are met soon by looking through the rows."""
TRIGRAM = 3
MADE, RECEIVED = "made", "received"
OFFERS = (MADE, RECEIVED)
OPEN, LAPSED, ENDED = "open", "lapsed", "ended"
BANDS = (OPEN, LAPSED, ENDED)
"""The order of a list of disputes."""
_CURSOR = re.compile(r"(open|lapsed|ended):([0-9]{1,15}):([a-z0-9-]{1,64})/([A-Z0-9][A-Z0-9.-]{0,63})\Z")
_FIRST = (INTEGER_MAX, "", "")
_SERIAL_PART = re.compile(r"[A-Z0-9.-]{1,20}\Z")
_MODEL_PART = re.compile(r"[0-9]{1,14}\Z")
_COLUMNS = "battery, custody, ownership, responsibility, status, offer, disputed_until"


@dataclass(frozen=True, slots=True)
class Wish:
    """Which units are wanted; an empty field wants all. `model` is how a GTIN begins, `serial` a part of a serial."""

    register: str = ""
    model: str = ""
    serial: str = ""
    status: str = ""
    offer: str = ""
    disputed: bool = False

    @property
    def is_possible(self) -> bool:
        """Whether any unit could be like that."""
        model = not self.model or _MODEL_PART.match(self.model) is not None
        serial = not self.serial or _SERIAL_PART.match(self.serial) is not None
        return model and serial and self.register in ("", *REGISTERS) and self.offer in ("", *OFFERS)


@dataclass(frozen=True, slots=True)
class Unit:
    """A unit as one organisation has it: since when (ms) it stands in each register, and what is open there."""

    battery: str
    since_ms: tuple[tuple[str, int], ...]
    status: str
    offer: str
    is_disputed: bool

    @property
    def model(self) -> str:
        """Its GTIN."""
        return self.battery[3:17]

    @property
    def serial(self) -> str:
        """Its serial."""
        return self.battery[21:]

    @property
    def registers(self) -> tuple[str, ...]:
        """Where the organisation stands."""
        return tuple(register for register, _ in self.since_ms)


@dataclass(frozen=True, slots=True)
class Page:
    """Units in order; `after` is where the next page begins, None at the end. A page cut short is not `is_full`."""

    units: tuple[Unit, ...]
    after: str | None
    is_full: bool = True


@dataclass(frozen=True, slots=True)
class OfferSeen:
    """An open offer."""

    battery: str
    offerer: str
    addressee: str
    registers: tuple[str, ...]
    version: int


@dataclass(frozen=True, slots=True)
class DisputeSeen:
    """An open dispute and the part the organisation has in it: opener, respondent or arbiter."""

    opener: str
    reference: str
    battery: str
    topic: str
    opened_ms: int
    part: str


@dataclass(frozen=True, slots=True)
class PartySeen:
    """A dispute, open or ended, in which the organisation has a part; `band` is its place in the list's order.

    An authority that has none yet may still have to decide: its part is empty.
    """

    opener: str
    reference: str
    battery: str
    topic: str
    opened_ms: int
    part: str
    band: str

    @property
    def cursor(self) -> str:
        """Where the next page begins, if this is the last of one."""
        return f"{self.band}:{self.opened_ms}:{self.opener}/{self.reference}"


class Pages:
    """Questions to the index; a connection serves one thread."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def units(self, organisation: str, wish: Wish, after: str, now_ms: int, limit: int = PAGE_UNITS) -> Page:
        """At most `limit` units above `after`, in the order of their identifiers."""
        if not wish.is_possible:
            return Page((), None)
        candidates = self._candidates(wish.serial)
        if candidates is not None:
            return self._among(candidates, organisation, wish, after, now_ms, limit)
        return self._walk(organisation, wish, after, now_ms, limit)

    def offers(self, organisation: str, side: str, after: str, limit: int) -> list[OfferSeen]:
        """At most `limit` open offers that the organisation has made or received, above a battery."""
        column = "offerer" if side == MADE else "addressee"
        query = (
            "SELECT battery, offerer, addressee, registers, version FROM open_offer "  # noqa: S608 - one of two columns
            f"WHERE {column}=? AND battery > ? ORDER BY battery LIMIT ?"
        )
        rows = self._connection.execute(query, (organisation, after, limit))
        return [OfferSeen(one, by, to, tuple(registers.split()), version) for one, by, to, registers, version in rows]

    def disputes(self, organisation: str, now_ms: int, limit: int) -> list[DisputeSeen]:
        """At most `limit` open disputes in which the organisation has a part, as of a moment."""
        query = (
            "SELECT d.opener, d.reference, d.battery, d.topic, d.opened_ms, i.part FROM involved i "
            "JOIN open_dispute d ON d.opener=i.opener AND d.reference=i.reference "
            "WHERE i.organisation=? AND d.opened_ms >= ? ORDER BY i.opener, i.reference LIMIT ?"
        )
        return [DisputeSeen(*row) for row in self._connection.execute(query, (organisation, now_ms - LAPSE_MS, limit))]

    def parties(self, organisation: str, now_ms: int, after: str, limit: int) -> list[PartySeen]:
        """At most `limit` disputes in which the organisation has or had a part: open, lapsed, ended; the newest first.

        `after` is the cursor of the last one seen, or empty.
        """
        start = _parse_cursor(after)
        found: list[PartySeen] = []
        for band in BANDS[BANDS.index(start[0]) :]:
            (least, most), is_open = _opened_between(band, now_ms), int(band != ENDED)
            beyond = start[1:] if band == start[0] else _FIRST
            query = (
                "SELECT opener, reference, battery, topic, opened_ms, part FROM party "
                "WHERE organisation=? AND is_open=? AND opened_ms BETWEEN ? AND ? "
                "AND (opened_ms, opener, reference) < (?, ?, ?) "
                "ORDER BY opened_ms DESC, opener DESC, reference DESC LIMIT ?"
            )
            values = (organisation, is_open, least, most, *beyond, limit - len(found))
            found += _seen(self._connection.execute(query, values).fetchall(), band)
            if len(found) == limit:
                break
        return found

    def open_to_authorities(self, now_ms: int, after: str, limit: int) -> list[PartySeen]:
        """At most `limit` open disputes of anybody, the newest first: those that an authority may have to decide."""
        start = _parse_cursor(after)
        query = (
            "SELECT opener, reference, battery, topic, opened_ms FROM open_dispute WHERE opened_ms >= ? "
            "AND (opened_ms, opener, reference) < (?, ?, ?) "
            "ORDER BY opened_ms DESC, opener DESC, reference DESC LIMIT ?"
        )
        rows = self._connection.execute(query, (now_ms - LAPSE_MS, *start[1:], limit))
        return _seen([(*row, "") for row in rows.fetchall()], OPEN)

    def _candidates(self, part: str) -> list[str] | None:
        """The units whose serials have a part, where the letters tell them and they are few."""
        if len(part) < TRIGRAM:
            return None
        query = "SELECT battery FROM serials WHERE serials MATCH ? LIMIT ?"
        found = [str(one) for (one,) in self._connection.execute(query, (f'"{part}"', CANDIDATES_MAX + 1))]
        return found if len(found) <= CANDIDATES_MAX else None

    def _among(self, candidates: list[str], organisation: str, wish: Wish, after: str, now_ms: int, limit: int) -> Page:
        low, high = _between(wish, after)
        query = f"SELECT {_COLUMNS} FROM holding WHERE organisation=? AND battery=?"  # noqa: S608 - names of our own
        found: list[Unit] = []
        for battery in sorted(one for one in candidates if low < one < high):
            row: Any = self._connection.execute(query, (organisation, battery)).fetchone()
            if row is not None and _is_wanted(row, wish, now_ms):
                found.append(_unit(row, now_ms))
                if len(found) > limit:
                    return Page(tuple(found[:limit]), found[limit - 1].battery)
        return Page(tuple(found), None)

    def _walk(self, organisation: str, wish: Wish, after: str, now_ms: int, limit: int) -> Page:
        """Look through the rows of the index that narrows most, as far as one page may."""
        (index, condition, bound), (low, high) = _narrowest(wish), _between(wish, after)
        inner = (
            f"SELECT {_COLUMNS} FROM holding {index} WHERE organisation=? "  # noqa: S608 - names of our own
            f"AND {condition} AND battery > ? AND battery < ? ORDER BY battery LIMIT ?"
        )
        values = (organisation, *bound, low, high, LOOKED_THROUGH_MAX)
        where, wanted = _wanted(wish, now_ms)
        query = f"SELECT {_COLUMNS} FROM ({inner}) WHERE {where} LIMIT ?"  # noqa: S608 - names of our own
        rows = self._connection.execute(query, (*values, *wanted, limit + 1)).fetchall()
        units = tuple(_unit(row, now_ms) for row in rows[:limit])
        if len(rows) > limit:
            return Page(units, units[-1].battery)
        counted = f"SELECT count(*), max(battery) FROM ({inner})"  # noqa: S608 - names of our own
        last = self._connection.execute(counted, values).fetchone()
        count, newest = last or (0, None)
        return Page(units, newest, is_full=False) if count == LOOKED_THROUGH_MAX else Page(units, None)


def _seen(rows: list[tuple[Any, ...]], band: str) -> list[PartySeen]:
    return [PartySeen(*(*row, band)) for row in rows]


def _parse_cursor(after: str) -> tuple[str, int, str, str]:
    """(band, opened, opener, reference) of a cursor; what is none begins at the front."""
    found = _CURSOR.match(after)
    return (found[1], int(found[2]), found[3], found[4]) if found else (OPEN, *_FIRST)


def _opened_between(band: str, now_ms: int) -> tuple[int, int]:
    """When the disputes of a band were opened: those that lapsed longer ago than a year."""
    lapsed_ms = now_ms - LAPSE_MS
    return {OPEN: (lapsed_ms, INTEGER_MAX), LAPSED: (0, lapsed_ms - 1)}.get(band, (0, INTEGER_MAX))


def _between(wish: Wish, after: str) -> tuple[str, str]:
    prefix = f"01/{wish.model}"
    return max(after, prefix), f"{prefix}\x7f"


def _narrowest(wish: Wish) -> tuple[str, str, tuple[str, ...]]:
    """(index, condition, its values)."""
    if wish.offer:
        return "INDEXED BY holding_offer", "offer=?", (wish.offer,)
    if wish.disputed:
        return "INDEXED BY holding_disputed", "disputed_until IS NOT NULL", ()
    if wish.status:
        return "INDEXED BY holding_status", "status=?", (wish.status,)
    if wish.register:
        return f"INDEXED BY holding_{wish.register}", f"{wish.register} IS NOT NULL", ()
    return "", "1", ()


def _wanted(wish: Wish, now_ms: int) -> tuple[str, tuple[str | int, ...]]:
    """What is left to ask of each row that is looked through: a condition and its values."""
    asked: list[tuple[str, tuple[str | int, ...]]] = [("1", ())]
    if wish.register:
        asked.append((f"{wish.register} IS NOT NULL", ()))
    if wish.serial:
        asked.append(("instr(substr(battery, 22), ?) > 0", (wish.serial,)))
    if wish.status:
        asked.append(("status=?", (wish.status,)))
    if wish.offer:
        asked.append(("offer=?", (wish.offer,)))
    if wish.disputed:
        asked.append(("disputed_until >= ?", (now_ms,)))
    return " AND ".join(one for one, _ in asked), tuple(value for _, values in asked for value in values)


def _is_wanted(row: tuple[Any, ...], wish: Wish, now_ms: int) -> bool:
    """What `_wanted` asks, of one row at hand; its serial was found already."""
    unit = _unit(row, now_ms)
    register = not wish.register or wish.register in unit.registers
    states = wish.status in ("", unit.status) and wish.offer in ("", unit.offer)
    return register and states and wish.disputed <= unit.is_disputed


def _unit(row: tuple[Any, ...], now_ms: int) -> Unit:
    battery, custody, ownership, responsibility, status, offer, disputed_until = row
    times = zip(REGISTERS, (custody, ownership, responsibility), strict=True)
    since = tuple((register, since_ms) for register, since_ms in times if since_ms is not None)
    return Unit(battery, since, status, offer or "", disputed_until is not None and disputed_until >= now_ms)
