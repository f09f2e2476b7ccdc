"""A member on whose network much happens at once: votes, a waiting change, evidence, a recovery; one validator away."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellvow.core.contracts.change import AdmitValidator, SetParameter
from cellvow.core.ledger.commit import ABSENT, VOTED
from cellvow.core.ledger.evidence import DUPLICATE_VOTE, Evidence, encode_evidence
from cellvow.workspace.network_view import derive_address
from tests import messages
from tests.bundles.consensus import voting_key
from tests.unit.workspace.consortium_world import MemberOnDisk
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER

if TYPE_CHECKING:
    from pathlib import Path


def make_busy_member(folder: Path) -> MemberOnDisk:
    """The maker's node."""
    member = MemberOnDisk(folder)
    world = member.world
    key = voting_key(9).public_key.hex()
    waiting = AdmitValidator(organisation=BUYER, public_key=key, power=10)
    threshold = SetParameter(name="threshold.member", amount=3, out_of=4)
    member.include(
        world[MAKER].key.sign(messages.proposal(MAKER, waiting, "BUYER-VALIDATES", effective_height=40)),
        world[CARMAKER].key.sign(messages.proposal(CARMAKER, messages.admission(), "NEWCOMER")),
        world[AUTHORITY].key.sign(messages.proposal(AUTHORITY, threshold, "THREE-QUARTERS", effective_height=1_200)),
        world[LABORATORY].root.sign(messages.appointment(LABORATORY, (MAKER, CARMAKER, BUYER))),
    )
    member.include(
        *(world[one].key.sign(messages.vote(MAKER, "BUYER-VALIDATES")) for one in (MAKER, CARMAKER, LABORATORY)),
        world[MAKER].key.sign(messages.vote(CARMAKER, "NEWCOMER")),
        world[AUTHORITY].key.sign(messages.vote(CARMAKER, "NEWCOMER", approve=False)),
        world[MAKER].key.sign(messages.recovery(LABORATORY)),
    )
    address = derive_address(voting_key(3).public_key).hex()
    evidence = Evidence(DUPLICATE_VOTE, address, 10, 2, member.now_ms, 40)
    member.include(world[CARMAKER].key.sign(messages.approval(LABORATORY)), evidence=(encode_evidence(evidence),))
    member.engine.flags = (VOTED, VOTED, ABSENT)
    member.prove()
    return member
