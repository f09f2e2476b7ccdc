"""The measurement: what a cycler recorded, in SI units, immutable, with the file it came from."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from cellvow.core.primitives.digest import Digest

Floats: TypeAlias = NDArray[np.float64]
"""One real number a row."""
Integers: TypeAlias = NDArray[np.int64]
"""One whole number a row."""

Progress: TypeAlias = Callable[[int, int], None]
"""Called with (done, total) in one unit of work, now and then during anything long."""

_Number = TypeVar("_Number", np.float64, np.int64)

CHARGE, REST, DISCHARGE = 1, 0, -1
"""What a row belongs to: the sign of its current."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a measurement comes from."""

    name: str
    """Name of the file, without its folder."""
    sha256: Digest
    """SHA-256 of the file's bytes, exactly as read."""
    size_bytes: int
    format: str
    """The layout that was recognised, in words: `Bitrode CSV`, `BDF Parquet`."""
    evidence_class: str = "measured"
    """`measured`; `estimated` where its time was repaired; `simulated` for a generated measurement."""
    description: str = ""
    """What it is, where known from outside the file."""
    declared: tuple[tuple[str, str], ...] = ()
    """(what, value) that the file, its name or its publisher states; shown, never verified here."""
    remarks: tuple[str, ...] = ()
    """What is odd about the file or was left out of it, in sentences for a person."""
    caveats: tuple[str, ...] = ()
    """What every result computed from it must say."""


@dataclass(frozen=True, slots=True, eq=False)
class Measurement:
    """Rows of one cell in the order recorded; every array has one value a row and is read-only.

    Time never decreases. Positive current charges the cell, negative current discharges it.
    """

    source: Source
    t_s: Floats
    """Test time in s."""
    current_a: Floats
    """Current in A, + charge, - discharge."""
    voltage_v: Floats
    """Terminal voltage in V."""
    row: Integers
    """Row of the file, counted from 1; in a text file the header is row 1."""
    step: Integers | None = None
    """Step number of the cycler's programme."""
    cycle: Integers | None = None
    """Cycle number."""
    phase: Integers | None = None
    """`CHARGE`, `REST` or `DISCHARGE` where the cycler says it."""
    step_time_s: Floats | None = None
    """Time since the step began, s."""
    temperature_c: Floats | None = None
    """Temperature in degC; NaN where a row has none."""
    counted_ah: Floats | None = None
    """What the cycler's own counter says was discharged, Ah, positive; NaN where a row has none."""

    current_step_a: float = 0.0
    """Resolution of the current, A; 0 where it is finer than matters."""
    voltage_step_v: float = 0.0
    """Resolution of the voltage, V."""

    def __post_init__(self) -> None:
        """Make the arrays read-only, so that a measurement cannot change after it was digested."""
        for name in self.__slots__:
            values = getattr(self, name)
            if isinstance(values, np.ndarray):
                values.flags.writeable = False

    def __len__(self) -> int:
        """Rows."""
        return len(self.t_s)

    @property
    def duration_s(self) -> float:
        """Time from the first row to the last, s."""
        return float(self.t_s[-1] - self.t_s[0])

    def first_rows(self, count: int) -> "Measurement":
        """The measurement as it was after its first `count` rows."""
        return replace(
            self,
            t_s=self.t_s[:count].copy(),
            current_a=self.current_a[:count].copy(),
            voltage_v=self.voltage_v[:count].copy(),
            row=self.row[:count].copy(),
            step=_first(self.step, count),
            cycle=_first(self.cycle, count),
            phase=_first(self.phase, count),
            step_time_s=_first(self.step_time_s, count),
            temperature_c=_first(self.temperature_c, count),
            counted_ah=_first(self.counted_ah, count),
        )


def _first(values: NDArray[_Number] | None, count: int) -> NDArray[_Number] | None:
    return None if values is None else values[:count].copy()
