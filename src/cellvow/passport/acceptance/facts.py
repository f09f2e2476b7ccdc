"""The facts that an acceptance policy may ask for, in one table, and the check that it asks for no others."""

import dataclasses
from collections.abc import Iterator
from difflib import get_close_matches
from itertools import pairwise
from typing import Literal, TypeAlias

from cellvow.core.contracts.attestation import EXPIRED, INVALIDATED, ISSUED, REVOKED, SUPERSEDED
from cellvow.core.contracts.battery import CATEGORIES, STATUSES
from cellvow.core.contracts.policy import FactType, Policy, PolicyError, parse_policy, render_policy
from cellvow.core.contracts.policy.checker import check_policy
from cellvow.core.contracts.policy.language import LIST_MAX, Kind
from cellvow.core.contracts.policy.tokens import split_tokens
from cellvow.core.primitives.quantity import CLASSES, UNITS

Origin: TypeAlias = Literal["asker", "model", "battery", "history", "ledger", "test", "declarations"]
"""Who or what a fact is about; only those of a test change when a new test is made."""
Form: TypeAlias = Literal["single", "list", "either"]
"""One value, a list, or as the policy declares it: several that differ are then no single value."""

STATES = (ISSUED, SUPERSEDED, REVOKED, INVALIDATED, EXPIRED)
STATED_MAX = LIST_MAX + 1
"""Values handed over of one fact: one more than any list may hold, so that too many are seen to be."""


@dataclasses.dataclass(frozen=True, slots=True)
class FactEntry:
    """A fact's name, type, unit, origin and meaning; `words` closes its vocabulary."""

    name: str
    kind: Kind
    origin: Origin
    meaning: str
    form: Form = "single"
    words: tuple[str, ...] = ()
    unit: str = ""


def _fixed() -> tuple[FactEntry, ...]:
    return (
        FactEntry("today", "date", "asker", "the day of the verdict (UTC), given by whoever asks"),
        FactEntry("category", "word", "model", "battery category of the model", words=CATEGORIES),
        FactEntry("chemistry", "word", "model", "chemistry, as the model's maker declares it"),
        FactEntry("model", "word", "model", "name of the model"),
        FactEntry("rated_capacity_mah", "integer", "model", "rated capacity of the model", unit="mAh"),
        FactEntry("nominal_voltage_mv", "integer", "model", "nominal voltage of the model", unit="mV"),
        FactEntry("voltage_min_mv", "integer", "model", "lowest voltage of the model", unit="mV"),
        FactEntry("voltage_max_mv", "integer", "model", "highest voltage of the model", unit="mV"),
        FactEntry("mass_g", "integer", "model", "mass of the model", unit="g"),
        FactEntry("maker", "word", "battery", "organisation that registered the battery"),
        FactEntry("manufactured_on", "date", "battery", "day of manufacture, as registered"),
        FactEntry("facility", "word", "battery", "where it was made; shown to the owner alone"),
        FactEntry("reconstructed", "boolean", "battery", "whether the birth was reconstructed: older than its record"),
        FactEntry("status", "word", "battery", "status of the battery", words=STATUSES),
        FactEntry("custodian", "word", "history", "organisation that holds it"),
        FactEntry("owner", "word", "history", "organisation that owns it"),
        FactEntry("answers_for", "word", "history", "organisation that answers for it in law"),
        FactEntry(
            "history_visible", "boolean", "history", "true where the reader sees every step of life; else unknown"
        ),
        FactEntry("events", "word", "history", "recorded events by those who made, held or certified it", form="list"),
        FactEntry(
            "events_since_test", "word", "test", "those of them after the test ended, its own issue apart", "list"
        ),
        FactEntry("handovers_since_test", "integer", "test", "accepted hand-overs after the test ended"),
        FactEntry("witnesses", "integer", "ledger", "witnesses whose cosignature of the newest checkpoint was checked"),
        FactEntry("is_certificate", "boolean", "test", "whether the attestation was made under accreditation"),
        FactEntry("evidence_class", "word", "test", "how its values came about", words=CLASSES),
        FactEntry("standard", "word", "test", "standard or published method followed"),
        FactEntry("edition", "word", "test", "edition of that standard"),
        FactEntry("issuer", "word", "test", "organisation that signed it"),
        FactEntry("attestation_state", "word", "test", "what it is worth on the day of the verdict", words=STATES),
        FactEntry("tested_on", "date", "test", "last day of the test (UTC), as the issuer says"),
        FactEntry("valid_until", "date", "test", "last day it is valid (UTC), where the issuer set one"),
        FactEntry("quantities", "word", "test", "quantities it attests to", form="list"),
        FactEntry(
            "declared_state_of_health_permille",
            "integer",
            "declarations",
            "health declared, in force, by those who made, held or certified it",
            form="list",
            unit="permille",
        ),
    )


def _measured() -> Iterator[FactEntry]:
    for quantity, unit in UNITS.items():
        suffix, spoken = unit.lower(), quantity.replace("_", " ")
        for part, meaning in (
            ("", f"{spoken}: the value"),
            ("_low", f"{spoken}: lower end of its interval"),
            ("_high", f"{spoken}: upper end of its interval"),
        ):
            yield FactEntry(f"{quantity}{part}_{suffix}", "integer", "test", meaning, "either", unit=unit)
        yield FactEntry(
            f"{quantity}_coverage_permille", "integer", "test", f"{spoken}: coverage of its interval", "either"
        )
        for bound in ("at_least", "at_most"):
            meaning = f"{spoken}: thresholds of the issuer's public sentence '{bound.replace('_', ' ')}'"
            yield FactEntry(f"{quantity}_{bound}_{suffix}", "integer", "test", meaning, "list", unit=unit)
        meaning = f"{spoken}: rate, in 1/1000 of the capacity an hour"
        yield FactEntry(f"{quantity}_c_rate_permille", "integer", "test", meaning, "either")
        meaning = f"{spoken}: temperature, in 1/1000 degC"
        yield FactEntry(f"{quantity}_temperature_mc", "integer", "test", meaning, "either")


FACTS: dict[str, FactEntry] = {entry.name: entry for entry in (*_fixed(), *_measured())}
"""Every fact by its name; docs/reference/acceptance.md is generated from it."""


def parse_acceptance_policy(text: str) -> Policy:
    """The policy of a text that asks only for facts of `FACTS`; raises `PolicyError`, which points."""
    policy = parse_policy(text)
    check_facts(policy, text)
    return policy


def require_known_facts(policy: Policy) -> Policy:
    """The same policy, where it asks only for facts of `FACTS`; an error points into its canonical layout."""
    return parse_acceptance_policy(render_policy(policy))


def check_facts(policy: Policy, text: str) -> None:
    """Raise `PolicyError` at a fact that does not exist, is of another type, or is compared with no word of its own."""
    for name, declared in policy.facts.items():
        complaint = _complaint(name, declared)
        if complaint:
            raise PolicyError(complaint, text, _declaration(name, text))
    narrowed = {name: _narrow(declared, FACTS[name]) for name, declared in policy.facts.items()}
    check_policy(dataclasses.replace(policy, facts=narrowed), text)


def _complaint(name: str, declared: FactType) -> str:
    entry = FACTS.get(name)
    if entry is None:
        near = get_close_matches(name, FACTS, n=1)
        return f"there is no fact '{name}'" + (f"; did you mean '{near[0]}'?" if near else "")
    if declared.kind != entry.kind:
        return f"'{name}' is of type {entry.kind}, not {declared.kind}"
    if (declared.list_max > 0) != (entry.form == "list") and entry.form != "either":
        return f"'{name}' is {'a list' if entry.form == 'list' else 'one value, no list'}"
    strange = [word for word in declared.words if entry.words and word not in entry.words]
    if strange:
        return f"'{strange[0]}' is no word of '{name}'; known are {', '.join(entry.words)}"
    return ""


def _narrow(declared: FactType, entry: FactEntry) -> FactType:
    return declared if declared.words or not entry.words else dataclasses.replace(declared, words=entry.words)


def _declaration(name: str, text: str) -> int:
    """Where a fact is declared: its name before a colon."""
    for token, following in pairwise(split_tokens(text)):
        if token.kind == "name" and token.text == name and following.text == ":":
            return token.position
    return 0
