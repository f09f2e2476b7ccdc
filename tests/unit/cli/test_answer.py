"""Answers fit the terminal, cannot steer it, and survive one that knows few letters."""

from __future__ import annotations

import io
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.cli.answer import WIDTH, Answer, Table, present, print_lines, printable, progress_shown, reporter, wrap

SENTENCES = st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), min_size=1, max_size=60).map(" ".join)
CELLS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=120)


@pytest.mark.slow
@given(SENTENCES, st.integers(0, 8))
def test_wrapping_loses_no_word_and_keeps_to_the_width(sentence: str, indent: int) -> None:
    """A long line is broken at spaces only, and continues further in."""
    wrapped = wrap(" " * indent + sentence, WIDTH)

    assert sentence.split() == wrapped.split()
    assert all(len(line) <= WIDTH for line in wrapped.splitlines())


def test_a_continuation_stands_under_its_column() -> None:
    """The second line of a cell of a list begins where its first does."""
    first, second = wrap("  6  Key           holds  " + "word " * 14, WIDTH).splitlines()

    assert first.index("word") == second.index("word")


@pytest.mark.parametrize("command", ["  cellvow attest X --from " + "0" * 70, "python3 v.pyz " + "x" * 80])
def test_a_command_is_never_broken(command: str) -> None:
    """What is to be copied stays on one line."""
    assert command == wrap(command, WIDTH)


def test_a_word_that_cannot_fit_does_not_tear_its_line() -> None:
    """An address longer than its column stays beside its name."""
    line = "  owner's view:     http://127.0.0.1:1234/" + "k" * 60

    assert line == wrap(line, WIDTH)


@pytest.mark.slow
@given(st.lists(st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=4))
def test_any_table_fits_eighty_columns(rows: list[tuple[str, str, str]]) -> None:
    """Whatever stands in the cells."""
    from rich.cells import cell_len

    stream = io.StringIO()
    previous, sys.stdout = sys.stdout, stream
    try:
        print_lines([Table(("one", "two", "three"), tuple(rows), indent=2)])
    finally:
        sys.stdout = previous

    assert all(cell_len(line) <= WIDTH for line in stream.getvalue().splitlines())


@given(st.text())
def test_nothing_printed_can_steer_a_terminal(text: str) -> None:
    """No escape, no carriage return, no override of the writing direction gets through."""
    assert all(character.isprintable() or character == "\n" for character in printable(text))


def test_letters_the_terminal_lacks_become_question_marks(monkeypatch: pytest.MonkeyPatch) -> None:
    """A name in another alphabet is no failure on an old terminal."""
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    print_lines(["Prüfstelle", Table(("Größe",), (("3 mΩ",),))])
    stream.seek(0)
    said = stream.read()

    assert "Pr?fstelle" in said
    assert "3 m?" in said


def test_a_document_is_one_line_of_ascii_json(capsys: pytest.CaptureFixture[str]) -> None:
    """Scripts read it whatever their encoding; `ok` says whether all is well."""
    present(Answer({"name": "Prüfstelle"}), as_json=True)
    present(Answer({}, exit_code=5), as_json=True)
    good, bad = capsys.readouterr().out.splitlines()

    assert good.isascii()
    assert json.loads(good) == {"name": "Prüfstelle", "ok": True}
    assert json.loads(bad) == {"ok": False}


def test_progress_and_commentary_stay_out_of_pipes_and_documents(capsys: pytest.CaptureFixture[str]) -> None:
    """A bar is drawn on a terminal only; commentary would spoil a document."""
    with progress_shown("long", as_json=False) as progress:
        progress(1, 2)
    reporter(as_json=True)("a line")
    said = capsys.readouterr()

    assert ("", "") == (said.out, said.err)


class _Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("no_color", [True, False])
def test_no_color_is_respected(no_color: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """With NO_COLOR a terminal gets no colour; the control without it shows that one would be seen."""
    terminal = _Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", "1")
    with progress_shown("reading", as_json=False) as progress:
        progress(1, 2)

    assert "reading" in terminal.getvalue()
    assert no_color is not ("[38;" in terminal.getvalue() or "\x1b[3" in terminal.getvalue())
