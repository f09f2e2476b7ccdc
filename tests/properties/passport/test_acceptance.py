"""Verdicts: hiding only makes them unsure, strangers to the policy change nothing, and every reason recomputes."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, Phase, assume, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample

from cellvow.core.contracts.policy import Policy, verify_evaluation
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import VerificationError
from cellvow.passport.acceptance import Judgement, judge, make_verdict_field, reference_of, verify_verdict
from cellvow.passport.acceptance.reading import read_battery, read_test
from cellvow.passport.view import Attested, Audience, Passport, Scope
from tests.properties.passport.judging import TODAY, attestations, owners_views, policies, readers, withhold

pytestmark = pytest.mark.slow
Reader = tuple[Audience, frozenset[Scope]]
calm = settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])


def message_of(judgement: Judgement) -> dict[str, Json]:
    """The message that records a judgement."""
    named = reference_of(judgement.chosen)
    message: dict[str, Json] = {
        "type": "RecordVerdict",
        "battery": judgement.battery,
        "reference": "V-1",
        "policy": judgement.policy_digest,
        "as_of": judgement.today,
        "verdict": judgement.verdict,
        "results": [{"quantity": "evaluation", "commitment": "00" * 32}],
    }
    if named is not None:
        message["attestation"] = {"organisation": named.organisation, "reference": named.reference}
    return message


@calm
@given(owners_views(), policies(), readers)
def test_what_is_withheld_only_makes_a_verdict_unsure(passport: Passport, policy: Policy, reader: Reader) -> None:
    """A stranger's accept or re-test is the owner's too; never does a gap turn one into the other."""
    whole = judge(passport, policy, today=TODAY).verdict
    hidden = judge(withhold(passport, *reader), policy, today=TODAY).verdict

    assert hidden in ("cannot_tell", whole)


def test_control_a_view_that_says_nothing_of_hidden_tests_would_be_found_out() -> None:
    """Were non-certificates dropped without a trace, a stranger would be told re-test where the owner accepts."""

    def is_deceived(drawn: tuple[Passport, Policy]) -> bool:
        passport, policy = drawn
        dropped = replace(passport, attestations=tuple(one for one in passport.attestations if one.is_certificate))
        verdicts = judge(passport, policy, today=TODAY).verdict, judge(dropped, policy, today=TODAY).verdict
        return verdicts == ("accept", "re_test")

    searching = settings(max_examples=2_000, phases=[Phase.generate], database=None, derandomize=True)
    try:
        found = find(st.tuples(owners_views(), policies()), is_deceived, settings=searching)
    except NoSuchExample:
        found = None

    assert found is not None


@calm
@given(owners_views(), policies(), attestations())
def test_another_attestation_changes_nothing_about_the_one_named(
    passport: Passport, policy: Policy, other: Attested
) -> None:
    """Unless it declares a health, which a policy may compare with what was measured."""
    assume(passport.attestations and other.evidence_class != "declared")
    named = passport.attestations[0]
    assume(other.reference not in [one.reference for one in passport.attestations])
    wanted = (named.source.organisation, named.reference)
    alone = judge(passport, policy, today=TODAY, attestation=wanted)
    joined = replace(passport, attestations=(*passport.attestations, other))

    assert alone == judge(joined, policy, today=TODAY, attestation=wanted)


@calm
@given(owners_views(), policies(), attestations())
def test_one_more_attestation_never_makes_an_accept_a_re_test(
    passport: Passport, policy: Policy, other: Attested
) -> None:
    """A verdict rests on the best there is; what accepts alone accepts in company."""
    assume(other.evidence_class != "declared")
    assume(other.reference not in [one.reference for one in passport.attestations])
    before = judge(passport, policy, today=TODAY).verdict
    after = judge(replace(passport, attestations=(*passport.attestations, other)), policy, today=TODAY).verdict
    ranks = ("re_test", "cannot_tell", "accept")

    assert ranks.index(after) >= ranks.index(before)


@calm
@given(owners_views(), policies(), readers)
def test_every_explanation_recomputes(passport: Passport, policy: Policy, reader: Reader) -> None:
    """Of each candidate by itself, and of the whole from what is committed to."""
    for view in (passport, withhold(passport, *reader)):
        judgement = judge(view, policy, today=TODAY)
        for candidate in judgement.candidates:
            assert candidate.evaluation.verdict is verify_evaluation(judgement.policy, candidate.evaluation)
        field = make_verdict_field(judgement)
        recomputed = verify_verdict(parse_object(encode_document(message_of(judgement))), field)

        assert judgement.verdict == recomputed.message.verdict
        if judgement.chosen is not None and judgement.chosen.issuer:
            assert judgement.chosen.evaluation == recomputed.chosen


@calm
@given(owners_views(), policies(), st.data())
def test_a_lie_about_a_recorded_verdict_is_found(passport: Passport, policy: Policy, data: st.DataObject) -> None:
    """Another word, policy, day, battery or attestation than the reasons give is refused."""
    judgement = judge(passport, policy, today=TODAY)
    message, field = message_of(judgement), make_verdict_field(judgement)
    lies: dict[str, Json] = {
        "verdict": data.draw(st.sampled_from(sorted({"accept", "re_test", "cannot_tell"} - {judgement.verdict}))),
        "policy": "ab" * 32,
        "as_of": "2026-11-23",
        "battery": "01/09506000134376/21/OTHER",
        "attestation": {"organisation": "nobody", "reference": "T-0"},
    }
    name = data.draw(st.sampled_from(sorted(lies)))

    with pytest.raises(VerificationError):
        verify_verdict(message | {name: lies[name]}, field)


@calm
@given(owners_views(), policies())
def test_an_accept_lasts_exactly_as_long_as_it_says(passport: Passport, policy: Policy) -> None:
    """On the last day the same attestation is still accepted, on the next it is not."""
    judgement = judge(passport, policy, today=TODAY)
    assume(judgement.lasts is not None and judgement.lasts.key == "lasts.until" and judgement.chosen is not None)
    assert judgement.lasts is not None
    assert judgement.chosen is not None
    last = str(dict(judgement.lasts.parameters)["day"])
    wanted = (judgement.chosen.issuer, judgement.chosen.reference)
    year, month, day = (int(part) for part in last.split("-"))
    following = f"{year:04}-{month:02}-{day + 1:02}" if day < 28 else None

    assert "accept" == judge(passport, policy, today=last, attestation=wanted).verdict
    assert following is None or judge(passport, policy, today=following, attestation=wanted).verdict != "accept"


@calm
@given(owners_views(), readers)
def test_a_reader_knows_nothing_that_the_owner_does_not(passport: Passport, reader: Reader) -> None:
    """Every value among a reader's facts is among the owner's, and a list he is given is whole."""
    hidden = withhold(passport, *reader)
    for test in hidden.attestations:
        own = next(one for one in passport.attestations if one.reference == test.reference)
        theirs = read_test(passport, read_battery(passport, TODAY), own, TODAY).facts
        known = read_test(hidden, read_battery(hidden, TODAY), test, TODAY).facts
        for name, stated in known.items():
            if all(one.value is None for one in stated):
                continue  # withheld as a whole: then not even how many there are is told
            assert len(stated) == len(theirs[name]), name
            for one, whole in zip(stated, theirs[name], strict=True):
                assert one.value is None or one == whole, name
