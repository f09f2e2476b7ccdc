"""A ledger that goes on from another: all its records, its heights, and nothing that contradicts them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.change import ActivateRuleset, RemoveMember
from cellvow.core.contracts.electorate import ROLL_KEY, RollRecord
from cellvow.core.ledger.genesis import Genesis, Organisation, Predecessor, encode_genesis, parse_genesis
from cellvow.core.ledger.validator import VALIDATORS_KEY, parse_validators
from cellvow.core.primitives.errors import Malformed
from tests import messages
from tests.decisions import adopt, enact, pass_block, proposal_of
from tests.world import BUYER, CARMAKER, LABORATORY, MAKER, World, make_genesis, make_member, make_signer

VALIDATORS = (CARMAKER, LABORATORY, MAKER, BUYER)
NEW_CHAIN = "next.cellvow.example"


def earlier() -> World:
    """An embedded ledger with a battery on it."""
    world = World()
    world.accept(world[MAKER].key.sign(messages.model()), world[MAKER].key.sign(messages.battery()))
    return world


def successor(world: World, *, ruleset: int = 1, validators: tuple[str, ...] = VALIDATORS) -> Genesis:
    """The genesis of a consortium that goes on from it."""
    head = world.head
    return replace(
        make_genesis(NEW_CHAIN, ruleset=ruleset, validators=validators),
        time_ms=head.time_ms,
        predecessor=Predecessor(
            head.chain_id, head.log.size, head.log.root().hex(), world.state.root.hex(), head.height
        ),
    )


def move(world: World, genesis: Genesis | None = None) -> World:
    """The ledger that goes on from this one."""
    return World(genesis or successor(world), with_keys=False, inherited=world.state.records)


def test_a_successor_starts_from_the_whole_state_and_the_next_height() -> None:
    """Keys, batteries and used sequences are there; blocks count on."""
    old = earlier()
    new = move(old)
    key = old[BUYER].key
    new.accept(old[MAKER].key.sign(messages.offer(BUYER), chain_id=NEW_CHAIN))
    new.accept(key.sign(messages.accept(), chain_id=NEW_CHAIN))

    assert (new.blocks[0].height, new.head.chain_id) == (old.head.height + 1, NEW_CHAIN)
    assert new.record(BatteryRecord, battery_key(messages.BATTERY)).organisation == MAKER
    assert parse_validators(new.state.records[VALIDATORS_KEY]) == new.genesis.validators
    assert all(key in new.state.records for key in old.state.records)


def test_the_genesis_of_a_successor_survives_encoding() -> None:
    """The height of the predecessor is a part of it."""
    genesis = successor(earlier())

    assert parse_genesis(encode_genesis(genesis)) == genesis
    assert genesis.predecessor is not None
    assert genesis.digest != replace(genesis, predecessor=replace(genesis.predecessor, height=1)).digest


def test_a_waiting_change_takes_effect_on_the_successor() -> None:
    """What the members decided holds from its height, whichever engine counts it."""
    old = earlier()
    adopt(old, messages.roles_of(BUYER), voters=(CARMAKER, LABORATORY, MAKER), effective_height=20)
    new = move(old)
    while new.head.height < 20:
        pass_block(new)

    assert (proposal_of(new).state, proposal_of(new).effective_height) == ("effective", 20)


def test_a_newcomer_in_the_genesis_of_a_successor_is_counted() -> None:
    """Where a vote has counted the members, those that genesis adds are added."""
    old = earlier()
    adopt(old, messages.roles_of(BUYER), voters=(CARMAKER, LABORATORY, MAKER))
    newcomer = make_member("aardvark")
    member = Organisation("aardvark", "Aardvark (invented)", ("operator",), (newcomer.root.public_key.hex(),))
    genesis = successor(old)
    new = move(old, replace(genesis, organisations=(member, *genesis.organisations)))

    assert old.record(RollRecord, ROLL_KEY).members == 5
    assert new.record(RollRecord, ROLL_KEY).members == 6


def refuse(old: World, genesis: Genesis, sentence: str, *, with_records: bool = True) -> None:
    """The successor must not begin, and say why."""
    with pytest.raises(Malformed, match=sentence):
        World(genesis, with_keys=False, inherited=old.state.records if with_records else None)


def test_records_with_another_root_are_refused() -> None:
    """One changed value is another state, whoever hands it over."""
    old = earlier()
    genesis = successor(old)
    old.state.records[battery_key(messages.BATTERY)] += b" "

    refuse(old, genesis, "the records given are not those of test.cellvow.example at height 2")


def test_a_successor_needs_the_records_and_a_first_ledger_takes_none() -> None:
    """Neither begins by halves."""
    old = earlier()

    refuse(old, successor(old), "give that ledger's records", with_records=False)
    refuse(old, make_genesis(NEW_CHAIN), "genesis names no predecessor")


def test_genesis_describes_an_inherited_member_as_its_record_does() -> None:
    """A re-genesis is no way round a vote."""
    old = earlier()
    genesis = successor(old)
    first = genesis.organisations[0]
    renamed = replace(genesis, organisations=(replace(first, roles=("authority",)), *genesis.organisations[1:]))

    refuse(old, renamed, f"genesis describes {first.organisation} otherwise")


def test_genesis_does_not_bring_back_a_removed_member() -> None:
    """Its keys have ended, and a vote can admit it anew."""
    old = earlier()
    enact(old, RemoveMember(organisation=BUYER))

    refuse(old, successor(old), f"genesis names {BUYER}, which was removed")


def test_genesis_takes_no_root_key_of_another_for_a_newcomer() -> None:
    """A registered key stays with its organisation."""
    old = earlier()
    thief = Organisation(
        "aardvark", "Aardvark (invented)", ("operator",), (make_signer(MAKER, "operational").public_key.hex(),)
    )
    genesis = successor(old)

    refuse(old, replace(genesis, organisations=(thief, *genesis.organisations)), "or it is registered already")


def test_rules_and_validators_do_not_fall_back() -> None:
    """What was activated stays activated, and a consortium names who validates."""
    old = earlier()
    enact(old, ActivateRuleset(ruleset=2))
    consortium = move(old, successor(old, ruleset=2))
    again = replace(successor(consortium, ruleset=2, validators=()), chain_id="third.cellvow.example")

    refuse(old, successor(old), "genesis begins with ruleset 1, and the ledger it goes on from has 2")
    refuse(consortium, again, "genesis must name those that go on")
