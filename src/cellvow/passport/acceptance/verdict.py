"""Accept, re-test or cannot tell: a policy judged on every attestation that could carry it, with all its reasons."""

import dataclasses
from collections.abc import Sequence

from cellvow.core.contracts.acceptance import ACCEPT, CANNOT_TELL, RE_TEST
from cellvow.core.contracts.policy import (
    Evaluation,
    Policy,
    Stated,
    Verdict,
    evaluate_policy,
    explain_evaluation,
    policy_digest,
)
from cellvow.core.contracts.policy.calendar import DAY_MAX, parse_day, render_day
from cellvow.core.contracts.policy.evaluation import Step
from cellvow.core.contracts.policy.language import derive_cost
from cellvow.core.primitives.errors import Malformed
from cellvow.passport.acceptance.change import Sentence, facts_in, find_changes, say
from cellvow.passport.acceptance.facts import require_known_facts
from cellvow.passport.acceptance.reading import (
    BEYOND,
    WITHHELD,
    Known,
    derive_state_on,
    is_day,
    read_battery,
    read_test,
    read_unseen,
)
from cellvow.passport.view import Attested, Passport

CANDIDATES_MAX = 64
"""Attestations judged, certificates and the latest tests first; what lies beyond counts as not seen."""
HORIZON_DAYS = 1_826
"""How far ahead an accept is followed: five years."""
LOOKAHEAD_OPERATIONS_MAX = 200_000
"""Operations spent on following it; a costly policy is followed less far."""
_WORDS = {Verdict.MET: ACCEPT, Verdict.NOT_MET: RE_TEST, Verdict.CANNOT_TELL: CANNOT_TELL}
STATES = {True: "met", False: "missed", None: "unknown"}


@dataclasses.dataclass(frozen=True, slots=True)
class Candidate:
    """What the policy says of one attestation; without `issuer` it stands for those the reader is not shown."""

    issuer: str
    reference: str
    tested_on: str
    evaluation: Evaluation

    @property
    def word(self) -> str:
        """accept, re_test or cannot_tell, were it the only one."""
        return derive_word(self.evaluation, is_seen=bool(self.issuer))

    def clauses_that_are(self, value: bool | None) -> tuple[str, ...]:
        """The names of the clauses that are met (True), missed (False) or unknown (None)."""
        return tuple(step.text.split(" ")[1] for step in self.evaluation.clauses if step.value is value)


@dataclasses.dataclass(frozen=True, slots=True)
class ClauseFinding:
    """One clause of the chosen attestation: met, missed or unknown; why, from which statements, and what changes it."""

    name: str
    state: str
    basis: str
    citation: str
    reasons: tuple[str, ...]
    sources: tuple[tuple[str, int], ...]
    changes: tuple[Sentence, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Judgement:
    """The verdict (accept, re_test, cannot_tell) of a policy on a day, and the attestation it rests on.

    `chosen` is None where the battery has no attestation; `lasts` says how long an accept holds.
    """

    battery: str
    policy: Policy
    policy_digest: str
    today: str
    verdict: str
    candidates: tuple[Candidate, ...]
    chosen: Candidate | None
    clauses: tuple[ClauseFinding, ...]
    remarks: tuple[Sentence, ...]
    lasts: Sentence | None


@dataclasses.dataclass(frozen=True, slots=True)
class _Trial:
    """A candidate with the facts it was judged on; `test` is None where it stands for what is not shown."""

    candidate: Candidate
    known: Known
    test: Attested | None


def judge(passport: Passport, policy: Policy, *, today: str, attestation: tuple[str, str] | None = None) -> Judgement:
    """The verdict of a policy on a battery, as far as the passport's reader may see it.

    `today` is the day of the verdict; `attestation` (issuer, reference) has it rest on that one alone. Accept if one
    attestation meets the policy, cannot tell if none does and one might, else re-test. Raises `Malformed` for a day
    or an attestation that does not exist, `PolicyError` where the policy asks for a fact that does not.
    """
    if not is_day(today):
        raise Malformed(f"{today[:20]!r} is not a day: write YYYY-MM-DD")
    policy = require_known_facts(policy)
    trials = _trials(passport, policy, today, attestation)
    verdict = derive_verdict([trial.candidate.word for trial in trials])
    chosen = _choose(trials, verdict)
    return Judgement(
        battery=passport.battery,
        policy=policy,
        policy_digest=policy_digest(policy).hex(),
        today=today,
        verdict=verdict,
        candidates=tuple(trial.candidate for trial in trials),
        chosen=None if chosen is None else chosen.candidate,
        clauses=() if chosen is None else _findings(policy, chosen),
        remarks=_remarks(passport, trials, chosen),
        lasts=_lasts(policy, chosen, today) if verdict == ACCEPT and chosen is not None else None,
    )


def derive_word(evaluation: Evaluation, *, is_seen: bool) -> str:
    """accept, re_test or cannot_tell for one attestation; one that is not seen may not exist, and is never accepted."""
    word = _WORDS[evaluation.verdict]
    return CANNOT_TELL if word == ACCEPT and not is_seen else word


def derive_verdict(words: Sequence[str]) -> str:
    """The verdict of all attestations: the best there is."""
    return next((word for word in (ACCEPT, CANNOT_TELL) if word in words), RE_TEST)


def _trials(passport: Passport, policy: Policy, today: str, wanted: tuple[str, str] | None) -> list[_Trial]:
    shared = read_battery(passport, today)
    seen = sorted(passport.attestations, key=lambda one: (one.is_certificate, one.tested_until_ms), reverse=True)
    if wanted is not None:
        seen = [one for one in seen if (one.source.organisation, one.reference) == wanted]
        if not seen and passport.shows_health:
            raise Malformed(f"{'/'.join(wanted)[:80]!r} is no attestation of this battery")
    trials = []
    for test in seen[:CANDIDATES_MAX]:
        known = read_test(passport, shared, test, today)
        candidate = Candidate(
            test.source.organisation,
            test.reference,
            str(known.facts["tested_on"][0].value),
            evaluate_policy(policy, known.facts),
        )
        trials.append(_Trial(candidate, known, test))
    if not passport.shows_health and (wanted is None or not seen):
        trials.append(_unseen(policy, shared, WITHHELD, is_certificate=False))
    if len(seen) > CANDIDATES_MAX:
        trials.append(_unseen(policy, shared, BEYOND, is_certificate=None))
    return trials


def _unseen(policy: Policy, shared: Known, reason: str, *, is_certificate: bool | None) -> _Trial:
    known = read_unseen(shared, reason, is_certificate=is_certificate)
    return _Trial(Candidate("", "", "", evaluate_policy(policy, known.facts)), known, None)


def _choose(trials: Sequence[_Trial], verdict: str) -> _Trial | None:
    """The one the verdict rests on: of those that say the same, the one that lacks least, then the latest test."""
    agreeing = [trial for trial in trials if trial.candidate.word == verdict]

    def lacking(trial: _Trial) -> tuple[int, int]:
        values = [step.value for step in trial.candidate.evaluation.clauses]
        return values.count(False), values.count(None)

    shown = [trial for trial in agreeing if trial.test is not None]
    return min(shown or agreeing, key=lacking, default=None)


def _findings(policy: Policy, trial: _Trial) -> tuple[ClauseFinding, ...]:
    evaluation = trial.candidate.evaluation
    found = []
    for clause, step in zip(policy.clauses, evaluation.clauses, strict=True):
        lines = explain_evaluation(dataclasses.replace(evaluation, clauses=(step,)))[2:]
        found.append(
            ClauseFinding(
                name=clause.name,
                state=_state(step),
                basis=clause.basis,
                citation=clause.citation,
                reasons=tuple(_reason(line, trial.known) for line in lines),
                sources=_sources(step),
                changes=find_changes(policy, clause, trial.known),
            )
        )
    return tuple(found)


def _state(step: Step) -> str:
    return "unknown" if step.value is None else STATES[bool(step.value)]


def _reason(line: str, known: Known) -> str:
    """The line without its indent, with the true reason for what is not there, and nobody named as its source."""
    name = line.strip().removeprefix("unknown: ").removesuffix(" (not recorded)")
    reason = known.absent.get(name, "not recorded")
    spoken = line[4:].replace("(not recorded)", f"({reason})")
    return spoken.replace(", from whoever asks (", " (") if "unknown: " in spoken else spoken


def _sources(step: Step) -> tuple[tuple[str, int], ...]:
    own = [(one.provenance.statement, one.provenance.index) for one in step.sources or () if one.provenance is not None]
    return tuple(dict.fromkeys([*own, *(source for part in step.parts for source in _sources(part))]))


def _remarks(passport: Passport, trials: Sequence[_Trial], chosen: _Trial | None) -> tuple[Sentence, ...]:
    found = []
    if chosen is None:
        found.append(say("remark.no_attestation"))
    elif chosen.test is None:
        found.append(say("remark.unseen"))
    if any(trial.test is None and trial is not chosen for trial in trials):
        found.append(say("remark.some_unseen"))
    if passport.is_simulated:
        found.append(say("remark.simulated"))
    if chosen is not None and chosen.test is not None and not passport.anchoring.witnesses:
        found.append(say("remark.unwitnessed"))
    return tuple(found)


def _lasts(policy: Policy, chosen: _Trial, today: str) -> Sentence | None:
    """The last day on which the chosen attestation is still accepted, were nothing else to change."""
    changing = [clause for clause in policy.clauses if {"today", "attestation_state"} & {*facts_in(clause.condition)}]
    first = parse_day(today)
    if not changing or first is None or chosen.test is None:
        return say("lasts.no_end")
    reduced = dataclasses.replace(policy, clauses=tuple(changing))
    cost = sum(derive_cost(clause.condition, policy.facts) for clause in changing)
    days = min(HORIZON_DAYS, LOOKAHEAD_OPERATIONS_MAX // cost, DAY_MAX - first)
    for number in range(1, days + 1):
        if not _is_met_on(reduced, chosen.known, chosen.test, render_day(first + number)):
            return say("lasts.until", day=render_day(first + number - 1))
    return say("lasts.at_least", day=render_day(first + days))


def _is_met_on(policy: Policy, known: Known, test: Attested, day: str) -> bool:
    state = dataclasses.replace(known.facts["attestation_state"][0], value=derive_state_on(test, day))
    facts = known.facts | {"today": (Stated(day),), "attestation_state": (state,)}
    return evaluate_policy(policy, facts).verdict is Verdict.MET
