"""What is committed to when a verdict is recorded: the policy and every evaluation, so that anyone shown it can judge.

{"battery":"01/...","candidates":[{"attestation":{...},"evaluation":{...}}],"policy":{...},"quantity":"evaluation",...}
"""

from dataclasses import dataclass
from typing import Any

import msgspec

from cellvow.core.contracts.acceptance import ACCEPT, EVALUATION, AttestationReference, RecordVerdict
from cellvow.core.contracts.contract import Schema
from cellvow.core.contracts.policy import (
    Evaluation,
    Policy,
    decode_evaluation,
    decode_policy,
    derive_cited,
    encode_evaluation,
    encode_policy,
    policy_digest,
)
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import CellvowError, Malformed, VerificationError
from cellvow.core.primitives.limits import MESSAGE_BYTES_MAX
from cellvow.passport.acceptance.verdict import CANDIDATES_MAX, Candidate, Judgement, derive_verdict, derive_word


class _CandidateDocument(Schema, frozen=True, kw_only=True):
    evaluation: dict[str, Any]
    attestation: AttestationReference | None = None


class _VerdictDocument(Schema, frozen=True, kw_only=True):
    quantity: str
    battery: str
    as_of: str
    policy: dict[str, Any]
    candidates: tuple[_CandidateDocument, ...]


@dataclass(frozen=True, slots=True)
class RecomputedVerdict:
    """A recorded verdict that was computed again: the message, its policy, and the evaluation it rests on, if any."""

    message: RecordVerdict
    policy: Policy
    evaluations: tuple[Evaluation, ...]
    chosen: Evaluation | None


def make_verdict_field(judgement: Judgement) -> dict[str, Json]:
    """The field document to commit to; raises `Malformed` where it is too large to be shown later."""
    policy = judgement.policy
    document: dict[str, Json] = {
        "as_of": judgement.today,
        "battery": judgement.battery,
        "candidates": [_write(policy, candidate) for candidate in judgement.candidates],
        "policy": parse_object(encode_policy(policy)),
        "quantity": EVALUATION,
    }
    size = len(encode_document(document))
    if size > MESSAGE_BYTES_MAX:
        raise Malformed(
            f"the reasons of this verdict take {size} bytes, and {MESSAGE_BYTES_MAX} can be recorded: "
            "let it rest on one attestation (--attestation), or shorten the policy"
        )
    return document


def reference_of(candidate: Candidate | None) -> AttestationReference | None:
    """The attestation that a candidate is; None where there is none, or none that was shown."""
    if candidate is None or not candidate.issuer:
        return None
    return AttestationReference(organisation=candidate.issuer, reference=candidate.reference)


def verify_verdict(message: dict[str, Json], field: Json) -> RecomputedVerdict:
    """The recorded verdict, computed again from what was disclosed; raises `VerificationError` on any lie.

    Proven is that the policy says this of the facts cited. That the cited statements say so, and that no attestation
    was left out, is for whoever looks them up: each is named by its digest.
    """
    try:
        return _recompute(msgspec.convert(message, RecordVerdict), field)
    except msgspec.ValidationError as error:
        raise VerificationError(f"this is no recorded verdict: {error}") from error
    except VerificationError:
        raise
    except CellvowError as error:
        raise VerificationError(f"what was disclosed does not recompute: {error}") from error


def _recompute(message: RecordVerdict, field: Json) -> RecomputedVerdict:
    shown = msgspec.convert(field, _VerdictDocument)
    policy = decode_policy(encode_document(shown.policy))
    _require(policy_digest(policy).hex() == message.policy, "another policy was disclosed than the statement names")
    _require(shown.battery == message.battery, "what was disclosed is about another battery")
    _require(shown.as_of == message.as_of, "what was disclosed is of another day")
    _require(len(shown.candidates) <= CANDIDATES_MAX + 2, "more attestations were disclosed than are ever judged")
    evaluations = tuple(decode_evaluation(policy, encode_document(one.evaluation)) for one in shown.candidates)
    for evaluation in evaluations:
        _require_day(evaluation, message.as_of)
    word = derive_verdict(_words(shown, evaluations))
    _require(word == message.verdict, f"the policy says {word}, the statement {message.verdict}")
    return RecomputedVerdict(message, policy, evaluations, _chosen(message, shown, evaluations))


def _words(shown: _VerdictDocument, evaluations: tuple[Evaluation, ...]) -> list[str]:
    pairs = zip(shown.candidates, evaluations, strict=True)
    return [derive_word(evaluation, is_seen=one.attestation is not None) for one, evaluation in pairs]


def _chosen(message: RecordVerdict, shown: _VerdictDocument, evaluations: tuple[Evaluation, ...]) -> Evaluation | None:
    """The evaluation of the attestation named: it must say what the verdict says."""
    if message.attestation is None:
        _require(message.verdict != ACCEPT, "it accepts, and names nothing that it rests on")
        return None
    named = [
        evaluation
        for one, evaluation, word in zip(shown.candidates, evaluations, _words(shown, evaluations), strict=True)
        if one.attestation == message.attestation and word == message.verdict
    ]
    _require(len(named) == 1, "the attestation named is not the one that the verdict rests on")
    return named[0]


def _require_day(evaluation: Evaluation, day: str) -> None:
    for stated in derive_cited(evaluation).get("today", ()):
        _require(stated.value == day, "an evaluation was made for another day")


def _write(policy: Policy, candidate: Candidate) -> Json:
    document: dict[str, Json] = {"evaluation": parse_object(encode_evaluation(policy, candidate.evaluation))}
    reference = reference_of(candidate)
    if reference is not None:
        document["attestation"] = {"organisation": reference.organisation, "reference": reference.reference}
    return document


def _require(condition: bool, lie: str) -> None:
    if not condition:
        raise VerificationError(lie)
