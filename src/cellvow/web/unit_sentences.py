"""What is recorded of a unit in use, in words: one sentence for each fact, whatever shows it."""

from markupsafe import Markup

from cellvow.passport.view import UseFact
from cellvow.web.catalogue import isolate_foreign
from cellvow.web.wording import Wording

_TERMS = {"component", "grade_state", "into", "rest", "work"}
"""Details that are words of the vocabulary of their name."""
_LISTS = {"applications": "application", "roles": "role"}
"""Details that list words of a vocabulary."""


def tell_use(fact: UseFact, wording: Wording) -> Markup:
    """One fact of a unit in use."""
    return wording.catalogue.term("use", fact.name, **{name: _words(name, text, wording) for name, text in fact.detail})


def _words(name: str, text: str, wording: Wording) -> Markup:
    if name == "day":
        return wording.written_day(text)
    if name in _TERMS:
        return wording.catalogue.term(name, text)
    if name in _LISTS:
        return Markup(", ").join(wording.catalogue.term(_LISTS[name], one) for one in text.split(", ") if one)
    return isolate_foreign(text)
