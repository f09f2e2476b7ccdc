"""Sheets on the command line: judged row by row, then signed for in batches that can be gone on with."""

import dataclasses
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cellvow.cli.answer import Answer, Table, progress_shown
from cellvow.cli.bundles import read_bounded
from cellvow.cli.options import WorkspaceOptions, opened_workspace

if TYPE_CHECKING:
    from cellvow.node.home import LedgerSession
    from cellvow.workspace.bulk_jobs import BulkJobs, SheetSeen
    from cellvow.workspace.bulk_records import LineSeen
    from cellvow.workspace.workspace import Workspace

LINES_SHOWN = 40
_PAGE = 1_000
_WORDS = {
    "ready": "ready to be signed",
    "already": "there already: nothing to do",
    "recorded": "recorded on the ledger",
    "rejected": "rejected by the ledger",
    "claimed": "kept as a claim against the registers",
    "left": "not sent: the ledger has changed meanwhile",
}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SheetToImport(WorkspaceOptions):
    """Options of the commands that take a sheet."""

    file: Annotated[Path, typer.Argument(metavar="FILE", exists=True, dir_okay=False, help="The sheet, as CSV.")]
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Judge the rows and sign nothing.")] = False
    only_ready: Annotated[bool, typer.Option("--only-ready", help="Sign for the sound rows, leave the others.")] = False
    results: Annotated[
        Path | None, typer.Option(metavar="FILE", dir_okay=False, help="Write every row's result to FILE, as CSV.")
    ] = None


def import_sheet(options: SheetToImport, kind: str) -> Answer:
    """Judge the sheet; sign for it unless that was a dry run or a row has a fault."""
    from cellvow.workspace.sheet import SHEET_BYTES_MAX

    data = read_bounded(options.file, SHEET_BYTES_MAX)
    with opened_workspace(options.workspace) as workspace, _opened_jobs(workspace) as jobs:
        begun = None if options.dry_run else jobs.unfinished(kind, data)
        seen = begun or _review(options, jobs, kind, data)
        is_signing = not options.dry_run and (begun is not None or options.only_ready or not seen.faults)
        if is_signing:
            with progress_shown("signing", as_json=options.as_json) as progress:
                seen = jobs.execute(seen.record.sheet, progress)
        lines = _every(jobs, seen)
        if options.results is not None:
            with options.results.open("wb") as out:
                out.writelines(jobs.results(seen.record.sheet))
    return _answer(options, seen, lines, is_signing=is_signing)


def _review(options: SheetToImport, jobs: "BulkJobs", kind: str, data: bytes) -> "SheetSeen":
    with progress_shown("judging", as_json=options.as_json) as progress:
        return jobs.review(kind, options.file.name, data, progress)


@contextmanager
def _opened_jobs(workspace: "Workspace") -> Iterator["BulkJobs"]:
    """The sheets of a workspace; the ledger is opened with the first statement and kept until the end."""
    from cellvow.cli.writing import publish
    from cellvow.workspace.bulk_jobs import BulkJobs
    from cellvow.workspace.clock import now_ms

    with ExitStack() as stack:
        sessions: list[LedgerSession] = []

        @contextmanager
        def turn() -> "Iterator[LedgerSession]":
            if not sessions:
                sessions.append(stack.enter_context(workspace.home().open_session(now_ms)))
            yield sessions[0]

        def publish_all() -> None:
            if sessions:
                publish(sessions[0])

        jobs = BulkJobs(workspace, turn, now_ms, publish_all)
        stack.callback(jobs.close)
        yield jobs


def _every(jobs: "BulkJobs", seen: "SheetSeen") -> "list[LineSeen]":
    lines: list[LineSeen] = []
    while True:
        page = jobs.lines(seen.record.sheet, "all", lines[-1].line if lines else 0, _PAGE)
        lines += page
        if len(page) < _PAGE:
            return lines


def _answer(options: SheetToImport, seen: "SheetSeen", lines: "list[LineSeen]", *, is_signing: bool) -> Answer:
    from cellvow.workspace.bulk_jobs import line_document

    counts = [f"  {count:>7,}  {_WORDS[word]}" for word, count in sorted(seen.counts.items()) if word in _WORDS]
    counts += [f"  {seen.faults:>7,}  with a fault"] if seen.faults else []
    troubled = [one for one in lines if (one.result or one.verdict) not in ("ready", "already", "recorded")]
    document = {
        "counts": seen.counts,
        "encoding": seen.record.encoding,
        "lines": [line_document(one) for one in lines],
        "sheet": seen.record.sheet,
        "signed": is_signing,
        "state": seen.record.state,
        "unused": seen.record.unused,
    }
    text: list[str | Table] = [f"{options.file.name}: {seen.rows:,} rows ({seen.record.encoding}).", *counts]
    if seen.record.unused:
        text.append(f"Columns that were not read: {seen.record.unused}")
    if troubled:
        text.append(Table(("line", "battery", "what is wrong, and what to do"), _troubles(troubled[:LINES_SHOWN])))
    if len(troubled) > LINES_SHOWN:
        text.append(f"{len(troubled) - LINES_SHOWN:,} more rows are like that: --results FILE writes them all.")
    text.append(_next_step(options, seen, is_signing=is_signing))
    return Answer(document, text, 1 if troubled else 0)


def _troubles(lines: "list[LineSeen]") -> tuple[tuple[str, ...], ...]:
    from cellvow.workspace.bulk_jobs import result_row

    rows = []
    for one in lines:
        line, subject, _, _, remedy, _, _, code, told = result_row(one)
        rows.append((line, subject, remedy or f"{told} ({code})" if code or remedy else f"kept as dispute {told}"))
    return tuple(rows)


def _next_step(options: SheetToImport, seen: "SheetSeen", *, is_signing: bool) -> str:
    if is_signing:
        return f"What was recorded: {seen.counts.get('recorded', 0):,} rows."
    if options.dry_run:
        return "This was a dry run: nothing is signed. Without --dry-run the rows that are ready are signed for."
    return "Nothing is signed. Mend the rows and try again, or leave them out with --only-ready."
