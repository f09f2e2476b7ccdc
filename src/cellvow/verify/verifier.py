"""The offline checks, numbered and ordered as in section 12 of docs/reference/formats.md.

Needs no network, no ledger and no clock: bytes in, proven facts out, or `VerificationError` with the number of the
check that failed. The caller brings the Ed25519 library: libsodium in our processes, `ed25519` in the `.pyz`.
"""

from collections.abc import Callable

from cellvow.core.ledger.checkpoint import SignatureCheck
from cellvow.core.ledger.key import key_record_key, parse_key_record
from cellvow.core.ledger.outcome import CONTESTED, HELD, Outcome
from cellvow.core.ledger.state import StateProof, verify_presence
from cellvow.core.primitives.encoding import parse_object
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.verify.bundle import parse_bundle
from cellvow.verify.disclosing import check_disclosures
from cellvow.verify.result import TITLES, Step, Verified, describe_time, ordered_by
from cellvow.verify.signer import check_key, check_organisation
from cellvow.verify.standing import derive_standing, derive_suspicion
from cellvow.verify.trust import Trust
from cellvow.verify.vouching import check_checkpoint, check_genesis, check_witnesses
from cellvow.verify.work import (
    Work,
    open_block,
    open_message,
    open_state,
    require,
    require_accepted,
    require_kept,
    require_signer,
    verify_place,
    verify_signature,
)

_Check = Callable[[Work], str]


def verify_bundle(data: bytes, trust: Trust | None, check: SignatureCheck, *, kept: bool = False) -> Verified:
    """What the bundle proves; raises `VerificationError` naming the first check that fails.

    With `trust` None the result is consistent in itself and anchored to nothing (`anchored` is False). What the ledger
    kept without accepting it - a contested claim, a message that waits - is refused, or with `kept` proven as that:
    whoever asks so looks at `outcome` before he relies on anything.
    """
    work = Work(data, trust, check, Verified(anchored=trust is not None), takes_kept=kept)
    for number, step in enumerate(_CHECKS, start=1):
        detail = _run(number, step, work)
        work.result.steps.append(Step(number, TITLES[number], detail))
    return work.result


def _run(number: int, step: _Check, work: Work) -> str:
    try:
        return step(work)
    except (Malformed, VerificationError) as error:
        raise VerificationError(f"check {number}, {TITLES[number]}: {error}", check=number) from error


def _check_form(work: Work) -> str:
    work.bundle = parse_bundle(work.data)
    return f"one bundle of {len(work.data)} bytes in its one form"


def _check_signature(work: Work) -> str:
    require_signer(work, work.bundle.statement, work.envelope)
    verify_signature(work, work.envelope, work.key.public_key)
    work.result.kid = work.envelope.kid.hex()
    work.result.sequence = work.envelope.sequence
    work.result.statement_digest = work.envelope.digest.hex()
    return f"signed by {work.envelope.organisation}, sequence {work.envelope.sequence}"


def _check_message(work: Work) -> str:
    statement = work.bundle.statement
    message = open_message(statement, work.envelope)
    kind = message.get("type")
    ordered = ordered_by(message).get("type")
    for one in (kind, ordered):
        require(isinstance(one, str) and one in work.key.scope, f"the key may not sign a {one}")
    work.result.message = message
    work.result.index = 0 if statement.batch is None else statement.batch.index
    second = "" if ordered == kind else f", the second signature under {ordered}"
    return f"{kind} about {work.envelope.subject}{second}"


def _check_outcome(work: Work) -> str:
    statement = work.bundle.statement
    outcome = require_kept(statement) if work.takes_kept else require_accepted(statement)
    if not outcome.is_accepted:
        return _check_kept(work, outcome)
    if work.result.message.get("type") != "Countersign":
        return "the ledger accepted it"
    first = outcome.events[0].get("first") if outcome.events else None
    require(isinstance(first, str), "a second signature without the key that signed first")
    return f"the ledger accepted it, as the second signature after that of key {first}"


def _check_kept(work: Work, outcome: Outcome) -> str:
    """That a message was kept and not accepted, as its first event says."""
    event = outcome.events[0] if outcome.events else {}
    if outcome.is_held:
        require(event.get("type") == "MessageHeld", "it is said to wait, and no event says so")
        work.result.outcome = HELD
        return "kept, not accepted: it waits for a second signature of its organisation, and has done nothing"
    opener, reference = event.get("opener"), event.get("reference")
    is_claim = event.get("type") == "DisputeOpened" and isinstance(opener, str) and isinstance(reference, str)
    require(is_claim, "it is said to be contested, and no event names the dispute")
    work.result.outcome = CONTESTED
    return f"contested: kept, not accepted. It changed nothing; dispute {reference} of {opener} keeps what it claims"


def _check_inclusion(work: Work) -> str:
    verify_place(work, work.bundle.statement, work.envelope)
    work.result.leaf = work.bundle.statement.leaf
    return f"leaf {work.bundle.statement.leaf} of {work.result.size}"


def _check_block(work: Work) -> str:
    leaf, key = work.bundle.statement.leaf, work.key
    block = work.block = open_block(work, work.bundle.block)
    require(block.first_leaf <= leaf < block.first_leaf + block.statements, "the block holds another statement")
    late = "the key was registered only with or after this block"
    require(key.leaf is None or key.leaf < block.first_leaf, late)
    require(key.height is None or key.height < block.height, late)
    until, wish = key.valid_until_ms, work.envelope.not_after_ms
    require(key.valid_from_ms <= block.time_ms, "the key was not valid yet")
    require(until is None or block.time_ms <= until, "the key was not valid any more")
    require(wish is None or block.time_ms <= wish, "the signer did not want it applied this late")
    work.result.height, work.result.time_ms, work.result.ruleset = block.height, block.time_ms, block.ruleset
    return f"block {block.height} of {describe_time(block.time_ms)}"


def _check_state(work: Work) -> str:
    state, result = work.bundle.state, work.result
    if state is None:
        return "no state is shown: whether the key was revoked is not known"
    block = open_state(work, state)
    for record in state.records:
        verify_presence(block.state_root, record.key, record.value, StateProof(record.siblings))
        result.records[record.key] = parse_object(record.value)
    own = key_record_key(bytes.fromhex(result.kid))
    values = [record.value for record in state.records if record.key == own]
    require(bool(values), "the state does not show the signer's key")
    key = parse_key_record(values[0])
    require(key.public_key == work.key.public_key.hex(), "the state shows another public key")
    require(key.revoked_height is None or result.height <= key.revoked_height, "the key was revoked before")
    result.state_shown, result.state_time_ms = True, block.time_ms
    # What was not accepted left no record: one of that name is another statement's.
    standing = derive_standing(result) if result.is_accepted else ""
    suspicion = derive_suspicion(key, result.time_ms)
    result.suspect = bool(suspicion)
    result.standing = f"{suspicion}; apart from that {standing}" if suspicion and standing else suspicion or standing
    told = [f"the attestation is {standing}"] if standing else []
    told += [suspicion] if suspicion else []
    when = f"block {block.height} of {describe_time(block.time_ms)}"
    shown = f"{len(state.records)} records as of {when}; the key was not revoked before it signed"
    return "; ".join([shown, *told])


_CHECKS: tuple[_Check, ...] = (
    _check_form,
    check_checkpoint,
    check_witnesses,
    check_genesis,
    check_organisation,
    check_key,
    _check_signature,
    _check_message,
    _check_outcome,
    _check_inclusion,
    _check_block,
    _check_state,
    check_disclosures,
)
