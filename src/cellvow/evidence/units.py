"""Units that measurement files use, and the factor from each to the unit we compute in."""

from typing import NamedTuple


class Unit(NamedTuple):
    """`value_in_our_unit = value * factor + offset`, for one dimension."""

    dimension: str
    factor: float = 1.0
    offset: float = 0.0


OURS = {"time": "s", "current": "A", "voltage": "V", "temperature": "degC", "charge": "Ah", "number": "1"}
"""Dimension -> the unit we compute in."""

_KELVIN_OFFSET = -273.15

_SYMBOLS = {
    "s": Unit("time"),
    "ms": Unit("time", 1e-3),
    "min": Unit("time", 60.0),
    "h": Unit("time", 3600.0),
    "A": Unit("current"),
    "mA": Unit("current", 1e-3),
    "uA": Unit("current", 1e-6),
    "\N{MICRO SIGN}A": Unit("current", 1e-6),
    "\N{GREEK SMALL LETTER MU}A": Unit("current", 1e-6),
    "V": Unit("voltage"),
    "mV": Unit("voltage", 1e-3),
    "degC": Unit("temperature"),
    "\N{DEGREE SIGN}C": Unit("temperature"),
    "K": Unit("temperature", 1.0, _KELVIN_OFFSET),
    "Ah": Unit("charge"),
    "mAh": Unit("charge", 1e-3),
    "1": Unit("number"),
}
_WORDS = {
    "second": "s",
    "millisecond": "ms",
    "minute": "min",
    "hour": "h",
    "ampere": "A",
    "milliampere": "mA",
    "microampere": "uA",
    "volt": "V",
    "millivolt": "mV",
    "celsius": "degC",
    "kelvin": "K",
    "ah": "Ah",
    "mah": "mAh",
    "dimensionless": "1",
}


def unit_of_symbol(symbol: str) -> Unit | None:
    """The unit written as a symbol (`mA`, case counts), or None where it is unknown."""
    return _SYMBOLS.get(symbol)


def unit_of_word(word: str) -> Unit | None:
    """The unit written as a word in a machine-readable name (`milliampere`), or None."""
    return _SYMBOLS.get(_WORDS.get(word, ""))


def unit_in_use(dimension: str) -> Unit:
    """The unit of a dimension that we compute in."""
    return Unit(dimension)


def symbols_of(dimension: str) -> str:
    """The symbols accepted for a dimension, for an error message."""
    return ", ".join(symbol for symbol, unit in _SYMBOLS.items() if unit.dimension == dimension)
