"""Row proofs hold for every archive and every row, and for nothing that differs in a bit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import Json, encode_document
from cellvow.core.primitives.errors import VerificationError
from cellvow.core.primitives.limits import INTEGER_MAX
from cellvow.core.primitives.merkle import tree_root
from cellvow.evidence import Archive, Measurement, RowProof, prove_row, simulate_measurement, verify_row, write_archive
from cellvow.evidence.archive_rows import COLUMNS, leaves, row_bytes, row_leaf, row_salt

if TYPE_CHECKING:
    from pathlib import Path

KEY = bytes(range(32))
CELLS = st.none() | st.integers(-INTEGER_MAX, INTEGER_MAX)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A place for archives."""
    return tmp_path_factory.mktemp("archives")


def archive_of(folder: Path, rows: int) -> Archive:
    """An archive of that many rows."""
    steps = np.arange(rows)
    measurement = Measurement(
        source=simulate_measurement(discharges=0, pulses=0).source,
        t_s=steps.astype(np.float64),
        current_a=np.full(rows, -1.0),
        voltage_v=np.full(rows, 3.7),
        row=steps.astype(np.int64) + 1,
    )
    return write_archive(measurement, folder / f"{rows}.parquet", KEY)


@pytest.mark.slow
@given(st.integers(0, 2**40), st.lists(st.tuples(*[CELLS] * len(COLUMNS)), min_size=1, max_size=4))
def test_the_fast_row_bytes_are_the_canonical_encoding(first: int, rows: list[tuple[int | None, ...]]) -> None:
    """Byte for byte what `encode_document` gives for index and cells."""
    columns = dict(zip(COLUMNS, map(list, zip(*rows, strict=True)), strict=True))
    expected: list[list[Json]] = [[first + place, *cells] for place, cells in enumerate(rows)]

    assert [encode_document(row) for row in expected] == row_bytes(first, columns)


@pytest.mark.slow
@given(rows=st.integers(1, 70), data=st.data())
def test_every_row_of_every_archive_can_be_proven(folder: Path, rows: int, data: st.DataObject) -> None:
    """Whatever the number of rows, the proof leads to the anchored root."""
    archive = archive_of(folder, rows)
    index = data.draw(st.integers(0, rows - 1))
    values = verify_row(prove_row(archive.path, KEY, index), archive.root, archive.size)

    assert (index, index * 1000) == (values["index"], values["t_ms"])


@pytest.mark.slow
@given(rows=st.integers(2, 70), data=st.data())
def test_a_proof_gives_away_no_other_row(folder: Path, rows: int, data: st.DataObject) -> None:
    """It holds one salt; of the other rows it holds no salt and no bytes, only hashes over both."""
    archive = archive_of(folder, rows)
    index = data.draw(st.integers(0, rows - 1))
    proof = prove_row(archive.path, KEY, index)
    others = [row_salt(KEY, other) for other in range(rows) if other != index]
    carried = {proof.salt, *proof.path}

    assert not carried & set(others)
    assert row_salt(KEY, index) == proof.salt
    assert KEY not in proof.row + proof.salt + b"".join(proof.path)


@pytest.mark.slow
@given(rows=st.integers(2, 40), guess=st.integers(0, 39))
def test_a_neighbour_cannot_be_guessed_from_the_path(folder: Path, rows: int, guess: int) -> None:
    """Even the true row of a neighbour, hashed without its salt or with the proven one, matches no hash given."""
    archive = archive_of(folder, rows)
    proof = prove_row(archive.path, KEY, 0)
    other = row_bytes(0, {"t_ms": [0], "current_ua": [-1_000_000], "voltage_uv": [3_700_000]})[0]
    neighbour = other.replace(b"[0,0,", f"[{guess % rows},{guess % rows * 1000},".encode())

    assert row_leaf(proof.salt, neighbour) not in proof.path
    assert row_leaf(Digest(bytes(32)), neighbour) not in proof.path
    assert row_leaf(row_salt(KEY, 1), neighbour) in proof.path or guess % rows != 1


def flipped(content: bytes, bit: int) -> bytes:
    """The bytes with one bit turned."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def mutations(proof: RowProof) -> list[RowProof]:
    """Every proof that differs in one bit of a row, salt, hash, index or size, or in the length of the path."""
    found = [replace(proof, row=flipped(proof.row, bit)) for bit in range(8 * len(proof.row))]
    found += [replace(proof, salt=Digest(flipped(proof.salt, bit))) for bit in range(256)]
    for place, digest in enumerate(proof.path):
        for bit in range(256):
            path = list(proof.path)
            path[place] = Digest(flipped(digest, bit))
            found.append(replace(proof, path=tuple(path)))
    found += [replace(proof, index=proof.index ^ 1 << bit) for bit in range(40)]
    found += [replace(proof, size=proof.size ^ 1 << bit) for bit in range(40)]
    found += [replace(proof, path=proof.path[:-1]), replace(proof, path=(*proof.path, proof.salt))]
    return found


@pytest.mark.slow
def test_every_flipped_bit_of_a_proof_is_refused(folder: Path) -> None:
    """Each of some three thousand bits, and a path too short or too long."""
    archive = archive_of(folder, 37)
    proof = prove_row(archive.path, KEY, 36)
    accepted = []
    for changed in mutations(proof):
        try:
            verify_row(changed, archive.root, archive.size)
        except VerificationError:
            continue
        accepted.append(changed)

    assert [] == accepted


def test_control_the_unchanged_proof_is_accepted(folder: Path) -> None:
    """The refusals are owed to the flipped bits."""
    archive = archive_of(folder, 37)

    assert verify_row(prove_row(archive.path, KEY, 36), archive.root, archive.size)


@given(st.binary(min_size=32, max_size=32), st.integers(0, 2**40))
def test_roots_under_different_keys_differ(key: bytes, first: int) -> None:
    """The same row under another key is another leaf: equal rows of two archives are not recognised."""
    rows = [b"[0,1,2,3,null,null,null]"]

    assert tree_root(leaves(key, first, rows)) != tree_root(leaves(flipped(key, 0), first, rows))
