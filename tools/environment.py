"""Prepare `.venv` from the hashed lock and install the project into it; does nothing when all is in place."""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import json
import shutil
import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
RECORD = VENV / "cellvow.json"
LOG = ROOT / ".cache" / "setup.log"
PIP = [str(PYTHON), "-m", "pip", "--disable-pip-version-check", "--no-input", "install"]


class SetupError(Exception):
    """The environment cannot be prepared; the text says what to do next."""


def version() -> str:
    """Return the version of the running Python as `3.11`."""
    return f"{sys.version_info.major}.{sys.version_info.minor}"


def fingerprint(kind: str) -> str:
    """Return a digest of everything that decides what `.venv` must hold."""
    digest = hashlib.sha256()
    for name in (f"requirements/{kind}.txt", "pyproject.toml", "tools/environment.py"):
        digest.update(hashlib.sha256((ROOT / name).read_bytes()).digest())
    return digest.hexdigest()


def read_record() -> dict[str, str]:
    """Return what the last successful run wrote down, or nothing when there was none."""
    if not (RECORD.is_file() and PYTHON.exists()):
        return {}
    record: dict[str, str] = json.loads(RECORD.read_text(encoding="utf-8"))
    return record if record.get("root") == str(ROOT) else {}


def create() -> None:
    """Make `.venv` anew with the running Python."""
    if importlib.util.find_spec("ensurepip") is None:
        raise SetupError(
            f"Python {version()} is here without its venv module, which sets up the private environment.\n"
            f"Install it with: sudo apt install python{version()}-venv\n"
            "then run the same command again."
        )
    print(f"cellvow: creating .venv with Python {version()}", flush=True)
    if VENV.exists():
        shutil.rmtree(VENV)
    venv.create(VENV, with_pip=True)


def show_progress(line: str, step: int, total: int) -> int:
    """Count a line of pip's output; on a terminal, show the package being fetched. Returns the new count."""
    words = line.split()
    if len(words) < 2 or words[0] != "Collecting":
        return step
    if sys.stdout.isatty():
        print(f"\r  {step + 1}/{total} {words[1]:<40.40}", end="", flush=True)
    return step + 1


def run_pip(arguments: list[str], total: int, purpose: str) -> None:
    """Run pip, keep its output in the log, and turn its failure into a sentence with pip's own last words."""
    LOG.parent.mkdir(parents=True, exist_ok=True)
    with LOG.open("a", encoding="utf-8") as log:
        command = [*PIP, *arguments]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        lines, step = [], 0
        for line in process.stdout or ():
            log.write(line)
            lines.append(line)
            step = show_progress(line, step, total)
        status = process.wait()
    if sys.stdout.isatty() and step:
        print("\r" + " " * 60 + "\r", end="", flush=True)
    if status:
        last = "".join(line for line in lines if line.startswith("ERROR")) or "".join(lines[-5:])
        raise SetupError(
            f"{purpose} failed. pip said:\n{last}"
            f"All of its output is in {LOG.relative_to(ROOT)}. Is the package index reachable?\n"
            "The locks cover Linux (glibc 2.28 or newer) and macOS on Apple silicon."
        )


def install(kind: str) -> None:
    """Install the locked packages and then the project itself, which needs no index."""
    lock = f"requirements/{kind}.txt"
    total = sum("==" in line for line in (ROOT / lock).read_text(encoding="utf-8").splitlines())
    print(f"cellvow: installing {total} locked packages from {lock} (once; a minute or two)", flush=True)
    # Wheels only: a source archive would run build tools that no hash covers.
    run_pip(["--only-binary", ":all:", "--require-hashes", "-r", lock], total, "installing the packages")
    project = ["--no-index", "--no-deps", "--no-build-isolation", "--editable", "."]
    run_pip(project, 0, "installing the project itself")


def prepare(kind: str, *, exactly: bool) -> None:
    """Bring `.venv` to what the locks say, recreating it where it was moved or made by another Python."""
    record = read_record()
    if not record or (exactly and record["python"] != version()):
        record = {}
        create()
    wanted = fingerprint(kind)
    if record.get(kind) == wanted:
        return
    install(kind)
    # The test lock contains the run lock, version by version.
    installed = {kind: wanted, "run": fingerprint("run")}
    RECORD.write_text(json.dumps({"root": str(ROOT), "python": version(), **installed}), encoding="utf-8")


def main() -> int:
    """Prepare the environment named on the command line; returns the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", choices=["run", "test"])
    parser.add_argument("--exactly", action="store_true", help="use this Python even if .venv has another")
    arguments = parser.parse_args()
    try:
        prepare(arguments.kind, exactly=arguments.exactly)
    except SetupError as error:
        print(f"cellvow: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
