"""Incidents and the safety state: anybody near raises it, only an assessment lowers it, and neither is free of name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.battery import BatteryRecord, VoidingRecord, battery_key, voiding_key
from cellvow.core.contracts.contract import encode_record
from cellvow.core.contracts.organisation import organisation_key
from cellvow.core.contracts.safety import (
    SAFETY_STATES,
    IncidentRecord,
    SafetyRecord,
    SafetyState,
    incident_key,
    safety_key,
)
from cellvow.core.ledger.genesis import encode_organisation, parse_organisation
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import INCIDENTS_OF_MEMBER_MAX, INCIDENTS_OPEN_MAX
from tests import messages
from tests.unit.core.contracts.test_use import both, certificate_state, hand_over, settled, submit
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER, World

if TYPE_CHECKING:
    from cellvow.core.contracts.contract import Message

FIRST = (CARMAKER, "I-1")


def safety(world: World) -> SafetyRecord:
    """The unit's safety record."""
    return world.record(SafetyRecord, safety_key(messages.BATTERY))


def alarmed() -> World:
    """A ledger whose unit the car maker has reported a danger of."""
    world = settled()
    assert submit(world, CARMAKER, messages.incident()) is None
    return world


def with_roles(world: World, organisation: str, *roles: str) -> None:
    """The member has these roles and no others."""
    key = organisation_key(organisation)
    member = parse_organisation(world.state.records[key])
    changed = type(member)(member.organisation, member.name, roles, member.root_keys, member.accreditations)
    world.state.update({key: encode_organisation(changed)})


def test_a_reported_danger_raises_the_state_at_once_under_the_reporters_name() -> None:
    """To caution: one member's word is enough to be careful, and not enough to condemn."""
    world = alarmed()
    record = safety(world)

    assert (record.state, record.organisation, record.since_ms) == ("caution", CARMAKER, world.head.time_ms)
    assert [(one.organisation, one.reference, one.kind, one.severity) for one in record.incidents] == [
        (CARMAKER, "I-1", "overheating", "danger")
    ]
    assert record.assessed is None


def test_an_incident_is_kept_with_its_report() -> None:
    """Day, kind and severity; what happened is a commitment."""
    world = alarmed()
    record = world.record(IncidentRecord, incident_key(*FIRST))

    assert (record.battery, record.occurred_on, record.closed_by) == (messages.BATTERY, "2025-12-30", None)
    assert record.report == messages.committed("7f")


@pytest.mark.parametrize("severity", ["note", "caution"])
def test_a_lesser_incident_is_listed_and_raises_nothing(severity: str) -> None:
    """And whoever reports it has not called the unit safe."""
    world = settled()
    submit(world, LABORATORY, replace(messages.incident(), severity=severity))
    record = safety(world)

    assert (record.state, record.organisation, len(record.incidents)) == ("safe", None, 1)


@pytest.mark.parametrize("severity", ["note", "caution", "danger"])
def test_a_report_voids_no_test(severity: str) -> None:
    """Else every certificate would be at the mercy of anybody who reports."""
    world = settled()

    assert submit(world, CARMAKER, replace(messages.incident(), severity=severity)) is None
    assert certificate_state(world) == "issued"


def test_a_danger_is_reported_by_who_is_near_units() -> None:
    """A mere buyer raises no alarm over another's unit, unless a register names him; lesser things he may report."""
    world = settled()
    with_roles(world, BUYER, "buyer")

    assert submit(world, BUYER, messages.incident()) is Reason.ROLE_MISSING
    assert submit(world, BUYER, messages.incident(severity="caution")) is None
    hand_over(world, MAKER, BUYER)
    assert submit(world, BUYER, messages.incident("I-2")) is None


@pytest.mark.parametrize("who", [AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER])
def test_custody_is_not_needed_to_report(who: str) -> None:
    """Whoever sees smoke says so."""
    assert submit(settled(), who, messages.incident()) is None


def test_a_reference_is_used_once() -> None:
    """Not even for another unit, in either order; two members may use the same."""
    pair = (MAKER, messages.incident()), (MAKER, messages.incident(identifier=messages.OTHER_BATTERY))
    for signed in (pair, pair[::-1]):
        assert both(settled(), *signed) == [None, Reason.INCIDENT_EXISTS]
    assert both(settled(), (MAKER, messages.incident()), (CARMAKER, messages.incident())) == [None, None]


def test_an_assessment_lowers_the_state_and_closes_what_it_names() -> None:
    """The incident stays readable, with who closed it."""
    world = alarmed()

    assert submit(world, LABORATORY, messages.assessment("safe", FIRST)) is None
    record, incident = safety(world), world.record(IncidentRecord, incident_key(*FIRST))
    assert (record.state, record.organisation, record.assessed, record.assessed_by, record.incidents) == (
        "safe",
        LABORATORY,
        "safe",
        LABORATORY,
        (),
    )
    assert (incident.closed_by, incident.closed_ms) == (LABORATORY, world.head.time_ms)


def test_a_danger_that_no_assessment_names_keeps_its_caution() -> None:
    """What the assessor found stays on record beside the state that holds."""
    world = alarmed()

    assert submit(world, LABORATORY, messages.assessment("safe")) is None
    assert (safety(world).state, safety(world).assessed) == ("caution", "safe")
    assert submit(world, LABORATORY, messages.assessment("safe", FIRST)) is None
    assert safety(world).state == "safe"


def test_a_danger_and_an_assessment_that_does_not_know_of_it_commute() -> None:
    """In one block, in either order: the unit is not safe."""
    news = (MAKER, messages.incident("I-2"))
    assessed = (LABORATORY, messages.assessment("safe", FIRST))
    for signed in ((news, assessed), (assessed, news)):
        world = alarmed()

        assert both(world, *signed) == [None, None]
        assert safety(world).state == "caution"
        assert [one.reference for one in safety(world).incidents] == ["I-2"]


def test_two_assessments_in_one_block_close_once() -> None:
    """The second names an incident that is closed already: its whole statement is refused."""
    pair = (LABORATORY, messages.assessment("safe", FIRST)), (AUTHORITY, messages.assessment("danger", FIRST))
    for signed in (pair, pair[::-1]):
        world = alarmed()

        assert both(world, *signed) == [None, Reason.UNKNOWN_INCIDENT]
        assert safety(world).assessed_by == signed[0][0]


@pytest.mark.parametrize(
    "name", [(CARMAKER, "I-9"), (MAKER, "I-1"), (CARMAKER, "I-2")], ids=["no such", "of another", "of another unit"]
)
def test_an_assessment_closes_open_incidents_of_its_unit_only(name: tuple[str, str]) -> None:
    """Neither what was never reported, nor another member's, nor another unit's."""
    world = alarmed()
    submit(world, CARMAKER, messages.incident("I-2", identifier=messages.OTHER_BATTERY))

    assert submit(world, LABORATORY, messages.assessment("safe", name)) is Reason.UNKNOWN_INCIDENT
    assert submit(world, LABORATORY, messages.assessment("safe", FIRST, FIRST)) is Reason.UNKNOWN_INCIDENT
    assert safety(world).state == "caution"


@pytest.mark.parametrize("state", SAFETY_STATES)
def test_an_assessment_that_finds_a_danger_voids_tests(state: SafetyState) -> None:
    """A certificate says what the unit was when it was sound; a caution leaves it."""
    world = settled()

    assert submit(world, LABORATORY, messages.assessment(state)) is None
    is_alarming = state in ("danger", "quarantine")
    assert certificate_state(world) == ("invalidated" if is_alarming else "issued")
    if is_alarming:
        assert world.record(VoidingRecord, voiding_key(messages.BATTERY, 0)).cause == "incident"


def test_an_alarm_that_goes_on_voids_nothing_again() -> None:
    """What was tested after it began is not undone by its being repeated; the next alarm undoes it."""
    world = settled()
    for state, epoch in (("danger", 1), ("quarantine", 1), ("caution", 1), ("danger", 2)):
        submit(world, AUTHORITY, messages.assessment(state))  # type: ignore[arg-type]  # one of the states
        assert world.record(BatteryRecord, battery_key(messages.BATTERY)).epoch == epoch


@pytest.mark.parametrize("who", [CARMAKER, MAKER, BUYER, LABORATORY, AUTHORITY])
def test_who_may_assess(who: str) -> None:
    """Laboratory and authority; a maker or a second-life operator what he holds, a car maker nothing."""
    expected = {CARMAKER: Reason.ROLE_MISSING, BUYER: Reason.NO_OPEN_ORDER}.get(who)
    world = alarmed()

    assert submit(world, who, messages.assessment("safe", FIRST)) is expected
    if who == BUYER:
        hand_over(world, MAKER, BUYER)
        assert submit(world, who, messages.assessment("safe", FIRST)) is None


def test_threat_a_maker_calls_safe_from_afar_what_another_reported() -> None:
    """Who made a unit may warn of it wherever it is; to lower its state or to close a report he has to look at it."""
    world = alarmed()
    hand_over(world, MAKER, BUYER)

    for calming in (
        messages.assessment("safe", FIRST),
        messages.assessment("safe"),
        messages.assessment("danger", FIRST),
    ):
        assert submit(world, MAKER, calming) is Reason.NO_OPEN_ORDER
    assert submit(world, MAKER, messages.assessment("danger")) is None
    assert submit(world, MAKER, messages.assessment("caution")) is Reason.NO_OPEN_ORDER
    assert [one.reference for one in safety(world).incidents] == ["I-1"]


def test_a_maker_calls_nothing_safe_that_nobody_has_looked_at() -> None:
    """Nor does he by being the first to say something of it; a warning is open to him there too."""
    for state, reason in (("safe", Reason.NO_OPEN_ORDER), ("caution", None)):
        world = settled()
        hand_over(world, MAKER, BUYER)

        assert submit(world, MAKER, messages.assessment(state)) is reason  # type: ignore[arg-type]  # words of tests


def test_threat_whoever_assesses_warns_of_what_is_none_of_his() -> None:
    """A warning that finds a danger voids tests: an operator who neither made nor holds the unit gives none."""
    for state in ("caution", "danger", "quarantine"):
        message = messages.assessment(state)

        assert submit(settled(), BUYER, message) is Reason.NO_OPEN_ORDER


def test_a_workshop_assesses_what_it_was_ordered_to_look_at() -> None:
    """And nothing else: it could lower any unit's state otherwise."""
    world = alarmed()
    with_roles(world, CARMAKER, "workshop")

    assert submit(world, CARMAKER, messages.assessment("safe", FIRST)) is Reason.NO_OPEN_ORDER
    submit(world, MAKER, messages.work_order(CARMAKER, "inspection"))
    assert submit(world, CARMAKER, messages.assessment("safe", FIRST)) is None


def test_a_quarantine_by_an_authority_is_lifted_by_an_authority() -> None:
    """Not by who was put into it; what a laboratory ordered, a laboratory lifts."""
    world = settled()
    submit(world, AUTHORITY, messages.assessment("quarantine"))

    for who in (MAKER, LABORATORY):
        assert submit(world, who, messages.assessment("safe")) is Reason.ROLE_MISSING
    submit(world, CARMAKER, messages.incident())
    assert submit(world, LABORATORY, messages.assessment("safe", FIRST)) is Reason.ROLE_MISSING
    assert submit(world, AUTHORITY, messages.assessment("danger", FIRST)) is None
    assert submit(world, LABORATORY, messages.assessment("quarantine")) is None
    assert submit(world, MAKER, messages.assessment("safe")) is None


@pytest.mark.parametrize("message", [messages.incident(), messages.assessment("danger")], ids=["report", "assessment"])
def test_a_dead_unit(message: Message) -> None:
    """A report claims that it is back, and is kept as such; its file can still be assessed, and voids nothing."""
    world = settled()
    record = world.record(BatteryRecord, battery_key(messages.BATTERY))
    world.state.update({battery_key(messages.BATTERY): encode_record(replace(record, ceased="recycled"))})
    outcome = world.submit(world[LABORATORY].key.sign(message))

    assert outcome.is_contested is (message == messages.incident())
    assert world.record(BatteryRecord, battery_key(messages.BATTERY)).epoch == 0


def test_the_open_incidents_of_one_member_are_few() -> None:
    """INCIDENTS_OF_MEMBER_MAX, and not one more until some are closed: he cannot shut the others out."""
    world = settled()
    for number in range(INCIDENTS_OF_MEMBER_MAX):
        assert submit(world, CARMAKER, messages.incident(f"I-{number}")) is None

    assert submit(world, CARMAKER, messages.incident("I-9")) is Reason.TOO_MANY_INCIDENTS
    assert submit(world, MAKER, messages.incident("I-9")) is None
    assert submit(world, LABORATORY, messages.assessment("caution", (CARMAKER, "I-0"))) is None
    assert submit(world, CARMAKER, messages.incident("I-9")) is None


def crowded(count: int) -> World:
    """A unit with that many open incidents of others than the members of these tests."""
    world = alarmed()
    record = safety(world)
    (entry,) = record.incidents
    listed = tuple(replace(entry, organisation=f"other-{number}") for number in range(count))
    closable = {
        incident_key(one.organisation, one.reference): encode_record(
            replace(world.record(IncidentRecord, incident_key(*FIRST)), organisation=one.organisation)
        )
        for one in listed
    }
    world.state.update({**closable, safety_key(messages.BATTERY): encode_record(replace(record, incidents=listed))})
    return world


def test_the_open_incidents_of_a_unit_are_bounded_and_one_assessment_closes_them_all() -> None:
    """INCIDENTS_OPEN_MAX, and not one more; an assessment can name as many, and not one more."""
    world = crowded(INCIDENTS_OPEN_MAX - 1)

    assert submit(world, MAKER, messages.incident("I-2")) is None
    assert submit(world, MAKER, messages.incident("I-3")) is Reason.TOO_MANY_INCIDENTS
    names = [(one.organisation, one.reference) for one in safety(world).incidents]
    assert len(names) == INCIDENTS_OPEN_MAX
    too_many = messages.assessment("safe", *names, (MAKER, "I-3"))
    assert submit(world, LABORATORY, too_many) is Reason.MALFORMED_MESSAGE
    assert submit(world, LABORATORY, messages.assessment("safe", *names)) is None
    assert (safety(world).state, safety(world).incidents) == ("safe", ())


def test_a_state_stands_since_it_was_found_first() -> None:
    """Said again it stands as long as before; another state stands since it was found."""
    world = settled()
    submit(world, LABORATORY, messages.assessment("caution"))
    first_ms = world.head.time_ms
    submit(world, LABORATORY, messages.assessment("caution"))
    assert safety(world).since_ms == first_ms
    submit(world, LABORATORY, messages.assessment("safe"))

    assert safety(world).since_ms == world.head.time_ms > first_ms
