"""What a command answers - a document for scripts, words and tables for people - and how it reaches the terminal."""

import json
import re
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_COMMAND = re.compile(r" *(?:cellvow|python3) ")
_LAST_COLUMN = re.compile(r".*\S {2,}(?=\S)")

WIDTH = 80
"""Columns that every table fits."""
Report = Callable[[str], None]
"""Takes one line for the person who watches."""
Progress = Callable[[int, int], None]
"""(done, in all)."""


@dataclass(frozen=True, slots=True)
class Table:
    """Rows under headings; a cell that does not fit is wrapped, never cut."""

    headings: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    indent: int = 0


@dataclass(frozen=True, slots=True)
class Answer:
    """A command's result: `document` for `--json`, `text` for people.

    A command that stays up does so in `stay_up`, and calls what it is given as soon as it is up: only then is the
    answer shown, so that whoever reads it may interrupt.
    """

    document: Mapping[str, object]
    text: Sequence[str | Table] = field(default=())
    exit_code: int = 0
    stay_up: Callable[[Callable[[], None]], None] | None = None


def present(answer: Answer, *, as_json: bool) -> None:
    """Write the answer to standard output."""
    if as_json:
        print_document({"ok": answer.exit_code == 0, **answer.document})
    else:
        print_lines(answer.text)


def print_document(document: Mapping[str, object]) -> None:
    """Write one JSON document on one line."""
    sys.stdout.write(json.dumps(document, sort_keys=True) + "\n")
    sys.stdout.flush()


def print_lines(lines: Sequence[str | Table], *, to_errors: bool = False) -> None:
    """Write lines and tables for people, wrapped to the width of the terminal."""
    stream = sys.stderr if to_errors else sys.stdout
    width = _width(stream)
    for line in lines:
        if isinstance(line, Table):
            _write(stream, _draw(line, _console(stream, width)))
        else:
            _write(stream, wrap(printable(line), width) + "\n")
    stream.flush()


def reporter(*, as_json: bool) -> Report:
    """Where running commentary goes: to the terminal line by line, nowhere when a document is wanted."""
    return (lambda _: None) if as_json else (lambda line: print_lines([line]))


@contextmanager
def progress_shown(title: str, *, as_json: bool) -> Iterator[Progress]:
    """A bar on the error stream while something long runs; none where that stream is no terminal."""
    if as_json or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.progress import Progress as Bars

    with Bars(console=_console(sys.stderr, _width(sys.stderr)), transient=True) as bars:
        task = bars.add_task(title, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)


def printable(text: str) -> str:
    """The text without control characters: what others wrote must not steer a terminal."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)


def wrap(text: str, width: int) -> str:
    """The line broken at spaces, its continuations under its last column.

    Commands stay whole, to be copied; so does a line with a word that does not fit beside its column.
    """
    if len(text) <= width or _COMMAND.match(text):
        return text
    column = _LAST_COLUMN.match(text[: width // 2])
    hanging = column.end() if column else len(text) - len(text.lstrip()) + 2
    if max(map(len, text.split())) > width - hanging:
        return text
    return textwrap.fill(text, width, subsequent_indent=" " * hanging, break_long_words=False, break_on_hyphens=False)


def _write(stream: TextIO, text: str) -> None:
    """Letters that the terminal's encoding lacks become question marks, not a failure."""
    encoding = stream.encoding or "utf-8"
    stream.write(text.encode(encoding, "replace").decode(encoding))


def _width(stream: TextIO) -> int:
    if not stream.isatty():
        return WIDTH
    import shutil

    return max(40, min(shutil.get_terminal_size().columns, 100))


def _console(stream: TextIO, width: int) -> "Console":
    from rich.console import Console

    return Console(file=stream, width=width, markup=False, highlight=False, emoji=False)


def _draw(table: Table, console: "Console") -> str:
    from rich.box import SIMPLE_HEAD
    from rich.padding import Padding
    from rich.table import Table as RichTable

    drawn = RichTable(box=SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for heading in table.headings:
        drawn.add_column(heading, overflow="fold")
    for row in table.rows:
        drawn.add_row(*(printable(cell) for cell in row))
    with console.capture() as capture:
        console.print(Padding(drawn, (0, 0, 0, table.indent), expand=False))
    return "".join(f"{line.rstrip()}\n" for line in capture.get().splitlines())
