"""Text catalogues: every sentence of every page, in each language, with named parameters."""

import json
import re
import unicodedata
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from string import Formatter

from markupsafe import Markup

from cellvow.core.primitives.errors import fail
from cellvow.web.vocabulary import VOCABULARIES

LOCALES: dict[str, str] = {"en": "en_GB", "de": "de_DE", "pt_BR": "pt_BR"}
"""Catalogue -> the locale whose numbers and dates go with it; the first is the one used without a wish."""
LANGUAGE_NAMES = {"en": "English", "de": "Deutsch", "pt_BR": "Português (Brasil)"}

_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_ISOLATE, _END_ISOLATE = "\u2068", "\u2069"
REPLACEMENT = "\ufffd"


class Catalogue:
    """One language's texts. A missing key, or a missing parameter, is our bug and raises `InvariantBroken`."""

    def __init__(self, language: str, texts: Mapping[str, str]) -> None:
        """`texts` maps keys to plain text with `{parameters}`; none of it is HTML."""
        self.language = language
        self._texts = texts

    @property
    def tag(self) -> str:
        """The language as HTML and HTTP name it (BCP 47)."""
        return self.language.replace("_", "-")

    def template(self, key: str) -> str:
        """The text under a key, its parameters unfilled."""
        text = self._texts.get(key)
        if text is None:
            fail(f"the catalogue {self.language} has no text {key}")
        return text

    def text(self, key: str, **parameters: str) -> Markup:
        """The text as HTML. A parameter that is not `Markup` is somebody else's: cleaned, escaped and isolated."""
        filled = {
            name: value if isinstance(value, Markup) else isolate_foreign(value) for name, value in parameters.items()
        }
        self._require_parameters(key, filled)
        return Markup(self.template(key)).format(**filled)  # noqa: S704 - our own text, no HTML in it

    def plain(self, key: str, **parameters: str) -> str:
        """The text for places that hold no HTML: attributes, titles of pictures. The template escapes it."""
        filled = {
            name: value.striptags() if isinstance(value, Markup) else _isolate_plain(clean_foreign(value))
            for name, value in parameters.items()
        }
        self._require_parameters(key, filled)
        return self.template(key).format(**filled)

    def term(self, kind: str, word: str, **parameters: str) -> Markup:
        """A word of a closed vocabulary in this language; a word we do not know stands as it was written."""
        if word not in VOCABULARIES[kind]:
            return Markup("<code>{}</code>").format(isolate_foreign(word))
        return self.text(term_key(kind, word), **parameters)

    def _require_parameters(self, key: str, filled: Mapping[str, str]) -> None:
        missing = parameters_of(self.template(key)) - filled.keys()
        if missing:
            fail(f"the text {key} lacks its parameters {', '.join(sorted(missing))}")


def term_key(kind: str, word: str) -> str:
    """The catalogue's key for a word of a vocabulary."""
    return f"{kind}.{re.sub(r'[^A-Za-z0-9]+', '_', word)}"


def parameters_of(template: str) -> set[str]:
    """The names of the parameters in a text."""
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def clean_foreign(text: str) -> str:
    """Somebody else's text with every control character, direction override and broken character made visible."""
    return "".join(REPLACEMENT if _is_treacherous(character) else character for character in text)


def isolate_foreign(text: str) -> Markup:
    """Somebody else's text as HTML: escaped, and unable to turn the direction of what stands beside it.

    ASCII has no letter that runs from right to left, so it needs no isolation in any of our languages.
    """
    cleaned = clean_foreign(text)
    return Markup("{}").format(cleaned) if cleaned.isascii() else Markup("<bdi>{}</bdi>").format(cleaned)


@cache
def load_catalogue(language: str) -> Catalogue:
    """The catalogue of one of `LOCALES`: a folder with one file for each area of the site."""
    if language not in LOCALES:
        fail(f"there is no catalogue {language}")
    texts: dict[str, str] = {}
    folder = files("cellvow.web").joinpath("catalogues", language)
    for part in sorted(folder.iterdir(), key=lambda one: one.name):
        for key, text in json.loads(part.read_text(encoding="utf-8")).items():
            if key in texts:
                fail(f"the catalogue {language} has two texts {key}, the second in {part.name}")
            texts[key] = text
    return Catalogue(language, texts)


def _isolate_plain(cleaned: str) -> str:
    return cleaned if cleaned.isascii() else f"{_ISOLATE}{cleaned}{_END_ISOLATE}"


def _is_treacherous(character: str) -> bool:
    return character in _BIDI_CONTROLS or unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp")
