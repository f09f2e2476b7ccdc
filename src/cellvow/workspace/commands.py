"""What an organisation does: each use case signs with its own keys and submits; a rejection is raised, not returned."""

import secrets
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from cellvow.core.contracts.attestation import IssueAttestation, Method, Predicate, Result, RevokeAttestation, Standard
from cellvow.core.contracts.battery import Backfill, BatteryRecord, RegisterBattery, RegisterModel, battery_key
from cellvow.core.contracts.contract import Message, Provenance, decode_record
from cellvow.core.contracts.correction import CorrectStatement, StatementReference
from cellvow.core.contracts.custody import (
    AcceptHandover,
    DeclineHandover,
    OfferHandover,
    OfferRecord,
    WithdrawHandover,
    offer_key,
)
from cellvow.core.contracts.organisation import RaiseFloor, RegisterKey, RevokeKey, possession_bytes
from cellvow.core.contracts.part import DescribeModel
from cellvow.core.contracts.register import RegisterRecord, register_key
from cellvow.core.ledger.key import key_record_key, parse_key_record, parse_sequence_record, sequence_record_key
from cellvow.core.ledger.outcome import KeptAsClaim, KeptForSecond, Outcome, find_cause, parse_outcome
from cellvow.core.ledger.rejection import NotIncludable, Reason, Rejected
from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.protocol.transition import Read
from cellvow.node.engine import Receipted
from cellvow.node.home import LedgerSession
from cellvow.workspace.clock import now_ms
from cellvow.workspace.workspace import Signed, Workspace

COMMIT_TIMEOUT_S = 60
ALL_SCOPE = (
    "RegisterModel",
    "RegisterBattery",
    "OfferHandover",
    "AcceptHandover",
    "DeclineHandover",
    "WithdrawHandover",
    "Anchor",
    "IssueAttestation",
    "RevokeAttestation",
    "CorrectStatement",
    "RecordVerdict",
    "RaiseFloor",
    "Propose",
    "CastVote",
    "WithdrawProposal",
    "OpenRecovery",
    "ApproveRecovery",
    "VetoRecovery",
    "CompleteRecovery",
    "OpenDispute",
    "StatePosition",
    "NominateArbiter",
    "WithdrawDispute",
    "ProposeSettlement",
    "AcceptSettlement",
    "DecideDispute",
    "GiveNotice",
    "ObjectToTakeover",
    "CompleteTakeover",
    "WithdrawNotice",
    "Decommission",
    "DeclareWaste",
    "RecordRecycling",
    "RecordDestruction",
    "ReportSighting",
    "BeginSecondLife",
    "GradeUnit",
    "DescribeModel",
    "InstallPart",
    "RemovePart",
    "ReplacePart",
    "InstallBattery",
    "UninstallBattery",
    "OrderWork",
    "WithdrawOrder",
    "RecordWork",
    "PublishDocument",
    "UpdateSoftware",
    "ResetSoftware",
    "ReportIncident",
    "AssessSafety",
    "Countersign",
    "WithdrawHeld",
)
"""What an operational key may sign unless its registration says less."""


@dataclass(frozen=True, slots=True)
class Declaration:
    """A value somebody declares, or measured: the field document that is committed to."""

    quantity: str
    document: dict[str, Json]


def submit(session: LedgerSession, workspace: Workspace, signed: Signed) -> Receipted:
    """Submit a statement and wait until it is committed; raises the first rejection that is not another's fault.

    Raises `KeptAsClaim` where nothing was rejected, and a message was kept as a claim against the registers, and
    `KeptForSecond` where one waits for a second signature of the organisation.
    """
    try:
        receipted = session.submit(signed.data).result(timeout=COMMIT_TIMEOUT_S)
    except NotIncludable:
        workspace.sequences.resolve(signed.kid, signed.sequence)  # refused, and the signer knows: not to be sent again
        raise
    workspace.sequences.resolve(signed.kid, signed.sequence)
    require_accepted(receipted)
    put_into_effect(session, workspace, receipted)
    return receipted


def require_accepted(receipted: Receipted) -> None:
    """Raise the first rejection of a statement that is not another's fault, or how else it was kept."""
    outcomes = [parse_outcome(outcome) for outcome in receipted.outcomes]
    cause = find_cause(outcomes)
    if cause is not None and cause.reason is not None:
        raise Rejected(cause.reason, **dict(cause.facts))
    for outcome in outcomes:
        if outcome.is_contested:
            raise _claim(outcome)
    held = tuple(index for index, outcome in enumerate(outcomes) if outcome.is_held)
    if held:
        raise KeptForSecond(receipted.digest.hex(), held)


def _claim(outcome: Outcome) -> KeptAsClaim:
    opened = outcome.events[-1]
    return KeptAsClaim(*(str(opened[name]) for name in ("battery", "opener", "reference", "topic")))


_ADOPTED = b'"type":"ProposalAdopted"'


def put_into_effect(session: LedgerSession, workspace: Workspace, *receipted: Receipted) -> None:
    """Make the block from which what these statements have adopted holds, where nobody else does.

    A change that holds as soon as it is adopted takes effect with the next block that carries something (ADR 14). On a
    ledger of one writer that block may never come; so whoever adopted it raises the floor of a key of his own, which
    says nothing about anybody. Whatever becomes of that statement, its block is made. A key with a statement that has
    no answer yet is left alone: its floor would shut that out, and once it is sent again it makes the block.
    """
    if session.home.is_member or session.engine.head.height + 1 not in _heights_adopted(receipted):
        return
    name = _find_idle_key(session, workspace)
    if name is not None:
        with suppress(Rejected, KeptForSecond):
            raise_floor(session, workspace, name)


def _heights_adopted(receipted: Sequence[Receipted]) -> list[int]:
    # Every statement comes by here: only outcomes whose bytes name the event are parsed.
    named = (data for one in receipted for data in one.outcomes if _ADOPTED in data)
    events = (event for data in named for event in parse_outcome(data).events)
    return [int(str(event["height"])) for event in events if event["type"] == "ProposalAdopted"]


def _find_idle_key(session: LedgerSession, workspace: Workspace) -> str | None:
    """The root key, else the one it works with: here, in force, and with nothing unanswered."""
    head, there = session.engine.head, workspace.keystore.names()
    for name in (workspace.root_key, workspace.settings.key):
        kid = workspace.key(name).kid if name in there else None
        value = None if kid is None else session.engine.state.get(key_record_key(kid))
        if kid is None or value is None or workspace.sequences.unresolved(kid):
            continue
        if parse_key_record(value).is_in_force(head.height + 1, now_ms()):
            return name
    return None


def submit_message(
    session: LedgerSession, workspace: Workspace, message: Message, key_name: str | None = None
) -> Receipted:
    """Sign one message and submit it; raises `OperationalError` for words that the ruleset in force does not have."""
    chain_id, ruleset = session.engine.head.chain_id, session.engine.head.ruleset
    if message.since > ruleset:
        raise OperationalError(
            f"this ledger is judged by ruleset {ruleset}, and what you say has words from ruleset {message.since} on: "
            f"its members activate it by a vote, `cellvow vote propose ruleset {message.since}`. Nothing was signed"
        )
    return submit(session, workspace, workspace.sign(chain_id, message, now_ms(), key_name))


def recount(session: LedgerSession, workspace: Workspace) -> dict[str, int]:
    """After a lost counter: go on above what the ledger has seen of each key, and mark all below as used.

    Returns the floor of each key that was raised, by name. What was signed before and not answered is void then.
    """
    floors = {}
    for name in workspace.keystore.names():
        kid = workspace.key(name).kid
        if session.engine.state.get(key_record_key(kid)) is None:
            continue
        floors[name] = raise_floor(session, workspace, name)
    return floors


def raise_floor(session: LedgerSession, workspace: Workspace, name: str) -> int:
    """Mark all sequences of a key as used up to a floor just above what the ledger has seen, or was given out here."""
    kid = workspace.key(name).kid
    value = session.engine.state.get(sequence_record_key(kid))
    top = 0 if value is None else parse_sequence_record(value).top
    newest = workspace.sequences.raise_to(kid, top)
    floor = newest + 2  # the order itself takes the next one, and a floor lies above what was used
    submit_message(session, workspace, RaiseFloor(organisation=workspace.organisation, floor=floor), name)
    workspace.sequences.raise_to(kid, floor)
    return floor


def make_enrolment(
    workspace: Workspace,
    chain_id: str,
    key_name: str | None = None,
    scope: Sequence[str] = ALL_SCOPE,
    valid_until_ms: int | None = None,
) -> RegisterKey:
    """The order to register one of the workspace's keys as operational, with the proof that it is there."""
    key = workspace.key(key_name)
    public_key = key.public_key.hex()
    possession = key.sign(possession_bytes(chain_id, workspace.organisation, public_key))
    return RegisterKey(
        organisation=workspace.organisation,
        public_key=public_key,
        kind="operational",
        scope=tuple(scope),
        valid_from_ms=0,
        valid_until_ms=valid_until_ms,
        possession=possession.hex(),
    )


def enrol(
    session: LedgerSession,
    workspace: Workspace,
    key_name: str | None = None,
    scope: Sequence[str] = ALL_SCOPE,
    valid_until_ms: int | None = None,
) -> Receipted:
    """Register one of the workspace's keys as operational, signed by its root key."""
    message = make_enrolment(workspace, session.engine.head.chain_id, key_name, scope, valid_until_ms)
    return submit_message(session, workspace, message, workspace.root_key)


def revoke_key(session: LedgerSession, workspace: Workspace, kid: str, cause: str) -> Receipted:
    """End one of the organisation's operational keys."""
    message = RevokeKey(organisation=workspace.organisation, kid=kid, cause=cause)  # type: ignore[arg-type]  # the CLI offers the causes
    return submit_message(session, workspace, message, workspace.root_key)


def register_model(session: LedgerSession, workspace: Workspace, model: RegisterModel) -> Receipted:
    """Register a model."""
    return submit_message(session, workspace, model)


def register_battery(
    session: LedgerSession,
    workspace: Workspace,
    battery: str,
    manufactured_on: str,
    facility: str,
    backfill: Backfill | None = None,
) -> Receipted:
    """Register a battery of an own model; with `backfill` as one older than its record, its birth reconstructed."""
    message = RegisterBattery(battery=battery, manufactured_on=manufactured_on, facility=facility, backfill=backfill)
    return submit_message(session, workspace, message)


def offer_handover(
    session: LedgerSession,
    workspace: Workspace,
    battery: str,
    addressee: str,
    registers: Sequence[str],
    *,
    claim: bool = False,
) -> Receipted:
    """Offer registers of a battery to another member, fenced by the versions seen now.

    Where another organisation is registered nothing is signed, unless one wants to `claim` the register before all.
    """
    offer = compose_offer(
        session.engine.state.get, workspace.organisation, (battery, addressee), registers, claim=claim
    )
    return submit_message(session, workspace, offer)


def compose_offer(
    read: Read, organisation: str, offered: tuple[str, str], registers: Sequence[str], *, claim: bool = False
) -> OfferHandover:
    """The order to offer registers of a battery to a member (`offered`), fenced by the versions read."""
    battery, addressee = offered
    ordered = tuple(sorted(dict.fromkeys(registers)))
    versions = []
    for register in ordered:
        value = read(register_key(register, battery))
        if value is None:
            raise OperationalError(f"{battery} is not on this ledger")
        record = decode_record(RegisterRecord, value)
        if record.organisation != organisation and not claim:
            raise Rejected(Reason.NOT_IN_THE_REGISTER, register=register)
        versions.append(record.version)
    return OfferHandover(
        battery=battery,
        addressee=addressee,
        registers=ordered,  # type: ignore[arg-type]  # checked by the contract
        versions=tuple(versions),
    )


def answer_handover(session: LedgerSession, workspace: Workspace, battery: str, answer: str) -> Receipted:
    """Accept, decline or withdraw the open offer for a battery."""
    value = session.engine.state.get(offer_key(battery))
    if value is None:
        raise OperationalError(f"nothing was ever offered for {battery}")
    version = decode_record(OfferRecord, value).version
    kinds = {"accept": AcceptHandover, "decline": DeclineHandover, "withdraw": WithdrawHandover}
    return submit_message(session, workspace, kinds[answer](battery=battery, version=version))


@dataclass(frozen=True, slots=True)
class Attestation:
    """What an attestation is to say, before its values become commitments."""

    battery: str
    reference: str
    evidence_class: str
    method: Method
    tested_from_ms: int
    tested_until_ms: int
    declarations: tuple[Declaration, ...]
    standard: Standard | None = None
    input_root: str | None = None
    valid_until_ms: int | None = None
    predicates: tuple[Predicate, ...] = ()
    supersedes: str | None = None
    is_certificate: bool = False


def commit_attestation(workspace: Workspace, attestation: Attestation) -> tuple[IssueAttestation, str]:
    """The message with commitments, and the vault record that holds salts and values: written first."""
    fields = [declaration.document for declaration in attestation.declarations]
    sealed = workspace.vault.commit_fields("attestation", fields)
    results = tuple(
        Result(quantity=declaration.quantity, commitment=commitment.hex())
        for declaration, commitment in zip(attestation.declarations, sealed.commitments, strict=True)
    )
    message = IssueAttestation(
        battery=attestation.battery,
        reference=attestation.reference,
        evidence_class=attestation.evidence_class,  # type: ignore[arg-type]  # checked by the contract
        is_certificate=attestation.is_certificate,
        standard=attestation.standard,
        method=attestation.method,
        tested_from_ms=attestation.tested_from_ms,
        tested_until_ms=attestation.tested_until_ms,
        valid_until_ms=attestation.valid_until_ms,
        input_root=attestation.input_root,
        results=results,
        predicates=attestation.predicates,
        supersedes=attestation.supersedes,
    )
    return message, str(sealed.record_id)


def attest(session: LedgerSession, workspace: Workspace, attestation: Attestation) -> Receipted:
    """Issue an attestation or certificate: values into the vault, commitments onto the ledger."""
    message, _ = commit_attestation(workspace, attestation)
    return submit_message(session, workspace, message)


def revoke_attestation(
    session: LedgerSession, workspace: Workspace, battery: str, reference: str, cause: str
) -> Receipted:
    """Withdraw one's own attestation."""
    message = RevokeAttestation(battery=battery, reference=reference, cause=cause)  # type: ignore[arg-type]  # the CLI offers the causes
    return submit_message(session, workspace, message)


def correct_birth(session: LedgerSession, workspace: Workspace, replacement: RegisterBattery, cause: str) -> Receipted:
    """Correct the registration of one's own battery; certificates that rest on it are invalidated."""
    value = session.engine.state.get(battery_key(replacement.battery))
    if value is None:
        raise OperationalError(f"{replacement.battery} is not on this ledger")
    record = decode_record(BatteryRecord, value)
    return correct(session, workspace, record.born or record.provenance, replacement, cause)


def correct(
    session: LedgerSession,
    workspace: Workspace,
    stated: Provenance,
    replacement: RegisterBattery | DescribeModel,
    cause: str,
) -> Receipted:
    """Replace what one's own statement said, which the record that stands now stems from."""
    message = CorrectStatement(
        corrects=StatementReference(statement=stated.statement, index=stated.index),
        cause=cause,  # type: ignore[arg-type]  # the CLI offers the causes
        replacement=replacement,
    )
    return submit_message(session, workspace, message)


def submit_batch(
    session: LedgerSession,
    workspace: Workspace,
    messages: Sequence[Message],
    mode: str = "atomic",
    key_name: str | None = None,
) -> Receipted:
    """Sign many messages at once and submit them."""
    chain_id = session.engine.head.chain_id
    signed = workspace.sign_batch(chain_id, messages, secrets.token_bytes(32), now_ms(), mode, key_name)
    return submit(session, workspace, signed)
