"""Arbin .res: an Access database whose table `Channel_Normal_Table` holds one row for each logged point.

Units are those that Arbin documents: s, A, V and Ah; positive current charges.
"""

import numpy as np

from cellvow.evidence.access_table import read_numbers
from cellvow.evidence.layout import CHANNELS, Column, Layout, check_columns
from cellvow.evidence.measurement import Floats
from cellvow.evidence.recorded import Recorded
from cellvow.evidence.refusal import refuse_field, refuse_file
from cellvow.evidence.units import unit_in_use

FORMAT = "Arbin .res"
TABLE = "Channel_Normal_Table"
_TEST, _POINT = "Test_ID", "Data_Point"
_CHANNELS = {
    "Test_Time": "t_s",
    "Voltage": "voltage_v",
    "Current": "current_a",
    "Step_Index": "step",
    "Cycle_Index": "cycle",
    "Step_Time": "step_time_s",
    "Discharge_Capacity": "counted_ah",
}


def read_arbin(content: bytes, name: str) -> Recorded:
    """Every known column of the one test in the database, ordered by data point; raises `Malformed`."""
    numbers = read_numbers(content, name, TABLE, (_TEST, _POINT, *_CHANNELS))
    columns = [
        Column(channel, place, label, unit_in_use(CHANNELS[channel].dimension))
        for place, (label, channel) in enumerate(_CHANNELS.items())
        if label in numbers
    ]
    checked = check_columns(name, columns)
    if _POINT not in numbers:
        refuse_file(name, f"table {TABLE} has no column '{_POINT}'", "export the test as CSV")
    _check_single_test(name, numbers)
    points = _points(name, numbers[_POINT])
    remarks: tuple[str, ...] = ()
    if (np.diff(points) < 0).any():
        remarks = (f"the database does not keep its rows in order: they were put in order of '{_POINT}'",)
    order = np.argsort(points, kind="stable")
    layout = Layout(FORMAT, len(numbers), checked, remarks=remarks)
    channels = {column.channel: numbers[column.label][order] for column in checked}
    return Recorded(layout, points[order], channels, {}, {})


def _check_single_test(name: str, numbers: dict[str, Floats]) -> None:
    tests, rows = np.unique(numbers.get(_TEST, np.empty(0)), return_counts=True)
    if len(tests) > 1:
        shown = ", ".join(f"{test:g} ({count} rows)" for test, count in zip(tests, rows, strict=True))
        what = f"{len(tests)} tests in one database: {shown[:200]}"
        refuse_file(name, what, "which one is the cell's? Export that test into a file of its own")


def _points(name: str, values: Floats) -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    """Data points as whole numbers, each of them once: they are what a row is called by."""
    if not (np.isfinite(values) & (values >= 1) & (values == np.rint(values))).all():
        refuse_file(name, f"column '{_POINT}' does not number the rows from 1", "export the test again")
    points = values.astype(np.int64)
    found, counts = np.unique(points, return_counts=True)
    if (counts > 1).any():
        place = (name, int(found[np.argmax(counts > 1)]), _POINT)
        refuse_field(place, "two rows have this number", "export the test again")
    return points
