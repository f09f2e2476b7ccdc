"""A proposed column mapping from a file's headings, for a person to check: what is not certain is left open.

Places left open hold `?`, which no mapping accepts: nothing proposed here is used before somebody has decided.
"""

import json
import re
from collections.abc import Sequence
from pathlib import Path

from cellvow.evidence.importing import read_file
from cellvow.evidence.layout import CHANNELS, Dialect
from cellvow.evidence.mapping import QUANTITIES, VERSION
from cellvow.evidence.refusal import printable, refuse_file
from cellvow.evidence.text_table import first_rows
from cellvow.evidence.units import symbols_of, unit_of_symbol

_LOOKED_AT_BYTES = 200_000
_LOOKED_AT_ROWS = 50
_OPEN = "?"
_DELIMITERS = {",": ",", ";": ";", "\t": "tab", "|": "|"}
_HEADINGS = (
    ("step_time", r"step\W*time.*"),
    ("time", r"(test|total|elapsed|run)?\W*(time|zeit|tempo)"),
    ("voltage", r"(cell|terminal)?\W*(voltage|volts|u|spannung|tens[aã]o|ecell)"),
    ("current", r"(cell)?\W*(current|amps|i|strom|corrente)"),
    ("cycle", r"cycle(\W*(index|number|no|id|count))?"),
    ("step", r"(step|ns)(\W*(index|number|no|id|count))?"),
    ("temperature", r"(cell|surface|aux)?\W*(temperature|temp|temperatur|temperatura)(\W*[1t]+)?"),
    ("discharged", r"(discharge|discharging)\W*capacity"),
)
"""(quantity, what a heading without its unit looks like), the first that fits."""
_ALIASES = {"C": "degC", "sec": "s", "seconds": "s"}
"""What headings write for a unit, and what it is."""
_WITH_UNIT = re.compile(r"(.*?)\s*(?:[\(\[/]\s*([^\s\)\]/]+)\s*[\)\]]?|_([A-Za-z]+))")


def suggest_mapping(path: Path) -> str:
    """TOML text that proposes how the columns of a text file may be read; raises `Malformed` for no such file."""
    content = read_file(path, None)[:_LOOKED_AT_BYTES]
    name = printable(path.name)
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else _encoding(content)
    if encoding != "utf-16" and b"\0" in content:
        refuse_file(name, "this is no text", "only text tables need a column mapping")
    text = content.decode(encoding, "ignore")
    delimiter = _delimiter(text)
    whole_lines = text[: text.rfind("\n") + 1] or text
    rows = first_rows(whole_lines.encode("utf-8"), name, Dialect(delimiter), _LOOKED_AT_ROWS)
    header = _header(rows)
    if header is None:
        refuse_file(name, "no row of headings above rows of numbers was found", "write the mapping by hand")
    decimal = _decimal(rows[header + 1 :], delimiter)
    head = [
        f"# Proposed from the headings of {name}.",
        f"# Check every line; replace every {_OPEN} before use.",
        f"mapping = {VERSION}",
        f"delimiter = {_quoted(_DELIMITERS[delimiter])}",
        f"decimal = {_quoted(decimal)}",
        f"encoding = {_quoted(encoding)}",
        f"header_row = {header + 1}",
        "# A positive current: charge or discharge? unsigned, if a column of states tells.",
        f"positive_current = {_quoted(_OPEN)}",
    ]
    return "\n".join([*head, *_columns(rows[header])]) + "\n"


def _encoding(content: bytes) -> str:
    try:
        content[: content.rfind(b"\n") + 1].decode("utf-8-sig")
    except UnicodeDecodeError:
        return "latin-1"
    return "utf-8"


def _delimiter(text: str) -> str:
    """The sign that occurs equally often, and most often, in most of the first lines."""
    lines = text.splitlines()[:_LOOKED_AT_ROWS]

    def score(sign: str) -> tuple[int, int]:
        counts = [line.count(sign) for line in lines if line.count(sign)]
        usual = max(set(counts), key=counts.count) if counts else 0
        return counts.count(usual) if usual else 0, usual

    return max(_DELIMITERS, key=score)


def _header(rows: Sequence[list[str]]) -> int | None:
    """Place of the last row of words before the first row with mostly numbers of the same width."""
    for place in range(len(rows) - 1):
        below = rows[place + 1]
        if len(rows[place]) == len(below) > 1 and not any(map(_is_number, rows[place])) and any(map(_is_number, below)):
            return place
    return None


def _is_number(text: str) -> bool:
    return re.fullmatch(r"[+-]?\d+([.,]\d+)?([eE][+-]?\d+)?", text) is not None


def _decimal(rows: Sequence[list[str]], delimiter: str) -> str:
    fields = [field for row in rows for field in row if _is_number(field)]
    has_comma = delimiter != "," and any("," in field for field in fields)
    has_point = any("." in field for field in fields)
    if has_comma and has_point:
        return _OPEN
    return "," if has_comma else "."


def _columns(headings: Sequence[str]) -> list[str]:
    lines: list[str] = []
    taken: set[str] = set()
    passed_over = []
    for heading in headings:
        bare, written = _split(heading)
        quantity = next((q for q, pattern in _HEADINGS if re.fullmatch(pattern, bare, re.IGNORECASE)), None)
        if quantity is None or quantity in taken or headings.count(heading) > 1:
            passed_over.append(heading)
            continue
        taken.add(quantity)
        lines += ["", "[[column]]", f"heading = {_quoted(heading)}", f"quantity = {_quoted(quantity)}"]
        dimension = CHANNELS[QUANTITIES[quantity]].dimension
        if dimension != "number":
            lines += [f"# one of {symbols_of(dimension)}", f"unit = {_quoted(_unit(written, dimension))}"]
    for quantity, channel in QUANTITIES.items():
        if CHANNELS[channel].is_required and quantity not in taken:
            lines += ["", "[[column]]", f"heading = {_quoted(_OPEN)}", f"quantity = {_quoted(quantity)}"]
            lines += [f"# one of {symbols_of(CHANNELS[channel].dimension)}", f"unit = {_quoted(_OPEN)}"]
    return [*lines, "", *(f"# not read: {_quoted(heading)}" for heading in passed_over)]


def _split(heading: str) -> tuple[str, str]:
    """(heading without its unit, unit as written or the empty string)."""
    match = _WITH_UNIT.fullmatch(heading)
    if match is None:
        return heading.replace("_", " ").strip(), ""
    written = match[2] or match[3]
    if match[3] and unit_of_symbol(_ALIASES.get(written, written)) is None:
        return heading.replace("_", " ").strip(), ""
    return match[1].replace("_", " ").strip(), written


def _unit(written: str, dimension: str) -> str:
    """The unit as a mapping spells it, or the mark for a place left open."""
    for symbol in (written, _ALIASES.get(written, "")):
        unit = unit_of_symbol(symbol)
        if unit is not None and unit.dimension == dimension:
            return symbol
    return _OPEN


def _quoted(text: str) -> str:
    return json.dumps(printable(text), ensure_ascii=False)
