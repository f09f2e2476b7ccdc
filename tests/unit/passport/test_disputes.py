"""The disputes over a unit as its page shows them: that it is disputed is everybody's, the parties are not."""

from __future__ import annotations

from dataclasses import asdict

from cellvow.core.contracts.dispute_file import LAPSE_MS
from cellvow.core.contracts.takeover import COMPLETION_MS
from cellvow.passport.disputes import DisputeView, derive_dispute, derive_disputes, derive_takeover
from tests import messages
from tests.disputing import decision, hand_over, nomination, notice, opening, outcome, settled, settlement, submit
from tests.disputing import moves as wanted
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER, World


def views(world: World, time_ms: int | None = None) -> tuple[DisputeView, ...]:
    """The disputes over the battery, as of now or later."""
    return derive_disputes(world.state.get, messages.BATTERY, time_ms or world.head.time_ms)


def disputed() -> World:
    """The owner disputes with the maker who holds it."""
    world = settled()
    hand_over(world, MAKER, BUYER, ("ownership",))
    submit(world, BUYER, opening(MAKER, arbiter=LABORATORY))
    return world


def test_a_unit_that_nobody_disputes_has_no_disputes() -> None:
    """Nor has one that is not registered."""
    world = settled()

    assert views(world) == ()
    assert derive_disputes(world.state.get, "01/04012345123456/21/NONE", 1) == ()
    assert derive_dispute(world.state.get, MAKER, "D-1", 1) is None


def test_a_cloned_serial_is_contested_to_whoever_scans_it() -> None:
    """Open, about its identity, and as a claim: the world's part says so without a name."""
    world = settled()
    assert outcome(world, CARMAKER, messages.battery()).is_contested
    (view,) = views(world)

    assert view.summary.is_of_identity
    assert (view.summary.topic, view.summary.state, view.summary.is_claim) == ("cloned_serial", "open", True)
    assert not any(name in str(asdict(view.summary)) for name in (CARMAKER, MAKER))


def test_the_file_holds_both_sides_and_what_stands_still() -> None:
    """Positions, whom each names, what is proposed, when it lapses."""
    world = disputed()
    submit(world, MAKER, settlement(wanted(("custody", BUYER))))
    (view,) = views(world)

    assert (view.name, view.respondent, view.summary.holds) == (f"{BUYER}/D-1", MAKER, ("custody",))
    assert (view.named_by_opener, view.named_by_respondent, view.arbiter) == (LABORATORY, None, None)
    assert (view.proposed_by, view.proposed) == (MAKER, (("custody", BUYER),))
    assert view.lapses_ms == view.summary.opened_ms + LAPSE_MS
    submit(world, MAKER, nomination(LABORATORY))
    assert views(world)[0].arbiter == LABORATORY


def test_what_ended_comes_after_what_is_open() -> None:
    """Decided with its outcome, and holding nothing any more; a lapsed one says so by the clock alone."""
    world = disputed()
    submit(world, AUTHORITY, decision("dismissed"))
    submit(world, LABORATORY, opening(MAKER, "safety", "S-1"))
    first, second = views(world)

    assert (first.reference, first.summary.is_open) == ("S-1", True)
    assert (second.summary.state, second.summary.outcome, second.summary.holds) == ("decided", "dismissed", ())
    assert second.decision is not None
    assert second.decision.arbiter == AUTHORITY
    late = views(world, world.head.time_ms + LAPSE_MS + 1)
    assert [one.summary.state for one in late] == ["lapsed", "decided"]


def test_the_notice_of_a_take_over_is_told_with_its_end() -> None:
    """Open, then lapsed by the clock alone."""
    world = settled()
    assert derive_takeover(world.state.get, messages.BATTERY, 1) is None
    submit(world, BUYER, notice())
    view = derive_takeover(world.state.get, messages.BATTERY, world.head.time_ms)

    assert view is not None
    assert (view.by, view.respondent, view.state, view.cause) == (BUYER, MAKER, "open", "abandoned")
    late = derive_takeover(world.state.get, messages.BATTERY, view.ends_ms + COMPLETION_MS + 1)
    assert late is not None
    assert late.state == "lapsed"
