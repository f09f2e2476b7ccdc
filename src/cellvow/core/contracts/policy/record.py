"""An evaluation as canonical data: the facts it cites and the verdict; every line between them is computed again.

{"facts":{"n":[{"index":0,"statement":"aa...","value":4}]},"policy":"5e...","verdict":"met","version":1}
"""

from typing import Literal

import msgspec

from cellvow.core.contracts.contract import Count, Hash, Provenance, Schema
from cellvow.core.contracts.policy.document import policy_digest
from cellvow.core.contracts.policy.evaluation import Evaluation, derive_cited, evaluate_policy
from cellvow.core.contracts.policy.facts import Stated
from cellvow.core.contracts.policy.language import FACTS_MAX, Policy
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import Malformed, VerificationError

EVALUATION_VERSION = 1
EVALUATION_BYTES_MAX = 32_000
"""An evaluation as data: with its policy it fits one committed field."""


class _StatedDocument(Schema, frozen=True, kw_only=True):
    value: bool | int | str | None = None
    statement: Hash | None = None
    index: Count | None = None
    salt: Hash | None = None
    missing: str = ""


class _EvaluationDocument(Schema, frozen=True, kw_only=True):
    version: Literal[1]
    policy: Hash
    verdict: Literal["met", "not met", "cannot tell"]
    facts: dict[str, list[_StatedDocument]]


def encode_evaluation(policy: Policy, evaluation: Evaluation) -> bytes:
    """Canonical bytes of an evaluation of this policy; raises `Malformed` past `EVALUATION_BYTES_MAX`."""
    document: dict[str, Json] = {
        "facts": {name: [_write(stated) for stated in cited] for name, cited in derive_cited(evaluation).items()},
        "policy": policy_digest(policy).hex(),
        "verdict": evaluation.verdict.value,
        "version": EVALUATION_VERSION,
    }
    encoded = encode_document(document)
    if len(encoded) > EVALUATION_BYTES_MAX:
        raise Malformed(f"evaluation of {len(encoded)} bytes as data: at most {EVALUATION_BYTES_MAX} are allowed")
    return encoded


def decode_evaluation(policy: Policy, encoded: bytes) -> Evaluation:
    """The evaluation of canonical bytes, computed again from the policy and the facts cited.

    Raises `Malformed` for bytes that are none, `VerificationError` where they name another policy, give another
    verdict than the policy does, or cite what it does not ask for.
    """
    try:
        document = msgspec.convert(parse_object(encoded, bytes_max=EVALUATION_BYTES_MAX), _EvaluationDocument)
    except msgspec.ValidationError as error:
        raise Malformed(f"not the data of an evaluation: {error}") from error
    if document.policy != policy_digest(policy).hex():
        raise VerificationError("the evaluation is of another policy")
    if len(document.facts) > FACTS_MAX:
        raise Malformed(f"not the data of an evaluation: more than {FACTS_MAX} facts")
    evaluation = evaluate_policy(
        policy, {name: [_read(one) for one in cited] for name, cited in document.facts.items()}
    )
    if evaluation.verdict.value != document.verdict:
        raise VerificationError(
            f"the policy says {evaluation.verdict.value!r} of these facts, not {document.verdict!r}"
        )
    if encode_evaluation(policy, evaluation) != encoded:
        raise VerificationError("the evaluation cites what the policy does not look at, or is out of order")
    return evaluation


def _write(stated: Stated) -> Json:
    document: dict[str, Json] = {} if stated.value is None else {"value": stated.value}
    if stated.provenance is not None:
        document |= {"index": stated.provenance.index, "statement": stated.provenance.statement}
        document |= {"salt": stated.provenance.salt} if stated.provenance.salt is not None else {}
    return document | {"missing": stated.missing} if stated.missing else document


def _read(document: _StatedDocument) -> Stated:
    if (document.statement is None) != (document.index is None):
        raise Malformed("not the data of an evaluation: a statement is named with its message, or not at all")
    source = None
    if document.statement is not None and document.index is not None:
        source = Provenance(statement=document.statement, index=document.index, salt=document.salt)
    return Stated(document.value, source, document.missing)
