"""Bundles of keys that were rotated or compromised: rotations lead on from genesis, and else the state vouches."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import pytest

from cellvow.core.contracts.organisation import RevokeKey
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.signature import derive_key_id, is_valid
from cellvow.node.bundling import build_bundle
from cellvow.verify import Bundle, encode_bundle, parse_bundle, verify_bundle
from cellvow.verify.bundle import ROTATIONS_MAX
from tests.bundles.chain import Chain, birth, public_of, registration, rotation

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from cellvow.verify import Verified


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """The maker's root key is rotated twice, and each root key registers a key; the last one is compromised."""
    built = Chain(tmp_path_factory.mktemp("rotated") / "ledger")
    built.fill(2)
    signer = built.signer
    built.submit("rotation", signer.single("maker root", "maker", rotation("maker", "second root", None)))
    built.submit("registration", signer.single("second root", "maker", registration("maker", "second key")))
    built.submit("by the second key", signer.single("second key", "maker", birth(50)))
    built.submit("again", signer.single("second root", "maker", rotation("maker", "third root", "second root")))
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


def bundle_of(chain: Chain, name: str) -> Bundle:
    """The bundle of a statement, with the state."""
    assert all(b'"accepted"' in outcome for outcome in chain.receipts[name].outcomes)
    return build_bundle(chain.store, chain.receipts[name].digest, state=chain.engine.state)


def verify(chain: Chain, name: str) -> Verified:
    """The verified bundle of a statement, with the state."""
    bundle = bundle_of(chain, name)
    assert parse_bundle(encode_bundle(bundle)) == bundle
    return verify_bundle(encode_bundle(bundle), chain.trust(), is_valid)


@pytest.mark.parametrize(
    ("name", "rotations", "registrations"),
    [
        ("rotation", 0, 0),
        ("registration", 1, 0),
        ("by the second key", 1, 1),
        ("again", 1, 0),
        ("third", 2, 0),
        ("before", 2, 1),
        ("revocation", 2, 0),
    ],
)
def test_rotations_lead_from_genesis_to_a_root_key(chain: Chain, name: str, rotations: int, registrations: int) -> None:
    """No word of the state is needed, and no witness that executes it; a root key retired since is a link as well."""
    bundle = bundle_of(chain, name)

    assert (rotations, registrations) == (len(bundle.rotations), len(bundle.keys))
    assert "genesis" == verify(chain, name).admitted_by


def test_rotations_need_no_state(chain: Chain) -> None:
    """The chain of signatures is whole without it, but whether the key was revoked is not known then."""
    bundle = build_bundle(chain.store, chain.receipts["before"].digest)
    verified = verify_bundle(encode_bundle(bundle), chain.trust(), is_valid)

    assert "genesis" == verified.admitted_by
    assert not verified.state_shown
    assert "to which 2 rotations lead from genesis" in verified.steps[5].detail


@pytest.mark.slow
def test_a_chain_with_more_rotations_than_a_bundle_holds_is_left_to_the_state(tmp_path: Path) -> None:
    """At the bound genesis still leads to the key; one past it the state does, where a witness executed it."""
    chain = Chain(tmp_path / "ledger")
    names = ["maker root", *(f"root {number}" for number in range(ROTATIONS_MAX + 1))]
    for old, new in pairwise(names):
        chain.submit(new, chain.signer.single(old, "maker", rotation("maker", new, old)))
    chain.submit("last", chain.signer.single(names[-1], "maker", registration("maker", "late key")))
    chain.publish("ab")
    at_the_bound, past_it = bundle_of(chain, names[-1]), bundle_of(chain, "last")
    verified = verify_bundle(encode_bundle(past_it), chain.trust(2, "b"), is_valid)
    chain.close()

    assert (ROTATIONS_MAX, 0) == (len(at_the_bound.rotations), len(past_it.rotations))
    assert (None, "state") == (past_it.admission, verified.admitted_by)
    with pytest.raises(VerificationError, match="check 5, Organisation: genesis does not lead to the signer's key"):
        verify_bundle(encode_bundle(past_it), chain.trust(), is_valid)


def test_what_was_signed_after_the_key_was_compromised_is_suspect(chain: Chain) -> None:
    """A birth, not an attestation: it holds, and its standing says so. What came before is as it was."""
    before, after = verify(chain, "before"), verify(chain, "after")

    assert (False, "") == (before.suspect, before.standing)
    assert after.suspect
    assert after.standing.startswith("suspect: the signer's key counts as compromised since 1970-01-01")
    assert "suspect" in after.steps[11].detail
