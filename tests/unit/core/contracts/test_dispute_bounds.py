"""The bounds of disputes: positions, documents, and how many one member and one unit may have open."""

from __future__ import annotations

import pytest

from cellvow.core.contracts import dispute_file
from cellvow.core.contracts.battery import battery_key
from cellvow.core.contracts.dispute_file import DISMISSED_MS, UnitDisputes, unit_disputes_key
from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import (
    BATTERY_DISPUTES_OF_MEMBER_MAX,
    DISPUTES_ENDED_MAX,
    DISPUTES_OPEN_MAX,
    EVIDENCE_MAX,
    POSITIONS_MAX,
)
from tests import messages
from tests.disputing import decision, opening, position, submit, withdrawal
from tests.unit.core.contracts.test_dispute import disputed, divided
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER, World


def test_positions_of_one_side() -> None:
    """POSITIONS_MAX for each side, and not one more; the other side's do not count."""
    world = disputed()
    for _ in range(POSITIONS_MAX - 1):
        assert submit(world, BUYER, position(documents=EVIDENCE_MAX)) is None
    assert submit(world, BUYER, position()) is Reason.TOO_MANY_POSITIONS
    for _ in range(POSITIONS_MAX):
        assert submit(world, MAKER, position(documents=EVIDENCE_MAX)) is None

    assert submit(world, MAKER, position()) is Reason.TOO_MANY_POSITIONS


def test_documents_under_one_position() -> None:
    """EVIDENCE_MAX commitments."""
    world = disputed()

    assert submit(world, MAKER, position(documents=EVIDENCE_MAX)) is None
    assert submit(world, MAKER, position(documents=EVIDENCE_MAX + 1)) is Reason.MALFORMED_MESSAGE


def _own(number: int) -> str:
    """One more unit of the maker."""
    return f"01/{messages.GTIN}/21/OWN-{number}"


def _fill(world: World, who: str, count: int) -> None:
    """So many disputes of one member, over as many units as that takes; the first is over the battery."""
    for number in range(count):
        unit = messages.BATTERY if number == 0 else _own(number // BATTERY_DISPUTES_OF_MEMBER_MAX)
        if unit != messages.BATTERY and battery_key(unit) not in world.state.records:
            world.accept(world[MAKER].key.sign(messages.battery(unit)))
        assert submit(world, who, opening(None, "rule_gap", f"F-{number}", battery=unit)) is None


def test_disputes_that_a_member_has_open() -> None:
    """DISPUTES_OPEN_MAX: one that ends makes room for one."""
    world = divided()
    _fill(world, BUYER, DISPUTES_OPEN_MAX)

    assert submit(world, BUYER, opening()) is Reason.TOO_MANY_DISPUTES
    assert submit(world, BUYER, withdrawal(reference="F-0")) is None
    assert submit(world, BUYER, opening()) is None


def test_a_dismissal_counts_for_ninety_days() -> None:
    """Who raises what is unfounded can raise less for a while; who is right, or withdraws, loses nothing."""
    world = divided()
    _fill(world, BUYER, DISPUTES_OPEN_MAX)
    assert submit(world, AUTHORITY, decision("dismissed", reference="F-0")) is None
    dismissed_ms = world.head.time_ms

    assert submit(world, BUYER, opening()) is Reason.TOO_MANY_DISPUTES
    assert submit(world, BUYER, opening(), time_ms=dismissed_ms + DISMISSED_MS - 1) is Reason.TOO_MANY_DISPUTES
    assert submit(world, BUYER, opening(), time_ms=dismissed_ms + DISMISSED_MS) is None


def test_an_upheld_dispute_counts_no_longer() -> None:
    """Control of the one before: it is the dismissal that counts."""
    world = divided()
    _fill(world, BUYER, DISPUTES_OPEN_MAX)
    submit(world, AUTHORITY, decision("upheld", reference="F-0"))

    assert submit(world, BUYER, opening()) is None


def test_ended_disputes_that_a_unit_still_names() -> None:
    """DISPUTES_ENDED_MAX, the latest of them: whoever looks a unit up finds what was disputed, not only what is."""
    world = divided()
    for number in range(DISPUTES_ENDED_MAX + 1):
        submit(world, BUYER, opening(reference=f"E-{number}"))
        submit(world, BUYER, withdrawal(reference=f"E-{number}"))
    listed = world.record(UnitDisputes, unit_disputes_key(messages.BATTERY))

    assert [one.reference for one in listed.ended] == [f"E-{number}" for number in range(1, DISPUTES_ENDED_MAX + 1)]
    assert listed.disputes == ()


def test_threat_a_decision_is_buried_under_disputes_that_are_withdrawn() -> None:
    """What an arbiter found stays named with the unit; what he dismissed gives way like the rest, the oldest first."""
    world = divided()
    submit(world, BUYER, opening(reference="LOST"))
    assert submit(world, AUTHORITY, decision("upheld", reference="LOST")) is None
    submit(world, BUYER, opening(reference="NAUGHT"))
    assert submit(world, AUTHORITY, decision("dismissed", reference="NAUGHT")) is None
    for number in range(DISPUTES_ENDED_MAX):
        submit(world, MAKER, opening(BUYER, "identity", f"E-{number}"))
        submit(world, MAKER, withdrawal(MAKER, f"E-{number}"))
    listed = world.record(UnitDisputes, unit_disputes_key(messages.BATTERY))

    assert [one.reference for one in listed.ended] == ["LOST", *(f"E-{n}" for n in range(1, DISPUTES_ENDED_MAX))]


def test_disputes_of_one_member_over_one_unit() -> None:
    """BATTERY_DISPUTES_OF_MEMBER_MAX: one that ends makes room for one, and another unit has room of its own."""
    world = divided()
    for number in range(BATTERY_DISPUTES_OF_MEMBER_MAX):
        assert submit(world, BUYER, opening(None, "rule_gap", f"F-{number}")) is None

    assert submit(world, BUYER, opening()) is Reason.TOO_MANY_DISPUTES
    assert submit(world, BUYER, opening(battery=messages.OTHER_BATTERY)) is None
    assert submit(world, BUYER, withdrawal(reference="F-0")) is None
    assert submit(world, BUYER, opening(reference="D-2")) is None


def test_threat_one_party_shuts_the_other_out_of_a_unit(monkeypatch: pytest.MonkeyPatch) -> None:
    """BATTERY_DISPUTES_MAX in all: strangers fill one half, and every party finds room in the other."""
    monkeypatch.setattr(dispute_file, "BATTERY_DISPUTES_MAX", 4 * BATTERY_DISPUTES_OF_MEMBER_MAX)
    world = divided()
    for who, more in ((LABORATORY, True), (AUTHORITY, True), (CARMAKER, False), (BUYER, True), (MAKER, True)):
        for number in range(BATTERY_DISPUTES_OF_MEMBER_MAX if more else 0):
            assert submit(world, who, opening(None, "rule_gap", f"F-{number}")) is None
        assert submit(world, who, opening(None, "rule_gap", "F-9")) is Reason.TOO_MANY_DISPUTES

    assert submit(world, LABORATORY, withdrawal(LABORATORY, "F-0")) is None
    assert submit(world, CARMAKER, opening(MAKER)) is Reason.TOO_MANY_DISPUTES
    assert submit(world, CARMAKER, opening(MAKER, battery=messages.OTHER_BATTERY)) is None
