"""Battery Data Format, as CSV or Parquet: columns by preferred label or machine-readable name.

Examples: `Test Time / s`, `Voltage / mV`; `test_time_second`, `voltage_millivolt`
(battery-data-alliance/battery-data-format).
"""

import re

from cellvow.evidence.layout import CHANNELS, Column, Layout, check_columns, check_unit
from cellvow.evidence.refusal import refuse_file
from cellvow.evidence.units import unit_of_symbol, unit_of_word

_QUANTITIES = {
    "test_time": ("t_s", 0),
    "voltage": ("voltage_v", 0),
    "current": ("current_a", 0),
    "step_count": ("step", 0),
    "step_index": ("step", 1),
    "cycle_count": ("cycle", 0),
    "cycle": ("cycle", 1),
    "step_time": ("step_time_s", 0),
    "ambient_temperature": ("temperature_c", 0),
    "surface_temperature_t1": ("temperature_c", 1),
    "temperature_t1": ("temperature_c", 1),
    "discharging_capacity": ("counted_ah", 0),
}
"""Name -> (channel, rank): of several columns for one channel the lowest rank is read."""
_REQUIRED_NAMES = ("test_time", "voltage", "current")
_LABEL = re.compile(r"(.+?)\s*/\s*(\S*)")


def find_bdf_layout(fields: list[str], name: str, container: str) -> Layout | None:
    """The layout if at least two headings are those of the format, else None; units are checked."""
    found = [_split(label) for label in fields]
    if sum(part is not None and part[0] in _REQUIRED_NAMES for part in found) < 2:
        return None
    _check_distinct(fields, name)
    ranked: dict[str, list[tuple[int, Column]]] = {}
    for index, (label, part) in enumerate(zip(fields, found, strict=True)):
        if part is None:
            continue
        channel, rank = _QUANTITIES[part[0]]
        ranked.setdefault(channel, []).append((rank, _column(name, index, label, (channel, part[1]))))
    columns = [
        column for choices in ranked.values() for rank, column in choices if rank == min(other for other, _ in choices)
    ]
    return Layout(f"BDF {container}", len(fields), check_columns(name, columns))


def _split(label: str) -> tuple[str, str] | None:
    """(quantity, unit as written) of a heading we read, or None."""
    if match := _LABEL.fullmatch(label):
        quantity = re.sub(r"\s+", "_", match[1].lower())
        return (quantity, match[2]) if quantity in _QUANTITIES else None
    plain = re.sub(r"\s+", "_", label.lower())
    if plain in _QUANTITIES:
        return plain, ""
    for quantity in sorted(_QUANTITIES, key=len, reverse=True):
        unit = plain.removeprefix(quantity + "_")
        # More than one word after the quantity names another quantity: `current_density_...`.
        if unit != plain and "_" not in unit:
            return quantity, "_" + unit
    return None


def _column(name: str, index: int, label: str, what: tuple[str, str]) -> Column:
    channel, written = what
    dimension = CHANNELS[channel].dimension
    unit = unit_of_word(written[1:]) if written.startswith("_") else unit_of_symbol(written)
    if dimension == "number" and not written:
        unit = unit_of_symbol("1")
    return Column(channel, index, label, check_unit(name, label, unit, written.lstrip("_"), dimension))


def _check_distinct(fields: list[str], name: str) -> None:
    for label in fields:
        if fields.count(label) > 1:
            refuse_file(name, f"column '{label}' occurs twice", "keep one of them")
