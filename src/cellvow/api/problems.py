"""What a client is told when it cannot have what it asked for: a page for people, problem details for programs."""

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from cellvow.api.negotiation import choose_language, wants_json
from cellvow.core.primitives.errors import CellvowError, InvariantBroken, Malformed, OperationalError, VerificationError
from cellvow.web import Problem, page_policy, problem_document, render_problem

PROBLEM_JSON = "application/problem+json"
RETRY_AFTER_S = 60
SECURITY_HEADERS = {
    "Content-Security-Policy": f"{page_policy()}; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Every answer carries them: no script, no foreign content, no frame, no trace of an address that holds a key."""


class Refusal(Exception):
    """A request that gets a problem instead of what it asked for."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.problem = problem


def present_problem(request: Request, problem: Problem) -> Response:
    """The answer to a request with a problem, in the form and language the client prefers."""
    language = choose_language(request)
    headers = {**SECURITY_HEADERS, "Content-Language": language.replace("_", "-"), "Cache-Control": "no-store"}
    if problem is Problem.UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_S)
    if problem is Problem.READ_ONLY:
        headers["Allow"] = "GET, HEAD"
    if problem in (Problem.BODY, Problem.TOO_LONG):
        headers["Connection"] = "close"
    if wants_json(request):
        document = problem_document(problem, locale=language, instance=request.url.path[:200])
        return Response(msgspec.json.encode(document), problem.status, headers, PROBLEM_JSON)
    page = render_problem(problem, locale=language, home="/")
    return Response(page.encode(), problem.status, headers, "text/html; charset=utf-8")


def add_problem_handlers(app: FastAPI) -> None:
    """Let the application answer every failure with a problem; what we did not foresee still reaches the log."""
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(CellvowError, _on_own_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(500, _on_unforeseen)


def derive_problem(error: CellvowError) -> Problem:
    """Whose fault an error is, as a client may know it."""
    if isinstance(error, Malformed):
        return Problem.IDENTIFIER
    if isinstance(error, OperationalError):
        return Problem.UNAVAILABLE
    return Problem.EVIDENCE if isinstance(error, VerificationError) else Problem.BROKEN


async def _on_refusal(request: Request, error: Exception) -> Response:
    return present_problem(request, error.problem if isinstance(error, Refusal) else Problem.BROKEN)


async def _on_own_error(request: Request, error: Exception) -> Response:
    own = error if isinstance(error, CellvowError) else InvariantBroken(str(error))
    return present_problem(request, derive_problem(own))


async def _on_http_error(request: Request, error: Exception) -> Response:
    is_method = isinstance(error, HTTPException) and error.status_code == Problem.READ_ONLY.status
    return present_problem(request, Problem.READ_ONLY if is_method else Problem.NO_PAGE)


async def _on_unforeseen(request: Request, _: Exception) -> Response:
    return present_problem(request, Problem.BROKEN)
