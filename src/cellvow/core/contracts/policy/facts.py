"""What is recorded about a policy's facts, and how a recorded value is read as a declared type."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from cellvow.core.contracts.contract import Provenance
from cellvow.core.contracts.policy.calendar import DAY_MAX, DAY_MIN, parse_day, render_day
from cellvow.core.contracts.policy.language import WORD_PATTERN, FactType, Literals
from cellvow.core.primitives.limits import INTEGER_MAX


@dataclass(frozen=True, slots=True)
class Stated:
    """One value of a fact: who stated it (None: whoever asks), or why it is missing where `value` is None.

    An integer is an int, a truth value a bool, a word and a date (`YYYY-MM-DD`) are text.
    """

    value: Literals | None
    provenance: Provenance | None = None
    missing: str = ""


Facts: TypeAlias = Mapping[str, Sequence[Stated]]
"""Name -> what is recorded, in any order. No entry: nothing is known; of a list, an empty entry: it is empty."""


@dataclass(frozen=True, slots=True)
class Reading:
    """A value to compute with (dates as days), or None with the reason why there is none."""

    value: Literals | None
    reason: str = ""


def sort_stated(stated: Sequence[Stated]) -> tuple[Stated, ...]:
    """The one order of what is recorded: by statement and message, then by value."""
    return tuple(sorted(stated, key=_order))


def read_stated(stated: Stated, fact_type: FactType) -> Reading:
    """The recorded value as one of the declared type."""
    value = stated.value
    if value is None:
        return Reading(None, stated.missing or "not recorded")
    if fact_type.kind == "date":
        day = parse_day(value) if isinstance(value, str) else None
        return _wrong(fact_type, value) if day is None else Reading(day)
    if fact_type.kind == "word":
        fits = isinstance(value, str) and re.fullmatch(WORD_PATTERN, value) is not None
        return Reading(value) if fits and value in (fact_type.words or (value,)) else _wrong(fact_type, value)
    if isinstance(value, bool) == (fact_type.kind == "boolean") and isinstance(value, int):
        return bound_number(value, fact_type.kind)
    return _wrong(fact_type, value)


def read_single(stated: Sequence[Stated] | None, fact_type: FactType) -> Reading:
    """The one value of a fact; statements that differ cannot both be believed, so neither is."""
    readings = [read_stated(one, fact_type) for one in stated or ()]
    if not readings:
        return Reading(None, "not recorded")
    for reading in readings:
        if reading.value is None:
            return reading
        if reading.value != readings[0].value:
            return Reading(None, "statements differ")
    return readings[0]


def bound_number(value: int, kind: str) -> Reading:
    """A computed number, unless it is beyond what the language can express."""
    least, most = (DAY_MIN, DAY_MAX) if kind == "date" else (-INTEGER_MAX, INTEGER_MAX)
    return Reading(value) if least <= value <= most else Reading(None, f"the {kind} is out of range")


def render_value(value: Literals, kind: str) -> str:
    """A value that was read or computed, as the language writes it."""
    if kind == "date":
        return render_day(int(value))
    if kind == "boolean":
        return "true" if value else "false"
    return f'"{value}"' if kind == "word" else str(value)


def _wrong(fact_type: FactType, value: object) -> Reading:
    declared = "one of its words" if fact_type.words else fact_type.kind
    recorded = ascii(value)[:40] if isinstance(value, str) else f"of type {type(value).__name__}"
    return Reading(None, f"declared {declared}, recorded {recorded}")


def _order(stated: Stated) -> tuple[str, int, str, str, str, str]:
    source, value = stated.provenance, stated.value
    statement, index, salt = (source.statement, source.index, source.salt or "") if source else ("", -1, "")
    spelled = f"{value:x}" if isinstance(value, int) else ascii(value)  # decimal spelling of a huge integer can fail
    return statement, index, salt, type(value).__name__, spelled, stated.missing
