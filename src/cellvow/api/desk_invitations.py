"""The desk's invitations: whom to ask for what is missing of a life, what came of it, and an end to it."""

import re
from collections.abc import Callable, Sequence
from typing import Protocol

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from cellvow.api.desk import parse_named_battery
from cellvow.api.desk_door import Door
from cellvow.api.desk_upload import FORM_BYTES_MAX, FORM_TYPE, Fields, read_form
from cellvow.api.guard import BodyRule
from cellvow.api.passports import origin_of
from cellvow.core.ledger.rejection import Rejected
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.vault import GRANT_SCOPES, Invitation, Invited
from cellvow.web.desk_pages import DESK
from cellvow.workspace.inviting import ASKED, INVITATION_PATH, Standing, Wish

INVITATIONS = f"{DESK}/invitations"
INVITATIONS_SHOWN = 50
DAY_MS = 86_400_000
_NUMBER = re.compile(r"[0-9a-f]{12}\Z")
_DAYS = re.compile(r"[0-9]{1,3}\Z")


class DeskInvitations(Protocol):
    """Making, listing and ending invitations; blocks."""

    def make(self, wish: Wish) -> Invited:
        """Invite."""
        ...

    def revoke(self, invitation_id: str) -> Invitation:
        """End an invitation."""
        ...

    def standings(self, battery: str | None = None, limit: int = 50) -> list[Standing]:
        """The newest first."""
        ...


class InvitationPages:
    """Inviting. `origin` is what links lead to, else the address a client used; `clock` gives milliseconds."""

    def __init__(
        self, source: DeskInvitations, door: Door, clock: Callable[[], int], origin: str | None = None
    ) -> None:
        self._source = source
        self._door = door
        self._clock = clock
        self._origin = origin

    def routes(self) -> APIRouter:
        """Its address."""
        router = APIRouter()
        router.add_api_route(INVITATIONS, self.invitations, methods=["GET", "HEAD"], response_model=None)
        router.add_api_route(INVITATIONS, self.invite, methods=["POST"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """A small form."""
        return (BodyRule("POST", INVITATIONS, FORM_BYTES_MAX, (FORM_TYPE,)),)

    def invitations(self, request: Request) -> Response:
        """Whom one invited, and the form for another; `?battery=` and `?stage=` fill it."""
        self._door.require_session(request)
        asked = {name: request.query_params.get(name, "").strip()[:200] for name in ("battery", "stage")}
        return self._show(request, fields=asked)

    async def invite(self, request: Request) -> Response:
        """Invite, and show the link this once; or end an invitation."""
        self._door.require_session(request)
        fields = await read_form(request)
        return await run_in_threadpool(self._invite, request, fields)

    def _invite(self, request: Request, fields: Fields) -> Response:
        self._door.require_form(request, fields)
        try:
            if _NUMBER.match(fields.get("revoke", "")):
                self._source.revoke(fields["revoke"])
                return self._door.go_to(request, INVITATIONS)
            invited = self._source.make(self._wish(fields))
        except (Malformed, OperationalError, Rejected) as error:
            status = 400 if isinstance(error, Malformed) else 409
            return self._show(request, status, fields=fields, fault=str(error))
        origin = self._origin or origin_of(request) or ""
        address = f"{origin}{INVITATION_PATH}{invited.token}"
        return self._show(request, fields={}, address=address, invited=invited.invitation)

    def _wish(self, fields: Fields) -> Wish:
        battery = parse_named_battery(fields.get("battery", "").strip())
        days = fields.get("days", "").strip()
        if not _DAYS.match(days):
            raise Malformed("an invitation lasts a whole number of days")
        show = frozenset(fields.get("show", "").split(",")) & frozenset(GRANT_SCOPES)
        partner, stage = fields.get("partner", "").strip(), fields.get("stage", "")
        return Wish(battery, stage, partner, self._clock() + int(days) * DAY_MS, show)

    def _show(self, request: Request, status: int = 200, **context: object) -> Response:
        known = {
            "standings": self._source.standings(None, INVITATIONS_SHOWN),
            "stages": ASKED,
            "scopes": GRANT_SCOPES,
            "address": None,
            "invited": None,
            "fault": None,
        }
        return self._door.page(request, "desk_invitations.html", status, **known | context)
