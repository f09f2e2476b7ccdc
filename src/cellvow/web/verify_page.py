"""The page on which a reader checks a proof in his own browser, and the words its scripts speak."""

from functools import cache

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX, TRUST_BYTES_MAX
from cellvow.core.primitives.quantity import CLASSES, UNITS
from cellvow.web.catalogue import LOCALES, load_catalogue, term_key
from cellvow.web.rendering import Look, render_page
from cellvow.web.vocabulary import VOCABULARIES
from cellvow.web.wording import DISPLAY_UNITS, LEAST_DECIMALS, Wording

CHECK_COUNT = 13
"""Checks of docs/reference/formats.md section 12, as both verifiers number them."""
SAID = (
    "check.anchored_none",
    "check.anchored_own",
    "check.anchored_server",
    "check.as_signed",
    "check.battery",
    "check.block",
    "check.choose_trust",
    "check.class",
    "check.disclosed",
    "check.document_save",
    "check.facts",
    "check.failed",
    "check.fails",
    "check.fields",
    "check.file_empty",
    "check.file_too_large",
    "check.file_unreadable",
    "check.held",
    "check.held_some",
    "check.holds",
    "check.interval",
    "check.kept",
    "check.kept_contested",
    "check.kept_held",
    "check.kind",
    "check.ledger",
    "check.log",
    "check.nobody",
    "check.validators",
    "check.validators_of",
    "check.suspect",
    "check.suspect_text",
    "check.none_disclosed",
    "check.outcome",
    "check.quantity",
    "check.recorded",
    "check.reference",
    "check.running",
    "check.sentence",
    "check.signed_by",
    "check.skipped",
    "check.tested",
    "check.trust_failed",
    "check.unasked",
    "check.valid_until",
    "check.value",
    "check.witnesses",
)
"""Every sentence that the scripts say; they fill `{parameters}` themselves, as text."""


def render_verify(*, locale: str, home: str, languages: tuple[tuple[str, str], ...]) -> str:
    """The page. Without scripts it says how to check on one's own machine."""
    wording = Wording(locale)
    return render_page(
        "verify.html",
        locale,
        Look(area="verify", scripts=("verify_page.js",)),
        home=home,
        languages=languages,
        bundle_bytes=wording.whole(BUNDLE_BYTES_MAX),
        trust_bytes=wording.whole(TRUST_BYTES_MAX),
    )


@cache
def check_words(locale: str) -> dict[str, Json]:
    """What the scripts need to speak a language: sentences, titles of the checks, terms, units, limits."""
    catalogue = load_catalogue(locale)
    checks: list[Json] = [
        {"title": catalogue.template(f"check.title_{number}"), "meaning": catalogue.template(f"check.meaning_{number}")}
        for number in range(1, CHECK_COUNT + 1)
    ]
    said: dict[str, Json] = {key.removeprefix("check."): catalogue.template(key) for key in SAID}
    units: dict[str, Json] = {
        unit: [shown, places, LEAST_DECIMALS.get(unit, 0)] for unit, (shown, places) in DISPLAY_UNITS.items()
    }
    return {
        "language": LOCALES[locale].replace("_", "-"),
        "bundle_bytes_max": BUNDLE_BYTES_MAX,
        "trust_bytes_max": TRUST_BYTES_MAX,
        "checks": checks,
        "said": said,
        "quantity": _terms(locale, "quantity", VOCABULARIES["quantity"]),
        "class": _terms(locale, "class", CLASSES),
        "committed": _terms(locale, "committed", VOCABULARIES["committed"]),
        "message": _terms(locale, "message", VOCABULARIES["message"]),
        "predicate": _terms(locale, "predicate", VOCABULARIES["predicate"]),
        "unit": units,
        "unit_of": dict(UNITS),
    }


def _terms(locale: str, kind: str, words: tuple[str, ...]) -> dict[str, Json]:
    catalogue = load_catalogue(locale)
    return {word: catalogue.template(term_key(kind, word)) for word in words}
