"""What every benchmark is handed: a scratch folder on the repository's own disk, sizes, and a voice for progress."""

import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.ledgers import Filled
from benchmarks.sampling import RUNS

BATTERIES, BATTERIES_QUICK = 2_000, 200


@dataclass
class Bench:
    """One sitting; `is_quick` runs everything small, to see that it runs, and its numbers mean nothing."""

    scratch: Path
    is_quick: bool = False
    label: str = ""
    _filled: Filled | None = field(default=None, init=False)

    @property
    def runs(self) -> int:
        """Runs of each side."""
        return 2 if self.is_quick else RUNS

    def size(self, full: int, quick: int) -> int:
        """A number of events, requests or the like."""
        return quick if self.is_quick else full

    def say(self, text: str) -> None:
        """Show progress, on the error stream; a line of its own where that is no terminal."""
        ending = "\r" if sys.stderr.isatty() else "\n"
        sys.stderr.write(f"  {self.label}: {text}".ljust(78) + ending)
        sys.stderr.flush()

    def folder(self, name: str) -> Path:
        """An empty folder for one run; what an earlier run left there is removed."""
        path = self.scratch / name
        shutil.rmtree(path, ignore_errors=True)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    def filled(self) -> Filled:
        """The ledger that runs start from, filled once a sitting."""
        if self._filled is None:
            batteries = self.size(BATTERIES, BATTERIES_QUICK)
            self.say(f"filling a ledger with {batteries:,} batteries")
            self._filled = Filled(self.folder("filled"), batteries, lambda text: self.say(f"filling: {text}"))
        return self._filled
