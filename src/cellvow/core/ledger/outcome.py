"""What became of a message: accepted with the events recorded, rejected with its reason, contested, or held.

`{"events":[{"battery":"01/..","type":"BatteryRegistered"}],"result":"accepted"}`,
`{"code":504,"facts":{},"result":"rejected"}`, or `"contested"` with the events of the dispute it opened, all
canonical JSON. A contested message did not do what it ordered; what it claims is kept, and an arbiter decides. A
`"held"` one has done nothing yet: it waits for a second signature of its organisation, and its event says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from cellvow.core.ledger.rejection import Reason, Rejected
from cellvow.core.primitives.digest import Digest, domain_digest
from cellvow.core.primitives.encoding import Json, encode_document, parse_object
from cellvow.core.primitives.errors import CellvowError, Malformed
from cellvow.core.primitives.merkle import leaf_hash, tree_root

Event = dict[str, Json]
"""A recorded event: its `type` in the past tense, and the identifiers it concerns."""

ACCEPTED, CONTESTED, HELD = "accepted", "contested", "held"
OUTCOME_DOMAIN = "cellvow/outcome/v1"


@dataclass(frozen=True, slots=True)
class Outcome:
    """Accepted, contested or held with its `events`, or rejected for `reason` with its `facts`."""

    events: tuple[Event, ...] = ()
    reason: Reason | None = None
    facts: tuple[tuple[str, Json], ...] = ()
    is_contested: bool = False
    is_held: bool = False

    @property
    def is_accepted(self) -> bool:
        """Whether the message did what it ordered."""
        return self.reason is None and not self.is_contested and not self.is_held

    @classmethod
    def of_rejection(cls, rejected: Rejected) -> "Outcome":
        """The outcome that keeps a rejection."""
        return cls(reason=rejected.reason, facts=tuple(sorted(rejected.facts.items())))


class KeptAsClaim(CellvowError):
    """The message claims what the registers deny: it changed none of them, and opened a dispute for an arbiter."""

    def __init__(self, battery: str, opener: str, reference: str, topic: str) -> None:
        self.battery = battery
        self.opener = opener
        self.reference = reference
        self.topic = topic
        super().__init__(
            f"the registers say otherwise of {battery} ({topic}): nothing was changed, and what you claim is kept as "
            f"dispute {reference}"
        )


class KeptForSecond(CellvowError):
    """The organisation asks for a second signature: the message waits for it, and has done nothing yet."""

    def __init__(self, statement: str, indexes: tuple[int, ...]) -> None:
        self.statement = statement
        self.indexes = indexes
        what = "it waits" if len(indexes) == 1 else f"{len(indexes)} messages wait"
        super().__init__(
            f"your organisation asks for a second signature: nothing was done yet, and {what} for another key "
            f"(statement {statement})"
        )


def encode_outcome(outcome: Outcome) -> bytes:
    """Canonical bytes of an outcome."""
    if outcome.reason is None:
        result = CONTESTED if outcome.is_contested else HELD if outcome.is_held else ACCEPTED
        return encode_document({"events": list(outcome.events), "result": result})
    return encode_document({"code": int(outcome.reason), "facts": dict(outcome.facts), "result": "rejected"})


def find_cause(outcomes: Sequence[Outcome]) -> Outcome | None:
    """The first rejection that is not another message's fault, else the first of all; None where there is none."""
    rejected = [one for one in outcomes if one.reason is not None]
    causes = (one for one in rejected if one.reason is not Reason.BATCH_ABORTED)
    return next(causes, rejected[0] if rejected else None)


def parse_outcome(data: bytes) -> Outcome:
    """The outcome of canonical bytes; raises `Malformed`."""
    document = parse_object(data)
    names, events, facts, code = sorted(document), document.get("events"), document.get("facts"), document.get("code")
    result = document.get("result")
    if names == ["events", "result"] and result in (ACCEPTED, CONTESTED, HELD) and isinstance(events, list):
        told = tuple(_event(event) for event in events)
        return Outcome(events=told, is_contested=result == CONTESTED, is_held=result == HELD)
    if names != ["code", "facts", "result"] or result != "rejected" or not isinstance(facts, dict):
        raise Malformed("the outcome is no acceptance, no rejection, no contested claim and no hold")
    if type(code) is not int or code not in list(Reason):
        raise Malformed(f"code {code} is unknown to this version of the software")
    return Outcome(reason=Reason(code), facts=tuple(sorted(facts.items())))


def _event(value: Json) -> Event:
    if not isinstance(value, dict) or not isinstance(value.get("type"), str):
        raise Malformed("a recorded event is an object with a type")
    return value


def outcome_leaf(salt: bytes, outcome: bytes) -> Digest:
    """Leaf hash of one outcome in the tree over a batch's outcomes, blinded by the message's salt."""
    return leaf_hash(salt + outcome)


def outcome_digest(outcomes: Sequence[bytes], salts: Sequence[bytes | None]) -> Digest:
    """What the log keeps of a statement's outcomes: a digest of the one, or the root over a batch's."""
    if len(outcomes) == 1 and salts[0] is None:
        return domain_digest(OUTCOME_DOMAIN, outcomes[0])
    return tree_root([outcome_leaf(salt or b"", outcome) for salt, outcome in zip(salts, outcomes, strict=True)])
