"""Bitrode CSV: sixteen columns with a step mode, with or without the line of headings.

Example: `No,10086.3,2,1,1,1,2,1.0,-30.60,4.128,-126.3,0.00,-0.03,DCHG, ,`
"""

import re

import numpy as np

from cellvow.evidence.layout import CHANNELS, Column, Layout, TextColumn, check_columns, check_unit
from cellvow.evidence.measurement import CHARGE, DISCHARGE, REST, Integers
from cellvow.evidence.phases import check_signs
from cellvow.evidence.recorded import Recorded, Words
from cellvow.evidence.refusal import quote, refuse_field, refuse_file
from cellvow.evidence.units import unit_of_symbol

FORMAT = "Bitrode CSV"
WIDTH = 16
"""Fields of a row, the last one empty."""

_USUAL_HEADER = [
    *("Exclude", "Time(s)", "Cycle", "Loop", "Loop", "Loop", "Step", "StepTime(s)"),
    *("Current(A)", "Voltage(V)", "Power(W)", "Capacity(Ah)", "Energy(Wh)", "Mode", "Data", ""),
]
_QUANTITIES = {
    "Time": "t_s",
    "Cycle": "cycle",
    "Step": "step",
    "StepTime": "step_time_s",
    "Current": "current_a",
    "Voltage": "voltage_v",
    "Capacity": "counted_ah",
}
_HEADING = re.compile(r"(\w+)(?:\((.*)\))?")
_PHASES = {"CHRG": CHARGE, "DCHG": DISCHARGE, "REST": REST, "PAUS": REST}
_UNKNOWN = 2


def find_bitrode_layout(fields: list[str], name: str) -> Layout | None:
    """The layout if the first line of the file is Bitrode's, else None."""
    if len(fields) == WIDTH and fields[0] in ("Yes", "No"):
        remark = "there is no line of headings: columns are taken in the usual order, in s, A, V and Ah"
        return _layout(_USUAL_HEADER, name, header_rows=0, remarks=(remark,))
    names = {match[1] for field in fields if (match := _HEADING.fullmatch(field))}
    if {"StepTime", "Mode"} <= names or {"Exclude", "Mode"} <= names:
        return _layout(fields, name, header_rows=1, remarks=())
    return None


def judge_bitrode(name: str, recorded: Recorded) -> tuple[Recorded, Integers, tuple[str, ...]]:
    """(columns, phase a row, remarks): excluded rows left out, modes and signs checked; raises `Malformed`."""
    remarks = []
    if "exclude" in recorded.words:
        keep = ~_is_excluded(name, recorded)
        if not keep.all():
            remarks.append(f"{int((~keep).sum())} row(s) marked 'Exclude' by the cycler are left out")
            recorded = recorded.select(keep)
    phase, unknown = _phases(recorded)
    if unknown:
        named = ", ".join(quote(word) for word in unknown)
        remarks.append(f"mode {named} is unknown here: such rows are taken by the sign of their current")
    check_signs(name, recorded, phase)
    counted = recorded.channels.get("counted_ah")
    if counted is not None:
        # The counter runs negative through a discharge; elsewhere it counts something else.
        recorded.channels["counted_ah"] = np.where(phase == DISCHARGE, -counted, np.nan)
    return recorded, phase, tuple(remarks)


def _layout(header: list[str], name: str, *, header_rows: int, remarks: tuple[str, ...]) -> Layout:
    columns, texts = [], []
    for index, label in enumerate(header):
        match = _HEADING.fullmatch(label)
        if match is None:
            continue
        if match[1] in ("Mode", "Exclude"):
            texts.append(TextColumn(match[1].lower(), index, label))
        elif match[1] in _QUANTITIES:
            channel = _QUANTITIES[match[1]]
            dimension, written = CHANNELS[channel].dimension, match[2] or ""
            unit = unit_of_symbol(written or "1" if dimension == "number" else written)
            columns.append(Column(channel, index, label, check_unit(name, label, unit, written, dimension)))
    if len({text.name for text in texts}) != len(texts):
        refuse_file(name, "a column 'Mode' or 'Exclude' occurs twice", "keep one of them")
    return Layout(FORMAT, len(header), check_columns(name, columns), tuple(texts), header_rows, remarks)


def _is_excluded(name: str, recorded: Recorded) -> "np.ndarray[tuple[int], np.dtype[np.bool_]]":
    words = recorded.words["exclude"]
    for code, word in enumerate(words.vocabulary):
        if word not in ("Yes", "No"):
            row = int(recorded.row[int(np.argmax(words.codes == code))])
            refuse_field((name, row, "Exclude"), f"{quote(word)} is neither Yes nor No", "export again")
    return np.isin(words.codes, [c for c, word in enumerate(words.vocabulary) if word == "Yes"])


def _phases(recorded: Recorded) -> tuple[Integers, list[str]]:
    """Phase a row, and the modes that are not known."""
    words = recorded.words.get("mode", Words(np.zeros(len(recorded.row), dtype=np.int64), ("",)))
    by_code = np.array([_PHASES.get(word, _UNKNOWN) for word in words.vocabulary] or [_UNKNOWN])
    phase = by_code[words.codes].astype(np.int64)
    signs = np.sign(recorded.channels["current_a"]).astype(np.int64)
    return np.where(phase == _UNKNOWN, signs, phase), [w for w in words.vocabulary if w not in _PHASES]
