"""From records and statements to the passport of one battery, for one audience. Access is decided here, once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cellvow.core.contracts.attestation import (
    ISSUED,
    AttestationRecord,
    IssueAttestation,
    RevokeAttestation,
    attestation_key,
    derive_state,
)
from cellvow.core.contracts.battery import (
    BatteryRecord,
    ModelRecord,
    RegisterBattery,
    RegisterModel,
    battery_key,
    model_key,
)
from cellvow.core.contracts.contract import Message, Provenance, decode_record
from cellvow.core.contracts.correction import CorrectStatement
from cellvow.core.contracts.custody import OfferHandover
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.contracts.register import RegisterRecord, register_key
from cellvow.core.ledger.genesis import parse_organisation
from cellvow.core.ledger.key import is_suspect, key_record_key, parse_key_record
from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import fail
from cellvow.core.protocol.transition import Read
from cellvow.passport.access import seen_registers, sees_facility, sees_life, sees_values
from cellvow.passport.disputes import derive_disputes
from cellvow.passport.view import (
    Anchoring,
    Attested,
    Backfill,
    Curve,
    Fact,
    LifeStep,
    Measured,
    Passport,
    Reader,
    Register,
    Source,
)

Fields = Mapping[str, dict[str, Json]]
"""Commitment (hexadecimal) -> the field document behind it, for those this reader was shown."""

CURVE = "discharge_curve"
_MODEL_FACTS = (
    ("model", None),
    ("chemistry", None),
    ("category", None),
    ("rated_capacity_mah", "mAh"),
    ("nominal_voltage_mv", "mV"),
    ("voltage_min_mv", "mV"),
    ("voltage_max_mv", "mV"),
    ("mass_g", "g"),
)


@dataclass(frozen=True, slots=True)
class Recorded:
    """One accepted message as the ledger holds it, with the type of the event it recorded last, and its signer."""

    message: Message
    event: str
    organisation: str
    kid: str
    statement: str
    index: int
    height: int
    time_ms: int
    leaf: int


@dataclass(frozen=True, slots=True)
class Ledger:
    """What a derivation may read: records, the accepted messages about a battery and its model, and the anchoring."""

    read: Read
    recorded: Sequence[Recorded]
    anchoring: Anchoring


def derive_passport(ledger: Ledger, battery: str, reader: Reader, fields: Fields, now_ms: int) -> Passport | None:
    """The passport as the reader may see it, or None where the ledger knows no such battery.

    `fields` may hold more than he may see: what he may not is left out here.
    """
    value = ledger.read(battery_key(battery))
    if value is None:
        return None
    record = decode_record(BatteryRecord, value)
    shown_fields = fields if sees_values(reader) else {}
    attestations = _attestations(ledger, record, shown_fields, now_ms)
    certificates = [one for one in attestations if one.is_certificate]
    return Passport(
        battery=battery,
        audience=reader.audience,
        status=record.status,
        model=_model_facts(ledger, record),
        identity=_identity_facts(ledger, record, with_facility=sees_facility(reader)),
        registers=_registers(ledger, battery, seen_registers(reader)),
        attestations=tuple(attestations if sees_values(reader) else certificates),
        life=_life(ledger) if sees_life(reader) else (),
        curve=_curve(ledger, shown_fields),
        anchoring=ledger.anchoring,
        is_simulated=any(one.evidence_class == "simulated" for one in attestations),
        certificate_in_force=any(one.state == ISSUED for one in certificates),
        scope=tuple(sorted(reader.scope)),
        backfill=_backfill(ledger, record),
        disputed=tuple(one.summary for one in derive_disputes(ledger.read, battery, now_ms) if one.summary.is_open),
    )


def _backfill(ledger: Ledger, record: BatteryRecord) -> Backfill | None:
    if record.backfill is None:
        return None
    before = _corrected_message(ledger, record.corrects)
    return Backfill(
        evidence_class=record.backfill.evidence_class,
        basis=record.backfill.basis,
        source=_source(ledger, record.born or record.provenance),
        corrected=isinstance(before, RegisterBattery) and before.backfill != record.backfill,
    )


def _source(ledger: Ledger, provenance: Provenance) -> Source:
    named = (provenance.statement, provenance.index)
    found = [recorded for recorded in ledger.recorded if (recorded.statement, recorded.index) == named]
    if not found:
        fail(f"a record stems from statement {provenance.statement}, which is not among those about it")
    return _source_of(ledger, found[0])


def _source_of(ledger: Ledger, recorded: Recorded) -> Source:
    value = ledger.read(key_record_key(bytes.fromhex(recorded.kid)))
    return Source(
        organisation=recorded.organisation,
        name=_name(ledger, recorded.organisation),
        statement=recorded.statement,
        index=recorded.index,
        height=recorded.height,
        time_ms=recorded.time_ms,
        suspect=value is not None and is_suspect(parse_key_record(value), recorded.time_ms),
    )


def _name(ledger: Ledger, organisation: str) -> str:
    value = ledger.read(organisation_key(organisation))
    return organisation if value is None else parse_organisation(value).name


def _corrected_message(ledger: Ledger, corrects: Provenance | None) -> Message | None:
    """What a record said before it was corrected."""
    if corrects is None:
        return None
    for recorded in ledger.recorded:
        if (recorded.statement, recorded.index) == (corrects.statement, corrects.index):
            message = recorded.message
            return message.replacement if isinstance(message, CorrectStatement) else message
    return None


def _fact(name: str, unit: str | None, value: str | int, source: Source, before: Message | None) -> Fact:
    earlier = getattr(before, name, value)
    return Fact(name, value, unit, source, None if earlier == value else earlier)


def _model_facts(ledger: Ledger, record: BatteryRecord) -> tuple[Fact, ...]:
    value = ledger.read(model_key(record.gtin))
    if value is None:
        fail(f"battery {record.battery} is of the unregistered model {record.gtin}")
    model = decode_record(ModelRecord, value)
    source, before = _source(ledger, model.provenance), _corrected_message(ledger, model.corrects)
    return tuple(_fact(name, unit, getattr(model, name), source, before) for name, unit in _MODEL_FACTS)


def _identity_facts(ledger: Ledger, record: BatteryRecord, *, with_facility: bool) -> tuple[Fact, ...]:
    source, before = _source(ledger, record.born or record.provenance), _corrected_message(ledger, record.corrects)
    names = ("manufactured_on", "facility") if with_facility else ("manufactured_on",)
    maker = Fact("maker", _name(ledger, record.organisation), None, source)
    return (maker, *(_fact(name, None, getattr(record, name), source, before) for name in names))


def _registers(ledger: Ledger, battery: str, names: Sequence[str]) -> tuple[Register, ...]:
    shown = []
    for name in names:
        value = ledger.read(register_key(name, battery))
        if value is None:
            fail(f"battery {battery} stands in no {name} register")
        record = decode_record(RegisterRecord, value)
        source = _source(ledger, record.provenance)
        holder = record.organisation
        shown.append(Register(name, holder, _name(ledger, holder), record.since_ms, source))
    return tuple(shown)


def _issued(ledger: Ledger) -> list[tuple[str, str]]:
    """(organisation, reference) of every attestation ever issued about the battery, in order."""
    return [
        (recorded.organisation, recorded.message.reference)
        for recorded in ledger.recorded
        if isinstance(recorded.message, IssueAttestation)
    ]


def _attestations(ledger: Ledger, battery: BatteryRecord, fields: Fields, now_ms: int) -> list[Attested]:
    return [_attested(ledger, record, battery, fields, now_ms) for record in _issued_records(ledger)]


def _issued_records(ledger: Ledger) -> list[AttestationRecord]:
    records = []
    for organisation, reference in _issued(ledger):
        value = ledger.read(attestation_key(organisation, reference))
        if value is None:
            fail(f"attestation {reference} of {organisation} was issued and has no record")
        records.append(decode_record(AttestationRecord, value))
    return records


def _attested(
    ledger: Ledger, record: AttestationRecord, battery: BatteryRecord, fields: Fields, now_ms: int
) -> Attested:
    return Attested(
        reference=record.reference,
        is_certificate=record.is_certificate,
        evidence_class=record.evidence_class,
        standard=None if record.standard is None else record.standard.name,
        edition=None if record.standard is None else record.standard.edition,
        method=f"{record.method.name} {record.method.version}",
        tested_until_ms=record.tested_until_ms,
        valid_until_ms=record.valid_until_ms,
        state=derive_state(record, battery, now_ms),
        measured=tuple(_measured(one.quantity, fields.get(one.commitment)) for one in record.results),
        predicates=tuple((one.quantity, one.comparison, one.threshold) for one in record.predicates),
        source=_source(ledger, record.provenance),
    )


def _measured(quantity: str, field: dict[str, Json] | None) -> Measured:
    if field is None or not isinstance(field.get("value"), int):
        return Measured(quantity, "", None, None, None, None)
    return Measured(
        quantity=quantity,
        unit=str(field.get("unit", "")),
        value=_integer(field.get("value")),
        low=_integer(field.get("low")),
        high=_integer(field.get("high")),
        coverage_permille=_integer(field.get("coverage_permille")),
        conditions=_conditions(field),
    )


def _conditions(field: dict[str, Json]) -> tuple[tuple[str, str], ...]:
    """What a field says of how its value came about: named conditions, then its caveats as sentences."""
    named, caveats = field.get("conditions"), field.get("caveats")
    stated = (
        [(name, str(value)) for name, value in sorted(named.items()) if value is not None]
        if isinstance(named, dict)
        else []
    )
    warned = [("caveat", str(sentence)) for sentence in caveats] if isinstance(caveats, list) else []
    return (*stated, *warned)


def _integer(value: Json) -> int | None:
    return value if isinstance(value, int) else None


def _curve(ledger: Ledger, fields: Fields) -> Curve | None:
    """The newest disclosed discharge curve."""
    for record in reversed(_issued_records(ledger)):
        for result in record.results:
            points = fields.get(result.commitment, {}).get("points")
            if result.quantity == CURVE and isinstance(points, list):
                return Curve(tuple(_point(point) for point in points), _source(ledger, record.provenance))
    return None


def _point(value: Json) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        fail("a disclosed curve holds something else than points")
    return int(str(value[0])), int(str(value[1]))


def _life(ledger: Ledger) -> tuple[LifeStep, ...]:
    corrected = {
        (recorded.message.corrects.statement, recorded.message.corrects.index)
        for recorded in ledger.recorded
        if isinstance(recorded.message, CorrectStatement)
    }
    steps = [
        LifeStep(
            recorded.event,
            _detail(ledger, recorded.message),
            _source_of(ledger, recorded),
            (recorded.statement, recorded.index) in corrected,
        )
        for recorded in ledger.recorded
        if not isinstance(recorded.message, RegisterModel)
    ]
    return tuple(steps)


def _detail(ledger: Ledger, message: Message) -> tuple[tuple[str, str], ...]:
    """Parameters for the sentence of a step of life."""
    if isinstance(message, CorrectStatement):
        return (("cause", message.cause), *_detail(ledger, message.replacement))
    if isinstance(message, OfferHandover):
        return (("addressee", _name(ledger, message.addressee)), ("registers", ", ".join(message.registers)))
    if isinstance(message, IssueAttestation | RevokeAttestation):
        return (("reference", message.reference),)
    if isinstance(message, RegisterBattery):
        born = ("manufactured_on", message.manufactured_on)
        if message.backfill is None:
            return (born,)
        return (born, ("evidence_class", message.backfill.evidence_class), ("basis", message.backfill.basis))
    return ()
