"""The passport of one battery as one audience may see it: facts, each with who signed it and when.

A view is derived from records, the battery's timeline and disclosed fields; it holds no secret its audience may not
have, so that presenting it needs no further decision.
"""

from dataclasses import dataclass
from enum import Enum


class Audience(Enum):
    """Who is looking. Decided in one place; everything not granted is left out of the view."""

    PUBLIC = "public"
    OWNER = "owner"


@dataclass(frozen=True, slots=True)
class Source:
    """Who signed a fact, in which statement, and when the ledger recorded it."""

    organisation: str
    name: str
    statement: str
    index: int
    height: int
    time_ms: int


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
class Anchoring:
    """Under which checkpoint the view stands; with no witness it is committed, not witnessed."""

    chain_id: str
    origin: str
    size: int
    witnesses: tuple[str, ...]
    height: int
    time_ms: int


@dataclass(frozen=True, slots=True)
class Passport:
    """The view. `curve`, `life` and the values inside `attestations` are absent where the audience may not see them."""

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

    @property
    def gtin(self) -> str:
        """The model's number."""
        return self.battery[3:17]

    @property
    def serial(self) -> str:
        """The battery's serial number."""
        return self.battery[21:]
