"""Hours and money that a verdict avoids or would cost, under assumptions that stand beside the result."""

import dataclasses
import json
from importlib.resources import files
from typing import NamedTuple

from cellvow.core.contracts.acceptance import ACCEPT, RE_TEST
from cellvow.core.primitives.errors import Malformed

MINUTES_MAX = 60_000
"""Longest test that is believed: 1,000 hours."""
CENTS_MAX = 100_000_000
"""Highest cost of an hour: one million."""


class Span(NamedTuple):
    """A range of whole numbers."""

    low: int
    high: int


@dataclasses.dataclass(frozen=True, slots=True)
class Assumptions:
    """How long a re-test takes and what its hour costs; `is_ours` where whoever asks changed neither."""

    test_minutes: Span
    hour_cents: Span
    currency: str
    source: str
    is_ours: bool = True

    def changed(self, test_minutes: Span | None, hour_cents: Span | None) -> "Assumptions":
        """The same with the asker's own figures; raises `Malformed` for a range that is none."""
        if test_minutes is None and hour_cents is None:
            return self
        minutes, cents = test_minutes or self.test_minutes, hour_cents or self.hour_cents
        if not 0 < minutes.low <= minutes.high <= MINUTES_MAX:
            raise Malformed("the duration of a test is a range above 0 and of at most 1000 hours")
        if not 0 <= cents.low <= cents.high <= CENTS_MAX:
            raise Malformed("the cost of an hour is a range from 0 to one million")
        return dataclasses.replace(self, test_minutes=minutes, hour_cents=cents, is_ours=False)


@dataclasses.dataclass(frozen=True, slots=True)
class Savings:
    """What the verdict means in time and money: `avoids` for an accept, `would_cost` for a re-test."""

    kind: str
    minutes: Span
    cents: Span
    assumptions: Assumptions


def load_assumptions() -> Assumptions:
    """Our own assumptions, from the file beside this module."""
    stated = json.loads((files("cellvow.passport.acceptance") / "assumptions.json").read_text("utf-8"))
    return Assumptions(
        Span(*stated["test_minutes"]), Span(*stated["hour_cents"]), str(stated["currency"]), str(stated["source"])
    )


def derive_savings(verdict: str, assumptions: Assumptions) -> Savings | None:
    """Time and money of one re-test, outwards rounded to whole cents; None where the policy cannot tell."""
    kinds = {ACCEPT: "avoids", RE_TEST: "would_cost"}
    if verdict not in kinds:
        return None
    minutes, hour = assumptions.test_minutes, assumptions.hour_cents
    cents = Span(minutes.low * hour.low // 60, -(-minutes.high * hour.high // 60))
    return Savings(kinds[verdict], minutes, cents, assumptions)
