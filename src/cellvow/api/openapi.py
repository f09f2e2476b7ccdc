"""The description of the interface for programs (OpenAPI 3.1), made from the operations and the types they answer."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec
from fastapi import APIRouter, Request, Response
from starlette.routing import BaseRoute, Route

from cellvow import __version__
from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import JSON, answer_body
from cellvow.api.openapi_operations import HTML, OPERATIONS, Operation, Parameter, Schema
from cellvow.api.problems import PROBLEM_JSON
from cellvow.web import Problem

REFERENCE = "#/components/schemas/{name}"
_ALWAYS = (Problem.BODY, Problem.HEADERS, Problem.TOO_LONG, Problem.BROKEN)
"""Problems that any address can answer with."""
_PROBLEM: Schema = {
    "type": "object",
    "description": "Problem details (RFC 9457): what is wrong, whose fault it is, what to do next.",
    "required": ["detail", "instance", "status", "title", "type"],
    "properties": {
        "detail": {"type": "string"},
        "instance": {
            "type": "string",
            "description": "The path that was asked for; of a link that holds a secret only what stands before it.",
        },
        "status": {"type": "integer", "minimum": 400, "maximum": 599},
        "title": {"type": "string"},
        "type": {"type": "string", "pattern": "^urn:cellvow:problem:[a-z-]+$"},
    },
}
_AREAS = {
    "chain": "The chain: blocks, leaves, checkpoint",
    "health": "What watches a node",
    "passports": "Passports and proofs",
    "statements": "Statements signed elsewhere",
}


class DescriptionRoutes:
    """Serves the description; no page around it, since that would load scripts from elsewhere."""

    def routes(self) -> APIRouter:
        """One address."""
        router = APIRouter()
        router.add_api_route("/openapi.json", self.describe, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """None: it is only read."""
        return ()

    def describe(self, request: Request) -> Response:
        """Those of the described operations that this application has."""
        present = frozenset(
            (path, method.lower()) for path, methods in listed_routes(request.app.routes) for method in methods
        )
        return answer_body(request, _encoded(present), JSON, is_private=False)


def listed_routes(routes: Sequence[BaseRoute]) -> list[tuple[str, frozenset[str]]]:
    """(path template, methods) of every route, those of included routers too."""
    listed: list[tuple[str, frozenset[str]]] = []
    for route in routes:
        included = getattr(route, "original_router", None)
        if included is not None:
            listed += listed_routes(included.routes)
        elif isinstance(route, Route):
            listed.append((route.path, frozenset(route.methods or ())))
    return listed


def build_document(operations: Sequence[Operation] = OPERATIONS) -> dict[str, Any]:
    """The whole description of the operations."""
    types = {one for operation in operations for one in _types_of(operation)}
    _, components = msgspec.json.schema_components(sorted(types, key=lambda one: one.__name__), ref_template=REFERENCE)
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method] = _operation(operation)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Cellvow",
            "version": __version__,
            "summary": "Passports of batteries, the chain behind them, and statements for it",
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": name, "description": text} for name, text in _AREAS.items()],
        "paths": paths,
        "components": {
            "schemas": {**components, "Problem": _PROBLEM},
            "securitySchemes": {
                "owner": {"type": "http", "scheme": "bearer", "description": "The key that `cellvow serve` printed."}
            },
        },
    }


@cache
def _encoded(present: frozenset[tuple[str, str]]) -> bytes:
    operations = [one for one in OPERATIONS if (one.path, one.method) in present]
    return msgspec.json.encode(build_document(operations), order="deterministic") + b"\n"


def _types_of(operation: Operation) -> list[type]:
    named: list[type] = [] if operation.unready is None else [operation.unready]
    for answer in operation.answers.values():
        if isinstance(answer, tuple):
            named += answer
        elif isinstance(answer, type):
            named.append(answer)
    return named


def _operation(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": name_operation(operation),
        "summary": operation.text,
        "tags": [operation.area],
        "parameters": [_parameter(one) for one in operation.parameters],
        "responses": _responses(operation),
    }
    if operation.notes:
        described["description"] = "\n\n".join(operation.notes)
    if operation.body_types:
        body = {"schema": {"type": "string", "format": "binary"}}
        content = dict.fromkeys(operation.body_types, body)
        text = f"At most {operation.body_bytes_max} bytes."
        described["requestBody"] = {"required": True, "content": content, "description": text}
    if operation.needs:
        described["security"] = [{operation.needs: []}]
    return described


def name_operation(operation: Operation) -> str:
    """A name for programs that are generated from the description: `get_blocks_height`."""
    words = [word.strip("{}") for word in operation.path.split("/") if word] or ["index"]
    return "_".join((operation.method, *words)).replace(".", "_")


def _parameter(parameter: Parameter) -> dict[str, Any]:
    return {
        "name": parameter.name,
        "in": "path" if parameter.in_path else "query",
        "required": parameter.in_path,
        "description": parameter.text,
        "schema": parameter.schema,
    }


def _responses(operation: Operation) -> dict[str, Any]:
    content = {media_type: {"schema": _schema(answer)} for media_type, answer in operation.answers.items()}
    responses: dict[str, Any] = {"200": {"description": operation.text, "content": content}}
    if operation.unready is not None:
        responses["503"] = {"description": "Not now.", "content": {JSON: {"schema": _schema(operation.unready)}}}
    for status, names in _statuses(operation).items():
        responses.setdefault(status, _problem(operation, names))
    if operation.method == "get":
        responses["304"] = {"description": "What If-None-Match names is still the newest."}
    return responses


def _statuses(operation: Operation) -> dict[str, list[str]]:
    """Status -> the names of the problems that have it."""
    found: dict[str, list[str]] = {}
    for problem in (*operation.problems, *_ALWAYS):
        found.setdefault(str(problem.status), []).append(problem.text.replace("_", "-"))
    return found


def _problem(operation: Operation, names: list[str]) -> dict[str, Any]:
    content: dict[str, Any] = {PROBLEM_JSON: {"schema": {"$ref": REFERENCE.format(name="Problem")}}}
    if not operation.path.startswith("/api/"):
        content[HTML] = {"schema": {"type": "string"}}
    described: dict[str, Any] = {"description": ", ".join(dict.fromkeys(names)), "content": content}
    if any(status in names for status in ("busy", "too-many", "unavailable", "unknown")):
        described["headers"] = {"Retry-After": {"description": "Seconds.", "schema": {"type": "integer"}}}
    return described


def _schema(answer: type | tuple[type, ...] | Schema) -> Schema:
    if isinstance(answer, tuple):
        return {"anyOf": [_schema(one) for one in answer]}
    if isinstance(answer, type):
        return {"$ref": REFERENCE.format(name=answer.__name__)}
    return answer
