"""The paper of an attestation and the label of a battery in the reader's words, set as PDF and drawn as SVG."""

import re
from functools import cache
from importlib.resources import files

from markupsafe import Markup

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.identifier import BatteryId
from cellvow.passport.label import Label, cut, draw_label_svg, draw_standing_qr
from cellvow.passport.short_code import derive_short_code, write_short_code
from cellvow.passport.view import Attested, Measured, Passport
from cellvow.web.answers import find_fact, unit_of
from cellvow.web.catalogue import clean_foreign
from cellvow.web.conditions import phrase_conditions
from cellvow.web.desk_pages import shown_values
from cellvow.web.links import bundle_file_name
from cellvow.web.wording import Wording
from cellvow.workspace.desk import Paper
from cellvow.workspace.documents import compile_pdf

_GROUP = 8
_LINE_MAX = 200
_TAG = re.compile(r"<[^<>]*>")


def set_certificate(paper: Paper, link: str, language: str, now_ms: int) -> bytes:
    """The paper as PDF; `link` is the battery's code."""
    texts = certificate_texts(paper, link, Wording(language))
    return compile_pdf(_source("certificate.typ"), texts, now_ms)


def set_label(passport: Passport, link: str, language: str, now_ms: int) -> bytes:
    """The label as PDF of its real size."""
    label = label_of(passport, link, Wording(language))
    texts: dict[str, Json] = {
        "call": label.call,
        "head": cut(label.head, 30),
        "lines": list(label.lines),
        "link": link,
        "qr": draw_standing_qr(link),
        "title": label.title,
    }
    return compile_pdf(_source("label.typ"), texts, now_ms)


def draw_label(passport: Passport, link: str, language: str) -> Markup:
    """The label as SVG."""
    return draw_label_svg(label_of(passport, link, Wording(language)))


def label_of(passport: Passport, link: str, wording: Wording) -> Label:
    """What stands on a battery's label."""
    plain, code = wording.catalogue.plain, write_short_code(derive_short_code(BatteryId(passport.battery)))
    lines = [plain("label.serial", serial=passport.serial), plain("label.gtin", gtin=passport.gtin)]
    chemistry, rated = find_fact(passport, "chemistry"), find_fact(passport, "rated_capacity_mah")
    if chemistry is not None:
        lines.append(clean_foreign(str(chemistry.value)))
    if rated is not None and isinstance(rated.value, int):
        lines.append(str(wording.quantity(rated.value, rated.unit)))
    lines.append(plain("label.code", code=code))
    return Label(
        link, plain("label.title", serial=passport.serial), _model(passport), tuple(lines), plain("label.call")
    )


def certificate_texts(paper: Paper, link: str, wording: Wording) -> dict[str, Json]:
    """Everything that stands on a paper, as plain text by its place."""
    plain, attested, passport = wording.catalogue.plain, paper.attested, paper.passport
    kind = plain("paper.certificate") if attested.is_certificate else plain("paper.attestation")
    source = attested.source
    state = "" if attested.state == "issued" else _text(wording.catalogue.term("state", attested.state))
    file_name = bundle_file_name(passport.serial, source.statement, source.index)
    return {
        "author": _foreign(source.name),
        "check": plain("paper.check"),
        "facts": [list(pair) for pair in _facts(paper, wording)],
        "fine": [plain("paper.statement", statement=_grouped(source.statement)), link],
        "foot": f"{kind} {_foreign(attested.reference)}",
        "head": [plain("paper.about", model=_model(passport)), plain("paper.battery", serial=passport.serial)],
        "heads": [plain("paper.quantity"), plain("paper.value"), plain("paper.interval"), plain("paper.conditions")],
        "kind": kind,
        "lang": wording.catalogue.tag.partition("-")[0],
        "link": link,
        "notes": list(_notes(attested, wording)),
        "public": [_predicate(*one, wording) for one in attested.predicates],
        "qr": draw_standing_qr(link),
        "rows": [list(_row(one, attested, wording)) for one in attested.measured if one.value is not None],
        "scan": plain("paper.scan"),
        "state": state,
        "steps": [
            plain("paper.step_scan"),
            plain("paper.step_bundle", file=file_name),
            plain("paper.step_verify", file=file_name),
        ],
        "title": _foreign(attested.reference),
    }


def _facts(paper: Paper, wording: Wording) -> list[tuple[str, str]]:
    plain, attested = wording.catalogue.plain, paper.attested
    source = attested.source
    facts = [
        (plain("paper.signed_by"), _foreign(source.name)),
        (plain("paper.signed_on"), _text(wording.moment(source.time_ms))),
        (plain("paper.tested"), _text(wording.day(attested.tested_until_ms))),
        (plain("paper.class"), _text(wording.catalogue.term("class", attested.evidence_class))),
    ]
    if attested.standard is not None:
        named = plain("sign.standard_named", standard=attested.standard, edition=attested.edition or "")
        facts.append((plain("paper.standard"), named))
    facts.append((plain("paper.method"), _foreign(attested.method)))
    until = attested.valid_until_ms
    facts.append((plain("paper.valid_until"), plain("paper.no_end") if until is None else _text(wording.day(until))))
    witnesses = ", ".join(_foreign(name) for name in paper.passport.anchoring.witnesses)
    is_witnessed = paper.level.value == "witnessed" and bool(witnesses)
    level = plain("paper.witnessed", names=witnesses) if is_witnessed else plain("paper.committed")
    consent = paper.passport.anchoring.consent
    if consent is not None and consent.signers:
        level = plain("paper.consent", signers=str(consent.signers), validators=str(consent.validators))
    return [*facts, (plain("paper.level"), level)]


def _row(measured: Measured, attested: Attested, wording: Wording) -> tuple[str, str, str, str]:
    value, low, high = shown_values(measured, wording)
    phrases = phrase_conditions(measured, wording)
    conditions = [_text(one) for one in phrases.conditions]
    interval = ""
    if measured.low is not None and measured.high is not None:
        coverage = wording.share(measured.coverage_permille or 0)
        interval = _text(wording.catalogue.text("paper.from_to", low=low, high=high, coverage=coverage))
    evidence = _text(wording.catalogue.term("class", attested.evidence_class))
    return (
        _text(wording.catalogue.term("quantity", measured.quantity)),
        f"{_text(value)} ({evidence})",
        interval,
        "; ".join(conditions),
    )


def _notes(attested: Attested, wording: Wording) -> tuple[str, ...]:
    said: dict[str, None] = {}
    for measured in attested.measured:
        phrases = phrase_conditions(measured, wording)
        if phrases.is_uncertified_health:
            said[wording.catalogue.plain("paper.not_certified_health")] = None
        said |= dict.fromkeys(_foreign(caveat) for caveat in phrases.caveats)
    return tuple(said)


def _predicate(quantity: str, comparison: str, threshold: int, wording: Wording) -> str:
    words = {
        "quantity": wording.catalogue.term("quantity", quantity),
        "threshold": wording.quantity(threshold, unit_of(quantity)),
    }
    return _text(wording.catalogue.term("predicate", comparison, **words))


def _model(passport: Passport) -> str:
    fact = find_fact(passport, "model")
    return _foreign(passport.serial if fact is None else str(fact.value))


def _foreign(text: str) -> str:
    """Somebody else's text for a place without markup: nothing in it turns its neighbours, and it is not endless."""
    return cut(clean_foreign(text), _LINE_MAX)


def _text(words: Markup) -> str:
    """Words without their tags; unlike `striptags` it leaves the space that keeps a number and its unit together."""
    return Markup(_TAG.sub("", words)).unescape()  # noqa: S704 - our own words, on their way to plain text


def _grouped(digest: str) -> str:
    """A digest in groups that a line can be broken between."""
    return " ".join(digest[place : place + _GROUP] for place in range(0, len(digest), _GROUP))


@cache
def _source(name: str) -> str:
    return files("cellvow.web").joinpath("templates", name).read_text(encoding="utf-8")
