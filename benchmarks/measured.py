"""What a benchmark found, as it stands in docs/results.json."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from cellvow.core.primitives.errors import Malformed

RESULTS_FORM = "docs/results.json"


class Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A number that the result rests on, or that a reader would ask for next."""

    title: str
    value: float
    unit: str


class Spread(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lowest and highest of the runs whose median is the value, unless `of` says otherwise."""

    low: float
    high: float
    of: str = "runs"


class Goal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What was aimed at, and whether it was reached."""

    text: str
    met: bool


class Table(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a row found about several choices: a heading, and a line for each, as they stand on the page."""

    heading: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]


class Found(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """One row: the value, what it is measured against in the same run, and the goals."""

    name: str
    value: float
    unit: str
    n: int
    spread: Spread
    ratio: float
    setting: str
    goals: tuple[Goal, ...]
    bound: Part | None = None
    peer: Part | None = None
    parts: tuple[Part, ...] = ()
    table: Table | None = None


class Measured(Found, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """A row with where and when it was found."""

    command: str
    machine: str
    version: str
    date: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where and when a run takes place."""

    machine: str
    version: str
    date: str


def at_least(what: str, value: float, least: float) -> Goal:
    """The goal that a value reaches a threshold."""
    return Goal(f"{what} at least {least:,g}", value >= least)


def at_most(what: str, value: float, most: float) -> Goal:
    """The goal that a value stays at or below a threshold."""
    return Goal(f"{what} at most {most:,g}", value <= most)


def spread_of(values: Sequence[float], of: str = "runs") -> Spread:
    """The lowest and the highest."""
    return Spread(min(values), max(values), of)


def ratio_of(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Ratio of the medians of two series from the same run."""
    return median(ours) / median(theirs)


def locate(found: Found, place: Place) -> Measured:
    """The row with its command, machine, versions and date; values rounded to what a stopwatch can mean."""
    document: dict[str, Any] = msgspec.to_builtins(found)
    command = f"make bench ONLY={found.name}"
    located = {**document, "command": command, "machine": place.machine, "version": place.version, "date": place.date}
    return msgspec.convert(_rounded(located), Measured)


def parse_results(data: bytes) -> list[Measured]:
    """The rows of a results file; raises `Malformed` for another form, a repeated name, or both bound and peer."""
    try:
        rows = msgspec.json.decode(data, type=list[Measured])
    except msgspec.DecodeError as error:
        raise Malformed(f"{RESULTS_FORM} does not hold results in their form: {error}") from error
    names = [row.name for row in rows]
    if len(dict.fromkeys(names)) != len(names):
        raise Malformed(f"{RESULTS_FORM} names a result twice")
    for row in rows:
        if (row.bound is None) == (row.peer is None):
            raise Malformed(f"{RESULTS_FORM}: {row.name} has a bound or a peer, and not both")
    return rows


def encode_results(rows: Sequence[Measured]) -> bytes:
    """A results file, indented for people."""
    return msgspec.json.format(msgspec.json.encode(list(rows)), indent=2) + b"\n"


def merge(known: Sequence[Measured], new: Sequence[Measured], order: Sequence[str]) -> list[Measured]:
    """The rows known with the new ones in their places, in the order of `order`; a name that it lacks is dropped."""
    rows = {row.name: row for row in (*known, *new)}
    return [rows[name] for name in order if name in rows]


def read_results(path: Path) -> list[Measured]:
    """The rows of a file, none where there is no file yet."""
    return parse_results(path.read_bytes()) if path.is_file() else []


def _rounded(value: Any) -> Any:  # noqa: ANN401 - a JSON document of any shape
    if isinstance(value, float):
        return float(f"{value:.4g}") if abs(value) < 10_000 else float(round(value))
    if isinstance(value, dict):
        return {key: _rounded(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_rounded(one) for one in value]
    return value
