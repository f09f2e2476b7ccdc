"""The words of this site, each in one or two plain sentences: one list for pages, links and programs."""

import unicodedata
from dataclasses import dataclass

from markupsafe import Markup

from cellvow.core.primitives.encoding import Json
from cellvow.web.catalogue import load_catalogue
from cellvow.web.rendering import Look, render_page

GLOSSARY = "/glossary"
TERMS = (
    "anchor",
    "attestation",
    "backfill",
    "batch",
    "battery",
    "block",
    "bundle",
    "certificate",
    "checkpoint",
    "circle",
    "commitment",
    "consistency_proof",
    "contract",
    "correction",
    "cosignature",
    "custody",
    "digital_link",
    "disclosure",
    "engine",
    "evidence_class",
    "genesis",
    "grant",
    "handover",
    "height",
    "inclusion_proof",
    "interval",
    "key",
    "leaf",
    "ledger",
    "log",
    "message",
    "node",
    "operator",
    "outcome",
    "ownership",
    "passport",
    "policy",
    "predicate",
    "recorded_event",
    "responsibility",
    "root",
    "salt",
    "state_map",
    "state_of_health",
    "statement",
    "trust_file",
    "vault",
    "verdict",
    "verifier",
    "witness",
)
"""The anchor of each term on the page; its texts are `glossary.TERM.name` and `glossary.TERM.text`."""


@dataclass(frozen=True, slots=True)
class Term:
    """A word and what it means here, in one language."""

    anchor: str
    name: Markup
    text: Markup


def list_terms(locale: str) -> tuple[Term, ...]:
    """All terms, in the alphabetical order of the language."""
    text = load_catalogue(locale).text
    terms = [Term(one, text(f"glossary.{one}.name"), text(f"glossary.{one}.text")) for one in TERMS]
    return tuple(sorted(terms, key=lambda term: _collation(term.name)))


def render_glossary(*, locale: str = "en", home: str, languages: tuple[tuple[str, str], ...]) -> str:
    """The glossary as an HTML document; `/glossary#TERM` leads to a term."""
    look = Look(area="tour")
    return render_page("glossary.html", locale, look, home=home, languages=languages, terms=list_terms(locale))


def glossary_document(locale: str) -> dict[str, Json]:
    """The same for programs."""
    terms: list[Json] = [
        {"address": f"{GLOSSARY}#{one.anchor}", "name": one.name.striptags(), "term": one.anchor, "text": str(one.text)}
        for one in list_terms(locale)
    ]
    return {"language": load_catalogue(locale).tag, "terms": terms}


def _collation(name: Markup) -> str:
    """Letters without their marks, so that a word with an accent stands where readers look for it."""
    decomposed = unicodedata.normalize("NFD", name.striptags().casefold())
    return "".join(character for character in decomposed if not unicodedata.combining(character))
