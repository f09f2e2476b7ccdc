"""What the checks have established so far, and the proofs that several of them open."""

from dataclasses import dataclass, field

from cellvow.core.ledger.checkpoint import SignatureCheck
from cellvow.core.ledger.log import BlockLeaf, block_leaf, parse_block_leaf, statement_leaf
from cellvow.core.ledger.outcome import OUTCOME_DOMAIN, Outcome, outcome_leaf, parse_outcome
from cellvow.core.ledger.state import StateProof, verify_presence
from cellvow.core.ledger.statement import (
    BATCH_CONTENT,
    SINGLE_CONTENT,
    Envelope,
    batch_leaf,
    check_payload,
    parse_envelope,
)
from cellvow.core.primitives.digest import Digest, domain_digest
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.merkle import verify_inclusion
from cellvow.verify.bundle import BlockProof, Bundle, Inclusion, StateProofs
from cellvow.verify.result import Verified
from cellvow.verify.trust import Trust


@dataclass(frozen=True, slots=True)
class SignerKey:
    """The key that signed the statement; where it was registered is known by leaf, by height, or by both."""

    public_key: bytes
    scope: tuple[str, ...]
    valid_from_ms: int = 0
    valid_until_ms: int | None = None
    leaf: int | None = None
    height: int | None = None


@dataclass(slots=True)
class Work:
    """The bundle and what the checks so far have established; each check fills in what later ones need.

    `root_keys` holds the organisation's root keys by their key identifier. `takes_kept`: what the ledger kept without
    accepting it is proven as that, and not refused.
    """

    data: bytes
    trust: Trust | None
    check: SignatureCheck
    result: Verified
    takes_kept: bool = False
    bundle: Bundle = field(init=False)
    root: Digest = field(init=False)
    members: dict[str, Json] = field(init=False)
    root_keys: dict[bytes, bytes] = field(init=False)
    key: SignerKey = field(init=False)
    envelope: Envelope = field(init=False)
    block: BlockLeaf = field(init=False)


def require(condition: bool, reason: str) -> None:
    """Raise `VerificationError` with the reason unless the condition holds."""
    if not condition:
        raise VerificationError(reason)


def require_whole(value: object) -> int:
    """The whole number that a member should be; raises `VerificationError`."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise VerificationError("a whole number was expected")
    return value


# Statements


def open_envelope(inclusion: Inclusion) -> Envelope:
    """The envelope of a statement, its form and that of its payload checked."""
    envelope = parse_envelope(inclusion.cose)
    check_payload(envelope)
    return envelope


def require_signer(work: Work, inclusion: Inclusion, envelope: Envelope) -> None:
    """Refuse a statement of another ledger or organisation, and one shown as a batch that is none."""
    require(envelope.chain_id == work.result.chain_id, "signed for another ledger")
    require(envelope.organisation == work.result.organisation, "signed by another organisation")
    require((envelope.content == BATCH_CONTENT) is (inclusion.batch is not None), "a batch is shown as one, or not")


def verify_signature(work: Work, envelope: Envelope, public_key: bytes) -> None:
    """Refuse a statement whose signature does not hold under the key."""
    require(work.check(public_key, envelope.signed_bytes, envelope.signature), "the signature does not hold")


def open_message(inclusion: Inclusion, envelope: Envelope) -> dict[str, Json]:
    """The message that a statement carries, alone or with a path to the root that its batch signs."""
    if envelope.content == SINGLE_CONTENT:
        message = envelope.members["message"]
        if not isinstance(message, dict):
            raise VerificationError("the message is no object")
        return message
    place = inclusion.batch
    if place is None:
        raise VerificationError("the batch shows no message")
    leaf = batch_leaf(place.salt, place.message)
    root = verify_inclusion(leaf, place.index, require_whole(envelope.members["count"]), place.path)
    require(root.hex() == envelope.members["root"], "the message is not the batch's")
    return parse_object(place.message)


def require_accepted(inclusion: Inclusion) -> Outcome:
    """Refuse a statement that the ledger rejected, or only kept."""
    outcome = require_kept(inclusion)
    require(not outcome.is_contested, "the ledger kept it as a claim against its registers: it changed none of them")
    require(not outcome.is_held, "it waits for a second signature of its organisation: it has done nothing")
    return outcome


def require_kept(inclusion: Inclusion) -> Outcome:
    """Refuse a statement that the ledger rejected, but not one that it kept as a claim, or until a second signature."""
    outcome = parse_outcome(inclusion.outcome)
    reason = outcome.reason
    require(reason is None, f"the ledger rejected it with code {0 if reason is None else int(reason)}")
    return outcome


def verify_place(work: Work, inclusion: Inclusion, envelope: Envelope) -> None:
    """Refuse a statement that does not lie, with its outcome, at its leaf under the checkpoint."""
    place = inclusion.batch
    if place is None:
        outcome = domain_digest(OUTCOME_DOMAIN, inclusion.outcome)
    else:
        leaf, count = outcome_leaf(place.salt, inclusion.outcome), require_whole(envelope.members["count"])
        outcome = verify_inclusion(leaf, place.index, count, place.outcome_path)
    _require_root(work, statement_leaf(envelope.digest, outcome), inclusion.leaf, inclusion.path)


# Blocks and the state


def open_block(work: Work, proof: BlockProof) -> BlockLeaf:
    """The block document, proven to be a leaf under the checkpoint."""
    block = parse_block_leaf(proof.body)
    _require_root(work, block_leaf(proof.body), _index_of(block), proof.path)
    return block


def open_state(work: Work, state: StateProofs) -> BlockLeaf:
    """The last block under the checkpoint, whose state root the records are proven against."""
    block = parse_block_leaf(state.block.body)
    require(_index_of(block) == work.result.size - 1, "the state is not the one under the checkpoint")
    return open_block(work, state.block)


def prove_record(work: Work, key: str) -> bytes | None:
    """The bytes of a record that the bundle shows, proven by the state; None where it shows none, or no state."""
    state = work.bundle.state
    found = [] if state is None else [record for record in state.records if record.key == key]
    if state is None or not found:
        return None
    root = open_state(work, state).state_root
    return verify_presence(root, key, found[0].value, StateProof(found[0].siblings))


def _index_of(block: BlockLeaf) -> int:
    return block.first_leaf + block.statements + block.evidence


def _require_root(work: Work, leaf: Digest, index: int, path: tuple[bytes, ...]) -> None:
    root = verify_inclusion(leaf, index, work.result.size, path)
    require(root == work.root, f"leaf {index} does not lie under the checkpoint")
