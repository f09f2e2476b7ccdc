"""The one small language for conditions: a policy over recorded facts, its verdict, and the explanation.

Text -> `parse_policy` -> `Policy` -> `encode_policy` -> canonical data; `evaluate_policy` gives the verdict.
Grammar and examples: docs/reference/policy.md.
"""

from cellvow.core.contracts.policy.document import decode_policy, encode_policy, policy_digest
from cellvow.core.contracts.policy.evaluation import (
    Evaluation,
    Step,
    Verdict,
    derive_cited,
    evaluate_policy,
    verify_evaluation,
)
from cellvow.core.contracts.policy.explanation import explain_evaluation
from cellvow.core.contracts.policy.facts import Facts, Stated
from cellvow.core.contracts.policy.language import Clause, Expression, FactType, Policy, PolicyError
from cellvow.core.contracts.policy.layout import render_policy
from cellvow.core.contracts.policy.parser import parse_policy
from cellvow.core.contracts.policy.record import EVALUATION_BYTES_MAX, decode_evaluation, encode_evaluation

__all__ = [
    "Clause",
    "EVALUATION_BYTES_MAX",
    "Evaluation",
    "Expression",
    "FactType",
    "Facts",
    "Policy",
    "PolicyError",
    "Stated",
    "Step",
    "Verdict",
    "decode_evaluation",
    "decode_policy",
    "derive_cited",
    "encode_evaluation",
    "encode_policy",
    "evaluate_policy",
    "explain_evaluation",
    "parse_policy",
    "policy_digest",
    "render_policy",
    "verify_evaluation",
]
