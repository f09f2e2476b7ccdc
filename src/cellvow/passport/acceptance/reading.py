"""From a passport's view to the facts of a policy: what its reader may see, each with the statement that says so."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from cellvow.core.contracts.attestation import EXPIRED, ISSUED
from cellvow.core.contracts.contract import Provenance
from cellvow.core.contracts.policy import Stated
from cellvow.core.primitives.errors import ensure
from cellvow.core.primitives.quantity import UNITS
from cellvow.passport.acceptance.facts import FACTS, STATED_MAX
from cellvow.passport.view import Attested, Fact, LifeStep, Measured, Passport, Source

WITHHELD = "withheld: ask the owner for a link"
NOT_SHOWN = "not shown to you: ask its issuer"
NOT_STATED = "the attestation does not state it"
NO_END = "the issuer set no end"
BEYOND = "not looked at: name one attestation"
_REGISTERS = {"custodian": "custody", "owner": "ownership", "answers_for": "responsibility"}
_HEALTH = "state_of_health"
_JUDGED = "VerdictRecorded"
_ENTITLING = (
    "BatteryRegistered",
    "CertificateIssued",
    "HandoverAccepted",
    "HandoverOffered",
    "HandoverWithdrawn",
)
"""Steps that the ledger takes from maker, holders and accredited laboratories alone."""
_ENDED_BY_TIME = (ISSUED, EXPIRED)


@dataclass(slots=True)
class Known:
    """Facts as the language takes them, and why a list is not there at all: a list of unknown length has no entry."""

    facts: dict[str, tuple[Stated, ...]] = field(default_factory=dict)
    absent: dict[str, str] = field(default_factory=dict)

    def put(self, name: str, *stated: Stated) -> None:
        """Give a fact its values."""
        self.facts[name] = stated[:STATED_MAX]

    def miss(self, name: str, reason: str) -> None:
        """Say why a fact is unknown; a single value carries the reason itself."""
        if FACTS[name].form == "single":
            self.put(name, Stated(None, missing=reason))
        else:
            self.absent[name] = reason

    def copy(self) -> "Known":
        """The same, to be added to."""
        return Known(dict(self.facts), dict(self.absent))


def read_battery(passport: Passport, today: str) -> Known:
    """The facts that are the same for every attestation."""
    known = Known()
    known.put("today", Stated(today))
    ensure(bool(passport.identity), f"the passport of {passport.battery} does not say who registered it")
    birth = passport.identity[0].source
    named = {fact.name: fact for fact in (*passport.model, *passport.identity) if fact.name != "maker"}
    for entry in FACTS.values():
        if entry.origin in ("model", "battery") and entry.name in named:
            known.put(entry.name, _of_fact(named[entry.name]))
    known.put("maker", _stated(birth.organisation, birth))
    known.put("status", _stated(passport.status, birth))
    known.put("reconstructed", _stated(passport.backfill is not None, birth))
    if "facility" not in known.facts:
        known.miss("facility", WITHHELD)
    known.put("witnesses", Stated(len(passport.anchoring.witnesses)))
    _read_registers(passport, known)
    _read_history(passport, known)
    _read_declarations(passport, known)
    return known


def read_test(passport: Passport, shared: Known, test: Attested, today: str) -> Known:
    """The facts for one attestation, those of the battery included."""
    known, source = shared.copy(), test.source
    known.put("is_certificate", _stated(test.is_certificate, source))
    known.put("evidence_class", _stated(test.evidence_class, source))
    known.put("issuer", _stated(source.organisation, source))
    known.put("attestation_state", _stated(derive_state_on(test, today), source))
    known.put("tested_on", _stated(day_of(test.tested_until_ms), source))
    known.put("quantities", *(_stated(one, source) for one in dict.fromkeys(m.quantity for m in test.measured)))
    for name, value in (("standard", test.standard), ("edition", test.edition)):
        known.put(name, Stated(value, _cited(source), NOT_STATED if value is None else ""))
    until = test.valid_until_ms
    known.put("valid_until", Stated(None, _cited(source), NO_END) if until is None else _stated(day_of(until), source))
    for quantity in UNITS:
        _read_quantity(test, quantity, known, NOT_SHOWN if passport.shows_health else WITHHELD)
    _read_since(passport, test, known)
    return known


def read_unseen(shared: Known, reason: str, *, is_certificate: bool | None) -> Known:
    """The facts for attestations that the reader is not shown: nothing, but what they cannot be."""
    known = shared.copy()
    for entry in FACTS.values():
        if entry.origin == "test":
            known.miss(entry.name, reason)
    if is_certificate is not None:
        known.put("is_certificate", Stated(is_certificate))
    return known


def derive_state_on(test: Attested, today: str) -> str:
    """What an attestation is worth on a day: beside what ended it, the last day of its validity counts in full."""
    if test.state not in _ENDED_BY_TIME or test.valid_until_ms is None:
        return ISSUED if test.state == EXPIRED else test.state
    return EXPIRED if day_of(test.valid_until_ms) < today else ISSUED


def day_of(time_ms: int) -> str:
    """The day of a moment, UTC; a moment beyond the calendar is its last day."""
    most = int(datetime(2999, 12, 31, tzinfo=UTC).timestamp()) * 1000
    return datetime.fromtimestamp(min(time_ms, most) // 1000, UTC).date().isoformat()


def is_day(text: str) -> bool:
    """Whether the text is a day `YYYY-MM-DD` that policies know."""
    try:
        return date.fromisoformat(text).isoformat() == text and 1000 <= int(text[:4]) <= 2999
    except ValueError:
        return False


def _cited(source: Source) -> Provenance:
    return Provenance(statement=source.statement, index=source.index)


def _stated(value: int | str | bool, source: Source) -> Stated:
    return Stated(value, _cited(source))


def _of_fact(fact: Fact) -> Stated:
    return _stated(fact.value, fact.source)


def _read_registers(passport: Passport, known: Known) -> None:
    shown = {one.register: one for one in passport.registers}
    for name, register in _REGISTERS.items():
        if register in shown:
            known.put(name, _stated(shown[register].organisation, shown[register].source))
        else:
            known.miss(name, WITHHELD)


def _read_history(passport: Passport, known: Known) -> None:
    if not passport.shows_history:
        known.miss("history_visible", WITHHELD)
        known.miss("events", WITHHELD)
        return
    known.put("history_visible", Stated(value=True))
    known.put("events", *(_stated(step.event, step.source) for step in _own_steps(passport)))


def _parties(passport: Passport) -> frozenset[str]:
    """Who made, held or certified the battery: what the ledger lets only them say of it."""
    return frozenset(step.source.organisation for step in passport.life if step.event in _ENTITLING)


def _own_steps(passport: Passport) -> list[LifeStep]:
    """The steps by its parties: whoever else attests to it, or judges it, makes nothing happen to it."""
    parties = _parties(passport)
    return [step for step in passport.life if step.source.organisation in parties and step.event != _JUDGED]


def _read_declarations(passport: Passport, known: Known) -> None:
    name = "declared_state_of_health_permille"
    if not passport.shows_health or not passport.shows_history:
        known.miss(name, WITHHELD)
        return
    declared = [one for one in passport.attestations if one.evidence_class == "declared" and one.state == ISSUED]
    parties = _parties(passport)
    stated = [
        Stated(measured.value, _cited(one.source), "" if measured.value is not None else NOT_SHOWN)
        for one in declared
        if one.source.organisation in parties
        for measured in one.measured
        if measured.quantity == _HEALTH
    ]
    known.put(name, *stated)


def _read_quantity(test: Attested, quantity: str, known: Known, hidden: str) -> None:
    unit, source = UNITS[quantity].lower(), test.source
    for bound in ("at_least", "at_most"):
        thresholds = [one[2] for one in test.predicates if one[:2] == (quantity, bound)]
        known.put(f"{quantity}_{bound}_{unit}", *(_stated(one, source) for one in thresholds))
    measured = [one for one in test.measured if one.quantity == quantity]
    names = [f"{quantity}{part}_{unit}" for part in ("", "_low", "_high")]
    names += [f"{quantity}_{part}" for part in ("coverage_permille", "c_rate_permille", "temperature_mc")]
    for place, name in enumerate(names):
        if not measured:
            known.miss(name, NOT_STATED)
            continue
        known.put(name, *(_number(_numbers(one)[place], one, source, hidden) for one in measured))


def _numbers(measured: Measured) -> tuple[int | None, ...]:
    conditions = dict(measured.conditions)
    stated = [_integer(conditions.get(name)) for name in ("c_rate_permille", "temperature_mc")]
    return (measured.value, measured.low, measured.high, measured.coverage_permille, *stated)


def _number(value: int | None, measured: Measured, source: Source, hidden: str) -> Stated:
    missing = "" if value is not None else hidden if measured.value is None else NOT_STATED
    return Stated(value, _cited(source), missing)


def _integer(text: str | None) -> int | None:
    return int(text) if text is not None and text.lstrip("-").isdecimal() and len(text) <= 16 else None


def _read_since(passport: Passport, test: Attested, known: Known) -> None:
    if not passport.shows_history:
        known.miss("events_since_test", WITHHELD)
        known.miss("handovers_since_test", WITHHELD)
        return
    own = (test.source.statement, test.source.index)
    since = [
        step
        for step in _own_steps(passport)
        if step.source.time_ms > test.tested_until_ms and (step.source.statement, step.source.index) != own
    ]
    known.put("events_since_test", *(_stated(step.event, step.source) for step in since))
    moved = [step.source for step in since if step.event == "HandoverAccepted"]
    cited: Iterable[Source] = moved[:STATED_MAX] or [test.source]
    known.put("handovers_since_test", *(_stated(len(moved), source) for source in cited))
