"""Neware .ndax: a zip of XML and binary blocks, decoded by the optional reader NewareNDA (extra `neware`).

The file gives step times; the test time is their sum over the steps, so that pauses between steps count nothing.
"""

import io
import logging
import struct
import zipfile
import zlib
from typing import Any

import numpy as np

from cellvow.core.primitives.errors import OperationalError
from cellvow.evidence.bounds import ARCHIVE_MEMBERS_MAX, ROWS_MAX, UNPACKED_BYTES_MAX, XML_BYTES_MAX
from cellvow.evidence.layout import Column, Layout
from cellvow.evidence.measurement import CHARGE, DISCHARGE, REST, Floats, Integers
from cellvow.evidence.recorded import Recorded
from cellvow.evidence.refusal import quote, refuse_file
from cellvow.evidence.units import unit_in_use

FORMAT = "Neware .ndax"
ZIP_MAGIC = b"PK\x03\x04"
_POINTS, _STEP_RECORDS = "data.ndc", "data_runInfo.ndc"
_BLOCK_BYTES_MIN = 1024
"""The reader looks for marks in the first kilobyte and would search a shorter block for ever."""
_STATES = {"Rest": REST, "Pause": REST, "OCV": REST}
_EXPORT = "export it as CSV from the cycler's software"
_COLUMNS = {
    "Voltage": ("voltage_v", 1.0),
    "Current(mA)": ("current_a", 1e-3),
    "Time": ("step_time_s", 1.0),
    "Step": ("step", 1.0),
    "Cycle": ("cycle", 1.0),
    "Discharge_Capacity(mAh)": ("counted_ah", 1e-3),
}
_DIMENSIONS = {
    "t_s": "time",
    "voltage_v": "voltage",
    "current_a": "current",
    "step_time_s": "time",
    "step": "number",
    "cycle": "number",
    "counted_ah": "charge",
}


def is_ndax(content: bytes) -> bool:
    """Whether the bytes are a zip that holds a block of points."""
    if not content.startswith(ZIP_MAGIC):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return _POINTS in archive.namelist()
    except (zipfile.BadZipFile, ValueError, LookupError, OSError, struct.error):  # damaged, or no zip at all
        return False
    except NotImplementedError:  # zipfile's word for a version or a compression that it has not learnt: a foreign zip
        return False


def read_neware(content: bytes, name: str) -> tuple[Recorded, Integers]:
    """(columns, phase a row) of the points in the file.

    Raises `Malformed` for a file that is not sound, `OperationalError` where the reader is not installed.
    """
    # A damaged block shows as whatever the reader's arithmetic then meets; it checks little.
    damage = (zipfile.BadZipFile, zlib.error, struct.error, LookupError, AttributeError, TypeError, ValueError)
    try:
        has_step_records = _check_members(content, name)
        frame = _decode(content)
    except NotImplementedError as error:  # NewareNDA's word for a version of the format that it has not learnt
        refuse_file(name, f"a version of the format that the reader does not know ({quote(str(error))})", _EXPORT)
    except (*damage, ArithmeticError, EOFError, RuntimeError) as error:
        refuse_file(name, f"not readable as Neware .ndax ({quote(str(error))})", _EXPORT)
    return _recorded(name, frame, has_step_records)


def _check_members(content: bytes, name: str) -> bool:
    """Bound what unpacking will need, from the archive's own list; true where steps are recorded apart."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if len(members) > ARCHIVE_MEMBERS_MAX:
            refuse_file(name, f"{len(members)} files inside: at most {ARCHIVE_MEMBERS_MAX}", _EXPORT)
        unpacked = sum(member.file_size for member in members)
        if unpacked > UNPACKED_BYTES_MAX:
            refuse_file(name, f"{unpacked} bytes unpacked: at most {UNPACKED_BYTES_MAX}", "split the measurement")
        for member in members:
            _check_member(archive, member, name)
        return _STEP_RECORDS in archive.namelist()


def _check_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, name: str) -> None:
    if member.filename.endswith(".ndc") and member.file_size < _BLOCK_BYTES_MIN:
        refuse_file(name, f"its block {quote(member.filename)} is cut off", _EXPORT)
    if not member.filename.endswith(".xml"):
        return
    if member.file_size > XML_BYTES_MAX:
        refuse_file(name, f"{quote(member.filename)} has more than {XML_BYTES_MAX} bytes", _EXPORT)
    text = archive.read(member)
    if b"<!DOCTYPE" in text or b"<!ENTITY" in text:
        refuse_file(name, f"{quote(member.filename)} defines entities, which no cycler does", _EXPORT)


def _decode(content: bytes) -> Any:  # noqa: ANN401 - pandas ships no types of its own
    try:
        from NewareNDA.NewareNDAx import read_ndax
    except ImportError as error:
        raise OperationalError(
            "reading Neware .ndax needs the optional reader: pip install 'cellvow[neware]', or export the file as CSV"
        ) from error
    # What the reader would write to a log is no news to the person at the terminal.
    logging.getLogger("newarenda").addHandler(logging.NullHandler())
    try:
        return read_ndax(io.BytesIO(content))
    except OSError as error:
        raise OperationalError(f"the file cannot be unpacked: {error.strerror or error}") from error


def _recorded(name: str, frame: Any, has_step_records: bool) -> tuple[Recorded, Integers]:  # noqa: ANN401 - as above
    if not len(frame):
        refuse_file(name, "there is no row of data", _EXPORT)
    if len(frame) > ROWS_MAX:
        refuse_file(name, f"more than {ROWS_MAX} rows", "split the measurement into several files")
    points = frame["Index"].to_numpy().astype(np.int64)
    if (np.diff(points) <= 0).any():
        refuse_file(name, "its points are not numbered upwards", _EXPORT)
    channels = {channel: _numbers(frame[label]) * factor for label, (channel, factor) in _COLUMNS.items()}
    channels["t_s"] = _test_time(channels["step"], channels["step_time_s"])
    labels = {channel: label for label, (channel, _) in _COLUMNS.items()} | {"t_s": "Time"}
    columns = tuple(
        Column(channel, place, labels[channel], unit_in_use(_DIMENSIONS[channel]))
        for place, channel in enumerate(channels)
    )
    layout = Layout(FORMAT, len(columns), columns, remarks=_remarks(frame, channels["t_s"], has_step_records))
    states = frame["Status"].astype(str).to_numpy()
    return Recorded(layout, points, channels, {}, {}), _phases(states, channels["current_a"])


def _numbers(values: Any) -> Floats:  # noqa: ANN401 - as above
    """Single-precision numbers by their shortest decimals, which are those that the cycler wrote."""
    numbers = values.to_numpy()
    if numbers.dtype != np.float32:
        return np.asarray(numbers, dtype=np.float64)
    return np.asarray(numbers.astype("U32").astype(np.float64))


def _test_time(step: Floats, step_time_s: Floats) -> Floats:
    """Time since the first step began: the last step time of every step before, and the own one."""
    is_last = np.append(np.diff(step) != 0, False)
    before = np.concatenate(([0.0], np.cumsum(np.where(is_last, step_time_s, 0.0))[:-1]))
    return np.asarray(before + step_time_s)


def _phases(states: Any, current_a: Floats) -> Integers:  # noqa: ANN401 - an array of text
    """Phase a row by its state, else by the sign of its current."""
    phases = np.sign(current_a).astype(np.int64)
    for state in sorted(set(states)):
        if state.endswith("DChg"):
            phases[states == state] = DISCHARGE
        elif state.endswith("Chg"):
            phases[states == state] = CHARGE
        elif state in _STATES:
            phases[states == state] = _STATES[state]
    return phases


def _remarks(frame: Any, t_s: Floats, has_step_records: bool) -> tuple[str, ...]:  # noqa: ANN401 - as above
    remarks = [
        "test time is the sum of step times; the file's own single-precision numbers are taken by their decimals"
    ]
    if has_step_records:
        remarks.append(
            "the file keeps times for some rows only: those between are filled in by their sampling interval"
        )
    clock_s = (frame["Timestamp"].iloc[-1] - frame["Timestamp"].iloc[0]).total_seconds()
    missing_s = clock_s - float(t_s[-1] - t_s[0])
    if missing_s > max(60.0, 0.001 * clock_s):
        remarks.append(f"by its clock the test lasted {missing_s:.0f} s longer: pauses between steps count nothing")
    return tuple(remarks)
