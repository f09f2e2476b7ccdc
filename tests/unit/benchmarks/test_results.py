"""The results file and its page: one form, one place for each name, and nothing on the page that is not in the file."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from benchmarks.__main__ import PEERS, main
from benchmarks.explanations import EXPLANATIONS
from benchmarks.machine import find_file_system
from benchmarks.measured import (
    Found,
    Measured,
    Part,
    Place,
    Spread,
    Table,
    at_least,
    at_most,
    encode_results,
    locate,
    merge,
    parse_results,
    ratio_of,
    read_results,
)
from benchmarks.registry import BENCHMARKS, choose, row_names
from benchmarks.rendering import number, render
from cellvow.core.primitives.errors import Malformed

DOCS = Path(__file__).resolve().parents[3] / "docs"
PLACE = Place("a machine", "some versions", "2026-11-24")


def found(name: str = "ledger.single", value: float = 3_000.0, *, ratio: float = 0.5) -> Found:
    """A row with a bound."""
    return Found(
        name=name,
        value=value,
        unit="events/s",
        n=5,
        spread=Spread(value - 1, value + 1),
        ratio=ratio,
        bound=Part("what is possible", 6_000.0, "events/s"),
        goals=(at_least("ratio", ratio, 0.6), at_most("ratio", ratio, 1)),
        setting="on a ledger",
    )


def row(name: str = "ledger.single", value: float = 3_000.0) -> Measured:
    """The same, located."""
    return locate(found(name, value), PLACE)


def test_rows_come_back_as_they_were_written() -> None:
    """The file is the one source of the page."""
    rows = [row(), row("fsck", 1_234.5678)]

    assert rows == parse_results(encode_results(rows))


def test_a_row_says_how_to_measure_it_again_and_where_it_was_measured() -> None:
    """Command, machine, versions and date stand in every row."""
    located = row()

    assert ("make bench ONLY=ledger.single", "a machine", "some versions", "2026-11-24") == (
        located.command,
        located.machine,
        located.version,
        located.date,
    )


def test_one_row_measured_anew_replaces_itself_alone() -> None:
    """The others keep their values, and the order is the page's; a benchmark that is gone goes from the file."""
    known = [row("a", 1.0), row("b", 2.0), row("gone", 3.0)]

    merged = merge(known, [row("b", 20.0), row("c", 30.0)], ["a", "b", "c"])

    assert [("a", 1.0), ("b", 20.0), ("c", 30.0)] == [(one.name, one.value) for one in merged]


@pytest.mark.parametrize(
    "change",
    [
        {"peer": {"title": "a peer too", "value": 1.0, "unit": "x"}},
        {"bound": None},
        {"value": "fast"},
        {"surprise": 1},
    ],
)
def test_a_file_of_another_form_is_refused(change: dict[str, object]) -> None:
    """A bound or a peer, never both or none; no field that nobody knows."""
    document = {**msgspec.to_builtins(row()), **change}

    with pytest.raises(Malformed):
        parse_results(msgspec.json.encode([document]))


def test_a_name_that_stands_twice_is_refused() -> None:
    """Which of the two would count?"""
    with pytest.raises(Malformed, match="twice"):
        parse_results(encode_results([row(), row()]))


def test_a_missed_goal_is_called_missed() -> None:
    """The page does not hide what was not reached, and shows what people found."""
    page = render([row()], {"ledger.single": "The interpreter holds it back."}, "## What others publish")

    assert "ratio at least 0.6: **missed**; ratio at most 1: met" in page
    assert "The interpreter holds it back." in page
    assert "what is possible: 6,000 events/s" in page


def test_a_table_stands_below_its_row() -> None:
    """Choices that were compared have a line each, in the form of the page's other tables."""
    grid = Table(("setting", "p95 ms"), (("`pace`", "210"), ("`recheck`", "390")))
    located = locate(msgspec.structs.replace(found(), table=grid), PLACE)

    assert "| setting | p95 ms |\n| --- | --- |\n| `pace` | 210 |\n| `recheck` | 390 |\n" in render([located], {}, "")
    assert [located] == parse_results(encode_results([located]))


def test_the_ratio_is_that_of_the_medians() -> None:
    """One wild run moves neither."""
    assert 0.5 == ratio_of([1.0, 2.0, 900.0], [4.0, 3.0, 5.0])


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (1_234_567.8, "1,234,568"), (123.4, "123"), (12.34, "12.3"), (1.234, "1.23"), (0.0123, "0.012")],
)
def test_numbers_show_what_they_mean(value: float, text: str) -> None:
    """No digits that no stopwatch gives."""
    assert text == number(value)


def test_every_row_belongs_to_one_benchmark_and_can_be_chosen() -> None:
    """`ONLY=name` finds exactly the measurement that gives the row."""
    names = row_names()

    assert len(names) == len(dict.fromkeys(names))
    assert all([name in one.names for one in choose(name)] == [True] for name in names)
    assert list(BENCHMARKS) == choose(None)
    assert all(name in names for name in EXPLANATIONS)


def test_an_unknown_row_is_refused_with_the_names_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """A misspelt name measures nothing."""
    assert 2 == main(["--only", "ledger.singel"])
    assert "ledger.single" in capsys.readouterr().err


def test_the_page_is_the_one_the_results_give() -> None:
    """docs/results.md is rendered from docs/results.json, the explanations and the peers, and from nothing else."""
    expected = render(read_results(DOCS / "results.json"), EXPLANATIONS, PEERS.read_text(encoding="utf-8"))

    assert expected == (DOCS / "results.md").read_text(encoding="utf-8")


def test_the_file_system_is_that_of_the_innermost_mount() -> None:
    """A scratch folder on a memory disk would make every sync a lie: the page names what it was."""
    mounts = "/dev/a / ext4 rw 0 0\ntmpfs /run tmpfs rw 0 0\n/dev/b /run/with\\040space xfs rw 0 0\n"

    assert ["ext4", "tmpfs", "xfs"] == [
        find_file_system(mounts, Path(folder)) for folder in ("/srv/x", "/run/x", "/run/with space/x")
    ]
