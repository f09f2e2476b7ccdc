"""docs/results.md, from docs/results.json and what people wrote about it."""

from collections.abc import Mapping, Sequence
from itertools import groupby

from benchmarks.measured import Measured, Part, Table

_HEAD = """# What it costs, measured

Written by `make bench` from [results.json](results.json); do not edit. `make bench ONLY=name` measures one row again.
Each value is the median of its runs. What it is compared with, a bound or a peer, was measured on the same machine in
the same run, in turn with it; the ratio is value / bound or value / peer. A goal that is missed says so, and below the
table stands what holds it back.
"""


def render(rows: Sequence[Measured], explanations: Mapping[str, str], peers: str) -> str:
    """The page: one table, the details of each row, what others publish."""
    parts = [_HEAD, _table(rows), _places(rows), "## The rows\n"]
    parts += [_details(row, explanations.get(row.name)) for row in rows]
    parts.append(peers.strip() + "\n")
    return "\n".join(parts)


def number(value: float) -> str:
    """A number as a person reads it: three or more digits that mean something, thousands apart."""
    if value == 0 or abs(value) >= 1_000:
        return f"{value:,.0f}"
    digits = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    return f"{value:.{digits}f}" if abs(value) >= 0.1 else f"{value:.2g}"


def _table(rows: Sequence[Measured]) -> str:
    lines = ["| what | value | runs | against | ratio | goals |", "|---|---|---|---|---|---|"]
    for row in rows:
        spread = f"{number(row.spread.low)} to {number(row.spread.high)} in {row.n} {row.spread.of}"
        goals = "; ".join(f"{goal.text}: {'met' if goal.met else '**missed**'}" for goal in row.goals)
        against = _against(row)
        cells = [f"`{row.name}`", f"{number(row.value)} {row.unit}", spread, _part(against), number(row.ratio), goals]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _places(rows: Sequence[Measured]) -> str:
    def place(row: Measured) -> tuple[str, str, str]:
        return row.machine, row.version, row.date

    lines = []
    for (machine, version, date), group in groupby(sorted(rows, key=place), key=place):
        names = ", ".join(f"`{row.name}`" for row in group)
        lines.append(f"- {date}, {machine}; {version}: {names}")
    return "Where and when:\n\n" + "\n".join(lines) + "\n"


def _details(row: Measured, explanation: str | None) -> str:
    lines = [f"### `{row.name}`\n", f"{_sentence(row.setting)}\n"]
    lines += [f"- {_part(part)}" for part in row.parts]
    lines += [""] if row.parts else []
    lines += [] if row.table is None else [_grid(row.table)]
    if explanation is not None:
        lines.append(explanation.strip() + "\n")
    return "\n".join(lines)


def _grid(table: Table) -> str:
    rule = tuple("---" for _ in table.heading)
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (table.heading, rule, *table.lines)) + "\n"


def _against(row: Measured) -> Part:
    against = row.bound or row.peer
    return against if against is not None else Part("nothing", 0.0, "")


def _part(part: Part) -> str:
    return f"{part.title}: {number(part.value)} {part.unit}"


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:] + "."
