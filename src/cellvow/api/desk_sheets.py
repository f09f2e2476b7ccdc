"""Sheets at the desk: sent, every row judged and shown, then signed for as a job, with its results row by row."""

import re
from collections.abc import Iterator
from typing import Protocol

from fastapi import APIRouter, Request, Response
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from cellvow.api.desk_door import Door, no_page
from cellvow.api.desk_exchange import InMemory
from cellvow.api.desk_units import CSV_UTF8
from cellvow.api.desk_upload import (
    FILE_FORM_BYTES_MAX,
    FILE_TYPE,
    FORM_BYTES_MAX,
    FORM_TYPE,
    Fields,
    FileSink,
    read_form,
    receive_file,
)
from cellvow.api.guard import BodyRule
from cellvow.api.problems import Refusal
from cellvow.core.primitives.errors import Malformed
from cellvow.web import Problem
from cellvow.web.desk_pages import DESK
from cellvow.workspace.bulk import COLUMNS, FAULTS, KINDS
from cellvow.workspace.bulk_jobs import SheetSeen, line_document
from cellvow.workspace.bulk_records import JUDGING, LOST, REVIEWED, RUNNING, SHOWS, STOPPED, LineSeen, SheetRecord
from cellvow.workspace.desk_jobs import plain_file_name
from cellvow.workspace.sheet import SHEET_BYTES_MAX, SHEET_ROWS_MAX

SHEETS = f"{DESK}/sheets"
NUMBER = "[0-9a-f]{16}"
LINES_SHOWN, SHEETS_SHOWN = 50, 20
_NUMBER, _LINE = re.compile(NUMBER + r"\Z"), re.compile(r"[0-9]{1,9}\Z")


class SheetSource(Protocol):
    """Sheets and what becomes of them; blocks."""

    def take(self, kind: str, name: str, data: bytes) -> str:
        """Judge every row, of a large sheet as a job; its number. Signs nothing."""
        ...

    def find(self, sheet: str) -> SheetSeen | None:
        """A sheet."""
        ...

    def sheets(self, limit: int) -> list[SheetRecord]:
        """The newest."""
        ...

    def lines(self, sheet: str, show: str, after: int, limit: int) -> list[LineSeen]:
        """Its rows."""
        ...

    def results(self, sheet: str, show: str = "all") -> Iterator[bytes]:
        """Its rows as CSV."""
        ...

    def start(self, sheet: str) -> None:
        """Sign for the rows that are ready."""
        ...


class SheetPages:
    """The form for a sheet, its rows, its results."""

    def __init__(self, source: SheetSource, door: Door) -> None:
        self._source = source
        self._door = door

    def routes(self) -> APIRouter:
        """Its addresses."""
        router = APIRouter()
        for path, endpoint in (
            (SHEETS, self.form),
            (f"{SHEETS}/{{sheet}}", self.sheet),
            (f"{SHEETS}/{{sheet}}/results.csv", self.results),
        ):
            router.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route(SHEETS, self.receive, methods=["POST"], response_model=None)
        router.add_api_route(f"{SHEETS}/{{sheet}}", self.execute, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> tuple[BodyRule, ...]:
        """A sheet, and the form that has it signed for."""
        return (
            BodyRule("POST", SHEETS, SHEET_BYTES_MAX + FILE_FORM_BYTES_MAX, (FILE_TYPE,)),
            BodyRule("POST", f"{SHEETS}/{NUMBER}", FORM_BYTES_MAX, (FORM_TYPE,)),
        )

    def form(self, request: Request) -> Response:
        """The form for a sheet, and the sheets there were."""
        return self._show_form(request)

    async def receive(self, request: Request) -> Response:
        """Judge a sheet; on to its rows. Nothing is signed."""
        self._door.require_session(request)
        kind = ""
        name = ""

        def open_sink(fields: Fields, file_name: str) -> FileSink:
            nonlocal kind, name
            self._door.require_form(request, fields)
            kind, name = fields.get("kind", ""), plain_file_name(file_name)
            return InMemory()

        received = await receive_file(request, open_sink)
        if not isinstance(received.sink, InMemory):
            raise Refusal(Problem.BAD_REQUEST, detail="no file was chosen")
        return await run_in_threadpool(self._review, request, (kind, name, bytes(received.sink.content)))

    def sheet(self, request: Request, sheet: str) -> Response:
        """Its rows, what was found and what became of them."""
        self._door.require_session(request)
        return self._show_sheet(request, self._find(sheet))

    async def execute(self, request: Request, sheet: str) -> Response:
        """Sign for the rows that are ready, as a job; on to its page."""
        self._door.require_session(request)
        fields = await read_form(request)
        return await run_in_threadpool(self._execute, request, sheet, fields)

    def results(self, request: Request, sheet: str) -> Response:
        """Every row with its result, as CSV."""
        self._door.require_session(request)
        found = self._find(sheet)
        headers = {
            "Content-Disposition": f'attachment; filename="results-{found.record.sheet}.csv"',
            "Cache-Control": "no-store",
        }
        if request.method == "HEAD":
            return Response(b"", 200, headers, CSV_UTF8)
        return StreamingResponse(self._source.results(found.record.sheet), 200, headers, CSV_UTF8)

    def _review(self, request: Request, sent: tuple[str, str, bytes]) -> Response:
        try:
            sheet = self._source.take(*sent)
        except Malformed as error:
            return self._show_form(request, 422, kind=sent[0], fault=str(error))
        return self._door.go_to(request, f"{SHEETS}/{sheet}")

    def _execute(self, request: Request, sheet: str, fields: Fields) -> Response:
        self._door.require_form(request, fields)
        found = self._find(sheet)
        is_open = found.record.state not in (JUDGING, LOST) and (found.ready or found.record.state == STOPPED)
        if is_open:
            self._source.start(found.record.sheet)
        return self._door.go_to(request, f"{SHEETS}/{found.record.sheet}")

    def _show_form(self, request: Request, status: int = 200, **context: object) -> Response:
        self._door.require_session(request)
        asked = request.query_params.get("kind", "")
        known = {
            "kind": asked if asked in KINDS else KINDS[0],
            "kinds": KINDS,
            "columns": COLUMNS,
            "fault": None,
            "sheets": self._source.sheets(SHEETS_SHOWN),
            "limits": (SHEET_ROWS_MAX, SHEET_BYTES_MAX // 1_000_000),
        }
        return self._door.page(request, "desk_sheets.html", status, **known | context)

    def _show_sheet(self, request: Request, seen: SheetSeen) -> Response:
        show, typed = request.query_params.get("show", ""), request.query_params.get("after", "")
        is_fresh = seen.record.state in (JUDGING, LOST, REVIEWED)
        known = show if show in SHOWS else ("faults" if is_fresh and seen.faults else "all")
        after = int(typed) if _LINE.match(typed) else 0
        lines = self._source.lines(seen.record.sheet, known, after, LINES_SHOWN + 1)
        more = lines[LINES_SHOWN - 1].line if len(lines) > LINES_SHOWN else None
        document = sheet_document(seen, lines[:LINES_SHOWN], more)
        context = {"seen": seen, "record": seen.record, "lines": lines[:LINES_SHOWN], "more": more}
        choices = {"show": known, "shows": _offered(seen), "column_of": lambda word: FAULTS.get(word, ("", ""))[0]}
        return self._door.answer(request, "desk_sheet.html", document, **context, **choices)

    def _find(self, sheet: str) -> SheetSeen:
        seen = self._source.find(sheet) if _NUMBER.match(sheet) else None
        if seen is None:
            raise no_page()
        return seen


def sheet_document(seen: SheetSeen, lines: list[LineSeen], after: int | None) -> dict[str, object]:
    """A sheet and a page of its rows for programs."""
    return {
        "after": after,
        "cause": seen.record.cause,
        "counts": seen.counts,
        "encoding": seen.record.encoding,
        "file": seen.record.file,
        "has_ended": seen.record.state not in (JUDGING, RUNNING),
        "kind": seen.record.kind,
        "lines": [line_document(one) for one in lines],
        "permille": seen.permille,
        "rows": seen.rows,
        "sheet": seen.record.sheet,
        "state": seen.record.state,
        "unused": seen.record.unused,
    }


def _offered(seen: SheetSeen) -> tuple[str, ...]:
    """What one can have shown: what there is some of."""
    there = {"all": seen.rows, "faults": seen.faults, **seen.counts}
    return tuple(one for one in SHOWS if there.get(one))
