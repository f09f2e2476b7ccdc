"""One row can be proven without its neighbours, and nothing but that row."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from cellvow.core.primitives.digest import Digest
from cellvow.core.primitives.encoding import Json
from cellvow.core.primitives.errors import Malformed, VerificationError
from cellvow.evidence import Archive, RowProof, parse_row_proof, prove_row, verify_row, write_archive
from tests.unit.evidence.sheets import full_test

if TYPE_CHECKING:
    pass

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    """An archive of one full test."""
    return write_archive(full_test(1).measurement(), tmp_path_factory.mktemp("archive") / "a.parquet", KEY)


@pytest.fixture(scope="module")
def proof(archive: Archive) -> RowProof:
    """The proof of its row 41."""
    return prove_row(archive.path, KEY, 41)


def test_a_proven_row_gives_its_values(archive: Archive, proof: RowProof) -> None:
    """The verifier reads time, current, voltage, step and cycle by name."""
    row = full_test(1).rows[41]

    assert {
        "index": 41,
        "t_ms": round(row.t_s * 1000),
        "current_ua": round(row.current_a * 1e6),
        "voltage_uv": round(row.voltage_v * 1e6),
        "step": row.step,
        "cycle": row.cycle,
        "temperature_mc": None,
    } == verify_row(proof, archive.root, archive.size)


def test_a_proof_travels_as_a_document(proof: RowProof) -> None:
    """Out as integers and hex, and back again."""
    assert proof == parse_row_proof(proof.document())


def test_a_row_outside_the_archive_cannot_be_proven(archive: Archive) -> None:
    """The last row is the last."""
    assert archive.size - 1 == prove_row(archive.path, KEY, archive.size - 1).index
    for index in (-1, archive.size):
        with pytest.raises(Malformed, match=f"a.parquet has no row {index}: it has rows 0 to {archive.size - 1}"):
            prove_row(archive.path, KEY, index)


@pytest.mark.parametrize(
    "change",
    [
        {"index": 42},
        {"size": 42},
        {"row": b"[41,1,2,3,null,null]"},
        {"row": b"[41, 1,2,3,null,null,null]"},
        {"row": b"[41,1,2,3,null,null,true]"},
        {"row": b"{}"},
        {"salt": Digest(bytes(31))},
        {"path": ()},
    ],
)
def test_a_changed_proof_is_refused(archive: Archive, proof: RowProof, change: dict[str, object]) -> None:
    """Another index, size, row, salt or path leads nowhere."""
    with pytest.raises(VerificationError):
        verify_row(replace(proof, **change), archive.root, archive.size)  # type: ignore[arg-type]  # wrong on purpose


def test_the_size_comes_from_the_anchor(archive: Archive, proof: RowProof) -> None:
    """A root without its size authenticates no index."""
    with pytest.raises(VerificationError, match="the anchor for"):
        verify_row(proof, archive.root, archive.size + 1)


def test_salt_cannot_move_into_the_row(archive: Archive, proof: RowProof) -> None:
    """The same leaf bytes cut at another place are another claim: salt and row have fixed places."""
    joined = proof.salt + proof.row
    moved = replace(proof, salt=Digest(joined[:33]), row=joined[33:])

    with pytest.raises(VerificationError):
        verify_row(moved, archive.root, archive.size)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"extra": 1}, "exactly the fields"),
        ({"index": "41"}, "are integers"),
        ({"index": True}, "are integers"),
        ({"row": 3}, "is ASCII text"),
        ({"row": "9" * 201}, "is ASCII text"),
        ({"path": "no"}, "is a list"),
        ({"path": [3]}, "64 lower-case"),
        ({"salt": "AB" * 32}, "64 lower-case"),
        ({"salt": "ab" * 31}, "64 lower-case"),
    ],
)
def test_a_document_of_another_shape_is_refused(proof: RowProof, change: dict[str, Json], said: str) -> None:
    """One spelling, one shape."""
    with pytest.raises(Malformed, match=said):
        parse_row_proof({**proof.document(), **change})
    with pytest.raises(Malformed, match="exactly the fields"):
        parse_row_proof([])
