"""The small world with its ledger on disk, for what follows blocks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellvow.core.contracts.custody import OfferHandover
from cellvow.core.contracts.register import RegisterRecord, register_key
from cellvow.core.protocol.ruleset import NEWEST
from cellvow.core.protocol.transition import begin_chain
from cellvow.node.store import LedgerStore
from tests import messages
from tests.world import MAKER, MemoryState, World, make_genesis

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from cellvow.core.contracts.contract import Message
    from cellvow.core.contracts.register import RegisterName
    from cellvow.core.ledger.block import Block
    from cellvow.core.ledger.outcome import Outcome
    from cellvow.core.protocol.transition import Applied


def unit(number: int) -> str:
    """The n-th battery."""
    return f"01/{messages.GTIN}/21/P-{number:04d}"


class StoredWorld(World):
    """Every block is committed to the store as well; the maker's model is registered."""

    def __init__(self, folder: Path) -> None:
        genesis = make_genesis(ruleset=NEWEST)
        self.store = LedgerStore.create(folder, genesis, begin_chain(genesis, MemoryState()))
        super().__init__(genesis)
        self.accept(self[MAKER].key.sign(messages.model()))

    def apply(self, block: Block) -> Applied:
        """Apply and commit a block."""
        applied = super().apply(block)
        self.store.commit(block, applied)
        return applied

    def say(self, organisation: str, message: Message) -> Outcome:
        """Submit one message; whatever becomes of it."""
        return self.submit(self[organisation].key.sign(message))

    def register(self, *numbers: int) -> None:
        """The maker registers batteries, in one batch."""
        batch = [messages.battery(unit(number)) for number in numbers]
        self.include(self[MAKER].key.sign_batch(batch, mode="each"))

    def offer(self, organisation: str, number: int, addressee: str, registers: Sequence[RegisterName]) -> Outcome:
        """An offer with the versions that stand now."""
        ordered = tuple(sorted(registers))
        versions = tuple(self._version_of(one, unit(number)) for one in ordered)
        message = OfferHandover(battery=unit(number), addressee=addressee, registers=ordered, versions=versions)
        return self.say(organisation, message)

    def _version_of(self, register: str, battery: str) -> int:
        key = register_key(register, battery)
        return self.record(RegisterRecord, key).version if key in self.state.records else 0
