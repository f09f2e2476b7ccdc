"""Time that steps backwards: repaired by rule where somebody asks for it, marked, and refused everywhere else."""

from __future__ import annotations

import pytest

from cellvow.core.primitives.errors import Malformed
from cellvow.evidence import Measurement, Reading, evaluate_measurement, parse_measurement
from tests.unit.evidence.sheets import BDF_HEADER, full_test

REPAIRED = Reading(repair_time=True)


def table(*times: float) -> bytes:
    """A file with these times."""
    return "\n".join([BDF_HEADER, *(f"{t!r},3.7,0.1" for t in times), ""]).encode()


def repaired(content: bytes) -> Measurement:
    """The measurement after repair."""
    return parse_measurement(content, "x.csv", reading=REPAIRED)


@pytest.mark.parametrize(
    ("times", "after", "said"),
    [
        (
            (0, 10, 20, 0, 30, 40),
            (0, 10, 20, 30, 40),
            "1 row(s) whose clock stepped back are left out, the first is row 5",
        ),
        ((0, 10, 20, 0, 10, 15), (0, 10, 20, 30, 40, 45), "1 new beginning(s) of the clock are continued"),
        ((0, 10, 10, 10, 0), (0, 10, 10, 10, 20), "the first at row 6"),
        ((0, 5, 0, 3, 0, 2), (0, 5, 10, 13, 16, 18), "time was repaired at 2 row(s): 2 new beginning(s)"),
    ],
)
def test_a_clock_that_steps_back_is_repaired_by_rule(
    times: tuple[float, ...], after: tuple[float, ...], said: str
) -> None:
    """One odd row is left out; a new beginning is continued by the last step forward."""
    measurement = repaired(table(*times))

    assert list(after) == measurement.t_s.tolist()
    assert said in measurement.source.remarks[-1]
    assert "estimated" == measurement.source.evidence_class


@pytest.mark.parametrize("times", [(0, 10, 20, 15, 16), (0, 10, 20, 30, -5, -4), (0, 10, 20, 12, 13, 25)])
def test_a_step_back_to_anywhere_else_stays_refused(times: tuple[float, ...]) -> None:
    """A clock that was set back by some amount tells nothing about how long the test took."""
    with pytest.raises(Malformed, match="neither in one row alone nor to a new beginning; it cannot be repaired"):
        repaired(table(*times))


def test_nothing_is_repaired_unasked() -> None:
    """The refusal names the way."""
    with pytest.raises(Malformed, match=r"time steps backwards .*--repair-time"):
        parse_measurement(table(0, 10, 0, 20), "x.csv")


def test_a_sound_file_is_not_downgraded() -> None:
    """Asking for a repair that is not needed changes nothing."""
    measurement = repaired(full_test(1).bitrode())

    assert "measured" == measurement.source.evidence_class
    assert () == measurement.source.caveats


def test_every_result_from_repaired_time_says_so() -> None:
    """Class and caveat go with each, into whatever is signed."""
    lines = full_test(2).bitrode().decode().splitlines()
    odd = lines[100].split(",")
    lines.insert(100, ",".join([odd[0], "0.0", *odd[2:]]))
    evaluation = evaluate_measurement(repaired(("\n".join(lines) + "\n").encode()), rated_mah=10_000)

    assert evaluation.results
    assert {"estimated"} == {result.evidence_class for result in evaluation.results}
    assert all("time was repaired at 1 row(s)" in result.caveats[0] for result in evaluation.results)
    assert 10.0 == pytest.approx(evaluation.full_discharges()[0].capacity_ah, rel=1e-3)
