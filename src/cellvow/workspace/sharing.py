"""What an organisation shows others, and what others have shown it: bundles with disclosures, checked on arrival."""

from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.core.contracts.acceptance import RecordVerdict, verdict_key
from cellvow.core.contracts.attestation import IssueAttestation, attestation_key
from cellvow.core.contracts.battery import battery_key
from cellvow.core.contracts.contract import Message
from cellvow.core.contracts.correction import CorrectStatement
from cellvow.core.ledger.commitment import Disclosure
from cellvow.core.ledger.outcome import parse_outcome
from cellvow.core.primitives.errors import OperationalError
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.ruleset import NEWEST, get_ruleset
from cellvow.node.bundling import build_bundle
from cellvow.node.records import ReadableState
from cellvow.node.store import LedgerStore
from cellvow.verify import Trust, Verified, encode_bundle, verify_bundle
from cellvow.workspace.workspace import Workspace

BUNDLE_SUFFIX = ".cvb"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which message, which values to disclose (None: all there are), and the state to prove records in, if any.

    `records` are keys of records to prove beside those that the message states and rests on.
    """

    statement: bytes
    index: int = 0
    disclose: Sequence[str] | None = ()
    state: ReadableState | None = None
    records: Sequence[str] = ()


def export_bundle(store: LedgerStore, workspace: Workspace | None, wanted: Wanted) -> bytes:
    """The bundle of a message, with those disclosures that this workspace's vault holds."""
    message = read_message(store, wanted.statement, wanted.index)
    records = list(wanted.records)
    disclosures: list[Disclosure] = []
    committing = committing_in(message)
    if committing is not None:
        stored = store.statement_of_digest(wanted.statement)
        organisation = "" if stored is None else stored.statement.envelope.organisation
        records += [*_records_of(organisation, committing), battery_key(committing.battery)]
        if workspace is not None:
            disclosures = find_disclosures(workspace, committing, wanted.disclose)
    with store.unchanging() as still:
        bundle = build_bundle(
            still,
            wanted.statement,
            wanted.index,
            state=wanted.state,
            records=records,
            disclosures=disclosures,
            vouched_by=store.consensus_proof(),
        )
    return encode_bundle(bundle)


def read_message(store: LedgerStore, statement: bytes, index: int) -> Message:
    """What message `index` of a statement ordered; raises `OperationalError` where there is none, or it did nothing."""
    stored = store.statement_of_digest(statement)
    if stored is None or index >= len(stored.statement.messages):
        raise OperationalError(f"the ledger holds no message {index} of statement {statement.hex()}")
    outcome, ruleset = parse_outcome(stored.outcomes[index]), get_ruleset(NEWEST)
    if not outcome.is_accepted:
        became = "waits for a second signature, or did" if outcome.is_held else "was rejected"
        raise OperationalError(f"message {index} of statement {statement.hex()} {became}")
    return ruleset.ordered_by(ruleset.parse_message(stored.statement.messages[index]))


def committing_in(message: Message) -> IssueAttestation | RecordVerdict | None:
    """The attestation that a message issues or puts in place of an earlier one, or the verdict it records; else None.

    These commit to their `results`.
    """
    inner = message.replacement if isinstance(message, CorrectStatement) else message
    return inner if isinstance(inner, IssueAttestation | RecordVerdict) else None


def attestation_in(message: Message) -> IssueAttestation | None:
    """The attestation that a message issues, or puts in place of an earlier one; None for any other message."""
    committing = committing_in(message)
    return committing if isinstance(committing, IssueAttestation) else None


def _records_of(organisation: str, message: IssueAttestation | RecordVerdict) -> list[str]:
    """The records of what a message states and rests on, beside its battery's."""
    if isinstance(message, IssueAttestation):
        return [attestation_key(organisation, message.reference)]
    named = message.attestation
    rests_on = [] if named is None else [attestation_key(named.organisation, named.reference)]
    return [verdict_key(organisation, message.reference), *rests_on]


def find_disclosures(
    workspace: Workspace, message: IssueAttestation | RecordVerdict, quantities: Sequence[str] | None
) -> list[Disclosure]:
    """The disclosures of a message's results that the vault holds, in the order of the message."""
    found = []
    for result in message.results:
        if quantities is not None and result.quantity not in quantities:
            continue
        place = workspace.vault.find_by_commitment(bytes.fromhex(result.commitment))
        if place is not None:
            record_id, index = place
            found += workspace.vault.disclose(record_id, [index])
        elif quantities is not None:
            raise OperationalError(f"this vault does not hold {result.quantity} of {message.reference}")
    return found


def receive_bundle(workspace: Workspace, data: bytes, trust: Trust) -> Verified:
    """Keep a bundle from somebody else, once it is verified; raises `VerificationError` and keeps nothing otherwise."""
    verified = verify_bundle(data, trust, is_valid)
    name = f"{verified.statement_digest}-{verified.index}{BUNDLE_SUFFIX}"
    (workspace.received / name).write_bytes(data)
    return verified
