"""Accept, re-test or cannot tell: the facts a policy may ask for, the verdict, and what would change it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from cellvow.core.contracts.policy import PolicyError
from cellvow.core.contracts.policy.language import NAME_PATTERN
from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.passport.acceptance import (
    FACTS,
    NAMES,
    Judgement,
    Span,
    derive_savings,
    judge,
    judgement_document,
    load_assumptions,
    load_ready_policy,
    make_verdict_field,
    parse_acceptance_policy,
    verify_verdict,
)
from cellvow.passport.acceptance.reading import derive_state_on
from cellvow.passport.acceptance.verdict import CANDIDATES_MAX
from cellvow.passport.view import LifeStep, Passport
from tests.properties.passport.judging import declare
from tests.unit.web import samples

TODAY = "2026-11-24"
IMPORT = load_ready_policy("import_market_surveillance").policy


def judged(*conditions: str, passport: Passport = samples.OWNER, today: str = TODAY) -> Judgement:
    """The verdict of these conditions, by the newest certificate with values alone."""
    return judge(passport, parse_acceptance_policy(declare(*conditions)), today=today, attestation=("cellab", "TEST-1"))


def changes(*conditions: str, passport: Passport = samples.OWNER) -> list[tuple[str, dict[str, str | int]]]:
    """What would change the first clause."""
    found = judged(*conditions, passport=passport).clauses[0].changes
    return [(sentence.key, dict(sentence.parameters)) for sentence in found]


# Facts


@pytest.mark.parametrize(
    ("wrong", "right", "complaint"),
    [
        ("tested_at: date", "tested_on", "there is no fact 'tested_at'; did you mean 'tested_on'?"),
        ("tested_on: integer", "tested_on", "'tested_on' is of type date, not integer"),
        ("quantities: word", "quantities", "'quantities' is a list"),
        ("status: list of at most 4 word", "status", "'status' is one value, no list"),
        ('status: one of "original", "wsate"', "status", "'wsate' is no word of 'status'"),
    ],
)
def test_a_fact_that_does_not_exist_so_is_pointed_at(wrong: str, right: str, complaint: str) -> None:
    """Line, column and caret stand at its declaration, and the nearest name is suggested."""
    text = f"policy p\nfacts\n  today: date\n  {wrong}\nclause c: today > 2026-01-01\n"
    with pytest.raises(PolicyError) as refusal:
        parse_acceptance_policy(text)

    assert complaint in refusal.value.complaint
    assert (4, 3) == (refusal.value.line, refusal.value.column)
    assert right in FACTS


def test_a_word_that_a_fact_can_never_have_is_pointed_at() -> None:
    """A misspelt status would otherwise be a clause that is never met, or always."""
    text = 'policy p\nfacts\n  status: word\nclause c: status != "wsate"\n'
    with pytest.raises(PolicyError, match="share no word") as refusal:
        parse_acceptance_policy(text)

    assert 4 == refusal.value.line


@pytest.mark.parametrize("text", ["", "policy p", "policy p facts today: date clause c: today > 5"])
def test_what_is_no_policy_is_refused_where_it_goes_wrong(text: str) -> None:
    """The language's own errors come through."""
    with pytest.raises(PolicyError):
        parse_acceptance_policy(text)


def test_every_fact_has_a_name_that_a_policy_can_write() -> None:
    """The names of measured facts are made of quantity and unit: they must not grow too long."""
    for name in FACTS:
        text = declare(f"count({name}) > 0") if FACTS[name].form == "list" else None
        assert re.fullmatch(NAME_PATTERN, name), name
        assert text is None or name in parse_acceptance_policy(text).facts


# The verdict


def test_the_owner_is_told_to_accept_and_how_long_that_holds() -> None:
    """The certificate with values carries it; the others are named with what they lack."""
    judgement = judge(samples.OWNER, IMPORT, today=TODAY)
    missed = {one.reference: one.clauses_that_are(value=False) for one in judgement.candidates}

    assert ("accept", "TEST-1") == (judgement.verdict, judgement.chosen and judgement.chosen.reference)
    assert judgement.lasts is not None
    assert ("lasts.until", (("day", "2027-11-04"),)) == (judgement.lasts.key, judgement.lasts.parameters)
    assert ("measured",) == missed["TEST-2"]
    assert ("accredited", "measured", "fresh") == missed["DECLARED-1"]


def test_a_stranger_cannot_tell_and_is_told_whom_to_ask() -> None:
    """What is withheld is unknown, never false, and the owner's link is what would change it."""
    judgement = judge(samples.STRANGER, IMPORT, today=TODAY)
    unknown = [finding for finding in judgement.clauses if finding.state == "unknown"]

    assert "cannot_tell" == judgement.verdict
    assert ["declaration_fits", "history_complete", "undisturbed"] == [finding.name for finding in unknown]
    assert all(finding.changes[0].key == "change.withheld" for finding in unknown)
    assert all("(withheld: ask the owner for a link)" in finding.reasons[-1] for finding in unknown)


def test_a_battery_without_any_attestation_is_tested_again() -> None:
    """Nothing can be taken over; for a stranger there may be something he is not shown."""
    newborn = replace(samples.OWNER, attestations=())
    judgement = judge(newborn, IMPORT, today=TODAY)

    assert ("re_test", None) == (judgement.verdict, judgement.chosen)
    assert ["remark.no_attestation"] == [remark.key for remark in judgement.remarks]
    policy = parse_acceptance_policy(declare('evidence_class = "measured"'))
    stranger = replace(samples.STRANGER, attestations=())
    assert "cannot_tell" == judge(stranger, policy, today=TODAY).verdict


def test_nobody_accepts_a_test_that_he_is_not_shown() -> None:
    """Even where the policy asks nothing of it: it may not exist."""
    policy = parse_acceptance_policy(declare('category = "ev"'))
    stranger = replace(samples.STRANGER, attestations=())

    assert "cannot_tell" == judge(stranger, policy, today=TODAY).verdict


def test_validity_ends_with_the_day_of_the_verdict_not_of_the_view() -> None:
    """The last day counts in full, the next does not; what was revoked stays so."""
    last = replace(samples.CERTIFICATE, valid_until_ms=samples.NOON_MS)

    assert "issued" == derive_state_on(last, "2026-11-24")
    assert "expired" == derive_state_on(last, "2026-11-25")
    assert "issued" == derive_state_on(replace(last, state="expired"), "2026-11-24")
    assert "revoked" == derive_state_on(replace(last, state="revoked"), "2026-11-24")


def test_events_before_the_test_and_its_own_issue_do_not_count_against_it() -> None:
    """Two hand-overs: one before the test, one after."""
    judgement = judged("handovers_since_test = 1", 'not any(events_since_test, it = "StatementCorrected")')

    assert "accept" == judgement.verdict
    assert ((samples.ACCEPTED.statement, 0),) == judgement.clauses[0].sources


def test_a_rival_cannot_spoil_a_test_by_talking_about_it() -> None:
    """What he declares, attests, withdraws or judges is no event of the battery, and no health of it."""
    rival = samples.source("rival", "Rival (invented)", 99)
    declared = replace(samples.DECLARATION, reference="FALSE-1", source=rival, measured=samples.DISCLOSED[3:4])
    noise = [LifeStep(event, (), rival) for event in ("AttestationRevoked", "StatementCorrected", "VerdictRecorded")]
    spoilt = replace(
        samples.OWNER,
        attestations=(*samples.OWNER.attestations, declared),
        life=(*samples.OWNER.life, *noise * 200),
    )

    assert "accept" == judge(spoilt, IMPORT, today=TODAY).verdict
    by_maker = replace(spoilt, life=(*samples.OWNER.life, replace(noise[1], source=samples.DECLARED)))
    late = replace(by_maker.life[-1].source, time_ms=samples.NOON_MS)
    spoilt = replace(by_maker, life=(*by_maker.life[:-1], replace(by_maker.life[-1], source=late)))
    assert "re_test" == judge(spoilt, IMPORT, today=TODAY).verdict


def test_a_certificate_is_looked_at_however_many_others_talk() -> None:
    """Many later attestations without accreditation do not push it out."""
    later = replace(samples.DECLARATION, tested_until_ms=samples.NOON_MS)
    many = tuple(replace(later, reference=f"D-{number}") for number in range(CANDIDATES_MAX))

    crowded = replace(samples.OWNER, attestations=(*many, *samples.OWNER.attestations))
    judgement = judge(crowded, parse_acceptance_policy(declare("is_certificate")), today=TODAY)
    assert "accept" == judgement.verdict


def test_too_many_attestations_are_said_to_be_too_many() -> None:
    """Beyond the bound nothing is looked at, so that nothing is said of the rest but to name one."""
    many = tuple(replace(samples.DECLARATION, reference=f"D-{number}") for number in range(CANDIDATES_MAX + 1))
    policy = parse_acceptance_policy(declare("is_certificate"))
    judgement = judge(replace(samples.OWNER, attestations=many), policy, today=TODAY)

    assert "cannot_tell" == judgement.verdict
    assert ["change.beyond"] == [change.key for change in judgement.clauses[0].changes]
    assert "re_test" == judge(replace(samples.OWNER, attestations=many[1:]), policy, today=TODAY).verdict


@pytest.mark.parametrize("today", ["2026-13-01", "24.11.2026", "", "0999-01-01", "2026-11-24 "])
def test_a_day_that_is_none_is_refused(today: str) -> None:
    """The asker's own mistake, and told so."""
    with pytest.raises(Malformed, match="is not a day"):
        judge(samples.OWNER, IMPORT, today=today)


def test_an_attestation_that_the_battery_does_not_have_is_refused() -> None:
    """To the owner, who sees all; a stranger only cannot tell."""
    with pytest.raises(Malformed, match="no attestation of this battery"):
        judge(samples.OWNER, IMPORT, today=TODAY, attestation=("cellab", "TEST-9"))
    stranger = judge(samples.STRANGER, IMPORT, today=TODAY, attestation=("cellab", "TEST-9"))
    assert ("re_test", ["remark.unseen"]) == (stranger.verdict, [one.key for one in stranger.remarks][:1])


@pytest.mark.slow
@pytest.mark.parametrize("name", samples.SAMPLES)
def test_every_view_that_a_page_is_designed_for_can_be_judged(name: str) -> None:
    """Hostile words and long names are reasons not to know, never a failure."""
    passport = samples.SAMPLES[name]
    if passport.identity:
        assert judge(passport, IMPORT, today=TODAY).verdict in ("accept", "re_test", "cannot_tell")


# What would change it


@pytest.mark.parametrize(
    ("condition", "key", "parameters"),
    [
        ("today - tested_on <= 10", "change.at_least", {"fact": "tested_on", "value": "2026-11-14"}),
        (
            "min(capacity_low_mah) * 100 >= rated_capacity_mah * 95",
            "change.at_least",
            {"fact": "capacity_low_mah", "value": 31_445},
        ),
        (
            "not any(capacity_mah, it >= 30000)",
            "change.at_most",
            {"fact": "capacity_mah", "value": 29_999},
        ),
        ("state_of_health_permille = 917", "change.exactly", {"fact": "state_of_health_permille", "value": 917}),
        ('evidence_class in {"declared", "estimated"}', "change.word", {"words": "declared, estimated"}),
        ('standard != "cellvow:dc-discharge"', "change.other_word", {"words": "cellvow:dc-discharge"}),
        ("not is_certificate", "change.word", {"fact": "is_certificate", "words": "false"}),
        ('any(quantities, it = "self_discharge")', "change.includes", {"words": "self_discharge"}),
        ('not any(events_since_test, it = "HandoverAccepted")', "change.none_of", {"words": "HandoverAccepted"}),
        ("handovers_since_test <= 0", "change.at_most", {"fact": "handovers_since_test", "value": 0}),
        ("rated_capacity_mah > 40000", "change.fixed", {"fact": "rated_capacity_mah"}),
        ("valid_until > 2030-01-01", "change.at_least", {"fact": "valid_until", "value": "2030-01-02"}),
        ("max(declared_state_of_health_permille) < 900", "change.fixed", {}),
        ("resistance_10s_c_rate_permille > 0", "change.not_stated", {}),
    ],
)
def test_what_is_needed_is_computed_from_the_comparison(
    condition: str, key: str, parameters: dict[str, str | int]
) -> None:
    """The nearest value of what a new test can state, or what no test can change."""
    found = changes(condition)

    assert [key] == [found_key for found_key, _ in found]
    assert parameters.items() <= found[0][1].items()


def test_of_several_ways_it_is_said_that_one_is_enough() -> None:
    """An `or` that is missed lists its ways after how many they are."""
    found = changes('edition = "2" or today - tested_on <= 10')

    assert ["change.one_of", "change.word", "change.at_least"] == [key for key, _ in found]
    assert {"count": 2} == found[0][1]


def test_a_value_that_its_issuer_keeps_is_asked_of_the_issuer() -> None:
    """The owner has the link already: only the laboratory can show him more."""
    hidden = replace(samples.OWNER, attestations=(samples.CERTIFICATE,))

    assert [("change.not_shown", {"fact": "capacity_mah"})] == changes(
        "any(capacity_mah, it >= 30000)", passport=hidden
    )


# Savings


def test_hours_and_money_are_ranges_under_assumptions_that_stand_beside_them() -> None:
    """Low times low to high times high; changed figures are the asker's, and said to be."""
    ours = derive_savings("accept", load_assumptions())
    theirs = derive_savings("re_test", load_assumptions().changed(Span(450, 450), Span(3_333, 3_333)))

    assert ours is not None
    assert ("avoids", Span(360, 600), Span(24_000, 120_000)) == (ours.kind, ours.minutes, ours.cents)
    assert "our assumption" in ours.assumptions.source
    assert theirs is not None
    assert ("would_cost", Span(24_997, 24_998), False) == (theirs.kind, theirs.cents, theirs.assumptions.is_ours)
    assert derive_savings("cannot_tell", load_assumptions()) is None


@pytest.mark.parametrize("minutes", [Span(0, 10), Span(10, 9), Span(1, 60_001)])
def test_a_duration_that_is_none_is_refused(minutes: Span) -> None:
    """At the bound it is taken."""
    with pytest.raises(Malformed):
        load_assumptions().changed(minutes, None)
    assert not load_assumptions().changed(Span(1, 60_000), Span(0, 100_000_000)).is_ours


# Ready policies


@pytest.mark.parametrize("name", NAMES)
def test_a_ready_policy_says_of_each_clause_what_it_rests_on(name: str) -> None:
    """Law is cited sparingly and by its number; what is ours says so."""
    ready = load_ready_policy(name)
    bases = [clause.basis for clause in ready.policy.clauses]

    assert name == ready.policy.name
    assert all(bases)
    assert bases.count("assumption") > len(bases) // 2
    assert all("(EU) 2023/1542" in clause.citation for clause in ready.policy.clauses if clause.basis == "law")
    assert all(clause.citation.startswith("ours") for clause in ready.policy.clauses if clause.basis == "assumption")
    assert all(source.confidence for source in ready.sources)


def test_an_unknown_policy_is_refused_with_those_there_are() -> None:
    """A name is no path: nothing else is opened."""
    with pytest.raises(Malformed, match="second_life_intake"):
        load_ready_policy("../record")


# What is recorded


def test_a_re_test_passed_off_as_an_accept_is_found() -> None:
    """The reasons are computed again; the statement's word is not believed."""
    judgement = judge(samples.OWNER, IMPORT, today="2028-11-24")
    message: dict[str, Json] = {
        "type": "RecordVerdict",
        "battery": judgement.battery,
        "reference": "V-1",
        "policy": judgement.policy_digest,
        "as_of": judgement.today,
        "verdict": "accept",
        "attestation": {"organisation": "cellab", "reference": "TEST-1"},
        "results": [{"quantity": "evaluation", "commitment": "00" * 32}],
    }

    with pytest.raises(VerificationError, match="the policy says re_test, the statement accept"):
        verify_verdict(message, make_verdict_field(judgement))
    assert "re_test" == verify_verdict(message | {"verdict": "re_test"}, make_verdict_field(judgement)).message.verdict


@pytest.mark.parametrize("field", [None, 5, {}, {"quantity": "evaluation"}, []])
def test_a_disclosure_of_another_form_proves_nothing(field: Json) -> None:
    """It is evidence that does not hold, not a fault of ours."""
    with pytest.raises(VerificationError):
        verify_verdict({"type": "RecordVerdict"}, field)


@pytest.mark.slow
def test_reasons_too_large_to_be_shown_are_refused_before_anything_is_signed() -> None:
    """Many attestations: the way out is named."""
    many = tuple(replace(samples.DECLARATION, reference=f"D-{number}") for number in range(40))
    judgement = judge(replace(samples.OWNER, attestations=many), IMPORT, today=TODAY)

    with pytest.raises(Malformed, match="--attestation"):
        make_verdict_field(judgement)


def test_the_document_of_a_judgement_holds_everything() -> None:
    """What pages and scripts read: words, keys with parameters, citations."""
    judgement = judge(samples.STRANGER, IMPORT, today=TODAY)
    document = judgement_document(judgement, derive_savings("re_test", load_assumptions()))

    assert [{"key": "remark.some_unseen", "parameters": {}}] == document["remarks"]
    assert {"organisation": "cellab", "reference": "TEST-1", "tested_on": "2026-11-04"} == document["rests_on"]
    assert isinstance(document["clauses"], list)
    assert [finding.name for finding in judgement.clauses] == [one["name"] for one in document["clauses"]]
