"""Replay a fixed history in a process of its own and print what every machine must agree on.

python tests/simulation/replay.py            the history
python tests/simulation/replay.py --broken   the same, with a deliberate dependence on the order of a set
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path[:0] = [str(ROOT)]


def tell(*, broken: bool) -> list[str]:
    """App hash, state root and outcomes of a history that uses every message type."""
    from msgspec.structs import replace

    from tests import messages
    from tests.world import BUYER, LABORATORY, MAKER, World, make_signer

    world = World()
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
    outcomes = [one.decode() for applied in world.applied for kept in applied.outcomes for one in kept]
    return [world.head.app_hash.hex(), world.state.root.hex(), *outcomes]


def main(arguments: list[str]) -> int:
    """Print the answer, a line each."""
    for line in tell(broken="--broken" in arguments):
        print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
