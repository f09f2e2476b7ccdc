"""What a passport answers, in the order a reader asks: derived from the view alone, before any word is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.core.contracts.register import RESPONSIBILITY
from cellvow.core.primitives.quantity import CLASSES, UNITS
from cellvow.passport.sources import list_sources
from cellvow.passport.view import Attested, DisputeSeen, Fact, Measured, Parts, Passport, Register, Source
from cellvow.web.excerpt import order_attestations
from cellvow.web.links import PageLinks
from cellvow.web.vocabulary import CURVE_QUANTITY

HEADLINE_FACTS = ("model", "category", "chemistry")
"""Facts that the headline says; they are listed once more only where they were corrected."""
MAKER = "maker"
HEALTH = "state_of_health"
"""How the name of every definition of health begins."""
QUANTITY_ORDER = (HEALTH, *(name for name in UNITS if name.startswith(HEALTH)), "capacity", *UNITS)
"""How good a battery still is, first as people ask it."""
STEPS_OPEN_MAX = 30
"""Steps of a life shown at once; earlier ones are folded away."""

CLAIMS_SHOWN_MAX, DISPUTES_SHOWN_MAX = 2, 1
"""Open claims and other disputes told one by one; of more, how many there are."""

_ACCEPTED = "HandoverAccepted"
_HELD_BY = {
    _ACCEPTED: "who.both",
    "DisputeDecided": "who.decided",
    "DisputeSettled": "who.settled",
    "TakeoverCompleted": "who.taken_over",
}
"""Everything else - a birth, a part that came out - is one organisation's own word."""


@dataclass(frozen=True, slots=True)
class FactGroup:
    """Facts that one statement signs for."""

    facts: tuple[Fact, ...]
    source: Source


@dataclass(frozen=True, slots=True)
class HealthRow:
    """One value of one attestation."""

    attested: Attested
    measured: Measured


@dataclass(frozen=True, slots=True)
class BundleChoice:
    """The proof to take along: that of a certificate (`reference`), else that of the registration (None)."""

    reference: str | None
    source: Source
    address: str


def find_fact(passport: Passport, name: str) -> Fact | None:
    """A fact of the model or the battery by its name."""
    return next((fact for fact in (*passport.model, *passport.identity) if fact.name == name), None)


def group_facts(passport: Passport) -> tuple[FactGroup, ...]:
    """What is to be listed about model and battery, by the statement that says it."""
    listed = [
        fact
        for fact in (*passport.model, *passport.identity)
        if fact.name not in HEADLINE_FACTS or fact.corrected_from is not None
    ]
    groups: dict[tuple[str, int], list[Fact]] = {}
    for fact in listed:
        groups.setdefault((fact.source.statement, fact.source.index), []).append(fact)
    return tuple(FactGroup(tuple(facts), facts[0].source) for facts in groups.values())


def came_by_handover(register: Register) -> bool:
    """Whether giver and taker signed that the holder of a register stands in it."""
    return register.came_by == _ACCEPTED


def how_held(register: Register) -> str:
    """The text that says who stands in a register, since when, and by whose word."""
    return _HELD_BY.get(register.came_by, "who.one")


def contested(passport: Passport) -> tuple[DisputeSeen, ...]:
    """What to warn of before all else: open claims against the record; where the unit itself is in doubt, first."""
    found = (one for one in passport.disputes if one.is_open and (one.is_claim or one.is_of_identity))
    return tuple(sorted(found, key=lambda one: not one.is_of_identity))


def disputed(passport: Passport) -> tuple[DisputeSeen, ...]:
    """The other open disputes: between members, about what the registers say or the rules do not."""
    return tuple(one for one in passport.disputes if one.is_open and not (one.is_claim or one.is_of_identity))


def is_alarming(passport: Passport) -> bool:
    """Whether the safety state is one to warn of."""
    return passport.safety is not None and passport.safety.state != "safe"


def ended_disputes(passport: Passport) -> tuple[DisputeSeen, ...]:
    """The disputes that are over."""
    return tuple(one for one in passport.disputes if not one.is_open)


def is_held(passport: Passport, register: str) -> bool:
    """Whether an open dispute holds a register still."""
    return any(register in one.holds for one in passport.disputes if one.is_open)


def direct_parts(parts: Parts) -> int:
    """How many of the parts that are listed are direct ones."""
    return sum(part.depth == 0 for part in parts.parts)


def order_registers(passport: Passport) -> tuple[Register, ...]:
    """The registers this reader sees, the one who answers in law first."""
    return tuple(sorted(passport.registers, key=lambda one: one.register != RESPONSIBILITY))


def certificates(passport: Passport) -> tuple[Attested, ...]:
    """The certificates, those in force first and the newest first within both."""
    found = [one for one in passport.attestations if one.is_certificate]
    return tuple(sorted(found, key=lambda one: (one.state != "issued", -one.source.height)))


def leading_certificate(passport: Passport) -> Attested | None:
    """The certificate to name first: in force and with a public sentence, else the first of `certificates`."""
    found = certificates(passport)
    said = (one for one in found if one.state == "issued" and one.predicates)
    return next(said, found[0] if found else None)


def quantities(attested: Attested) -> tuple[str, ...]:
    """What an attestation is about, each quantity once."""
    return tuple(dict.fromkeys(one.quantity for one in attested.measured))


def unit_of(quantity: str) -> str | None:
    """The unit of a quantity's scaled integers; None for one we do not know."""
    return UNITS.get(quantity)


def folded_steps(passport: Passport) -> int:
    """How many of the earliest steps of the life are folded away."""
    return max(0, len(passport.life) - STEPS_OPEN_MAX)


def health_rows(passport: Passport) -> tuple[HealthRow, ...]:
    """Every value of every attestation: one quantity after the other, so that declared and measured stand together."""
    rows = [
        HealthRow(attested, measured)
        for attested in passport.attestations
        for measured in attested.measured
        if measured.quantity != CURVE_QUANTITY
    ]
    return tuple(
        sorted(
            rows,
            key=lambda row: (
                _rank(row.measured.quantity, QUANTITY_ORDER),
                -_rank(row.attested.evidence_class, CLASSES),
                row.attested.source.height,
            ),
        )
    )


def health_headline(passport: Passport) -> tuple[HealthRow, ...]:
    """Health by each definition and class, declared before measured: of the newest attestation in force, if any is."""
    chosen: dict[tuple[str, str], HealthRow] = {}
    for attested in order_attestations(passport):
        for measured in attested.measured:
            if is_health(measured.quantity) and measured.value is not None:
                chosen.setdefault((measured.quantity, attested.evidence_class), HealthRow(attested, measured))
    ordered = sorted(chosen.values(), key=lambda row: -_rank(row.attested.evidence_class, CLASSES))
    return tuple(sorted(ordered, key=lambda row: _rank(row.measured.quantity, QUANTITY_ORDER)))


def health_spread(passport: Passport) -> tuple[int, int] | None:
    """(number of definitions, highest minus lowest in 1/1000) in the newest attestation with two or more of them."""
    for attested in order_attestations(passport):
        values = [one.value for one in attested.measured if is_health(one.quantity) and one.value is not None]
        if len(values) > 1:
            return len(values), max(values) - min(values)
    return None


def is_health(quantity: str) -> bool:
    """Whether a quantity is a state of health by some definition."""
    return quantity.startswith(HEALTH)


def shown_values(attested: Attested) -> tuple[Measured, ...]:
    """The values of an attestation as people ask for them; the curve is a picture and none of them."""
    values = [one for one in attested.measured if one.quantity != CURVE_QUANTITY]
    return tuple(sorted(values, key=lambda one: _rank(one.quantity, QUANTITY_ORDER)))


def known_values(attested: Attested) -> tuple[Measured, ...]:
    """The values of an attestation that this reader is shown."""
    return tuple(one for one in shown_values(attested) if one.value is not None)


def choose_bundle(passport: Passport, links: PageLinks) -> BundleChoice | None:
    """The proof most readers want: the certificate's, else the registration's; None where they may take none."""
    choices: list[tuple[str | None, Source]] = [(one.reference, one.source) for one in certificates(passport)]
    choices += [(None, fact.source) for fact in passport.identity]
    for reference, source in choices:
        address = links.bundle_of(source.statement, source.index)
        if address is not None:
            return BundleChoice(reference, source, address)
    return None


def has_members_only(passport: Passport, links: PageLinks) -> bool:
    """Whether the page shows a fact whose statement this reader may not take away."""
    return any(links.bundle_of(source.statement, source.index) is None for source in list_sources(passport))


def _rank(word: str, order: Sequence[str]) -> int:
    return order.index(word) if word in order else len(order)
