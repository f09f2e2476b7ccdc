"""Replay a fixed history in a process of its own and print what every machine must agree on.

python tests/simulation/replay.py            the history
python tests/simulation/replay.py --broken   the same, with a deliberate dependence on the order of a set
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.world import World

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT)]
VALIDATORS = ("autowerk", "cellab", "nordpack", "secondlife")
"""Who runs a validator, in order."""


def tell(*, broken: bool) -> list[str]:
    """App hash, state root and outcomes of a history that uses every message type."""
    from msgspec.structs import replace

    from tests import messages
    from tests.world import BUYER, LABORATORY, MAKER, World, make_genesis, make_signer

    world = World(make_genesis(validators=VALIDATORS))
    maker, laboratory, buyer = (world[name].key for name in (MAKER, LABORATORY, BUYER))
    serials = [f"01/{messages.GTIN}/21/PACK-{number:04}" for number in range(40)]
    if broken:
        serials = list(set(serials))
    model = maker.sign(messages.model())
    births = maker.sign_batch([messages.battery(serial) for serial in serials], mode="each")
    world.include(model, births, laboratory.sign(messages.anchor()))
    certificates = [messages.certificate(f"T-{n}", identifier=serial) for n, serial in enumerate(serials)]
    world.include(laboratory.sign_batch(certificates), maker.sign(messages.model()))
    world.include(
        laboratory.sign(replace(messages.certificate("T-NEW", identifier=serials[0]), supersedes="T-0")),
        laboratory.sign(messages.revocation("T-1", identifier=serials[1])),
        maker.sign(messages.correction(births, replace(messages.battery(serials[2]), facility="Plant 2"), index=2)),
        maker.sign(messages.correction(model, replace(messages.model(), mass_g=790))),
    )
    world.include(
        buyer.sign(replace(messages.verdict(identifier=serials[3]), verdict="re_test", attestation=None)),
        buyer.sign(messages.verdict("V-2", identifier=serials[4])),
    )
    offers = [messages.offer(BUYER, identifier=serial) for serial in serials[:9]]
    world.include(maker.sign_batch(offers, mode="each"), maker.sign(messages.offer("nobody")))
    world.include(
        buyer.sign_batch([messages.accept(identifier=serial) for serial in serials[:5]]),
        buyer.sign(messages.decline(identifier=serials[5])),
        maker.sign(messages.withdraw(identifier=serials[6])),
        laboratory.sign(messages.accept(identifier=serials[7])),
    )
    world.apply(world.next_block(evidence=(b"double vote",)))
    second = make_signer(MAKER, "second")
    world.include(
        world[MAKER].root.sign(world[MAKER].register_key(second)),
        world[MAKER].root.sign(messages.raise_floor(world[MAKER].root, 100)),
    )
    world.include(
        world[MAKER].root.sign(messages.revoke_key(second), sequence=101),
        second.sign({"type": "Teleport"}),
        second.sign(messages.model(messages.OTHER_GTIN), not_after_ms=1),
    )
    _decide(world)
    _recover(world)
    outcomes = [one.decode() for applied in world.applied for kept in applied.outcomes for one in kept]
    return [world.head.app_hash.hex(), world.state.root.hex(), *outcomes]


def _decide(world: World) -> None:
    """Votes of every kind: adopted, refused, withdrawn, lapsed at their height, and a newer ruleset."""
    from cellvow.core.contracts.change import (
        Accredit,
        ActivateRuleset,
        AdmitValidator,
        Change,
        Distrust,
        RemoveMember,
        RemoveValidator,
        Scope,
        SetParameter,
    )
    from tests import messages
    from tests.decisions import adopt, pass_block, propose
    from tests.world import AUTHORITY, BUYER, CARMAKER, GENESIS_MS, MAKER, make_signer, make_validator

    newest = make_validator(AUTHORITY)
    scope = Scope(standard="IEC 62660-1", edition="2018", quantities=("capacity",), valid_until_ms=GENESIS_MS * 2)
    changes: list[Change] = [
        messages.admission(),
        messages.roles_of(messages.NEWCOMER, "recycler"),
        Accredit(organisation=AUTHORITY, accreditations=(scope,)),
        AdmitValidator(organisation=AUTHORITY, public_key=newest.public_key, power=3),
        RemoveValidator(public_key=newest.public_key),
        SetParameter(name="threshold.role", amount=3, out_of=5),
        Distrust(kid=make_signer(MAKER, "second").kid.hex(), since_ms=GENESIS_MS),
        ActivateRuleset(ruleset=2),
        RemoveMember(organisation=messages.NEWCOMER),
    ]
    for number, change in enumerate(changes):
        adopt(world, change, f"P-{number}", voters=VALIDATORS[:4] if number == 4 else VALIDATORS[:3])
        pass_block(world)
    height = world.head.height + 9
    adopt(world, messages.roles_of(BUYER, "insurer"), "LATE", voters=VALIDATORS[:3], effective_height=height)
    propose(world, messages.roles_of(BUYER), "REFUSED")
    propose(world, messages.roles_of(BUYER), "WITHDRAWN")
    world.include(
        *(world[name].key.sign(messages.vote(MAKER, "REFUSED", approve=False)) for name in (CARMAKER, BUYER)),
        world[MAKER].key.sign(messages.withdrawal(MAKER, "WITHDRAWN")),
        world[AUTHORITY].key.sign(messages.vote(MAKER, "REFUSED")),
    )
    while world.head.height < height:
        pass_block(world)


def _recover(world: World) -> None:
    """A rotation, guardians, one recovery that is vetoed, and one that is completed."""
    from tests import messages
    from tests.world import BUYER, CARMAKER, DAY_MS, LABORATORY, MAKER, make_signer

    maker = world[MAKER]
    buyer, carmaker, laboratory = (world[name].key for name in (BUYER, CARMAKER, LABORATORY))
    rotated = maker.rotate_root_key(make_signer(MAKER, "second root"), maker.root)
    world.include(
        maker.root.sign(messages.appointment(MAKER, (BUYER, CARMAKER, LABORATORY)), sequence=102),
        maker.root.sign(rotated, sequence=103),
    )
    world.include(buyer.sign(messages.recovery(MAKER, "lost root")), maker.key.sign(messages.veto(MAKER)))
    world.include(carmaker.sign(messages.recovery(MAKER)), laboratory.sign(messages.approval(MAKER, 2)))
    world.include(buyer.sign(messages.completion(MAKER, 2)))
    world.include(buyer.sign(messages.completion(MAKER, 2)), time_ms=world.head.time_ms + 2 * DAY_MS)


def main(arguments: list[str]) -> int:
    """Print the answer, a line each."""
    for line in tell(broken="--broken" in arguments):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
