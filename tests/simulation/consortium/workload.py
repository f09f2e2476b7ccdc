"""What is sent to a simulated consortium: statements signed once for all seeds, honest ones and others."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from cellvow.core.contracts.change import AdmitValidator, Distrust
from cellvow.core.contracts.governance import CastVote, Propose
from cellvow.core.contracts.organisation import ROOT_ONLY
from cellvow.core.ledger.validator import Validator, order_validators
from cellvow.core.primitives.signature import is_valid
from cellvow.core.protocol.ruleset import RULESETS
from cellvow.node.cometbft.chain import ParsedStatements
from tests import messages
from tests.world import (
    BUYER,
    CARMAKER,
    CHAIN_ID,
    GENESIS_MS,
    LABORATORY,
    MAKER,
    make_genesis,
    make_member,
    make_signer,
)

if TYPE_CHECKING:
    from cellvow.core.contracts.contract import Message
    from cellvow.core.ledger.genesis import Genesis
    from cellvow.core.ledger.statement import Statement
    from cellvow.core.primitives.encoding import Json

HOSTS = (MAKER, CARMAKER, LABORATORY, BUYER)
"""Organisations that run a validator."""
SHORT_KEY_MS = 9_000
"""How long after genesis the key `short` is in force."""
BATTERIES = 4


class Order(NamedTuple):
    """One statement of an honest client; `key` names the registration it waits for."""

    kind: str
    key: str
    data: bytes


@dataclass(frozen=True)
class Workload:
    """All statements there are to choose from."""

    genesis: Genesis
    registrations: dict[str, bytes]
    orders: dict[str, tuple[Order, ...]]
    twins: tuple[bytes, ...]
    """Each has the sequence of an honest statement and says something else: an organisation against itself."""
    below_floor: dict[bytes, bytes]
    """For each statement that raises a floor another one of its key, which is fresh only until then."""
    strange: tuple[bytes, ...]
    """Of another ledger, by an unknown key, far ahead of the window."""


def validator_key(organisation: str) -> str:
    """The consensus key of an organisation's validator, in hexadecimal."""
    return make_signer(organisation, "validator").public_key.hex()


@lru_cache(maxsize=1)
def make_workload() -> Workload:
    """Sign everything; the same bytes each time."""
    members = {host: make_member(host) for host in HOSTS}
    registrations, orders, below = {}, {}, {}
    twins: list[bytes] = []
    for host, member in members.items():
        registrations[host] = member.root.sign(member.register_key(member.key, scope=_scope())).data
        signed = [(kind, member.key.sign(message, not_after_ms=limit), message) for kind, message, limit in _plan(host)]
        orders[host] = tuple(Order(kind, host, statement.data) for kind, statement, _ in signed)
        floor = member.root.sign(messages.raise_floor(member.root, 50), sequence=10)
        orders[host] += (Order("floor", host, floor.data),)
        below[floor.data] = member.root.sign(messages.anchor(), sequence=11).data
        twins += [
            member.key.sign(messages.anchor(f"{index:02x}" * 32), sequence=statement.envelope.sequence).data
            for index, (_, statement, _) in enumerate(signed[:2])
        ]
    orders[MAKER] += (Order("batch", MAKER, members[MAKER].key.sign_batch(_births("B"), mode="each").data),)
    short = make_signer(BUYER, "short")
    until = members[BUYER].register_key(short, scope=_scope(), valid_until_ms=GENESIS_MS + SHORT_KEY_MS)
    registrations["short"] = members[BUYER].root.sign(until).data
    orders[BUYER] += tuple(Order("short", "short", short.sign(messages.anchor(f"5{n}" * 32)).data) for n in range(3))
    stranger = make_signer("stranger", "key")
    strange = (
        stranger.sign(messages.anchor()).data,
        members[MAKER].key.sign(messages.anchor("77" * 32), chain_id="elsewhere", sequence=900).data,
        members[MAKER].key.sign(messages.anchor("78" * 32), sequence=5_000).data,
    )
    return Workload(_genesis(), registrations, orders, tuple(twins), below, strange)


def _genesis() -> Genesis:
    validators = tuple(Validator(host, validator_key(host), 1) for host in HOSTS)
    return replace(make_genesis(CHAIN_ID), validators=order_validators(validators))


def _scope() -> tuple[str, ...]:
    return tuple(sorted(kind.__name__ for kind in RULESETS[1].handlers if kind.__name__ not in ROOT_ONLY))


def _births(mark: str) -> list[Message | bytes]:
    return [messages.battery(f"01/{messages.GTIN}/21/{mark}-{number}") for number in range(BATTERIES)]


def _plan(host: str) -> list[tuple[str, Message | dict[str, Json], int | None]]:
    """(kind, message, not after) of what an organisation signs with its operational key."""
    mark = f"{HOSTS.index(host)}"
    anchors = [("anchor", messages.anchor(f"{mark}{digit}" * 32), None) for digit in "abc"]
    late = ("late", messages.anchor(f"{mark}e" * 32), GENESIS_MS + 4_000)
    teleport: dict[str, Json] = {"type": "Teleport"}
    nonsense = ("nonsense", teleport, None)
    return [*anchors, late, nonsense, *_plan_of_role(host), *_plan_of_votes(host)]


def _plan_of_role(host: str) -> list[tuple[str, Message | dict[str, Json], int | None]]:
    births = [messages.battery(f"01/{messages.GTIN}/21/PACK-{number:04}") for number in range(BATTERIES)]
    if host == MAKER:
        return [
            ("model", messages.model(), None),
            *(("birth", birth, None) for birth in births),
            ("offer", messages.offer(BUYER), None),
        ]
    if host == LABORATORY:
        return [("certificate", messages.certificate(f"T-{number}"), None) for number in range(2)]
    if host == BUYER:
        return [("accept", messages.accept(), None)]
    return [("birth", birth, None) for birth in births[:2]]


def _plan_of_votes(host: str) -> list[tuple[str, Message | dict[str, Json], int | None]]:
    """Two changes by vote: the maker's validator weighs more, and a short-lived key is distrusted."""
    closes = GENESIS_MS + 3_600_000
    heavier = AdmitValidator(organisation=MAKER, public_key=validator_key(MAKER), power=2)
    distrust = Distrust(kid=make_signer(BUYER, "short").kid.hex(), since_ms=GENESIS_MS)
    proposals = {
        MAKER: Propose(organisation=MAKER, reference="P-1", change=heavier, effective_height=4, closes_ms=closes),
        LABORATORY: Propose(
            organisation=LABORATORY, reference="P-2", change=distrust, effective_height=1, closes_ms=closes
        ),
    }
    proposed = [("proposal", proposals[host], None)] if host in proposals else []
    votes = [("vote", CastVote(proposer=who, reference=name, approve=True), None) for who, name in _VOTED_ON]
    return [*proposed, *votes]


_VOTED_ON = ((MAKER, "P-1"), (LABORATORY, "P-2"))
_KNOWN: dict[tuple[bytes, bytes, bytes], bool] = {}


PARSED = ParsedStatements()
"""Shared by all members and stories: what bytes say is the same for everybody."""


def check_once(public_key: bytes, message: bytes, signature: bytes) -> bool:
    """The verdict on a signature, computed once in this process: what members ask for is counted elsewhere."""
    asked = (public_key, message, signature)
    if asked not in _KNOWN:
        _KNOWN[asked] = is_valid(*asked)
    return _KNOWN[asked]


def forge(statement: Statement) -> bytes:
    """The same statement under a signature that does not hold: its transaction identifier is the same too."""
    signature = statement.envelope.signature
    return statement.data.replace(signature, bytes([signature[0] ^ 1]) + signature[1:])
