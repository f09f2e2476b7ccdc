"""A purchaser link opens what it is for while it is to be honoured; every attempt is on record, its token never."""

from __future__ import annotations

import hmac
import subprocess
import sys
from base64 import urlsafe_b64decode
from contextlib import closing
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import InvariantBroken, Malformed, OperationalError
from cellvow.vault import (
    LASTS_MS_MAX,
    NOTE_LENGTH_MAX,
    Asked,
    Grant,
    GrantLimits,
    GrantOrder,
    GrantRefused,
    Grants,
    GrantVerdict,
    Issued,
    LogCounts,
    UnknownGrant,
    link_token,
)
from tests.unit.vault.traces import traces

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

BATTERY, OTHER = "01/09506000134376/21/PACK-0001", "01/09506000134376/21/PACK-0002"
NOW, END = 1_000_000, 2_000_000
HEALTH, BOTH = frozenset({"health"}), frozenset({"health", "history"})
SMALL = GrantLimits(grants=3, uses=6, uses_per_grant=4, unknown=2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the file will lie."""
    return tmp_path / "grants.db"


@pytest.fixture
def file(path: Path) -> Iterator[Grants]:
    """An open file that never gave a link."""
    with closing(Grants.open(path)) as opened:
        yield opened


@pytest.fixture
def small(path: Path) -> Iterator[Grants]:
    """The same with bounds that a test can reach."""
    with closing(Grants.open(path, SMALL)) as opened:
        yield opened


def order(battery: str = BATTERY, expires_ms: int = END, note: str = "") -> GrantOrder:
    """A link that shows health."""
    return GrantOrder(battery, HEALTH, expires_ms, note)


def asked(moment_ms: int = NOW + 1, battery: str | None = BATTERY) -> Asked:
    """A look at the passport."""
    return Asked(battery, "passport", moment_ms)


def owned(_battery: str) -> bool:
    """The organisation owns everything."""
    return True


def refusal(file: Grants, token: str, asking: Asked, *, is_owned: bool = True) -> GrantRefused:
    """How a link is refused."""
    with pytest.raises(GrantRefused) as caught:
        file.open_grant(token, asking, lambda _: is_owned)
    return caught.value


def test_a_link_shows_what_was_ordered(file: Grants) -> None:
    """Battery, scope, note and times are those of the order; its use is counted."""
    issued = file.issue(GrantOrder(BATTERY, BOTH, END, "offer 17"), NOW)
    opened = file.open_grant(issued.token, asked(), owned)

    assert Grant(issued.grant.grant_id, BATTERY, BOTH, "offer 17", NOW, END, None, 1, 0, NOW + 1) == opened


def test_a_token_is_32_random_bytes_in_43_characters(file: Grants) -> None:
    """Two links never share one, and a number is no part of it."""
    first, second = file.issue(order(), NOW), file.issue(order(), NOW)

    assert 32 == len(urlsafe_b64decode(first.token + "="))
    assert 43 == len(first.token)
    assert first.token != second.token
    assert first.grant.grant_id not in first.token


def test_a_token_lies_in_no_file_no_log_and_no_text(file: Grants, path: Path) -> None:
    """A stolen file opens no link: neither its token nor the bytes in it stand anywhere."""
    issued = file.issue(order(), NOW)
    file.open_grant(issued.token, asked(), owned)
    error = refusal(file, issued.token, asked(END))
    forged = issued.token[:-4] + "AAAA"
    unknown = refusal(file, forged, asked())
    spoken = [
        repr(issued),
        repr(error),
        str(error),
        repr(unknown),
        str(unknown),
        repr(file.uses()),
        repr(file.grants()),
    ]

    assert [] == traces(path.parent, [issued.token.encode(), urlsafe_b64decode(issued.token + "="), forged.encode()])
    assert not [text for text in spoken if issued.token in text or forged in text]


def test_control_what_the_file_holds_is_found(file: Grants, path: Path) -> None:
    """The search finds a note, so it would find a token."""
    file.issue(order(note="a note of thirty characters ok"), NOW)

    assert [] != traces(path.parent, [b"a note of thirty characters ok"])


def test_a_link_is_refused_from_the_moment_it_ends(file: Grants) -> None:
    """The last millisecond before its end opens, the end itself does not."""
    issued = file.issue(order(), NOW)

    assert 1 == file.open_grant(issued.token, asked(END - 1), owned).uses
    assert GrantVerdict.EXPIRED is refusal(file, issued.token, asked(END)).verdict


def test_a_revoked_link_is_refused_at_the_next_use(file: Grants) -> None:
    """Revocation does not wait; doing it twice keeps the first moment."""
    issued = file.issue(order(), NOW)
    file.open_grant(issued.token, asked(), owned)
    file.revoke(issued.grant.grant_id, NOW + 5)
    again = file.revoke(issued.grant.grant_id, NOW + 9)

    assert NOW + 5 == again.revoked_ms
    assert GrantVerdict.REVOKED is refusal(file, issued.token, asked()).verdict


def test_a_link_ends_with_ownership(file: Grants) -> None:
    """Who sold the battery shows it no longer; the link is not used up by that."""
    issued = file.issue(order(), NOW)

    assert GrantVerdict.NOT_OWNER is refusal(file, issued.token, asked(), is_owned=False).verdict
    assert BATTERY == file.open_grant(issued.token, asked(), owned).battery


def test_a_link_followed_without_a_battery_leads_to_its_own(file: Grants) -> None:
    """The first step does not know where the link leads."""
    issued = file.issue(order(), NOW)

    assert BATTERY == file.open_grant(issued.token, asked(battery=None), owned).battery


def test_every_refusal_is_the_same_to_who_tries(file: Grants) -> None:
    """A link of another battery, a revoked, an expired and an invented one: one text. The log tells them apart."""
    other, ended = file.issue(order(OTHER), NOW), file.issue(order(), NOW)
    sold, revoked = file.issue(order(), NOW), file.issue(order(), NOW)
    file.revoke(revoked.grant.grant_id, NOW)
    refusals = [
        refusal(file, other.token, asked()),
        refusal(file, ended.token, asked(END)),
        refusal(file, revoked.token, asked()),
        refusal(file, sold.token, asked(), is_owned=False),
        refusal(file, "A" * 43, asked()),
    ]

    assert 1 == len({(str(one), repr(one), type(one)) for one in refusals})
    assert ["other_battery", "expired", "revoked", "not_owner", "unknown"] == [one.verdict for one in file.uses()]


@pytest.mark.parametrize(
    "shape", ["", "A", "A" * 42, "A" * 44, "ä" * 43, "A" * 42 + "\n", "A" * 42 + "=", "\ud800" * 43]
)
def test_what_is_no_token_is_an_unknown_link(shape: str, file: Grants) -> None:
    """Any text is refused like a wrong token, and logged."""
    assert GrantVerdict.UNKNOWN is refusal(file, shape, asked()).verdict
    assert [(None, "unknown")] == [(one.grant_id, one.verdict) for one in file.uses()]


def test_another_spelling_of_the_same_bytes_is_another_token(file: Grants) -> None:
    """Base64 leaves bits of the last character unused: they count."""
    issued = file.issue(order(), NOW)
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    place = alphabet.index(issued.token[-1])
    twin = issued.token[:-1] + alphabet[place ^ 1]

    assert urlsafe_b64decode(twin + "=") == urlsafe_b64decode(issued.token + "=")
    assert GrantVerdict.UNKNOWN is refusal(file, twin, asked()).verdict


def test_tokens_are_compared_in_constant_time_found_or_not(file: Grants, monkeypatch: pytest.MonkeyPatch) -> None:
    """`hmac.compare_digest` decides, once for each attempt."""
    compared: list[tuple[bytes, bytes]] = []

    def compare(kept: bytes, shown: bytes) -> bool:
        compared.append((kept, shown))
        return hmac.compare_digest(kept, shown)

    issued = file.issue(order(), NOW)
    monkeypatch.setattr(link_token, "hmac", type("Hmac", (), {"compare_digest": staticmethod(compare)}))
    file.open_grant(issued.token, asked(), owned)
    refusal(file, "A" * 43, asked())
    refusal(file, "no token", asked())

    assert [True, False, True] == [kept == shown for kept, shown in compared]
    assert {32} == {len(one) for pair in compared for one in pair}


def test_control_a_comparison_that_fails_opens_nothing(file: Grants, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the index found is not enough."""
    issued = file.issue(order(), NOW)
    monkeypatch.setattr(link_token, "hmac", type("Hmac", (), {"compare_digest": staticmethod(lambda *_: False)}))

    assert GrantVerdict.UNKNOWN is refusal(file, issued.token, asked()).verdict


def test_every_use_and_every_refusal_is_a_line_in_order(file: Grants) -> None:
    """Which grant, when, which battery, by which route, with which verdict - and nothing else."""
    issued = file.issue(order(), NOW)
    file.open_grant(issued.token, Asked(None, "link", NOW + 1), owned)
    file.open_grant(issued.token, Asked(BATTERY, "bundle", NOW + 2), owned)
    refusal(file, issued.token, Asked(OTHER, "passport", NOW + 3))
    refusal(file, "x", Asked(OTHER, "passport", NOW + 4))
    number = issued.grant.grant_id

    assert [
        (1, number, NOW + 1, None, "link", "opened"),
        (2, number, NOW + 2, BATTERY, "bundle", "opened"),
        (3, number, NOW + 3, OTHER, "passport", "other_battery"),
        (4, None, NOW + 4, OTHER, "passport", "unknown"),
    ] == [(one.number, one.grant_id, one.moment_ms, one.battery, one.route, one.verdict) for one in file.uses()]
    assert (2, 1, NOW + 2) == (
        (listed := file.grants()[0]).uses,
        listed.refusals,
        listed.last_used_ms,
    )


def test_a_use_that_cannot_be_logged_shows_nothing(file: Grants, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the log failing, the link fails: there is no silent use."""
    issued = file.issue(order(), NOW)

    def fail(*_: object) -> None:
        raise OperationalError("the disk is full")

    monkeypatch.setattr(Grants, "_log", fail)
    with pytest.raises(OperationalError, match="the disk is full"):
        file.open_grant(issued.token, asked(), owned)


def test_a_full_log_does_not_stop_service(small: Grants) -> None:
    """Past the bounds the oldest lines become numbers; links go on opening and refusals go on being counted."""
    issued = small.issue(order(), NOW)
    for number in range(10):
        small.open_grant(issued.token, asked(NOW + number), owned)
        refusal(small, "guess", asked(NOW + number))

    assert LogCounts(uses=4, unknown=2, uses_folded=6, unknown_folded=8) == small.counts()
    assert 10 == small.grants()[0].uses


def test_guessing_pushes_out_no_use(small: Grants) -> None:
    """Unknown links have a bound of their own."""
    issued = small.issue(order(), NOW)
    small.open_grant(issued.token, asked(), owned)
    for number in range(20):
        refusal(small, "guess", asked(NOW + number))

    assert ["opened", "unknown", "unknown"] == [one.verdict for one in small.uses()]


def test_the_bearer_of_one_link_pushes_out_no_use_of_another(small: Grants) -> None:
    """Each grant has a bound of its own, below that of all."""
    seller, noisy = small.issue(order(), NOW), small.issue(order(), NOW)
    small.open_grant(seller.token, asked(), owned)
    for _ in range(20):
        refusal(small, noisy.token, asked(END))

    assert 1 == len(small.uses(grant_id=seller.grant.grant_id))
    assert SMALL.uses_per_grant == len(small.uses(grant_id=noisy.grant.grant_id))


def test_all_uses_have_a_bound_together(small: Grants) -> None:
    """The oldest goes first, whoever's it is."""
    issued = [small.issue(order(), NOW) for _ in range(3)]
    for number in range(3):
        for one in issued:
            small.open_grant(one.token, asked(NOW + number), owned)

    assert LogCounts(uses=6, unknown=0, uses_folded=3, unknown_folded=0) == small.counts()
    assert [NOW + 1] * 3 + [NOW + 2] * 3 == [one.moment_ms for one in small.uses()]


def test_past_the_bound_the_oldest_ended_link_is_forgotten_with_its_lines(small: Grants) -> None:
    """One in force is never: then no more are made."""
    first, second, third = (small.issue(order(expires_ms=END + number), NOW) for number in range(3))
    small.open_grant(first.token, asked(), owned)
    with pytest.raises(OperationalError, match="revoke one first"):
        small.issue(order(), NOW)
    small.revoke(first.grant.grant_id, NOW)
    fourth = small.issue(order(), NOW)

    assert [one.grant.grant_id for one in (second, third, fourth)] == [one.grant_id for one in small.grants()]
    assert LogCounts(uses=0, unknown=0, uses_folded=1, unknown_folded=0) == small.counts()


@pytest.mark.parametrize(
    ("bad", "sentence"),
    [
        (GrantOrder(BATTERY, frozenset(), END), "show nothing"),
        (GrantOrder(BATTERY, frozenset({"health", "everything"}), END), "'everything' is no scope"),
        (GrantOrder(BATTERY, HEALTH, NOW), "366 days"),
        (GrantOrder(BATTERY, HEALTH, NOW + LASTS_MS_MAX + 1), "366 days"),
        (GrantOrder(BATTERY, HEALTH, END, "x" * (NOTE_LENGTH_MAX + 1)), "printable"),
        (GrantOrder(BATTERY, HEALTH, END, "two\nlines"), "printable"),
        (GrantOrder(BATTERY, HEALTH, END, "gnp.\u202eexe"), "printable"),
        (GrantOrder("01/09506000134377/21/PACK-0001/", HEALTH, END), "battery"),
    ],
)
def test_an_order_that_cannot_be_is_refused(bad: GrantOrder, sentence: str, file: Grants) -> None:
    """No empty scope, no unknown one, no end in the past or beyond a year, no note that plays tricks."""
    with pytest.raises(Malformed, match=sentence):
        file.issue(bad, NOW)
    assert [] == file.grants()


def test_an_order_at_the_bounds_is_taken(file: Grants) -> None:
    """366 days, 80 characters of any script."""
    issued = file.issue(order(expires_ms=NOW + LASTS_MS_MAX, note="ü" * NOTE_LENGTH_MAX), NOW)

    assert "in_force" == issued.grant.state(NOW + LASTS_MS_MAX - 1)
    assert "expired" == issued.grant.state(NOW + LASTS_MS_MAX)


def test_links_are_listed_a_page_at_a_time(file: Grants) -> None:
    """In the order they were made, going on after the last one seen; of one battery or of all."""
    made = [file.issue(order(BATTERY if number % 2 else OTHER), NOW).grant.grant_id for number in range(5)]
    pages, after = [], ""
    while page := file.grants(after, 2):
        pages.append([one.grant_id for one in page])
        after = page[-1].grant_id

    assert [made[:2], made[2:4], made[4:]] == pages
    assert made[1::2] == [one.grant_id for one in file.grants(battery=BATTERY)]


def test_the_log_is_read_a_page_at_a_time(file: Grants) -> None:
    """Going on after the last line seen."""
    for number in range(5):
        refusal(file, "guess", asked(NOW + number))

    assert [1, 2] == [one.number for one in file.uses(limit=2)]
    assert [4, 5] == [one.number for one in file.uses(after=3, limit=2)]


def test_an_unknown_number_is_named(file: Grants) -> None:
    """Neither ended nor gone on after: it is said that there is none."""
    with pytest.raises(UnknownGrant, match="'nothing'"):
        file.revoke("nothing", NOW)
    with pytest.raises(UnknownGrant, match="'nothing'"):
        file.grants(after="nothing")


def test_a_route_that_is_no_word_is_our_bug(file: Grants) -> None:
    """A path or an address never reaches the log."""
    issued = file.issue(order(), NOW)
    with pytest.raises(InvariantBroken, match="no word"):
        file.open_grant(issued.token, Asked(BATTERY, f"/g/{issued.token}", NOW), owned)
    assert [] == file.uses()


def test_links_outlive_the_process(path: Path) -> None:
    """What was issued and what was logged is there when the file is opened again."""
    with closing(Grants.open(path)) as file:
        issued = file.issue(order(), NOW)
    with closing(Grants.open(path)) as file:
        assert 1 == file.open_grant(issued.token, asked(), owned).uses


def test_only_its_owner_may_read_the_file(file: Grants, path: Path) -> None:
    """Others on the machine may not even count links; a file that they may read is refused."""
    assert 0o600 == path.stat().st_mode & 0o777
    path.chmod(0o644)
    with pytest.raises(OperationalError, match="chmod 600"):
        Grants.open(path)
    file.counts()


@pytest.mark.slow
def test_what_another_process_revokes_is_refused_here(file: Grants, path: Path) -> None:
    """Two processes share the file: neither holds a copy of what the other changes."""
    issued: Issued = file.issue(order(), NOW)
    file.open_grant(issued.token, asked(), owned)
    code = (
        "import sys; from pathlib import Path; from cellvow.vault import Grants;"
        "file = Grants.open(Path(sys.argv[1])); file.revoke(sys.argv[2], 1); print(file.grants()[0].uses)"
    )
    command = [sys.executable, "-c", code, str(path), issued.grant.grant_id]
    answer = subprocess.run(command, capture_output=True, text=True, check=True)

    assert "1\n" == answer.stdout
    assert GrantVerdict.REVOKED is refusal(file, issued.token, asked()).verdict
