"""State of health by several definitions, each a result of its own, and by how much they differ.

A definition is a measured value over a reference: capacity over rated capacity, energy over nominal energy (rated
capacity times nominal voltage), capacity over that of the first full discharge of the same measurement, and a
reference resistance over the measured one. All are permille, 1000 for a cell like its reference.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt

from cellvow.evidence.cell_kind import HALF_CELL, CellKind
from cellvow.evidence.discharge_results import (
    Channels,
    RateGroup,
    capacity_budget,
    energy_budget,
    group_caveats,
    group_conditions,
)
from cellvow.evidence.measurement import Measurement
from cellvow.evidence.result import Result, Undetermined
from cellvow.evidence.uncertainty import Contribution, interval, limit, mean, repeatability, rounding
from cellvow.evidence.window import Window

HEALTH_PERMILLE_USUAL = (300, 1_300)
"""Outside of it the rating is doubted rather than the cell."""

CAPACITY, ENERGY = "state_of_health", "state_of_health_energy"
FIRST, RESISTANCE = "state_of_health_first", "state_of_health_resistance"
DEFINITIONS = {
    CAPACITY: "capacity over rated capacity",
    ENERGY: "energy over rated capacity times nominal voltage",
    FIRST: "capacity over that of the first full discharge of the measurement",
    RESISTANCE: "reference resistance over resistance",
}
"""Quantity -> what it is, in words; the first is the state of health unless another is named."""

CAPACITY_METHOD = "capacity at the lowest measured rate over rated capacity, version 1"
ENERGY_METHOD = "energy at the lowest measured rate over rated capacity times nominal voltage, version 1"
FIRST_METHOD = "capacity at the lowest measured rate over that of its first full discharge, version 1"
RESISTANCE_METHOD = "reference resistance over resistance 10 s after a current step, version 1"
NOT_CERTIFIED = (
    "capacity at this rate and temperature against a rating at another rate is not a certified state of health"
)
_ENERGY_NOT_CERTIFIED = "energy at this rate against a nominal energy at another is not a certified state of health"
_FIRST_CAVEAT = "against the first full discharge of this measurement, whose own state of health is not known"
_RESISTANCE_CAVEAT = (
    "against a reference resistance that was given: it must hold for the same pulse, temperature and state of charge"
)


@dataclass(frozen=True, slots=True)
class HealthBasis:
    """What a state of health is computed from."""

    measurement: Measurement
    kind: CellKind
    groups: tuple[RateGroup, ...]
    """Full discharges by rate, the lowest first."""
    channels: Channels
    window: Window
    rated_mah: int | None
    nominal_mv: int | None

    @property
    def group(self) -> RateGroup:
        """The full discharges at the lowest rate; there must be some."""
        return self.groups[0]


@dataclass(frozen=True, slots=True)
class HealthSpread:
    """By how much the definitions of health differ for one cell."""

    permille: int
    """Largest minus smallest value."""
    definitions: tuple[str, ...]
    """Quantities compared."""

    def sentence(self) -> str:
        """For a person: how many, by how much, and which."""
        named = "; ".join(DEFINITIONS[one] for one in self.definitions)
        return f"{len(self.definitions)} definitions of health differ by {self.permille} permille ({named})"


def health_results(basis: HealthBasis) -> list[Result | Undetermined]:
    """Every definition that does not need a reference resistance, each a result or the reason why there is none."""
    if basis.kind.kind == HALF_CELL:
        return [Undetermined(CAPACITY, f"a half cell has none: {basis.kind.reason}")]
    if not basis.groups:
        return [Undetermined(CAPACITY, "it needs a capacity, and there is none")]
    found = [_first_health(basis)]
    if basis.rated_mah is None:
        return [Undetermined(CAPACITY, "it needs the rated capacity: give it in mAh"), *found]
    by_energy: Result | Undetermined = Undetermined(ENERGY, "it needs the nominal voltage: give it in mV")
    if basis.nominal_mv is not None:
        by_energy = _energy_health(basis, basis.rated_mah * basis.nominal_mv / 1000)
    return [_capacity_health(basis, basis.rated_mah), by_energy, *found]


def resistance_health(measured: Result, reference_uohm: int) -> Result:
    """A reference resistance over the measured one; the reference counts as exact."""
    value = 1000 * reference_uohm / measured.interval.value
    relative = 1 / measured.interval.value
    parts = [one._replace(standard=one.standard * relative * value) for one in measured.uncertainty]
    parts.append(rounding())
    return measured._replace(
        quantity=RESISTANCE,
        interval=interval(value, parts),
        method=RESISTANCE_METHOD,
        uncertainty=tuple(parts),
        caveats=(_RESISTANCE_CAVEAT, *measured.caveats),
    )


def find_spread(results: Sequence[Result]) -> HealthSpread | None:
    """The spread of all definitions among `results`, or None where there are fewer than two."""
    found = [result for result in results if result.quantity in DEFINITIONS]
    if len(found) < 2:
        return None
    values = [result.interval.value for result in found]
    return HealthSpread(max(values) - min(values), tuple(result.quantity for result in found))


def _capacity_health(basis: HealthBasis, rated_mah: int) -> Result:
    values = [one.capacity_ah * 1000 for one in basis.group.discharges]
    budget = capacity_budget(basis.group.discharges, basis.channels, values)
    caveats = [NOT_CERTIFIED, *_doubted(values, rated_mah, f"rated capacity, {rated_mah} mAh,")]
    return _over_reference(basis, (CAPACITY, CAPACITY_METHOD), (values, budget, rated_mah), caveats)


def _energy_health(basis: HealthBasis, nominal_mwh: float) -> Result:
    values = [one.energy_wh * 1000 for one in basis.group.discharges]
    budget = energy_budget(basis.group.discharges, basis.channels, values)
    caveats = [_ENERGY_NOT_CERTIFIED, *_doubted(values, nominal_mwh, f"nominal energy, {nominal_mwh:.0f} mWh,")]
    return _over_reference(basis, (ENERGY, ENERGY_METHOD), (values, budget, nominal_mwh), caveats)


def _doubted(values: Sequence[float], reference: float, what: str) -> list[str]:
    if HEALTH_PERMILLE_USUAL[0] <= 1000 * mean(values) / reference <= HEALTH_PERMILLE_USUAL[1]:
        return []
    return [f"the {what} hardly belongs to this cell: check it"]


def _over_reference(
    basis: HealthBasis,
    what: tuple[str, str],
    measured: tuple[list[float], list[Contribution], float],
    caveats: list[str],
) -> Result:
    """The mean of values over a reference that counts as exact; `what` is (quantity, method)."""
    values, budget, reference = measured
    scale = 1000 / reference
    parts = (*(one._replace(standard=one.standard * scale) for one in budget), rounding())
    return _result(basis, what, mean(values) * scale, parts, caveats)


def _first_health(basis: HealthBasis) -> Result | Undetermined:
    group = basis.group
    later = [one for one in group.discharges if one != group.first]
    if not later:
        return Undetermined(FIRST, "it needs two full discharges at one rate, and there is one")
    first_mah, values = group.first.capacity_ah * 1000, [one.capacity_ah * 1000 for one in later]
    value, hours = 1000 * mean(values) / first_mah, group.first.duration_s / 3600
    scale = 1000 / first_mah
    # One channel, one direction, one current: gain and offset are the same above and below the line.
    reading_mah = sqrt(2) * 1000 * basis.channels.current_step_a / 2 * hours
    cut_off_mah = sqrt(2) * 1000 * group.first.end_slope_ah_per_v * basis.channels.voltage_step_v / 2
    sampling_mah = 1000 * (group.first.capacity_sampling_ah + mean([one.capacity_sampling_ah for one in later]))
    parts = [
        limit("current resolution", reading_mah * scale, "smallest step in the file, of both discharges"),
        limit("cut-off voltage", cut_off_mah * scale, "resolution of the voltage at both ends"),
        limit("sampling", sampling_mah * scale, "rectangles between samples, and a doubtful begin, of both"),
        *(
            part._replace(standard=part.standard * scale)
            for part in (repeatability(values, "full discharges"),)
            if part
        ),
        rounding(),
    ]
    caveat = "gain and offset of the cycler cancel: one channel at one current"
    return _result(basis, (FIRST, FIRST_METHOD), value, tuple(parts), [_FIRST_CAVEAT, caveat])


def _result(
    basis: HealthBasis, what: tuple[str, str], value: float, parts: tuple[Contribution, ...], caveats: list[str]
) -> Result:
    quantity, method = what
    group = basis.group
    return Result(
        quantity,
        interval(value, parts),
        basis.measurement.source.evidence_class,
        method,
        group_conditions(basis.measurement, group, basis.window, basis.rated_mah),
        parts,
        (*caveats, *group_caveats(basis.measurement, group, basis.channels)),
    )
