"""The desk in the browser: what waits, files to import, their jobs, results, and signing for them."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from cellvow.api.desk_door import Door, explain_rejection, no_page
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
from cellvow.api.negotiation import choose_language
from cellvow.api.problems import Refusal
from cellvow.core.ledger.rejection import NotIncludable, Rejected
from cellvow.core.primitives.errors import Malformed
from cellvow.evidence import parse_mapping
from cellvow.evidence.bounds import FILE_BYTES_MAX
from cellvow.passport.digital_link import parse_digital_link
from cellvow.web import Problem
from cellvow.web.desk_pages import DESK, curve_of, measured_of
from cellvow.workspace.desk import DeskView, ImportSeen
from cellvow.workspace.desk_jobs import JobSeen, Upload
from cellvow.workspace.desk_jobs import Wish as ImportWish
from cellvow.workspace.desk_signing import Plan, Wish, suggest_reference
from cellvow.workspace.laboratory import Imported

NUMBER = "[0-9a-f]{32}"
_NUMBER, _JOB = re.compile(NUMBER + r"\Z"), re.compile(r"[0-9a-f]{16}\Z")
_RATED_AH = re.compile(r"[0-9]{1,6}([.,][0-9]{1,3})?\Z")
WISH_FIELDS = ("battery", "reference", "standard", "certificate", "valid_until", "percent")
"""What the form of a signature holds, in its order."""


class JobSource(Protocol):
    """Uploads and their jobs; blocks."""

    def open_upload(self, name: str) -> Upload:
        """A place for a new file; raises `Backpressure` while there is none."""
        ...

    def start(self, upload: Upload, wish: ImportWish) -> str:
        """Import a whole upload; the number of its job."""
        ...

    def job(self, job: str) -> JobSeen | None:
        """How far a job is."""
        ...


class SigningSource(Protocol):
    """Plans and makes signatures; blocks."""

    def plan(self, imported: Imported, wish: Wish, now_ms: int) -> Plan:
        """What a wish comes to."""
        ...

    def sign(self, imported: Imported, wish: Wish, now_ms: int) -> str:
        """Sign it once; its statement."""
        ...


class DeskSource(Protocol):
    """Where the desk's pages get their content from; blocks."""

    @property
    def jobs(self) -> JobSource:
        """Uploads and their jobs."""
        ...

    @property
    def signer(self) -> SigningSource:
        """Signing."""
        ...

    @property
    def clock(self) -> Callable[[], int]:
        """Milliseconds since 1970."""
        ...

    def view(self) -> DeskView:
        """What the first page shows."""
        ...

    def find_import(self, number: str) -> ImportSeen | None:
        """An import, or None."""
        ...

    def rating(self, battery: str) -> tuple[int, int]:
        """Rated capacity (mAh) and nominal voltage (mV) of a battery's model; raises `Malformed`."""
        ...


class DeskPages:
    """The desk's own pages, imports and signatures."""

    def __init__(self, source: DeskSource, door: Door) -> None:
        self._source = source
        self._door = door

    def routes(self) -> APIRouter:
        """Its addresses."""
        router = APIRouter()
        for path, endpoint in (
            (DESK, self.desk),
            (f"{DESK}/import", self.import_form),
            (f"{DESK}/jobs/{{job}}", self.job),
            (f"{DESK}/imports/{{number}}", self.result),
            (f"{DESK}/imports/{{number}}/sign", self.review),
        ):
            router.add_api_route(path, endpoint, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route(f"{DESK}/imports", self.receive, methods=["POST"], response_model=None)
        router.add_api_route(f"{DESK}/imports/{{number}}/sign", self.sign, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """A measurement, and the form of a signature."""
        return (
            BodyRule("POST", f"{DESK}/imports", FILE_BYTES_MAX + FILE_FORM_BYTES_MAX, (FILE_TYPE,)),
            BodyRule("POST", f"{DESK}/imports/{NUMBER}/sign", FORM_BYTES_MAX, (FORM_TYPE,)),
        )

    def desk(self, request: Request) -> Response:
        """What waits."""
        self._door.require_session(request)
        view = self._source.view()
        return self._door.answer(request, "desk.html", view, view=view)

    def import_form(self, request: Request) -> Response:
        """The form for a file."""
        battery = request.query_params.get("battery", "")[:200]
        return self._door.page(request, "desk_import.html", battery=battery, rated_ah="", limit=FILE_BYTES_MAX)

    async def receive(self, request: Request) -> Response:
        """Take a file; on to its job. Nothing of it is kept before session and form are known to be right."""
        self._door.require_session(request)
        wish = ImportWish()

        def open_upload(fields: Fields, name: str) -> FileSink:
            nonlocal wish
            self._door.require_form(request, fields)
            wish = self._import_wish(fields)
            return self._source.jobs.open_upload(name)

        received = await receive_file(request, open_upload)
        if not isinstance(received.sink, Upload):
            raise Refusal(Problem.BAD_REQUEST, detail="no file was chosen")
        job = await run_in_threadpool(self._source.jobs.start, received.sink, wish)
        return self._door.go_to(request, f"{DESK}/jobs/{job}")

    def job(self, request: Request, job: str) -> Response:
        """How far an import is; at its end the way to the result."""
        self._door.require_session(request)
        seen = self._source.jobs.job(job) if _JOB.match(job) else None
        if seen is None:
            raise no_page()
        return self._door.answer(request, "desk_job.html", job_document(seen), seen=seen, record=seen.record)

    def result(self, request: Request, number: str) -> Response:
        """What a measurement tells, and the form to sign for it."""
        self._door.require_session(request)
        seen = self._find(number)
        now_ms = self._source.clock()
        first = seen.imported
        wish = Wish(battery=seen.record.battery or "", reference=suggest_reference(first))
        plan = self._source.signer.plan(first, wish, now_ms)
        return self._door.answer(request, "desk_result.html", seen, **self._shown(request, seen), plan=plan, wish=wish)

    def review(self, request: Request, number: str) -> Response:
        """Exactly what would be signed, or what speaks against it. Changes nothing."""
        self._door.require_session(request)
        return self._review(request, self._find(number), wish_of(request.query_params))

    async def sign(self, request: Request, number: str) -> Response:
        """Sign, once; on to the paper."""
        self._door.require_session(request)
        fields = await read_form(request)
        return await run_in_threadpool(self._sign, request, number, fields)

    def _sign(self, request: Request, number: str, fields: Fields) -> Response:
        self._door.require_form(request, fields)
        seen, wish = self._find(number), wish_of(fields)
        try:
            statement = self._source.signer.sign(seen.imported, wish, self._source.clock())
        except Malformed:
            return self._review(request, seen, wish, status=400)
        except (Rejected, NotIncludable) as error:
            return self._review(request, seen, wish, status=409, rejection=explain_rejection(error))
        return self._door.go_to(request, f"{DESK}/certificates/{statement}")

    def _review(
        self,
        request: Request,
        seen: ImportSeen,
        wish: Wish,
        *,
        status: int = 200,
        rejection: tuple[str, str] | None = None,
    ) -> Response:
        plan = self._source.signer.plan(seen.imported, wish, self._source.clock())
        context = {**self._shown(request, seen), "plan": plan, "wish": wish, "rejection": rejection}
        template = "desk_result.html" if plan.faults and rejection is None else "desk_review.html"
        if template == "desk_review.html":
            context |= {"measured": measured_of(plan.signed), "curve": curve_of(plan.signed, choose_language(request))}
        return self._door.page(request, template, status, **context, is_reviewed=True)

    def _shown(self, request: Request, seen: ImportSeen) -> dict[str, object]:
        return {
            "seen": seen,
            "imported": seen.imported,
            "measured": measured_of(seen.imported),
            "curve": curve_of(seen.imported, choose_language(request)),
        }

    def _find(self, number: str) -> ImportSeen:
        seen = self._source.find_import(number) if _NUMBER.match(number) else None
        if seen is None:
            raise no_page()
        return seen

    def _import_wish(self, fields: Fields) -> ImportWish:
        """Which battery and rating a form names; raises `Refusal` before its file is kept."""
        battery, rated_ah = fields.get("battery", "").strip(), fields.get("rated_ah", "").strip()
        mapping = fields.get("mapping", "").strip()
        if mapping:
            parse_mapping(mapping.encode(), "column mapping")
        known = parse_named_battery(battery) if battery else None
        rated_mah, nominal_mv = (None, None) if known is None else self._source.rating(known)
        return ImportWish(
            known,
            parse_rated_ah(rated_ah) if rated_ah else rated_mah,
            nominal_mv,
            fields.get("repair_time", "") == "yes",
            mapping,
        )


def job_document(seen: JobSeen) -> dict[str, object]:
    """A job for programs; `address` is where its result is, once there is one."""
    number = seen.record.number
    return {
        "address": None if number is None else f"{DESK}/imports/{number}",
        "cause": seen.record.cause,
        "file": seen.record.file,
        "has_ended": seen.record.has_ended,
        "job": seen.record.job,
        "permille": seen.permille,
        "state": seen.record.state,
        "step": seen.step,
    }


def wish_of(fields: Mapping[str, str]) -> Wish:
    """The signature that a form asks for, as it was typed."""
    battery = fields.get("battery", "").strip()
    return Wish(
        battery=battery.lstrip("/"),
        reference=fields.get("reference", "").strip(),
        standard=fields.get("standard", ""),
        is_certificate=fields.get("certificate", "") == "yes",
        valid_until=fields.get("valid_until", "").strip(),
        percent=fields.get("percent", "").strip(),
    )


def parse_named_battery(text: str) -> str:
    """A battery that somebody typed, scanned or pasted: its identifier or Digital Link; raises `Malformed`."""
    return parse_digital_link(text if text.startswith(("/", "http://", "https://")) else f"/{text}")


def parse_rated_ah(text: str) -> int:
    """Milliampere-hours from ampere-hours as people write them, with a point or a comma; raises `Malformed`."""
    if _RATED_AH.match(text) is None or not (rated := round(float(text.replace(",", ".")) * 1000)):
        raise Malformed("a rated capacity is a number of ampere-hours above 0, like 33.1")
    return rated
