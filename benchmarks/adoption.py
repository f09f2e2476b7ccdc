"""`adoption.first_passport`: from a clone to a verified passport as a newcomer types it, beside the promised time."""

import os
import shutil
import subprocess
from pathlib import Path
from statistics import median

from benchmarks.bench import Bench
from benchmarks.measured import Found, Part, at_most, spread_of
from benchmarks.sampling import seconds
from cellvow.core.primitives.errors import OperationalError

NAME = "adoption.first_passport"
PROMISED_S = 180.0
ROOT = Path(__file__).resolve().parent.parent
CERTAIN = "all 13 checks hold"
"""What `make demo` says once the offline verifier agreed."""
_KEPT = ("HOME", "LANG", "PATH", "PIP_INDEX_URL", "PIP_CONFIG_FILE", "SSL_CERT_FILE", "HTTPS_PROXY", "HTTP_PROXY")


def measure(bench: Bench) -> list[Found]:
    """The row: `git clone` and `make demo` in an empty folder, each time with nothing of ours installed."""
    runs = 1 if bench.is_quick else 3
    taken = []
    for number in range(1, runs + 1):
        bench.say(f"clone and demonstration {number} of {runs}")
        taken.append(seconds(lambda: _first_passport(bench.folder("newcomer"))))
    ratio = median(taken) / PROMISED_S
    return [
        Found(
            name=NAME,
            value=median(taken),
            unit="s",
            n=runs,
            spread=spread_of(taken),
            ratio=ratio,
            bound=Part("promised", PROMISED_S, "s"),
            goals=(at_most("seconds", median(taken), PROMISED_S),),
            setting=(
                "`git clone` of this repository and `make demo` in it, which makes an environment, installs every "
                "locked package, fetches the real measurement, runs the story and verifies its proof in a fresh "
                "process; pip keeps the packages that it has downloaded before, so a first time ever adds its download"
            ),
        )
    ]


def _first_passport(folder: Path) -> None:
    environ = {name: os.environ[name] for name in _KEPT if name in os.environ}
    _run(["git", "clone", "--quiet", str(ROOT), str(folder)], ROOT, environ)
    said = _run(["make", "demo"], folder, environ)
    shutil.rmtree(folder)
    if CERTAIN not in said:
        raise OperationalError(f"`make demo` ended without {CERTAIN!r}: {said[-300:]!r}")


def _run(command: list[str], folder: Path, environ: dict[str, str]) -> str:
    ended = subprocess.run(  # noqa: S603 - git and make of this machine
        command, cwd=folder, env=environ, capture_output=True, text=True, check=False
    )
    if ended.returncode:
        raise OperationalError(f"`{' '.join(command[:2])}` failed: {(ended.stdout + ended.stderr)[-300:]!r}")
    return ended.stdout
