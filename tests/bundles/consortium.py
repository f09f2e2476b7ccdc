"""The test ledger as a consortium: it goes on from another ledger, and its validators vouch for it instead of a log."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from cellvow.core.contracts.battery import battery_key
from cellvow.core.ledger.commit import encode_commit, encode_header, order_voting_keys
from cellvow.core.ledger.genesis import Predecessor
from cellvow.core.ledger.log import encode_app_hash
from cellvow.node.bundling import build_bundle
from cellvow.verify import (
    ConsensusProof,
    Trust,
    ValidatorChange,
    encode_bundle,
    encode_consensus_proof,
    encode_trust,
)
from tests.bundles.chain import Chain, Sound, battery_id, birth, make_genesis, registration, rotation
from tests.bundles.consensus import (
    ABSENT_ONE,
    NIL_ONE,
    founding_keys,
    founding_validators,
    make_commit,
    make_header,
    voting_key,
)

if TYPE_CHECKING:
    import random
    from pathlib import Path

    from cellvow.core.contracts.battery import RegisterBattery
    from cellvow.core.ledger.commit import Header, VotingKey

BEFORE = 6
"""Batteries that were born on the ledger before this one."""


class Consortium(Chain):
    """Keys of the ledger before go on here; others are registered here, also by a root key that came by rotation.

    A validator joins, another leaves.
    """

    def __init__(self, folder: Path) -> None:
        before = Chain(folder / "before")
        before.fill(BEFORE)
        head = before.engine.head
        inherited = dict(before.store.records())
        predecessor = Predecessor(
            "cellvow-before",
            head.log.size,
            head.log.root().hex(),
            before.engine.state.root.hex(),
            head.height,
        )
        before.close()
        genesis = replace(make_genesis(), predecessor=predecessor, validators=founding_validators())
        super().__init__(folder / "ledger", genesis, inherited)
        self.signer.sequences = {**before.signer.sequences}
        self.time_ms = before.time_ms + 1_000

    def consortium_trust(self) -> Trust:
        """The genesis alone is trusted: its validators vouch for the log."""
        return Trust(self.genesis.digest, None)

    def fill(self, batteries: int = 3) -> None:
        """Statements by a key of the ledger before, by root keys, and by keys that are registered here."""
        signer = self.signer
        for number in range(batteries):
            self.submit(f"inherited {number}", signer.single("maker key", "maker", birth(BEFORE + number)))
        message = registration("maker", "maker second key")
        self.submit("root", signer.single("maker root", "maker", message))
        births = [birth(BEFORE + batteries + number) for number in range(batteries)]
        self.submit("registered", signer.batch("maker second key", "maker", [*births]))
        for old, new in (("maker root", "maker root 2"), ("maker root 2", "maker root 3")):
            self.submit(f"to {new}", signer.single(old, "maker", rotation("maker", new, old)))
        message = registration("maker", "maker third key")
        self.submit("new root", signer.single("maker root 3", "maker", message))
        births = [birth(BEFORE + 2 * batteries + number) for number in range(batteries)]
        self.submit("rotated", signer.batch("maker third key", "maker", [*births]))

    def late_birth(self) -> RegisterBattery:
        """One more battery than `fill` registers."""
        return birth(BEFORE + 1_000)

    def changes(self) -> list[tuple[Header, tuple[VotingKey, ...], tuple[VotingKey, ...]]]:
        """The headers before which, and the validators with which, the set changed twice."""
        first, last = founding_keys(), voting_key(4, 7)
        second = order_voting_keys([*first, last])
        third = order_voting_keys([*second[1:], voting_key(5, 3)])
        early = encode_app_hash(self.engine.head.log)
        return [
            (make_header(self.genesis.chain_id, 5, early, first, second), first, second),
            (make_header(self.genesis.chain_id, 9, early, second, third), second, third),
        ]

    def proof(self) -> ConsensusProof:
        """The proof of the newest app hash, with both changes of the validators before it."""
        changes = [
            ValidatorChange(encode_header(header), encode_commit(make_commit(header, keys, ABSENT_ONE)), following)
            for header, keys, following in self.changes()
        ]
        keys = changes[-1].validators
        header = make_header(self.genesis.chain_id, 12, encode_app_hash(self.engine.head.log), keys)
        return ConsensusProof(encode_header(header), encode_commit(make_commit(header, keys, NIL_ONE)), tuple(changes))

    def vouch(self) -> bytes:
        """The consensus proof in bytes."""
        return encode_consensus_proof(self.proof())

    def sound(self, rng: random.Random, batteries: int = 3) -> Sound:
        """A random bundle that holds, vouched for by the validators or, for once, by a log's key."""
        kind = rng.choice(["inherited", "root", "registered", "to maker root 3", "new root", "rotated"])
        index, records = 0, []
        if kind == "inherited":
            number = rng.randrange(batteries)
            kind, records = f"inherited {number}", [battery_key(battery_id(BEFORE + number))]
        elif kind in ("registered", "rotated"):
            index = rng.randrange(batteries)
        by_validators = rng.random() < 0.7
        bundle = build_bundle(
            self.store,
            self.receipts[kind].digest,
            index,
            state=self.engine.state if records or rng.random() < 0.5 else None,
            records=records,
            vouched_by=self.vouch() if by_validators else None,
        )
        trust = self.consortium_trust() if by_validators else self.trust(rng.choice([0, 1, 2]), "ac")
        return Sound(kind, encode_bundle(bundle), encode_trust(trust))
