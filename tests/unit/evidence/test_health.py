"""Health by several definitions and coulombic efficiency: each a result of its own, and how far they differ."""

from __future__ import annotations

import pytest

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence import Evaluation, Result, evaluate_measurement, with_reference_resistance
from tests.unit.evidence.sheets import Sheet, full_test


def evaluated(sheet: Sheet) -> Evaluation:
    """Against a rating of 11 Ah at 3.7 V."""
    return evaluate_measurement(sheet.measurement(), rated_mah=11_000, nominal_mv=3_700)


def one(evaluation: Evaluation, quantity: str) -> Result:
    """The one result of a quantity."""
    (result,) = [result for result in evaluation.results if result.quantity == quantity]
    return result


def fading(*seconds: float) -> Sheet:
    """Full discharges at 10 A that last so long, each after a charge of 10 Ah."""
    sheet = Sheet().add("REST", 0.0, (3.2, 3.2), 600).charge()
    for number, duration in enumerate(seconds, start=1):
        sheet.cycle = number
        sheet.discharge(seconds=duration).add("REST", 0.0, (3.1, 3.2), 600).charge()
    return sheet


def test_health_by_energy_and_by_capacity_stand_side_by_side() -> None:
    """10 Ah of 11, and 35.5 Wh of 40.7: two results, 37 permille apart."""
    evaluation = evaluated(full_test(1))
    spread = evaluation.health_spread()

    assert 909 == one(evaluation, "state_of_health").interval.value
    assert 872 == one(evaluation, "state_of_health_energy").interval.value
    assert spread is not None
    assert (37, ("state_of_health", "state_of_health_energy")) == (spread.permille, spread.definitions)
    assert "2 definitions of health differ by 37 permille (capacity over rated capacity; energy" in spread.sentence()


def test_health_against_the_first_discharge_needs_no_rating() -> None:
    """The mean of the later ones over the first: 3420 s and 3240 s against 3600 s."""
    evaluation = evaluate_measurement(fading(3600, 3420).measurement())

    assert 950 == one(evaluation, "state_of_health_first").interval.value
    assert "against the first full discharge of this measurement" in one(evaluation, "state_of_health_first").caveats[0]
    assert evaluation.health_spread() is None


def test_health_by_resistance_is_told_only_against_a_reference() -> None:
    """Half of the resistance when new is a health of 500 permille."""
    evaluation = evaluated(full_test(1))
    resistance = one(evaluation, "resistance_10s").interval.value
    judged = with_reference_resistance(evaluation, resistance // 2)

    assert "state_of_health_resistance" not in {result.quantity for result in evaluation.results}
    assert 500 == pytest.approx(one(judged, "state_of_health_resistance").interval.value, abs=1)
    assert "reference resistance" in one(judged, "state_of_health_resistance").caveats[0]


def test_a_reference_without_a_resistance_says_what_is_missing() -> None:
    """No resistance, no health by it."""
    rest = Sheet().add("REST", 0.0, (3.7, 3.7), 60)
    judged = with_reference_resistance(evaluated(rest), 1000)

    assert "it needs a resistance, and there is none" == judged.undetermined[-1].reason


@pytest.mark.parametrize("wrong", [0, -3])
def test_references_that_make_no_sense_are_refused(wrong: int) -> None:
    """Zero and less are no voltage and no resistance."""
    with pytest.raises(Malformed, match="nominal voltage"):
        evaluate_measurement(full_test(1).measurement(), nominal_mv=wrong)
    with pytest.raises(Malformed, match="reference resistance"):
        with_reference_resistance(evaluated(full_test(1)), wrong)


def test_efficiency_is_what_a_discharge_gives_back_of_the_charge_before() -> None:
    """A charge of 10.875 Ah, a discharge of 10 Ah: 919,540 ppm within its interval."""
    evaluation = evaluated(full_test(3))
    result = one(evaluation, "coulombic_efficiency")
    charged_ah = 10.0 + 600 * (10.0 + 0.5) / 2 / 3600

    assert ("ppm", 2) == (result.unit, result.conditions.averaged_over)
    assert result.interval.low <= 1e6 * 10.0 / charged_ah <= result.interval.high
    assert {"current gain, charging", "current gain, discharging"} <= {part.name for part in result.uncertainty}


@pytest.mark.parametrize(
    "sheet",
    [
        full_test(1),
        Sheet().charge().discharge().charge().discharge(5.0, seconds=7200),
        fading(3600).add("REST", 0.0, (4.1, 4.1), 60).add("DCHG", -10.0, (4.1, 3.9), 60).charge().discharge(),
    ],
)
def test_efficiency_needs_two_full_discharges_with_nothing_but_charges_between(sheet: Sheet) -> None:
    """One discharge, two rates, or a discharge in between tell no efficiency, and the reason says so."""
    told = {missing.quantity: missing.reason for missing in evaluated(sheet).undetermined}

    assert "it needs two full discharges at one rate" in told["coulombic_efficiency"]


@pytest.mark.slow
def test_a_half_cell_has_no_health_by_any_definition() -> None:
    """Neither by capacity nor by energy nor against its own first discharge."""
    sheet = Sheet()
    for _ in range(2):
        sheet.add("CHRG", 0.001, (0.05, 1.5), 36_000).add("REST", 0.0, (1.4, 1.4), 600)
        sheet.add("DCHG", -0.001, (1.2, 0.01), 36_000)
    evaluation = evaluate_measurement(sheet.measurement(), rated_mah=10, nominal_mv=500, v_min=0.01, v_max=1.5)
    judged = with_reference_resistance(evaluation, 1000)

    assert "half cell" == evaluation.kind.kind
    assert not [result for result in judged.results if result.quantity.startswith("state_of_health")]
    assert "half cell" in one(evaluation, "coulombic_efficiency").caveats[0]
    assert "a half cell has none" in judged.undetermined[-1].reason
