"""The page of one battery's passport, for the audience its view was made for, as HTML and as JSON."""

import msgspec
from markupsafe import Markup

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.digital_link import draw_qr
from cellvow.passport.short_code import derive_short_code, write_short_code
from cellvow.passport.sources import list_sources
from cellvow.passport.view import Fact, LifeStep, Passport
from cellvow.web import answers
from cellvow.web.catalogue import LOCALES, clean_foreign, isolate_foreign, parameters_of, term_key
from cellvow.web.conditions import tell_conditions
from cellvow.web.curve import draw_curve
from cellvow.web.excerpt import Excerpt, whole_excerpt
from cellvow.web.links import PageLinks, bundle_file_name
from cellvow.web.rendering import PLAIN, Look, render_page
from cellvow.web.unit_sentences import tell_use
from cellvow.web.vocabulary import EVENTS
from cellvow.web.wording import Wording

_CORRECTED_TO = ("manufactured_on", "reference")
"""What a correction may say anew, as the detail of its step names it."""
_TERMS = {"cause": "cause", "evidence_class": "class", "message": "message", "removal": "removal", "topic": "topic"}
"""Details of a step that are words of a closed vocabulary."""


def render_passport(passport: Passport, *, locale: str = "en", links: PageLinks, excerpt: Excerpt | None = None) -> str:
    """One self-contained HTML document. `locale` names a catalogue (`LOCALES`); the view decides what is shown.

    `excerpt` is the part of a long passport that stands on this page; without one all of it does.
    """
    ensure(locale in LOCALES, f"there is no catalogue {locale}")
    wording = Wording(locale)
    catalogue = wording.catalogue
    excerpt = excerpt or whole_excerpt(passport)
    link = links.digital_link or f"/{passport.battery}"
    bundle = answers.choose_bundle(passport, links)
    can_check = bundle is not None and links.words is not None
    return render_page(
        "passport.html",
        locale,
        Look(scripts=("check.js",)) if can_check else PLAIN,
        passport=excerpt.shown,
        whole=passport,
        excerpt=excerpt,
        links=links,
        ask=answers,
        model=_headline(passport),
        link=link,
        qr=draw_qr(link, title=catalogue.plain("code.alt", link=link)),
        short_code=write_short_code(derive_short_code(BatteryId(passport.battery))),
        curve=None if passport.curve is None else draw_curve(passport.curve, wording),
        bundle=bundle,
        file_name=_file_name,
        fact_value=lambda fact, value: _fact_value(fact, value, wording),
        tell=lambda attested: tell_conditions(answers.known_values(attested), wording),
        sentence=lambda step: _sentence(step, wording),
        use_sentence=lambda fact: tell_use(fact, wording),
        roles=lambda names: Markup(", ").join(catalogue.term("role", one) for one in names),
    )


def passport_document(excerpt: Excerpt, links: PageLinks) -> dict[str, Json]:
    """The same content for programs: the view field by field, where its proofs lie, where it goes on."""
    sources = {(source.statement, source.index) for source in list_sources(excerpt.shown)}
    bundles: list[Json] = []
    for statement, index in sorted(sources):
        address = links.bundle_of(statement, index)
        if address is not None:
            bundles.append({"statement": statement, "index": index, "address": address})
    view: dict[str, Json] = msgspec.to_builtins(excerpt.shown)
    return {
        "digital_link": links.digital_link or f"/{excerpt.whole.battery}",
        "short_code": write_short_code(derive_short_code(BatteryId(excerpt.whole.battery))),
        "passport": view,
        "bundles": bundles,
        "more": {"life": links.earlier_steps, "attestations": links.more_attestations},
    }


def _headline(passport: Passport) -> str:
    fact = answers.find_fact(passport, "model")
    return passport.serial if fact is None else clean_foreign(str(fact.value))


def _file_name(passport: Passport, choice: answers.BundleChoice) -> str:
    return clean_foreign(bundle_file_name(passport.serial, choice.source.statement, choice.source.index))


def _fact_value(fact: Fact, value: str | int, wording: Wording) -> Markup:
    """What a fact says now, or said before."""
    if isinstance(value, int):
        return wording.quantity(value, fact.unit)
    if fact.name == "category":
        return wording.catalogue.term("category", value)
    return wording.written_day(value) if fact.name == "manufactured_on" else isolate_foreign(value)


def _sentence(step: LifeStep, wording: Wording) -> Markup:
    """A step of the life in words; a correction also says what holds from now on."""
    catalogue, detail = wording.catalogue, dict(step.detail)
    if step.event not in EVENTS:
        return catalogue.text("life.unknown", event=step.event)
    words = {name: _detail_words(name, text, wording) for name, text in detail.items()}
    words["name"] = isolate_foreign(step.source.name)
    if step.claimed is not None:
        return catalogue.text("life.claim", **words)
    said = [_fill(step.event, words, wording)]
    if "basis" in words:
        said.append(catalogue.text("reconstructed.step", evidence=words["evidence_class"], basis=words["basis"]))
    if step.event == "StatementCorrected":
        said += [catalogue.text(f"corrected_to.{name}", value=words[name]) for name in _CORRECTED_TO if name in words]
    return Markup(" ").join(said)


def _fill(event: str, words: dict[str, Markup], wording: Wording) -> Markup:
    key = term_key("event", event)
    wanted = parameters_of(wording.catalogue.template(key))
    return wording.catalogue.text(key, **{name: words[name] for name in wanted if name in words})


def _detail_words(name: str, text: str, wording: Wording) -> Markup:
    if name == "manufactured_on":
        return wording.written_day(text)
    if name in _TERMS:
        return wording.catalogue.term(_TERMS[name], text)
    if name == "registers":
        return Markup(", ").join(wording.catalogue.term("registers", one) for one in text.split(", "))
    return isolate_foreign(text)
