"""On a consortium's ledger validators vouch for a package, and a dispute over the unit is in it with its proof."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.signature import is_valid
from cellvow.workspace.export_package import Package, Wish, make_package, verify_package
from cellvow.workspace.passports import PassportReader
from tests import messages
from tests.unit.workspace.consortium_world import MemberOnDisk
from tests.world import CARMAKER, LABORATORY, MAKER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow


@pytest.fixture
def member(tmp_path: Path) -> Iterator[MemberOnDisk]:
    """A member whose ledger holds a battery, handed over."""
    made = MemberOnDisk(tmp_path, ruleset=3)
    made.include(made.world[MAKER].key.sign(messages.model()))
    made.include(made.world[MAKER].key.sign(messages.battery()))
    made.include(made.world[MAKER].key.sign(messages.offer(CARMAKER)))
    made.include(made.world[CARMAKER].key.sign(messages.accept()))
    yield made
    made.close()


def package_of(member: MemberOnDisk) -> Package:
    """What this member exports, once the validators have signed."""
    member.prove()
    return make_package(PassportReader(member.home), messages.BATTERY, Wish())


def test_validators_vouch_for_a_package(member: MemberOnDisk) -> None:
    """It holds under the consortium's trust file, without a checkpoint; both sides of the hand-over are in it."""
    package = verify_package(package_of(member).data, member.home.trust, is_valid)

    assert [] == package.index["disputes"]
    assert {"register_1.cvb", "offer_1.cvb"} <= set(package.verified)
    assert all(one.signed_by for one in package.verified.values())


def test_an_open_dispute_goes_with_the_unit(member: MemberOnDisk) -> None:
    """Somebody offers what he does not hold: whoever exports the unit exports the claim."""
    member.include(member.world[LABORATORY].key.sign(messages.offer(CARMAKER, versions=(2, 2, 2))))
    package = verify_package(package_of(member).data, member.home.trust, is_valid)

    disputes = package.index["disputes"]
    assert isinstance(disputes, list)
    assert [True] == [str(one).startswith(f"{LABORATORY}/") for one in disputes]


def test_a_log_that_the_validators_did_not_sign_gives_no_package(member: MemberOnDisk) -> None:
    """Control: what they sign must be this ledger."""
    assert package_of(member).index["registers"]
    member.prove(app_hash=member.world.head.app_hash[:8] + bytes(32))

    with pytest.raises(VerificationError):
        make_package(PassportReader(member.home), messages.BATTERY, Wish())
