"""A passport in the terminal: the questions of the page in its order and its words, as lines and tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellvow.cli.answer import Table
from cellvow.cli.page_words import PageWords, mark_suspect, plain
from cellvow.cli.unit_text import (
    describe_contested,
    describe_notice,
    describe_parts,
    describe_relatives,
    describe_safety,
    describe_use,
)

if TYPE_CHECKING:
    from cellvow.passport.view import Anchoring, Attested, Consented, Fact, LifeStep, Measured, Passport
    from cellvow.web.answers import HealthRow


def describe_passport(passport: "Passport", language: str = "en") -> list[str | Table]:
    """The passport, question by question, in one of the catalogues' languages."""
    from cellvow.web.answers import contested
    from cellvow.web.wording import Wording

    words = PageWords(Wording(language))
    lines: list[str | Table] = [passport.battery, words.text(f"audience.{passport.audience.value}")]
    if passport.is_simulated:
        lines.append(f"{words.text('simulated.title').upper()} {words.text('simulated.text')}")
    lines += describe_contested(contested(passport), words)
    lines += _backfill(passport, words)
    lines += describe_safety(passport, words) + _identity(passport, words) + _responsibility(passport, words)
    lines += _certificates(passport, words) + describe_relatives(passport, words)
    if passport.shows_health:
        lines += _health(passport, words)
    if passport.shows_history:
        lines += describe_use(passport, words) + describe_parts(passport, words) + _life(passport, words)
    return lines + _genuine(passport, words)


def _backfill(passport: "Passport", words: PageWords) -> list[str | Table]:
    """That the battery is older than its record, from what its birth was entered, and who says so."""
    backfill = passport.backfill
    if backfill is None:
        return []
    said = words.text(
        "reconstructed.text",
        name=backfill.source.name,
        evidence=words.term("class", backfill.evidence_class),
        basis=backfill.basis,
    )
    corrected = f" {words.text('reconstructed.corrected')}" if backfill.corrected else ""
    return [f"{words.text('reconstructed.title').upper()} {said}{corrected}"]


def _identity(passport: "Passport", words: PageWords) -> list[str | Table]:
    facts = (*passport.model, *passport.identity)
    names = [words.term("fact", fact.name) for fact in facts]
    width = max((len(name) for name in names), default=0)
    lines = words.heading("what.title")
    for name, fact in zip(names, facts, strict=True):
        before = ""
        if fact.corrected_from is not None:
            before = " " + words.text("fact.before", value=_fact(fact, fact.corrected_from, words))
        lines.append(f"  {name:<{width}}  {_fact(fact, fact.value, words)}{before}")
    return lines


def _fact(fact: "Fact", value: str | int, words: PageWords) -> str:
    if isinstance(value, int):
        return words.quantity(value, fact.unit)
    if fact.name == "category":
        return words.term("category", value)
    return plain(words.wording.written_day(value)) if fact.name == "manufactured_on" else value


def _responsibility(passport: "Passport", words: PageWords) -> list[str | Table]:
    from cellvow.web.answers import disputed, how_held, is_held, order_registers

    lines = words.heading("who.title")
    for one in order_registers(passport):
        register = words.term("register", one.register)
        held = f" [{words.text('who.held')}]" if is_held(passport, one.register) else ""
        said = words.text(how_held(one), register=register, name=one.name, day=words.day(one.since_ms))
        lines.append(f"  {said}{held}{mark_suspect(one.source, words)}")
    lines += [] if passport.registers else [f"  {words.text('who.nobody')}"]
    disputes = [f"  {line}" for line in describe_contested(disputed(passport), words)]
    return [*lines, *disputes, *describe_notice(passport, words), *_over(passport, words)]


def _over(passport: "Passport", words: PageWords) -> list[str | Table]:
    from cellvow.web.answers import ended_disputes

    lines: list[str | Table] = []
    for one in ended_disputes(passport):
        state, outcome = words.term("dispute_state", one.state), one.outcome
        ended = state if outcome is None else words.term("dispute_outcome", outcome)
        topic, day = words.term("topic", one.topic), words.day(one.opened_ms)
        lines.append(f"  {words.text('contested.was', topic=topic, day=day, outcome=ended)}")
    return lines


def _certificates(passport: "Passport", words: PageWords) -> list[str | Table]:
    from cellvow.web.answers import certificates

    found = certificates(passport)
    in_force = sum(one.state == "issued" for one in found)
    if in_force:
        answer = words.count("certificate.yes", in_force)
    else:
        answer = words.text("certificate.ended" if found else "certificate.no")
    lines = [*words.heading("certificate.title"), f"  {answer}"]
    for one in found:
        lines += _certificate(one, words, passport.anchoring.time_ms)
    return [*lines, f"  {words.text('certificate.hidden')}"] if found and not passport.shows_health else lines


def _certificate(one: "Attested", words: PageWords, now_ms: int) -> list[str | Table]:
    from cellvow.web.answers import quantities, unit_of

    head = words.text("certificate.head", reference=one.reference, name=one.source.name)
    about = words.text("certificate.about", evidence=words.term("class", one.evidence_class))
    named = ", ".join(words.term("quantity", quantity) for quantity in quantities(one))
    tested = words.text(
        "certificate.tested",
        day=words.day(one.tested_until_ms),
        age=plain(words.wording.age(one.tested_until_ms, now_ms)),
    )
    if one.valid_until_ms is not None:
        tested += f", {words.text('certificate.valid_until', day=words.day(one.valid_until_ms))}"
    lines: list[str | Table] = [
        f"  {head}: {words.term('state', one.state)}{mark_suspect(one.source, words)}",
        f"    {about} {named}",
    ]
    for quantity, comparison, threshold in one.predicates:
        bound = words.quantity(threshold, unit_of(quantity))
        name = words.term("quantity", quantity)
        lines.append(f"    {words.term('predicate', comparison, quantity=name, threshold=bound)}")
    lines.append(f"    {tested}")
    if one.standard is not None:
        lines.append(f"    {words.text('certificate.standard', standard=one.standard, edition=one.edition or '')}")
    lines.append(f"    {words.text('certificate.method', method=one.method)}")
    if one.voided_by is not None:
        by = "" if one.voided is None else f", {one.voided.name}, {words.day(one.voided.time_ms)}"
        lines.append(f"    {words.text('voided.why', cause=words.term('voiding', one.voided_by))}{by}")
    return lines


def _health(passport: "Passport", words: PageWords) -> list[str | Table]:
    from cellvow.web.answers import health_rows

    lines, rows = words.heading("health.title"), health_rows(passport)
    if not rows:
        return [*lines, f"  {words.text('health.none')}", f"  {words.text('health.none_next')}"]
    headings = tuple(words.text(f"health.{key}") for key in ("quantity", "class", "value", "signed"))
    table = Table(headings, tuple(_health_cells(row, words) for row in rows), indent=2)
    uncertified = any(_phrases(row.measured, words)[1] for row in rows)
    note = [f"  {words.text('health.not_certified')}"] if uncertified else []
    return [*lines, table, *_conditions(rows, words), *note]


def _health_cells(row: "HealthRow", words: PageWords) -> tuple[str, ...]:
    measured, attested = row.measured, row.attested
    return (
        words.term("quantity", measured.quantity),
        words.term("class", attested.evidence_class),
        _value(measured, attested.source.name, words),
        f"{attested.source.name}, {words.day(attested.tested_until_ms)}: {words.term('state', attested.state)}",
    )


def _conditions(rows: Sequence["HealthRow"], words: PageWords) -> list[str]:
    """Under which conditions values hold: a line for those that share them."""
    shared: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        phrases, _ = _phrases(row.measured, words)
        if phrases:
            quantity = words.term("quantity", row.measured.quantity)
            shared.setdefault((row.attested.reference, ", ".join(phrases)), []).append(quantity)
    return [f"  {reference}, {', '.join(names)}: {said}" for (reference, said), names in shared.items()]


def _phrases(measured: "Measured", words: PageWords) -> tuple[list[str], bool]:
    from cellvow.web.conditions import phrase_conditions

    said = phrase_conditions(measured, words.wording)
    return [plain(phrase) for phrase in said.conditions], said.is_uncertified_health


def _value(measured: "Measured", issuer: str, words: PageWords) -> str:
    if measured.value is None:
        return words.text("health.not_shown", name=issuer)
    if measured.low is None or measured.high is None:
        return f"{words.quantity(measured.value, measured.unit)}, {words.text('health.no_interval')}"
    spans = words.wording.span((measured.value, measured.low, measured.high), measured.unit)
    value, low, high = (plain(one) for one in spans)
    return f"{value} ({words.text('health.interval', low=low, high=high)})"


def _life(passport: "Passport", words: PageWords) -> list[str | Table]:
    lines = words.heading("life.title")
    for step in passport.life:
        corrected = f" [{words.text('life.corrected')}]" if step.corrected else ""
        day = words.day(step.source.time_ms)
        contested = "" if step.claimed is None else f" [{words.text('life.contested')}]"
        marks = f"{corrected}{contested}{mark_suspect(step.source, words)}"
        lines.append(f"  {day}  {_sentence(step, words).rstrip('.')} ({step.source.name}){marks}")
    return lines if passport.life else [*lines, f"  {words.text('life.none')}"]


def _sentence(step: "LifeStep", words: PageWords) -> str:
    from cellvow.web.vocabulary import EVENTS

    if step.event not in EVENTS:
        return words.text("life.unknown", event=step.event)
    details = {name: _detail(name, text, words) for name, text in step.detail}
    if step.claimed is not None:
        return words.text("life.claim", name=step.source.name, **details)
    said = words.term("event", step.event, name=step.source.name, **details)
    if "basis" not in details:
        return said
    return f"{said} {words.text('reconstructed.step', evidence=details['evidence_class'], basis=details['basis'])}"


def _detail(name: str, text: str, words: PageWords) -> str:
    if name == "registers":
        return ", ".join(words.term("registers", one) for one in text.split(", "))
    if name in ("cause", "message", "removal", "topic"):
        return words.term(name, text)
    if name == "evidence_class":
        return words.term("class", text)
    return plain(words.wording.written_day(text)) if name == "manufactured_on" else text


def _genuine(passport: "Passport", words: PageWords) -> list[str | Table]:
    anchoring = passport.anchoring
    lines = words.heading("genuine.title")
    if anchoring.consent is not None:
        return [*lines, *_consented(anchoring, anchoring.consent, words), f"  {_moment(passport, words)}"]
    if anchoring.witnesses:
        counted = words.count("genuine.witnessed", len(anchoring.witnesses))
        lines.append(f"  {counted} {', '.join(anchoring.witnesses)}")
    else:
        lines.append(f"  {words.text('genuine.unwitnessed')}")
    if not anchoring.size:
        return [*lines, f"  {words.text('genuine.no_checkpoint')}"]
    size = plain(words.wording.whole(anchoring.size))
    place = words.text("genuine.checkpoint", size=size, origin=anchoring.origin, chain=anchoring.chain_id)
    return [*lines, f"  {place}", f"  {_moment(passport, words)}"]


def _consented(anchoring: "Anchoring", consent: "Consented", words: PageWords) -> list[str]:
    """Who signed the block that vouches for the ledger, where validators do."""
    if not consent.signers:
        return [f"  {words.text('genuine.consent_next')}"]
    numbers = {name: plain(words.wording.whole(getattr(consent, name))) for name in ("signers", "validators", "height")}
    size, names = plain(words.wording.whole(anchoring.size)), ", ".join(consent.signed_by)
    said = words.text("genuine.consent_size", size=size, chain=anchoring.chain_id, names=names)
    return [f"  {words.text('genuine.consent', **numbers)}", f"  {said}"]


def _moment(passport: "Passport", words: PageWords) -> str:
    moment = plain(words.wording.moment(passport.anchoring.time_ms))
    return words.text("page.as_of", moment=moment, height=plain(words.wording.whole(passport.anchoring.height)))
