"""The parts of a bundle in words: what is in the file, not whether it holds."""

from typing import TYPE_CHECKING

from cellvow.core.primitives.encoding import Json, parse_object

if TYPE_CHECKING:
    from cellvow.verify.bundle import Bundle, Disclosed, Inclusion


def bundle_document(bundle: "Bundle") -> dict[str, object]:
    """The parts for `--json`; documents are opened, proofs are counted."""
    from cellvow.core.ledger.log import parse_block_leaf

    block = parse_block_leaf(bundle.block.body)
    state = bundle.state
    return {
        "genesis": parse_object(bundle.genesis),
        "organisation": _organisation(bundle),
        "rotations": [_inclusion_document(one) for one in bundle.rotations],
        "keys": [_inclusion_document(one) for one in bundle.keys],
        "statement": _inclusion_document(bundle.statement),
        "block": {"height": block.height, "time_ms": block.time_ms, "state_root": block.state_root.hex()},
        **_vouching(bundle),
        "records": {} if state is None else {one.key: parse_object(one.value) for one in state.records},
        "has_state": state is not None,
        "disclosures": [parse_object(one.field) for one in bundle.disclosures],
        "places": [one.at for one in bundle.disclosures],
    }


def describe_bundle(bundle: "Bundle") -> list[str]:
    """The parts, numbered, each in a line or two."""
    from cellvow.core.ledger.log import parse_block_leaf
    from cellvow.verify import describe_time

    block = parse_block_leaf(bundle.block.body)
    genesis, organisation = parse_object(bundle.genesis), _organisation(bundle)
    place = "with its proof in genesis" if bundle.admission is not None else "as the state says"
    parts = [
        f"Genesis: ledger {genesis.get('chain_id')}, founded by {genesis.get('organisations')} organisations",
        f"Organisation: {organisation.get('name')} ({organisation.get('organisation')}), {place}",
        *(f"Rotation of the root key: {_described(one)}" for one in bundle.rotations),
        *(f"Key registration: {_described(one)}" for one in bundle.keys),
        f"Statement: {_described(bundle.statement)}{_suspicion(bundle, block.time_ms)}",
        f"Block: height {block.height}, of {describe_time(block.time_ms)}",
        _described_vouching(bundle),
        _described_state(bundle),
        _described_disclosures(bundle),
    ]
    numbered = [f"{number:>3}  {part}" for number, part in enumerate(parts, start=1)]
    return [*numbered, "", "Nothing of this was checked: `cellvow verify` does that."]


def _organisation(bundle: "Bundle") -> dict[str, Json]:
    """The signer's organisation: its document in genesis, or its record in the state."""
    from cellvow.core.ledger.statement import parse_envelope

    if bundle.admission is not None:
        return parse_object(bundle.admission.organisation)
    key = f"organisation/{parse_envelope(bundle.statement.cose).organisation}"
    records = () if bundle.state is None else bundle.state.records
    return next((parse_object(record.value) for record in records if record.key == key), {})


def _vouching(bundle: "Bundle") -> dict[str, object]:
    """The signed note, or the header and the commit of the validators in hexadecimal."""
    from cellvow.verify import parse_consensus_proof

    if bundle.consensus is None:
        return {"checkpoint": (bundle.checkpoint or b"").decode("utf-8")}
    proof = parse_consensus_proof(bundle.consensus)
    return {"consensus": {"commit": proof.commit.hex(), "header": proof.header.hex(), "changes": len(proof.changes)}}


def _described_vouching(bundle: "Bundle") -> str:
    from cellvow.core.ledger.checkpoint import parse_note
    from cellvow.core.ledger.commit import VOTED, parse_commit, parse_header
    from cellvow.verify import app_hash_of, parse_consensus_proof

    if bundle.consensus is None:
        note = parse_note(bundle.checkpoint or b"")
        signed = ", ".join(signature.name for signature in note.signatures)
        return f"Checkpoint: {note.checkpoint.origin} at {note.checkpoint.size} leaves, signed by {signed}"
    proof = parse_consensus_proof(bundle.consensus)
    header, votes = parse_header(proof.header), parse_commit(proof.commit).votes
    signed = f"{sum(vote.flag == VOTED for vote in votes)} of {len(votes)} validators"
    place = f"block {header.height} of {header.chain_id} at {app_hash_of(header)[0]} leaves"
    return f"Checkpoint: {place}, signed by {signed}, after {len(proof.changes)} changes of validators"


def _inclusion_document(inclusion: "Inclusion") -> dict[str, object]:
    from cellvow.core.ledger.statement import parse_envelope

    envelope = parse_envelope(inclusion.cose)
    return {
        "digest": envelope.digest.hex(),
        "kid": envelope.kid.hex(),
        "leaf": inclusion.leaf,
        "message": _message(inclusion),
        "organisation": envelope.organisation,
        "outcome": parse_object(inclusion.outcome),
        "sequence": envelope.sequence,
    }


def _message(inclusion: "Inclusion") -> Json:
    from cellvow.core.ledger.statement import parse_envelope

    if inclusion.batch is not None:
        return parse_object(inclusion.batch.message)
    return parse_envelope(inclusion.cose).members.get("message")


def _described(inclusion: "Inclusion") -> str:
    from cellvow.core.ledger.statement import parse_envelope

    envelope, message = parse_envelope(inclusion.cose), _message(inclusion)
    kind = message.get("type") if isinstance(message, dict) else "unknown"
    place = "" if inclusion.batch is None else f", message {inclusion.batch.index} of a batch"
    return (
        f"{kind} by {envelope.organisation}, key {envelope.kid.hex()}, sequence {envelope.sequence}{place}, "
        f"leaf {inclusion.leaf}, with its outcome"
    )


def _suspicion(bundle: "Bundle", time_ms: int) -> str:
    """That the key was somebody else's by then, where the state in the bundle says so."""
    from cellvow.core.ledger.key import key_record_key, parse_key_record
    from cellvow.core.ledger.statement import parse_envelope
    from cellvow.verify.standing import derive_suspicion

    key = key_record_key(parse_envelope(bundle.statement.cose).kid)
    records = () if bundle.state is None else bundle.state.records
    said = next((derive_suspicion(parse_key_record(one.value), time_ms) for one in records if one.key == key), "")
    return f"; {said}" if said else ""


def _described_state(bundle: "Bundle") -> str:
    if bundle.state is None:
        return "State: none, so whether the key was revoked is not shown"
    return f"State: {', '.join(record.key for record in bundle.state.records)}"


def _described_disclosures(bundle: "Bundle") -> str:
    if not bundle.disclosures:
        return "Disclosures: none, so no value is readable"
    return f"Disclosures: {', '.join(_described_disclosure(one) for one in bundle.disclosures)}"


def _described_disclosure(one: "Disclosed") -> str:
    field = parse_object(one.field)
    if one.at is None:
        return f"{field.get('quantity')} {field.get('value', '(curve)')} {field.get('unit', '')}"
    is_here = "" if one.document is None else f" with a document of {len(one.document)} bytes"
    return f"{one.at[1:]}{is_here}"
