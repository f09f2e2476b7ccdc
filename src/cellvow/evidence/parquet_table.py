"""Parquet to columns of numbers, bounds first."""

import io
from typing import Any

import numpy as np

from cellvow.evidence.bdf import find_bdf_layout
from cellvow.evidence.bounds import COLUMN_BYTES_MAX, ROWS_MAX
from cellvow.evidence.layout import CHANNELS, Column, Layout
from cellvow.evidence.measurement import Floats, Progress
from cellvow.evidence.recorded import Recorded
from cellvow.evidence.refusal import refuse_field, refuse_file

MAGIC = b"PAR1"


def read_parquet(content: bytes, name: str, progress: Progress | None) -> Recorded:
    """Every known column of a Parquet file in Battery Data Format; raises `Malformed`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(io.BytesIO(content))
        layout = _layout(file, name)
        _check_bounds(file, name, layout)
        channels = {}
        for done, column in enumerate(layout.columns):
            if progress:
                progress(done, len(layout.columns))
            channels[column.channel] = _values(file.read(columns=[column.label]), name, column)
    except (pa.ArrowException, OSError, ValueError, KeyError, UnicodeError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        refuse_file(name, f"not readable as Parquet ({reason})", "the file may be cut off: export it again")
    if progress:
        progress(len(layout.columns), len(layout.columns))
    row = np.arange(1, file.metadata.num_rows + 1, dtype=np.int64)
    return Recorded(layout, row, channels, {})


def _layout(file: Any, name: str) -> Layout:  # noqa: ANN401 - pyarrow ships no types
    labels = [str(label) for label in file.schema_arrow.names]
    layout = find_bdf_layout(labels, name, "Parquet")
    if layout is None:
        shown = ", ".join(labels[:6])
        refuse_file(name, f"no columns of Battery Data Format among {shown}", "export 'Test Time / s' and the like")
    return layout


def _check_bounds(file: Any, name: str, layout: Layout) -> None:  # noqa: ANN401 - pyarrow ships no types
    metadata = file.metadata
    if metadata.num_rows > ROWS_MAX:
        refuse_file(name, f"{metadata.num_rows} rows: at most {ROWS_MAX}", "split the measurement")
    wanted = {column.label for column in layout.columns}
    for position in range(metadata.num_columns):
        groups = [metadata.row_group(g).column(position) for g in range(metadata.num_row_groups)]
        if groups and groups[0].path_in_schema in wanted:
            size = sum(group.total_uncompressed_size for group in groups)
            if size > COLUMN_BYTES_MAX:
                what = f"column '{groups[0].path_in_schema}' is {size} bytes: at most {COLUMN_BYTES_MAX}"
                refuse_file(name, what, "split the measurement")


def _values(table: Any, name: str, column: Column) -> Floats:  # noqa: ANN401 - pyarrow ships no types
    import pyarrow as pa

    values = table.column(0)
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        refuse_file(name, f"column '{column.label}' holds {values.type}, not numbers", "export numbers")
    if values.null_count and CHANNELS[column.channel].is_required:
        row = int(np.argmax(values.is_null().to_numpy())) + 1
        refuse_field((name, row, column.label), "the field is empty", "correct it or remove the row")
    numbers = values.cast(pa.float64(), safe=False).to_numpy()
    unit = column.unit
    return np.asarray(numbers * unit.factor + unit.offset, dtype=np.float64)
