"""The rows of an archive as whole numbers, their bytes, and their salted leaves.

A row is the canonical JSON list `[index, t_ms, current_ua, voltage_uv, step, cycle, temperature_mc]`, always of
seven entries, `null` for what was not recorded. Example: `[41,10086300,-30600000,4128000,2,2,null]`.
"""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from cellvow.core.primitives.digest import Digest, keyed_digest
from cellvow.core.primitives.errors import Malformed
from cellvow.core.primitives.limits import INTEGER_MAX
from cellvow.core.primitives.merkle import leaf_hash
from cellvow.evidence.measurement import Measurement

ROW_DOMAIN = "cellvow/row/v1"
"""Domain of the salts."""
FILE_KEY_LENGTH = 32
"""Bytes of the secret from which all salts of a file follow."""

COLUMNS = ("t_ms", "current_ua", "voltage_uv", "step", "cycle", "temperature_mc")
"""Entries of a row after its index."""
REQUIRED_COLUMNS = COLUMNS[:3]

Cells: TypeAlias = Sequence[int | None]
"""One column of an archive, a value or None a row."""
Quantised: TypeAlias = tuple[NDArray[np.int64], NDArray[np.bool_]]
"""(values, where there is none); the values there are 0."""


def quantise(measurement: Measurement) -> dict[str, Quantised]:
    """Columns of an archive from a measurement, rounded half to even; only those that were recorded."""
    present = np.zeros(len(measurement), dtype=np.bool_)
    columns = {
        "t_ms": (_scaled(measurement.t_s, 1e3, "time"), present),
        "current_ua": (_scaled(measurement.current_a, 1e6, "current"), present),
        "voltage_uv": (_scaled(measurement.voltage_v, 1e6, "voltage"), present),
    }
    if measurement.step is not None:
        columns["step"] = (measurement.step, present)
    if measurement.cycle is not None:
        columns["cycle"] = (measurement.cycle, present)
    if measurement.temperature_c is not None:
        missing = ~np.isfinite(measurement.temperature_c)
        known = np.where(missing, 0.0, measurement.temperature_c)
        columns["temperature_mc"] = (_scaled(known, 1e3, "temperature"), missing)
    return columns


def row_bytes(first_index: int, columns: Mapping[str, Cells]) -> list[bytes]:
    """Bytes of consecutive rows: what `encode_document` gives for each, without its cost per row."""
    rows = len(columns["t_ms"])
    absent: Cells = [None] * rows
    texts = (columns.get(name, absent) for name in COLUMNS)
    indices = range(first_index, first_index + rows)
    return [
        str(list(cells)).replace(" ", "").replace("None", "null").encode("ascii")
        for cells in zip(indices, *texts, strict=True)
    ]


def row_salt(file_key: bytes, index: int) -> Digest:
    """Salt of one row: it follows from the file key, and from no other salt."""
    return keyed_digest(file_key, ROW_DOMAIN, index.to_bytes(8, "big"))


def row_leaf(salt: bytes, row: bytes) -> Digest:
    """Leaf hash of one row: SHA-256(0x00 || salt || row)."""
    return leaf_hash(salt + row)


def leaves(file_key: bytes, first_index: int, rows: Sequence[bytes]) -> list[Digest]:
    """Leaf hashes of consecutive rows."""
    return [row_leaf(row_salt(file_key, index), row) for index, row in enumerate(rows, start=first_index)]


def check_file_key(file_key: bytes) -> None:
    """Raise `Malformed` unless the key has its length."""
    if len(file_key) != FILE_KEY_LENGTH:
        raise Malformed(f"a file key of {len(file_key)} bytes: it has {FILE_KEY_LENGTH} random ones")


def _scaled(values: NDArray[np.float64], factor: float, what: str) -> NDArray[np.int64]:
    scaled = np.rint(values * factor)
    if not (np.abs(scaled) <= INTEGER_MAX).all():
        raise Malformed(f"a {what} is too large to be kept as a whole number below 2^53")
    return scaled.astype(np.int64)
