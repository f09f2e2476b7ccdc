"""Arbin databases: the rows of their one test in order, or a refusal that says what is wrong with the file."""

from __future__ import annotations

import random

import numpy as np
import pytest

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence import Measurement, evaluate_measurement, parse_measurement
from cellvow.evidence.bounds import DATABASE_BYTES_MAX
from tests.unit.evidence.databases import PAGE, Point, data_page, database, points_of
from tests.unit.evidence.sheets import full_test

POINTS = points_of(full_test(2))


def read(content: bytes) -> Measurement:
    """The measurement in a database."""
    return parse_measurement(content, "x.res")


def test_a_database_gives_the_same_capacity_as_the_text_file() -> None:
    """The rows of one test, written as a database and as text, deliver the same charge."""
    measurement = read(database(POINTS))
    capacity = evaluate_measurement(measurement).full_discharges()[0].capacity_ah

    assert ("Arbin .res", "measured", ()) == (
        measurement.source.format,
        measurement.source.evidence_class,
        measurement.source.remarks,
    )
    assert [point.t_s for point in POINTS] == measurement.t_s.tolist()
    assert evaluate_measurement(full_test(2).measurement()).full_discharges()[0].capacity_ah == pytest.approx(capacity)


def test_rows_out_of_order_are_put_in_order_and_said_to_be() -> None:
    """A database promises no order: its rows are known by their data point."""
    shuffled = random.Random(1).sample(POINTS, len(POINTS))
    measurement = read(database(shuffled))

    assert np.array_equal(read(database(POINTS)).voltage_v, measurement.voltage_v)
    assert any("put in order of 'Data_Point'" in remark for remark in measurement.source.remarks)


def test_deleted_rows_are_left_out_and_moved_rows_are_followed() -> None:
    """What the cycler deleted stays deleted; a row that had to move is read where it went."""
    whole = database(POINTS[:3])
    size = _row_size(whole)
    rows = [whole[len(whole) - (n + 1) * size : len(whole) - n * size] for n in range(3)]
    moved = (5 << 8 | 0).to_bytes(4, "little")
    pages = whole[: 5 * PAGE]
    content = pages + data_page(9, rows[2:], [0x8000]) + data_page(3, [rows[0], rows[1], moved], [0, 0x8000, 0x4000])

    assert [1, 3] == read(content).row.tolist()


def _row_size(content: bytes) -> int:
    return PAGE - int.from_bytes(content[-PAGE:][14:16], "little")


def test_an_empty_required_field_names_its_data_point() -> None:
    """An empty field is no zero."""
    with pytest.raises(Malformed, match=r"x\.res, row 2, field 'Test_Time': nan is no measured value"):
        read(database([POINTS[0], POINTS[1]._replace(t_s=None), POINTS[2]]))


def test_several_tests_in_one_database_are_never_mixed() -> None:
    """Which one is the cell's is for a person to say."""
    with pytest.raises(
        Malformed, match=r"2 tests in one database: 1 \(2 rows\), 2 \(1 rows\); which one is the cell's"
    ):
        read(database([*POINTS[:2], POINTS[2]._replace(test=2)]))


@pytest.mark.parametrize(
    ("points", "said"),
    [
        ([POINTS[0], POINTS[0]], r"row 1, field 'Data_Point': two rows have this number"),
        ([POINTS[0]._replace(point=0)], "does not number the rows from 1"),
        ([], "there is no row of data"),
        ([POINTS[5], POINTS[6]._replace(t_s=0.0)], r"row 7, field 'Test_Time': time steps backwards"),
    ],
)
def test_a_table_that_is_no_sound_test_is_refused(points: list[Point], said: str) -> None:
    """Each names what is wrong."""
    with pytest.raises(Malformed, match=rf"x\.res.*{said}"):
        read(database(points))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (database(POINTS[:2], table="Other"), "the database has no table Channel_Normal_Table"),
        (database(POINTS[:2])[: 2 * PAGE], "not readable as an Access database"),
        (database(POINTS[:2])[:-100], "a page is cut off"),
        (database(POINTS[:2])[:30], "not readable as an Access database"),
        (database(POINTS[:2])[:20] + b"\0" + database(POINTS[:2])[21:], "a database of Access 97 or older"),
    ],
)
def test_a_damaged_database_is_refused(content: bytes, said: str) -> None:
    """Whatever the library meets in it, the answer is a refusal of the file."""
    with pytest.raises(Malformed, match=rf"x\.res.*{said}"):
        read(content)


@pytest.mark.slow
def test_pages_that_lead_in_a_circle_are_refused() -> None:
    """A definition that goes on in itself would be read for ever."""
    with pytest.raises(Malformed, match="pages lead in a circle"):
        read(database(POINTS[:2], next_page=3))


@pytest.mark.slow
def test_a_database_past_the_bound_is_refused() -> None:
    """Its size is judged before its pages are."""
    content = database(POINTS[:2]).ljust(DATABASE_BYTES_MAX + 1, b"\0")

    with pytest.raises(Malformed, match=f"of a database at most {DATABASE_BYTES_MAX} are read"):
        read(content)
