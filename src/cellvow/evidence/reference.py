"""The reference measurements: six real files of a vehicle cell, inside a source distribution.

The cell is from a 2013 Nissan Leaf (pouch, rated 33.1 Ah), measured on a Bitrode cycler at Oak Ridge National
Laboratory and published by G. Wiggins, S. Allu and H. Wang in 2019 under the MIT licence,
doi:10.5281/zenodo.2580327. The source distribution of celljar 0.2.1 carries them.
"""

import io
import tarfile
from pathlib import Path
from typing import NamedTuple

from cellvow.core.primitives.digest import sha256
from cellvow.core.primitives.errors import Malformed, OperationalError
from cellvow.evidence.bounds import DISTRIBUTION_BYTES_MAX, MEMBER_BYTES_MAX, MEMBERS_MAX
from cellvow.evidence.importing import parse_measurement
from cellvow.evidence.measurement import Measurement, Progress

DISTRIBUTION = "celljar-0.2.1.tar.gz"
DISTRIBUTION_SHA256 = "7813e401d974f99f1430c247aef1ab1b0fd5095be4fe0900837e822c314bd12c"
RATED_MAH = 33_100
"""Rated capacity of the cell as its publishers give it."""
CITATION = (
    "Wiggins, G., Allu, S., Wang, H. (2019): battery cell data from a 2013 Nissan Leaf,"
    " Oak Ridge National Laboratory, doi:10.5281/zenodo.2580327, MIT licence"
)
_FOLDER = "celljar-0.2.1/data/raw/ornl_leaf"


class ReferenceMeasurement(NamedTuple):
    """One of the files."""

    name: str
    title: str
    """What was done, in words."""
    temperature_degc: int | None
    """Chamber temperature as published; None where it is not."""


REFERENCE_MEASUREMENTS = (
    ReferenceMeasurement("cell-discharge-bitrode-1c.csv", "Four full discharges at 30.6 A", None),
    ReferenceMeasurement("cell-discharge-bitrode-2c.csv", "Five full discharges at 61.2 A", None),
    ReferenceMeasurement("cell-discharge-bitrode-3c.csv", "Five full discharges at 91.8 A", None),
    ReferenceMeasurement("cell-low-current-hppc-10c.csv", "Current pulses at ten states of charge", 10),
    ReferenceMeasurement("cell-low-current-hppc-25c.csv", "Current pulses at ten states of charge", 25),
    ReferenceMeasurement("cell-low-current-hppc-40c.csv", "Current pulses at ten states of charge", 40),
)


def find_measurement(cache: Path) -> Path | None:
    """The distribution in a cache folder, or at that very path, or None where it was not fetched."""
    path = cache / DISTRIBUTION if cache.is_dir() else cache
    return path if path.is_file() else None


def open_reference_measurement(distribution: Path, name: str, *, progress: Progress | None = None) -> Measurement:
    """One reference measurement by the name of its file.

    Raises `Malformed` unless `distribution` is the very file whose digest is pinned here.
    """
    chosen = next((one for one in REFERENCE_MEASUREMENTS if one.name == name), None)
    if chosen is None:
        known = ", ".join(one.name for one in REFERENCE_MEASUREMENTS)
        raise Malformed(f"no reference measurement is called {name!r}; there are {known}")
    content = read_distribution(distribution)
    if sha256(content).hex() != DISTRIBUTION_SHA256:
        raise Malformed(f"{distribution.name} is not the distribution that is pinned: delete it, fetch it again")
    declared = [("cell", "2013 Nissan Leaf, pouch, 33.1 Ah")]
    if chosen.temperature_degc is not None:
        declared.append(("temperature_degc", str(chosen.temperature_degc)))
    return parse_measurement(
        read_member(content, f"{_FOLDER}/{name}"),
        name,
        description=f"{chosen.title}. {CITATION}.",
        declared=tuple(declared),
        progress=progress,
    )


def read_distribution(path: Path) -> bytes:
    """The bytes of a distribution, its size checked first."""
    try:
        if path.stat().st_size > DISTRIBUTION_BYTES_MAX:
            raise Malformed(f"{path.name}: more than {DISTRIBUTION_BYTES_MAX} bytes")
        return path.read_bytes()
    except OSError as error:
        raise OperationalError(f"{path} cannot be read: {error.strerror or error}") from error


def read_member(content: bytes, member: str) -> bytes:
    """The bytes of one plain file inside a gzipped tar, read in memory: nothing is ever extracted.

    Raises `Malformed` for an archive that is broken or whose members are too many or too large.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(content), mode="r:gz") as archive:
            for count, entry in enumerate(archive):
                if count >= MEMBERS_MAX or entry.size > MEMBER_BYTES_MAX:
                    raise Malformed(f"the distribution has too many or too large members ({entry.name!r})")
                if entry.name == member and entry.isfile():
                    file = archive.extractfile(entry)
                    return file.read() if file else b""
    except (tarfile.TarError, EOFError, OSError) as error:
        raise Malformed(f"the distribution is broken ({error}): delete it and fetch it again") from error
    raise Malformed(f"the distribution holds no plain file {member!r}")
