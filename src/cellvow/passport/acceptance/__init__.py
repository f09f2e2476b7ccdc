"""Whether the last test still holds: acceptance policies judged on a passport, with every reason.

Policy text -> `parse_acceptance_policy`; `judge(passport, policy, today=...)` -> `Judgement`. Facts and ready
policies: docs/reference/acceptance.md.
"""

from cellvow.passport.acceptance.change import Sentence
from cellvow.passport.acceptance.document import judgement_document, savings_document, sentence_document
from cellvow.passport.acceptance.facts import FACTS, FactEntry, parse_acceptance_policy, require_known_facts
from cellvow.passport.acceptance.ready_policies import NAMES, PolicySource, ReadyPolicy, load_ready_policy
from cellvow.passport.acceptance.record import RecomputedVerdict, make_verdict_field, reference_of, verify_verdict
from cellvow.passport.acceptance.savings import Assumptions, Savings, Span, derive_savings, load_assumptions
from cellvow.passport.acceptance.verdict import Candidate, ClauseFinding, Judgement, derive_verdict, derive_word, judge

__all__ = [
    "Assumptions",
    "Candidate",
    "ClauseFinding",
    "FACTS",
    "FactEntry",
    "Judgement",
    "NAMES",
    "PolicySource",
    "ReadyPolicy",
    "RecomputedVerdict",
    "Savings",
    "Sentence",
    "Span",
    "derive_savings",
    "derive_verdict",
    "derive_word",
    "judge",
    "judgement_document",
    "load_assumptions",
    "load_ready_policy",
    "make_verdict_field",
    "parse_acceptance_policy",
    "reference_of",
    "require_known_facts",
    "savings_document",
    "sentence_document",
    "verify_verdict",
]
