"""The page that a workshop's phone keeps and opens without network: its words, and the worker that keeps it."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import get_args

from cellvow.core.contracts.use import RemovalCause
from cellvow.core.primitives.encoding import Json
from cellvow.web.catalogue import LOCALES, load_catalogue, term_key
from cellvow.web.rendering import Look, render_page
from cellvow.web.static import load_static
from cellvow.web.vocabulary import VOCABULARIES

KINDS = ("work", "install", "remove", "incident", "sighting")
"""What a phone records, the most frequent first."""
SAID = (
    "field.all_answered",
    "field.anew",
    "field.busy",
    "field.copied",
    "field.discard",
    "field.elsewhere",
    "field.failed",
    "field.full_rows",
    "field.full_span",
    "field.full_waiting",
    "field.kind.incident",
    "field.kind.install",
    "field.kind.remove",
    "field.kind.sighting",
    "field.kind.work",
    "field.last",
    "field.made",
    "field.not_admitted",
    "field.not_kept",
    "field.not_ready",
    "field.obstacle_insecure",
    "field.obstacle_old",
    "field.queue_empty",
    "field.ready",
    "field.rule",
    "field.scan_none",
    "field.sending",
    "field.signed",
    "field.since",
    "field.state_contested",
    "field.state_elsewhere",
    "field.state_ended",
    "field.state_held",
    "field.state_in_force",
    "field.state_none",
    "field.state_not_included",
    "field.state_recorded",
    "field.state_refused",
    "field.state_rejected",
    "field.state_unknown",
    "field.state_unreachable",
    "field.state_waiting",
    "field.step",
    "field.told_contested",
    "field.told_held",
    "field.told_known",
    "field.told_not_included",
    "field.told_recorded",
    "field.told_rejected",
    "field.unfit_check_digit",
    "field.unfit_next",
    "field.unfit_on",
    "field.unfit_place",
    "field.unfit_reference",
    "field.unfit_text",
    "field.unfit_unit",
    "field.unreachable",
    "field.waiting_one",
    "field.waiting_other",
)
"""Every sentence that the scripts say; they fill `{parameters}` themselves, as text."""
_SCRIPTS = (
    "field/encoding.js",
    "field/messages.js",
    "field/page.js",
    "field/queue.js",
    "field/rows.js",
    "field/statement.js",
    "field/storage.js",
    "verify/formats.js",
    "verify/sha2.js",
)


@dataclass(frozen=True, slots=True)
class FieldPhone:
    """For whom the phones sign, and on which ledger."""

    organisation: str
    chain_id: str


def render_field(phone: FieldPhone, *, locale: str, home: str, languages: tuple[tuple[str, str], ...]) -> str:
    """The page. Nothing in it is of a session or a battery: a phone keeps it as it is."""
    return render_page(
        "field.html",
        locale,
        Look(area="field", scripts=("field/page.js",)),
        home=home,
        languages=languages,
        phone=phone,
        words=f"/field/words?lang={locale}",
        kinds=KINDS,
        causes=get_args(RemovalCause),
        vocabulary={name: VOCABULARIES[name] for name in ("into", "work", "incident", "severity")},
    )


@cache
def field_words(locale: str) -> dict[str, Json]:
    """What the scripts need to speak a language."""
    catalogue = load_catalogue(locale)
    said: dict[str, Json] = {key.removeprefix("field."): catalogue.template(key) for key in SAID}
    message: dict[str, Json] = {word: catalogue.template(term_key("message", word)) for word in VOCABULARIES["message"]}
    return {"language": LOCALES[locale].replace("_", "-"), "message": message, "said": said}


def field_scripts() -> tuple[str, ...]:
    """The scripts that the page loads, by their names under `/static/`."""
    return _SCRIPTS


def render_worker(version: str, pages: Sequence[str], files: Sequence[str]) -> str:
    """The worker that keeps the `pages` and `files` of this version."""
    script = load_static("field_worker.js")
    named = {"CACHE": f"cellvow-field-{version}", "PAGES": list(pages), "FILES": [*pages, *files]}
    head = "".join(f"const {name} = {json.dumps(value)};\n" for name, value in named.items())
    return head + ("" if script is None else script.content.decode("utf-8"))
