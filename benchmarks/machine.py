"""On what a benchmark ran: processor, memory, system, file system of the scratch folder, versions of what matters."""

import os
import platform
from datetime import UTC, datetime
from pathlib import Path

import apsw
from nacl import bindings

from benchmarks.measured import Place
from cellvow import __version__

UNKNOWN = "unknown"


def describe_place(scratch: Path) -> Place:
    """Machine, versions and date of a run whose ledgers lie in `scratch`."""
    gigabytes = round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9)
    system = f"{platform.system()} {platform.release()}"
    machine = f"{_cpu_name()}, {os.cpu_count()} cores, {gigabytes} GB, {system}, ledgers on {file_system(scratch)}"
    version = (
        f"cellvow {__version__}, Python {platform.python_version()}, "
        f"SQLite {apsw.sqlite_lib_version()}, libsodium {_libsodium()}"
    )
    return Place(machine, version, datetime.now(UTC).date().isoformat())


def file_system(folder: Path) -> str:
    """The kind of file system a folder lies on, as Linux tells it."""
    mounts = Path("/proc/mounts")
    if not mounts.is_file():
        return UNKNOWN
    return find_file_system(mounts.read_text(encoding="utf-8"), folder.resolve())


def find_file_system(mounts: str, folder: Path) -> str:
    """The kind of the innermost mount above `folder`, in the form of /proc/mounts; of equal ones the last."""
    found, depth = UNKNOWN, -1
    for line in mounts.splitlines():
        _, point, kind, *_ = line.split(" ")
        place = Path(point.replace("\\040", " "))
        if folder.is_relative_to(place) and len(place.parts) >= depth:
            found, depth = kind, len(place.parts)
    return found


def _cpu_name() -> str:
    described = Path("/proc/cpuinfo")
    lines = described.read_text(encoding="utf-8").splitlines() if described.is_file() else []
    named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return named[0] if named else platform.processor() or platform.machine()


def _libsodium() -> str:
    version = getattr(bindings, "sodium_version_string", None)
    return str(version()) if callable(version) else f"of PyNaCl {_pynacl()}"


def _pynacl() -> str:
    from importlib.metadata import version

    return version("PyNaCl")
