"""Invitations: a token opens until it ends, is kept nowhere, and a guess learns nothing."""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.vault import (
    LASTS_MS_MAX,
    Invitation,
    InvitationOrder,
    InvitationRefused,
    Invitations,
    UnknownInvitation,
    link_token,
)

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BATTERY = "01/09506000134376/21/PACK-0001"
NOW, END = 1_000_000, 2_000_000


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file lies."""
    return tmp_path / "invitations.db"


@pytest.fixture
def file(path: Path) -> Iterator[Invitations]:
    """An empty file."""
    with closing(Invitations.open(path, kept_max=3)) as opened:
        yield opened


def order(name: str = "Garage Nord", partner: str = "", expires_ms: int = END) -> InvitationOrder:
    """For service of the battery."""
    return InvitationOrder(BATTERY, "service", partner, name, expires_ms, 7, 2, 4)


def stands(_: Invitation) -> bool:
    """Who invited still may."""
    return True


def test_a_token_opens_until_the_moment_it_ends_and_is_counted(file: Invitations) -> None:
    """At its end, and not before, it is refused; both are counted."""
    made = file.make(order(), NOW)
    opened = file.open_invitation(made.token, END - 1, stands)
    with pytest.raises(InvitationRefused):
        file.open_invitation(made.token, END, stands)
    found = file.find(made.invitation.invitation_id)

    assert made.invitation == opened
    assert ("in_force", "expired") == (found.state(END - 1), found.state(END))
    assert (1, 1) == (found.opened, found.refused)


def test_a_revoked_invitation_is_refused_at_its_next_use_and_stays_revoked(file: Invitations) -> None:
    """Revoking again changes nothing."""
    made = file.make(order(), NOW)
    ended = file.revoke(made.invitation.invitation_id, NOW + 1)
    with pytest.raises(InvitationRefused):
        file.open_invitation(made.token, NOW + 2, stands)

    assert "revoked" == ended.state(NOW + 2)
    assert ended.revoked_ms == file.revoke(made.invitation.invitation_id, NOW + 9).revoked_ms


def test_whoever_may_ask_no_more_lets_nobody_in(file: Invitations) -> None:
    """As after the battery was sold."""
    made = file.make(order(), NOW)
    with pytest.raises(InvitationRefused):
        file.open_invitation(made.token, NOW, lambda _: False)

    assert 1 == file.open_invitation(made.token, NOW, stands).refused  # it was the answer, not the link


def test_threat_a_guess_learns_nothing(file: Invitations) -> None:
    """A wrong token, one that is none, and one that has ended say the same; that somebody tried is counted."""
    made = file.make(order(), NOW)
    said = []
    for token, moment_ms in (("A" * 43, NOW), ("no token", NOW), ("\u00e9" * 43, NOW), (made.token, END)):
        with pytest.raises(InvitationRefused) as refused:
            file.open_invitation(token, moment_ms, stands)
        said.append(str(refused.value))

    assert 1 == len(set(said))
    assert 3 == file.unknown()


def test_threat_the_file_is_stolen(file: Invitations, path: Path) -> None:
    """No token is in it, nor in what is printed of an invitation."""
    made = file.make(order(), NOW)
    stored = b"".join(one.read_bytes() for one in path.parent.iterdir())

    assert made.token.encode() not in stored
    assert made.token not in repr(made)


def test_control_a_comparison_that_fails_opens_nothing(file: Invitations, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the index found is not enough: the constant-time comparison decides."""
    made = file.make(order(), NOW)
    monkeypatch.setattr(link_token, "hmac", type("Hmac", (), {"compare_digest": staticmethod(lambda *_: False)}))
    with pytest.raises(InvitationRefused):
        file.open_invitation(made.token, NOW, stands)


@pytest.mark.parametrize("expires_ms", [NOW, NOW - 1, NOW + LASTS_MS_MAX + 1])
def test_an_end_that_is_past_or_too_far_is_refused(file: Invitations, expires_ms: int) -> None:
    """One past each bound; the bound itself holds."""
    file.make(order(expires_ms=NOW + LASTS_MS_MAX), NOW)
    with pytest.raises(Malformed, match="366 days"):
        file.make(order(expires_ms=expires_ms), NOW)


@pytest.mark.parametrize("name", ["", "   ", "x" * 81, "two\nlines", "\x1b[31m"])
def test_a_name_that_could_not_be_shown_is_refused(file: Invitations, name: str) -> None:
    """80 characters still hold."""
    file.make(order("x" * 80), NOW)
    with pytest.raises(Malformed, match="80 printable"):
        file.make(order(name), NOW)


def test_one_organisation_answers_an_invitation(file: Invitations) -> None:
    """Whoever applied first under it; another is refused, and told whose it is."""
    made = file.make(order(), NOW)
    number = made.invitation.invitation_id
    file.name_partner(number, "garage")
    with pytest.raises(OperationalError, match="is for garage"):
        file.name_partner(number, "stranger")

    assert "garage" == file.name_partner(number, "garage").partner


def test_at_the_bound_what_has_ended_makes_room_and_what_is_in_force_does_not(file: Invitations) -> None:
    """The oldest that has ended goes."""
    first, *_ = [file.make(order(), NOW).invitation for _ in range(3)]
    with pytest.raises(OperationalError, match="revoke one"):
        file.make(order(), NOW)
    file.revoke(first.invitation_id, NOW)
    newest = file.make(order("Next"), NOW).invitation

    assert [newest.invitation_id] == [one.invitation_id for one in file.invitations(limit=1)]
    with pytest.raises(UnknownInvitation):
        file.find(first.invitation_id)


def test_a_link_that_shows_more_opens_by_the_same_token(file: Invitations) -> None:
    """Whoever makes that link is handed the token once."""
    given: list[str] = []

    def give(token: str) -> str:
        given.append(token)
        return "0123456789ab"

    made = file.make(order(), NOW, give)

    assert [made.token] == given
    assert "0123456789ab" == made.invitation.grant_id
