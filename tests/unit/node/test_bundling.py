"""Bundles under a commit, and of signers to whom genesis does not lead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import OperationalError
from cellvow.core.primitives.signature import is_valid
from cellvow.node.bundling import build_bundle
from cellvow.verify import encode_bundle, parse_bundle, verify_bundle
from tests.bundles.chain import Chain
from tests.bundles.consortium import Consortium

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cellvow.verify import Verified


@pytest.fixture(scope="module")
def consortium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Consortium]:
    """A ledger that goes on from another, with validators."""
    built = Consortium(tmp_path_factory.mktemp("consortium"))
    built.fill()
    yield built
    built.close()


def verify(consortium: Consortium, name: str, index: int = 0) -> Verified:
    """The verified bundle of a statement, as parsed back from its bytes."""
    digest, state = consortium.receipts[name].digest, consortium.engine.state
    bundle = build_bundle(consortium.store, digest, index, state=state, vouched_by=consortium.vouch())
    data = encode_bundle(bundle)

    assert parse_bundle(data) == bundle
    return verify_bundle(data, consortium.consortium_trust(), is_valid)


@pytest.mark.slow
def test_validators_vouch_for_a_statement_of_the_consortium(consortium: Consortium) -> None:
    """The result names who signed, and the step says so; there are no witnesses, and it says that too."""
    verified = verify(consortium, "registered", 1)

    assert (("buyer", "maker"), 12, 30, 40) == (
        verified.signed_by,
        verified.signed_height,
        verified.signed_power,
        verified.total_power,
    )
    assert "signed by 4 of 5 validators (buyer, maker) with 30 of 40 votes" in verified.steps[1].detail
    assert verified.steps[2].detail == "validators instead of witnesses"
    assert (verified.admitted_by, verified.origin, verified.anchored) == ("genesis", "cellvow-test", True)


@pytest.mark.slow
def test_a_key_of_the_ledger_before_is_shown_by_the_state(consortium: Consortium) -> None:
    """Its registration lies in another log: the record under the checkpoint names its scope and validity."""
    verified = verify(consortium, "inherited 1")

    assert verified.admitted_by == "state"
    assert verified.organisation_name == "Maker Works"
    assert {"organisation/maker", f"key/{verified.kid}"} == {*verified.records}
    assert all("as the state under the checkpoint says" in step.detail for step in verified.steps[4:6])


def test_a_key_that_only_the_state_shows_needs_the_state(consortium: Consortium) -> None:
    """The refusal says what to ask for."""
    digest = consortium.receipts["inherited 0"].digest

    with pytest.raises(OperationalError, match="with its state"):
        build_bundle(consortium.store, digest, vouched_by=consortium.vouch())


@pytest.mark.slow
def test_a_bundle_stays_of_version_1_wherever_it_can(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Yesterday's verifiers go on reading what they can judge."""
    chain = Chain(tmp_path_factory.mktemp("chain") / "ledger")
    chain.fill(2)
    chain.publish("ab")
    bundle = build_bundle(chain.store, chain.receipts["model"].digest, state=chain.engine.state)
    chain.close()

    assert bundle.version == 1
    assert b"gversion\x01" in encode_bundle(bundle)


def test_a_header_before_the_statement_does_not_cover_it(consortium: Consortium) -> None:
    """A proof of an earlier head is refused while the bundle is built, not by the one who gets it."""
    early = consortium.vouch()
    receipted = consortium.submit("late", consortium.signer.single("maker key", "maker", consortium.late_birth()))

    with pytest.raises(OperationalError, match="no checkpoint covers"):
        build_bundle(consortium.store, receipted.digest, state=consortium.engine.state, vouched_by=early)
