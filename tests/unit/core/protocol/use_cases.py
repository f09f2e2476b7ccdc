"""A statement for every reason that has to do with use, work, documents, software and safety."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cellvow.core.ledger.rejection import Reason
from cellvow.core.primitives.limits import INCIDENTS_OF_MEMBER_MAX
from tests import messages
from tests.world import CARMAKER, LABORATORY, MAKER, World

if TYPE_CHECKING:
    from collections.abc import Callable

    from cellvow.core.contracts.contract import Message
    from cellvow.core.ledger.statement import Statement

    UseCase = Callable[[World], Statement]


def _last_of(organisation: str, *told: Message) -> UseCase:
    """The last of the messages, once the others are accepted."""

    def case(world: World) -> Statement:
        key = world[organisation].key
        for one in told[:-1]:
            world.accept(key.sign(one))
        return key.sign(told[-1])

    return case


_MANY = [messages.incident(f"I-{number}") for number in range(INCIDENTS_OF_MEMBER_MAX + 1)]
USE: dict[Reason, UseCase] = {
    Reason.NOT_THE_HOLDER: _last_of(CARMAKER, messages.installation()),
    Reason.ALREADY_INSTALLED: _last_of(MAKER, messages.installation(), messages.installation()),
    Reason.NOT_INSTALLED: _last_of(MAKER, messages.removal()),
    Reason.WRONG_DOCUMENT_VERSION: _last_of(MAKER, messages.document(), messages.document(3)),
    Reason.WORK_EXISTS: _last_of(MAKER, messages.work(), messages.work()),
    Reason.DAY_OUT_OF_RANGE: _last_of(MAKER, messages.installation("2026-01-02")),
    Reason.INCIDENT_EXISTS: _last_of(CARMAKER, messages.incident(), messages.incident()),
    Reason.UNKNOWN_INCIDENT: _last_of(LABORATORY, messages.assessment("safe", (CARMAKER, "I-1"))),
    Reason.SOFTWARE_UNCHANGED: _last_of(MAKER, messages.software(), messages.software()),
    Reason.NO_OPEN_ORDER: _last_of(CARMAKER, messages.work(kind="repair")),
    Reason.TOO_MANY_INCIDENTS: _last_of(CARMAKER, *_MANY),
}
