"""A judgement as one JSON document: what the API answers and `--json` prints."""

from dataclasses import asdict

from cellvow.core.contracts.policy import explain_evaluation
from cellvow.passport.acceptance.change import Sentence
from cellvow.passport.acceptance.savings import Savings
from cellvow.passport.acceptance.verdict import Candidate, ClauseFinding, Judgement


def judgement_document(judgement: Judgement, savings: Savings | None = None) -> dict[str, object]:
    """Everything in a judgement: words and numbers, and sentences as keys with their parameters."""
    chosen = judgement.chosen
    return {
        "battery": judgement.battery,
        "policy": {"digest": judgement.policy_digest, "name": judgement.policy.name},
        "today": judgement.today,
        "verdict": judgement.verdict,
        "rests_on": None if chosen is None or not chosen.issuer else _named(chosen),
        "clauses": [_clause(finding) for finding in judgement.clauses],
        "candidates": [_candidate(candidate) for candidate in judgement.candidates],
        "explanation": [] if chosen is None else list(explain_evaluation(chosen.evaluation)),
        "remarks": [sentence_document(remark) for remark in judgement.remarks],
        "lasts": None if judgement.lasts is None else sentence_document(judgement.lasts),
        "savings": None if savings is None else savings_document(savings),
    }


def sentence_document(sentence: Sentence) -> dict[str, object]:
    """A sentence as key and parameters."""
    return {"key": sentence.key, "parameters": dict(sentence.parameters)}


def savings_document(savings: Savings) -> dict[str, object]:
    """Time and money with the assumptions they rest on."""
    assumed = savings.assumptions
    return {
        "kind": savings.kind,
        "minutes": list(savings.minutes),
        "cents": list(savings.cents),
        "currency": assumed.currency,
        "assumptions": {
            "test_minutes": list(assumed.test_minutes),
            "hour_cents": list(assumed.hour_cents),
            "is_ours": assumed.is_ours,
            "source": assumed.source if assumed.is_ours else "stated by whoever asks",
        },
    }


def _named(candidate: Candidate) -> dict[str, object]:
    return {"organisation": candidate.issuer, "reference": candidate.reference, "tested_on": candidate.tested_on}


def _candidate(candidate: Candidate) -> dict[str, object]:
    return {
        "attestation": _named(candidate) if candidate.issuer else None,
        "verdict": candidate.word,
        "missed": list(candidate.clauses_that_are(value=False)),
        "unknown": list(candidate.clauses_that_are(value=None)),
    }


def _clause(finding: ClauseFinding) -> dict[str, object]:
    document = asdict(finding)
    document["changes"] = [sentence_document(change) for change in finding.changes]
    document["reasons"] = list(finding.reasons)
    document["sources"] = [{"statement": statement, "index": index} for statement, index in finding.sources]
    return document
