"""Statements signed elsewhere, taken from programs: the signature is the authority, so no session is asked for."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import msgspec
from fastapi import APIRouter, Request, Response

from cellvow.api.access import Access
from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import JSON
from cellvow.api.problems import Refusal, as_sentence
from cellvow.api.rates import RateLimit
from cellvow.core.ledger.rejection import NotIncludable, Reason
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import STATEMENT_BYTES_MAX
from cellvow.node.store import LedgerStopped
from cellvow.web import Problem
from cellvow.workspace.intake import Taken

STATEMENTS_PATH = "/api/v1/statements"
STATEMENT_PATH = STATEMENTS_PATH + "/{name}"
STATEMENT_TYPES = ("application/cose", "application/octet-stream")
REFUSALS_BURST, REFUSALS_PER_MINUTE = 60, 60
"""Statements of one client that may be malformed or not authentic; what is authentic counts against nobody."""
_NAME = re.compile(r"[0-9a-f]{64}\Z")


class StatementIntake(Protocol):
    """The ledger's side of taking statements."""

    def examine(self, data: bytes) -> Taken | None:
        """What is recorded of these bytes, or None where they are new and authentic; never waits.

        Raises `Malformed` or `NotIncludable`.
        """
        ...

    async def submit(self, data: bytes) -> Taken:
        """Commit them; raises `NotIncludable` or `OperationalError`."""
        ...

    def find(self, name: bytes, *, by_txid: bool) -> Taken | None:
        """What became of a statement, by its digest or, where allowed, its txid; None where there is none."""
        ...


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A statement's place on the ledger, and what became of each of its messages."""

    txid: str
    digest: str
    height: int
    time_ms: int
    leaf: int
    level: str
    outcomes: list[msgspec.Raw]


class Placed(msgspec.Struct, frozen=True, kw_only=True):
    """What a stranger is told of a statement whose digest he names: its place, and no outcome."""

    digest: str
    height: int
    time_ms: int
    leaf: int
    level: str


@dataclass(frozen=True, slots=True)
class StatementRoutes:
    """Takes statements where the operator wants that (`accept`), and finds them again.

    `refusals` counts what was malformed or not includable, by client: what is in order counts against nobody.
    """

    intake: StatementIntake
    access: Access
    refusals: RateLimit
    accept: bool

    def routes(self) -> APIRouter:
        """Where statements are sent, and where one is found again."""
        router = APIRouter()
        if self.accept:
            router.add_api_route(STATEMENTS_PATH, self.take, methods=["POST"], response_model=None)
        router.add_api_route(STATEMENT_PATH, self.show, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """One statement."""
        if not self.accept:
            return ()
        return (BodyRule("POST", STATEMENTS_PATH, STATEMENT_BYTES_MAX, STATEMENT_TYPES),)

    async def take(self, request: Request) -> Response:
        """Commit a statement and say what became of it; the same bytes get the same answer, however often they come."""
        self.refusals.require(request)
        data = bytearray()
        async for chunk in request.stream():
            data += chunk
        try:
            taken = await self._commit(bytes(data))
        except Malformed as error:
            self.refusals.count(request)
            raise Refusal(Problem.BAD_REQUEST, detail=as_sentence(str(error))) from error
        except NotIncludable as error:
            self.refusals.count(request)
            if error.reason is Reason.MALFORMED:
                raise Refusal(Problem.BAD_REQUEST, detail=as_sentence(str(error))) from error
            raise
        except LedgerStopped as error:
            raise Refusal(Problem.UNKNOWN) from error
        return _present(recorded(taken))

    def show(self, request: Request, name: str) -> Response:
        """What became of a statement: for the owner by digest or txid, for a stranger its place, by digest.

        A txid leaves out the signature, so what it says can be guessed; a digest cannot.
        """
        is_member = self.access.is_owner(request)
        found = self.intake.find(bytes.fromhex(name), by_txid=is_member) if _NAME.match(name) else None
        if found is None:
            raise Refusal(Problem.NO_STATEMENT)
        return _present(recorded(found) if is_member else placed(found))

    async def _commit(self, data: bytes) -> Taken:
        return self.intake.examine(data) or await self.intake.submit(data)


def recorded(taken: Taken) -> Recorded:
    """The whole answer."""
    one = taken.receipted
    return Recorded(
        txid=one.txid.hex(),
        digest=one.digest.hex(),
        height=one.height,
        time_ms=one.time_ms,
        leaf=one.leaf,
        level=taken.level.value,
        outcomes=[msgspec.Raw(outcome) for outcome in one.outcomes],
    )


def placed(taken: Taken) -> Placed:
    """The answer without what only members see."""
    one = taken.receipted
    digest, level = one.digest.hex(), taken.level.value
    return Placed(digest=digest, height=one.height, time_ms=one.time_ms, leaf=one.leaf, level=level)


def _present(answer: Recorded | Placed) -> Response:
    return Response(msgspec.json.encode(answer), 200, {"Cache-Control": "no-store"}, JSON)
