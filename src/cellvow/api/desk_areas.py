"""The desk as the areas of a site: what `cellvow serve` adds where it serves a workspace."""

from collections.abc import Callable

from cellvow.api.access import Access
from cellvow.api.application import Area
from cellvow.api.desk import DeskPages
from cellvow.api.desk_acts import ActPages
from cellvow.api.desk_disputes import DisputePages
from cellvow.api.desk_door import Door
from cellvow.api.desk_exchange import ExchangePages
from cellvow.api.desk_handovers import HandoverPages
from cellvow.api.desk_invitations import InvitationPages
from cellvow.api.desk_papers import PaperPages
from cellvow.api.desk_sheets import SheetPages
from cellvow.api.desk_units import UnitPages
from cellvow.api.invitations import InvitationRoutes
from cellvow.workspace.desk import Desk


def desk_areas(desk: Desk, access: Access, clock: Callable[[], int], origin: str | None = None) -> tuple[Area, ...]:
    """All pages of a desk, behind one door, and that of an invitation, which has its own key.

    `origin` is what codes and links lead to, else what a client used.
    """
    door = Door(access, clock)
    return (
        DeskPages(desk, door),
        PaperPages(desk, door, origin),
        ExchangePages(desk.exchange, door, clock, origin),
        HandoverPages(desk.handovers, desk.acts, door),
        DisputePages(desk.disputes, desk.seconds, desk.handovers.members, door),
        ActPages(desk.acts, door),
        UnitPages(desk.units, door),
        SheetPages(desk.sheets, door),
        InvitationPages(desk.inviting, door, clock, origin),
        InvitationRoutes(desk.inviting, access, clock),
    )
