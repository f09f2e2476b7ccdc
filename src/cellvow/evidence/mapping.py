"""A column mapping: which heading of a text file is which quantity, in which unit, and what its current's sign means.

It is a small TOML or JSON file that a person writes once for the exports of one machine:

    mapping = 1
    delimiter = ";"
    decimal = ","
    encoding = "latin-1"
    header_row = 3
    positive_current = "charge"

    [[column]]
    heading = "Zeit (min)"
    quantity = "time"
    unit = "min"
"""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Never

from cellvow.core.primitives.digest import Digest, sha256
from cellvow.core.primitives.encoding import Json, encode_document
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.evidence.bounds import HEADER_ROW_MAX, MAPPED_COLUMNS_MAX, MAPPING_BYTES_MAX
from cellvow.evidence.layout import CHANNELS, Dialect
from cellvow.evidence.refusal import printable, quote
from cellvow.evidence.units import symbols_of, unit_of_symbol

VERSION = 1
STATE = "state"
"""The quantity of a column of words that says whether the cell charges, rests or discharges."""
QUANTITIES = {
    "time": "t_s",
    "voltage": "voltage_v",
    "current": "current_a",
    "step": "step",
    "cycle": "cycle",
    "step_time": "step_time_s",
    "temperature": "temperature_c",
    "discharged": "counted_ah",
}
"""What a mapping calls a channel -> the channel."""
CHARGES, DISCHARGES, UNSIGNED = "charge", "discharge", "unsigned"
_SIGNS = (CHARGES, DISCHARGES, UNSIGNED)
_DELIMITERS = {",": ",", ";": ";", "tab": "\t", "|": "|"}
_DECIMALS = (".", ",")
_ENCODINGS = ("utf-8", "utf-16", "latin-1")
_WORD_LISTS = ("charge", "discharge", "rest")
_KEYS = ("mapping", "delimiter", "decimal", "encoding", "header_row", "positive_current", "column")
_WORDS_MAX, _TEXT_MAX = 50, 200


class MappedColumn(NamedTuple):
    """One heading and what it is."""

    heading: str
    quantity: str
    unit: str
    """Symbol; `1` for what counts something."""


class States(NamedTuple):
    """The column of words, and which word is which phase."""

    heading: str
    charge: tuple[str, ...]
    discharge: tuple[str, ...]
    rest: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ColumnMapping:
    """How the columns of one kind of text file are read; see `parse_mapping`."""

    columns: tuple[MappedColumn, ...]
    positive_current: str
    """`charge`, `discharge`, or `unsigned` where a column of states tells."""
    states: States | None
    dialect: Dialect
    header_row: int
    """Row of the headings, counted from 1; what stands above it is passed over."""

    def document(self) -> dict[str, Json]:
        """The mapping as canonical data; every spelling of one mapping gives the same."""
        named: dict[str, Json] = {one.heading: [one.quantity, one.unit] for one in self.columns}
        states: Json = None
        if self.states is not None:
            words = (self.states.charge, self.states.discharge, self.states.rest)
            listed: list[Json] = [list[Json](sorted(one)) for one in words]
            states = [self.states.heading, *listed]
        return {
            "columns": [[heading, named[heading]] for heading in sorted(named)],
            "decimal": self.dialect.decimal,
            "delimiter": self.dialect.delimiter,
            "encoding": self.dialect.encoding,
            "header_row": self.header_row,
            "mapping": VERSION,
            "positive_current": self.positive_current,
            "states": states,
        }

    def digest(self) -> Digest:
        """SHA-256 of the canonical document."""
        return sha256(encode_document(self.document()))

    def sentence(self) -> str:
        """How the columns were read, for a certificate."""
        listed = ", ".join(f"{one.quantity} from '{one.heading}' in {one.unit}" for one in self.columns)
        sign = "unsigned current" if self.positive_current == UNSIGNED else f"positive current {self.positive_current}s"
        state = f", state from '{self.states.heading}'" if self.states else ""
        return printable(f"columns read by a given mapping, SHA-256 {self.digest().hex()}: {listed}{state}; {sign}")


def read_mapping(path: Path) -> ColumnMapping:
    """The mapping in a file; raises `Malformed` for one that is not sound, `OperationalError` if it cannot be read."""
    try:
        if path.stat().st_size > MAPPING_BYTES_MAX:
            raise Malformed(f"{printable(path.name)}: a column mapping has at most {MAPPING_BYTES_MAX} bytes")
        content = path.read_bytes()
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error.strerror or error}") from error
    return parse_mapping(content, path.name)


def parse_mapping(content: bytes, name: str) -> ColumnMapping:
    """The mapping in TOML or JSON text; raises `Malformed` that names the column and the key."""
    if len(content) > MAPPING_BYTES_MAX:
        _refuse(name, "", f"more than {MAPPING_BYTES_MAX} bytes")
    document = _parse_text(content, name)
    for key in document:
        if key not in _KEYS:
            _refuse(name, quote(key), f"no such key; there are {', '.join(_KEYS)}")
    if document.get("mapping") != VERSION or type(document["mapping"]) is not int:
        _refuse(name, "mapping", f"write mapping = {VERSION}, the version of this layout")
    entries = document.get("column")
    if not isinstance(entries, list) or not 1 <= len(entries) <= MAPPED_COLUMNS_MAX:
        _refuse(name, "column", f"give one [[column]] for each column that is read, at most {MAPPED_COLUMNS_MAX}")
    columns, states = _columns(name, entries)
    sign = _choice(name, "positive_current", document.get("positive_current"), _SIGNS)
    if sign == UNSIGNED and states is None:
        _refuse(name, "positive_current", "unsigned needs a [[column]] with quantity = 'state'")
    return ColumnMapping(columns, sign, states, _dialect(name, document), _header_row(name, document))


def _parse_text(content: bytes, name: str) -> Mapping[str, object]:
    try:
        text = content.decode("utf-8-sig")
        parsed = json.loads(text) if text.lstrip().startswith("{") else tomllib.loads(text)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, json.JSONDecodeError, RecursionError, ValueError) as error:
        _refuse(name, "", f"neither TOML nor JSON ({error})")
    if not isinstance(parsed, dict):
        _refuse(name, "", "not a table of keys")
    return parsed


def _dialect(name: str, document: Mapping[str, object]) -> Dialect:
    delimiter = _choice(name, "delimiter", document.get("delimiter", ","), tuple(_DELIMITERS))
    decimal = _choice(name, "decimal", document.get("decimal", "."), _DECIMALS)
    encoding = _choice(name, "encoding", document.get("encoding", "utf-8"), _ENCODINGS)
    if delimiter == decimal:
        _refuse(name, "decimal", "the sign of decimals cannot be the delimiter of fields")
    return Dialect(_DELIMITERS[delimiter], decimal, encoding)


def _header_row(name: str, document: Mapping[str, object]) -> int:
    row = document.get("header_row", 1)
    if not isinstance(row, int) or type(row) is not int or not 1 <= row <= HEADER_ROW_MAX:
        _refuse(name, "header_row", f"{quote(str(row))} is not a row from 1 to {HEADER_ROW_MAX}")
    return row


def _columns(name: str, entries: list[object]) -> tuple[tuple[MappedColumn, ...], States | None]:
    columns: list[MappedColumn] = []
    states: list[States] = []
    for number, entry in enumerate(entries, start=1):
        where = f"column {number}"
        if not isinstance(entry, dict):
            _refuse(name, where, "not a table of keys")
        heading = _text(name, f"{where}, heading", entry.get("heading"))
        where = f"{where} ({quote(heading)})"
        if entry.get("quantity") == STATE:
            states.append(_states(name, where, heading, entry))
        else:
            columns.append(_column(name, where, heading, entry))
    _check_once(name, [one.heading for one in columns] + [one.heading for one in states], "heading")
    _check_once(name, [one.quantity for one in columns] + [STATE for _ in states], "quantity")
    for quantity, channel in QUANTITIES.items():
        if CHANNELS[channel].is_required and quantity not in {one.quantity for one in columns}:
            _refuse(name, "column", f"no column has quantity = {quantity!r}")
    return tuple(columns), states[0] if states else None


def _column(name: str, where: str, heading: str, entry: Mapping[str, object]) -> MappedColumn:
    _check_keys(name, where, entry, ("heading", "quantity", "unit"))
    quantity = _choice(name, f"{where}, quantity", entry.get("quantity"), (*QUANTITIES, STATE))
    dimension = CHANNELS[QUANTITIES[quantity]].dimension
    unit = entry.get("unit", "1" if dimension == "number" else None)
    known = unit_of_symbol(unit) if isinstance(unit, str) else None
    if known is None or known.dimension != dimension:
        _refuse(name, f"{where}, unit", f"{quote(str(unit))} is no unit of {dimension}; one of {symbols_of(dimension)}")
    return MappedColumn(heading, quantity, str(unit))


def _states(name: str, where: str, heading: str, entry: Mapping[str, object]) -> States:
    _check_keys(name, where, entry, ("heading", "quantity", *_WORD_LISTS))
    charge, discharge, rest = (_words(name, f"{where}, {key}", entry.get(key, [])) for key in _WORD_LISTS)
    _check_once(name, [*charge, *discharge, *rest], "word of a state")
    if not charge or not discharge:
        _refuse(name, where, "list the words for charge and for discharge")
    return States(heading, charge, discharge, rest)


def _words(name: str, where: str, words: object) -> tuple[str, ...]:
    if not isinstance(words, list) or len(words) > _WORDS_MAX:
        _refuse(name, where, f"give a list of at most {_WORDS_MAX} words")
    return tuple(_text(name, where, word) for word in words)


def _check_keys(name: str, where: str, entry: Mapping[str, object], known: tuple[str, ...]) -> None:
    for key in entry:
        if key not in known:
            _refuse(name, f"{where}, {quote(key)}", f"no such key here; there are {', '.join(known)}")


def _check_once(name: str, values: list[str], what: str) -> None:
    for value in values:
        if values.count(value) > 1:
            _refuse(name, "column", f"the {what} {quote(value)} occurs twice")


def _choice(name: str, where: str, value: object, choices: tuple[str, ...]) -> str:
    if not isinstance(value, str) or value not in choices:
        given = "nothing is given" if value is None else f"{quote(str(value))} is not known"
        _refuse(name, where, f"{given}; one of {', '.join(choices)}")
    return value


def _text(name: str, where: str, value: object) -> str:
    if not isinstance(value, str) or not value.strip() or len(value) > _TEXT_MAX:
        _refuse(name, where, f"give a text of at most {_TEXT_MAX} characters")
    return value.strip()


def _refuse(name: str, where: str, what: str) -> Never:
    raise Malformed(printable(f"{name}{', ' if where else ''}{where}: {what}"))
