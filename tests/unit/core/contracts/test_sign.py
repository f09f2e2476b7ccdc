"""Signs of tampering that certificates show together: counters that go backwards, health that rises by itself."""

from __future__ import annotations

from dataclasses import replace as replace_genesis

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from cellvow.core.contracts.attestation import IssueAttestation, Predicate, Result
from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import encode_record
from cellvow.core.contracts.sign import (
    COUNTERS,
    HEALTH_TOLERANCE_PERMILLE,
    BoundsRecord,
    bounds_key,
)
from cellvow.core.ledger.genesis import Accreditation, Genesis
from cellvow.core.ledger.outcome import Outcome
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import BOUNDS_MAX
from tests import messages
from tests.disputing import decision, dispute, nomination, opening, outcome, submit
from tests.world import (
    ACCREDITED_UNTIL_MS,
    AUTHORITY,
    BUYER,
    CARMAKER,
    DAY_MS,
    GENESIS_MS,
    LABORATORY,
    MAKER,
    World,
    make_genesis,
)

HEALTH = "state_of_health"
QUANTITIES = tuple(sorted((*COUNTERS, HEALTH, "capacity")))
START_MS = GENESIS_MS - 100 * DAY_MS
Fact = tuple[int, str, int]
"""Day of the test, `at_least` or `at_most`, threshold."""


def laboratories(ruleset: int = 3) -> World:
    """A ledger where two are accredited for counters and health, with one battery of the maker."""
    accredited = (Accreditation("IEC 62660-1", "2018", QUANTITIES, ACCREDITED_UNTIL_MS),)
    genesis: Genesis = make_genesis(ruleset=ruleset)
    members = tuple(
        replace_genesis(one, accreditations=accredited) if one.organisation in (LABORATORY, BUYER) else one
        for one in genesis.organisations
    )
    world = World(replace_genesis(genesis, organisations=members))
    maker = world[MAKER].key
    world.accept(maker.sign(messages.model()), maker.sign(messages.battery()))
    world.accept(*(world[name].key.sign(messages.anchor()) for name in (LABORATORY, BUYER)))
    return world


def finding(quantity: str, fact: Fact, reference: str = "CERT-1") -> IssueAttestation:
    """A certificate of a test that took one hour of that day, with one predicate."""
    day, comparison, threshold = fact
    return replace(
        messages.certificate(reference),
        tested_from_ms=START_MS + day * DAY_MS,
        tested_until_ms=START_MS + day * DAY_MS + 3_600_000,
        results=(Result(quantity=quantity, commitment="c0" * 32),),
        predicates=(Predicate(quantity=quantity, comparison=comparison, threshold=threshold),),  # type: ignore[arg-type]  # words of tests
    )


def issue(world: World, quantity: str, fact: Fact, reference: str, who: str = LABORATORY) -> Outcome:
    """What became of the certificate."""
    return outcome(world, who, finding(quantity, fact, reference))


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["as they happened", "the impossible one first"])
@pytest.mark.parametrize("quantity", COUNTERS)
def test_a_counter_that_goes_backwards_is_contested_in_either_order(quantity: str, order: tuple[int, int]) -> None:
    """At least 500 on day 10 and at most 499 on day 20: the second to be recorded is kept as a claim."""
    facts: list[Fact] = [(10, "at_least", 500), (20, "at_most", 499)]
    world = laboratories()
    first = issue(world, quantity, facts[order[0]], "C-1")
    second = issue(world, quantity, facts[order[1]], "C-2", BUYER)

    assert (first.is_accepted, second.is_contested) == (True, True)
    file = dispute(world, BUYER, "CLAIM-1")
    assert (file.topic, file.respondent) == ("counter_backwards", LABORATORY)
    assert f"attestation/{BUYER}/C-2" not in world.state.records


@pytest.mark.parametrize("order", [(0, 1), (1, 0)], ids=["as they happened", "the impossible one first"])
def test_health_that_rises_without_a_cause_is_contested_in_either_order(order: tuple[int, int]) -> None:
    """At most 700 permille, and ten days later clearly more, in one epoch of the unit."""
    facts: list[Fact] = [(10, "at_most", 700), (20, "at_least", 700 + HEALTH_TOLERANCE_PERMILLE + 1)]
    world = laboratories()
    first = issue(world, HEALTH, facts[order[0]], "C-1")
    second = issue(world, HEALTH, facts[order[1]], "C-2", BUYER)

    assert (first.is_accepted, second.is_contested) == (True, True)
    assert dispute(world, BUYER, "CLAIM-1").topic == "health_risen"


@pytest.mark.parametrize(("voids", "is_over"), [(True, True), (False, False)])
def test_threat_a_false_certificate_shuts_out_the_true_ones_for_ever(voids: bool, is_over: bool) -> None:
    """Its laboratory does not revoke it: an authority that voids the unit's tests lets others be recorded again."""
    world = laboratories()
    issue(world, "full_cycles", (10, "at_least", 10**9), "FALSE")
    assert issue(world, "full_cycles", (20, "at_most", 499), "C-1", BUYER).is_contested
    decided = decision("upheld", opener=BUYER, reference="CLAIM-1", positions=0, voids_tests=voids)
    assert submit(world, AUTHORITY, decided) is None

    again = issue(world, "full_cycles", (20, "at_most", 499), "C-2", BUYER)
    assert (again.is_accepted, again.is_contested) == (is_over, not is_over)


def test_threat_an_owner_has_a_friend_void_his_tests_to_turn_a_counter_back() -> None:
    """An arbiter whom both sides chose voids certificates; what they showed of a counter stays known."""
    world = laboratories()
    issue(world, "full_cycles", (10, "at_least", 500), "C-1")
    assert submit(world, MAKER, opening(LABORATORY, "certificate", arbiter=CARMAKER)) is None
    assert submit(world, LABORATORY, nomination(CARMAKER, MAKER)) is None
    assert submit(world, CARMAKER, decision("upheld", opener=MAKER, voids_tests=True)) is None

    assert issue(world, "full_cycles", (20, "at_most", 499), "C-2", BUYER).is_contested


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_two_contradicting_certificates_in_one_block(order: tuple[int, int]) -> None:
    """Whichever comes first is recorded, and the other is kept."""
    world = laboratories()
    facts: list[Fact] = [(10, "at_least", 500), (20, "at_most", 499)]
    statements = [
        world[who].key.sign(finding("full_cycles", fact)) for who, fact in zip((LABORATORY, BUYER), facts, strict=True)
    ]
    kept = world.include(*(statements[number] for number in order))

    assert [one.is_contested for (one,) in kept] == [False, True]


@pytest.mark.parametrize(
    ("quantity", "first", "second"),
    [
        ("full_cycles", (10, "at_least", 500), (20, "at_most", 500)),  # equal is possible
        ("full_cycles", (20, "at_least", 500), (10, "at_most", 100)),  # it had fewer before
        ("full_cycles", (10, "at_most", 100), (20, "at_least", 500)),  # it grew
        (
            HEALTH,
            (10, "at_most", 700),
            (20, "at_least", 700 + HEALTH_TOLERANCE_PERMILLE),
        ),  # within what tests differ by
        (HEALTH, (10, "at_least", 900), (20, "at_most", 700)),  # it fell
        (HEALTH, (20, "at_most", 700), (10, "at_least", 900)),  # it fell, recorded the other way round
        ("capacity", (10, "at_most", 100), (20, "at_least", 900)),  # nothing is said of other quantities
    ],
)
def test_what_can_be_is_not_contested(quantity: str, first: Fact, second: Fact) -> None:
    """Control: an honest laboratory is not accused."""
    world = laboratories()

    assert issue(world, quantity, first, "C-1").is_accepted
    assert issue(world, quantity, second, "C-2").is_accepted


def test_tests_that_overlap_contradict_nothing() -> None:
    """Which of the two values came first is not known: nobody is accused of what cannot be shown."""
    world = laboratories()
    long = replace(finding("full_cycles", (10, "at_least", 500)), tested_until_ms=START_MS + 11 * DAY_MS)
    assert outcome(world, LABORATORY, long).is_accepted

    assert issue(world, "full_cycles", (10, "at_most", 100), "C-2").is_accepted


def test_health_may_rise_after_what_ends_an_epoch() -> None:
    """Parts were changed, on the record: the new pack is better than the old one."""
    world = laboratories()
    issue(world, HEALTH, (10, "at_most", 700), "C-1")
    record = world.record(BatteryRecord, battery_key(messages.BATTERY))
    world.state.update({battery_key(messages.BATTERY): encode_record(replace(record, epoch=1))})

    assert issue(world, HEALTH, (20, "at_least", 950), "C-2").is_accepted
    assert issue(world, HEALTH, (30, "at_most", 600), "C-3").is_accepted
    assert issue(world, HEALTH, (40, "at_least", 650), "C-4").is_contested


def test_what_nobody_is_accredited_for_accuses_nobody() -> None:
    """An estimate or a declaration is not a certificate: it neither sets a bound nor breaks one."""
    world = laboratories()
    issue(world, "full_cycles", (10, "at_least", 500), "C-1")
    loose = replace(finding("full_cycles", (20, "at_most", 1), "E-1"), is_certificate=False)

    assert outcome(world, MAKER, replace(loose, input_root=None, standard=None)).is_accepted
    assert issue(world, "full_cycles", (30, "at_least", 600), "C-2").is_accepted


def test_a_revoked_certificate_speaks_against_nobody() -> None:
    """A wrong one, taken back: the true ones after it stand."""
    world = laboratories()
    issue(world, "full_cycles", (10, "at_least", 5_000), "C-1")
    assert submit(world, LABORATORY, messages.revocation("C-1")) is None

    assert issue(world, "full_cycles", (20, "at_most", 600), "C-2").is_accepted


def test_a_correction_goes_through_the_same_gate() -> None:
    """It frees what it corrects, and cannot bring in what another certificate contradicts."""
    world = laboratories()
    typo = world[LABORATORY].key.sign(finding("full_cycles", (10, "at_least", 5_000), "C-1"))
    world.accept(typo)
    assert issue(world, "full_cycles", (20, "at_most", 600), "C-2", BUYER).is_contested
    assert submit(world, BUYER, replace(finding("full_cycles", (20, "at_least", 400), "C-3"))) is None
    lower = messages.correction(typo, finding("full_cycles", (10, "at_least", 500), "C-1"))
    assert submit(world, LABORATORY, lower) is None
    assert issue(world, "full_cycles", (20, "at_most", 600), "C-4", BUYER).is_accepted

    corrected = world.blocks[-2].statements[0]
    backwards = messages.correction(corrected, finding("full_cycles", (30, "at_most", 300), "C-1"))
    assert outcome(world, LABORATORY, backwards).is_contested
    assert outcome(world, LABORATORY, backwards).reason is Reason.DISPUTE_EXISTS


def test_bounds_of_one_quantity() -> None:
    """BOUNDS_MAX are kept; the tightest survives however many weaker ones follow, so it is not washed away."""
    world = laboratories()
    issue(world, "full_cycles", (1, "at_least", 5_000), "HIGH")
    for number in range(BOUNDS_MAX):
        assert issue(world, "full_cycles", (2 + number, "at_least", 10 + number), f"LOW-{number}").is_accepted
    kept = world.record(BoundsRecord, bounds_key(messages.BATTERY, "full_cycles")).bounds

    assert len(kept) == BOUNDS_MAX
    assert any(one.reference == "HIGH" for one in kept)
    assert issue(world, "full_cycles", (60, "at_most", 4_999), "BACK").is_contested


@pytest.mark.parametrize("ruleset", [1, 2])
def test_earlier_rules_see_no_signs(ruleset: int) -> None:
    """A shipped rule never changes: they record both, and no bounds."""
    world = laboratories(ruleset)

    assert issue(world, "full_cycles", (10, "at_least", 500), "C-1").is_accepted
    assert issue(world, "full_cycles", (20, "at_most", 1), "C-2").is_accepted
    assert not any(key.startswith("bound/") for key in world.state.records)


facts = st.tuples(st.integers(0, 90), st.sampled_from(["at_least", "at_most"]), st.integers(0, 8))


@pytest.mark.slow
@settings(max_examples=60)
@given(recorded=st.lists(facts, max_size=8, unique_by=lambda fact: fact[0]))
def test_what_stands_is_always_possible_and_only_the_impossible_is_contested(recorded: list[Fact]) -> None:
    """Against a plain model: some course of a counter fits all that stands, and none fits what was contested."""
    world = laboratories()
    standing: list[Fact] = []
    for number, fact in enumerate(recorded):
        kept = issue(world, "full_cycles", fact, f"C-{number}")
        assert kept.is_accepted is _is_possible([*standing, fact])
        if kept.is_accepted:
            standing.append(fact)


def _is_possible(standing: list[Fact]) -> bool:
    floor = 0
    for _, comparison, threshold in sorted(standing):
        if comparison == "at_least":
            floor = max(floor, threshold)
        elif threshold < floor:
            return False
    return True
