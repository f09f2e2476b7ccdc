"""Any text table with a column mapping: the headings the mapping names, the sign it states, nothing guessed."""

from dataclasses import replace

import numpy as np

from cellvow.evidence.layout import Column, Layout, TextColumn
from cellvow.evidence.mapping import DISCHARGES, QUANTITIES, UNSIGNED, ColumnMapping, States
from cellvow.evidence.measurement import CHARGE, DISCHARGE, REST, Integers, Progress, Source
from cellvow.evidence.phases import check_signs
from cellvow.evidence.recorded import Recorded
from cellvow.evidence.refusal import quote, refuse_field, refuse_file
from cellvow.evidence.text_table import first_rows, read_columns
from cellvow.evidence.units import unit_of_symbol

FORMAT = "text table with a column mapping"
_STATE = "state"
_MAPPING_REMEDY = "correct the mapping, or export the file as the mapping expects"


def read_mapped(
    content: bytes, name: str, mapping: ColumnMapping, progress: Progress | None
) -> tuple[Recorded, Integers | None]:
    """(columns, phase a row where the file has a column of states); positive current charges. Raises `Malformed`."""
    recorded = read_columns(content, name, _layout(content, name, mapping), progress)
    phase = None if mapping.states is None else _phases(name, recorded, mapping.states)
    current_a = recorded.channels["current_a"]
    if mapping.positive_current == UNSIGNED and phase is not None:
        negative = current_a < 0
        if negative.any():
            place = (name, int(recorded.row[int(np.argmax(negative))]), recorded.layout.label("current_a"))
            refuse_field(place, "a negative current in a column that is called unsigned", _MAPPING_REMEDY)
        # A resting row keeps its reading, so that a current that flows there is not hidden.
        current_a = np.where(phase == DISCHARGE, -current_a, current_a)
    elif mapping.positive_current == DISCHARGES:
        current_a = -current_a
    channels = {**recorded.channels, "current_a": current_a + 0.0}
    recorded = Recorded(recorded.layout, recorded.row, channels, recorded.words, recorded.steps)
    if phase is not None:
        check_signs(name, recorded, phase)
    return recorded, phase


def describe_mapping(source: Source, mapping: ColumnMapping) -> Source:
    """The source with what the mapping states: its digest is declared, its sentence goes with every result."""
    declared = (*source.declared, ("mapping_sha256", mapping.digest().hex()))
    return replace(source, format=FORMAT, declared=declared, caveats=(*source.caveats, mapping.sentence()))


def _layout(content: bytes, name: str, mapping: ColumnMapping) -> Layout:
    rows = first_rows(content, name, mapping.dialect, mapping.header_row)
    if len(rows) < mapping.header_row:
        refuse_file(
            name, f"{len(rows)} row(s), the headings are said to be in row {mapping.header_row}", _MAPPING_REMEDY
        )
    fields = rows[-1]
    columns = []
    for one in mapping.columns:
        unit = unit_of_symbol(one.unit)
        if unit is not None:
            columns.append(Column(QUANTITIES[one.quantity], _place(name, fields, one.heading), one.heading, unit))
    texts: tuple[TextColumn, ...] = ()
    if mapping.states is not None:
        heading = mapping.states.heading
        texts = (TextColumn(_STATE, _place(name, fields, heading), heading),)
    return Layout(FORMAT, len(fields), tuple(columns), texts, mapping.header_row, dialect=mapping.dialect)


def _place(name: str, fields: list[str], heading: str) -> int:
    if fields.count(heading) != 1:
        shown = quote(", ".join(fields))
        what = f"heading '{heading}' occurs {fields.count(heading)} times among {shown}"
        refuse_file(name, what, _MAPPING_REMEDY)
    return fields.index(heading)


def _phases(name: str, recorded: Recorded, states: States) -> Integers:
    words = recorded.words[_STATE]
    known = dict.fromkeys(states.charge, CHARGE)
    known |= dict.fromkeys(states.discharge, DISCHARGE)
    known |= dict.fromkeys(states.rest, REST)
    for code, word in enumerate(words.vocabulary):
        if word not in known:
            row = int(recorded.row[int(np.argmax(words.codes == code))])
            what = f"{quote(word)} is no state that the mapping knows"
            refuse_field((name, row, states.heading), what, "add it to charge, discharge or rest in the mapping")
    by_code = np.array([known[word] for word in words.vocabulary] or [REST], dtype=np.int64)
    return by_code[words.codes]
