"""An outsider who watches: a real witness, the publisher before it, and somebody who shows it another history."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellvow.core.ledger.checkpoint import Checkpoint, encode_note, parse_note, sign_checkpoint
from cellvow.core.primitives.merkle import consistency_path, tree_root
from cellvow.node.publication import Publisher, WitnessEndpoint
from cellvow.node.witness import LocalWitness, Witness
from tests.simulation.consortium.record import Chronicle, Violation
from tests.simulation.witness_world import LOG_SEED, NORTH, NORTH_SEED, Log, log_key, signer_of

if TYPE_CHECKING:
    from pathlib import Path
    from random import Random

    from cellvow.core.primitives.digest import Digest
    from tests.simulation.consortium.member import Member


class Watch:
    """One witness of the consortium's log, and every history that it has cosigned."""

    def __init__(self, folder: Path, chronicle: Chronicle) -> None:
        self._folder = folder
        self._chronicle = chronicle
        self._key = log_key("log.example/consortium")
        self._witness = Witness.create(folder, NORTH, NORTH_SEED)
        self._witness.add_log(self._key.name, Log([], self._key.name).vkey)
        self._cosigned: list[list[Digest]] = []
        self._now_s = 0

    def close(self) -> None:
        """Let go of the witness's store."""
        self._witness.close()

    def look(self, rng: Random, members: list[Member], now_ms: int, *, is_calm: bool) -> None:
        """Somebody publishes a checkpoint, or tries another history, or the witness starts again."""
        self._now_s = now_ms // 1_000
        chance = rng.random()
        member = rng.choice(members)
        if chance < 0.06:
            self.restart()
        elif chance < 0.25:
            self._publish(member)
        elif chance < 0.4 and not is_calm:
            self._mislead(rng, member)

    def restart(self) -> None:
        """The witness dies and comes back."""
        self._witness.close()
        self._witness = Witness.open(self._folder, NORTH)
        self._chronicle.note("the witness starts again")

    def _publish(self, member: Member) -> None:
        store = member.gateway.store
        head = store.head()
        if store.restored_height() is not None:
            return
        checkpoint = Checkpoint(self._key.name, head.log.size, head.log.root())
        note = encode_note(checkpoint, [sign_checkpoint(checkpoint, self._key, signer_of(LOG_SEED))])
        endpoint = WitnessEndpoint(self._witness.key, LocalWitness(self._witness, lambda: self._now_s))
        publisher = Publisher(self._key, [endpoint], lambda old, size: consistency_path(store.node, old, size))
        published = publisher.publish(note)
        self._chronicle.note(f"published, {published.cosignatures} cosigned", member.name, head.log.size)
        if published.cosignatures:
            self._keep(store.nodes(0, 0, parse_note(published.note).checkpoint.size))

    def _mislead(self, rng: Random, member: Member) -> None:
        """A member rewrites its own history and has it signed: the witness holds what it held."""
        store = member.gateway.store
        size = store.head().log.size
        if store.restored_height() is not None or size < 2:
            return
        branched = Log(store.nodes(0, 0, size)).branch(rng.randrange(1, size))
        fork = Log(branched.leaves, self._key.name)
        held = self._witness.logs()[0].held
        old = held.checkpoint.size if held is not None and rng.random() < 0.8 else 0
        answer = self._witness.add_checkpoint(fork.request(min(old, size), size), self._now_s)
        self._chronicle.note(f"another history answered {answer.status}", member.name)
        if answer.status == 200:
            self._keep(fork.leaves)

    def _keep(self, leaves: list[Digest]) -> None:
        self._cosigned.append(leaves)
        self.require_one_history()

    def require_one_history(self) -> None:
        """Of any two cosigned histories the shorter is the beginning of the longer."""
        for one in self._cosigned[-2:]:
            for other in self._cosigned:
                length = min(len(one), len(other))
                if tree_root(one[:length]) != tree_root(other[:length]):
                    raise Violation(f"8: the witness cosigned two histories of {length} leaves")
