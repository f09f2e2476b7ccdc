"""Hand-overs at the desk: the open offers of both sides, and forms that lead to a dry run."""

from typing import Protocol

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from cellvow.api.desk import parse_named_battery
from cellvow.api.desk_acts import ActSource
from cellvow.api.desk_door import Door, explain_rejection
from cellvow.api.desk_upload import FORM_BYTES_MAX, FORM_TYPE, Fields, read_form
from cellvow.api.guard import BodyRule
from cellvow.core.ledger.rejection import NotIncludable, Rejected
from cellvow.core.primitives.errors import Malformed
from cellvow.web.desk_acts import ACTS
from cellvow.web.desk_pages import DESK
from cellvow.workspace.desk_handovers import Member, Standing

HANDOVERS = f"{DESK}/handovers"
MEMBERS_LISTED = 40
"""Members that are offered in a list; where there are more, one is named by its identifier."""


class HandoverSource(Protocol):
    """Registers and offers; blocks."""

    def standing(self, received_after: str = "", made_after: str = "") -> Standing:
        """What there is, and what is open from these pages on."""
        ...

    def members(self) -> list[Member]:
        """Who can be handed something."""
        ...


class HandoverPages:
    """Offers and answers; each is signed on the page of its dry run."""

    def __init__(self, source: HandoverSource, acts: ActSource, door: Door) -> None:
        self._source = source
        self._acts = acts
        self._door = door

    def routes(self) -> APIRouter:
        """Its addresses."""
        router = APIRouter()
        router.add_api_route(HANDOVERS, self.handovers, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route(HANDOVERS, self.hand_over, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> tuple[BodyRule, ...]:
        """Small forms."""
        return (BodyRule("POST", HANDOVERS, FORM_BYTES_MAX, (FORM_TYPE,)),)

    def handovers(self, request: Request) -> Response:
        """Open offers of both sides, and the form for a new one."""
        return self._show(request)

    async def hand_over(self, request: Request) -> Response:
        """Offer, or answer an offer: on to what would come of it."""
        self._door.require_session(request)
        fields = await read_form(request)
        return await run_in_threadpool(self._hand_over, request, fields)

    def _hand_over(self, request: Request, fields: Fields) -> Response:
        self._door.require_form(request, fields)
        try:
            battery = parse_named_battery(fields.get("battery", "").strip())
            act = f"handover_{fields.get('answer', '')}"
            number = self._acts.prepare(self._door.owner(request), act, {**fields, "battery": battery})
        except (Rejected, NotIncludable) as error:
            return self._show(request, 409, rejection=explain_rejection(error))
        except Malformed as error:
            return self._show(request, 400, fault=str(error))
        return self._door.go_to(request, f"{ACTS}/{number}")

    def _show(self, request: Request, status: int = 200, **context: object) -> Response:
        self._door.require_session(request)
        asked = request.query_params
        pages = (asked.get("received_after", "")[:60], asked.get("made_after", "")[:60])
        standing, members = self._source.standing(*pages), self._source.members()
        known: dict[str, object] = {
            "standing": standing,
            "members": members,
            "members_listed": MEMBERS_LISTED,
            "battery": asked.get("battery", "")[:200],
            "rejection": None,
            "fault": None,
        }
        if status == 200:
            return self._door.answer(request, "desk_handovers.html", standing, **known | context)
        return self._door.page(request, "desk_handovers.html", status, **known | context)
