"""Write docs/reference/http.md anew: `python tools/make_http_reference.py`, where the package is installed."""

from __future__ import annotations

import sys
from pathlib import Path

from cellvow.api.guard import (
    ADDRESS_BYTES_MAX,
    BODY_BYTES_PER_S_MIN,
    BODY_SILENCE_S_MAX,
    HEADER_BYTES_MAX,
)
from cellvow.api.openapi_operations import OPERATIONS, UNDESCRIBED, UNDESCRIBED_AREAS, Operation
from cellvow.api.problems import BUSY_RETRY_AFTER_S, RETRY_AFTER_S
from cellvow.web import Problem
from cellvow.web.catalogue import load_catalogue

PAGE = Path(__file__).resolve().parent.parent / "docs" / "reference" / "http.md"
_TITLES = {
    "statements": "Statements signed elsewhere",
    "chain": "The chain",
    "passports": "Passports and proofs",
    "health": "What watches a node",
}
_HEAD = f"""# The interface over HTTP

Made by `python tools/make_http_reference.py` from what the application itself holds; change it there.
`cellvow serve` describes the same for programs at `/openapi.json` (OpenAPI 3.1).

## What holds everywhere

- An address has at most {ADDRESS_BYTES_MAX} bytes with its query, the headers {HEADER_BYTES_MAX} bytes together.
- A body is taken only where this page names one. It may be silent for {BODY_SILENCE_S_MAX:.0f} s, and has 30 s plus a
  second for each {BODY_BYTES_PER_S_MIN} bytes of its limit.
- Pages come as HTML, and as JSON where `Accept` prefers `application/json`. Addresses under `/api/` speak JSON alone.
- Every GET takes HEAD. What a stranger sees carries an `ETag`; a block never changes and may be kept for a day.
- Lists are turned by key, never by offset: `next` is the address of the next page, or null.
- Errors are problem details (RFC 9457) with what to do next; `type` is `urn:cellvow:problem:NAME`.
- Programs show the owner's key as `Authorization: Bearer KEY`. Members see what statements say, strangers see hashes.
- `/metrics` needs that key as well: how much a company does is its own affair. A proxy on the same machine makes every
  client look like loopback, so `/metrics` is open to loopback only where the operator says so.
"""


def render() -> str:
    """The whole page."""
    parts = [_HEAD]
    for area, title in _TITLES.items():
        parts.append(f"## {title}\n")
        parts += [_operation(one) for one in OPERATIONS if one.area == area]
    parts += ["## Addresses for browsers alone\n", "| address | why it is not described |\n|---|---|"]
    parts += [f"| `{path}` | {reason} |" for path, reason in {**UNDESCRIBED, **UNDESCRIBED_AREAS}.items()]
    parts += ["\n## Problems\n", "| name | status | title | what to do |\n|---|---|---|---|"]
    parts += [_problem(one) for one in sorted(Problem, key=lambda one: (one.status, one.text))]
    parts.append(
        f"\n`Retry-After`: {BUSY_RETRY_AFTER_S} s of a busy ledger, {RETRY_AFTER_S} s of one that cannot be read."
    )
    return "\n".join(parts) + "\n"


def _operation(operation: Operation) -> str:
    lines = [f"### `{operation.method.upper()} {operation.path}`\n", operation.text]
    lines += ["", *(f"- {note}" for note in operation.notes)] if operation.notes else []
    lines += ["", "| | |", "|---|---|"]
    if operation.body_types:
        lines.append(f"| body | {', '.join(operation.body_types)}; at most {operation.body_bytes_max} bytes |")
    lines += [f"| `{one.name}` | {one.text}{_bounds(one.schema)} |" for one in operation.parameters]
    lines.append(f"| answer | {', '.join(operation.answers)} |")
    if operation.problems:
        names = dict.fromkeys(f"{one.text.replace('_', '-')} ({one.status})" for one in operation.problems)
        lines.append(f"| problems | {', '.join(names)} |")
    if operation.needs:
        lines.append("| needs | the owner's key |")
    return "\n".join((*lines, ""))


def _bounds(schema: dict[str, object]) -> str:
    if "minimum" not in schema:
        return ""
    most = f" to {schema['maximum']}" if "maximum" in schema else " on"
    default = f"; {schema['default']} without" if "default" in schema else ""
    return f" From {schema['minimum']}{most}{default}."


def _problem(problem: Problem) -> str:
    catalogue = load_catalogue("en")
    title, remedy = catalogue.plain(f"problem.{problem.text}.title"), catalogue.plain(f"problem.{problem.text}.next")
    return f"| {problem.text.replace('_', '-')} | {problem.status} | {title} | {remedy} |"


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    sys.stdout.write(f"cellvow: wrote {PAGE}\n")
