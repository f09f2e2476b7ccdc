"""From a file to a measurement: bounds first, then the format by its content, never by its name."""

import re
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import OperationalError
from cellvow.evidence.access_table import is_access_database
from cellvow.evidence.arbin import FORMAT as ARBIN
from cellvow.evidence.arbin import read_arbin
from cellvow.evidence.bdf import find_bdf_layout
from cellvow.evidence.bitrode import FORMAT as BITRODE
from cellvow.evidence.bitrode import find_bitrode_layout, judge_bitrode
from cellvow.evidence.bounds import FILE_BYTES_MAX
from cellvow.evidence.mapped import describe_mapping, read_mapped
from cellvow.evidence.mapping import ColumnMapping
from cellvow.evidence.measurement import Integers, Measurement, Progress, Source
from cellvow.evidence.neware import FORMAT as NEWARE
from cellvow.evidence.neware import is_ndax, read_neware
from cellvow.evidence.parquet_table import MAGIC as PARQUET
from cellvow.evidence.parquet_table import read_parquet
from cellvow.evidence.recorded import Recorded, build_measurement
from cellvow.evidence.refusal import printable, quote, refuse_file
from cellvow.evidence.text_table import first_fields, read_columns
from cellvow.evidence.time_repair import ESTIMATED, repair_time

ACCEPTED = (
    "Bitrode CSV, Battery Data Format as CSV or as Parquet, Arbin .res, Neware .ndax, any other text table through a"
    " column mapping"
)
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


class Reading(NamedTuple):
    """What a person decides about how a file is read."""

    mapping: ColumnMapping | None = None
    """Which column is what; without one the format is recognised by the file's content."""
    repair_time: bool = False
    """Whether time that steps backwards is repaired rather than refused."""


AS_RECOGNISED = Reading()
"""A known format, refused where its time steps backwards."""


class _Columns(NamedTuple):
    """What was read, before it is a measurement."""

    source: Source
    recorded: Recorded
    phase: Integers | None = None


def import_measurement(
    path: Path, *, mapping: ColumnMapping | None = None, repair_time: bool = False, progress: Progress | None = None
) -> Measurement:
    """Read a cycler's file.

    `mapping` names the columns of a text file in no known format. `repair_time` repairs time that steps backwards:
    the measurement then is of class `estimated`, and every result says so. Raises `Malformed` (file, row, field and
    remedy) for a file that is not sound, `OperationalError` where it cannot be read at all. Nothing is written.
    """
    reading = Reading(mapping, repair_time)
    return parse_measurement(read_file(path, progress), path.name, reading=reading, progress=progress)


def parse_measurement(
    content: bytes,
    name: str,
    *,
    description: str = "",
    declared: tuple[tuple[str, str], ...] = (),
    reading: Reading = AS_RECOGNISED,
    progress: Progress | None = None,
) -> Measurement:
    """The measurement in a file's bytes; `name` appears in errors, the rest is what its publisher says."""
    name = printable(name)
    _check_size(len(content), name)
    declared = (*declared, *_declared_by_name(name))
    source = Source(name, sha256(content), len(content), "", "measured", description, declared)
    source, recorded, phase = _columns(content, source, reading.mapping, progress)
    if reading.repair_time:
        source, recorded, phase = _repaired(source, recorded, phase)
    return build_measurement(source, recorded, phase)


def _columns(content: bytes, source: Source, mapping: ColumnMapping | None, progress: Progress | None) -> _Columns:
    name = source.name
    if mapping is not None:
        recorded, phase = read_mapped(content, name, mapping, progress)
        return _Columns(describe_mapping(source, mapping), recorded, phase)
    if content.startswith(PARQUET):
        return _Columns(replace(source, format="BDF Parquet"), read_parquet(content, name, progress))
    if is_access_database(content):
        return _Columns(replace(source, format=ARBIN), read_arbin(content, name))
    if is_ndax(content):
        return _Columns(replace(source, format=NEWARE), *read_neware(content, name))
    for magic, what, remedy in _NOT_TEXT:
        if content.startswith(magic):
            refuse_file(name, f"the file is {what}", remedy)
    return _text_columns(content, source, progress)


def _text_columns(content: bytes, source: Source, progress: Progress | None) -> _Columns:
    name = source.name
    if b"\0" in content:
        row = content.count(b"\n", 0, content.index(b"\0")) + 1
        refuse_file(name, f"binary bytes from row {row} on", f"accepted are {ACCEPTED}")
    fields = first_fields(content, name)
    layout = find_bitrode_layout(fields, name) or find_bdf_layout(fields, name, "CSV")
    if layout is None:
        shown = quote(",".join(fields))
        what = f"the first line, {shown}, is no known heading"
        refuse_file(name, what, f"accepted are {ACCEPTED}, with commas")
    remarks = () if content.endswith((b"\n", b"\r")) else ("the last line has no line end: it may be cut off",)
    source = replace(source, format=layout.format, remarks=remarks)
    recorded = read_columns(content, name, layout, progress)
    if layout.format != BITRODE:
        return _Columns(source, recorded)
    recorded, phase, said = judge_bitrode(name, recorded)
    return _Columns(replace(source, remarks=(*source.remarks, *said)), recorded, phase)


def _repaired(source: Source, recorded: Recorded, phase: Integers | None) -> _Columns:
    """The columns with their time repaired, and a source that says so: no longer measured, but estimated."""
    repair = repair_time(source.name, recorded)
    if not repair.sentence:
        return _Columns(source, recorded, phase)
    source = replace(
        source,
        evidence_class=ESTIMATED,
        remarks=(*source.remarks, repair.sentence),
        caveats=(*source.caveats, repair.sentence),
    )
    return _Columns(source, repair.recorded, None if phase is None else phase[repair.kept])


def read_file(path: Path, progress: Progress | None) -> bytes:
    """The bytes of a file, once and whole: what is digested is then exactly what is parsed."""
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
