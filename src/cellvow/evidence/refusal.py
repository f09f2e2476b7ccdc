"""How a measurement file is refused: the file, the row as an editor counts it, the field, and the remedy."""

from typing import Never

from cellvow.core.primitives.errors import Malformed


def refuse_file(name: str, what: str, remedy: str) -> Never:
    """Raise `Malformed` for a whole file: what is wrong with it and what to do."""
    raise Malformed(printable(f"{name}: {what}; {remedy}"))


def refuse_row(name: str, row: int, what: str, remedy: str) -> Never:
    """Raise `Malformed` for one row, counted from 1 with the header as row 1."""
    raise Malformed(printable(f"{name}, row {row}: {what}; {remedy}"))


def refuse_field(place: tuple[str, int, str], what: str, remedy: str) -> Never:
    """Raise `Malformed` for one field; `place` is (file name, row, field as the header names it)."""
    name, row, field = place
    raise Malformed(printable(f"{name}, row {row}, field '{field}': {what}; {remedy}"))


def printable(text: str) -> str:
    """`text` without control characters: names and headings of a file must not steer a terminal."""
    return "".join(character if character.isprintable() else "?" for character in text)


def quote(text: str) -> str:
    """`text` short and printable enough to stand in an error message."""
    shown = text if len(text) <= 40 else text[:37] + "..."
    return ascii(shown)
