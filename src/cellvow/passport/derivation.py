"""From records and statements to the passport of one battery, for one audience. Access is decided here, once."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from cellvow.core.contracts.attestation import (
    INVALIDATED,
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
from cellvow.core.contracts.document import PublishDocument
from cellvow.core.contracts.part import DescribeModel, InstallPart, RemovePart, ReplacePart
from cellvow.core.contracts.safety import ReportIncident
from cellvow.core.contracts.software import ResetSoftware, UpdateSoftware
from cellvow.core.contracts.use import RecordWork
from cellvow.core.contracts.whole import derive_registered, derive_wholes
from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import fail
from cellvow.core.primitives.identifier import is_gtin
from cellvow.passport.access import seen_registers, sees_facility, sees_life, sees_use, sees_values
from cellvow.passport.coverage import Signed, derive_coverage
from cellvow.passport.life_cycle import derive_end
from cellvow.passport.recorded import Ledger, RecordedClaim
from cellvow.passport.standing import derive_disputed, derive_notice, derive_relatives, derive_safety, find_voiding
from cellvow.passport.use import derive_parts, derive_use
from cellvow.passport.view import (
    Attested,
    Backfill,
    Coverage,
    Curve,
    Ended,
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


def derive_passport(ledger: Ledger, battery: str, reader: Reader, fields: Fields, now_ms: int) -> Passport | None:
    """The passport as the reader may see it, or None where the ledger knows no such battery.

    `fields` may hold more than he may see: what he may not is left out here.
    """
    value = ledger.read(battery_key(battery))
    if value is None:
        return None
    record = decode_record(BatteryRecord, value)
    shown_fields = fields if sees_values(reader) else {}
    attestations = _attestations(ledger, record, shown_fields, reader, now_ms)
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
        coverage=_coverage(ledger) if sees_life(reader) else None,
        ended=_ended(ledger, record),
        safety=derive_safety(ledger, battery),
        disputes=derive_disputed(ledger, battery, reader, now_ms),
        notice=derive_notice(ledger, battery, reader, now_ms),
        relatives=derive_relatives(ledger, battery, reader, now_ms),
        use=derive_use(ledger, record, reader, now_ms) if sees_use(reader) else (),
        parts=derive_parts(ledger, battery) if sees_use(reader) else None,
    )


def _ended(ledger: Ledger, record: BatteryRecord) -> Ended | None:
    """How a unit ceased: by itself, or as a part with the unit that it was in."""
    gone = (derive_end(ledger.read, one) for one in (record.battery, *derive_wholes(ledger.read, record.battery)))
    end = next((one for one in gone if one is not None), None)
    if end is None:
        return None
    return Ended(end.how, ledger.source(Provenance(statement=end.statement, index=end.index)))


def _backfill(ledger: Ledger, record: BatteryRecord) -> Backfill | None:
    if record.backfill is None:
        return None
    before = _corrected_message(ledger, record.corrects)
    return Backfill(
        evidence_class=record.backfill.evidence_class,
        basis=record.backfill.basis,
        source=ledger.source(record.born or record.provenance),
        corrected=isinstance(before, RegisterBattery) and before.backfill != record.backfill,
    )


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
    source, before = ledger.source(model.provenance), _corrected_message(ledger, model.corrects)
    return tuple(_fact(name, unit, getattr(model, name), source, before) for name, unit in _MODEL_FACTS)


def _identity_facts(ledger: Ledger, record: BatteryRecord, *, with_facility: bool) -> tuple[Fact, ...]:
    source, before = ledger.source(record.born or record.provenance), _corrected_message(ledger, record.corrects)
    names = ("manufactured_on", "facility") if with_facility else ("manufactured_on",)
    maker = Fact("maker", ledger.name(record.organisation), None, source)
    return (maker, *(_fact(name, None, getattr(record, name), source, before) for name in names))


def _registers(ledger: Ledger, battery: str, names: Sequence[str]) -> tuple[Register, ...]:
    """Who stands in the registers that count for it: a part's are those of the unit around it."""
    shown = []
    for name in names:
        record = derive_registered(ledger.read, name, battery)
        said, holder = ledger.get(record.provenance), record.organisation
        source = ledger.source_of(said)
        shown.append(Register(name, holder, ledger.name(holder), record.since_ms, source, said.event))
    return tuple(shown)


def _issued(ledger: Ledger) -> list[tuple[str, str]]:
    """(organisation, reference) of every attestation ever issued about the battery, in order."""
    return [
        (recorded.organisation, recorded.message.reference)
        for recorded in ledger.recorded
        if isinstance(recorded.message, IssueAttestation)
    ]


def _attestations(
    ledger: Ledger, battery: BatteryRecord, fields: Fields, reader: Reader, now_ms: int
) -> list[Attested]:
    attested = []
    for record in _issued_records(ledger):
        seen = _attested(ledger, record, battery, fields, now_ms)
        why = find_voiding(ledger, battery.battery, record.epoch, reader) if seen.state == INVALIDATED else None
        if why is not None:
            seen = replace(seen, voided_by=why.cause, voided=ledger.find_source(why.source))
        attested.append(seen)
    return attested


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
        source=ledger.source(record.provenance),
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
                return Curve(tuple(_point(point) for point in points), ledger.source(record.provenance))
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
        (
            (recorded.leaf, recorded.index),
            LifeStep(
                recorded.event,
                _detail(ledger, recorded.message),
                ledger.source_of(recorded),
                (recorded.statement, recorded.index) in corrected,
            ),
        )
        for recorded in ledger.recorded
        if not _is_about_model(recorded.message)
    ]
    steps += [((one.said.leaf, one.said.index), _claim(ledger, one)) for one in ledger.claims]
    return tuple(step for _, step in sorted(steps, key=lambda placed: placed[0]))


def _claim(ledger: Ledger, claim: RecordedClaim) -> LifeStep:
    """A claim that was kept, by whose word: what it would have done is told as signed, and as not accepted."""
    said, claimed = claim.said, type(claim.said.message).__name__
    detail = (("message", claimed), ("reference", claim.reference), ("topic", claim.topic))
    return LifeStep(said.event, detail, ledger.source_of(said), claimed=claimed)


def _coverage(ledger: Ledger) -> Coverage:
    signed = [Signed(type(one.message).__name__, ledger.source_of(one)) for one in ledger.recorded]
    is_successor = not any(isinstance(one.message, RegisterBattery) for one in ledger.recorded)
    return derive_coverage(signed, is_successor=is_successor)


def _is_about_model(message: Message) -> bool:
    """What is told of all units of a model is no step in the life of one."""
    return isinstance(message, RegisterModel | DescribeModel) or (
        isinstance(message, PublishDocument) and is_gtin(message.about)
    )


def _detail(ledger: Ledger, message: Message) -> tuple[tuple[str, str], ...]:
    """Parameters for the sentence of a step of life."""
    if isinstance(message, CorrectStatement):
        return (("cause", message.cause), *_detail(ledger, message.replacement))
    if isinstance(message, OfferHandover):
        return (("addressee", ledger.name(message.addressee)), ("registers", ", ".join(message.registers)))
    if isinstance(message, IssueAttestation | RevokeAttestation | RecordWork | PublishDocument | ReportIncident):
        return (("reference", message.reference),)
    if isinstance(message, InstallPart):
        return (("part", message.part), ("whole", message.battery))
    if isinstance(message, RemovePart):
        return (("part", message.part), ("removal", message.cause), ("whole", message.battery))
    if isinstance(message, ReplacePart):
        changed = (("part", message.installed), ("removed", message.removed))
        return (*changed, ("removal", message.cause), ("whole", message.battery))
    if isinstance(message, UpdateSoftware | ResetSoftware):
        return (("release", message.release),)
    if isinstance(message, RegisterBattery):
        born = ("manufactured_on", message.manufactured_on)
        if message.backfill is None:
            return (born,)
        return (born, ("evidence_class", message.backfill.evidence_class), ("basis", message.backfill.basis))
    return ()
