"""Parquet to columns of numbers, bounds first."""

import io
from typing import Any

import numpy as np

from cellvow.evidence.bdf import find_bdf_layout
from cellvow.evidence.bounds import ROWS_MAX
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
    rows = file.metadata.num_rows
    if any(len(values) != rows for values in channels.values()):
        refuse_file(name, f"its columns do not hold the {rows} rows it claims", "export it again")
    if progress:
        progress(len(layout.columns), len(layout.columns))
    row = np.arange(1, rows + 1, dtype=np.int64)
    return Recorded(layout, row, channels, {}, {})


def _layout(file: Any, name: str) -> Layout:  # noqa: ANN401 - pyarrow ships no types
    labels = [str(label) for label in file.schema_arrow.names]
    layout = find_bdf_layout(labels, name, "Parquet")
    if layout is None:
        shown = ", ".join(labels[:6])
        refuse_file(name, f"no columns of Battery Data Format among {shown}", "export 'Test Time / s' and the like")
    return layout


def _check_bounds(file: Any, name: str, layout: Layout) -> None:  # noqa: ANN401 - pyarrow ships no types
    """Bound what reading will need: few columns, each of so many numbers of at most eight bytes.

    The sizes that single chunks claim are not asked for: the library aborts the process on some damaged ones.
    """
    import pyarrow as pa

    if file.metadata.num_rows > ROWS_MAX:
        refuse_file(name, f"{file.metadata.num_rows} rows: at most {ROWS_MAX}", "split the measurement")
    for column in layout.columns:
        kind = file.schema_arrow.field(column.label).type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind)):
            refuse_file(name, f"column '{column.label}' holds {kind}, not numbers", "export numbers")


def _values(table: Any, name: str, column: Column) -> Floats:  # noqa: ANN401 - pyarrow ships no types
    import pyarrow as pa

    values = table.column(0)
    if values.null_count and CHANNELS[column.channel].is_required:
        row = int(np.argmax(values.is_null().to_numpy())) + 1
        refuse_field((name, row, column.label), "the field is empty", "correct it or remove the row")
    numbers = values.cast(pa.float64(), safe=False).to_numpy()
    unit = column.unit
    return np.asarray(numbers * unit.factor + unit.offset, dtype=np.float64)
