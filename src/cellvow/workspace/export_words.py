"""The words of an export package in each of its languages: its page, its README, and what the terminal says of it.

They belong to the format: a verifier draws the page anew and compares, so a package's texts must never hang on the
language tables of whoever reads it. That is why they lie here and not in the catalogues of the site.
"""

import json
import re
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import fail

LANGUAGES = ("en", "de", "pt_BR")
"""What a package can be written in; the first is taken without a wish."""
TERMS = {
    "category": ("ev", "industrial", "lmt", "portable", "sli"),
    "class": ("declared", "estimated", "measured", "simulated"),
    "comparison": ("at_least", "at_most"),
    "quantity": (
        "capacity",
        "coulombic_efficiency",
        "discharge_curve",
        "energy",
        "resistance_10s",
        "state_of_charge",
        "state_of_health",
        "state_of_health_energy",
        "state_of_health_first",
        "state_of_health_resistance",
        "test_summary",
    ),
    "standing": (
        "corrected: a later statement replaced what this one says",
        "expired",
        "in force",
        "invalidated",
        "invalidated by what happened to the battery since",
        "overtaken by what happened to the battery",
        "revoked",
        "superseded",
        "suspect",
    ),
    "status": ("original", "re-used", "remanufactured", "repurposed", "waste"),
    "verdict": ("accept", "cannot_tell", "re_test"),
}
"""Kind -> the words that a package can hold; a word of a later ledger stands as it was written."""
_SHOWN = {
    "g": ("kg", 3),
    "mAh": ("Ah", 3),
    "mV": ("V", 3),
    "mWh": ("Wh", 3),
    "permille": ("%", 1),
    "ppm": ("%", 4),
    "uohm": ("mOhm", 3),
}
"""Unit of a scaled integer -> the unit people read, and by how many decimal places the point moves."""


class Words:
    """One language's texts; a key that is missing is our bug and raises `InvariantBroken`."""

    def __init__(self, language: str, texts: Mapping[str, str], readme: str) -> None:
        """`texts` maps keys to plain text with `{parameters}`; `readme` is the text beside the package."""
        self.language = language
        self.readme = readme
        self._texts = texts

    @property
    def tag(self) -> str:
        """The language as HTML names it (BCP 47)."""
        return self.language.replace("_", "-")

    def text(self, key: str, **parameters: str) -> str:
        """The text under a key, its parameters filled."""
        text = self._texts.get(key)
        if text is None:
            fail(f"the export texts in {self.language} lack {key}")
        return text.format(**parameters)

    def term(self, kind: str, word: Json) -> str:
        """A word of a closed vocabulary in this language; a word that is in none stands as it was written."""
        if word not in TERMS[kind]:
            return str(word).replace("_", " ")
        return self.text(term_key(kind, str(word)))

    def amount(self, value: Json, unit: Json) -> str:
        """A scaled integer in the unit people read, exact: 280 permille are 28.0 %."""
        shown, places = _SHOWN.get(str(unit), ("" if unit is None else str(unit), 0))
        if not isinstance(value, int) or not places:
            return f"{value} {shown}".rstrip()
        sign, digits = "-" if value < 0 else "", f"{abs(value):0{places + 1}}"
        return f"{sign}{digits[:-places]}{self.text('decimal.point')}{digits[-places:]} {shown}"


def term_key(kind: str, word: str) -> str:
    """The key of a word's text."""
    return f"{kind}.{re.sub(r'[^A-Za-z0-9]+', '_', word)}"


@cache
def load_words(language: str) -> Words:
    """The words of one of `LANGUAGES`."""
    if language not in LANGUAGES:
        fail(f"there are no export texts in {language}")
    folder = files("cellvow.workspace").joinpath("export_texts")
    texts = json.loads(folder.joinpath(f"{language}.json").read_text(encoding="utf-8"))
    return Words(language, texts, folder.joinpath(f"{language}.txt").read_text(encoding="utf-8"))
