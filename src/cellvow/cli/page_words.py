"""The texts of the pages for the terminal: the same words without their markup."""

from typing import TYPE_CHECKING

from cellvow.cli.answer import Table

if TYPE_CHECKING:
    from markupsafe import Markup

    from cellvow.passport.view import Source
    from cellvow.web.wording import Wording

_PAGE_MARKS = str.maketrans("", "", "\u00ad\u2068\u2069")
"""Places to hyphenate and isolated writing directions: a terminal knows neither."""


class PageWords:
    """The page's texts without their markup."""

    def __init__(self, wording: "Wording") -> None:
        self.wording = wording

    def text(self, key: str, **parameters: str) -> str:
        """A text of the catalogue."""
        return plain(self.wording.catalogue.text(key, **parameters))

    def term(self, kind: str, word: str, **parameters: str) -> str:
        """A word of a closed vocabulary."""
        return plain(self.wording.catalogue.term(kind, word, **parameters))

    def count(self, key: str, number: int) -> str:
        """A text with its number."""
        return plain(self.wording.count(key, number))

    def heading(self, key: str) -> list[str | Table]:
        """An empty line, and a question of the page."""
        return ["", self.text(key)]

    def quantity(self, number: int, unit: str | None) -> str:
        """A number with its unit."""
        return plain(self.wording.quantity(number, unit))

    def day(self, time_ms: int) -> str:
        """The day of a moment."""
        return plain(self.wording.day(time_ms))


def plain(markup: "Markup") -> str:
    """The text of a piece of a page: tags gone, entities resolved, spaces ordinary."""
    return markup.striptags().translate(_PAGE_MARKS)


def mark_suspect(source: "Source | None", words: PageWords) -> str:
    """That a key which signed something was somebody else's by then."""
    marks = [name for name in ("suspect", "countersigned") if source is not None and getattr(source, name)]
    return "".join(f" [{words.text(f'source.{name}')}]" for name in marks)
