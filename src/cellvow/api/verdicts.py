"""Does the last test still hold: judged by a ready policy or the reader's own, on what this reader may see."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qs

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import HTML_UTF8, JSON, answer_body, choose_language, wants_json
from cellvow.api.passports import (
    BATTERY_PATH,
    PassportPages,
    bundle_addresses,
    encode_answer,
    language_links,
    localised,
)
from cellvow.api.problems import Refusal
from cellvow.api.rates import RateLimit
from cellvow.core.contracts.policy import Policy, PolicyError
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.acceptance import (
    NAMES,
    Assumptions,
    Judgement,
    Savings,
    Span,
    derive_savings,
    judge,
    judgement_document,
    load_assumptions,
    load_ready_policy,
    parse_acceptance_policy,
)
from cellvow.passport.view import Audience, Passport
from cellvow.web import Problem, VerdictAsked, VerdictLinks, render_verdict
from cellvow.workspace.passports import Viewed

VERDICT_PATH = BATTERY_PATH + "/verdict"
POLICY_FORM_BYTES_MAX = 40_000
JUDGED_BURST, JUDGED_PER_MINUTE = 20, 30
"""Verdicts one client may ask for: each evaluates a policy on every attestation."""
FIELDS = ("policy", "text", "today", "attestation", "hours", "cost")
"""What a request may ask: a ready policy or a text, the day, one attestation, the asker's own figures."""
_RANGE = re.compile(r"([0-9]{1,6})(?:-([0-9]{1,6}))?\Z")
_ATTESTATION = re.compile(r"([a-z0-9-]{2,32})/([A-Z0-9.-]{1,32})\Z")
_MINUTES_AN_HOUR, _CENTS = 60, 100
_FORM, _TEXT = "application/x-www-form-urlencoded", "text/plain"


@dataclass(frozen=True, slots=True)
class VerdictPages:
    """The verdict of each battery of `pages`; `clock` gives milliseconds, for the day where none is named."""

    pages: PassportPages
    clock: Callable[[], int]
    rate: RateLimit = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "rate", RateLimit(JUDGED_BURST, JUDGED_PER_MINUTE, self.clock))

    def routes(self) -> APIRouter:
        """GET for ready policies, POST for a policy of the reader's own: it is judged and not kept."""
        router = APIRouter()
        router.add_api_route(VERDICT_PATH, self.ready, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route(VERDICT_PATH, self.own, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """A form, or a policy's text alone."""
        path = r"/01/[^/]{1,40}/21/[^/]{1,80}/verdict"
        return (BodyRule("POST", path, POLICY_FORM_BYTES_MAX, (_FORM, _TEXT)),)

    def ready(self, request: Request, gtin: str, serial: str) -> Response:
        """The verdict of a ready policy; `?attestation=` is ISSUER/REFERENCE, the rest is named as in `FIELDS`."""
        asked = {name: request.query_params.get(name, "") for name in FIELDS if name != "text"}
        return self._answer(request, gtin, serial, asked)

    async def own(self, request: Request, gtin: str, serial: str) -> Response:
        """The verdict of a policy that the reader sends."""
        body = await request.body()
        return await run_in_threadpool(self._answer, request, gtin, serial, read_fields(request, body))

    def _answer(self, request: Request, gtin: str, serial: str, fields: Mapping[str, str]) -> Response:
        self.rate.take(request)
        battery, reader, viewed = self.pages.view(request, gtin, serial, "verdict")
        asked = self._asked(fields)
        try:
            judgement, savings = judge_asked(viewed.passport, asked)
        except PolicyError as error:
            return self._refused(request, battery, viewed, asked, error)
        if wants_json(request):
            body, media_type = encode_answer(judgement_document(judgement, savings)), JSON
        else:
            links = self._links(request, battery, viewed, asked)
            page = render_verdict(asked, links, judgement, savings, locale=choose_language(request))
            body, media_type = page.encode(), HTML_UTF8
        is_private = reader.audience is not Audience.PUBLIC or request.method == "POST"
        return answer_body(request, body, media_type, is_private=is_private)

    def _asked(self, fields: Mapping[str, str]) -> VerdictAsked:
        text = fields.get("text", "").replace("\r\n", "\n")
        today = fields.get("today") or datetime.fromtimestamp(self.clock() / 1000, UTC).date().isoformat()
        return VerdictAsked(
            policy="" if text.strip() else fields.get("policy") or NAMES[0],
            text=text,
            today=today,
            attestation=fields.get("attestation", ""),
            hours=fields.get("hours", ""),
            cost=fields.get("cost", ""),
        )

    def _refused(
        self, request: Request, battery: BatteryId, viewed: Viewed, asked: VerdictAsked, error: PolicyError
    ) -> Response:
        """The form again, with the place of the mistake; problem details for programs."""
        if wants_json(request):
            line, column = str(error.line), str(error.column)
            raise Refusal(Problem.BAD_REQUEST, detail=error.complaint, line=line, column=column)
        links = self._links(request, battery, viewed, asked)
        page = render_verdict(asked, links, error, None, locale=choose_language(request))
        return Response(page.encode(), Problem.BAD_REQUEST.status, {"Cache-Control": "no-store"}, HTML_UTF8)

    def _links(self, request: Request, battery: BatteryId, viewed: Viewed, asked: VerdictAsked) -> VerdictLinks:
        path, relative = f"/{battery}", bundle_addresses(battery, viewed)

        def bundle_of(statement: str, index: int) -> str | None:
            found = relative(statement, index)
            return None if found is None else f"{path.rpartition('/')[0]}/{found}"

        kept = {"policy": asked.policy, "today": asked.today, "attestation": asked.attestation}
        return VerdictLinks(
            passport=localised(path, request),
            verdict=f"{path}/verdict",
            bundle_of=bundle_of,
            home=localised("/", request),
            languages=language_links(f"{path}/verdict", **kept),
            language=request.query_params.get("lang", ""),
        )


def judge_asked(passport: Passport, asked: VerdictAsked) -> tuple[Judgement, Savings | None]:
    """The judgement and what it means in time and money; raises `PolicyError`, or `Refusal` for another mistake."""
    try:
        attestation = _read_attestation(asked.attestation)
        judgement = judge(passport, _read_policy(asked), today=asked.today, attestation=attestation)
        return judgement, derive_savings(judgement.verdict, _read_assumptions(asked))
    except Malformed as error:
        if isinstance(error, PolicyError):
            raise
        raise Refusal(Problem.BAD_REQUEST, detail=str(error)) from error


def read_fields(request: Request, body: bytes) -> Mapping[str, str]:
    """What a request's body asks: the fields of a form, or a policy's text with the rest in the address."""
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refusal(Problem.BAD_REQUEST, detail=f"byte {error.start} of the body is not UTF-8") from error
    if request.headers.get("content-type", "").startswith(_TEXT):
        return {**{name: request.query_params.get(name, "") for name in FIELDS}, "text": text}
    try:
        form = parse_qs(text, keep_blank_values=True, strict_parsing=bool(text), max_num_fields=len(FIELDS) * 2)
    except ValueError as error:
        raise Refusal(Problem.BAD_REQUEST, detail="the body is not a form") from error
    return {name: form.get(name, [""])[0] for name in FIELDS}


def _read_policy(asked: VerdictAsked) -> Policy:
    return parse_acceptance_policy(asked.text) if asked.text.strip() else load_ready_policy(asked.policy).policy


def _read_attestation(text: str) -> tuple[str, str] | None:
    if not text:
        return None
    found = _ATTESTATION.match(text)
    if found is None:
        raise Malformed(f"{text[:60]!r} names no attestation: write ISSUER/REFERENCE")
    return found[1], found[2]


def _read_assumptions(asked: VerdictAsked) -> Assumptions:
    minutes = _read_range(asked.hours, _MINUTES_AN_HOUR)
    return load_assumptions().changed(minutes, _read_range(asked.cost, _CENTS))


def _read_range(text: str, parts: int) -> Span | None:
    """`6` or `6-10`, in as many parts of the unit."""
    if not text:
        return None
    found = _RANGE.match(text)
    if found is None:
        raise Malformed(f"{text[:20]!r} is no range: write a number, or two as in 6-10")
    return Span(int(found[1]) * parts, int(found[2] or found[1]) * parts)
