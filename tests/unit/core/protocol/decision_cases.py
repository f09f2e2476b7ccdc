"""A statement for every reason that has to do with key rotation, votes and recovery."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cellvow.core.contracts.change import (
    ActivateRuleset,
    AdmitValidator,
    Change,
    Distrust,
    RemoveMember,
    RemoveValidator,
    SetParameter,
)
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.limits import ROOT_KEYS_MAX, VALIDATORS_MAX
from tests import messages
from tests.decisions import EVERYBODY, adopt, approve, pass_block, propose
from tests.world import BUYER, CARMAKER, DAY_MS, LABORATORY, MAKER, World, make_signer, make_validator

DecisionCase = Callable[[World], Statement]

GUARDIANS = (BUYER, CARMAKER, LABORATORY)


def _proposed(change: Change) -> DecisionCase:
    return lambda world: world[MAKER].key.sign(messages.proposal(MAKER, change))


def _device_without_name(world: World) -> Statement:
    message = world[MAKER].register_key(make_signer(MAKER, "device"), scope=("Anchor",))
    return world[MAKER].root.sign(replace(message, kind="device"))


def _device_that_disposes(world: World) -> Statement:
    message = world[MAKER].register_key(make_signer(MAKER, "device"), scope=("OfferHandover",))
    return world[MAKER].root.sign(replace(message, kind="device", device="BMS-1"))


def _mark_in_the_future(world: World) -> Statement:
    message = messages.revoke_key(world[MAKER].key)
    return world[MAKER].root.sign(replace(message, cause="compromised", compromised_since_ms=world.next_ms + 1))


def _one_root_key_too_many(world: World) -> Statement:
    member = world[MAKER]
    for number in range(1, ROOT_KEYS_MAX):
        world.accept(member.root.sign(member.rotate_root_key(make_signer(MAKER, f"root {number}"))))
    return member.root.sign(member.rotate_root_key(make_signer(MAKER, "one too many")))


def _by_whom_it_removes(world: World) -> Statement:
    adopt(world, RemoveMember(organisation=MAKER))
    return world[MAKER].key.sign(messages.declaration())


def _made_twice(world: World) -> Statement:
    propose(world, messages.roles_of(BUYER))
    return world[MAKER].key.sign(messages.proposal(MAKER, messages.roles_of(BUYER)))


def _withdrawn(world: World) -> Statement:
    propose(world, messages.roles_of(BUYER))
    world.accept(world[MAKER].key.sign(messages.withdrawal(MAKER)))
    return world[BUYER].key.sign(messages.vote(MAKER))


def _one_proposal_too_many(world: World) -> Statement:
    for number in range(8):
        propose(world, messages.roles_of(BUYER), f"P-{number}")
    return world[MAKER].key.sign(messages.proposal(MAKER, messages.roles_of(BUYER), "P-8"))


def _one_change_too_many(world: World) -> Statement:
    for number in range(64):
        adopt(world, messages.roles_of(BUYER), f"P-{number}", voters=EVERYBODY[:3], effective_height=10_000)
    propose(world, messages.roles_of(BUYER), "P-64")
    approve(world, EVERYBODY[:2], "P-64")
    return world[MAKER].key.sign(messages.vote(MAKER, "P-64"))


def _without_validator(world: World) -> Statement:
    propose(world, messages.roles_of(BUYER))
    return world[BUYER].key.sign(messages.vote(MAKER))


def _voted_twice(world: World) -> Statement:
    propose(world, messages.roles_of(BUYER))
    approve(world, [BUYER])
    return world[BUYER].key.sign(messages.vote(MAKER))


def _one_validator_too_many(world: World) -> Statement:
    return _proposed(AdmitValidator(organisation=MAKER, public_key=make_signer(MAKER, "v").public_key.hex(), power=1))(
        world
    )


def _appointed(world: World) -> None:
    world.accept(world[MAKER].root.sign(messages.appointment(MAKER, GUARDIANS)))


def _opened(world: World) -> None:
    _appointed(world)
    world.accept(world[BUYER].key.sign(messages.recovery(MAKER)))


def _locked(world: World) -> None:
    _opened(world)
    world.accept(world[CARMAKER].key.sign(messages.approval(MAKER)))


def _after(prepare: Callable[[World], None], sign: DecisionCase) -> DecisionCase:
    def case(world: World) -> Statement:
        prepare(world)
        return sign(world)

    return case


def _opened_twice(world: World) -> Statement:
    _opened(world)
    pass_block(world, time_ms=world.head.time_ms + 8 * DAY_MS)
    return world[BUYER].key.sign(messages.recovery(MAKER))


DECISIONS: dict[Reason, DecisionCase] = {
    Reason.NO_DEVICE: _device_without_name,
    Reason.OUTSIDE_DEVICE_SCOPE: _device_that_disposes,
    Reason.MARK_NOT_EARLIER: _mark_in_the_future,
    Reason.TOO_MANY_ROOT_KEYS: _one_root_key_too_many,
    Reason.KEY_HAS_ENDED: _by_whom_it_removes,
    Reason.NOT_YOUR_PROPOSAL: lambda world: world[BUYER].key.sign(messages.proposal(MAKER, messages.roles_of(BUYER))),
    Reason.PROPOSAL_EXISTS: _made_twice,
    Reason.UNKNOWN_PROPOSAL: lambda world: world[BUYER].key.sign(messages.vote(MAKER, "P-9")),
    Reason.PROPOSAL_NOT_OPEN: _withdrawn,
    Reason.WRONG_TERM: lambda world: world[MAKER].key.sign(
        messages.proposal(MAKER, messages.roles_of(BUYER), closes_ms=world.next_ms)
    ),
    Reason.TOO_MANY_PROPOSALS: _one_proposal_too_many,
    Reason.TOO_MANY_CHANGES: _one_change_too_many,
    Reason.SAME_VOTE: _voted_twice,
    Reason.ORGANISATION_EXISTS: _proposed(messages.admission(BUYER)),
    Reason.NOT_A_CONSORTIUM: _one_validator_too_many,
    Reason.WRONG_PARAMETER: _proposed(SetParameter(name="threshold.member", amount=1, out_of=3)),
    Reason.RULESET_NOT_NEWER: _proposed(ActivateRuleset(ruleset=2)),
    Reason.NO_SUCH_KEY: _proposed(Distrust(kid="00" * 16, since_ms=0)),
    Reason.WRONG_GUARDIANS: lambda world: world[MAKER].root.sign(messages.appointment(MAKER, (MAKER, BUYER))),
    Reason.NO_GUARDIANS: lambda world: world[BUYER].key.sign(messages.recovery(MAKER)),
    Reason.NOT_A_GUARDIAN: _after(_appointed, lambda world: world["marktamt"].key.sign(messages.recovery(MAKER))),
    Reason.RECOVERY_OPEN: _after(_opened, lambda world: world[CARMAKER].key.sign(messages.recovery(MAKER))),
    Reason.TOO_MANY_RECOVERIES: _opened_twice,
    Reason.NO_OPEN_RECOVERY: _after(_opened, lambda world: world[CARMAKER].key.sign(messages.approval(MAKER, 2))),
    Reason.APPROVED_ALREADY: _after(_opened, lambda world: world[BUYER].key.sign(messages.approval(MAKER))),
    Reason.LOCK_NOT_RUNNING: _after(_opened, lambda world: world[BUYER].key.sign(messages.completion(MAKER))),
    Reason.TIME_LOCK: _after(_locked, lambda world: world[BUYER].key.sign(messages.completion(MAKER))),
}
"""In a world of ruleset 2 without validators."""

_VALIDATOR = make_validator(MAKER)
CONSORTIUM_DECISIONS: dict[Reason, DecisionCase] = {
    Reason.NOT_IN_THE_ELECTORATE: _without_validator,
    Reason.LAST_OF_THE_ELECTORATE: _proposed(RemoveValidator(public_key=_VALIDATOR.public_key)),
    Reason.VALIDATOR_EXISTS: _proposed(
        AdmitValidator(organisation=BUYER, public_key=_VALIDATOR.public_key, power=_VALIDATOR.power)
    ),
    Reason.UNKNOWN_VALIDATOR: _proposed(RemoveValidator(public_key="00" * 32)),
}
"""In a world in which the maker runs the only validator."""

FULL = tuple(make_validator(MAKER, f"validator {number}") for number in range(VALIDATORS_MAX))
"""As many validators as a consortium may have, for `TOO_MANY_VALIDATORS`."""
CROWDED_DECISIONS: dict[Reason, DecisionCase] = {Reason.TOO_MANY_VALIDATORS: _one_validator_too_many}
"""In a world with all of these."""
