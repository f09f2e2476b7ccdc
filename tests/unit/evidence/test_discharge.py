"""A discharge is what its own rows say, and full only for reasons that can be named."""

from __future__ import annotations

from itertools import pairwise

import pytest

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence import Evaluation, evaluate_measurement, parse_measurement
from cellvow.evidence.discharge import find_discharges
from cellvow.evidence.fullness import CHARGED, LIKE_LATER
from cellvow.evidence.runs import split_runs
from tests.unit.evidence.sheets import Sheet, full_test


def evaluated(sheet: Sheet, v_min: float | None = None, v_max: float | None = None) -> Evaluation:
    """What the sheet's measurement tells."""
    return evaluate_measurement(sheet.measurement(), v_min=v_min, v_max=v_max)


def test_capacity_and_energy_are_the_exact_integrals() -> None:
    """10 A for an hour along a straight line from 4.1 to 3.0 V: 10 Ah, and 35.5 Wh plus the onset's rectangle."""
    discharge = evaluated(full_test(1)).discharges[0]
    onset_excess_wh = 10 * (1.1 * 10 / 3600) / 2 * 10 / 3600  # the first 10 s at their last voltage

    assert 10.0 == pytest.approx(discharge.capacity_ah, abs=1e-12)
    assert 35.5 - onset_excess_wh == pytest.approx(discharge.energy_wh, abs=1e-5)
    assert (3600.0, 10.0, 3.0, True) == (
        discharge.duration_s,
        discharge.current_a,
        discharge.end_voltage_v,
        discharge.is_constant,
    )


def test_rows_are_those_an_editor_shows() -> None:
    """First and last row of the discharge, the header being row 1."""
    sheet = full_test(1)
    rows = [number for number, row in enumerate(sheet.rows, start=2) if row.mode == "DCHG"]
    discharge = evaluated(sheet).discharges[0]

    assert (rows[0], rows[-1]) == (discharge.first_row, discharge.last_row)


def test_full_discharges_are_found_and_say_how_their_start_is_known() -> None:
    """Each was charged fully before, in the same file."""
    judgements = evaluated(full_test(3)).judgements

    assert [(True, CHARGED)] * 3 == [(one.is_full, one.start) for one in judgements]


def test_a_first_discharge_like_the_later_ones_is_full() -> None:
    """The file opens with it: its start is compared with the discharges that were charged here."""
    sheet = Sheet().add("DCHG", -10.0, (4.1, 3.0), 3600).charge().discharge()

    assert [LIKE_LATER, CHARGED] == [one.start for one in evaluated(sheet).judgements]


def test_a_first_discharge_unlike_the_later_ones_is_not_full() -> None:
    """It starts a tenth of a volt lower: the cell was not full."""
    sheet = Sheet().add("DCHG", -10.0, (4.0, 3.0), 3300).charge().discharge()
    first = evaluated(sheet).judgements[0]

    assert not first.is_full
    assert "no full charge comes before it" == first.reason


def test_a_first_discharge_with_nothing_to_compare_is_not_full() -> None:
    """Without any charge in the file nobody knows where it started."""
    evaluation = evaluated(Sheet().add("DCHG", -10.0, (4.1, 3.0), 3600), v_min=3.0, v_max=4.2)

    assert ["no full charge comes before it"] == [one.reason for one in evaluation.judgements]


@pytest.mark.parametrize(
    ("sheet", "said"),
    [
        (Sheet().charge().discharge(end_v=3.4, seconds=2400).discharge(end_v=3.0), "above the cut-off of 3.000 V"),
        (Sheet().charge().discharge(seconds=600, end_v=3.9).discharge(), "1.67 Ah had been taken since"),
        (Sheet().add("CHRG", 10.0, (3.2, 4.2), 600).discharge(), "no full charge comes before it"),
    ],
)
def test_a_discharge_that_is_not_full_says_why(sheet: Sheet, said: str) -> None:
    """It ends early, starts late, or the charge before broke off at full current."""
    reasons = [one.reason for one in evaluated(sheet, v_min=3.0, v_max=4.2).judgements]

    assert any(said in reason for reason in reasons)


def test_a_slow_charge_needs_no_taper() -> None:
    """At C/10 and below there is no taper to wait for."""
    sheet = Sheet().add("CHRG", 1.0, (3.2, 4.2), 36_000, 60.0).discharge()

    assert evaluated(sheet).judgements[0].is_full


def test_missing_rows_make_a_discharge_unusable() -> None:
    """More than a tenth of its time passes unrecorded."""
    sheet = full_test(1)
    inside = [row for row in sheet.rows if row.mode == "DCHG"]
    for row in inside[100:140]:
        sheet.rows.remove(row)

    assert "410 s of it pass without a row" == evaluated(sheet).judgements[0].reason


def test_a_discharge_cut_off_at_the_head_of_the_file_is_not_full() -> None:
    """Its step began long before the first row."""
    sheet = Sheet().add("DCHG", -10.0, (4.1, 3.0), 3600).charge().discharge()
    del sheet.rows[:60]

    assert "it begins before the file does" == evaluated(sheet).judgements[0].reason


def test_limits_can_be_given() -> None:
    """A cell that ends at 3.4 V by design is full there once its maker says so."""
    sheet = Sheet().charge().discharge(end_v=3.4)

    assert not evaluated(sheet).judgements[0].is_full
    assert "above 3.05 V" in evaluated(sheet).judgements[0].reason
    assert evaluated(sheet, v_min=3.4).judgements[0].is_full


@pytest.mark.parametrize(("v_min", "v_max"), [(4.3, 4.2), (4.2, 4.2), (5.0, None), (None, 1.0), (float("nan"), 4.2)])
def test_limits_that_leave_no_window_are_refused(v_min: float | None, v_max: float | None) -> None:
    """Turned round, equal, outside of what was measured, or no number."""
    with pytest.raises(Malformed, match=r"a window from .* is none: give v_min below v_max"):
        evaluated(full_test(1), v_min=v_min, v_max=v_max)


def test_without_step_times_half_of_the_onset_is_counted_and_doubted() -> None:
    """A file with time, voltage and current alone does not say when the current began between two rows."""
    sheet = full_test(1)
    measurement = parse_measurement(sheet.bdf(), "x.csv")
    discharge = find_discharges(measurement, split_runs(measurement))[0]

    assert 10 * 3595 / 3600 == pytest.approx(discharge.capacity_ah)
    assert 10 * 5 / 3600 == pytest.approx(discharge.capacity_sampling_ah)


def test_the_cycler_s_own_counter_is_compared() -> None:
    """A counter 2 % off is reported with both figures and widens the interval; one that agrees is not."""
    sheet = full_test(2)
    good = evaluated(sheet).results[0]
    sheet.rows = [row._replace(counted_ah=row.counted_ah * 0.98) for row in sheet.rows]
    bad = evaluated(sheet).results[0]

    assert not any("the cycler counted" in caveat for caveat in good.caveats)
    assert any("the cycler counted 9.77278 Ah, the integral of its current is 9.97" in caveat for caveat in bad.caveats)
    assert bad.interval.high - bad.interval.low > 2 * (good.interval.high - good.interval.low)


def test_a_counter_that_steps_back_confirms_nothing() -> None:
    """A published file resets its counter inside a discharge: the row is named."""
    sheet = full_test(1)
    places = [place for place, row in enumerate(sheet.rows) if row.mode == "DCHG"]
    for place in places[200:]:
        sheet.rows[place] = sheet.rows[place]._replace(counted_ah=sheet.rows[place].counted_ah + 0.3)
    caveats = evaluated(sheet).results[0].caveats

    assert any(f"counter steps back at row {places[200] + 2}" in caveat for caveat in caveats)


def test_the_future_changes_no_past_discharge() -> None:
    """Cut off after any run, the discharges before are bitwise those of the whole file."""
    measurement = full_test(3).measurement()
    whole = find_discharges(measurement, split_runs(measurement))

    for before, after in pairwise(split_runs(measurement)):
        past = measurement.first_rows(after.first)
        found = find_discharges(past, split_runs(past))
        assert whole[: len(found)] == found
        assert len(found) == sum(one.run.last <= before.last for one in whole)


def test_control_the_leak_test_sees_a_changed_row() -> None:
    """Discharges are compared in every field, bit by bit: a tenth of a millivolt in one row is seen."""
    sheet = full_test(1)
    before = find_discharges(sheet.measurement(), split_runs(sheet.measurement()))[0]
    place = next(place for place, row in enumerate(sheet.rows) if row.mode == "DCHG") + 100
    sheet.rows[place] = sheet.rows[place]._replace(voltage_v=sheet.rows[place].voltage_v + 0.0001)
    after = find_discharges(sheet.measurement(), split_runs(sheet.measurement()))[0]

    assert before != after
    assert before.capacity_ah == after.capacity_ah
