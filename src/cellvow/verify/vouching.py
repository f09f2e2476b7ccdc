"""Checks 2 to 4: who vouches for the log, and that it is the ledger that is trusted."""

from cellvow.core.ledger.checkpoint import VerifiedCheckpoint, parse_note, verify_checkpoint
from cellvow.core.ledger.genesis import OPTIONAL, genesis_digest
from cellvow.core.ledger.statement import is_hex
from cellvow.core.ledger.validator import parse_validators_document
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.identifier import parse_chain_id
from cellvow.verify.consensus import VerifiedConsensus, verify_consensus_proof
from cellvow.verify.work import Work, require, require_whole


def check_checkpoint(work: Work) -> str:
    """Check 2: the log's signature and every cosignature, or the commit of the genesis' validators."""
    if work.bundle.consensus is not None:
        return _check_consensus(work, work.bundle.consensus)
    note = work.bundle.checkpoint or b""
    if work.trust is None:
        checkpoint = parse_note(note).checkpoint
    elif work.trust.log is None:
        raise VerificationError(
            "this trust file trusts the validators of a consortium, and a log's key vouches for the bundle: "
            "ask for a bundle with the validators' commit"
        )
    else:
        checked: VerifiedCheckpoint = verify_checkpoint(note, work.trust.log, work.trust.witnesses, 0, work.check)
        checkpoint = checked.checkpoint
        work.result.cosigned_by = tuple(sorted(name for name, _ in checked.cosigned_by))
    work.root = checkpoint.root
    work.result.origin, work.result.size = checkpoint.origin, checkpoint.size
    signed = "signed by the log" if work.trust else "its signatures not checked"
    return f"{checkpoint.origin} at {checkpoint.size} leaves, {signed}"


def _check_consensus(work: Work, proof: bytes) -> str:
    if work.trust is not None and work.trust.log is not None:
        raise VerificationError(
            "this trust file names a log's key, and validators vouch for the bundle: take the consortium's trust file"
        )
    proven = verify_consensus_proof(proof, _header_members(work.bundle.genesis), work.check)
    work.root = proven.root
    work.result.origin, work.result.size = proven.chain_id, proven.size
    work.result.signed_by, work.result.signed_height = proven.signed_by, proven.height
    work.result.signed_power, work.result.total_power = proven.signed_power, proven.total_power
    return f"block {proven.height} of {proven.chain_id} at {proven.size} leaves, signed by {_signers(proven)}"


def _signers(proven: VerifiedConsensus) -> str:
    """`3 of 4 validators (acme, bolt, cord)`, with their share of the votes where it says more than their number."""
    names = f" ({', '.join(proven.signed_by)})" if proven.signed_by else ""
    share = f" with {proven.signed_power} of {proven.total_power} votes"
    is_plain = (proven.signers, proven.validators) == (proven.signed_power, proven.total_power)
    return f"{proven.signers} of {proven.validators} validators{names}{'' if is_plain else share}"


def check_witnesses(work: Work) -> str:
    """Check 3: enough witnesses cosigned."""
    if work.trust is None:
        return "no trust file: consistent, anchored to nothing"
    if work.bundle.consensus is not None:
        return "validators instead of witnesses"
    names = work.result.cosigned_by
    require(
        len(names) >= work.trust.quorum,
        f"{len(names)} trusted witnesses cosigned, {work.trust.quorum} are required",
    )
    return f"cosigned by {', '.join(names) or 'no one'}; {work.trust.quorum} required"


def check_genesis(work: Work) -> str:
    """Check 4: the genesis header is the trusted one, and has its form."""
    header = work.bundle.genesis
    if work.trust is not None:
        require(genesis_digest(header) == work.trust.genesis, "this is not the ledger you trust")
    work.members = _header_members(header)
    work.result.chain_id = parse_chain_id(str(work.members["chain_id"]))
    return f"ledger {work.result.chain_id}"


def _header_members(header: bytes) -> dict[str, Json]:
    members = parse_object(header)
    names = sorted(name for name in members if name not in OPTIONAL)
    expected = ["chain_id", "organisations", "organisations_root", "ruleset", "time_ms"]
    counts = all(type(members.get(name)) is int for name in ("organisations", "ruleset", "time_ms"))
    require(names == expected and counts and is_hex(members["organisations_root"], 32), "the header has another form")
    if "validators" in members:
        parse_validators_document(members["validators"])
    if "predecessor" in members:
        _check_predecessor(members["predecessor"])
    return members


def _check_predecessor(value: Json) -> None:
    names = ["chain_id", "height", "log_root", "log_size", "state_root"]
    if not isinstance(value, dict) or sorted(value) != names:
        raise VerificationError("the header names a predecessor in another form")
    parse_chain_id(str(value["chain_id"]))
    require(require_whole(value["log_size"]) >= 1, "the header names a predecessor without leaves")
    require_whole(value["height"])
    roots = (value["log_root"], value["state_root"])
    require(all(is_hex(root, 32) for root in roots), "the header names a predecessor without its roots")
