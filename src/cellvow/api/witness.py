"""A witness over HTTP: POST /add-checkpoint (c2sp.org/tlog-witness) and a page that says what it has seen."""

import asyncio
from collections.abc import Callable

from fastapi import FastAPI, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import Response as HttpResponse
from starlette.requests import ClientDisconnect

from cellvow.core.primitives.errors import OperationalError
from cellvow.node.witness import Witness
from cellvow.node.witness_protocol import REQUEST_BYTES_MAX, TEXT, Response, explain

BODY_TIME_S_MAX = 10.0
"""How long a client may take to send its body."""


def create_witness_app(witness: Witness, clock: Callable[[], int]) -> FastAPI:
    """The application that answers for `witness`; `clock` gives whole seconds since 1970."""
    app = FastAPI(title="Cellvow witness", docs_url=None, redoc_url=None, openapi_url=None)

    @app.post("/add-checkpoint")
    async def add_checkpoint(request: Request) -> HttpResponse:
        body = await _read_body(request)
        if isinstance(body, Response):
            return _present(body)
        return _present(await run_in_threadpool(_answer, witness, body, clock()))

    @app.get("/")
    def describe() -> HttpResponse:
        try:
            page = describe_witness(witness)
        except OperationalError as error:
            return _present(explain(503, str(error)))
        return _present(Response(200, TEXT, page.encode()))

    return app


def describe_witness(witness: Witness) -> str:
    """Name, key, logs, sizes and forks as plain text."""
    lines = [f"witness {witness.name}", f"key     {witness.vkey}", ""]
    logs = witness.logs()
    for log in logs:
        held = log.held
        seen = f"{held.checkpoint.size} leaves, last cosigned at {held.time_s}" if held else "nothing seen yet"
        lines.append(f"log     {log.key.name}: {seen}")
    if not logs:
        lines.append("no logs are served")
    forks = witness.forks()
    lines += ["", f"forks   {len(forks)} seen" if forks else "forks   none seen"]
    for fork in forks:
        lines += [
            "",
            f"{fork.origin} signed two trees of {fork.size} leaves (second one seen at {fork.seen_s}):",
            "",
            *(fork.held + b"\n" + fork.offered).decode("utf-8").splitlines(),
        ]
    return "\n".join((*lines, ""))


def _answer(witness: Witness, body: bytes, now_s: int) -> Response:
    try:
        return witness.add_checkpoint(body, now_s)
    except OperationalError as error:
        return explain(503, str(error))


async def _read_body(request: Request) -> bytes | Response:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIME_S_MAX):
            async for chunk in request.stream():
                body += chunk
                if len(body) > REQUEST_BYTES_MAX:
                    return explain(413, f"a request has at most {REQUEST_BYTES_MAX} bytes")
    except ClientDisconnect:
        return explain(400, "the connection closed before the body was complete")
    except TimeoutError:
        return explain(408, f"the body did not arrive within {BODY_TIME_S_MAX:.0f} s")
    return bytes(body)


def _present(response: Response) -> HttpResponse:
    headers = {"Content-Type": response.content_type, "X-Content-Type-Options": "nosniff"}
    if response.status == 413:
        headers["Connection"] = "close"
    return HttpResponse(response.body, response.status, headers)
