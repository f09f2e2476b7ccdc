"""A curve's picture holds every point, inside its frame, between round marks."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.passport.view import Curve
from cellvow.web.curve import GRID, LINE_POINTS_MAX, ROWS_MAX, TICKS_WANTED, choose_marks, draw_curve, thin_points
from cellvow.web.wording import Wording
from tests.unit.web.samples import CURVE, TESTED

POINTS = st.lists(st.tuples(st.integers(0, 10**7), st.integers(0, 10**6)), min_size=2, max_size=80)


@given(POINTS)
def test_points_are_drawn_inside_the_frame(points: list[tuple[int, int]]) -> None:
    """As many as are told apart, none outside of the picture; the table has the first, the last and some between."""
    picture = draw_curve(Curve(tuple(points), TESTED), Wording("en"))

    assert picture is not None
    drawn = [tuple(map(int, pair.split(","))) for pair in picture.line.split(" ")]
    assert min(len(points), LINE_POINTS_MAX) == len(drawn)
    assert min(len(points), ROWS_MAX) == len(picture.rows)
    assert len(points) == picture.points
    assert all(0 <= x <= GRID and 0 <= y <= GRID for x, y in drawn)
    assert all(0 <= float(tick.place) <= 100 for tick in (*picture.charge_ticks, *picture.voltage_ticks))


@given(POINTS, st.integers(2, 80))
def test_thinned_points_keep_their_ends(points: list[tuple[int, int]], most: int) -> None:
    """Never more than asked for, in their order, from the first to the last."""
    thinned = list(thin_points(points, most))
    remaining = iter(points)

    assert min(len(points), most) == len(thinned)
    assert (points[0], points[-1]) == (thinned[0], thinned[-1])
    assert all(point in remaining for point in thinned)


@given(st.integers(-(10**9), 10**9), st.integers(0, 10**9))
def test_marks_are_round_and_enclose_the_range(low: int, width: int) -> None:
    """Two to seven marks, evenly apart by 1, 2 or 5 times a power of ten."""
    marks = choose_marks(low, low + width)
    steps = {second - first for first, second in itertools.pairwise(marks)}

    assert marks[0] <= low
    assert low + width <= marks[-1]
    assert 2 <= len(marks) <= TICKS_WANTED + 2
    assert 1 == len(steps)
    assert str(steps.pop()).rstrip("0") in {"1", "2", "5"}


def test_voltage_falls_from_top_left_to_bottom_right() -> None:
    """A discharge goes down to the right, as people read it."""
    picture = draw_curve(CURVE, Wording("en"))

    assert picture is not None
    first, *_, last = ([int(part) for part in pair.split(",")] for pair in picture.line.split(" "))
    assert first[0] == 0
    assert last[0] == GRID
    assert first[1] < last[1]


@pytest.mark.parametrize("points", [(), ((0, 4_000),)])
def test_fewer_than_two_points_make_no_line(points: tuple[tuple[int, int], ...]) -> None:
    """There is no picture of a line that has no length."""
    assert draw_curve(Curve(points, TESTED), Wording("en")) is None


def test_marks_carry_the_language_of_the_page() -> None:
    """The marks along an axis have equal decimals in the page's own spelling."""
    picture = draw_curve(CURVE, Wording("de"))

    assert picture is not None
    assert ["2,5", "3,0", "3,5", "4,0", "4,5"] == [tick.label for tick in picture.voltage_ticks]
