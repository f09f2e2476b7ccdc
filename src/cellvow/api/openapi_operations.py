"""Every address that programs may use, as data: what it is for, what it takes, what it answers and what it refuses.

What a browser alone uses is named in `UNDESCRIBED` with the reason; no route is in neither.
"""

from dataclasses import dataclass, field
from typing import Any

from cellvow.api.explorer import BATTERIES_MAX, DEFAULT_LIMIT, Batteries, BlockAnswer, Blocks
from cellvow.api.health import Alive, Ready
from cellvow.api.passports import BATTERY_PATH
from cellvow.api.statements import STATEMENT_PATH, STATEMENT_TYPES, STATEMENTS_PATH, Placed, Recorded
from cellvow.core.primitives.limits import INTEGER_MAX, STATEMENT_BYTES_MAX
from cellvow.web import LOCALES, Problem
from cellvow.workspace.explorer import BLOCKS_MAX, ChainHead
from cellvow.workspace.network_view import NetworkView

HTML, JSON, TEXT = "text/html", "application/json", "text/plain"
BINARY = "application/octet-stream"

Schema = dict[str, Any]
"""A JSON Schema (2020-12), as OpenAPI 3.1 has it."""

_ANY_OBJECT: Schema = {"type": "object"}
_STRING: Schema = {"type": "string"}
_BINARY: Schema = {"type": "string", "format": "binary"}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A part of the path, or a parameter of the query."""

    name: str
    text: str
    schema: Schema
    in_path: bool = False


@dataclass(frozen=True, slots=True)
class Operation:
    """One method of one path. `answers` maps media types of the good answer to a type of ours, or to a schema."""

    path: str
    area: str
    text: str
    answers: dict[str, type | tuple[type, ...] | Schema]
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[Problem, ...] = ()
    method: str = "get"
    body_types: tuple[str, ...] = ()
    body_bytes_max: int = 0
    needs: str = ""
    unready: type | None = None
    """The document of status 503, where that is an answer and no problem."""
    notes: tuple[str, ...] = field(default=())


def _number(name: str, text: str, least: int, most: int, default: int | None = None) -> Parameter:
    schema: Schema = {"type": "integer", "minimum": least, "maximum": most}
    return Parameter(name, text, schema if default is None else {**schema, "default": default})


LANG = Parameter(
    "lang",
    f"One of {', '.join(LOCALES)}, before what Accept-Language says; any other is passed over.",
    {"type": "string"},
)
AFTER_BATTERY = Parameter(
    "after",
    "The last battery of the page before; nothing for the first page.",
    {"type": "string", "pattern": "^(01/[0-9]{14}/21/[A-Z0-9][A-Z0-9.-]{0,19})?$"},
)
GTIN = Parameter("gtin", "The model's number, 14 digits.", {"type": "string", "pattern": "^[0-9]{14}$"}, in_path=True)
SERIAL = Parameter(
    "serial", "The serial number.", {"type": "string", "pattern": "^[A-Z0-9][A-Z0-9.-]{0,19}$"}, in_path=True
)
HEIGHT = Parameter(
    "height", "The block's height.", {"type": "integer", "minimum": 1, "maximum": INTEGER_MAX}, in_path=True
)
DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
LEAF = _number("leaf", "The first leaf wanted: a page has 50 of them.", 0, INTEGER_MAX, 0)
NOT_A_BATTERY = (Problem.NOT_A_BATTERY, Problem.CHECK_DIGIT, Problem.IDENTIFIER)

_ABOUT_TAKING = (
    "The body is a statement as docs/reference/formats.md has it: COSE_Sign1, or a batch.",
    "200 means committed: on disk, in a block. The same bytes get the same answer, however often they come.",
    "A message that broke a rule is 200 as well: it is recorded, and its outcome says `rejected` with the code.",
    "409 is for a statement that may not stand on the ledger at all: it left no trace.",
    "Only what was refused counts against a client: 60 at once, then 60 a minute. Behind a proxy all are one client.",
)

OPERATIONS = (
    Operation(
        STATEMENTS_PATH,
        "statements",
        "Commit a statement that was signed elsewhere. The signature is the authority; no session is needed.",
        {JSON: Recorded},
        problems=(
            Problem.BAD_REQUEST,
            Problem.REJECTED,
            Problem.SLOW,
            Problem.TOO_LARGE,
            Problem.MEDIA_TYPE,
            Problem.TOO_MANY,
            Problem.BUSY,
            Problem.UNAVAILABLE,
            Problem.UNKNOWN,
        ),
        method="post",
        body_types=STATEMENT_TYPES,
        body_bytes_max=STATEMENT_BYTES_MAX,
        notes=_ABOUT_TAKING,
    ),
    Operation(
        STATEMENT_PATH,
        "statements",
        "What became of a statement.",
        {JSON: (Recorded, Placed)},
        (Parameter("name", "The digest; for a member also the txid.", DIGEST, in_path=True),),
        (Problem.NO_STATEMENT, Problem.UNAVAILABLE),
        notes=("Without the owner's key only the place of a statement whose digest is named, and no outcome.",),
    ),
    Operation(
        "/api/v1/head",
        "chain",
        "Where the chain stands, and its newest checkpoint.",
        {JSON: ChainHead},
        problems=(Problem.NO_BLOCK, Problem.UNAVAILABLE),
    ),
    Operation(
        "/api/v1/checkpoint",
        "chain",
        "The newest checkpoint as a signed note (C2SP), cosignatures included.",
        {TEXT: _STRING},
        problems=(Problem.NO_BLOCK, Problem.UNAVAILABLE),
    ),
    Operation(
        "/api/v1/blocks",
        "chain",
        "Blocks above a height, oldest first.",
        {JSON: Blocks},
        (
            _number("after", "The height of the last block of the page before.", 0, INTEGER_MAX, 0),
            _number("limit", "How many at most.", 1, BLOCKS_MAX, DEFAULT_LIMIT),
        ),
        (Problem.BAD_REQUEST, Problem.UNAVAILABLE),
    ),
    Operation(
        "/api/v1/blocks/{height}",
        "chain",
        "One block with its leaves.",
        {JSON: BlockAnswer},
        (HEIGHT, LEAF),
        (Problem.BAD_REQUEST, Problem.NO_BLOCK, Problem.UNAVAILABLE),
        notes=("A stranger gets the hashes of leaves; with the owner's key also what the statements say.",),
    ),
    Operation(
        "/api/v1/batteries",
        "chain",
        "The batteries of the ledger, by identifier.",
        {JSON: Batteries},
        (AFTER_BATTERY, _number("limit", "How many at most.", 1, BATTERIES_MAX, DEFAULT_LIMIT)),
        (Problem.BAD_REQUEST, Problem.CHECK_DIGIT, Problem.IDENTIFIER, Problem.UNAVAILABLE),
    ),
    Operation(
        "/api/v1/network",
        "chain",
        "Members, validators, votes, adopted changes, evidence, recoveries; whether this node agrees with the others.",
        {JSON: NetworkView},
        problems=(Problem.NO_BLOCK, Problem.UNAVAILABLE),
        notes=("At most two seconds old; lists are bounded, and totals stand beside them.",),
    ),
    Operation(
        "/network",
        "chain",
        "The network as a page with a picture; as JSON the same as /api/v1/network.",
        {HTML: _STRING, JSON: NetworkView},
        (LANG,),
        (Problem.NO_BLOCK, Problem.UNAVAILABLE),
    ),
    Operation(
        "/blocks",
        "chain",
        "The chain as a page with a picture, newest first; as JSON the same as /api/v1/blocks.",
        {HTML: _STRING, JSON: Blocks},
        (_number("before", "The height of the last block of the page before.", 1, INTEGER_MAX), LANG),
        (Problem.BAD_REQUEST, Problem.UNAVAILABLE),
    ),
    Operation(
        "/blocks/{height}",
        "chain",
        "One block as a page; as JSON the same as /api/v1/blocks/{height}.",
        {HTML: _STRING, JSON: BlockAnswer},
        (HEIGHT, LEAF, LANG),
        (Problem.BAD_REQUEST, Problem.NO_BLOCK, Problem.UNAVAILABLE),
    ),
    Operation(
        "/",
        "passports",
        "The batteries, 50 at a time.",
        {HTML: _STRING, JSON: _ANY_OBJECT},
        (AFTER_BATTERY, LANG),
        (Problem.CHECK_DIGIT, Problem.IDENTIFIER, Problem.UNAVAILABLE),
    ),
    Operation(
        BATTERY_PATH,
        "passports",
        "A battery's passport, as its reader may see it.",
        {HTML: _STRING, JSON: _ANY_OBJECT},
        (GTIN, SERIAL, LANG),
        (*NOT_A_BATTERY, Problem.CLAIMED, Problem.UNAVAILABLE),
        notes=("A purchaser link's token, or the owner's key, as a bearer shows more.",),
    ),
    Operation(
        BATTERY_PATH + "/bundle/{statement}/{index}",
        "passports",
        "The proof of a statement that the passport names, as a file for either verifier.",
        {BINARY: _BINARY},
        (
            GTIN,
            SERIAL,
            Parameter("statement", "The statement's digest.", DIGEST, in_path=True),
            Parameter("index", "The message's place in it.", {"type": "integer", "minimum": 0}, in_path=True),
        ),
        (*NOT_A_BATTERY, Problem.NO_PROOF, Problem.UNAVAILABLE),
    ),
    Operation("/healthz", "health", "The process is alive.", {JSON: Alive}),
    Operation("/readyz", "health", "Whether the node can serve, and why not.", {JSON: Ready}, unready=Ready),
    Operation(
        "/metrics",
        "health",
        "Counters, times and gauges in Prometheus' text format.",
        {TEXT: _STRING},
        problems=(Problem.SIGN_IN, Problem.TOO_MANY),
        needs="owner",
        notes=("From this machine also without a key, where the operator opened that.",),
    ),
    Operation("/openapi.json", "health", "This description.", {JSON: _ANY_OBJECT}),
)

UNDESCRIBED = {
    "/enter/{key}": "turns the owner's key into a session of a browser; the key is printed at start",
    "/leave": "ends that session",
    "/g/{token}": "opens a purchaser link in a browser; programs show the token as a bearer",
    "/find": "leads from a code that somebody typed to its passport; programs ask for the passport",
    "/favicon.ico": "the sign in a browser's tab",
    "/static/{name:path}": "our own scripts, loaded by our own pages",
}
"""Path -> why programs need no description of it."""

UNDESCRIBED_AREAS = {
    "/desk": "forms of the owner's session, each with a token of its own; programs sign and send statements",
    "/field": "the page that a workshop's phone keeps, and where it sends its rows; programs send statements",
    "/tour": "a story told in pages; what it shows comes from the passport",
    "/about": "an explanation in words",
    "/glossary": "an explanation in words",
    "/verify": "the checker of bundles: it runs in the reader's browser, and programs run the verifier",
    "/invite/": "an invitation's page, and its document for `cellvow invite accept`; the link is a secret",
    "/s/": "short codes, which lead on to a passport",
    "/cellvow-verify.pyz": "the offline verifier as a file to take away",
    "/trust.json": "the trust file as this node gives it, to be compared with one obtained elsewhere",
    BATTERY_PATH + "/verdict": "a form with its answer; `cellvow verdict` gives the same to programs",
}
"""Beginning of a path -> the same, for pages beneath it."""


def find_reason(path: str) -> str | None:
    """Why a path is not described, if that was decided."""
    beginnings = (reason for start, reason in UNDESCRIBED_AREAS.items() if path.startswith(start))
    return UNDESCRIBED.get(path) or next(beginnings, None)
