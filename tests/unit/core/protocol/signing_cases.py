"""Reasons around a second signature, each provoked in a world with a battery, a certificate and an open offer."""

from __future__ import annotations

from collections.abc import Callable

from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.limits import HELD_MAX
from tests import messages
from tests.world import MAKER, Signer, World, make_signer


def add_key(world: World, name: str = "second", organisation: str = MAKER) -> Signer:
    """Another operational key of the organisation, registered."""
    signer = make_signer(organisation, name)
    world.accept(world[organisation].root.sign(world[organisation].register_key(signer)))
    return signer


def hold_one(world: World, *names: str) -> Statement:
    """The maker wants models signed twice, and has signed one once."""
    world.accept(world[MAKER].root.sign(messages.signing_rule(MAKER, "RegisterModel", *names)))
    first = world[MAKER].key.sign(messages.model(messages.OTHER_GTIN))
    if not world.submit(first).is_held:
        raise AssertionError("the message was not held")
    return first


def _nothing_held(world: World) -> Statement:
    first, second = hold_one(world), add_key(world)
    world.accept(second.sign(messages.second_signature(first)))
    return second.sign(messages.second_signature(first))


def _same_signer(world: World) -> Statement:
    return world[MAKER].key.sign(messages.second_signature(hold_one(world)))


def _too_many(world: World) -> Statement:
    hold_one(world)
    world.include(world[MAKER].key.sign_batch([messages.model(messages.OTHER_GTIN)] * (HELD_MAX - 1)))
    return world[MAKER].key.sign(messages.model(messages.OTHER_GTIN))


def _partly_held(world: World) -> Statement:
    hold_one(world)
    key = world[MAKER].key
    return key.sign_batch([messages.model(messages.OTHER_GTIN), messages.raise_floor(key, key.sequence + 9)])


def _first_key_compromised(world: World) -> Statement:
    first, second = hold_one(world), add_key(world)
    world.accept(world[MAKER].root.sign(messages.compromise(world[MAKER].key, world.head.time_ms)))
    return second.sign(messages.second_signature(first))


def _rule_over_keys(world: World) -> Statement:
    return world[MAKER].root.sign(messages.signing_rule(MAKER, "RaiseFloor"))


SIGNING: dict[Reason, Callable[[World], bytes | Statement]] = {
    Reason.NOTHING_HELD: _nothing_held,
    Reason.SAME_SIGNER: _same_signer,
    Reason.TOO_MANY_HELD: _too_many,
    Reason.WRONG_SIGNING_RULE: _rule_over_keys,
    Reason.PARTLY_HELD: _partly_held,
    Reason.FIRST_KEY_COMPROMISED: _first_key_compromised,
}
