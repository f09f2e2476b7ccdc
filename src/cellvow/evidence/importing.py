"""From a file to a measurement: bounds first, then the format by its content, never by its name."""

import re
from dataclasses import replace
from pathlib import Path

from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import OperationalError
from cellvow.evidence.bdf import find_bdf_layout
from cellvow.evidence.bitrode import FORMAT as BITRODE
from cellvow.evidence.bitrode import build_bitrode, find_bitrode_layout
from cellvow.evidence.bounds import FILE_BYTES_MAX
from cellvow.evidence.measurement import Measurement, Progress, Source
from cellvow.evidence.parquet_table import MAGIC, read_parquet
from cellvow.evidence.recorded import build_measurement
from cellvow.evidence.refusal import printable, quote, refuse_file
from cellvow.evidence.text_table import first_fields, read_columns

ACCEPTED = "Bitrode CSV, Battery Data Format as CSV or as Parquet"
"""What can be imported, for messages and help texts."""

_NOT_TEXT = (
    (b"\x1f\x8b", "compressed with gzip", "decompress it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with Zstandard", "decompress it first"),
    (b"PK\x03\x04", "a zip archive or spreadsheet", "export it as CSV"),
    (b"\xff\xfe", "UTF-16 text", "save it as UTF-8 CSV"),
    (b"\xfe\xff", "UTF-16 text", "save it as UTF-8 CSV"),
)
_NAMED_TEMPERATURE = re.compile(r"(?:^|_)(-?\d{1,3})degC(?:_|\.|$)")
_PIECE = 8_000_000


def import_measurement(path: Path, *, progress: Progress | None = None) -> Measurement:
    """Read a cycler's file.

    Raises `Malformed` (file, row, field and remedy) for a file that is not sound, `OperationalError` where
    it cannot be read at all. Nothing is written.
    """
    return parse_measurement(_read(path, progress), path.name, progress=progress)


def parse_measurement(
    content: bytes,
    name: str,
    *,
    description: str = "",
    declared: tuple[tuple[str, str], ...] = (),
    progress: Progress | None = None,
) -> Measurement:
    """The measurement in a file's bytes; `name` appears in errors, the rest is what its publisher says."""
    name = printable(name)
    _check_size(len(content), name)
    for magic, what, remedy in _NOT_TEXT:
        if content.startswith(magic):
            refuse_file(name, f"the file is {what}", remedy)
    declared = (*declared, *_declared_by_name(name))
    digest = sha256(content)
    if content.startswith(MAGIC):
        recorded = read_parquet(content, name, progress)
        source = Source(name, digest, len(content), "BDF Parquet", "measured", description, declared)
        return build_measurement(source, recorded)
    return _parse_text(content, Source(name, digest, len(content), "", "measured", description, declared), progress)


def _parse_text(content: bytes, source: Source, progress: Progress | None) -> Measurement:
    name = source.name
    if b"\0" in content:
        row = content.count(b"\n", 0, content.index(b"\0")) + 1
        refuse_file(name, f"binary bytes from row {row} on", f"accepted are {ACCEPTED}")
    fields = first_fields(content, name)
    layout = find_bitrode_layout(fields, name) or find_bdf_layout(fields, name, "CSV")
    if layout is None:
        shown = quote(",".join(fields))
        refuse_file(name, f"the first line, {shown}, is no known heading", f"accepted are {ACCEPTED}, with commas")
    remarks = () if content.endswith((b"\n", b"\r")) else ("the last line has no line end: it may be cut off",)
    source = replace(source, format=layout.format, remarks=remarks)
    recorded = read_columns(content, name, layout, progress)
    return build_bitrode(source, recorded) if layout.format == BITRODE else build_measurement(source, recorded)


def _read(path: Path, progress: Progress | None) -> bytes:
    """The file once and whole: what is digested is then exactly what is parsed."""
    try:
        size = path.stat().st_size
        _check_size(size, path.name)
        pieces = []
        with path.open("rb") as file:
            while piece := file.read(_PIECE):
                pieces.append(piece)
                done = sum(map(len, pieces))
                _check_size(done, path.name)
                if progress:
                    progress(done, max(size, done))
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error.strerror or error}") from error
    return b"".join(pieces)


def _check_size(size: int, name: str) -> None:
    if size == 0:
        refuse_file(name, "the file is empty", "export the measurement again")
    if size > FILE_BYTES_MAX:
        refuse_file(
            name, f"{size} bytes: at most {FILE_BYTES_MAX} are read", "split the measurement into several files"
        )


def _declared_by_name(name: str) -> tuple[tuple[str, str], ...]:
    """What a file named by the format's convention (`institution__cell__date...`) says about itself."""
    match = _NAMED_TEMPERATURE.search(name)
    temperature = (("temperature_degc", match[1]),) if match else ()
    parts = name.split("__")
    return (("institution", parts[0]), ("cell", parts[1]), *temperature) if len(parts) > 2 else temperature
