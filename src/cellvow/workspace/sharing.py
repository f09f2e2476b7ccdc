"""What an organisation shows others, and what others have shown it: bundles with disclosures, checked on arrival."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cellvow.core.contracts.acceptance import RecordVerdict, verdict_key
from cellvow.core.contracts.attestation import IssueAttestation, attestation_key
from cellvow.core.contracts.battery import battery_key
from cellvow.core.contracts.contract import Message, encode_message
from cellvow.core.contracts.correction import CorrectStatement
from cellvow.core.ledger.commitment import Disclosure
from cellvow.core.ledger.outcome import Outcome, parse_outcome
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.limits import BUNDLE_BYTES_MAX
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.ruleset import NEWEST, get_ruleset
from cellvow.node.bundling import build_bundle
from cellvow.node.records import ReadableState
from cellvow.node.store import LedgerStore
from cellvow.verify import Bundle, Trust, Verified, encode_bundle, least_disclosures, verify_bundle
from cellvow.workspace.disclosing import Opening, open_fields
from cellvow.workspace.workspace import Workspace

BUNDLE_SUFFIX = ".cvb"


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which message, which values to disclose (None: all there are), and the state to prove records in, if any.

    `records` are keys of records to prove beside those that the message states and rests on. `disclose` names results
    alone; with an `opening` the holder chooses among everything that the message commits to, and `disclose` is nothing.
    """

    statement: bytes
    index: int = 0
    disclose: Sequence[str] | None = ()
    state: ReadableState | None = None
    records: Sequence[str] = ()
    opening: Opening | None = None


def export_bundle(store: LedgerStore, workspace: Workspace | None, wanted: Wanted) -> bytes:
    """The bundle of a message, with those disclosures that this workspace's vault holds.

    Of a message that was kept and not accepted it proves just that; `read_kept` says which there are.
    """
    message, outcome = read_kept(store, wanted.statement, wanted.index)
    records = list(wanted.records)
    disclosures: list[Disclosure] = []
    committing = committing_in(message)
    if committing is not None:
        stored = store.statement_of_digest(wanted.statement)
        organisation = "" if stored is None else stored.statement.envelope.organisation
        # What was not accepted left no record of its own: one of that name is another statement's.
        records += [*(_records_of(organisation, committing) if outcome.is_accepted else ())]
        records += [battery_key(committing.battery)]
        if workspace is not None and wanted.opening is None:
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
    if wanted.opening is not None and workspace is not None:
        bundle = _opened(bundle, workspace, message, wanted.opening)
    return encode_bundle(bundle)


def _opened(bundle: Bundle, workspace: Workspace, message: Message, opening: Opening) -> Bundle:
    """The bundle with what its holder opens; raises `Malformed` where documents make it too large to be one."""
    fields = open_fields(workspace.vault, parse_object(encode_message(message)), opening)
    opened = replace(bundle, disclosures=least_disclosures(fields))
    size = len(encode_bundle(opened))
    if size > BUNDLE_BYTES_MAX:
        raise Malformed(
            f"with its documents the bundle would have {size} bytes, and at most {BUNDLE_BYTES_MAX} are allowed: "
            "leave the documents out and hand them over beside it; their SHA-256 is in what it discloses"
        )
    return opened


def read_message(store: LedgerStore, statement: bytes, index: int) -> Message:
    """What message `index` of a statement ordered; raises `OperationalError` where there is none, or it did nothing."""
    message, outcome = read_kept(store, statement, index)
    if not outcome.is_accepted:
        became = "waits for a second signature, or did" if outcome.is_held else "was kept as a claim, and not accepted"
        raise OperationalError(f"message {index} of statement {statement.hex()} {became}")
    return message


def read_kept(store: LedgerStore, statement: bytes, index: int) -> tuple[Message, Outcome]:
    """What message `index` of a statement ordered, and what became of it: accepted, kept as a claim, or held.

    Raises `OperationalError` where there is none, or it was rejected.
    """
    stored = store.statement_of_digest(statement)
    if stored is None or index >= len(stored.statement.messages):
        raise OperationalError(f"the ledger holds no message {index} of statement {statement.hex()}")
    outcome, ruleset = parse_outcome(stored.outcomes[index]), get_ruleset(NEWEST)
    if outcome.reason is not None:
        raise OperationalError(f"message {index} of statement {statement.hex()} was rejected")
    return ruleset.ordered_by(ruleset.parse_message(stored.statement.messages[index])), outcome


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
