"""Where a page's links lead: given by whoever serves or writes the page, so that a page depends on no server."""

from collections.abc import Callable
from dataclasses import dataclass

BUNDLE_SUFFIX = ".cvb"


def _no_invitation(stage: str) -> None:  # noqa: ARG001 - for whoever has nobody to invite
    return None


def _no_bundle(statement: str, index: int) -> None:  # noqa: ARG001 - for a page that stands alone
    return None


def _no_passport(battery: str) -> None:  # noqa: ARG001 - for a page that stands alone
    return None


@dataclass(frozen=True, slots=True)
class PageLinks:
    """The addresses around one passport page.

    `digital_link` is the absolute address in the QR code; without one the code carries the path alone, which names
    the battery and leads nowhere. `bundle_of(statement, index)` is the address of a statement's bundle, or None where
    this reader may not take it; `passport_of(battery)` is where another unit's passport is. `home` leads to the list
    of batteries, `languages` are (catalogue, address) pairs. `witness_note` names what is to be said of the witnesses
    (`note.NAME` in the catalogues: `one_demo` when one demonstration started them all). `short` is the address of the
    battery's short code, `verdict` that of its verdict, `words` that of the words in which a check in the browser is
    told; without `words` the page has no script. `give` is where the owner lets others look, `invite_to(stage)` where
    he invites somebody to record a missing stage; `newest`, `earlier_steps` and `more_attestations` turn the pages of
    a long passport; `all_tests`, `all_use` and `all_parts` are pages of one section.
    """

    digital_link: str | None = None
    bundle_of: Callable[[str, int], str | None] = _no_bundle
    home: str | None = None
    languages: tuple[tuple[str, str], ...] = ()
    passport_of: Callable[[str], str | None] = _no_passport
    witness_note: str | None = None
    short: str | None = None
    verdict: str | None = None
    words: str | None = None
    give: str | None = None
    invite_to: Callable[[str], str | None] = _no_invitation
    newest: str | None = None
    earlier_steps: str | None = None
    more_attestations: str | None = None
    all_tests: str | None = None
    all_use: str | None = None
    all_parts: str | None = None


def bundle_file_name(serial: str, statement: str, index: int) -> str:
    """The name under which a bundle is kept: the battery's serial, the statement, the place in it."""
    return f"{serial}-{statement[:8]}-{index}{BUNDLE_SUFFIX}"
