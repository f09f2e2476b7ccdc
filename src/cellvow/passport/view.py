"""The passport of one battery as one audience may see it: facts, each with who signed it and when.

A view is derived from records, the battery's timeline and disclosed fields; it holds no secret its audience may not
have, so that presenting it needs no further decision.
"""

from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import Literal

StageState = Literal["recorded", "missing", "not_due"]
StageName = Literal["materials", "cells", "birth", "test", "handover", "use", "service", "second_life", "end"]


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
    `countersigned`: two keys of the organisation signed it, and the statement is the second's.
    """

    organisation: str
    name: str
    statement: str
    index: int
    height: int
    time_ms: int
    suspect: bool = False
    countersigned: bool = False


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
    `voided_by` is why it was invalidated, `voided` who signed that: where this reader may know it.
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
    voided_by: str | None = None
    voided: Source | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """Who stands in a register (custody, ownership, responsibility) since when; `came_by` is the event that put him."""

    register: str
    organisation: str
    name: str
    since_ms: int
    source: Source
    came_by: str


@dataclass(frozen=True, slots=True)
class LifeStep:
    """One recorded event of the battery's life; `detail` are parameters for its sentence (`event.TYPE`).

    `claimed` is the message that somebody signed against the registers, where the step is such a claim: it was kept,
    in a dispute, and not accepted.
    """

    event: str
    detail: tuple[tuple[str, str], ...]
    source: Source
    corrected: bool = False
    claimed: str | None = None


@dataclass(frozen=True, slots=True)
class StageSeen:
    """A stage as the record shows it; `source` is its first record, `count` how many there are."""

    name: StageName
    state: StageState
    suppliers: tuple[str, ...]
    count: int = 0
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Coverage:
    """The stages of one life."""

    stages: tuple[StageSeen, ...]

    @property
    def recorded(self) -> int:
        """How many of the stages that are due are recorded."""
        return sum(one.state == "recorded" for one in self.stages)

    @property
    def due(self) -> int:
        """How many stages are due: at least the birth."""
        return sum(one.state != "not_due" for one in self.stages)

    @property
    def permille(self) -> int:
        """The share of the expected life that is recorded, rounded down."""
        return 1000 * self.recorded // self.due

    @property
    def missing(self) -> tuple[StageSeen, ...]:
        """The stages that are due and not recorded."""
        return tuple(one for one in self.stages if one.state == "missing")


@dataclass(frozen=True, slots=True)
class Ended:
    """That the battery is no more under this name: recycled, destroyed, or succeeded by others.

    After the first two its passport has ceased (Regulation (EU) 2023/1542, Article 77(8)).
    """

    how: Literal["succeeded", "recycled", "destroyed"]
    source: Source

    @property
    def has_ceased(self) -> bool:
        """Whether nothing follows it."""
        return self.how != "succeeded"


@dataclass(frozen=True, slots=True)
class IncidentSeen:
    """An incident that no assessment has closed: what and how grave, by whom reported; where and how stays with him."""

    kind: str
    severity: str
    source: Source


@dataclass(frozen=True, slots=True)
class Safety:
    """The safety state since `since_ms`; `name` is None where incidents are listed and nobody has assessed the unit.

    `source` is the statement that made it so, `is_assessed` whether that is the word of somebody who looked at it.
    `incidents` are the gravest open ones, `incidents_open` how many there are.
    """

    state: str
    since_ms: int
    is_assessed: bool
    name: str | None = None
    source: Source | None = None
    incidents: tuple[IncidentSeen, ...] = ()
    incidents_open: int = 0


@dataclass(frozen=True, slots=True)
class Parties:
    """Who stands against whom, and how many positions are stated; `source` is what opened or last changed the file."""

    opener: str
    reference: str
    respondent: str | None
    positions: int
    source: Source | None


@dataclass(frozen=True, slots=True)
class DisputeSeen:
    """A dispute over the unit; `is_of_identity`: it is in doubt whether the thing at hand is this unit.

    `holds` are the registers that do not move meanwhile. `parties` is None for who may not know them.
    """

    topic: str
    state: str
    is_claim: bool
    is_of_identity: bool
    opened_ms: int
    outcome: str | None
    holds: tuple[str, ...] = ()
    parties: Parties | None = None

    @property
    def is_open(self) -> bool:
        """Whether it is still to be decided."""
        return self.state == "open"


@dataclass(frozen=True, slots=True)
class NoticeSeen:
    """An open notice that somebody takes the unit over; the names are None for who may not know them."""

    since_ms: int
    ends_ms: int
    cause: str | None = None
    by: str | None = None
    respondent: str | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class UseFact:
    """Something recorded of the unit in use: `name` is a key of the catalogues (`use.NAME`), `detail` its parameters.

    A detail is a word of a vocabulary, a day, or somebody's own word, as its name says.
    """

    name: str
    detail: tuple[tuple[str, str], ...]
    source: Source | None


@dataclass(frozen=True, slots=True)
class Relative:
    """A unit at the other end of a second life: by which operation, signed by whom, when.

    `grading` is its newest, for readers who may know what happened to other units than the one they look at.
    """

    battery: str
    operation: str
    begun_ms: int
    source: Source | None
    grading: UseFact | None = None


@dataclass(frozen=True, slots=True)
class Relatives:
    """What a unit was made of, and what it became; each list is cut, and the numbers say how many there are."""

    originals: tuple[Relative, ...] = ()
    successors: tuple[Relative, ...] = ()
    originals_all: int = 0
    successors_all: int = 0


@dataclass(frozen=True, slots=True)
class PartSeen:
    """A part in its place; `depth` 0 is a direct part of the unit."""

    battery: str
    position: str | None
    level: str | None
    depth: int
    since_ms: int


@dataclass(frozen=True, slots=True)
class PartLeft:
    """A part that came out of the unit, why, and what came in its place."""

    removed: str
    installed: str | None
    position: str | None
    cause: str
    source: Source


@dataclass(frozen=True, slots=True)
class Parts:
    """What the unit is in, nearest first; its parts now, cut where there are many; and what was replaced, newest first.

    `direct` is how many direct parts it has.
    """

    above: tuple[str, ...] = ()
    parts: tuple[PartSeen, ...] = ()
    direct: int = 0
    is_cut: bool = False
    left: tuple[PartLeft, ...] = ()


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

    `scope` is what a purchaser was granted, sorted; `backfill` marks a reconstructed birth, for every audience;
    `coverage`, `use` and `parts` go with the steps of life; `safety` is None where nothing was reported or assessed.
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
    coverage: Coverage | None = None
    ended: Ended | None = None
    safety: Safety | None = None
    disputes: tuple[DisputeSeen, ...] = ()
    notice: NoticeSeen | None = None
    relatives: Relatives = Relatives()
    use: tuple[UseFact, ...] = ()
    parts: Parts | None = None

    @property
    def has_ceased(self) -> bool:
        """Whether the passport is a tombstone: nothing is done with the battery any more."""
        return self.ended is not None and self.ended.has_ceased

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
