"""The page of one battery's passport, for the audience its view was made for, as HTML and as JSON."""

import msgspec
from markupsafe import Markup

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import ensure
from cellvow.passport.digital_link import draw_qr
from cellvow.passport.view import Audience, Fact, LifeStep, Passport
from cellvow.web import answers
from cellvow.web.catalogue import LOCALES, clean_foreign, isolate_foreign, load_catalogue, parameters_of, term_key
from cellvow.web.conditions import phrase_conditions
from cellvow.web.curve import draw_curve
from cellvow.web.links import PageLinks, bundle_file_name
from cellvow.web.rendering import render_page
from cellvow.web.vocabulary import EVENTS
from cellvow.web.wording import Wording

_CORRECTED_TO = ("manufactured_on", "reference")
"""What a correction may say anew, as the detail of its step names it."""


def render_passport(passport: Passport, *, locale: str = "en", links: PageLinks) -> str:
    """One self-contained HTML document. `locale` names a catalogue (`LOCALES`); the view decides what is shown."""
    ensure(locale in LOCALES, f"there is no catalogue {locale}")
    wording = Wording(locale)
    catalogue = load_catalogue(locale)
    link = links.digital_link or f"/{passport.battery}"
    return render_page(
        "passport.html",
        locale,
        passport=passport,
        links=links,
        is_owner=passport.audience is Audience.OWNER,
        ask=answers,
        model=_headline(passport),
        link=link,
        qr=draw_qr(link, title=catalogue.plain("code.alt", link=link)),
        curve=None if passport.curve is None else draw_curve(passport.curve, wording),
        bundle=answers.choose_bundle(passport, links),
        file_name=_file_name,
        fact_value=lambda fact, value: _fact_value(fact, value, wording),
        phrases=lambda measured: phrase_conditions(measured, wording),
        sentence=lambda step: _sentence(step, wording),
    )


def passport_document(passport: Passport, links: PageLinks) -> dict[str, Json]:
    """The same content for programs: the view field by field, and where its proofs lie."""
    sources = {(source.statement, source.index) for source in answers.list_sources(passport)}
    bundles: list[Json] = []
    for statement, index in sorted(sources):
        address = links.bundle_of(statement, index)
        if address is not None:
            bundles.append({"statement": statement, "index": index, "address": address})
    view: dict[str, Json] = msgspec.to_builtins(passport)
    return {"digital_link": links.digital_link or f"/{passport.battery}", "passport": view, "bundles": bundles}


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
    said = [_fill(step.event, words, wording)]
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
    if name == "cause":
        return wording.catalogue.term("cause", text)
    if name == "registers":
        return Markup(", ").join(wording.catalogue.term("registers", one) for one in text.split(", "))
    return isolate_foreign(text)
