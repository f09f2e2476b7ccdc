"""Attestations: signed statements about a test or an estimate; a certificate is one under accreditation.

Values are commitments; what may be public are predicates the issuer signs for. An attestation is never deleted:
it is superseded, revoked, or invalidated by what later happened to the battery.
"""

from typing import Annotated, Literal

import msgspec

from cellvow.core.contracts.anchor import anchor_key
from cellvow.core.contracts.battery import BatteryRecord, get_battery
from cellvow.core.contracts.contract import (
    GRANTED,
    MEMBERS,
    WORLD,
    Battery,
    Context,
    Contract,
    Count,
    Hash,
    Integer,
    OfUnit,
    Provenance,
    Record,
    Reference,
    Schema,
    Term,
    require,
)
from cellvow.core.contracts.organisation import covers, get_organisation
from cellvow.core.contracts.sign import Bound, drop_bounds, require_no_sign
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.limits import PREDICATES_MAX, RESULTS_MAX

Quantity = Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z0-9_]{1,39}\Z")]
EvidenceClass = Literal["measured", "estimated", "simulated", "declared"]
ISSUED, SUPERSEDED, REVOKED, INVALIDATED, EXPIRED = "issued", "superseded", "revoked", "invalidated", "expired"


# Records


class Result(Schema, frozen=True, kw_only=True):
    """A quantity and the commitment to its value, interval and conditions."""

    quantity: Annotated[Quantity, WORLD]
    commitment: Annotated[Hash, GRANTED]


class Predicate(Schema, frozen=True, kw_only=True):
    """What the issuer lets be known of a value: that it is at least, or at most, a threshold in the quantity's unit."""

    quantity: Annotated[Quantity, WORLD]
    comparison: Annotated[Literal["at_least", "at_most"], WORLD]
    threshold: Annotated[Integer, WORLD]


class Standard(Schema, frozen=True, kw_only=True):
    """The standard or published method followed, and its edition."""

    name: Annotated[Term, WORLD]
    edition: Annotated[Term, WORLD]


class Method(Schema, frozen=True, kw_only=True):
    """What computed the result."""

    name: Annotated[Term, WORLD]
    version: Annotated[Term, WORLD]


class AttestationRecord(Record, frozen=True, kw_only=True):
    """`attestation/ORGANISATION/REFERENCE`. `epoch` is the battery's when it was issued."""

    organisation: str
    reference: Reference
    battery: Battery
    evidence_class: EvidenceClass
    is_certificate: bool
    standard: Standard | None
    method: Method
    tested_from_ms: Count
    tested_until_ms: Count
    valid_until_ms: Count | None
    input_root: Hash | None
    results: tuple[Result, ...]
    predicates: tuple[Predicate, ...]
    issued_ms: Count
    epoch: Count
    state: Literal["issued", "superseded", "revoked"]
    superseded_by: Reference | None = None
    corrects: Provenance | None = None


# Messages


class IssueAttestation(OfUnit, frozen=True, kw_only=True):
    """Attest to the result of a test or an estimate, or declare a value; `reference` is the issuer's own number."""

    reference: Annotated[Reference, WORLD]
    evidence_class: Annotated[EvidenceClass, WORLD]
    is_certificate: Annotated[bool, WORLD]
    standard: Annotated[Standard | None, WORLD] = None
    method: Annotated[Method, WORLD]
    tested_from_ms: Annotated[Count, WORLD]
    tested_until_ms: Annotated[Count, WORLD]
    valid_until_ms: Annotated[Count | None, WORLD] = None
    input_root: Annotated[Hash | None, WORLD] = None
    results: Annotated[tuple[Result, ...], msgspec.Meta(min_length=1, max_length=RESULTS_MAX), WORLD]
    predicates: Annotated[tuple[Predicate, ...], msgspec.Meta(max_length=PREDICATES_MAX), WORLD] = ()
    supersedes: Annotated[Reference | None, WORLD] = None


class RevokeAttestation(OfUnit, frozen=True, kw_only=True):
    """Withdraw one's own attestation; it stays readable, and revoked."""

    reference: Annotated[Reference, MEMBERS]
    cause: Annotated[Literal["error", "fraud", "instrument", "accreditation", "other"], MEMBERS]


# Rules


def attestation_key(organisation: str, reference: str) -> str:
    """Where an attestation lies in the state map."""
    return f"attestation/{organisation}/{reference}"


def derive_state(record: AttestationRecord, battery: BatteryRecord, time_ms: int) -> str:
    """What an attestation is worth now: issued, superseded, revoked, invalidated by later events, or expired."""
    if record.state != ISSUED:
        return record.state
    if record.epoch != battery.epoch:
        return INVALIDATED
    if record.valid_until_ms is not None and time_ms > record.valid_until_ms:
        return EXPIRED
    return ISSUED


def require_certificate(context: Context, message: IssueAttestation) -> None:
    """Raise `Rejected` unless the signer's accreditation covers what the certificate claims, now."""
    complete = message.input_root is not None and message.evidence_class in ("measured", "estimated")
    if message.standard is None or not complete:
        raise Rejected(Reason.INCOMPLETE_CERTIFICATE)
    quantities = [result.quantity for result in message.results]
    quantities += [predicate.quantity for predicate in message.predicates]
    member = get_organisation(context, context.organisation)
    standard, edition = message.standard.name, message.standard.edition
    if member is None or not covers(member, standard, edition, quantities, context.time_ms):
        raise Rejected(Reason.OUTSIDE_ACCREDITATION, standard=standard, edition=edition)


def require_sound(context: Context, message: IssueAttestation) -> None:
    """Raise `Rejected` unless period, input and, for a certificate, accreditation are in order."""
    until = message.valid_until_ms
    ordered = message.tested_from_ms <= message.tested_until_ms <= context.time_ms
    require(ordered and (until is None or until > context.time_ms), Reason.WRONG_PERIOD)
    if message.input_root is not None:
        anchored = context.get_bytes(anchor_key(context.organisation, message.input_root))
        require(anchored is not None, Reason.INPUT_NOT_ANCHORED)
    if message.is_certificate:
        require_certificate(context, message)


def get_attestation(context: Context, reference: str) -> AttestationRecord:
    """The signer's own attestation, or `Rejected`."""
    record = context.get(AttestationRecord, attestation_key(context.organisation, reference))
    if record is None:
        raise Rejected(Reason.UNKNOWN_ATTESTATION, reference=reference)
    return record


def require_consistent(context: Context, message: IssueAttestation, epoch: int) -> None:
    """Raise `Contested` where a certificate's predicates contradict what another has shown of the same unit."""
    for predicate in message.predicates if message.is_certificate else ():
        bound = Bound(
            organisation=context.organisation,
            reference=message.reference,
            comparison=predicate.comparison,
            threshold=predicate.threshold,
            from_ms=message.tested_from_ms,
            until_ms=message.tested_until_ms,
            epoch=epoch,
        )
        require_no_sign(context, message.battery, predicate.quantity, bound)


def drop_signs(context: Context, record: AttestationRecord) -> None:
    """Forget what an attestation showed that is revoked, or corrected."""
    quantities = [predicate.quantity for predicate in record.predicates]
    drop_bounds(context, record.battery, quantities, record.organisation, record.reference)


# Handlers


def _issue(context: Context, message: IssueAttestation) -> list[Event]:
    battery = get_battery(context, message.battery)
    require_sound(context, message)
    key = attestation_key(context.organisation, message.reference)
    require(context.get_bytes(key) is None, Reason.ATTESTATION_EXISTS, reference=message.reference)
    require_consistent(context, message, battery.epoch)
    events: list[Event] = []
    if message.supersedes is not None:
        events.append(_supersede(context, message, message.supersedes))
    context.put(key, derive_attestation(context, message, battery))
    kind = "CertificateIssued" if message.is_certificate else "AttestationIssued"
    events.append({"type": kind, "battery": message.battery, "reference": message.reference})
    return events


def _supersede(context: Context, message: IssueAttestation, reference: str) -> Event:
    old = get_attestation(context, reference)
    require(old.battery == message.battery, Reason.OTHER_BATTERY, reference=reference)
    require(old.state == ISSUED, Reason.NOT_IN_FORCE, reference=reference)
    changed = msgspec.structs.replace(
        old,
        state="superseded",
        superseded_by=message.reference,
        version=old.version + 1,
        provenance=context.provenance,
    )
    context.put(attestation_key(context.organisation, reference), changed)
    return {"type": "AttestationSuperseded", "battery": old.battery, "reference": reference}


def _revoke(context: Context, message: RevokeAttestation) -> list[Event]:
    old = get_attestation(context, message.reference)
    require(old.battery == message.battery, Reason.OTHER_BATTERY, reference=message.reference)
    require(old.state == ISSUED, Reason.NOT_IN_FORCE, reference=message.reference)
    changed = msgspec.structs.replace(old, state="revoked", version=old.version + 1, provenance=context.provenance)
    context.put(attestation_key(context.organisation, message.reference), changed)
    drop_signs(context, old)
    return [{"type": "AttestationRevoked", "battery": old.battery, "reference": message.reference}]


def derive_attestation(context: Context, message: IssueAttestation, battery: BatteryRecord) -> AttestationRecord:
    """The record an attestation leaves."""
    return AttestationRecord(
        provenance=context.provenance,
        organisation=context.organisation,
        reference=message.reference,
        battery=message.battery,
        evidence_class=message.evidence_class,
        is_certificate=message.is_certificate,
        standard=message.standard,
        method=message.method,
        tested_from_ms=message.tested_from_ms,
        tested_until_ms=message.tested_until_ms,
        valid_until_ms=message.valid_until_ms,
        input_root=message.input_root,
        results=message.results,
        predicates=message.predicates,
        issued_ms=context.time_ms,
        epoch=battery.epoch,
        state="issued",
    )


CONTRACT = Contract("attestation", {IssueAttestation: _issue, RevokeAttestation: _revoke})
