"""What a passport answers, in the order a reader asks: derived from the view alone, before any word is chosen."""

from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.core.contracts.register import RESPONSIBILITY
from cellvow.core.primitives.quantity import CLASSES, UNITS
from cellvow.passport.view import Attested, Fact, Measured, Passport, Register, Source
from cellvow.web.conditions import CAVEAT
from cellvow.web.links import PageLinks
from cellvow.web.vocabulary import CURVE_QUANTITY

HEADLINE_FACTS = ("model", "category", "chemistry")
"""Facts that the headline says; they are listed once more only where they were corrected."""
MAKER = "maker"
QUANTITY_ORDER = ("state_of_health", "capacity", *UNITS)
"""How good a battery still is, first as people ask it."""
STEPS_OPEN_MAX = 30
"""Steps of a life shown at once; earlier ones are folded away."""

_ACCEPTED = "HandoverAccepted"


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


def came_by_handover(passport: Passport, register: Register) -> bool:
    """Whether both sides signed for the holder of a register: whoever is not the maker can only have accepted it."""
    maker = find_fact(passport, MAKER)
    if maker is not None and maker.source.organisation != register.organisation:
        return True
    place = (register.source.statement, register.source.index)
    return any(
        step.event == _ACCEPTED and (step.source.statement, step.source.index) == place for step in passport.life
    )


def order_registers(passport: Passport) -> tuple[Register, ...]:
    """The registers this reader sees, the one who answers in law first."""
    return tuple(sorted(passport.registers, key=lambda one: one.register != RESPONSIBILITY))


def certificates(passport: Passport) -> tuple[Attested, ...]:
    """The certificates, those in force first and the newest first within both."""
    found = [one for one in passport.attestations if one.is_certificate]
    return tuple(sorted(found, key=lambda one: (one.state != "issued", -one.source.height)))


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


def under_same_conditions(row: HealthRow, above: HealthRow) -> bool:
    """Whether a value was found under the very conditions of the one above it, which then need no second telling."""
    conditions, others = (
        [condition for condition in one.measured.conditions if condition[0] != CAVEAT] for one in (row, above)
    )
    return bool(conditions) and conditions == others and row.attested.source == above.attested.source


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


def list_sources(passport: Passport) -> list[Source]:
    """Who signed what the page shows, once for each fact."""
    sources = [fact.source for fact in (*passport.model, *passport.identity)]
    sources += [register.source for register in passport.registers]
    sources += [attested.source for attested in passport.attestations]
    return sources + [step.source for step in passport.life]


def _rank(word: str, order: Sequence[str]) -> int:
    return order.index(word) if word in order else len(order)
