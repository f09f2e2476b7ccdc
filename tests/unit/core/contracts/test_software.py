"""Documents by version and reader, software by release and digest, and the reset that releases the original maker."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import encode_record
from cellvow.core.contracts.document import DocumentRecord, document_key
from cellvow.core.contracts.software import SoftwareRecord, software_key
from cellvow.core.ledger.rejection import Reason
from cellvow.core.protocol.ruleset import NEWEST, RULESETS
from tests import disputing, messages
from tests.unit.core.contracts.test_use import both, hand_over, settled, submit
from tests.world import AUTHORITY, BUYER, CARMAKER, MAKER, World

# Documents


def test_a_document_keeps_its_newest_version_and_names_its_readers() -> None:
    """By commitment, with title and roles; the earlier version is in the statement that published it."""
    world = settled()
    first = world[CARMAKER].key.sign(messages.document())
    world.accept(first)
    newer = replace(messages.document(2), document=messages.committed("4e"), roles=("recycler",))

    assert submit(world, CARMAKER, newer) is None
    record = world.record(DocumentRecord, document_key(CARMAKER, "MANUAL-1"))
    assert (record.version, record.document, record.roles) == (2, messages.committed("4e"), ("recycler",))
    earlier = RULESETS[NEWEST].parse_message(first.messages[0])
    assert earlier == messages.document()


@pytest.mark.parametrize("version", [0, 1, 3])
def test_versions_of_a_document_have_no_gap(version: int) -> None:
    """Neither skipped nor used again; the refusal says which one is next."""
    world = settled()
    submit(world, MAKER, messages.document())
    outcome = world.submit(world[MAKER].key.sign(messages.document(version)))

    assert outcome.reason is Reason.WRONG_DOCUMENT_VERSION
    assert dict(outcome.facts)["expected"] == 2


def test_two_second_versions_in_one_block_publish_one() -> None:
    """The first of them, in either order."""
    for digests in (("4d", "4e"), ("4e", "4d")):
        world = settled()
        submit(world, MAKER, messages.document())
        wanted = [replace(messages.document(2), document=messages.committed(one)) for one in digests]

        assert both(world, *((MAKER, one) for one in wanted)) == [None, Reason.WRONG_DOCUMENT_VERSION]
        record = world.record(DocumentRecord, document_key(MAKER, "MANUAL-1"))
        assert record.document == messages.committed(digests[0])


def test_a_document_stays_about_one_thing() -> None:
    """A second version about another unit would be another document."""
    world = settled()
    submit(world, MAKER, messages.document())

    assert submit(world, MAKER, messages.document(2, about=messages.OTHER_BATTERY)) is Reason.WRONG_DOCUMENT_VERSION
    assert submit(world, MAKER, messages.document(2, about=messages.GTIN)) is Reason.WRONG_DOCUMENT_VERSION


@pytest.mark.parametrize(
    ("about", "reason"),
    [
        (messages.GTIN, None),
        (messages.OTHER_GTIN, Reason.UNKNOWN_MODEL),
        (f"01/{messages.GTIN}/21/NONE", Reason.UNKNOWN_BATTERY),
        ("NP-33", Reason.MALFORMED_MESSAGE),
        (f"{messages.GTIN}/21", Reason.MALFORMED_MESSAGE),
    ],
)
def test_a_document_is_about_a_registered_unit_or_model(about: str, reason: Reason | None) -> None:
    """One manual for all units of a model, or one sheet for one unit."""
    assert submit(settled(), MAKER, messages.document(about=about)) is reason


@pytest.mark.parametrize("roles", [(), ("workshop", "workshop"), ("second_life_operator", "workshop"), ("owner",)])
def test_readers_are_roles_each_once_in_order(roles: tuple[str, ...]) -> None:
    """One spelling of who a document is for."""
    wrong = replace(messages.document(), roles=roles)

    assert submit(settled(), MAKER, wrong) is Reason.MALFORMED_MESSAGE


def test_documents_come_from_who_services() -> None:
    """An authority publishes none."""
    assert submit(settled(), AUTHORITY, messages.document()) is Reason.ROLE_MISSING


# Software


def software_of(world: World, component: str = "bms") -> SoftwareRecord:
    """What runs on a component."""
    return world.record(SoftwareRecord, software_key(messages.BATTERY, component))


def built_in() -> World:
    """The vehicle maker has built the unit in, and sold the vehicle with it: he stands in no register."""
    world = settled()
    hand_over(world, MAKER, CARMAKER)
    submit(world, CARMAKER, messages.installation())
    hand_over(world, CARMAKER, BUYER)
    return world


def test_threat_a_stranger_says_what_runs_on_a_unit() -> None:
    """Others rely on it: a workshop that nobody asked cannot overwrite what the maker has recorded."""
    world = settled()
    submit(world, MAKER, messages.software())

    assert submit(world, CARMAKER, messages.software("6.6.6")) is Reason.NO_OPEN_ORDER
    assert software_of(world).release == "1.4.2"


def test_a_maker_updates_what_he_has_sold() -> None:
    """Over the air, when he stands in no register of it any more."""
    world = settled()
    disputing.hand_over(world, MAKER, BUYER)

    assert submit(world, MAKER, messages.software()) is None
    assert software_of(world).installed_by == MAKER


def test_who_was_ordered_to_work_on_a_unit_updates_it_until_the_order_ends() -> None:
    """For whatever kind of work; the holder's word is what ties him to it."""
    world = settled()
    submit(world, MAKER, messages.work_order(CARMAKER, "inspection"))

    assert submit(world, CARMAKER, messages.software()) is None
    assert submit(world, MAKER, messages.order_withdrawal()) is None
    assert submit(world, CARMAKER, messages.software("1.4.3")) is Reason.NO_OPEN_ORDER


def test_what_is_taken_out_of_a_vehicle_is_its_makers_no_more() -> None:
    """The tie ends with the place; one register does for a tie."""
    world = built_in()
    assert submit(world, BUYER, messages.software()) is None
    submit(world, BUYER, messages.removal())

    assert submit(world, CARMAKER, messages.software("1.4.3")) is Reason.NO_OPEN_ORDER
    assert submit(world, MAKER, messages.software("1.4.3")) is None


def test_software_names_its_release_digest_and_who_installed_it() -> None:
    """Over the air too: who built it into his vehicle needs no custody any more."""
    world = built_in()

    assert submit(world, CARMAKER, messages.software()) is None
    record = software_of(world)
    assert (record.release, record.digest, record.installed_by) == ("1.4.2", "5f" * 32, CARMAKER)
    assert (record.installed_as, record.since_ms, record.maker_released) == ("update", world.head.time_ms, None)


def test_the_same_software_is_no_update() -> None:
    """The same release with another digest is one, and so is going back."""
    world = settled()
    submit(world, MAKER, messages.software())

    assert submit(world, MAKER, messages.software()) is Reason.SOFTWARE_UNCHANGED
    assert submit(world, MAKER, replace(messages.software(), digest="5e" * 32)) is None
    assert submit(world, MAKER, messages.software()) is None
    assert submit(world, MAKER, messages.software(component="charger")) is None


def test_two_releases_in_one_block_leave_the_later() -> None:
    """In either order; both are in the log."""
    for releases in (("2.0", "3.0"), ("3.0", "2.0")):
        world = settled()

        assert both(world, *((MAKER, messages.software(one)) for one in releases)) == [None, None]
        assert software_of(world).release == releases[1]


def test_a_reset_releases_the_original_maker_with_its_proof() -> None:
    """Article 14(3): whoever prepares the unit for another use resets it; the release names statement and signer."""
    world = settled()
    submit(world, MAKER, messages.software())
    hand_over(world, MAKER, BUYER)
    statement = world[BUYER].key.sign(messages.reset())
    world.accept(statement)
    released = software_of(world).maker_released

    assert released is not None
    assert (released.organisation, released.since_ms) == (BUYER, world.head.time_ms)
    assert released.provenance.statement == statement.envelope.digest.hex()
    assert (software_of(world).installed_as, software_of(world).release) == ("reset", "2.0.0")


def test_once_released_stays_released() -> None:
    """Neither an update nor another reset, nor the unit's way back to its maker, undoes or renews it."""
    world = settled()
    hand_over(world, MAKER, BUYER)
    submit(world, BUYER, messages.reset())
    released = software_of(world).maker_released
    hand_over(world, BUYER, MAKER)

    assert submit(world, MAKER, messages.software("9.0")) is None
    assert software_of(world).maker_released == released
    hand_over(world, MAKER, BUYER)
    assert submit(world, BUYER, messages.reset()) is None
    assert software_of(world).maker_released == released


@pytest.mark.parametrize(
    ("who", "reason"),
    [(MAKER, Reason.ROLE_MISSING), (CARMAKER, Reason.ROLE_MISSING), (BUYER, Reason.NOT_THE_HOLDER)],
)
def test_nobody_is_released_by_who_does_not_prepare_the_unit(who: str, reason: Reason) -> None:
    """A maker does not release himself, nor does a second-life operator who does not hold the unit."""
    world = settled()

    assert submit(world, who, messages.reset()) is reason
    assert software_key(messages.BATTERY, "bms") not in world.state.records


def test_a_maker_who_also_prepares_units_releases_nobody_by_his_own_reset() -> None:
    """He answers for what he uploads himself."""
    world = settled()
    record = world.record(BatteryRecord, battery_key(messages.BATTERY))
    world.state.update({battery_key(messages.BATTERY): encode_record(replace(record, organisation=BUYER))})
    hand_over(world, MAKER, BUYER)

    assert submit(world, BUYER, messages.reset()) is None
    assert (software_of(world).installed_as, software_of(world).maker_released) == ("reset", None)


def test_only_the_battery_management_systems_reset_releases() -> None:
    """The law speaks of that one; the reset of a charger is recorded and releases nobody."""
    world = settled()
    hand_over(world, MAKER, BUYER)

    assert submit(world, BUYER, messages.reset(component="charger")) is None
    assert software_of(world, "charger").maker_released is None


def test_a_reset_is_not_repeated_with_the_same_software() -> None:
    """After an update to that software it is a reset again."""
    world = settled()
    hand_over(world, MAKER, BUYER)
    same = replace(messages.software("2.0.0"), digest=messages.reset().digest)

    assert submit(world, BUYER, same) is None
    assert submit(world, BUYER, messages.reset()) is None
    assert submit(world, BUYER, messages.reset()) is Reason.SOFTWARE_UNCHANGED
    assert submit(world, BUYER, same) is Reason.SOFTWARE_UNCHANGED
