"""The parts of a bundle in words: what is in the file, not whether it holds."""

from typing import TYPE_CHECKING

from cellvow.core.primitives.encoding import Json, parse_object

if TYPE_CHECKING:
    from cellvow.verify.bundle import Bundle, Inclusion


def bundle_document(bundle: "Bundle") -> dict[str, object]:
    """The parts for `--json`; documents are opened, proofs are counted."""
    from cellvow.core.ledger.log import parse_block_leaf

    block = parse_block_leaf(bundle.block.body)
    state = bundle.state
    return {
        "genesis": parse_object(bundle.genesis),
        "organisation": parse_object(bundle.admission.organisation),
        "keys": [_inclusion_document(one) for one in bundle.keys],
        "statement": _inclusion_document(bundle.statement),
        "block": {"height": block.height, "time_ms": block.time_ms, "state_root": block.state_root.hex()},
        "checkpoint": bundle.checkpoint.decode("utf-8"),
        "records": {} if state is None else {one.key: parse_object(one.value) for one in state.records},
        "has_state": state is not None,
        "disclosures": [parse_object(one.field) for one in bundle.disclosures],
    }


def describe_bundle(bundle: "Bundle") -> list[str]:
    """The parts, numbered, each in a line or two."""
    from cellvow.core.ledger.checkpoint import parse_note
    from cellvow.core.ledger.log import parse_block_leaf
    from cellvow.verify import describe_time

    note, block = parse_note(bundle.checkpoint), parse_block_leaf(bundle.block.body)
    genesis, organisation = parse_object(bundle.genesis), parse_object(bundle.admission.organisation)
    signed = ", ".join(signature.name for signature in note.signatures)
    parts = [
        f"Genesis: ledger {genesis.get('chain_id')}, founded by {genesis.get('organisations')} organisations",
        f"Organisation: {organisation.get('name')} ({organisation.get('organisation')}), with its proof in genesis",
        *(f"Key registration: {_described(one)}" for one in bundle.keys),
        f"Statement: {_described(bundle.statement)}",
        f"Block: height {block.height}, of {describe_time(block.time_ms)}",
        f"Checkpoint: {note.checkpoint.origin} at {note.checkpoint.size} leaves, signed by {signed}",
        _described_state(bundle),
        _described_disclosures(bundle),
    ]
    numbered = [f"{number:>3}  {part}" for number, part in enumerate(parts, start=1)]
    return [*numbered, "", "Nothing of this was checked: `cellvow verify` does that."]


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


def _described_state(bundle: "Bundle") -> str:
    if bundle.state is None:
        return "State: none, so whether the key was revoked is not shown"
    return f"State: {', '.join(record.key for record in bundle.state.records)}"


def _described_disclosures(bundle: "Bundle") -> str:
    if not bundle.disclosures:
        return "Disclosures: none, so no value is readable"
    named = [parse_object(one.field) for one in bundle.disclosures]
    values = ", ".join(f"{one.get('quantity')} {one.get('value', '(curve)')} {one.get('unit', '')}" for one in named)
    return f"Disclosures: {values}"
