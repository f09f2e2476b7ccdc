"""One message on one state by the ledger's own handlers, and the states that are the same to everybody.

Signatures, sequences and the log are left out: whoever may sign is taken to have signed. Everything else is the code
that every member runs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import msgspec

from cellvow.core.contracts.contract import Contested, Context, Message, Provenance
from cellvow.core.contracts.dispute_file import open_claim
from cellvow.core.ledger.rejection import Rejected
from cellvow.core.protocol.ruleset import NEWEST, Ruleset, get_ruleset

Records = Mapping[str, bytes]
Canonical = bytes

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
    """The records and the time of the next block."""

    records: Records
    time_ms: int
    has_waited: bool = False

    @property
    def canonical(self) -> Canonical:
        """A digest of what two states share that nobody can tell apart."""
        told = b"".join(b"%b\0%b\0" % (key.encode(), _canonical(self.records[key])) for key in sorted(self.records))
        return hashlib.blake2b(b"%d\0%b" % (self.time_ms, told), digest_size=16).digest()


@dataclass(frozen=True, slots=True)
class Step:
    """What a move came to: the next state, or the one before where it was rejected."""

    state: State
    result: str
    events: tuple[str, ...] = ()


def take_step(state: State, move: Move, ruleset: Ruleset | None = None) -> Step:
    """Apply a move; `ruleset` is the newest one, unless a test plants a bug in a copy of it."""
    if move.message is None:
        return Step(State(state.records, state.time_ms + move.wait_ms, has_waited=True), "waited")
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
    after = State({**state.records, **context.writes}, state.time_ms, state.has_waited)
    return Step(after, result, tuple(str(event["type"]) for event in events))


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


@lru_cache(maxsize=200_000)
def _canonical(value: bytes) -> bytes:
    document: Any = msgspec.json.decode(value)
    return msgspec.json.encode(_seen(document), order="sorted")


def _seen(value: Any) -> Any:  # noqa: ANN401 - any JSON
    if isinstance(value, dict):
        return {name: _seen(one) for name, one in value.items() if name not in UNSEEN}
    return [_seen(one) for one in value] if isinstance(value, list) else value
