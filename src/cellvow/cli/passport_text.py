"""A passport in the terminal: the same questions in the same order as the page, in words and tables."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from cellvow.cli.answer import Table
from cellvow.cli.wording import amount, day, interval, moment, quantity_name

if TYPE_CHECKING:
    from cellvow.passport.view import Anchoring, Attested, Fact, Measured, Passport

FACTS = {
    "category": "Category",
    "chemistry": "Chemistry",
    "facility": "Made in",
    "maker": "Maker",
    "manufactured_on": "Made on",
    "mass_g": "Mass",
    "model": "Model",
    "nominal_voltage_mv": "Nominal voltage",
    "rated_capacity_mah": "Rated capacity",
    "voltage_max_mv": "Highest voltage",
    "voltage_min_mv": "Lowest voltage",
}
CATEGORIES = {
    "ev": "electric vehicle battery",
    "industrial": "industrial battery",
    "lmt": "light means of transport battery",
    "portable": "portable battery",
    "sli": "starting, lighting and ignition battery",
}
REGISTERS = {"custody": "Holds it", "ownership": "Owns it", "responsibility": "Answers for it"}
STATES = {
    "expired": "expired",
    "invalidated": "no longer holds: the battery's record changed since",
    "issued": "in force",
    "revoked": "revoked by its issuer",
    "superseded": "replaced by a newer one",
}
EVENTS = {
    "AttestationIssued": "an attestation was issued",
    "AttestationRevoked": "an attestation was revoked",
    "AttestationSuperseded": "an attestation was replaced",
    "BatteryRegistered": "registered",
    "CertificateIssued": "a certificate was issued",
    "HandoverAccepted": "a hand-over was accepted",
    "HandoverDeclined": "a hand-over was declined",
    "HandoverOffered": "a hand-over was offered",
    "HandoverWithdrawn": "an offer was withdrawn",
    "StatementCorrected": "an earlier statement was corrected",
}
COMPARISONS = {"at_least": "at least", "at_most": "at most"}
UNITS_OF_PREDICATES = {
    "capacity": "mAh",
    "coulombic_efficiency": "ppm",
    "energy": "mWh",
    "resistance_10s": "uohm",
    "state_of_health": "permille",
}


def describe_passport(passport: "Passport") -> list[str | Table]:
    """The passport, heading by heading."""
    from cellvow.passport.view import Audience

    is_owner = passport.audience is Audience.OWNER
    view = "as its owner and those he lets see it" if is_owner else "as anybody sees it"
    lines: list[str | Table] = [f"Battery {passport.battery}, {view}"]
    if passport.is_simulated:
        lines.append("SIMULATED: some evidence below comes from a model, not from a measurement.")
    lines += ["", "Is it safe?", "  Not known: this ledger cannot record incidents yet.", f"  Status: {passport.status}"]
    lines += ["", "What is it?", *_facts((*passport.model, *passport.identity))]
    lines += ["", "Who answers for it?", *_registers(passport)]
    lines += ["", "What are its tests worth?", *_attestations(passport.attestations, is_owner=is_owner)]
    if passport.life:
        lines += ["", "What happened to it?", *_life(passport)]
    return [*lines, "", "Is this genuine?", *_anchoring(passport.anchoring)]


def _facts(facts: Sequence["Fact"]) -> list[str]:
    lines = []
    for fact in facts:
        before = "" if fact.corrected_from is None else f" (corrected; it said {_shown(fact, fact.corrected_from)})"
        lines.append(f"  {FACTS.get(fact.name, fact.name):<16} {_shown(fact, fact.value)}{before}")
    return lines


def _shown(fact: "Fact", value: str | int) -> str:
    if fact.name == "category":
        return CATEGORIES.get(str(value), str(value))
    return amount(value, fact.unit) if isinstance(value, int) else value


def _registers(passport: "Passport") -> list[str]:
    return [
        f"  {REGISTERS.get(one.register, one.register):<16} {one.name} ({one.organisation}) since {day(one.since_ms)}"
        for one in passport.registers
    ]


def _attestations(attestations: Sequence["Attested"], *, is_owner: bool) -> list[str | Table]:
    if not attestations:
        return ["  Nothing is certified." if not is_owner else "  Nothing is attested yet."]
    lines: list[str | Table] = []
    for one in attestations:
        kind = "Certificate" if one.is_certificate else "Attestation"
        lines.append(f"  {kind} {one.reference} by {one.source.name}: {STATES.get(one.state, one.state)}")
        standard = "" if one.standard is None else f", {one.standard} edition {one.edition}"
        lines.append(f"    {one.evidence_class}{standard}, by {one.method}, tested {day(one.tested_until_ms)}")
        if one.valid_until_ms is not None:
            lines.append(f"    valid until {day(one.valid_until_ms)}")
        lines += [f"    its issuer vouches: {_predicate(*predicate)}" for predicate in one.predicates]
        lines += _values(one.measured)
    return lines


def _predicate(quantity: str, comparison: str, threshold: int) -> str:
    bound = amount(threshold, UNITS_OF_PREDICATES.get(quantity))
    return f"{quantity_name(quantity)} {COMPARISONS.get(comparison, comparison)} {bound}"


def _values(measured: Sequence["Measured"]) -> list[str | Table]:
    shown = [one for one in measured if one.value is not None]
    if not shown:
        names = ", ".join(quantity_name(one.quantity) for one in measured)
        return [f"    values not shown to you: {names}"]
    rows = tuple(
        (quantity_name(one.quantity), amount(one.value or 0, one.unit), interval(one.low, one.high, one.unit), _cover(one))
        for one in shown
    )
    return [Table(("    quantity", "value", "interval", "coverage"), tuple((f"    {a}", b, c, d) for a, b, c, d in rows))]


def _cover(measured: "Measured") -> str:
    return "" if measured.coverage_permille is None else f"{measured.coverage_permille / 10:g} %"


def _life(passport: "Passport") -> list[str]:
    lines = []
    for step in passport.life:
        details = ", ".join(value for name, value in step.detail if name != "cause")
        corrected = " [corrected later]" if step.corrected else ""
        lines.append(
            f"  {moment(step.source.time_ms)}  {EVENTS.get(step.event, step.event)}"
            f"{f' ({details})' if details else ''}, by {step.source.name}{corrected}"
        )
    return lines


def _anchoring(anchoring: "Anchoring") -> list[str]:
    if anchoring.size == 0:
        return [f"  Ledger {anchoring.chain_id}, block {anchoring.height}; no checkpoint yet."]
    names = ", ".join(anchoring.witnesses)
    level = f"cosigned by {names}" if names else "committed, 0 witnesses"
    return [
        f"  Ledger {anchoring.chain_id}, block {anchoring.height} of {moment(anchoring.time_ms)}",
        f"  Checkpoint of {anchoring.size} leaves under {anchoring.origin}: {level}",
        "  Check it without us: `cellvow bundle`, then `cellvow verify` on another machine.",
    ]
