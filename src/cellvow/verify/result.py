"""What a bundle proves, check by check, in words and in fields."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from cellvow.core.ledger.outcome import ACCEPTED
from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import VerificationError

TITLES = {
    1: "Form",
    2: "Checkpoint",
    3: "Witnesses",
    4: "Genesis",
    5: "Organisation",
    6: "Key",
    7: "Signature",
    8: "Message",
    9: "Outcome",
    10: "Inclusion",
    11: "Block",
    12: "State",
    13: "Disclosures",
}
_LAST_MS = 253_402_300_799_999  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class Step:
    """One check that held, in words."""

    number: int
    title: str
    detail: str


@dataclass(slots=True)
class Verified:
    """What a bundle proves.

    Witnesses stand in `cosigned_by`; where validators vouch for the log, block `signed_height` is the one they signed,
    and `signed_by` names the organisations whose validators did, as far as genesis knows them. `admitted_by` says
    what shows the signer to be a member: `genesis`, or the `state` under the checkpoint. `outcome` is what the ledger
    made of the message: `accepted` - or `contested` or `held`, which is kept and not accepted. `places` says where in
    the message each of the `disclosures` stands, `documents` which digest the document has that is shown with it.
    """

    anchored: bool
    steps: list[Step] = field(default_factory=list)
    origin: str = ""
    size: int = 0
    cosigned_by: tuple[str, ...] = ()
    signed_by: tuple[str, ...] = ()
    signed_height: int = 0
    signed_power: int = 0
    total_power: int = 0
    chain_id: str = ""
    admitted_by: str = ""
    organisation: str = ""
    organisation_name: str = ""
    kid: str = ""
    message: dict[str, Json] = field(default_factory=dict)
    outcome: str = ACCEPTED
    statement_digest: str = ""
    index: int = 0
    sequence: int = 0
    height: int = 0
    time_ms: int = 0
    ruleset: int = 0
    leaf: int = 0
    records: dict[str, Json] = field(default_factory=dict)
    state_shown: bool = False
    state_time_ms: int = 0
    suspect: bool = False
    standing: str = ""
    disclosures: list[Json] = field(default_factory=list)
    places: list[str] = field(default_factory=list)
    documents: list[str | None] = field(default_factory=list)

    @property
    def is_accepted(self) -> bool:
        """Whether the ledger accepted it: what was kept only changed nothing."""
        return self.outcome == ACCEPTED

    @property
    def ordered(self) -> dict[str, Json]:
        """What the message orders: itself, or what it gives a second signature to."""
        return ordered_by(self.message)


def describe_time(time_ms: int) -> str:
    """A block time in words, UTC; numbers beyond the calendar stay numbers."""
    if time_ms > _LAST_MS:
        return f"{time_ms} ms"
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)
    return moment.strftime("%Y-%m-%d %H:%M:%S UTC")


def ordered_by(message: dict[str, Json]) -> dict[str, Json]:
    """What a message orders: itself, or what it gives a second signature to."""
    if message.get("type") != "Countersign":
        return message
    order = message.get("order")
    if not isinstance(order, dict):
        raise VerificationError("a second signature is under no message")
    return order
