"""The state as a node holds it: the keys of its records, and decisions replayed on a real store."""

from __future__ import annotations

from pathlib import Path

import pytest

from cellvow.core.contracts.change import RemoveMember
from cellvow.core.protocol.transition import apply_block, begin_chain
from cellvow.node.records import MemoryState, StoredState
from cellvow.node.store import LedgerStore
from tests import messages
from tests.decisions import adopt, enact, pass_block
from tests.world import BUYER, CARMAKER, LABORATORY, MAKER, World, make_genesis

VALIDATORS = (CARMAKER, LABORATORY, MAKER, BUYER)
PREFIXES = ("key/", "organisation/", "proposal/", "nothing/")


def decided() -> World:
    """A consortium that admits a newcomer and removes a member."""
    world = World(make_genesis(validators=VALIDATORS))
    enact(world, messages.admission(), "IN", voters=VALIDATORS[:3])
    adopt(world, RemoveMember(organisation=BUYER), "OUT", voters=VALIDATORS[:3])
    pass_block(world)
    return world


@pytest.mark.slow
def test_a_store_and_a_dict_reach_the_same_app_hash_through_votes(tmp_path: Path) -> None:
    """A removal asks the state for all keys of a member: every state knows the same ones, in the same order."""
    world = decided()
    store = LedgerStore.create(tmp_path, world.genesis, begin_chain(world.genesis, MemoryState()))
    stored, memory = StoredState(store, recent_max=3), MemoryState()
    head = begin_chain(world.genesis, memory).head
    for block in world.blocks:
        applied = apply_block(store.head(), stored, block)
        store.commit(block, applied)
        head = apply_block(head, memory, block).head
        assert applied.head == head

    assert head == world.head
    for prefix in PREFIXES:
        assert stored.keys(prefix) == memory.keys(prefix) == world.state.keys(prefix)
    assert len(stored.keys("key/")) == 11
    store.close()


def test_keys_not_written_yet_are_among_the_keys(tmp_path: Path) -> None:
    """The next block may follow before the store has this one's records."""
    genesis = make_genesis()
    store = LedgerStore.create(tmp_path, genesis, begin_chain(genesis, MemoryState()))
    state = StoredState(store)
    before = state.keys("organisation/")
    state.update({"organisation/aardvark": b"{}"})

    assert state.keys("organisation/") == ["organisation/aardvark", *before]
    assert state.keys("nothing/") == []
    store.close()
