"""Messages with sound values in every field; tests vary one at a time with `msgspec.structs.replace`."""

from __future__ import annotations

import msgspec

from cellvow.core.contracts.acceptance import AttestationReference, RecordVerdict
from cellvow.core.contracts.anchor import Anchor
from cellvow.core.contracts.assembly import Level
from cellvow.core.contracts.attestation import (
    IssueAttestation,
    Method,
    Predicate,
    Result,
    RevokeAttestation,
    Standard,
)
from cellvow.core.contracts.battery import Backfill, RegisterBattery, RegisterModel
from cellvow.core.contracts.change import AdmitMember, Change, ChangeRoles
from cellvow.core.contracts.contract import Committed
from cellvow.core.contracts.correction import CorrectStatement, StatementReference
from cellvow.core.contracts.countersigning import Countersign, SetSigningRule, WithdrawHeld
from cellvow.core.contracts.custody import (
    AcceptHandover,
    DeclineHandover,
    OfferHandover,
    WithdrawHandover,
)
from cellvow.core.contracts.document import PublishDocument
from cellvow.core.contracts.governance import CastVote, Propose, WithdrawProposal
from cellvow.core.contracts.life import DeclareWaste, Decommission, RecordDestruction, RecordRecycling, ReportSighting
from cellvow.core.contracts.lineage import Operation
from cellvow.core.contracts.organisation import RaiseFloor, RevokeKey, possession_bytes
from cellvow.core.contracts.part import DescribeModel, InstallPart, RemovalCause, RemovePart, ReplacePart
from cellvow.core.contracts.recovery import (
    AppointGuardians,
    ApproveRecovery,
    CompleteRecovery,
    OpenRecovery,
    VetoRecovery,
)
from cellvow.core.contracts.register import RegisterName
from cellvow.core.contracts.safety import AssessSafety, IncidentName, ReportIncident, SafetyState, Severity
from cellvow.core.contracts.second_life import BeginSecondLife, Draw, GradeUnit, Successor
from cellvow.core.contracts.software import Component, ResetSoftware, UpdateSoftware
from cellvow.core.contracts.use import (
    InstallBattery,
    OrderWork,
    RecordWork,
    UninstallBattery,
    WithdrawOrder,
    WorkKind,
)
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.signature import sign
from cellvow.core.protocol.ruleset import NEWEST, get_ruleset
from tests.world import CHAIN_ID, DAY_MS, GENESIS_MS, Signer, make_signer

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
    corrected: Statement,
    replacement: RegisterModel | RegisterBattery | IssueAttestation | DescribeModel,
    *,
    index: int = 0,
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


CLOSES_MS = GENESIS_MS + 30 * DAY_MS
"""When votes end, unless a test says otherwise."""
NEWCOMER = "newcomer"
"""An organisation that genesis does not name."""


def roles_of(organisation: str, *roles: str) -> ChangeRoles:
    """A change that always applies to a member."""
    return ChangeRoles(organisation=organisation, roles=roles or ("workshop",))  # type: ignore[arg-type]  # words of tests


def admission(organisation: str = NEWCOMER, root: str = "root") -> AdmitMember:
    """The admission of an organisation with the root key of that name."""
    public_key = make_signer(organisation, root).public_key.hex()
    return AdmitMember(
        organisation=organisation, name="Newcomer (invented)", roles=("operator",), root_keys=(public_key,)
    )


def proposal(
    organisation: str,
    change: Change,
    reference: str = "P-1",
    *,
    effective_height: int = 0,
    closes_ms: int = CLOSES_MS,
) -> Propose:
    """A change, to hold as soon as it is adopted unless a test says otherwise."""
    return Propose(
        organisation=organisation,
        reference=reference,
        change=change,
        effective_height=effective_height,
        closes_ms=closes_ms,
    )


def vote(proposer: str, reference: str = "P-1", *, approve: bool = True) -> CastVote:
    """A vote on somebody's proposal."""
    return CastVote(proposer=proposer, reference=reference, approve=approve)


def withdrawal(organisation: str, reference: str = "P-1") -> WithdrawProposal:
    """The end of one's own proposal."""
    return WithdrawProposal(organisation=organisation, reference=reference)


def appointment(
    organisation: str, guardians: tuple[str, ...], threshold: int = 2, delay_ms: int = 2 * DAY_MS
) -> AppointGuardians:
    """Who may together replace the organisation's lost keys."""
    return AppointGuardians(organisation=organisation, guardians=guardians, threshold=threshold, delay_ms=delay_ms)


def recovery(organisation: str, *names: str) -> OpenRecovery:
    """A recovery that brings the root keys of these names, `new root` unless told otherwise."""
    signers = [make_signer(organisation, name) for name in names or ("new root",)]
    return OpenRecovery(
        organisation=organisation,
        public_keys=tuple(signer.public_key.hex() for signer in signers),
        possessions=tuple(
            sign(one.seed, possession_bytes(CHAIN_ID, organisation, one.public_key.hex())).hex() for one in signers
        ),
    )


def approval(organisation: str, attempt: int = 1) -> ApproveRecovery:
    """Another guardian agrees."""
    return ApproveRecovery(organisation=organisation, attempt=attempt)


def veto(organisation: str, attempt: int = 1) -> VetoRecovery:
    """The owner is there."""
    return VetoRecovery(organisation=organisation, attempt=attempt)


def completion(organisation: str, attempt: int = 1) -> CompleteRecovery:
    """The lock has ended."""
    return CompleteRecovery(organisation=organisation, attempt=attempt)


PAPER = Committed(commitment="f0" * 32)
"""A text or document that stays in its owner's vault."""
HEIR = f"01/{GTIN}/21/HEIR-0001"
"""A unit that begins its second life, under a model of the maker."""


def decommissioning(version: int = 1, *, identifier: str = BATTERY) -> Decommission:
    """Out of use, and not yet waste."""
    return Decommission(battery=identifier, version=version, cause="out_of_service")


def waste(version: int = 1, *, identifier: str = BATTERY) -> DeclareWaste:
    """Waste from now on."""
    return DeclareWaste(battery=identifier, version=version, cause="worn_out")


def recycling(version: int = 2, *, identifier: str = BATTERY) -> RecordRecycling:
    """Recycled: its passport ceases."""
    return RecordRecycling(battery=identifier, version=version, facility=PAPER, recovered=PAPER)


def destruction(version: int = 1, *, identifier: str = BATTERY) -> RecordDestruction:
    """Burnt."""
    return RecordDestruction(battery=identifier, version=version, cause="fire", report=PAPER)


def sighting(identifier: str = BATTERY) -> ReportSighting:
    """Somebody read the code of a unit."""
    return ReportSighting(battery=identifier, place=PAPER)


def draw(identifier: str = BATTERY, *, version: int = 1, mass_g: int = 787, cells: int = 0) -> Draw:
    """All that an original has, unless a test says otherwise."""
    return Draw(battery=identifier, version=version, mass_g=mass_g, cells=cells)


def successor(identifier: str = HEIR, *, mass_g: int = 787, cells: int = 0) -> Successor:
    """A unit made in the first days of the ledger."""
    return Successor(battery=identifier, manufactured_on="2026-01-01", facility="Hall 2", mass_g=mass_g, cells=cells)


def second_life(
    operation: Operation = "remanufacture",
    originals: tuple[Draw, ...] | None = None,
    successors: tuple[Successor, ...] | None = None,
) -> BeginSecondLife:
    """The battery becomes one other; the maker himself may do that where it is remanufactured."""
    return BeginSecondLife(
        operation=operation,
        originals=(draw(),) if originals is None else originals,
        successors=(successor(),) if successors is None else successors,
    )


def grading(reference: str = "G-1", *, identifier: str = BATTERY) -> GradeUnit:
    """Good enough for a house, until the end of the year."""
    return GradeUnit(
        battery=identifier,
        reference=reference,
        grade="B",
        applications=("backup_power", "home_storage"),
        until="2026-12-31",
        report=PAPER,
    )


def description(gtin: str = GTIN, level: Level = "pack", cells: int = 96) -> DescribeModel:
    """What units of a model are, and how many cells they have."""
    return DescribeModel(gtin=gtin, level=level, cells=cells)


def part_in(
    part: str = OTHER_BATTERY, whole: str = BATTERY, *above: str, position: str | None = "slot 1"
) -> InstallPart:
    """Build a part in; `above` are the units around the whole."""
    return InstallPart(battery=whole, part=part, above=above, position=position)


def part_out(
    part: str = OTHER_BATTERY, whole: str = BATTERY, *above: str, cause: RemovalCause = "defective"
) -> RemovePart:
    """Take a part out."""
    return RemovePart(battery=whole, part=part, above=above, cause=cause)


def replacement(
    removed: str, installed: str, whole: str = BATTERY, *above: str, position: str | None = None
) -> ReplacePart:
    """Put one part in the place of another."""
    return ReplacePart(
        battery=whole, removed=removed, installed=installed, above=above, position=position, cause="replaced"
    )


def committed(byte: str = "ab") -> Committed:
    """A commitment to a text or a document."""
    return Committed(commitment=byte * 32)


def installation(installed_on: str = "2025-12-01", *, identifier: str = BATTERY) -> InstallBattery:
    """A unit goes into a vehicle."""
    return InstallBattery(battery=identifier, into="vehicle", place=committed("1f"), installed_on=installed_on)


def removal(removed_on: str = "2025-12-20", *, identifier: str = BATTERY) -> UninstallBattery:
    """A unit comes out of what it was in."""
    return UninstallBattery(battery=identifier, cause="service", removed_on=removed_on)


def work_order(workshop: str, kind: WorkKind = "repair", *, identifier: str = BATTERY) -> OrderWork:
    """The holder orders work of somebody."""
    return OrderWork(battery=identifier, workshop=workshop, kind=kind, order=committed("2f"))


def order_withdrawal(version: int = 1, *, identifier: str = BATTERY) -> WithdrawOrder:
    """The end of an order."""
    return WithdrawOrder(battery=identifier, version=version)


def work(
    reference: str = "W-1",
    kind: WorkKind = "maintenance",
    done_on: str = "2025-12-24",
    next_on: str | None = None,
    *,
    identifier: str = BATTERY,
) -> RecordWork:
    """Work on a unit."""
    return RecordWork(
        battery=identifier,
        reference=reference,
        kind=kind,
        done_on=done_on,
        report=committed("3f"),
        next_service_on=next_on,
    )


def document(version: int = 1, reference: str = "MANUAL-1", *, about: str = BATTERY) -> PublishDocument:
    """A maintenance document, for workshops and second-life operators."""
    return PublishDocument(
        about=about,
        reference=reference,
        version=version,
        title="Replacing a module",
        roles=("workshop", "second_life_operator"),
        document=committed("4f"),
    )


def software(release: str = "1.4.2", component: Component = "bms", *, identifier: str = BATTERY) -> UpdateSoftware:
    """A release of software on a unit."""
    return UpdateSoftware(battery=identifier, component=component, release=release, digest="5f" * 32)


def reset(release: str = "2.0.0", component: Component = "bms", *, identifier: str = BATTERY) -> ResetSoftware:
    """A component is reset, and given other software."""
    return ResetSoftware(battery=identifier, component=component, release=release, digest="6f" * 32)


def incident(
    reference: str = "I-1",
    severity: Severity = "danger",
    occurred_on: str = "2025-12-30",
    *,
    identifier: str = BATTERY,
) -> ReportIncident:
    """Something happened to a unit."""
    return ReportIncident(
        battery=identifier,
        reference=reference,
        kind="overheating",
        severity=severity,
        occurred_on=occurred_on,
        report=committed("7f"),
    )


def assessment(state: SafetyState = "safe", *closes: tuple[str, str], identifier: str = BATTERY) -> AssessSafety:
    """Somebody has looked at a unit; the incidents that this closes."""
    names = tuple(IncidentName(organisation=who, reference=reference) for who, reference in closes)
    return AssessSafety(battery=identifier, state=state, closes=names, report=committed("8f"))


def compromise(signer: Signer, since_ms: int) -> RevokeKey:
    """Somebody else may have had the signer's key since then."""
    return msgspec.structs.replace(revoke_key(signer), cause="compromised", compromised_since_ms=since_ms)


def signing_rule(organisation: str, *names: str) -> SetSigningRule:
    """The organisation wants these messages signed twice."""
    return SetSigningRule(organisation=organisation, messages=tuple(sorted(names)))


def second_signature(first: Statement, index: int = 0) -> Countersign:
    """The second signature under message `index` of a statement."""
    order = first.messages[index]
    return Countersign(
        organisation=first.envelope.organisation,
        statement=first.envelope.digest.hex(),
        index=index,
        about=get_ruleset(NEWEST).parse_message(order).subject,
        order=msgspec.Raw(order),
    )


def withdraw_held(first: Statement, index: int = 0) -> WithdrawHeld:
    """Message `index` of a statement is to wait no longer."""
    envelope = first.envelope
    return WithdrawHeld(organisation=envelope.organisation, statement=envelope.digest.hex(), index=index)
