"""The passport of one battery as one audience may see it: facts, each with who signed it and when.

A view is derived from records, the battery's timeline and disclosed fields; it holds no secret its audience may not
have, so that presenting it needs no further decision.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum

from cellvow.passport.disputes import DisputeSummary


class Audience(Enum):
    """Who is looking. Decided in one place; everything not granted is left out of the view."""

    PUBLIC = "public"
    PURCHASER = "purchaser"
    OWNER = "owner"


class Scope(StrEnum):
    """What an owner can grant a purchaser, in parts."""

    HEALTH = "health"
    """Every attestation with its values, their intervals, the curve."""
    HISTORY = "history"
    """The steps of life and all three registers."""


@dataclass(frozen=True, slots=True)
class Reader:
    """Somebody who looks: his audience, and for a purchaser what he was granted.

    A purchaser without scope sees what the public sees; the scope of other audiences means nothing.
    """

    audience: Audience
    scope: frozenset[Scope] = frozenset()

    def sees(self, scope: Scope) -> bool:
        """Whether this part of a passport is shown to him."""
        if self.audience is Audience.PURCHASER:
            return scope in self.scope
        return self.audience is Audience.OWNER


PUBLIC, OWNER = Reader(Audience.PUBLIC), Reader(Audience.OWNER)


def as_reader(who: Audience | Reader) -> Reader:
    """The reader meant; a bare `Audience.PURCHASER` was granted nothing."""
    return who if isinstance(who, Reader) else Reader(who)


@dataclass(frozen=True, slots=True)
class Source:
    """Who signed a fact, in which statement, and when the ledger recorded it.

    `suspect`: the key that signed it was somebody else's by then, as its owner or a vote has said since.
    """

    organisation: str
    name: str
    statement: str
    index: int
    height: int
    time_ms: int
    suspect: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """A named value with unit and source; `corrected_from` is what it said before a correction, if anything.

    `name` is a key of the text catalogues (`fact.NAME`); numbers are scaled integers in `unit`.
    """

    name: str
    value: str | int
    unit: str | None
    source: Source
    corrected_from: str | int | None = None


@dataclass(frozen=True, slots=True)
class Measured:
    """One quantity of one attestation, disclosed: the value with its interval, or hidden (`value` None)."""

    quantity: str
    unit: str
    value: int | None
    low: int | None
    high: int | None
    coverage_permille: int | None
    conditions: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Curve:
    """A discharge curve disclosed under a certificate: (charge drawn in mAh, voltage in mV) points."""

    points: tuple[tuple[int, int], ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Attested:
    """An attestation or certificate: what it rests on and what it is worth now.

    `state`: issued, superseded, revoked, invalidated or expired. `predicates` are what the issuer made public.
    """

    reference: str
    is_certificate: bool
    evidence_class: str
    standard: str | None
    edition: str | None
    method: str
    tested_until_ms: int
    valid_until_ms: int | None
    state: str
    measured: tuple[Measured, ...]
    predicates: tuple[tuple[str, str, int], ...]
    source: Source


@dataclass(frozen=True, slots=True)
class Register:
    """Who stands in a register (custody, ownership, responsibility) since when."""

    register: str
    organisation: str
    name: str
    since_ms: int
    source: Source


@dataclass(frozen=True, slots=True)
class LifeStep:
    """One recorded event of the battery's life; `detail` are parameters for its sentence (`event.TYPE`)."""

    event: str
    detail: tuple[tuple[str, str], ...]
    source: Source
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Backfill:
    """That the battery is older than its record: the birth was reconstructed, from what, and how well that is known.

    `evidence_class`: estimated or declared, as the signer of the birth said it; `corrected`: it once said otherwise.
    """

    evidence_class: str
    basis: str
    source: Source
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Consented:
    """That the validators of a consortium signed block `height`: how many of how many, and whose they are.

    All are 0 while their signatures have not been fetched: what is committed they have signed nevertheless.
    """

    height: int
    signers: int
    validators: int
    signed_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Anchoring:
    """Under which checkpoint the view stands; with no witness it is committed, not witnessed.

    In a consortium there is no checkpoint: `consent` says who signed the block that vouches for `size` leaves.
    """

    chain_id: str
    origin: str
    size: int
    witnesses: tuple[str, ...]
    height: int
    time_ms: int
    consent: Consented | None = None


@dataclass(frozen=True, slots=True)
class Passport:
    """The view. `curve`, `life` and the values inside `attestations` are absent where the audience may not see them.

    `scope` is what a purchaser was granted, sorted; `backfill` marks a reconstructed birth, for every audience, and
    `disputed` what is disputed of the unit now, likewise.
    """

    battery: str
    audience: Audience
    status: str
    model: tuple[Fact, ...]
    identity: tuple[Fact, ...]
    registers: tuple[Register, ...]
    attestations: tuple[Attested, ...]
    life: tuple[LifeStep, ...]
    curve: Curve | None
    anchoring: Anchoring
    is_simulated: bool
    certificate_in_force: bool
    scope: tuple[Scope, ...] = ()
    backfill: Backfill | None = None
    disputed: tuple[DisputeSummary, ...] = ()

    @property
    def reader(self) -> Reader:
        """Whom the view was made for."""
        return Reader(self.audience, frozenset(self.scope))

    @property
    def shows_health(self) -> bool:
        """Whether values and curve are in the view, where there are any."""
        return self.reader.sees(Scope.HEALTH)

    @property
    def shows_history(self) -> bool:
        """Whether the steps of life and all registers are in the view."""
        return self.reader.sees(Scope.HISTORY)

    @property
    def gtin(self) -> str:
        """The model's number."""
        return self.battery[3:17]

    @property
    def serial(self) -> str:
        """The battery's serial number."""
        return self.battery[21:]
