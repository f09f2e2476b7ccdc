"""Roots of what stays off the ledger: a measurement's rows, a stretch of telemetry."""

from typing import Annotated, Literal

from cellvow.core.contracts.contract import MEMBERS, Context, Contract, Count, Hash, Message, Record, require
from cellvow.core.ledger.outcome import Event
from cellvow.core.ledger.rejection import Reason

# Records


class AnchorRecord(Record, frozen=True, kw_only=True):
    """`anchor/ORGANISATION/ROOT`: that the organisation held rows with this salted root at that time."""

    organisation: str
    root: Hash
    rows: Count
    kind: Literal["measurement", "telemetry", "document"]
    anchored_ms: Count


# Messages


class Anchor(Message, frozen=True, kw_only=True):
    """Anchor the salted Merkle root over rows kept elsewhere, so that each can be proven later."""

    root: Annotated[Hash, MEMBERS]
    rows: Annotated[Count, MEMBERS]
    kind: Annotated[Literal["measurement", "telemetry", "document"], MEMBERS]

    @property
    def subject(self) -> str:
        """The root."""
        return self.root


# Rules


def anchor_key(organisation: str, root: str) -> str:
    """Where an anchor lies in the state map."""
    return f"anchor/{organisation}/{root}"


# Handlers


def _anchor(context: Context, message: Anchor) -> list[Event]:
    key = anchor_key(context.organisation, message.root)
    require(context.get_bytes(key) is None, Reason.ANCHOR_EXISTS)
    record = AnchorRecord(
        provenance=context.provenance,
        organisation=context.organisation,
        root=message.root,
        rows=message.rows,
        kind=message.kind,
        anchored_ms=context.time_ms,
    )
    context.put(key, record)
    return [{"type": "Anchored", "organisation": context.organisation, "root": message.root}]


CONTRACT = Contract("anchor", {Anchor: _anchor})
