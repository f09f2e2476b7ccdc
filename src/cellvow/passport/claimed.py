"""A number that is claimed and that nobody has registered: what whoever scans it is told, and by whose word.

A claim is its claimant's word alone, and he is named to everybody: an accusation that nobody stands behind would be a
smear. Whom it speaks against is told only as what the ledger itself says: whose model it is. A claim that was decided,
withdrawn or has lapsed is not shown at all, since nothing was ever accepted of it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from cellvow.core.contracts.battery import ModelRecord, battery_key, model_key
from cellvow.core.contracts.contract import decode_record
from cellvow.core.contracts.organisation import name_of
from cellvow.core.primitives.identifier import derive_model_id
from cellvow.core.protocol.transition import Read
from cellvow.passport.disputes import derive_disputes


@dataclass(frozen=True, slots=True)
class Claim:
    """What one member claims; `statement` is what opened it or changed it last, in the block of that height."""

    organisation: str
    name: str
    reference: str
    topic: str
    claimed_ms: int
    statement: str
    height: int


@dataclass(frozen=True, slots=True)
class Claimed:
    """A number without a registration, the claims to it, and the model it names with whose that is, if any has it."""

    battery: str
    claims: tuple[Claim, ...]
    model: str | None
    maker: str | None

    @property
    def serial(self) -> str:
        """The battery's serial number."""
        return self.battery[21:]

    @property
    def gtin(self) -> str:
        """The model's number."""
        return self.battery[3:17]


def derive_claimed(read: Read, height_of: Callable[[str], int], battery: str, now_ms: int) -> Claimed | None:
    """The open claims to a number, newest first; None where it is registered, or nobody claims it now.

    `height_of` tells the block of a statement's digest, which is on the ledger.
    """
    if read(battery_key(battery)) is not None:
        return None
    views = [one for one in derive_disputes(read, battery, now_ms) if one.summary.is_open and one.summary.is_claim]
    claims = tuple(
        Claim(
            one.opener,
            name_of(read, one.opener),
            one.reference,
            one.summary.topic,
            one.summary.opened_ms,
            one.statement,
            height_of(one.statement),
        )
        for one in views
    )
    if not claims:
        return None
    value = read(model_key(derive_model_id(battery)))
    model = None if value is None else decode_record(ModelRecord, value)
    if model is None:
        return Claimed(battery, claims, None, None)
    return Claimed(battery, claims, model.model, name_of(read, model.organisation))
