"""Every fault at full length, several times, on each member in turn; slower surroundings; an upgrade on the move."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.change import ActivateRuleset
from cellvow.node.home import NodeHome
from cellvow.workspace.network import describe_member, stored_height
from tests.fire.judging import spread
from tests.fire.network import FireNetwork
from tests.fire.scenarios import (
    Fault,
    adopt,
    deafened,
    disconnected,
    halved,
    killed,
    paused,
    restarted,
)
from tests.fire.surroundings import SmallDisk, build_without_ruleset_2, shifted

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cellvow.node.cometbft.member import MemberHome
    from tests.fire.namespaces import Fabric

    Tell = Callable[[str, object], None]

pytestmark = [pytest.mark.cometbft, pytest.mark.network, pytest.mark.explore]
ROUNDS = 3
FULL_S = 10.0
FAILED_S_MAX = 60.0


def faults(fire: FireNetwork, victim: MemberHome) -> list[tuple[Fault, float]]:
    """All of them, with how long each lasts."""
    killing = [(killed(fire, victim, part), 0.0) for part in ("engine", "application")]
    lasting = [killed(fire, victim, "supervisor"), paused(fire, victim), disconnected(fire, victim)]
    lasting += [deafened(fire, victim), halved(fire)]
    return [*killing, *((fault, FULL_S) for fault in lasting), (restarted(fire), 0.0)]


def test_every_fault_at_full_length_forks_nothing_and_loses_nothing(fire: FireNetwork, record_property: Tell) -> None:
    """Ten seconds each, every member in turn the victim; back within twenty seconds each time."""
    for number in range(ROUNDS):
        for fault, seconds in faults(fire, fire.members[-1 - number % len(fire.members)]):
            fire.suffer(fault.name, fault.inflict, fault.heal, seconds)
    for name in dict.fromkeys(one.fault for one in fire.measured):
        same = [one for one in fire.measured if one.fault == name]
        back, gap = spread(one.recovery_s for one in same), spread(one.gap_s for one in same)
        record_property("measured", f"under fire: {name}: back {back}; longest gap {gap}")
    record_property("measured", f"under fire: {len(fire.acknowledged)} statements acknowledged, none lost, no fork")


@pytest.mark.faults
def test_a_member_whose_clock_is_an_hour_ahead_hurts_nobody(fire: FireNetwork, record_property: Tell) -> None:
    """Its application and supervisor believe the shifted clock; statements are judged by the time of their block."""
    victim = fire.members[1]
    for seconds in (3_600, -3_600):

        def shift(seconds: int = seconds) -> None:
            fire.stop(victim)
            fire.start(victim, shifted(seconds))

        def mend() -> None:
            fire.stop(victim)
            fire.start(victim)

        measured = fire.suffer(f"clock off by {seconds:+d} s", shift, mend, FULL_S)
        record_property("measured", f"under fire: {measured}")


@pytest.mark.faults
def test_a_full_disk_stops_its_member_in_words_and_loses_nothing(
    tmp_path: Path, fabric: Fabric, record_property: Tell
) -> None:
    """What was sent with the failed write is called unknown; with room again the member starts where the others are."""
    with FireNetwork(tmp_path / "network", fabric, is_thorough=True) as fire:
        victim = fire.members[3]
        with SmallDisk(victim.ledger) as disk:
            fire.start_all()
            fire.enrol(*fire.members[:3])
            fire.begin_clients(*fire.members[:3])

            def fill() -> None:
                disk.fill()
                fire.await_(lambda: describe_member(victim).supervisor == "failed", "the member to stop", FAILED_S_MAX)

            def mend() -> None:
                assert "unknown" in fire.reason(victim)
                disk.clear()
                fire.start(victim)

            measured = fire.suffer("disk full", fill, mend, 1.0)
            record_property("measured", f"under fire: {measured}")
            for home in fire.members:
                fire.stop(home)


def test_members_are_upgraded_one_by_one_and_who_stays_behind_stops_in_words(
    tmp_path: Path, fabric: Fabric, record_property: Tell
) -> None:
    """A vote activates the ruleset that the older build lacks: that member stops at its height, and comes back."""
    older = build_without_ruleset_2(tmp_path / "older")
    with FireNetwork(tmp_path / "network", fabric, is_thorough=True) as fire:
        for home in fire.members:
            fire.start(home, older)
        fire.await_ready()
        fire.enrol(*fire.members)
        fire.begin_clients(*fire.members[:3])
        for home in fire.members[:3]:
            end, begin = partial(fire.stop, home), partial(fire.start, home)
            record_property("measured", f"under fire: {fire.suffer('upgrade of one', end, begin, 0.0)}")
        fire.go_on()
        behind = fire.members[3]
        since = (stored_height(fire.members[0]) or 0) + 30
        adopt(fire, ActivateRuleset(ruleset=2), fire.members[:3], effective_height=since)
        fire.await_(lambda: describe_member(behind).supervisor == "failed", "who stayed behind to stop", FAILED_S_MAX)
        assert "ruleset 2 is unknown" in fire.reason(behind)
        assert "upgrade it" in fire.reason(behind)
        fire.suffer("upgrade of who stayed behind", lambda: None, lambda: fire.start(behind), 0.0)
        for home in fire.members:
            store = NodeHome(home.ledger).open_reader()
            try:
                assert 2 == store.head().ruleset
            finally:
                store.close()
