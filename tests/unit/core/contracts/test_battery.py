"""Models and batteries: registered once, by whom the model belongs to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.battery import STATUSES, Backfill, BatteryRecord, ModelRecord, battery_key, model_key
from cellvow.core.contracts.contract import Message, encode_message
from cellvow.core.contracts.register import REGISTERS, register_key
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.encoding import Json, parse_object
from cellvow.core.protocol.ruleset import NEWEST
from tests import messages
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER, World, make_genesis


def submit(world: World, organisation: str, message: Message) -> Reason | None:
    """What became of the message: None if it was accepted."""
    return world.submit(world[organisation].key.sign(message)).reason


@pytest.mark.parametrize(
    ("organisation", "reason"),
    [
        (MAKER, None),
        (CARMAKER, None),
        (BUYER, None),
        (LABORATORY, Reason.ROLE_MISSING),
        (AUTHORITY, Reason.ROLE_MISSING),
    ],
)
def test_models_and_batteries_are_registered_by_whoever_may_place_them_on_the_market(
    organisation: str, reason: Reason | None
) -> None:
    """Manufacturer, importer or second-life operator; a laboratory or an authority not."""
    world = World()

    assert submit(world, organisation, messages.model()) is reason
    assert submit(world, organisation, messages.battery()) is reason


def test_a_model_keeps_what_its_maker_declared() -> None:
    """Every field of the message, and whose it is."""
    world = World()
    statement = world[MAKER].key.sign(messages.model())
    world.accept(statement)
    record = world.record(ModelRecord, model_key(messages.GTIN))
    declared = {name: getattr(messages.model(), name) for name in messages.model().__struct_fields__}

    assert {name: getattr(record, name) for name in declared} == declared
    assert (record.organisation, record.provenance.statement) == (MAKER, statement.envelope.digest.hex())


def test_a_battery_is_born_original_with_its_model_and_no_history() -> None:
    """Status, model, epoch; the fields for parts and reconstruction are there and empty."""
    world = World()
    world.accept(world[MAKER].key.sign(messages.model()), world[MAKER].key.sign(messages.battery()))
    record = world.record(BatteryRecord, battery_key(messages.BATTERY))

    assert (record.status, record.gtin, record.epoch, record.version) == (STATUSES[0], messages.GTIN, 0, 1)
    assert (record.part_of, record.ceased, record.backfill, record.corrects) == (None, None, None, None)


def test_a_battery_older_than_its_record_is_born_marked_as_reconstructed() -> None:
    """Evidence class and basis stand in its record, the event says so; in all else it is a birth."""
    world = World()
    world.accept(world[MAKER].key.sign(messages.model()))
    outcome = world.submit(world[MAKER].key.sign(messages.reconstructed()))
    record = world.record(BatteryRecord, battery_key(messages.BATTERY))

    assert record.backfill == Backfill(evidence_class="estimated", basis="type plate")
    assert list(outcome.events) == [
        {"type": "BatteryRegistered", "battery": messages.BATTERY, "reconstructed": "estimated"}
    ]
    assert (record.status, record.epoch) == (STATUSES[0], 0)
    assert all(register_key(one, messages.BATTERY) in world.state.records for one in REGISTERS)


def test_a_birth_that_was_recorded_as_it_happened_says_nothing_of_reconstruction() -> None:
    """Control: neither its record nor its event."""
    world = World()
    world.accept(world[MAKER].key.sign(messages.model()))
    outcome = world.submit(world[MAKER].key.sign(messages.battery()))

    assert list(outcome.events) == [{"type": "BatteryRegistered", "battery": messages.BATTERY}]


def test_a_battery_is_not_born_twice_by_reconstruction() -> None:
    """A registered battery cannot enter again as an old one."""
    world = World()
    world.accept(world[MAKER].key.sign(messages.model()), world[MAKER].key.sign(messages.battery()))

    assert submit(world, MAKER, messages.reconstructed()) is Reason.BATTERY_EXISTS


@pytest.mark.parametrize(
    "backfill",
    [
        {},
        {"basis": "type plate"},
        {"evidence_class": "estimated"},
        {"evidence_class": "measured", "basis": "type plate"},
        {"evidence_class": "simulated", "basis": "type plate"},
        {"evidence_class": "estimated", "basis": ""},
        {"evidence_class": "estimated", "basis": "x" * 65},
        {"evidence_class": "estimated", "basis": "type plate", "more": 1},
        None,
    ],
    ids=str,
)
def test_a_reconstruction_is_whole_or_malformed(backfill: dict[str, Json] | None) -> None:
    """Both parts; nobody measured a birth; and null is no second spelling of absence."""
    world = World()
    world.accept(world[MAKER].key.sign(messages.model()))
    document = {**parse_object(encode_message(messages.battery())), "backfill": backfill}
    statement = world[MAKER].key.sign(document, subject=messages.BATTERY)

    assert world.submit(statement).reason is Reason.MALFORMED_MESSAGE


def test_a_battery_of_a_model_of_another_is_a_clone() -> None:
    """Only who registered the model registers batteries of it."""
    world = World()
    submit(world, MAKER, messages.model())

    assert submit(world, CARMAKER, messages.battery()) is Reason.NOT_YOUR_MODEL
    assert battery_key(messages.BATTERY) not in world.state.records


def test_a_battery_is_registered_once_for_all() -> None:
    """By its maker again, in the same block, or after it has moved on."""
    world = World()
    submit(world, MAKER, messages.model())
    twice = [world[MAKER].key.sign(messages.battery()) for _ in range(2)]
    assert [outcome.reason for (outcome,) in world.include(*twice)] == [None, Reason.BATTERY_EXISTS]
    submit(world, MAKER, messages.offer(BUYER))
    submit(world, BUYER, messages.accept())
    before = {name: world.state.records[register_key(name, messages.BATTERY)] for name in REGISTERS}

    assert submit(world, MAKER, messages.battery()) is Reason.BATTERY_EXISTS
    assert {name: world.state.records[register_key(name, messages.BATTERY)] for name in REGISTERS} == before


@pytest.mark.parametrize(
    "changed",
    [
        {"category": "toy"},
        {"model": ""},
        {"model": "NP-33\n"},
        {"model": "NР-33"},
        {"chemistry": "x" * 65},
        {"mass_g": -1},
        {"mass_g": True},
        {"mass_g": "787"},
        {"gtin": "4012345123456"},
    ],
)
def test_a_model_of_another_form_is_malformed(changed: dict[str, object]) -> None:
    """Terms are short ASCII, quantities whole numbers, categories those of the law."""
    world = World()

    assert submit(world, MAKER, replace(messages.model(), **changed)) is Reason.MALFORMED_MESSAGE


@pytest.mark.parametrize(
    "changed",
    [
        {"battery": "01/04012345123456/21/pack"},
        {"battery": "01/04012345123456/21/PACK-0001\n"},
        {"battery": "01/０4012345123456/21/PACK"},
        {"battery": "01/04012345123456/21/РACK"},
        {"manufactured_on": "2025-6-30"},
        {"manufactured_on": "2025-13-01"},
        {"manufactured_on": "2025-06-30T00:00"},
        {"manufactured_on": "0025-06-30"},
        {"facility": "Plant\t1"},
    ],
)
def test_a_battery_of_another_form_is_malformed(changed: dict[str, str]) -> None:
    """Identifier, day and facility have one spelling; look-alikes are refused."""
    world = World()
    submit(world, MAKER, messages.model())
    document = {"type": "RegisterBattery", "battery": messages.BATTERY, "facility": "Plant 1"}
    document |= {"manufactured_on": "2025-06-30"} | changed
    outcome = world.submit(world[MAKER].key.sign(dict(document), subject=messages.BATTERY))

    assert outcome.reason is Reason.MALFORMED_MESSAGE


@pytest.mark.parametrize("day", ["2025-02-30", "2025-02-29", "2025-04-31"])
def test_a_day_that_is_not_in_the_calendar_is_malformed(day: str) -> None:
    """A shipped rule never changes, so days are checked from the start."""
    world = World()
    submit(world, MAKER, messages.model())

    assert submit(world, MAKER, replace(messages.battery(), manufactured_on=day)) is Reason.MALFORMED_MESSAGE


@pytest.mark.parametrize("day", ["2024-02-29", "2025-12-31", "2000-02-29"])
def test_a_day_of_the_calendar_is_accepted(day: str) -> None:
    """Leap days among them."""
    world = World()
    submit(world, MAKER, messages.model())

    assert submit(world, MAKER, replace(messages.battery(), manufactured_on=day)) is None


@pytest.mark.parametrize("forgotten", ["type", "battery", "facility", "manufactured_on"])
def test_a_message_lacks_nothing(forgotten: str) -> None:
    """Every field without a default is needed."""
    world = World()
    document = {
        "type": "RegisterBattery",
        "battery": messages.BATTERY,
        "facility": "Plant 1",
        "manufactured_on": "2025-06-30",
    }
    del document[forgotten]
    outcome = world.submit(world[MAKER].key.sign(dict(document), subject=messages.BATTERY))

    assert outcome.reason is Reason.MALFORMED_MESSAGE


def test_an_unknown_field_is_refused_whatever_it_says() -> None:
    """Nothing rides along: a name, a place, a value that was to stay secret."""
    world = World()
    document = {
        "type": "RegisterBattery",
        "battery": messages.BATTERY,
        "facility": "Plant 1",
        "manufactured_on": "2025-06-30",
        "owner": "somebody",
    }
    outcome = world.submit(world[MAKER].key.sign(dict(document), subject=messages.BATTERY))

    assert outcome.reason is Reason.MALFORMED_MESSAGE


@pytest.mark.parametrize(("day", "reason"), [("2026-01-01", None), ("2026-01-02", Reason.DAY_OUT_OF_RANGE)])
def test_no_unit_is_born_in_the_future(day: str, reason: Reason | None) -> None:
    """Everything later is held against its birth: one in the future would forbid it all. Today is no future."""
    world = World(make_genesis(ruleset=NEWEST))
    maker = world[MAKER].key
    world.accept(maker.sign(messages.model()))
    born = replace(messages.battery(), manufactured_on=day)

    assert world.submit(maker.sign(born)).reason is reason


def test_no_correction_moves_a_birth_into_the_future() -> None:
    """Nor does it by a typing error."""
    world = World(make_genesis(ruleset=NEWEST))
    maker = world[MAKER].key
    world.accept(maker.sign(messages.model()))
    first = maker.sign(messages.battery())
    world.accept(first)
    later = messages.correction(first, replace(messages.battery(), manufactured_on="2026-01-02"))

    assert world.submit(maker.sign(later)).reason is Reason.DAY_OUT_OF_RANGE


@pytest.mark.parametrize("ruleset", [1, 2])
def test_rulesets_that_were_shipped_judge_a_birth_as_they_did(ruleset: int) -> None:
    """Old blocks replay as they were."""
    world = World(make_genesis(ruleset=ruleset))
    maker = world[MAKER].key
    world.accept(maker.sign(messages.model()))

    assert world.submit(maker.sign(replace(messages.battery(), manufactured_on="2199-01-01"))).is_accepted
