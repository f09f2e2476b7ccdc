"""A statement for every reason that has to do with disputes, claims and take-overs."""

from __future__ import annotations

from collections.abc import Callable

from msgspec.structs import replace

from cellvow.core.contracts.battery import BatteryRecord, battery_key
from cellvow.core.contracts.contract import Message, encode_record
from cellvow.core.contracts.dispute_file import Topic
from cellvow.core.ledger.rejection import Reason
from cellvow.core.ledger.statement import Statement
from cellvow.core.primitives.limits import BATTERY_DISPUTES_OF_MEMBER_MAX, POSITIONS_MAX
from tests import disputing, messages
from tests.world import AUTHORITY, BUYER, CARMAKER, LABORATORY, MAKER, World

DisputeCase = Callable[[World], Statement]
OTHER = messages.OTHER_BATTERY
"""The battery that is not offered in the settled world: the maker holds, owns and answers for it."""


def _by(who: str, message: Message) -> DisputeCase:
    return lambda world: world[who].key.sign(message)


def _own(reference: str = disputing.D_1, topic: Topic = "custody") -> Message:
    """The maker disputes what is his own with the buyer."""
    return disputing.opening(BUYER, topic, reference, battery=OTHER)


def _after(who: str, message: Message, *before: tuple[str, Message]) -> DisputeCase:
    def case(world: World) -> Statement:
        for signer, earlier in before:
            world.accept(world[signer].key.sign(earlier))
        return world[who].key.sign(message)

    return case


def _in_dispute(who: str, message: Message) -> DisputeCase:
    """The message about the maker's dispute with the buyer over the other battery."""
    return _after(who, replace(message, battery=OTHER), (MAKER, _own()))


def _too_many(world: World) -> Statement:
    for number in range(BATTERY_DISPUTES_OF_MEMBER_MAX):
        world.accept(world[MAKER].key.sign(_own(f"F-{number}", "safety")))
    return world[MAKER].key.sign(_own())


def _too_often(world: World) -> Statement:
    stated = replace(disputing.position(MAKER), battery=OTHER)
    world.accept(world[MAKER].key.sign(_own()))
    for _ in range(POSITIONS_MAX - 1):
        world.accept(world[MAKER].key.sign(stated))
    return world[MAKER].key.sign(stated)


def _agreed(world: World) -> Statement:
    world.accept(world[MAKER].key.sign(_own()))
    for side in (MAKER, BUYER):
        world.accept(world[side].key.sign(replace(disputing.nomination(LABORATORY, MAKER), battery=OTHER)))
    return world[BUYER].key.sign(replace(disputing.nomination(CARMAKER, MAKER), battery=OTHER))


def _waste(world: World) -> Statement:
    record = world.record(BatteryRecord, battery_key(OTHER))
    world.state.update({battery_key(OTHER): encode_record(replace(record, status="waste"))})
    return world[BUYER].key.sign(disputing.notice(battery=OTHER))


NOTICE = (BUYER, disputing.notice(battery=OTHER))
DISPUTES: dict[Reason, DisputeCase] = {
    Reason.REGISTER_DISPUTED: _after(
        MAKER, messages.offer(CARMAKER, ("custody",), (1,), identifier=OTHER), (MAKER, _own())
    ),
    Reason.NOT_FOR_WASTE: _waste,
    Reason.NOT_ORPHANED: _by(MAKER, disputing.notice(battery=OTHER)),
    Reason.NO_OPEN_TAKEOVER: _by(MAKER, disputing.objection(battery=OTHER)),
    Reason.TAKEOVER_OPEN: _after(BUYER, disputing.notice(battery=OTHER), NOTICE),
    Reason.NOTICE_RUNNING: _after(BUYER, disputing.completion(battery=OTHER), NOTICE),
    Reason.DISPUTE_EXISTS: _after(MAKER, _own(), (MAKER, _own())),
    Reason.UNKNOWN_DISPUTE: _by(MAKER, disputing.position()),
    Reason.DISPUTE_NOT_OPEN: _after(
        MAKER,
        replace(disputing.position(MAKER), battery=OTHER),
        (MAKER, _own()),
        (MAKER, replace(disputing.withdrawal(MAKER), battery=OTHER)),
    ),
    Reason.NOT_A_PARTY: _in_dispute(CARMAKER, disputing.position(MAKER)),
    Reason.NOT_THE_ARBITER: _in_dispute(CARMAKER, disputing.decision(opener=MAKER)),
    Reason.TOO_MANY_DISPUTES: _too_many,
    Reason.NO_SETTLEMENT: _in_dispute(BUYER, disputing.consent(1, MAKER)),
    Reason.WRONG_EFFECT: _in_dispute(
        AUTHORITY, disputing.decision("upheld", disputing.moves(("custody", CARMAKER)), MAKER)
    ),
    Reason.TOO_MANY_POSITIONS: _too_often,
    Reason.ARBITER_AGREED: _agreed,
}
