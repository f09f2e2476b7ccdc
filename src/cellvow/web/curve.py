"""The geometry of a discharge curve: places in percent and thousandths, to fit any width without a script."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from markupsafe import Markup

from cellvow.passport.view import Curve
from cellvow.web.wording import Wording, needed_decimals

TICKS_WANTED = 5
ROWS_MAX = 25
"""Rows of the table behind the picture; the bundle and the JSON hold every point."""
LINE_POINTS_MAX = 60
"""Corners of the drawn line: more are not told apart at the size of a page."""
GRID = 1000
"""The line is drawn on a square of this side and stretched to the picture's size."""


@dataclass(frozen=True, slots=True)
class Tick:
    """A mark on an axis: its place along the axis in percent and what stands beside it."""

    place: str
    label: str


@dataclass(frozen=True, slots=True)
class CurvePicture:
    """What the template draws; `rows` is the table behind the picture (Ah, V), `points` how many were disclosed."""

    line: str
    charge_ticks: tuple[Tick, ...]
    voltage_ticks: tuple[Tick, ...]
    rows: tuple[tuple[str, str], ...]
    first: Markup
    last: Markup
    charge: Markup
    points: int


def draw_curve(curve: Curve, wording: Wording) -> CurvePicture | None:
    """The picture of a curve, or None where it has fewer than two points and no line can be drawn."""
    if len(curve.points) < 2:
        return None
    charges, voltages = zip(*curve.points, strict=True)
    charge_marks = choose_marks(min(charges), max(charges))
    voltage_marks = choose_marks(min(voltages), max(voltages))
    across = (min(charges), max(*charges, min(charges) + 1))
    up = (min(voltage_marks[0], *voltages), max(voltage_marks[-1], *voltages))
    line = " ".join(
        f"{_place(charge, across, GRID):.0f},{GRID - _place(voltage, up, GRID):.0f}"
        for charge, voltage in thin_points(curve.points, LINE_POINTS_MAX)
    )
    return CurvePicture(
        line=line,
        charge_ticks=tuple(
            Tick(f"{_place(mark, across, 100):.1f}", _thousandths(mark, charge_marks, wording))
            for mark in charge_marks
            if across[0] <= mark <= across[1]
        ),
        voltage_ticks=tuple(
            Tick(f"{100 - _place(mark, up, 100):.1f}", _thousandths(mark, voltage_marks, wording))
            for mark in voltage_marks
        ),
        rows=tuple(
            (_thousandths(charge, charges, wording), _thousandths(voltage, voltages, wording))
            for charge, voltage in thin_points(curve.points, ROWS_MAX)
        ),
        first=wording.quantity(voltages[0], "mV"),
        last=wording.quantity(voltages[-1], "mV"),
        charge=wording.quantity(max(charges) - min(charges), "mAh"),
        points=len(curve.points),
    )


def thin_points(points: Sequence[tuple[int, int]], most: int) -> Sequence[tuple[int, int]]:
    """At most so many of the points, evenly chosen, the first and the last among them."""
    if len(points) <= most:
        return points
    return [points[place * (len(points) - 1) // (most - 1)] for place in range(most)]


def choose_marks(low: int, high: int) -> tuple[int, ...]:
    """About five round numbers, by 1, 2 or 5 times a power of ten, that enclose the range; never fewer than two."""
    step = _round_step(max(1, high - low))
    first, last = low // step * step, -(-high // step) * step
    return tuple(range(first, max(last, first + step) + step, step))


def _round_step(width: int) -> int:
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power * TICKS_WANTED >= width:
                return factor * power
        power *= 10


def _place(number: int, between: tuple[int, int], length: int) -> float:
    low, high = between
    return (number - low) / (high - low) * length


def _thousandths(number: int, alike: Sequence[int], wording: Wording) -> str:
    """A number of thousandths with as many decimals as the finest of `alike` needs."""
    decimals = max(needed_decimals(one, 3) for one in alike)
    return wording.decimal(Decimal(number).scaleb(-3), decimals)
