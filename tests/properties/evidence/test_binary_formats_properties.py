"""Databases and archives of cyclers: every row is read back, in whatever order; damage is refused, never met."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence import Reading, parse_mapping, parse_measurement
from tests.properties.evidence.test_import_properties import check_sound
from tests.unit.evidence.databases import Point, database, ndax, points_of
from tests.unit.evidence.sheets import BDF_HEADER, Sheet

if TYPE_CHECKING:
    from random import Random

SHEET = Sheet().add("REST", 0.0, (4.19, 4.19), 60).add("DCHG", -10.0, (4.1, 3.9), 120).add("CHRG", 5.0, (3.9, 4.0), 60)
POINTS = points_of(SHEET)
DATABASE, ARCHIVE = database(POINTS), ndax(SHEET)
REALS = st.floats(-1e6, 1e6, width=32)


@pytest.mark.slow
@given(
    st.lists(st.tuples(st.floats(0, 1e9), REALS, REALS), min_size=1, max_size=120), st.randoms(use_true_random=False)
)
def test_a_database_gives_back_every_number_in_the_order_of_its_points(
    rows: list[tuple[float, float, float]], order: Random
) -> None:
    """Whatever order the pages keep."""
    times = sorted(t for t, _, _ in rows)
    points = [
        Point(1, number, t, 0.0, 1, 1, current, voltage, 0.0)
        for number, (t, (_, current, voltage)) in enumerate(zip(times, rows, strict=True), start=1)
    ]
    shuffled = list(points)
    order.shuffle(shuffled)
    measurement = parse_measurement(database(shuffled), "x.res")

    assert times == measurement.t_s.tolist()
    assert [point.current_a for point in points] == measurement.current_a.tolist()
    assert [point.voltage_v for point in points] == measurement.voltage_v.tolist()


@pytest.mark.slow
@pytest.mark.parametrize("whole", [DATABASE, ARCHIVE], ids=["database", "archive"])
@given(data=st.data())
def test_damage_anywhere_is_refused_or_gives_a_sound_measurement(whole: bytes, data: st.DataObject) -> None:
    """Bytes changed and the end cut off: the only error is `Malformed`, and it names the file."""
    content = bytearray(whole)
    for place in data.draw(st.lists(st.integers(0, len(whole) - 1), max_size=12)):
        content[place] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(1, len(whole)) | st.just(len(whole)))
    refusal, measurement = "x.bin", None
    try:
        measurement = parse_measurement(bytes(content[:cut]), "x.bin")
    except Malformed as error:
        refusal = str(error)

    assert refusal.startswith("x.bin")
    if measurement is not None:
        check_sound(measurement)


@given(st.binary(max_size=400))
def test_rubbish_behind_a_known_beginning_is_refused(rubbish: bytes) -> None:
    """The first bytes of a format promise nothing about the rest."""
    for magic in (DATABASE[:24], ARCHIVE[:30]):
        with pytest.raises(Malformed, match=r"x\.bin"):
            parse_measurement(magic + rubbish, "x.bin")


@pytest.mark.slow
@given(st.text(max_size=300) | st.recursive(st.none() | st.integers() | st.text(), st.lists).map(repr))
def test_any_text_is_a_mapping_or_is_refused(text: str) -> None:
    """Nothing but `Malformed` comes out of a mapping that somebody wrote."""
    with pytest.raises(Malformed, match=r"m\.toml"):
        parse_mapping(text.encode("utf-8", "replace"), "m.toml")


@given(st.lists(st.integers(0, 50), min_size=2, max_size=30))
def test_repaired_time_only_grows_and_keeps_every_step_that_was_forward(times: list[int]) -> None:
    """Repaired or refused; no row gains time that no row had."""
    text = "\n".join([BDF_HEADER, *(f"{t},3.7,0.1" for t in times), ""]).encode()
    refusal, measurement = "", None
    try:
        measurement = parse_measurement(text, "x.csv", reading=Reading(repair_time=True))
    except Malformed as error:
        refusal = str(error)
    if measurement is None:
        assert "neither in one row alone nor to a new beginning" in refusal
        return
    forward = [later - earlier for earlier, later in pairwise(times) if later > earlier]

    check_sound(measurement)
    assert measurement.duration_s <= sum(forward) + len(times) * max(forward, default=0)
    assert set(measurement.row.tolist()) <= set(range(2, len(times) + 2))
