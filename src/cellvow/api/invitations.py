"""The page behind an invitation's link; for programs the same as a document.

The token stands in the address and nowhere else: no page, redirect or log names it. Whoever guesses is told nothing,
and may not guess often.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

import msgspec
from fastapi import APIRouter, Request, Response

from cellvow.api.access import GUESSES_BURST, GUESSES_PER_MINUTE, TOKEN_LENGTH_MAX, Access
from cellvow.api.guard import BodyRule
from cellvow.api.negotiation import HTML_UTF8, JSON, answer_body, choose_language, wants_json
from cellvow.api.problems import Refusal
from cellvow.api.rates import RateLimit
from cellvow.vault import InvitationRefused
from cellvow.web import LOCALES, Problem
from cellvow.web.invitation_page import LOOK_PARAMETER, render_invitation
from cellvow.workspace.invitation_document import describe_invitation
from cellvow.workspace.inviting import INVITATION_PATH, Shown


class InvitationSource(Protocol):
    """The invitations of the organisation whose site it is; blocks."""

    def enter(self, token: str) -> Shown:
        """What the bearer of a link is shown; raises `InvitationRefused`."""
        ...


class InvitationRoutes:
    """What an invited partner, or his program, opens."""

    def __init__(self, source: InvitationSource, access: Access, clock: Callable[[], int]) -> None:
        """`clock` gives milliseconds."""
        self._source = source
        self._access = access
        self._tries = RateLimit(GUESSES_BURST, GUESSES_PER_MINUTE, clock)

    def routes(self) -> APIRouter:
        """Its address."""
        router = APIRouter()
        path = f"{INVITATION_PATH}{{token}}"
        router.add_api_route(path, self.invitation, methods=["GET", "HEAD"], response_model=None)
        return router

    def bodies(self) -> Sequence[BodyRule]:
        """None: what is signed in answer is sent as a statement."""
        return ()

    def invitation(self, request: Request, token: str) -> Response:
        """Who asks for what; `?look=1` leads on to what the bearer may see beyond. A right link counts as a try."""
        self._tries.take(request)
        try:
            shown = self._source.enter(token[:TOKEN_LENGTH_MAX])
        except InvitationRefused as error:
            raise Refusal(Problem.NO_PAGE) from error
        shows_more = bool(shown.standing.invitation.grant_id)
        if shows_more and LOOK_PARAMETER in request.query_params:
            return self._access.open_grant(request, token)
        asked = describe_invitation(shown)
        if wants_json(request):
            return answer_body(request, msgspec.json.encode(asked) + b"\n", JSON, is_private=True)
        lang = request.query_params.get("lang", "")
        page = render_invitation(
            asked,
            shown.passport,
            locale=choose_language(request),
            language=lang if lang in LOCALES else "",
            shows_more=shows_more,
        )
        return answer_body(request, page.encode(), HTML_UTF8, is_private=True)
