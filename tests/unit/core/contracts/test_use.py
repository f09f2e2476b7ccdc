"""Units in use: installed and removed, worked on with or without their holder's consent, documents, software."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from cellvow.core.contracts.attestation import AttestationRecord, attestation_key, derive_state
from cellvow.core.contracts.battery import BatteryRecord, VoidingRecord, battery_key, voiding_key
from cellvow.core.contracts.contract import encode_record
from cellvow.core.contracts.day import derive_day_number, number_day
from cellvow.core.contracts.register import RegisterRecord, register_key
from cellvow.core.contracts.use import (
    InstallationRecord,
    OrderRecord,
    ServiceRecord,
    WorkKind,
    WorkRecord,
    installation_key,
    order_key,
    service_key,
    work_key,
)
from cellvow.core.ledger.rejection import Reason
from cellvow.core.protocol.ruleset import NEWEST
from tests import messages
from tests.world import AUTHORITY, BUYER, CARMAKER, DAY_MS, LABORATORY, MAKER, World, make_genesis

if TYPE_CHECKING:
    from cellvow.core.contracts.contract import Message

TODAY, TOMORROW, BORN = "2026-01-01", "2026-01-02", "2025-06-30"
"""The day of every block here, the next, and the unit's birth."""


def settled() -> World:
    """A ledger of the newest ruleset with two units that their maker holds, one of them certified."""
    world = World(make_genesis(ruleset=NEWEST))
    maker, laboratory = world[MAKER].key, world[LABORATORY].key
    world.accept(maker.sign(messages.model()), maker.sign(messages.battery()))
    world.accept(maker.sign(messages.battery(messages.OTHER_BATTERY)))
    world.accept(laboratory.sign(messages.anchor()), laboratory.sign(messages.certificate()))
    return world


def submit(world: World, organisation: str, message: Message) -> Reason | None:
    """What became of the message: None if it was accepted."""
    return world.submit(world[organisation].key.sign(message)).reason


def both(world: World, *signed: tuple[str, Message]) -> list[Reason | None]:
    """What became of messages in one block, in this order."""
    statements = [world[organisation].key.sign(message) for organisation, message in signed]
    return [outcome.reason for (outcome,) in world.include(*statements)]


def hand_over(world: World, giver: str, taker: str) -> None:
    """Custody passes on."""
    version = world.record(RegisterRecord, register_key("custody", messages.BATTERY)).version
    offered = world.submit(world[giver].key.sign(messages.offer(taker, ("custody",), (version,))))
    assert offered.is_accepted
    number = int(str(offered.events[0]["version"]))
    assert submit(world, taker, messages.accept(number)) is None


def built_in(world: World) -> None:
    """The unit is a part of the other one."""
    record = world.record(BatteryRecord, battery_key(messages.BATTERY))
    world.state.update({battery_key(messages.BATTERY): encode_record(replace(record, part_of=messages.OTHER_BATTERY))})


def certificate_state(world: World) -> str:
    """What the laboratory's certificate is worth now."""
    certificate = world.record(AttestationRecord, attestation_key(LABORATORY, messages.REFERENCE))
    return derive_state(certificate, world.record(BatteryRecord, battery_key(messages.BATTERY)), world.head.time_ms)


# Days


@given(moment=st.integers(0, 32_503_679_999_999))
def test_the_day_of_a_moment_is_the_calendars(moment: int) -> None:
    """Every millisecond up to the end of 2999, against Python's own calendar in UTC."""
    theirs = datetime.fromtimestamp(moment // 1000, UTC).date()

    assert derive_day_number(moment) == theirs.toordinal()


@given(day=st.dates(date(1000, 1, 1), date(2999, 12, 31)))
def test_a_day_and_its_first_and_last_moment_agree(day: date) -> None:
    """The comparison that every rule here rests on is exact at both edges of a day."""
    number = number_day(day.isoformat())
    first_ms = (day.toordinal() - date(1970, 1, 1).toordinal()) * DAY_MS

    assert number == day.toordinal()
    assert derive_day_number(first_ms) == derive_day_number(first_ms + DAY_MS - 1) == number
    assert derive_day_number(first_ms - 1) == number - 1


DATED: dict[str, tuple[str, Message]] = {
    "installation": ("installed_on", messages.installation()),
    "work": ("done_on", messages.work()),
    "incident": ("occurred_on", messages.incident()),
}


@pytest.mark.parametrize("name", DATED)
@pytest.mark.parametrize(
    ("day", "reason"),
    [
        (BORN, None),
        ("2025-06-29", Reason.DAY_OUT_OF_RANGE),
        (TODAY, None),
        (TOMORROW, Reason.DAY_OUT_OF_RANGE),
        ("2025-11-31", Reason.DAY_OUT_OF_RANGE),
        ("2025-12-00", Reason.MALFORMED_MESSAGE),
    ],
)
def test_nothing_happens_before_birth_or_in_the_future(name: str, day: str, reason: Reason | None) -> None:
    """From the day of manufacture to the day of the block, and only days that there are."""
    field, message = DATED[name]

    assert submit(settled(), MAKER, replace(message, **{field: day})) is reason


# Installed and removed


def test_an_installation_says_what_where_and_by_whom() -> None:
    """In words what it went into, as a commitment into which one; the identifier itself is nowhere on the ledger."""
    world = settled()
    statement = world[MAKER].key.sign(messages.installation())
    world.accept(statement)
    record = world.record(InstallationRecord, installation_key(messages.BATTERY))

    assert (record.state, record.into, record.organisation) == ("installed", "vehicle", MAKER)
    assert (record.installed_on, record.since_ms) == ("2025-12-01", world.head.time_ms)
    assert record.place.commitment == "1f" * 32
    assert record.provenance.statement == statement.envelope.digest.hex()


def test_a_removal_says_when_and_why() -> None:
    """What it was in stays readable."""
    world = settled()
    submit(world, MAKER, messages.installation())

    assert submit(world, MAKER, messages.removal()) is None
    record = world.record(InstallationRecord, installation_key(messages.BATTERY))
    assert (record.state, record.into, record.removed_on, record.cause, record.version) == (
        "removed",
        "vehicle",
        "2025-12-20",
        "service",
        2,
    )


@pytest.mark.parametrize("who", [CARMAKER, BUYER, LABORATORY, AUTHORITY])
def test_only_who_holds_a_unit_installs_and_removes_it(who: str) -> None:
    """Nobody says of another's unit where it is."""
    world = settled()

    assert submit(world, who, messages.installation()) is Reason.NOT_THE_HOLDER
    submit(world, MAKER, messages.installation())
    assert submit(world, who, messages.removal()) is Reason.NOT_THE_HOLDER


def test_who_takes_custody_of_an_installed_unit_removes_it() -> None:
    """A vehicle that is sold takes its battery with it."""
    world = settled()
    submit(world, MAKER, messages.installation())
    hand_over(world, MAKER, CARMAKER)

    assert submit(world, MAKER, messages.removal()) is Reason.NOT_THE_HOLDER
    assert submit(world, CARMAKER, messages.removal()) is None


def test_a_unit_is_not_installed_twice() -> None:
    """The refusal says since when it is in something, and who said so."""
    world = settled()
    submit(world, MAKER, messages.installation())
    outcome = world.submit(world[MAKER].key.sign(messages.installation("2025-12-02")))

    assert outcome.reason is Reason.ALREADY_INSTALLED
    assert outcome.facts == (("by", MAKER), ("on", "2025-12-01"))


def test_a_unit_that_is_nowhere_is_not_removed() -> None:
    """Neither before it was installed nor twice."""
    world = settled()

    assert submit(world, MAKER, messages.removal()) is Reason.NOT_INSTALLED
    submit(world, MAKER, messages.installation())
    assert submit(world, MAKER, messages.removal()) is None
    assert submit(world, MAKER, messages.removal()) is Reason.NOT_INSTALLED


def test_two_installations_in_one_block_install_once() -> None:
    """Whichever comes first; the vehicle of the second is not on record."""
    for places in (("1f", "2f"), ("2f", "1f")):
        world = settled()
        wanted = [replace(messages.installation(), place=messages.committed(one)) for one in places]

        assert both(world, *((MAKER, one) for one in wanted)) == [None, Reason.ALREADY_INSTALLED]
        record = world.record(InstallationRecord, installation_key(messages.BATTERY))
        assert record.place == messages.committed(places[0])


def test_installation_and_removal_in_one_block_count_in_their_order() -> None:
    """In then out is a stay; out then in is a refusal and a stay that goes on."""
    stay = (MAKER, messages.installation()), (MAKER, messages.removal())

    assert both(settled(), *stay) == [None, None]
    assert both(settled(), *reversed(stay)) == [Reason.NOT_INSTALLED, None]


@pytest.mark.parametrize(
    ("removed_on", "again_on", "reason"),
    [("2025-12-20", "2025-12-20", None), ("2025-12-20", "2025-12-19", Reason.DAY_OUT_OF_RANGE)],
)
def test_stays_do_not_overlap(removed_on: str, again_on: str, reason: Reason | None) -> None:
    """On the day of removal it may go into the next, not before."""
    world = settled()
    submit(world, MAKER, messages.installation())
    submit(world, MAKER, messages.removal(removed_on))

    assert submit(world, MAKER, messages.installation(again_on)) is reason


def test_a_unit_is_not_removed_before_it_was_installed() -> None:
    """A stay ends on its first day at the earliest."""
    world = settled()
    submit(world, MAKER, messages.installation("2025-12-10"))

    assert submit(world, MAKER, messages.removal("2025-12-09")) is Reason.DAY_OUT_OF_RANGE
    assert submit(world, MAKER, messages.removal("2025-12-10")) is None


def test_a_part_goes_where_its_whole_goes() -> None:
    """A module is not installed beside the pack it is in, nor repaired without it."""
    world = settled()
    built_in(world)

    assert submit(world, MAKER, messages.installation()) is Reason.PART_OF_ANOTHER
    assert submit(world, MAKER, messages.work(kind="repair")) is Reason.PART_OF_ANOTHER
    assert submit(world, MAKER, messages.work(kind="inspection")) is None


@pytest.mark.parametrize(
    "message",
    [
        messages.installation(),
        messages.removal(),
        messages.work_order(CARMAKER),
        messages.order_withdrawal(),
        messages.work(),
        messages.document(),
        messages.software(),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_dead_unit_is_not_used_and_the_claim_is_kept(message: Message) -> None:
    """Who works on a unit that was recycled by the record claims that it is back: a dispute, and no other record."""
    world = settled()
    record = world.record(BatteryRecord, battery_key(messages.BATTERY))
    world.state.update({battery_key(messages.BATTERY): encode_record(replace(record, ceased="recycled"))})
    outcome = world.submit(world[MAKER].key.sign(message))

    assert outcome.is_contested
    assert outcome.events[-1]["topic"] == "dead_identifier"
    assert installation_key(messages.BATTERY) not in world.state.records


# Work


@pytest.mark.parametrize("kind", ["maintenance", "repair", "inspection", "calibration"])
def test_a_repair_voids_tests_and_other_work_does_not(kind: WorkKind) -> None:
    """After a repair the certificate tells of a unit that was another; why is kept beside the epoch that ended."""
    world = settled()
    before = certificate_state(world)

    assert submit(world, MAKER, messages.work(kind=kind)) is None
    after = "invalidated" if kind == "repair" else "issued"
    assert (before, certificate_state(world)) == ("issued", after)
    is_kept = voiding_key(messages.BATTERY, 0) in world.state.records
    assert is_kept is (kind == "repair")
    if is_kept:
        assert world.record(VoidingRecord, voiding_key(messages.BATTERY, 0)).cause == "repaired"


def test_a_workshop_records_its_work_without_custody_on_its_own_word() -> None:
    """A vehicle in a workshop has not changed hands; the entry is the workshop's, and moves nobody's plans."""
    world = settled()

    assert submit(world, CARMAKER, messages.work(kind="inspection")) is None
    record = world.record(WorkRecord, work_key(CARMAKER, "W-1"))
    assert (record.standing, record.organisation, record.kind) == ("own_word", CARMAKER, "inspection")
    assert service_key(messages.BATTERY) not in world.state.records


@pytest.mark.parametrize(
    "message", [messages.work(kind="repair"), messages.work(next_on="2027-01-01")], ids=["repair", "next service"]
)
def test_what_others_rely_on_needs_the_holders_consent(message: Message) -> None:
    """Else any workshop could void any certificate, or put off any service, by saying so."""
    world = settled()

    assert submit(world, CARMAKER, message) is Reason.NO_OPEN_ORDER
    assert certificate_state(world) == "issued"
    assert submit(world, MAKER, message) is None


def test_an_ordered_repair_needs_no_custody() -> None:
    """The holder orders it, the workshop records it, and the order is done: it serves once."""
    world = settled()

    assert submit(world, MAKER, messages.work_order(CARMAKER)) is None
    assert submit(world, CARMAKER, messages.work(kind="repair", next_on="2027-01-01")) is None
    assert certificate_state(world) == "invalidated"
    assert world.record(WorkRecord, work_key(CARMAKER, "W-1")).standing == "ordered"
    assert world.record(OrderRecord, order_key(messages.BATTERY)).state == "done"
    assert submit(world, CARMAKER, messages.work("W-2", "repair")) is Reason.NO_OPEN_ORDER


def test_an_order_for_one_kind_of_work_is_none_for_another() -> None:
    """Who was asked to look may not repair."""
    world = settled()
    submit(world, MAKER, messages.work_order(CARMAKER, "inspection"))

    assert submit(world, CARMAKER, messages.work(kind="repair")) is Reason.NO_OPEN_ORDER
    assert submit(world, CARMAKER, messages.work("W-2", "inspection")) is None


def test_an_order_ends_with_the_custody_of_who_gave_it() -> None:
    """The next holder has ordered nothing; nor does it come back by being forgotten."""
    world = settled()
    submit(world, MAKER, messages.work_order(CARMAKER))
    hand_over(world, MAKER, BUYER)

    assert submit(world, CARMAKER, messages.work(kind="repair")) is Reason.NO_OPEN_ORDER
    assert submit(world, BUYER, messages.work_order(CARMAKER)) is None
    assert submit(world, CARMAKER, messages.work(kind="repair")) is None


@pytest.mark.parametrize("other", [BUYER, MAKER])
def test_a_later_order_replaces_the_earlier(other: str) -> None:
    """One order a unit: the workshop that lost it is told so."""
    world = settled()
    submit(world, MAKER, messages.work_order(CARMAKER))
    submit(world, MAKER, messages.work_order(other))

    assert submit(world, CARMAKER, messages.work(kind="repair")) is Reason.NO_OPEN_ORDER


def test_an_order_is_withdrawn_by_its_holder_once() -> None:
    """The version fences it: a late withdrawal does not end a newer order."""
    world = settled()

    assert submit(world, MAKER, messages.order_withdrawal()) is Reason.NO_OPEN_ORDER
    submit(world, MAKER, messages.work_order(CARMAKER))
    submit(world, MAKER, messages.work_order(CARMAKER, "inspection"))
    assert submit(world, CARMAKER, messages.order_withdrawal(2)) is Reason.NOT_THE_HOLDER
    assert submit(world, MAKER, messages.order_withdrawal(1)) is Reason.STALE_VERSION
    assert submit(world, MAKER, messages.order_withdrawal(2)) is None
    assert submit(world, CARMAKER, messages.work(kind="inspection", next_on="2027-01-01")) is Reason.NO_OPEN_ORDER
    assert submit(world, MAKER, messages.order_withdrawal(3)) is Reason.NO_OPEN_ORDER


def test_withdrawal_and_repair_in_one_block_count_in_their_order() -> None:
    """Whichever comes first ends the order; the other finds none."""
    pair = (MAKER, messages.order_withdrawal()), (CARMAKER, messages.work(kind="repair"))
    for signed in (pair, pair[::-1]):
        world = settled()
        submit(world, MAKER, messages.work_order(CARMAKER))

        assert both(world, *signed) == [None, Reason.NO_OPEN_ORDER]


@pytest.mark.parametrize(
    ("who", "reason"), [(LABORATORY, Reason.ROLE_MISSING), ("nobody", Reason.UNKNOWN_ORGANISATION), (BUYER, None)]
)
def test_work_is_ordered_of_who_does_such_work(who: str, reason: Reason | None) -> None:
    """A member with a role for it."""
    assert submit(settled(), MAKER, messages.work_order(who)) is reason


@pytest.mark.parametrize("who", [LABORATORY, AUTHORITY])
def test_work_is_recorded_by_who_does_such_work(who: str) -> None:
    """A laboratory attests; it does not service."""
    assert submit(settled(), who, messages.work()) is Reason.ROLE_MISSING


def test_a_reference_is_used_once() -> None:
    """Two workshops may use the same; one may not, in either order and for no other unit."""
    pair = (MAKER, messages.work(kind="repair")), (MAKER, messages.work(identifier=messages.OTHER_BATTERY))
    for signed in (pair, pair[::-1]):
        assert both(settled(), *signed) == [None, Reason.WORK_EXISTS]
    assert both(settled(), (MAKER, messages.work()), (CARMAKER, messages.work())) == [None, None]


def test_the_next_service_day_stands_until_somebody_sets_another() -> None:
    """Who set it is named; work that names none leaves it."""
    world = settled()
    submit(world, MAKER, messages.work("W-1", "maintenance", "2025-12-01", "2026-06-01"))
    submit(world, MAKER, messages.work("W-2", "inspection", "2025-12-02"))
    record = world.record(ServiceRecord, service_key(messages.BATTERY))

    assert (record.reference, record.kind, record.done_on) == ("W-2", "inspection", "2025-12-02")
    assert (record.next_service_on, record.next_set_by) == ("2026-06-01", MAKER)
    hand_over(world, MAKER, CARMAKER)
    submit(world, CARMAKER, messages.work("W-1", "maintenance", "2025-12-03", "2026-12-01"))
    record = world.record(ServiceRecord, service_key(messages.BATTERY))
    assert (record.next_service_on, record.next_set_by, record.organisation) == ("2026-12-01", CARMAKER, CARMAKER)


def test_work_told_late_does_not_set_the_plan_back() -> None:
    """A phone that was offline for a week reports older work: it is kept, and newer work stays the newest."""
    world = settled()
    submit(world, MAKER, messages.work("W-2", "maintenance", "2025-12-20", "2026-12-20"))

    assert submit(world, MAKER, messages.work("W-1", "maintenance", "2025-12-13", "2026-06-13")) is None
    record = world.record(ServiceRecord, service_key(messages.BATTERY))
    assert (record.reference, record.next_service_on) == ("W-2", "2026-12-20")
    assert world.record(WorkRecord, work_key(MAKER, "W-1")).done_on == "2025-12-13"


@pytest.mark.parametrize(
    ("day", "reason"),
    [
        ("2025-12-24", None),
        ("2025-12-23", Reason.DAY_OUT_OF_RANGE),
        ("2999-12-31", None),
        ("2027-02-29", Reason.DAY_OUT_OF_RANGE),
    ],
)
def test_the_next_service_is_not_before_this_one(day: str, reason: Reason | None) -> None:
    """And a day that there is."""
    assert submit(settled(), MAKER, messages.work(next_on=day)) is reason
