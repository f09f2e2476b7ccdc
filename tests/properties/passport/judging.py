"""What Hypothesis draws for acceptance: owners' views, the same with parts withheld, and policies over their facts."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import assume
from hypothesis import strategies as st

from cellvow.core.contracts.policy import Policy, PolicyError
from cellvow.passport.acceptance import FACTS, parse_acceptance_policy
from cellvow.passport.view import Attested, Audience, LifeStep, Measured, Passport, Scope, Source
from tests.unit.web import samples

TODAY = "2026-11-24"
EVENTS = ("CertificateIssued", "HandoverAccepted", "StatementCorrected", "AttestationRevoked")
CONDITIONS = (
    'category in {"ev", "lmt"}',
    'facility = "Demo plant 1"',
    "reconstructed",
    'status != "waste"',
    'owner = "secondlife"',
    'custodian != "nordpack"',
    "history_visible",
    'any(events, it = "StatementCorrected")',
    "count(events) <= 3",
    'any(events_since_test, it in {"HandoverAccepted", "AttestationRevoked"})',
    "count(events_since_test) < 2",
    "handovers_since_test <= 1",
    "witnesses >= 1",
    "is_certificate",
    'evidence_class in {"declared", "measured"}',
    'standard = "cellvow:dc-discharge"',
    'edition = "1"',
    'issuer = "cellab"',
    'attestation_state = "issued"',
    "today - tested_on <= 100",
    "valid_until - today > 30",
    'any(quantities, it = "capacity")',
    "count(quantities) > 1",
    "any(capacity_mah, it >= 30000)",
    "min(capacity_low_mah) * 100 >= rated_capacity_mah * 90",
    "count(capacity_high_mah) = 1",
    "any(capacity_at_least_mah, it >= 26480)",
    "sum(capacity_at_least_mah) < 100000",
    "all(declared_state_of_health_permille, it <= 950)",
    "count(declared_state_of_health_permille) = 0",
    "state_of_health_permille >= 900",
)
LISTS = ("capacity_mah", "capacity_low_mah", "capacity_high_mah")
"""Facts that these conditions use as lists though a policy may declare them single."""

_conditions = st.recursive(
    st.sampled_from(CONDITIONS),
    lambda inner: st.one_of(
        inner.map(lambda one: f"not ({one})"),
        st.tuples(inner, st.sampled_from(("and", "or")), inner).map(lambda some: f"({some[0]}) {some[1]} ({some[2]})"),
    ),
    max_leaves=4,
)


def declare(*conditions: str) -> str:
    """The text of a policy with these conditions, its facts declared as the table has them."""
    used = [name for name in FACTS if any(f" {name} " in _spaced(condition) for condition in conditions)]
    clauses = [f"clause c{place}: {condition}" for place, condition in enumerate(conditions)]
    return "\n".join(["policy drawn", "facts", *map(_declared, used), *clauses])


def _spaced(condition: str) -> str:
    return "".join(sign if sign.isalnum() or sign == "_" else " " for sign in f" {condition} ")


def _declared(name: str) -> str:
    is_list = FACTS[name].form == "list" or name in LISTS
    return f"  {name}: {'list of at most 8 ' if is_list else ''}{FACTS[name].kind}"


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    """A policy of one to three conditions that can hold together."""
    text = declare(*draw(st.lists(_conditions, min_size=1, max_size=3)))
    try:
        return parse_acceptance_policy(text)
    except PolicyError as error:
        assume(not error.complaint.startswith("cannot hold together"))
        raise


@st.composite
def attestations(draw: st.DrawFn) -> Attested:
    """An attestation with measured values, some of which the owner was not shown."""
    days_ago, number = draw(st.integers(1, 300)), draw(st.integers(100, 10_000))
    signer = draw(st.sampled_from((("cellab", "Cellab (invented)"), ("nordpack", "Nordpack (invented)"))))
    capacity = draw(st.one_of(st.none(), st.integers(26_000, 31_000)))
    health = draw(st.one_of(st.none(), st.integers(850, 1_000)))
    low, high = (None, None) if capacity is None else (capacity - 100, capacity + 100)
    measured = [
        Measured("capacity", "mAh", capacity, low, high, None),
        Measured("state_of_health", "permille", health, None, None, None),
        Measured("energy", "", None, None, None, None),
    ]
    return replace(
        samples.CERTIFICATE,
        reference=f"T-{number}",
        is_certificate=draw(st.booleans()),
        evidence_class=draw(st.sampled_from(("measured", "declared", "estimated"))),
        state=draw(st.sampled_from(("issued", "issued", "revoked", "expired"))),
        edition=draw(st.sampled_from(("1", "2", None))),
        valid_until_ms=draw(st.sampled_from((None, samples.NOON_MS + 40 * samples.DAY_MS))),
        tested_until_ms=samples.NOON_MS - days_ago * samples.DAY_MS,
        measured=tuple(draw(st.lists(st.sampled_from(measured), max_size=3, unique_by=lambda one: one.quantity))),
        predicates=draw(st.sampled_from(((), (("capacity", "at_least", 26_480),)))),
        source=samples.source(*signer, number, days_ago),
    )


_steps = st.builds(
    lambda event, number, days_ago: LifeStep(event, (), _source(number, days_ago)),
    st.sampled_from(EVENTS),
    st.integers(20_000, 30_000),
    st.integers(0, 320),
)


def _source(number: int, days_ago: int) -> Source:
    return samples.source("autowerk", "Autowerk (invented)", number, days_ago)


@st.composite
def owners_views(draw: st.DrawFn) -> Passport:
    """What an owner sees of a battery."""
    tests = draw(st.lists(attestations(), max_size=3, unique_by=lambda one: one.reference))
    return replace(
        samples.OWNER,
        attestations=tuple(tests),
        life=(samples.LIFE[0], *draw(st.lists(_steps, max_size=5))),
        status=draw(st.sampled_from(("original", "waste"))),
    )


def withhold(passport: Passport, audience: Audience, scope: frozenset[Scope] = frozenset()) -> Passport:
    """The same as a reader without these grants sees it."""
    hidden = replace(passport, audience=audience, scope=tuple(sorted(scope)), identity=passport.identity[:2])
    if not hidden.shows_health:
        certificates = [one for one in passport.attestations if one.is_certificate]
        hidden = replace(hidden, attestations=tuple(map(_without_values, certificates)), curve=None)
    if not hidden.shows_history:
        responsible = [one for one in passport.registers if one.register == "responsibility"]
        hidden = replace(hidden, registers=tuple(responsible), life=())
    return hidden


def _without_values(test: Attested) -> Attested:
    return replace(test, measured=tuple(Measured(one.quantity, "", None, None, None, None) for one in test.measured))


readers = st.sampled_from(
    [
        (Audience.PUBLIC, frozenset[Scope]()),
        (Audience.PURCHASER, frozenset({Scope.HEALTH})),
        (Audience.PURCHASER, frozenset({Scope.HISTORY})),
        (Audience.PURCHASER, frozenset({Scope.HEALTH, Scope.HISTORY})),
    ]
)
