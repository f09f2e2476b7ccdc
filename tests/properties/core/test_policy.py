"""Policies: one text, one encoding, one verdict, by a logic that never takes the unknown for false."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from cellvow.core.contracts.policy import (
    Evaluation,
    Policy,
    PolicyError,
    Stated,
    Verdict,
    decode_policy,
    encode_policy,
    evaluate_policy,
    explain_evaluation,
    parse_policy,
    render_policy,
    verify_evaluation,
)
from cellvow.core.contracts.policy.calendar import DAY_MAX, DAY_MIN, parse_day, render_day
from cellvow.core.contracts.policy.language import OPERATIONS_MAX, derive_cost
from cellvow.core.primitives.errors import Malformed, VerificationError
from tests.properties.core.policies import (
    Reference,
    policies,
    read_values,
    sound_facts,
    wild_facts,
)
from tests.properties.core.strategies import mutations

TRUTH = {Verdict.MET: True, Verdict.NOT_MET: False, Verdict.CANNOT_TELL: None}
Recorded = dict[str, tuple[Stated, ...]]


@st.composite
def facts_and_gaps(draw: st.DrawFn) -> tuple[Recorded, Recorded]:
    """Sound facts, and the same with some values, and some facts, missing."""
    whole = draw(sound_facts())
    kept = {name: stated for name, stated in whole.items() if draw(st.integers(0, 3))}
    gaps = {
        name: tuple(one if draw(st.booleans()) else replace(one, value=None, missing="withheld") for one in stated)
        for name, stated in kept.items()
    }
    return whole, gaps


def reference_verdict(policy: Policy, facts: Recorded, *, missing: bool | None = None) -> bool | None:
    """The verdict of the second evaluator."""
    return Reference(read_values(facts), missing).verdict(json.loads(encode_policy(policy)))


def reordered(data: st.DataObject, facts: Recorded) -> Recorded:
    """The same facts, names and values in another order."""
    names = data.draw(st.permutations(list(facts)))
    return {name: tuple(data.draw(st.permutations(facts[name]))) for name in names}


@pytest.mark.slow
@given(policies())
def test_text_and_data_say_the_same_policy(policy: Policy) -> None:
    """From text to data and back nothing is lost, and both have one spelling."""
    text, encoded = render_policy(policy), encode_policy(policy)

    assert parse_policy(text) == policy
    assert decode_policy(encoded) == policy
    assert render_policy(decode_policy(encoded)) == text


@pytest.mark.slow
@given(policies().flatmap(lambda policy: mutations(st.just(encode_policy(policy)))))
def test_mutated_data_is_refused_or_another_policy(encoded: bytes) -> None:
    """No bytes are read as a policy whose encoding they are not, and nothing but `Malformed` is raised."""
    try:
        policy = decode_policy(encoded)
    except Malformed:
        return

    assert encode_policy(policy) == encoded


@pytest.mark.slow
@given(policies().flatmap(lambda policy: mutations(st.just(render_policy(policy).encode()))))
def test_mutated_text_is_refused_at_a_place_in_it(mutated: bytes) -> None:
    """Whatever is wrong, the error points at a line and a column of the text."""
    text = mutated.decode("latin-1")
    try:
        parse_policy(text)
    except PolicyError as error:
        place = error.line, error.column
    else:
        return
    lines = text.split("\n")

    assert 1 <= place[0] <= len(lines)
    assert 1 <= place[1] <= len(lines[place[0] - 1]) + 1


@pytest.mark.slow
@given(policies(), facts_and_gaps())
def test_a_second_evaluator_gives_the_same_verdict(policy: Policy, facts: tuple[Recorded, Recorded]) -> None:
    """Written plainly over the data of the policy, with Python's own dates."""
    for recorded in facts:
        assert reference_verdict(policy, recorded) is TRUTH[evaluate_policy(policy, recorded).verdict]


@pytest.mark.slow
@given(policies(), facts_and_gaps())
def test_a_missing_fact_never_turns_a_verdict(policy: Policy, facts: tuple[Recorded, Recorded]) -> None:
    """With less known the verdict is the same or unknown."""
    whole, gaps = (evaluate_policy(policy, recorded).verdict for recorded in facts)

    assert gaps in (whole, Verdict.CANNOT_TELL)


@pytest.mark.slow
def test_control_two_valued_logic_turns_verdicts() -> None:
    """Control: an evaluator that takes the unknown for false is caught by both properties above."""
    cases = st.tuples(policies(), facts_and_gaps())

    def is_turned(case: tuple[Policy, tuple[Recorded, Recorded]]) -> bool:
        policy, (whole, gaps) = case
        return reference_verdict(policy, gaps, missing=False) is (not reference_verdict(policy, whole))

    def differs(case: tuple[Policy, tuple[Recorded, Recorded]]) -> bool:
        policy, (_, gaps) = case
        return reference_verdict(policy, gaps, missing=False) is not TRUTH[evaluate_policy(policy, gaps).verdict]

    unshrunk = settings(phases=(Phase.generate,), max_examples=3_000)

    assert find(cases, is_turned, settings=unshrunk)
    assert find(cases, differs, settings=unshrunk)


@pytest.mark.slow
@given(policies(), wild_facts, st.data())
def test_the_order_of_facts_changes_nothing(policy: Policy, facts: Recorded, data: st.DataObject) -> None:
    """Neither verdict nor explanation depends on the order of names or of values."""
    assert evaluate_policy(policy, facts) == evaluate_policy(policy, reordered(data, facts))


@pytest.mark.slow
@given(policies(), wild_facts)
def test_an_unrelated_fact_changes_nothing(policy: Policy, facts: Recorded) -> None:
    """A fact that the policy does not declare is not looked at."""
    related = {name: stated for name, stated in facts.items() if name != "unrelated"}
    more = related | {"unrelated": (Stated(1),)}

    assert evaluate_policy(policy, related) == evaluate_policy(policy, more)


@pytest.mark.slow
@given(policies(), wild_facts)
def test_every_policy_has_a_verdict_on_any_facts(policy: Policy, facts: Recorded) -> None:
    """Whatever is recorded: a verdict within the budget, an explanation, and one that recomputes to it."""
    evaluation = evaluate_policy(policy, facts)
    cost = sum(derive_cost(clause.condition, policy.facts) for clause in policy.clauses)

    assert evaluation.operations <= cost <= OPERATIONS_MAX
    assert verify_evaluation(policy, evaluation) is evaluation.verdict
    assert explain_evaluation(evaluation)[0] == f"{evaluation.verdict.value}: policy drawn"


@pytest.mark.slow
@given(policies(), wild_facts, st.sampled_from(Verdict))
def test_control_a_changed_explanation_is_refused(policy: Policy, facts: Recorded, verdict: Verdict) -> None:
    """Control: another verdict, a turned clause or a fact left out does not recompute."""
    sound = evaluate_policy(policy, facts)
    first = sound.clauses[0]
    turned = replace(first, value=None if first.value else True)
    forged: list[Evaluation] = [replace(sound, verdict=verdict)] if verdict is not sound.verdict else []
    forged += [replace(sound, clauses=(turned, *sound.clauses[1:])), replace(sound, clauses=sound.clauses[1:])]
    for evaluation in forged:
        with pytest.raises(VerificationError):
            verify_evaluation(policy, evaluation)


@given(st.integers(DAY_MIN, DAY_MAX))
def test_days_and_dates_are_the_same(day: int) -> None:
    """Every day has one date, and the date is that day's."""
    assert parse_day(render_day(day)) == day
