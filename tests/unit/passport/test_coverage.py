"""Stage coverage: what share of the expected life is recorded, what is missing, and who could supply it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.ledger.genesis import ROLES
from cellvow.passport.coverage import STAGES, Signed, derive_coverage
from cellvow.passport.view import Coverage, Source

ALL = tuple(dict.fromkeys(message for stage in STAGES for message in stage.messages))
BIRTH = "RegisterBattery"


def life(*messages: str) -> list[Signed]:
    """Messages in the order of the log, each signed by the maker."""
    return [
        Signed(message, Source("maker", "The maker", "ab" * 32, place, place + 1, 1_000 * place))
        for place, message in enumerate(messages)
    ]


def states(coverage: Coverage) -> dict[str, str]:
    """The state of each stage by its name."""
    return {stage.name: stage.state for stage in coverage.stages}


def test_a_new_battery_misses_what_came_before_its_birth_and_its_test() -> None:
    """One of four expected stages; what lies ahead is not held against anybody."""
    coverage = derive_coverage(life(BIRTH))

    assert (coverage.recorded, coverage.due, coverage.permille) == (1, 4, 250)
    assert ["materials", "cells", "test"] == [stage.name for stage in coverage.missing]
    assert {"handover", "use", "service", "second_life", "end"} == {
        name for name, state in states(coverage).items() if state == "not_due"
    }


def test_a_battery_in_use_that_nobody_handed_over_misses_its_hand_over() -> None:
    """A record of a later stage makes the stages before it due."""
    coverage = derive_coverage(life(BIRTH, "IssueAttestation", "InstallBattery"))

    assert "missing" == states(coverage)["handover"]
    assert "not_due" == states(coverage)["service"]
    assert 600 > coverage.permille


def test_a_test_alone_makes_nothing_due() -> None:
    """Control: a laboratory tests at any time, before the battery is sold or after."""
    tested, untested = derive_coverage(life(BIRTH, "IssueAttestation")), derive_coverage(life(BIRTH))

    assert (tested.due, tested.recorded) == (untested.due, untested.recorded + 1)


def test_waste_that_had_no_second_life_misses_none() -> None:
    """Nobody owes a battery a second life; its service and use are due."""
    coverage = derive_coverage(life(BIRTH, "AcceptHandover", "DeclareWaste"))

    assert "not_due" == states(coverage)["second_life"]
    assert {"materials", "cells", "test", "use", "service"} == {stage.name for stage in coverage.missing}


def test_a_successor_is_born_by_the_operation_that_made_it() -> None:
    """Its own birth is not counted as a second life, a further one is."""
    born, again = life("BeginSecondLife"), life("BeginSecondLife", "BeginSecondLife")

    assert "not_due" == states(derive_coverage(born, is_successor=True))["second_life"]
    assert "recorded" == states(derive_coverage(again, is_successor=True))["second_life"]
    assert "recorded" == states(derive_coverage(born, is_successor=True))["birth"]


def test_every_stage_names_roles_that_there_are() -> None:
    """Who could supply what is missing is somebody whom the ledger can know."""
    assert [] == [role for stage in STAGES for role in stage.suppliers if role not in ROLES]


@given(st.lists(st.sampled_from(ALL), max_size=12), st.sampled_from(ALL))
def test_another_record_never_takes_a_recorded_stage_away(messages: list[str], further: str) -> None:
    """What is recorded stays recorded; the share lies between nothing and all."""
    before, after = derive_coverage(life(BIRTH, *messages)), derive_coverage(life(BIRTH, *messages, further))
    kept = [name for name, state in states(before).items() if state == "recorded"]

    assert all("recorded" == states(after)[name] for name in kept)
    assert 0 < after.permille <= 1000
    assert after.due >= before.due
