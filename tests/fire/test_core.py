"""One network, one fault after another, briefly: what every change must survive."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import VerificationError
from cellvow.node.home import NodeHome
from cellvow.workspace.network import describe_member
from tests.fire.judging import check_store
from tests.fire.network import FireNetwork
from tests.fire.scenarios import (
    disconnected,
    double_votes,
    halved,
    killed,
    make_engine_home,
    paused,
    rewrite_record,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from cellvow.node.cometbft.member import MemberHome
    from tests.fire.namespaces import Fabric

pytestmark = [pytest.mark.cometbft, pytest.mark.slow]
BRIEF_S = 3.0
EVIDENCE_S_MAX = 40.0
LEFT_ALONE_S_MAX = 60.0


@pytest.mark.network
def test_four_members_under_fire_fork_nowhere_and_lose_nothing(
    tmp_path: Path, fabric: Fabric, record_property: Callable[[str, object], None]
) -> None:
    """Killed, paused, cut off, split, run twice, and rewritten by its own operator: each time one history, all kept."""
    with FireNetwork(tmp_path / "network", fabric) as fire:
        fire.start_all()
        first, second, third, fourth = fire.members
        fire.enrol(first, second, third)
        fire.begin_clients(first, second, third)
        for fault, seconds in (
            (killed(fire, second, "engine"), 0.0),
            (killed(fire, fourth, "supervisor"), BRIEF_S),
            (paused(fire, third), BRIEF_S),
            (disconnected(fire, fourth), BRIEF_S),
            (halved(fire), BRIEF_S),
        ):
            fire.suffer(fault.name, fault.inflict, fault.heal, seconds)
        run_twice(fire, fourth)
        leave_alone(fire, fourth)
        for one in fire.measured:
            record_property("measured", f"under fire, briefly: {one}")


def run_twice(fire: FireNetwork, victim: MemberHome) -> None:
    """One of four validators runs twice, first on both sides of a partition: no fork, and every ledger says who."""
    first, second, third, fourth = fire.members
    twin = make_engine_home(fire, victim, f"twin-of-{victim.label}")

    def inflict() -> None:
        fire.split([first, second, fourth], [third, twin])
        fire.start(twin)

    fire.suffer("one validator run twice", inflict, lambda: fire.join(*fire.members, twin), BRIEF_S)
    fire.go_on()
    fire.await_(lambda: all(evidence_in(home, victim) for home in fire.members), "evidence", EVIDENCE_S_MAX)
    fire.stop(twin)
    fire.judge(replay=False)
    assert 1 == len({tuple(evidence_in(home, victim)) for home in fire.members})


def evidence_in(home: MemberHome, suspect: MemberHome) -> list[int]:
    """The heights at which one member's ledger has it that another's validator voted twice."""
    store = NodeHome(home.ledger).open_reader()
    try:
        return double_votes(store, suspect)
    finally:
        store.close()


def leave_alone(fire: FireNetwork, victim: MemberHome) -> None:
    """A member changes a record of its own: its engine stops at the next block, and the others do not notice."""
    fire.stop(victim)
    changed = rewrite_record(victim)
    fire.left_alone.add(victim.label)
    fire.start(victim)
    fire.go_on()
    fire.await_(
        lambda: describe_member(victim).supervisor == "failed", f"{victim.label} to be left alone", LEFT_ALONE_S_MAX
    )
    assert "is not the one that the others agreed on" in fire.reason(victim)
    fire.judge()
    assert changed.startswith("anchor/")
    store = NodeHome(victim.ledger).open_reader()
    try:
        with pytest.raises(VerificationError, match=r"does not reproduce|somebody edited it|is not what"):
            check_store(store)
    finally:
        store.close()
