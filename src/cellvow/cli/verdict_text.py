"""A judgement in the terminal: the verdict, what it rests on, each clause with its reasons, and what they cite."""

import re
from typing import TYPE_CHECKING

from cellvow.cli.wording import amount

if TYPE_CHECKING:
    from cellvow.cli.answer import Table
    from cellvow.passport.acceptance import (
        Candidate,
        ClauseFinding,
        Judgement,
        RecomputedVerdict,
        Savings,
        Sentence,
        Span,
    )
    from cellvow.verify import Verified

VERDICTS = {"accept": "Accept", "re_test": "Re-test", "cannot_tell": "Cannot tell"}
SENTENCES = {
    "change.one_of": "one of these {count} ways is enough:",
    "change.withheld": "{fact} is withheld: ask the owner for a link that shows it",
    "change.not_shown": "{fact} is not shown to you: ask its issuer for the value",
    "change.not_stated": "{fact} is not stated by this attestation: a new test can give it",
    "change.no_end": "{fact} has no end: the policy asks for one",
    "change.beyond": "{fact} was not looked at, for there are many attestations: name one with --attestation",
    "change.differ": "{fact} is stated in several ways that differ: its issuers must settle which holds",
    "change.not_recorded": "{fact} is not recorded",
    "change.unreadable": "{fact} is recorded in a form that the policy does not take",
    "change.fixed": "no new test changes {fact}",
    "change.another_test": "a test with another result",
    "change.word": "{fact}: {words}",
    "change.other_word": "{fact}: any but {words}",
    "change.none_of": "{fact}: without {words}",
    "change.includes": "{fact}: with {words}",
    "change.at_least": "{fact}: {value} or more",
    "change.at_most": "{fact}: {value} or less",
    "change.exactly": "{fact}: {value}",
    "lasts.until": "It holds until {day} if nothing else changes.",
    "lasts.at_least": "It holds at least until {day} if nothing else changes; further was not looked.",
    "lasts.no_end": "The policy sets no day on which it ends.",
    "remark.no_attestation": "The battery has no attestation at all: nothing can be taken over.",
    "remark.unseen": "It rests on attestations that are not shown to you: ask the owner for a link.",
    "remark.some_unseen": "There may be attestations that are not shown to you.",
    "remark.simulated": "SIMULATED: something attested to this battery is simulated.",
    "remark.unwitnessed": "No witness has cosigned the ledger's checkpoint yet.",
}
"""The sentences of a judgement, by key."""
_DATED = {"change.at_least": "{fact}: {value} or later", "change.at_most": "{fact}: {value} or earlier"}
_CITED = re.compile(r"statement ([0-9a-f]{64}) message ([0-9]+)")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


def describe_judgement(judgement: "Judgement", savings: "Savings | None") -> "list[str | Table]":
    """The judgement for a person: answer first, then reasons as a checklist, citations last."""
    cited: dict[tuple[str, str], int] = {}
    lines: list[str | Table] = [f"{VERDICTS[judgement.verdict].upper()}  {judgement.battery}"]
    lines.append(f"  by policy {judgement.policy.name} on {judgement.today}")
    if judgement.chosen is not None and judgement.chosen.issuer:
        lines.append(f"  {_rests_on(judgement.chosen)}")
    lines += [f"  {say(remark)}" for remark in judgement.remarks]
    lines += [] if judgement.lasts is None else [f"  {say(judgement.lasts)}"]
    lines += [] if savings is None else _savings(savings)
    lines += _checklist(judgement)
    lines += _others(judgement)
    for place, finding in enumerate(judgement.clauses):
        lines += [*([] if place else ["", "Reasons"]), *_clause(finding, cited)]
    if cited:
        lines += ["", "Cited (`cellvow bundle STATEMENT` makes the proof of each)"]
        lines += [f"  [{number}] {statement} message {index}" for (statement, index), number in cited.items()]
    return lines


def say(sentence: "Sentence") -> str:
    """A sentence in English."""
    parameters = {name: _parameter(name, value, sentence) for name, value in sentence.parameters}
    value = dict(sentence.parameters).get("value")
    is_dated = isinstance(value, str) and _DAY.fullmatch(value) is not None
    template = _DATED.get(sentence.key) if is_dated else None
    return (template or SENTENCES[sentence.key]).format(**parameters)


def recomputed_document(verified: "Verified", recomputed: "RecomputedVerdict") -> dict[str, object]:
    """What was computed again, for `--json`."""
    message = recomputed.message
    return {
        "anchored": verified.anchored,
        "as_of": message.as_of,
        "attestation": verified.ordered.get("attestation"),
        "battery": message.battery,
        "organisation": verified.organisation,
        "policy": {"digest": message.policy, "name": recomputed.policy.name},
        "reference": message.reference,
        "statement": verified.statement_digest,
        "verdict": message.verdict,
    }


def describe_recomputed(verified: "Verified", recomputed: "RecomputedVerdict") -> "list[str | Table]":
    """What was computed again, in words."""
    from cellvow.core.contracts.policy import explain_evaluation

    message, count = recomputed.message, len(recomputed.evaluations)
    lines: list[str | Table] = [
        f"It recomputes: {VERDICTS[message.verdict].lower()} for {message.battery} on {message.as_of}.",
        f"  {verified.organisation_name} ({verified.organisation}) signed it as {message.reference}.",
        f"  policy {recomputed.policy.name}, {message.policy}; {count} attestations were judged.",
        "  That the cited statements say what is cited: `cellvow verify` their bundles.",
    ]
    if not verified.anchored:
        lines.append("  Anchored to nothing: without --trust nobody vouches for this ledger.")
    return lines if recomputed.chosen is None else [*lines, "", *explain_evaluation(recomputed.chosen)]


def _parameter(name: str, value: str | int, sentence: "Sentence") -> str:
    from cellvow.passport.acceptance import FACTS

    named = str(dict(sentence.parameters).get("fact", ""))
    if name == "fact":
        return re.split(r"[,;(]", FACTS[named].meaning)[0].strip()
    if name == "value" and isinstance(value, int):
        return amount(value, FACTS[named].unit or None)
    return str(value)


def _rests_on(candidate: "Candidate") -> str:
    return f"It rests on {candidate.reference} of {candidate.issuer}, tested on {candidate.tested_on}."


def _savings(savings: "Savings") -> list[str]:
    verb = {"avoids": "It avoids", "would_cost": "It would cost"}[savings.kind]
    assumed = savings.assumptions
    hours, hour = _span(savings.minutes, 60), _span(assumed.hour_cents, 100)
    said = [f"  {verb} a re-test of {hours} h, {_span(savings.cents, 100)} {assumed.currency}."]
    if assumed.is_ours:
        return [*said, f"  ({assumed.source}: --test-hours, --hourly-cost)"]
    return [*said, f"  (stated by you: {_span(assumed.test_minutes, 60)} h at {hour} {assumed.currency} an hour)"]


def _span(span: "Span", parts: int) -> str:
    low, high = (f"{number / parts:.2f}".rstrip("0").rstrip(".") for number in span)
    return low if low == high else f"{low} to {high}"


def _checklist(judgement: "Judgement") -> list[str]:
    """A line a clause, and under what is not met what would change that."""
    if not judgement.clauses:
        return []
    lines = ["", "Clauses"]
    for finding in judgement.clauses:
        lines.append(f"  {finding.state.upper():<8} {finding.name.replace('_', ' ')}")
        lines += [f"           - {say(change)}" for change in finding.changes]
    return lines


def _clause(finding: "ClauseFinding", cited: dict[tuple[str, str], int]) -> list[str]:
    basis = f" - {finding.basis}: {finding.citation}" if finding.basis else ""
    reasons = [f"    {_shortened(reason, cited)}" for reason in finding.reasons]
    return [f"  {finding.name.replace('_', ' ')}{basis}", *reasons]


def _shortened(reason: str, cited: dict[tuple[str, str], int]) -> str:
    return _CITED.sub(lambda found: f"[{cited.setdefault((found[1], found[2]), len(cited) + 1)}]", reason)


def _others(judgement: "Judgement") -> list[str]:
    others = [one for one in judgement.candidates if one is not judgement.chosen and one.issuer]
    if not others:
        return []
    lines = ["", "Other attestations"]
    for one in others:
        missed = [f"missed {name}" for name in one.clauses_that_are(value=False)]
        unknown = [f"unknown {name}" for name in one.clauses_that_are(value=None)]
        why = f" ({', '.join([*missed, *unknown])})" if missed or unknown else ""
        lines.append(f"  {one.reference} of {one.issuer}: {VERDICTS[one.word].lower()}{why}")
    return lines
