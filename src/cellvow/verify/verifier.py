"""The offline checks, numbered and ordered as in section 12 of docs/reference/formats.md.

Needs no network, no ledger and no clock: bytes in, proven facts out, or `VerificationError` with the number of the
check that failed. The caller brings the Ed25519 library: libsodium in our processes, `ed25519` in the `.pyz`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cellvow.core.ledger.checkpoint import SignatureCheck, VerifiedCheckpoint, parse_note, verify_checkpoint
from cellvow.core.ledger.commitment import Disclosure, verify_disclosure
from cellvow.core.ledger.genesis import Organisation, genesis_digest, parse_organisation
from cellvow.core.ledger.key import ROOT_SCOPE, key_record_key, parse_key_record
from cellvow.core.ledger.log import BlockLeaf, block_leaf, parse_block_leaf, statement_leaf
from cellvow.core.ledger.outcome import OUTCOME_DOMAIN, outcome_leaf, parse_outcome
from cellvow.core.ledger.state import StateProof, verify_presence
from cellvow.core.ledger.statement import (
    BATCH_CONTENT,
    SINGLE_CONTENT,
    Envelope,
    batch_leaf,
    check_payload,
    is_hex,
    parse_envelope,
)
from cellvow.core.primitives.digest import Digest, domain_digest, sha256
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.core.primitives.identifier import parse_chain_id
from cellvow.core.primitives.merkle import leaf_hash, verify_inclusion
from cellvow.verify.bundle import Bundle, Inclusion, parse_bundle
from cellvow.verify.trust import Trust

TITLES = {
    1: "Form",
    2: "Checkpoint",
    3: "Witnesses",
    4: "Genesis",
    5: "Organisation",
    6: "Key",
    7: "Signature",
    8: "Message",
    9: "Outcome",
    10: "Inclusion",
    11: "Block",
    12: "State",
    13: "Disclosures",
}
_LAST_MS = 253_402_300_799_999  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Step:
    """One check that held, in words."""

    number: int
    title: str
    detail: str


@dataclass(slots=True)
class Verified:
    """What a bundle proves."""

    anchored: bool
    steps: list[Step] = field(default_factory=list)
    origin: str = ""
    size: int = 0
    cosigned_by: tuple[str, ...] = ()
    chain_id: str = ""
    organisation: str = ""
    organisation_name: str = ""
    kid: str = ""
    message: dict[str, Json] = field(default_factory=dict)
    statement_digest: str = ""
    index: int = 0
    sequence: int = 0
    height: int = 0
    time_ms: int = 0
    ruleset: int = 0
    leaf: int = 0
    records: dict[str, Json] = field(default_factory=dict)
    state_shown: bool = False
    state_time_ms: int = 0
    standing: str = ""
    disclosures: list[Json] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _SignerKey:
    public_key: bytes
    scope: tuple[str, ...]
    valid_from_ms: int
    valid_until_ms: int | None
    leaf: int


@dataclass(slots=True)
class _Work:
    """The bundle and what the checks so far have established; each check fills in what later ones need."""

    data: bytes
    trust: Trust | None
    check: SignatureCheck
    result: Verified
    bundle: Bundle = field(init=False)
    root: Digest = field(init=False)
    members: dict[str, Json] = field(init=False)
    organisation: Organisation = field(init=False)
    key: _SignerKey = field(init=False)
    envelope: Envelope = field(init=False)
    block: BlockLeaf = field(init=False)


_Check = Callable[[_Work], str]


def verify_bundle(data: bytes, trust: Trust | None, check: SignatureCheck) -> Verified:
    """What the bundle proves; raises `VerificationError` naming the first check that fails.

    With `trust` None the result is consistent in itself and anchored to nothing (`anchored` is False).
    """
    work = _Work(data, trust, check, Verified(anchored=trust is not None))
    for number, step in enumerate(_CHECKS, start=1):
        detail = _run(number, step, work)
        work.result.steps.append(Step(number, TITLES[number], detail))
    return work.result


def describe_time(time_ms: int) -> str:
    """A block time in words, UTC; numbers beyond the calendar stay numbers."""
    if time_ms > _LAST_MS:
        return f"{time_ms} ms"
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def _run(number: int, step: _Check, work: _Work) -> str:
    try:
        return step(work)
    except (Malformed, VerificationError) as error:
        raise VerificationError(f"check {number}, {TITLES[number]}: {error}", check=number) from error


def _require(condition: bool, reason: str) -> None:
    if not condition:
        raise VerificationError(reason)


def _check_form(work: _Work) -> str:
    work.bundle = parse_bundle(work.data)
    return f"one bundle of {len(work.data)} bytes in its one form"


def _check_checkpoint(work: _Work) -> str:
    note = work.bundle.checkpoint
    if work.trust is None:
        checkpoint = parse_note(note).checkpoint
    else:
        checked: VerifiedCheckpoint = verify_checkpoint(note, work.trust.log, work.trust.witnesses, 0, work.check)
        checkpoint = checked.checkpoint
        work.result.cosigned_by = tuple(sorted(name for name, _ in checked.cosigned_by))
    work.root = checkpoint.root
    work.result.origin, work.result.size = checkpoint.origin, checkpoint.size
    signed = "signed by the log" if work.trust else "its signatures not checked"
    return f"{checkpoint.origin} at {checkpoint.size} leaves, {signed}"


def _check_witnesses(work: _Work) -> str:
    if work.trust is None:
        return "no trust file: consistent, anchored to nothing"
    names = work.result.cosigned_by
    _require(
        len(names) >= work.trust.quorum,
        f"{len(names)} trusted witnesses cosigned, {work.trust.quorum} are required",
    )
    return f"cosigned by {', '.join(names) or 'no one'}; {work.trust.quorum} required"


def _check_genesis(work: _Work) -> str:
    header = work.bundle.genesis
    if work.trust is not None:
        _require(genesis_digest(header) == work.trust.genesis, "this is not the ledger you trust")
    members = parse_object(header)
    names = sorted(name for name in members if name != "predecessor")
    expected = ["chain_id", "organisations", "organisations_root", "ruleset", "time_ms"]
    counts = all(type(members.get(name)) is int for name in ("organisations", "ruleset", "time_ms"))
    _require(names == expected and counts and is_hex(members["organisations_root"], 32), "the header has another form")
    work.members = members
    work.result.chain_id = parse_chain_id(str(members["chain_id"]))
    return f"ledger {work.result.chain_id}"


def _check_organisation(work: _Work) -> str:
    admission = work.bundle.admission
    work.organisation = parse_organisation(admission.organisation)
    root = verify_inclusion(
        leaf_hash(admission.organisation), admission.index, _integer(work.members["organisations"]), admission.path
    )
    _require(root.hex() == work.members["organisations_root"], "genesis does not name this organisation so")
    work.result.organisation = work.organisation.organisation
    work.result.organisation_name = work.organisation.name
    return f"{work.organisation.name} ({work.organisation.organisation}) is a founding member"


def _check_key(work: _Work) -> str:
    work.envelope = parse_envelope(work.bundle.statement.cose)
    check_payload(work.envelope)
    kid = work.envelope.kid
    root_keys = {sha256(bytes.fromhex(key))[:16]: bytes.fromhex(key) for key in work.organisation.root_keys}
    if not work.bundle.keys:
        _require(kid in root_keys, "no registration is shown, and the key is no root key of the organisation")
        work.key = _SignerKey(root_keys[kid], ROOT_SCOPE, 0, None, 0)
        return "a root key of the organisation"
    registration = work.bundle.keys[0]
    envelope = _open_envelope(work, registration)
    _require(envelope.kid in root_keys, "the registration is not signed by a root key of the organisation")
    _verify_signature(work, envelope, root_keys[envelope.kid])
    message = _open_message(registration, envelope)
    _require_accepted(registration)
    _verify_inclusion(work, registration, envelope)
    work.key = _registered_key(message, work.organisation.organisation, registration.leaf)
    _require(sha256(work.key.public_key)[:16] == kid, "the registered key is not the one that signed")
    return f"key {kid.hex()} was registered by the organisation's root key"


def _registered_key(message: dict[str, Json], organisation: str, leaf: int) -> _SignerKey:
    public_key, scope, until = message.get("public_key"), message.get("scope"), message.get("valid_until_ms")
    _require(
        message.get("type") == "RegisterKey" and message.get("organisation") == organisation,
        "the registration is not a RegisterKey message for this organisation",
    )
    if not isinstance(public_key, str) or not is_hex(public_key, 32) or not isinstance(scope, list):
        raise VerificationError("the registration names no key or no scope")
    return _SignerKey(
        bytes.fromhex(public_key),
        tuple(str(name) for name in scope),
        _integer(message.get("valid_from_ms")),
        None if until is None else _integer(until),
        leaf,
    )


def _check_signature(work: _Work) -> str:
    _require_signer(work, work.bundle.statement, work.envelope)
    _verify_signature(work, work.envelope, work.key.public_key)
    work.result.kid = work.envelope.kid.hex()
    work.result.sequence = work.envelope.sequence
    work.result.statement_digest = work.envelope.digest.hex()
    return f"signed by {work.envelope.organisation}, sequence {work.envelope.sequence}"


def _check_message(work: _Work) -> str:
    statement = work.bundle.statement
    message = _open_message(statement, work.envelope)
    kind = message.get("type")
    _require(isinstance(kind, str) and kind in work.key.scope, f"the key may not sign a {kind}")
    work.result.message = message
    work.result.index = 0 if statement.batch is None else statement.batch.index
    return f"{kind} about {work.envelope.subject}"


def _check_outcome(work: _Work) -> str:
    _require_accepted(work.bundle.statement)
    return "the ledger accepted it"


def _check_inclusion(work: _Work) -> str:
    _verify_inclusion(work, work.bundle.statement, work.envelope)
    work.result.leaf = work.bundle.statement.leaf
    return f"leaf {work.bundle.statement.leaf} of {work.result.size}"


def _check_block(work: _Work) -> str:
    proof, leaf = work.bundle.block, work.bundle.statement.leaf
    block = work.block = parse_block_leaf(proof.body)
    index = block.first_leaf + block.statements + block.evidence
    _require_root(work, block_leaf(proof.body), index, proof.path)
    _require(block.first_leaf <= leaf < block.first_leaf + block.statements, "the block holds another statement")
    _require(work.key.leaf < block.first_leaf, "the key was registered only with or after this block")
    until, wish = work.key.valid_until_ms, work.envelope.not_after_ms
    _require(work.key.valid_from_ms <= block.time_ms, "the key was not valid yet")
    _require(until is None or block.time_ms <= until, "the key was not valid any more")
    _require(wish is None or block.time_ms <= wish, "the signer did not want it applied this late")
    work.result.height, work.result.time_ms, work.result.ruleset = block.height, block.time_ms, block.ruleset
    return f"block {block.height} of {describe_time(block.time_ms)}"


def _check_state(work: _Work) -> str:
    state = work.bundle.state
    if state is None:
        return "no state is shown: whether the key was revoked is not known"
    block = parse_block_leaf(state.block.body)
    index = block.first_leaf + block.statements + block.evidence
    _require(index == work.result.size - 1, "the state is not the one under the checkpoint")
    _require_root(work, block_leaf(state.block.body), index, state.block.path)
    for record in state.records:
        verify_presence(block.state_root, record.key, record.value, StateProof(record.siblings))
        work.result.records[record.key] = parse_object(record.value)
    own = key_record_key(bytes.fromhex(work.result.kid))
    values = [record.value for record in state.records if record.key == own]
    _require(bool(values), "the state does not show the signer's key")
    key = parse_key_record(values[0])
    _require(key.public_key == work.key.public_key.hex(), "the state shows another public key")
    _require(key.revoked_height is None or work.result.height <= key.revoked_height, "the key was revoked before")
    work.result.state_shown, work.result.state_time_ms = True, block.time_ms
    work.result.standing = _standing(work.result)
    standing = f"; the attestation is {work.result.standing}" if work.result.standing else ""
    when = f"block {block.height} of {describe_time(block.time_ms)}"
    return f"{len(state.records)} records as of {when}; the key was not revoked before it signed{standing}"


def _standing(result: Verified) -> str:
    """What an attestation was worth at the state shown (section 6): in force, or why not; empty where not shown."""
    message = _attestation_in(result.message) or {}
    attested = result.records.get(f"attestation/{result.organisation}/{message.get('reference')}")
    battery = result.records.get(f"battery/{message.get('battery')}")
    if not isinstance(attested, dict) or not isinstance(battery, dict):
        return ""
    until, provenance = attested.get("valid_until_ms"), attested.get("provenance")
    if attested.get("state") != "issued":
        return str(attested.get("state"))
    stems = (provenance.get("statement"), provenance.get("index")) if isinstance(provenance, dict) else ()
    if stems != (result.statement_digest, result.index):
        return "corrected: a later statement replaced what this one says"
    if attested.get("epoch", 0) != battery.get("epoch", 0):
        return "invalidated by what happened to the battery since"
    if isinstance(until, int) and result.state_time_ms > until:
        return "expired"
    return "in force"


def _attestation_in(message: dict[str, Json]) -> dict[str, Json] | None:
    """The attestation that a message issues, or puts in place of an earlier one; None for any other message."""
    if message.get("type") == "IssueAttestation":
        return message
    replacement = message.get("replacement") if message.get("type") == "CorrectStatement" else None
    is_attestation = isinstance(replacement, dict) and replacement.get("type") == "IssueAttestation"
    return replacement if is_attestation and isinstance(replacement, dict) else None


def _results_in(message: dict[str, Json]) -> Json:
    """What a message commits to: the results of an attestation, or of a recorded verdict."""
    committing = message if message.get("type") == "RecordVerdict" else _attestation_in(message) or {}
    return committing.get("results")


def _check_disclosures(work: _Work) -> str:
    disclosures = work.bundle.disclosures
    if not disclosures:
        return "nothing is disclosed"
    results = _results_in(work.result.message)
    if not isinstance(results, list):
        raise VerificationError("nothing here is committed to")
    remaining = list(results)
    for disclosed in disclosures:
        work.result.disclosures.append(_open_disclosure(remaining, Disclosure(disclosed.salt, disclosed.field)))
    return f"{len(disclosures)} disclosed values are those committed to"


def _open_disclosure(remaining: list[Json], disclosure: Disclosure) -> Json:
    """The field, once it opens a result of `remaining`; that result and those before it are taken off."""
    parse_object(disclosure.field)
    while remaining:
        result = remaining.pop(0)
        if not isinstance(result, dict) or not is_hex(result.get("commitment"), 32):
            raise VerificationError("a result holds no commitment")
        try:
            document = verify_disclosure(disclosure, Digest(bytes.fromhex(str(result["commitment"]))))
        except VerificationError:
            continue
        _require(document.get("quantity") == result.get("quantity"), "the value is of another quantity")
        return document
    raise VerificationError("a disclosed value is not among those committed to, or stands out of order")


_CHECKS: tuple[_Check, ...] = (
    _check_form,
    _check_checkpoint,
    _check_witnesses,
    _check_genesis,
    _check_organisation,
    _check_key,
    _check_signature,
    _check_message,
    _check_outcome,
    _check_inclusion,
    _check_block,
    _check_state,
    _check_disclosures,
)


def _open_envelope(work: _Work, inclusion: Inclusion) -> Envelope:
    envelope = parse_envelope(inclusion.cose)
    check_payload(envelope)
    _require_signer(work, inclusion, envelope)
    return envelope


def _require_signer(work: _Work, inclusion: Inclusion, envelope: Envelope) -> None:
    _require(envelope.chain_id == work.result.chain_id, "signed for another ledger")
    _require(envelope.organisation == work.organisation.organisation, "signed by another organisation")
    _require((envelope.content == BATCH_CONTENT) is (inclusion.batch is not None), "a batch is shown as one, or not")


def _verify_signature(work: _Work, envelope: Envelope, public_key: bytes) -> None:
    _require(work.check(public_key, envelope.signed_bytes, envelope.signature), "the signature does not hold")


def _open_message(inclusion: Inclusion, envelope: Envelope) -> dict[str, Json]:
    if envelope.content == SINGLE_CONTENT:
        message = envelope.members["message"]
        if not isinstance(message, dict):
            raise VerificationError("the message is no object")
        return message
    place = inclusion.batch
    if place is None:
        raise VerificationError("the batch shows no message")
    leaf = batch_leaf(place.salt, place.message)
    root = verify_inclusion(leaf, place.index, _integer(envelope.members["count"]), place.path)
    _require(root.hex() == envelope.members["root"], "the message is not the batch's")
    return parse_object(place.message)


def _require_accepted(inclusion: Inclusion) -> None:
    outcome = parse_outcome(inclusion.outcome)
    reason = outcome.reason
    _require(outcome.is_accepted, f"the ledger rejected it with code {0 if reason is None else int(reason)}")


def _verify_inclusion(work: _Work, inclusion: Inclusion, envelope: Envelope) -> None:
    place = inclusion.batch
    if place is None:
        outcome = domain_digest(OUTCOME_DOMAIN, inclusion.outcome)
    else:
        leaf = outcome_leaf(place.salt, inclusion.outcome)
        outcome = verify_inclusion(leaf, place.index, _integer(envelope.members["count"]), place.outcome_path)
    _require_root(work, statement_leaf(envelope.digest, outcome), inclusion.leaf, inclusion.path)


def _require_root(work: _Work, leaf: Digest, index: int, path: tuple[bytes, ...]) -> None:
    root = verify_inclusion(leaf, index, work.result.size, path)
    _require(root == work.root, f"leaf {index} does not lie under the checkpoint")


def _integer(value: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise VerificationError("a whole number was expected")
    return value
