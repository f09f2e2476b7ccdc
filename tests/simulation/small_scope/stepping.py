"""One message on one state by the ledger's own handlers, and the states that are the same to everybody.

Signatures, sequences and the log are left out: whoever may sign is taken to have signed. Everything else is the code
that every member runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import msgspec

from cellvow.core.contracts.contract import Contested, Context, Message, Provenance, RecordType, decode_record
from cellvow.core.contracts.dispute_file import open_claim
from cellvow.core.ledger.rejection import Rejected
from cellvow.core.protocol.ruleset import NEWEST, Ruleset, get_ruleset

Records = Mapping[str, bytes]
Canonical = tuple[bool, int]

CHAIN = "small-scope"
SOMEWHERE = Provenance(statement="5c" * 32, index=0)
UNSEEN = ("provenance", "version", "born", "since_ms", "issued_ms", "stated_ms", "decided_ms", "corrects")
"""Fields of a record that no rule compares with anything but themselves: states that differ in them are one.

A fence compares the version that stands with the one a signer has seen; the moves try the one that stands and an
older one, whatever number it has.
"""


@dataclass(frozen=True, slots=True)
class Move:
    """A message by an organisation, or time that passes."""

    organisation: str
    message: Message | None
    wait_ms: int = 0

    def __str__(self) -> str:
        if self.message is None:
            return f"time passes: {self.wait_ms} ms"
        return f"{self.organisation}: {self.message!r}"


@dataclass(frozen=True, slots=True)
class State:
    """The records and the time of the next block; `digest` is of what two states share that nobody can tell apart."""

    records: Records
    time_ms: int
    digest: int = 0
    has_waited: bool = False

    @property
    def canonical(self) -> tuple[bool, int]:
        """Equal for states that nobody can tell apart."""
        return self.has_waited, self.digest


@dataclass(frozen=True, slots=True)
class Step:
    """What a move came to: the next state, or the one before where it was rejected; and the keys it wrote."""

    state: State
    result: str
    events: tuple[str, ...] = ()
    written: tuple[str, ...] = ()


def make_state(records: Records, time_ms: int) -> State:
    """A first state."""
    return State(records, time_ms, sum(_fingerprint(key, value) for key, value in records.items()))


def take_step(state: State, move: Move, ruleset: Ruleset | None = None) -> Step:
    """Apply a move; `ruleset` is the newest one, unless a test plants a bug in a copy of it."""
    if move.message is None:
        return Step(replace(state, time_ms=state.time_ms + move.wait_ms, has_waited=True), "waited")
    ruleset = ruleset or get_ruleset(NEWEST)
    context = _context(state, move.organisation)
    handler = ruleset.handlers[type(move.message)]
    try:
        try:
            events, result = handler(context, move.message), "accepted"
        except Contested as claim:
            context.writes.clear()
            events, result = open_claim(context, claim), "contested"
    except Rejected as refusal:
        return Step(state, refusal.reason.name)
    return Step(
        _after(state, context.writes), result, tuple(str(event["type"]) for event in events), (*context.writes,)
    )


def _after(state: State, writes: Mapping[str, bytes]) -> State:
    digest = state.digest
    for key, value in writes.items():
        digest += _fingerprint(key, value)
        if key in state.records:
            digest -= _fingerprint(key, state.records[key])
    return replace(state, records={**state.records, **writes}, digest=digest)


@lru_cache(maxsize=200_000)
def decode(record_type: type[RecordType], value: bytes) -> RecordType:
    """A record, decoded once: what is looked at again and again is the same few."""
    return decode_record(record_type, value)


def _context(state: State, organisation: str) -> Context:
    records = state.records
    return Context(
        read=records.get,
        organisation=organisation,
        kid="00" * 16,
        height=7,
        time_ms=state.time_ms,
        chain_id=CHAIN,
        provenance=SOMEWHERE,
        find=lambda prefix: sorted(key for key in records if key.startswith(prefix)),
        ruleset=NEWEST,
    )


@lru_cache(maxsize=500_000)
def _fingerprint(key: str, value: bytes) -> int:
    """A number of 128 bits for a record; the sum over all records stands for a state."""
    told = msgspec.json.encode(_seen(msgspec.json.decode(value)), order="sorted")
    return int.from_bytes(hashlib.blake2b(b"%b\0%b" % (key.encode(), told), digest_size=16).digest(), "big")


def _seen(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _seen(one) for name, one in value.items() if name not in UNSEEN}
    return [_seen(one) for one in value] if isinstance(value, list) else value
