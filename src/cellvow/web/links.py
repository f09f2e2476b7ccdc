"""Where a page's links lead: given by whoever serves or writes the page, so that a page depends on no server."""

from collections.abc import Callable
from dataclasses import dataclass, field

BUNDLE_SUFFIX = ".cvb"


@dataclass(frozen=True, slots=True)
class PageLinks:
    """The addresses around one passport page.

    `digital_link` is the absolute address in the QR code. `bundle_of(statement, index)` is the address of a
    statement's bundle, or None where this reader may not take it. `home` leads to the list of batteries, `languages`
    are (catalogue, address) pairs; both may be left out. `witness_note` names what is to be said of the witnesses
    (`note.NAME` in the catalogues: `one_demo` when one demonstration started them all).
    """

    digital_link: str
    bundle_of: Callable[[str, int], str | None]
    home: str | None = None
    languages: tuple[tuple[str, str], ...] = field(default=())
    witness_note: str | None = None


def bundle_file_name(serial: str, statement: str, index: int) -> str:
    """The name under which a bundle is kept: the battery's serial, the statement, the place in it."""
    return f"{serial}-{statement[:8]}-{index}{BUNDLE_SUFFIX}"
