"""What a ledger proves here and what it does not: the five-minute explanation, in pictures and plain words."""

from collections.abc import Callable

from cellvow.core.primitives.encoding import Json
from cellvow.web.catalogue import load_catalogue
from cellvow.web.rendering import Look, render_page

CHAIN = ("statement", "block", "log", "checkpoint", "witness", "bundle")
"""From a word to a proof, each step a picture; the names are terms of the glossary as well."""
PROVEN = ("who", "when", "kept", "unchanged", "offline", "replay", "private")
NOT_PROVEN = ("true", "key", "independent", "page", "unit", "forget")
ATTACKS = ("alter", "fork", "forge")
"""What a dishonest operator can try, as `cellvow demo --attack` does."""
ABOUT_FAMILIES = {
    "chain": (CHAIN, ("name", "text")),
    "proven": (PROVEN, ("name", "text")),
    "unproven": (NOT_PROVEN, ("name", "text")),
    "attack": (ATTACKS, ("name", "does", "noticed", "missed")),
}
"""The texts of the page that come in rows: `about.KIND.ROW.PART`."""


def render_about(
    *, locale: str = "en", home: str, languages: tuple[tuple[str, str], ...], to: Callable[[str], str]
) -> str:
    """The explanation as an HTML document; `to(path)` is another page's address in the reader's language."""
    return render_page(
        "about.html",
        locale,
        Look(area="tour"),
        home=home,
        languages=languages,
        to=to,
        chain=CHAIN,
        proven=PROVEN,
        not_proven=NOT_PROVEN,
        attacks=ATTACKS,
    )


def about_document(locale: str) -> dict[str, Json]:
    """The same for programs: the rows in order, each with its texts."""
    catalogue = load_catalogue(locale)
    document: dict[str, Json] = {"language": catalogue.tag}
    for kind, (rows, parts) in ABOUT_FAMILIES.items():
        listed: list[Json] = [
            {"name": row, **{part: catalogue.plain(f"about.{kind}.{row}.{part}") for part in parts if part != "name"}}
            for row in rows
        ]
        document[kind] = listed
    return document
