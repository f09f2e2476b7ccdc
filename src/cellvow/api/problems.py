"""What a client is told when it cannot have what it asked for: a page for people, problem details for programs."""

import msgspec
from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from cellvow.api.addresses import derive_instance
from cellvow.api.negotiation import choose_language, wants_json
from cellvow.core.ledger.outcome import KeptAsClaim, KeptForSecond
from cellvow.core.ledger.rejection import NotIncludable, Rejected
from cellvow.core.primitives.errors import CellvowError, InvariantBroken, Malformed, OperationalError, VerificationError
from cellvow.node.engine import Backpressure
from cellvow.node.store import LedgerLocked
from cellvow.web import Problem, problem_document, render_preparing, render_problem, site_policy
from cellvow.workspace.holdings_index import IndexUnready

PROBLEM_JSON = "application/problem+json"
READING = "GET, HEAD"
"""The methods that most addresses take."""
RETRY_AFTER_S = 60
BUSY_RETRY_AFTER_S = 1
SECURITY_HEADERS = {
    "Content-Security-Policy": site_policy(),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Every answer carries them: no foreign content, no frame, no trace of an address that holds a key."""
WORKER_PAGE = "/field"
"""The one page that starts a worker, so that a phone opens it without network."""
_CLOSING = (Problem.BODY, Problem.HEADERS, Problem.TOO_LONG, Problem.TOO_LARGE, Problem.SLOW)
"""Problems after which the rest of what the client sends is not read."""
_RETRY_AFTER = {
    Problem.BUSY: BUSY_RETRY_AFTER_S,
    Problem.TOO_MANY: RETRY_AFTER_S,
    Problem.UNAVAILABLE: RETRY_AFTER_S,
    Problem.UNKNOWN: RETRY_AFTER_S,
}


def security_headers(path: str) -> dict[str, str]:
    """The headers of an answer to a request for this path."""
    if path != WORKER_PAGE:
        return SECURITY_HEADERS
    return {**SECURITY_HEADERS, "Content-Security-Policy": site_policy(worker=True)}


class Refusal(Exception):
    """A request that gets a problem instead of what it asked for; `parameters` fill the problem's sentence."""

    def __init__(
        self, problem: Problem, *, retry_after_s: int | None = None, allow: str = READING, **parameters: str
    ) -> None:
        """`allow` names the methods that the address takes, where that is the problem."""
        super().__init__(problem)
        self.problem = problem
        self.retry_after_s = retry_after_s
        self.allow = allow
        self.parameters = parameters


def present_problem(
    request: Request, problem: Problem, *, retry_after_s: int | None = None, allow: str = READING, **parameters: str
) -> Response:
    """The answer to a request with a problem, in the form and language the client prefers."""
    language = choose_language(request)
    headers = {**SECURITY_HEADERS, "Content-Language": language.replace("_", "-"), "Cache-Control": "no-store"}
    retry_after_s = retry_after_s or _RETRY_AFTER.get(problem)
    if retry_after_s is not None:
        headers["Retry-After"] = str(retry_after_s)
    if problem is Problem.READ_ONLY:
        headers["Allow"] = allow
    if problem is Problem.SIGN_IN:
        headers["WWW-Authenticate"] = "Bearer"
    if problem in _CLOSING:
        headers["Connection"] = "close"
    if wants_json(request) or request.url.path.startswith("/api/"):
        document = problem_document(problem, locale=language, instance=derive_instance(request.url.path), **parameters)
        return Response(msgspec.json.encode(document), problem.status, headers, PROBLEM_JSON)
    page = render_problem(problem, locale=language, home="/", **parameters)
    return Response(page.encode(), problem.status, headers, "text/html; charset=utf-8")


def add_problem_handlers(app: FastAPI) -> None:
    """Let the application answer every failure with a problem; what we did not foresee still reaches the log."""
    app.add_exception_handler(Refusal, _on_refusal)
    app.add_exception_handler(IndexUnready, _on_unready)
    app.add_exception_handler(CellvowError, _on_own_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(500, _on_unforeseen)


def as_sentence(text: str) -> str:
    """An error's words with an end, so that the next sentence can follow."""
    return text if text.endswith((".", "!", "?")) else f"{text}."


def derive_refusal(error: CellvowError) -> Refusal:
    """Whose fault an error is, as a client may know it."""
    if isinstance(error, Rejected | NotIncludable):
        return Refusal(
            Problem.REJECTED, detail=as_sentence(str(error)), code=str(int(error.reason)), reason=error.reason.name
        )
    if isinstance(error, KeptAsClaim):
        return Refusal(Problem.REJECTED, detail=as_sentence(str(error)), code="contested", reason=error.topic)
    if isinstance(error, KeptForSecond):
        return Refusal(Problem.REJECTED, detail=as_sentence(str(error)), code="held", reason=error.statement)
    if isinstance(error, Malformed):
        return Refusal(Problem.BAD_REQUEST, detail=as_sentence(str(error)))
    if isinstance(error, Backpressure | LedgerLocked):
        return Refusal(Problem.BUSY, retry_after_s=BUSY_RETRY_AFTER_S)
    if isinstance(error, OperationalError):
        return Refusal(Problem.UNAVAILABLE)
    return Refusal(Problem.EVIDENCE if isinstance(error, VerificationError) else Problem.BROKEN)


async def _on_refusal(request: Request, error: Exception) -> Response:
    return present_refusal(request, error if isinstance(error, Refusal) else Refusal(Problem.BROKEN))


async def _on_unready(request: Request, error: Exception) -> Response:
    """How far the index is that the page needs, for people and for programs."""
    permille, language = getattr(error, "permille", 0), choose_language(request)
    headers = {**SECURITY_HEADERS, "Content-Language": language.replace("_", "-"), "Cache-Control": "no-store"}
    headers["Retry-After"] = str(BUSY_RETRY_AFTER_S)
    path = request.url.path
    if wants_json(request):
        problem = problem_document(Problem.PREPARING, locale=language, instance=derive_instance(path))
        document = {**problem, "has_ended": False, "permille": permille, "state": "preparing"}
        return Response(msgspec.json.encode(document), Problem.PREPARING.status, headers, PROBLEM_JSON)
    here = f"{path}?{request.url.query}" if request.url.query else path
    page = render_preparing(permille, locale=language, home="/", here=here)
    return Response(page.encode(), Problem.PREPARING.status, headers, "text/html; charset=utf-8")


async def _on_own_error(request: Request, error: Exception) -> Response:
    own = error if isinstance(error, CellvowError) else InvariantBroken(str(error))
    return present_refusal(request, derive_refusal(own))


async def _on_http_error(request: Request, error: Exception) -> Response:
    if isinstance(error, HTTPException) and error.status_code == Problem.READ_ONLY.status:
        return present_problem(request, Problem.READ_ONLY, allow=(error.headers or {}).get("Allow", READING))
    return present_problem(request, Problem.NO_PAGE)


async def _on_unforeseen(request: Request, _: Exception) -> Response:
    return present_problem(request, Problem.BROKEN)


def present_refusal(request: Request, refusal: Refusal) -> Response:
    """The answer to a refused request."""
    return present_problem(
        request, refusal.problem, retry_after_s=refusal.retry_after_s, allow=refusal.allow, **refusal.parameters
    )
