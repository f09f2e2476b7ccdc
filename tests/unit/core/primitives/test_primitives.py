"""Digests, intervals, errors and the start-up check of the signature library."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from cellvow.core.primitives import edge_cases, signature
from cellvow.core.primitives.digest import domain_digest, keyed_digest, sha256
from cellvow.core.primitives.errors import (
    CellvowError,
    InvalidBlock,
    InvariantBroken,
    Malformed,
    OperationalError,
    VerificationError,
    ensure,
    fail,
)
from cellvow.core.primitives.quantity import CLASSES, UNITS, Interval


def test_digests_are_what_the_formats_page_says() -> None:
    """Plain, under a domain, and keyed: each recomputed from the standard library."""
    expected = hashlib.sha256(b"name\x00abc").digest()

    assert sha256(b"a", b"bc") == hashlib.sha256(b"abc").digest()
    assert domain_digest("name", b"a", b"bc") == expected
    assert keyed_digest(b"key", "name", b"abc") == hmac.new(b"key", b"name\x00abc", "sha256").digest()


def test_two_domains_never_share_a_digest() -> None:
    """The zero byte ends the domain: moving a letter across it gives another digest."""
    assert domain_digest("ab", b"c") != domain_digest("a", b"bc")
    assert domain_digest("a", b"") != sha256(b"a")


@pytest.mark.parametrize("interval", [Interval(5, 5, 5, 1), Interval(5, 4, 6, 1_000), Interval(-5, -6, 0, 950)])
def test_an_interval_encloses_its_value(interval: Interval) -> None:
    """Bounds may touch the value, and coverage may be certain."""
    assert interval.check() == interval


@pytest.mark.parametrize(
    "interval",
    [
        Interval(5, 6, 7, 950),
        Interval(5, 3, 4, 950),
        Interval(5, 6, 4, 950),
        Interval(5, 4, 6, 0),
        Interval(5, 4, 6, 1_001),
    ],
)
def test_an_interval_beside_its_value_is_refused(interval: Interval) -> None:
    """So is one that is expected to cover nothing, or more than everything."""
    with pytest.raises(Malformed, match="is not an interval around its value"):
        interval.check()


def test_quantities_are_named_in_one_case_with_a_unit_each() -> None:
    """Names fit the schema of attestations; the four classes are the ones the pages show."""
    assert all(name.islower() and name.isascii() and unit for name, unit in UNITS.items())
    assert CLASSES == ("measured", "estimated", "simulated", "declared")


def test_every_error_family_has_one_root() -> None:
    """The edges catch one class."""
    families = (Malformed, InvalidBlock, VerificationError, OperationalError, InvariantBroken)

    assert all(issubclass(family, CellvowError) for family in families)


def test_a_verification_error_names_its_check() -> None:
    """The number of the check that failed, 0 where none applies."""
    assert VerificationError("wrong", check=7).check == 7
    assert (VerificationError("wrong").check, VerificationError("wrong").reason) == (0, "wrong")


def test_ensure_raises_our_own_bug_and_only_then() -> None:
    """A broken invariant stops the node with a sentence."""
    ensure(True, "never said")
    with pytest.raises(InvariantBroken, match="what broke"):
        ensure(False, "what broke")
    with pytest.raises(InvariantBroken, match="out of reach"):
        fail("out of reach")


def test_the_installed_library_may_be_used() -> None:
    """libsodium decides every edge case as the rule demands."""
    signature.require_sound_library()


def test_a_library_that_decides_one_case_otherwise_stops_the_node(monkeypatch: pytest.MonkeyPatch) -> None:
    """Control: were a case expected the other way round, start-up would refuse the library by name of the case."""
    case = edge_cases.EDGE_CASES[0]
    monkeypatch.setattr(signature, "EDGE_CASES", (case._replace(is_valid=False),))

    with pytest.raises(InvariantBroken, match=f"must not be used.*{case.name}"):
        signature.require_sound_library.__wrapped__()


def test_a_key_identifier_is_half_a_digest() -> None:
    """16 bytes of SHA-256 of the public key."""
    public_key = signature.derive_public_key(bytes(32))

    assert signature.derive_key_id(public_key) == hashlib.sha256(public_key).digest()[:16]
