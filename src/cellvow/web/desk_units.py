"""The page of an organisation's units."""

from collections.abc import Mapping

from cellvow.core.contracts.register import REGISTERS
from cellvow.web.desk_pages import Frame, render_desk_page
from cellvow.web.desk_words import UNIT_STATUSES
from cellvow.workspace.desk_units import UnitsPage
from cellvow.workspace.holdings_pages import OFFERS, Wish

ASKED = ("q", "model", "register", "status", "offer", "disputed")
"""What the page's form asks for."""


def units_context(shown: UnitsPage, wish: Wish, asked: Mapping[str, str], after: str) -> dict[str, object]:
    """What the template shows; `asked` is the form as it was sent."""
    whole = {name: asked.get(name, "") for name in ASKED}
    return {
        "after": after,
        "asked": whole,
        "kept": {name: value for name, value in whole.items() if value},
        "offers": OFFERS,
        "registers": REGISTERS,
        "shown": shown,
        "statuses": UNIT_STATUSES,
        "wish": wish,
    }


def render_units(frame: Frame, shown: UnitsPage, wish: Wish, asked: Mapping[str, str], after: str) -> str:
    """The whole page."""
    return render_desk_page("desk_units.html", frame, **units_context(shown, wish, asked, after))
