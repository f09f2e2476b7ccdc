"""The page that lists the batteries whose passports a node can show."""

from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.web.rendering import Look, render_page

_LOOK = Look(area="index", forms=True)


@dataclass(frozen=True, slots=True)
class BatteryEntry:
    """One line of the list."""

    gtin: str
    serial: str
    address: str


@dataclass(frozen=True, slots=True)
class IndexLinks:
    """Addresses around the list: its first page (None on it), its next page (None at the end), other languages.

    `is_shared_code`: the list answers a short code that more than one battery has. `lang` is the language asked for by
    name, which a code that is looked for takes along.
    """

    home: str
    first: str | None = None
    more: str | None = None
    languages: tuple[tuple[str, str], ...] = ()
    is_shared_code: bool = False
    lang: str = ""


def render_index(batteries: Sequence[BatteryEntry], *, locale: str = "en", links: IndexLinks) -> str:
    """The list as an HTML document; an empty one says what to do first."""
    return render_page(
        "index.html",
        locale,
        _LOOK,
        batteries=batteries,
        home=links.home,
        first=links.first,
        more=links.more,
        languages=links.languages,
        is_shared_code=links.is_shared_code,
        lang=links.lang,
    )
