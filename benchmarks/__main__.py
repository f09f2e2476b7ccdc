"""`python -m benchmarks [--only NAME] [--quick]`: measure, and write docs/results.json and docs/results.md."""

import argparse
import os
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.explanations import EXPLANATIONS
from benchmarks.machine import describe_place
from benchmarks.measured import Measured, encode_results, locate, merge, read_results
from benchmarks.registry import choose, row_names
from benchmarks.rendering import number, render
from cellvow.core.primitives.errors import CellvowError, OperationalError

ROOT = Path(__file__).resolve().parent.parent
DOCS, SCRATCH = ROOT / "docs", ROOT / ".cache" / "bench"
PEERS = Path(__file__).parent / "peers.md"


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure what was asked for; with `--quick` nothing is written, since such numbers mean nothing."""
    options = _parse(arguments)
    if options.render:
        write_page(read_results(DOCS / "results.json"))
        return 0
    if not choose(options.only):
        sys.stderr.write(f"there is no row {options.only}; there are: {', '.join(row_names())}\n")
        return 2
    try:
        rows = measure(options.only, is_quick=options.quick)
    except CellvowError as error:
        sys.stderr.write(f"\nthe benchmark stopped: {error}\n")
        return 1
    if not options.quick:
        merged = merge(read_results(DOCS / "results.json"), rows, row_names())
        (DOCS / "results.json").write_bytes(encode_results(merged))
        write_page(merged)
        sys.stdout.write("written: docs/results.json, docs/results.md\n")
    return 0


def measure(only: str | None, *, is_quick: bool) -> list[Measured]:
    """The rows asked for; says each as soon as it is found, and at the end what this machine could not measure.

    Raises `OperationalError` where nothing that was asked for can be measured here.
    """
    SCRATCH.mkdir(parents=True, exist_ok=True)
    bench, place = Bench(SCRATCH, is_quick), describe_place(SCRATCH)
    rows: list[Measured] = []
    left_out: list[str] = []
    try:
        for benchmark in choose(only):
            missing = benchmark.missing(os.environ)
            if missing is not None:
                left_out.append(f"left out: {', '.join(benchmark.names)}: {missing}")
                continue
            bench.label = benchmark.names[0]
            found = [locate(row, place) for row in benchmark.measure(bench)]
            rows += [row for row in found if only in (None, row.name)]
            for row in found:
                sys.stdout.write(_line(row) + "\n")
                sys.stdout.flush()
    finally:
        shutil.rmtree(SCRATCH, ignore_errors=True)
    if left_out and not rows:
        raise OperationalError("\n".join(left_out))
    # Figures from an earlier run stay on the page, each with the date it was measured on.
    sys.stdout.writelines(f"{line}\n" for line in left_out)
    return rows


def write_page(rows: Sequence[Measured]) -> None:
    """Write docs/results.md from the rows alone."""
    page = render(rows, EXPLANATIONS, PEERS.read_text(encoding="utf-8"))
    (DOCS / "results.md").write_text(page, encoding="utf-8")


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--only", metavar="NAME", help="measure one row, and replace it alone")
    parser.add_argument(
        "--quick", action="store_true", help="small and twice only, to see that it runs; writes nothing"
    )
    parser.add_argument("--render", action="store_true", help="write the page anew from the results there are")
    return parser.parse_args(arguments)


def _line(row: Measured) -> str:
    missed = [goal.text for goal in row.goals if not goal.met]
    verdict = "missed: " + "; ".join(missed) if missed else "goals met"
    return f"{row.name:32} {number(row.value):>10} {row.unit:12} ratio {number(row.ratio):>6}  {verdict}".ljust(79)


if __name__ == "__main__":
    sys.exit(main())
