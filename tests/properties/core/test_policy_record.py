"""An evaluation as data: the facts and the verdict, from which every other line is computed again."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cellvow.core.contracts.policy import (
    EVALUATION_BYTES_MAX,
    Policy,
    Stated,
    decode_evaluation,
    encode_evaluation,
    evaluate_policy,
    parse_policy,
)
from cellvow.core.primitives.encoding import encode_document, parse_object
from cellvow.core.primitives.errors import Malformed, VerificationError
from tests.properties.core.policies import policies, sound_facts, wild_facts
from tests.properties.core.strategies import mutations

calm = settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
POLICY = parse_policy("policy p facts n: integer clause c: n > 3")
OTHER = parse_policy("policy p facts n: integer clause c: n > 4")


@pytest.mark.slow
@calm
@given(policies(), sound_facts())
def test_an_evaluation_comes_back_whole(policy: Policy, facts: dict[str, tuple[Stated, ...]]) -> None:
    """Every step of it, though only what it cites is kept."""
    evaluation = evaluate_policy(policy, facts)

    assert evaluation == decode_evaluation(policy, encode_evaluation(policy, evaluation))


@pytest.mark.slow
@calm
@given(policies(), wild_facts)
def test_facts_of_every_sort_are_kept_or_refused(policy: Policy, facts: dict[str, tuple[Stated, ...]]) -> None:
    """What the one form of documents cannot express is `Malformed`; the rest comes back."""
    evaluation = evaluate_policy(policy, facts)
    try:
        encoded = encode_evaluation(policy, evaluation)
    except Malformed:
        return

    assert evaluation == decode_evaluation(policy, encoded)


@pytest.mark.slow
@calm
@given(mutations(st.just(encode_evaluation(POLICY, evaluate_policy(POLICY, {"n": [Stated(4)]})))))
def test_other_bytes_are_refused_or_another_evaluation(encoded: bytes) -> None:
    """Nothing but `Malformed` and `VerificationError` is raised, and what is read is what the policy says."""
    try:
        evaluation = decode_evaluation(POLICY, encoded)
    except (Malformed, VerificationError):
        return

    assert encoded == encode_evaluation(POLICY, evaluation)


def test_a_false_verdict_and_a_foreign_policy_are_lies() -> None:
    """The verdict is computed from the facts, never taken from the bytes."""
    encoded = encode_evaluation(POLICY, evaluate_policy(POLICY, {"n": [Stated(3)]}))
    with pytest.raises(VerificationError, match="says 'not met'"):
        decode_evaluation(POLICY, encoded.replace(b'"not met"', b'"met"'))
    with pytest.raises(VerificationError, match="another policy"):
        decode_evaluation(OTHER, encoded)


def test_facts_that_nobody_asked_for_are_refused() -> None:
    """So that one evaluation has one form."""
    document = parse_object(encode_evaluation(POLICY, evaluate_policy(POLICY, {"n": [Stated(3)]})))
    padded = encode_document(document | {"facts": {"n": [{"value": 3}], "m": [{"value": 1}]}})

    with pytest.raises(VerificationError, match="does not look at"):
        decode_evaluation(POLICY, padded)


def test_an_evaluation_past_the_bound_is_not_encoded() -> None:
    """256 words of 64 characters, each with its statement, are too much; a few are not."""
    policy = parse_policy("policy p facts l: list of at most 256 word clause c: count(l) > 0")
    words = [Stated("w" * 64, missing="m" * 60) for _ in range(256)]

    with pytest.raises(Malformed, match=str(EVALUATION_BYTES_MAX)):
        encode_evaluation(policy, evaluate_policy(policy, {"l": words}))
    assert encode_evaluation(policy, evaluate_policy(policy, {"l": words[:9]}))
