"""Messages with sound values in every field; tests vary one at a time with `msgspec.structs.replace`."""

from __future__ import annotations

from cellvow.core.contracts.acceptance import AttestationReference, RecordVerdict
from cellvow.core.contracts.anchor import Anchor
from cellvow.core.contracts.attestation import (
    IssueAttestation,
    Method,
    Predicate,
    Result,
    RevokeAttestation,
    Standard,
)
from cellvow.core.contracts.battery import Backfill, RegisterBattery, RegisterModel
from cellvow.core.contracts.correction import CorrectStatement, StatementReference
from cellvow.core.contracts.custody import (
    AcceptHandover,
    DeclineHandover,
    OfferHandover,
    RegisterName,
    WithdrawHandover,
)
from cellvow.core.contracts.organisation import RaiseFloor, RevokeKey
from cellvow.core.ledger.statement import Statement
from tests.world import GENESIS_MS, Signer

GTIN = "04012345123456"
OTHER_GTIN = "09506000134352"
BATTERY = f"01/{GTIN}/21/PACK-0001"
OTHER_BATTERY = f"01/{GTIN}/21/PACK-0002"
ROWS_ROOT = "5a" * 32
REFERENCE = "CERT-1"
STANDARD = Standard(name="IEC 62660-1", edition="2018")


def model(gtin: str = GTIN) -> RegisterModel:
    """A model of the maker."""
    return RegisterModel(
        gtin=gtin,
        category="ev",
        model="NP-33",
        chemistry="NMC",
        rated_capacity_mah=33_100,
        nominal_voltage_mv=3_750,
        voltage_min_mv=2_500,
        voltage_max_mv=4_200,
        mass_g=787,
    )


def battery(identifier: str = BATTERY) -> RegisterBattery:
    """A battery of that model."""
    return RegisterBattery(battery=identifier, manufactured_on="2025-06-30", facility="Plant 1")


def reconstructed(identifier: str = BATTERY, *, basis: str = "type plate") -> RegisterBattery:
    """A battery of that model which is older than its record."""
    return RegisterBattery(
        battery=identifier,
        manufactured_on="2019-03-01",
        facility="unknown",
        backfill=Backfill(evidence_class="estimated", basis=basis),
    )


def anchor(root: str = ROWS_ROOT) -> Anchor:
    """The root over a measurement's rows."""
    return Anchor(root=root, rows=51_840, kind="measurement")


def certificate(reference: str = REFERENCE, *, identifier: str = BATTERY) -> IssueAttestation:
    """A certificate the laboratory's accreditation covers; its input must be anchored before."""
    return IssueAttestation(
        battery=identifier,
        reference=reference,
        evidence_class="measured",
        is_certificate=True,
        standard=STANDARD,
        method=Method(name="full discharge", version="1"),
        tested_from_ms=GENESIS_MS - 7_200_000,
        tested_until_ms=GENESIS_MS,
        input_root=ROWS_ROOT,
        results=(Result(quantity="capacity", commitment="c0" * 32),),
        predicates=(Predicate(quantity="capacity", comparison="at_least", threshold=30_000),),
    )


def declaration(reference: str = "DECL-1", *, identifier: str = BATTERY) -> IssueAttestation:
    """A declared value: no certificate, no input."""
    return IssueAttestation(
        battery=identifier,
        reference=reference,
        evidence_class="declared",
        is_certificate=False,
        method=Method(name="rating", version="1"),
        tested_from_ms=GENESIS_MS,
        tested_until_ms=GENESIS_MS,
        results=(Result(quantity="state_of_health", commitment="d0" * 32),),
    )


def revocation(reference: str = REFERENCE, *, identifier: str = BATTERY) -> RevokeAttestation:
    """The end of an attestation."""
    return RevokeAttestation(battery=identifier, reference=reference, cause="instrument")


def verdict(reference: str = "V-1", *, identifier: str = BATTERY) -> RecordVerdict:
    """A policy accepts the laboratory's certificate."""
    return RecordVerdict(
        battery=identifier,
        reference=reference,
        policy="9a" * 32,
        as_of="2026-01-01",
        verdict="accept",
        attestation=AttestationReference(organisation="cellab", reference=REFERENCE),
        results=(Result(quantity="evaluation", commitment="e0" * 32),),
    )


def offer(
    addressee: str,
    registers: tuple[RegisterName, ...] = ("custody", "ownership", "responsibility"),
    versions: tuple[int, ...] = (1, 1, 1),
    *,
    identifier: str = BATTERY,
) -> OfferHandover:
    """Offer registers of a battery to a member."""
    return OfferHandover(battery=identifier, addressee=addressee, registers=registers, versions=versions)


def accept(version: int = 1, *, identifier: str = BATTERY) -> AcceptHandover:
    """Accept the offer of that version."""
    return AcceptHandover(battery=identifier, version=version)


def decline(version: int = 1, *, identifier: str = BATTERY) -> DeclineHandover:
    """Decline the offer of that version."""
    return DeclineHandover(battery=identifier, version=version)


def withdraw(version: int = 1, *, identifier: str = BATTERY) -> WithdrawHandover:
    """Withdraw the offer of that version."""
    return WithdrawHandover(battery=identifier, version=version)


def correction(
    corrected: Statement, replacement: RegisterModel | RegisterBattery | IssueAttestation, *, index: int = 0
) -> CorrectStatement:
    """Replace what message `index` of an earlier statement said."""
    reference = StatementReference(statement=corrected.envelope.digest.hex(), index=index)
    return CorrectStatement(corrects=reference, cause="typing_error", replacement=replacement)


def revoke_key(signer: Signer) -> RevokeKey:
    """The end of a key."""
    return RevokeKey(organisation=signer.organisation, kid=signer.kid.hex(), cause="rotation")


def raise_floor(signer: Signer, floor: int) -> RaiseFloor:
    """Mark every sequence of the signer up to `floor` as used."""
    return RaiseFloor(organisation=signer.organisation, floor=floor)
