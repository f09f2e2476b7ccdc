"""The archive holds every row as whole numbers, appears whole or not at all, and has one root."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.parquet as pq
import pytest

from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.merkle import tree_root
from cellvow.evidence import Measurement, parse_measurement, prove_row, simulate_measurement, write_archive
from cellvow.evidence.archive import CHUNK_ROWS, read_chunks
from cellvow.evidence.archive_rows import leaves, quantise, row_bytes
from tests.unit.evidence.sheets import full_test

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))


def test_rows_are_rounded_half_to_even_to_whole_units() -> None:
    """Milliseconds, microamperes, microvolts and thousandths of a degree; absent is absent."""
    text = (
        "test_time_second,voltage_volt,current_ampere,ambient_temperature_celsius\n"
        "0.0005,3.7000005,-0.0000025,25.5\n0.0015,3.7000015,0,\n"
    )
    columns = quantise(parse_measurement(text.encode(), "x.csv"))

    assert {"t_ms", "current_ua", "voltage_uv", "temperature_mc"} == set(columns)
    assert [0, 2] == columns["t_ms"][0].tolist()
    assert [-2, 0] == columns["current_ua"][0].tolist()
    assert [False, True] == columns["temperature_mc"][1].tolist()


def test_a_row_has_seven_entries_always() -> None:
    """Index first; what was not recorded is null."""
    cells = {"t_ms": [5], "current_ua": [-7], "voltage_uv": [3_700_000], "cycle": [2]}

    assert [b"[41,5,-7,3700000,null,2,null]"] == row_bytes(41, cells)


def test_the_file_holds_what_was_measured(tmp_path: Path) -> None:
    """Reading the archive gives the quantised columns back, and its metadata name the source."""
    measurement = full_test(1).measurement()
    archive = write_archive(measurement, tmp_path / "a.parquet", KEY)
    chunks = list(read_chunks(archive.path))

    assert 1 == len(chunks)
    assert quantise(measurement)["voltage_uv"][0].tolist() == list(chunks[0]["voltage_uv"])
    assert len(measurement) == archive.size == len(chunks[0]["t_ms"])
    assert ("t_ms", "current_ua", "voltage_uv", "step", "cycle") == archive.columns
    assert hashlib.sha256(archive.path.read_bytes()).digest() == archive.sha256
    metadata = pq.read_metadata(archive.path).metadata
    assert measurement.source.sha256.hex().encode() == metadata[b"source_sha256"]
    assert b"measured" == metadata[b"evidence_class"]


def test_the_key_is_nowhere_in_the_file(tmp_path: Path) -> None:
    """Neither key nor salts are stored: the owner keeps the key apart."""
    archive = write_archive(full_test(1).measurement(), tmp_path / "a.parquet", KEY)

    assert KEY not in archive.path.read_bytes()
    assert KEY.hex().encode() not in archive.path.read_bytes()


@pytest.mark.slow
def test_the_same_measurement_gives_the_same_bytes(tmp_path: Path) -> None:
    """Same rows, same file, same root; another key gives another root over the same file."""
    first, again, other = (
        write_archive(full_test(1).measurement(), tmp_path / name, key)
        for name, key in (("a", KEY), ("b", KEY), ("c", bytes(32)))
    )

    assert first.path.read_bytes() == again.path.read_bytes() == other.path.read_bytes()
    assert first.root == again.root != other.root


def long_measurement(rows: int) -> Measurement:
    """That many rows of a slow ramp."""
    steps = np.arange(rows)
    return Measurement(
        source=replace(simulate_measurement(discharges=0, pulses=0).source, name="long"),
        t_s=steps.astype(np.float64),
        current_a=np.full(rows, -1.0),
        voltage_v=np.asarray(4.0 - steps * 1e-6, dtype=np.float64),
        row=steps.astype(np.int64) + 1,
    )


@pytest.mark.slow
@pytest.mark.parametrize("rows", [CHUNK_ROWS, 2 * CHUNK_ROWS + 3])
def test_chunks_make_the_same_root_as_one_tree(tmp_path: Path, rows: int) -> None:
    """With one whole chunk, and with two and three rows, root and proofs are those of the plain tree."""
    archive = write_archive(long_measurement(rows), tmp_path / "a.parquet", KEY)
    plain = [
        digest
        for number, cells in enumerate(read_chunks(archive.path))
        for digest in leaves(KEY, number * CHUNK_ROWS, row_bytes(number * CHUNK_ROWS, cells))
    ]

    assert tree_root(plain) == archive.root
    for index in (0, rows - 1):
        proof = prove_row(archive.path, KEY, index)
        assert f"[{index},".encode() == proof.row[: len(str(index)) + 2]


def test_progress_ends_at_the_last_row(tmp_path: Path) -> None:
    """The caller can show how far it is."""
    seen: list[tuple[int, int]] = []
    measurement = full_test(1).measurement()
    write_archive(measurement, tmp_path / "a", KEY, progress=lambda done, total: seen.append((done, total)))

    assert [(len(measurement), len(measurement))] == seen


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    """The target is a folder: the name cannot be taken, and no half-written file remains."""
    (tmp_path / "taken").mkdir()

    with pytest.raises(OperationalError, match="cannot be written"):
        write_archive(full_test(1).measurement(), tmp_path / "taken", KEY)
    with pytest.raises(OperationalError, match="cannot be written"):
        write_archive(full_test(1).measurement(), tmp_path / "none" / "a", KEY)
    assert ["taken"] == [path.name for path in tmp_path.iterdir()]


@pytest.mark.parametrize("length", [0, 31, 33])
def test_a_key_of_another_length_is_refused(tmp_path: Path, length: int) -> None:
    """Thirty-two bytes, no fewer and no more."""
    with pytest.raises(Malformed, match=f"a file key of {length} bytes"):
        write_archive(full_test(1).measurement(), tmp_path / "a", bytes(length))


def test_a_value_past_the_bound_is_refused(tmp_path: Path) -> None:
    """What does not fit below 2^53 as a whole number is not kept wrongly."""
    measurement = replace(long_measurement(2), voltage_v=np.array([0.0, 1e10]))

    with pytest.raises(Malformed, match="a voltage is too large"):
        write_archive(measurement, tmp_path / "a", KEY)


@pytest.mark.parametrize("damage", ["cut", "text", "columns"])
def test_a_file_that_is_no_archive_is_refused(tmp_path: Path, damage: str) -> None:
    """Cut off, something else, or other columns."""
    archive = write_archive(full_test(1).measurement(), tmp_path / "a.parquet", KEY)
    if damage == "cut":
        archive.path.write_bytes(archive.path.read_bytes()[:-20])
    elif damage == "text":
        archive.path.write_text("Test Time / s\n")
    else:
        pq.write_table(pq.read_table(archive.path).drop_columns(["t_ms"]), archive.path)

    with pytest.raises(Malformed, match=r"a\.parquet"):
        prove_row(archive.path, KEY, 0)


def test_an_archive_that_is_not_there_is_an_operational_matter(tmp_path: Path) -> None:
    """Nobody's evidence is wrong when a file is missing."""
    with pytest.raises(OperationalError, match="cannot be read"):
        prove_row(tmp_path / "none.parquet", KEY, 0)
