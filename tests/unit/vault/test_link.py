"""What every kind of link has in common: how long it may last, what it is at a moment, and that an end is final."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.vault import Grant, GrantLimits, GrantOrder, Grants, Invitation, InvitationOrder, Invitations
from cellvow.vault.link import (
    EXPIRED,
    IN_FORCE,
    LASTS_MS_MAX,
    NOTE_LENGTH_MAX,
    REVOKED,
    derive_link_state,
    is_one_line,
    require_lasting,
)

if TYPE_CHECKING:
    from pathlib import Path

BATTERY = "01/09506000134376/21/PACK-0001"
NOW = 1_800_000_000_000
MOMENTS = st.integers(0, 2 * NOW)


@given(expires=MOMENTS, revoked=st.none() | MOMENTS, now=MOMENTS)
def test_a_link_is_in_force_until_its_end_and_once_revoked_never_again(
    expires: int, revoked: int | None, now: int
) -> None:
    """The same of a purchaser's link and of an invitation."""
    state = derive_link_state(expires, revoked, now)
    grant = Grant("1", BATTERY, frozenset(("health",)), "", 0, expires, revoked)
    invitation = Invitation("1", BATTERY, "test", "", "Lab", 1, 1, 9, 0, expires, revoked_ms=revoked)

    assert (state is REVOKED) is (revoked is not None)
    assert (state is IN_FORCE) is (revoked is None and now < expires)
    assert (state, state) == (grant.state(now), invitation.state(now))


def test_a_link_lasts_a_year_at_most() -> None:
    """At each bound and one past it; the sentence names the kind of link."""
    require_lasting("a link", NOW + 1, NOW)
    require_lasting("a link", NOW + LASTS_MS_MAX, NOW)
    for expires in (NOW, NOW + LASTS_MS_MAX + 1):
        with pytest.raises(Malformed, match="an invitation lasts"):
            require_lasting("an invitation", expires, NOW)
    assert EXPIRED == derive_link_state(NOW, None, NOW)


def test_what_is_written_beside_a_link_is_one_line() -> None:
    """At the bound and one past it."""
    assert is_one_line("x" * NOTE_LENGTH_MAX)
    assert not is_one_line("x" * (NOTE_LENGTH_MAX + 1))
    assert not is_one_line("two\nlines")


def test_both_kinds_make_room_by_what_has_ended_and_by_nothing_else(tmp_path: Path) -> None:
    """With room for one: refused while it is in force, forgotten once it has ended."""
    grants = Grants.open(tmp_path / "grants.db", GrantLimits(grants=1))
    invitations = Invitations.open(tmp_path / "invitations.db", 1)
    order = GrantOrder(BATTERY, frozenset(("health",)), NOW + 10)
    asked = InvitationOrder(BATTERY, "test", "", "Lab", NOW + 10, 1, 1, 9)
    grants.issue(order, NOW)
    invitations.make(asked, NOW)

    with pytest.raises(OperationalError, match="1 links are in force"):
        grants.issue(order, NOW)
    with pytest.raises(OperationalError, match="1 invitations are in force"):
        invitations.make(asked, NOW)
    later = GrantOrder(BATTERY, frozenset(("history",)), NOW + 20)
    assert [later.scope] == [grants.issue(later, NOW + 10).grant.scope]
    assert [{"history"}] == [set(one.scope) for one in grants.grants()]
    newer = InvitationOrder(BATTERY, "use", "", "Garage", NOW + 20, 1, 1, 9)
    assert "use" == invitations.make(newer, NOW + 10).invitation.stage
    assert ["use"] == [one.stage for one in invitations.invitations()]
    grants.close()
    invitations.close()
