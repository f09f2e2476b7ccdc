"""The stops of the tour: one battery's way from the plant to the end, and what its passport answers at each.

A stop asks one question of one kind of reader. Its answer is derived from the passport that the reader may see, never
written down here; what the product cannot record yet is a stop without a rule, and is drawn as one.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import Enum

from markupsafe import Markup

from cellvow.core.contracts.register import RESPONSIBILITY
from cellvow.passport.view import (
    Attested,
    Audience,
    Consented,
    Ended,
    LifeStep,
    Measured,
    Passport,
    Register,
    Relative,
    Source,
    UseFact,
)
from cellvow.web import answers
from cellvow.web.catalogue import clean_foreign, isolate_foreign
from cellvow.web.unit_sentences import tell_use
from cellvow.web.vocabulary import CURVE_QUANTITY
from cellvow.web.wording import Wording
from cellvow.workspace.export_index import STATE_OF_CHARGE_QUANTITY, UN38_3_STANDARD

_DECLARED, _SIMULATED, _ISSUED = "declared", "simulated", "issued"
_ACCEPTED = "HandoverAccepted"
_WORKED, _GRADED, _INCIDENT, _ASSESSED = "WorkRecorded", "UnitGraded", "IncidentReported", "SafetyAssessed"
_SERVED = (_WORKED, "PartReplaced", "SoftwareReset", "SoftwareUpdated")
_BEGUN, _DECOMMISSIONED = "SecondLifeBegun", "UnitDecommissioned"
_GRADINGS = ("grade", "grade_over", "grade_unfit")
_SECOND_LIVES, _WASTE = ("repurposed", "re-used", "remanufactured"), "waste"
_ON_A_TOMBSTONE = ("recycled", "checked")
"""Stops that strangers are told of a battery whose passport has ceased."""


class State(Enum):
    """How far a stop can be answered now."""

    ANSWERED = "answered"
    ELSEWHERE = "elsewhere"
    """Answered, of another battery of this ledger."""
    WITHHELD = "withheld"
    """Not shown to this reader, whether there is anything or not."""
    OPEN = "open"
    """Nothing of the kind is recorded for this battery."""
    UNBUILT = "unbuilt"
    """The product cannot record it yet."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a stop says: sentences, the first of which is the answer, and who signed for it.

    `battery` is set where it is about another one than the tour's.
    """

    state: State
    sentences: tuple[Markup, ...]
    source: Source | None = None
    battery: str | None = None


Rule = Callable[[Passport, Wording], Answer]


@dataclass(frozen=True, slots=True)
class Stop:
    """One stop. Its texts are `stop.NAME.PART` in the catalogues, its picture is the macro of that name.

    `leads_to` is where more can be checked than the proof alone: a path, with `{battery}` filled in. What few
    batteries have lived through (`is_rare`) is shown on another one where the tour's has not.
    """

    name: str
    rule: Rule | None = None
    leads_to: str | None = None
    is_rare: bool = False

    @property
    def is_built(self) -> bool:
        """Whether the product can answer it."""
        return self.rule is not None


def derive_answer(stop: Stop, passport: Passport | None, wording: Wording) -> Answer:
    """What the stop says of a battery, or of none."""
    if stop.rule is None:
        return Answer(State.UNBUILT, (wording.catalogue.text(f"stop.{stop.name}.missing"),))
    if passport is None:
        return Answer(State.OPEN, (wording.catalogue.text("tour.no_battery"),))
    if passport.has_ceased and passport.audience is not Audience.OWNER and stop.name not in _ON_A_TOMBSTONE:
        return Answer(State.WITHHELD, (wording.catalogue.text("tour.ceased"),))
    return stop.rule(passport, wording)


def derive_answer_elsewhere(stop: Stop, other: Passport, wording: Wording) -> Answer | None:
    """What the stop says of another battery, which it names first; None where that one has no answer either."""
    answer = derive_answer(stop, other, wording)
    if answer.state is not State.ANSWERED:
        return None
    lead = wording.catalogue.text("tour.elsewhere", serial=clean_foreign(other.serial))
    said = (Markup(" ").join((lead, answer.sentences[0])), *answer.sentences[1:])
    return replace(answer, state=State.ELSEWHERE, sentences=said, battery=other.battery)


def _made(passport: Passport, wording: Wording) -> Answer:
    """The birth: what it is and who says so."""
    built, model = answers.find_fact(passport, "manufactured_on"), answers.find_fact(passport, "model")
    if built is None:
        return _open(wording)
    text = wording.catalogue.text
    what = passport.serial if model is None else clean_foreign(str(model.value))
    said = [text("tour.made.answer", model=what, day=wording.written_day(str(built.value)), name=built.source.name)]
    if passport.backfill is not None:
        said.append(text("tour.made.reconstructed", basis=passport.backfill.basis))
    if built.corrected_from is not None:
        said.append(text("tour.made.corrected", day=wording.written_day(str(built.corrected_from))))
    return Answer(State.ANSWERED, tuple(said), built.source)


def _tested(passport: Passport, wording: Wording) -> Answer:
    """The test that counts most: a certificate in force first; beside it what was only declared."""
    test, text = _leading_test(passport), wording.catalogue.text
    if test is None:
        return _open(wording)
    key = "tour.tested.certified" if test.is_certificate else "tour.tested.attested"
    said = [text(key, name=test.source.name, reference=test.reference, about=_about(test, wording))]
    said += _values(test, wording)
    if passport.shows_health:
        said += _declarations(passport, wording)
    else:
        said.append(text("tour.tested.withheld"))
    if test.evidence_class == _SIMULATED:
        said.append(text("tour.tested.simulated"))
    return Answer(State.ANSWERED, tuple(said), test.source)


def _sold(passport: Passport, wording: Wording) -> Answer:
    """The first hand-over that both sides signed."""
    text = wording.catalogue.text
    if not passport.shows_history:
        return Answer(State.WITHHELD, (text("tour.sold.withheld"),))
    accepted = [step for step in passport.life if step.event == _ACCEPTED]
    if not accepted:
        return _open(wording)
    first, more = accepted[0], len(accepted) - 1
    said = [text("tour.sold.answer", name=first.source.name)]
    if more:
        said.append(wording.count("tour.sold.more", more))
    return Answer(State.ANSWERED, tuple(said), first.source)


def _exported(passport: Passport, wording: Wording) -> Answer:
    """Which papers an export package of it would hold now, and which it would say are missing."""
    text = wording.catalogue.text
    if not passport.shows_health:
        return Answer(State.WITHHELD, (text("tour.exported.withheld"),))
    papers = _transport_papers(passport)
    held = [text(key) for key, paper in papers.items() if paper is not None]
    lacking = [text(key) for key, paper in papers.items() if paper is None]
    said = [text("tour.exported.holds", papers=_join(held))] if held else []
    charge = papers["tour.exported.charge"]
    if charge is not None:
        age = wording.age(charge.tested_until_ms, passport.anchoring.time_ms)
        kind = wording.catalogue.term("class", charge.evidence_class)
        said.append(text("tour.exported.charge_is", kind=kind, age=age, about=_about(charge, wording)))
    said += [text("tour.exported.lacks", papers=_join(lacking))] if lacking else []
    said.append(text("tour.exported.make"))
    newest = max((one for one in papers.values() if one), key=lambda one: one.source.height, default=None)
    return Answer(State.ANSWERED if held else State.OPEN, tuple(said), None if newest is None else newest.source)


def _transport_papers(passport: Passport) -> dict[str, Attested | None]:
    """What the papers of a transport are called here, and the newest of each that is in force."""
    in_force = [one for one in reversed(passport.attestations) if one.state == _ISSUED]
    references = [one for one in in_force if one.standard == UN38_3_STANDARD]
    charges = [one for one in in_force if STATE_OF_CHARGE_QUANTITY in answers.quantities(one)]
    certificates = [one for one in in_force if one.is_certificate and one not in (*references, *charges)]
    return {
        "tour.exported.certificate": next(iter(certificates), None),
        "tour.exported.reference": next(iter(references), None),
        "tour.exported.charge": next(iter(charges), None),
    }


def _join(words: list[Markup]) -> Markup:
    return Markup(", ").join(words)


def _border(passport: Passport, wording: Wording) -> Answer:
    """Whether the last certificate still stands, which a rule of the reader's own then judges."""
    test, text = _leading_test(passport), wording.catalogue.text
    if test is None or not test.is_certificate:
        return Answer(State.OPEN, (text("tour.border.none"),))
    if test.state != _ISSUED:
        state = wording.catalogue.term("state", test.state)
        return Answer(State.ANSWERED, (text("tour.border.ended", reference=test.reference, state=state),), test.source)
    age = wording.age(test.tested_until_ms, passport.anchoring.time_ms)
    said = [text("tour.border.stands", reference=test.reference, age=age)]
    if test.valid_until_ms is not None:
        said.append(text("tour.border.until", day=wording.day(test.valid_until_ms)))
    return Answer(State.ANSWERED, (*said, text("tour.border.rule")), test.source)


def _serviced(passport: Passport, wording: Wording) -> Answer:
    """The newest work on it, its software, and what happened to it."""
    text = wording.catalogue.text
    if not passport.shows_history:
        return Answer(State.WITHHELD, (text("tour.serviced.withheld"),))
    served = [_newest(passport, event) for event in _SERVED]
    newest = [one for one in served if one is not None]
    if not newest:
        return _open(wording)
    said = [_step(one, wording) for one in newest]
    incidents = sum(step.event == _INCIDENT for step in passport.life)
    assessed = _newest(passport, _ASSESSED)
    said += [wording.count("tour.serviced.incidents", incidents)] if incidents else []
    said += [] if assessed is None else [text("tour.serviced.assessed", name=assessed.source.name)]
    return Answer(State.ANSWERED, tuple(said), newest[0].source)


def _newest(passport: Passport, event: str) -> LifeStep | None:
    return next((step for step in reversed(passport.life) if step.event == event), None)


def _step(step: LifeStep, wording: Wording) -> Markup:
    """A step of service in one sentence."""
    detail, name = dict(step.detail), step.source.name
    if step.event == _WORKED:
        day, reference = wording.day(step.source.time_ms), detail.get("reference", "")
        return wording.catalogue.text("tour.serviced.answer", name=name, reference=reference, day=day)
    if step.event == "PartReplaced":
        return wording.catalogue.text("tour.serviced.part", name=name)
    return wording.catalogue.text("tour.serviced.software", name=name, release=detail.get("release", ""))


def _stored(passport: Passport, wording: Wording) -> Answer:
    """Whether it lives a second life or has become another battery, and whether it was graded for that."""
    text, ended = wording.catalogue.text, passport.ended
    begun, graded = _newest(passport, _BEGUN), _newest(passport, _GRADED)
    found: list[tuple[Markup, Source]] = []
    birth = answers.find_fact(passport, answers.MAKER)
    if ended is not None and ended.how == "succeeded":
        found.append((_became(passport, ended, wording), ended.source))
        gradings = [(one, one.grading) for one in passport.relatives.successors if one.grading is not None]
        found += [(_graded_as(one, grading, wording), ended.source) for one, grading in gradings]
    elif birth is not None and (passport.status in _SECOND_LIVES or begun is not None):
        is_living = passport.status in _SECOND_LIVES and ended is None
        status = wording.catalogue.term("status", passport.status)
        answered = text("tour.stored.answer", status=status, name=birth.source.name)
        said = answered if is_living else text("tour.stored.over", name=birth.source.name)
        found.append((said, birth.source))
    if graded is not None:
        found.append((_graded(graded, passport, wording), graded.source))
    if found:
        return Answer(State.ANSWERED, tuple(said for said, _ in found), found[0][1])
    if passport.status == _WASTE and not passport.shows_history:
        return Answer(State.WITHHELD, (text("tour.stored.withheld"),))
    return Answer(State.OPEN, (text("tour.stored.none"),))


def _became(passport: Passport, ended: Ended, wording: Wording) -> Markup:
    """Which units it has become, as far as the view names them, and who began their life."""
    became, every = passport.relatives.successors, passport.relatives.successors_all
    more = [Markup("…")] if every > len(became) else []
    units = _join([*(isolate_foreign(one.battery[21:]) for one in became), *more])
    day = wording.day(ended.source.time_ms)
    return wording.count("tour.stored.became", every, units=units, name=ended.source.name, day=day)


def _graded(step: LifeStep, passport: Passport, wording: Wording) -> Markup:
    """Who graded it, and how: the grade stands beside what is recorded of its use."""
    how = next((one for one in passport.use if one.name in _GRADINGS), None)
    if how is None:
        return wording.catalogue.text("tour.stored.graded", name=step.source.name)
    grade = tell_use(how, wording)
    return wording.catalogue.text("tour.stored.graded_how", name=step.source.name, grade=grade)


def _graded_as(became: Relative, grading: UseFact, wording: Wording) -> Markup:
    """How one of the units it has become was graded."""
    serial = clean_foreign(became.battery[21:])
    return wording.catalogue.text("tour.stored.graded_as", serial=serial, grade=tell_use(grading, wording))


def _recycled(passport: Passport, wording: Wording) -> Answer:
    """How it ended or where it stands on the way there, and what its model says is in it."""
    text, ended = wording.catalogue.text, passport.ended
    resting, answering = _newest(passport, _DECOMMISSIONED), _find_responsible(passport)
    if ended is not None and ended.has_ceased:
        key, day = f"tour.recycled.{ended.how}", wording.day(ended.source.time_ms)
        said, source = [text(key, name=ended.source.name, day=day), text("tour.recycled.ceased")], ended.source
    elif passport.status == _WASTE and answering is not None:
        said, source = [text("tour.recycled.waste", name=answering.name)], answering.source
    elif resting is not None and ended is None:
        said, source = [text("tour.recycled.resting", name=resting.source.name)], resting.source
    else:
        return Answer(State.OPEN, (text("tour.recycled.none"),))
    chemistry = answers.find_fact(passport, "chemistry")
    said += [] if chemistry is None else [text("tour.recycled.inside", chemistry=str(chemistry.value))]
    return Answer(State.ANSWERED, tuple(said), source)


def _find_responsible(passport: Passport) -> Register | None:
    return next((one for one in passport.registers if one.register == RESPONSIBILITY), None)


def _bought(passport: Passport, wording: Wording) -> Answer:
    """Who answers for it now."""
    register = _find_responsible(passport)
    if register is None:
        return _open(wording)
    return Answer(State.ANSWERED, (_holder(register, wording),), register.source)


def _holder(register: Register, wording: Wording) -> Markup:
    key = "tour.bought.both" if answers.came_by_handover(register) else "tour.bought.one"
    return wording.catalogue.text(key, name=register.name, day=wording.day(register.since_ms))


def _checked(passport: Passport, wording: Wording) -> Answer:
    """Who vouches that the history all of this stands in was not rewritten."""
    anchoring, text = passport.anchoring, wording.catalogue.text
    if anchoring.consent is not None:
        return Answer(State.ANSWERED, (_consented(anchoring.consent, wording),))
    if not anchoring.witnesses:
        return Answer(State.ANSWERED, (text("tour.checked.alone"),))
    said = (
        wording.count("tour.checked.witnessed", len(anchoring.witnesses)),
        text("tour.checked.size", size=wording.whole(anchoring.size), origin=anchoring.origin),
    )
    return Answer(State.ANSWERED, said)


def _consented(consent: Consented, wording: Wording) -> Markup:
    if not consent.signers:
        return wording.catalogue.text("genuine.consent_next")
    numbers = {name: wording.whole(getattr(consent, name)) for name in ("signers", "validators", "height")}
    return wording.catalogue.text("tour.checked.consent", **numbers)


STOPS = (
    Stop("made", _made),
    Stop("tested", _tested),
    Stop("sold", _sold),
    Stop("exported", _exported),
    Stop("border", _border, "/{battery}/verdict"),
    Stop("driven"),
    Stop("serviced", _serviced, is_rare=True),
    Stop("bought", _bought),
    Stop("stored", _stored, is_rare=True),
    Stop("recycled", _recycled, is_rare=True),
    Stop("checked", _checked, "/verify"),
)
"""In the order of a life. The last one is about all the others."""
STOP_PARTS = ("place", "who", "picture", "question")
BUILT_PARTS, UNBUILT_PARTS = ("lie", "notice"), ("missing",)
"""The texts of every stop, and those of a stop that can be answered or cannot yet."""


def find_stop(name: str) -> Stop | None:
    """The stop of that name."""
    return next((stop for stop in STOPS if stop.name == name), None)


def _open(wording: Wording) -> Answer:
    return Answer(State.OPEN, (wording.catalogue.text("tour.nothing"),))


def _leading_test(passport: Passport) -> Attested | None:
    """What a reader is told first: a certificate before any other test, one in force, about what people ask first."""
    tests = [*answers.certificates(passport), *(one for one in passport.attestations if _is_plain_test(one))]
    return min(tests, key=_rank, default=None)


def _rank(test: Attested) -> tuple[bool, bool, int]:
    asked = [*answers.QUANTITY_ORDER, CURVE_QUANTITY]
    places = [asked.index(one) for one in answers.quantities(test) if one in asked]
    return (not test.is_certificate, test.state != _ISSUED, min(places, default=len(asked)))


def _is_plain_test(attested: Attested) -> bool:
    return not attested.is_certificate and attested.evidence_class != _DECLARED


def _about(test: Attested, wording: Wording) -> Markup:
    """What the issuer said in public: his sentences, else which quantities he tested."""
    term = wording.catalogue.term
    if not test.predicates:
        return Markup(", ").join(term("quantity", one) for one in answers.quantities(test))
    return Markup("; ").join(
        term(
            "predicate",
            comparison,
            quantity=term("quantity", quantity),
            threshold=wording.quantity(threshold, answers.unit_of(quantity)),
        )
        for quantity, comparison, threshold in test.predicates
    )


def _values(test: Attested, wording: Wording) -> list[Markup]:
    """The first value of a test that this reader is shown, with its interval and class."""
    shown = next((one for one in test.measured if one.value is not None and one.quantity != CURVE_QUANTITY), None)
    if shown is None or shown.value is None:
        return []
    quantity, evidence = wording.catalogue.term("quantity", shown.quantity), test.evidence_class
    numbers = _numbers(shown, shown.value, wording)
    kind = wording.catalogue.term("class", evidence)
    return [wording.catalogue.text("tour.tested.value", quantity=quantity, numbers=numbers, kind=kind)]


def _numbers(measured: Measured, value: int, wording: Wording) -> Markup:
    if measured.low is None or measured.high is None:
        return wording.quantity(value, measured.unit)
    said, low, high = wording.span((value, measured.low, measured.high), measured.unit)
    if measured.coverage_permille is None:
        return wording.catalogue.text("tour.tested.interval", value=said, low=low, high=high)
    share = wording.share(measured.coverage_permille)
    return wording.catalogue.text("tour.tested.coverage", value=said, low=low, high=high, share=share)


def _declarations(passport: Passport, wording: Wording) -> list[Markup]:
    """What somebody once declared, so that a word and a measurement stand side by side."""
    return [
        wording.catalogue.text(
            "tour.tested.declared",
            name=one.source.name,
            quantity=wording.catalogue.term("quantity", measured.quantity),
            value=wording.quantity(measured.value, measured.unit),
        )
        for one in passport.attestations
        if one.evidence_class == _DECLARED and STATE_OF_CHARGE_QUANTITY not in answers.quantities(one)
        for measured in one.measured[:1]
        if measured.value is not None
    ]
