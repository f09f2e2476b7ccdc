"""Bundles of keys that were rotated or compromised: genesis no longer leads to the signer, the state does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.organisation import RevokeKey, RotateRootKey, possession_bytes
from cellvow.core.primitives.signature import derive_key_id, is_valid, sign
from cellvow.node.bundling import build_bundle
from cellvow.verify import encode_bundle, verify_bundle
from tests.bundles.chain import CHAIN, Chain, birth, public_of, registration, seed_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellvow.verify import Verified


def rotation(key: str, retires: str | None) -> RotateRootKey:
    """The message that gives the maker another root key."""
    public_key = public_of(key).hex()
    possession = sign(seed_of(key), possession_bytes(CHAIN, "maker", public_key)).hex()
    kid = None if retires is None else derive_key_id(public_of(retires)).hex()
    return RotateRootKey(organisation="maker", public_key=public_key, retires=kid, possession=possession)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The maker's root key is rotated twice, and each root key registers a key; the last one is compromised."""
    built = Chain(tmp_path_factory.mktemp("rotated") / "ledger")
    built.fill(2)
    signer = built.signer
    built.submit("rotation", signer.single("maker root", "maker", rotation("second root", None)))
    built.submit("registration", signer.single("second root", "maker", registration("maker", "second key")))
    built.submit("by the second key", signer.single("second key", "maker", birth(50)))
    built.submit("again", signer.single("second root", "maker", rotation("third root", "second root")))
    built.submit("third", signer.single("third root", "maker", registration("maker", "third key")))
    built.submit("before", signer.single("third key", "maker", birth(60)))
    since = built.time_ms
    built.submit("after", signer.single("third key", "maker", birth(61)))
    kid = derive_key_id(public_of("third key")).hex()
    ended = RevokeKey(organisation="maker", kid=kid, cause="compromised", compromised_since_ms=since + 1)
    built.submit("revocation", signer.single("third root", "maker", ended))
    built.publish("ab")
    yield built
    built.close()


def verify(chain: Chain, name: str) -> Verified:
    """The verified bundle of a statement, with the state."""
    assert all(b'"accepted"' in outcome for outcome in chain.receipts[name].outcomes)
    bundle = build_bundle(chain.store, chain.receipts[name].digest, state=chain.engine.state)
    return verify_bundle(encode_bundle(bundle), chain.trust(), is_valid)


@pytest.mark.parametrize(
    ("name", "admitted_by"),
    [
        ("rotation", "genesis"),
        ("registration", "state"),
        ("by the second key", "state"),
        ("again", "state"),
        ("third", "state"),
        ("before", "state"),
        ("revocation", "state"),
    ],
)
def test_a_rotated_root_key_and_what_it_registered_verify(chain: Chain, name: str, admitted_by: str) -> None:
    """Genesis vouches as far as it leads, the state from there on; a root key retired since is known by its record."""
    assert verify(chain, name).admitted_by == admitted_by


def test_a_registration_by_a_rotated_root_key_is_shown_too(chain: Chain) -> None:
    """The bundle holds it, with the record of the root key that signed it."""
    bundle = build_bundle(chain.store, chain.receipts["by the second key"].digest, state=chain.engine.state)

    assert 1 == len(bundle.keys)
    assert f"key/{derive_key_id(public_of('second root')).hex()}" in verify(chain, "by the second key").records


def test_what_was_signed_after_the_key_was_compromised_is_suspect(chain: Chain) -> None:
    """A birth, not an attestation: it holds, and its standing says so. What came before is as it was."""
    before, after = verify(chain, "before"), verify(chain, "after")

    assert (False, "") == (before.suspect, before.standing)
    assert after.suspect
    assert after.standing.startswith("suspect: the signer's key counts as compromised since 1970-01-01")
    assert "suspect" in after.steps[11].detail
