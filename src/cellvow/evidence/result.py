"""A result with its interval, conditions and named uncertainty; and what could not be determined."""

from typing import NamedTuple

from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.quantity import UNITS, Interval
from cellvow.evidence.uncertainty import Contribution


class Conditions(NamedTuple):
    """Under which conditions a result holds; None where the measurement does not tell."""

    averaged_over: int
    """Discharges or pulses that the value is the mean of."""
    first_row: int
    """First row of the file that enters, counted from 1."""
    last_row: int
    current_ua: int
    """Mean magnitude of the current, in microampere."""
    c_rate_permille: int | None = None
    """The current as a part of the capacity per hour."""
    c_rate_basis: str = ""
    """Which capacity that is: the rated one or the measured one."""
    temperature_mc: int | None = None
    """Temperature in 1/1000 degC."""
    temperature_basis: str = ""
    """Who says so: a column, or the publisher."""
    soc_high_permille: int | None = None
    """Highest state of charge that enters."""
    soc_low_permille: int | None = None
    v_max_mv: int | None = None
    """Top of the voltage window."""
    v_min_mv: int | None = None


class Result(NamedTuple):
    """One quantity, computed."""

    quantity: str
    """Key of `cellvow.core.primitives.quantity.UNITS`."""
    interval: Interval
    """Whole numbers of `unit`."""
    evidence_class: str
    """`measured` or `simulated`."""
    method: str
    """How it was computed, with its version."""
    conditions: Conditions
    uncertainty: tuple[Contribution, ...]
    caveats: tuple[str, ...]
    """What the reader must know to use it rightly, in sentences."""

    @property
    def unit(self) -> str:
        """Unit of the interval."""
        return UNITS[self.quantity]

    def document(self) -> dict[str, Json]:
        """The result as integers and text, ready to be hashed or signed.

        A contribution's `standard_milliunits` is its standard uncertainty in 1/1000 of the unit, rounded half
        to even.
        """
        return {
            "quantity": self.quantity,
            "unit": self.unit,
            "value": self.interval.value,
            "low": self.interval.low,
            "high": self.interval.high,
            "coverage_permille": self.interval.coverage_permille,
            "class": self.evidence_class,
            "method": self.method,
            "conditions": {name: value for name, value in self.conditions._asdict().items() if value != ""},
            "uncertainty": [
                {
                    "name": one.name,
                    "kind": one.kind,
                    "standard_milliunits": round(one.standard * 1000),
                    "basis": one.basis,
                }
                for one in self.uncertainty
            ],
            "caveats": list(self.caveats),
        }


class Undetermined(NamedTuple):
    """A quantity that this measurement does not tell, and why."""

    quantity: str
    reason: str
    """In plain words, with the rows and voltages concerned."""
