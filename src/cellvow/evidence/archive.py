"""The archive: quantised rows as Parquet, and the salted root that the ledger keeps.

The same measurement gives the same rows and the same root on every machine; the Parquet bytes are the same for
the same pyarrow.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from cellvow.core.primitives.digest import Digest, sha256
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.core.primitives.merkle import tree_root
from cellvow.evidence.archive_rows import (
    COLUMNS,
    REQUIRED_COLUMNS,
    Cells,
    Quantised,
    check_file_key,
    leaves,
    quantise,
    row_bytes,
)
from cellvow.evidence.bounds import FILE_BYTES_MAX, ROWS_MAX
from cellvow.evidence.measurement import Measurement, Progress, Source

CHUNK_LEVEL = 16
CHUNK_ROWS = 1 << CHUNK_LEVEL
"""Rows of a row group: a complete subtree, so that no more than one chunk of rows is expanded at a time."""
_FORMAT = "cellvow archive 1"


@dataclass(frozen=True, slots=True)
class Archive:
    """A written archive and what anchors it."""

    path: Path
    root: Digest
    """Root over the salted rows."""
    size: int
    """Rows; anchored beside the root, since a root without its size authenticates no index."""
    columns: tuple[str, ...]
    sha256: Digest
    """SHA-256 of the Parquet file."""
    source_sha256: Digest
    """SHA-256 of the file the measurement was read from."""


def write_archive(
    measurement: Measurement, path: Path, file_key: bytes, *, progress: Progress | None = None
) -> Archive:
    """Write all rows of a measurement to `path`, all or nothing, and compute their root.

    `file_key` is 32 secret random bytes, kept by the owner of the rows: whoever has it can prove a row, and
    guess rows from their leaves.
    """
    check_file_key(file_key)
    columns = quantise(measurement)
    root = tree_root(_chunk_roots(columns, len(measurement), file_key, progress))
    digest = _write_whole(path, columns, measurement)
    names = tuple(columns)
    return Archive(path, root, len(measurement), names, digest, measurement.source.sha256)


def read_chunks(path: Path) -> Iterator[dict[str, Cells]]:
    """The rows of an archive, a chunk at a time; raises `Malformed` for a file that is none."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise Malformed(f"{path.name}: more than {FILE_BYTES_MAX} bytes, no archive")
        with pq.ParquetFile(path) as file:
            _check_schema(file, path.name)
            for group in range(file.num_row_groups):
                table = file.read_row_group(group)
                if len(table) != CHUNK_ROWS and group != file.num_row_groups - 1:
                    raise Malformed(f"{path.name}: its row groups are not those of an archive")
                yield {name: table.column(name).to_pylist() for name in table.column_names}
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error}") from error
    except (pa.ArrowException, ValueError, KeyError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise Malformed(f"{path.name}: no archive ({reason}); restore it from a copy") from error


def _chunk_roots(columns: dict[str, Quantised], size: int, file_key: bytes, progress: Progress | None) -> list[Digest]:
    roots = []
    for first in range(0, size, CHUNK_ROWS):
        cells = {name: _cells(values, missing, first) for name, (values, missing) in columns.items()}
        roots.append(tree_root(leaves(file_key, first, row_bytes(first, cells))))
        if progress:
            progress(min(first + CHUNK_ROWS, size), size)
    return roots


def _cells(
    values: "np.ndarray[Any, np.dtype[np.int64]]", missing: "np.ndarray[Any, np.dtype[np.bool_]]", first: int
) -> Cells:
    part = slice(first, first + CHUNK_ROWS)
    cells: list[int | None] = values[part].tolist()
    if missing[part].any():
        return [None if is_missing else cell for cell, is_missing in zip(cells, missing[part], strict=True)]
    return cells


def _table(columns: dict[str, Quantised]) -> Any:  # noqa: ANN401 - pyarrow ships no types
    import pyarrow as pa

    fields = [pa.field(name, pa.int64(), nullable=name not in REQUIRED_COLUMNS) for name in columns]
    arrays = [pa.array(values, pa.int64(), mask=missing) for values, missing in columns.values()]
    return pa.table(arrays, schema=pa.schema(fields))


def _metadata(source: Source) -> dict[str, str]:
    return {
        "format": _FORMAT,
        "source_name": source.name,
        "source_sha256": source.sha256.hex(),
        "source_format": source.format,
        "evidence_class": source.evidence_class,
    }


def _write_whole(path: Path, columns: dict[str, Quantised], measurement: Measurement) -> Digest:
    """Write beside the target, force to disk, then take its name: a crash leaves the old file or the new."""
    table, metadata = _table(columns), _metadata(measurement.source)
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    except OSError as error:
        raise OperationalError(f"{path} cannot be written: {error.strerror or error}") from error
    temporary = Path(name)
    try:
        with os.fdopen(descriptor, "w+b") as file:
            digest = _write_table(table, metadata, file)
        temporary.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OperationalError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        temporary.unlink(missing_ok=True)
    return digest


def _write_table(table: Any, metadata: dict[str, str], file: IO[bytes]) -> Digest:  # noqa: ANN401 - as above
    import pyarrow.parquet as pq

    settings = {"compression": "zstd", "version": "2.6", "use_dictionary": False, "store_schema": False}
    with pq.ParquetWriter(file, table.schema, **settings) as writer:
        writer.add_key_value_metadata(metadata)
        writer.write_table(table, row_group_size=CHUNK_ROWS)
    file.flush()
    os.fsync(file.fileno())
    file.seek(0)
    return sha256(file.read())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _check_schema(file: Any, name: str) -> None:  # noqa: ANN401 - pyarrow ships no types
    import pyarrow as pa

    schema = file.schema_arrow
    if file.metadata.num_rows > ROWS_MAX:
        raise Malformed(f"{name}: {file.metadata.num_rows} rows, more than an archive may have")
    if list(schema.names) != [column for column in COLUMNS if column in schema.names]:
        raise Malformed(f"{name}: its columns are not those of an archive")
    if not set(REQUIRED_COLUMNS) <= set(schema.names) or any(kind != pa.int64() for kind in schema.types):
        raise Malformed(f"{name}: its columns are not those of an archive")
