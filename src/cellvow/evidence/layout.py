"""Which column of a file is which channel, and in what unit."""

from dataclasses import dataclass
from typing import NamedTuple

from cellvow.evidence.refusal import quote, refuse_file
from cellvow.evidence.units import OURS, Unit, symbols_of


class Channel(NamedTuple):
    """What we want to know of a channel before reading it."""

    dimension: str
    is_required: bool
    wanted_as: str
    """How a file in Battery Data Format calls it."""


CHANNELS = {
    "t_s": Channel("time", True, "Test Time / s"),
    "voltage_v": Channel("voltage", True, "Voltage / V"),
    "current_a": Channel("current", True, "Current / A"),
    "step": Channel("number", False, "Step Count / 1"),
    "cycle": Channel("number", False, "Cycle Count / 1"),
    "step_time_s": Channel("time", False, "Step Time / s"),
    "temperature_c": Channel("temperature", False, "Ambient Temperature / degC"),
    "counted_ah": Channel("charge", False, "Discharging Capacity / Ah"),
}
"""Every channel of a `Measurement` that is read as a number, by its attribute name."""


class Column(NamedTuple):
    """One column of a file that is read."""

    channel: str
    position: int
    label: str
    """As the file's header spells it."""
    unit: Unit


class Dialect(NamedTuple):
    """How a text file writes its table."""

    delimiter: str = ","
    decimal: str = "."
    """Sign between whole and broken part of a number."""
    encoding: str = "utf-8"


COMMA_SEPARATED = Dialect()
"""What is read without a mapping."""


class TextColumn(NamedTuple):
    """One column of words that is read."""

    name: str
    position: int
    label: str


@dataclass(frozen=True, slots=True)
class Layout:
    """A recognised arrangement of columns."""

    format: str
    width: int
    """Fields in every row."""
    columns: tuple[Column, ...]
    texts: tuple[TextColumn, ...] = ()
    header_rows: int = 1
    remarks: tuple[str, ...] = ()
    dialect: Dialect = COMMA_SEPARATED

    def label(self, channel: str) -> str:
        """The header of a channel's column."""
        return next((column.label for column in self.columns if column.channel == channel), channel)


def check_unit(name: str, label: str, unit: Unit | None, written: str, dimension: str) -> Unit:
    """`unit` if it measures `dimension`; else refuse the file and name the column."""
    if unit is None or unit.dimension != dimension:
        what = f"is given in {quote(written)}, which is no unit of {dimension}" if written else "has no unit"
        accepted = f"one of: {symbols_of(dimension)} (we compute in {OURS[dimension]})"
        refuse_file(name, f"column '{label}' {what}", f"write the unit into the header, {accepted}")
    return unit


def check_columns(name: str, columns: list[Column]) -> tuple[Column, ...]:
    """The columns, when every required channel occurs and none occurs twice; else refuse the file."""
    for channel, wanted in CHANNELS.items():
        found = [column.label for column in columns if column.channel == channel]
        if len(found) > 1:
            both = " and ".join(f"'{label}'" for label in found[:2])
            refuse_file(name, f"columns {both} hold the same quantity", "keep one of them")
        if not found and wanted.is_required:
            refuse_file(name, f"there is no column for '{wanted.wanted_as}'", "export the file with that column")
    return tuple(columns)
